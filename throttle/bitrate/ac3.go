package bitrate

func isAC3(*source) bool { return false }

func parseAC3(s *source) (Info, error) { return Info{}, s.fail(0, ErrUnknownRate, "not written") }

package bitrate

func isAMR(*source) bool { return false }

func parseAMR(s *source) (Info, error) { return Info{}, s.fail(0, ErrUnknownRate, "not written") }

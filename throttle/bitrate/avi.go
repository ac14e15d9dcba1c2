package bitrate

func isAVI(*source) bool { return false }

func parseAVI(s *source) (Info, error) { return Info{}, s.fail(0, ErrUnknownRate, "not written") }

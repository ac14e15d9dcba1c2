package bitrate

func isMP4(*source) bool { return false }

func parseMP4(s *source) (Info, error) { return Info{}, s.fail(0, ErrUnknownRate, "not written") }

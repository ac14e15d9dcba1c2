package bitrate

func isFLAC(*source) bool { return false }

func parseFLAC(s *source) (Info, error) { return Info{}, s.fail(0, ErrUnknownRate, "not written") }

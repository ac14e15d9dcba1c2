package bitrate

func isMPEGTS(*source) bool { return false }

func parseMPEGTS(s *source) (Info, error) { return Info{}, s.fail(0, ErrUnknownRate, "not written") }

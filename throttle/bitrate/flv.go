package bitrate

func isFLV(*source) bool { return false }

func parseFLV(s *source) (Info, error) { return Info{}, s.fail(0, ErrUnknownRate, "not written") }

package bitrate

func isASF(*source) bool { return false }

func parseASF(s *source) (Info, error) { return Info{}, s.fail(0, ErrUnknownRate, "not written") }

package bitrate

func isOgg(*source) bool { return false }

func parseOgg(s *source) (Info, error) { return Info{}, s.fail(0, ErrUnknownRate, "not written") }

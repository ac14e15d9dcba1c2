package bitrate

func isRealMedia(*source) bool { return false }

func parseRealMedia(s *source) (Info, error) { return Info{}, s.fail(0, ErrUnknownRate, "not written") }

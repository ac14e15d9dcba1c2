package bitrate

func isAIFF(*source) bool { return false }

func parseAIFF(s *source) (Info, error) { return Info{}, s.fail(0, ErrUnknownRate, "not written") }

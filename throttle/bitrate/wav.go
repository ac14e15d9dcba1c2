package bitrate

func isWAV(*source) bool { return false }

func parseWAV(s *source) (Info, error) { return Info{}, s.fail(0, ErrUnknownRate, "not written") }

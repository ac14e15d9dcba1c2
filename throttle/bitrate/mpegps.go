package bitrate

func isMPEGPS(*source) bool { return false }

func parseMPEGPS(s *source) (Info, error) { return Info{}, s.fail(0, ErrUnknownRate, "not written") }

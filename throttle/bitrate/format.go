package bitrate

// Format is a rule of a format.
type Format struct {
	Extension string
}

func (f *Format) detect(s *source) (Info, error) {
	return Info{}, s.fail(0, ErrUnknownRate, "not written")
}

package packager

import "github.com/smoothkit/smoothkit/internal/fmp4"

func (in *input) readFragments(m *fmp4.Movie, off int64) error {
	return &fmp4.Error{Path: "moov/mvex", Offset: off, Reason: "fragmented file", Err: fmp4.ErrUnsupported}
}

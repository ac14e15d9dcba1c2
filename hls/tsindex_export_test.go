package hls

import (
	"context"
	"io"

	"github.com/smoothkit/smoothkit/smooth"
)

// TSPoint is what an index of MPEG-2 TS tells of a place where decoding can begin.
type TSPoint struct {
	Start           int64
	Tabled, Restart bool
	Time, End       uint64
}

// TSIndex is an index of MPEG-2 TS.
type TSIndex struct {
	Points       []TSPoint
	Tables       int
	Holes        [][2]int64
	End, Size    int64
	Video, Audio *smooth.Codec
}

// ErrNotTS is the cause of errors for files that cannot be indexed.
var ErrNotTS = errNotTS

type readerOf struct{ io.ReaderAt }

func (r readerOf) ReadAtContext(ctx context.Context, p []byte, off int64) (int, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	return r.ReadAt(p, off)
}

// IndexTS indexes MPEG-2 TS, reading window bytes at a time; zero is as many as usual.
func IndexTS(ctx context.Context, r io.ReaderAt, size, window int64) (*TSIndex, error) {
	if window == 0 {
		window = scanWindow
	}
	s := newTSScanner(ctx, readerOf{r}, size, window)
	if err := s.scan(); err != nil {
		return nil, err
	}
	ix, err := s.finish()
	if err != nil {
		return nil, err
	}
	out := &TSIndex{Tables: len(ix.tables), End: ix.end, Size: ix.size(), Video: ix.video, Audio: ix.audio}
	for i, p := range ix.points {
		start, tabled := ix.start(i)
		out.Points = append(out.Points, TSPoint{start, tabled, p.restart, p.time, p.end})
	}
	for _, h := range ix.holes {
		out.Holes = append(out.Holes, [2]int64{h.from, h.to})
	}
	return out, nil
}

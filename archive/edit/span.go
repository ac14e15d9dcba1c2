package edit

import (
	"context"
	"slices"

	"github.com/smoothkit/smoothkit/smooth"
)

// plan returns the streams of all parts, as those of one presentation, or the span of them that is wanted. The main stream, the first
// with a picture or else the first that is not sparse, has the fragments that overlap it; of the others come those whose middle lies
// in what the main stream has, since the fragments of sound seldom begin with those of the picture, and a second of sound without one
// is not what somebody has asked for. Sparse streams have what overlaps that.
func (w *writing) plan(ctx context.Context) ([]*stream, error) {
	streams, err := w.planSpan(ctx, w.opts.From, w.opts.To)
	main := mainStream(streams)
	if err != nil || main == nil || w.opts.From == (smooth.Instant{}) && w.opts.To == (smooth.Instant{}) {
		return streams, err
	}
	start, end := main.chunks[0].Time, uint64(0)
	for _, c := range main.chunks {
		end = max(end, c.End())
	}
	from, to := w.opts.From, w.opts.To
	if from != (smooth.Instant{}) {
		from = smooth.AtTicks(start, main.timescale)
	}
	if to != (smooth.Instant{}) {
		to = smooth.AtTicks(end, main.timescale)
	}
	if streams, err = w.planSpan(ctx, from, to); err != nil {
		return nil, err
	}
	for _, s := range streams {
		if s.isSparse() || s.from.Name == main.from.Name {
			continue
		}
		first, last := smooth.Rescale(start, main.timescale, s.timescale), smooth.Rescale(end, main.timescale, s.timescale)
		s.chunks = slices.DeleteFunc(s.chunks, func(c chunk) bool {
			middle := c.Time + c.Duration/2
			return w.opts.From != (smooth.Instant{}) && middle < first || w.opts.To != (smooth.Instant{}) && middle >= last
		})
	}
	return slices.DeleteFunc(streams, func(s *stream) bool { return len(s.chunks) == 0 }), nil
}

// mainStream returns the stream by which the others are cut, nil if all are sparse.
func mainStream(streams []*stream) *stream {
	var main *stream
	for _, s := range streams {
		if !s.isSparse() && (main == nil || main.from.Type != smooth.Video && s.from.Type == smooth.Video) {
			main = s
		}
	}
	return main
}

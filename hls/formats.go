package hls

import (
	"slices"

	"github.com/smoothkit/smoothkit/smooth"
)

// eachCodec calls yield with the configurations of a rendition: the one found first, and those of all periods.
func (w *show) eachCodec(r *rendition, yield func(c *smooth.Codec)) {
	yield(r.codec)
	for i := range w.snap.Periods {
		for j := range w.snap.Periods[i].Tracks {
			tr := &w.snap.Periods[i].Tracks[j]
			if tr.Codec != nil && tr.Codec != r.codec && tr.Bitrate == r.level.Bitrate && tr.Stream == r.stream.Name && tr.Attrs == r.attrs {
				yield(tr.Codec)
			}
		}
	}
}

// formatsOf returns the codecs parameters of all periods of a rendition, each once. See RFC 8216 section 4.3.4.2: CODECS
// names every format in the segments.
func (w *show) formatsOf(r *rendition) []string {
	var list []string
	w.eachCodec(r, func(c *smooth.Codec) {
		if name := codecsOf(c, w.layout); name != "" && !slices.Contains(list, name) {
			list = append(list, name)
		}
	})
	return list
}

// sizeOf returns the size of the largest picture of a rendition in pixels: what it takes to show all of them.
func (w *show) sizeOf(r *rendition) (width, height uint32) {
	w.eachCodec(r, func(c *smooth.Codec) {
		if uint64(c.Width)*uint64(c.Height) > uint64(width)*uint64(height) {
			width, height = c.Width, c.Height
		}
	})
	return width, height
}

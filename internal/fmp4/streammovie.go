package fmp4

import (
	"encoding/binary"
	"slices"
)

// LiveMovie returns a copy of a moov box, header included, as the header of a live stream with one timescale: movie and
// tracks have it, no durations are stated, there are no edit lists, and mvex has a trex without defaults for each track. Tracks
// whose ID is not in keep are left out; what is not known is kept. offset is for errors.
func LiveMovie(moov []byte, offset int64, timescale uint32, keep []uint32) ([]byte, error) {
	x, err := whole(moov, offset, "moov")
	if err != nil {
		return nil, err
	}
	w := movieWriter{dst: make([]byte, 0, len(moov)+256), timescale: timescale, keep: keep}
	if err := w.container(&x, "moov"); err != nil {
		return nil, err
	}
	mvex := appendHeader(nil, uint32(8+32*len(w.ids)), TypeMvex)
	for _, id := range w.ids {
		mvex = appendHeader(mvex, 32, TypeTrex)
		for _, v := range []uint32{0, id, 1, 0, 0, 0} { // version and flags, track, sample description, no defaults
			mvex = binary.BigEndian.AppendUint32(mvex, v)
		}
	}
	w.dst = append(w.dst, mvex...)
	binary.BigEndian.PutUint32(w.dst, uint32(len(w.dst)))
	return w.dst, nil
}

// movieWriter copies the boxes of a movie.
type movieWriter struct {
	dst       []byte
	timescale uint32
	keep      []uint32
	ids       []uint32 // of the tracks
}

// container copies a box whose children are looked at.
func (w *movieWriter) container(x *box, path string) error {
	at := len(w.dst)
	w.dst = appendHeader(w.dst, 0, x.typ)
	c := x.children(path)
	for y, ok := c.next(); ok; y, ok = c.next() {
		if err := w.child(&y, path); err != nil {
			return err
		}
	}
	binary.BigEndian.PutUint32(w.dst[at:], uint32(len(w.dst)-at))
	return c.err
}

func (w *movieWriter) child(y *box, path string) error {
	switch path += "/" + y.typ.String(); path { // elsewhere these boxes have no meaning, and ParseMovie skips them
	case "moov/mvex", "moov/trak/edts":
		return nil
	case "moov/trak":
		return w.track(y, path)
	case "moov/trak/mdia":
		return w.container(y, path)
	case "moov/mvhd", "moov/trak/mdia/mdhd":
		return w.times(y, path)
	case "moov/trak/tkhd":
		return w.trackHeader(y)
	}
	at := len(w.dst)
	w.dst = append(w.dst, y.raw...)
	if u32(y.raw) == 0 { // up to the end of its container, which it is not any more
		binary.BigEndian.PutUint32(w.dst[at:], uint32(len(y.raw)))
	}
	return nil
}

// track copies a track, unless it is to be left out.
func (w *movieWriter) track(y *box, path string) error {
	at, n := len(w.dst), len(w.ids)
	if err := w.container(y, path); err != nil {
		return err
	}
	last := len(w.ids) - 1 // of several tkhd boxes the last one counts, as in ParseMovie
	if last < n || !slices.Contains(w.keep, w.ids[last]) {
		w.dst, w.ids = w.dst[:at], w.ids[:n]
		return nil
	}
	w.ids = append(w.ids[:n], w.ids[last])
	return nil
}

// times copies mvhd or mdhd with another timescale and without a duration. See parseTimes for the layout.
func (w *movieWriter) times(y *box, path string) error {
	if _, _, _, err := parseTimes(y, path); err != nil {
		return err
	}
	b := w.copy(y)
	at, size := 12, 4
	if b[0] == 1 {
		at, size = 20, 8
	}
	binary.BigEndian.PutUint32(b[at:], w.timescale)
	clear(b[at+4 : at+4+size])
	return nil
}

// trackHeader copies tkhd without a duration. See parseTkhd for the layout.
func (w *movieWriter) trackHeader(y *box) error {
	var t Track
	if err := t.parseTkhd(y); err != nil {
		return err
	}
	w.ids = append(w.ids, t.ID)
	b := w.copy(y)
	at, size := 20, 4
	if b[0] == 1 {
		at, size = 28, 8
	}
	clear(b[at : at+size])
	return nil
}

// copy appends a box with a compact header and returns the copy of its body.
func (w *movieWriter) copy(y *box) []byte {
	w.dst = appendHeader(w.dst, uint32(8+len(y.body)), y.typ)
	at := len(w.dst)
	w.dst = append(w.dst, y.body...)
	return w.dst[at:]
}

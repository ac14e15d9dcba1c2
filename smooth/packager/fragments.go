package packager

import (
	"fmt"
	"io"

	"github.com/smoothkit/smoothkit/internal/fmp4"
)

// Bounds on the samples that moof boxes claim: trun may state a count without any bytes per sample.
const (
	sampleSlack    = 1 << 20
	bytesPerSample = 8
	// timeBias is added to times while the tables are built, so that those below zero, of 60 bits at most, keep their
	// places: ffmpeg begins AAC with a tfxd of -213333.
	timeBias = 1 << 61
)

// fragmentReader collects the samples of a fragmented file.
type fragmentReader struct {
	in     *input
	movie  *fmp4.Movie
	tables map[uint32]*fmp4.TableBuilder
	left   int64 // samples that may still come
	spans  []fmp4.Span
}

// readFragments builds the sample tables of a fragmented file from its moof boxes, from off on. Samples that moov
// describes come before them. The time of a fragment is that of tfdt, or of tfxd, or else it follows the one before.
func (in *input) readFragments(m *fmp4.Movie, off int64) error {
	r := &fragmentReader{in: in, movie: m, tables: make(map[uint32]*fmp4.TableBuilder), left: sampleSlack + in.size/bytesPerSample}
	for i := range m.Tracks {
		t := &m.Tracks[i]
		b := new(fmp4.TableBuilder)
		r.tables[t.ID] = b
		c := t.Samples.At(0)
		for s, ok := c.Next(); ok; s, ok = c.Next() {
			s.DTS += timeBias
			if err := r.add(b, s); err != nil {
				return err
			}
		}
	}
	scan := fmp4.NewMoofScanner(in.r, off, in.size)
	for {
		raw, at, err := scan.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
		if err := r.moof(raw, at); err != nil {
			return err
		}
	}
	for i := range m.Tracks {
		t := &m.Tracks[i]
		var err error
		if b := r.tables[t.ID]; b.Len() > 0 {
			t.Shift += int64(b.Start() - timeBias)
		}
		if t.Samples, err = r.tables[t.ID].Table(); err != nil {
			return err
		}
	}
	return nil
}

func (r *fragmentReader) add(b *fmp4.TableBuilder, s fmp4.TableSample) error {
	if r.left--; r.left < 0 {
		return &fmp4.Error{
			Path: "moof/traf/trun", Offset: s.Offset, Err: fmp4.ErrTooLarge,
			Reason: fmt.Sprintf("more samples than a file of %d bytes can hold", r.in.size),
		}
	}
	return b.Add(s)
}

func (r *fragmentReader) defaults(id uint32) fmp4.Defaults {
	if t := r.movie.Track(id); t != nil {
		return t.Defaults
	}
	return fmp4.Defaults{}
}

func (r *fragmentReader) moof(raw []byte, at int64) error {
	m, err := fmp4.ParseMoof(raw, at)
	if err != nil {
		return err
	}
	for i := range m.Trafs {
		t := &m.Trafs[i]
		b := r.tables[t.TrackID]
		if b == nil {
			continue // a track that moov does not have
		}
		if r.spans, err = m.Spans(r.spans[:0], i, r.defaults); err != nil {
			return err
		}
		if err := r.traf(b, t, at); err != nil {
			return err
		}
	}
	return nil
}

func (r *fragmentReader) traf(b *fmp4.TableBuilder, t *fmp4.Traf, at int64) error {
	dts := max(b.End(), timeBias) // End is 0 without samples
	switch {
	case t.HasDecodeTime:
		dts = t.DecodeTime + timeBias
	case t.HasTfxd:
		dts = t.Time + timeBias
	}
	spans := r.spans
	runs := t.Samples(r.defaults(t.TrackID))
	for s, ok := runs.Next(); ok; s, ok = runs.Next() {
		offset := at
		for len(spans) > 0 && spans[0].Size == 0 {
			spans = spans[1:]
		}
		if s.Size > 0 && len(spans) > 0 {
			offset = spans[0].Offset
			spans[0].Offset += int64(s.Size)
			spans[0].Size -= int64(s.Size)
		}
		err := r.add(b, fmp4.TableSample{
			DTS: dts, CTS: s.CTS, Duration: s.Duration, Size: s.Size, Offset: offset, Sync: s.Flags&fmp4.FlagNonSync == 0,
		})
		if err != nil {
			return err
		}
		dts += uint64(s.Duration)
	}
	return nil
}

package livesmooth

import (
	"encoding/binary"
	"fmt"
	"io"

	"github.com/smoothkit/smoothkit/internal/fmp4"
)

// fragment reads a moof box and the mdat box that belongs to it.
func (p *pushReader) fragment(h fmp4.Box) error {
	if p.header == nil {
		return fmt.Errorf("livesmooth: push: moof at byte %d: %w", h.Offset, ErrNoHeader)
	}
	raw, err := p.reuse(min(fmp4.MaxMoof, p.limit))
	if err != nil {
		return err
	}
	if err := p.moof.Parse(raw, h.Offset); err != nil {
		return pushError(err)
	}
	if len(p.moof.Trafs) == 0 {
		return malformed("moof", h.Offset, "no traf")
	}
	for i := range p.moof.Trafs {
		if id := p.moof.Trafs[i].TrackID; p.position(id) < 0 && !p.ignores(id) {
			return malformed("moof/traf/tfhd", h.Offset, "track %d is not in the header", id)
		}
	}
	mdat, err := p.mdat()
	if err != nil {
		return err
	}
	done, err := p.plain(raw, mdat)
	if err == nil && !done {
		err = p.parsed(mdat)
	}
	if err == nil {
		err = p.broken(p.in.Discard())
	}
	return err
}

// mdat returns the header of the mdat box of the moof box at hand. Small boxes may stand between them.
func (p *pushReader) mdat() (fmp4.Box, error) {
	for {
		h, err := p.in.Next()
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		if err != nil {
			return h, p.at(p.broken(err))
		}
		switch {
		case h.Type == fmp4.TypeMdat && h.Size > p.limit:
			return h, fmt.Errorf("livesmooth: push: mdat at byte %d: %d bytes, the limit is %d: %w", h.Offset, h.Size, p.limit, ErrLimit)
		case h.Type == fmp4.TypeMdat:
			return h, nil
		case h.Type == fmp4.TypeMoof || h.Type == fmp4.TypeMoov || h.Type == fmp4.TypeMfra:
			return h, malformed(h.Type.String(), h.Offset, "no mdat after the moof at byte %d", p.moof.Offset)
		}
		if p.between += h.Size; p.between > p.c.limits.HeaderBytes || h.Size > p.c.limits.HeaderBytes {
			return h, fmt.Errorf("livesmooth: push: %v at byte %d: more than %d bytes between moof and mdat: %w",
				h.Type, h.Offset, p.c.limits.HeaderBytes, ErrLimit)
		}
	}
}

// plain takes a fragment that needs nothing but a canonical head, which nearly all do: its payload goes straight from the body
// into the memory that viewers are served from. It reports false if the fragment needs more.
func (p *pushReader) plain(raw []byte, mdat fmp4.Box) (bool, error) {
	tr := &p.moof.Trafs[0]
	i := p.position(tr.TrackID)
	if len(p.moof.Trafs) > 1 || i < 0 || p.joins() {
		return false, nil
	}
	t := &p.tracks[i]
	if t.timescale != scale || !tr.HasTfxd && (!tr.HasDecodeTime || t.shift != 0 || t.delay != 0) ||
		mdat.Header != 8 || mdat.Offset != p.moof.Offset+int64(len(raw)) {
		return false, nil
	}
	head, err := fmp4.Inspect(raw, p.moof.Offset, t.defaults)
	if err != nil {
		return false, pushError(err)
	}
	if !head.Plain {
		return false, nil
	}
	sum, size := tr.Totals(t.defaults)
	if size > uint64(p.in.Left()) {
		return false, p.tooShort(size)
	}
	f := &pushFragment{track: i, duration: sum}
	if f.time, err = p.ownTime(t, tr); err != nil {
		return false, err
	}
	if tr.HasTfxd && tr.Duration > 0 {
		f.duration = tr.Duration
	}
	f.wall = t.wall(f.time)
	if p.canonical(raw, f, size) != nil {
		return false, nil // more boxes in it than can be moved
	}
	f.buf, err = p.payload(t, int(size))
	if err != nil {
		return false, err
	}
	t.hasProduced = false
	p.queue = append(p.queue, f)
	return true, nil
}

// ownTime returns the time of a traf whose ticks are ours.
func (p *pushReader) ownTime(t *inTrack, tr *fmp4.Traf) (int64, error) {
	time := int64(tr.DecodeTime)
	if tr.HasTfxd {
		time = int64(tr.Time)
	}
	if time > maxMediaTime || time < -maxMediaTime || tr.Duration > maxMediaTime {
		return 0, malformed("moof/traf", p.moof.Offset, "time %d, duration %d", time, tr.Duration)
	}
	return time, nil
}

// tooShort is the error of a moof box whose samples do not fit into the mdat box.
func (p *pushReader) tooShort(size uint64) error {
	return malformed("moof/traf/trun", p.moof.Offset, "samples of %d bytes, mdat has %d", size, p.in.Left())
}

// canonical makes the early head of a fragment in p.head: tfxd, no tfrf, and the header of mdat.
func (p *pushReader) canonical(raw []byte, f *pushFragment, size uint64) error {
	tr := &p.moof.Trafs[0]
	h := fmp4.LiveHead{Sequence: p.moof.Sequence, TrackID: tr.TrackID, Time: uint64(f.time), Duration: f.duration}
	var err error
	if !tr.HasTfxd {
		if p.scratch, err = fmp4.AppendSmooth(p.scratch[:0], raw, h.Time, h.Duration); err != nil {
			return err
		}
		raw = p.scratch
	}
	if p.head, err = h.AppendTo(p.head[:0], raw); err != nil {
		return err
	}
	p.head = appendMdat(p.head, size)
	return nil
}

func appendMdat(dst []byte, size uint64) []byte {
	dst = binary.BigEndian.AppendUint32(dst, uint32(size+8))
	return binary.BigEndian.AppendUint32(dst, uint32(fmp4.TypeMdat))
}

// payload reads the next size bytes of mdat and puts p.head with them.
func (p *pushReader) payload(t *inTrack, size int) (*buffer, error) {
	f := filling{pool: p.c.pool}
	f.begin(headRoom(len(p.head)), min(size, t.trust()), len(p.head))
	if err := f.read(p.in, size); err != nil {
		f.drop()
		return nil, p.broken(err)
	}
	t.largest = max(t.largest, size)
	return f.done(p.head), nil
}

// trust returns the size that a payload of the track may claim without its bytes having arrived.
func (t *inTrack) trust() int { return max(trusted, 2*min(t.largest, maxFragment/2)) }

// parsed takes a fragment of any other form: several tracks or runs, defaults of trex, another timescale, data elsewhere in
// mdat, chunks that are to be joined. It gets a new head, and its samples are gathered.
func (p *pushReader) parsed(mdat fmp4.Box) error {
	whole, err := p.locate(mdat)
	if err != nil {
		return err
	}
	var all filling // the content of mdat, if samples have to be picked out of it
	defer all.drop()
	if !whole {
		all.pool = p.c.pool
		n := int(p.in.Left())
		all.begin(0, min(n, trusted), 0)
		if err := all.read(p.in, n); err != nil {
			return p.broken(err)
		}
	}
	from := 0
	for i := range p.moof.Trafs {
		spans := p.spans[from:p.ends[i]]
		from = p.ends[i]
		k := p.position(p.moof.Trafs[i].TrackID)
		if k < 0 {
			continue
		}
		if err := p.traf(k, &p.moof.Trafs[i], spans, all.mem, mdat.Offset+mdat.Header); err != nil {
			return err
		}
	}
	return nil
}

// locate finds the samples of each traf in mdat: p.spans, and in p.ends where those of each end. whole reports that they are one
// piece at the start.
func (p *pushReader) locate(mdat fmp4.Box) (whole bool, err error) {
	sum := uint64(0)
	for i := range p.moof.Trafs {
		_, n := p.moof.Trafs[i].Totals(p.defaults(p.moof.Trafs[i].TrackID))
		if sum += n; sum > uint64(p.in.Left()) { // at most 256 times MaxRunSamples of 32 bits
			return false, p.tooShort(sum)
		}
	}
	start := mdat.Offset + mdat.Header
	inside, err := p.spansIn(start, mdat.End())
	if err == nil && !inside && p.moof.BaseAtMoof() {
		inside, err = p.spansIn(start, mdat.End())
	}
	if err != nil {
		return false, pushError(err)
	}
	if !inside {
		return false, malformed("moof/traf/trun", p.moof.Offset, "samples outside of the mdat at byte %d", mdat.Offset)
	}
	return len(p.moof.Trafs) == 1 && (len(p.spans) == 0 || len(p.spans) == 1 && p.spans[0].Offset == start), nil
}

// spansIn computes p.spans and p.ends and reports whether all lie in [start, end).
func (p *pushReader) spansIn(start, end int64) (bool, error) {
	p.spans, p.ends = p.spans[:0], p.ends[:0]
	for i := range p.moof.Trafs {
		var err error
		if p.spans, err = p.moof.Spans(p.spans, i, p.defaults); err != nil {
			return false, err
		}
		p.ends = append(p.ends, len(p.spans))
	}
	for _, s := range p.spans {
		if s.Offset < start || s.Size > end-s.Offset {
			return false, nil
		}
	}
	return true, nil
}

// defaults returns those of trex.
func (p *pushReader) defaults(id uint32) fmp4.Defaults {
	if i := p.position(id); i >= 0 {
		return p.tracks[i].defaults
	}
	for _, t := range p.header.ignored {
		if t.id == id {
			return t.defaults
		}
	}
	return fmp4.Defaults{}
}

// traf takes the samples of one track. They are in spans of mem, which begins at the offset start, or else come next in the body.
func (p *pushReader) traf(k int, tr *fmp4.Traf, spans []fmp4.Span, mem []byte, start int64) error {
	t := &p.tracks[k]
	media, err := p.mediaTime(t, tr)
	if err != nil {
		return err
	}
	a := &t.joined
	if !p.continues(t, tr, media) {
		if err := p.flush(k); err != nil {
			return err
		}
		p.begin(t, tr, media)
	}
	if err := a.add(t, tr); err != nil {
		return p.at(err)
	}
	size := 0
	for _, s := range spans {
		size += int(s.Size)
	}
	if int64(a.fill.n+size) > p.limit {
		return fmt.Errorf("livesmooth: push: moof at byte %d: fragment of more than %d bytes: %w", p.moof.Offset, p.limit, ErrLimit)
	}
	if a.fill.mem == nil {
		a.fill.begin(headRoom(max(a.headSize(), a.lastHead)), min(size, t.trust()), a.headSize())
	}
	if mem == nil {
		if err := a.fill.read(p.in, size); err != nil {
			return p.broken(err)
		}
	} else {
		for _, s := range spans {
			a.fill.add(mem[s.Offset-start : s.Offset-start+s.Size])
		}
	}
	t.opened, t.hasProduced = false, false
	if p.holds(t) {
		return nil
	}
	return p.flush(k)
}

// mediaTime returns the time of the first sample, in the encoder's ticks: that of tfxd, or else the decode time moved as the edit
// list says.
func (p *pushReader) mediaTime(t *inTrack, tr *fmp4.Traf) (int64, error) {
	var media int64
	switch {
	case tr.HasTfxd:
		media = int64(tr.Time)
	case tr.HasDecodeTime:
		media = int64(tr.DecodeTime) + t.shift
	default:
		return 0, malformed("moof/traf", p.moof.Offset, "neither tfxd nor tfdt for track %d", t.id)
	}
	if at := t.place(media); at == maxMediaTime || at == -maxMediaTime {
		return 0, malformed("moof/traf", p.moof.Offset, "time %d of %d per second", media, t.timescale)
	}
	return media, nil
}

// at adds the place of the moof box to an error.
func (p *pushReader) at(err error) error {
	return fmt.Errorf("livesmooth: push: moof at byte %d: %w", p.moof.Offset, err)
}

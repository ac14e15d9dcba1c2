package livesmooth

import (
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/smoothkit/smoothkit/internal/fmp4"
)

// pushPhase is what a [pushReader] waits for, so that a deadline can be set for each.
type pushPhase uint8

const (
	// phaseHeader begins with the body and ends with the header.
	phaseHeader pushPhase = iota
	// phaseIdle is between boxes.
	phaseIdle
	// phaseFragment begins with the first byte of a box after the header; that is moof, but for the small ones between
	// fragments.
	phaseFragment
)

// pushReaderConfig is what a [pushReader] needs to know.
type pushReaderConfig struct {
	pool *pool
	// limits with their defaults filled in.
	limits Limits
	// known is the header of the input stream from an earlier request, nil if there was none.
	known *pushHeader
	// later returns the header that has come in another request meanwhile, nil if none has: encoders open the request of the
	// first segment before that of the header has ended. It is nil if nobody can tell.
	later func() *pushHeader
	// phase is told of each phase that begins; nil if nobody wants to know.
	phase func(pushPhase)
}

// maxFragment bounds the limit of a fragment, in bytes, so that sums of sizes fit into an int everywhere.
const maxFragment = 1 << 30

// pushReader reads the body of a push:
//
//	ftyp [uuid StreamManifest] [uuid LiveServerManifest] moov (moof mdat)* [mfra]
//
// See [MS-SSTR] 2.2.7 and ISO/IEC 23000-19 for the form with styp boxes between. Fragments come out in the form in which
// viewers get them: times in ticks of 10,000,000, one traf, one trun, tfxd, no tfrf. It is for one goroutine.
type pushReader struct {
	c      pushReaderConfig
	limit  int64 // of a fragment
	in     *fmp4.StreamReader
	header *pushHeader
	boxes  headerBoxes // of a header that is not complete yet
	tracks []inTrack   // in the order of header.tracks
	queue  []any       // what next returns first, from taken on
	taken  int
	err    error // what it returns then

	now     pushPhase
	entered bool
	between int64 // bytes of boxes since the last fragment or header
	styp    bool  // there was a styp box: fragments may come in chunks
	last    bool  // the segment at hand is the last one of the stream

	// Reused from fragment to fragment.
	raw     []byte
	moof    fmp4.Moof
	spans   []fmp4.Span
	ends    []int // in spans, of each traf
	head    []byte
	scratch []byte
}

// inTrack is what the reader remembers of a track.
type inTrack struct {
	*pushTrack
	// largest is the size of the largest payload so far.
	largest int
	// opened tells that a segment has begun since the last moof.
	opened bool
	// whole tells that the segment before was one moof.
	whole bool
	// joined is the fragment that chunks are being joined to.
	joined assembly
	// produced is the prft box of the next fragment.
	produced    fmp4.ProducerTime
	hasProduced bool
}

// newPushReader returns a reader of the body r. The memory of fragments is that of c.pool; who gets a fragment releases it.
// After an error of next, io.EOF included, the reader holds none; before, close gives it back.
func newPushReader(r io.Reader, c pushReaderConfig) *pushReader {
	p := &pushReader{c: c, limit: min(c.limits.FragmentBytes, maxFragment), in: fmp4.NewStreamReader(r)}
	if c.known != nil {
		p.setHeader(c.known)
	}
	return p
}

// next returns a *pushHeader, a *pushFragment, or a pushEnd, and io.EOF at the end of the body. A body that repeats its header
// gives it again. Other errors wrap one of [ErrNoHeader], [ErrMalformed], [ErrMedia] and [ErrLimit] and name box and offset,
// or io.ErrUnexpectedEOF if the body breaks off, or the error of the connection.
func (p *pushReader) next() (any, error) {
	for {
		if p.taken < len(p.queue) {
			item := p.queue[p.taken]
			p.queue[p.taken] = nil
			p.taken++
			return item, nil
		}
		p.queue, p.taken = p.queue[:0], 0
		if p.err != nil {
			return nil, p.err
		}
		if err := p.step(); err != nil {
			p.fail(err)
		}
	}
}

// close gives back the memory of what has not been returned.
func (p *pushReader) close() {
	p.fail(io.ErrClosedPipe)
	for _, item := range p.queue[p.taken:] {
		if f, ok := item.(*pushFragment); ok {
			f.buf.release()
		}
	}
	p.queue, p.taken = nil, 0
}

// fail ends reading. At the end of the body what is complete is still returned.
func (p *pushReader) fail(err error) {
	if err == io.EOF {
		err = p.finish()
	}
	for i := range p.tracks {
		p.tracks[i].joined.drop()
	}
	p.raw, p.scratch = nil, nil
	p.err = err
}

// finish completes what the end of the body completes.
func (p *pushReader) finish() error {
	if b := &p.boxes; b.moov == nil && (b.ftyp != nil || b.manifest != nil) {
		return malformed("moov", p.in.Offset(), "none in the header")
	}
	if err := p.settle(); err != nil {
		return err
	}
	if err := p.complete(); err != nil {
		return err
	}
	if p.last {
		p.queue = append(p.queue, pushEnd{})
	}
	return io.EOF
}

// enter tells of a phase.
func (p *pushReader) enter(phase pushPhase) {
	if p.c.phase != nil && (!p.entered || phase != p.now) {
		p.c.phase(phase)
	}
	p.now, p.entered = phase, true
}

// step reads one box, or a fragment.
func (p *pushReader) step() error {
	known := p.header != nil || p.boxes.moov != nil
	if known {
		p.enter(phaseIdle)
	} else {
		p.enter(phaseHeader)
	}
	if err := p.in.Wait(); err != nil {
		return p.broken(err)
	}
	if known {
		p.enter(phaseFragment)
	}
	h, err := p.in.Next()
	if err != nil {
		return p.broken(err)
	}
	p.adopt(h)
	switch h.Type {
	case fmp4.TypeMoof:
		p.between = 0
		if err := p.settle(); err != nil {
			return err
		}
		return p.fragment(h)
	case fmp4.TypeMdat:
		return malformed("mdat", h.Offset, "no moof before it")
	case fmp4.TypeMfra:
		return p.end(h)
	}
	if p.between += h.Size; p.between > p.c.limits.HeaderBytes || h.Size > p.c.limits.HeaderBytes {
		return fmt.Errorf("livesmooth: push: %v at byte %d: %d bytes before the next fragment, the limit is %d: %w",
			h.Type, h.Offset, p.between, p.c.limits.HeaderBytes, ErrLimit)
	}
	return p.small(h)
}

// small reads a box of a header or between fragments.
func (p *pushReader) small(h fmp4.Box) error {
	switch {
	case h.Type == fmp4.TypeFtyp:
		if err := p.settle(); err != nil {
			return err
		}
		p.boxes = headerBoxes{}
		return p.keep(&p.boxes.ftyp)
	case h.Type == fmp4.TypeMoov:
		p.boxes.moovAt = h.Offset
		if err := p.keep(&p.boxes.moov); err != nil || p.boxes.manifest == nil {
			return err
		}
		return p.settle()
	case h.Type == fmp4.TypeUUID && h.UUID == fmp4.UUIDStreamManifest:
		p.boxes.streamsAt = h.Offset
		return p.keep(&p.boxes.streams)
	case h.Type == fmp4.TypeUUID && h.UUID == fmp4.UUIDLiveServerManifest:
		p.boxes.manifestAt = h.Offset
		if err := p.keep(&p.boxes.manifest); err != nil || p.boxes.moov == nil {
			return err
		}
		return p.settle()
	case h.Type == fmp4.TypeStyp:
		return p.segment(h)
	case h.Type == fmp4.TypePrft:
		return p.producer(h)
	case h.Type == fmp4.TypeUUID && h.UUID == uuidPeriod:
		return p.period(h)
	}
	return p.broken(p.in.Discard())
}

// keep reads the box at hand into memory of its own.
func (p *pushReader) keep(dst *[]byte) error {
	b, err := p.in.Append(nil, p.c.limits.HeaderBytes)
	*dst = b
	return p.broken(err)
}

// reuse reads the box at hand into memory that is reused.
func (p *pushReader) reuse(limit int64) ([]byte, error) {
	const kept = 256 << 10
	if cap(p.raw) > kept {
		p.raw = nil
	}
	var err error
	p.raw, err = p.in.Append(p.raw[:0], limit)
	return p.raw, p.broken(err)
}

// settle returns the header that has been collected, if there is one. A live server manifest may follow moov, so without one
// the header is known to be complete when something else follows.
func (p *pushReader) settle() error {
	if p.boxes.moov == nil {
		return nil
	}
	b := p.boxes
	p.boxes = headerBoxes{}
	h, err := parsePushHeader(b, p.c.limits.Tracks)
	if err != nil {
		return err
	}
	if err := p.complete(); err != nil {
		return err
	}
	p.setHeader(h)
	p.between = 0
	p.queue = append(p.queue, h)
	return nil
}

// adopt takes the header of another request if a box belongs to a segment and there is none in this one.
func (p *pushReader) adopt(h fmp4.Box) {
	if p.header != nil || p.c.later == nil || p.boxes.moov != nil {
		return
	}
	if h.Type != fmp4.TypeStyp && h.Type != fmp4.TypePrft && h.Type != fmp4.TypeMoof {
		return
	}
	if known := p.c.later(); known != nil {
		p.setHeader(known)
		for i := range p.tracks {
			p.tracks[i].opened = p.styp
		}
	}
}

func (p *pushReader) setHeader(h *pushHeader) {
	p.header = h
	p.tracks = make([]inTrack, len(h.tracks))
	for i := range p.tracks {
		p.tracks[i].pushTrack = &h.tracks[i]
		p.tracks[i].joined.fill.pool = p.c.pool
	}
}

// segment reads a styp box. The one of a chunk in the middle of a segment has no meaning of its own.
func (p *pushReader) segment(h fmp4.Box) error {
	if err := p.settle(); err != nil {
		return err
	}
	raw, err := p.reuse(p.c.limits.HeaderBytes)
	if err != nil {
		return err
	}
	brands, err := fmp4.ParseBrands(raw, h.Offset)
	if err != nil {
		return pushError(err)
	}
	p.styp = true
	last := brands.Has(fmp4.BrandLast)
	if p.last && !last {
		if err := p.complete(); err != nil {
			return err
		}
		p.queue = append(p.queue, pushEnd{})
	}
	p.last = last
	if brands.Has(fmp4.BrandChunk) && !brands.Has(fmp4.BrandSegment) && !brands.Has(fmp4.BrandFragment) {
		return nil
	}
	for i := range p.tracks {
		p.tracks[i].opened = true
	}
	return nil
}

// producer reads a prft box, which belongs to the next fragment of its track.
func (p *pushReader) producer(h fmp4.Box) error {
	if err := p.settle(); err != nil {
		return err
	}
	raw, err := p.reuse(p.c.limits.HeaderBytes)
	if err != nil {
		return err
	}
	t, err := fmp4.ParseProducerTime(raw, h.Offset)
	if err != nil {
		return pushError(err)
	}
	if i := p.position(t.TrackID); i >= 0 {
		p.tracks[i].produced, p.tracks[i].hasProduced = t, true
	}
	return nil
}

// end reads an mfra box: an empty one by [MS-SSTR], one with an index from a program that writes files.
func (p *pushReader) end(h fmp4.Box) error {
	if h.Size > p.limit {
		return fmt.Errorf("livesmooth: push: mfra at byte %d: %d bytes, the limit is %d: %w", h.Offset, h.Size, p.limit, ErrLimit)
	}
	if err := p.broken(p.in.Discard()); err != nil {
		return err
	}
	if err := p.settle(); err != nil {
		return err
	}
	if err := p.complete(); err != nil {
		return err
	}
	p.last = false
	p.queue = append(p.queue, pushEnd{})
	return nil
}

// position returns the position of a track by its track_ID, or -1.
func (p *pushReader) position(id uint32) int {
	for i := range p.tracks {
		if p.tracks[i].id == id {
			return i
		}
	}
	return -1
}

// ignores reports whether fragments of a track are to be skipped.
func (p *pushReader) ignores(id uint32) bool {
	for _, t := range p.header.ignored {
		if t.id == id {
			return true
		}
	}
	return false
}

// ntpEpoch is the NTP time of 1970, and the era of NTP times below it begins in 2036. See RFC 5905 section 6.
const ntpEpoch = 2_208_988_800

// wall returns when the media at a time of the encoder, in ticks of the track, was produced.
func (t *inTrack) wall(media int64) time.Time {
	if !t.hasProduced || t.produced.NTP == 0 {
		return time.Time{}
	}
	seconds := int64(t.produced.NTP>>32) - ntpEpoch
	if seconds < 0 {
		seconds += 1 << 32
	}
	at := time.Unix(seconds, int64(t.produced.NTP&0xffffffff*uint64(time.Second)>>32)).UTC()
	const near = 60 // seconds; beyond, the two times do not belong to one clock
	if d := media - t.produced.Media; d > -near*int64(t.timescale) && d < near*int64(t.timescale) {
		at = at.Add(time.Duration(rescale(d, t.timescale, uint64(time.Second))))
	}
	return at
}

// broken gives an error of the stream of boxes the sentinel that fits; nil and io.EOF stay what they are.
func (p *pushReader) broken(err error) error {
	if err == nil || err == io.EOF {
		return err
	}
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("livesmooth: push: %w", err)
	}
	return pushError(err)
}

// malformed returns an error that wraps [ErrMalformed] and says where.
func malformed(path string, offset int64, format string, args ...any) error {
	return fmt.Errorf("livesmooth: push: %s at byte %d: %s: %w", path, offset, fmt.Sprintf(format, args...), ErrMalformed)
}

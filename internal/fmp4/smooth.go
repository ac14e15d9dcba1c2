package fmp4

import (
	"encoding/binary"
	"math"
)

// The safe order of the children of traf. Some clients fail if a uuid box precedes trun.
const (
	rankTfhd = iota
	rankTfdt
	rankTrun
	rankSdtp
	rankTfxd
	rankTfrf
	rankRest
)

func rank(x *box) int {
	switch x.typ {
	case TypeTfhd:
		return rankTfhd
	case TypeTfdt:
		return rankTfdt
	case TypeTrun:
		return rankTrun
	case TypeSdtp:
		return rankSdtp
	case TypeUUID:
		switch x.uuid {
		case UUIDTfxd:
			return rankTfxd
		case UUIDTfrf:
			return rankTfrf
		}
	}
	return rankRest
}

// Head is what [Inspect] finds in a moof box.
type Head struct {
	// Size of the moof box in bytes; the mdat box follows.
	Size     int
	TrackID  uint32
	Sequence uint32
	// Plain: one traf and one trun whose data starts right behind the header of the mdat box that follows the moof,
	// no base data offset, and no sample field taken from a default of trex other than zero. The fragment can be
	// served after [AppendSmooth] at most.
	Plain bool
	// Ordered: the children of traf stand in the safe order and the moof can be served as it is, if HasTfxd.
	Ordered bool
	// HasTfxd reports a tfxd box with Time and Duration.
	HasTfxd        bool
	Time, Duration uint64
	// HasDecodeTime reports a tfdt box.
	HasDecodeTime bool
}

// Inspect looks at the boxes of a moof box, header included, in one pass that neither allocates nor looks at
// samples. track holds the defaults of trex. offset is for errors. What it accepts as plain, [ParseMoof] accepts.
func Inspect(moof []byte, offset int64, track Defaults) (Head, error) {
	h, err := moofHeader(moof, offset)
	if err != nil {
		return Head{}, err
	}
	head := Head{Size: int(h.Size), Plain: h.Header == 8 && u32(moof) != 0, Ordered: true}
	trafs := 0
	c := cursor{b: moof[h.Header:h.Size], offset: offset + h.Header, path: "moof"}
	for x, ok := c.next(); ok; x, ok = c.next() {
		head.Ordered = head.Ordered && x.compact()
		switch x.typ {
		case TypeMfhd:
			if len(x.body) < 8 {
				return head, corrupt("moof/mfhd", x.offset, "body %d bytes, need 8", len(x.body))
			}
			head.Sequence = u32(x.body[4:])
		case TypeTraf:
			trafs++
			if err := head.inspectTraf(&x, track); err != nil {
				return head, err
			}
		}
	}
	head.Plain = head.Plain && trafs == 1
	return head, c.err
}

// moofHeader checks the header of a moof box that stands at the given absolute offset.
func moofHeader(moof []byte, offset int64) (Box, error) {
	h, err := parseHeader(moof, offset, int64(len(moof)))
	switch {
	case err != nil:
		return h, err
	case h.Type != TypeMoof:
		return h, corrupt("moof", offset, "type %q", h.Type)
	case h.Size > MaxMoof:
		return h, tooLarge("moof", offset, "size %d is above the limit of %d", h.Size, MaxMoof)
	}
	return h, nil
}

func (h *Head) inspectTraf(x *box, track Defaults) error {
	var t Traf
	var first run
	runs, last, heads := 0, -1, 0
	c := x.children("moof/traf")
	for y, ok := c.next(); ok; y, ok = c.next() {
		r := rank(&y)
		h.Ordered = h.Ordered && y.compact() && (r > last || r == last && r != rankTfxd)
		last = r
		var err error
		switch r {
		case rankTfhd:
			if heads++; heads > 1 {
				return corrupt("moof/traf/tfhd", y.offset, "second of its traf")
			}
			err = t.parseTfhd(&y)
		case rankTfdt:
			err = t.parseTfdt(&y)
		case rankTrun:
			runs++
			err = first.parse(&y)
		case rankTfxd:
			err = t.parseTfxd(&y)
		}
		if err != nil {
			return err
		}
	}
	switch {
	case c.err != nil:
		return c.err
	case heads == 0:
		return corrupt("moof/traf", x.offset, "no tfhd")
	}
	h.TrackID = t.TrackID
	h.HasDecodeTime = h.HasDecodeTime || t.HasDecodeTime
	if t.HasTfxd {
		h.HasTfxd, h.Time, h.Duration = true, t.Time, t.Duration
	}
	h.Plain = h.Plain && runs == 1 && first.follows(h.Size) && t.flags&tfhdBaseDataOffset == 0 &&
		(track.Duration == 0 || t.flags&tfhdDuration != 0 || first.flags&trunDuration != 0) &&
		(track.Size == 0 || t.flags&tfhdSize != 0 || first.flags&trunSize != 0) &&
		(track.Flags == 0 || t.flags&tfhdFlags != 0 || first.flags&trunFlags != 0)
	return nil
}

// follows reports whether the data starts behind the header of the mdat box that follows a moof box of that size.
func (r *run) follows(moof int) bool {
	return r.flags&trunDataOffset != 0 && int64(r.dataOffset) == int64(moof)+8
}

// tfxdSize is the size of a version 1 tfxd box.
const tfxdSize = 44

// appendTfxd appends a version 1 tfxd box. See [MS-SSTR] 2.2.4.4.
func appendTfxd(dst []byte, time, duration uint64) []byte {
	dst = appendHeader(dst, tfxdSize, TypeUUID)
	dst = append(dst, UUIDTfxd[:]...)
	dst = binary.BigEndian.AppendUint32(dst, 1<<24)
	dst = binary.BigEndian.AppendUint64(dst, time)
	return binary.BigEndian.AppendUint64(dst, duration)
}

// maxPlaced is the number of boxes in moof and traf that AppendSmooth can move.
const maxPlaced = 32

// placed remembers where the content of a child of moof or traf, after size and type, moved to.
type placed struct {
	typ            Type
	from, to, size int
}

// moofWriter rewrites a moof box.
type moofWriter struct {
	dst   []byte
	start int // of the new moof in dst
	moves [maxPlaced]placed
	n     int
	// retime drops tfrf and adds delta to tfdt.
	retime bool
	delta  uint64
	// live gives moof the identity of a live fragment.
	live *LiveHead
}

// AppendSmooth appends the plain moof box (see [Head]) with the children of traf in safe order and a tfxd of the
// given time and duration, in ticks, in place of its own. The data offset and the offsets of saio are corrected
// for the growth. moof is not modified and must not overlap the room behind dst.
//
// A moof with several traf boxes, a base data offset or more than 32 boxes is [ErrUnsupported]. On an error dst is
// returned as it was.
func AppendSmooth(dst, moof []byte, time, duration uint64) ([]byte, error) {
	w := moofWriter{dst: dst, start: len(dst)}
	if err := w.write(moof, time, duration); err != nil {
		return dst, err
	}
	return w.dst, nil
}

func (w *moofWriter) write(moof []byte, time, duration uint64) error {
	h, err := moofHeader(moof, 0)
	if err != nil {
		return err
	}
	trafs := 0
	w.dst = appendHeader(w.dst, 0, TypeMoof)
	c := cursor{b: moof[h.Header:h.Size], offset: h.Header, path: "moof"}
	for x, ok := c.next(); ok && err == nil; x, ok = c.next() {
		if x.typ == TypeTraf {
			trafs++
			err = w.traf(&x, time, duration)
		} else {
			err = w.add(&x)
		}
	}
	switch {
	case err != nil:
		return err
	case c.err != nil:
		return c.err
	case trafs != 1:
		return unsupported("moof", 0, "%d traf boxes", trafs)
	}
	out := w.dst[w.start:]
	binary.BigEndian.PutUint32(out, uint32(len(out)))
	return w.correct(out, int(h.Size))
}

// traf writes the children of x in the order of rank.
func (w *moofWriter) traf(x *box, time, duration uint64) error {
	var present [rankRest + 1]bool
	all := x.children("moof/traf")
	for y, ok := all.next(); ok; y, ok = all.next() {
		present[rank(&y)] = true
	}
	if all.err != nil {
		return all.err
	}
	at := len(w.dst)
	w.dst = appendHeader(w.dst, 0, TypeTraf)
	for r := rankTfhd; r <= rankRest; r++ {
		if r == rankTfxd {
			w.dst = appendTfxd(w.dst, time, duration)
			continue
		}
		if r == rankTfrf && w.live != nil {
			w.dst = appendTfrf(w.dst, w.live.Next)
			continue
		}
		if !present[r] || r == rankTfrf && w.retime {
			continue
		}
		c := x.children("moof/traf")
		for y, ok := c.next(); ok; y, ok = c.next() {
			if rank(&y) != r {
				continue
			}
			if err := w.add(&y); err != nil {
				return err
			}
		}
	}
	binary.BigEndian.PutUint32(w.dst[at:], uint32(len(w.dst)-at))
	return nil
}

// add copies a box, with a compact header and, in tfdt, a new time.
func (w *moofWriter) add(x *box) error {
	if w.n == maxPlaced {
		return unsupported("moof/traf", x.offset, "more than %d boxes", maxPlaced)
	}
	switch x.typ {
	case TypeTfhd:
		if len(x.body) >= 4 && u32(x.body)&tfhdBaseDataOffset != 0 {
			return unsupported("moof/traf/tfhd", x.offset, "base data offset")
		}
	case TypeTfdt:
		if w.retime {
			return w.tfdt(x)
		}
	}
	header := 8
	if u32(x.raw) == 1 {
		header = 16
	}
	body := x.raw[header:]
	w.dst = appendHeader(w.dst, uint32(8+len(body)), x.typ)
	w.moves[w.n] = placed{x.typ, int(x.offset) + header, len(w.dst) - w.start, len(body)}
	w.n++
	w.dst = append(w.dst, body...)
	if w.live != nil && len(body) >= 8 {
		switch at := w.dst[len(w.dst)-len(body):]; x.typ {
		case TypeMfhd:
			binary.BigEndian.PutUint32(at[4:], w.live.Sequence)
		case TypeTfhd:
			binary.BigEndian.PutUint32(at[4:], w.live.TrackID)
		}
	}
	return nil
}

// tfdt writes a version 1 tfdt box with the time of x moved, as a new time may need 64 bits. Samples that are decoded before
// they are shown, at the very start of a timeline, are decoded at zero.
func (w *moofWriter) tfdt(x *box) error {
	var t Traf
	if err := t.parseTfdt(x); err != nil {
		return err
	}
	time := t.DecodeTime + w.delta
	if time > maxTicks {
		time = 0
	}
	w.dst = appendTfdt(w.dst, time)
	return nil
}

// appendTfdt appends a version 1 tfdt box. See ISO/IEC 14496-12 8.8.12.
func appendTfdt(dst []byte, time uint64) []byte {
	dst = appendHeader(dst, 20, TypeTfdt)
	dst = binary.BigEndian.AppendUint32(dst, 1<<24)
	return binary.BigEndian.AppendUint64(dst, time)
}

// correct adds the growth of a moof box to the offsets in trun and saio.
func (w *moofWriter) correct(out []byte, before int) error {
	growth := len(out) - before
	for _, m := range w.moves[:w.n] {
		x := out[m.to : m.to+m.size]
		switch m.typ {
		case TypeTrun:
			if len(x) < 12 || u32(x)&trunDataOffset == 0 {
				continue
			}
			off := int64(int32(u32(x[8:]))) + int64(growth)
			if off != int64(int32(off)) {
				return corrupt("moof/traf/trun", int64(m.from)-8, "data offset %d", off)
			}
			binary.BigEndian.PutUint32(x[8:], uint32(off))
		case TypeSaio:
			if err := w.correctSaio(x, before, growth); err != nil {
				return err
			}
		}
	}
	return nil
}

// correctSaio moves the offsets of the content of a saio box, which count from the start of the moof box:
//
//	version:8 flags:24 [aux_info_type:32 aux_info_type_parameter:32 if flags & 1] entry_count:32 (offset:32|64)*
//
// See ISO/IEC 14496-12 8.7.9.
func (w *moofWriter) correctSaio(x []byte, before, growth int) error {
	const path = "moof/traf/saio"
	p := 4
	if len(x) >= 4 && u32(x)&1 != 0 {
		p = 12
	}
	if len(x) < p+4 {
		return corrupt(path, 0, "body %d bytes, need %d", len(x), p+4)
	}
	size := 4
	if x[0] != 0 {
		size = 8
	}
	n := int64(u32(x[p:]))
	p += 4
	if n*int64(size) > int64(len(x)-p) {
		return corrupt(path, 0, "%d offsets in %d bytes", n, len(x)-p)
	}
	for ; n > 0; n, p = n-1, p+size {
		if size == 8 {
			binary.BigEndian.PutUint64(x[p:], w.moved(u64(x[p:]), before, growth))
			continue
		}
		off := w.moved(uint64(u32(x[p:])), before, growth)
		if off > math.MaxUint32 {
			return corrupt(path, 0, "offset %d needs 64 bits", off)
		}
		binary.BigEndian.PutUint32(x[p:], uint32(off))
	}
	return nil
}

// moved maps an offset in the old moof, or behind it, to the new one.
func (w *moofWriter) moved(off uint64, before, growth int) uint64 {
	if off >= uint64(before) {
		return off + uint64(growth)
	}
	for _, m := range w.moves[:w.n] {
		if off >= uint64(m.from) && off < uint64(m.from+m.size) {
			return off - uint64(m.from) + uint64(m.to)
		}
	}
	return off
}

// LiveHead is what a server makes of the moof box of a live fragment, so that all encoders and servers give the same.
type LiveHead struct {
	// Sequence and TrackID replace those of the encoder.
	Sequence, TrackID uint32
	// Time and Duration of the fragment in ticks, for tfxd; tfdt moves with Time.
	Time, Duration uint64
	// Next are the fragments that follow, for tfrf; without any there is no such box.
	Next []FragmentSpan
}

// FragmentSpan is the time of a fragment in ticks.
type FragmentSpan struct{ Time, Duration uint64 }

// MaxNext is the largest number of fragments that a tfrf box can announce.
const MaxNext = 255

// TfrfSize returns the size of a version 1 tfrf box that announces n fragments.
func TfrfSize(n int) int {
	if n == 0 {
		return 0
	}
	return 29 + 16*n
}

// AppendTo appends the moof box of a live fragment: a plain one that has a tfxd box (see [Head] and [AppendSmooth]), with
// the identity h. Data offset and saio are corrected. On an error dst is returned as it was.
func (h *LiveHead) AppendTo(dst, moof []byte) ([]byte, error) {
	old, err := Inspect(moof, 0, Defaults{})
	switch {
	case err != nil:
		return dst, err
	case !old.HasTfxd:
		return dst, unsupported("moof/traf", 0, "no tfxd")
	case len(h.Next) > MaxNext:
		return dst, tooLarge("moof/traf/tfrf", 0, "%d fragments, the limit is %d", len(h.Next), MaxNext)
	}
	w := moofWriter{dst: dst, start: len(dst), live: h, retime: old.HasDecodeTime, delta: h.Time - old.Time}
	if err := w.write(moof, h.Time, h.Duration); err != nil {
		return dst, err
	}
	return w.dst, nil
}

// appendTfrf appends a version 1 tfrf box, or nothing if there is nothing to announce. See [MS-SSTR] 2.2.4.5.
//
//	size:32 uuid:32 type:128 version:8 flags:24 fragment_count:8 (time:64 duration:64)*
func appendTfrf(dst []byte, next []FragmentSpan) []byte {
	if len(next) == 0 {
		return dst
	}
	dst = appendHeader(dst, uint32(TfrfSize(len(next))), TypeUUID)
	dst = append(dst, UUIDTfrf[:]...)
	dst = binary.BigEndian.AppendUint32(dst, 1<<24)
	dst = append(dst, byte(len(next)))
	for _, f := range next {
		dst = binary.BigEndian.AppendUint64(dst, f.Time)
		dst = binary.BigEndian.AppendUint64(dst, f.Duration)
	}
	return dst
}

// Retime appends a plain moof box with another fragment time, in ticks. tfdt moves by the same distance; tfrf is
// dropped, as it names times of the old timeline.
func Retime(dst, moof []byte, time uint64) ([]byte, error) {
	m, err := ParseMoof(moof, 0)
	if err != nil {
		return dst, err
	}
	if len(m.Trafs) != 1 {
		return dst, unsupported("moof", 0, "%d traf boxes", len(m.Trafs))
	}
	t := &m.Trafs[0]
	old, duration := t.Time, t.Duration
	if !t.HasTfxd {
		old = t.DecodeTime
		duration, _ = t.Totals(Defaults{})
	}
	w := moofWriter{dst: dst, start: len(dst), retime: true, delta: time - old}
	if err := w.write(moof, time, duration); err != nil {
		return dst, err
	}
	return w.dst, nil
}

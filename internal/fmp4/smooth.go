package fmp4

import (
	"encoding/binary"
)

// rank gives the safe order of the children of traf: tfhd, trun, sdtp, tfxd, tfrf, the rest. tfdt stands after
// tfhd. Some clients fail if a uuid box precedes trun.
func rank(x *box) int {
	switch x.typ {
	case TypeTfhd:
		return 0
	case TypeTfdt:
		return 1
	case TypeTrun:
		return 2
	case TypeSdtp:
		return 3
	case TypeUUID:
		switch x.uuid {
		case UUIDTfxd:
			return 4
		case UUIDTfrf:
			return 5
		}
	}
	return 6
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
// samples. track holds the defaults of trex. offset is for errors.
func Inspect(moof []byte, offset int64, track Defaults) (Head, error) {
	h, err := parseHeader(moof, offset, int64(len(moof)))
	if err != nil {
		return Head{}, err
	}
	head := Head{Size: int(h.Size), Plain: true, Ordered: true}
	trafs := 0
	c := cursor{b: moof[h.Header:h.Size], offset: offset + h.Header, path: "moof"}
	for x, ok := c.next(); ok; x, ok = c.next() {
		switch x.typ {
		case TypeMfhd:
			if len(x.body) >= 8 {
				head.Sequence = u32(x.body[4:])
			}
		case TypeTraf:
			trafs++
			if err := head.inspectTraf(&x, track); err != nil {
				return head, err
			}
		}
	}
	head.Plain = head.Plain && trafs == 1 && h.Header == 8
	return head, c.err
}

func (h *Head) inspectTraf(x *box, track Defaults) error {
	var flags, run uint32
	runs, last := 0, -1
	c := x.children("moof/traf")
	for y, ok := c.next(); ok; y, ok = c.next() {
		r := rank(&y)
		h.Ordered = h.Ordered && r >= last
		last = r
		var t Traf
		switch r {
		case 0:
			if err := t.parseTfhd(&y); err != nil {
				return err
			}
			flags, h.TrackID = t.flags, t.TrackID
		case 1:
			h.HasDecodeTime = true
		case 2:
			runs++
			if len(y.body) < 12 {
				return corrupt("moof/traf/trun", y.offset, "body %d bytes, need 12", len(y.body))
			}
			run = u32(y.body) & 0xffffff
			h.Plain = h.Plain && run&trunDataOffset != 0 && int64(int32(u32(y.body[8:]))) == int64(h.Size)+8
		case 4:
			if err := t.parseTfxd(&y); err != nil {
				return err
			}
			h.HasTfxd, h.Time, h.Duration = true, t.Time, t.Duration
		}
	}
	h.Plain = h.Plain && runs == 1 && flags&tfhdBaseDataOffset == 0 &&
		(track.Duration == 0 || flags&tfhdDuration != 0 || run&trunDuration != 0) &&
		(track.Size == 0 || flags&tfhdSize != 0 || run&trunSize != 0) &&
		(track.Flags == 0 || flags&tfhdFlags != 0 || run&trunFlags != 0)
	return c.err
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

// placed remembers where a child of moof or traf moved to.
type placed struct{ from, to, size int }

// maxPlaced is the number of boxes in moof and traf that AppendSmooth can move.
const maxPlaced = 32

// AppendSmooth appends the plain moof box (see [Head]) with the children of traf in safe order and a tfxd of the
// given time and duration, in ticks, in place of its own. The data offset and the offsets of saio are corrected
// for the growth. moof is not modified and must not overlap the room behind dst.
func AppendSmooth(dst, moof []byte, time, duration uint64) ([]byte, error) {
	return appendSmooth(dst, moof, time, duration, true)
}

func appendSmooth(dst, moof []byte, time, duration uint64, keepTfrf bool) ([]byte, error) {
	if len(moof) < 8 {
		return dst, corrupt("moof", 0, "%d bytes", len(moof))
	}
	start := len(dst)
	var moves [maxPlaced]placed
	n := 0
	dst = append(dst, moof[:8]...)
	c := cursor{b: moof[8:], offset: 8, path: "moof"}
	for x, ok := c.next(); ok; x, ok = c.next() {
		if x.typ != TypeTraf {
			if n == maxPlaced {
				return dst, unsupported("moof", x.offset, "more than %d boxes", maxPlaced)
			}
			moves[n] = placed{int(x.offset), len(dst) - start, len(x.raw)}
			n++
			dst = append(dst, x.raw...)
			continue
		}
		traf := len(dst)
		dst = appendHeader(dst, 0, TypeTraf)
		for r := 0; r <= 6; r++ {
			if r == 4 {
				dst = appendTfxd(dst, time, duration)
				continue
			}
			if r == 5 && !keepTfrf {
				continue
			}
			d := x.children("moof/traf")
			for y, ok := d.next(); ok; y, ok = d.next() {
				if rank(&y) != r {
					continue
				}
				if n == maxPlaced {
					return dst, unsupported("moof/traf", y.offset, "more than %d boxes", maxPlaced)
				}
				moves[n] = placed{int(y.offset), len(dst) - start, len(y.raw)}
				n++
				dst = append(dst, y.raw...)
			}
			if d.err != nil {
				return dst, d.err
			}
		}
		binary.BigEndian.PutUint32(dst[traf:], uint32(len(dst)-traf))
	}
	if c.err != nil {
		return dst, c.err
	}
	out := dst[start:]
	binary.BigEndian.PutUint32(out, uint32(len(out)))
	return dst, correct(out, len(moof), moves[:n])
}

// correct adds the growth of a moof box to the offsets in trun and saio.
func correct(out []byte, before int, moves []placed) error {
	growth := len(out) - before
	for _, m := range moves {
		x := out[m.to : m.to+m.size]
		switch Type(u32(x[4:])) {
		case TypeTrun:
			if len(x) >= 20 && u32(x[8:])&trunDataOffset != 0 {
				binary.BigEndian.PutUint32(x[16:], uint32(int(int32(u32(x[16:])))+growth))
			}
		case TypeSaio:
			if err := correctSaio(x, before, growth, moves); err != nil {
				return err
			}
		}
	}
	return nil
}

// correctSaio moves the offsets of a saio box, which count from the start of the moof box:
//
//	version:8 flags:24 [aux_info_type:32 aux_info_type_parameter:32 if flags & 1] entry_count:32 (offset:32|64)*
//
// See ISO/IEC 14496-12 8.7.9.
func correctSaio(x []byte, before, growth int, moves []placed) error {
	const path = "moof/traf/saio"
	p := 12
	if len(x) > 12 && u32(x[8:])&1 != 0 {
		p = 20
	}
	if len(x) < p+4 {
		return corrupt(path, 0, "box of %d bytes", len(x))
	}
	wide := x[8] != 0
	size := 4
	if wide {
		size = 8
	}
	n := int64(u32(x[p:]))
	p += 4
	if n*int64(size) > int64(len(x)-p) {
		return corrupt(path, 0, "%d offsets in %d bytes", n, len(x)-p)
	}
	for ; n > 0; n, p = n-1, p+size {
		if wide {
			binary.BigEndian.PutUint64(x[p:], uint64(moved(int64(u64(x[p:])), before, growth, moves)))
		} else {
			binary.BigEndian.PutUint32(x[p:], uint32(moved(int64(u32(x[p:])), before, growth, moves)))
		}
	}
	return nil
}

// moved maps an offset in the old moof, or behind it, to the new one.
func moved(off int64, before, growth int, moves []placed) int64 {
	if off >= int64(before) {
		return off + int64(growth)
	}
	for _, m := range moves {
		if off >= int64(m.from) && off < int64(m.from+m.size) {
			return off - int64(m.from) + int64(m.to)
		}
	}
	return off
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
	start := len(dst)
	if dst, err = appendSmooth(dst, moof, time, duration, false); err != nil {
		return dst, err
	}
	return dst, shiftDecodeTime(dst[start:], time-old)
}

// shiftDecodeTime adds delta to tfdt, modulo 2^64.
func shiftDecodeTime(moof []byte, delta uint64) error {
	c := cursor{b: moof[8:], offset: 8, path: "moof"}
	for x, ok := c.next(); ok; x, ok = c.next() {
		if x.typ != TypeTraf {
			continue
		}
		d := x.children("moof/traf")
		for y, ok := d.next(); ok; y, ok = d.next() {
			if y.typ != TypeTfdt || len(y.body) < 8 {
				continue
			}
			if y.body[0] == 1 && len(y.body) >= 12 {
				binary.BigEndian.PutUint64(y.body[4:], u64(y.body[4:])+delta)
			} else {
				binary.BigEndian.PutUint32(y.body[4:], u32(y.body[4:])+uint32(delta))
			}
		}
	}
	return c.err
}

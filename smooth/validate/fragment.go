package validate

import (
	"encoding/binary"
	"fmt"
	"strconv"

	"github.com/smoothkit/smoothkit/smooth"
)

// Expect tells what a fragment should be, as the manifest and the request say. Zero fields are not checked.
type Expect struct {
	// Name of the document in reports, and the stream and level it belongs to.
	Name, Stream, Level string
	Type                smooth.StreamType
	// FourCC of the level; decides which checks of samples apply.
	FourCC string
	// Timescale in ticks per second. Zero means 10,000,000.
	Timescale uint64
	// Chunk is the chunk of the manifest. It is checked if HasChunk is set.
	Chunk    smooth.Chunk
	HasChunk bool
	// Live asks for tfxd and tfrf; Next are the chunks that follow in the manifest, Lookahead bounds tfrf.
	Live      bool
	Next      []smooth.Chunk
	Lookahead uint64
	// Stored is for a fragment in a file: the server adds tfxd and tfrf, so that they may be missing.
	Stored bool
	// Offset of the fragment in the document, for places.
	Offset int64
	// IVSize is the size of initialisation vectors of encrypted samples. Zero means 8.
	IVSize int
}

// Fragment checks one fragment, the answer to a Fragments request.
func Fragment(data []byte, want Expect, opts *Options) *Report {
	rec := newRecorder(opts.withDefaults().MaxPerRule)
	checkFragment(rec, data, want)
	return rec.Report()
}

// fragment is what was understood of a fragment, for the comparison with its neighbours.
type fragment struct {
	moof, payload []byte
	sequence      uint32
	samples       []sample
	duration      uint64
	times         bool // duration is known
	encrypted     bool
	tfxd          uint64
	hasTfxd       bool
}

// fragmentChecker walks one fragment.
type fragmentChecker struct {
	rec  *Recorder
	want Expect
	f    *fragment
	base int64 // offset of moof in the document
}

func (c *fragmentChecker) place(path string, offset int64) Place {
	p := Place{Document: c.want.Name, Stream: c.want.Stream, Level: c.want.Level, Box: path, Offset: offset}
	if c.want.HasChunk {
		p.Time = strconv.FormatUint(c.want.Chunk.Time, 10)
	}
	return p
}

// checkFragment records the violations of a fragment and returns what it understood; never nil.
func checkFragment(rec *Recorder, data []byte, want Expect) *fragment {
	if want.Timescale == 0 {
		want.Timescale = smooth.DefaultTimescale
	}
	if want.IVSize == 0 {
		want.IVSize = 8
	}
	c := &fragmentChecker{rec: rec, want: want, f: &fragment{}}
	rec.Tally(func(n *Counts) { n.Fragments++; n.Bytes += int64(len(data)) })
	boxes, err := splitBoxes(data, want.Offset)
	if err != nil {
		rec.Add("SF101", c.place("/", want.Offset), "%v", err)
		return c.f
	}
	if len(boxes) != 2 || boxes[0].typ != "moof" || boxes[1].typ != "mdat" {
		rec.Add("SF102", c.place("/", want.Offset), "the boxes are %s", names(boxes))
		return c.f
	}
	c.fragment(data, boxes[0], boxes[1])
	return c.f
}

// names lists the types of boxes for messages.
func names(boxes []box) string {
	s := ""
	for i, b := range boxes {
		if i == 12 {
			return s + fmt.Sprintf(" and %d more", len(boxes)-i)
		}
		if i > 0 {
			s += " "
		}
		s += b.name()
	}
	if s == "" {
		return "none"
	}
	return s
}

func (c *fragmentChecker) fragment(data []byte, moof, mdat box) {
	c.base = moof.offset
	c.f.moof, c.f.payload = data[:moof.size], mdat.body
	if mdat.header != 8 || binary.BigEndian.Uint32(data[moof.size:]) == 0 {
		c.rec.Add("SF103", c.place("mdat", mdat.offset), "the header has %d bytes, the size field is %d",
			mdat.header, binary.BigEndian.Uint32(data[moof.size:]))
	}
	kids, err := moof.children()
	if err != nil {
		c.rec.Add("SF101", c.place("moof", moof.offset), "%v", err)
		return
	}
	c.mfhd(kids, moof)
	trafs := ofType(kids, "traf")
	if len(trafs) != 1 {
		c.rec.Add("SF105", c.place("moof", moof.offset), "there are %d traf boxes", len(trafs))
		return
	}
	c.traf(trafs[0], moof)
}

func ofType(boxes []box, name string) []box {
	var out []box
	for _, b := range boxes {
		if b.name() == name {
			out = append(out, b)
		}
	}
	return out
}

func (c *fragmentChecker) mfhd(kids []box, moof box) {
	list := ofType(kids, "mfhd")
	if len(list) != 1 || kids[0].typ != "mfhd" {
		c.rec.Add("SF104", c.place("moof", moof.offset), "the boxes are %s", names(kids))
		return
	}
	b := list[0]
	version, flags, rest, ok := b.full()
	if !ok || version != 0 || flags != 0 || len(rest) != 4 {
		c.rec.Add("SF109", c.place("moof/mfhd", b.offset), "%d bytes, version %d, flags %#x", b.size, version, flags)
		return
	}
	c.f.sequence = binary.BigEndian.Uint32(rest)
}

// traf checks the track fragment: its parts first, then what depends on several.
func (c *fragmentChecker) traf(traf, moof box) {
	kids, err := traf.children()
	if err != nil {
		c.rec.Add("SF101", c.place("moof/traf", traf.offset), "%v", err)
		return
	}
	p := c.place("moof/traf", traf.offset)
	heads, runs := ofType(kids, "tfhd"), ofType(kids, "trun")
	if len(heads) != 1 {
		c.rec.Add("SF106", p, "there are %d tfhd boxes", len(heads))
		return
	}
	if len(runs) != 1 {
		c.rec.Add("SF107", p, "there are %d trun boxes", len(runs))
		return
	}
	c.order(kids, p)
	c.timeBoxes(kids)
	d, ok := c.tfhd(heads[0])
	if !ok || !c.trun(runs[0], moof, d) {
		return
	}
	c.sdtp(kids)
	c.durations(runs[0])
	c.encryption(kids)
	if c.sizes(runs[0]) {
		c.content(runs[0])
	}
}

// order checks the sequence of the known children. See canalplus/rx-player#455.
func (c *fragmentChecker) order(kids []box, p Place) {
	rank := map[string]int{"tfhd": 1, "tfdt": 2, "trun": 3, "sdtp": 4, "tfxd": 5, "tfrf": 6, "senc": 7, "saiz": 8, "saio": 8}
	last := 0
	for _, b := range kids {
		r, known := rank[b.name()]
		if known && r < last {
			c.rec.Add("SF108", p, "the boxes are %s", names(kids))
			return
		}
		if known {
			last = r
		}
	}
}

// timeBoxes checks tfxd, tfrf and tfdt.
func (c *fragmentChecker) timeBoxes(kids []box) {
	tfxd, tfdt := ofType(kids, "tfxd"), ofType(kids, "tfdt")
	p := c.place("moof/traf", c.base)
	isHEVC := codecOf(c.want.FourCC) == codecHEVC
	switch {
	case len(tfxd) > 0:
		c.tfxd(tfxd[0])
	case (isHEVC || c.want.FourCC == "") && len(tfdt) > 0, c.want.Stored:
	case c.want.Live:
		c.rec.Add("SF137", p, "there is no tfxd")
	default:
		c.rec.Add("SF131", p, "there is no tfxd")
	}
	switch {
	case len(tfdt) == 0, c.want.FourCC == "":
	case isHEVC:
		c.tfdt(tfdt[0])
	default:
		c.rec.Add("SF135", c.place("moof/traf/tfdt", tfdt[0].offset), "there is a tfdt with FourCC %q", c.want.FourCC)
	}
	tfrf := ofType(kids, "tfrf")
	switch {
	case len(tfrf) > 0:
		c.tfrf(tfrf[0])
	case c.want.Live && len(c.want.Next) > 0 && !isHEVC && !c.want.Stored:
		c.rec.Add("SF143", p, "there is no tfrf, and the manifest lists %d chunks after this one", len(c.want.Next))
	}
}

// tfxd: version u8, flags u24, time u32 or u64, duration u32 or u64.
func (c *fragmentChecker) tfxd(b box) {
	version, _, rest, ok := b.full()
	width := 4
	if version == 1 {
		width = 8
	}
	p := c.place("moof/traf/tfxd", b.offset)
	if !ok || version > 1 || len(rest) != 2*width {
		c.rec.Add("SF132", p, "%d bytes, version %d", b.size, version)
		return
	}
	r := reader{data: rest}
	t, d := r.uint(width), r.uint(width)
	c.f.tfxd, c.f.hasTfxd = t, true
	if !c.want.HasChunk {
		return
	}
	if t != c.want.Chunk.Time {
		c.rec.Add("SF133", p, "the time is %d, the URL says %d", t, c.want.Chunk.Time)
	}
	if d != c.want.Chunk.Duration {
		c.rec.Add("SF134", p, "the duration is %d, the manifest says %d", d, c.want.Chunk.Duration)
	}
}

func (c *fragmentChecker) tfdt(b box) {
	version, _, rest, ok := b.full()
	r := reader{data: rest}
	t := r.uint(4 << (version & 1))
	// Composition offsets may shift the presentation time away from the decode time by some samples.
	if !ok || r.bad || c.want.HasChunk && distance(t, c.want.Chunk.Time) > c.want.Timescale {
		c.rec.Add("SF136", c.place("moof/traf/tfdt", b.offset), "the time is %d, the URL says %d", t, c.want.Chunk.Time)
	}
}

// tfrf: version u8, flags u24, count u8, count times time and duration, u32 or u64 each.
func (c *fragmentChecker) tfrf(b box) {
	version, _, rest, ok := b.full()
	width := 4
	if version == 1 {
		width = 8
	}
	p := c.place("moof/traf/tfrf", b.offset)
	r := reader{data: rest}
	n := r.uint(1)
	if !ok || r.bad || version > 1 || uint64(len(r.data)) != n*2*uint64(width) {
		c.rec.Add("SF141", p, "%d bytes, version %d, count %d", b.size, version, n)
		return
	}
	if !c.want.HasChunk {
		return
	}
	if c.want.Live && c.want.Lookahead > 0 && n > c.want.Lookahead { // the fragments of an event that has ended keep theirs
		c.rec.Add("SF144", p, "there are %d entries, the look-ahead is %d", n, c.want.Lookahead)
		return
	}
	for i := range n {
		got := smooth.Chunk{Time: r.uint(width), Duration: r.uint(width)}
		if i < uint64(len(c.want.Next)) && got != c.want.Next[i] {
			c.rec.Add("SF142", p, "entry %d is time %d duration %d, the manifest lists time %d duration %d",
				i, got.Time, got.Duration, c.want.Next[i].Time, c.want.Next[i].Duration)
			return
		}
	}
}

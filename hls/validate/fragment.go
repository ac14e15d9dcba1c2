package validate

import (
	"encoding/binary"
	"fmt"
	"slices"
	"time"
)

// fragmentChecker walks one fragmented MP4 segment.
type fragmentChecker struct {
	rec  *recorder
	want expect
	out  *content
	init *initSegment

	data  []byte
	infos map[uint32]*trackInfo
	total int  // samples
	lost  bool // a track fragment could not be read
	moof  box
	mdat  box
}

func (c *fragmentChecker) place(path string, offset int64) Place {
	return Place{Document: c.want.name, Box: path, Offset: offset}
}

// fail records what keeps a track fragment from being read. What follows from that is left out.
func (c *fragmentChecker) fail(id string, p Place, format string, args ...any) {
	c.rec.Add(id, p, format, args...)
	c.lost = true
}

// segmentBoxes are those that a segment may have beside moof and mdat.
var segmentBoxes = []string{"styp", "sidx", "ssix", "emsg", "prft", "free", "skip", "uuid", "mfra"}

// checkFragments checks a fragmented MP4 segment. See RFC 8216 section 3.3.
func checkFragments(rec *recorder, data []byte, want expect) *content {
	c := &fragmentChecker{
		rec: rec, want: want, out: &content{format: formatFragment, bytes: len(data)}, init: want.init, data: data,
		infos: make(map[uint32]*trackInfo),
	}
	boxes, err := splitBoxes(data, want.offset)
	if err != nil && want.iframes {
		boxes, err = withCutData(data, boxes, want.offset)
	}
	if err != nil {
		rec.Add("HF111", c.place("/", want.offset), "%v", err)
	}
	if c.init == nil || c.init.tracks == nil {
		rec.Add("HF112", c.place("/", want.offset), "there is no EXT-X-MAP with a moov box for the segment")
		return c.out
	}
	c.order(boxes)
	for i, b := range boxes {
		if b.typ == "moof" && i+1 < len(boxes) && boxes[i+1].typ == "mdat" {
			c.moof, c.mdat = b, boxes[i+1]
			c.fragment()
		}
	}
	c.finish()
	return c.out
}

// withCutData adds the mdat that a byte range of an I-frame playlist ends in: it holds the first sample only.
func withCutData(data []byte, boxes []box, offset int64) ([]box, error) {
	at := 0
	for _, b := range boxes {
		at += b.size()
	}
	if rest := data[at:]; len(rest) >= 8 && string(rest[4:8]) == "mdat" && binary.BigEndian.Uint32(rest) > 1 {
		return append(boxes, box{typ: "mdat", offset: offset + int64(at), header: 8, body: rest[8:]}), nil
	}
	return boxes, fmt.Errorf("after %s there are %d bytes that are no mdat", types(boxes), len(data)-at)
}

// order checks that the segment is moof and mdat pairs, and what may be around them.
func (c *fragmentChecker) order(boxes []box) {
	pairs := 0
	for i, b := range boxes {
		p := c.place(b.typ, b.offset)
		switch {
		case b.typ == "moof":
			if pairs++; i+1 == len(boxes) || boxes[i+1].typ != "mdat" {
				c.fail("HF113", p, "after moof there is no mdat: the boxes are %s", types(boxes))
				return
			}
		case b.typ == "mdat":
			if i == 0 || boxes[i-1].typ != "moof" {
				c.rec.Add("HF113", p, "before mdat there is no moof: the boxes are %s", types(boxes))
				return
			}
		case !slices.Contains(segmentBoxes, b.typ):
			c.rec.Add("HF114", p, "there is a box %q", b.typ)
		}
	}
	if pairs == 0 {
		c.fail("HF113", c.place("/", c.want.offset), "there is no moof: the boxes are %s", types(boxes))
	}
}

// fragment checks one moof and its mdat.
func (c *fragmentChecker) fragment() {
	kids, err := splitBoxes(c.moof.body, c.moof.offset+int64(c.moof.header))
	if err != nil || len(ofType(kids, "mfhd")) != 1 || len(ofType(kids, "traf")) == 0 {
		c.fail("HF115", c.place("moof", c.moof.offset), "the boxes are %s: %v", types(kids), err)
		return
	}
	for _, b := range ofType(kids, "traf") {
		c.traf(b)
	}
}

// defaults are those of tfhd, or else of trex.
type defaults struct {
	track                 *mp4Track
	duration, size, flags uint32
	baseIsMoof            bool
}

func (c *fragmentChecker) traf(traf box) {
	p := c.place("moof/traf", traf.offset)
	kids, err := splitBoxes(traf.body, traf.offset+int64(traf.header))
	heads := ofType(kids, "tfhd")
	if err != nil || len(heads) != 1 {
		c.fail("HF115", p, "the boxes are %s: %v", types(kids), err)
		return
	}
	d, ok := c.tfhd(heads[0])
	if !ok {
		return
	}
	times := ofType(kids, "tfdt")
	if len(times) != 1 {
		c.fail("HF118", p, "there are %d tfdt boxes", len(times))
		return
	}
	start := versionField(times[0], 4, 4, 4)
	if version, _, _, _ := times[0].full(); version == 1 {
		start = versionField(times[0], 4, 4, 8)
	}
	if start > 1<<62 {
		c.fail("HF118", p, "tfdt is %d", start)
		return
	}
	c.runs(d, ofType(kids, "trun"), start, p)
}

// tfhd: version, flags u24, track_ID u32, [base data offset u64] [description u32] [duration u32] [size u32] [flags u32]
func (c *fragmentChecker) tfhd(b box) (d defaults, ok bool) {
	p := c.place("moof/traf/tfhd", b.offset)
	_, flags, rest, _ := b.full()
	r := cursor{data: rest}
	id := uint32(r.uint(4))
	i := slices.IndexFunc(c.init.tracks, func(t *mp4Track) bool { return t.id == id })
	if r.bad || i < 0 {
		c.fail("HF116", p, "track_ID is %d, and no track of EXT-X-MAP", id)
		return d, false
	}
	t := c.init.tracks[i]
	d = defaults{track: t, duration: t.duration, size: t.size, flags: t.flags, baseIsMoof: flags&0x20000 != 0}
	if flags&1 != 0 || !d.baseIsMoof {
		c.rec.Add("HF117", p, "base-data-offset-present is %d, default-base-is-moof %t", flags&1, d.baseIsMoof)
	}
	if flags&1 != 0 {
		r.uint(8)
	}
	if flags&2 != 0 {
		r.uint(4)
	}
	for _, f := range []struct {
		bit uint32
		to  *uint32
	}{{8, &d.duration}, {0x10, &d.size}, {0x20, &d.flags}} {
		if flags&f.bit != 0 {
			*f.to = uint32(r.uint(4))
		}
	}
	if r.bad {
		c.fail("HF115", p, "the box has %d bytes, its flags %#x need more", b.size(), flags)
	}
	return d, !r.bad
}

// fragmentSample is one sample of a run.
type fragmentSample struct {
	duration, size, flags uint32
	offset                int64 // composition
	data                  []byte
}

// runs checks the trun boxes of a track fragment.
func (c *fragmentChecker) runs(d defaults, runs []box, start uint64, p Place) {
	var samples []fragmentSample
	for _, b := range runs {
		list, ok := c.trun(d, b)
		if !ok {
			return
		}
		samples = append(samples, list...)
	}
	if len(samples) == 0 {
		c.fail("HF119", p, "there is no sample")
		return
	}
	c.samples(d.track, samples, start, p)
}

// trun: version, flags u24, count u32, [data offset i32] [first flags u32] {[duration] [size] [flags] [offset]}...
func (c *fragmentChecker) trun(d defaults, b box) ([]fragmentSample, bool) {
	p := c.place("moof/traf/trun", b.offset)
	version, flags, rest, _ := b.full()
	r := cursor{data: rest}
	count := r.uint(4)
	width := 0
	for _, bit := range []uint32{0x100, 0x200, 0x400, 0x800} {
		if flags&bit != 0 {
			width += 4
		}
	}
	offset := int64(0)
	if flags&1 != 0 {
		offset = int64(int32(r.uint(4)))
	}
	first, hasFirst := uint32(0), flags&4 != 0
	if hasFirst {
		first = uint32(r.uint(4))
	}
	// Samples without a byte are rare: more of them than there is data are not worth the memory.
	limit := min(maxSamples-c.total, max(len(c.mdat.body), 1000))
	if r.bad || count > uint64(max(limit, 0)) || uint64(len(r.data)) != count*uint64(width) {
		c.fail("HF115", p, "trun has %d bytes, its flags %#x and count %d need others", b.size(), flags, count)
		return nil, false
	}
	c.total += int(count)
	var out []fragmentSample
	total := int64(0)
	for i := range count {
		s := fragmentSample{duration: d.duration, size: d.size, flags: d.flags}
		if i == 0 && hasFirst {
			s.flags = first
		}
		s.fields(&r, flags, version)
		if c.want.iframes && i > 0 && total+int64(s.size) > int64(len(c.mdat.body)) {
			break // the range holds the first sample
		}
		total += int64(s.size)
		out = append(out, s)
	}
	return out, c.locate(out, offset, total, flags&1 != 0, p)
}

// fields reads the fields that a run has for each sample.
func (s *fragmentSample) fields(r *cursor, flags uint32, version byte) {
	if flags&0x100 != 0 {
		s.duration = uint32(r.uint(4))
	}
	if flags&0x200 != 0 {
		s.size = uint32(r.uint(4))
	}
	if flags&0x400 != 0 {
		s.flags = uint32(r.uint(4))
	}
	if flags&0x800 != 0 {
		v := uint32(r.uint(4))
		if s.offset = int64(v); version == 1 {
			s.offset = int64(int32(v))
		}
	}
}

// locate checks that the samples lie in mdat, and gives each its bytes. The offset counts from the first byte of moof.
func (c *fragmentChecker) locate(list []fragmentSample, offset, total int64, stated bool, p Place) bool {
	from := c.moof.offset + offset
	low := c.mdat.offset + int64(c.mdat.header)
	high := low + int64(len(c.mdat.body))
	if !stated || from < low || from+total > high {
		c.fail("HF120", p, "the data offset is %d (stated: %t) for %d bytes of samples, mdat is %d to %d",
			offset, stated, total,
			low-c.moof.offset, high-c.moof.offset)
		return false
	}
	at := from - low
	for i := range list {
		list[i].data = c.mdat.body[at : at+int64(list[i].size)]
		at += int64(list[i].size)
	}
	return true
}

// samples takes the samples of a track fragment that begins at a decode time.
func (c *fragmentChecker) samples(t *mp4Track, list []fragmentSample, start uint64, p Place) {
	info := c.infos[t.id]
	if info == nil {
		info = &trackInfo{
			id: t.id, video: t.isVideo(), audio: t.isAudio(), codec: t.codec, width: t.width, height: t.height,
			rate: t.rate, channels: t.channels,
		}
		c.infos[t.id] = info
		c.out.tracks = append(c.out.tracks, info)
		info.first = t.time(start)
		info.present = t.time(uint64(max(int64(start)+list[0].offset, 0)))
		c.begins(t, list[0], p)
	} else if off := t.time(start) - info.end; off.Abs() > info.tolerance() && !c.want.iframes {
		c.rec.Add("HF123", p, "track %d goes on at %s, the fragment before ends at %s", t.id, t.time(start), info.end)
	}
	ticks := start
	for i, s := range list {
		if s.duration == 0 && i+1 < len(list) && (t.isVideo() || t.isAudio()) {
			c.rec.Add("HF121", p, "sample %d has no duration", i)
			break
		}
		d := t.time(uint64(s.duration))
		if info.longest == 0 || d < info.shortest {
			info.shortest = d
		}
		info.longest = max(info.longest, d)
		info.present = min(info.present, t.time(uint64(max(int64(ticks)+s.offset, 0))))
		ticks += uint64(s.duration)
		if t.scheme == "" && !c.units(t, s.data) {
			c.rec.Add("HF122", p, "the lengths of NAL units do not fill sample %d of %d bytes", i, s.size)
			break
		}
	}
	info.frames += len(list)
	info.end = t.time(ticks)
	c.rec.Tally(func(n *Counts) { n.Samples += len(list) })
}

// time converts ticks of the track.
func (t *mp4Track) time(v uint64) time.Duration {
	s := v / t.timescale
	if s > maxSeconds*100 {
		s = maxSeconds * 100
	}
	return time.Duration(s)*time.Second + time.Duration(v%t.timescale*uint64(time.Second)/t.timescale)
}

// begins checks the first sample of video in the segment: a sync sample with a key picture.
func (c *fragmentChecker) begins(t *mp4Track, s fragmentSample, p Place) {
	if !t.isVideo() {
		return
	}
	const isNonSync = 0x10000
	if s.flags&isNonSync != 0 {
		c.rec.Add("HF124", p, "the flags of the first sample are %#x, no sync sample", s.flags)
		return
	}
	if t.scheme == "" && (t.avc || t.hevc) && !t.hasKey(s.data) {
		c.rec.Add("HF124", p, "the first sample has no IDR picture")
	}
}

// hasKey reports whether a sample holds a key picture.
func (t *mp4Track) hasKey(data []byte) bool {
	codec := "avc"
	if t.hevc {
		codec = "hevc"
	}
	r := cursor{data: data}
	for len(r.data) > 0 {
		n := r.take(int(r.uint(t.nalLength)))
		if len(n) > 0 && kindOf(codec, n) == nalKey {
			return true
		}
	}
	return false
}

// units reports whether the lengths of NAL units fill a sample exactly.
func (c *fragmentChecker) units(t *mp4Track, data []byte) bool {
	if !t.avc && !t.hevc {
		return true
	}
	r := cursor{data: data}
	for len(r.data) > 0 {
		r.take(int(min(r.uint(t.nalLength), 1<<31-1)))
	}
	return !r.bad
}

// finish checks what only the end shows.
func (c *fragmentChecker) finish() {
	for _, t := range c.init.tracks {
		if c.infos[t.id] == nil && !c.lost && (t.isVideo() || t.isAudio()) {
			c.rec.Add("HF125", c.place("/", c.want.offset), "track %d of EXT-X-MAP has no samples", t.id)
		}
	}
}

// isFragment tells a segment, or an init segment, from its first box.
func isFragment(data []byte) bool {
	if len(data) < 8 {
		return false
	}
	typ := string(data[4:8])
	return typ == "moof" || typ == "ftyp" || typ == "moov" || typ == "mdat" ||
		slices.Contains(segmentBoxes, typ) && binary.BigEndian.Uint32(data) < 1<<24
}

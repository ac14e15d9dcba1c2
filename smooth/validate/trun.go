package validate

import (
	"encoding/binary"

	"github.com/smoothkit/smoothkit/smooth"
)

// sample is an entry of a trun with the defaults filled in.
type sample struct {
	duration, size, flags uint32
	stated                bool // flags is a field of the entry
}

// sync reports the absence of sample_is_non_sync_sample.
func (s sample) sync() bool { return s.flags&0x10000 == 0 }

// defaults are the optional fields of a tfhd.
type defaults struct {
	duration, size, flags          uint32
	hasDuration, hasSize, hasFlags bool
}

// tfhd checks
//
//	version u8, flags u24, track_ID u32, [base u64], [description u32], [duration u32], [size u32], [flags u32]
func (c *fragmentChecker) tfhd(b box) (defaults, bool) {
	var d defaults
	p := c.place("moof/traf/tfhd", b.offset)
	_, flags, rest, ok := b.full()
	r := reader{data: rest}
	track := r.uint(4)
	if flags&0x01 != 0 {
		c.rec.Add("SF111", p, "flags are %#x, base_data_offset is %d", flags, r.uint(8))
	}
	if flags&0x02 != 0 {
		c.rec.Add("SF113", p, "flags are %#x, sample_description_index is %d", flags, r.uint(4))
	}
	if d.hasDuration = flags&0x08 != 0; d.hasDuration {
		d.duration = uint32(r.uint(4))
	}
	if d.hasSize = flags&0x10 != 0; d.hasSize {
		d.size = uint32(r.uint(4))
		c.rec.Add("SF112", p, "flags are %#x, default_sample_size is %d", flags, d.size)
	}
	if d.hasFlags = flags&0x20 != 0; d.hasFlags {
		d.flags = uint32(r.uint(4))
	}
	if !ok || r.bad || len(r.data) != 0 || track == 0 {
		c.rec.Add("SF110", p, "%d bytes, flags %#x, track_ID %d", b.size, flags, track)
		return d, false
	}
	if codecOf(c.want.FourCC) == codecHEVC && flags&0x20000 == 0 {
		c.rec.Add("SF114", p, "flags are %#x", flags)
	}
	return d, true
}

// trun checks
//
//	version u8, flags u24, count u32, [data offset i32], [first flags u32],
//	count times [duration u32], [size u32], [flags u32], [composition offset u32 or i32]
func (c *fragmentChecker) trun(b, moof box, d defaults) bool {
	p := c.place("moof/traf/trun", b.offset)
	version, flags, rest, ok := b.full()
	r := reader{data: rest}
	count := r.uint(4)
	if flags&0x01 == 0 {
		c.rec.Add("SF117", p, "flags are %#x", flags)
	} else if offset := int32(r.uint(4)); int64(offset) != moof.size+8 {
		c.rec.Add("SF118", p, "the data offset is %d, moof has %d bytes", offset, moof.size)
	}
	first, hasFirst := uint32(0), flags&0x04 != 0
	if hasFirst {
		first = uint32(r.uint(4))
	}
	entry := uint64(0)
	for _, bit := range []uint32{0x100, 0x200, 0x400, 0x800} {
		if flags&bit != 0 {
			entry += 4
		}
	}
	if !ok || r.bad || version > 1 || count > maxSamples || count*entry != uint64(len(r.data)) {
		c.rec.Add("SF115", p, "%d bytes, version %d, flags %#x, %d samples of %d bytes", b.size, version, flags, count, entry)
		return false
	}
	if count == 0 {
		c.rec.Add("SF119", p, "the sample count is 0")
		return false
	}
	if flags&0x100 == 0 && !d.hasDuration || flags&0x200 == 0 && !d.hasSize {
		c.rec.Add("SF120", p, "flags are %#x, tfhd has a default duration: %t, a default size: %t", flags, d.hasDuration, d.hasSize)
		return false
	}
	var negative int
	c.f.samples, negative = readSamples(&r, int(count), flags, d)
	if version == 1 && negative > 0 && codecOf(c.want.FourCC) == codecAVC {
		c.rec.Add("SF116", p, "the version is 1, and %d of %d composition offsets are negative", negative, count)
	}
	if hasFirst {
		c.f.samples[0].flags = first
	}
	c.syncStart(p, hasFirst || flags&0x400 != 0 || d.hasFlags)
	c.rec.Tally(func(n *Counts) { n.Samples += int(count) })
	return true
}

// readSamples reads count entries whose length has been checked. It also returns the number of composition offsets
// that would be negative if they are signed.
func readSamples(r *reader, count int, flags uint32, d defaults) (samples []sample, negative int) {
	out := make([]sample, count)
	for i := range out {
		s := sample{d.duration, d.size, d.flags, flags&0x400 != 0}
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
			if int32(r.uint(4)) < 0 {
				negative++
			}
		}
		out[i] = s
	}
	return out, negative
}

// syncStart checks the flags of the first sample of video. Without any flags the client's own default holds.
func (c *fragmentChecker) syncStart(p Place, known bool) {
	if c.want.Type == smooth.Video && known && !c.f.samples[0].sync() {
		c.rec.Add("SF151", p, "the flags of the first sample are %#08x", c.f.samples[0].flags)
	}
}

// sdtp checks the length of the box. Where it calls the first sample independent and the flags of the others are
// zero, as IIS writes them, it tells which of those are no sync samples either.
func (c *fragmentChecker) sdtp(kids []box) {
	for _, b := range ofType(kids, "sdtp") {
		if n := len(b.body) - 4; n != len(c.f.samples) {
			c.rec.Add("SF152", c.place("moof/traf/sdtp", b.offset), "there are %d bytes for %d samples", n, len(c.f.samples))
			continue
		}
		depends := func(i int) byte { return b.body[4+i] >> 4 & 3 } // sample_depends_on, 2: on no other
		for i := range c.f.samples {
			if s := &c.f.samples[i]; !s.stated && s.flags == 0 && depends(0) == 2 && depends(i) != 2 {
				s.flags = 0x01010000
			}
		}
	}
}

// durations compares the sum of sample durations to the chunk. Encoders cut where samples end, and the last sample
// of a file often has an estimated duration, so that one average sample more or less, see [sampleTolerance], is let pass.
func (c *fragmentChecker) durations(trun box) {
	for _, s := range c.f.samples {
		c.f.duration += uint64(s.duration)
	}
	c.f.times = true
	n, d := len(c.f.samples), c.want.Chunk.Duration
	if c.want.HasChunk && distance(c.f.duration, d) > sampleTolerance(n, c.f.duration, d) {
		c.rec.Add("SF122", c.place("moof/traf/trun", trun.offset),
			"the durations of %d samples add up to %d, the manifest says %d", n, c.f.duration, d)
	}
}

// sampleTolerance returns the duration of an average one of n samples and a sixteenth, for rounding; 0 of one sample.
func sampleTolerance(n int, sum, d uint64) uint64 {
	if n <= 1 {
		return 0
	}
	mean := max(sum, d) / uint64(n)
	return mean + mean/16
}

// sizes compares the sum of sample sizes to the payload.
func (c *fragmentChecker) sizes(trun box) bool {
	var sum uint64
	for _, s := range c.f.samples {
		sum += uint64(s.size)
	}
	if sum != uint64(len(c.f.payload)) {
		c.rec.Add("SF121", c.place("moof/traf/trun", trun.offset), "the sizes of %d samples add up to %d, mdat holds %d bytes",
			len(c.f.samples), sum, len(c.f.payload))
		return false
	}
	return true
}

// content checks the bytes of the samples.
func (c *fragmentChecker) content(trun box) {
	offset := c.base + int64(len(c.f.moof)) + 8
	data := c.f.payload
	kind := codecOf(c.want.FourCC)
	text := c.want.Type == smooth.Text && fourCCType(c.want.FourCC) == smooth.Text
	if text && len(c.f.samples) > 1 {
		c.rec.Add("SF172", c.place("moof/traf/trun", trun.offset), "there are %d samples", len(c.f.samples))
		return
	}
	for i, s := range c.f.samples {
		body := data[:s.size]
		data = data[s.size:]
		switch {
		case text:
			c.ttml(body, offset)
		case kind != codecOther && !c.f.encrypted:
			if !c.nalus(i, s, body, offset, kind) {
				return
			}
		}
		offset += int64(s.size)
	}
}

// nalus walks the length-prefixed NAL units of a sample.
func (c *fragmentChecker) nalus(i int, s sample, body []byte, offset int64, kind codec) bool {
	p := c.place("mdat", offset)
	idr, recovery, rest := false, false, body
	for len(rest) > 0 {
		if len(rest) < 4 {
			c.rec.Add("SF154", p, "sample %d of %d bytes: %d bytes are left after a NAL unit", i, len(body), len(rest))
			return false
		}
		n := binary.BigEndian.Uint32(rest)
		if uint64(n) > uint64(len(rest)-4) || n == 0 {
			c.rec.Add("SF154", p, "sample %d of %d bytes: a NAL unit of %d bytes where %d are left", i, len(body), n, len(rest)-4)
			return false
		}
		idr = idr || isIDR(rest[4], kind)
		recovery = recovery || kind == codecAVC && isRecoveryPoint(rest[4:4+n])
		rest = rest[4+n:]
	}
	switch {
	case i == 0 && !idr && recovery:
		c.rec.Add("SF158", p, "the first sample has a recovery point and no IDR picture: frames before it in display order need the fragment before")
	case i == 0 && !idr:
		c.rec.Add("SF155", p, "none of the NAL units of the first sample starts a closed group of pictures")
	case i > 0 && !idr && s.sync() && c.flagged():
		c.rec.Add("SF157", p, "sample %d has the flags %#08x and no IDR picture", i, s.flags)
		return false
	case i > 0 && idr && !s.sync():
		c.rec.Add("SF156", p, "sample %d has the flags %#08x and an IDR picture", i, s.flags)
	}
	return true
}

// isRecoveryPoint reports an H.264 SEI NAL unit with a recovery point message (payload type 6, ITU-T H.264 D.1.8).
func isRecoveryPoint(nalu []byte) bool {
	if nalu[0]&0x1F != 6 {
		return false
	}
	for b := nalu[1:]; len(b) > 2; {
		var kind, size int
		if kind, b = seiNumber(b); kind == 6 {
			return true
		}
		if size, b = seiNumber(b); size >= len(b) {
			return false
		}
		b = b[size:]
	}
	return false
}

// seiNumber reads a number that is written as bytes of 255 and a last byte below, ITU-T H.264 7.3.2.3.1.
func seiNumber(b []byte) (n int, rest []byte) {
	for len(b) > 0 && b[0] == 0xFF {
		n, b = n+255, b[1:]
	}
	if len(b) == 0 {
		return n, nil
	}
	return n + int(b[0]), b[1:]
}

// flagged reports whether any sample is marked as non-sync; if none is, the flags say nothing.
func (c *fragmentChecker) flagged() bool {
	for _, s := range c.f.samples {
		if !s.sync() {
			return true
		}
	}
	return false
}

// isIDR reports a NAL unit of type 5 (H.264), or 16 to 21 (HEVC).
func isIDR(first byte, kind codec) bool {
	if kind == codecAVC {
		return first&0x1F == 5
	}
	t := first >> 1 & 0x3F
	return t >= 16 && t <= 21
}

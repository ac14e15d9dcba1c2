package fmp4

import "sort"

// TableSample is one sample of a Table.
type TableSample struct {
	// DTS in ticks of the media, from 0.
	DTS uint64
	// CTS is the composition offset in ticks; real files use negative ones in version 0 too.
	CTS int32
	// Duration in ticks, Size in bytes.
	Duration, Size uint32
	// Offset in the file.
	Offset int64
	// Sync reports a sync sample.
	Sync bool
}

// At returns a cursor whose Next returns sample i first. i is at most Len.
func (t *Table) At(i uint32) SampleCursor {
	c := SampleCursor{t: t, sample: i}
	if i >= t.count {
		return c
	}
	c.seekTime(i)
	c.seekOffset(i)
	c.seekChunk(i)
	c.sync = t.syncAt(i)
	return c
}

// SampleCursor iterates over the samples of a Table. Its zero value is empty.
type SampleCursor struct {
	t      *Table
	sample uint32

	stts, sttsLeft uint32 // entry, samples left in it
	dts            uint64
	ctts, cttsLeft uint32
	sync           int // position in stss

	run       int
	chunk     uint64 // from 1
	chunkLeft uint32 // samples
	offset    int64
}

func (c *SampleCursor) seekTime(i uint32) {
	t := c.t
	m := sort.Search(len(t.times), func(k int) bool { return t.times[k].sample > i }) - 1
	c.stts, c.dts = uint32(m*markEntries), t.times[m].dts
	for s := t.times[m].sample; ; c.stts++ {
		n, d := u32(t.stts[c.stts*8:]), u32(t.stts[c.stts*8+4:])
		if i-s < n {
			c.sttsLeft = n - (i - s)
			c.dts += uint64(i-s) * uint64(d)
			return
		}
		s += n
		c.dts += uint64(n) * uint64(d)
	}
}

func (c *SampleCursor) seekOffset(i uint32) {
	t := c.t
	if len(t.ctts) == 0 {
		return
	}
	m := sort.Search(len(t.offsets), func(k int) bool { return t.offsets[k] > i }) - 1
	c.ctts = uint32(m * markEntries)
	for s := t.offsets[m]; ; c.ctts++ {
		n := u32(t.ctts[c.ctts*8:])
		if i-s < n {
			c.cttsLeft = n - (i - s)
			return
		}
		s += n
	}
}

func (c *SampleCursor) seekChunk(i uint32) {
	t := c.t
	// An empty run starts at the same sample as the next one, so the last that starts at or before i holds it.
	c.run = sort.Search(len(t.runs), func(k int) bool { return t.runs[k] > i }) - 1
	first, _ := t.run(c.run)
	per := t.perChunk(c.run)
	in := i - t.runs[c.run]
	c.chunk = first + uint64(in/per)
	c.chunkLeft = per - in%per
	c.offset = t.chunkOffset(c.chunk) + int64(t.bytesBetween(i-in%per, i))
}

// bytesBetween returns the number of bytes of samples from i to before j.
func (t *Table) bytesBetween(i, j uint32) (sum uint64) {
	if j-i > markSamples {
		return t.BytesBefore(j) - t.BytesBefore(i)
	}
	for ; i < j; i++ {
		sum += uint64(t.size(i))
	}
	return sum
}

func (t *Table) chunkOffset(chunk uint64) int64 {
	if t.large {
		return int64(min(u64(t.chunks[(chunk-1)*8:]), maxTicks))
	}
	return int64(u32(t.chunks[(chunk-1)*4:]))
}

// Next returns the next sample, or false after the last.
func (c *SampleCursor) Next() (TableSample, bool) {
	t := c.t
	if t == nil || c.sample >= t.count {
		return TableSample{}, false
	}
	if c.chunkLeft == 0 {
		c.nextChunk()
	}
	s := TableSample{DTS: c.dts, Size: t.size(c.sample), Offset: c.offset}
	for c.sttsLeft == 0 {
		c.stts++
		c.sttsLeft = u32(t.stts[c.stts*8:])
	}
	s.Duration = u32(t.stts[c.stts*8+4:])
	c.sttsLeft--
	if len(t.ctts) > 0 {
		for c.cttsLeft == 0 {
			c.ctts++
			c.cttsLeft = u32(t.ctts[c.ctts*8:])
		}
		s.CTS = int32(u32(t.ctts[c.ctts*8+4:]))
		c.cttsLeft--
	}
	s.Sync = !t.hasSync
	for c.sync < len(t.stss)/4 && u32(t.stss[4*c.sync:]) <= c.sample+1 {
		s.Sync = true
		c.sync++
	}
	c.sample++
	c.chunkLeft--
	c.dts += uint64(s.Duration)
	c.offset += int64(s.Size)
	return s, true
}

// nextChunk moves to the next chunk that holds samples. The counts were checked when the table was parsed.
func (c *SampleCursor) nextChunk() {
	t := c.t
	c.chunk++
	for {
		_, next := t.run(c.run)
		if c.chunk < next && t.perChunk(c.run) > 0 {
			break
		}
		c.run++
		c.chunk, _ = t.run(c.run)
	}
	c.chunkLeft = t.perChunk(c.run)
	c.offset = t.chunkOffset(c.chunk)
}

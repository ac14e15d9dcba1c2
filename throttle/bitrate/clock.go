package bitrate

// mark is a value of the clock of a stream at an offset of the file.
type mark struct {
	off  int64
	time uint64 // units of the clock
	cut  bool   // the clock does not continue that of the mark before
}

// clockMarks are marks of one clock in parts of a file, of which the first and the last are its ends.
type clockMarks struct {
	parts [][]mark
	scale uint64 // units in a second
	wrap  uint64 // the number of values of the clock, so that differences are modulo it
}

// Limits of what is believed of clocks, and where they are looked at if they are not.
const (
	maxMarkGap   = 10 // seconds between neighbouring marks
	maxSkew      = 8  // times the rate of the whole may differ from that within the parts
	clockWindows = 6  // more parts, if it does
	clockWindow  = 24 << 10
)

// clocked returns what a clock says of a file: the rate and the time between its first and its last mark. The clock may
// have been set in between, as where recordings were joined: the rate would be anything. It is therefore compared with
// the rates within the parts, and, as a film may well begin and end with a black picture, also with those of more parts
// if need be, which read returns. Where the clock was set, those give an estimate.
func (s *source) clocked(c clockMarks, method string, read func(off, end int64) []mark) (Info, bool) {
	length, units, ok := c.whole()
	near, nearUnits, cut := c.steps()
	if !cut && (!ok || similar(length, units, near, nearUnits)) {
		return c.info(length, units, method), ok
	}
	c.addParts(s, read)
	near, nearUnits, cut = c.steps()
	if ok && !cut && similar(length, units, near, nearUnits) {
		return c.info(length, units, method), true
	}
	near, nearUnits = c.gaps(near, nearUnits)
	info := c.info(near, nearUnits, method+" (estimated)")
	if info.Average > 0 {
		info.Duration = lasting(uint64(s.size)*8, uint64(info.Average))
	}
	return info, info.Average > 0
}

// info returns a rate of length bytes in some units.
func (c *clockMarks) info(length, units uint64, method string) Info {
	if length == 0 || units == 0 {
		return Info{}
	}
	return Info{Method: method, Average: muldiv(mul(length, 8), c.scale, units), Duration: lasting(units, c.scale)}
}

// whole returns the bytes and units between the first and the last mark.
func (c *clockMarks) whole() (length, units uint64, ok bool) {
	head, tail := c.parts[0], c.parts[len(c.parts)-1]
	if len(head) == 0 || len(tail) == 0 {
		return 0, 0, false
	}
	first, last := head[0], tail[len(tail)-1]
	length, units = uint64(max(0, last.off-first.off)), c.since(first, last)
	return length, units, length > 0 && units > 0
}

// steps adds up the bytes and units between neighbouring marks, and reports whether the clock jumps within a part.
func (c *clockMarks) steps() (length, units uint64, cut bool) {
	for _, part := range c.parts {
		for i := 1; i < len(part); i++ {
			u := c.since(part[i-1], part[i])
			if part[i].cut || u > maxMarkGap*c.scale {
				cut = true
				continue
			}
			length, units = length+uint64(part[i].off-part[i-1].off), units+u
		}
	}
	return length, units, cut
}

// gaps adds to a rate what is between parts, where that is similar: where the clock was not set.
func (c *clockMarks) gaps(length, units uint64) (allLength, allUnits uint64) {
	allLength, allUnits = length, units
	var last *mark
	for _, part := range c.parts {
		if len(part) == 0 {
			continue
		}
		if first := part[0]; last != nil && first.off > last.off {
			n, u := uint64(first.off-last.off), c.since(*last, first)
			if u > 0 && similar(n, u, length, units) {
				allLength, allUnits = allLength+n, allUnits+u
			}
		}
		last = &part[len(part)-1]
	}
	return allLength, allUnits
}

// addParts reads more parts, spread over the file.
func (c *clockMarks) addParts(s *source, read func(off, end int64) []mark) {
	head, tail := c.parts[0], c.parts[len(c.parts)-1]
	parts := [][]mark{head}
	for i := int64(1); i <= clockWindows; i++ {
		off := s.size / (clockWindows + 1) * i
		if end := min(off+clockWindow, s.size); int64(s.left) >= end-off {
			parts = append(parts, read(off, end))
		}
	}
	c.parts = append(parts, tail)
}

// since returns the units from one mark to a later one, across a wrap.
func (c *clockMarks) since(a, b mark) uint64 {
	return (b.time + c.wrap - a.time) % c.wrap
}

// similar reports whether two rates, as fractions, are within a factor of [maxSkew]; also if one is unknown.
func similar(length, units, near, nearUnits uint64) bool {
	if near == 0 || nearUnits == 0 || units == 0 {
		return true
	}
	const million = 1_000_000
	a, b := muldiv(length, million, units), muldiv(near, million, nearUnits)
	return a/maxSkew <= b && b/maxSkew <= a
}

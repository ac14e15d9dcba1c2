package bitrate

// mark is a value of the clock of a stream at an offset of the file.
type mark struct {
	off  int64
	time uint64 // units of the clock
	cut  bool   // the clock does not continue that of the mark before
}

// clockMarks are marks of one clock in two parts of a file, in order of their offset.
type clockMarks struct {
	head, tail []mark
	scale      uint64 // units in a second
	wrap       uint64 // values of the clock, a power of two times a scale, so that differences are modulo it
}

// Limits of what is believed of clocks.
const (
	maxMarkGap  = 10 // seconds between neighbouring marks
	maxSkew     = 8  // times the rate of the whole may differ from that of the parts, or the clock was set in between
	maxSpanDays = 2  // of a file without a jump of the clock
)

// rate returns the bytes and units of the clock between the first and the last mark. If the clock was set in between,
// as where recordings were joined, it adds up what is between neighbouring marks, and says that it estimates.
func (c clockMarks) rate() (length, units uint64, estimated, ok bool) {
	near, nearUnits, cut := c.steps()
	if len(c.head) > 0 && len(c.tail) > 0 && !cut {
		first, last := c.head[0], c.tail[len(c.tail)-1]
		length, units = uint64(max(0, last.off-first.off)), c.since(first, last)
		if units > 0 && length > 0 && units/c.scale < maxSpanDays*86400 && similar(length, units, near, nearUnits) {
			return length, units, false, true
		}
	}
	return near, nearUnits, true, near > 0 && nearUnits > 0
}

// steps adds up the bytes and units between neighbouring marks, and reports whether the clock jumps within a part.
func (c clockMarks) steps() (length, units uint64, cut bool) {
	for _, part := range [][]mark{c.head, c.tail} {
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

// since returns the units from one mark to a later one, across a wrap.
func (c clockMarks) since(a, b mark) uint64 {
	return (b.time + c.wrap - a.time) % c.wrap
}

// similar reports whether two rates, as fractions, are within a factor of [maxSkew]; also if the second is unknown.
func similar(length, units, near, nearUnits uint64) bool {
	if near == 0 || nearUnits == 0 || units == 0 {
		return true
	}
	const million = 1_000_000
	a, b := muldiv(length, million, units), muldiv(near, million, nearUnits)
	return a/maxSkew <= b && b/maxSkew <= a
}

// clocked returns what marks say of a file: the rate and the time between the first and the last. Where it is an
// estimate, the duration is that of the whole file at that rate.
func (s *source) clocked(c clockMarks, method string) (Info, bool) {
	length, units, estimated, ok := c.rate()
	if !ok {
		return Info{}, false
	}
	info := Info{Method: method, Average: muldiv(mul(length, 8), c.scale, units), Duration: lasting(units, c.scale)}
	if info.Average == 0 {
		return Info{}, false
	}
	if estimated {
		info.Method += " (estimated)"
		info.Duration = lasting(uint64(s.size)*8, uint64(info.Average))
	}
	return info, true
}

package validate

import "encoding/binary"

// encryption checks the PIFF sample encryption box, or senc of ISO/IEC 23001-7, with saiz and saio.
func (c *fragmentChecker) encryption(kids []box) {
	list := ofType(kids, "senc")
	if len(list) == 0 {
		return
	}
	c.f.encrypted = true
	b := list[0]
	p := c.place("moof/traf/senc", b.offset)
	_, flags, rest, ok := b.full()
	r := reader{data: rest}
	iv := c.want.IVSize
	if flags&1 != 0 {
		iv = int(r.uint(4) & 0xFF)
		r.take(16)
	}
	count := r.uint(4)
	first := b.offset + b.size - int64(len(r.data))
	if !ok || r.bad || count > maxSamples {
		c.rec.Add("SF161", p, "%d bytes, flags %#x, %d entries", b.size, flags, count)
		return
	}
	if count != uint64(len(c.f.samples)) {
		c.rec.Add("SF162", p, "there are %d entries for %d samples", count, len(c.f.samples))
		return
	}
	sizes := c.entries(&r, p, flags, iv)
	if r.bad || len(r.data) != 0 {
		c.rec.Add("SF161", p, "%d bytes, flags %#x, %d entries with vectors of %d bytes", b.size, flags, count, iv)
		return
	}
	c.auxiliary(kids, sizes, first)
}

// entries reads vector[iv], and if flags has bit 2 a count u16 and that many pairs of clear u16, encrypted u32.
// It returns the size of each entry.
func (c *fragmentChecker) entries(r *reader, p Place, flags uint32, iv int) []int {
	sizes := make([]int, len(c.f.samples))
	reported := false
	for i := range sizes {
		before := len(r.data)
		r.take(iv)
		if flags&2 != 0 {
			n, sum := r.uint(2), uint64(0)
			for range n {
				sum += r.uint(2) + r.uint(4)
				if r.bad {
					return sizes
				}
			}
			if size := uint64(c.f.samples[i].size); sum != size && !reported {
				c.rec.Add("SF163", p, "entry %d covers %d bytes, the sample has %d", i, sum, size)
				reported = true
			}
		}
		sizes[i] = before - len(r.data)
	}
	return sizes
}

// auxiliary compares saiz and saio to the sample encryption box.
func (c *fragmentChecker) auxiliary(kids []box, sizes []int, first int64) {
	for _, b := range ofType(kids, "saiz") {
		if !c.saizFits(b, sizes) {
			c.rec.Add("SF164", c.place("moof/traf/saiz", b.offset), "the sizes differ from those of %d entries", len(sizes))
		}
	}
	for _, b := range ofType(kids, "saio") {
		version, flags, rest, _ := b.full()
		r := reader{data: rest}
		if flags&1 != 0 {
			r.take(8)
		}
		n := r.uint(4)
		offset := r.uint(4 << (version & 1))
		if r.bad || n != 1 || offset != uint64(first-c.base) {
			c.rec.Add("SF165", c.place("moof/traf/saio", b.offset), "%d offsets, the first is %d, the entries start at byte %d of moof",
				n, offset, first-c.base)
		}
	}
}

// saizFits: version, flags, [type, parameter], default size u8, count u32, [sizes u8].
func (c *fragmentChecker) saizFits(b box, sizes []int) bool {
	_, flags, rest, ok := b.full()
	if flags&1 != 0 && len(rest) >= 8 {
		rest = rest[8:]
	}
	if !ok || len(rest) < 5 || uint64(binary.BigEndian.Uint32(rest[1:])) != uint64(len(sizes)) {
		return false
	}
	all, list := int(rest[0]), rest[5:]
	if all == 0 && len(list) != len(sizes) {
		return false
	}
	for i, n := range sizes {
		if all != 0 && n != all || all == 0 && int(list[i]) != n {
			return false
		}
	}
	return true
}

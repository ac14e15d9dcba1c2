package fmp4

// ParseTfrf returns the fragments that the tfrf box of a moof box announces, header included, in the order of the box;
// nil if there is none. Of several the first counts. Version 0 has fields of 32 bits, version 1 of 64:
//
//	version:8 flags:24 fragment_count:8 (time:32|64 duration:32|64)*
//
// See [MS-SSTR] 2.2.4.5, whose prose gives the count four bytes and whose grammar one, as every server writes it. A
// time is in ticks of the track; what is beyond the end of all timelines is [ErrCorrupt].
func ParseTfrf(moof []byte) ([]FragmentSpan, error) {
	h, err := moofHeader(moof, 0)
	if err != nil {
		return nil, err
	}
	c := cursor{b: moof[h.Header:h.Size], offset: h.Header, path: "moof"}
	for x, ok := c.next(); ok; x, ok = c.next() {
		if x.typ != TypeTraf {
			continue
		}
		in := x.children("moof/traf")
		for y, ok := in.next(); ok; y, ok = in.next() {
			if y.typ == TypeUUID && y.uuid == UUIDTfrf {
				return parseTfrf(&y)
			}
		}
		if in.err != nil {
			return nil, in.err
		}
	}
	return nil, c.err
}

func parseTfrf(x *box) ([]FragmentSpan, error) {
	const path = "moof/traf/tfrf"
	v, _, b, err := x.full(path)
	if err != nil {
		return nil, err
	}
	if len(b) < 1 {
		return nil, corrupt(path, x.offset, "no count")
	}
	n, each := int(b[0]), 8<<(v&1)
	if b = b[1:]; n*each > len(b) {
		return nil, corrupt(path, x.offset, "%d fragments of %d bytes in %d", n, each, len(b))
	}
	var next []FragmentSpan
	for ; n > 0; n, b = n-1, b[each:] {
		f := FragmentSpan{Time: uint64(u32(b)), Duration: uint64(u32(b[4:]))}
		if v&1 != 0 {
			f = FragmentSpan{Time: u64(b), Duration: u64(b[8:])}
		}
		if f.Time > maxTicks || f.Duration > maxTicks {
			return nil, corrupt(path, x.offset, "time %d, duration %d", f.Time, f.Duration)
		}
		next = append(next, f)
	}
	return next, nil
}

package bitrate

import (
	"bytes"
	"encoding/binary"
	"time"
)

// Limits of what is looked at in Ogg files.
const (
	maxOggStreams = 16
	maxOggHeaders = 48        // pages before the first with content; long comments and covers take many
	oggTail       = 68 << 10  // bytes: one page of the largest size fits in
	oggTailMost   = 160 << 10 // bytes, if the tail has no page of a known stream
	oggWindows    = 8         // places of a chained file
	oggWindow     = 12 << 10  // bytes of each
)

// isOgg looks for the first page.
func isOgg(s *source) bool { return s.has(0, "OggS\x00") }

// oggPage is the header of a page (RFC 3533 section 6).
//
//	"OggS" version(1) type(1) granule(8) serial(4) sequence(4) crc(4) segments(1) sizes(segments)    little-endian
type oggPage struct {
	off     int64
	header  int   // bytes
	size    int64 // bytes, with the header
	first   bool  // begins a stream
	granule int64 // -1: no packet ends on the page
	serial  uint32
}

// oggPageIn reads the header of a page in b, which is at off in the file, or false.
func oggPageIn(b []byte, off int64) (oggPage, bool) {
	if len(b) < 27 || string(b[:5]) != "OggS\x00" || len(b) < 27+int(b[26]) || b[5] > 7 {
		return oggPage{}, false
	}
	p := oggPage{
		off:     off,
		header:  27 + int(b[26]),
		first:   b[5]&2 != 0,
		granule: int64(binary.LittleEndian.Uint64(b[6:])),
		serial:  binary.LittleEndian.Uint32(b[14:]),
	}
	p.size = int64(p.header)
	for _, n := range b[27:p.header] {
		p.size += int64(n)
	}
	return p, true
}

// pageAt reads the header of the page at off.
func (s *source) pageAt(off int64) (oggPage, error) {
	b, err := s.upTo(off, 27+255)
	if err != nil {
		return oggPage{}, err
	}
	p, ok := oggPageIn(b, off)
	if !ok {
		return oggPage{}, s.fail(off, ErrCorrupt, "no Ogg page")
	}
	return p, nil
}

// parseOgg reads the granule positions of the first and last pages of the streams of an Ogg file. The average is size
// of the file over the duration of the longest stream, of which the samples that Opus skips are a part: they have bytes.
func parseOgg(s *source) (Info, error) {
	streams, err := s.oggStreams()
	if err != nil {
		return Info{}, err
	}
	last, err := s.oggLast(streams)
	if err != nil {
		return Info{}, err
	}
	info, longest := Info{Method: "granule"}, time.Duration(0)
	for serial, g := range last {
		st := streams[serial]
		units := st.units(g) - min(st.start, st.units(g))
		rate, d := average(s.size, mul(units, st.den), st.num)
		if d > longest {
			longest, info.Average, info.Duration = d, rate, d-lasting(min(st.skip, units), st.num)
		}
	}
	if longest > 0 && info.Average >= MinRate {
		return info, nil
	}
	if info, ok := s.oggChained(streams); ok {
		return info, nil
	}
	return s.oggNominal(streams)
}

// oggStreams reads the headers of the streams of the first link: what their granules mean, and where they start. The
// map holds only those of known codecs.
func (s *source) oggStreams() (map[uint32]*oggStream, error) {
	streams := map[uint32]*oggStream{}
	starting := map[uint32][]uint64{} // up to two granules of each stream
	var off int64
	for pages := 0; pages < maxOggStreams+maxOggHeaders && off < s.size; pages++ {
		p, err := s.pageAt(off)
		if err != nil {
			if pages > 0 {
				break // what is known so far may do
			}
			return nil, err
		}
		if p.first && len(streams) < maxOggStreams {
			b, err := s.upTo(off+int64(p.header), int(min(p.size-int64(p.header), 128)))
			if err != nil {
				return nil, err
			}
			if st, ok := oggCodec(b); ok {
				streams[p.serial] = &st
			}
		}
		if st := streams[p.serial]; st != nil && !p.first && p.granule > 0 && len(starting[p.serial]) < 2 {
			starting[p.serial] = append(starting[p.serial], st.units(p.granule))
			if enough(streams, starting) {
				break
			}
		}
		off += p.size
	}
	if len(streams) == 0 {
		return nil, s.fail(0, ErrUnknownRate, "no stream of a known codec")
	}
	for serial, st := range streams {
		st.startFrom(starting[serial])
	}
	return streams, nil
}

// enough reports whether two granules of every stream are known.
func enough(streams map[uint32]*oggStream, starting map[uint32][]uint64) bool {
	for serial := range streams {
		if len(starting[serial]) < 2 {
			return false
		}
	}
	return true
}

// startFrom sets the position at which a stream starts, from that of the ends of its first two pages. It is zero but
// for what was cut out of a longer stream: there, the first page ends far later than a page lasts.
func (st *oggStream) startFrom(ends []uint64) {
	if len(ends) < 2 || ends[1] <= ends[0] {
		return
	}
	page := ends[1] - ends[0]
	if ends[0] > 4*page && mul(ends[0], st.den) > st.num { // and than a second
		st.start = ends[0] - page
	}
}

// oggLast returns the last granule of each known stream in the tail of the file, which grows while there is none.
func (s *source) oggLast(streams map[uint32]*oggStream) (map[uint32]int64, error) {
	for tail := int64(oggTail); ; tail = oggTailMost {
		off := max(0, s.size-min(tail, int64(s.left)))
		b, err := s.at(off, int(s.size-off))
		if err != nil {
			return nil, err
		}
		last := map[uint32]int64{}
		for _, p := range oggPagesIn(b, off) {
			if streams[p.serial] != nil && p.granule > 0 {
				last[p.serial] = p.granule
			}
		}
		if len(last) > 0 || off == 0 || tail == oggTailMost || int64(s.left) < oggTailMost {
			return last, nil
		}
	}
}

// oggPagesIn returns the pages whose headers are in b, which is at off in the file. The pattern may be in the content
// of a page as well, but that is skipped once a page is found, and before that there is less than one page.
func oggPagesIn(b []byte, off int64) []oggPage {
	var pages []oggPage
	for i := 0; i < len(b); {
		p, ok := oggPageIn(b[i:], off+int64(i))
		if ok && (int64(i)+p.size >= int64(len(b)) || bytes.HasPrefix(b[int64(i)+p.size:], []byte("OggS"))) {
			pages = append(pages, p)
			i += int(p.size)
			continue
		}
		n := bytes.Index(b[i+1:], []byte("OggS"))
		if n < 0 {
			break
		}
		i += 1 + n
	}
	return pages
}

// oggChained estimates the rate of a file that ends with another stream than it begins with, as recordings of net
// radio do: by the distance of pages at several places, read with the clock of the first link.
func (s *source) oggChained(streams map[uint32]*oggStream) (Info, bool) {
	if len(streams) != 1 {
		return Info{}, false
	}
	var clock *oggStream
	for _, clock = range streams {
	}
	var length, units uint64
	for i := range int64(oggWindows) {
		off := i * (s.size - min(s.size, oggWindow)) / (oggWindows - 1)
		b, err := s.upTo(off, min(oggWindow, s.left))
		if err != nil {
			break
		}
		n, u := clock.between(oggPagesIn(b, off))
		length, units = length+n, units+u
	}
	if units == 0 {
		return Info{}, false
	}
	info := Info{Method: "granule (estimated)", Average: muldiv(length*8, clock.num, mul(units, clock.den))}
	if info.Average > 0 {
		info.Duration = lasting(uint64(s.size)*8, uint64(info.Average))
	}
	return info, info.Average > 0
}

// between returns the bytes and the units between neighbouring pages of one stream.
func (st *oggStream) between(pages []oggPage) (length, units uint64) {
	for i := 1; i < len(pages); i++ {
		a, b := pages[i-1], pages[i]
		if a.serial != b.serial || a.granule <= 0 || b.granule <= a.granule {
			continue
		}
		u := st.units(b.granule) - min(st.units(a.granule), st.units(b.granule))
		if u == 0 || mul(u, st.den)/st.num > 60 {
			continue // no page lasts a minute
		}
		length, units = length+uint64(b.size), units+u
	}
	return length, units
}

// oggNominal adds up the rates that the headers state.
func (s *source) oggNominal(streams map[uint32]*oggStream) (Info, error) {
	info := Info{Method: "nominal rate"}
	for _, st := range streams {
		info.Average += st.nominal
	}
	if info.Average == 0 {
		return Info{}, s.fail(0, ErrUnknownRate, "no page at the end says the duration, no header the rate")
	}
	return info, nil
}

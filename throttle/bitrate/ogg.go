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
	oggWindows    = 14        // places of a chained file
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

// oggStreams are the streams of a file whose codecs are known, in the order in which they begin.
type oggStreams []*oggStream

func (o oggStreams) of(serial uint32) *oggStream {
	for _, st := range o {
		if st.serial == serial {
			return st
		}
	}
	return nil
}

// started reports whether two positions of every stream are known.
func (o oggStreams) started() bool {
	for _, st := range o {
		if len(st.ends) < 2 {
			return false
		}
	}
	return true
}

// parseOgg reads the granule positions of the first and last pages of the streams of an Ogg file. The average is size
// of the file over the duration of the longest stream, of which the samples that Opus skips are a part: they have bytes.
func parseOgg(s *source) (Info, error) {
	streams, err := s.oggHeaders()
	if err != nil {
		return Info{}, err
	}
	chained, err := s.oggLast(streams)
	if err != nil {
		return Info{}, err
	}
	if chained {
		if info, ok := s.oggChained(streams); ok {
			return info, nil
		}
	}
	info, longest := Info{Method: "granule"}, time.Duration(0)
	for _, st := range streams {
		units := st.length()
		rate, d := average(s.size, mul(units, st.den), st.num)
		if d > longest {
			longest, info.Average, info.Duration = d, rate, d-lasting(min(st.skip, units), st.num)
		}
	}
	if longest > 0 && info.Average >= MinRate {
		return info, nil
	}
	return s.oggNominal(streams)
}

// oggHeaders reads the headers of the streams of the first link: what their granules mean, and where they start.
func (s *source) oggHeaders() (oggStreams, error) {
	var streams oggStreams
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
				st.serial = p.serial
				streams = append(streams, &st)
			}
		}
		if st := streams.of(p.serial); st != nil && !p.first && p.granule > 0 && len(st.ends) < 2 {
			st.ends = append(st.ends, st.units(p.granule))
			if streams.started() {
				break
			}
		}
		off += p.size
	}
	if len(streams) == 0 {
		return nil, s.fail(0, ErrUnknownRate, "no stream of a known codec")
	}
	return streams, nil
}

// oggLast notes the last granule of each stream in the tail of the file, which grows while there is no page at all. The
// file is chained if the pages there are of other streams, or if time runs there so much faster than over the whole
// that it must have started anew.
func (s *source) oggLast(streams oggStreams) (chained bool, err error) {
	for _, tail := range []int{oggTail, oggTailMost} {
		off := max(0, s.size-int64(min(tail, s.left)))
		b, err := s.upTo(off, int(s.size-off))
		if err != nil {
			return false, err
		}
		pages := oggPagesIn(b, off)
		chained = true
		for _, p := range pages {
			if st := streams.of(p.serial); st != nil && p.granule > 0 {
				st.last, chained = st.units(p.granule), false
			}
		}
		if len(pages) > 0 || off == 0 {
			return chained || s.restarted(streams, pages), nil
		}
	}
	return false, nil
}

// restarted reports whether the only stream of a file has a rate by its last granule that its last pages contradict.
func (s *source) restarted(streams oggStreams, pages []oggPage) bool {
	if len(streams) != 1 {
		return false
	}
	near, nearUnits := streams[0].between(pages)
	return !similar(uint64(s.size), streams[0].length(), near, nearUnits)
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

// oggChained estimates the rate of a file of several links, as recordings of net radio are, from pages at several
// places. Two pages of one link say the time between them, however far apart they are. The clock is taken to be that
// of the first link.
func (s *source) oggChained(streams oggStreams) (Info, bool) {
	if len(streams) != 1 {
		return Info{}, false
	}
	clock := streams[0]
	var pages []oggPage
	for i := range int64(oggWindows) {
		off := i * ((s.size - min(s.size, oggWindow)) / (oggWindows - 1))
		b, err := s.upTo(off, min(oggWindow, s.left))
		if err != nil {
			break
		}
		pages = append(pages, oggPagesIn(b, off)...)
	}
	length, units := clock.between(pages)
	if units == 0 || similar(uint64(s.size), clock.length(), length, units) && clock.last > 0 {
		return Info{}, false // one link, whose end is silent
	}
	info := Info{Method: "granule (estimated)", Average: muldiv(length*8, clock.num, mul(units, clock.den))}
	if info.Average > 0 {
		info.Duration = lasting(uint64(s.size)*8, uint64(info.Average))
	}
	return info, info.Average > 0
}

// between returns the bytes and the units between successive pages of one stream.
func (st *oggStream) between(pages []oggPage) (length, units uint64) {
	for i := 1; i < len(pages); i++ {
		a, b := pages[i-1], pages[i]
		if a.serial != b.serial || a.granule <= 0 || b.granule <= a.granule {
			continue
		}
		from, to := st.units(a.granule), st.units(b.granule)
		if bytes := b.off + b.size - a.off - a.size; bytes > 0 && to > from {
			length, units = length+uint64(bytes), units+to-from
		}
	}
	return length, units
}

// oggNominal adds up the rates that the headers state.
func (s *source) oggNominal(streams oggStreams) (Info, error) {
	info := Info{Method: "nominal rate"}
	for _, st := range streams {
		info.Average += st.nominal
	}
	if info.Average == 0 {
		return Info{}, s.fail(0, ErrUnknownRate, "no page at the end says the duration, no header the rate")
	}
	return info, nil
}

package fmp4

// Limits of a moov box.
const (
	// MaxTracks is the largest number of tracks in one file.
	MaxTracks = 256
	// MaxSampleEntry is the largest sample entry, in bytes.
	MaxSampleEntry = 1 << 20
)

// Movie is a parsed moov box. It aliases the bytes it was parsed from.
type Movie struct {
	// Timescale in ticks per second, and Duration in such ticks; 0 if unknown.
	Timescale uint32
	Duration  uint64
	// Fragmented reports an mvex box; FragmentDuration is the duration that mehd states, or 0.
	Fragmented       bool
	FragmentDuration uint64
	Tracks           []Track
	// Protection lists the headers in pssh boxes and PIFF protection header boxes.
	Protection []Protection
}

// Protection is the header of a content protection system. See PIFF 1.1 and ISO/IEC 23001-7 8.1.
type Protection struct {
	SystemID [16]byte
	Data     []byte
}

// Track is a parsed trak box with its trex.
type Track struct {
	ID      uint32
	Handler Type
	// Timescale in ticks per second and Duration in such ticks.
	Timescale uint32
	Duration  uint64 // 0 if unknown
	// Language is the ISO 639-2/T code, "und" if absent or invalid.
	Language string
	// Width and Height are the presentation size of tkhd in whole pixels.
	Width, Height uint32
	// Entry is the first sample entry, header included, at EntryOffset in the file; Entries is how many there are.
	Entry       []byte
	EntryOffset int64
	Entries     uint32
	// Shift is what the edit list adds to media times to give presentation times, in ticks of Timescale.
	Shift int64
	// Defaults are those of trex.
	Defaults Defaults
	// Samples are the sample tables; empty in a fragmented file.
	Samples Table
}

// Defaults are the sample defaults of a track. See ISO/IEC 14496-12 8.8.3.
type Defaults struct{ Duration, Size, Flags uint32 }

// Track returns the track with that id, or nil.
func (m *Movie) Track(id uint32) *Track {
	for i := range m.Tracks {
		if m.Tracks[i].ID == id {
			return &m.Tracks[i]
		}
	}
	return nil
}

// ParseMovie parses a moov box, header included, that stands at the given absolute offset. Tracks that are broken
// make the whole movie an error; boxes that are not known are skipped.
func ParseMovie(moov []byte, offset int64) (*Movie, error) {
	h, err := parseHeader(moov, offset, int64(len(moov)))
	if err != nil {
		return nil, err
	}
	if h.Type != TypeMoov {
		return nil, corrupt("moov", offset, "type %q", h.Type)
	}
	m := new(Movie)
	c := cursor{b: moov[h.Header:h.Size], offset: offset + h.Header, path: "moov"}
	var defaults map[uint32]Defaults
	var empty []uint64 // the empty edit of each track, in ticks of the movie, as mvhd may follow
	for x, ok := c.next(); ok && err == nil; x, ok = c.next() {
		switch x.typ {
		case TypeMvhd:
			err = m.parseMvhd(&x)
		case TypeTrak:
			if len(m.Tracks) == MaxTracks {
				return nil, tooLarge("moov/trak", x.offset, "more than %d tracks", MaxTracks)
			}
			var t Track
			var e uint64
			t, e, err = parseTrak(&x)
			m.Tracks, empty = append(m.Tracks, t), append(empty, e)
		case TypeMvex:
			m.Fragmented = true
			defaults, err = m.parseMvex(&x)
		case TypePssh:
			err = m.parsePssh(&x)
		case TypeUUID:
			if x.uuid == UUIDProtectionHeader {
				err = m.parsePssh(&x)
			}
		}
	}
	if err == nil {
		err = c.err
	}
	if err != nil {
		return nil, err
	}
	for i := range m.Tracks {
		t := &m.Tracks[i]
		t.Defaults = defaults[t.ID]
		if m.Timescale != 0 {
			t.Shift += int64(scale(empty[i], uint64(m.Timescale), uint64(t.Timescale)))
		}
	}
	return m, m.check(offset)
}

func (m *Movie) check(offset int64) error {
	for i := range m.Tracks {
		t := &m.Tracks[i]
		if t.Timescale == 0 {
			return corrupt("moov/trak/mdia/mdhd", offset, "track %d has timescale 0 or no mdhd", t.ID)
		}
		for j := range i {
			if m.Tracks[j].ID == t.ID {
				return corrupt("moov/trak/tkhd", offset, "track id %d twice", t.ID)
			}
		}
	}
	return nil
}

// parseMvhd reads
//
//	version:8 flags:24 creation:32|64 modification:32|64 timescale:32 duration:32|64 ...
//
// See ISO/IEC 14496-12 8.2.2.
func (m *Movie) parseMvhd(x *box) error {
	ts, d, _, err := parseTimes(x, "moov/mvhd")
	m.Timescale, m.Duration = ts, d
	return err
}

// parseTimes reads the common part of mvhd and mdhd and returns what follows it.
func parseTimes(x *box, path string) (timescale uint32, duration uint64, rest []byte, err error) {
	v, _, b, err := x.full(path)
	if err != nil {
		return 0, 0, nil, err
	}
	if v == 1 {
		if len(b) < 28 {
			return 0, 0, nil, corrupt(path, x.offset, "body %d bytes, version 1 needs 28", len(b))
		}
		return u32(b[16:]), known(u64(b[20:])), b[28:], nil
	}
	if len(b) < 16 {
		return 0, 0, nil, corrupt(path, x.offset, "body %d bytes, version 0 needs 16", len(b))
	}
	return u32(b[8:]), known32(u32(b[12:])), b[16:], nil
}

// known returns a duration, or 0 if it is all ones, which means unknown, or beyond what a duration can be.
func known(d uint64) uint64 {
	if d > maxTicks {
		return 0
	}
	return d
}

func known32(d uint32) uint64 {
	if d == 0xffffffff {
		return 0
	}
	return uint64(d)
}

func (m *Movie) parseMvex(x *box) (map[uint32]Defaults, error) {
	defaults := make(map[uint32]Defaults)
	c := x.children("moov/mvex")
	for y, ok := c.next(); ok; y, ok = c.next() {
		switch y.typ {
		case TypeMehd:
			v, _, b, err := y.full("moov/mvex/mehd")
			switch {
			case err != nil:
				return nil, err
			case v == 1 && len(b) >= 8:
				m.FragmentDuration = known(u64(b))
			case v == 0 && len(b) >= 4:
				m.FragmentDuration = known32(u32(b))
			}
		case TypeTrex:
			_, _, b, err := y.full("moov/mvex/trex")
			if err != nil {
				return nil, err
			}
			if len(b) < 20 {
				return nil, corrupt("moov/mvex/trex", y.offset, "body %d bytes, need 20", len(b))
			}
			if len(defaults) == MaxTracks {
				return nil, tooLarge("moov/mvex/trex", y.offset, "more than %d tracks", MaxTracks)
			}
			defaults[u32(b)] = Defaults{Duration: u32(b[8:]), Size: u32(b[12:]), Flags: u32(b[16:])}
		}
	}
	return defaults, c.err
}

// parsePssh reads a protection header:
//
//	version:8 flags:24 SystemID:128 [KID_count:32 KID:128* if version > 0, pssh only] size:32 data
func (m *Movie) parsePssh(x *box) error {
	const path = "moov/pssh"
	v, _, b, err := x.full(path)
	if err != nil {
		return err
	}
	if len(b) < 20 {
		return corrupt(path, x.offset, "body %d bytes, need 20", len(b))
	}
	p := Protection{SystemID: [16]byte(b)}
	b = b[16:]
	if v > 0 && x.typ == TypePssh {
		n := int64(u32(b))
		if n*16+8 > int64(len(b)) {
			return corrupt(path, x.offset, "%d key ids in %d bytes", n, len(b))
		}
		b = b[4+n*16:]
	}
	n := int64(u32(b))
	if n > int64(len(b)-4) {
		return corrupt(path, x.offset, "data of %d bytes in %d", n, len(b)-4)
	}
	p.Data = b[4 : 4+n]
	if len(m.Protection) < MaxTracks {
		m.Protection = append(m.Protection, p)
	}
	return nil
}

// parseTrak also returns the length of the empty edit that delays the track, in ticks of the movie.
func parseTrak(x *box) (t Track, empty uint64, err error) {
	t.Language = "und"
	c := x.children("moov/trak")
	for y, ok := c.next(); ok && err == nil; y, ok = c.next() {
		switch y.typ {
		case TypeTkhd:
			err = t.parseTkhd(&y)
		case TypeMdia:
			err = t.parseMdia(&y)
		case TypeEdts:
			d := y.children("moov/trak/edts")
			for z, ok := d.next(); ok; z, ok = d.next() {
				if z.typ == TypeElst && err == nil {
					empty, err = t.parseElst(&z)
				}
			}
			if err == nil {
				err = d.err
			}
		}
	}
	if err == nil {
		err = c.err
	}
	return t, empty, err
}

// parseTkhd reads
//
//	version:8 flags:24 creation:32|64 modification:32|64 track_ID:32 reserved:32 duration:32|64 reserved:64
//	layer:16 alternate_group:16 volume:16 reserved:16 matrix:9*32 width:16.16 height:16.16
//
// See ISO/IEC 14496-12 8.3.2.
func (t *Track) parseTkhd(x *box) error {
	const path = "moov/trak/tkhd"
	v, _, b, err := x.full(path)
	if err != nil {
		return err
	}
	id, size := 8, 80
	if v == 1 {
		id, size = 16, 92
	}
	if len(b) < size {
		return corrupt(path, x.offset, "body %d bytes, version %d needs %d", len(b), v, size)
	}
	t.ID = u32(b[id:])
	t.Width, t.Height = u32(b[size-8:])>>16, u32(b[size-4:])>>16
	return nil
}

// parseElst reads the first edit with media into Shift, and returns the length of the empty edits before it:
//
//	version:8 flags:24 entry_count:32 (segment_duration:32|64 media_time:32|64 rate:16.16)*
//
// Later edits are ignored: a presentation plays each track once, without cuts. See ISO/IEC 14496-12 8.6.6.
func (t *Track) parseElst(x *box) (empty uint64, err error) {
	const path = "moov/trak/edts/elst"
	v, _, b, err := x.full(path)
	if err != nil {
		return 0, err
	}
	size := 12
	if v == 1 {
		size = 20
	}
	if len(b) < 4 || int64(u32(b))*int64(size) > int64(len(b)-4) {
		return 0, corrupt(path, x.offset, "entry count does not fit into %d bytes", len(b))
	}
	n := int(u32(b))
	b = b[4:]
	for range n {
		d, media := uint64(u32(b)), int64(int32(u32(b[4:])))
		if v == 1 {
			d, media = u64(b), int64(u64(b[8:]))
		}
		b = b[size:]
		if media > maxTicks || d > maxTicks && media < 0 || empty > maxTicks {
			return 0, corrupt(path, x.offset, "media time %d, empty edits %d and %d", media, empty, d)
		}
		if media >= 0 {
			t.Shift = -media
			return empty, nil
		}
		empty += d
	}
	return 0, nil
}

// maxTicks bounds media times, so that sums and differences of two cannot overflow.
const maxTicks = 1 << 60

// validTicks reports whether a time is within maxTicks of 0. Times before 0 are written modulo 2^64.
func validTicks(v uint64) bool { return v <= maxTicks || v >= ^uint64(maxTicks)+1 }

// scale converts ticks, rounding down; values are below maxTicks and saturate.
func scale(v, from, to uint64) uint64 {
	q, r := v/from, v%from
	if q > maxTicks/max(to, 1) {
		return maxTicks
	}
	return q*to + r*to/from
}

func (t *Track) parseMdia(x *box) error {
	c := x.children("moov/trak/mdia")
	var err error
	for y, ok := c.next(); ok && err == nil; y, ok = c.next() {
		switch y.typ {
		case TypeMdhd:
			var rest []byte
			t.Timescale, t.Duration, rest, err = parseTimes(&y, "moov/trak/mdia/mdhd")
			if err == nil && len(rest) >= 2 {
				t.Language = language(u16(rest))
			}
		case TypeHdlr:
			var b []byte
			if _, _, b, err = y.full("moov/trak/mdia/hdlr"); err == nil && len(b) >= 8 {
				t.Handler = Type(u32(b[4:]))
			}
		case TypeMinf:
			err = t.parseMinf(&y)
		}
	}
	if err == nil {
		err = c.err
	}
	return err
}

// language decodes three five-bit letters. See ISO/IEC 14496-12 8.4.2.3.
func language(v uint32) string {
	b := [3]byte{byte(v>>10&31) + 0x60, byte(v>>5&31) + 0x60, byte(v&31) + 0x60}
	for _, c := range b {
		if c < 'a' || c > 'z' {
			return "und"
		}
	}
	return string(b[:])
}

func (t *Track) parseMinf(x *box) error {
	c := x.children("moov/trak/mdia/minf")
	for y, ok := c.next(); ok; y, ok = c.next() {
		if y.typ == TypeStbl {
			if err := t.parseStbl(&y); err != nil {
				return err
			}
		}
	}
	return c.err
}

func (t *Track) parseStbl(x *box) error {
	c := x.children(pathStbl)
	var boxes tableBoxes
	var err error
	for y, ok := c.next(); ok && err == nil; y, ok = c.next() {
		if y.typ == TypeStsd {
			err = t.parseStsd(&y)
		} else {
			boxes.add(y)
		}
	}
	if err == nil {
		err = c.err
	}
	if err != nil {
		return err
	}
	t.Samples, err = boxes.table(x.offset)
	return err
}

const pathStbl = "moov/trak/mdia/minf/stbl"

// parseStsd reads version:8 flags:24 entry_count:32 entries. See ISO/IEC 14496-12 8.5.2.
func (t *Track) parseStsd(x *box) error {
	const path = pathStbl + "/stsd"
	_, _, b, err := x.full(path)
	if err != nil {
		return err
	}
	if len(b) < 4 {
		return corrupt(path, x.offset, "body %d bytes, need 4", len(b))
	}
	t.Entries = u32(b)
	c := cursor{b: b[4:], offset: x.offset + int64(len(x.raw)-len(b)) + 4, path: path}
	y, ok := c.next()
	if !ok {
		return c.err
	}
	if len(y.raw) > MaxSampleEntry {
		return tooLarge(path, y.offset, "sample entry of %d bytes", len(y.raw))
	}
	t.Entry, t.EntryOffset = y.raw, y.offset
	return nil
}

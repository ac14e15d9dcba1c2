package fmp4

import "math/bits"

// Sample flags of ISO/IEC 14496-12 8.8.3.1.
const (
	// FlagNonSync is the sample_is_non_sync_sample bit.
	FlagNonSync = 0x0001_0000
	// FlagsSync are those of a sample that depends on no other.
	FlagsSync = 0x0200_0000
	// FlagsDelta are those of a sample that depends on others and is no sync sample.
	FlagsDelta = 0x0101_0000
)

// Flags of tfhd and trun.
const (
	tfhdBaseDataOffset = 0x01
	tfhdDescription    = 0x02
	tfhdDuration       = 0x08
	tfhdSize           = 0x10
	tfhdFlags          = 0x20
	tfhdBaseIsMoof     = 0x020000
	trunDataOffset     = 0x01
	trunFirstFlags     = 0x04
	trunDuration       = 0x100
	trunSize           = 0x200
	trunFlags          = 0x400
	trunCTS            = 0x800
)

// Limits of a moof box.
const (
	// MaxRuns is the largest number of trun boxes in a traf.
	MaxRuns = 4096
	// MaxRunSamples is the largest number of samples in a moof, of all tracks together. A trun whose samples have
	// the defaults in every field states its count without any bytes to back it.
	MaxRunSamples = 1 << 20
)

// Moof is a parsed moof box. It aliases the bytes it was parsed from.
type Moof struct {
	// Offset is the absolute offset, Size the size in bytes, header included.
	Offset   int64
	Size     int
	Sequence uint32
	Trafs    []Traf
}

// Traf is a parsed traf box.
type Traf struct {
	TrackID uint32
	// HasDecodeTime reports a tfdt box with the given DecodeTime.
	HasDecodeTime bool
	DecodeTime    uint64
	// HasTfxd reports a tfxd box with Time and Duration.
	HasTfxd        bool
	Time, Duration uint64
	// Encryption is the content of senc or of the PIFF sample encryption box, from the version, or nil.
	Encryption []byte

	offset   int64
	flags    uint32 // of tfhd
	base     uint64
	defaults Defaults
	has      Defaults // non-zero where tfhd states the default
	runs     []run
	samples  int
	sdtp     []byte // one byte per sample, in those of all runs
}

type run struct {
	offset     int64 // of the box
	flags      uint32
	count      uint32
	dataOffset int32
	firstFlags uint32
	entries    []byte
	entrySize  int
}

// ParseMoof parses a moof box, header included, that stands at the given absolute offset.
func ParseMoof(raw []byte, offset int64) (*Moof, error) {
	m := new(Moof)
	if err := m.Parse(raw, offset); err != nil {
		return nil, err
	}
	return m, nil
}

// Parse is like [ParseMoof] and reuses the memory of m.
func (m *Moof) Parse(raw []byte, offset int64) error {
	h, err := moofHeader(raw, offset)
	if err != nil {
		return err
	}
	*m = Moof{Offset: offset, Size: int(h.Size), Trafs: m.Trafs[:0]}
	samples := 0
	c := cursor{b: raw[h.Header:h.Size], offset: offset + h.Header, path: "moof"}
	for x, ok := c.next(); ok; x, ok = c.next() {
		switch x.typ {
		case TypeMfhd:
			if len(x.body) < 8 {
				return corrupt("moof/mfhd", x.offset, "body %d bytes, need 8", len(x.body))
			}
			m.Sequence = u32(x.body[4:])
		case TypeTraf:
			if len(m.Trafs) == MaxTracks {
				return tooLarge("moof/traf", x.offset, "more than %d", MaxTracks)
			}
			t := m.nextTraf()
			if err := t.parse(&x); err != nil {
				return err
			}
			if samples += t.samples; samples > MaxRunSamples {
				return tooLarge("moof/traf", x.offset, "more than %d samples", MaxRunSamples)
			}
		}
	}
	return c.err
}

// nextTraf appends an empty traf that reuses the memory of one from an earlier Parse.
func (m *Moof) nextTraf() *Traf {
	n := len(m.Trafs)
	if n == cap(m.Trafs) {
		m.Trafs = append(m.Trafs, Traf{})
	} else {
		m.Trafs = m.Trafs[:n+1]
		m.Trafs[n] = Traf{runs: m.Trafs[n].runs[:0]}
	}
	return &m.Trafs[n]
}

func (t *Traf) parse(x *box) error {
	t.offset = x.offset
	seen := false
	c := x.children("moof/traf")
	var err error
	for y, ok := c.next(); ok && err == nil; y, ok = c.next() {
		switch y.typ {
		case TypeTfhd:
			if seen {
				return corrupt("moof/traf/tfhd", y.offset, "second of its traf")
			}
			seen = true
			err = t.parseTfhd(&y)
		case TypeTfdt:
			err = t.parseTfdt(&y)
		case TypeTrun:
			err = t.parseTrun(&y)
		case TypeSdtp:
			t.sdtp = y.body[min(4, len(y.body)):]
		case TypeSenc:
			t.Encryption = y.body
		case TypeUUID:
			switch y.uuid {
			case UUIDTfxd:
				err = t.parseTfxd(&y)
			case UUIDSampleEncryption:
				t.Encryption = y.body
			}
		}
	}
	if err == nil {
		err = c.err
	}
	if err == nil && !seen {
		err = corrupt("moof/traf", x.offset, "no tfhd")
	}
	return err
}

// parseTfhd reads
//
//	version:8 flags:24 track_ID:32 [base_data_offset:64] [sample_description_index:32]
//	[default_sample_duration:32] [default_sample_size:32] [default_sample_flags:32]
//
// See ISO/IEC 14496-12 8.8.7; the grammar of TfhdBox in [MS-SSTR] forgets track_ID.
func (t *Traf) parseTfhd(x *box) error {
	const path = "moof/traf/tfhd"
	_, flags, b, err := x.full(path)
	if err != nil {
		return err
	}
	need := 4 + 4*bits.OnesCount32(flags&(tfhdDescription|tfhdDuration|tfhdSize|tfhdFlags))
	if flags&tfhdBaseDataOffset != 0 {
		need += 8
	}
	if len(b) < need {
		return corrupt(path, x.offset, "body %d bytes, flags %#x need %d", len(b), flags, need)
	}
	t.flags, t.TrackID, b = flags, u32(b), b[4:]
	if flags&tfhdBaseDataOffset != 0 {
		t.base, b = u64(b), b[8:]
	}
	if flags&tfhdDescription != 0 {
		b = b[4:]
	}
	if flags&tfhdDuration != 0 {
		t.defaults.Duration, t.has.Duration, b = u32(b), 1, b[4:]
	}
	if flags&tfhdSize != 0 {
		t.defaults.Size, t.has.Size, b = u32(b), 1, b[4:]
	}
	if flags&tfhdFlags != 0 {
		t.defaults.Flags, t.has.Flags = u32(b), 1
	}
	return nil
}

func (t *Traf) parseTfdt(x *box) error {
	v, _, b, err := x.full("moof/traf/tfdt")
	if err != nil {
		return err
	}
	need := 4 + 4*int(v&1)
	if len(b) < need {
		return corrupt("moof/traf/tfdt", x.offset, "body %d bytes, need %d", len(b), need)
	}
	t.HasDecodeTime, t.DecodeTime = true, uint64(u32(b))
	if v == 1 {
		t.DecodeTime = u64(b)
	}
	if !validTicks(t.DecodeTime) {
		return corrupt("moof/traf/tfdt", x.offset, "time %d", t.DecodeTime)
	}
	return nil
}

// parseTfxd reads version:8 flags:24 time:32|64 duration:32|64, 64 in version 1. See [MS-SSTR] 2.2.4.4.
func (t *Traf) parseTfxd(x *box) error {
	const path = "moof/traf/tfxd"
	v, _, b, err := x.full(path)
	if err != nil {
		return err
	}
	if need := 8 << (v & 1); len(b) < need {
		return corrupt(path, x.offset, "body %d bytes, version %d needs %d", len(b), v, need)
	}
	t.HasTfxd, t.Time, t.Duration = true, uint64(u32(b)), uint64(u32(b[4:]))
	if v == 1 {
		t.Time, t.Duration = u64(b), u64(b[8:])
	}
	if !validTicks(t.Time) || t.Duration > maxTicks {
		return corrupt(path, x.offset, "time %d, duration %d", t.Time, t.Duration)
	}
	return nil
}

func (t *Traf) parseTrun(x *box) error {
	if len(t.runs) == MaxRuns {
		return tooLarge("moof/traf/trun", x.offset, "more than %d runs", MaxRuns)
	}
	var r run
	if err := r.parse(x); err != nil {
		return err
	}
	if t.samples += int(r.count); t.samples > MaxRunSamples {
		return tooLarge("moof/traf/trun", x.offset, "more than %d samples", MaxRunSamples)
	}
	t.runs = append(t.runs, r)
	return nil
}

// parse reads
//
//	version:8 flags:24 sample_count:32 [data_offset:32] [first_sample_flags:32]
//	([duration:32] [size:32] [flags:32] [composition_time_offset:32])*
//
// See ISO/IEC 14496-12 8.8.8. Real Smooth files have negative offsets in version 0, so offsets are always signed.
func (r *run) parse(x *box) error {
	const path = "moof/traf/trun"
	_, flags, b, err := x.full(path)
	if err != nil {
		return err
	}
	r.offset, r.flags = x.offset, flags
	need := 4
	if flags&trunDataOffset != 0 {
		need += 4
	}
	if flags&trunFirstFlags != 0 {
		need += 4
	}
	if len(b) < need {
		return corrupt(path, x.offset, "body %d bytes, flags %#x need %d", len(b), flags, need)
	}
	r.count, b = u32(b), b[4:]
	if flags&trunDataOffset != 0 {
		r.dataOffset, b = int32(u32(b)), b[4:]
	}
	if flags&trunFirstFlags != 0 {
		r.firstFlags, b = u32(b), b[4:]
	}
	r.entrySize = 4 * bits.OnesCount32(flags&(trunDuration|trunSize|trunFlags|trunCTS))
	if int64(r.count)*int64(r.entrySize) > int64(len(b)) {
		return corrupt(path, x.offset, "%d samples of %d bytes in %d", r.count, r.entrySize, len(b))
	}
	if r.count > MaxRunSamples {
		return tooLarge(path, x.offset, "more than %d samples", MaxRunSamples)
	}
	r.entries = b[:int(r.count)*r.entrySize]
	return nil
}

// MoofSize returns the size of the moof box that b starts with and holds whole, or -1.
func MoofSize(b []byte) int {
	if len(b) < 8 || Type(u32(b[4:])) != TypeMoof {
		return -1
	}
	n := int64(u32(b))
	if n < 8 || n > int64(len(b)) {
		return -1
	}
	return int(n)
}

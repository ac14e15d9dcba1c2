package fmp4

// Boxes of live streams.
const (
	TypePrft Type = 'p'<<24 | 'r'<<16 | 'f'<<8 | 't'
	TypeBtrt Type = 'b'<<24 | 't'<<16 | 'r'<<8 | 't'
)

// The uuid boxes of a live push. See [MS-SSTR] 2.2.7.
var (
	UUIDStreamManifest     = UUID{0x3c, 0x2f, 0xe5, 0x1b, 0xef, 0xee, 0x40, 0xa3, 0xae, 0x81, 0x53, 0x00, 0x19, 0x9d, 0xc3, 0x48}
	UUIDLiveServerManifest = UUID{0xa5, 0xd4, 0x0b, 0x30, 0xe8, 0x14, 0x11, 0xdd, 0xba, 0x2f, 0x08, 0x00, 0x20, 0x0c, 0x9a, 0x66}
)

// Brands of styp that say which part of a segment follows. See ISO/IEC 23000-19 7.3.3 and ISO/IEC 23009-1 7.3.1.
const (
	BrandSegment  Type = 'c'<<24 | 'm'<<16 | 'f'<<8 | 's'
	BrandFragment Type = 'c'<<24 | 'm'<<16 | 'f'<<8 | 'f'
	BrandChunk    Type = 'c'<<24 | 'm'<<16 | 'f'<<8 | 'l'
	BrandLast     Type = 'l'<<24 | 'm'<<16 | 's'<<8 | 'g'
)

// Brands are those of a ftyp or styp box, the major one first. It aliases the box.
type Brands []byte

// ParseBrands reads a ftyp or styp box, header included, that stands at the given absolute offset:
//
//	major_brand:32 minor_version:32 compatible_brand:32*
//
// See ISO/IEC 14496-12 4.3 and 8.16.2.
func ParseBrands(raw []byte, offset int64) (Brands, error) {
	h, err := parseHeader(raw, offset, int64(len(raw)))
	if err != nil {
		return nil, err
	}
	body := raw[h.Header:h.Size]
	if len(body) < 8 {
		return nil, corrupt(h.Type.String(), offset, "body %d bytes, need 8", len(body))
	}
	return Brands(body), nil
}

// Has reports whether a brand is among them.
func (b Brands) Has(brand Type) bool {
	for i := 0; i+4 <= len(b); i += 4 {
		if i != 4 && Type(u32(b[i:])) == brand { // at 4 is the minor version
			return true
		}
	}
	return false
}

// ProducerTime is the content of a prft box: when the media of a track at a time was produced.
type ProducerTime struct {
	TrackID uint32
	// NTP is the time in seconds since 1900, 32 bits before and 32 after the binary point.
	NTP uint64
	// Media is the media time, in ticks of the track.
	Media int64
}

// ParseProducerTime reads a prft box, header included, that stands at the given absolute offset:
//
//	version:8 flags:24 reference_track_ID:32 ntp_timestamp:64 media_time:32|64
//
// See ISO/IEC 14496-12 8.16.5.
func ParseProducerTime(raw []byte, offset int64) (ProducerTime, error) {
	x, err := whole(raw, offset, "prft")
	if err != nil {
		return ProducerTime{}, err
	}
	v, _, b, err := x.full("prft")
	if err != nil {
		return ProducerTime{}, err
	}
	need := 16
	if v > 0 {
		need = 20
	}
	if len(b) < need {
		return ProducerTime{}, corrupt("prft", offset, "body %d bytes, version %d needs %d", len(b), v, need)
	}
	p := ProducerTime{TrackID: u32(b), NTP: u64(b[4:]), Media: int64(u32(b[12:]))}
	if v > 0 {
		p.Media = int64(u64(b[12:]))
	}
	return p, nil
}

// whole returns the box that raw is.
func whole(raw []byte, offset int64, path string) (box, error) {
	h, err := parseHeader(raw, offset, int64(len(raw)))
	if err != nil {
		return box{}, err
	}
	if h.Type.String() != path {
		return box{}, corrupt(path, offset, "type %q", h.Type)
	}
	return box{typ: h.Type, offset: offset, raw: raw[:h.Size:h.Size], body: raw[h.Header:h.Size:h.Size]}, nil
}

// ParseFullUUID returns the content of a uuid box that begins with version and flags, as those of a live push do. It
// aliases raw.
func ParseFullUUID(raw []byte, offset int64) ([]byte, error) {
	h, err := parseHeader(raw, offset, int64(len(raw)))
	if err != nil {
		return nil, err
	}
	if body := raw[h.Header:h.Size]; len(body) >= fullBoxHeader {
		return body[fullBoxHeader:], nil
	}
	return nil, corrupt("uuid", offset, "body %d bytes, a full box needs %d", h.Size-h.Header, fullBoxHeader)
}

// AppendFullUUID appends a uuid box with version 0 and no flags.
func AppendFullUUID(dst []byte, id UUID, content []byte) []byte {
	dst = appendHeader(dst, uint32(boxHeader+uuidLen+fullBoxHeader+len(content)), TypeUUID)
	dst = append(append(dst, id[:]...), 0, 0, 0, 0)
	return append(dst, content...)
}

// EntryBitrate returns the bit rate in bits per second that the btrt box of a sample entry states, the average before the
// maximum, or 0.
//
//	bufferSizeDB:32 maxBitrate:32 avgBitrate:32
//
// See ISO/IEC 14496-12 8.5.2.
func EntryBitrate(entry []byte, kind Kind) uint64 {
	e, err := ParseEntry(entry, kind)
	if err != nil {
		return 0
	}
	b := e.Box(TypeBtrt.String())
	if b == nil || len(b.Payload) < 12 {
		return 0
	}
	if average := u32(b.Payload[8:]); average != 0 {
		return uint64(average)
	}
	return uint64(u32(b.Payload[4:]))
}

// BaseAtMoof takes every base data offset for the start of the moof box. That is where writers have it; but they count
// from the start of their own file, of which a stream may be a later part. It reports whether there was one.
func (m *Moof) BaseAtMoof() bool {
	found := false
	for i := range m.Trafs {
		if t := &m.Trafs[i]; t.flags&tfhdBaseDataOffset != 0 {
			t.base, found = uint64(m.Offset), true
		}
	}
	return found
}

// JoinEncryption appends the content of a sample encryption box to that of the samples before, so that one box describes
// both. The first content may be nil if there are no samples before. It reports false if the two differ in form.
//
//	version:8 flags:24 sample_count:32 ...
func JoinEncryption(first, second []byte) ([]byte, bool) {
	switch {
	case first == nil:
		return append([]byte(nil), second...), true
	case len(first) < 8 || len(second) < 8 || u32(first) != u32(second) || first[3]&1 != 0:
		return first, false
	}
	n := uint64(u32(first[4:])) + uint64(u32(second[4:]))
	if n > MaxRunSamples {
		return first, false
	}
	first = append(first, second[8:]...)
	first[4], first[5], first[6], first[7] = byte(n>>24), byte(n>>16), byte(n>>8), byte(n)
	return first, true
}

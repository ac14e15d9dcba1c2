package validate_test

import "encoding/binary"

// atom returns a box around the parts.
func atom(typ string, parts ...[]byte) []byte {
	var body []byte
	for _, p := range parts {
		body = append(body, p...)
	}
	out := binary.BigEndian.AppendUint32(nil, uint32(8+len(body)))
	out = append(out, typ...)
	return append(out, body...)
}

func u8(v ...byte) []byte    { return v }
func u16(v uint16) []byte    { return binary.BigEndian.AppendUint16(nil, v) }
func u32(v ...uint32) []byte { return each(v, binary.BigEndian.AppendUint32) }
func u64(v ...uint64) []byte { return each(v, binary.BigEndian.AppendUint64) }
func vf(v, f uint32) []byte  { return u32(v<<24 | f) }

func each[T any](v []T, appendTo func([]byte, T) []byte) []byte {
	var out []byte
	for _, x := range v {
		out = appendTo(out, x)
	}
	return out
}

// The extended types of tfxd, tfrf and the PIFF sample encryption box.
const (
	tfxdUUID = "\x6D\x1D\x9B\x05\x42\xD5\x44\xE6\x80\xE2\x14\x1D\xAF\xF7\x57\xB2"
	tfrfUUID = "\xD4\x80\x7E\xF2\xCA\x39\x46\x95\x8E\x54\x26\xCB\x9E\x46\xA7\x9F"
	sencUUID = "\xA2\x39\x4F\x52\x5A\x9B\x4F\x14\xA2\x44\x6C\x42\x7C\x64\x8D\xF4"
)

// spec describes a fragment to build. The zero value of most fields is replaced by what is right.
type spec struct {
	sequence   uint32
	mfhd       []byte   // whole box
	tfhdFlags  uint32   // 0x20 if zero
	tfhdFields []byte   // after track_ID
	track      uint32   // track_ID
	trunVer    uint32   // version
	trunFlags  uint32   // 0x701 if zero
	samples    []sample // entries of trun
	offset     int32    // added to the right data offset
	count      int      // added to the right sample count
	rawEntries []byte
	time       uint64
	duration   uint64
	tfxd       []byte   // whole box; nil: right
	before     [][]byte // boxes between tfhd and trun
	after      [][]byte // boxes after tfxd
	sdtp       int      // added to the right number of bytes
	order      []string // order of tfhd, trun, sdtp, tfxd
	moofTail   []byte   // boxes at the end of moof
	mdatTail   []byte   // payload beyond the samples
	tail       []byte   // after mdat
	middle     []byte   // between moof and mdat
	wideMdat   bool
	brokenTraf bool
}

type sample struct {
	duration, size, flags uint32
	cts                   int32
	data                  []byte
}

// nalus returns length-prefixed NAL units.
func nalus(units ...[]byte) []byte {
	var out []byte
	for _, n := range units {
		out = append(out, u32(uint32(len(n)))...)
		out = append(out, n...)
	}
	return out
}

const (
	keyFlags   = 0x02000000
	deltaFlags = 0x01010000
)

func newSample(duration uint32, flags uint32, data []byte) sample {
	return sample{duration, uint32(len(data)), flags, 0, data}
}

// videoSpec returns a fragment of two seconds at 5 frames per second.
func videoSpec(time uint64) *spec {
	s := &spec{sequence: uint32(time/20000000) + 1, time: time, duration: 20000000}
	for i := range 10 {
		flags, nal := uint32(deltaFlags), []byte{0x41, 0x9A, byte(i)}
		if i == 0 {
			flags, nal = keyFlags, []byte{0x65, 0x88, 0x84, 1}
		}
		s.samples = append(s.samples, newSample(2000000, flags, nalus([]byte{0x09, 0x10}, nal)))
	}
	return s
}

// uniform returns n samples of the same size for audio.
func audioSpec(time, duration uint64) *spec {
	s := &spec{sequence: uint32(time/20000000) + 1, time: time, duration: duration}
	const n = 20
	for range n {
		s.samples = append(s.samples, newSample(uint32(duration/n), keyFlags, []byte{1, 2, 3, 4}))
	}
	return s
}

func textSpec(time, duration uint64, doc string) *spec {
	return &spec{sequence: uint32(time/20000000) + 1, time: time, duration: duration,
		samples: []sample{newSample(uint32(duration), keyFlags, []byte(doc))}}
}

// build returns the fragment.
func (s *spec) build() []byte {
	moof := s.moof(0)
	moof = s.moof(len(moof))
	var payload []byte
	for _, x := range s.samples {
		payload = append(payload, x.data...)
	}
	payload = append(payload, s.mdatTail...)
	mdat := atom("mdat", payload)
	if s.wideMdat {
		mdat = append(append(u32(1), "mdat"...), append(u64(uint64(16+len(payload))), payload...)...)
	}
	return concat(moof, s.middle, mdat, s.tail)
}

func concat(parts ...[]byte) []byte {
	var out []byte
	for _, p := range parts {
		out = append(out, p...)
	}
	return out
}

func (s *spec) moof(size int) []byte {
	mfhd := s.mfhd
	if mfhd == nil {
		mfhd = atom("mfhd", vf(0, 0), u32(s.sequence))
	}
	boxes := map[string][]byte{
		"tfhd": s.tfhd(), "trun": s.trun(size), "tfxd": s.tfxd,
		"sdtp": atom("sdtp", vf(0, 0), make([]byte, len(s.samples)+s.sdtp)),
	}
	if s.tfxd == nil {
		boxes["tfxd"] = tfxdBox(s.time, s.duration)
	}
	order := s.order
	if order == nil {
		order = []string{"tfhd", "", "trun", "sdtp", "tfxd"}
	}
	var traf []byte
	for _, name := range order {
		if name == "" {
			traf = append(traf, concat(s.before...)...)
		}
		traf = append(traf, boxes[name]...)
	}
	traf = append(traf, concat(s.after...)...)
	if s.brokenTraf {
		traf = append(traf, 0, 0, 0)
	}
	return atom("moof", mfhd, atom("traf", traf), s.moofTail)
}

func tfxdBox(time, duration uint64) []byte {
	return atom("uuid", []byte(tfxdUUID), vf(1, 0), u64(time, duration))
}

func (s *spec) tfhd() []byte {
	flags, fields, track := s.tfhdFlags, s.tfhdFields, s.track
	if flags == 0 {
		flags, fields = 0x20, u32(deltaFlags)
	}
	if track == 0 {
		track = 1
	}
	return atom("tfhd", vf(0, flags), u32(track), fields)
}

func (s *spec) trun(moofSize int) []byte {
	flags := s.trunFlags
	if flags == 0 {
		flags = 0x701
	}
	var entries []byte
	for _, x := range s.samples {
		if flags&0x100 != 0 {
			entries = append(entries, u32(x.duration)...)
		}
		if flags&0x200 != 0 {
			entries = append(entries, u32(x.size)...)
		}
		if flags&0x400 != 0 {
			entries = append(entries, u32(x.flags)...)
		}
		if flags&0x800 != 0 {
			entries = append(entries, u32(uint32(x.cts))...)
		}
	}
	var offset []byte
	if flags&1 != 0 {
		offset = u32(uint32(int32(moofSize+8) + s.offset))
	}
	return atom("trun", vf(s.trunVer, flags), u32(uint32(len(s.samples)+s.count)), offset, entries, s.rawEntries)
}

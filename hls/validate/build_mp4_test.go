package validate_test

import (
	"encoding/binary"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/hls/validate"
)

func u16(v int) []byte { return binary.BigEndian.AppendUint16(nil, uint16(v)) }
func u32(v int) []byte { return binary.BigEndian.AppendUint32(nil, uint32(v)) }

// mp4box makes a box.
func mp4box(typ string, parts ...[]byte) []byte {
	body := slices.Concat(parts...)
	return slices.Concat(u32(8+len(body)), []byte(typ), body)
}

// fullBox makes a box with version and flags.
func fullBox(typ string, version, flags int, parts ...[]byte) []byte {
	return mp4box(typ, append([][]byte{u32(version<<24 | flags)}, parts...)...)
}

func zeros(n int) []byte { return make([]byte, n) }

// initTrackBox is a trak for segments. entry is the sample entry.
func initTrackBox(id, timescale int, handler string, entry []byte) []byte {
	return mp4box("trak",
		fullBox("tkhd", 0, 7, zeros(8), u32(id), zeros(68)),
		mp4box("mdia",
			fullBox("mdhd", 0, 0, zeros(8), u32(timescale), zeros(8)),
			fullBox("hdlr", 0, 0, zeros(4), []byte(handler), zeros(13)),
			mp4box("minf", mp4box("stbl",
				fullBox("stsd", 0, 0, u32(1), entry),
				fullBox("stts", 0, 0, u32(0)), fullBox("stsc", 0, 0, u32(0)), fullBox("stsz", 0, 0, u32(0), u32(0)), fullBox("stco", 0, 0, u32(0)),
			))))
}

// videoEntry is the sample entry of H.264, with more boxes at its end.
func videoEntry(typ string, more ...[]byte) []byte {
	sps, pps := unhex(spsHex), unhex(ppsHex)
	avcC := mp4box("avcC", []byte{1, sps[1], sps[2], sps[3], 0xFF, 0xE1}, u16(len(sps)), sps, []byte{1}, u16(len(pps)), pps)
	return mp4box(typ, zeros(6), u16(1), zeros(16), u16(400), u16(224), zeros(50), avcC, slices.Concat(more...))
}

// audioEntry is the sample entry of AAC-LC, 48 kHz, stereo.
func audioEntry(typ string, more ...[]byte) []byte {
	config := []byte{5, 2, 0x11, 0x90}
	decoder := append([]byte{4, byte(13 + len(config)), 0x40, 0x15}, append(zeros(11), config...)...)
	esds := fullBox("esds", 0, 0, append([]byte{3, byte(3 + len(decoder)), 0, 1, 0}, decoder...))
	return mp4box(typ, zeros(6), u16(1), zeros(8), u16(2), u16(16), zeros(4), u16(48000), u16(0), esds, slices.Concat(more...))
}

// initBox makes an init segment.
func initBox(traks [][]byte, ids ...int) []byte {
	var trex []byte
	for _, id := range ids {
		trex = append(trex, fullBox("trex", 0, 0, u32(id), u32(1), u32(0), u32(0), u32(0))...)
	}
	return slices.Concat(mp4box("ftyp", []byte("iso6"), u32(0)), mp4box("moov", fullBox("mvhd", 0, 0, zeros(96)), slices.Concat(traks...), mp4box("mvex", trex)))
}

func videoInit() []byte {
	return initBox([][]byte{initTrackBox(1, 90000, "vide", videoEntry("avc1"))}, 1)
}

// avcSample is a sample with NAL units of 4-byte lengths.
func avcSample(nalus ...[]byte) []byte {
	var out []byte
	for _, n := range nalus {
		out = slices.Concat(out, u32(len(n)), n)
	}
	return out
}

// fragmentSpec is one moof with its mdat.
type fragmentSpec struct {
	id, flags   int
	time        int64
	samples     [][]byte
	duration    int
	sync        int // flags of the first sample
	noTfdt      bool
	offset      int // added to the data offset
	payload     []byte
	extra       []byte // boxes before moof
	trunVersion int
	cts         int
}

func (f *fragmentSpec) build() []byte {
	run := slices.Concat(u32(len(f.samples)), u32(0), u32(f.sync))
	for _, s := range f.samples {
		run = slices.Concat(run, u32(f.duration), u32(len(s)), u32(f.cts))
	}
	trun := fullBox("trun", f.trunVersion, 0xB05, run)
	tfhd := fullBox("tfhd", 0, f.flags|0x20, u32(f.id), u32(0x10000))
	var tfdt []byte
	if !f.noTfdt {
		tfdt = fullBox("tfdt", 1, 0, binary.BigEndian.AppendUint64(nil, uint64(f.time)))
	}
	moof := mp4box("moof", fullBox("mfhd", 0, 0, u32(1)), mp4box("traf", tfhd, tfdt, trun))
	at := strings.Index(string(moof), "trun") + 12
	copy(moof[at:], u32(len(moof)+8+f.offset))
	payload := f.payload
	if payload == nil {
		payload = slices.Concat(f.samples...)
	}
	return slices.Concat(f.extra, moof, mp4box("mdat", payload))
}

// videoFragment is segment n of two seconds, 25 pictures.
func videoFragment(n int64) *fragmentSpec {
	f := &fragmentSpec{id: 1, flags: 0x20000, time: clockStart + n*180_000, duration: frame, cts: frame, extra: mp4box("styp", []byte("msdh"), u32(0))}
	for i := range 25 {
		nalu := slice
		if i == 0 {
			nalu = idr
		}
		f.samples = append(f.samples, avcSample(nalu))
	}
	return f
}

// audioFragment is the sound of it, in a track of 48,000 ticks per second that begins at the same time.
func audioFragment(a, b int64) *fragmentSpec {
	f := &fragmentSpec{id: 1, flags: 0x20000, time: 480_000 + a*1024, duration: 1024}
	for range b - a {
		f.samples = append(f.samples, fill(100))
	}
	return f
}

type mp4Fixture struct {
	rule   string
	init   func() []byte // nil: videoInit
	change func(*fragmentSpec)
	whole  func([]byte) []byte // changes the segment
}

func mp4Fixtures() []mp4Fixture {
	none := func(*fragmentSpec) {}
	init := func(id string, f func() []byte) mp4Fixture { return mp4Fixture{id, f, none, nil} }
	segment := func(id string, f func(*fragmentSpec)) mp4Fixture { return mp4Fixture{id, nil, f, nil} }
	whole := func(id string, f func([]byte) []byte) mp4Fixture { return mp4Fixture{id, nil, none, f} }
	trak := func(id int) []byte { return initTrackBox(id, 90000, "vide", videoEntry("avc1")) }
	return []mp4Fixture{
		init("HF101", func() []byte {
			b := videoInit()
			copy(b[strings.Index(string(b), "mvhd")-4:], u32(5000))
			return b
		}),
		init("HF102", func() []byte { return videoInit()[16:] }),
		init("HF103", func() []byte { return initBox([][]byte{trak(1)}) }),
		init("HF104", func() []byte { return initBox([][]byte{trak(1), initTrackBox(2, 0, "vide", videoEntry("avc1"))}, 1) }),
		init("HF104", func() []byte { return initBox([][]byte{trak(1), mp4box("trak")}, 1) }),
		init("HF105", func() []byte {
			b := videoInit()
			b[strings.Index(string(b), "stts")+11] = 1
			return b
		}),
		init("HF106", func() []byte { return initBox([][]byte{initTrackBox(1, 90000, "vide", videoEntry("hev1"))}, 1) }),
		init("HF125", func() []byte { return initBox([][]byte{trak(1), trak(2)}, 1, 2) }),
		init("HK124", func() []byte {
			sinf := mp4box("sinf", mp4box("frma", []byte("avc1")), fullBox("schm", 0, 0, []byte("cbcs"), u32(0x10000)))
			return initBox([][]byte{initTrackBox(1, 90000, "vide", videoEntry("encv", sinf))}, 1)
		}),
		whole("HF111", func(b []byte) []byte { return append(b, 0, 0, 0) }),
		{"HF112", func() []byte { return nil }, none, nil},
		segment("HF113", func(f *fragmentSpec) { f.extra = mp4box("mdat", fill(10)) }),
		whole("HF113", func(b []byte) []byte {
			return append(b, b[16:len(b)-8]...)[:len(b)+int(binary.BigEndian.Uint32(b[16:]))]
		}),
		segment("HF114", func(f *fragmentSpec) { f.extra = append(f.extra, mp4box("abcd", fill(10))...) }),
		whole("HF115", func(b []byte) []byte { copy(b[strings.Index(string(b), "mfhd"):], "free"); return b }),
		whole("HF115", func(b []byte) []byte { copy(b[strings.Index(string(b), "tfhd"):], "free"); return b }),
		whole("HF115", func(b []byte) []byte { b[strings.Index(string(b), "trun")+11]++; return b }),
		whole("HF115", func(b []byte) []byte { b[strings.Index(string(b), "tfhd")+7] |= 0x18; return b }),
		segment("HF116", func(f *fragmentSpec) { f.id = 7 }),
		segment("HF117", func(f *fragmentSpec) { f.flags = 0 }),
		segment("HF118", func(f *fragmentSpec) { f.noTfdt = true }),
		segment("HF118", func(f *fragmentSpec) { f.time = -1 }),
		segment("HF119", func(f *fragmentSpec) { f.samples = nil }),
		segment("HF120", func(f *fragmentSpec) { f.offset = -1 }),
		segment("HF120", func(f *fragmentSpec) { f.payload = fill(100) }),
		segment("HF121", func(f *fragmentSpec) { f.duration = 0 }),
		segment("HF122", func(f *fragmentSpec) { f.samples[3] = append(f.samples[3], 1) }),
		whole("HF123", func(b []byte) []byte {
			f := videoFragment(1)
			f.time += frame
			return append(b, f.build()...)
		}),
		segment("HF124", func(f *fragmentSpec) { f.sync = 0x10000 }),
		segment("HF124", func(f *fragmentSpec) { f.samples[0] = avcSample(slice) }),
	}
}

func TestFragmentClean(t *testing.T) {
	r := checkBytes(t, slices.Concat(videoInit(), videoFragment(0).build(), videoFragment(1).build()), nil)
	assert.Empty(t, r.Violations)
	assert.Equal(t, 50, r.Checked.Samples)
	sound := initBox([][]byte{initTrackBox(1, 48000, "soun", audioEntry("mp4a"))}, 1)
	assert.Empty(t, checkBytes(t, slices.Concat(sound, audioFragment(0, 94).build()), nil).Violations)
	f := videoFragment(0)
	f.trunVersion, f.cts = 1, -1
	assert.Empty(t, checkBytes(t, slices.Concat(videoInit(), f.build()), nil).Violations)
}

func TestFragmentRules(t *testing.T) {
	for _, f := range mp4Fixtures() {
		t.Run(f.rule, func(t *testing.T) {
			init := videoInit
			if f.init != nil {
				init = f.init
			}
			s := videoFragment(0)
			f.change(s)
			segment := s.build()
			if f.whole != nil {
				segment = f.whole(segment)
			}
			r, err := validate.Bytes("a.m4s", slices.Concat(init(), segment), nil)
			require.NoError(t, err)
			assert.Equal(t, []string{f.rule}, rulesOf(r), "%v", r.Violations)
		})
	}
}

package bitrate_test

import (
	"bytes"
	"testing"
	"time"

	"github.com/smoothkit/smoothkit/throttle/bitrate"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func mp4FragmentCases() []headerCase {
	ftyp := mp4Box("ftyp", []byte("iso6\x00\x00\x02\x00iso6"))
	fragments := func(n int) []byte { return mp4Fragments(1, n, 5000, 0, true) }
	untimed := func(n int) []byte { return mp4Fragments(1, n, 5000, 0, false) }
	head := int64(len(ftyp) + len(mp4Fragmented()))
	mehd := mp4Box("mehd", be32(0, 10_000))
	mehd64 := mp4Box("mehd", be32(1<<24), be64(10_000))
	known := mp4Box("moov", mp4Times("mvhd", 1000, 10_000), mp4Video(1), mp4Mvex())
	smooth := func(start uint64) []byte {
		f := mp4Fragment{track: 1, samples: 2, parts: mp4Tfxd(start, 1000)}
		f.media = 5000 - 8 - len(f.moof())
		return f.boxes()
	}
	byDefault := func(start uint64) []byte {
		f := mp4Fragment{track: 1, start: start, hasTfdt: true, samples: 25}
		f.media = 5000 - 8 - len(f.moof())
		return f.boxes()
	}
	// A movie that begins in moov: two seconds there, eight in fragments.
	hybrid := mp4Box("moov", mp4Times("mvhd", 1000, 2000), mp4Trak{id: 1, timescale: 1000, duration: 2000, handler: "vide"}.box(), mp4Mvex())
	sum := func(data []byte) []byte { return data[:len(data)-2500] }
	last := uint64(head) + 9*5000
	list := []headerCase{
		mp4Case("mehd", 10*time.Second, "mehd", ftyp, mp4Fragmented(mehd), fragments(1)),
		mp4Case("mehd version 1", 10*time.Second, "mehd", ftyp, mp4Fragmented(mehd64), fragments(1)),
		mp4Case("mehd of zero, all fragments", 4*time.Second, "fragments", ftyp, mp4Fragmented(mp4Box("mehd", be32(0, 0))), fragments(4)),
		mp4Case("fragments without times", 4*time.Second, "fragments", ftyp, mp4Fragmented(), untimed(4)),
		mp4Case("fragments that begin late", 4*time.Second, "fragments", ftyp, mp4Fragmented(), mp4Fragments(1, 4, 5000, 1e12, true)),
		mp4Case("default durations", 2*time.Second, "fragments", ftyp, mp4Fragmented(), byDefault(0), byDefault(1000)),
		mp4Case("tfxd", 2*time.Second, "fragments", ftyp, mp4Fragmented(), smooth(7000), smooth(8000)),
		mp4Case("two tracks", 4*time.Second, "fragments", ftyp, mp4Fragmented(), mp4Fragments(2, 2, 900, 0, true), fragments(4)),
		mp4Case("gap", 4*time.Second, "fragments", ftyp, mp4Fragmented(), fragments(2), mp4Fragments(1, 2, 5000, 9e6, true)),
		mp4Case("hundreds of fragments", 100*time.Second, "fragments", ftyp, mp4Fragmented(), fragments(100)),
		mp4Case("hundreds that begin late", 100*time.Second, "fragments", ftyp, mp4Fragmented(), mp4Fragments(1, 100, 5000, 5e9, true)),
		mp4Case("hundreds without times", 100*time.Second, "fragments", ftyp, mp4Fragmented(), untimed(100)),
		mp4Case("movie that begins in moov", 10*time.Second, "fragments", ftyp, hybrid, mp4Fragments(1, 8, 5000, 2000, true)),
		mp4Case("no mvex", 4*time.Second, "fragments", ftyp, mp4Box("moov", mp4Times("mvhd", 1000, 0), mp4Video(1)), fragments(4)),
		mp4Case("only mvhd", 10*time.Second, "mvhd", ftyp, known, mp4Box("moof"), mp4Box("mdat", make([]byte, 9000))),
		mp4Case("sidx", 10*time.Second, "sidx", ftyp, mp4Fragmented(), mp4Sidx(1, 0, 10, 5000, 1000), fragments(10)),
		mp4Case("sidx per track", 10*time.Second, "sidx",
			ftyp, mp4Fragmented(), mp4Sidx(1, 44, 1, 5000, 9000), mp4Sidx(2, 0, 1, 5000, 10_000), fragments(1)),
		mp4Case("sidx per segment", 3*time.Second, "sidx", ftyp, mp4Fragmented(),
			mp4Sidx(1, 0, 1, 5000, 1000), fragments(1), mp4Sidx(1, 0, 1, 5000, 1000), fragments(1), mp4Box("styp"), mp4Sidx(1, 0, 1, 5000, 1000), fragments(1)),
		mp4Case("segment without header", 10*time.Second, "sidx",
			mp4Box("styp", make([]byte, 8)), mp4Sidx(1, 0, 10, 5000, 1000), fragments(10)),
		mp4Case("sidx of the first segment only", 4*time.Second, "fragments",
			ftyp, mp4Fragmented(), mp4Sidx(1, 0, 1, 5000, 1000), fragments(4)),
		mp4Case("mfra", 10*time.Second, "mfra", ftyp, mp4Fragmented(), fragments(10), mp4Mfra(1, 0, uint64(head), 9000, last)),
		mp4Case("mfra that begins late", 10*time.Second, "mfra", ftyp, mp4Fragmented(), mp4Fragments(1, 10, 5000, 5e9, true),
			mp4Mfra(1, 5e9, uint64(head), 5e9+9000, last)),
		mp4Case("mfra without the last fragment", 12*time.Second, "mfra", ftyp, mp4Fragmented(), fragments(10),
			mp4Mfra(1, 0, uint64(head), 4000, 1, 8000, 1<<62)),
		mp4Case("mfra of another track", 4*time.Second, "fragments", ftyp, mp4Fragmented(), fragments(4), mp4Mfra(9, 0, 0, 9000, 0)),
		mp4Case("mfra that lies about its size", 4*time.Second, "fragments",
			ftyp, mp4Fragmented(), fragments(4), mp4Box("mfra", mp4Box("mfro", be32(0, 999)))),
	}
	list = append(list, mp4OtherVersions(ftyp)...)
	sidx := mp4Case("sidx of a file cut short", 10*time.Second, "sidx", ftyp, mp4Fragmented(), mp4Sidx(1, 0, 10, 5000, 1000), fragments(10))
	cut := mp4Case("cut in the media", 4*time.Second, "fragments", ftyp, mp4Fragmented(), fragments(4))
	long := mp4Case("hundreds of fragments, cut in the media", 100*time.Second, "fragments", ftyp, mp4Fragmented(), fragments(100))
	for _, c := range []headerCase{sidx, cut, long} {
		c.data = sum(c.data)
		list = append(list, c)
	}
	return list
}

// mp4OtherVersions are fragments and indexes in the versions, and with the optional fields, that the builders do not make.
func mp4OtherVersions(ftyp []byte) []headerCase {
	head := uint32(len(ftyp) + len(mp4Fragmented()))
	traf := func(parts ...[]byte) []byte {
		return joinBoxes(mp4Box("moof", mp4Box("traf", parts...)), mp4Box("mdat", make([]byte, 5000)))
	}
	tfhd := mp4Box("tfhd", be32(0, 1))
	trun := mp4Box("trun", be32(0, 20))
	tfxd := mp4Box("uuid", mp4Tfxd(0, 0)[8:24], be32(0, 9000, 2000))
	index := mp4Box("sidx", be32(1<<24, 1, 1000), be64(0, 20), be32(1, 5000, 10_000, 0), make([]byte, 20))
	mfra := func(offset uint32) []byte {
		tfra := mp4Box("tfra", be32(0, 1, 0x3f, 2, 0, head), make([]byte, 12), be32(9000, offset), make([]byte, 12))
		return mp4Box("mfra", tfra, mp4Box("mfro", be32(0, uint32(8+len(tfra)+16))))
	}
	return []headerCase{
		mp4Case("tfdt version 0", 1800*time.Millisecond, "fragments", ftyp, mp4Fragmented(),
			traf(tfhd, mp4Box("tfdt", be32(0, 1000)), trun), traf(tfhd, mp4Box("tfdt", be32(0, 2000)), trun, mp4Box("free"))),
		mp4Case("all fields of tfhd", 2*time.Second, "fragments", ftyp, mp4Fragmented(),
			traf(mp4Box("tfhd", be32(0x3b, 1), be64(0), be32(1, 100, 9, 9)), trun)),
		mp4Case("tfxd version 0", 2*time.Second, "fragments",
			ftyp, mp4Fragmented(), traf(tfhd, trun, tfxd, trun, mp4Box("tfdt", be32(0, 1)))),
		mp4Case("two runs", 1600*time.Millisecond, "fragments", ftyp, mp4Fragmented(), traf(tfhd, trun, trun)),
		mp4Case("sidx version 1", 10*time.Second, "sidx", ftyp, mp4Fragmented(), index, traf(tfhd, trun)),
		mp4Case("tfra version 0", 9800*time.Millisecond, "mfra", ftyp, mp4Fragmented(), traf(tfhd, trun), mfra(head)),
		mp4Case("tfra that leads to no fragment", 18*time.Second, "mfra", ftyp, mp4Fragmented(), traf(tfhd, trun), mfra(3)),
		mp4Case("sidx with more entries than bytes", 800*time.Millisecond, "fragments", ftyp, mp4Fragmented(),
			mp4Box("sidx", be32(0, 1, 1000, 0, 0, 9, 5000, 10_000, 0)), traf(tfhd, trun)),
		mp4Case("sidx that refers beyond all files", 800*time.Millisecond, "fragments", ftyp, mp4Fragmented(),
			mp4Box("sidx", be32(1<<24, 1, 1000), be64(0, 1<<63), be32(1, 5000, 10_000, 0)), traf(tfhd, trun)),
	}
}

func TestMP4Fragments(t *testing.T) { checkHeaders(t, mp4FragmentCases()) }

// A film whose fragments state no times is estimated from its first ones. Those are of other sizes than the rest here.
func TestMP4FirstFragments(t *testing.T) {
	data := joinBoxes(mp4Box("ftyp", make([]byte, 8)), mp4Fragmented(), mp4Fragments(1, 600, 1000, 0, false), mp4Fragments(1, 2000, 500, 0, false))
	r := &meteredReader{data: data}
	info, err := bitrate.Detect(r, int64(len(data)))
	require.NoError(t, err)
	assert.Equal(t, bitrate.Info{Container: bitrate.MP4, Average: 8000, Method: "first fragments"}, info)
	assert.LessOrEqual(t, r.read, int64(bitrate.MaxReadFragmented))
	assert.LessOrEqual(t, r.reads, bitrate.MaxReads)
}

// A segment index of more entries than are read, and more indexes than are read, give the rate of their beginning.
func TestMP4FirstIndexes(t *testing.T) {
	want := bitrate.Info{Container: bitrate.MP4, Average: 8000, Method: "first sidx"}
	many := joinBoxes(mp4Box("styp", make([]byte, 8)), mp4Sidx(1, 0, 60_000, 1000, 1000))
	var segments []byte
	for range 2000 {
		segments = append(segments, mp4Sidx(1, 0, 1, 956, 1000)...)
		segments = append(segments, mp4Box("mdat", make([]byte, 948))...)
	}
	for name, data := range map[string][]byte{"entries": many, "indexes": segments} {
		t.Run(name, func(t *testing.T) {
			r := &meteredReader{data: data}
			info, err := bitrate.Detect(r, 1<<40)
			require.NoError(t, err)
			assert.InEpsilon(t, want.Average, info.Average, 0.02)
			assert.Equal(t, want.Method, info.Method)
			assert.LessOrEqual(t, r.read, int64(bitrate.MaxRead))
		})
	}
}

// What lies in a fragment ends the walk over fragments, and nothing else.
func TestMP4HostileFragments(t *testing.T) {
	start := joinBoxes(mp4Box("ftyp", make([]byte, 8)), mp4Fragmented(), mp4Fragments(1, 4, 1000, 0, true))
	first := int64(len(start))
	for name, bad := range map[string][]byte{
		"trun count":      mp4Box("moof", mp4Box("traf", mp4Box("tfhd", be32(0, 1)), mp4Box("trun", be32(0x100, 1<<31, 1)))),
		"samples":         mp4Box("moof", mp4Box("traf", mp4Box("tfhd", be32(0, 1)), mp4Box("trun", be32(0, 1<<31, 1)))),
		"tfhd too short":  mp4Box("moof", mp4Box("traf", mp4Box("tfhd", be32(8, 1)))),
		"tfdt too short":  mp4Box("moof", mp4Box("traf", mp4Box("tfdt", be32(1<<24, 1)))),
		"zero-size boxes": mp4Box("moof", mp4Box("traf", be32(1), []byte("trun"), be64(0))),
		"moof too long":   mp4Box("moof", make([]byte, 99))[:40],
	} {
		t.Run(name, func(t *testing.T) {
			data := joinBoxes(start, bad, bytes.Repeat([]byte("moof"), 9000))
			info, err := bitrate.Detect(bytes.NewReader(data), int64(len(data)))
			require.NoError(t, err)
			assert.Equal(t, "first fragments", info.Method)
			assert.InEpsilon(t, 8000, info.Average, 0.03) // the broken box counts as far as it goes
			require.NoError(t, checkBounds(data, int64(len(data))))
			checkCuts(t, data[:first+200])
		})
	}
}

// A file full of what looks like fragments must not take longer than one with none.
func TestMP4FalseFragments(t *testing.T) {
	alike := bytes.Repeat(joinBoxes(be32(8), []byte("moof")), 400_000)
	head := joinBoxes(mp4Box("ftyp", make([]byte, 8)), mp4Fragmented(), mp4Fragments(1, 100, 1000, 0, true))
	data := joinBoxes(head, mp4Box("mdat", alike), make([]byte, 40))
	require.NoError(t, checkBounds(data, int64(len(data))))
}

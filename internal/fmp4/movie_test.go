package fmp4_test

import (
	"bytes"
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/internal/fmp4"
)

var stblEmpty = (&tables{noStss: true}).box()

func TestMovieFields(t *testing.T) {
	entry := bx("avc1", make([]byte, 78))
	stbl := bx("stbl", fbx("stsd", 0, 0, be32(2), entry, bx("hvc1")))
	kids := cat(be32(1), make([]byte, 16))
	sys := fmp4.UUID{0x9a, 4}
	m, err := fmp4.ParseMovie(moov(trak(7, stbl), bx("mvex", fbx("mehd", 0, 0, be32(99)),
		fbx("trex", 0, 0, be32(7, 1, 2, 3, 0x10000)), fbx("trex", 0, 0, be32(8, 1, 5, 6, 7))),
		fbx("pssh", 1, 0, sys[:], kids, be32(3), []byte("abc")),
		ubx(fmp4.UUIDProtectionHeader, 0, 0, sys[:], be32(2), []byte("de")),
		bx("udta", []byte("whatever"))), 1000)
	require.NoError(t, err)
	require.EqualValues(t, 600, m.Timescale)
	require.True(t, m.Fragmented)
	require.EqualValues(t, 99, m.FragmentDuration)
	require.Equal(t, []fmp4.Protection{{SystemID: sys, Data: []byte("abc")}, {SystemID: sys, Data: []byte("de")}}, m.Protection)
	require.Len(t, m.Tracks, 1)
	tr := m.Track(7)
	require.Same(t, &m.Tracks[0], tr)
	require.Nil(t, m.Track(8))
	require.Equal(t, fmp4.HandlerVideo, tr.Handler)
	require.Equal(t, "eng", tr.Language)
	require.EqualValues(t, []uint32{640, 360, 2}, []uint32{tr.Width, tr.Height, tr.Entries})
	require.Equal(t, entry, tr.Entry)
	require.Equal(t, fmp4.Defaults{Duration: 2, Size: 3, Flags: 0x10000}, tr.Defaults)
	require.Zero(t, tr.Samples.Len())
}

// TestMovieVersion1: the 64-bit forms of mvhd, tkhd, mdhd and mehd.
func TestMovieVersion1(t *testing.T) {
	track := bx("trak",
		fbx("tkhd", 1, 3, be64(0, 0), be32(5, 0), be64(0), make([]byte, 52), be32(320<<16, 240<<16)),
		bx("mdia", fbx("mdhd", 1, 0, be64(0, 0), be32(90000), be64(1<<40), []byte{0, 0, 0, 0})))
	m, err := fmp4.ParseMovie(bx("moov", fbx("mvhd", 1, 0, be64(0, 0), be32(1000), be64(1<<35), make([]byte, 80)), track,
		bx("mvex", fbx("mehd", 1, 0, be64(1<<36)))), 0)
	require.NoError(t, err)
	require.EqualValues(t, uint64(1<<35), m.Duration)
	require.EqualValues(t, uint64(1<<36), m.FragmentDuration)
	tr := m.Tracks[0]
	require.EqualValues(t, 5, tr.ID)
	require.EqualValues(t, uint64(1<<40), tr.Duration)
	require.Equal(t, "und", tr.Language)
	require.EqualValues(t, 320, tr.Width)
}

// TestMovieUnknownDuration: all ones are unknown in both versions, and so is what no duration can be.
func TestMovieUnknownDuration(t *testing.T) {
	for _, b := range [][]byte{
		fbx("mvhd", 0, 0, be32(0, 0, 1000, math.MaxUint32), make([]byte, 80)),
		fbx("mvhd", 1, 0, be64(0, 0), be32(1000), be64(math.MaxUint64), make([]byte, 80)),
		fbx("mvhd", 1, 0, be64(0, 0), be32(1000), be64(1<<60+1), make([]byte, 80)),
	} {
		m, err := fmp4.ParseMovie(bx("moov", b), 0)
		require.NoError(t, err)
		require.Zero(t, m.Duration)
	}
}

func TestMovieEdits(t *testing.T) {
	elst := func(v uint8, n uint32, parts ...[]byte) []byte {
		return bx("edts", fbx("elst", v, 0, be32(n), cat(parts...)))
	}
	e0 := func(d, media uint32) []byte { return be32(d, media, 1<<16) }
	e1 := func(d uint64, media int64) []byte { return cat(be64(d, uint64(media)), be32(1<<16)) }
	const none = math.MaxUint32 // media time -1
	for _, c := range []struct {
		name string
		edts []byte
		want int64 // ms; the movie has 600 ticks, the track 1000
	}{
		{"none", elst(0, 0), 0},
		{"media time", elst(0, 1, e0(0, 80)), -80},
		{"media time v1", elst(1, 1, e1(0, 1<<40)), -1 << 40},
		{"empty edit", elst(0, 2, e0(300, none), e0(0, 0)), 500},
		{"empty edits v1", elst(1, 3, e1(300, -1), e1(60, -1), e1(7, 80)), 520},
		{"only empty", elst(0, 1, e0(300, none)), 0},
		{"later edits", elst(0, 2, e0(1, 5), e0(1, 80)), -5},
		{"rounded down", elst(0, 2, e0(1, none), e0(0, 0)), 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			tr := trak(1, stblEmpty, c.edts)
			for _, raw := range [][]byte{moov(tr), bx("moov", tr, mvhd(600, 0))} { // mvhd may follow
				m, err := fmp4.ParseMovie(raw, 0)
				require.NoError(t, err)
				require.Equal(t, c.want, m.Tracks[0].Shift)
			}
		})
	}
	for name, edts := range map[string][]byte{
		"lying count":          elst(0, 2, e0(0, 0)),
		"huge count":           elst(1, math.MaxUint32, e1(0, 0)),
		"cut":                  bx("edts", fbx("elst", 0, 0)),
		"media time":           elst(1, 1, e1(0, 1<<60+1)),
		"empty":                elst(1, 2, e1(1<<60+1, -1), e1(0, 0)),
		"sum of empty":         elst(1, 3, e1(1<<60, -1), e1(1, -1), e1(0, 0)),
		"sum of empty, alone":  elst(1, 2, e1(1<<60, -1), e1(math.MaxUint64, -1)),
		"empty edits wrapping": elst(1, 3, e1(1<<63, -1), e1(1<<63, -1), e1(0, 0)),
	} {
		_, err := fmp4.ParseMovie(moov(trak(1, stblEmpty, edts)), 0)
		require.Error(t, err, name)
		requireKind(t, err, fmp4.ErrCorrupt, "moov/trak/edts/elst")
	}
}

// TestMovieShiftSaturates: the longest empty edit in the coarsest ticks does not wrap.
func TestMovieShiftSaturates(t *testing.T) {
	edts := bx("edts", fbx("elst", 1, 0, be32(2), be64(1<<60, math.MaxUint64), be32(0), be64(0, 0), be32(0)))
	tr := bx("trak", tkhd(1), edts, bx("mdia", mdhd(math.MaxUint32, 0)))
	m, err := fmp4.ParseMovie(bx("moov", mvhd(1, 0), tr), 0)
	require.NoError(t, err)
	require.EqualValues(t, uint64(1<<60), m.Tracks[0].Shift)
}

func TestMovieErrors(t *testing.T) {
	long := make([]byte, fmp4.MaxSampleEntry)
	for _, c := range []struct {
		name, path string
		kind       error
		moov       []byte
	}{
		{"not moov", "moov", fmp4.ErrCorrupt, bx("moof")},
		{"cut header", "box", fmp4.ErrCorrupt, []byte("\x00\x00")},
		{"track id twice", "moov/trak/tkhd", fmp4.ErrCorrupt, moov(trak(3, stblEmpty), trak(3, stblEmpty))},
		{"no mdhd", "moov/trak/mdia/mdhd", fmp4.ErrCorrupt, moov(bx("trak", tkhd(1)))},
		{"timescale 0", "moov/trak/mdia/mdhd", fmp4.ErrCorrupt, moov(bx("trak", tkhd(1), bx("mdia", mdhd(0, 0))))},
		{"short mvhd", "moov/mvhd", fmp4.ErrCorrupt, bx("moov", fbx("mvhd", 0, 0, make([]byte, 15)))},
		{"short mvhd v1", "moov/mvhd", fmp4.ErrCorrupt, bx("moov", fbx("mvhd", 1, 0, make([]byte, 27)))},
		{"empty mvhd", "moov/mvhd", fmp4.ErrCorrupt, bx("moov", bx("mvhd"))},
		{"short tkhd", "moov/trak/tkhd", fmp4.ErrCorrupt, moov(bx("trak", fbx("tkhd", 0, 0, make([]byte, 79))))},
		{"short tkhd v1", "moov/trak/tkhd", fmp4.ErrCorrupt, moov(bx("trak", fbx("tkhd", 1, 0, make([]byte, 91))))},
		{"empty hdlr", "moov/trak/mdia/hdlr", fmp4.ErrCorrupt, moov(bx("trak", bx("mdia", bx("hdlr"))))},
		{"empty mehd", "moov/mvex/mehd", fmp4.ErrCorrupt, moov(bx("mvex", bx("mehd")))},
		{"short trex", "moov/mvex/trex", fmp4.ErrCorrupt, moov(bx("mvex", fbx("trex", 0, 0, make([]byte, 19))))},
		{"short pssh", "moov/pssh", fmp4.ErrCorrupt, moov(fbx("pssh", 0, 0, make([]byte, 19)))},
		{"pssh keys", "moov/pssh", fmp4.ErrCorrupt, moov(fbx("pssh", 1, 0, make([]byte, 16), be32(math.MaxUint32, 0)))},
		{"pssh data", "moov/pssh", fmp4.ErrCorrupt, moov(fbx("pssh", 0, 0, make([]byte, 16), be32(math.MaxUint32)))},
		{"short stsd", "moov/trak/mdia/minf/stbl/stsd", fmp4.ErrCorrupt, moov(trak(1, bx("stbl", fbx("stsd", 0, 0))))},
		{"entry beyond stsd", "moov/trak/mdia/minf/stbl/stsd/avc1", fmp4.ErrCorrupt,
			moov(trak(1, bx("stbl", fbx("stsd", 0, 0, be32(1, 99), []byte("avc1")))))},
		{"long entry", "moov/trak/mdia/minf/stbl/stsd", fmp4.ErrTooLarge,
			moov(trak(1, bx("stbl", fbx("stsd", 0, 0, be32(1), bx("avc1", long)))))},
		{"child beyond parent", "moov/trak/mdia/minf/stbl/stts", fmp4.ErrCorrupt,
			moov(trak(1, bx("stbl", be32(100), []byte("stts"))))},
		{"tracks", "moov/trak", fmp4.ErrTooLarge, moov(traks(fmp4.MaxTracks + 1))},
		{"trex", "moov/mvex/trex", fmp4.ErrTooLarge, moov(bx("mvex", trexes(fmp4.MaxTracks+1)))},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := fmp4.ParseMovie(c.moov, 0)
			requireKind(t, err, c.kind, c.path)
		})
	}
}

func traks(n int) []byte {
	var b []byte
	for i := range n {
		b = cat(b, trak(uint32(i+1), stblEmpty))
	}
	return b
}

func trexes(n int) []byte {
	var b []byte
	for i := range n {
		b = cat(b, fbx("trex", 0, 0, be32(uint32(i), 1, 0, 0, 0)))
	}
	return b
}

// TestMaxTracks: as many as the limit says are fine; more protection headers than that are not kept.
func TestMaxTracks(t *testing.T) {
	pssh := bytes.Repeat(fbx("pssh", 0, 0, make([]byte, 16), be32(0)), fmp4.MaxTracks+1)
	m, err := fmp4.ParseMovie(moov(traks(fmp4.MaxTracks), bx("mvex", trexes(fmp4.MaxTracks)), pssh), 0)
	require.NoError(t, err)
	require.Len(t, m.Tracks, fmp4.MaxTracks)
	require.Len(t, m.Protection, fmp4.MaxTracks)
}

// TestMovieErrorOffset: the offset of an error is absolute.
func TestMovieErrorOffset(t *testing.T) {
	raw := moov(trak(1, bx("stbl", fbx("stsd", 0, 0))))
	_, err := fmp4.ParseMovie(raw, 5000)
	var e *fmp4.Error
	require.ErrorAs(t, err, &e)
	require.EqualValues(t, 5000+indexOf(t, raw, "stsd")-4, e.Offset)
	require.ErrorContains(t, err, "fmp4: moov/trak/mdia/minf/stbl/stsd at byte ")
}

// TestMovieTruncated cuts a movie at every byte, plainly and with the size of the moov box made to fit.
func TestMovieTruncated(t *testing.T) {
	tb := &tables{stts: []uint32{4, 10}, ctts: []uint32{4, 1}, stsc: []uint32{1, 2, 1}, stss: []uint32{1, 3},
		sizes: []uint32{1, 2, 3, 4}, chunks: []uint64{100, 200}}
	raw := moov(trak(1, tb.box(), bx("edts", fbx("elst", 0, 0, be32(1, 0, 5, 0)))),
		bx("mvex", fbx("trex", 0, 0, be32(1, 1, 0, 0, 0))), fbx("pssh", 0, 0, make([]byte, 16), be32(1), []byte{1}))
	for n := range len(raw) {
		_, err := fmp4.ParseMovie(raw[:n], 0)
		require.ErrorIs(t, err, fmp4.ErrCorrupt, "%d bytes", n)
		cut := bytes.Clone(raw[:n])
		if n >= 8 {
			copy(cut, be32(uint32(n)))
			if m, err := fmp4.ParseMovie(cut, 0); err == nil {
				walkMovie(m, 1000)
			}
		}
	}
	// Every byte turned over, too.
	for n := range raw {
		for _, x := range []byte{0xff, 0x80, 1} {
			bad := bytes.Clone(raw)
			bad[n] ^= x
			if m, err := fmp4.ParseMovie(bad, 0); err == nil {
				walkMovie(m, 1000)
			}
		}
	}
}

// walkMovie uses everything of a movie that an input can break, at most that many steps a track.
func walkMovie(m *fmp4.Movie, steps int) {
	for i := range m.Tracks {
		tb := &m.Tracks[i].Samples
		n := tb.Len()
		c := tb.At(0)
		var last fmp4.TableSample
		for k := 0; k < steps; k++ {
			s, ok := c.Next()
			if !ok {
				break
			}
			if s.Offset < 0 || s.DTS < last.DTS {
				panic("table goes backwards")
			}
			last = s
			if k%16 == 0 {
				at := tb.At(uint32(k))
				if again, _ := at.Next(); again != s {
					panic("At and Next disagree")
				}
			}
			tb.Sync(k)
		}
		for _, i := range []uint32{n, n / 2, n - min(n, 1)} {
			at := tb.At(i)
			if s, ok := at.Next(); ok && s.Offset < 0 {
				panic("negative offset")
			}
			tb.BytesBefore(i)
		}
	}
}

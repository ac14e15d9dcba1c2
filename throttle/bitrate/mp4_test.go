package bitrate_test

import (
	"bytes"
	"encoding/binary"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/smoothkit/smoothkit/throttle/bitrate"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func joinBoxes(parts ...[]byte) []byte { return bytes.Join(parts, nil) }

// mp4Info returns what a file of boxes must give: its size over a duration.
func mp4Info(data []byte, d time.Duration, method string) bitrate.Info {
	return bitrate.Info{Container: bitrate.MP4, Average: bitsPer(data, d), Duration: d, Method: method}
}

func mp4Case(name string, d time.Duration, method string, parts ...[]byte) headerCase {
	data := joinBoxes(parts...)
	return headerCase{name: name, data: data, want: mp4Info(data, d, method)}
}

func mp4Failure(name string, err error, offset int64, parts ...[]byte) headerCase {
	return headerCase{name: name, data: joinBoxes(parts...), want: bitrate.Info{Container: bitrate.MP4}, err: err, offset: offset}
}

func mp4MovieCases() []headerCase {
	ftyp := mp4Box("ftyp", []byte("isom\x00\x00\x02\x00isom"))
	mdat := mp4Box("mdat", make([]byte, 10_000))
	moov := func(parts ...[]byte) []byte { return mp4Box("moov", parts...) }
	known, unknown := mp4Times("mvhd", 1000, 2000), mp4Times("mvhd", 1000, math.MaxUint32)
	trak := mp4Trak{id: 1, timescale: 90_000, duration: 180_000, inMovie: 1000, handler: "vide"}.box()
	noMedia := mp4Trak{id: 1, inMovie: 2000, handler: "vide"}.box()
	list := []headerCase{
		mp4Case("header in front", 2*time.Second, "mvhd", ftyp, moov(known), mdat),
		mp4Case("header at the end", 2*time.Second, "mvhd", ftyp, mdat, moov(known)),
		mp4Case("version 1", 2*time.Second, "mvhd", ftyp, moov(mp4Times64("mvhd", 10_000_000, 20_000_000)), mdat),
		mp4Case("large mdat", 2*time.Second, "mvhd", ftyp, mp4Large("mdat", make([]byte, 9000)), moov(known)),
		mp4Case("mdat up to the end", 2*time.Second, "mvhd", ftyp, moov(known), []byte("\x00\x00\x00\x00mdat"), make([]byte, 9000)),
		mp4Case("old QuickTime", 2*time.Second, "mvhd", mp4Box("wide"), mdat, moov(known)),
		mp4Case("only zeros behind", 2*time.Second, "mvhd", ftyp, moov(known), mdat, make([]byte, 7)),
		mp4Case("unknown boxes first", 2*time.Second, "mvhd",
			mp4Box("free", make([]byte, 20)), mp4Box("abcd"), mdat, moov(mp4Box("iods"), known)),
		mp4Case("two headers, the first counts", 2*time.Second, "mvhd", ftyp, moov(known), mdat, moov(mp4Times("mvhd", 1, 1))),
		mp4Case("mvhd unknown", 2*time.Second, "mdhd", ftyp, moov(unknown, trak), mdat),
		mp4Case("mvhd unknown, version 1", 2*time.Second, "mdhd", ftyp, moov(mp4Times64("mvhd", 1000, math.MaxUint64), trak), mdat),
		mp4Case("mvhd zero", 2*time.Second, "mdhd", ftyp, moov(mp4Times("mvhd", 1000, 0), trak), mdat),
		mp4Case("mvhd without timescale", 2*time.Second, "mdhd", ftyp, moov(mp4Times("mvhd", 0, 2000), trak), mdat),
		mp4Case("mvhd of ages", 2*time.Second, "mdhd", ftyp, moov(mp4Times64("mvhd", 1, math.MaxUint64-1), trak), mdat),
		mp4Case("mdhd unknown", 2*time.Second, "tkhd", ftyp, moov(mp4Times("mvhd", 1000, 0), noMedia), mdat),
		mp4Case("garbage behind mvhd", 2*time.Second, "mvhd", ftyp, moov(known, []byte("\x00\x00\x00\x03 xyz")), mdat),
		mp4Case("box of no size in user data", 2*time.Second, "mvhd", ftyp, moov(known, mp4Box("udta", be32(0))), mdat),
		mp4Failure("no header", bitrate.ErrUnknownRate, 0, ftyp, mdat),
		mp4Failure("compressed header", bitrate.ErrUnknownRate, 36, ftyp, mp4Box("free"), moov(mp4Box("cmov", make([]byte, 9))), mdat),
		mp4Failure("reference movie", bitrate.ErrUnknownRate, 28, ftyp, moov(mp4Box("rmra", make([]byte, 9)))),
		mp4Failure("nothing known", bitrate.ErrUnknownRate, 20, ftyp, moov(mp4Times("mvhd", 1000, 0)), mdat),
		mp4Failure("mvhd too short", bitrate.ErrCorrupt, 28, ftyp, moov(mp4Box("mvhd", be32(0, 1))), mdat),
		mp4Failure("box smaller than its header", bitrate.ErrCorrupt, 20, ftyp, be32(7), []byte("mdat"), mdat),
		mp4Failure("large box smaller than its header", bitrate.ErrCorrupt, 20, ftyp, be32(1), []byte("mdat"), be64(15), mdat),
		mp4Failure("box beyond all files", bitrate.ErrCorrupt, 20, ftyp, be32(1), []byte("mdat"), be64(math.MaxUint64), mdat),
		mp4Failure("box that reaches beyond the end", bitrate.ErrCorrupt, 20, ftyp, mp4Box("free", make([]byte, 90))[:50]),
		mp4Failure("cut before the header", bitrate.ErrCorrupt, 9000, joinBoxes(ftyp, mdat)[:9000]),
		mp4Failure("cut in the header", bitrate.ErrCorrupt, 200, joinBoxes(ftyp, moov(known, mp4Box("udta", make([]byte, 500))))[:200]),
		mp4Failure("fragments without header", bitrate.ErrUnknownRate, 0, mp4Fragments(1, 2, 1000, 0, true)),
	}
	cut := mp4Case("cut in the media", 2*time.Second, "mvhd", ftyp, moov(known), mdat)
	cut.data = cut.data[:5000]
	return append(list, cut)
}

func TestMP4(t *testing.T) { checkHeaders(t, mp4MovieCases()) }

// The sum of the rates that the tracks state.
func TestMP4Peak(t *testing.T) {
	video := func(boxes ...[]byte) []byte { return mp4Box("avc1", make([]byte, 78), joinBoxes(boxes...)) }
	audio := func(version byte, fields int, boxes ...[]byte) []byte {
		head := make([]byte, fields)
		head[9] = version
		return mp4Box("mp4a", head, joinBoxes(boxes...))
	}
	btrt := mp4Box("btrt", be32(1, 700_000, 500_000))
	escaped := mp4Box("esds", be32(0), []byte{3, 30, 0, 1, 0xe0, 0, 9, 3, 'u', 'r', 'l', 0, 7, 4, 13, 0x40, 0x15, 0, 0, 0}, be32(64_000, 1))
	for _, c := range []struct {
		name         string
		video, audio []byte
		want         int64
	}{
		{"btrt and esds", video(mp4Box("avcC", make([]byte, 9)), btrt), audio(0, 28, mp4Esds(128_000, 96_000)), 828_000},
		{"one unknown", video(), audio(0, 28, mp4Esds(128_000, 96_000)), 0},
		{"QuickTime sound version 1", video(btrt), audio(1, 44, mp4Box("wave", mp4Box("frma"), mp4Esds(64_000, 1))), 764_000},
		{"QuickTime sound version 2", video(btrt), audio(2, 64, mp4Esds(64_000, 1)), 764_000},
		{"all optional fields", video(btrt), audio(0, 28, escaped), 764_000},
		{"wave without esds", video(btrt), audio(1, 44, mp4Box("wave", mp4Box("frma"))), 0},
		{"entry too short", video(btrt), mp4Box("mp4a", make([]byte, 8)), 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			data := joinBoxes(mp4Box("ftyp", make([]byte, 8)), mp4Box("moov", mp4Times("mvhd", 1000, 2000),
				mp4Trak{id: 1, timescale: 1, duration: 2, handler: "vide", entry: c.video}.box(),
				mp4Trak{id: 2, timescale: 1, duration: 2, handler: "soun", entry: c.audio}.box(),
				mp4Trak{id: 3, timescale: 1, duration: 2, handler: "text"}.box(),
			), mp4Box("mdat", make([]byte, 9000)))
			want := mp4Info(data, 2*time.Second, "mvhd")
			want.Peak = c.want
			(&headerCase{data: data, want: want}).check(t)
			checkCuts(t, data[:1200])
		})
	}
}

func TestMP4ErrorsSayWhy(t *testing.T) {
	for _, c := range mp4MovieCases() {
		if c.err == nil {
			continue
		}
		_, err := bitrate.Detect(bytes.NewReader(c.data), int64(len(c.data)))
		require.Error(t, err, c.name)
		assert.True(t, strings.HasPrefix(err.Error(), "bitrate: mp4 at offset "), "%s: %v", c.name, err)
	}
	data := joinBoxes(mp4Box("ftyp", make([]byte, 8)), mp4Box("moov", mp4Box("cmov")))
	_, err := bitrate.Detect(bytes.NewReader(data), int64(len(data)))
	assert.ErrorContains(t, err, "compressed (cmov)")
}

// Boxes without end, side by side and in one another, must not be walked to their end.
func TestMP4ManyBoxes(t *testing.T) {
	ftyp := mp4Box("ftyp", make([]byte, 8))
	side := joinBoxes(ftyp, bytes.Repeat(mp4Box("free"), 200_000))
	tracks := joinBoxes(ftyp, mp4Box("moov", mp4Times("mvhd", 1000, 0), bytes.Repeat(mp4Box("trak"), 200_000)))
	deep := mp4Box("trak")
	for range 2000 {
		deep = mp4Box("trak", deep)
	}
	for name, data := range map[string][]byte{"side by side": side, "tracks": tracks, "deep": joinBoxes(ftyp, mp4Box("moov", deep))} {
		require.NoError(t, checkBounds(data, int64(len(data))), name)
		_, err := bitrate.Detect(bytes.NewReader(data), int64(len(data)))
		assert.Error(t, err, name)
	}
}

// The first box decides what is an MP4 at all.
func TestMP4Signatures(t *testing.T) {
	for _, name := range []string{"ftyp", "moov", "mdat", "wide", "free", "skip", "pnot", "styp", "sidx", "emsg", "moof"} {
		data := mp4Box(name, make([]byte, 40))
		_, err := bitrate.Detect(bytes.NewReader(data), int64(len(data)))
		assert.NotErrorIs(t, err, bitrate.ErrUnknownContainer, name)
	}
	for _, head := range []string{"\x00\x00\x00\x07ftyp", "\x00\x00\x00\x10abcd", "\x00\x00\x00\x10FTYP"} {
		data := append([]byte(head), make([]byte, 40)...)
		_, err := bitrate.Detect(bytes.NewReader(data), int64(len(data)))
		assert.ErrorIs(t, err, bitrate.ErrUnknownContainer, "%q", head)
	}
	data := binary.BigEndian.AppendUint32(nil, 20)
	_, err := bitrate.Detect(bytes.NewReader(append(data, "ftyp"...)[:7]), 7)
	assert.ErrorIs(t, err, bitrate.ErrUnknownContainer)
}

func FuzzMP4(f *testing.F) {
	fuzzHeaders(f, append(mp4MovieCases(), mp4FragmentCases()...), "malformed/mp4", "malformed/fmp4", "media/mp4", "smooth/piff")
}

package fmp4_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"runtime"
	"testing"

	"github.com/Eyevinn/mp4ff/bits"
	"github.com/Eyevinn/mp4ff/mp4"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/internal/fmp4"
)

// cat joins byte slices.
func cat(parts ...[]byte) []byte { return bytes.Join(parts, nil) }

// be32 and be64 return big-endian words.
func be32(v ...uint32) []byte {
	var b []byte
	for _, x := range v {
		b = binary.BigEndian.AppendUint32(b, x)
	}
	return b
}

func be64(v ...uint64) []byte {
	var b []byte
	for _, x := range v {
		b = binary.BigEndian.AppendUint64(b, x)
	}
	return b
}

// bx builds a box with a 32-bit size.
func bx(typ string, parts ...[]byte) []byte {
	body := cat(parts...)
	return cat(be32(uint32(8+len(body))), []byte(typ), body)
}

// bx64 builds a box with a 64-bit size, and bx0 one without a size.
func bx64(typ string, parts ...[]byte) []byte {
	body := cat(parts...)
	return cat(be32(1), []byte(typ), be64(uint64(16+len(body))), body)
}

func bx0(typ string, parts ...[]byte) []byte { return cat(be32(0), []byte(typ), cat(parts...)) }

// fbx builds a FullBox; ubx one with an extended type.
func fbx(typ string, version uint8, flags uint32, parts ...[]byte) []byte {
	return bx(typ, be32(uint32(version)<<24|flags), cat(parts...))
}

func ubx(id fmp4.UUID, version uint8, flags uint32, parts ...[]byte) []byte {
	return bx("uuid", id[:], be32(uint32(version)<<24|flags), cat(parts...))
}

// table returns count and entries as table boxes hold them.
func table(entries ...uint32) func(perEntry int) []byte {
	return func(per int) []byte { return cat(be32(uint32(len(entries)/per)), be32(entries...)) }
}

// tables are the boxes of an stbl.
type tables struct {
	stts, ctts, stsc, stss []uint32
	sizes                  []uint32
	fixed, count           uint32
	bits                   int // of stz2, or 0 for stsz
	chunks                 []uint64
	co64, noStss           bool
	cttsVersion            uint8
}

func (tb *tables) box() []byte {
	out := fbx("stsd", 0, 0, be32(0))
	out = cat(out, fbx("stts", 0, 0, table(tb.stts...)(2)), fbx("stsc", 0, 0, table(tb.stsc...)(3)))
	if tb.ctts != nil {
		out = cat(out, fbx("ctts", tb.cttsVersion, 0, table(tb.ctts...)(2)))
	}
	if !tb.noStss {
		out = cat(out, fbx("stss", 0, 0, table(tb.stss...)(1)))
	}
	out = cat(out, tb.sizeBox())
	if tb.co64 {
		return bx("stbl", out, fbx("co64", 0, 0, be32(uint32(len(tb.chunks))), be64(tb.chunks...)))
	}
	narrow := make([]uint32, len(tb.chunks))
	for i, c := range tb.chunks {
		narrow[i] = uint32(c)
	}
	return bx("stbl", out, fbx("stco", 0, 0, table(narrow...)(1)))
}

func (tb *tables) sizeBox() []byte {
	if tb.bits == 0 && tb.fixed != 0 {
		return fbx("stsz", 0, 0, be32(tb.fixed, tb.count))
	}
	n := uint32(len(tb.sizes))
	if tb.bits == 0 {
		return fbx("stsz", 0, 0, be32(0, n), be32(tb.sizes...))
	}
	var b []byte
	switch tb.bits {
	case 4:
		b = make([]byte, (n+1)/2)
		for i, s := range tb.sizes {
			b[i/2] |= byte(s << (4 * (1 - i%2)))
		}
	case 8:
		for _, s := range tb.sizes {
			b = append(b, byte(s))
		}
	case 16:
		for _, s := range tb.sizes {
			b = binary.BigEndian.AppendUint16(b, uint16(s))
		}
	}
	return fbx("stz2", 0, 0, be32(uint32(tb.bits), n), b)
}

// Parts of a moov box.
func mvhd(timescale, duration uint32) []byte {
	return fbx("mvhd", 0, 0, be32(0, 0, timescale, duration), make([]byte, 80))
}

func tkhd(id uint32) []byte {
	return fbx("tkhd", 0, 3, be32(0, 0, id, 0, 0), make([]byte, 52), be32(640<<16, 360<<16))
}

func mdhd(timescale, duration uint32) []byte {
	return fbx("mdhd", 0, 0, be32(0, 0, timescale, duration), []byte{0x15, 0xc7, 0, 0}) // eng
}

func trak(id uint32, stbl []byte, more ...[]byte) []byte {
	hdlr := fbx("hdlr", 0, 0, be32(0), []byte("vide"), make([]byte, 13))
	return bx("trak", tkhd(id), cat(more...), bx("mdia", mdhd(1000, 0), hdlr, bx("minf", stbl)))
}

func moov(parts ...[]byte) []byte { return bx("moov", mvhd(600, 0), cat(parts...)) }

// parseTable parses a movie of one track with those tables.
func parseTable(t testing.TB, tb *tables) *fmp4.Table {
	t.Helper()
	m, err := fmp4.ParseMovie(moov(trak(1, tb.box())), 0)
	require.NoError(t, err)
	return &m.Tracks[0].Samples
}

// decode decodes one box with mp4ff, all of it.
func decode(t testing.TB, b []byte) mp4.Box {
	t.Helper()
	box, err := mp4.DecodeBoxSR(0, bits.NewFixedSliceReader(b))
	require.NoError(t, err)
	require.EqualValues(t, len(b), box.Size())
	return box
}

// encode encodes a box with mp4ff.
func encode(t testing.TB, b mp4.Box) []byte {
	t.Helper()
	sw := bits.NewFixedSliceWriter(int(b.Size()))
	require.NoError(t, b.EncodeSW(sw))
	return sw.Bytes()
}

// requireKind checks that err is an *fmp4.Error of the kind, and says where.
func requireKind(t testing.TB, err, kind error, path string) {
	t.Helper()
	var e *fmp4.Error
	require.ErrorAs(t, err, &e)
	require.ErrorIs(t, err, kind)
	require.Equal(t, path, e.Path, "%v", err)
	require.NotEmpty(t, e.Reason)
}

// allocated returns the bytes that f allocates.
func allocated(f func()) uint64 {
	var a, b runtime.MemStats
	runtime.ReadMemStats(&a)
	f()
	runtime.ReadMemStats(&b)
	return b.TotalAlloc - a.TotalAlloc
}

// readFile reads a file of the shared test data or of testdata.
func readFile(t testing.TB, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	return b
}

// topLevel returns the headers of a whole file.
func topLevel(t testing.TB, raw []byte) []fmp4.Box {
	t.Helper()
	s := fmp4.NewScanner(bytes.NewReader(raw), 0, int64(len(raw)))
	var all []fmp4.Box
	for {
		h, err := s.Next()
		if errors.Is(err, io.EOF) {
			return all
		}
		require.NoError(t, err)
		all = append(all, h)
	}
}

// find returns the bytes of the first top-level box of a type, and its offset.
func find(t testing.TB, raw []byte, typ fmp4.Type) ([]byte, int64) {
	t.Helper()
	for _, h := range topLevel(t, raw) {
		if h.Type == typ {
			return raw[h.Offset:h.End()], h.Offset
		}
	}
	require.FailNow(t, "no such box", "%v", typ)
	return nil, 0
}

// indexOf returns the offset of the first four-character code typ; version and flags follow it in a FullBox.
func indexOf(t testing.TB, raw []byte, typ string) int {
	t.Helper()
	i := bytes.Index(raw, []byte(typ))
	require.Positive(t, i)
	return i
}

package fmp4_test

import (
	"bytes"
	"errors"
	"io"
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/internal/fmp4"
)

func TestScannerHeaders(t *testing.T) {
	id := fmp4.UUID{1, 2, 3}
	file := cat(bx("ftyp", []byte("isom")), bx64("free", []byte("abc")), ubx(id, 0, 0),
		cat(be32(1), []byte("uuid"), be64(36), id[:], be32(0)), bx("free"), bx0("mdat", make([]byte, 5)))
	got := topLevel(t, file)
	require.Equal(t, []fmp4.Box{
		{Type: fmp4.TypeFtyp, Offset: 0, Size: 12, Header: 8},
		{Type: fmp4.TypeFree, Offset: 12, Size: 19, Header: 16},
		{Type: fmp4.TypeUUID, UUID: id, Offset: 31, Size: 28, Header: 24},
		{Type: fmp4.TypeUUID, UUID: id, Offset: 59, Size: 36, Header: 32},
		{Type: fmp4.TypeFree, Offset: 95, Size: 8, Header: 8},
		{Type: fmp4.TypeMdat, Offset: 103, Size: 13, Header: 8},
	}, got)
	require.EqualValues(t, len(file), got[5].End())
	require.Equal(t, "mdat", got[5].Type.String())
	require.Equal(t, ".a.b", fmp4.Type(0x00617f62).String())
}

func TestScannerErrors(t *testing.T) {
	for _, c := range []struct {
		name, path string
		file       []byte
	}{
		{"short header", "box", []byte{0, 0, 0, 9, 'f', 'r', 'e'}},
		{"size 7", "free", cat(be32(7), []byte("free"))},
		{"beyond the end", "free", cat(be32(9), []byte("free"))},
		{"large header cut", "free", cat(be32(1), []byte("free"), be32(0))},
		{"large size below header", "free", cat(be32(1), []byte("free"), be64(15))},
		{"large size negative", "free", cat(be32(1), []byte("free"), be64(1<<63))},
		{"large size beyond", "free", cat(be32(1), []byte("free"), be64(math.MaxInt64))},
		{"uuid cut", "uuid", cat(be32(23), []byte("uuid"), make([]byte, 15))},
		{"uuid below header", "uuid", cat(be32(23), []byte("uuid"), make([]byte, 32))},
		{"large uuid cut", "uuid", cat(be32(1), []byte("uuid"), be64(32), make([]byte, 15))},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := fmp4.NewScanner(bytes.NewReader(c.file), 0, int64(len(c.file)))
			_, err := s.Next()
			requireKind(t, err, fmp4.ErrCorrupt, c.path)
			_, again := s.Next()
			require.Equal(t, err, again)
		})
	}
}

// TestScannerTruncated: the header of a box that is cut comes with the error.
func TestScannerTruncated(t *testing.T) {
	file := bx("mdat", make([]byte, 40))
	for n := range len(file) {
		h, err := fmp4.NewScanner(bytes.NewReader(file[:n]), 0, int64(n)).Next()
		if n == 0 {
			require.Equal(t, io.EOF, err)
			continue
		}
		require.ErrorIs(t, err, fmp4.ErrCorrupt)
		if n >= 8 {
			require.Equal(t, fmp4.Box{Type: fmp4.TypeMdat, Size: 48, Header: 8}, h)
		}
	}
}

// many is a file of empty boxes.
type many struct{}

func (many) ReadAt(b []byte, off int64) (int, error) {
	for i := range b {
		b[i] = "\x00\x00\x00\x08free"[(off+int64(i))%8]
	}
	return len(b), nil
}

func TestMaxBoxes(t *testing.T) {
	if testing.Short() {
		t.Skip("walks four million boxes")
	}
	s := fmp4.NewScanner(many{}, 0, 8*(fmp4.MaxBoxes+2))
	m := fmp4.NewMoofScanner(many{}, 0, 8*(fmp4.MaxBoxes+2))
	var err error
	n := 0
	for ; err == nil; n++ {
		_, err = s.Next()
	}
	require.Equal(t, fmp4.MaxBoxes+1, n)
	requireKind(t, err, fmp4.ErrTooLarge, "file")
	_, _, err = m.Next()
	requireKind(t, err, fmp4.ErrTooLarge, "file")
}

type broken struct{ err error }

func (b broken) ReadAt([]byte, int64) (int, error) { return 0, b.err }

func TestReadErrors(t *testing.T) {
	gone := errors.New("gone")
	_, err := fmp4.NewScanner(broken{gone}, 0, 100).Next()
	requireKind(t, err, gone, "box")
	_, err = fmp4.NewScanner(bytes.NewReader(nil), 0, 100).Next()
	requireKind(t, err, fmp4.ErrCorrupt, "box")
	_, _, err = fmp4.NewMoofScanner(broken{gone}, 0, 100).Next()
	requireKind(t, err, gone, "moof")
	_, ok := fmp4.FindMfra(broken{gone}, 100)
	require.False(t, ok)
	_, err = fmp4.ReadBox(broken{gone}, fmp4.Box{Type: fmp4.TypeMoov, Size: 10}, 10)
	requireKind(t, err, gone, "moov")
	for _, limit := range []int64{fmp4.MaxMoov, fmp4.MaxMoof, fmp4.MaxMfra} {
		_, err = fmp4.ReadBox(broken{gone}, fmp4.Box{Type: fmp4.TypeMoov, Size: limit + 1}, limit)
		requireKind(t, err, fmp4.ErrTooLarge, "moov")
		_, err = fmp4.ReadBox(broken{gone}, fmp4.Box{Type: fmp4.TypeMoov, Size: limit}, limit)
		requireKind(t, err, gone, "moov")
	}
	b, err := fmp4.ReadBox(bytes.NewReader(bx("free", []byte{1})), fmp4.Box{Type: fmp4.TypeFree, Size: 9}, 9)
	require.NoError(t, err)
	require.Equal(t, bx("free", []byte{1}), b)
}

// TestReadBoxLying: a size beyond the file allocates no more than a part of what it claims.
func TestReadBoxLying(t *testing.T) {
	h := fmp4.Box{Type: fmp4.TypeMoov, Size: 200 << 20}
	n := allocated(func() {
		_, err := fmp4.ReadBox(bytes.NewReader(make([]byte, 100)), h, fmp4.MaxMoov)
		requireKind(t, err, fmp4.ErrCorrupt, "moov")
	})
	require.Less(t, n, uint64(4<<20))
}

package fmp4_test

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/internal/fmp4"
)

// counting counts reads.
type counting struct {
	io.ReaderAt
	reads int
	bytes int
}

func (c *counting) ReadAt(b []byte, off int64) (int, error) {
	c.reads++
	c.bytes += len(b)
	return c.ReaderAt.ReadAt(b, off)
}

// scanMoofs returns copies of all moof boxes and their offsets.
func scanMoofs(r io.ReaderAt, off, end int64) (moofs [][]byte, at []int64, err error) {
	s := fmp4.NewMoofScanner(r, off, end)
	for {
		b, o, err := s.Next()
		if errors.Is(err, io.EOF) {
			return moofs, at, nil
		}
		if err != nil {
			return moofs, at, err
		}
		moofs, at = append(moofs, bytes.Clone(b)), append(at, o)
	}
}

func TestMoofScanner(t *testing.T) {
	for _, size := range []int{0, 100, 4000, 4050, 4080, 4096, 5000, 20000} { // around the window
		var file []byte
		var want [][]byte
		var at []int64
		file = cat(bx("ftyp", make([]byte, 20)), bx("moov"))
		for i := range 20 {
			m := bx("moof", bytes.Repeat([]byte{byte(i)}, size+i))
			want, at = append(want, m), append(at, int64(len(file)))
			mdat := bx("mdat", make([]byte, 30000))
			if i%3 == 0 {
				mdat = bx64("mdat", make([]byte, i*100))
			}
			file = cat(file, m, mdat, bx("free"))
		}
		file = cat(file, bx("mfra", make([]byte, 9)))
		c := &counting{ReaderAt: bytes.NewReader(file)}
		moofs, offs, err := scanMoofs(c, 0, int64(len(file)))
		require.NoError(t, err)
		require.Equal(t, want, moofs)
		require.Equal(t, at, offs)
		require.LessOrEqual(t, c.reads, 2*20+5, "moof of %d", size)
		moofs, offs, err = scanMoofs(c, at[3], at[5])
		require.NoError(t, err)
		require.Equal(t, want[3:5], moofs)
		require.Equal(t, at[3:5], offs)
		for n := range 300 { // cut near the end: what is whole is found, then the error
			cut := file[:len(file)-n]
			moofs, _, err := scanMoofs(bytes.NewReader(cut), 0, int64(len(cut)))
			require.True(t, len(moofs) <= 20)
			require.Equal(t, want[:len(moofs)], moofs)
			require.True(t, err == nil || errors.Is(err, fmp4.ErrCorrupt), "%v", err)
		}
	}
}

// TestMoofScannerReadsOnce: files with several tracks, whose moof boxes differ in size, take one read per fragment too.
func TestMoofScannerReadsOnce(t *testing.T) {
	for _, sizes := range [][]int{{412, 468, 412, 476, 412, 484, 412, 484, 412, 484, 412, 516}, {700, 860}, {1200, 1500, 1900}, {400, 6000}} {
		var file []byte
		for i := range 600 {
			file = cat(file, bx("moof", make([]byte, sizes[i%len(sizes)])), bx("mdat", make([]byte, 9000)))
		}
		c := &counting{ReaderAt: bytes.NewReader(file)}
		moofs, _, err := scanMoofs(c, 0, int64(len(file)))
		require.NoError(t, err)
		require.Len(t, moofs, 600)
		require.LessOrEqual(t, c.reads, 600+10, "moof boxes of %d", sizes)
		require.LessOrEqual(t, c.bytes, 600*(slices.Max(sizes)+slices.Max(sizes)/4)+600<<10, "moof boxes of %d", sizes)
	}
}

func TestMoofScannerLimits(t *testing.T) {
	head := cat(be32(fmp4.MaxMoof+1), []byte("moof"))
	r := io.NewSectionReader(padded(head), 0, fmp4.MaxMoof+100)
	used := allocated(func() {
		_, _, err := fmp4.NewMoofScanner(r, 0, fmp4.MaxMoof+100).Next()
		requireKind(t, err, fmp4.ErrTooLarge, "moof")
	})
	require.Less(t, used, uint64(64<<10))
	// A file that is shorter than it is said to be.
	_, _, err := fmp4.NewMoofScanner(bytes.NewReader(bx("moof")), 0, 5000).Next()
	requireKind(t, err, fmp4.ErrCorrupt, "moof")
	// The most.
	copy(head, be32(fmp4.MaxMoof))
	b, _, err := fmp4.NewMoofScanner(padded(head), 0, fmp4.MaxMoof+8).Next()
	require.NoError(t, err)
	require.Len(t, b, fmp4.MaxMoof)
}

// padded is followed by zeros.
type padded []byte

func (p padded) ReadAt(b []byte, off int64) (int, error) {
	clear(b)
	if off < int64(len(p)) {
		copy(b, p[off:])
	}
	return len(b), nil
}

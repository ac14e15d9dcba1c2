package fmp4_test

import (
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/internal/fmp4"
)

// audioHead is the head of a fragment of 94 AAC samples, two seconds.
func audioHead(samples int) *fmp4.FragmentHead {
	f := &fmp4.FragmentHead{Sequence: 1, TrackID: 1, Tfxd: true, Time: 20_000_000, Duration: 20_053_333}
	for i := range samples {
		f.Samples = append(f.Samples, fmp4.RunSample{Duration: 213_333, Size: uint32(300 + i), Flags: fmp4.FlagsSync})
	}
	return f
}

func audioMoof(tb testing.TB) []byte {
	b, err := audioHead(94).AppendTo(nil)
	require.NoError(tb, err)
	return b[:len(b)-8]
}

func BenchmarkInspect(b *testing.B) {
	moof := audioMoof(b)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := fmp4.Inspect(moof, 0, fmp4.Defaults{}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAppendSmooth(b *testing.B) {
	moof := audioMoof(b)
	dst := make([]byte, 0, 2*len(moof))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := fmp4.AppendSmooth(dst, moof, 5, 6); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkFragmentHead(b *testing.B) {
	f := audioHead(94)
	dst := make([]byte, 0, 8192)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := f.AppendTo(dst); err != nil {
			b.Fatal(err)
		}
	}
}

// filmTables are those of a two-hour film at 25 frames a second.
func filmTables() *tables {
	const n = 180_000
	r := rand.New(rand.NewPCG(1, 1))
	tb := &tables{stts: []uint32{n, 512}}
	for i := range uint32(n) {
		if i%50 == 0 {
			tb.stss = append(tb.stss, i+1)
		}
		tb.ctts = append(tb.ctts, 1, i%3*512)
		tb.sizes = append(tb.sizes, 1000+r.Uint32N(9000))
	}
	for c := uint32(0); c < n/5; c++ {
		if c%2 == 0 {
			tb.stsc = append(tb.stsc, c+1, 4, 1)
		} else {
			tb.stsc = append(tb.stsc, c+1, 6, 1)
		}
		tb.chunks = append(tb.chunks, uint64(c)*40_000)
	}
	return tb
}

func BenchmarkTableParse(b *testing.B) {
	raw := moov(trak(1, filmTables().box()))
	b.SetBytes(int64(len(raw)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := fmp4.ParseMovie(raw, 0); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkTableAt(b *testing.B) {
	tb := parseTable(b, filmTables())
	b.ReportAllocs()
	i := uint32(0)
	for b.Loop() {
		c := tb.At(i % tb.Len())
		if _, ok := c.Next(); !ok {
			b.Fatal("no sample")
		}
		i += 7919
	}
}

func BenchmarkTableNext(b *testing.B) {
	tb := parseTable(b, filmTables())
	c := tb.At(0)
	b.ReportAllocs()
	for b.Loop() {
		if _, ok := c.Next(); !ok {
			c = tb.At(0)
		}
	}
}

// TestNoAllocations: what runs once a fragment or a sample allocates nothing.
func TestNoAllocations(t *testing.T) {
	moof, f, tb := audioMoof(t), audioHead(94), parseTable(t, filmTables())
	dst := make([]byte, 0, 8192)
	for name, fn := range map[string]func(){
		"Inspect":      func() { _, _ = fmp4.Inspect(moof, 0, fmp4.Defaults{}) },
		"AppendSmooth": func() { _, _ = fmp4.AppendSmooth(dst, moof, 5, 6) },
		"AppendTo":     func() { _, _ = f.AppendTo(dst) },
		"Table": func() {
			c := tb.At(100_001)
			c.Next()
			tb.BytesBefore(77_777)
		},
	} {
		require.Zero(t, testing.AllocsPerRun(100, fn), name)
	}
}

// fragmentedFile writes a sparse file of 1,200 fragments with moof boxes of that many samples.
func fragmentedFile(b *testing.B, samples int) (*os.File, int64) {
	b.Helper()
	file, err := os.Create(filepath.Join(b.TempDir(), "sparse"))
	require.NoError(b, err)
	b.Cleanup(func() { _ = file.Close() })
	f := audioHead(samples)
	for i := range f.Samples {
		f.Samples[i].Size = uint32(750_000 / samples)
	}
	head, err := f.AppendTo(nil)
	require.NoError(b, err)
	var off int64
	for range 1200 {
		_, err = file.WriteAt(head, off)
		require.NoError(b, err)
		off += int64(len(head)) + int64(750_000/samples*samples)
	}
	require.NoError(b, file.Truncate(off))
	return file, off
}

func BenchmarkScan(b *testing.B) {
	for name, samples := range map[string]int{"50": 50, "94": 94, "600": 600} {
		file, size := fragmentedFile(b, samples)
		b.Run("boxes/"+name, func(b *testing.B) {
			for b.Loop() {
				s := fmp4.NewScanner(file, 0, size)
				for {
					if _, err := s.Next(); errors.Is(err, io.EOF) {
						break
					} else if err != nil {
						b.Fatal(err)
					}
				}
			}
		})
		b.Run("moofs/"+name, func(b *testing.B) {
			for b.Loop() {
				s := fmp4.NewMoofScanner(file, 0, size)
				n := 0
				for ; ; n++ {
					if _, _, err := s.Next(); errors.Is(err, io.EOF) {
						break
					} else if err != nil {
						b.Fatal(err)
					}
				}
				if n != 1200 {
					b.Fatal(n)
				}
			}
		})
	}
}

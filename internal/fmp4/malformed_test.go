package fmp4_test

import (
	"bytes"
	"errors"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/internal/fmp4"
	"github.com/smoothkit/smoothkit/internal/testmedia"
)

// TestMalformed reads broken files as far as they go: no panic, no hang, memory in proportion.
func TestMalformed(t *testing.T) {
	root := testmedia.Shared(t, "testdata/malformed")
	var files []string
	for _, dir := range []string{"mp4", "fmp4"} {
		f, err := filepath.Glob(filepath.Join(root, dir, "*"))
		require.NoError(t, err)
		files = append(files, f...)
	}
	require.Greater(t, len(files), 50)
	movies, moofs := 0, 0
	for _, f := range files {
		t.Run(filepath.Base(f), func(t *testing.T) {
			raw := readFile(t, f)
			start := time.Now()
			var a, b int
			used := allocated(func() { a, b = readAll(raw, useNothing) })
			require.Less(t, used, uint64(16*len(raw)+64<<10))
			require.Less(t, time.Since(start), 5*time.Second)
			readAll(raw, func(moof []byte) { useMoof(t, moof) })
			movies, moofs = movies+a, moofs+b
		})
	}
	require.Greater(t, movies, 10)
	require.Greater(t, moofs, 3)
}

func useNothing([]byte) {}

// readAll reads a file in every way of the package, and returns how many moov and moof boxes it parsed.
func readAll(raw []byte, use func(moof []byte)) (movies, moofs int) {
	r := bytes.NewReader(raw)
	for _, h := range headersOf(raw) {
		if h.End() > int64(len(raw)) || h.Type != fmp4.TypeMoov {
			continue
		}
		b, err := fmp4.ReadBox(r, h, fmp4.MaxMoov)
		if err != nil {
			continue
		}
		if m, err := fmp4.ParseMovie(b, h.Offset); err == nil {
			movies++
			walkMovie(m, 1<<20)
		} else if e := new(fmp4.Error); !errors.As(err, &e) {
			panic("no position in " + err.Error())
		}
	}
	if h, ok := fmp4.FindMfra(r, int64(len(raw))); ok {
		if b, err := fmp4.ReadBox(r, h, fmp4.MaxMfra); err == nil {
			_, _ = fmp4.ParseMfra(b, h.Offset)
		}
	}
	s := fmp4.NewMoofScanner(r, 0, int64(len(raw)))
	for {
		b, off, err := s.Next()
		if err != nil {
			return movies, moofs
		}
		if m, err := fmp4.ParseMoof(b, off); err == nil {
			moofs++
			for i := range m.Trafs {
				m.Trafs[i].Totals(fmp4.Defaults{})
			}
		}
		use(b)
	}
}

// TestDeepNesting: boxes within boxes do not nest calls.
func TestDeepNesting(t *testing.T) {
	b := bx("trak")
	for range 2000 {
		b = bx("trak", b)
	}
	_, err := fmp4.ParseMovie(bx("moov", mvhd(1, 0), b), 0)
	require.ErrorIs(t, err, fmp4.ErrCorrupt)
	b = bx("traf", tfhd(0, be32(1)))
	for range 2000 {
		b = bx("traf", b, tfhd(0, be32(1)))
	}
	m, err := fmp4.ParseMoof(bx("moof", b), 0)
	require.NoError(t, err)
	require.Len(t, m.Trafs, 1)
}

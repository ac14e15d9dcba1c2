package fmp4_test

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/internal/fmp4"
)

func fuzzFile(f *testing.F) []byte { return readFile(f, filepath.Join("testdata", "av-frag.mp4")) }

func FuzzMovie(f *testing.F) {
	raw := fuzzFile(f)
	b, _ := find(f, raw, fmp4.TypeMoov)
	f.Add(b)
	for seed := range uint64(6) {
		f.Add(moov(trak(1, randomTables(rand.New(rand.NewPCG(seed, 2))).box())))
	}
	f.Add(moov(trak(1, stblEmpty, bx("edts", fbx("elst", 1, 0, be32(2), be64(300, 1<<63), be32(0), be64(1, 2), be32(0)))),
		bx("mvex", trexes(2)), fbx("pssh", 1, 0, make([]byte, 16), be32(0, 1), []byte{1})))
	f.Fuzz(func(t *testing.T, raw []byte) {
		used := allocated(func() {
			m, err := fmp4.ParseMovie(raw, 0)
			if err != nil {
				requirePlace(t, err)
				return
			}
			walkMovie(m, 5000)
		})
		require.Less(t, used, uint64(64*len(raw)+64<<10))
	})
}

// requirePlace checks that an error says where.
func requirePlace(t testing.TB, err error) {
	t.Helper()
	var e *fmp4.Error
	require.True(t, errors.As(err, &e) && e.Path != "" && e.Err != nil, "%v", err)
}

func moofSeeds(f *testing.F) {
	h, run := tfhd(hMoof, be32(3)), trun(rOffset|rSize|rDuration|rFlags|rCTS, 2, 0, 1, 2, 0x10000, 4, 5, 6, 7, 8)
	enc := fbx("senc", 0, 2, be32(2), make([]byte, 8), []byte{0, 0}, make([]byte, 8), []byte{0, 1}, make([]byte, 6))
	f.Add(patchOffset(moofOf(cat(h, run))))
	f.Add(patchOffset(moofOf(cat(h, fbx("tfdt", 1, 0, be64(7)), run, tfxd(1, be64(5, 6)), tfrf, fbx("saio", 0, 0, be32(1, 200)), enc))))
	f.Add(patchOffset(moofOf(cat(tfxd(0, be32(5, 6)), ubx(fmp4.UUIDSampleEncryption, 0, 1, be32(1<<8|8, 0, 0, 0, 0, 2), make([]byte, 16)), h, run))))
	f.Add(moofOf(cat(h, run, run), cat(h, trun(0, 3))))
	f.Add(cases64(cat(bx64("tfhd", h[8:]), bx0("trun", run[8:]))))
	moofs, _, err := scanMoofs(bytes.NewReader(fuzzFile(f)), 0, 1<<30)
	for _, m := range moofs {
		f.Add(m)
	}
	_ = err // the file ends before 1<<30
}

func FuzzMoof(f *testing.F) {
	moofSeeds(f)
	f.Fuzz(func(t *testing.T, raw []byte) {
		if m, err := fmp4.ParseMoof(raw, 0); err == nil {
			for i := range m.Trafs {
				if m.Trafs[i].SampleCount() > 10_000 {
					return // slow, not more
				}
			}
		} else {
			requirePlace(t, err)
		}
		useMoof(t, raw)
	})
}

func FuzzMfra(f *testing.F) {
	f.Add(withMfro(tfra(0, 1, 0, 2, be32(3, 10), []byte{1, 1, 1}, be32(4, 20), []byte{1, 1, 1}), tfra(1, 2, 0x3f, 1, be64(1, 2), make([]byte, 12))))
	b, _ := find(f, fuzzFile(f), fmp4.TypeMfra)
	f.Add(b)
	f.Fuzz(func(t *testing.T, raw []byte) {
		if h, ok := fmp4.FindMfra(bytes.NewReader(raw), int64(len(raw))); ok {
			require.True(t, h.Offset >= 0 && h.End() == int64(len(raw)))
		}
		all, err := fmp4.ParseMfra(raw, 0)
		if err != nil {
			requirePlace(t, err)
			return
		}
		tracks := make([]uint32, len(all))
		entries := make([][]fmp4.TfraEntry, len(all))
		for i := range all {
			tracks[i] = all[i].TrackID
			for k := range all[i].Len() {
				time, moof := all[i].At(k)
				require.LessOrEqual(t, int64(moof), int64(1<<60))
				entries[i] = append(entries[i], fmp4.TfraEntry{Time: time, Moof: moof})
			}
		}
		again, err := fmp4.ParseMfra(fmp4.AppendMfra(nil, tracks, entries), 0)
		require.NoError(t, err)
		require.Len(t, again, len(all))
		for i := range again {
			require.Equal(t, all[i].TrackID, again[i].TrackID)
			require.Equal(t, all[i].Len(), again[i].Len())
		}
	})
}

func FuzzScan(f *testing.F) {
	f.Add(fuzzFile(f)[:2500]) // large seeds take long to minimise
	f.Add(cat(moov(trak(1, stblEmpty)), moofOf(tfhd(0, be32(1))), bx("mdat"), withMfro(tfra(0, 1, 0, 0))))
	f.Add(cat(bx("ftyp"), bx64("moof", []byte("abc")), ubx(fmp4.UUIDTfxd, 0, 0), bx("moof"), bx0("mdat", []byte{1})))
	f.Fuzz(func(t *testing.T, raw []byte) {
		var want []int64 // moof boxes by bare scanning
		s := fmp4.NewScanner(bytes.NewReader(raw), 0, int64(len(raw)))
		var end int64
		for {
			h, err := s.Next()
			if err != nil {
				break
			}
			require.True(t, h.Offset == end && h.Size >= h.Header && h.End() <= int64(len(raw)))
			if end = h.End(); h.Type == fmp4.TypeMoof {
				want = append(want, h.Offset)
			}
		}
		moofs, at, _ := scanMoofs(bytes.NewReader(raw), 0, int64(len(raw)))
		require.Equal(t, want, at)
		for i, m := range moofs {
			require.True(t, bytes.HasPrefix(raw[at[i]:], m))
		}
		readAll(raw, useNothing)
	})
}

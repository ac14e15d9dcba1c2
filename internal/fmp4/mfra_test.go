package fmp4_test

import (
	"bytes"
	"math"
	"testing"

	"github.com/Eyevinn/mp4ff/mp4"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/internal/fmp4"
)

func tfra(version uint8, id, lengths, n uint32, entries ...[]byte) []byte {
	return fbx("tfra", version, 0, be32(id, lengths, n), cat(entries...))
}

// withMfro ends an mfra box with mfro.
func withMfro(parts ...[]byte) []byte {
	n := uint32(8 + 16)
	for _, p := range parts {
		n += uint32(len(p))
	}
	return bx("mfra", cat(parts...), fbx("mfro", 0, 0, be32(n)))
}

func TestMfraWrite(t *testing.T) {
	tracks := []uint32{1, 7}
	entries := [][]fmp4.TfraEntry{{{0, 100}, {5, 1 << 40}}, {}}
	raw := fmp4.AppendMfra([]byte("abc"), tracks, entries)
	require.Equal(t, "abc", string(raw[:3]))
	raw = raw[3:]
	got, err := fmp4.ParseMfra(raw, 0)
	require.NoError(t, err)
	require.Len(t, got, 2)
	require.EqualValues(t, 7, got[1].TrackID)
	require.Zero(t, got[1].Len())
	require.Equal(t, 2, got[0].Len())
	time, moof := got[0].At(1)
	require.EqualValues(t, []uint64{5, 1 << 40}, []uint64{time, moof})

	lib := decode(t, raw).(*mp4.MfraBox)
	require.EqualValues(t, len(raw), lib.Mfro.ParentSize)
	require.Len(t, lib.Tfras, 2)
	require.Equal(t, mp4.TfraEntry{Time: 5, MoofOffset: 1 << 40, TrafNumber: 1, TrunNumber: 1, SampleNumber: 1}, lib.Tfras[0].Entries[1])
	require.Equal(t, raw, encode(t, lib))
}

// TestMfraForms: 32-bit entries, longer traf, trun and sample numbers, and times before 0.
func TestMfraForms(t *testing.T) {
	minus1024 := uint64(math.MaxUint64 - 1023)
	raw := withMfro(
		tfra(0, 1, 0, 2, be32(3, 10), []byte{1, 1, 1}, be32(4, 20), []byte{1, 1, 1}),
		tfra(1, 2, 0x3f, 1, be64(1<<60, 1<<60), make([]byte, 12)),
		tfra(1, 3, 0x1b, 2, be64(minus1024, 10), make([]byte, 2+3+4), be64(0, 9), make([]byte, 2+3+4)),
		bx("free"))
	got, err := fmp4.ParseMfra(raw, 77)
	require.NoError(t, err)
	require.Len(t, got, 3)
	time, moof := got[0].At(1)
	require.EqualValues(t, []uint64{4, 20}, []uint64{time, moof})
	time, moof = got[1].At(0)
	require.EqualValues(t, []uint64{1 << 60, 1 << 60}, []uint64{time, moof})
	time, _ = got[2].At(0)
	require.EqualValues(t, -1024, int64(time))
	_, moof = got[2].At(1)
	require.EqualValues(t, 9, moof)

	lib := decode(t, raw).(*mp4.MfraBox)
	for i := range got {
		require.Len(t, lib.Tfras[i].Entries, got[i].Len())
		for k, e := range lib.Tfras[i].Entries {
			time, moof := got[i].At(k)
			require.EqualValues(t, e.Time, time)
			require.EqualValues(t, e.MoofOffset, moof)
		}
	}
	var zero fmp4.RandomAccess
	require.Zero(t, zero.Len())
}

func TestMfraErrors(t *testing.T) {
	one := []byte{1, 1, 1}
	for _, c := range []struct {
		name, path string
		kind       error
		mfra       []byte
	}{
		{"not mfra", "mfra", fmp4.ErrCorrupt, bx("moov")},
		{"cut", "box", fmp4.ErrCorrupt, []byte{0}},
		{"short", "mfra/tfra", fmp4.ErrCorrupt, bx("mfra", fbx("tfra", 0, 0, be32(1, 0)))},
		{"empty", "mfra/tfra", fmp4.ErrCorrupt, bx("mfra", bx("tfra"))},
		{"lying", "mfra/tfra", fmp4.ErrCorrupt, bx("mfra", tfra(0, 1, 0, 2, be32(0, 0), one))},
		{"lying hugely", "mfra/tfra", fmp4.ErrCorrupt, bx("mfra", tfra(1, 1, 0x3f, math.MaxUint32, be64(0, 0), one))},
		{"descending", "mfra/tfra", fmp4.ErrCorrupt, bx("mfra", tfra(0, 1, 0, 2, be32(2, 0), one, be32(1, 9), one))},
		{"time twice", "mfra/tfra", fmp4.ErrCorrupt, bx("mfra", tfra(0, 1, 0, 2, be32(2, 0), one, be32(2, 9), one))},
		{"time", "mfra/tfra", fmp4.ErrCorrupt, bx("mfra", tfra(1, 1, 0, 1, be64(1<<60+1, 0), one))},
		{"time before 0", "mfra/tfra", fmp4.ErrCorrupt, bx("mfra", tfra(1, 1, 0, 1, be64(1<<63, 0), one))},
		{"offset", "mfra/tfra", fmp4.ErrCorrupt, bx("mfra", tfra(1, 1, 0, 1, be64(0, 1<<60+1), one))},
		{"tracks", "mfra/tfra", fmp4.ErrTooLarge, bx("mfra", bytes.Repeat(tfra(0, 1, 0, 0), fmp4.MaxTracks+1))},
		{"child beyond", "mfra/tfra", fmp4.ErrCorrupt, bx("mfra", be32(99), []byte("tfra"))},
	} {
		t.Run(c.name, func(t *testing.T) {
			used := allocated(func() {
				_, err := fmp4.ParseMfra(c.mfra, 0)
				requireKind(t, err, c.kind, c.path)
			})
			require.Less(t, used, uint64(256<<10))
		})
	}
}

func TestFindMfra(t *testing.T) {
	good := withMfro(tfra(0, 1, 0, 0))
	file := cat(bx("ftyp"), good)
	h, ok := fmp4.FindMfra(bytes.NewReader(file), int64(len(file)))
	require.True(t, ok)
	require.Equal(t, fmp4.Box{Type: fmp4.TypeMfra, Offset: 8, Size: int64(len(good)), Header: 8}, h)

	bad := func(change func(b []byte)) []byte {
		b := bytes.Clone(file)
		change(b)
		return b
	}
	n := len(file)
	for name, f := range map[string][]byte{
		"empty":             nil,
		"no mfro":           make([]byte, 100),
		"size of mfro":      bad(func(b []byte) { b[n-13] = 17 }),
		"mfra beyond start": bad(func(b []byte) { copy(b[n-4:], be32(uint32(n+1))) }),
		"mfra huge":         bad(func(b []byte) { copy(b[n-4:], be32(math.MaxUint32)) }),
		"mfra tiny":         bad(func(b []byte) { copy(b[n-4:], be32(16)) }),
		"mfra elsewhere":    bad(func(b []byte) { copy(b[n-4:], be32(uint32(n))) }),
		"other size":        bad(func(b []byte) { b[11]++ }),
		"other type":        bad(func(b []byte) { b[12] = 'M' }),
	} {
		_, ok := fmp4.FindMfra(bytes.NewReader(f), int64(len(f)))
		require.False(t, ok, name)
	}
	for i := range n { // cut at every byte
		_, ok := fmp4.FindMfra(bytes.NewReader(file[:i]), int64(i))
		require.False(t, ok)
		_, ok = fmp4.FindMfra(bytes.NewReader(file[:i]), int64(n)) // shorter than said
		require.False(t, ok)
	}
}

func TestMfraTruncated(t *testing.T) {
	raw := withMfro(tfra(1, 1, 0, 2, be64(0, 10), []byte{1, 1, 1}, be64(1, 20), []byte{1, 1, 1}))
	for n := range len(raw) {
		_, err := fmp4.ParseMfra(raw[:n], 0)
		require.ErrorIs(t, err, fmp4.ErrCorrupt)
		if n < 8 {
			continue
		}
		cut := bytes.Clone(raw[:n])
		copy(cut, be32(uint32(n)))
		if all, err := fmp4.ParseMfra(cut, 0); err == nil {
			for _, a := range all {
				for i := range a.Len() {
					a.At(i)
				}
			}
		}
	}
}

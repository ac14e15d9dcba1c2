package repair_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/archive/internal/lossy"
	"github.com/smoothkit/smoothkit/archive/repair"
	"github.com/smoothkit/smoothkit/internal/fmp4"
	"github.com/smoothkit/smoothkit/smooth"
	"github.com/smoothkit/smoothkit/smooth/smoothtest"
)

// recode writes the fragments in b again with other heads.
func recode(t testing.TB, b []byte, edit func(h *fmp4.FragmentHead)) []byte {
	t.Helper()
	var out []byte
	list, end := moofs(t, b)
	for i, off := range list {
		to := end
		if i+1 < len(list) {
			to = list[i+1]
		}
		size := fmp4.MoofSize(b[off:to])
		m, err := fmp4.ParseMoof(b[off:off+int64(size)], off)
		require.NoError(t, err)
		f := &m.Trafs[0]
		h := fmp4.FragmentHead{Sequence: m.Sequence, TrackID: f.TrackID, Tfxd: f.HasTfxd, Time: f.Time, Duration: f.Duration}
		r := f.Samples(fmp4.Defaults{})
		for s, ok := r.Next(); ok; s, ok = r.Next() {
			h.Samples = append(h.Samples, s)
		}
		edit(&h)
		head, err := h.AppendTo(nil)
		require.NoError(t, err)
		out = append(append(out, head...), b[off+int64(size)+8:to]...)
	}
	return out
}

// bare takes the durations of samples out of the trun boxes of fragments, as an encoder writes them that relies on defaults.
func bare(t testing.TB, b []byte) []byte {
	t.Helper()
	var out []byte
	list, end := moofs(t, b)
	for i, off := range list {
		to := end
		if i+1 < len(list) {
			to = list[i+1]
		}
		size := fmp4.MoofSize(b[off:to])
		out = append(append(out, bareMoof(t, b[off:off+int64(size)])...), b[off+int64(size):to]...)
	}
	return out
}

func bareMoof(t testing.TB, moof []byte) []byte {
	t.Helper()
	at := bytes.Index(moof, []byte("trun")) - 4
	require.Positive(t, at)
	size := int(binary.BigEndian.Uint32(moof[at:]))
	run := bytes.Clone(moof[at : at+size])
	flags := binary.BigEndian.Uint32(run[8:]) & 0xffffff
	require.NotZero(t, flags&0x100)
	pos := 20
	if flags&4 != 0 {
		pos += 4
	}
	n := int(binary.BigEndian.Uint32(run[12:]))
	entry := (size - pos) / max(n, 1)
	short := bytes.Clone(run[:pos])
	for i := range n {
		short = append(short, run[pos+i*entry+4:pos+(i+1)*entry]...)
	}
	binary.BigEndian.PutUint32(short, uint32(len(short)))
	binary.BigEndian.PutUint32(short[8:], binary.BigEndian.Uint32(run[8:])&^0x100)
	less := size - len(short)
	binary.BigEndian.PutUint32(short[16:], binary.BigEndian.Uint32(short[16:])-uint32(less))
	out := append(append(bytes.Clone(moof[:at]), short...), moof[at+size:]...)
	binary.BigEndian.PutUint32(out, uint32(len(out)))
	traf := bytes.Index(out, []byte("traf")) - 4
	binary.BigEndian.PutUint32(out[traf:], binary.BigEndian.Uint32(out[traf:])-uint32(less))
	return out
}

// bareArchive returns an archive without durations of samples, in fragments of so many samples.
func bareArchive(t testing.TB, samples []uint32) *lossy.Store {
	s := lossy.New()
	e := smoothtest.NewEncoder(smoothtest.Config{Streams: []smoothtest.Stream{
		{Type: smooth.Video, Levels: []smoothtest.Level{{Bitrate: 500_000}}}}})
	b := e.Header()
	for i, n := range samples {
		f := recode(t, e.Until(secondsOf(2*(i+1))), func(h *fmp4.FragmentHead) {
			var size uint32
			for _, x := range h.Samples {
				size += x.Size
			}
			h.Samples = h.Samples[:0]
			for k := range n {
				x := fmp4.RunSample{Size: size / n, Duration: 1, Flags: fmp4.FlagsDelta}
				if k == 0 {
					x.Size, x.Flags = size-(n-1)*(size/n), fmp4.FlagsSync
				}
				h.Samples = append(h.Samples, x)
			}
		})
		b = append(b, bare(t, f)...)
	}
	put(t, s, "rec/cam.ismv", b)
	put(t, s, "rec/cam.ism", nil)
	put(t, s, "rec/cam.ismc", nil)
	return s
}

// TestDurationsInTrex: one default fits all fragments.
func TestDurationsInTrex(t *testing.T) {
	for _, n := range []uint32{50, 60} { // 60: not a whole number of ticks
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			s := bareArchive(t, []uint32{n, n, n, n})
			was := get(t, s, "rec/cam.ismv")
			a := durationsMended(t, s)
			require.Equal(t, was, get(t, s, "rec/cam.ismv"))
			now := get(t, s, "rec/cam.repaired.ismv")
			_, end := moofs(t, now)
			require.Len(t, was, int(end), "only the header differs")
			require.Contains(t, a.Findings[0].Text, "one default")
			require.Contains(t, string(get(t, s, "rec/cam.ism")), "cam.repaired.ismv")
		})
	}
}

// TestDurationsInFragments: each fragment needs its own default.
func TestDurationsInFragments(t *testing.T) {
	s := bareArchive(t, []uint32{50, 25, 40, 10})
	a := durationsMended(t, s)
	require.Contains(t, a.Findings[0].Text, "its own")
	_, was := moofs(t, get(t, s, "rec/cam.ismv"))
	_, end := moofs(t, get(t, s, "rec/cam.repaired.ismv"))
	require.EqualValues(t, was+4*4, end)
}

// durationsMended repairs an archive of noise without durations, which the validator would not like for its noise.
func durationsMended(t *testing.T, s *lossy.Store) *repair.Asset {
	t.Helper()
	r, err := repair.Check(t.Context(), s, ".", nil)
	require.False(t, one(t, r, err).Plays)
	whole := payloads(t, s, "rec/cam.ismv")
	r, err = repair.Repair(t.Context(), s, ".", nil)
	a := one(t, r, err)
	require.True(t, a.Plays, "%v", r)
	require.True(t, a.Has(repair.DurationsMissing))
	settled(t, s)
	m := manifestOf(t, s, a.Name)
	require.Len(t, m.Streams[0].Timeline, 4)
	require.InDelta(t, 8e7, m.Duration, 60)
	for k, v := range payloads(t, s, a.Name) {
		k.Bitrate = 0
		found := false
		for o, was := range whole {
			o.Bitrate = 0
			found = found || o == k && was == v
		}
		require.True(t, found, "%v", k)
	}
	return a
}

// TestTimes: fragments that have tfxd and tfdt, only one of them, or none but an index.
func TestTimes(t *testing.T) {
	make := func(t *testing.T, edit func(*fmp4.FragmentHead)) (*lossy.Store, []byte) {
		s := lossy.New()
		e := smoothtest.NewEncoder(smoothtest.Config{Streams: []smoothtest.Stream{
			{Type: smooth.Audio, Start: 5e8, Levels: []smoothtest.Level{{Bitrate: 64_000}}}}})
		b := append(e.Header(), recode(t, e.Until(secondsOf(12)), edit)...)
		put(t, s, "rec/mic.isma", b)
		return s, b
	}
	times := func(t *testing.T, s *lossy.Store) smooth.Timeline {
		return manifestOf(t, s, "rec/mic.ism").Streams[0].Timeline
	}
	var want smooth.Timeline
	for i := range uint64(6) {
		want = append(want, smooth.Chunk{Time: 5e8 + i*2e7, Duration: 2e7})
	}
	for name, edit := range map[string]func(*fmp4.FragmentHead){
		"tfxd": func(*fmp4.FragmentHead) {},
		"both": func(h *fmp4.FragmentHead) { h.Tfdt, h.DecodeTime = true, h.Time },
		"tfdt": func(h *fmp4.FragmentHead) { h.Tfdt, h.DecodeTime, h.Tfxd = true, h.Time, false },
	} {
		t.Run(name, func(t *testing.T) {
			s, _ := make(t, edit)
			mend(t, s)
			require.Equal(t, want, times(t, s))
		})
	}
	none := func(h *fmp4.FragmentHead) { h.Tfxd = false }
	t.Run("index only", func(t *testing.T) {
		s, b := make(t, none)
		list, _ := moofs(t, b)
		var entries []fmp4.TfraEntry
		for i, off := range list {
			entries = append(entries, fmp4.TfraEntry{Time: want[i].Time, Moof: uint64(off)})
		}
		index := fmp4.AppendMfra(nil, []uint32{1}, [][]fmp4.TfraEntry{entries})
		binary.BigEndian.PutUint32(index[len(index)-4:], 5) // which is wrong besides
		put(t, s, "rec/mic.isma", append(b, index...))
		a := mend(t, s)
		require.True(t, a.Has(repair.TimesDerived) && a.Has(repair.MfraBroken), "%+v", a)
		require.Equal(t, want, times(t, s))
	})
	t.Run("none", func(t *testing.T) {
		s, _ := make(t, none)
		a := mend(t, s)
		require.True(t, a.Has(repair.TimesDerived))
		require.Zero(t, times(t, s).Start())
		require.Len(t, times(t, s), 6)
	})
}

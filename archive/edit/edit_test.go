package edit_test

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/archive"
	"github.com/smoothkit/smoothkit/archive/edit"
	"github.com/smoothkit/smoothkit/archive/internal/lossy"
	"github.com/smoothkit/smoothkit/internal/fmp4"
	"github.com/smoothkit/smoothkit/smooth"
	"github.com/smoothkit/smoothkit/smooth/smoothtest"
)

// TestWrite: everything that a presentation has is in the files, byte for byte and at its time.
func TestWrite(t *testing.T) {
	p := smoothtest.New(rich())
	store := lossy.New()
	var last, total int
	r, err := edit.Write(t.Context(), p, store, "out/new", "demo", &edit.Options{Progress: func(done, of int) {
		require.Greater(t, done, last)
		last, total = done, of
	}})
	require.NoError(t, err)
	assert.Zero(t, p.OpenFragments())
	assert.Zero(t, p.Closed())
	assert.Equal(t, "out/new/demo.ism", r.Name)
	assert.ElementsMatch(t, left(t, store, "out/new"), r.Files)
	assert.Equal(t, []string{"out/new/demo.ismc", "out/new/demo.ism"}, r.Files[len(r.Files)-2:])
	all := keys(manifest(t, p))
	assert.Equal(t, []int{len(all), len(all), len(all)}, []int{r.Fragments, last, total})
	assert.Equal(t, []uint64{start, start + 60*second + 16*second/100, 0}, []uint64{r.Start, r.End, r.Shift})
	assert.Equal(t, []int{0, 0, 0}, []int{r.Missing, r.Repeated, r.Dropped})

	q, m := opened(t, store.Crash(random(1)), r.Name)
	sameFragments(t, p, q)
	want := manifest(t, p)
	require.Len(t, m.Streams, len(want.Streams))
	for i, st := range want.Streams {
		got := m.Streams[i]
		assert.Equal(t, []any{st.Type, st.Name, st.Language, st.Subtype, st.Parent, want.TimescaleOf(st)}, []any{got.Type, got.Name, got.Language, got.Subtype, got.Parent, m.TimescaleOf(got)})
		assert.Equal(t, st.Timeline, got.Timeline, st.Name)
		for j, lv := range st.Levels {
			assert.Equal(t, lv.CodecPrivateData, got.Levels[j].CodecPrivateData)
			assert.Equal(t, lv.FourCC, got.Levels[j].FourCC)
		}
	}
	assert.EqualValues(t, 60*second+16*second/100, m.Duration)
}

// TestWriteRefuses: what exists stays as it is.
func TestWriteRefuses(t *testing.T) {
	p := smoothtest.New(event())
	for _, name := range []string{"x/demo.ism", "x/demo.ismc", "x/demo_video_300.ismv"} {
		store := lossy.New()
		require.NoError(t, store.Replace(t.Context(), name, []byte("mine")))
		_, err := edit.Write(t.Context(), p, store, "x", "demo", nil)
		require.ErrorIs(t, err, fs.ErrExist)
		assert.EqualError(t, err, "edit: x/demo: "+name+": file already exists", "%s", name)
		assert.Equal(t, []string{name}, left(t, store, "x"))
	}
	for _, name := range []string{"", "a/b", ".", "..", ".x", `a\b`, "a:b"} {
		_, err := edit.Write(t.Context(), p, lossy.New(), "x", name, nil)
		require.ErrorIs(t, err, smooth.ErrBadRequest, name)
	}
	_, err := edit.Write(t.Context(), p, lossy.New(), "../x", "demo", nil)
	require.ErrorIs(t, err, smooth.ErrBadRequest)
}

// TestCodecChanges: a track has one configuration; the error names track and time.
func TestCodecChanges(t *testing.T) {
	p := smoothtest.New(event())
	other := *mustCodec(t, p, "video", 300_000)
	other.Width, other.SampleEntry, other.PrivateData = 64, nil, append(bytes.Clone(other.PrivateData), 1)
	k := smooth.FragmentKey{Stream: "video", Bitrate: 300_000, Time: start + 20*second}
	const want = "edit: x/demo: the codec configuration of video at 300000 bits/s changes at 160000000200000000 (timescale 10000000) from H264 to H264, which a track cannot: unsupported content"
	store := lossy.New()
	_, err := edit.Write(t.Context(), &faulty{Presentation: p, snapshot: func(s *smooth.Snapshot) *smooth.Snapshot {
		out := smooth.NewSnapshot(s.Manifest, "x")
		out.Periods = []smooth.Period{s.Periods[0], {Start: k.Time, Tracks: []smooth.Track{{Stream: k.Stream, Bitrate: k.Bitrate, Codec: &other}}}}
		return out
	}}, store, "x", "demo", nil)
	require.ErrorIs(t, err, smooth.ErrUnsupported)
	assert.EqualError(t, err, want)
	assert.Empty(t, left(t, store, "x"))

	_, err = edit.Write(t.Context(), &faulty{Presentation: p, fragment: func(got smooth.FragmentKey, f *smooth.Fragment) (*smooth.Fragment, error) {
		if got == k {
			f.Codec = &other
		}
		return f, nil
	}}, store, "x", "demo", nil)
	require.ErrorIs(t, err, smooth.ErrUnsupported)
	assert.ErrorContains(t, err, "changes at 160000000200000000", "which only the fragment tells")
	assert.Empty(t, left(t, store, "x"))
	assert.Zero(t, p.OpenFragments())
}

func mustCodec(t *testing.T, p smooth.Presentation, stream string, rate uint64) *smooth.Codec {
	s, err := p.Snapshot(t.Context())
	require.NoError(t, err)
	return s.Track(smooth.FragmentKey{Stream: stream, Bitrate: rate, Time: start}).Codec
}

// TestMissing: a fragment that one level lacks is counted; the other level has it.
func TestMissing(t *testing.T) {
	c := event()
	c.Streams[0].Durations = smoothtest.Repeat(200, 2*second)
	p := &faulty{Presentation: smoothtest.New(c), fragment: func(k smooth.FragmentKey, f *smooth.Fragment) (*smooth.Fragment, error) {
		if k.Bitrate == 300_000 && k.Time == start+20*second {
			f.Close()
			return nil, smooth.ErrGone
		}
		return f, nil
	}}
	store := lossy.New()
	r, err := edit.Write(t.Context(), p, store, "x", "demo", nil)
	require.NoError(t, err)
	assert.Equal(t, 1, r.Missing)
	_, m := opened(t, store, r.Name)
	require.Len(t, m.Stream("video").Levels, 2)
	require.Len(t, m.Stream("video").Timeline, 200)
	i, ok := m.Stream("video").Timeline.Find(start + 18*second)
	require.True(t, ok)
	assert.EqualValues(t, 2*second, m.Stream("video").Timeline[i].Duration)
}

// TestNothing: what has no fragments is not written.
func TestNothing(t *testing.T) {
	store := lossy.New()
	empty := &faulty{Presentation: smoothtest.New(event()), snapshot: func(s *smooth.Snapshot) *smooth.Snapshot { return smooth.NewSnapshot(&smooth.Manifest{}, "x") }}
	_, err := edit.Write(t.Context(), empty, store, "x", "demo", nil)
	require.ErrorIs(t, err, smooth.ErrNotFound)
	gone := &faulty{Presentation: smoothtest.New(event()), fragment: func(_ smooth.FragmentKey, f *smooth.Fragment) (*smooth.Fragment, error) {
		f.Close()
		return nil, smooth.ErrNotFound
	}}
	_, err = edit.Write(t.Context(), gone, store, "x", "demo", nil)
	require.ErrorIs(t, err, smooth.ErrNotFound)
	clips := &faulty{Presentation: smoothtest.New(event()), snapshot: func(*smooth.Snapshot) *smooth.Snapshot {
		return smooth.NewSnapshot(&smooth.Manifest{Clips: []*smooth.Clip{{}}}, "x")
	}}
	_, err = edit.Write(t.Context(), clips, store, "x", "demo", nil)
	require.ErrorIs(t, err, smooth.ErrUnsupported)
	assert.Empty(t, left(t, store, "x"))
}

// TestTrim: the fragments that overlap the span, whole, at their times or from zero.
func TestTrim(t *testing.T) {
	p := smoothtest.New(rich())
	from, to := smooth.AtTicks(start+11*second, second), smooth.AtTicks(start+20*second, second)
	store := lossy.New()
	r, err := edit.Trim(t.Context(), p, from, to, store, "x", "goal", nil)
	require.NoError(t, err)
	q, m := opened(t, store, r.Name)
	assert.Equal(t, []uint64{start + 10*second, 0}, []uint64{r.Start, r.Shift})
	assert.EqualValues(t, start+10*second, m.Stream("video").Timeline.Start())
	assert.EqualValues(t, start+20*second, m.Stream("video").Timeline.End())
	assert.EqualValues(t, start+20*second+second/10, m.Stream("audio_eng").Timeline.End())
	assert.EqualValues(t, start+7*second, m.Stream("ad").Timeline.Start(), "still counts during the span")
	part, err := smooth.NewFiltered(t.Context(), p, smooth.Filter{Start: from, End: to})
	require.NoError(t, err)
	sameFragments(t, part, q)

	r, err = edit.Trim(t.Context(), p, from, to, store, "x", "zero", &edit.Options{Rebase: true})
	require.NoError(t, err)
	q, m = opened(t, store, r.Name)
	assert.Zero(t, r.Dropped)
	shift := r.Shift
	assert.EqualValues(t, start+10*second, r.Start, "of the source")
	assert.EqualValues(t, start+10*second-0, shift+m.Stream("video").Timeline.Start())
	assert.Zero(t, m.Stream("video").Timeline.Start())
	assert.Zero(t, m.Stream("ad").Timeline[0].Time, "began before")
	assert.EqualValues(t, 17*second, m.Stream("ad").Timeline[0].Duration)
	for _, k := range keys(m) {
		if k.Stream == "ad" {
			continue
		}
		old := k
		old.Time += smooth.Rescale(shift, second, m.TimescaleOf(m.Stream(k.Stream)))
		require.Equal(t, payload(t, p, old), payload(t, q, k))
		b := content(t, q, k)
		h, err := fmp4.Inspect(b[:fmp4.MoofSize(b)], 0, fmp4.Defaults{})
		require.NoError(t, err)
		require.Equal(t, k.Time, h.Time)
	}
	_, err = edit.Trim(t.Context(), p, to, from, store, "x", "odd", nil)
	require.ErrorIs(t, err, smooth.ErrBadRequest)
	_, err = edit.Trim(t.Context(), p, smooth.AtTicks(5, 1), smooth.AtTicks(6, 1), store, "x", "odd", nil)
	require.ErrorIs(t, err, smooth.ErrNotFound)
}

// TestControl: the data of a control stream are in the new client manifest too.
func TestControl(t *testing.T) {
	p := &faulty{Presentation: smoothtest.New(rich()), snapshot: func(s *smooth.Snapshot) *smooth.Snapshot {
		m := *s.Manifest
		m.Streams = append([]*smooth.Stream(nil), m.Streams...)
		last := *m.Streams[len(m.Streams)-1]
		last.ManifestOutput = true
		m.Streams[len(m.Streams)-1] = &last
		out := smooth.NewSnapshot(&m, "x")
		out.Periods = s.Periods
		return out
	}}
	store := lossy.New()
	r, err := edit.Write(t.Context(), p, store, "x", "demo", nil)
	require.NoError(t, err)
	_, m := opened(t, store, r.Name)
	ad := m.Stream("ad")
	require.True(t, ad.ManifestOutput)
	require.Len(t, ad.Embedded, 3)
	assert.Equal(t, payload(t, p, smooth.FragmentKey{Stream: "ad", Time: start + 7*second}), ad.Embedded[1][0].Data)
}

// TestProtected: headers of content protection and encrypted sample entries go along.
func TestProtected(t *testing.T) {
	h := smooth.ProtectionHeader{SystemID: "9a04f079-9840-4286-ab92-e65be0885f95", Data: []byte("object")}
	p := &faulty{Presentation: smoothtest.New(event()), snapshot: func(s *smooth.Snapshot) *smooth.Snapshot {
		m := *s.Manifest
		m.Protection = []smooth.ProtectionHeader{h}
		out := smooth.NewSnapshot(&m, "x")
		out.Periods = s.Periods
		return out
	}}
	store := lossy.New()
	r, err := edit.Write(t.Context(), p, store, "x", "demo", nil)
	require.NoError(t, err)
	_, m := opened(t, store, r.Name)
	assert.Equal(t, []smooth.ProtectionHeader{h}, m.Protection)
	require.NoError(t, store.Remove(t.Context(), "x/demo.ismc"))
	_, m = opened(t, store, r.Name)
	assert.Equal(t, []smooth.ProtectionHeader{h}, m.Protection, "in the files too")
	h.SystemID = "?"
	_, err = edit.Write(t.Context(), p, store, "x", "other", nil)
	require.ErrorIs(t, err, smooth.ErrUnsupported)
}

// TestFaults: after an error of the store, or of the source, at any point nothing is left, and nothing is open.
func TestFaults(t *testing.T) {
	broken := errors.New("broken")
	for n := 0; ; n++ {
		store, count, failed := lossy.New(), 0, lossy.Op("")
		store.SetFault(func(op lossy.Op, name string, _ int64) error {
			if op == lossy.Remove {
				return nil
			}
			if count++; count == n+1 {
				failed = op
				return broken
			}
			return nil
		})
		p := smoothtest.New(short())
		_, err := edit.Write(t.Context(), p, store, "x", "demo", nil)
		require.Zero(t, p.OpenFragments())
		if failed == "" {
			require.NoError(t, err)
			require.Greater(t, n, 20)
			break
		}
		if err == nil { // a fault that nothing depends on, such as a look at an old client manifest
			require.Contains(t, []lossy.Op{lossy.Open, lossy.Stat, lossy.Read, lossy.ReadDir}, failed)
			continue
		}
		require.Empty(t, left(t, store, "x"), "%s, operation %d", failed, n)
	}
	store := lossy.New()
	ctx, cancel := context.WithCancel(t.Context())
	p := smoothtest.New(short())
	_, err := edit.Write(ctx, p, store, "x", "demo", &edit.Options{Progress: func(done, _ int) {
		if done == 3 {
			cancel()
		}
	}})
	require.ErrorIs(t, err, context.Canceled)
	assert.Empty(t, left(t, store, "x"))
	_, err = edit.Write(t.Context(), &faulty{Presentation: p, fragment: func(k smooth.FragmentKey, f *smooth.Fragment) (*smooth.Fragment, error) {
		if k.Time > start {
			f.Close()
			return nil, broken
		}
		return f, nil
	}}, store, "x", "demo", nil)
	require.ErrorIs(t, err, broken)
	assert.Empty(t, left(t, store, "x"))
}

// short is an event of few operations.
func short() smoothtest.Config {
	c := event()
	for i := range c.Streams {
		c.Streams[i].Durations = smoothtest.Repeat(3, 2*second)
	}
	return c
}

// TestPowerCut: whenever the power fails, either nobody takes what is there for a presentation, or it is the whole one. When Write has
// returned it is there.
func TestPowerCut(t *testing.T) {
	p := smoothtest.New(short())
	for seed := uint64(1); ; seed++ {
		var after *lossy.Store
		store, count := lossy.New(), uint64(0)
		store.SetFault(func(op lossy.Op, _ string, _ int64) error {
			if op == lossy.Open || op == lossy.Stat || op == lossy.Read || op == lossy.ReadDir {
				return nil
			}
			if count++; count == seed {
				after = store.Crash(random(seed))
			}
			return nil
		})
		r, err := edit.Write(t.Context(), p, store, "x", "demo", nil)
		if after == nil {
			require.NoError(t, err)
			require.Greater(t, seed, uint64(20))
			q, _ := opened(t, store.Crash(random(seed)), r.Name)
			sameFragments(t, p, q)
			return
		}
		require.ErrorIs(t, err, lossy.ErrPower)
		if _, err := after.Stat(t.Context(), "x/demo.ism"); err == nil {
			q, _ := opened(t, after, "x/demo.ism")
			sameFragments(t, p, q)
		}
	}
}

// TestDir writes to a directory of the operating system.
func TestDir(t *testing.T) {
	store, err := archive.Dir(t.TempDir())
	require.NoError(t, err)
	defer store.Close()
	p := smoothtest.New(event())
	r, err := edit.Write(t.Context(), p, store, "out", "demo", nil)
	require.NoError(t, err)
	q, _ := opened(t, store, r.Name)
	sameFragments(t, p, q)
}

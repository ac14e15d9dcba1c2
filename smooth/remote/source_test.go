package remote_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/smooth"
	"github.com/smoothkit/smoothkit/smooth/remote"
	"github.com/smoothkit/smoothkit/smooth/smoothtest"
	"github.com/smoothkit/smoothkit/smooth/validate"
)

const sampleName = "sample/sample.ism"

// TestOnDemand serves an origin over real sockets, and what comes out is what the origin sends.
func TestOnDemand(t *testing.T) {
	src := smoothtest.NewSource()
	srv := httptest.NewServer(http.StripPrefix("/video", smooth.NewHandler(src, nil)))
	defer srv.Close()
	s, err := remote.New(srv.URL+"/video/", nil)
	require.NoError(t, err)
	defer s.Close()
	p := openNamed(t, s, sampleName)
	own, err := src.Open(t.Context(), sampleName)
	require.NoError(t, err)
	want, got := snapshot(t, own), snapshot(t, p)
	require.Len(t, got.Manifest.Streams, len(want.Manifest.Streams))
	for i, st := range want.Manifest.Streams {
		assert.Equal(t, st.Timeline, got.Manifest.Streams[i].Timeline)
		assert.Equal(t, st.URL, got.Manifest.Streams[i].URL)
		assert.Len(t, got.Manifest.Streams[i].Levels, len(st.Levels))
	}
	assert.True(t, got.Ended)
	assert.Nil(t, got.Edges)
	require.Len(t, got.Periods, 1)
	assert.True(t, got.Periods[0].Wall.IsZero())

	edge := smooth.NewHandler(s, nil)
	for _, k := range keysOf(want) {
		ours, theirs := fragment(t, p, k), fragment(t, own, k)
		assert.Equal(t, whole(t, theirs), whole(t, ours), "%+v", k)
		assert.Equal(t, k, ours.Key)
		assert.Equal(t, theirs.Duration, ours.Duration)
		assert.NotNil(t, ours.Codec)
	}
	w := httptest.NewRecorder()
	edge.ServeHTTP(w, httptest.NewRequest("GET", "/sample/sample.ism/QualityLevels(400000)/Fragments(video=20000000)", nil))
	assert.Equal(t, http.StatusOK, w.Code)
	w = httptest.NewRecorder()
	edge.ServeHTTP(w, httptest.NewRequest("GET", "/sample/sample.ism/Manifest", nil))
	require.Equal(t, http.StatusOK, w.Code)
	m, err := smooth.ParseManifest(w.Body.Bytes())
	require.NoError(t, err)
	assert.Len(t, m.Streams, 4)
}

// TestValidates has the validator look at a source in front of another one.
func TestValidates(t *testing.T) {
	s := newSource(t, origin(smoothtest.NewSource()), nil)
	report, err := validate.Source(t.Context(), s, sampleName, nil)
	require.NoError(t, err)
	assert.Zero(t, report.Errors(), "%+v", report.Violations)
}

// TestValidators are equal on two nodes and differ between contents.
func TestValidators(t *testing.T) {
	src := smoothtest.NewSource()
	c := smoothtest.Default()
	c.Streams[0].Durations[3]--
	src.Add("other.ism", smoothtest.New(c))
	a, b := newSource(t, origin(src), nil), newSource(t, origin(src), nil)
	first := snapshot(t, openNamed(t, a, sampleName)).Validator
	assert.NotEmpty(t, first)
	assert.Equal(t, first, snapshot(t, openNamed(t, b, sampleName)).Validator)
	assert.NotEqual(t, first, snapshot(t, openNamed(t, b, "other.ism")).Validator)
}

func TestNew(t *testing.T) {
	for _, base := range []string{"", "origin/video", "/video", "ftp://origin/", "http://", "http://a b/", "http://origin/%zz?token=secret"} {
		_, err := remote.New(base, nil)
		require.Error(t, err, base)
		assert.NotContains(t, err.Error(), "secret")
		_, err = remote.Open(t.Context(), base, nil)
		require.Error(t, err, base)
	}
	_, err := remote.New("http://origin/", &remote.Options{Fallback: []string{"nowhere"}})
	require.Error(t, err)
	for _, base := range []string{"http://origin/x.isml/Manifest", "http://origin/a/x.ism"} {
		_, err = remote.New(base, nil)
		assert.ErrorContains(t, err, "use Open", base)
	}
	_, err = remote.New("http://origin/", &remote.Options{Timeout: -1})
	require.Error(t, err)
	_, err = remote.Open(t.Context(), "http://origin/x.ism/Manifest", &remote.Options{Revalidate: -1})
	require.Error(t, err)
}

func TestNames(t *testing.T) {
	d := origin(smoothtest.NewSource())
	s := newSource(t, d, nil)
	for _, name := range []string{"", "sample", "sample.mp4", "../sample.ism", "/a.ism", "a//b.ism", `a\b.ism`, "a\x00.ism", "a.ism/"} {
		_, err := s.Open(t.Context(), name)
		assert.ErrorIs(t, err, smooth.ErrNotFound, name)
	}
	assert.Empty(t, d.asked)
	_, err := s.Open(t.Context(), "none.ism")
	assert.ErrorIs(t, err, smooth.ErrNotFound)
	assert.Equal(t, 1, d.count("/none.ism/Manifest"))

	var path string
	escaped := newDirect(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { path = r.URL.EscapedPath(); http.NotFound(w, r) }))
	_, err = newSource(t, escaped, nil).Open(t.Context(), "été/50% (a)#?.ism")
	assert.ErrorIs(t, err, smooth.ErrNotFound)
	assert.Equal(t, "/video/%C3%A9t%C3%A9/50%25%20(a)%23%3F.ism/Manifest", path)
}

// TestKeys that lead nowhere cost no request.
func TestKeys(t *testing.T) {
	d := origin(smoothtest.NewSource())
	p := openNamed(t, newSource(t, d, nil), sampleName)
	before := d.count("")
	for _, k := range []smooth.FragmentKey{
		{Stream: "none", Bitrate: 400_000}, {Stream: "video", Bitrate: 1}, {Stream: "video", Bitrate: 400_000, Time: 1},
		{Stream: "video", Bitrate: 400_000, Attrs: "a=b"}, {Stream: "video", Bitrate: 400_000, Time: 30 * second},
	} {
		_, err := p.Fragment(t.Context(), k)
		assert.ErrorIs(t, err, smooth.ErrNotFound, "%+v", k)
		assert.ErrorIs(t, p.(smooth.Waiter).Wait(t.Context(), k), smooth.ErrNotFound, "%+v", k)
	}
	assert.Equal(t, before, d.count(""))
	_, isSizer := p.(smooth.Sizer)
	assert.False(t, isSizer)
	assert.NoError(t, p.(smooth.Waiter).Wait(t.Context(), smooth.FragmentKey{Stream: "video", Bitrate: 400_000}))
}

// gate is a handler that holds requests back.
type gate struct {
	http.Handler
	open    chan struct{}
	entered atomic.Int32
}

func (g *gate) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	g.entered.Add(1)
	select {
	case <-g.open:
		g.Handler.ServeHTTP(w, r)
	case <-r.Context().Done():
	}
}

// TestCoalesced: many who want the same share one request, and the first one to leave does not end it.
func TestCoalesced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &gate{Handler: origin(smoothtest.NewSource()), open: make(chan struct{})}
		s := newSource(t, newDirect(g), nil)
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		var opened [20]smooth.Presentation
		wg.Go(func() {
			_, err := s.Open(ctx, sampleName)
			assert.ErrorIs(t, err, context.Canceled)
		})
		synctest.Wait()
		for i := range opened {
			wg.Go(func() {
				var err error
				opened[i], err = s.Open(t.Context(), sampleName)
				assert.NoError(t, err)
			})
		}
		synctest.Wait()
		cancel()
		synctest.Wait()
		close(g.open)
		wg.Wait()
		assert.EqualValues(t, 1, g.entered.Load())

		g.open = make(chan struct{})
		k := smooth.FragmentKey{Stream: "video", Bitrate: 400_000}
		ctx, cancel = context.WithCancel(t.Context())
		wg.Go(func() {
			_, err := opened[0].Fragment(ctx, k)
			assert.ErrorIs(t, err, context.Canceled)
		})
		synctest.Wait()
		for i := range opened {
			wg.Go(func() {
				f, err := opened[i].Fragment(t.Context(), k)
				if assert.NoError(t, err) {
					f.Close()
				}
			})
		}
		synctest.Wait()
		cancel()
		synctest.Wait()
		close(g.open)
		wg.Wait()
		assert.EqualValues(t, 2, g.entered.Load())
		assert.EqualValues(t, 1, s.Stats().Loads)
		for _, p := range opened {
			p.Close()
		}
	})
}

// TestCache keeps the fragments used last, as far as its bound goes.
func TestCache(t *testing.T) {
	d := origin(smoothtest.NewSource())
	o := options(d)
	o.CacheBytes = 20 << 10
	s := newSource(t, d, o)
	p := openNamed(t, s, sampleName)
	get := func(n uint64) {
		k := smooth.FragmentKey{Stream: "video", Bitrate: 400_000, Time: n * 2 * second}
		f, err := p.Fragment(t.Context(), k)
		require.NoError(t, err)
		f.Close()
	}
	get(0)
	get(0)
	assert.EqualValues(t, 1, s.Stats().Loads)
	assert.EqualValues(t, 1, s.Stats().Hits)
	for n := range uint64(10) {
		get(n)
		assert.LessOrEqual(t, s.Stats().CachedBytes, o.CacheBytes)
	}
	assert.EqualValues(t, 10, s.Stats().Loads)
	get(9)
	assert.EqualValues(t, 10, s.Stats().Loads)
	get(0)
	assert.EqualValues(t, 11, s.Stats().Loads)

	o.CacheBytes = -1
	s = newSource(t, d, o)
	p = openNamed(t, s, sampleName)
	get(0)
	get(0)
	assert.EqualValues(t, 2, s.Stats().Loads)
	assert.Zero(t, s.Stats().Fragments)
}

// TestFragmentsOutliveTheCache: a fragment in use keeps its bytes when the cache and the source are gone.
func TestFragmentsOutliveTheCache(t *testing.T) {
	src := smoothtest.NewSource()
	s, err := remote.New("http://origin/video", options(origin(src)))
	require.NoError(t, err)
	p, err := s.Open(t.Context(), sampleName)
	require.NoError(t, err)
	k := smooth.FragmentKey{Stream: "video", Bitrate: 400_000}
	f := fragment(t, p, k)
	require.NoError(t, s.Close())
	require.NoError(t, s.Close())
	own, err := src.Open(t.Context(), sampleName)
	require.NoError(t, err)
	assert.Equal(t, whole(t, fragment(t, own, k)), whole(t, f))
	_, err = p.Fragment(t.Context(), k)
	assert.ErrorIs(t, err, smooth.ErrClosed)
	_, err = p.Snapshot(t.Context())
	assert.ErrorIs(t, err, smooth.ErrClosed)
	_, err = s.Open(t.Context(), sampleName)
	assert.ErrorIs(t, err, smooth.ErrClosed)
	assert.NoError(t, p.Close())
}

// TestBounds of what is kept open.
func TestBounds(t *testing.T) {
	src := smoothtest.NewSource()
	for _, name := range []string{"a.ism", "b.ism", "c.ism"} {
		src.Add(name, smoothtest.New(smoothtest.Default()))
	}
	d := origin(src)
	o := options(d)
	o.MaxPresentations = 2
	s := newSource(t, d, o)
	first := openNamed(t, s, "a.ism")
	for _, name := range []string{"b.ism", "c.ism", "b.ism", "none.ism"} {
		if p, err := s.Open(t.Context(), name); err == nil {
			p.Close()
		}
	}
	assert.EqualValues(t, 2, s.Stats().Presentations)
	assert.Equal(t, 1, d.count("/b.ism/Manifest"))
	fragment(t, first, smooth.FragmentKey{Stream: "video", Bitrate: 400_000}) // still in use
	openNamed(t, s, "a.ism")
	assert.Equal(t, 2, d.count("/a.ism/Manifest"))

	o.MaxPresentations, o.MaxIndexBytes = 0, 1
	s = newSource(t, d, o)
	openNamed(t, s, "a.ism")
	openNamed(t, s, "b.ism")
	assert.EqualValues(t, 1, s.Stats().Presentations)
}

// clock is a time that a test sets.
type clock struct{ ns atomic.Int64 }

func (c *clock) now() time.Time          { return time.Unix(1_700_000_000, c.ns.Load()) }
func (c *clock) advance(d time.Duration) { c.ns.Add(int64(d)) }

// TestRevalidate asks whether the manifest has changed, and follows it.
func TestRevalidate(t *testing.T) {
	src := smoothtest.NewSource()
	src.Add("a.ism", smoothtest.New(smoothtest.Default()))
	d := origin(src)
	o := options(d)
	var c clock
	o.Now = c.now
	s := newSource(t, d, o)
	p := openNamed(t, s, "a.ism")
	before := snapshot(t, p)
	k := smooth.FragmentKey{Stream: "video", Bitrate: 400_000}
	old := fragment(t, p, k)

	c.advance(59 * time.Second)
	openNamed(t, s, "a.ism")
	assert.Equal(t, 1, d.count("/Manifest"))
	c.advance(time.Second)
	assert.Same(t, before, snapshot(t, openNamed(t, s, "a.ism")))
	assert.Equal(t, 2, d.count("/Manifest"))

	shorter := smoothtest.Default()
	for i := range shorter.Streams {
		shorter.Streams[i].Durations = shorter.Streams[i].Durations[:2]
	}
	shorter.MaxPayload = 1000
	src.Add("a.ism", smoothtest.New(shorter))
	c.advance(time.Minute)
	after := snapshot(t, openNamed(t, s, "a.ism"))
	assert.Len(t, after.Manifest.Streams[0].Timeline, 2)
	assert.NotEqual(t, before.Validator, after.Validator)
	select {
	case <-before.Superseded():
	default:
		t.Error("the old snapshot is not superseded")
	}
	assert.NotEqual(t, old.Size(), fragment(t, p, k).Size(), "what is kept is of the old content")

	src.Add("a.ism", nil)
	c.advance(time.Minute)
	_, err := s.Open(t.Context(), "a.ism")
	assert.ErrorIs(t, err, smooth.ErrNotFound)
	assert.Same(t, after, snapshot(t, p), "those who have it open keep it")
	src.Add("a.ism", smoothtest.New(shorter))
	_, err = s.Open(t.Context(), "a.ism")
	assert.ErrorIs(t, err, smooth.ErrNotFound, "an error stands for a second")
	c.advance(time.Second)
	openNamed(t, s, "a.ism")
}

// TestErrorsStandShortly: a load that failed is not repeated at once.
func TestErrorsStandShortly(t *testing.T) {
	src := smoothtest.NewSource()
	d := origin(src)
	o := options(d)
	var c clock
	o.Now = c.now
	s := newSource(t, d, o)
	for range 3 {
		_, err := s.Open(t.Context(), "late.ism")
		assert.ErrorIs(t, err, smooth.ErrNotFound)
	}
	assert.Equal(t, 1, d.count("/late.ism/Manifest"))
	src.Add("late.ism", smoothtest.New(smoothtest.Default()))
	c.advance(time.Second)
	openNamed(t, s, "late.ism")
}

// TestOpen opens one presentation by the URL of its manifest.
func TestOpen(t *testing.T) {
	d := origin(smoothtest.NewSource())
	p, err := remote.Open(t.Context(), "http://origin/video/sample/sample.ism/manifest?token=1", options(d))
	require.NoError(t, err)
	k := smooth.FragmentKey{Stream: "audio_eng", Bitrate: 96_000}
	f := fragment(t, p, k)
	assert.NotZero(t, f.Size())
	require.NoError(t, p.Close())
	_, err = p.Fragment(t.Context(), k)
	assert.ErrorIs(t, err, smooth.ErrClosed)

	_, err = remote.Open(t.Context(), "http://origin/video/none.ism/manifest", options(d))
	assert.ErrorIs(t, err, smooth.ErrNotFound)
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		g := &gate{open: make(chan struct{})}
		_, err = remote.Open(ctx, "http://origin/video/sample/sample.ism/manifest", options(newDirect(g)))
		assert.ErrorIs(t, err, context.DeadlineExceeded)
	})
}

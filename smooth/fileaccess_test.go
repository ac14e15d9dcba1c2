package smooth_test

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/smooth"
	"github.com/smoothkit/smoothkit/smooth/smoothtest"
)

func TestFileSourceResolve(t *testing.T) {
	src := smooth.FS(fstest.MapFS{
		"Event/Film_300.TS": {Data: []byte("a")},
		"Event/two.ts":      {Data: []byte("b")},
		"Event/TWO.ts":      {Data: []byte("c")},
	}, nil)
	defer src.Close()
	for _, c := range []struct{ name, want string }{
		{"Event/Film_300.TS", "Event/Film_300.TS"},
		{"event/film_300.ts", "Event/Film_300.TS"},
		{"Event/two.ts", "Event/two.ts"},
		{"Event/Two.ts", ""}, // ambiguous
		{"Event", ""},        // a directory
		{"Event/none.ts", ""},
		{"../Event/two.ts", ""},
		{"/Event/two.ts", ""},
		{"Event/con.ts", ""},
		{"", ""},
	} {
		got, err := src.Resolve(t.Context(), c.name)
		if c.want == "" {
			assert.ErrorIs(t, err, smooth.ErrNotFound, c.name)
			continue
		}
		require.NoError(t, err, c.name)
		assert.Equal(t, c.want, got)
	}
	f, err := src.Files().Open(t.Context(), "Event/Film_300.TS")
	require.NoError(t, err)
	assert.EqualValues(t, 1, f.Size())
	require.NoError(t, f.Close())
}

func TestUnfiltered(t *testing.T) {
	base := smoothtest.New(smoothtest.Default())
	p, err := smooth.NewFiltered(t.Context(), plain{base}, smooth.Filter{MaxHeight: 400})
	require.NoError(t, err)
	assert.Equal(t, plain{base}, p.(interface{ Unfiltered() smooth.Presentation }).Unfiltered())
}

// TestNotSmooth: a presentation that Smooth Streaming cannot show says so whatever a manifest request asks for, and
// cannot be a clip of a composite.
func TestNotSmooth(t *testing.T) {
	inner, err := smoothtest.New(smoothtest.Default()).Snapshot(t.Context())
	require.NoError(t, err)
	snap := smooth.NewSnapshot(inner.Manifest, "v")
	snap.NotSmooth = &smooth.UnsupportedError{Stream: "video", Reason: "it is stored as something else"}
	src := &fakeSource{name: "a.ism", p: &fakePresentation{snapshot: snap}}
	h := smooth.NewHandler(src, &smooth.HandlerOptions{ChildQuery: []string{"token"}})
	for _, target := range []string{
		"/a.ism/Manifest", "/a.ism/Manifest(format=fmp4-v20)", "/a.ism/Manifest?token=x", "/a.ism/Manifest?filter=type%3D%3D%22video%22",
	} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, target, nil))
		assert.Equal(t, http.StatusUnsupportedMediaType, w.Code, target)
		assert.Contains(t, w.Body.String(), "stored as something else", target)
	}
	m := &smooth.Manifest{Clips: []*smooth.Clip{{URL: "a.ism/Manifest", End: 100_000_000, Streams: inner.Manifest.Streams}}}
	_, err = smooth.NewComposite(src, "c.csm", m, nil).Snapshot(t.Context())
	assert.ErrorIs(t, err, smooth.ErrUnsupported)
}

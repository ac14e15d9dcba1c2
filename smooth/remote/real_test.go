package remote_test

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/internal/testmedia"
	"github.com/smoothkit/smoothkit/smooth"
	"github.com/smoothkit/smoothkit/smooth/remote"
)

// TestRealManifests opens every client manifest of the shared test data, and writes it again for viewers.
func TestRealManifests(t *testing.T) {
	dir := testmedia.Shared(t, "smooth/manifests")
	names, err := os.ReadDir(dir)
	require.NoError(t, err)
	refused := map[string]string{
		"iis-docs-composite-rce-4.ismc": "composite manifest",
		// It states neither Url nor anything else of where fragments are.
		"media3-sample_ismc_1.ismc": "nothing that can be shown",
	}
	d := newDirect(http.FileServer(http.Dir(dir)))
	opened := 0
	for _, e := range names {
		p, err := remote.Open(t.Context(), "http://origin/"+e.Name(), options(d))
		if want := refused[e.Name()]; err != nil && want != "" {
			assert.ErrorContains(t, err, want, e.Name())
			continue
		}
		if !assert.NoError(t, err, e.Name()) {
			continue
		}
		opened++
		s := snapshot(t, p)
		_, err = s.Manifest.AppendXML(nil, nil)
		assert.NoError(t, err, e.Name())
		for _, tr := range s.Periods[0].Tracks {
			assert.NotNil(t, tr.Codec, e.Name())
		}
		for _, st := range s.Manifest.Streams {
			assert.True(t, strings.HasPrefix(st.URL, "QualityLevels({bitrate}"), "%s: %s", e.Name(), st.URL)
		}
		assert.NoError(t, p.Close())
	}
	assert.Greater(t, opened, 4)
}

// TestRealPresentation serves a manifest with templates of its own and the fragments that belong to it, which have no
// tfxd.
func TestRealPresentation(t *testing.T) {
	fragments := testmedia.Shared(t, "smooth/fragments/rx-player")
	manifest := testmedia.Shared(t, "smooth/manifests/rx-Manifest_Regular.xml")
	d := newDirect(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		level, call, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/content/"), "/")
		switch {
		case r.URL.Path == "/content/Manifest.xml":
			http.ServeFile(w, r, manifest)
		case strings.HasPrefix(call, "Fragmentsvideo="):
			name := strings.TrimPrefix(level, "QualityLevels") + "-Fragments(video=" + strings.TrimPrefix(call, "Fragmentsvideo=") + ").mp4"
			http.ServeFile(w, r, filepath.Join(fragments, name))
		case strings.HasPrefix(call, "Fragmentsaudio_und="):
			http.ServeFile(w, r, filepath.Join(fragments, "Fragments(audio_und="+strings.TrimPrefix(call, "Fragmentsaudio_und=")+").mp4"))
		default:
			http.NotFound(w, r)
		}
	}))
	p, err := remote.Open(t.Context(), "http://origin/content/Manifest.xml", options(d))
	require.NoError(t, err)
	defer p.Close()
	for _, k := range []smooth.FragmentKey{
		{Stream: "video", Bitrate: 300_000}, {Stream: "video", Bitrate: 2_100_000, Time: 740_000_000},
		{Stream: "audio_und", Bitrate: snapshot(t, p).Manifest.Stream("audio_und").Levels[0].Bitrate, Time: 20_053_333},
	} {
		f := fragment(t, p, k)
		duration := uint64(0)
		for s, err := range f.Samples() {
			require.NoError(t, err)
			duration += uint64(s.Duration)
		}
		assert.InDelta(t, float64(f.Duration), float64(duration), 1_000_000, "%+v", k)
		_, err := f.Header(smooth.CMAF)
		assert.NoError(t, err)
	}
	_, err = p.Fragment(t.Context(), smooth.FragmentKey{Stream: "video", Bitrate: 300_000, Time: 20_020_000})
	assert.ErrorIs(t, err, smooth.ErrNotFound)
}

// TestCustomAttributes: levels of one bit rate are told apart by what the template says, and a key without attributes
// means the only level of a bit rate.
func TestCustomAttributes(t *testing.T) {
	b := testmedia.SharedFile(t, "smooth/manifests/iis-docs-multiple-camera-angles-1.ismc")
	var asked string
	d := newDirect(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "Manifest") {
			_, _ = w.Write(b)
			return
		}
		asked = r.URL.EscapedPath()
		http.NotFound(w, r)
	}))
	p, err := remote.Open(t.Context(), "http://origin/x.ism/Manifest", options(d))
	require.NoError(t, err)
	defer p.Close()
	k := smooth.FragmentKey{Stream: "video", Bitrate: 950_000, Attrs: "CameraAngle=Camera1", Time: line(t, p, "video").Start()}
	_, err = p.Fragment(t.Context(), k)
	assert.ErrorIs(t, err, smooth.ErrNotFound)
	assert.Equal(t, "/x.ism/QualityLevels(950000,CameraAngle=Camera1)/Fragments(video=0)", asked)
	k.Attrs = ""
	asked = ""
	_, err = p.Fragment(t.Context(), k)
	assert.ErrorIs(t, err, smooth.ErrNotFound)
	assert.Empty(t, asked)
}

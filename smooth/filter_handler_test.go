package smooth_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/smooth"
	"github.com/smoothkit/smoothkit/smooth/smoothtest"
)

// fetch returns status and body of a GET request.
func fetch(h *smooth.Handler, target string) (int, string) {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest("GET", target, nil))
	return w.Code, w.Body.String()
}

func TestHandlerFiltersManifests(t *testing.T) {
	named := map[string]smooth.Filter{"mobile": {MaxHeight: 360}, "half": {Start: smooth.AtTicks(0, 1), End: smooth.AtTicks(15, 1)}}
	h := smooth.NewHandler(smoothtest.NewSource(), &smooth.HandlerOptions{Filters: named})
	const all = "audio_eng(96)0-30 audio_fra(96)0-30 text_eng(1)0-30 "
	expr := func(s string) string { return "/sample/sample.ism/Manifest?filter=" + url.QueryEscape(s) }
	tests := []struct {
		target string
		status int
		want   string
	}{
		{"/sample/sample.ism/Manifest(filter=mobile)", 200, "video(1200,400)0-30 " + all},
		{"/sample/sample.ism/manifest(format=fmp4-v20,filter=mobile)", 200, "video(1200,400)0-30 " + all},
		{"/sample/sample.ism/Manifest(filter=mobile;half)", 200, "video(1200,400)0-16 audio_eng(96)0-16 audio_fra(96)0-16 text_eng(1)0-20 "},
		{"/sample/sample.ism/Manifest(audioTrack=audio_fra,maxBitrate=500000)", 200, "video(400)0-30 audio_fra(96)0-30 text_eng(1)0-30 "},
		{"/sample/sample.ism/Manifest%28startTime=PT5S%2CendTime=PT9S%2Caudio-only%29", 200, "audio_eng(96)4-10 audio_fra(96)4-10 "},
		{expr(`type=="video"&&systemBitrate<2000000`), 200, "video(1200,400)0-30 "},
		{"/sample/sample.ism/Manifest?vbegin=5&vend=9&filter=mobile", 200, "video(1200,400)4-10 audio_eng(96)4-10 audio_fra(96)4-10 text_eng(1)0-10 "},
		{"/sample/sample.ism/Manifest?t=5-9&token=x", 200, "video(3000,1200,400)4-10 audio_eng(96)4-10 audio_fra(96)4-10 text_eng(1)0-10 "},
		{"/sample/sample.ism/Manifest(filter=nobody)", 404, ""},
		{"/sample/sample.ism/Manifest(trackName=nobody)", 404, ""},
		{"/sample/sample.ism/Manifest(startTime=soon)", 400, ""},
		{expr(`type==`), 400, ""},
		{expr(strings.Repeat("(", 100)), 400, ""},
	}
	for _, tt := range tests {
		status, body := fetch(h, tt.target)
		require.Equal(t, tt.status, status, tt.target)
		if status != 200 {
			continue
		}
		m, err := smooth.ParseManifest([]byte(body))
		require.NoError(t, err)
		assert.Equal(t, tt.want, shown(m), tt.target)
	}
}

func TestHandlerFilteredETag(t *testing.T) {
	h := smooth.NewHandler(smoothtest.NewSource(), nil)
	tag := func(target string) string {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest("GET", target, nil))
		require.Equal(t, 200, w.Code)
		return w.Header().Get("ETag")
	}
	plain, filtered := tag("/sample/sample.ism/Manifest"), tag("/sample/sample.ism/Manifest(audio-only)")
	assert.NotEmpty(t, plain)
	assert.NotEqual(t, plain, filtered)
	assert.Equal(t, filtered, tag("/sample/sample.ism/Manifest?filter=type%3D%3D%22audio%22"))
}

func TestHandlerPlaysComposite(t *testing.T) {
	src := smoothtest.NewSource()
	m, err := smooth.BuildComposite([]smooth.ClipSpec{
		spec(t, src, "sample.ism/Manifest", "sample/sample.ism", 5, 9),
		spec(t, src, "sample.ism/Manifest", "sample/sample.ism", 20, 22),
	})
	require.NoError(t, err)
	src.Add("sample/cut.csm", smooth.NewComposite(src, "sample/cut.csm", m, nil))
	far := m.Clone()
	for _, c := range far.Clips {
		c.URL = "http://origin.example/" + c.URL
	}
	src.Add("sample/far.csm", smooth.NewComposite(src, "sample/far.csm", far, nil))
	h := smooth.NewHandler(src, nil)

	for target, host := range map[string]string{"/sample/cut.csm": "", "/sample/far.csm": "http://origin.example/"} {
		status, body := fetch(h, target)
		require.Equal(t, 200, status, target)
		got, err := smooth.ParseManifest([]byte(body))
		require.NoError(t, err)
		require.Len(t, got.Clips, 2)
		assert.Equal(t, host+"sample.ism/Manifest", got.Clips[0].URL)
	}
	status, _ := fetch(h, "/sample/far.csm/Manifest")
	assert.GreaterOrEqual(t, status, 400, "clips elsewhere cannot be played from here")

	status, body := fetch(h, "/sample/cut.csm/Manifest")
	require.Equal(t, 200, status)
	got, err := smooth.ParseManifest([]byte(body))
	require.NoError(t, err)
	assert.Equal(t, "video(3000,1200,400)0-8 audio_eng(96)0-8 ", shown(got))
	status, body = fetch(h, "/sample/cut.csm/QualityLevels(400000)/Fragments(video=60000000)")
	require.Equal(t, 200, status)
	assert.Equal(t, "moof", body[4:8])
}

// childOutput answers with the URL of a child.
type childOutput struct{}

func (childOutput) Formats() []string { return []string{"list"} }

func (childOutput) Serve(w http.ResponseWriter, _ *http.Request, q *smooth.Request, p smooth.Presentation) error {
	child := q.Child()
	child.Kind, child.Format, child.Key = smooth.TrackManifestRequest, "list", smooth.FragmentKey{Stream: "video", Bitrate: 400_000}
	_, err := w.Write(q.AppendChild(nil, &child))
	return err
}

func TestHandlerFiltersRideAlong(t *testing.T) {
	h := smooth.NewHandler(smoothtest.NewSource(), &smooth.HandlerOptions{
		Outputs: []smooth.Output{childOutput{}}, ChildQuery: []string{"token", "vend"},
	})
	const base, child = "/sample/sample.ism/manifest(format=list)", "QualityLevels(400000)/Manifest(video,format=list)"
	for query, want := range map[string]string{
		"":             "",
		"?other=1":     "",
		"?token=1&x=2": "?token=1",
		"?filter=(type==%22video%22)&token=1&vbegin=2":                       "?token=1&filter=%28type%3D%3D%22video%22%29&vbegin=2",
		"?vbegin=1&vend=9&t=2-8&tracks=video&min_bitrate=1&max_bitrate=9999": "?vend=9&vbegin=1&t=2-8&tracks=video&min_bitrate=1&max_bitrate=9999",
	} {
		status, body := fetch(h, base+query)
		require.Equal(t, 200, status, query)
		assert.Equal(t, child+want, body)
	}
	status, body := fetch(h, "/sample/sample.ism/manifest(format=list,maxBitrate=500000)")
	require.Equal(t, 200, status)
	assert.Equal(t, "QualityLevels(400000)/Manifest(video,format=list,maxBitrate=500000)", body, "options do so by themselves")
	status, _ = fetch(h, "/sample/sample.ism/manifest(format=list)?filter=%zz")
	assert.Equal(t, 400, status)
}

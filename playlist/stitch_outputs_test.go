package playlist_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/asticode/go-astits"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/hls"
	hlsvalidate "github.com/smoothkit/smoothkit/hls/validate"
	"github.com/smoothkit/smoothkit/internal/testmedia"
	"github.com/smoothkit/smoothkit/playlist"
	"github.com/smoothkit/smoothkit/smooth"
	"github.com/smoothkit/smoothkit/smooth/packager"
	"github.com/smoothkit/smoothkit/smooth/validate"
)

// listSource is a source of one presentation.
type listSource struct{ p *playlist.Stitched }

func (s listSource) Open(_ context.Context, name string) (smooth.Presentation, error) {
	if name != "list.ism" {
		return nil, smooth.ErrNotFound
	}
	return s.p, nil
}

// stitchHandler shows a presentation as list.ism over Smooth Streaming and HLS.
func stitchHandler(p *playlist.Stitched) http.Handler {
	return smooth.NewHandler(listSource{p}, &smooth.HandlerOptions{
		Outputs: []smooth.Output{hls.NewOutput(&hls.Options{Logger: quietLog()})}, Logger: quietLog(),
	})
}

func get(t *testing.T, h http.Handler, path string) *httptest.ResponseRecorder {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "http://localhost"+path, nil))
	return w
}

// packaged makes a presentation with subtitles, called film.ism, of two sizes of picture.
func packaged(t *testing.T) smooth.Source {
	t.Helper()
	const cues = "WEBVTT\n\n00:00.500 --> 00:01.500\none\n\n00:03.000 --> 00:05.500\ntwo\n"
	dir := t.TempDir()
	_, err := packager.Package(t.Context(), packager.Job{Dir: dir, Name: "film", Inputs: []packager.Input{
		{Path: testmedia.Media(t, "high.mp4")}, {Path: testmedia.Media(t, "low.mp4")},
		{Path: "film.en.vtt", Reader: strings.NewReader(cues), Size: int64(len(cues))},
	}})
	require.NoError(t, err)
	for _, name := range []string{"high.mp4", "low.mp4"} {
		data, err := os.ReadFile(testmedia.Media(t, name))
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), data, 0o666))
	}
	require.NoError(t, os.WriteFile(filepath.Join(dir, "av.mp4"), testmedia.File(t, "av.mp4"), 0o666))
	src := smooth.Dir(dir, &smooth.FileOptions{Logger: quietLog()})
	t.Cleanup(func() { src.Close() })
	return src
}

// TestStitchedSmoothIsValid checks what clients of Smooth Streaming get, with sizes and texts that change.
func TestStitchedSmoothIsValid(t *testing.T) {
	for _, names := range [][]string{{"low.mp4", "film.ism", "low.mp4"}, {"film.ism"}, {"film.ism", "high.mp4", "film.ism", "film.ism"}} {
		p := stitch(packaged(t), names...)
		report, err := validate.Handler(t.Context(), stitchHandler(p), "/list.ism", nil)
		require.NoError(t, err)
		for _, v := range report.Violations {
			assert.NotEqual(t, validate.Error, v.Rule.Severity, "%v: %v", names, v)
		}
		assert.Greater(t, report.Checked.Fragments, 8*len(names))
		assert.Empty(t, leftOut(t, p))
	}
}

// TestStitchedHLSIsValid checks what clients of HLS get, with sizes, sounds and texts that change.
func TestStitchedHLSIsValid(t *testing.T) {
	h := stitchHandler(stitch(packaged(t), "av.mp4", "film.ism", "low.mp4", "av.mp4"))
	for _, format := range []string{"m3u8-aapl", "m3u8-aapl-v3", "m3u8-cmaf"} {
		report, err := hlsvalidate.Handler(t.Context(), h, "/list.ism/Manifest(format="+format+").m3u8", nil)
		require.NoError(t, err)
		for _, v := range report.Violations {
			if v.Rule.ID != "HS101" { // by a frame of sound: the last picture of a part lasts until the next part begins
				assert.NotEqual(t, hlsvalidate.Error, v.Rule.Severity, "%s: %v", format, v)
			}
		}
	}
	assert.Equal(t, http.StatusUnsupportedMediaType, get(t, h, "/list.ism/Manifest").Code, "the sounds have other configurations")
}

// TestStitchedPlaylists: the media playlists have a discontinuity for each part, and of fragmented MP4 a map.
func TestStitchedPlaylists(t *testing.T) {
	h := stitchHandler(stitch(openStitchFiles(t, stitchFiles(t)), "av.mp4", "film.ism", "av.mp4"))
	body := get(t, h, "/list.ism/QualityLevels(21147)/Manifest(video,format=m3u8-cmaf).m3u8").Body.String()
	require.Contains(t, body, "#EXTM3U")
	var kinds []string
	for line := range strings.Lines(body) {
		switch tag, _, _ := strings.Cut(strings.TrimSpace(line), ":"); tag {
		case "#EXT-X-DISCONTINUITY", "#EXT-X-MAP", "#EXTINF":
			kinds = append(kinds, tag[len("#EXT"):])
		}
	}
	assert.Equal(t, "-X-MAP INF -X-DISCONTINUITY -X-MAP INF -X-DISCONTINUITY -X-MAP INF", strings.Join(kinds, " "))
	first := get(t, h, "/list.ism/QualityLevels(21147)/FragmentInfo(video=0,format=m3u8-cmaf).mp4").Body.String()
	second := get(t, h, "/list.ism/QualityLevels(21147)/FragmentInfo(video=60800000,format=m3u8-cmaf).mp4").Body.String()
	assert.Contains(t, first, "avcC")
	assert.Contains(t, second, "avcC")
	assert.NotEqual(t, first, second)
}

// TestStitchedSegments: the segments of MPEG-2 TS have the frames of all parts, each once.
func TestStitchedSegments(t *testing.T) {
	h := stitchHandler(stitch(openStitchFiles(t, stitchFiles(t)), "av.mp4", "film.ism", "low.mp4"))
	pictures := map[uint16]int{}
	body := get(t, h, "/list.ism/QualityLevels(21147)/Manifest(video,format=m3u8-aapl-v3).m3u8").Body.String()
	for line := range strings.Lines(body) {
		if line = strings.TrimSpace(line); strings.HasPrefix(line, "#") || line == "" {
			continue
		}
		w := get(t, h, "/list.ism/QualityLevels(21147)/"+line)
		require.Equal(t, http.StatusOK, w.Code, line)
		d := astits.NewDemuxer(t.Context(), w.Body)
		for {
			data, err := d.NextData()
			if err != nil {
				break
			}
			if data.PES != nil && data.PES.Header.StreamID == 0xe0 {
				pictures[data.PID]++
			}
		}
	}
	require.Len(t, pictures, 1)
	for _, n := range pictures {
		assert.Equal(t, 3*150, n)
	}
}

// TestStitchedText: texts of some parts, and pauses in the others.
func TestStitchedText(t *testing.T) {
	src := packaged(t)
	p := stitch(src, "low.mp4", "film.ism", "high.mp4", "film.ism")
	s, err := p.Snapshot(t.Context())
	require.NoError(t, err)
	text := s.Manifest.Streams[len(s.Manifest.Streams)-1]
	require.Equal(t, smooth.Text, text.Type)
	at := uint64(0)
	full := 0
	for _, c := range text.Timeline {
		assert.Equal(t, at, c.Time, "no gap")
		at = c.End()
		k := smooth.FragmentKey{Stream: text.Name, Bitrate: text.Levels[0].Bitrate, Time: c.Time}
		list, f := fragmentSamples(t, p, k)
		assert.Equal(t, k, f.Key)
		assert.Equal(t, c.Duration, f.Duration)
		require.Len(t, list, 1)
		assert.EqualValues(t, c.Duration, list[0].Duration)
		size, err := p.FragmentSize(k)
		require.NoError(t, err)
		assert.GreaterOrEqual(t, size, int64(len(list[0].data)))
		if strings.Contains(string(list[0].data), "<p ") {
			full++
		}
		require.NotNil(t, s.Track(k), "at %d", c.Time)
		place, err := p.Locate(t.Context(), k, 1)
		require.NoError(t, err)
		assert.Equal(t, int64(place.To-place.From), int64(c.Duration*100))
	}
	assert.Equal(t, s.Manifest.Duration, at)
	assert.Equal(t, 2*3, full)
	assert.EqualValues(t, s.Periods[1].Start, text.Timeline[0].End(), "the pause of the first part")

	h := stitchHandler(p)
	master := get(t, h, "/list.ism/Manifest(format=m3u8-aapl).m3u8").Body.String()
	_, uri, ok := strings.Cut(master, `TYPE=SUBTITLES`)
	require.True(t, ok)
	_, uri, _ = strings.Cut(uri, `URI="`)
	uri, _, _ = strings.Cut(uri, `"`)
	list := get(t, h, "/list.ism/"+uri).Body.String()
	dir := "/list.ism/" + uri[:strings.LastIndex(uri, "/")+1]
	var cues []string
	for line := range strings.Lines(list) {
		if line = strings.TrimSpace(line); strings.HasPrefix(line, "#") || line == "" {
			continue
		}
		w := get(t, h, dir+line)
		require.Equal(t, http.StatusOK, w.Code, line)
		for line := range strings.Lines(w.Body.String()) {
			if strings.Contains(line, "-->") {
				cues = append(cues, line[:len("00:00:00.000 --> 00:00:00.000")])
			}
		}
	}
	assert.Equal(t, []string{
		"00:00:06.626 --> 00:00:07.626", "00:00:09.126 --> 00:00:11.626", "00:00:18.719 --> 00:00:19.719", "00:00:21.219 --> 00:00:23.719",
	}, cues, "0.08 s later than in the file, as the picture is, in parts of 6.0464 s")
}

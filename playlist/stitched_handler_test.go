package playlist_test

import (
	"fmt"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/hls"
	"github.com/smoothkit/smoothkit/playlist"
	"github.com/smoothkit/smoothkit/smooth"
)

// programme is a list of a film, a locked advertisement, the film again and a presentation.
func programme(t *testing.T, list string, opts *playlist.HandlerOptions) *watch {
	if opts == nil {
		opts = &playlist.HandlerOptions{}
	}
	fsys := stitchFiles(t)
	opts.Presentations = openStitchFiles(t, fsys)
	opts.Outputs = []smooth.Output{hls.NewOutput(&hls.Options{Logger: quietLog()})}
	opts.MaxConnections = 100
	for name, f := range files(map[string]string{
		"list.isx": list, "in.isx": isx("low.mp4 canSkipForward", "film.ism"), "ad.wmv": "the ad", "film.ism": "<smil/>",
	}) {
		if name != "film.ism" {
			fsys[name] = f
		}
	}
	return newWatch(t, fsys, opts)
}

// stitchedBase returns what URLs of the one presentation of a new session begin with.
func (w *watch) stitchedBase(path string) string {
	w.t.Helper()
	r := w.get(path + "?format=smooth")
	require.Equal(w.t, 302, r.StatusCode)
	return strings.TrimSuffix(r.Header.Get("Location"), "Manifest")
}

// shown is a presentation as its client manifest lists it.
type shown struct {
	base  string
	m     *smooth.Manifest
	video *smooth.Stream
	sound *smooth.Stream
}

func (w *watch) show(base string) *shown {
	w.t.Helper()
	r := w.get(base + "Manifest")
	require.Equal(w.t, 200, r.StatusCode, base)
	m, err := smooth.ParseManifest([]byte(bodyOf(w.t, r)))
	require.NoError(w.t, err)
	s := &shown{base: base, m: m}
	for _, st := range m.Streams {
		switch st.Type {
		case smooth.Video:
			s.video = st
		case smooth.Audio:
			s.sound = st
		}
	}
	require.NotNil(w.t, s.video)
	return s
}

// fragment returns the URL of a fragment by its number.
func (s *shown) fragment(st *smooth.Stream, n int, noun string) string {
	return fmt.Sprintf("%sQualityLevels(%d)/%s(%s=%d)", s.base, st.Levels[0].Bitrate, noun, st.Name, st.Timeline[n].Time)
}

// lowLasts is how long low.mp4 plays, about.
const lowLasts = 6080 * time.Millisecond

const threeParts = "low.mp4|low.mp4 canSeek canSkipForward canSkipBack|low.mp4|film.ism"

func TestStitchedSmoothCheat(t *testing.T) {
	w := programme(t, isx(strings.Split(threeParts, "|")[:3]...), nil)
	s := w.show(w.stitchedBase("/list.isx"))
	total := len(s.video.Timeline)
	require.Zero(t, total%3, "three times the same")
	part := total / 3
	require.Greater(t, part, 1)
	st := s.video
	for _, n := range []int{2 * part, 2*part + 1, 3*part - 1} {
		for _, noun := range []string{"Fragments", "RawFragments", "KeyFrames", "fragments"} {
			w.want(403, s.fragment(st, n, noun))
		}
		w.want(403, strings.Replace(s.fragment(st, n, "Fragments"), "("+st.Name, "("+strings.ToUpper(st.Name), 1))
		w.want(403, strings.Replace(s.fragment(st, n, "Fragments"), "Fragments", "Fragment%73", 1))
		w.want(403, s.fragment(st, n, "Fragments")+"?startTime=1")
		w.want(403, s.fragment(st, n, "Fragments"), "Range", "bytes=0-1")
	}
	w.want(403, s.fragment(st, part+1, "Fragments"), "X", "no seek")
	w.want(403, strings.Replace(s.fragment(st, part+1, "Fragments"), "("+st.Name, "("+strings.ToUpper(st.Name), 1))
	w.want(200, s.fragment(s.video, 0, "Fragments"))
	w.want(200, s.fragment(s.video, part-1, "Fragments"))
	w.want(200, s.fragment(s.video, part, "KeyFrames"))
	w.want(403, s.fragment(s.video, part+1, "Fragments"))
	w.want(200, s.fragment(s.video, part, "FragmentInfo"))
	w.want(403, s.fragment(s.video, part+1, "Fragments"))
	w.want(200, strings.TrimSuffix(s.fragment(s.video, part, "Fragments"), ")")+",n=1000)")
	w.want(200, s.fragment(s.video, part+1, "Fragments"))
	for n := part + 2; n < 2*part; n++ {
		w.want(200, s.fragment(s.video, n, "Fragments"))
	}
	r := w.get(s.fragment(s.video, 2*part, "Fragments"))
	assert.Equal(t, 503, r.StatusCode, "delivered faster than it plays")
	assert.NotEmpty(t, r.Header.Get("Retry-After"))
	assert.Equal(t, "*", r.Header.Get("Access-Control-Allow-Origin"))
	w.clock.forward(lowLasts - 2*time.Second)
	w.want(200, s.fragment(s.video, 2*part, "Fragments"))
	w.want(403, s.fragment(s.video, part, "Fragments"))
	w.want(403, s.fragment(s.video, 0, "Fragments"))
	w.want(200, s.fragment(s.video, 3*part-1, "Fragments"))
	for _, d := range w.seen {
		assert.True(t, d.Stitched)
		if d.Entry == "2" && d.Completed {
			assert.Equal(t, 100, d.Percent)
			assert.InDelta(t, lowLasts.Milliseconds(), d.Size, 100)
		}
	}
}

// TestStitchedBreaksOff: what has not been sent to its end counts as nothing, and is reported.
func TestStitchedBreaksOff(t *testing.T) {
	w := programme(t, isx("low.mp4 canSeek canSkipForward", "low.mp4"), nil)
	s := w.show(w.stitchedBase("/list.isx"))
	for n := range len(s.video.Timeline) / 2 {
		u := strings.TrimPrefix(s.fragment(s.video, n, "Fragments"), "http://example.com")
		func() {
			defer func() { _ = recover() }()
			w.h.ServeHTTP(&leaving{ResponseRecorder: httptest.NewRecorder(), after: 100}, httptest.NewRequest("GET", u, nil))
		}()
		if n > 0 {
			w.want(403, u)
		}
	}
	w.clock.forward(time.Hour)
	w.want(403, s.fragment(s.video, len(s.video.Timeline)/2, "Fragments"))
	require.NotEmpty(t, w.seen)
	assert.Zero(t, w.seen[0].Delivered)
	assert.LessOrEqual(t, w.seen[0].Bytes, int64(100))
}

// TestStitchedHLSCheat: segments are as fragments are, also those that say how long they are.
func TestStitchedHLSCheat(t *testing.T) {
	w := programme(t, isx(strings.Split(threeParts, "|")[:3]...), nil)
	for _, format := range []string{"m3u8-aapl", "m3u8-aapl-v3", "m3u8-cmaf"} {
		base := w.stitchedBase("/list.isx")
		s := w.show(base)
		part := len(s.video.Timeline) / 3
		segment := func(n int, options string) string {
			u := s.fragment(s.video, n, "Fragments")
			return strings.TrimSuffix(u, ")") + "," + options + "format=" + format + ")"
		}
		for _, options := range []string{"", "n=1,", "n=1024,", fmt.Sprintf("n=%d,", part), "n=9223372036854775807,", "n=-1,", "N=2,", "n=,"} {
			for _, n := range []int{2 * part, part + 1} {
				assert.Contains(t, []int{403, 404}, w.get(segment(n, options)).StatusCode, options)
			}
		}
		assert.Contains(t, []int{400, 404}, w.get(segment(part, "n=9223372036854775807,")).StatusCode)
		assert.Equal(t, 404, w.get(segment(part, fmt.Sprintf("n=%d,", part+1))).StatusCode, "into the next part")
		assert.Equal(t, 404, w.get(segment(2*part-1, "n=2,")).StatusCode)
		media := w.playAll(base, format)
		require.Len(t, media, 3, format)
	}
}

// playAll plays the first media playlist of HLS as a player does that asks again later where it is told to, and returns
// when parts began.
func (w *watch) playAll(base, format string) (began []time.Duration) {
	w.t.Helper()
	master := w.want(200, base+"Manifest(format="+format+").m3u8")
	var list string
	for line := range strings.Lines(master) {
		if line = strings.TrimSpace(line); line != "" && line[0] != '#' && list == "" { // the last may have sound alone
			list = base + line
		}
	}
	start, next := w.clock.Now(), true
	for line := range strings.Lines(w.want(200, list)) {
		line = strings.TrimSpace(line)
		switch {
		case line == "#EXT-X-DISCONTINUITY":
			next = true
		case line == "" || line[0] == '#':
		default:
			u := list[:strings.LastIndexByte(list, '/')+1] + line
			for {
				r := w.get(u)
				if r.StatusCode == 200 {
					break
				}
				require.Equal(w.t, 503, r.StatusCode, u)
				w.clock.forward(time.Second)
				require.Less(w.t, w.clock.Now().Sub(start), time.Minute)
			}
			if next {
				began, next = append(began, w.clock.Now().Sub(start)), false
			}
		}
	}
	return began
}

// TestStitchedPlays: a player that fetches as fast as it can gets all, and no film before the advertisement could be seen.
func TestStitchedPlays(t *testing.T) {
	w := programme(t, isx(strings.Split(threeParts, "|")[:3]...), nil)
	began := w.playAll(w.stitchedBase("/list.isx"), "m3u8-aapl")
	require.Len(t, began, 3)
	assert.Zero(t, began[1])
	assert.InDelta(t, (lowLasts - 2*time.Second).Seconds(), began[2].Seconds(), 1.1)
}

// TestStitchedSoundAhead: sound may be a little ahead of the picture and behind it, and is no way into what is locked.
func TestStitchedSoundAhead(t *testing.T) {
	w := programme(t, isx("av.mp4", "av.mp4 canSeek canSkipForward canSkipBack", "av.mp4"), nil)
	s := w.show(w.stitchedBase("/list.isx"))
	require.NotNil(t, s.sound)
	n, at := len(s.sound.Timeline), len(s.video.Timeline)/3
	w.want(403, s.fragment(s.sound, n-1, "Fragments"))
	w.want(200, s.fragment(s.sound, 0, "Fragments"))
	w.want(200, s.fragment(s.sound, n/3+1, "Fragments"))
	w.want(403, s.fragment(s.video, at+1, "Fragments"))
	w.want(200, s.fragment(s.video, at, "Fragments"))
	w.want(200, s.fragment(s.sound, n/3-2, "Fragments"))
	w.want(403, s.fragment(s.video, 0, "Fragments"))
}

var manifestURL = regexp.MustCompile(`/(\d+(?:\.\d+)*)\.ism/Manifest`)

// TestSinglePresentations: those of one entry have the rules of the whole list and count with its files.
func TestSinglePresentations(t *testing.T) {
	w := programme(t, isx("ad.wmv duration=10"+locked, "film.ism canSkipForward", "film.ism", "in.isx"), nil)
	u := w.open("/list.isx")
	require.Regexp(t, manifestURL, u[1])
	two, three := strings.TrimSuffix(u[1], "Manifest"), strings.TrimSuffix(u[2], "Manifest")
	s, film := w.show(two), w.show(three)
	w.want(403, s.fragment(s.video, 0, "Fragments"))
	w.want(403, film.fragment(film.video, 0, "Fragments"))
	w.want(200, u[0])
	assert.Equal(t, 503, w.get(s.fragment(s.video, 0, "Fragments")).StatusCode)
	w.clock.forward(8 * time.Second)
	w.want(403, film.fragment(film.video, 0, "Fragments"))
	for n := range s.video.Timeline {
		w.want(200, s.fragment(s.video, n, "Fragments"))
	}
	w.want(403, u[0])
	assert.Equal(t, 503, w.get(film.fragment(film.video, 0, "Fragments")).StatusCode)
	w.clock.forward(5 * time.Second)
	w.want(200, film.fragment(film.video, 1, "Fragments"))
	last := w.seen[len(w.seen)-1]
	assert.Equal(t, "3", last.Entry)
	assert.False(t, last.Stitched)

	in := w.open(u[3])
	require.Contains(t, in[1], "/4.2.ism/Manifest")
	nested := w.show(strings.TrimSuffix(in[1], "Manifest"))
	w.want(403, nested.fragment(nested.video, 0, "Fragments"))
	w.want(200, in[0])
	w.want(200, nested.fragment(nested.video, 0, "Fragments"))

	session := two[:strings.LastIndex(strings.TrimSuffix(two, "/"), "/")+1]
	for _, name := range []string{"1.ism", "4.ism", "5.ism", "02.ism", "film.ism", "low.mp4", "4.1.ism", "4.3.ism", "programme.ism", "ALL.ism", "0.ism"} {
		w.want(404, session+name+"/Manifest")
	}
	id := regexp.MustCompile(`[0-9a-f-]{36}`).FindString(session)
	w.want(200, strings.Replace(session, id, strings.ToUpper(id), 1)+"2.ism/Manifest")
	w.want(404, strings.Replace(session, id, "00000000-0000-4000-8000-000000000000", 1)+"2.ism/Manifest")
	w.clock.forward(48 * time.Hour)
	w.want(410, session+"2.ism/Manifest")
}

// TestRawPresentations: what is below the presentation's own name is nobody's.
func TestRawPresentations(t *testing.T) {
	w := programme(t, isx("film.ism"), nil)
	w.open("/list.isx")
	for _, path := range []string{
		"/film.ism/Manifest", "/film.ism", "/low.mp4", "/low.mp4/Manifest", "/list.isx/film.ism/Manifest", "/list.isx/all.ism/Manifest",
		"/film.ism/QualityLevels(1)/Fragments(video=0)",
	} {
		w.want(404, path)
	}
}

// TestPresentationWithoutSource: without presentations the file of that name is not sent: it tells where media is.
func TestPresentationWithoutSource(t *testing.T) {
	w := newWatch(t, files(map[string]string{"list.isx": isx("film.ism"+locked, "a.wmv"), "film.ism": "secret", "a.wmv": "a"}), nil)
	u := w.open("/list.isx")
	assert.NotContains(t, w.want(404, u[0]), "secret")
	w.want(200, u[1])
}

// TestMissingPresentation: one that cannot be opened is an error for that entry only, and its name stays where it is.
func TestMissingPresentation(t *testing.T) {
	w := programme(t, isx("secret/none.ism"+locked, "secret.ism"+locked, "film.ism", "secret/none.mp4"+locked), nil)
	u := w.open("/list.isx")
	film := w.show(strings.TrimSuffix(u[2], "Manifest"))
	w.want(403, film.fragment(film.video, 0, "Fragments"))
	body := w.want(404, u[1])
	w.want(403, film.fragment(film.video, 0, "Fragments"))
	body += w.want(404, u[0])
	w.want(403, film.fragment(film.video, 0, "Fragments"))
	body += w.want(404, u[1])
	w.want(200, film.fragment(film.video, 0, "Fragments"))
	s := w.show(w.stitchedBase("/list.isx"))
	w.want(200, s.fragment(s.video, 0, "Fragments"))
	assert.NotContains(t, body+w.log.String(), "secret")
}

// TestRideAlong: parameters ride along to all that is below a playlist.
func TestRideAlong(t *testing.T) {
	w := programme(t, isx("film.ism", "low.mp4"), &playlist.HandlerOptions{RideAlong: []string{"token"}})
	u := w.open("/list.isx?token=a%26b")
	assert.True(t, strings.HasSuffix(u[0], "/1.ism/Manifest?token=a%26b"), u[0])
	assert.Contains(t, w.want(200, u[0]), "token=a%26b")
	r := w.get("/list.isx?format=hls&token=x")
	require.Equal(t, 302, r.StatusCode)
	to, err := url.Parse(r.Header.Get("Location"))
	require.NoError(t, err)
	assert.Equal(t, "token=x", to.RawQuery)
	assert.Contains(t, w.want(200, to.String()), "token=x")
}

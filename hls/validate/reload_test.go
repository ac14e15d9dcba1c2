package validate_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/hls/validate"
)

// liveList is a live playlist of n segments of two seconds from a number on. broken is the number of a segment with a
// discontinuity, if it is listed.
func liveList(first, n, discontinuity, broken int) string {
	var b strings.Builder
	fmt.Fprintf(&b, "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXT-X-VERSION:3\n#EXT-X-MEDIA-SEQUENCE:%d\n#EXT-X-DISCONTINUITY-SEQUENCE:%d\n",
		first, discontinuity)
	for i := first; i < first+n; i++ {
		if i == broken {
			b.WriteString("#EXT-X-DISCONTINUITY\n")
		}
		date := time.Date(2026, 1, 1, 0, 0, 2*i, 0, time.UTC).Format("2006-01-02T15:04:05.000Z07:00")
		fmt.Fprintf(&b, "#EXT-X-PROGRAM-DATE-TIME:%s\n#EXTINF:2.000,\n%d.ts\n", date, i)
	}
	return b.String()
}

// versions serves a playlist whose versions follow one another with each GET, and its segments.
type versions struct {
	list []string

	mu       sync.Mutex
	gets     int
	segments map[string][]byte
}

func (v *versions) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	v.mu.Lock()
	defer v.mu.Unlock()
	name := strings.TrimPrefix(r.URL.Path, "/")
	body, typ := v.segments[name], "video/mp2t"
	if name == "live.m3u8" {
		body, typ = []byte(v.list[min(v.gets, len(v.list)-1)]), playlistType
		if r.Method == http.MethodGet {
			v.gets++
		}
	} else if body == nil {
		http.NotFound(w, r)
		return
	}
	h := w.Header()
	h.Set("Content-Type", typ)
	h.Set("Cache-Control", "max-age=1")
	h.Set("ETag", `"`+name+`"`)
	h.Set("Access-Control-Allow-Origin", "*")
	http.ServeContent(w, r, "", time.Time{}, strings.NewReader(string(body)))
}

func reload(t *testing.T, v *versions, opts validate.Options) *validate.Report {
	t.Helper()
	opts.Wait = func(ctx context.Context, _ time.Duration) error { return ctx.Err() }
	r, err := validate.Handler(context.Background(), v, "/live.m3u8", &opts)
	require.NoError(t, err)
	return r
}

type reloadFixture struct {
	rule string
	list []string
}

func reloadFixtures() []reloadFixture {
	list := liveList(10, 6, 3, 0)
	event := strings.Replace(liveList(0, 4, 0, -1), "#EXT-X-VERSION", "#EXT-X-PLAYLIST-TYPE:EVENT\n#EXT-X-VERSION", 1)
	ended := liveList(0, 4, 0, -1) + "#EXT-X-ENDLIST\n"
	return []reloadFixture{
		{"HR101", []string{list, liveList(9, 6, 3, 0)}},
		{"HR102", []string{list, strings.Replace(liveList(11, 6, 3, 0), "DURATION:2", "DURATION:3", 1)}},
		{"HR103", []string{list, strings.Replace(liveList(11, 6, 3, 0), "13.ts", "14a.ts", 1)}},
		{"HR103", []string{list, strings.Replace(liveList(11, 6, 3, 0), "2.000,\n13", "2.001,\n13", 1)}},
		{"HR103", []string{list, liveList(11, 6, 3, 13)}},
		{"HR104", []string{list, liveList(17, 6, 3, 0)}},
		{"HR104", []string{liveList(10, 7, 3, 0), liveList(10, 6, 3, 0)}},
		{"HR105", []string{event, strings.NewReplacer("SEQUENCE:0\n#EXT-X-DIS", "SEQUENCE:1\n#EXT-X-DIS", "#EXT-X-PROGRAM-DATE-TIME:2026-01-01T00:00:00.000Z\n#EXTINF:2.000,\n0.ts\n", "").Replace(event)}},
		{"HR106", []string{liveList(10, 6, 3, 10), liveList(11, 6, 3, 10)}},
		{"HR106", []string{list, liveList(11, 6, 4, 10)}},
		{"HR107", []string{ended, strings.Replace(ended, "#EXT-X-ENDLIST", "#EXTINF:2.000,\n4.ts\n#EXT-X-ENDLIST", 1)}},
		{"HR108", []string{list, list, list, list, list}},
		{"HL126", []string{list, liveList(14, 2, 3, 0)}},
		{"HH101", []string{list, ""}},
	}
}

func TestReloadRules(t *testing.T) {
	for _, f := range reloadFixtures() {
		t.Run(f.rule, func(t *testing.T) {
			v := &versions{list: f.list}
			n := len(f.list) - 1
			var h http.Handler = v
			if f.list[n] == "" {
				h = gone{v}
			}
			opts := &validate.Options{Reloads: n, PlaylistOnly: true, Wait: func(ctx context.Context, _ time.Duration) error { return ctx.Err() }}
			r, err := validate.Handler(context.Background(), h, "/live.m3u8", opts)
			require.NoError(t, err)
			assert.Equal(t, []string{f.rule}, rulesOf(r), "%v", r.Violations)
		})
	}
}

// gone answers the first request only.
type gone struct{ v *versions }

func (g gone) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if g.v.gets > 0 {
		http.NotFound(w, r)
		return
	}
	g.v.ServeHTTP(w, r)
}

// TestReloadClean follows a live stream to its end, with its segments.
func TestReloadClean(t *testing.T) {
	v := &versions{segments: map[string][]byte{}}
	cc := map[uint16]byte{}
	for n := range int64(10) {
		s := muxedSegment(n)
		s.cc = cc
		v.segments[fmt.Sprintf("%d.ts", n)] = s.build()
	}
	for i := range 4 {
		v.list = append(v.list, liveList(i, 6, 0, -1), liveList(i, 6, 0, -1))
	}
	v.list = append(v.list, liveList(3, 7, 0, -1)+"#EXT-X-ENDLIST\n")
	r := reload(t, v, validate.Options{Reloads: 9})
	assert.Empty(t, r.Violations)
	assert.Equal(t, 10, r.Checked.Fragments, "every segment once")

	// A segment that is broken when it comes is found.
	s := muxedSegment(9)
	s.cc = nil
	v.segments["9.ts"], v.gets = s.build(), 0
	assert.Equal(t, []string{"HT122"}, rulesOf(reload(t, v, validate.Options{Reloads: 9})))
	v.gets = 0
	assert.Empty(t, reload(t, v, validate.Options{}).Violations, "nothing is loaded again unless asked")
}

// TestReloadWait cancels the wait.
func TestReloadWait(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	var waited []time.Duration
	opts := &validate.Options{Reloads: 5, PlaylistOnly: true, Wait: func(ctx context.Context, d time.Duration) error {
		if waited = append(waited, d); len(waited) == 2 {
			cancel()
		}
		return ctx.Err()
	}}
	_, err := validate.Handler(ctx, &versions{list: []string{liveList(10, 6, 0, 0), liveList(11, 6, 0, 0)}}, "/live.m3u8", opts)
	assert.ErrorIs(t, err, context.Canceled)
	assert.Equal(t, []time.Duration{time.Second, time.Second}, waited)
}

// TestReloadClock waits for the time that passes, which is that of the bubble.
func TestReloadClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := &versions{list: []string{liveList(10, 6, 0, 0), liveList(11, 6, 0, 0)}}
		start := time.Now()
		r, err := validate.Handler(context.Background(), v, "/live.m3u8", &validate.Options{Reloads: 3, PlaylistOnly: true})
		require.NoError(t, err)
		assert.Empty(t, r.Violations)
		assert.Equal(t, 3*time.Second, time.Since(start), "half a target duration each")

		ctx, cancel := context.WithTimeout(context.Background(), time.Second/2)
		defer cancel()
		_, err = validate.Handler(ctx, v, "/live.m3u8", &validate.Options{Reloads: 3, PlaylistOnly: true})
		assert.ErrorIs(t, err, context.DeadlineExceeded)
	})
}

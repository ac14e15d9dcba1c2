package archive_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/archive/internal/lossy"
	"github.com/smoothkit/smoothkit/hls"
	"github.com/smoothkit/smoothkit/internal/fmp4"
	"github.com/smoothkit/smoothkit/smooth"
	"github.com/smoothkit/smoothkit/smooth/smoothtest"
)

// TestViewersOverSegments has viewers of HLS and of Smooth Streaming follow an event from its beginning over many cuts and its end,
// while sound comes before or after the picture by more than a segment.
func TestViewersOverSegments(t *testing.T) {
	for _, ahead := range []time.Duration{0, 9 * time.Second, -9 * time.Second} {
		t.Run(ahead.String(), func(t *testing.T) {
			store := lossy.New()
			a := open(t, store, quiet())
			c := small()
			c.MaxPayload = 3000
			c.Streams = c.Streams[:1]
			f := newFeed(t, "enc", c)
			var sounds []*feed
			for i, d := range []uint64{1.9 * second, 2.3 * second} {
				sounds = append(sounds, newFeed(t, "sound"+strconv.Itoa(i), smoothtest.Config{MaxPayload: 3000, Streams: []smoothtest.Stream{{
					Type: smooth.Audio, Name: "audio" + strconv.Itoa(i), Durations: []uint64{d}, Levels: []smoothtest.Level{{Bitrate: 64_000 + uint64(i)}}}}}))
			}
			f.event.Archive.SegmentLength = 6 * time.Second
			r := f.begin(a)
			for _, s := range sounds {
				require.NoError(t, r.Declare(t.Context(), s.input))
			}
			h := smooth.NewHandler(a, &smooth.HandlerOptions{Outputs: []smooth.Output{hls.NewOutput(&hls.Options{Logger: noLog})}})
			v := &viewer{T: t, h: h, lists: make(map[string][]string), next: make(map[smooth.FragmentKey]bool), all: append(sounds, f)}
			for at := time.Second; at <= 66*time.Second; at += time.Second {
				f.record(r, at)
				for _, s := range sounds {
					if at+ahead > 0 {
						s.record(r, min(at+ahead, time.Minute))
					}
				}
				if at > 20*time.Second {
					v.look(false)
				}
			}
			for _, s := range sounds {
				s.record(r, time.Minute)
			}
			v.look(false)
			require.NoError(t, r.Close(t.Context(), true))
			v.look(true)
			sent := 0
			for _, f := range v.all {
				sent += len(f.sent)
			}
			assert.Len(t, v.seen, sent, "fragments")
		})
	}
}

// A viewer plays the event.
type viewer struct {
	*testing.T
	h     http.Handler
	lists map[string][]string // addresses of the segments of a list
	next  map[smooth.FragmentKey]bool
	seen  map[smooth.FragmentKey]bool
	all   []*feed
}

const viewed = "/live/demo-isml/20260702T120000Z/demo.isml"

func (v *viewer) get(path string) (int, string) {
	w := httptest.NewRecorder()
	v.h.ServeHTTP(w, httptest.NewRequest("GET", path, nil))
	return w.Code, w.Body.String()
}

// look reloads all lists, and asks for all that has been announced to a player.
func (v *viewer) look(ended bool) {
	v.follow(ended)
	code, master := v.get(viewed + "/manifest(format=m3u8-aapl)")
	require.Equal(v, 200, code, master)
	base, err := url.Parse(viewed + "/manifest(format=m3u8-aapl)")
	require.NoError(v, err)
	var lists []string
	for line := range strings.SplitSeq(master, "\n") {
		if _, rest, ok := strings.Cut(line, `URI="`); ok {
			line, _, _ = strings.Cut(rest, `"`)
		} else if strings.HasPrefix(line, "#") || line == "" {
			continue
		}
		u, err := base.Parse(line)
		require.NoError(v, err)
		lists = append(lists, u.String())
	}
	slices.Sort(lists)
	lists = slices.Compact(lists)
	require.Len(v, lists, 6, master)
	for _, list := range lists {
		v.reload(list, ended)
	}
}

func (v *viewer) reload(list string, ended bool) {
	code, body := v.get(list)
	require.Equal(v, 200, code, body)
	var segments []string
	for line := range strings.SplitSeq(strings.TrimSpace(body), "\n") {
		if !strings.HasPrefix(line, "#") || strings.HasPrefix(line, "#EXTINF") || strings.HasPrefix(line, "#EXT-X-MEDIA-SEQUENCE") {
			segments = append(segments, line)
		}
	}
	known := append([]string{}, v.lists[list]...)
	require.GreaterOrEqual(v, len(segments), len(known), list)
	assert.Equal(v, known, segments[:len(known)], list)
	v.lists[list] = segments
	assert.Equal(v, ended, strings.Contains(body, "#EXT-X-ENDLIST"))
	assert.NotContains(v, body, "DISCONTINUITY")
	assert.NotContains(v, body, "EXT-X-GAP")
}

// follow takes the first manifest, and then what fragments announce.
func (v *viewer) follow(ended bool) {
	if v.seen == nil {
		v.seen = make(map[smooth.FragmentKey]bool)
		for _, f := range v.all {
			for _, tr := range f.input.Tracks {
				v.next[tr.Key] = true
			}
		}
	}
	for more := true; more; {
		more = false
		for k := range v.next {
			code, body := v.get(viewed + "/QualityLevels(" + strconv.FormatUint(k.Bitrate, 10) + ")/Fragments(" + k.Stream + "=" + strconv.FormatUint(k.Time, 10) + ")")
			if code == 412 {
				require.False(v, ended, "%+v is not there at the end", k)
				continue
			}
			require.Equal(v, 200, code, "%+v: %s", k, body)
			delete(v.next, k)
			v.seen[k] = true
			moof := []byte(body)[:fmp4.MoofSize([]byte(body))]
			head, err := fmp4.Inspect(moof, 0, fmp4.Defaults{})
			require.NoError(v, err)
			next, err := fmp4.ParseTfrf(moof)
			require.NoError(v, err)
			require.Equal(v, k.Time, head.Time)
			k.Time = head.Time + head.Duration
			if len(next) > 0 {
				require.Equal(v, k.Time, next[0].Time)
			}
			if len(next) > 0 || ended && v.wasSent(k) {
				v.next[k] = true
				more = true
			}
		}
	}
}

func (v *viewer) wasSent(k smooth.FragmentKey) bool {
	for _, f := range v.all {
		if _, ok := f.sent[k]; ok {
			return true
		}
	}
	return false
}

package archive_test

import (
	"math/rand/v2"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/archive"
	"github.com/smoothkit/smoothkit/hls"
	"github.com/smoothkit/smoothkit/smooth"
)

// TestJoinedOverHLS plays a list while the event grows over a boundary, and when it has ended.
func TestJoinedOverHLS(t *testing.T) {
	rs := segmentsOf(t, 10, 0, 20)
	j := archive.NewJoined(true, smooth.Period{Wall: time.Date(2026, 7, 2, 12, 0, 0, 0, time.UTC)})
	v := archive.NewLiveView(j)
	defer v.Close()
	h := smooth.NewHandler(one{v}, &smooth.HandlerOptions{Outputs: []smooth.Output{hls.NewOutput(&hls.Options{Logger: noLog})}})
	get := func(path string) string {
		t.Helper()
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest("GET", path, nil))
		require.Equal(t, 200, w.Code, "%s: %s", path, w.Body)
		return w.Body.String()
	}
	// lines returns the lines of a list, its addresses as paths.
	lines := func(path string) (all, addresses []string) {
		t.Helper()
		base, err := url.Parse(path)
		require.NoError(t, err)
		for line := range strings.SplitSeq(strings.TrimSpace(get(path)), "\n") {
			all = append(all, line)
			if !strings.HasPrefix(line, "#") {
				u, err := base.Parse(line)
				require.NoError(t, err)
				addresses = append(addresses, u.String())
			}
		}
		return all, addresses
	}
	media := func() (all, segments []string) {
		t.Helper()
		_, lists := lines("/" + oneName + "/manifest(format=m3u8-aapl)")
		require.NotEmpty(t, lists)
		return lines(lists[0])
	}
	known := []string{}
	parts := []archive.Shared{rs[0].growing(true)}
	j.Set(parts, false)
	for end := uint64(12); end <= 40; end += 4 {
		if end > 20 && len(parts) == 1 {
			parts = append(parts, rs[1].growing(true))
			j.Set(parts, false)
		}
		for _, r := range rs {
			r.until(end * tick)
		}
		all, segments := media()
		assert.Contains(t, all, "#EXT-X-PLAYLIST-TYPE:EVENT")
		assert.NotContains(t, all, "#EXT-X-ENDLIST")
		assert.NotContains(t, all, "#EXT-X-DISCONTINUITY")
		require.GreaterOrEqual(t, len(segments), len(known))
		assert.Equal(t, known, segments[:len(known)], "what is listed stays")
		known = segments
	}
	rs[0].index.End()
	rs[1].index.End()
	j.Set(parts, true)
	all, segments := media()
	assert.Contains(t, all, "#EXT-X-ENDLIST")
	assert.Equal(t, known, segments[:len(known)])
	assert.GreaterOrEqual(t, len(segments), 4)
	for _, s := range segments {
		assert.NotEmpty(t, get(s))
	}
}

func TestReadersWhilePartsChange(t *testing.T) {
	rs := segmentsOf(t, 20, 0, 40, 80)
	j := archive.NewJoined(true, smooth.Period{})
	v := archive.NewLiveView(j)
	done := make(chan struct{})
	var readers sync.WaitGroup
	for seed := range uint64(4) {
		readers.Go(func() {
			r := rand.New(rand.NewPCG(seed, 2))
			for {
				select {
				case <-done:
					return
				default:
				}
				s, err := v.Snapshot(t.Context())
				if !assert.NoError(t, err) {
					return
				}
				for _, st := range s.Manifest.Streams {
					if n := len(st.Timeline); n > 0 {
						c := st.Timeline[r.IntN(n)]
						k := smooth.FragmentKey{Stream: st.Name, Bitrate: st.Levels[0].Bitrate, Time: c.Time}
						f, err := v.Fragment(t.Context(), k)
						if !assert.NoError(t, err) {
							return
						}
						assert.False(t, f.Early)
						f.Close()
					}
				}
			}
		})
	}
	var parts []archive.Shared
	for i, r := range rs {
		parts = append(parts, r.growing(true))
		j.Set(parts, false)
		for n := range uint64(20) {
			r.until(uint64(i)*40*tick + (n+1)*2*tick)
		}
		r.index.End()
		parts[i] = r.growing(false)
		j.Set(parts, i == 2)
	}
	close(done)
	readers.Wait()
	v.Close()
	for _, r := range rs {
		assert.Equal(t, 2, r.closed)
	}
}

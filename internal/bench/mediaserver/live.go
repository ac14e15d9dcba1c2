package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"path"
	"strings"
	"sync"

	"github.com/smoothkit/smoothkit/smooth"
)

// watchLive is a viewer of the event in Smooth Streaming: it follows one level of each stream, by the manifest and, ahead of
// it, by asking for what must come next.
func (m *mix) watchLive(ctx context.Context, n int) {
	c := m.newClient("live Smooth")
	defer c.close()
	next := make(map[string]uint64) // by stream
	for pause(ctx, m.fragment/2+rand.N(m.fragment/2)) {
		a := c.get(ctx, "/"+livePoint+"/Manifest", nil)
		if !a.ok {
			continue
		}
		manifest, err := smooth.ParseManifest(a.body)
		if err != nil {
			c.fault(c.kind, wrong, "manifest: %v", err)
			continue
		}
		for _, st := range manifest.Streams {
			level := st.Levels[n%len(st.Levels)]
			from, seen := next[st.Name]
			if !seen {
				from = st.Timeline[max(0, len(st.Timeline)-3)].Time
			}
			for _, chunk := range st.Timeline {
				if chunk.Time >= from && c.fragment(ctx, st.Name, level.Bitrate, chunk.Time, false) {
					from = chunk.Time + chunk.Duration
				}
			}
			if n%3 == 0 && c.fragment(ctx, st.Name, level.Bitrate, from, true) {
				from += ticksOf(m.fragment)
			}
			next[st.Name] = from
		}
	}
}

// fragment gets a fragment of the event and reports whether it did. What is asked for ahead of the manifest may not be there
// yet, or never, as the encoder is away.
func (c *client) fragment(ctx context.Context, stream string, bitrate, at uint64, ahead bool) bool {
	name := fmt.Sprintf("/%s/QualityLevels(%d)/Fragments(%s=%d)", livePoint, bitrate, stream, at)
	var also []int
	if ahead {
		also = []int{http.StatusPreconditionFailed, http.StatusNotFound}
	}
	a := c.get(ctx, name, nil, also...)
	if !a.ok || a.status != http.StatusOK {
		return false
	}
	want, err := c.event.payload(smooth.FragmentKey{Stream: stream, Bitrate: bitrate, Time: at})
	if err != nil {
		c.fault(c.kind, wrong, "%s: not a fragment of the event: %v", name, err)
		return false
	}
	got, err := payload(a.body)
	if err != nil {
		c.fault(c.kind, wrong, "%s: %v", name, err)
		return false
	}
	c.compare(name, got, want)
	return true
}

// sums are what others have got for the same URL: it never changes.
type sums struct {
	mu   sync.Mutex // guards seen
	seen map[string][sha256.Size]byte
}

// maxSums bounds the URLs that are remembered.
const maxSums = 10_000

// same reports whether a body is what others got.
func (s *sums) same(url string, body []byte) bool {
	sum := sha256.Sum256(body)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.seen == nil || len(s.seen) >= maxSums {
		s.seen = make(map[string][sha256.Size]byte)
	}
	was, ok := s.seen[url]
	s.seen[url] = sum
	return !ok || was == sum
}

// watchHLS is a viewer of the event in HLS, whose segments are compared with what other viewers got.
func (m *mix) watchHLS(ctx context.Context, format string) {
	c := m.newClient("live HLS " + format)
	defer c.close()
	master := fmt.Sprintf("/%s/Manifest(format=%s).m3u8", livePoint, format)
	a := c.get(ctx, master, nil)
	if !a.ok || len(entries(a.body)) == 0 {
		return
	}
	variants := entries(a.body)
	media := path.Join(path.Dir(master), variants[rand.IntN(len(variants))])
	seen := make(map[string]bool)
	for pause(ctx, m.fragment/2+rand.N(m.fragment)) {
		a := c.get(ctx, media, nil)
		if !a.ok {
			continue
		}
		listed := make(map[string]bool)
		list := entries(a.body)
		for _, e := range list[max(0, len(list)-3):] {
			segment := path.Join(path.Dir(media), e)
			if listed[segment] = true; seen[segment] {
				continue
			}
			if a := c.get(ctx, segment, nil); a.ok && !m.sums.same(segment, a.body) {
				c.fault(c.kind, wrong, "%s: %d bytes, others than before", segment, len(a.body))
			} else if a.ok && strings.HasSuffix(strings.ToLower(segment), ".ts") && !isTS(a.body) {
				c.fault(c.kind, wrong, "%s: no transport stream", segment)
			}
		}
		seen = listed
	}
}

// isTS reports whether a body is a transport stream.
func isTS(b []byte) bool {
	for i := 0; i < len(b); i += 188 {
		if b[i] != 0x47 {
			return false
		}
	}
	return len(b) > 0 && len(b)%188 == 0
}

// entries returns the URIs of a playlist of HLS, without the escapes of paths that path.Join would keep.
func entries(playlist []byte) (list []string) {
	for line := range bytes.Lines(playlist) {
		text := strings.TrimSpace(string(line))
		if text == "" || text[0] == '#' {
			continue
		}
		if u, err := url.Parse(text); err == nil {
			list = append(list, u.String())
		}
	}
	return list
}

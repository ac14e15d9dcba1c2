package main

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"regexp"
	"strings"
	"time"
)

// maxDownload is twice what a download of pacedFile takes.
const maxDownload = 10 * time.Second

// download downloads a paced file, whole, in part, or until it has had enough; and plain files in between.
func (m *mix) download(ctx context.Context) {
	c := m.newClient("throttled downloads")
	defer c.close()
	plain := m.newClient("plain files")
	defer plain.close()
	for pause(ctx, rand.N(2*time.Second)) {
		want, name := m.site.files[pacedFile], "/"+pacedFile
		switch rand.IntN(4) {
		case 0:
			from := rand.IntN(len(want))
			a := c.get(ctx, name, http.Header{"Range": {fmt.Sprintf("bytes=%d-", from)}}, http.StatusPartialContent)
			if a.ok {
				c.compare(name, a.body, want[from:])
			}
		case 1:
			some, leave := context.WithTimeout(ctx, time.Second+rand.N(time.Second))
			if a := c.get(some, name, nil); a.ok {
				c.fault(c.kind, wrong, "%s: %d bytes in two seconds, which is too fast", name, len(a.body))
			}
			leave()
		default:
			start := time.Now()
			if a := c.get(ctx, name, nil); a.ok {
				c.compare(name, a.body, want)
				if took := time.Since(start); took > maxDownload {
					m.tell(fmt.Sprintf("a download took %.1f s", took.Seconds()))
				}
			}
		}
		if a := plain.get(ctx, "/"+plainFile, nil); a.ok {
			plain.compare(plainFile, a.body, m.site.files[plainFile])
		}
	}
}

var href = regexp.MustCompile(`HREF="([^"]+)"`)

// watchPlaylist is a viewer of the Web Playlist: the list, the advertisement in it, and the presentation after that.
func (m *mix) watchPlaylist(ctx context.Context) {
	c := m.newClient("playlists")
	defer c.close()
	for pause(ctx, rand.N(4*time.Second)) {
		a := c.get(ctx, "/"+listFile, nil)
		if !a.ok {
			continue
		}
		found := href.FindAllSubmatch(a.body, -1)
		if len(found) != 2 {
			c.fault(c.kind, wrong, "%s: %d entries in %.200q", listFile, len(found), a.body)
			continue
		}
		if a := c.get(ctx, string(found[0][1]), nil); a.ok {
			c.compare(adFile, a.body, m.site.files[adFile])
		}
		if a := c.get(ctx, string(found[1][1]), nil); a.ok && !strings.Contains(string(a.body), "<SmoothStreamingMedia") {
			c.fault(c.kind, wrong, "%s: no manifest: %.80q", found[1][1], a.body)
		}
	}
}

// openConsole has pages of the console open, for some seconds each, and wants to be told of changes.
func (m *mix) openConsole(ctx context.Context, page string) {
	c := m.newClient("console")
	defer c.close()
	for pause(ctx, rand.N(2*time.Second)) {
		if a := c.get(ctx, "/console/"+page, nil); !a.ok {
			continue
		}
		if n, err := c.events(ctx, "/console/live/"+page, 10*time.Second); err != nil {
			c.fault(c.kind, broken, "updates of %q: %v", page, err)
		} else if n == 0 && ctx.Err() == nil {
			c.fault(c.kind, wrong, "no updates of %q in ten seconds", page)
		}
	}
}

// events counts the server-sent events of some time.
func (c *client) events(ctx context.Context, path string, length time.Duration) (int, error) {
	some, leave := context.WithTimeout(ctx, length)
	defer leave()
	r, err := http.NewRequestWithContext(some, http.MethodGet, c.server.URL(path), nil)
	if err != nil {
		return 0, err
	}
	resp, err := c.http.Do(r)
	if err != nil {
		if some.Err() != nil {
			err = nil
		}
		return 0, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return 0, fmt.Errorf("%s: %s", path, resp.Status)
	}
	b, err := io.ReadAll(io.LimitReader(resp.Body, maxBody))
	c.count(c.kind, func(t *tally) { t.requests++; t.bytes += int64(len(b)) })
	if err == nil && some.Err() == nil {
		return 0, fmt.Errorf("%s: it ended by itself after %d bytes", path, len(b))
	}
	return strings.Count(string(b), "event: part\n"), nil
}

// scrape reads the metrics.
func (m *mix) scrape(ctx context.Context) {
	c := m.newClient("metrics, health")
	defer c.close()
	for pause(ctx, time.Second) {
		if a := c.get(ctx, "/metrics", nil); a.ok && !strings.Contains(string(a.body), "\nsmoothkit_") {
			c.fault(c.kind, wrong, "no metrics: %.80q", a.body)
		}
		c.get(ctx, "/healthz", nil)
		c.get(ctx, "/readyz", nil)
	}
}

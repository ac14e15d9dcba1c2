package playlist_test

import (
	"bytes"
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/playlist"
)

// clock is a time that a test sets forward.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock { return &clock{now: time.Date(2026, 3, 1, 20, 15, 0, 0, time.UTC)} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) forward(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// records keeps what is logged at Info and above, as text.
type records struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (r *records) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.buf.Write(p)
}

func (r *records) String() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.buf.String()
}

func (r *records) logger() *slog.Logger { return slog.New(slog.NewTextHandler(r, nil)) }

// watch is a client of a handler of files, whose time a test sets.
type watch struct {
	visit
	clock *clock
	log   *records
	seen  []playlist.Delivery
}

// files makes a file system of texts.
func files(texts map[string]string) fstest.MapFS {
	fsys := fstest.MapFS{}
	for name, text := range texts {
		fsys[name] = &fstest.MapFile{Data: []byte(text), ModTime: time.Date(2008, 9, 9, 16, 24, 37, 0, time.UTC)}
	}
	return fsys
}

// newWatch returns a client whose requests are not held unless the options say so.
func newWatch(t *testing.T, fsys fstest.MapFS, opts *playlist.HandlerOptions) *watch {
	t.Helper()
	w := &watch{clock: newClock(), log: &records{}}
	o := playlist.HandlerOptions{Hold: -1}
	if opts != nil {
		o = *opts
	}
	if o.Hold == 0 {
		o.Hold = -1
	}
	o.Logger, o.Now = w.log.logger(), w.clock.Now
	if o.Report == nil {
		o.Report = func(d playlist.Delivery) { w.seen = append(w.seen, d) }
	}
	w.visit = visit{t, playlist.NewHandler(playlist.NewFiles(fsys, w.log.logger()), &o)}
	return w
}

// open asks for a playlist and returns the URLs of its entries.
func (w *watch) open(path string) []string {
	w.t.Helper()
	r := w.get(path)
	require.Equal(w.t, http.StatusOK, r.StatusCode, path)
	return entries(w.t, bodyOf(w.t, r))
}

// want asks for a URL and checks the status; it returns the body.
func (w *watch) want(status int, url string, header ...string) string {
	w.t.Helper()
	r := w.get(url, header...)
	assert.Equal(w.t, status, r.StatusCode, "%s %v", url, header)
	return bodyOf(w.t, r)
}

// do sends a request.
func (w *watch) do(ctx context.Context, method, url string, header ...string) *http.Response {
	r := httptest.NewRequestWithContext(ctx, method, strings.TrimPrefix(url, "http://example.com"), nil)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	rec := httptest.NewRecorder()
	w.h.ServeHTTP(rec, r)
	return rec.Result()
}

// isx makes a playlist of entries; each is a source and the names of params that are False.
func isx(entries ...string) string {
	var b strings.Builder
	b.WriteString("<smil><body><seq>")
	for _, e := range entries {
		fields := strings.Fields(e)
		b.WriteString(`<ref src="` + fields[0] + `">`)
		for _, f := range fields[1:] {
			name, value, ok := strings.Cut(f, "=")
			switch {
			case !ok:
				value = "False"
			case name == "duration":
				name, value = "extraParam", `&lt;DURATION VALUE=&quot;`+value+`&quot;/&gt;`
			}
			b.WriteString(`<param name="` + name + `" value="` + value + `"/>`)
		}
		b.WriteString("</ref>")
	}
	return b.String() + "</seq></body></smil>"
}

const locked = " canSeek canSkipForward canSkipBack"

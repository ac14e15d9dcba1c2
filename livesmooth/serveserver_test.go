package livesmooth

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/smooth"
	"github.com/smoothkit/smoothkit/smooth/smoothtest"
)

// TestServeServer: the answers to requests of other servers that do not get a stream.
func TestServeServer(t *testing.T) {
	refuse := map[string]error{}
	treeTest(t, func(t *testing.T, n *treeNet) {
		h := n.host("origin", &Options{AuthorizeServer: func(r *http.Request, point string) error { return refuse[point] }})
		ctx := context.Background()
		make := func(name string, change func(*Settings)) *Point {
			s := DefaultSettings()
			change(s)
			p, err := h.srv.Create(ctx, name, s)
			require.NoError(t, err)
			return p
		}
		make("idle.isml", func(*Settings) {})
		auto := make("auto.isml", func(s *Settings) { s.AutoStart = true })
		closed := make("closed.isml", func(s *Settings) { s.Servers.Enabled = false })
		for _, name := range []string{"who.isml", "no.isml", "odd.isml", "live.isml"} {
			require.NoError(t, make(name, func(*Settings) {}).Start(ctx))
		}
		require.NoError(t, closed.Start(ctx))
		refuse["who.isml"], refuse["no.isml"], refuse["odd.isml"] = ErrUnauthorized, ErrForbidden, errors.New("no reason")
		live, err := h.srv.Point("live.isml")
		require.NoError(t, err)
		enc := newTreeEncoder(t, []treeSend{{input: "a & b", event: "e", config: treeVideo()}}, live)
		enc.until(10 * time.Second)

		for _, c := range []struct {
			method, path string
			status       int
			body         string
		}{
			{"GET", "/none.isml/streammanifest", 404, ""},
			{"GET", "/idle.isml/streammanifest", 404, ""},
			{"GET", "/idle.isml/Streams(1)", 404, ""},
			{"GET", "/closed.isml/streammanifest", 403, ""},
			{"GET", "/closed.isml/Streams(1)", 403, ""},
			{"GET", "/who.isml/streammanifest", 401, ""},
			{"GET", "/no.isml/streammanifest", 403, ""},
			{"GET", "/odd.isml/Streams(1)", 403, ""},
			{"GET", "/auto.isml/streammanifest", 200, "<par>\n</par>"},
			{"GET", "/live.isml/streammanifest", 200, `<ref src="Events(e)/Streams(a &amp; b)"/>`},
			{"GET", "/LIVE.isml/StreamManifest", 200, `<ref src="Events(e)/Streams(a &amp; b)"/>`},
			{"HEAD", "/live.isml/streammanifest", 200, ""},
			{"GET", "/live.isml/Streams(other)", 404, ""},
			{"GET", "/live.isml/Events(f)/Streams(a%20&%20b)", 404, ""},
			{"GET", "/live.isml/Streams(a%20&%20b)?from=-1", 400, ""},
			{"GET", "/live.isml/Streams(a%20&%20b)?from=x", 400, ""},
			{"HEAD", "/live.isml/Streams(a%20&%20b)", 200, ""},
			{"HEAD", "/live.isml/Events(e)/Streams(a%20&%20b)", 200, ""},
		} {
			w := httptest.NewRecorder()
			h.srv.ServeHTTP(w, httptest.NewRequest(c.method, c.path, nil))
			require.Equal(t, c.status, w.Code, "%s %s", c.method, c.path)
			require.Contains(t, w.Body.String(), c.body, "%s %s", c.method, c.path)
			if c.status == 401 {
				require.NotEmpty(t, w.Header().Get("WWW-Authenticate"))
			}
			require.Equal(t, "no-store", w.Header().Get("Cache-Control"), "%s %s", c.method, c.path)
			if c.method == "HEAD" {
				require.Zero(t, w.Body.Len())
			}
		}
		require.Equal(t, Starting, auto.State())
		require.Empty(t, live.Stats().Sinks)
	})
}

// TestServeStreamList: a server that asks for the list before the first encoder has come waits a little for it.
func TestServeStreamList(t *testing.T) {
	treeTest(t, func(t *testing.T, n *treeNet) {
		h := n.host("origin", nil)
		p := h.point(nil)
		answer := make(chan string)
		go func() {
			w := httptest.NewRecorder()
			h.srv.ServeHTTP(w, httptest.NewRequest("GET", "/a.isml/streammanifest", nil))
			answer <- w.Body.String()
		}()
		stream := make(chan []byte)
		ctx, cancel := context.WithCancel(context.Background())
		go func() {
			w := httptest.NewRecorder()
			h.srv.ServeHTTP(w, httptest.NewRequest("GET", "/a.isml/Streams(camera)", nil).WithContext(ctx))
			stream <- w.Body.Bytes()
		}()
		synctest.Wait()
		enc := newTreeEncoder(t, []treeSend{{input: "camera", config: treeVideo()}}, p)
		require.Contains(t, <-answer, "Streams(camera)")
		enc.until(4 * time.Second)
		cancel()
		require.Contains(t, string(<-stream), "moof")
	})
}

// TestServeStreamBody: what a server is sent is what an encoder would send, box by box, and what was sent before is not in it.
func TestServeStreamBody(t *testing.T) {
	treeTest(t, func(t *testing.T, n *treeNet) {
		h := n.host("origin", nil)
		p := h.point(nil)
		enc := newTreeEncoder(t, []treeSend{{input: "camera", config: treeVideo()}}, p)
		enc.until(20 * time.Second)
		enc.close(true)
		get := func(query string) []byte {
			w := httptest.NewRecorder()
			h.srv.ServeHTTP(w, httptest.NewRequest("GET", "/a.isml/Streams(camera)"+query, nil))
			require.Equal(t, "video/mp4", w.Header().Get("Content-Type"))
			return w.Body.Bytes()
		}
		body := get("")
		require.Equal(t, "ftyp uuid uuid moov uuid"+strings.Repeat(" moof mdat", 29)+" mfra", treeBoxes(body))
		seen, _ := treeRead(t, body)
		require.Len(t, seen, 29)
		late, _ := treeRead(t, get("?from=100000000"))
		var want []string
		for _, s := range seen {
			if s.time >= 10*scale {
				want = append(want, s.bytes)
			}
		}
		var got []string
		for _, s := range late {
			got = append(got, s.bytes)
		}
		require.Equal(t, want, got)
		require.Equal(t, "ftyp uuid uuid moov mfra", treeBoxes(get("?from=250000000")))
		all, _ := treeRead(t, get("?from=9000000000"))
		require.Len(t, all, 29, "a time that is far ahead is one of another timeline")
	})
}

// treeBoxes returns the types of the boxes of a body.
func treeBoxes(b []byte) string {
	var list []string
	for len(b) > 0 {
		box := firstBox(b)
		b = b[len(box):]
		list = append(list, string(box[4:8]))
	}
	return strings.Join(list, " ")
}

// treeSeen is a fragment that was read.
type treeSeen struct {
	track int
	time  int64
	bytes string
}

// treeRead reads a body as a server does.
func treeRead(t *testing.T, body []byte) ([]treeSeen, []pushPeriod) {
	t.Helper()
	pool := newPool()
	r := newPushReader(bytes.NewReader(body), pushReaderConfig{pool: pool, limits: Limits{}.withDefaults()})
	var list []treeSeen
	var periods []pushPeriod
	for {
		item, err := r.next()
		if err == io.EOF {
			require.Zero(t, pool.used.Load())
			return list, periods
		}
		require.NoError(t, err)
		switch item := item.(type) {
		case *pushFragment:
			list = append(list, treeSeen{item.track, item.time, string(item.buf.Early()) + string(item.buf.Payload())})
			item.buf.release()
		case pushPeriod:
			periods = append(periods, item)
		}
	}
}

// TestServeStreamSlow: a server that stops reading is cut, and one that is slower than the window misses what has left it.
func TestServeStreamSlow(t *testing.T) {
	treeTest(t, func(t *testing.T, n *treeNet) {
		h := n.host("origin", nil)
		p := h.point(func(s *Settings) { s.Viewers.WindowLength = 10 * time.Second })
		enc := newTreeEncoder(t, treeInputs(smoothtest.Config{Streams: []smoothtest.Stream{{Type: smooth.Video, Levels: []smoothtest.Level{{Bitrate: 3_000_000}}}}}), p)
		enc.until(4 * time.Second)
		resp, err := n.client.Get("http://origin/a.isml/Streams(video%203000000)")
		require.NoError(t, err)
		defer resp.Body.Close()
		some := make([]byte, 100)
		_, err = io.ReadFull(resp.Body, some)
		require.NoError(t, err)
		enc.until(50 * time.Second)
		s := treeSink(t, p, "10.0.0.1")
		require.Equal(t, "HTTP Pull", s.Name)
		require.NotZero(t, s.Queued)
		body := make(chan []byte)
		go func() { // it reads on, and finds that some are gone
			var b bytes.Buffer
			_, _ = io.CopyN(&b, resp.Body, 20<<10)
			body <- b.Bytes()
		}()
		b := <-body
		require.Contains(t, string(b), "moof")
		enc.until(52 * time.Second)
		require.NotZero(t, treeSink(t, p, "10.0.0.1").Dropped)
		enc.until(4 * time.Minute)
		require.Empty(t, p.Stats().Sinks, "it has been cut")
		_, err = io.Copy(io.Discard, resp.Body)
		require.ErrorIs(t, err, io.ErrUnexpectedEOF)
	})
}

// TestServeStreamAlive: where nothing is sent there are signs of life.
func TestServeStreamAlive(t *testing.T) {
	treeTest(t, func(t *testing.T, n *treeNet) {
		h := n.host("origin", nil)
		p := h.point(nil)
		enc := newTreeEncoder(t, []treeSend{{input: "camera", config: treeVideo()}}, p)
		resp, err := n.client.Get("http://origin/a.isml/Streams(camera)")
		require.NoError(t, err)
		require.Equal(t, "5", resp.Header.Get(keepAliveHeader))
		got := make(chan []byte)
		go func() {
			b, _ := io.ReadAll(resp.Body)
			got <- b
		}()
		time.Sleep(21 * time.Second)
		enc.close(true)
		require.Equal(t, "ftyp uuid uuid moov free free free free mfra", treeBoxes(<-got))
	})
}

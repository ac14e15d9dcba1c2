package livesmooth

import (
	"bytes"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/internal/fmp4"
	"github.com/smoothkit/smoothkit/smooth/smoothtest"
)

// foreignServer is an upstream that lists its streams in a box, states no periods, shows no sign of life and sends all it has
// again each time.
type foreignServer struct {
	mu     sync.Mutex
	all    []byte
	asked  int
	grown  chan struct{}
	broken bool
}

// send adds to the stream; broken breaks the connections that there are instead.
func (s *foreignServer) send(b []byte, broken bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all, s.broken = append(s.all, b...), broken
	close(s.grown)
	s.grown = make(chan struct{})
}

func (s *foreignServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case "/a.isml/streammanifest":
		_, _ = w.Write(fmp4.AppendFullUUID(nil, fmp4.UUIDStreamManifest, []byte(`<smil><body><par><ref src="Streams(all)"/></par></body></smil>`)))
		return
	case "/a.isml/Streams(all)":
	default:
		http.NotFound(w, r)
		return
	}
	s.mu.Lock()
	s.asked++
	s.mu.Unlock()
	for sent := 0; ; {
		s.mu.Lock()
		b, grown, broken := s.all[sent:], s.grown, s.broken
		s.mu.Unlock()
		if broken && sent > 0 {
			panic(http.ErrAbortHandler)
		}
		_, _ = w.Write(b)
		_ = http.NewResponseController(w).Flush()
		sent += len(b)
		select {
		case <-grown:
		case <-r.Context().Done():
			return
		}
	}
}

// TestTreeForeignUpstream: other servers are pulled from, too, and none of their habits disturbs the timeline.
func TestTreeForeignUpstream(t *testing.T) {
	treeTest(t, func(t *testing.T, n *treeNet) {
		iis, edge := n.host("iis", nil), n.host("edge", nil)
		enc := smoothtest.NewEncoder(treeVideo())
		s := &foreignServer{all: enc.Header(), grown: make(chan struct{})}
		iis.before(func(http.Handler) http.Handler { return s })
		e := edge.pulling("iis")
		for at := range 60 {
			time.Sleep(time.Second)
			s.send(enc.Until(time.Duration(at)*time.Second), at == 30)
			synctest.Wait()
		}
		time.Sleep(time.Second)
		require.Equal(t, 2, s.asked)
		line := treeListed(e)["video"]
		require.Equal(t, 27, len(line))
		require.Zero(t, line[0].Time)
		require.Equal(t, 1, e.Stats().Periods)
		require.Zero(t, treeGaps(e))
		time.Sleep(2 * time.Minute)
		require.ErrorIs(t, e.LastError(), errSilent)
		require.Equal(t, Started, e.State())
	})
}

// TestTreeForeignDownstream: what a server that is pushed to answers counts.
func TestTreeForeignDownstream(t *testing.T) {
	for name, c := range map[string]struct {
		answer func(w http.ResponseWriter, r *http.Request, body io.Reader)
		err    string
	}{
		"refuses the probe": {func(w http.ResponseWriter, r *http.Request, _ io.Reader) { http.Error(w, "", http.StatusForbidden) }, "403"},
		"refuses the header": {func(w http.ResponseWriter, r *http.Request, body io.Reader) {
			if r.ContentLength != 0 {
				_, _ = io.CopyN(io.Discard, body, 100)
				w.Header().Set("Connection", "close")
				http.Error(w, "", http.StatusUnsupportedMediaType)
			}
		}, "415"},
		"says thank you": {func(w http.ResponseWriter, r *http.Request, body io.Reader) {
			if r.ContentLength != 0 {
				_, _ = io.CopyN(io.Discard, body, 10000)
			}
		}, "livesmooth"},
		"hangs at the probe": {func(w http.ResponseWriter, r *http.Request, body io.Reader) {
			<-r.Context().Done()
		}, "deadline"},
	} {
		t.Run(name, func(t *testing.T) {
			treeTest(t, func(t *testing.T, n *treeNet) {
				origin, iis := n.host("origin", nil), n.host("iis", nil)
				iis.before(func(http.Handler) http.Handler {
					return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
						_ = http.NewResponseController(w).EnableFullDuplex()
						c.answer(w, r, r.Body)
					})
				})
				o := origin.point(func(s *Settings) { s.PushTo = treeRemotes("iis") })
				enc := newTreeEncoder(t, treeInputs(treeVideo()), o)
				enc.until(100 * time.Second)
				s := treeSink(t, o, "http://iis/a.isml")
				if c.err == "livesmooth" {
					require.Greater(t, iis.requests("POST"), 20, "it is pushed to again and again")
					return
				}
				require.True(t, s.Failing)
				require.ErrorContains(t, s.Err, c.err)
			})
		})
	}
}

// TestTreeRedirect: a server may send those who push elsewhere, in the answer to the probe.
func TestTreeRedirect(t *testing.T) {
	treeTest(t, func(t *testing.T, n *treeNet) {
		origin, front, node := n.host("origin", nil), n.host("front", nil), n.host("node", nil)
		node.point(nil)
		front.before(func(http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				http.Redirect(w, r, "http://node"+r.URL.EscapedPath(), http.StatusTemporaryRedirect)
			})
		})
		o := origin.point(func(s *Settings) { s.PushTo = treeRemotes("front") })
		enc := newTreeEncoder(t, treeInputs(treeVideo()), o)
		enc.until(20 * time.Second)
		requireSame(t, origin, node)
		require.Equal(t, 3, front.requests("POST"), front.asked)
	})
}

// TestTreeHistory: a server that joins late gets also what has left memory.
func TestTreeHistory(t *testing.T) {
	dir := t.TempDir()
	treeTest(t, func(t *testing.T, n *treeNet) {
		spool, err := NewSpool(dir, nil)
		require.NoError(t, err)
		defer spool.Close()
		origin := n.host("origin", &Options{MemoryBudget: 1 << 18, Sinks: func(string, *Settings) []Sink { return []Sink{spool} }})
		edge := n.host("edge", nil)
		o := origin.point(nil)
		enc := newTreeEncoder(t, treeInputs(treeVideo()), o)
		enc.until(3 * time.Minute)
		require.Less(t, o.Stats().Memory, int64(1<<18+1<<16))
		e := edge.pulling("origin")
		enc.until(190 * time.Second)
		requireSame(t, origin, edge)
		require.Greater(t, e.Stats().Memory, int64(1<<20))
	})
}

// TestTreeSharedTrack: a track that comes in two input streams, under another track_ID in each, is the same for a server
// downstream, which gets each fragment under the ID of its stream.
func TestTreeSharedTrack(t *testing.T) {
	treeTest(t, func(t *testing.T, n *treeNet) {
		origin, edge := n.host("origin", nil), n.host("edge", nil)
		o := origin.point(nil)
		e := edge.pulling("origin")
		all, one := treeVideo(), treeVideo()
		one.Streams = one.Streams[1:]
		enc := newTreeEncoder(t, []treeSend{{input: "all", config: all}, {input: "one", config: one}}, o)
		enc.until(10 * time.Second)
		for _, l := range enc.lanes[:1] {
			l.outs[0].(io.Closer).Close() // the audio goes on in the other stream alone
		}
		enc.lanes = enc.lanes[1:]
		enc.until(60 * time.Second)
		require.Equal(t, treeListed(o), treeListed(e))
		require.Len(t, treeListed(e)["audio"], 27)
		want, got := treeFragments(origin, o.live.Load().snap.Load()), treeFragments(edge, e.live.Load().snap.Load())
		require.Len(t, got, len(want))
		for path, b := range want {
			require.True(t, bytes.Equal(b, got[path]), path)
		}
		require.True(t, strings.HasPrefix(e.Stats().Inputs[1].Sources[0].Address, "http://origin/a.isml/Streams("))
	})
}

package livesmooth

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/smooth"
	"github.com/smoothkit/smoothkit/smooth/smoothtest"
)

// TestTree: an origin, an edge that is there from the beginning, and one below it, give viewers the same bytes, live and when
// the event has ended.
func TestTree(t *testing.T) {
	for name, config := range map[string]smoothtest.Config{"simple": treeVideo(), "languages and text": smoothtest.Default()} {
		t.Run(name, func(t *testing.T) {
			treeTest(t, func(t *testing.T, n *treeNet) {
				origin, edge, leaf := n.host("origin", nil), n.host("edge", nil), n.host("leaf", nil)
				o := origin.point(nil)
				e, l := edge.pulling("origin"), leaf.pulling("edge")
				enc := newTreeEncoder(t, treeInputs(config), o)
				enc.until(32 * time.Second)
				require.NotEmpty(t, treeListed(o)["video"])
				requireSame(t, origin, edge, leaf)
				enc.close(true)
				time.Sleep(time.Second)
				for _, p := range []*Point{o, e, l} {
					require.Equal(t, Stopped, p.State())
				}
				requireSame(t, origin, edge, leaf)
			})
		})
	}
}

// TestTreeCatchUp: an edge that joins late gets what is in the window, over as many connections as there are streams, and
// lists the same as its origin.
func TestTreeCatchUp(t *testing.T) {
	for name, window := range map[string]time.Duration{"all": 0, "window": 40 * time.Second} {
		t.Run(name, func(t *testing.T) {
			treeTest(t, func(t *testing.T, n *treeNet) {
				origin, edge, leaf := n.host("origin", nil), n.host("edge", nil), n.host("leaf", nil)
				set := func(s *Settings) { s.Viewers.WindowLength = window }
				o := origin.point(set)
				enc := newTreeEncoder(t, treeInputs(smoothtest.Default()), o)
				enc.until(2 * time.Minute)
				pull := func(from string) func(s *Settings) {
					return func(s *Settings) { set(s); s.Source = SourcePull; s.PullFrom = treeRemotes(from) }
				}
				edge.point(pull("origin"))
				leaf.point(pull("edge"))
				enc.until(126 * time.Second)
				requireSame(t, origin, edge, leaf)
				enc.close(true)
				requireSame(t, origin, edge, leaf)
			})
		})
	}
}

// TestTreeNewStream: an input stream that joins in the middle is in the same fragments everywhere.
func TestTreeNewStream(t *testing.T) {
	treeTest(t, func(t *testing.T, n *treeNet) {
		origin, edge := n.host("origin", nil), n.host("edge", nil)
		o := origin.point(func(s *Settings) { s.Lookahead = 0 })
		edge.srv.distribution.list = time.Hour // the streams themselves tell of others
		edge.point(func(s *Settings) { s.Lookahead = 0; s.Source = SourcePull; s.PullFrom = treeRemotes("origin") })
		inputs := treeInputs(treeVideo())
		enc := newTreeEncoder(t, inputs[:1], o)
		enc.until(21 * time.Second)
		for _, s := range inputs[1:] {
			s.config.Streams[0].Start = 22 * scale
			late := newTreeEncoder(t, []treeSend{s}, o)
			enc.lanes = append(enc.lanes, late.lanes[0])
		}
		enc.sent = 21 * time.Second
		enc.untilEach(60*time.Second, []time.Duration{0, 22 * time.Second, 22 * time.Second})
		requireSame(t, origin, edge)
	})
}

// treeGaps returns how many gaps a point knows of.
func treeGaps(p *Point) int { return len(p.live.Load().snap.Load().Gaps) }

// TestTreeFailover: an edge turns to the other origin when the one that it pulls from is killed, and its viewers see no gap.
func TestTreeFailover(t *testing.T) {
	treeTest(t, func(t *testing.T, n *treeNet) {
		one, two, edge := n.host("one", nil), n.host("two", nil), n.host("edge", nil)
		a, b := one.point(nil), two.point(nil)
		e := edge.pulling("one", "two")
		enc := newTreeEncoder(t, treeInputs(treeVideo()), a, b)
		enc.until(25 * time.Second)
		requireSame(t, one, two, edge)
		one.kill()
		enc.until(26 * time.Second)
		enc.until(60 * time.Second)
		requireSame(t, two, edge)
		require.Zero(t, treeGaps(e))
		require.NoError(t, e.LastError())
		for _, in := range e.Stats().Inputs {
			require.Len(t, in.Sources, 1)
			require.Contains(t, in.Sources[0].Address, "http://two/a.isml/Streams(")
			require.Equal(t, "HTTP Pull", in.Sources[0].Name)
		}
	})
}

// TestTreeHang: an origin that dies without a word, as when its cable is cut, is noticed by its silence.
func TestTreeHang(t *testing.T) {
	treeTest(t, func(t *testing.T, n *treeNet) {
		one, two, edge := n.host("one", nil), n.host("two", nil), n.host("edge", nil)
		a, b := one.point(nil), two.point(nil)
		e := edge.pulling("one", "two")
		enc := newTreeEncoder(t, treeInputs(treeVideo()), a, b)
		enc.until(25 * time.Second)
		one.hang()
		enc.until(60 * time.Second)
		requireSame(t, two, edge)
		require.Zero(t, treeGaps(e))
	})
}

// TestTreeReconnect: broken connections are made anew, and what was missed meanwhile is asked for.
func TestTreeReconnect(t *testing.T) {
	treeTest(t, func(t *testing.T, n *treeNet) {
		origin, edge := n.host("origin", nil), n.host("edge", nil)
		o := origin.point(nil)
		e := edge.pulling("origin")
		enc := newTreeEncoder(t, treeInputs(treeVideo()), o)
		for at := 20 * time.Second; at <= 80*time.Second; at += 7 * time.Second {
			enc.until(at)
			origin.cut()
			for _, l := range enc.lanes { // these are not on the network
				require.Empty(t, l.done[0])
			}
		}
		enc.until(90 * time.Second)
		requireSame(t, origin, edge)
		require.Zero(t, treeGaps(e))
		require.NotZero(t, e.Stats().Inputs[0].Tracks[0].Duplicates, "it has asked for a little more than it missed")
		require.NotZero(t, origin.requests("GET /a.isml/Streams(video%203000000)?from="), origin.asked)
	})
}

// TestTreeDiscontinuities: what an origin has guessed about the clock of its encoders, an edge is told, whenever it joins.
func TestTreeDiscontinuities(t *testing.T) {
	treeTest(t, func(t *testing.T, n *treeNet) {
		origin, edge, late := n.host("origin", nil), n.host("edge", nil), n.host("late", nil)
		o := origin.point(nil)
		edge.pulling("origin")
		for i := range 3 {
			enc := newTreeEncoder(t, treeInputs(treeVideo()), o)
			enc.until(time.Duration(20+i) * time.Second)
			requireSame(t, origin, edge)
			enc.close(false)
			time.Sleep(30 * time.Second)
		}
		require.Equal(t, 3, o.Stats().Periods)
		late.pulling("edge")
		enc := newTreeEncoder(t, treeInputs(treeVideo()), o)
		enc.until(20 * time.Second)
		requireSame(t, origin, edge, late)
		require.Equal(t, 4, o.Stats().Periods)
		list := treePlaylists(late)
		require.Greater(t, len(list), 1)
		require.Contains(t, list[1], "#EXT-X-DISCONTINUITY\n")
		require.Contains(t, list[1], "#EXT-X-PROGRAM-DATE-TIME:")
	})
}

// TestTreeCodecChange: an encoder that comes back with another configuration makes a new period, which begins everywhere at the
// same fragment, whichever connection tells of it first.
func TestTreeCodecChange(t *testing.T) {
	treeTest(t, func(t *testing.T, n *treeNet) {
		origin, edge, late := n.host("origin", nil), n.host("edge", nil), n.host("late", nil)
		o := origin.point(nil)
		edge.pulling("origin")
		config := treeVideo()
		enc := newTreeEncoder(t, treeInputs(config), o)
		enc.until(20 * time.Second)
		enc.close(false)
		for i := range config.Streams {
			config.Streams[i].Start = 20 * scale
		}
		config.Streams[0].Levels[0].Width, config.Streams[0].Levels[0].Height = 1280, 720
		enc = newTreeEncoder(t, treeInputs(config), o)
		enc.until(20 * time.Second)
		requireSame(t, origin, edge)
		late.pulling("edge")
		enc.until(30 * time.Second)
		requireSame(t, origin, edge, late)
		require.Equal(t, 2, o.Stats().Periods)
	})
}

// TestTreeUneven: an edge that catches up over connections of which one is much slower than the others lists what its origin
// does, since the fast ones wait.
func TestTreeUneven(t *testing.T) {
	treeTest(t, func(t *testing.T, n *treeNet) {
		origin, edge := n.host("origin", nil), n.host("edge", nil)
		o := origin.point(nil)
		enc := newTreeEncoder(t, treeInputs(treeVideo()), o)
		enc.until(3 * time.Minute)
		origin.before(func(next http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if strings.Contains(r.URL.Path, "video 400000") {
					w = &treeSlow{w}
				}
				next.ServeHTTP(w, r)
			})
		})
		e := edge.pulling("origin")
		enc.until(8 * time.Minute)
		time.Sleep(1500 * time.Millisecond)
		requireSame(t, origin, edge)
		require.Zero(t, treeGaps(e))
	})
}

// treeSlow is a connection that needs a second for each fragment.
type treeSlow struct{ http.ResponseWriter }

func (s *treeSlow) Unwrap() http.ResponseWriter { return s.ResponseWriter }

func (s *treeSlow) Write(b []byte) (int, error) {
	time.Sleep(time.Second / 2) // head and payload
	return s.ResponseWriter.Write(b)
}

// TestTreeNames: tracks that the encoder did not name, or named like others, are called the same on every server, whichever of
// them comes first there, and whatever has left the window.
func TestTreeNames(t *testing.T) {
	treeTest(t, func(t *testing.T, n *treeNet) {
		origin, edge, leaf := n.host("origin", nil), n.host("edge", nil), n.host("leaf", nil)
		window := func(s *Settings) { s.Viewers.WindowLength = 10 * time.Second }
		pull := func(from string) func(s *Settings) {
			return func(s *Settings) { window(s); s.Source = SourcePull; s.PullFrom = treeRemotes(from) }
		}
		o := origin.point(window)
		inputs := treeInputs(smoothtest.Config{Streams: []smoothtest.Stream{
			{Type: smooth.Video, Durations: []uint64{scale, 2 * scale}, Levels: []smoothtest.Level{{Bitrate: 1}}},
			{Type: smooth.Audio, Name: "audio", Language: "fra", Levels: []smoothtest.Level{{Bitrate: 64_000}}},
			{Type: smooth.Audio, Name: "audio", Language: "eng", Levels: []smoothtest.Level{{Bitrate: 64_000}}},
		}})
		inputs[2].input = "a second audio"
		var enc *treeEncoder
		for i := range inputs {
			one := newTreeEncoder(t, inputs[i:i+1], o)
			if enc == nil {
				enc = one
				continue
			}
			enc.lanes = append(enc.lanes, one.lanes...)
		}
		enc.until(time.Minute)
		require.Len(t, treeListed(o), 3)
		require.Contains(t, treeListed(o), "audio_eng")
		reverse := func(next http.Handler) http.Handler { // the second audio comes to the edge before the first
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if strings.Contains(r.URL.Path, "audio 64000") {
					time.Sleep(time.Second)
				}
				next.ServeHTTP(w, r)
			})
		}
		origin.before(reverse)
		edge.point(pull("origin"))
		leaf.point(pull("edge"))
		enc.until(70 * time.Second)
		requireSame(t, origin, edge, leaf)
	})
}

// TestTreeUndescribed: of a stream without a live server manifest the origin measures the bit rate, and tells it.
func TestTreeUndescribed(t *testing.T) {
	treeTest(t, func(t *testing.T, n *treeNet) {
		origin, edge := n.host("origin", nil), n.host("edge", nil)
		window := func(s *Settings) { s.Viewers.WindowLength = 10 * time.Second }
		o := origin.point(window)
		enc := newTreeEncoder(t, nil, o)
		one := &treeLane{enc: smoothtest.NewEncoder(smoothtest.Config{Streams: []smoothtest.Stream{
			{Type: smooth.Video, Durations: []uint64{scale, 2 * scale}, Levels: []smoothtest.Level{{Bitrate: 3_000_000}}}}})}
		enc.open(one, treeSend{input: "camera"}, o)
		for header := one.enc.Header(); len(header) > 0; {
			box := firstBox(header)
			if header = header[len(box):]; string(box[4:8]) != "uuid" {
				one.write(box)
			}
		}
		enc.until(time.Minute)
		edge.point(func(s *Settings) { window(s); s.Source = SourcePull; s.PullFrom = treeRemotes("origin") })
		enc.until(70 * time.Second)
		requireSame(t, origin, edge)
		require.NotZero(t, o.Stats().Inputs[0].Tracks[0].Bitrate)
	})
}

// TestTreeMissing: a stream that is in the list and cannot be had is waited for within bounds, also if nothing else happens, and
// keeps nobody up for ever.
func TestTreeMissing(t *testing.T) {
	treeTest(t, func(t *testing.T, n *treeNet) {
		origin, edge := n.host("origin", nil), n.host("edge", nil)
		o := origin.point(nil)
		enc := newTreeEncoder(t, treeInputs(treeVideo()), o)
		enc.until(20 * time.Second)
		origin.before(func(next http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if strings.Contains(r.URL.Path, "video 400000") {
					http.Error(w, "broken", http.StatusInternalServerError)
					return
				}
				next.ServeHTTP(w, r)
			})
		})
		e := edge.pulling("origin")
		time.Sleep(edge.srv.opts.Limits.HeaderTimeout - time.Second)
		require.Empty(t, treeListed(e)["video"])
		time.Sleep(2 * time.Second)
		require.Equal(t, treeListed(o), treeListed(e))
		require.ErrorContains(t, e.LastError(), "500")
	})
}

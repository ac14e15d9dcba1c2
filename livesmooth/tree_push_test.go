package livesmooth

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// treeSink returns the counters of the server with that target.
func treeSink(t *testing.T, p *Point, target string) SinkStats {
	t.Helper()
	for _, s := range p.Stats().Sinks {
		if s.Target == target {
			return s
		}
	}
	require.Fail(t, "no such sink", "%s in %v", target, p.Stats().Sinks)
	return SinkStats{}
}

// TestTreePush: an origin pushes to two servers, and one of them to another; all give the same.
func TestTreePush(t *testing.T) {
	treeTest(t, func(t *testing.T, n *treeNet) {
		origin, one, two, leaf := n.host("origin", nil), n.host("one", nil), n.host("two", nil), n.host("leaf", nil)
		leaf.point(nil)
		one.point(func(s *Settings) { s.PushTo = treeRemotes("leaf") })
		two.point(nil)
		o := origin.point(func(s *Settings) { s.PushTo = treeRemotes("one", "two") })
		enc := newTreeEncoder(t, treeInputs(treeVideo()), o)
		enc.until(30 * time.Second)
		requireSame(t, origin, one, two, leaf)
		s := treeSink(t, o, "http://one/a.isml")
		require.Equal(t, SinkStats{Name: "HTTP Push", Target: "http://one/a.isml"}, s)
		enc.close(true)
		time.Sleep(time.Second)
		requireSame(t, origin, one, two, leaf)
	})
}

// TestTreePushEvent: the ID of the event goes on with the streams.
func TestTreePushEvent(t *testing.T) {
	treeTest(t, func(t *testing.T, n *treeNet) {
		origin, pushed, pulled := n.host("origin", nil), n.host("pushed", nil), n.host("pulled", nil)
		p := pushed.point(nil)
		o := origin.point(func(s *Settings) { s.PushTo = treeRemotes("pushed") })
		q := pulled.pulling("origin")
		inputs := treeInputs(treeVideo())
		for i := range inputs {
			inputs[i].event = "cup final"
		}
		enc := newTreeEncoder(t, inputs, o)
		enc.until(10 * time.Second)
		requireSame(t, origin, pushed, pulled)
		require.Equal(t, "cup final", p.Stats().EventID)
		require.Equal(t, "cup final", q.Stats().EventID)
	})
}

// TestTreePushHang: a server that hangs holds nobody up: not ingest, not the other server. What leaves the window before it
// goes on is dropped and counted, and it goes on at the live edge.
func TestTreePushHang(t *testing.T) {
	treeTest(t, func(t *testing.T, n *treeNet) {
		origin, good, bad := n.host("origin", nil), n.host("good", nil), n.host("bad", nil)
		good.point(nil)
		b := bad.point(nil)
		o := origin.point(func(s *Settings) {
			s.PushTo = treeRemotes("good", "bad")
			s.Viewers.WindowLength = 20 * time.Second
		})
		enc := newTreeEncoder(t, treeInputs(treeVideo()), o)
		enc.until(20 * time.Second)
		bad.hang()
		enc.until(4 * time.Minute)
		s := treeSink(t, o, "http://bad/a.isml")
		require.True(t, s.Failing)
		require.Error(t, s.Err)
		require.NotZero(t, s.Queued)
		require.NotZero(t, s.QueuedBytes)
		require.False(t, treeSink(t, o, "http://good/a.isml").Failing)
		line := treeListed(o)["video"]
		p, err := good.srv.Point("a.isml")
		require.NoError(t, err)
		require.Equal(t, line[len(line)-1], treeListed(p)["video"][len(treeListed(p)["video"])-1])

		bad.wake()
		enc.until(6 * time.Minute)
		s = treeSink(t, o, "http://bad/a.isml")
		require.False(t, s.Failing, s.Err)
		require.NotZero(t, s.Dropped)
		require.Less(t, s.Queued, int64(5))
		line = treeListed(o)["video"]
		require.Equal(t, line[len(line)-1], treeListed(b)["video"][len(treeListed(b)["video"])-1])
	})
}

// TestTreePushReconnect: after a broken connection the last fragments are sent again, and nothing is missing.
func TestTreePushReconnect(t *testing.T) {
	treeTest(t, func(t *testing.T, n *treeNet) {
		origin, pushed := n.host("origin", nil), n.host("pushed", nil)
		p := pushed.point(nil)
		o := origin.point(func(s *Settings) { s.PushTo = treeRemotes("pushed") })
		enc := newTreeEncoder(t, treeInputs(treeVideo()), o)
		for at := 20 * time.Second; at <= 60*time.Second; at += 10 * time.Second {
			enc.until(at)
			pushed.cut()
		}
		enc.until(70 * time.Second)
		requireSame(t, origin, pushed)
		require.Zero(t, treeGaps(p))
		require.GreaterOrEqual(t, p.Stats().Inputs[0].Tracks[0].Duplicates, uint64(5*resendCount))
		require.NotZero(t, pushed.requests("POST /a.isml/Streams(video%203000000)"), pushed.asked)
	})
}

// TestTreePushLate: a server that is not there at first gets all there is in the window, in step.
func TestTreePushLate(t *testing.T) {
	treeTest(t, func(t *testing.T, n *treeNet) {
		origin := n.host("origin", nil)
		o := origin.point(func(s *Settings) { s.PushTo = treeRemotes("late") })
		enc := newTreeEncoder(t, treeInputs(treeVideo()), o)
		enc.until(3 * time.Minute)
		require.True(t, treeSink(t, o, "http://late/a.isml").Failing)
		late := n.host("late", nil)
		late.point(nil)
		enc.until(200 * time.Second)
		requireSame(t, origin, late)
	})
}

// TestTreePushStop: a server that hangs does not keep a point from being removed, or the server from being closed.
func TestTreePushStop(t *testing.T) {
	treeTest(t, func(t *testing.T, n *treeNet) {
		origin, bad := n.host("origin", nil), n.host("bad", nil)
		bad.point(nil)
		o := origin.point(func(s *Settings) { s.PushTo = treeRemotes("bad") })
		enc := newTreeEncoder(t, treeInputs(treeVideo()), o)
		enc.until(10 * time.Second)
		bad.hang()
		enc.until(14 * time.Second)
		start := time.Now()
		require.NoError(t, o.Stop(context.Background()))
		require.Less(t, time.Since(start), time.Second)
		require.NoError(t, origin.srv.Remove(context.Background(), "a.isml"))
		require.LessOrEqual(t, time.Since(start), origin.srv.distribution.goodbye+time.Second)
		enc.close(false)
	})
}

// TestTreeCredentials: requests to other servers carry the credentials that the settings name, and the reason is told where
// they are missing or wrong.
func TestTreeCredentials(t *testing.T) {
	treeTest(t, func(t *testing.T, n *treeNet) {
		check := func(r *http.Request) error {
			if user, password, ok := r.BasicAuth(); !ok {
				return ErrUnauthorized
			} else if user != "edge" || password != "secret" {
				return errors.New("wrong password")
			}
			return nil
		}
		look := func(name string) (string, string, bool) {
			return "edge", map[string]string{"good": "secret", "bad": "guess"}[name], name == "good" || name == "bad"
		}
		origin := n.host("origin", &Options{AuthorizeServer: func(r *http.Request, _ string) error { return check(r) }, Credentials: look})
		target := n.host("target", &Options{AuthorizeEncoder: func(r *http.Request, _ PushInfo) error { return check(r) }})
		target.point(nil)
		o := origin.point(func(s *Settings) { s.PushTo = []RemotePoint{{URL: "http://target/a.isml", Credential: "good"}} })
		enc := newTreeEncoder(t, treeInputs(treeVideo()), o)
		same := []*treeHost{target}
		for _, c := range []struct{ name, url, credential, problem string }{
			{"good", "http://origin/a.isml", "good", ""},
			{"inline", "http://edge:secret@origin/a.isml", "", ""},
			{"bad", "http://origin/a.isml", "bad", "403"},
			{"none", "http://origin/a.isml", "", "401"},
			{"unknown", "http://origin/a.isml", "missing", "no credentials of that name"},
		} {
			edge := n.host(c.name, &Options{Credentials: look})
			p := edge.point(func(s *Settings) {
				s.Source, s.PullFrom = SourcePull, []RemotePoint{{URL: c.url, Credential: c.credential}}
			})
			synctest.Wait()
			if c.problem != "" {
				require.ErrorContains(t, p.LastError(), c.problem)
				require.NotContains(t, p.LastError().Error(), "secret")
				require.Equal(t, Starting, p.State())
				continue
			}
			require.NoError(t, p.LastError())
			same = append(same, edge)
		}
		enc.until(20 * time.Second)
		requireSame(t, origin, same...)
		for _, p := range same[2].srv.Points() {
			for _, in := range p.Stats().Inputs {
				require.False(t, strings.Contains(in.Sources[0].Address, "secret"), in.Sources[0].Address)
			}
		}
	})
}

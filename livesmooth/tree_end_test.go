package livesmooth

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// TestTreeEnd: the end of the streams goes down the tree where the settings want that, whoever has ended them.
func TestTreeEnd(t *testing.T) {
	end := map[string]func(t *testing.T, o *Point, enc *treeEncoder){
		"by the encoder": func(t *testing.T, _ *Point, enc *treeEncoder) { enc.close(true) },
		"by command": func(t *testing.T, o *Point, enc *treeEncoder) {
			require.NoError(t, o.Stop(context.Background()))
			enc.close(false)
		},
	}
	for name, stop := range end {
		for _, told := range []bool{true, false} {
			t.Run(name, func(t *testing.T) {
				treeTest(t, func(t *testing.T, n *treeNet) {
					origin, pulled, pushed := n.host("origin", nil), n.host("pulled", nil), n.host("pushed", nil)
					b := pushed.point(nil)
					o := origin.point(func(s *Settings) {
						s.Servers.EndOnStop = told
						s.PushTo = treeRemotes("pushed")
					})
					a := pulled.pulling("origin")
					enc := newTreeEncoder(t, treeInputs(treeVideo()), o)
					enc.until(20 * time.Second)
					stop(t, o, enc)
					time.Sleep(time.Minute)
					require.Equal(t, Stopped, o.State())
					want := Started
					if told {
						want = Stopped
						requireSame(t, origin, pulled, pushed)
					}
					require.Equal(t, want, a.State())
					require.Equal(t, want, b.State())
				})
			})
		}
	}
}

// TestTreeMaintenance: an origin without EndOnStop is stopped and started anew, with encoders whose clocks begin anew; the edge
// goes on with the new event after the old one, at the place that the wall clock says.
func TestTreeMaintenance(t *testing.T) {
	treeTest(t, func(t *testing.T, n *treeNet) {
		origin, edge, other := n.host("origin", nil), n.host("edge", nil), n.host("other", nil)
		o := origin.point(func(s *Settings) { s.Servers.EndOnStop = false })
		e := edge.pulling("origin")
		p := other.pulling("origin")
		enc := newTreeEncoder(t, treeInputs(treeVideo()), o)
		enc.until(30 * time.Second)
		require.NoError(t, o.Stop(context.Background()))
		enc.close(false)
		require.NoError(t, o.Shutdown(context.Background()))
		time.Sleep(5 * time.Minute)
		require.NoError(t, o.Start(context.Background()))
		synctest.Wait()
		enc = newTreeEncoder(t, treeInputs(treeVideo()), o)
		enc.until(40 * time.Second)
		requireSame(t, edge, other)
		require.Equal(t, 2, e.Stats().Periods)
		line := treeListed(e)["video"]
		last := line[len(line)-1]
		now := time.Now()
		snap := e.live.Load().snap.Load()
		wall := snap.Periods[1].Wall.Add(span(last.End() - snap.Periods[1].Start))
		require.WithinDuration(t, now, wall, 10*time.Second)
		require.Equal(t, Started, p.State())
	})
}

// TestTreeShutdown: a server that ends does not end the event: its edge turns to the other origin.
func TestTreeShutdown(t *testing.T) {
	treeTest(t, func(t *testing.T, n *treeNet) {
		one, two, edge := n.host("one", nil), n.host("two", nil), n.host("edge", nil)
		a, b := one.point(nil), two.point(nil)
		e := edge.pulling("one", "two")
		enc := newTreeEncoder(t, treeInputs(treeVideo()), a, b)
		enc.until(20 * time.Second)
		require.NoError(t, one.srv.Shutdown(context.Background()))
		enc.until(40 * time.Second)
		require.Equal(t, Started, e.State())
		requireSame(t, two, edge)
		require.Zero(t, treeGaps(e))
	})
}

// TestTreeReturn: an input stream that has ended goes on when its encoder is back, as long as others did not end.
func TestTreeReturn(t *testing.T) {
	treeTest(t, func(t *testing.T, n *treeNet) {
		origin, edge, pushed := n.host("origin", nil), n.host("edge", nil), n.host("pushed", nil)
		pushed.point(nil)
		o := origin.point(func(s *Settings) { s.PushTo = treeRemotes("pushed") })
		edge.pulling("origin")
		inputs := treeInputs(treeVideo())
		enc := newTreeEncoder(t, inputs, o)
		enc.until(20 * time.Second)
		audio := &treeEncoder{t: t, lanes: enc.lanes[2:]}
		enc.lanes = enc.lanes[:2]
		audio.close(true)
		enc.until(30 * time.Second)
		requireSame(t, origin, edge, pushed)
		inputs[2].config.Streams[0].Start = 30 * scale
		back := newTreeEncoder(t, inputs[2:], o)
		enc.lanes = append(enc.lanes, back.lanes...)
		enc.untilEach(60*time.Second, []time.Duration{0, 0, 30 * time.Second})
		requireSame(t, origin, edge, pushed)
		require.Equal(t, 2, origin.requests("GET /a.isml/Streams(audio"))
		enc.close(true)
		time.Sleep(time.Second)
		requireSame(t, origin, edge, pushed)
		require.Equal(t, Stopped, o.State())
	})
}

// TestTreeRestart: a pull point that is stopped and started again pulls anew, and one that starts on its first viewer does that
// then.
func TestTreeRestart(t *testing.T) {
	treeTest(t, func(t *testing.T, n *treeNet) {
		origin, edge := n.host("origin", nil), n.host("edge", nil)
		o := origin.point(nil)
		enc := newTreeEncoder(t, treeInputs(treeVideo()), o)
		enc.until(20 * time.Second)
		set := DefaultSettings()
		set.AutoStart, set.Source, set.PullFrom = true, SourcePull, treeRemotes("origin")
		e, err := edge.srv.Create(context.Background(), "a.isml", set)
		require.NoError(t, err)
		require.Equal(t, Idle, e.State())
		edge.get("Manifest")
		synctest.Wait()
		require.Equal(t, Started, e.State())
		requireSame(t, origin, edge)
		require.ErrorIs(t, e.Push(context.Background(), PushInfo{Input: "1"}, nil), ErrNotAccepting)
		require.NoError(t, e.Stop(context.Background()))
		enc.until(30 * time.Second)
		require.Equal(t, Stopped, e.State())
		require.Empty(t, o.Stats().Sinks, "nobody pulls")
		require.NoError(t, e.Start(context.Background()))
		enc.until(40 * time.Second)
		requireSame(t, origin, edge)
		require.NoError(t, e.Shutdown(context.Background()))
		require.Equal(t, Idle, e.State())
		synctest.Wait()
		require.Empty(t, o.Stats().Sinks)
	})
}

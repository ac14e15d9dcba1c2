package livesmooth

import (
	"context"
	"sync"
)

// pusher feeds the publishing point of another server with all that an event receives. Each input stream goes over a
// connection of its own, with a place of its own in what has been received, so what one server does, or does not, matters to
// nobody else.
type pusher struct {
	p    *Point
	b    *broadcast
	d    distribution
	peer *peer
	link *link
	pace *pacer

	work sync.WaitGroup
}

func newPusher(p *Point, b *broadcast, to RemotePoint, d distribution) *pusher {
	t := &pusher{p: p, b: b, d: d, peer: newPeer(p.srv, to), pace: newPacer(b.opts.Limits.GapWait)}
	t.link = b.relays.open("HTTP Push", t.peer.shown)
	return t
}

// run pushes the input streams as they come, until ctx ends and what was received before has been sent.
func (t *pusher) run(ctx context.Context) {
	// When the event ends there is something left to say, for a while. When the server ends there is not.
	hard, cancel := context.WithCancel(t.p.srv.ctx)
	defer cancel()
	defer context.AfterFunc(ctx, func() {
		sleep(hard, t.d.goodbye, nil)
		cancel()
	})()
	defer t.work.Wait()
	running := make(map[*input]bool)
	for {
		changed := t.b.relays.wait()
		for _, in := range t.b.relayed() {
			if !running[in.in] {
				running[in.in] = true
				s := newPushLane(t, in.in, in.ref)
				t.work.Go(func() { s.run(ctx, hard) })
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-changed:
		}
	}
}

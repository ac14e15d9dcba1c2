package livesmooth

import (
	"context"
	"math/rand/v2"
	"net"
	"net/http"
	"time"
)

// Distribution: servers feed each other with input streams as they were received, so that origins and edges form trees.
//
// A server is fed with the header of an input stream and then its fragments in the order in which they came, each with tfxd
// and without tfrf, as an encoder sends them; see [MS-SSTR] 2.2.8 and 3.3. It asks for them ([SourcePull], GET), or gets
// them unasked (Settings.PushTo, POST). What IIS leaves open, and what is ours:
//
//   - GET name.isml/streammanifest answers a SMIL document with a ref for each input stream, the same that stands in the
//     StreamManifest box of each header. A header is sent again, in the middle of the body, when a stream is added: so a
//     server learns of it before the fragments that came after, and waits for it with its timeline.
//   - GET name.isml/Streams(id)?from=t begins with the fragments at t, in ticks of 100 ns; without it with the oldest one.
//   - Before the first fragment of each period goes a uuid box that says when on the wall clock the period began, and how many
//     discontinuities are before it. Without it every server would have to guess.
//   - A free box goes where nothing else does for a while, so that either side learns if the other is gone.
//
// Other servers skip those boxes, as ISO/IEC 14496-12 4.2 asks.

// distribution is what rules the connections between servers.
type distribution struct {
	// retry is the wait after a failure, which doubles up to mostRetry; a part of it is random.
	retry, mostRetry time.Duration
	// list is how often the streams upstream are asked for, and listWait how long a server waits for the first of its own
	// before it answers that there are none.
	list, listWait time.Duration
	// headerWait is how long a server that is asked for a stream waits for its header.
	headerWait time.Duration
	// keepAlive is after how much silence a free box is sent.
	keepAlive time.Duration
	// goodbye is how long after the end of an event the servers downstream may take to get the rest.
	goodbye time.Duration
	// answer is how long a server may take to answer what is no stream.
	answer time.Duration
	// random returns numbers in [0,1).
	random func() float64
}

func defaultDistribution() distribution {
	return distribution{
		retry: time.Second / 2, mostRetry: 10 * time.Second, list: 3 * time.Second, listWait: 5 * time.Second,
		headerWait: 10 * time.Second, keepAlive: 5 * time.Second, goodbye: 10 * time.Second, answer: 30 * time.Second,
		random: rand.Float64,
	}
}

// newClient returns a client for streams that last for days: connecting and the head of an answer have their time, the body
// has not. It uses no proxy, whatever the environment says, since servers mostly reach each other directly; who needs one
// sets Options.Client. HTTP/1.1 gives each stream a connection of its own, so that none waits for another.
func newClient() *http.Client {
	dial := net.Dialer{Timeout: 10 * time.Second, KeepAlive: 15 * time.Second}
	return &http.Client{Transport: &http.Transport{
		DialContext: dial.DialContext, TLSHandshakeTimeout: 10 * time.Second, ResponseHeaderTimeout: 30 * time.Second,
		IdleConnTimeout: 30 * time.Second, DisableCompression: true,
	}}
}

// distribute starts what an event needs of other servers. ctx ends with the event. p.mu is held.
func (p *Point) distribute(ctx context.Context, b *broadcast) {
	d := p.srv.distribution
	if b.set.Source == SourcePull {
		u := newPuller(p, b, d)
		p.work.Go(func() { u.run(ctx) })
	}
	for _, r := range b.set.PushTo {
		t := newPusher(p, b, r, d)
		p.work.Go(func() { t.run(ctx) })
	}
}

// backoff is how long to wait after failures in a row.
type backoff struct {
	d    *distribution
	wait time.Duration
}

// next returns the wait after another failure: between half and the whole of what has doubled each time.
func (w *backoff) next() time.Duration {
	if w.wait == 0 {
		w.wait = w.d.retry
	}
	now := w.wait
	w.wait = min(2*w.wait, w.d.mostRetry)
	return now/2 + time.Duration(w.d.random()*float64(now/2))
}

func (w *backoff) reset() { w.wait = 0 }

// sleep waits, unless ctx ends or one of the channels, which may be nil, is ready.
func sleep(ctx context.Context, d time.Duration, wake <-chan struct{}) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-wake:
	case <-t.C:
	}
}

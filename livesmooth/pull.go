package livesmooth

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
)

// puller feeds an event from other servers: a primary and failovers. It asks for the list of streams, again and again since
// new ones may come, and gets each of them over a connection of its own. Each stream turns to the next server by itself
// when its own fails, since a server may have lost one encoder only.
type puller struct {
	p     *Point
	b     *broadcast
	d     distribution
	peers []*peer
	pace  *pacer
	// ask holds a token if the list is to be asked for at once.
	ask chan struct{}

	work sync.WaitGroup

	mu      sync.Mutex // guards the fields below
	streams map[string]*pullStream
	// failing are the last errors of streams that do not work now; "" is the list.
	failing map[string]error
}

func newPuller(p *Point, b *broadcast, d distribution) *puller {
	u := &puller{
		p: p, b: b, d: d, pace: newPacer(b.opts.Limits.GapWait), ask: make(chan struct{}, 1),
		streams: make(map[string]*pullStream), failing: make(map[string]error),
	}
	for _, r := range b.set.PullFrom {
		u.peers = append(u.peers, newPeer(p.srv, r))
	}
	return u
}

// errNoStreams is why another server is asked instead of one that answers.
var errNoStreams = errors.New("livesmooth: the server upstream has no streams")

// run pulls until ctx ends.
func (u *puller) run(ctx context.Context) {
	defer u.work.Wait()
	at, failures := 0, 0
	wait := backoff{d: &u.d}
	for ctx.Err() == nil {
		list, err := u.list(ctx, u.peers[at])
		if err == nil {
			u.follow(ctx, at, list)
			u.fail("", nil)
			failures = 0
			wait.reset()
			sleep(ctx, u.d.list, u.ask)
			continue
		}
		if ctx.Err() != nil {
			return
		}
		u.report("", u.peers[at].shown, err)
		at = (at + 1) % len(u.peers)
		if failures++; failures%len(u.peers) == 0 { // all have been tried
			sleep(ctx, wait.next(), nil)
		}
	}
}

// maxStreamManifest bounds a list of streams in bytes.
const maxStreamManifest = 1 << 20

// list asks a server for its streams.
func (u *puller) list(ctx context.Context, from *peer) ([]streamRef, error) {
	ctx, cancel := context.WithTimeout(ctx, u.d.answer)
	defer cancel()
	req, err := from.request(ctx, http.MethodGet, "streammanifest", "", nil)
	if err != nil {
		return nil, err
	}
	resp, err := u.p.srv.client.Do(req)
	if err != nil {
		return nil, err
	}
	if err := expect(resp, from.shown); err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxStreamManifest+1))
	switch {
	case err != nil:
		return nil, err
	case len(text) > maxStreamManifest:
		return nil, fmt.Errorf("livesmooth: %s: stream manifest of more than %d bytes: %w", from.shown, maxStreamManifest, ErrLimit)
	}
	refs, err := parseStreamRefs(text)
	if err == nil && len(refs) == 0 {
		err = errNoStreams
	}
	return refs, err
}

// follow pulls the streams of a list that are not pulled yet, or whose end was not the last of them. Nothing is listed before
// all of them have come.
func (u *puller) follow(ctx context.Context, at int, list []streamRef) {
	u.mu.Lock()
	defer u.mu.Unlock()
	var begin []*pullStream
	var ids []string
	for _, r := range list {
		s := u.streams[r.id]
		switch {
		case s == nil && len(u.streams) < u.b.opts.Limits.Inputs:
			s = &pullStream{puller: u, id: r.id}
			u.streams[r.id] = s
			ids = append(ids, r.id)
		case s == nil || !s.done || r.ended:
			if s != nil {
				s.event = r.event
			}
			continue
		}
		s.event, s.done = r.event, false
		begin = append(begin, s)
	}
	u.b.expect(ids)
	for _, s := range begin {
		lane := u.pace.join(true)
		u.work.Go(func() { s.run(ctx, at, lane) })
	}
}

// wanted asks for the list again if one of the streams in it is not known.
func (u *puller) wanted(ids []string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	for _, id := range ids {
		if u.streams[id] == nil {
			select {
			case u.ask <- struct{}{}:
			default: // it has been told
			}
			return
		}
	}
}

// report notes the failure of a server.
func (u *puller) report(id, address string, err error) {
	u.fail(id, fmt.Errorf("livesmooth: %s: pull from %s: %w", u.p.name, address, err))
	u.p.note(Event{Kind: EncoderDisconnected, Input: id, Source: address, Err: err})
	u.b.log.Warn("pull", "stream", id, "source", address, "err", err)
}

// fail keeps why a stream does not work, or that it does.
func (u *puller) fail(id string, err error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if err == nil {
		delete(u.failing, id)
		for _, err = range u.failing { // any that is left
			break
		}
	} else {
		u.failing[id] = err
	}
	u.p.setLastError(u.b, err)
}

// setLastError keeps the error of a pull, or forgets it, if b is still the event.
func (p *Point) setLastError(b *broadcast, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cast == b && p.state != Faulted {
		p.lastErr = err
	}
}

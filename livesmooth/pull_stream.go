package livesmooth

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"time"
)

// pullStream is an input stream that is pulled.
type pullStream struct {
	puller *puller
	id     string
	// event and done are guarded by the puller's mu. done tells that the stream has ended upstream.
	event string
	done  bool
	// offset is that of the times upstream, see timeline.
	offset int64
}

// errLeft is why another server is asked for a stream that has ended without saying that it was the end.
var errLeft = errors.New("livesmooth: the server upstream has left the stream")

// run pulls the stream until it ends or ctx does, beginning with one of the servers.
func (s *pullStream) run(ctx context.Context, at int, lane *paceLane) {
	u := s.puller
	failures := 0
	wait := backoff{d: &u.d}
	for {
		before := u.b.receivedOf(s.id)
		err := s.fetch(ctx, u.peers[at], lane)
		u.pace.leave(lane)
		if ctx.Err() != nil {
			return
		}
		if err == nil {
			s.finish()
			return
		}
		came := u.b.receivedOf(s.id) > before
		if came {
			wait.reset()
			failures = 0
		}
		if !came || errors.Is(err, errLeft) || errors.Is(err, errSilent) {
			at = (at + 1) % len(u.peers)
			failures++
		}
		if failures%len(u.peers) == 0 { // none of the others is left to try, or it has only broken off
			sleep(ctx, wait.next(), nil)
		}
		lane = u.pace.join(came)
	}
}

// finish notes that the stream has ended.
func (s *pullStream) finish() {
	s.puller.mu.Lock()
	s.done = true
	s.puller.mu.Unlock()
	s.puller.fail(s.id, nil)
}

// ref returns what to ask for.
func (s *pullStream) ref() streamRef {
	s.puller.mu.Lock()
	defer s.puller.mu.Unlock()
	return streamRef{event: s.event, id: s.id}
}

// fetch pulls the stream from one server until its end, or returns why that is not possible any more.
func (s *pullStream) fetch(ctx context.Context, from *peer, lane *paceLane) error {
	ref := s.ref()
	address := from.shown + "/" + ref.path()
	connected, err := s.pull(ctx, from, ref, address, lane)
	switch {
	case err != nil && ctx.Err() == nil:
		s.puller.report(s.id, address, err)
	case connected:
		s.puller.p.note(Event{Kind: EncoderDisconnected, Input: s.id, Source: address})
	}
	return err
}

// pull is fetch without the events of its end. connected tells that there was one of its beginning.
func (s *pullStream) pull(ctx context.Context, from *peer, ref streamRef, address string, lane *paceLane) (connected bool, err error) {
	u := s.puller
	ctx, cut := context.WithCancelCause(ctx)
	defer cut(nil)
	resp, err := s.open(ctx, cut, from, ref)
	if err != nil {
		return false, cmp.Or(context.Cause(ctx), err)
	}
	defer resp.Body.Close()
	src, err := u.b.connect(PushInfo{Point: u.p.name, Event: ref.event, Input: s.id, Source: "HTTP Pull", Address: address}, cut)
	if err != nil {
		return false, err
	}
	defer u.b.disconnect(src)
	u.p.note(Event{Kind: EncoderConnected, Input: s.id, Source: address})
	body := newPullBody(resp, u.b.opts.Limits, cut)
	defer body.stop()
	ear := &pullEar{s: s, src: src, body: body, lane: lane}
	u.b.follow(src, func(item any) error { return ear.hear(ctx, item) })
	err = s.ingest(ctx, src, body)
	s.offset = u.b.offsetOf(src)
	return true, err
}

// open asks a server for the stream.
func (s *pullStream) open(ctx context.Context, cut func(error), from *peer, ref streamRef) (*http.Response, error) {
	query := ""
	if at := s.puller.b.resumeAt(s.id, s.offset); at > 0 {
		query = "from=" + strconv.FormatUint(at, 10)
	}
	req, err := from.request(ctx, http.MethodGet, ref.path(), query, nil)
	if err != nil {
		return nil, err
	}
	late := time.AfterFunc(s.puller.d.answer, func() { cut(errSilent) })
	defer late.Stop()
	resp, err := s.puller.p.srv.client.Do(req)
	if err != nil {
		return nil, err
	}
	return resp, expect(resp, from.shown)
}

// ingest reads a stream to its end.
func (s *pullStream) ingest(ctx context.Context, src *source, body *pullBody) error {
	b := s.puller.b
	r := newPushReader(body, pushReaderConfig{pool: b.pool, limits: b.opts.Limits, phase: body.enter})
	defer r.close()
	err := b.receive(src, r)
	switch cause := context.Cause(ctx); {
	case cause != nil && err != nil:
		return cause
	case err != nil:
		return err
	case !b.hasEnded(src):
		return errLeft
	}
	return nil
}

// pullEar is told of each item of a connection before it is taken.
type pullEar struct {
	s    *pullStream
	src  *source
	body *pullBody
	lane *paceLane
	// works tells that a fragment has come.
	works bool
}

func (e *pullEar) hear(ctx context.Context, item any) error {
	e.body.hold()
	defer e.body.resume()
	u := e.s.puller
	switch item := item.(type) {
	case *pushHeader:
		u.wanted(item.required)
		if e.body.dense = !item.isSparse(); !e.body.dense {
			u.pace.declare(e.lane, nil)
		}
	case *pushFragment:
		tracks := u.b.tracksOf(e.src)
		u.pace.declare(e.lane, tracks)
		if !e.works {
			e.works = true
			u.fail(e.s.id, nil)
		}
		var tr *track
		if item.track < len(tracks) {
			tr = tracks[item.track]
		}
		return u.pace.pass(ctx, e.lane, tr, uint64(max(item.time+u.b.offsetOf(e.src), 0)), item.duration)
	}
	return nil
}

// isSparse reports whether no track has fragments all the time.
func (h *pushHeader) isSparse() bool {
	for i := range h.tracks {
		if !h.tracks[i].sparse {
			return false
		}
	}
	return true
}

// follow lets a source that is a server keep its times, and listen be called with each item before it is taken. Should the
// connection break the others of the presentation wait a little for the next one.
func (b *broadcast) follow(s *source, listen func(any) error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	s.stated, s.listen = true, listen
	s.rejoins = b.gapWait()
}

// told calls listen. If that fails the item is given back.
func (s *source) told(item any) error {
	if s.listen == nil {
		return nil
	}
	err := s.listen(item)
	if f, ok := item.(*pushFragment); ok && err != nil {
		f.buf.release()
	}
	return err
}

// tracksOf returns the tracks of the header of a source, nil where the bit rate is not known yet.
func (b *broadcast) tracksOf(s *source) []*track {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(s.tracks)
}

func (b *broadcast) hasEnded(s *source) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return s.ended
}

func (b *broadcast) offsetOf(s *source) int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return s.offset
}

// receivedOf returns a number that grows with each new fragment of an input stream.
func (b *broadcast) receivedOf(id string) uint64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.input(id).log.edge(0)
}

// resumeAt returns the time to go on from with an input stream, in ticks of a server upstream whose times have an offset here:
// a few fragments before what has come last of the track that is behind the others. Zero means from the beginning.
func (b *broadcast) resumeAt(id string, offset int64) uint64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	at, dense := int64(0), false
	for _, tr := range b.input(id).tracks {
		if tr == nil {
			continue
		}
		e := tr.last()
		if e == nil || dense && tr.stream.sparse {
			continue
		}
		back := int64(e.time) - int64(resent*e.duration)
		switch {
		case !tr.stream.sparse && !dense:
			at, dense = back, true
		case tr.stream.sparse:
			at = max(at, int64(e.time))
		default:
			at = min(at, back)
		}
	}
	return uint64(max(at-offset, 0))
}

// pullBody is the body of a stream that is pulled. It ends the connection of a server that says nothing for too long, or has
// no fragments while another server might.
type pullBody struct {
	body   io.Reader
	limits Limits
	cut    func(error)
	// silence bounds how long a Read may take; zero means that nothing does.
	silence time.Duration
	alive   bool // the server shows that it is alive

	reading, phase *time.Timer
	last           time.Time // when the newest fragment came
	dense          bool      // a track of it is not sparse
	now            pushPhase
}

// aliveMisses is how many signs of life may be missing.
const aliveMisses = 3

// errSilent is why a connection is given up.
var errSilent = fmt.Errorf("livesmooth: the server upstream is silent: %w", context.DeadlineExceeded)

func newPullBody(resp *http.Response, l Limits, cut func(error)) *pullBody {
	p := &pullBody{body: resp.Body, limits: l, cut: cut, last: time.Now(), dense: true}
	if n, err := strconv.ParseUint(resp.Header.Get(keepAliveHeader), 10, 16); err == nil && n > 0 {
		p.alive, p.silence = true, aliveMisses*time.Duration(n)*time.Second
	}
	silent := func() { cut(errSilent) }
	p.reading, p.phase = time.AfterFunc(l.IdleTimeout, silent), time.AfterFunc(l.HeaderTimeout, silent)
	p.reading.Stop()
	return p
}

// stop ends the supervision.
func (p *pullBody) stop() {
	p.reading.Stop()
	p.phase.Stop()
}

// Read implements [io.Reader].
func (p *pullBody) Read(b []byte) (int, error) {
	switch {
	case p.alive:
		p.reading.Reset(p.silence)
	case p.dense:
		p.reading.Reset(p.limits.IdleTimeout)
	}
	n, err := p.body.Read(b)
	p.reading.Stop()
	return n, err
}

// enter begins a phase of the reader.
func (p *pullBody) enter(phase pushPhase) {
	p.now = phase
	switch {
	case phase == phaseHeader:
		p.phase.Reset(p.limits.HeaderTimeout)
	case phase == phaseFragment:
		p.phase.Reset(p.limits.FragmentTimeout)
	case p.dense: // signs of life do not count
		p.phase.Reset(max(time.Until(p.last.Add(p.limits.IdleTimeout)), 0))
	default:
		p.phase.Stop()
	}
}

// hold stops the supervision while an item is dealt with.
func (p *pullBody) hold() { p.phase.Stop() }

// resume goes on with it.
func (p *pullBody) resume() {
	p.last = time.Now()
	p.enter(p.now)
}

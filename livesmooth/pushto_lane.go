package livesmooth

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"time"
)

// pushLane is an input stream that is pushed to one server.
type pushLane struct {
	*pusher
	in   *input
	ref  streamRef
	feed *feed
	lane *paceLane
	// sent are the fragments that have been handed over last, in the order of their numbers.
	sent []sentFragment
}

// sentFragment is one that may not have arrived, although it has been handed over.
type sentFragment struct {
	track  *track
	number uint64
	at     time.Time
}

// What is sent again after a broken connection: the last fragments of each track, as Azure's ingest guide asks, and all that
// was handed over within a time in which a network may swallow it without a word. A server takes each of them once.
const (
	resendCount = 2
	resendTime  = 15 * time.Second
	resendMost  = 256 // of the latter
)

func newPushLane(t *pusher, in *input, ref streamRef) *pushLane {
	s := &pushLane{pusher: t, in: in, ref: ref, feed: newFeed(t.b, in, 0)}
	s.feed.jump = true
	t.link.set(s.feed, nil)
	s.lane = t.pace.join(true)
	return s
}

// run pushes until the event is over and all has been sent, or hard ends. ctx ends with the event.
func (s *pushLane) run(ctx, hard context.Context) {
	defer s.link.remove(s.feed)
	wait := backoff{d: &s.d}
	for hard.Err() == nil {
		before := s.feed.number.Load()
		err := s.push(hard)
		s.pace.leave(s.lane)
		if err == nil {
			if s.link.set(s.feed, nil); !s.awaitMore(ctx, hard) {
				return
			}
			s.sent = nil
			s.lane = s.pace.join(false)
			continue
		}
		if hard.Err() != nil {
			return
		}
		s.link.set(s.feed, err)
		s.b.log.Warn("push", "stream", s.in.id, "target", s.peer.shown, "dropped", s.feed.dropped.Load(), "err", err)
		if s.feed.number.Load() > before {
			wait.reset()
		}
		sleep(hard, wait.next(), nil)
		s.lane = s.pace.join(false)
	}
}

// awaitMore waits, after the end of the stream, for an encoder that comes back, and reports whether one did.
func (s *pushLane) awaitMore(ctx, hard context.Context) bool {
	for {
		_, _, wait, ended := s.in.log.read(s.feed.number.Load())
		switch {
		case wait == nil || !ended:
			return true
		case ctx.Err() != nil:
			return false
		}
		select {
		case <-ctx.Done():
		case <-hard.Done():
			return false
		case <-wait:
		}
	}
}

// errAnswered is why a push ends whose server has answered before the end of the stream.
var errAnswered = errors.New("livesmooth: the server downstream has ended the push")

// push sends the stream over one connection, to its end.
func (s *pushLane) push(ctx context.Context) error {
	ctx, cut := context.WithCancelCause(ctx)
	defer cut(nil)
	to, err := s.probe(ctx)
	if err != nil {
		return err
	}
	pr, pw := io.Pipe()
	req, err := s.peer.request(ctx, http.MethodPost, s.ref.path(), "", pr)
	if err != nil {
		return err
	}
	if to != nil {
		req.URL, req.Host = to.URL, to.Host
	}
	req.Header.Set("Content-Type", "video/mp4")
	answer := make(chan error, 1)
	go func() {
		err := s.post(req)
		pr.CloseWithError(io.ErrClosedPipe)
		answer <- err
	}()
	s.feed.rewind(s.unsure(time.Now()))
	err = s.send(ctx, &pipeWriter{w: pw, limit: s.b.opts.Limits.FragmentTimeout, cut: cut}, answer)
	if err == nil {
		pw.Close()
		late := time.AfterFunc(s.d.answer, func() { cut(errSilent) })
		defer late.Stop()
		return <-answer
	}
	cause := context.Cause(ctx)
	cut(err)
	pw.CloseWithError(err)
	answered := <-answer // the goroutine has ended
	switch {
	case cause != nil:
		return cause
	case errors.Is(err, io.ErrClosedPipe) && answered != nil:
		return answered
	}
	return err
}

// probe asks whether the server takes the stream, with a POST without content. If the server sends elsewhere it returns the
// request that has been answered. See [MS-SSTR] 3.3.
func (s *pushLane) probe(ctx context.Context) (*http.Request, error) {
	ctx, cancel := context.WithTimeout(ctx, s.d.answer)
	defer cancel()
	req, err := s.peer.request(ctx, http.MethodPost, s.ref.path(), "", nil)
	if err != nil {
		return nil, err
	}
	resp, err := s.p.srv.client.Do(req)
	if err != nil {
		return nil, err
	}
	if err := expect(resp, s.peer.shown); err != nil {
		return nil, err
	}
	_ = discard(resp.Body)
	resp.Body.Close()
	if resp.Request != nil && resp.Request != req && resp.Request.Method == http.MethodPost {
		return resp.Request, nil
	}
	return nil, nil
}

// post sends a request and returns nil if the server has taken all of it.
func (s *pushLane) post(req *http.Request) error {
	resp, err := s.p.srv.client.Do(req)
	if err != nil {
		return err
	}
	if err := expect(resp, s.peer.shown); err != nil {
		return err
	}
	err = discard(resp.Body)
	resp.Body.Close()
	return err
}

// send writes the stream to its end, unless the server answers before.
func (s *pushLane) send(ctx context.Context, w *pipeWriter, answer chan error) error {
	alive := time.NewTicker(s.d.keepAlive)
	defer alive.Stop()
	for {
		item, wait, err := s.feed.next(ctx)
		switch {
		case err == io.EOF:
			if !s.p.tellsEnd(s.b) {
				return nil
			}
			return w.text(emptyMfra)
		case err != nil:
			return err
		case wait == nil:
			if err := s.sendItem(ctx, w, &item); err != nil {
				return err
			}
			alive.Reset(s.d.keepAlive)
			continue
		}
		select {
		case <-ctx.Done():
		case <-wait:
		case err := <-answer:
			if answer <- err; err == nil { // push reads it again
				err = errAnswered
			}
			return err
		case <-alive.C:
			if err := w.text(emptyFree); err != nil {
				return err
			}
		}
	}
}

// sendItem writes what comes next in the stream.
func (s *pushLane) sendItem(ctx context.Context, w *pipeWriter, item *feedItem) error {
	if item.frag != nil {
		s.pace.declare(s.lane, s.feed.header.tracks)
		if err := s.pace.pass(ctx, s.lane, item.track, item.time, item.duration); err != nil {
			item.frag.Close()
			return err
		}
		s.remember(item, time.Now())
	} else if h := s.feed.header; h != nil && h.isSparse() {
		s.pace.declare(s.lane, nil)
	}
	err := w.write(item.writeTo)
	if err == nil {
		s.link.set(s.feed, nil)
	}
	return err
}

// isSparse reports whether no track has fragments all the time.
func (h *relayHeader) isSparse() bool {
	for _, tr := range h.tracks {
		if tr == nil || !tr.stream.sparse {
			return false
		}
	}
	return true
}

// remember notes a fragment that is handed over.
func (s *pushLane) remember(item *feedItem, now time.Time) {
	if n := len(s.sent); n > 0 && item.number <= s.sent[n-1].number { // it is one of those
		return
	}
	s.sent = append(s.sent, sentFragment{item.track, item.number, now})
	if len(s.sent) > 2*resendMost {
		s.forget(now)
	}
}

// forget forgets those that will not be sent again.
func (s *pushLane) forget(now time.Time) {
	later := make(map[*track]int)
	for i := len(s.sent) - 1; i >= 0; i-- {
		f := &s.sent[i]
		if later[f.track]++; later[f.track] > resendCount && (now.Sub(f.at) > resendTime || len(s.sent)-i > resendMost) {
			f.track = nil
		}
	}
	s.sent = slices.DeleteFunc(s.sent, func(f sentFragment) bool { return f.track == nil })
}

// unsure returns the numbers of the fragments to send again.
func (s *pushLane) unsure(now time.Time) []uint64 {
	s.forget(now)
	var list []uint64
	for _, f := range s.sent {
		list = append(list, f.number)
	}
	return list
}

// pipeWriter writes a stream piece by piece, each of which has its time, so that a server that stops reading is cut.
type pipeWriter struct {
	w     *io.PipeWriter
	limit time.Duration
	cut   func(error)
}

// errSlow is why a connection is cut.
var errSlow = fmt.Errorf("livesmooth: the server downstream does not take fragments in time: %w", context.DeadlineExceeded)

func (p *pipeWriter) write(piece func(io.Writer) error) error {
	t := time.AfterFunc(p.limit, func() {
		p.cut(errSlow)
		p.w.CloseWithError(errSlow) // whatever the client does
	})
	defer t.Stop()
	return piece(p.w)
}

func (p *pipeWriter) text(text string) error {
	return p.write(func(w io.Writer) error { _, err := io.WriteString(w, text); return err })
}

package livesmooth

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"
)

// Push takes what an encoder sends from r, until it ends, as the body of a POST to Streams(info.Input) does. Errors are those
// of [StatusOf]. When ctx ends, or the point is stopped, r is closed if it is an [io.Closer].
func (p *Point) Push(ctx context.Context, info PushInfo, r io.Reader) error {
	if err := p.accepts(); err != nil {
		return err
	}
	if info.Source == "" {
		info.Source = "HTTP Push"
	}
	info.Point = p.name
	return p.push(ctx, info, r, nil, func() {
		if c, ok := r.(io.Closer); ok {
			c.Close()
		}
	})
}

// push takes the body of a push. interrupt makes a Read of r that is under way return.
func (p *Point) push(ctx context.Context, info PushInfo, r io.Reader, phase func(pushPhase), interrupt func()) error {
	ended, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(ended, interrupt)()
	defer context.AfterFunc(p.srv.ctx, func() { cancel(fmt.Errorf("livesmooth: %s: %w", p.name, ErrEnding)) })()
	r, err := p.begins(r)
	if err == io.EOF { // a probe
		return nil
	}
	if err != nil {
		return because(ended, err)
	}
	b, err := p.approach(onEncoder)
	if err != nil {
		return err
	}
	defer p.work.Done()
	s, err := b.connect(info, cancel)
	if err != nil {
		return err
	}
	p.note(Event{Kind: EncoderConnected, Input: info.Input, Source: info.Address})
	err = because(ended, b.receive(s, newPushReader(r, pushReaderConfig{pool: b.pool, limits: b.opts.Limits, known: b.headerOf(s), phase: phase,
		later: func() *pushHeader { return b.headerOf(s) }})))
	b.disconnect(s)
	p.note(Event{Kind: EncoderDisconnected, Input: info.Input, Source: info.Address, Err: err})
	return err
}

// begins reads the beginning of a body before it can start the point, or end what viewers still see: io.EOF if it is empty, as
// that of some probes, and an error if it does not begin with a box. It returns a reader of the whole body.
func (p *Point) begins(r io.Reader) (io.Reader, error) {
	var head [8]byte
	n, err := io.ReadFull(r, head[:])
	switch {
	case err == io.EOF:
		return nil, err
	case err != nil:
		return nil, fmt.Errorf("livesmooth: push: body of %d bytes: %w", n, err)
	}
	switch size, limit := binary.BigEndian.Uint32(head[:]), p.srv.opts.Limits.HeaderBytes; {
	case int64(size) > limit:
		return nil, malformed("first box", 0, "size %d, the limit is %d: the body does not begin with a box of fragmented MP4", size, limit)
	case size != 1 && size < 8:
		return nil, malformed("first box", 0, "size %d", size)
	}
	return io.MultiReader(bytes.NewReader(head[:]), r), nil
}

// because returns why a push has ended with an error, or nil: ctx is that of the push.
func because(ctx context.Context, err error) error {
	cause := context.Cause(ctx)
	switch {
	case errors.Is(cause, ErrEnding): // this is how a reader is interrupted
		return cause
	case err != nil && cause != nil && !errors.Is(err, os.ErrDeadlineExceeded): // net/http ends the context after a read deadline, too
		if errors.Is(cause, context.Canceled) {
			return fmt.Errorf("livesmooth: the source has gone: %w", cause)
		}
		return cause
	}
	return err
}

// receive is ingest, and the last line of defence against faults of our own: one in what reads a body is the end of that push, one in
// the event is the end of the event.
func (b *broadcast) receive(s *source, r *pushReader) (err error) {
	inside := false
	defer func() {
		v := recover()
		if v == nil {
			return
		}
		err = fmt.Errorf("livesmooth: %s: push to stream %q: panic: %v", b.name, s.info.Input, v)
		b.log.Error("push", "stream", s.info.Input, "source", s.info.Address, "err", err, "stack", string(debug.Stack()))
		if inside {
			b.fault(err)
		}
	}()
	return b.ingest(s, r, &inside)
}

// headerOf returns the header that an earlier request has sent for the input stream of s, for encoders that send one segment
// per request.
func (b *broadcast) headerOf(s *source) *pushHeader {
	b.mu.Lock()
	defer b.mu.Unlock()
	return s.in.header
}

// ingest reads a push to its end. inside tells whether it is in the event, or else reads the body.
func (b *broadcast) ingest(s *source, r *pushReader, inside *bool) error {
	defer r.close()
	for {
		*inside = false
		item, err := r.next()
		*inside = true
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if err := s.told(item); err != nil {
			return err
		}
		switch item := item.(type) {
		case pushPeriod:
			b.setPeriod(s, item)
		case *pushHeader:
			first := s.header == nil
			if err := b.register(s, item); err != nil {
				return err
			}
			b.begun()
			if first {
				b.log.Info("encoder", "stream", s.info.Input, "source", s.info.Address, "tracks", len(item.tracks))
			}
		case *pushFragment:
			if err := b.adopt(s); err != nil {
				item.buf.release()
				return err
			}
			if err := b.accept(s, item); err != nil {
				return err
			}
		case pushEnd:
			b.log.Info("end of stream", "stream", s.info.Input, "source", s.info.Address)
			b.end(s)
		}
	}
}

// adopt lets a source without a header of its own use that of its input stream.
func (b *broadcast) adopt(s *source) error {
	b.mu.Lock()
	h := s.header
	known := s.in.header
	b.mu.Unlock()
	if h != nil {
		return nil
	}
	if known == nil {
		return fmt.Errorf("livesmooth: %s: stream %q: %w", b.name, s.info.Input, ErrNoHeader)
	}
	return b.register(s, known)
}

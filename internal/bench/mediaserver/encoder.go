package main

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http/httputil"
	"sync"
	"time"

	"github.com/smoothkit/smoothkit/smooth"
	"github.com/smoothkit/smoothkit/smooth/smoothtest"
)

// ticksOf returns a duration in the ticks of the event.
func ticksOf(d time.Duration) uint64 { return uint64(d / (time.Second / smooth.DefaultTimescale)) }

// eventConfig is that of the event: two bit rates of video and one of sound.
func eventConfig(fragments int, length time.Duration) smoothtest.Config {
	durations := smoothtest.Repeat(fragments, ticksOf(length))
	return smoothtest.Config{MaxPayload: 1 << 20, Streams: []smoothtest.Stream{
		{Type: smooth.Video, Name: "video", Durations: durations, Levels: []smoothtest.Level{{Bitrate: 1_200_000}, {Bitrate: 400_000}}},
		{Type: smooth.Audio, Name: "audio", Durations: durations, Levels: []smoothtest.Level{{Bitrate: 128_000}}},
	}}
}

// event is the live event as the encoder makes it.
type event struct {
	start   time.Time
	content *smoothtest.Presentation

	mu       sync.Mutex // guards payloads
	payloads map[smooth.FragmentKey][]byte
}

// newEvent returns an event that begins now and may last for a while.
func newEvent(length, fragment time.Duration) *event {
	n := int((length + time.Minute) / fragment)
	return &event{start: time.Now(), content: smoothtest.New(eventConfig(n, fragment)), payloads: make(map[smooth.FragmentKey][]byte)}
}

// maxPayloads bounds the payloads that are remembered: some more than the window has.
const maxPayloads = 200

// payload returns the samples of a fragment as the encoder sends them.
func (e *event) payload(k smooth.FragmentKey) ([]byte, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if p, ok := e.payloads[k]; ok {
		return p, nil
	}
	f, err := e.content.Fragment(context.Background(), k)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var b bytes.Buffer
	if _, err := f.WritePayload(&b); err != nil {
		return nil, err
	}
	if len(e.payloads) >= maxPayloads {
		clear(e.payloads)
	}
	e.payloads[k] = b.Bytes()
	return b.Bytes(), nil
}

// encode pushes the event in real time. Now and then the encoder is cut off, comes back and goes on where the event is by then.
func (m *mix) encode(ctx context.Context) {
	for ctx.Err() == nil {
		err := m.pushUntilCut(ctx)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			m.fault("encoder", broken, "%v", err)
		default:
			m.tell("the encoder is cut off")
			m.count("encoder", func(t *tally) { t.requests++ })
		}
		pause(ctx, m.fragment*3/2)
	}
}

// pushUntilCut pushes until it is time to be cut off, in the middle of a fragment.
func (m *mix) pushUntilCut(ctx context.Context) error {
	conn, err := net.Dial("tcp", m.server.Addr)
	if err != nil {
		return err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	const head = "POST /%s/Streams(encoder) HTTP/1.1\r\nHost: %s\r\nUser-Agent: Lavf/60\r\nTransfer-Encoding: chunked\r\n\r\n"
	if _, err := fmt.Fprintf(conn, head, livePoint, m.server.Addr); err != nil {
		return err
	}
	media := smoothtest.NewEncoder(eventConfig(1, m.fragment))
	body := httputil.NewChunkedWriter(conn)
	if _, err := body.Write(media.Header()); err != nil {
		return err
	}
	media.Until(time.Since(m.event.start).Truncate(m.fragment)) // what is over
	cut := time.Now().Add(max(m.length/3, 5*m.fragment))
	for ctx.Err() == nil {
		due := time.Since(m.event.start).Truncate(m.fragment) + m.fragment
		if !pause(ctx, due-time.Since(m.event.start)) {
			return nil
		}
		b := media.Until(due)
		if time.Now().After(cut) {
			_, err := body.Write(b[:len(b)/2])
			return err
		}
		if _, err := body.Write(b); err != nil {
			return err
		}
		m.count("encoder", func(t *tally) { t.bytes += int64(len(b)) })
	}
	return nil
}

package manage

import (
	"context"
	"encoding/json"
	"iter"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/smoothkit/smoothkit/livesmooth"
)

const (
	// heartbeat is how often an event stream without events gets a comment, which keeps proxies from cutting it.
	heartbeat = 15 * time.Second
	// eventTimeout bounds how long a client may take to read an event before its connection is cut.
	eventTimeout = 30 * time.Second
	// maxStreams is the number of event streams at a time.
	maxStreams = 256
)

// jsonEvent is an event in JSON. Ticks are strings for the same reason as in [jsonStats].
type jsonEvent struct {
	Number   uint64    `json:"number"`
	At       time.Time `json:"at"`
	Kind     string    `json:"kind"`
	State    string    `json:"state"`
	Input    string    `json:"input,omitempty"`
	Source   string    `json:"source,omitempty"`
	Stream   string    `json:"stream,omitempty"`
	Bitrate  uint64    `json:"bitRateBitsPerSecond,omitempty"`
	Time     uint64    `json:"timeTicks,string"`
	Duration uint64    `json:"durationTicks,string"`
	Count    int       `json:"count"`
	Error    string    `json:"error,omitempty"`
}

func jsonEventOf(e *livesmooth.Event) *jsonEvent {
	return &jsonEvent{
		Number: e.Number, At: e.At.UTC(), Kind: e.Kind.String(), State: e.State.String(), Input: e.Input,
		Source: redacted(e.Source), Stream: e.Stream, Bitrate: e.Bitrate, Time: e.Time, Duration: e.Duration,
		Count: e.Count, Error: errorText(e.Err),
	}
}

// serveEvents sends the events of a publishing point as they happen, as server-sent events: first its state under the
// name "state", then each event without a name. The stream ends with the publishing point, its client, or Close. See
// the HTML standard, section 9.2.
func (x *exchange) serveEvents() error {
	header := x.w.Header()
	if x.r.Method == http.MethodHead {
		header.Set("Content-Type", typeEvents)
		x.w.WriteHeader(http.StatusOK)
		return nil
	}
	select {
	case x.h.streams <- struct{}{}:
		defer func() { <-x.h.streams }()
	default:
		return fail(codeClosed, "")
	}
	select {
	case <-x.h.closing:
		return fail(codeClosed, "")
	default:
	}
	header.Set("Content-Type", typeEvents)
	header.Set("X-Accel-Buffering", "no") // nginx would keep events back
	ctx, cancel := context.WithCancel(x.r.Context())
	events := x.point.Watch(ctx)
	s := eventStream{w: x.w, rc: http.NewResponseController(x.w)}
	s.send("state", 0, stateOf(x.point, x.point.State()))
	s.pump(ctx, cancel, events, x.h.closing)
	_ = s.rc.SetWriteDeadline(time.Time{}) // the connection may have more requests
	return nil
}

// eventStream writes to one client.
type eventStream struct {
	w   http.ResponseWriter
	rc  *http.ResponseController
	err error
}

// pump sends events until they end, ctx does, closing is closed, or the client does not read. The client being slower
// than the events costs it some of them, and nobody else anything: the publishing point keeps a bounded number.
func (s *eventStream) pump(
	ctx context.Context, cancel func(), events iter.Seq[livesmooth.Event], closing <-chan struct{},
) {
	next := make(chan livesmooth.Event)
	var watcher sync.WaitGroup
	defer watcher.Wait()
	defer cancel()
	watcher.Go(func() {
		defer close(next)
		for e := range events {
			select {
			case next <- e:
			case <-ctx.Done():
				return
			}
		}
	})
	beat := time.NewTimer(heartbeat)
	defer beat.Stop()
	for s.err == nil {
		select {
		case e, ok := <-next:
			if !ok {
				return
			}
			s.send("", e.Number, jsonEventOf(&e))
		case <-beat.C:
			s.write([]byte(":\n\n"))
		case <-ctx.Done():
			return
		case <-closing:
			return
		}
		beat.Reset(heartbeat)
	}
}

// send writes an event with a name, a number, or neither.
func (s *eventStream) send(name string, number uint64, v any) {
	data, err := json.Marshal(v)
	if err != nil {
		s.err = err
		return
	}
	var b []byte
	if name != "" {
		b = append(append(append(b, "event: "...), name...), '\n')
	}
	if number != 0 {
		b = append(strconv.AppendUint(append(b, "id: "...), number, 10), '\n')
	}
	b = append(append(b, "data: "...), data...)
	s.write(append(b, "\n\n"...))
}

// write sends bytes at once.
func (s *eventStream) write(b []byte) {
	if s.err != nil {
		return
	}
	_ = s.rc.SetWriteDeadline(time.Now().Add(eventTimeout)) // where it is not supported the server's own has to do
	if _, s.err = s.w.Write(b); s.err == nil {
		s.err = s.rc.Flush()
	}
}

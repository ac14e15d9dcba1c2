// Package sending bounds how long answers may take to be sent.
package sending

import (
	"net/http"
	"sync"
	"time"
)

// parts is the number of looks at what is being sent within one timeout.
const parts = 8

// Watch cuts the connections of answers that take longer than a timeout and at most an eighth of it more. One timer
// serves all of them: a write deadline of its own would cost each answer two changes of a timer. It is safe for
// concurrent use.
type Watch struct {
	every time.Duration

	mu     sync.Mutex // guards the fields below
	sends  map[uint64]send
	last   uint64 // id
	looks  uint64
	ticker *time.Timer // nil while nothing is being sent
}

type send struct {
	w     http.ResponseWriter
	begun uint64 // in looks
	cut   bool
}

// NewWatch returns a watch. The timeout is positive.
func NewWatch(timeout time.Duration) *Watch {
	return &Watch{every: max(timeout/parts, 1), sends: make(map[uint64]send)}
}

// Begin watches an answer until End is called with the returned id.
func (t *Watch) Begin(w http.ResponseWriter) (id uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.last++
	t.sends[t.last] = send{w: w, begun: t.looks}
	if t.ticker == nil {
		t.ticker = time.AfterFunc(t.every, t.look)
	}
	return t.last
}

// End ends the watch over an answer. The connection's next one may be anybody's, so no deadline is left behind.
func (t *Watch) End(id uint64) {
	t.mu.Lock()
	s := t.sends[id]
	delete(t.sends, id)
	t.mu.Unlock()
	if s.cut {
		_ = http.NewResponseController(s.w).SetWriteDeadline(time.Time{}) // it could be set, or there is nothing to undo
	}
}

// cut makes the writes of an answer fail. A writer without deadlines cannot be cut. One that panics, such as that of
// HTTP/2 when a timeout middleware has let its handler return too early, must not end the process from a timer.
func cut(w http.ResponseWriter) {
	defer func() { _ = recover() }()
	_ = http.NewResponseController(w).SetWriteDeadline(time.Unix(1, 0))
}

func (t *Watch) look() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.looks++
	for id, s := range t.sends {
		if t.looks-s.begun > parts && !s.cut {
			s.cut = true
			t.sends[id] = s
			cut(s.w)
		}
	}
	if len(t.sends) == 0 {
		t.ticker = nil
		return
	}
	t.ticker.Reset(t.every)
}

package sending

import (
	"net/http/httptest"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
)

// recorder is a response that remembers its write deadlines.
type recorder struct {
	*httptest.ResponseRecorder
	mu        sync.Mutex
	deadlines []time.Time
}

func (r *recorder) seen() []time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.deadlines
}

// SetWriteDeadline is found by http.ResponseController.
func (r *recorder) SetWriteDeadline(t time.Time) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.deadlines = append(r.deadlines, t)
	return nil
}

func TestWatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := NewWatch(8 * time.Second)
		slow, quick := &recorder{}, &recorder{}
		a := w.Begin(slow)
		for range 3 {
			id := w.Begin(quick)
			time.Sleep(2500 * time.Millisecond)
			w.End(id)
		}
		synctest.Wait()
		assert.Empty(t, slow.seen(), "after 7.5 s")
		time.Sleep(2 * time.Second)
		synctest.Wait()
		assert.Equal(t, []time.Time{time.Unix(1, 0)}, slow.seen(), "after 9.5 s")
		time.Sleep(time.Minute)
		w.End(a)
		assert.Equal(t, []time.Time{time.Unix(1, 0), {}}, slow.seen())
		assert.Empty(t, quick.seen())
		time.Sleep(2 * time.Second)
		synctest.Wait()
		w.mu.Lock()
		defer w.mu.Unlock()
		assert.Nil(t, w.ticker, "no timer while nothing is sent")
	})
}

// broken is a writer that panics outside its handler.
type broken struct{ *httptest.ResponseRecorder }

func (broken) SetWriteDeadline(time.Time) error { panic("after the handler") }

func TestWatchSurvivesPanics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := NewWatch(time.Second)
		a := w.Begin(broken{})
		slow := &recorder{}
		b := w.Begin(slow)
		time.Sleep(time.Minute)
		synctest.Wait()
		assert.Len(t, slow.seen(), 1, "the others are cut all the same")
		w.End(b)
		assert.Panics(t, func() { w.End(a) }, "on the goroutine of the request, which has its own last line")
		time.Sleep(time.Second)
	})
}

func TestWatchWithoutDeadlines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := NewWatch(time.Second)
		id := w.Begin(httptest.NewRecorder())
		time.Sleep(time.Minute)
		w.End(id)
		time.Sleep(time.Second)
	})
}

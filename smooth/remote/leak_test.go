package remote_test

import (
	"context"
	"net/http/httptest"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/smooth"
	"github.com/smoothkit/smoothkit/smooth/remote"
)

// TestLeak: viewers that leave, waiters that give up and a source that is closed leave nothing behind. A bubble ends
// only when all its goroutines have.
func TestLeak(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLiveServer(10)
		s, err := remote.New("http://origin/video/", options(newDirect(l)))
		require.NoError(t, err)
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		for i := range 100 {
			wg.Go(func() {
				p, err := s.Open(ctx, liveName)
				if err != nil {
					return
				}
				defer p.Close()
				if f, err := p.Fragment(ctx, videoKey(i%12)); err == nil {
					f.Close()
				}
				assert.Error(t, p.(smooth.Waiter).Wait(ctx, videoKey(20)))
			})
		}
		settle(3 * time.Second)
		cancel()
		wg.Wait()
		p, err := s.Open(t.Context(), liveName)
		require.NoError(t, err)
		wg.Go(func() { assert.ErrorIs(t, p.(smooth.Waiter).Wait(t.Context(), videoKey(30)), smooth.ErrClosed) })
		synctest.Wait()
		require.NoError(t, s.Close())
		wg.Wait()
		p.Close()
	})
}

// TestLeakSockets closes its connections, too.
func TestLeakSockets(t *testing.T) {
	l := newLiveServer(10)
	before := runtime.NumGoroutine()
	srv := httptest.NewServer(l)
	p, err := remote.Open(t.Context(), srv.URL+"/event.isml/manifest", &remote.Options{Logger: quiet(), Poll: time.Millisecond})
	require.NoError(t, err)
	for i := range 5 {
		fragment(t, p, videoKey(i))
	}
	require.NoError(t, p.Close())
	require.NoError(t, p.Close())
	srv.Close()
	deadline := time.Now().Add(10 * time.Second)
	for runtime.NumGoroutine() > before && time.Now().Before(deadline) { // those of connections end a moment later
		runtime.Gosched()
	}
	assert.LessOrEqual(t, runtime.NumGoroutine(), before)
}

// TestSingle: a presentation that is open by itself is polled while it is in use, and hardly when it is not.
func TestSingle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLiveServer(10)
		d := newDirect(l)
		p, err := remote.Open(t.Context(), "http://origin/video/event.isml/manifest", options(d))
		require.NoError(t, err)
		snapshot(t, p)
		settle(10 * time.Second)
		assert.InDelta(t, 11, d.count("/manifest"), 1)
		settle(2 * time.Minute)
		polls := d.count("/manifest")
		settle(10 * time.Minute)
		assert.InDelta(t, 10, d.count("/manifest")-polls, 1)
		l.set(func() { l.to = 20 })
		assert.Len(t, line(t, p, "video"), 20)
		require.NoError(t, p.Close())
	})
}

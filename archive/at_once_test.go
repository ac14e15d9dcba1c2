package archive_test

import (
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/archive"
	"github.com/smoothkit/smoothkit/archive/internal/lossy"
	"github.com/smoothkit/smoothkit/smooth"
)

// TestAllAtOnce records several events of several points while the disk fails now and then, all is read, and the archive is closed.
func TestAllAtOnce(t *testing.T) {
	for round := range 4 {
		store, opts := lossy.New(), quiet()
		opts.SyncInterval = 2 * time.Microsecond
		opts.Now = time.Now
		a, err := archive.NewStore(t.Context(), store, opts)
		require.NoError(t, err)
		var ops atomic.Int64
		store.SetFault(func(op lossy.Op, _ string, n int64) error {
			if ops.Add(1)%97 != 0 || round%2 == 0 {
				return nil
			}
			if op == lossy.Write {
				return &lossy.Short{N: n / 2, Err: errDisk}
			}
			return errDisk
		})
		var writers, readers sync.WaitGroup
		done := make(chan struct{})
		var names sync.Map
		for i := range 3 {
			writers.Go(func() {
				for event := range 3 {
					f := newFeed(t, "enc", small())
					f.event.Point = fmt.Sprintf("live/p%d.isml", i/2) // two recordings of one point
					f.event.Started = begun.Add(time.Duration(event) * time.Minute)
					f.event.Archive.SegmentLength = time.Duration(i) * 3 * time.Second
					r, err := a.Begin(t.Context(), f.event)
					if errors.Is(err, smooth.ErrClosed) {
						return
					}
					assert.NoError(t, err)
					h := r.History()
					if event == 1 {
						names.Store(r, h)
					}
					_ = r.Declare(t.Context(), f.input)
					for at := 2 * time.Second; at <= 30*time.Second; at += 2 * time.Second {
						for _, frag := range f.until(at) {
							_ = r.Append(t.Context(), "enc", frag)
							_ = r.Durable()
						}
						if at == 20*time.Second && i == 0 && event == 2 && round > 1 {
							readers.Go(func() { _ = a.Close() })
						}
					}
					_ = r.Close(t.Context(), (i+event)%2 == 0)
					if event != 1 {
						assert.NoError(t, h.Close())
					}
				}
			})
		}
		for range 2 {
			readers.Go(func() {
				for {
					select {
					case <-done:
						return
					default:
					}
					var list []string
					_ = a.List(t.Context(), func(i smooth.Info) bool { list = append(list, i.Name); return true })
					for _, name := range list {
						p, err := a.Open(t.Context(), name)
						if err != nil {
							continue
						}
						readLast(t, p)
						assert.NoError(t, p.Close())
					}
					names.Range(func(_, h any) bool {
						readLast(t, h.(smooth.Presentation))
						return true
					})
					runtime.Gosched()
				}
			})
		}
		writers.Wait()
		close(done)
		readers.Wait()
		names.Range(func(_, h any) bool {
			assert.NoError(t, h.(smooth.Presentation).Close())
			return true
		})
		store.SetFault(nil)
		assert.NoError(t, a.Close())
	}
}

// readLast reads the last fragment of each track.
func readLast(t testing.TB, p smooth.Presentation) {
	snap, err := p.Snapshot(t.Context())
	if err != nil || len(snap.Periods) == 0 {
		return
	}
	for _, tr := range snap.Periods[0].Tracks {
		tl := snap.Manifest.Stream(tr.Stream).Timeline
		if len(tl) == 0 {
			continue
		}
		f, err := p.Fragment(t.Context(), smooth.FragmentKey{Stream: tr.Stream, Attrs: tr.Attrs, Bitrate: tr.Bitrate, Time: tl[len(tl)-1].Time})
		if err != nil {
			continue
		}
		_, _ = f.Load(t.Context(), nil)
		f.Close()
	}
}

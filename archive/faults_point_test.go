package archive_test

import (
	"context"
	"errors"
	"io"
	"path"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/archive"
	"github.com/smoothkit/smoothkit/archive/internal/lossy"
	"github.com/smoothkit/smoothkit/livesmooth"
	"github.com/smoothkit/smoothkit/smooth"
)

// A pointTest is a publishing point with an encoder and an archive, where timers stand still.
type pointTest struct {
	*testing.T
	store *lossy.Store
	arch  *archive.Archive
	point *livesmooth.Point
	feed  *feed // what the encoder sends
	body  *io.PipeWriter
	at    time.Duration
	done  chan error // of the push

	mu     sync.Mutex // guards the field below
	events []livesmooth.Event
}

// newPointTest starts a point, and an encoder.
func newPointTest(t *testing.T, change func(*livesmooth.Settings)) *pointTest {
	opts := quiet()
	opts.Now = time.Now
	x := &pointTest{T: t, store: lossy.New(), feed: newFeed(t, "enc", small()), done: make(chan error, 1)}
	x.arch = open(t, x.store, opts)
	server, err := livesmooth.NewServer(&livesmooth.Options{
		Logger: noLog, Sinks: func(string, *livesmooth.Settings) []livesmooth.Sink { return []livesmooth.Sink{x.arch} },
	})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, server.Close()) })
	settings := livesmooth.DefaultSettings()
	settings.Archive.Enabled = true
	settings.Viewers.WindowLength = time.Minute
	if change != nil {
		change(settings)
	}
	x.point, err = server.Create(t.Context(), "live/demo.isml", settings)
	require.NoError(t, err)
	require.NoError(t, x.point.Start(t.Context()))
	ctx, cancel := context.WithCancel(t.Context())
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		for e := range x.point.Watch(ctx) {
			x.mu.Lock()
			x.events = append(x.events, e)
			x.mu.Unlock()
		}
	}()
	t.Cleanup(func() { cancel(); <-watched })
	r, w := io.Pipe()
	x.body = w
	go func() { x.done <- x.point.Push(t.Context(), livesmooth.PushInfo{Event: "show 1", Input: "enc"}, r) }()
	x.send(x.feed.input.Header)
	return x
}

func (x *pointTest) send(b []byte) {
	_, err := x.body.Write(b)
	require.NoError(x, err)
}

// run goes on with the event until a time, while viewers watch.
func (x *pointTest) run(until time.Duration) {
	shadow := x.feed.enc
	for x.at < until {
		x.at += time.Second
		x.send(shadow.Until(x.at))
		time.Sleep(time.Second)
		synctest.Wait()
		if x.at < 10*time.Second {
			continue
		}
		snap, err := x.point.Snapshot(x.Context())
		require.NoError(x, err)
		line := snap.Manifest.Streams[0].Timeline
		require.GreaterOrEqual(x, line.End()+8*second, uint64(x.at/100), "live viewing goes on")
		k := smooth.FragmentKey{Stream: "video", Bitrate: 300_000, Time: line[len(line)-1].Time}
		f, err := x.point.Fragment(x.Context(), k)
		require.NoError(x, err)
		f.Close()
	}
}

// end ends the event.
func (x *pointTest) end() {
	x.send(x.feed.enc.Trailer())
	require.NoError(x, x.body.Close())
	require.NoError(x, <-x.done)
	require.NoError(x, x.point.Stop(x.Context()))
	synctest.Wait()
}

func (x *pointTest) sink() livesmooth.SinkStats {
	stats := x.point.Stats()
	require.Len(x, stats.Sinks, 1)
	return stats.Sinks[0]
}

// kinds returns how many events there were of a kind.
func (x *pointTest) kinds(k livesmooth.EventKind) int {
	x.mu.Lock()
	defer x.mu.Unlock()
	n := 0
	for _, e := range x.events {
		if e.Kind == k {
			n++
		}
	}
	return n
}

// recorded opens the only event of the point, and returns which fragments of the picture there should be and are not.
func (x *pointTest) recorded(live bool) (snap *smooth.Snapshot, missing []time.Duration) {
	dirs, err := x.store.ReadDir(x.Context(), "live/demo-isml")
	require.NoError(x, err)
	require.Len(x, dirs, 1)
	name := "demo.ism"
	if live {
		name = "demo.isml"
	}
	snap, got := see(x.T, x.arch, path.Join("live/demo-isml", dirs[0].Name(), name))
	whole := newFeed(x, "enc", small())
	for _, f := range whole.until(x.at) {
		f.Close()
	}
	for k, b := range got {
		require.Equal(x, whole.sent[k], b, "%+v", k)
	}
	for at := time.Duration(0); at+2*time.Second <= x.at; at += 2 * time.Second {
		if _, ok := got[smooth.FragmentKey{Stream: "video", Bitrate: 300_000, Time: uint64(at / 100)}]; !ok {
			missing = append(missing, at)
		}
	}
	return snap, missing
}

// TestPointDiskFaults lets the disk of a publishing point fail for ten seconds: the live event goes on, there is an alarm, and the
// recording goes on by itself with a gap.
func TestPointDiskFaults(t *testing.T) {
	for _, fault := range diskFaults {
		if fault.name == "full for manifests" || fault.name == "not syncing names" {
			continue // only where a segment begins
		}
		t.Run(fault.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				x := newPointTest(t, nil)
				x.run(20 * time.Second)
				assert.False(t, x.sink().Failing)
				before := x.sink().Durable
				assert.GreaterOrEqual(t, before, uint64(16*second))
				x.store.SetFault(fault.fault)
				x.run(30 * time.Second)
				assert.True(t, x.sink().Failing)
				require.Error(t, x.sink().Err)
				assert.Equal(t, 1, x.kinds(livesmooth.SinkFailed))
				assert.Zero(t, x.kinds(livesmooth.SinkRecovered))
				x.store.SetFault(nil)
				x.run(100 * time.Second)
				assert.False(t, x.sink().Failing)
				assert.Equal(t, 1, x.kinds(livesmooth.SinkRecovered))
				assert.GreaterOrEqual(t, x.sink().Durable, uint64(96*second))
				assert.Contains(t, x.sink().Target, "live/demo-isml/")
				snap, _ := x.recorded(true)
				require.Len(t, snap.Gaps, 2, "%v", snap.Gaps) // of the picture, and of sound
				x.end()
				snap, missing := x.recorded(false)
				require.NotEmpty(t, missing)
				assert.GreaterOrEqual(t, missing[0], 16*time.Second)
				assert.Less(t, missing[len(missing)-1], 60*time.Second)
				line := snap.Manifest.Stream("video").Timeline
				holes := 0
				for i, c := range line[1:] {
					if c.Time > line[i].Time+line[i].Duration+1 { // a file may round
						holes++
					}
				}
				assert.Equal(t, 1, holes, "one gap")
				assert.Len(t, line, 50-len(missing))
			})
		})
	}
}

// TestPointSlowDisk lets a disk hang: the queue is bounded, what does not fit is counted, and the recording goes on when the disk does.
func TestPointSlowDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := newPointTest(t, nil)
		x.run(20 * time.Second)
		gate := make(chan struct{})
		x.store.SetFault(func(op lossy.Op, _ string, _ int64) error {
			if op == lossy.Write {
				<-gate
			}
			return nil
		})
		x.run(500 * time.Second)
		stats := x.sink()
		assert.True(t, stats.Failing)
		assert.LessOrEqual(t, stats.Queued, int64(513))
		assert.InDelta(t, 480*3/2-512, stats.Dropped, 6)
		close(gate)
		x.run(600 * time.Second)
		assert.False(t, x.sink().Failing)
		assert.Equal(t, stats.Dropped, x.sink().Dropped)
		assert.Equal(t, 1, x.kinds(livesmooth.SinkRecovered))
		snap, _ := x.recorded(true)
		require.NotEmpty(t, snap.Gaps)
		x.end()
		_, missing := x.recorded(false)
		assert.InDelta(t, int(stats.Dropped)/3, len(missing), 2)
		assert.Greater(t, missing[0], 300*time.Second, "what was in the queue is there")
	})
}

// TestPointFullDisk makes room when a disk is full.
func TestPointFullDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, clock := lossy.New(), new(wallClock)
		old := show(t, store, "old", begun, 60*time.Second, 20*time.Second, small())
		clock.set(begun.Add(time.Minute))
		a := open(t, store, keeping(clock, archive.Retention{Age: time.Hour}))
		synctest.Wait()
		clock.set(begun.Add(2 * time.Hour)) // nobody has looked since
		size := weightOf(t, store, old.dir)
		store.SetFault(func(op lossy.Op, _ string, n int64) error {
			if op == lossy.Write && weightOf(t, store, ".") > size {
				return &lossy.Short{N: n / 2, Err: syscall.ENOSPC}
			}
			return nil
		})
		f := newFeed(t, "enc", small())
		r := f.begin(a)
		failed := 0
		for _, fragment := range f.until(20 * time.Second) {
			if r.Append(t.Context(), "enc", fragment) != nil {
				failed++
			}
			synctest.Wait()
		}
		assert.Positive(t, failed)
		assert.Less(t, failed, 5)
		assert.Empty(t, there(t, store, old, 4))
		require.NoError(t, r.Close(t.Context(), true))
	})
}

// TestPointOneFailedSync: a single sync that fails has lost what it covered, so there is an alarm and a gap, and every fragment after
// that is recorded.
func TestPointOneFailedSync(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := newPointTest(t, nil)
		x.run(20 * time.Second)
		failed := false
		x.store.SetFault(func(op lossy.Op, _ string, _ int64) error {
			if op == lossy.Sync && !failed {
				failed = true
				return errors.New("lost")
			}
			return nil
		})
		x.run(30 * time.Second)
		require.True(t, failed)
		assert.Equal(t, 1, x.kinds(livesmooth.SinkFailed))
		assert.Equal(t, 1, x.kinds(livesmooth.SinkRecovered))
		assert.False(t, x.sink().Failing)
		assert.Zero(t, x.sink().Dropped)
		x.end()
		_, missing := x.recorded(false)
		assert.Len(t, missing, 1, "%v", missing)
	})
}

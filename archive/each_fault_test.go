package archive_test

import (
	"bytes"
	"errors"
	"log/slog"
	"path"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/archive"
	"github.com/smoothkit/smoothkit/archive/internal/lossy"
	"github.com/smoothkit/smoothkit/smooth"
	"github.com/smoothkit/smoothkit/smooth/smoothtest"
)

var errDisk = errors.New("disk fault")

// TestEachFault lets one operation of the store fail after another, alone or with those that follow, in an event that is cut, gets
// fragments late, and goes on after a shutdown. The recording goes on by itself, what it has taken is there, and the event ends.
func TestEachFault(t *testing.T) {
	for _, length := range []int64{1, 2, 7} {
		t.Run(strconv.FormatInt(length, 10), func(t *testing.T) {
			t.Parallel()
			total := int64(1)
			step := int64(5)
			if testing.Short() {
				step = 23
			}
			for n := length % step; n < total; n += step {
				t.Run(strconv.FormatInt(n, 10), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						x := &eachFault{T: t, first: n, length: length}
						x.run()
						total = x.ops.Load()
					})
				})
			}
			t.Logf("%d operations", total)
		})
	}
}

// eachFault is an event in which some operations of the store fail.
type eachFault struct {
	*testing.T
	store         *lossy.Store
	first, length int64 // the operations that fail
	ops           atomic.Int64
	once          sync.Once
	what          string                      // failed first
	failed        atomic.Bool                 // a sync has, and what was taken may be given up
	taken         map[smooth.FragmentKey]bool // by the recording
	safe          map[smooth.FragmentKey]bool // reported durable
	feeds         []*feed
}

func (x *eachFault) fault(op lossy.Op, name string, _ int64) error {
	if op == lossy.Open || op == lossy.Stat {
		return nil
	}
	n := x.ops.Add(1) - 1
	if n < x.first || n >= x.first+x.length {
		return nil
	}
	x.once.Do(func() { x.what = string(op) + " " + name })
	if op == lossy.Sync {
		x.failed.Store(true)
	}
	if op == lossy.Write {
		return &lossy.Short{N: 30, Err: errDisk}
	}
	return errDisk
}

func (x *eachFault) run() {
	c := small()
	c.Streams[1].Durations = []uint64{1.9 * second}
	x.feeds = []*feed{newFeed(x, "enc", c), newFeed(x, "fra", smoothtest.Config{MaxPayload: 600, Streams: []smoothtest.Stream{
		{Type: smooth.Audio, Name: "audio_fra", Language: "fra", Durations: []uint64{2.1 * second}, Levels: []smoothtest.Level{{Bitrate: 256_000}}},
	}})}
	x.feeds[0].event.Started = time.Now()
	x.feeds[0].event.Archive.SegmentLength = 5 * time.Second
	x.taken, x.safe = make(map[smooth.FragmentKey]bool), make(map[smooth.FragmentKey]bool)
	x.store = lossy.New()
	x.store.SetFault(x.fault)
	opts := quiet()
	opts.Now, opts.Logger = time.Now, slog.New(slog.NewTextHandler(x.Output(), nil))
	var a *archive.Archive
	var err error
	for range 20 {
		if a, err = archive.NewStore(x.Context(), x.store, opts); err == nil {
			break
		}
	}
	require.NoError(x, err)
	r := x.begin(a)
	x.record(r, 0, 24)
	_ = r.Close(x.Context(), false)
	r = x.begin(a)
	x.record(r, 24, 30)
	_ = r.Close(x.Context(), true)
	synctest.Wait()
	time.Sleep(time.Hour)
	synctest.Wait()
	require.NoError(x, a.Close())
	x.check()
}

func (x *eachFault) begin(a *archive.Archive) smooth.Recording {
	r := x.feeds[0].begin(a)
	require.NoError(x, r.Declare(x.Context(), x.feeds[1].input))
	return r
}

// record sends what is complete in each second; every seventh fragment comes 17 seconds late.
func (x *eachFault) record(r smooth.Recording, from, to int) {
	type late struct {
		f  *smooth.Fragment
		in string
		at int
	}
	var queue []late
	for at := from + 1; at <= to; at++ {
		for len(queue) > 0 && (queue[0].at <= at || at == to) {
			x.append(r, queue[0].in, queue[0].f)
			queue = queue[1:]
		}
		for _, f := range x.feeds {
			for _, fragment := range f.until(time.Duration(at) * time.Second) {
				if (len(f.order)*3)%7 == 6 && at+2 < to {
					queue = append(queue, late{fragment, f.input.ID, at + 17})
					continue
				}
				x.append(r, f.input.ID, fragment)
			}
		}
		time.Sleep(700 * time.Millisecond)
		synctest.Wait()
		durable := r.Durable()
		for k := range x.taken {
			switch {
			case x.failed.Load():
				if !x.safe[k] {
					delete(x.taken, k)
				}
			case k.Time+21*second/10 <= durable:
				x.safe[k] = true
			}
		}
		x.failed.Store(false)
	}
}

func (x *eachFault) append(r smooth.Recording, in string, f *smooth.Fragment) {
	k, d := f.Key, f.Duration
	if err := r.Append(x.Context(), in, f); err == nil {
		x.taken[k] = true
	} else {
		_ = r.Gap(x.Context(), smooth.Gap{Stream: k.Stream, Time: k.Time, Duration: d})
	}
}

func (x *eachFault) check() {
	x.store.SetFault(nil)
	events, err := x.store.ReadDir(x.Context(), "live/demo-isml")
	require.NoError(x, err)
	require.Len(x, events, 1, "after %s", x.what)
	dir := path.Join("live/demo-isml", events[0].Name())
	require.True(x, hasEnded(x, x.store, dir), "the event does not end after %s", x.what)
	segments, err := x.store.ReadDir(x.Context(), dir)
	require.NoError(x, err)
	got := make(map[smooth.FragmentKey][]byte)
	for _, s := range segments {
		if !s.IsDir() {
			continue
		}
		list, err := x.store.ReadDir(x.Context(), path.Join(dir, s.Name()))
		require.NoError(x, err)
		if len(list) == 0 || path.Ext(s.Name()) == ".hold" {
			continue
		}
		for k, b := range files(x, x.store, path.Join(dir, s.Name(), "demo.ism"), x.feeds...) {
			_, twice := got[k]
			assert.False(x, twice, "%+v is there twice after %s", k, x.what)
			got[k] = b
		}
	}
	sent := make(map[smooth.FragmentKey][]byte)
	for _, f := range x.feeds {
		for k, b := range f.sent {
			sent[k] = b
		}
	}
	for k, b := range got {
		assert.True(x, bytes.Equal(sent[k], b), "%+v", k)
	}
	for k := range x.taken {
		_, ok := got[k]
		assert.True(x, ok, "%+v is missing after %s", k, x.what)
	}
	if missing := len(sent) - len(got); x.first >= x.ops.Load() {
		assert.Zero(x, missing)
	}
}

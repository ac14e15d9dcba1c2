package archive_test

import (
	"bytes"
	"log/slog"
	"math/rand/v2"
	"path"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/archive"
	"github.com/smoothkit/smoothkit/archive/internal/lossy"
	"github.com/smoothkit/smoothkit/smooth"
)

// diskFaults are what may be wrong with a disk, as a [lossy.Fault].
var diskFaults = []struct {
	name  string
	fault lossy.Fault
}{
	{"full", func(op lossy.Op, _ string, n int64) error {
		switch op {
		case lossy.Write:
			return &lossy.Short{N: n / 3, Err: syscall.ENOSPC}
		case lossy.Replace, lossy.Append:
			return syscall.ENOSPC
		}
		return nil
	}},
	{"full for media", func(op lossy.Op, name string, n int64) error {
		if op == lossy.Write && strings.Contains(path.Ext(name), "ism") {
			return &lossy.Short{N: n - 1, Err: syscall.ENOSPC}
		}
		return nil
	}},
	{"full for journals", func(op lossy.Op, name string, n int64) error {
		if op == lossy.Write && path.Ext(name) == ".journal" {
			return &lossy.Short{N: n / 2, Err: syscall.ENOSPC}
		}
		return nil
	}},
	{"full for manifests", func(op lossy.Op, _ string, _ int64) error {
		if op == lossy.Replace {
			return syscall.ENOSPC
		}
		return nil
	}},
	{"not syncing", func(op lossy.Op, _ string, _ int64) error {
		if op == lossy.Sync {
			return syscall.EIO
		}
		return nil
	}},
	{"not syncing media", func(op lossy.Op, name string, _ int64) error {
		if op == lossy.Sync && path.Ext(name) != ".journal" {
			return syscall.EIO
		}
		return nil
	}},
	{"not syncing journals", func(op lossy.Op, name string, _ int64) error {
		if op == lossy.Sync && path.Ext(name) == ".journal" {
			return syscall.EIO
		}
		return nil
	}},
	{"not syncing names", func(op lossy.Op, _ string, _ int64) error {
		if op == lossy.Renamed {
			return syscall.EIO
		}
		return nil
	}},
	{"dead", func(op lossy.Op, _ string, _ int64) error {
		switch op {
		case lossy.Write, lossy.Sync, lossy.Replace, lossy.Append, lossy.Truncate, lossy.Remove:
			return syscall.EIO
		}
		return nil
	}},
}

// TestDiskFaults records over a disk that fails for a while, several times. What was reported durable is there, what was given up is
// a gap, nothing else than what was sent is there, and the recording goes on by itself in the same event.
func TestDiskFaults(t *testing.T) {
	for _, fault := range diskFaults {
		t.Run(fault.name, func(t *testing.T) {
			for seed := range uint64(20) {
				t.Run(strconv.FormatUint(seed, 10), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						(&faultTest{T: t, random: rand.New(rand.NewPCG(seed, 9)), fault: fault.fault}).run()
					})
				})
			}
		})
	}
}

// A faultTest is an event whose disk fails at times.
type faultTest struct {
	*testing.T
	random *rand.Rand
	fault  lossy.Fault

	store   *lossy.Store
	feed    *feed
	taken   map[smooth.FragmentKey]bool // Append has returned nil
	untold  []smooth.Gap
	safe    map[smooth.FragmentKey]bool // durable
	lost    map[smooth.FragmentKey]bool // given up
	history smooth.Presentation
	failed  bool // the disk has, before this second
}

func (x *faultTest) run() {
	x.store, x.taken = lossy.New(), make(map[smooth.FragmentKey]bool)
	x.safe, x.lost = make(map[smooth.FragmentKey]bool), make(map[smooth.FragmentKey]bool)
	opts := quiet()
	opts.Now = time.Now
	opts.Logger = slog.New(slog.NewTextHandler(x.Output(), nil))
	if x.random.IntN(3) == 0 {
		opts.SyncInterval = -1
	}
	a := open(x, x.store, opts)
	c := small()
	c.Streams[1].Durations = []uint64{1.9 * second}
	x.feed = newFeed(x, "enc", c)
	x.feed.event.Started = time.Now()
	if x.random.IntN(2) == 0 {
		x.feed.event.Archive.SegmentLength = time.Duration(6+x.random.IntN(10)) * time.Second
	}
	r := x.feed.begin(a)
	x.history = r.History()
	defer func() { require.NoError(x, x.history.Close()) }()
	name := path.Join("live/demo-isml", x.feed.event.Started.UTC().Format("20060102T150405Z"), "demo.ism")
	failing := false
	for at := 2 * time.Second; at < 60*time.Second; at += time.Second {
		if x.random.IntN(5) == 0 && at < 50*time.Second {
			failing = !failing
		} else if at >= 50*time.Second {
			failing = false
		}
		x.store.SetFault(nil)
		if failing {
			x.store.SetFault(x.fault)
		}
		x.record(r, at, failing)
		time.Sleep(time.Second)
		synctest.Wait()
	}
	x.store.SetFault(nil)
	for _, g := range x.untold {
		require.NoError(x, r.Gap(x.Context(), g))
	}
	growing, _ := see(x.T, a, name)
	require.NoError(x, r.Close(x.Context(), true))
	x.check(a, name, growing.Gaps)
}

// record records what comes until a time, as a publishing point does: gaps are told when the disk works again.
func (x *faultTest) record(r smooth.Recording, at time.Duration, failing bool) {
	for _, f := range x.feed.until(at) {
		k, d := f.Key, f.Duration
		for len(x.untold) > 0 && r.Gap(x.Context(), x.untold[0]) == nil {
			x.untold = x.untold[1:]
		}
		if err := r.Append(x.Context(), "enc", f); err != nil {
			require.True(x, failing || x.failed, "%v", err)
			x.untold = append(x.untold, smooth.Gap{Stream: k.Stream, Time: k.Time, Duration: d})
		} else {
			x.taken[k] = true
		}
	}
	x.note(r)
	x.failed = failing
}

// note notes what is durable. What was given up before is a gap by now.
func (x *faultTest) note(r smooth.Recording) {
	durable := r.Durable()
	snap, err := x.history.Snapshot(x.Context())
	require.NoError(x, err)
	for k := range x.taken {
		if k.Time+2*second <= durable && !covered(snap.Gaps, k) && !x.lost[k] {
			x.safe[k] = true
		} else if k.Time+2*second <= durable && !x.safe[k] {
			x.lost[k] = true
		}
	}
}

// check compares what there is afterwards, and the gaps that were shown before. In a complete segment a gap is a time without a fragment.
func (x *faultTest) check(a *archive.Archive, name string, gaps []smooth.Gap) {
	snap, got := see(x.T, a, name)
	assert.True(x, snap.Ended)
	first := ^uint64(0)
	for k, b := range got {
		require.True(x, bytes.Equal(x.feed.sent[k], b), "%+v is not what was sent", k)
		first = min(first, k.Time)
	}
	for _, k := range x.feed.order {
		if _, there := got[k]; there {
			continue
		}
		require.False(x, x.safe[k], "%+v was durable", k)
		if x.feed.event.Archive.SegmentLength == 0 && k.Time >= first {
			require.True(x, covered(gaps, k), "%+v is not there, and no gap: %v", k, gaps)
		}
	}
	for _, st := range snap.Manifest.Streams {
		for _, c := range st.Timeline {
			some := false
			for k := range got {
				some = some || k.Stream == st.Name && k.Time == c.Time
			}
			require.True(x, some, "%s %d is listed, and not there", st.Name, c.Time)
		}
	}
}

// covered reports whether the start of a fragment is in a gap.
func covered(gaps []smooth.Gap, k smooth.FragmentKey) bool {
	return slices.ContainsFunc(gaps, func(g smooth.Gap) bool { return g.Stream == k.Stream && g.Time <= k.Time && k.Time < g.Time+g.Duration })
}

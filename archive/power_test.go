package archive_test

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math/rand/v2"
	"path"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/archive"
	"github.com/smoothkit/smoothkit/archive/internal/lossy"
	"github.com/smoothkit/smoothkit/smooth"
	"github.com/smoothkit/smoothkit/smooth/smoothtest"
)

// TestPowerCut cuts the power at random points, several times in an event, under a disk that loses and reorders what was not
// synced. What was reported durable is there afterwards, byte for byte, and so is all that is older than the interval; nothing
// is there that was not sent; and the recording goes on in the same event.
func TestPowerCut(t *testing.T) {
	for seed := range uint64(200) {
		t.Run(strconv.FormatUint(seed, 10), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { (&powerTest{T: t, rand: rand.New(rand.NewPCG(seed, 5))}).run() })
		})
	}
}

// A powerTest is an event with power cuts.
type powerTest struct {
	*testing.T
	rand  *rand.Rand
	store *lossy.Store
	opts  *archive.Options
	feed  *feed
	safe  map[smooth.FragmentKey]bool // what has to be there
	at    time.Duration               // of the event
}

func (x *powerTest) run() {
	x.store, x.safe, x.opts = lossy.New(), make(map[smooth.FragmentKey]bool), quiet()
	x.opts.Now = time.Now
	x.opts.ResumeWithin = 100 * 24 * 365 * time.Hour // the disk has no clock
	x.opts.Logger = slog.New(slog.NewTextHandler(x.Output(), nil))
	if x.rand.IntN(3) == 0 {
		x.opts.SyncInterval = -1
	}
	c := small()
	c.MaxPayload = 1 << (8 + x.rand.IntN(7))
	c.Streams[1].Durations = []uint64{2*second - uint64(x.rand.IntN(second/2))}
	if x.rand.IntN(2) == 0 { // two files, one for the picture and one for sound
		c.Streams = append(c.Streams, smoothtest.Stream{
			Type: smooth.Audio, Name: "audio_fra", Durations: []uint64{2 * second}, Levels: []smoothtest.Level{{Bitrate: 32_000}}})
	}
	x.feed = newFeed(x, "enc", c)
	x.feed.event.Started = time.Now()
	if x.rand.IntN(2) == 0 {
		x.feed.event.Archive.SegmentLength = time.Duration(2+x.rand.IntN(12)) * time.Second
	}
	for range 1 + x.rand.IntN(4) {
		x.live()
	}
	a, err := archive.NewStore(x.Context(), x.store, x.opts)
	require.NoError(x, err)
	r := x.feed.begin(a)
	x.at += 4 * time.Second
	x.feed.record(r, x.at)
	require.NoError(x, r.Close(x.Context(), true))
	require.NoError(x, a.Close())
	x.check()
}

// live records until the power is cut.
func (x *powerTest) live() {
	a, err := archive.NewStore(x.Context(), x.store, x.opts)
	require.NoError(x, err)
	r := x.feed.begin(a)
	type sent struct {
		key smooth.FragmentKey
		at  time.Time
	}
	var list []sent
	left := 1 + x.rand.IntN(60)
	for left > 0 {
		x.at += time.Second
		for _, f := range x.feed.until(x.at) {
			left--
			if left < 0 {
				f.Close()
				delete(x.feed.sent, f.Key) // it was never given to the archive
				continue
			}
			k := f.Key
			require.NoError(x, r.Append(x.Context(), "enc", f))
			list = append(list, sent{k, time.Now()})
			if x.opts.SyncInterval < 0 {
				x.safe[k] = true
			}
			time.Sleep(time.Duration(x.rand.IntN(400)) * time.Millisecond)
		}
	}
	synctest.Wait()
	durable := r.Durable()
	for _, s := range list {
		if s.key.Time+1 <= durable && s.key.Time+2*second <= durable || time.Since(s.at) > time.Second {
			x.safe[s.key] = true
		}
	}
	x.store = x.store.Crash(x.rand)
	_ = r.Close(x.Context(), false) // to a disk that is gone
	_ = a.Close()
}

// check reads all segments of all events.
func (x *powerTest) check() {
	got := make(map[smooth.FragmentKey][]byte)
	events, err := x.store.ReadDir(x.Context(), "live/demo-isml")
	require.NoError(x, err)
	require.Len(x, events, 1, "the recording went on in another event")
	dir := path.Join("live/demo-isml", events[0].Name())
	segments, err := x.store.ReadDir(x.Context(), dir)
	require.NoError(x, err)
	for _, s := range segments {
		if !s.IsDir() {
			continue
		}
		require.False(x, strings.HasSuffix(s.Name(), ".hold"), "what was held is still there")
		name := path.Join(dir, s.Name(), "demo.ism")
		if _, err := x.store.Stat(x.Context(), name); errors.Is(err, fs.ErrNotExist) {
			continue // a segment that had nothing in it when the power was cut
		}
		for k, b := range files(x, x.store, name, x.feed) {
			if twice, ok := got[k]; ok {
				require.Fail(x, "twice", "%+v: %d and %d bytes in %s", k, len(twice), len(b), name)
			}
			got[k] = b
		}
	}
	for k, b := range got {
		require.True(x, bytes.Equal(x.feed.sent[k], b), "fragment %+v is not what was sent", k)
	}
	var lost []string
	for _, k := range x.feed.order {
		if _, ok := got[k]; !ok && x.safe[k] {
			lost = append(lost, fmt.Sprint(k))
		}
	}
	require.Empty(x, lost, "%d of %d are there", len(got), len(x.feed.sent))
}

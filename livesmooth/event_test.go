package livesmooth

import (
	"context"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// eventNumbers returns the numbers of events.
func eventNumbers(list []Event) (numbers []uint64) {
	for _, e := range list {
		numbers = append(numbers, e.Number)
	}
	return numbers
}

func upTo(n uint64) (numbers []uint64) {
	for i := range n {
		numbers = append(numbers, i+1)
	}
	return numbers
}

// TestEventsReachEveryWatcher: all in order, from several writers, whenever they come.
func TestEventsReachEveryWatcher(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newEventLog()
		const watchers, writers, each = 5, 3, 50
		got := make([][]Event, watchers)
		var watching, writing sync.WaitGroup
		for i := range watchers {
			watching.Go(func() {
				for e := range l.watch(t.Context(), 0) {
					if got[i] = append(got[i], e); i == 0 {
						time.Sleep(time.Second) // slower than they come, but not too slow
					}
				}
			})
		}
		for i := range writers {
			writing.Go(func() {
				for range each {
					l.add(Event{Kind: FragmentDropped, Input: string(rune('a' + i))})
					time.Sleep(time.Millisecond)
				}
			})
		}
		writing.Wait()
		l.end()
		l.end()
		l.add(Event{Kind: GapFound}) // nothing follows the end
		watching.Wait()
		for _, list := range got {
			assert.Equal(t, upTo(writers*each), eventNumbers(list))
			assert.Equal(t, got[0], list, "everybody sees the same")
		}
		assert.Equal(t, 1, got[0][0].Count)
		for e := range l.watch(t.Context(), 149) {
			assert.EqualValues(t, 150, e.Number, "what was before the end can be had after it")
		}
		for e := range l.watch(t.Context(), 150) {
			t.Error("an event after the end: ", e)
		}
	})
}

// TestEventsMissed: a slow watcher is told how many it has missed, and goes on with the oldest that are kept.
func TestEventsMissed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newEventLog()
		var got []Event
		busy := make(chan struct{})
		var watching sync.WaitGroup
		watching.Go(func() {
			for e := range l.watch(t.Context(), 0) {
				got = append(got, e)
				if len(got) == 1 {
					<-busy
				}
			}
		})
		l.add(Event{Kind: StateChanged, State: Starting})
		synctest.Wait()
		for range keptEvents + 10 {
			l.add(Event{Kind: GapFound, Count: 3, At: time.Unix(7, 0)})
		}
		close(busy)
		synctest.Wait()
		l.add(Event{Kind: StateChanged, State: Stopped})
		l.end()
		watching.Wait()

		require.Len(t, got, 1+1+keptEvents+1)
		assert.Equal(t, Event{Number: 11, At: time.Unix(7, 0), Kind: EventsMissed, State: Starting, Count: 10}, got[1])
		assert.Equal(t, 3, got[2].Count)
		numbers := eventNumbers(got)
		assert.EqualValues(t, 1, numbers[0])
		assert.Equal(t, upTo(keptEvents + 12)[10:], numbers[1:], "the missed ones count up to the last of them")
	})
}

// TestEventsJustKept: a watcher that is as far behind as it may be misses nothing.
func TestEventsJustKept(t *testing.T) {
	l := newEventLog()
	for range 3*keptEvents + 7 {
		l.add(Event{Kind: GapFound})
	}
	l.end()
	for behind, want := range map[uint64]EventKind{keptEvents: GapFound, keptEvents + 1: EventsMissed, l.last: EventsMissed} {
		list := slices.Collect(l.watch(t.Context(), l.last-behind))
		assert.Equal(t, want, list[0].Kind)
		total := uint64(0)
		for _, e := range list {
			total += uint64(e.Count)
		}
		assert.Equal(t, behind, total)
		assert.Equal(t, l.last, list[len(list)-1].Number)
	}
}

// TestEventsWatchEnds: with its context, while it waits or is busy, and when the caller has had enough.
func TestEventsWatchEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newEventLog()
		ctx, cancel := context.WithCancel(t.Context())
		var got []Event
		var watching sync.WaitGroup
		watching.Go(func() { got = slices.Collect(l.watch(ctx, 0)) })
		l.add(Event{Kind: TrackAdded})
		synctest.Wait()
		cancel()
		watching.Wait()
		assert.Equal(t, upTo(1), eventNumbers(got))

		l.add(Event{Kind: TrackAdded})
		assert.Empty(t, slices.Collect(l.watch(ctx, 0)), "the context had ended")
		n := 0
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		for range l.watch(ctx, 0) {
			n++
			stop()
		}
		assert.Equal(t, 1, n, "events that are there do not keep a watcher whose context has ended")
		for e := range l.watch(t.Context(), 0) {
			assert.EqualValues(t, 1, e.Number)
			break
		}
	})
}

func TestEventNames(t *testing.T) {
	seen := make(map[string]EventKind)
	for k := range EventsMissed + 1 {
		name := k.String()
		assert.NotEqual(t, "unknown", name)
		assert.NotContains(t, seen, name)
		seen[name] = k
	}
	assert.Equal(t, "state changed", StateChanged.String())
	assert.Equal(t, "events missed", EventsMissed.String())
	assert.Equal(t, "unknown", (EventsMissed + 1).String())
}

package playlist

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestViewerReadsOn: a player reads an entry in ranges, opens it again as it begins, and goes on after a drop; none of that
// plays it again.
func TestViewerReadsOn(t *testing.T) {
	w := newWatcher(t, []Entry{{NoSkipBack: true, NoSkipForward: true}, {}})
	require.NoError(t, w.get(0, "1", 0, 980))
	require.NoError(t, w.get(20, "1", 980, 1000), "the last part")
	require.NoError(t, w.get(20, "1", 400, 1000), "the network was down")
	w.refused(NoSkipBack, w.get(20, "1", 0, 1000))

	w = newWatcher(t, []Entry{{NoSkipBack: true, NoSkipForward: true, NoSeek: true}, {}})
	require.NoError(t, w.get(0, "1", 0, 1000), "all at once, into the buffers of the network")
	require.NoError(t, w.get(1, "1", 980, 1000), "an index at the end")
	require.NoError(t, w.get(1, "1", 0, 1000), "and only now it plays")
	w.refused(NoSkipBack, w.get(11, "1", 0, 1000))
	require.NoError(t, w.get(12, "2", 0, 1))
	w.refused(NoSkipBack, w.get(12, "1", 990, 1000))
}

// TestViewerClockStops: what plays while the viewer is back in the entry before is not the advertisement.
func TestViewerClockStops(t *testing.T) {
	list := []Entry{{}, {NoSkipForward: true, Duration: 30 * time.Second}, {}}
	w := newWatcher(t, list)
	require.NoError(t, w.get(0, "1", 0, 500))
	require.NoError(t, w.get(10, "2", 0, 1000), "fetched at once")
	require.NoError(t, w.get(12, "1", 500, 501))
	for s := 13; s < 60; s++ {
		require.NoError(t, w.get(float64(s), "1", int64(s)+500, int64(s)+501))
	}
	w.refused(NoSkipForward, w.get(60, "3", 0, 1))
	w.refused(NoSkipForward, w.get(86, "3", 0, 1))
	require.NoError(t, w.get(88, "3", 0, 1), "the player has the advertisement, and plays it now")

	w = newWatcher(t, list)
	require.NoError(t, w.get(0, "1", 0, 500))
	require.NoError(t, w.get(10, "2", 0, 1000))
	p := parsePath("1")
	w.v.deliver(t0.Add(35*time.Second), &w.r, w.lists, p, &list[0], 500, 1000, 1000)
	require.NoError(t, w.get(39, "3", 0, 1), "a connection for the first entry that ends late does not stop the clock")
}

// TestViewerLateConnection: a connection that ends after the viewer has gone on does not take the viewer back.
func TestViewerLateConnection(t *testing.T) {
	w := newWatcher(t, []Entry{{}, {NoSkipBack: true}, {}})
	require.NoError(t, w.get(0, "1", 0, 10))
	require.NoError(t, w.get(1, "2", 0, 10))
	w.v.deliver(t0.Add(2*time.Second), &w.r, w.lists, path{1}, &Entry{}, 10, 500, 1000)
	w.refused(NoSkipBack, w.get(3, "1", 0, 10))
}

// TestViewerClockBegins: the clock of an entry that is sent as slowly as it plays begins with its response, not with the
// end of it.
func TestViewerClockBegins(t *testing.T) {
	list := []Entry{{NoSkipForward: true, Duration: 30 * time.Second}, {}}
	w := newWatcher(t, list)
	p := path{1}
	require.NoError(t, w.v.admit(t0, &w.r, w.lists, p, 0))
	w.v.enter(t0, &w.r, w.lists, p, &list[0])
	w.v.deliver(t0.Add(30*time.Second), &w.r, w.lists, p, &list[0], 0, 1000, 1000)
	require.NoError(t, w.get(30, "2", 0, 1))
}

// TestViewerComesBack: what has been watched to its end, by the bytes and by the clock, is not locked again when the viewer
// goes far on, back, and on again.
func TestViewerComesBack(t *testing.T) {
	list := []Entry{{}, {NoSkipForward: true, Duration: 10 * time.Second}, {}, {}, {}, {}, {}, {}}
	w := newWatcher(t, list)
	require.NoError(t, w.get(0, "2", 0, 1000))
	for i, s := range []string{"3", "4", "5", "6", "7", "8"} {
		require.NoError(t, w.get(float64(20+i), s, 0, 10))
	}
	require.NoError(t, w.get(40, "1", 0, 10))
	require.NoError(t, w.get(41, "3", 0, 10))

	w = newWatcher(t, []Entry{{}, {NoSkipForward: true}, {}})
	w.l["2"] = []Entry{{}, {Duration: time.Second}}
	require.NoError(t, w.get(0, "2.1", 0, 10))
	require.NoError(t, w.get(1, "2.2", 0, 1000))
	require.NoError(t, w.get(5, "3", 0, 10))
	require.NoError(t, w.get(6, "1", 0, 10))
	delete(w.l, "2") // a handler knows only the lists on the way
	require.NoError(t, w.get(7, "3", 0, 10), "the list in the second entry has been played")
	assert.Empty(t, w.v.Nested)
}

// TestViewerSmall: of an entry of a few bytes all count.
func TestViewerSmall(t *testing.T) {
	var v viewer
	list := []Entry{{NoSkipForward: true}, {}}
	at := func(p path) []Entry {
		if len(p) == 0 {
			return list
		}
		return nil
	}
	v.deliver(t0, &strict, at, path{1}, &list[0], 0, 1, 60)
	assert.ErrorIs(t, v.admit(t0, &strict, at, path{2}, 0), ErrNotAllowed)
	v.deliver(t0, &strict, at, path{1}, &list[0], 1, 59, 60)
	assert.NoError(t, v.admit(t0, &strict, at, path{2}, 0))
}

// FuzzViewer drives a viewer by what a client may do in any order, and checks what must hold always: who comes behind a
// locked entry has been sent it, and not faster than it plays; a seek goes no further than what was sent.
func FuzzViewer(f *testing.F) {
	f.Add([]byte{0, 0, 100, 3, 1, 0, 100, 9, 2, 0, 1, 1})
	f.Add([]byte{1, 0, 100, 0, 0, 0, 50, 20, 2, 0, 10, 0, 3, 0, 100, 40, 1, 0, 1, 1})
	f.Add([]byte{0, 50, 100, 0, 0, 0, 100, 60, 3, 0, 100, 0, 2, 10, 30, 1})
	list := []Entry{
		{}, {NoSkipForward: true, Duration: 20 * time.Second}, {}, {NoSeek: true, NoSkipForward: true, NoSkipBack: true, Duration: 5 * time.Second}, {},
	}
	at := func(p path) []Entry {
		if len(p) == 0 {
			return list
		}
		return nil
	}
	f.Fuzz(func(t *testing.T, steps []byte) {
		steps = steps[:min(len(steps), 256)]
		var v viewer
		now := t0
		sent := make([]map[int64]bool, len(list))
		first := make([]time.Time, len(list))
		for ; len(steps) >= 4; steps = steps[4:] {
			n, from := int(steps[0])%len(list), int64(steps[1]%100)
			to := min(from+1+int64(steps[2]), 100)
			now = now.Add(time.Duration(steps[3]) * time.Second / 4)
			p := path{n + 1}
			if v.admit(now, &strict, at, p, from) != nil {
				continue
			}
			for i := range n {
				if list[i].NoSkipForward {
					require.GreaterOrEqual(t, len(sent[i]), 98, "entry %d is locked", i+1)
					require.GreaterOrEqual(t, now.Sub(first[i]), list[i].Duration-strict.early)
				}
			}
			if list[n].NoSeek {
				for i := range from {
					require.True(t, sent[n][i] || len(sent[n]) >= 98, "%d of entry %d, of which %d was not sent", from, n+1, i)
				}
			}
			v.enter(now, &strict, at, p, &list[n])
			v.deliver(now, &strict, at, p, &list[n], from, to, 100)
			if sent[n] == nil {
				sent[n], first[n] = map[int64]bool{}, now
			}
			for i := from; i < to; i++ {
				sent[n][i] = true
			}
			require.LessOrEqual(t, len(v.States), maxStates)
		}
	})
}

package playlist

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var t0 = time.Date(2008, 9, 9, 16, 24, 37, 0, time.UTC)

// strict are the rules of a list whose operator has not set a percentage.
var strict = rules{percent: 100, early: 2 * time.Second}

// evening is a locked advertisement, a film, another advertisement that may be left but not sought in, a film.
var evening = []Entry{
	{NoSeek: true, NoSkipForward: true, NoSkipBack: true, Duration: 30 * time.Second},
	{},
	{NoSeek: true, Duration: 10 * time.Second},
	{},
}

// watcher drives a viewer as a handler does.
type watcher struct {
	t *testing.T
	v viewer
	r rules
	l map[string][]Entry
}

func newWatcher(t *testing.T, entries []Entry) *watcher {
	return &watcher{t: t, r: strict, l: map[string][]Entry{"": entries}}
}

func (w *watcher) lists(parent path) []Entry { return w.l[parent.String()] }

// get asks for an entry at a second, and is sent [from, to) of 1000.
func (w *watcher) get(second float64, entry string, from, to int64) error {
	w.t.Helper()
	now, p := t0.Add(time.Duration(second*float64(time.Second))), parsePath(entry)
	require.NotNil(w.t, p)
	if err := w.v.admit(now, &w.r, w.lists, p, from); err != nil {
		return err
	}
	e := entryOf(w.lists, p)
	w.v.enter(now, &w.r, w.lists, p, e)
	w.v.deliver(now, &w.r, w.lists, p, e, from, to, 1000)
	return nil
}

func (w *watcher) refused(rule Rule, err error) {
	w.t.Helper()
	var e *RuleError
	require.ErrorAs(w.t, err, &e)
	assert.Equal(w.t, rule, e.Rule)
	assert.ErrorIs(w.t, err, ErrNotAllowed)
}

func TestViewerOrder(t *testing.T) {
	w := newWatcher(t, evening)
	w.refused(NoSkipForward, w.get(0, "2", 0, 1000))
	w.refused(NoSkipForward, w.get(0, "4", 0, 1000))
	w.refused(NoSeek, w.get(0, "1", 500, 1000))
	require.NoError(t, w.get(0, "1", 0, 500))
	require.NoError(t, w.get(5, "1", 500, 600), "goes on after a drop")
	require.NoError(t, w.get(5, "1", 300, 900), "what was delivered may be read again")
	w.refused(NoSeek, w.get(6, "1", 901, 1000))
	w.refused(NoSkipForward, w.get(20, "2", 0, 10))
	require.NoError(t, w.get(20, "1", 900, 1000))
	err := w.get(20, "2", 0, 10)
	w.refused(NoSkipForward, err)
	var e *RuleError
	require.ErrorAs(t, err, &e)
	assert.Equal(t, 8*time.Second, e.Wait, "delivered faster than it plays")
	require.NoError(t, w.get(28, "2", 0, 10), "players ask a little early")
	require.NoError(t, w.get(28, "2", 700, 800), "free to seek")
	w.refused(NoSkipBack, w.get(30, "1", 0, 10))
	require.NoError(t, w.get(40, "4", 0, 10), "the third may be skipped")
	require.NoError(t, w.get(41, "3", 0, 10), "and gone back to")
	w.refused(NoSeek, w.get(41, "3", 500, 510))
	require.NoError(t, w.get(42, "2", 0, 10))
	w.refused(NoSkipBack, w.get(43, "1", 0, 10))
	assert.ErrorIs(t, w.get(43, "5", 0, 10), ErrNotFound)
}

// With P percent an entry may be left after P percent of its bytes and of its time.
func TestViewerPercent(t *testing.T) {
	w := newWatcher(t, evening)
	w.r = rules{percent: 50}
	require.NoError(t, w.get(0, "1", 0, 490))
	w.refused(NoSkipForward, w.get(60, "2", 0, 10))
	require.NoError(t, w.get(60, "1", 490, 500))
	require.NoError(t, w.get(60, "2", 0, 10))

	w = newWatcher(t, evening)
	w.r = rules{percent: 50}
	require.NoError(t, w.get(0, "1", 0, 1000))
	w.refused(NoSkipForward, w.get(14.9, "2", 0, 10))
	require.NoError(t, w.get(15, "2", 0, 10))

	w = newWatcher(t, evening)
	w.r = rules{}
	require.NoError(t, w.get(0, "1", 0, 1))
	require.NoError(t, w.get(0, "2", 0, 1), "the operator said zero")
}

// What is read again and again does not count twice, and the end counts only with the rest.
func TestViewerReadsAgain(t *testing.T) {
	w := newWatcher(t, []Entry{{NoSkipForward: true}, {}})
	for range 20 {
		require.NoError(t, w.get(0, "1", 900, 1000))
	}
	w.refused(NoSkipForward, w.get(100, "2", 0, 1))
	require.NoError(t, w.get(100, "1", 0, 450))
	require.NoError(t, w.get(100, "1", 500, 900))
	w.refused(NoSkipForward, w.get(100, "2", 0, 1))
	require.NoError(t, w.get(100, "1", 440, 510))
	require.NoError(t, w.get(100, "2", 0, 1))
}

// The rules of an entry stay in force while the list in it plays, and it is over with the whole list.
func TestViewerNested(t *testing.T) {
	w := newWatcher(t, []Entry{{NoSkipForward: true}, {}})
	w.l["1"] = []Entry{{}, {NoSkipForward: true, Duration: 5 * time.Second}, {}}
	require.NoError(t, w.get(0, "1.1", 0, 10))
	w.refused(NoSkipForward, w.get(1, "2", 0, 10))
	w.refused(NoSkipForward, w.get(1, "1.3", 0, 10))
	require.NoError(t, w.get(1, "1.2", 0, 1000))
	w.refused(NoSkipForward, w.get(2, "1.3", 0, 10))
	require.NoError(t, w.get(6, "1.3", 0, 10))
	w.refused(NoSkipForward, w.get(6, "2", 0, 10))
	require.NoError(t, w.get(7, "1.3", 10, 1000))
	require.NoError(t, w.get(7, "2", 0, 10))
	assert.ErrorIs(t, w.get(7, "2.1", 0, 10), ErrNotFound)

	w = newWatcher(t, []Entry{{}, {}})
	w.l["1"] = []Entry{{}, {NoSkipForward: true}, {}}
	require.NoError(t, w.get(0, "1.1", 0, 10))
	w.refused(NoSkipForward, w.get(0, "2", 0, 10))
	require.NoError(t, w.get(0, "1.2", 0, 1000))
	require.NoError(t, w.get(0, "2", 0, 10), "what is behind it may be skipped")
}

func TestPaths(t *testing.T) {
	for _, good := range []string{"1", "2.1", "10000.3.7"} {
		assert.Equal(t, good, parsePath(good).String())
	}
	for _, bad := range []string{"", "0", "-1", "+1", "01", "1.", ".1", "1..2", "10001", "1e3", "a", "1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1"} {
		assert.Nil(t, parsePath(bad), bad)
	}
}

func TestProgress(t *testing.T) {
	var g progress
	for i := int64(0); i < 100; i++ {
		g.add(i*10, i*10+1+i%5)
	}
	assert.LessOrEqual(t, len(g.Spans), maxSpans)
	assert.Equal(t, int64(1), g.covered(), "the beginning is never forgotten")
	g.add(0, 2000)
	assert.Equal(t, []span{{0, 2000}}, g.Spans)
	g.add(5, 5)
	g.add(3000, 3001)
	assert.Equal(t, int64(2001), g.delivered())
}

// TestViewerFoundDuration: how long an entry plays counts where it was found when the entry was sent, and the list does
// not say.
func TestViewerFoundDuration(t *testing.T) {
	w := newWatcher(t, []Entry{{NoSkipForward: true}, {}})
	found := Entry{NoSkipForward: true, Duration: 30 * time.Second}
	w.v.deliver(t0, &w.r, w.lists, path{1}, &found, 0, 1000, 1000)
	w.refused(NoSkipForward, w.get(27, "2", 0, 1))
	assert.NoError(t, w.get(28, "2", 0, 1))
}

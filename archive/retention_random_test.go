package archive_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"path"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/archive"
	"github.com/smoothkit/smoothkit/archive/internal/lossy"
	"github.com/smoothkit/smoothkit/smooth"
)

// TestRetentionRandom sweeps archives of random events by random rules, while some of them are read. What the rules keep stays, what
// is read stays whole, and what nothing keeps goes.
func TestRetentionRandom(t *testing.T) {
	for seed := range uint64(60) {
		t.Run(strconv.FormatUint(seed, 10), func(t *testing.T) {
			x := &sweepTest{T: t, random: rand.New(rand.NewPCG(seed, 3)), store: lossy.New(), clock: new(wallClock)}
			x.fill()
			for range 6 {
				x.sweep()
			}
		})
	}
}

// A sweepTest is an archive with events.
type sweepTest struct {
	*testing.T
	random *rand.Rand
	store  *lossy.Store
	clock  *wallClock
	shows  []*pastShow
	ends   map[string]time.Time // of complete segments, by directory
}

// fill records events of up to three points.
func (x *sweepTest) fill() {
	x.ends = make(map[string]time.Time)
	used := make(map[string]bool)
	for range 2 + x.random.IntN(8) {
		point, start := string(rune('a'+x.random.IntN(3))), begun.Add(time.Duration(x.random.IntN(7200))*time.Second)
		if used[point+start.String()] {
			continue
		}
		used[point+start.String()] = true
		length, segment := time.Duration(4+2*x.random.IntN(8))*time.Second, time.Duration(2*x.random.IntN(4))*time.Second
		s := show(x, x.store, point, start, length, segment, small())
		x.shows = append(x.shows, s)
		for n := range x.segments(s) {
			end := start.Add(length)
			if segment > 0 {
				end = start.Add(min(length, time.Duration(n+1)*segment))
			}
			x.ends[path.Dir(s.segment(n+1))] = end
		}
	}
}

// segments returns the directories that are there of an event.
func (x *sweepTest) segments(s *pastShow) []string {
	list, err := x.store.ReadDir(x.Context(), s.dir)
	if err != nil {
		return nil
	}
	var dirs []string
	for _, d := range list {
		if d.IsDir() {
			dirs = append(dirs, path.Join(s.dir, d.Name()))
		}
	}
	slices.SortFunc(dirs, func(a, b string) int { return len(a) - len(b) })
	return dirs
}

// there returns all segments.
func (x *sweepTest) there() map[string]int64 {
	all := make(map[string]int64)
	for _, s := range x.shows {
		for _, dir := range x.segments(s) {
			all[dir] = weightOf(x, x.store, dir)
		}
	}
	return all
}

// sweep opens the archive with rules, reads something and sweeps.
func (x *sweepTest) sweep() {
	now := begun.Add(time.Duration(x.random.IntN(4*3600)) * time.Second)
	var rules archive.Retention
	before := x.there()
	if x.random.IntN(2) == 0 {
		rules.Age = time.Duration(1+x.random.IntN(3*3600)) * time.Second
	}
	if x.random.IntN(2) == 0 {
		rules.Events = 1 + x.random.IntN(3)
	}
	total := weightOf(x, x.store, ".")
	if x.random.IntN(2) == 0 {
		rules.Bytes = 1 + x.random.Int64N(total+1)
	}
	x.clock.set(now)
	a, err := archive.NewStore(x.Context(), unswept{x.store}, keeping(x.clock, archive.Retention{}))
	require.NoError(x, err)
	read := make(map[string]bool) // segments
	var open []smooth.Presentation
	for _, s := range x.shows {
		if dirs := x.segments(s); len(dirs) > 0 && x.random.IntN(4) == 0 {
			name := path.Join(s.dir, "demo.ism")
			if x.random.IntN(2) == 0 {
				dirs = dirs[x.random.IntN(len(dirs)):]
				dirs = dirs[:1]
				name = path.Join(dirs[0], "demo.ism")
			}
			p, err := a.Open(x.Context(), name)
			require.NoError(x, err)
			open = append(open, p)
			for _, dir := range dirs {
				read[dir] = true
			}
		}
	}
	archive.SetRetention(a, rules)
	_, err = a.Sweep(x.Context(), now)
	require.NoError(x, err)
	x.check(rules, now, before, read, total)
	for _, p := range open {
		snap, err := p.Snapshot(x.Context())
		require.NoError(x, err)
		require.NotEmpty(x, snap.Manifest.Streams)
		x.whole(p)
		require.NoError(x, p.Close())
	}
	require.NoError(x, a.Close())
}

// unswept is a store without a lock.
type unswept struct{ archive.Store }

// whole reads all that a presentation lists.
func (x *sweepTest) whole(p smooth.Presentation) {
	for k, b := range content(x, p) {
		some := false
		for _, s := range x.shows {
			some = some || bytes.Equal(s.feed.sent[k], b)
		}
		require.True(x, some, "%+v", k)
	}
}

// check compares what has gone.
func (x *sweepTest) check(rules archive.Retention, now time.Time, before map[string]int64, read map[string]bool, total int64) {
	after := x.there()
	says := fmt.Sprintf("%+v at %v, %d bytes, read %v", rules, now, total, read)
	left := weightOf(x, x.store, ".")
	newest, last := time.Time{}, "" // of those that were deleted for the number of bytes
	for dir := range before {
		if _, ok := after[dir]; ok {
			continue
		}
		require.False(x, read[dir], "%s was read: %s", dir, says)
		old := rules.Age > 0 && now.Sub(x.ends[dir]) > rules.Age
		if old || rules.Events > 0 && x.rank(dir, before) >= rules.Events {
			continue
		}
		require.Positive(x, rules.Bytes, "%s: %s", dir, says)
		if end := x.ends[dir]; end.After(newest) || end.Equal(newest) && dir > last {
			newest, last = end, dir
		}
	}
	if last != "" {
		slack := 1000 * int64(len(x.shows)) // of each event.json that has become shorter
		require.Greater(x, left+before[last]+slack, rules.Bytes, "%s: %d bytes left: %s", last, left, says)
	}
	for dir := range after {
		first, blocked := true, false
		for other := range after {
			if path.Dir(other) == path.Dir(dir) {
				blocked = blocked || read[other]
				first = first && (len(other) > len(dir) || len(other) == len(dir) && other >= dir)
			}
		}
		require.False(x, !blocked && rules.Events > 0 && x.rank(dir, before) >= rules.Events, "%s is of an old event: %s", dir, says)
		require.False(x, !blocked && rules.Age > 0 && now.Sub(x.ends[dir]) > rules.Age, "%s is old: %s", dir, says)
		require.False(x, !blocked && first && x.ends[dir].Before(newest), "%s is older than what has gone: %s", dir, says)
		require.False(x, !blocked && rules.Bytes > 0 && left > rules.Bytes, "%s, %d bytes are left: %s", dir, left, says)
	}
	for _, s := range x.shows { // numbers begin later, without a hole
		numbers := ""
		for _, dir := range x.segments(s) {
			numbers += path.Base(dir)
		}
		require.True(x, x.suffix(s, numbers), "%s of %s", numbers, s.dir)
	}
}

// suffix reports whether these are the last segments that an event has had.
func (x *sweepTest) suffix(s *pastShow, numbers string) bool {
	all := ""
	for n := 1; ; n++ {
		if _, ok := x.ends[path.Dir(s.segment(n))]; !ok {
			return strings.HasSuffix(all, numbers)
		}
		all += strconv.Itoa(n)
	}
}

// rank returns how many events of the same point are newer.
func (x *sweepTest) rank(dir string, there map[string]int64) int {
	event := path.Dir(dir)
	newer := make(map[string]bool)
	for other := range there {
		if o := path.Dir(other); path.Dir(o) == path.Dir(event) && o > event {
			newer[o] = true
		}
	}
	return len(newer)
}

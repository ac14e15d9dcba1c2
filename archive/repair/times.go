package repair

import (
	"fmt"
	"math"
	"slices"

	"github.com/smoothkit/smoothkit/internal/fmp4"
)

// finish puts the fragments in order and compares them with the index. It notes all faults of the file.
func (m *media) finish(a *Asset) {
	for _, t := range m.tracks {
		t.place()
		if t.derived > 0 {
			a.note(TimesDerived, m.name, -1, "track %d: %d of %d fragments state no time; the index or the end of the fragment before tells it",
				t.ID, t.derived, len(t.fragments))
		}
		m.order(t)
		if t.bare > 0 {
			if n := t.lengths(); n > 0 {
				a.note(DurationsMissing, m.name, -1, "track %d: nothing tells how long the samples of %d fragments last", t.ID, n)
			}
		}
		if len(t.fragments) == 0 && m.fragments() > 0 {
			a.note(NoFragments, m.name, -1, "track %d (%v) has no fragments", t.ID, t.Handler)
		}
	}
	if m.fragments() == 0 {
		a.note(NoFragments, m.name, m.end, "no whole fragment in %d bytes", m.size)
		return
	}
	m.faults(a)
	if m.index.Size > 0 && m.wrong == "" {
		m.wrong = m.compare()
	}
}

// place gives the fragments times that have none: from the index, or else the end of the one before.
func (t *track) place() {
	var table map[int64]uint64
	var next uint64
	for i := range t.fragments {
		f := &t.fragments[i]
		if !f.timed {
			if table == nil {
				table = t.media.tableOf(t.ID)
			}
			t.derived++
			f.time = next
			if at, ok := table[f.offset]; ok {
				f.time = at
			} else if at, ok := t.media.times[f.offset]; ok {
				f.time = at
			}
		}
		if f.bare {
			t.bare++
		}
		next = f.end()
	}
}

// tableOf returns the times of the fragments of a track by offset, as the index has them.
func (m *media) tableOf(id uint32) map[int64]uint64 {
	times := make(map[int64]uint64)
	for i := range m.tables {
		if m.tables[i].TrackID != id {
			continue
		}
		for j := range m.tables[i].Len() {
			at, moof := m.tables[i].At(j)
			if _, ok := times[int64(moof)]; !ok {
				times[int64(moof)] = at
			}
		}
	}
	return times
}

// order sorts the fragments of a track by time. What is there twice is dropped.
func (m *media) order(t *track) {
	byTime := func(a, b fragment) int {
		switch {
		case int64(a.time) < int64(b.time):
			return -1
		case int64(a.time) > int64(b.time):
			return 1
		}
		return 0
	}
	if !slices.IsSortedFunc(t.fragments, byTime) {
		slices.SortStableFunc(t.fragments, byTime)
	}
	kept := t.fragments[:0]
	for _, f := range t.fragments {
		if n := len(kept); n == 0 || kept[n-1].time != f.time {
			kept = append(kept, f)
			continue
		}
		if !f.shared {
			if m.drops == nil {
				m.drops = make(map[int64]bool)
			}
			m.drops[f.offset] = true
		}
	}
	t.fragments = kept
}

// lengths finds out how long the fragments are whose samples have no durations. It returns how many it cannot tell.
func (t *track) lengths() (unknown int) {
	for i := range t.fragments {
		f := &t.fragments[i]
		if !f.bare || f.duration > 0 {
			continue
		}
		if i+1 < len(t.fragments) {
			f.duration = t.fragments[i+1].time - f.time
		} else if i > 0 && t.fragments[i-1].samples > 0 {
			f.duration = t.fragments[i-1].duration / uint64(t.fragments[i-1].samples) * uint64(f.samples)
		}
	}
	for i := range t.fragments {
		if f := &t.fragments[i]; f.bare && f.each() == 0 {
			f.bare = false
			t.bare--
			unknown++
		}
	}
	return unknown
}

// each returns the duration of each sample of a fragment, if all have the same, rounded to ticks; 0 if it is not known.
func (f *fragment) each() uint32 {
	n := max(uint64(f.samples), 1)
	return uint32(min((f.duration+n/2)/n, math.MaxUint32))
}

// common returns the duration, in ticks, that fits the samples of all fragments that state none, to one tick each; 0 if no single
// one does.
func (t *track) common() uint32 {
	var ticks, samples uint64
	for i := range t.fragments {
		if f := &t.fragments[i]; f.bare {
			ticks += min(f.duration, math.MaxUint32*uint64(f.samples))
			samples += uint64(f.samples)
		}
	}
	if samples == 0 {
		return 0
	}
	d := (ticks + samples/2) / samples
	for i := range t.fragments {
		f := &t.fragments[i]
		if n := d * uint64(f.samples); f.bare && max(n, f.duration)-min(n, f.duration) > uint64(f.samples) {
			return 0
		}
	}
	return uint32(min(d, math.MaxUint32))
}

// faults notes what is wrong with the fragments.
func (m *media) faults(a *Asset) {
	for _, h := range m.holes {
		a.fault(h.code, m.name, h.from, "%d bytes: %s", h.to-h.from, h.reason)
	}
	if len(m.drops) > 0 {
		offsets := make([]int64, 0, len(m.drops))
		for off := range m.drops {
			offsets = append(offsets, off)
		}
		slices.Sort(offsets)
		a.fault(FragmentTwice, m.name, offsets[0], "%d fragments have the time of another one; the first in the file counts", len(offsets))
	}
	for _, t := range m.tracks {
		if t.bare == 0 {
			continue
		}
		text := "one default in trex fits all"
		if t.common() == 0 {
			text = "each fragment needs its own default"
		}
		a.fault(DurationsMissing, m.name, -1, "track %d: the samples of %d of %d fragments have no durations; %s", t.ID, t.bare, len(t.fragments), text)
	}
}

// rewrite reports whether the file has faults that appending and cutting cannot make good.
func (m *media) rewrite() bool {
	if len(m.holes) > 0 || len(m.drops) > 0 {
		return true
	}
	for _, t := range m.tracks {
		if t.bare > 0 {
			return true
		}
	}
	return false
}

// compare returns why the index is not that of the fragments, or "".
func (m *media) compare() string {
	for _, t := range m.tracks {
		if len(t.fragments) == 0 {
			continue
		}
		i := slices.IndexFunc(m.tables, func(r fmp4.RandomAccess) bool { return r.TrackID == t.ID })
		if i < 0 {
			return fmt.Sprintf("no table of track %d", t.ID)
		}
		if why := t.compare(&m.tables[i]); why != "" {
			return why
		}
	}
	return ""
}

// compare compares the fragments with a table. Tables that list more than the first moof box of a fragment are right too, if it has
// several, and so are those that state 0 for a time before 0, as ffmpeg does.
func (t *track) compare(table *fmp4.RandomAccess) string {
	next := 0
	for i := range table.Len() {
		at, moof := table.At(i)
		if next < len(t.fragments) && t.fragments[next].offset == int64(moof) {
			if f := &t.fragments[next]; f.timed && !f.decode && f.time != at && !(at == 0 && int64(f.time) < 0) {
				return fmt.Sprintf("track %d: the fragment at byte %d has the time %d, the table %d", t.ID, moof, f.time, at)
			}
			next++
			continue
		}
		if next == 0 || !t.within(next-1, int64(moof)) {
			return fmt.Sprintf("track %d: entry %d of %d points at byte %d, where no fragment of that time begins", t.ID, i, table.Len(), moof)
		}
	}
	if next < len(t.fragments) {
		return fmt.Sprintf("track %d: the table ends before %d of %d fragments", t.ID, len(t.fragments)-next, len(t.fragments))
	}
	return ""
}

// within reports whether a moof box belongs to fragment i, as its first one or a later one.
func (t *track) within(i int, moof int64) bool {
	if t.fragments[i].offset == moof {
		return true
	}
	_, ok := slices.BinarySearch(t.more, moof)
	return ok
}

// entries returns the index of the file.
func (m *media) entries() (ids []uint32, all [][]fmp4.TfraEntry) {
	for _, t := range m.tracks {
		if len(t.fragments) == 0 {
			continue
		}
		list := make([]fmp4.TfraEntry, len(t.fragments))
		for i := range t.fragments {
			list[i] = fmp4.TfraEntry{Time: t.fragments[i].time, Moof: uint64(t.fragments[i].offset)}
		}
		ids, all = append(ids, t.ID), append(all, list)
	}
	return ids, all
}

package archive

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/smoothkit/smoothkit/archive/internal/index"
	"github.com/smoothkit/smoothkit/archive/internal/journal"
	"github.com/smoothkit/smoothkit/smooth"
)

// rouse lets the goroutine that syncs know that there is something to do.
func (r *recording) rouse() {
	select {
	case r.dirty <- struct{}{}:
	default:
	}
}

// run syncs what is written, in time. A sync takes a while, so it begins after half of the interval.
func (r *recording) run(ctx context.Context) {
	defer close(r.done)
	for {
		select {
		case <-ctx.Done():
			return
		case <-r.dirty:
		}
		pause := time.NewTimer(r.a.opts.SyncInterval / 2)
		select {
		case <-ctx.Done():
			pause.Stop()
			return
		case <-pause.C:
		}
		_ = r.sync() // the error stays until the next fragment
	}
}

// A syncJob is what one sync covers.
type syncJob struct {
	files    []syncFile
	journals []syncFile
	segments []*segment
}

// syncFile is a file with what has been written of it.
type syncFile struct {
	*grower
	name string
	size int64
}

// open returns the segments that are written to. mu must be held.
func (r *recording) open() []*segment {
	list := r.segments[:len(r.segments):len(r.segments)]
	if r.held != nil {
		list = append(list, r.held)
	}
	return list
}

// sync makes all that is written survive a power cut: first the media files, then the journals that speak of them.
func (r *recording) sync() error {
	r.syncing.Lock()
	defer r.syncing.Unlock()
	r.mu.Lock()
	if err := r.fault; err != nil { // the system tells of a loss once; the next sync would succeed
		r.mu.Unlock()
		return err
	}
	job := r.plan()
	r.mu.Unlock()
	err := syncAll(job.files)
	if err == nil {
		err = syncAll(job.journals)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if err != nil {
		r.a.log.Error("archive does not reach the disk", "point", r.info.Point, "err", err)
		r.fault, r.alarm = err, err
		return err
	}
	r.pace.end()
	for _, f := range job.files {
		f.synced = max(f.synced, f.size)
	}
	for _, f := range job.journals {
		f.synced = max(f.synced, f.size)
	}
	for _, s := range job.segments {
		s.mark = s.synced()
	}
	return nil
}

// plan says what is to be synced. mu must be held.
func (r *recording) plan() syncJob {
	var job syncJob
	for _, s := range r.open() {
		if s.journal == nil {
			continue
		}
		some := false
		for _, m := range s.media() {
			if m.size > m.synced {
				job.files = append(job.files, syncFile{&m.grower, s.path(m.name), m.size})
				some = true
			}
		}
		if some || s.journal.size > s.journal.synced {
			job.journals = append(job.journals, syncFile{s.journal, s.journalName(), s.journal.size})
		}
		if some {
			job.segments = append(job.segments, s)
		}
	}
	r.pace.begin()
	return job
}

// synced returns how much of each file is synced. mu of the recording must be held.
func (s *segment) synced() journal.Mark {
	var m journal.Mark
	for _, f := range s.media() {
		m = append(m, journal.Size{File: f.number, Size: f.grower.synced})
	}
	return m
}

// syncAll syncs files, all at a time: the disk orders the work better than we do.
func syncAll(files []syncFile) error {
	errs := make([]error, len(files))
	var all sync.WaitGroup
	for i, f := range files {
		all.Go(func() {
			if err := f.Sync(); err != nil {
				errs[i] = fmt.Errorf("archive: sync %s: %w", f.name, err)
			}
		})
	}
	all.Wait()
	return errors.Join(errs...)
}

// heal gives up what a sync that failed may have lost, as nobody knows what of it is on the disk, and notes the gaps. It returns the
// error of the disk as long as that fails.
func (r *recording) heal(ctx context.Context) error {
	r.mu.Lock()
	fault := r.fault
	r.mu.Unlock()
	if fault == nil {
		return nil
	}
	if err := r.giveUp(ctx); err != nil {
		return errors.Join(fault, err)
	}
	r.doubt = true
	return r.sync()
}

// giveUp cuts everything to what is synced.
func (r *recording) giveUp(ctx context.Context) error {
	r.syncing.Lock()
	defer r.syncing.Unlock()
	for _, s := range slices.Backward(r.open()) { // what is held first: its gaps go into the journal of another segment
		if err := r.restate(ctx, s); err != nil {
			return fmt.Errorf("archive: %s: after a failed sync: %w", s.dir, err)
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.pace.lose()
	r.fault = nil
	return nil
}

// restate cuts the files of a segment to what is synced of them, and says in the journal what is left.
func (r *recording) restate(ctx context.Context, s *segment) error {
	if s.journal == nil {
		return nil
	}
	shown := s
	if s == r.held { // nobody sees it
		shown = r.segments[len(r.segments)-1]
	}
	var b []byte
	for _, m := range s.media() {
		good := max(m.synced, m.header)
		for _, g := range s.lost(m, good) {
			shown.index.AddGap(g)
		}
		s.index.Cut(int(m.number), good)
		if err := r.cutTo(&m.grower, m.synced); err != nil {
			return err
		}
		if m.size < m.header && m.head != nil {
			if err := r.rewrite(m); err != nil {
				return err
			}
		}
		d, err := m.declaration(m.tracks)
		if err != nil {
			return err
		}
		b = journal.AppendCut(append(b, d...), journal.Cut{File: m.number, Size: good})
	}
	for _, g := range s.index.Gaps() {
		b = journal.AppendGap(b, g)
	}
	if err := r.cutTo(s.journal, s.journal.synced); err != nil {
		return err
	}
	if err := r.record(ctx, s, b); err != nil {
		return err
	}
	s.manifest = false // there may be a track less
	r.mu.Lock()
	defer r.mu.Unlock()
	s.journal.size += int64(len(b))
	s.mark = s.synced()
	return nil
}

// cutTo cuts a file.
func (r *recording) cutTo(g *grower, size int64) error {
	if err := g.Truncate(size); err != nil {
		g.dirty = true
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	g.size, g.synced, g.dirty = size, min(g.synced, size), false
	return nil
}

// rewrite writes the header of a file of which nothing was synced.
func (r *recording) rewrite(m *mediaFile) error {
	if err := r.cutTo(&m.grower, 0); err != nil {
		return err
	}
	if err := m.append(m.head); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	m.size = m.header
	return nil
}

// lost returns the spans of the fragments that end behind size bytes of a file.
func (s *segment) lost(m *mediaFile, size int64) []smooth.Gap {
	var gaps []smooth.Gap
	for i := range m.tracks {
		n, ok := s.numberOf(m, &m.tracks[i])
		if !ok {
			continue
		}
		for e := range s.index.Entries(n) {
			if entryEnd(e) > size {
				gaps = append(gaps, smooth.Gap{Stream: m.tracks[i].Key.Stream, Time: e.Time, Duration: e.Duration})
			}
		}
	}
	return gaps
}

// entryEnd returns the offset of the first byte after a fragment.
func entryEnd(e index.Entry) int64 { return e.Offset + int64(e.Head) + int64(e.Payload) }

// Durable implements [smooth.Recording].
func (r *recording) Durable() uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.pace.durable(func(stream string) bool { return r.sparse[stream] })
}

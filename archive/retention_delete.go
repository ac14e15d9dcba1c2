package archive

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"syscall"
	"time"
)

// deletedManifest is what the .ism of a segment becomes before it is removed. What is removed may be there again after a power cut,
// each name by itself: a segment with this manifest is none.
const deletedManifest = "<!-- deleted by the retention rules of the archive -->\n"

// delete deletes the first segments of an event. The event does not have them any more before the first file is removed, so that
// after a crash they are leftovers.
func (a *Archive) delete(ctx context.Context, e *stockEvent, now time.Time, report *SweepReport) error {
	gone, whole, err := a.take(ctx, e, now)
	for _, s := range gone {
		defer a.reads.settle(s.dir)
	}
	if whole {
		defer a.reads.settle(e.dir)
	}
	if err != nil {
		return fmt.Errorf("archive: delete from %s: %w", e.dir, err)
	}
	var errs []error
	for _, s := range gone {
		if err := a.deleteSegment(ctx, s.dir, e.base); err != nil {
			errs = append(errs, err)
			continue
		}
		a.log.Info("archive segment is deleted", "segment", s.dir, "bytes", s.bytes, "ended", s.end)
		report.Segments = append(report.Segments, s.dir)
		report.Bytes += s.bytes
	}
	if whole && len(errs) == 0 {
		errs = append(errs, a.deleteEvent(ctx, e.dir, report))
	}
	return errors.Join(errs...)
}

// take takes segments out of an event that nobody reads, and claims them. whole tells that it was all of them.
func (a *Archive) take(ctx context.Context, e *stockEvent, now time.Time) (gone []*stockSegment, whole bool, err error) {
	e.editing.Lock()
	defer e.editing.Unlock()
	state, open := e.current()
	whole = state.Ended && e.gone == len(state.Segments)
	if state.Ended && a.past.used(e.dir) || whole && !a.reads.claim(e.dir, now) {
		return nil, false, nil
	}
	for i, s := range e.segments[:e.gone] {
		there := i < len(state.Segments) && state.Segments[i].Number == s.number && (state.Ended || i+1 < len(state.Segments))
		grows := slices.ContainsFunc(open, func(o *segment) bool { return o.number == s.number }) // it was opened again
		if !there || grows || !a.reads.claim(s.dir, now) {
			break
		}
		gone = append(gone, s)
	}
	if whole && len(gone) < e.gone {
		whole = false
		a.reads.settle(e.dir)
	}
	if len(gone) == 0 {
		return nil, whole, nil
	}
	state.Segments = slices.Clone(state.Segments[len(gone):])
	err = e.save(ctx, a.store, state)
	if isFull(err) { // room comes first
		for _, s := range gone {
			err = errors.Join(a.deleteSegment(ctx, s.dir, e.base), err)
		}
		err = e.save(ctx, a.store, state)
	}
	a.past.forget(e.dir)
	return gone, whole, err
}

// isFull reports that the disk is full.
func isFull(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}

// deleteSegment removes the files of a segment and its directory. Without its server manifest it is not listed.
func (a *Archive) deleteSegment(ctx context.Context, dir, base string) error {
	ism := path.Join(dir, base+".ism")
	list, err := a.store.ReadDir(ctx, dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("archive: %s: %w", dir, err)
	}
	if slices.ContainsFunc(list, func(d fs.DirEntry) bool { return d.Name() == path.Base(ism) }) {
		if err := a.store.Replace(ctx, ism, []byte(deletedManifest)); err != nil && !isFull(err) {
			return fmt.Errorf("archive: %s: %w", ism, err)
		}
		if err := a.store.Remove(ctx, ism); err != nil {
			return err
		}
	}
	for _, d := range list {
		if err := a.store.Remove(ctx, path.Join(dir, d.Name())); err != nil {
			return err
		}
	}
	if err := a.store.Remove(ctx, dir); err != nil {
		return err
	}
	if p, err := a.files.Open(ctx, ism); err == nil { // which closes the files that are kept open, so that the system frees them
		_ = p.Close()
	}
	return nil
}

// clear removes what a crash has left of segments and events that were deleted.
func (a *Archive) clear(ctx context.Context, e *stockEvent, report *SweepReport) error {
	for _, dir := range e.leftovers {
		if err := a.clearSegment(ctx, dir, e.base, report); err != nil {
			return err
		}
	}
	if e.state.Ended && len(e.state.Segments) == 0 {
		return a.deleteEvent(ctx, e.dir, report)
	}
	return nil
}

func (a *Archive) clearSegment(ctx context.Context, dir, base string, report *SweepReport) error {
	w, err := (&surveyor{a: a}).weigh(ctx, dir, maxDepth)
	if err != nil {
		return err
	}
	if err := a.deleteSegment(ctx, dir, base); err != nil {
		return err
	}
	a.log.Info("archive segment is deleted, which a crash has left", "segment", dir, "bytes", w.bytes)
	report.Bytes += w.bytes
	return nil
}

// clearRuin removes what a crash has left of a segment whose event was deleted.
func (a *Archive) clearRuin(ctx context.Context, ism string, report *SweepReport) error {
	dir, file := path.Split(ism)
	if err := a.clearSegment(ctx, path.Clean(dir), strings.TrimSuffix(file, ".ism"), report); err != nil {
		return err
	}
	a.prune(ctx, path.Dir(path.Clean(dir)))
	return nil
}

// deleteEvent removes the directory of an event without segments, and those above it that are empty. If there is anything else in it,
// that stays.
func (a *Archive) deleteEvent(ctx context.Context, dir string, report *SweepReport) error {
	if err := a.store.Remove(ctx, path.Join(dir, eventFile)); err != nil {
		return err
	}
	a.past.forget(dir)
	a.log.Info("archive event is deleted", "event", dir)
	report.Events = append(report.Events, dir)
	a.prune(ctx, dir)
	return nil
}

// prune removes a directory and those above it, as far as they are empty.
func (a *Archive) prune(ctx context.Context, dir string) {
	a.shaping.Lock() // nobody makes an event in one of them
	defer a.shaping.Unlock()
	for dir != "." && a.store.Remove(ctx, dir) == nil {
		dir = path.Dir(dir)
	}
}

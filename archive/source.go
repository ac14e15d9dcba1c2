package archive

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/smoothkit/smoothkit/smooth"
)

// Open implements [smooth.Source]. See the documentation of the package for the names; other presentations that are in the
// archive are found, too. The error wraps [smooth.ErrNotFound].
func (a *Archive) Open(ctx context.Context, name string) (smooth.Presentation, error) {
	if !fs.ValidPath(name) {
		return nil, fmt.Errorf("archive: %q: %w", name, smooth.ErrNotFound)
	}
	dir, file := path.Split(name)
	dir, extension := path.Clean(dir), strings.ToLower(path.Ext(file))
	base := file[:len(file)-len(extension)]
	if extension != ".ism" && extension != ".isml" {
		return a.files.Open(ctx, name)
	}
	if p, err := a.openEvent(ctx, dir, base, extension == ".isml"); err == nil || !errors.Is(err, fs.ErrNotExist) {
		return p, err
	}
	if e := a.event(path.Dir(dir)); e != nil && extension == ".ism" && strings.EqualFold(e.base, base) {
		number, _ := strconv.Atoi(path.Base(dir))
		if p := e.openSegment(number); p != nil {
			return p, nil
		}
	}
	return a.openPresentation(ctx, dir, name)
}

// event returns the event in a directory that is recorded or interrupted, or nil.
func (a *Archive) event(dir string) *event {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.events[dir]
}

// openEvent opens an event. The error wraps [fs.ErrNotExist] if there is none of that name.
func (a *Archive) openEvent(ctx context.Context, dir, base string, live bool) (smooth.Presentation, error) {
	if e := a.event(dir); e != nil {
		if !strings.EqualFold(e.base, base) {
			return nil, fs.ErrNotExist
		}
		if p, ok := e.open(live); ok {
			return p, nil
		}
	}
	return a.past.open(ctx, a, dir, base, live)
}

// openSegment returns a segment that grows, as what there is of it; nil if it is complete.
func (e *event) openSegment(number int) smooth.Presentation {
	e.mu.Lock()
	defer e.mu.Unlock()
	i := slices.IndexFunc(e.segments, func(s *segment) bool { return s.number == number })
	if i < 0 {
		return nil
	}
	return e.view(e.segments[i], false)
}

// List implements [smooth.Lister]. An event is listed once, without its segments: as name.isml while it is recorded, and then as
// name.ism. Presentations that are no events are listed as they are.
func (a *Archive) List(ctx context.Context, yield func(smooth.Info) bool) error {
	events := make(map[string]bool) // the directories of which something has been listed
	return a.files.List(ctx, func(info smooth.Info) bool {
		dir := path.Dir(path.Dir(info.Name))
		if _, err := strconv.Atoi(path.Base(path.Dir(info.Name))); err != nil {
			return yield(info)
		}
		if events[dir] {
			return true
		}
		e := a.event(dir)
		if e == nil {
			var err error
			if e, err = a.past.load(ctx, a, dir); err != nil {
				return a.isDeleted(ctx, info) || yield(info)
			}
		}
		if number, _ := strconv.Atoi(path.Base(path.Dir(info.Name))); !e.has(number) {
			return true // the retention rules do not keep it
		}
		events[dir] = true
		return yield(e.info(info))
	})
}

// info describes an event, of which a segment is described.
func (e *event) info(of smooth.Info) smooth.Info {
	e.mu.Lock()
	defer e.mu.Unlock()
	info := smooth.Info{Name: path.Join(e.dir, e.base+".ism"), ModTime: of.ModTime, Size: of.Size}
	if e.recorder != nil {
		info.Name, info.Live = path.Join(e.dir, e.base+".isml"), true
	}
	if e.written.After(info.ModTime) {
		info.ModTime = e.written
	}
	return info
}

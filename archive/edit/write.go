package edit

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"

	"github.com/smoothkit/smoothkit/archive"
	"github.com/smoothkit/smoothkit/smooth"
)

// writing is the state of one presentation that is being written.
type writing struct {
	store   archive.Store
	dir     string
	name    string
	opts    Options
	parts   []part
	streams []*stream
	media   []*media // in order of creation
	begun   bool     // the manifests are being written
	open    []int    // parts that have been opened for this, the latest last
	total   int
	done    int
	result  Result
}

// wrap names the presentation in an error.
func wrap(name string, err error) error { return fmt.Errorf("edit: %s: %w", name, err) }

// write writes the parts as one presentation.
func write(ctx context.Context, parts []part, store archive.Store, dir, name string, opts *Options) (*Result, error) {
	w := &writing{store: store, dir: dir, name: name, parts: parts}
	if opts != nil {
		w.opts = *opts
	}
	err := w.run(ctx)
	w.closeParts(0)
	if err != nil {
		w.discard(context.WithoutCancel(ctx))
		return nil, wrap(path.Join(dir, name), err)
	}
	return &w.result, nil
}

func (w *writing) run(ctx context.Context) error {
	if err := w.checkName(ctx); err != nil {
		return err
	}
	var err error
	if w.streams, err = w.plan(ctx); err != nil {
		return err
	}
	if err := w.checkCodecs(); err != nil {
		return err
	}
	if err := w.nameFiles(ctx); err != nil {
		return err
	}
	w.place()
	for s := earliest(w.streams); s != nil; s = earliest(w.streams) {
		if err := w.copyChunk(ctx, s, s.take()); err != nil {
			return err
		}
	}
	if w.result.Fragments == 0 {
		return fmt.Errorf("none of the fragments that are listed exists: %w", smooth.ErrNotFound)
	}
	for _, m := range w.media {
		if err := m.finish(); err != nil {
			return err
		}
		w.result.Files = append(w.result.Files, m.name)
	}
	return w.manifests(ctx)
}

// place decides what is taken off times, and counts.
func (w *writing) place() {
	if w.opts.Rebase {
		w.result.Shift = begin(w.streams)
	}
	for _, s := range w.streams {
		s.shift = smooth.Rescale(w.result.Shift, scale, s.timescale)
		w.total += len(s.chunks) * len(s.tracks)
	}
}

// path returns the name in the store of a file beside the manifests.
func (w *writing) path(file string) string { return path.Join(w.dir, file) }

// checkName refuses names that no presentation can have, and those that are taken.
func (w *writing) checkName(ctx context.Context) error {
	if w.name == "" || path.Base(w.name) != w.name || strings.HasPrefix(w.name, ".") || strings.ContainsAny(w.name, `\:*?"<>|`) ||
		!fs.ValidPath(w.path(w.name)) {
		return fmt.Errorf("no name for files: %w", smooth.ErrBadRequest)
	}
	for _, extension := range []string{".ism", ".ismc"} {
		if err := w.checkFree(ctx, w.name+extension); err != nil {
			return err
		}
	}
	return nil
}

func (w *writing) checkFree(ctx context.Context, file string) error {
	_, err := w.store.Stat(ctx, w.path(file))
	switch {
	case err == nil:
		return fmt.Errorf("%s: %w", w.path(file), fs.ErrExist)
	case errors.Is(err, fs.ErrNotExist):
		return nil
	}
	return err
}

// discard removes what has been written, the .ism first: without it nobody takes the rest for a presentation, should that stay.
func (w *writing) discard(ctx context.Context) {
	if w.begun {
		_ = w.store.Remove(ctx, w.path(w.name+".ism"))
		_ = w.store.Remove(ctx, w.path(w.name+".ismc"))
	}
	for _, m := range w.media {
		m.close()
		_ = w.store.Remove(ctx, m.name)
	}
}

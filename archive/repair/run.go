package repair

import (
	"cmp"
	"context"
	"fmt"

	"github.com/smoothkit/smoothkit/archive"
	"github.com/smoothkit/smoothkit/smooth"
)

// Options tune [Check] and [Repair]. A nil pointer and the zero value mean the documented defaults.
type Options struct {
	// Payload makes the validator read all fragments, rather than manifests only.
	Payload bool
}

// Check looks at the presentations below a directory of files, "." for all, and says what is wrong with them. It only reads. The
// error is the first one of reading, or that of ctx. An error of reading ends the work on one presentation, not on the others; the report
// says on which ones. A directory that cannot be listed is left out; Repair does nothing then.
func Check(ctx context.Context, files smooth.Files, dir string, opts *Options) (*Report, error) {
	return (&run{files: files, opts: withDefaults(opts)}).all(ctx, dir)
}

// Repair looks at the presentations below a directory of a store, "." for all, and makes good what can be. Nobody else may write to
// them; a store that is an [archive.Locker] is locked meanwhile, and the error wraps [archive.ErrLocked] if another process has it.
// Other errors are those of the store or of ctx, as for Check; another run goes on where one has ended.
func Repair(ctx context.Context, store archive.Store, dir string, opts *Options) (*Report, error) {
	if l, ok := store.(archive.Locker); ok {
		lock, err := l.Lock(ctx)
		if err != nil {
			return &Report{}, fmt.Errorf("repair: %w", err)
		}
		defer lock.Close()
	}
	return (&run{files: store, store: store, opts: withDefaults(opts)}).all(ctx, dir)
}

func withDefaults(o *Options) Options {
	if o == nil {
		return Options{}
	}
	return *o
}

// run is one call of Check or Repair.
type run struct {
	files smooth.Files
	store archive.Store // nil to check only
	opts  Options
	// unread is why a directory could not be looked into.
	unread error
}

// all looks at all presentations below a directory.
func (r *run) all(ctx context.Context, dir string) (*Report, error) {
	report := new(Report)
	found, err := r.find(ctx, dir, 0)
	if err != nil {
		return report, fmt.Errorf("repair: %s: %w", dir, err)
	}
	if r.unread != nil {
		err = fmt.Errorf("repair: %s: %w", dir, r.unread)
	}
	for _, p := range found {
		a := Asset{Name: p.name}
		failed := r.asset(ctx, p, &a)
		if failed != nil {
			a.Plays, a.Problem = false, failed.Error()
			err = cmp.Or(err, fmt.Errorf("repair: %s: %w", p.name, failed))
		}
		report.Assets = append(report.Assets, a)
		if ctx.Err() != nil {
			break
		}
	}
	return report, err
}

package packager

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Names of the subdirectories of a watch folder that jobs are moved to.
const (
	doneDir   = "done"
	failedDir = "failed"
	logName   = "package.log"
)

const (
	defaultSettle = 10 * time.Second
	// maxWatched is the largest number of entries of a watched directory that are looked at.
	maxWatched = 10_000
)

// WatchOptions tune a [Watcher]. A nil pointer and the zero value mean the documented defaults.
type WatchOptions struct {
	// Settle is how long the files of a job must not have changed before it starts. Zero means ten seconds. It has to
	// be longer than the pauses of whoever copies files there.
	Settle time.Duration
	// Options apply to every job.
	Options Options
	// Logger gets one record per job. Nil means slog.Default().
	Logger *slog.Logger
}

// Watcher packages what is put into a watch folder, as Transform Manager did. It is for one goroutine.
//
// A job is a directory, with the renditions and texts of one presentation in it, or a single media file, together with
// texts that begin with its name (film.mp4, film.en.vtt). The presentation gets the name of the directory or file. A
// job starts when none of its files has changed for a while, or at once when its directory holds a file called
// complete or with the extension .job, which texts alone need. Afterwards it is moved to the subdirectory done or
// failed, with a log; so each is processed once. Hidden files, symbolic links and anything else are left alone.
type Watcher struct {
	in, out string // directories
	opts    WatchOptions
	seen    map[string]sighting // by name of the job
}

// sighting is what a job looked like, and since when.
type sighting struct {
	signature string
	since     time.Time
	stuck     bool // processed, but could not be moved away
}

// NewWatcher returns a watcher of directory in that puts presentations into directory out. Both exist, and out is not
// inside in. A nil opts means the documented defaults.
func NewWatcher(in, out string, opts *WatchOptions) (*Watcher, error) {
	for _, dir := range []string{in, out} {
		if st, err := os.Stat(dir); err != nil || !st.IsDir() {
			return nil, fmt.Errorf("packager: %q is not a directory", dir)
		}
	}
	inside, err := isInside(out, in)
	if err != nil {
		return nil, fmt.Errorf("packager: %w", err)
	}
	if inside {
		return nil, fmt.Errorf("packager: output %s lies in the watch folder %s", out, in)
	}
	w := &Watcher{in: in, out: out, seen: make(map[string]sighting)}
	if opts != nil {
		w.opts = *opts
	}
	w.opts.Settle = cmp.Or(w.opts.Settle, defaultSettle)
	w.opts.Logger = cmp.Or(w.opts.Logger, slog.Default())
	return w, nil
}

// isInside reports whether path is dir or below it.
func isInside(path, dir string) (bool, error) {
	a, err := filepath.Abs(path)
	if err != nil {
		return false, err
	}
	b, err := filepath.Abs(dir)
	if err != nil {
		return false, err
	}
	rel, err := filepath.Rel(b, a)
	if err != nil {
		return false, nil // on another volume
	}
	return rel == "." || filepath.IsLocal(rel), nil
}

// Run looks at the folder every interval until ctx is done. It returns the cause, or nil if ctx was cancelled.
func (w *Watcher) Run(ctx context.Context, interval time.Duration) error {
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for {
		if _, err := w.Step(ctx, time.Now()); err != nil && ctx.Err() == nil {
			return err
		}
		select {
		case <-ctx.Done():
			if err := context.Cause(ctx); !errors.Is(err, context.Canceled) {
				return err
			}
			return nil
		case <-tick.C:
		}
	}
}

// Step looks at the folder once, as of now, processes the jobs that are ready, and returns how many there were. An
// error means that the folder cannot be read; a job that fails is no error.
func (w *Watcher) Step(ctx context.Context, now time.Time) (int, error) {
	jobs, err := w.scan()
	if err != nil {
		return 0, fmt.Errorf("packager: %w", err)
	}
	seen := make(map[string]sighting, len(jobs))
	var ready []watchJob
	for _, j := range jobs {
		s := w.seen[j.name]
		if s.signature != j.signature {
			s = sighting{signature: j.signature, since: now}
		}
		seen[j.name] = s
		if !s.stuck && (j.marked || now.Sub(s.since) >= w.opts.Settle) {
			ready = append(ready, j)
		}
	}
	w.seen = seen
	for i, j := range ready {
		if err := ctx.Err(); err != nil {
			return i, err
		}
		if err := w.process(ctx, j, now); err != nil {
			s := w.seen[j.name]
			s.stuck = true
			w.seen[j.name] = s
			w.opts.Logger.Error("job not moved", "job", j.name, "err", err)
		}
	}
	return len(ready), nil
}

// process packages a job and moves it. The error is of moving it.
func (w *Watcher) process(ctx context.Context, j watchJob, now time.Time) error {
	job := Job{Dir: w.out, Name: j.name, Options: w.opts.Options}
	for _, f := range j.inputs {
		job.Inputs = append(job.Inputs, Input{Path: filepath.Join(w.in, f)})
	}
	res, err := Package(ctx, job)
	if err != nil && ctx.Err() != nil {
		return nil // stays for the next run
	}
	var report strings.Builder
	fmt.Fprintf(&report, "%s\njob %s\n", now.UTC().Format(time.RFC3339), j.name)
	for _, f := range j.inputs {
		fmt.Fprintf(&report, "input %s\n", f)
	}
	to := doneDir
	if err != nil {
		to = failedDir
		fmt.Fprintf(&report, "failed: %v\n", err)
		w.opts.Logger.Error("job failed", "job", j.name, "err", err)
	} else {
		for _, s := range res.Skipped {
			fmt.Fprintf(&report, "left out: %s\n", s)
		}
		for _, f := range res.Files {
			fmt.Fprintf(&report, "output %s\n", f)
		}
		w.opts.Logger.Info("job done", "job", j.name, "files", len(res.Files))
	}
	return w.move(j, to, report.String())
}

// move puts a job into a new directory below done or failed.
func (w *Watcher) move(j watchJob, to, report string) error {
	parent := filepath.Join(w.in, to)
	if err := os.MkdirAll(parent, 0o777); err != nil {
		return err
	}
	dir, err := freeName(parent, j.name)
	if err != nil {
		return err
	}
	if j.dir {
		err = os.Rename(filepath.Join(w.in, j.name), dir)
	} else if err = os.Mkdir(dir, 0o777); err == nil {
		for _, f := range j.inputs {
			err = errors.Join(err, os.Rename(filepath.Join(w.in, f), filepath.Join(dir, f)))
		}
	}
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, logName), []byte(report), 0o666)
}

// freeName returns a path in parent that does not exist yet.
func freeName(parent, name string) (string, error) {
	path := filepath.Join(parent, name)
	for n := 2; n < maxWatched; n++ {
		if _, err := os.Lstat(path); errors.Is(err, os.ErrNotExist) {
			return path, nil
		}
		path = filepath.Join(parent, fmt.Sprintf("%s-%d", name, n))
	}
	return "", fmt.Errorf("%s holds too many jobs called %s", parent, name)
}

// watchJob is a job in the watch folder.
type watchJob struct {
	name      string
	dir       bool
	inputs    []string // relative to the folder
	signature string   // of all files' names, sizes and times
	marked    bool
}

// scan lists the jobs in the folder.
func (w *Watcher) scan() ([]watchJob, error) {
	entries, err := readDir(w.in)
	if err != nil {
		return nil, err
	}
	var jobs []watchJob
	for _, e := range entries {
		switch {
		case e.IsDir() && e.Name() != doneDir && e.Name() != failedDir:
			if j, ok := w.scanDir(e.Name()); ok {
				jobs = append(jobs, j)
			}
		case e.Mode().IsRegular() && isMedia(e.Name()):
			name := strings.TrimSuffix(e.Name(), filepath.Ext(e.Name()))
			if slices.ContainsFunc(jobs, func(j watchJob) bool { return j.name == name }) {
				continue // a directory or file of the same name goes first
			}
			j := watchJob{name: name}
			j.add("", e)
			for _, t := range entries {
				if t.Mode().IsRegular() && isTextOf(t.Name(), name) {
					j.add("", t)
				}
			}
			jobs = append(jobs, j)
		}
	}
	return jobs, nil
}

// scanDir reads the job in a directory. A job of texts alone waits for its media, unless it is marked.
func (w *Watcher) scanDir(name string) (watchJob, bool) {
	j := watchJob{name: name, dir: true}
	entries, err := readDir(filepath.Join(w.in, name))
	if err != nil {
		w.opts.Logger.Warn("job not readable", "job", name, "err", err)
		return j, false
	}
	media := false
	for _, e := range entries {
		ext := strings.ToLower(filepath.Ext(e.Name()))
		switch {
		case !e.Mode().IsRegular():
		case ext == ".job" || strings.EqualFold(e.Name(), "complete"):
			j.marked = true
		case isMedia(e.Name()) || isText(e.Name()):
			media = media || isMedia(e.Name())
			j.add(name, e)
		}
	}
	return j, media || j.marked && len(j.inputs) > 0
}

func (j *watchJob) add(dir string, e os.FileInfo) {
	j.inputs = append(j.inputs, filepath.Join(dir, e.Name()))
	j.signature += fmt.Sprintf("%q %d %d\n", e.Name(), e.Size(), e.ModTime().UnixNano())
}

// readDir returns the visible entries of a directory by name, without following links.
func readDir(dir string) ([]os.FileInfo, error) {
	f, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var list []os.FileInfo
	entries, err := f.ReadDir(maxWatched)
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), ".") {
			continue
		}
		if info, err := e.Info(); err == nil { // else it has gone meanwhile
			list = append(list, info)
		}
	}
	if err == io.EOF { // empty
		err = nil
	}
	slices.SortFunc(list, func(a, b os.FileInfo) int { return strings.Compare(a.Name(), b.Name()) })
	return list, err
}

func isMedia(name string) bool {
	switch strings.ToLower(filepath.Ext(name)) {
	case ".mp4", ".m4v", ".m4a", ".mov", ".cmfv", ".cmfa", ".ismv", ".isma":
		return true
	}
	return false
}

func isText(name string) bool {
	switch strings.ToLower(filepath.Ext(name)) {
	case ".ttml", ".dfxp", ".vtt":
		return true
	}
	return false
}

// isTextOf reports whether a text belongs to the media file of that name: film.vtt or film.en.vtt to film.mp4.
func isTextOf(text, name string) bool {
	stem := strings.TrimSuffix(text, filepath.Ext(text))
	language, ok := strings.CutPrefix(stem, name+".")
	return isText(text) && (stem == name || ok && isLanguage(language))
}

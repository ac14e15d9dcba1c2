package usage

import (
	"cmp"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// keepTidy compresses and removes old files whenever there are new ones, until ctx ends.
func (l *W3C) keepTidy(ctx context.Context) {
	for {
		select {
		case <-l.tidy:
		case <-ctx.Done():
			return
		}
		if err := l.tidyUp(ctx); err != nil && ctx.Err() == nil {
			l.opts.Logger.Warn("old logs", slog.String("name", l.state.Name), slog.Any("err", err))
		}
	}
}

// oldFiles returns the names of old files in the directory, the oldest first.
func (l *W3C) oldFiles() ([]string, error) {
	entries, err := os.ReadDir(filepath.Dir(l.path))
	if err != nil {
		return nil, err
	}
	var names []string
	for _, e := range entries {
		if e.Type().IsRegular() && l.isOld(e.Name()) {
			names = append(names, e.Name())
		}
	}
	slices.SortFunc(names, func(a, b string) int {
		a, b = stamp(a), stamp(b)
		n := len(stamp(filepath.Base(l.path))) + 1 + len(stampFormat)
		return cmp.Or(strings.Compare(a[:n], b[:n]), cmp.Compare(len(a), len(b)), strings.Compare(a, b)) // -2 before -10
	})
	return names, nil
}

// stamp returns the name of a file without extensions.
func stamp(name string) string {
	name = strings.TrimSuffix(name, ".gz")
	return strings.TrimSuffix(name, filepath.Ext(name))
}

// isOld reports whether a file is one that this log has renamed: NAME-YYYYMMDD-HHMMSS[-N].EXT[.gz].
func (l *W3C) isOld(name string) bool {
	ext := filepath.Ext(l.path)
	rest, ok := strings.CutPrefix(name, strings.TrimSuffix(filepath.Base(l.path), ext)+"-")
	if !ok {
		return false
	}
	rest, ok = strings.CutSuffix(strings.TrimSuffix(rest, ".gz"), ext)
	if !ok || len(rest) < len(stampFormat) {
		return false
	}
	number := rest[len(stampFormat):]
	return isDigits(rest[:8]) && rest[8] == '-' && isDigits(rest[9:15]) &&
		(number == "" || len(number) > 1 && number[0] == '-' && isDigits(number[1:]))
}

func isDigits(s string) bool {
	return strings.Trim(s, "0123456789") == ""
}

// tidyUp removes and compresses old files.
func (l *W3C) tidyUp(ctx context.Context) error {
	names, err := l.oldFiles()
	if err != nil {
		return err
	}
	dir := filepath.Dir(l.path)
	var errs []error
	if l.opts.Keep > 0 && len(names) > l.opts.Keep {
		for _, name := range names[:len(names)-l.opts.Keep] {
			errs = append(errs, remove(filepath.Join(dir, name)))
		}
		names = names[len(names)-l.opts.Keep:]
	}
	for _, name := range names {
		full := filepath.Join(dir, name)
		if l.opts.KeepAge > 0 {
			if info, err := os.Stat(full); err == nil && l.opts.Now().Sub(info.ModTime()) > l.opts.KeepAge {
				errs = append(errs, remove(full))
				continue
			}
		}
		if l.opts.Gzip && !strings.HasSuffix(name, ".gz") {
			errs = append(errs, compress(ctx, full))
		}
	}
	return errors.Join(errs...)
}

// remove removes a file that may be gone already.
func remove(name string) error {
	if err := os.Remove(name); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// compress replaces a file by a compressed one of the same age.
func compress(ctx context.Context, name string) error {
	info, err := os.Stat(name)
	if err != nil {
		return err
	}
	tmp := name + ".gz.tmp"
	if err := compressTo(ctx, tmp, name); err != nil {
		return errors.Join(err, remove(tmp))
	}
	_ = os.Chtimes(tmp, info.ModTime(), info.ModTime()) // or it counts as younger
	if err := os.Rename(tmp, name+".gz"); err != nil {
		return errors.Join(err, remove(tmp))
	}
	return remove(name)
}

func compressTo(ctx context.Context, tmp, name string) error {
	src, err := os.Open(name)
	if err != nil {
		return err
	}
	defer src.Close()
	dst, err := os.OpenFile(tmp, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o640)
	if err != nil {
		return err
	}
	z := gzip.NewWriter(dst)
	for err == nil {
		if err = ctx.Err(); err == nil {
			_, err = io.CopyN(z, src, 1<<20)
		}
	}
	if err == io.EOF {
		err = z.Close()
	}
	return errors.Join(err, dst.Close())
}

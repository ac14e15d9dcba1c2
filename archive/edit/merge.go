package edit

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/smoothkit/smoothkit/archive"
	"github.com/smoothkit/smoothkit/smooth"
)

// mergeFiles bounds the media files that stay open for segments that are not being read.
const mergeFiles = 32

// Merge joins the numbered segments of an event directory, ours or those of IIS, into one presentation in another directory of the
// store. It gets the name of theirs. A fragment that two segments have, told by track and time, is taken once. What lies between
// segments and was not recorded is a gap. opts may be nil.
//
// Errors are those of [Write], [ErrNoSegments], and [ErrIncomplete] for a segment that is being recorded or was left by a crash; they
// name the segment.
func Merge(ctx context.Context, store archive.Store, event, dir string, opts *Options) (*Result, error) {
	list, err := segments(ctx, store, event)
	if err != nil {
		return nil, wrap(event, err)
	}
	o := smooth.FileOptions{Revalidate: time.Hour, MaxOpenFiles: mergeFiles}
	if opts != nil {
		o.Logger = opts.Logger
	}
	src := smooth.NewFileSource(struct{ smooth.Files }{store}, &o) // which must not close the store
	defer src.Close()
	var parts []part
	for _, name := range list {
		parts = append(parts, part{name: name, open: func(ctx context.Context) (smooth.Presentation, error) { return src.Open(ctx, name) }})
	}
	base := path.Base(list[0])
	return write(ctx, parts, store, dir, strings.TrimSuffix(base, path.Ext(base)), opts)
}

// segments returns the names of the server manifests of all segments of an event, in order.
func segments(ctx context.Context, files smooth.Files, event string) ([]string, error) {
	entries, err := files.ReadDir(ctx, event)
	if errors.Is(err, fs.ErrNotExist) {
		err = fmt.Errorf("%w: %w", err, smooth.ErrNotFound)
	}
	if err != nil {
		return nil, err
	}
	dirs := make(map[int]string)
	var numbers []int
	for _, e := range entries {
		n, err := strconv.Atoi(e.Name())
		if err != nil || n < 0 || !e.IsDir() || dirs[n] != "" {
			continue
		}
		dirs[n] = path.Join(event, e.Name())
		numbers = append(numbers, n)
	}
	slices.Sort(numbers)
	var list []string
	for _, n := range numbers {
		name, err := segment(ctx, files, dirs[n])
		if err != nil {
			return nil, err
		}
		list = append(list, name)
	}
	if len(list) == 0 {
		return nil, fmt.Errorf("%w in directories with numbers for names", ErrNoSegments)
	}
	return list, nil
}

// segment returns the name of the server manifest in a directory. That of the HLS rendition, as IIS made it, is none.
func segment(ctx context.Context, files smooth.Files, dir string) (string, error) {
	entries, err := files.ReadDir(ctx, dir)
	if err != nil {
		return "", err
	}
	found := ""
	for _, e := range entries {
		name := strings.ToLower(e.Name())
		switch path.Ext(name) {
		case ".journal":
			return "", fmt.Errorf("%s: %w: it has a journal, so it is being recorded or has to be repaired", dir, ErrIncomplete)
		case ".ism":
			if strings.HasSuffix(name, "-m3u8-aapl.ism") {
				continue
			}
			if found != "" {
				return "", fmt.Errorf("%s: both %s and %s are server manifests: %w", dir, found, e.Name(), smooth.ErrUnsupported)
			}
			if info, err := e.Info(); err == nil && info.Size() == 0 {
				return "", fmt.Errorf("%s: %w: %s is empty, so it has to be repaired", dir, ErrIncomplete, e.Name())
			}
			found = e.Name()
		}
	}
	if found == "" {
		return "", fmt.Errorf("%s: %w: it has no server manifest, so it has to be repaired", dir, ErrIncomplete)
	}
	return path.Join(dir, found), nil
}

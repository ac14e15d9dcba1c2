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

// Merge joins the numbered segments of an event directory, ours or those of IIS, into one presentation in a directory of a store, which
// may be the one that is read. It gets the name of theirs. A fragment that two segments have, told by track and time, is taken once. What
// lies between segments and was not recorded is a gap. event may also be the directory of one presentation, or the name of its .ism. opts
// may be nil.
//
// Errors are those of [Write], [ErrNoSegments], and [ErrIncomplete] for a segment that is being recorded or was left by a crash; they
// name the segment.
func Merge(ctx context.Context, files smooth.Files, event string, store archive.Store, dir string, opts *Options) (*Result, error) {
	list, err := segments(ctx, files, event)
	if err != nil {
		return nil, wrap(event, err)
	}
	src := source(files, opts)
	defer src.Close()
	var parts []part
	for _, name := range list {
		parts = append(parts, part{name: name, open: func(ctx context.Context) (smooth.Presentation, error) { return src.Open(ctx, name) }})
	}
	base := path.Base(list[0])
	return write(ctx, parts, store, dir, strings.TrimSuffix(base, path.Ext(base)), opts)
}

// source returns a source of the segments, which does not close the files.
func source(files smooth.Files, opts *Options) *smooth.FileSource {
	o := smooth.FileOptions{Revalidate: time.Hour, MaxOpenFiles: mergeFiles}
	if opts != nil {
		o.Logger = opts.Logger
	}
	return smooth.NewFileSource(struct{ smooth.Files }{files}, &o)
}

// A Segment is a part of a recorded event.
type Segment struct {
	// Name of the server manifest.
	Name string
	// Start and End in ticks of 100 ns: where the picture begins, or else the first stream, as sound often begins a frame earlier,
	// and where all streams have ended. Sparse streams do not count, unless there are no others.
	Start, End uint64
}

// Segments returns the segments that [Merge] would join, in order. Errors are those of Merge.
func Segments(ctx context.Context, files smooth.Files, event string) ([]Segment, error) {
	names, err := segments(ctx, files, event)
	if err != nil {
		return nil, wrap(event, err)
	}
	src := source(files, nil)
	defer src.Close()
	var list []Segment
	for _, name := range names {
		s, err := span(ctx, src, name)
		if err != nil {
			return nil, wrap(name, err)
		}
		list = append(list, s)
	}
	return list, nil
}

// span looks when a segment begins and ends.
func span(ctx context.Context, src smooth.Source, name string) (Segment, error) {
	out := Segment{Name: name}
	p, err := src.Open(ctx, name)
	if err != nil {
		return out, err
	}
	defer p.Close()
	snap, err := p.Snapshot(ctx)
	if err != nil {
		return out, err
	}
	var streams []*stream
	for _, st := range snap.Manifest.Streams {
		if len(st.Timeline) > 0 {
			streams = append(streams, &stream{from: st, timescale: snap.Manifest.TimescaleOf(st), chunks: []chunk{{Chunk: st.Timeline[0]}}})
		}
	}
	out.Start = begin(streams)
	if main := mainStream(streams); main != nil {
		out.Start = smooth.Rescale(main.chunks[0].Time, main.timescale, scale)
	}
	for _, s := range streams {
		if !s.isSparse() || len(streams) == 1 {
			out.End = max(out.End, smooth.Rescale(s.from.Timeline.End(), s.timescale, scale))
		}
	}
	return out, nil
}

// segments returns the names of the server manifests of all segments of an event, in order.
func segments(ctx context.Context, files smooth.Files, event string) ([]string, error) {
	if strings.EqualFold(path.Ext(event), ".ism") {
		if _, err := files.Stat(ctx, event); err != nil {
			return nil, missing(err)
		}
		return []string{event}, nil
	}
	entries, err := files.ReadDir(ctx, event)
	if err != nil {
		return nil, missing(err)
	}
	dirs, own := make(map[int]string), false
	var numbers []int
	for _, e := range entries {
		own = own || !e.IsDir() && strings.EqualFold(path.Ext(e.Name()), ".ism")
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
	if len(list) == 0 && own {
		name, err := segment(ctx, files, event)
		return []string{name}, err
	}
	if len(list) == 0 {
		return nil, fmt.Errorf("%w: neither directories with numbers for names nor a server manifest", ErrNoSegments)
	}
	return list, nil
}

// missing gives the error of a missing file the sentinel of package smooth.
func missing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w: %w", err, smooth.ErrNotFound)
	}
	return err
}

// segment returns the name of the server manifest in a directory. That of the HLS rendition, as IIS made it, is none. A segment with a
// journal is complete if it has a client manifest: it has none, or an empty one, while it grows, and repair makes one.
func segment(ctx context.Context, files smooth.Files, dir string) (string, error) {
	entries, err := files.ReadDir(ctx, dir)
	if err != nil {
		return "", err
	}
	found, journal, whole := "", false, false
	for _, e := range entries {
		name := strings.ToLower(e.Name())
		switch path.Ext(name) {
		case ".journal":
			journal = true
		case ".ismc":
			info, err := e.Info()
			whole = whole || err == nil && info.Size() > 0
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
	switch {
	case journal && !whole:
		return "", fmt.Errorf("%s: %w: it has a journal, so it is being recorded or has to be repaired", dir, ErrIncomplete)
	case found == "":
		return "", fmt.Errorf("%s: %w: it has no server manifest, so it has to be repaired", dir, ErrIncomplete)
	}
	return path.Join(dir, found), nil
}

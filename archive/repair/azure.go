package repair

import (
	"bufio"
	"cmp"
	"context"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/smoothkit/smoothkit/archive"
	"github.com/smoothkit/smoothkit/smooth"
)

// azureHeader is the name of the file with ftyp and moov in the directory of a track of an Azure live archive.
const azureHeader = "header"

// maxChunks bounds the files of a track.
const maxChunks = smooth.MaxManifestChunks

// chunk is a file with a fragment of an Azure archive. Its name is its start time in ticks.
type chunk struct {
	name string
	time uint64
}

// convert makes media files of the tracks of an Azure archive. It reports false if there is something to be made and no store, or no
// place for it.
func (r *run) convert(ctx context.Context, p *place, a *Asset) (bool, error) {
	for _, dir := range p.azure {
		var quiet Asset
		head, err := scanFile(ctx, r.files, path.Join(dir, azureHeader), nil, &quiet)
		if err != nil {
			return false, err
		}
		if head.movie == nil {
			a.note(MediaUnreadable, head.name, -1, "the header of the track cannot be used")
			continue
		}
		name := dir + azureExt(head)
		m, err := r.complete(ctx, name)
		if err != nil {
			return false, err
		}
		if m == nil {
			chunks, err := r.chunks(ctx, dir)
			if err != nil {
				return false, err
			}
			ours, err := r.interrupted(ctx, name, head, chunks)
			if err != nil {
				return false, err
			}
			if !ours {
				a.note(FileInTheWay, name, -1, "a file of this name is to be made of %s: move one of them away", dir)
				return false, nil
			}
			a.fault(AzureArchive, dir, -1, "a track in %d files", len(chunks))
			if r.store == nil {
				return false, nil
			}
			if err := r.join(ctx, head, chunks, name, a); err != nil {
				return false, err
			}
		}
		p.converted[dir] = name
		if !slices.Contains(p.media, name) {
			p.media = append(p.media, name)
		}
	}
	return true, nil
}

// azureExt returns the extension of the media file for a track.
func azureExt(head *media) string {
	ext := ".ismt"
	for _, t := range head.tracks {
		if t.kind == smooth.Video {
			return ".ismv"
		}
		if t.kind == smooth.Audio {
			ext = ".isma"
		}
	}
	return ext
}

// chunks lists the fragments of a track in the order of time.
func (r *run) chunks(ctx context.Context, dir string) ([]chunk, error) {
	entries, err := r.files.ReadDir(ctx, dir)
	if err != nil {
		return nil, err
	}
	if len(entries) > maxChunks {
		return nil, fmt.Errorf("%s: %d files: %w", dir, len(entries), smooth.ErrTooLarge)
	}
	var list []chunk
	for _, e := range entries {
		stem, _, _ := strings.Cut(e.Name(), ".")
		if t, err := strconv.ParseUint(stem, 10, 63); err == nil && !e.IsDir() {
			list = append(list, chunk{path.Join(dir, e.Name()), t})
		}
	}
	slices.SortFunc(list, func(a, b chunk) int {
		return cmp.Or(cmp.Compare(a.time, b.time), strings.Compare(a.name, b.name))
	})
	return list, nil
}

// join appends the fragments of a track to its header. The index, which comes last, tells that the file is complete.
func (r *run) join(ctx context.Context, head *media, chunks []chunk, name string, a *Asset) error {
	w, err := r.store.Append(ctx, name)
	if err != nil {
		return err
	}
	defer w.Close()
	if err := w.Truncate(0); err != nil {
		return err
	}
	j := &joiner{r: r, head: head, c: newCopier(ctx, bufio.NewWriterSize(w, copyStep)), a: a, times: make(map[int64]uint64)}
	j.c.bare = true
	n, err := j.run(ctx, chunks)
	if err != nil {
		return err
	}
	if n == 0 {
		a.note(NoFragments, path.Dir(head.name), -1, "no whole fragment in %d files", len(chunks))
		return closeEmpty(ctx, r.store, w, name)
	}
	if err := w.Sync(); err != nil {
		return err
	}
	if err := w.Close(); err != nil {
		return err
	}
	if _, err := r.index(ctx, name, &hints{times: j.times, trusted: true}); err != nil {
		return err
	}
	a.did(name, "made of %d fragments in %s, which stays", n, path.Dir(head.name))
	return nil
}

// interrupted reports whether a file can be what an interrupted run of join has left, so that nothing is lost with it: it begins like the
// header, with zeros where the power was cut, its fragments end where those that it is made of can, and there is no more behind them
// than an index. So can one that does not exist.
func (r *run) interrupted(ctx context.Context, name string, head *media, chunks []chunk) (bool, error) {
	f, err := r.files.Open(ctx, name)
	if notThere(err) {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	defer f.Close()
	src, err := r.files.Open(ctx, head.name)
	if err != nil {
		return false, err
	}
	defer src.Close()
	most, same := head.body, true
	for _, ch := range chunks {
		info, err := r.files.Stat(ctx, ch.name)
		if err != nil {
			return false, err
		}
		most += info.Size()
	}
	var failed error
	err = blocks(ctx, f, 0, min(f.Size(), head.body), func(b []byte, off int64) bool {
		want := make([]byte, len(b))
		failed = readFull(ctx, src, want, off)
		for i := range b {
			same = same && (b[i] == want[i] || b[i] == 0)
		}
		return failed == nil && same
	})
	if failed != nil {
		err = failed
	}
	if err != nil || !same || f.Size() > 2*most { // an index is shorter than the fragments
		return false, err
	}
	m, err := scanFile(ctx, r.files, name, nil, new(Asset))
	return err == nil && m.end <= most, err
}

func closeEmpty(ctx context.Context, store archive.Store, w archive.Appender, name string) error {
	if err := w.Close(); err != nil {
		return err
	}
	return store.Remove(ctx, name)
}

// joiner appends the files of a track.
type joiner struct {
	r     *run
	head  *media
	c     *copier
	a     *Asset
	times map[int64]uint64 // of fragments that state none, by their new offset
}

// run writes the header and all whole fragments, and returns how many there are.
func (j *joiner) run(ctx context.Context, chunks []chunk) (int, error) {
	src, err := j.r.files.Open(ctx, j.head.name)
	if err != nil {
		return 0, err
	}
	defer src.Close()
	j.c.m, j.c.src = j.head, src
	if err := j.c.copy(0, j.head.body); err != nil {
		return 0, err
	}
	n := 0
	for _, ch := range chunks {
		k, err := j.add(ctx, ch)
		if err != nil {
			return n, err
		}
		n += k
	}
	return n, j.c.out.Flush()
}

// add appends the fragments of a file.
func (j *joiner) add(ctx context.Context, ch chunk) (int, error) {
	f, err := j.r.files.Open(ctx, ch.name)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	m := &media{name: ch.name, size: f.Size(), movie: j.head.movie}
	for _, t := range j.head.tracks {
		m.tracks = append(m.tracks, &track{Track: t.Track, media: m, kind: t.kind})
	}
	s := &scanner{w: newWindow(ctx, f), a: j.a, m: m, limit: m.size}
	if err := s.fragments(); err != nil && !structural(err) {
		return 0, err
	} else if err != nil {
		j.a.fault(ChunkTorn, ch.name, -1, "left out: %v", err)
		return 0, nil
	}
	for _, h := range append(m.holes, m.torn...) {
		j.a.fault(ChunkTorn, ch.name, h.from, "%d bytes left out: %s", h.to-h.from, h.reason)
	}
	if m.fragments() == 0 {
		if len(m.torn) == 0 {
			j.a.fault(ChunkTorn, ch.name, -1, "no fragment in %d bytes", m.size)
		}
		return 0, nil
	}
	for _, t := range m.tracks {
		for i := range t.fragments {
			if fr := &t.fragments[i]; !fr.timed && i == 0 {
				j.times[j.c.n] = ch.time
			}
		}
	}
	j.c.m, j.c.src, j.c.w = m, f, newWindow(ctx, f)
	return m.fragments(), j.c.body()
}

package repair

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path"

	"github.com/smoothkit/smoothkit/archive/internal/journal"
	"github.com/smoothkit/smoothkit/smooth"
)

// recorded is what a journal says of a segment.
type recorded struct {
	tracks map[string][]journal.Track // by name in the store
	// loose are the fragments that were written after the last mark, which may not have come to the disk.
	loose map[string][]journal.Fragment
}

// maxLoose bounds the fragments of a file after the last mark. A journal has a mark every few seconds.
const maxLoose = 1 << 16

// fileAt reads a file under a context.
type fileAt struct {
	ctx context.Context
	f   smooth.File
}

// ReadAt implements [io.ReaderAt].
func (r fileAt) ReadAt(p []byte, off int64) (int, error) { return r.f.ReadAtContext(r.ctx, p, off) }

// eventFile is what an archive writes down about an event, in the directory above those of its segments.
const eventFile = "event.json"

// readJournal reads the journal of a recording, and finds out whether its archive will go on with it: then the journal stays where it is.
func (w *work) readJournal(ctx context.Context) error {
	p := w.p
	data, err := readSmall(ctx, w.files, path.Join(path.Dir(p.dir), eventFile), smooth.MaxClientManifest)
	if err != nil && !notThere(err) && !errors.Is(err, smooth.ErrTooLarge) {
		return err
	}
	var event struct{ Ended *bool }
	if err == nil && json.Unmarshal(data, &event) == nil && event.Ended != nil && !*event.Ended {
		w.goesOn = true
		w.a.note(JournalLeft, p.journal, -1, "the event has not ended; the archive will go on with it or complete it")
	} else {
		w.a.fault(JournalLeft, p.journal, -1, "the recording was not finished")
	}
	w.journal, err = w.run.readJournal(ctx, p.journal)
	return err
}

// readJournal reads a journal as far as it is whole.
func (r *run) readJournal(ctx context.Context, name string) (*recorded, error) {
	f, err := r.files.Open(ctx, name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	j := &recorded{tracks: make(map[string][]journal.Track), loose: make(map[string][]journal.Fragment)}
	files := make(map[uint16]string)
	records := journal.NewReader(io.NewSectionReader(fileAt{ctx, f}, 0, f.Size()))
	for {
		rec, err := records.Next()
		if err == io.EOF {
			return j, nil
		}
		if err != nil {
			return nil, err
		}
		j.take(rec, path.Dir(name), files)
	}
}

func (j *recorded) take(rec any, dir string, files map[uint16]string) {
	switch rec := rec.(type) {
	case *journal.File:
		if rec.Name == path.Base(rec.Name) {
			files[rec.Number] = path.Join(dir, rec.Name)
			j.tracks[files[rec.Number]] = rec.Tracks
		}
	case *journal.Fragment:
		if name, ok := files[rec.File]; ok && len(j.loose[name]) < maxLoose {
			j.loose[name] = append(j.loose[name], *rec)
		}
	case journal.Mark:
		for _, s := range rec {
			list := j.loose[files[s.File]]
			for len(list) > 0 && list[0].End() <= s.Size {
				list = list[1:]
			}
			j.loose[files[s.File]] = list
		}
	case journal.Cut:
		list := j.loose[files[rec.File]]
		for len(list) > 0 && list[len(list)-1].End() > rec.Size {
			list = list[:len(list)-1]
		}
		j.loose[files[rec.File]] = list
	}
}

// sums returns the fragments of a file that are not what was recorded.
func (r *run) sums(ctx context.Context, j *recorded, name string) (map[int64]string, error) {
	list := j.loose[name]
	if len(list) == 0 {
		return nil, nil
	}
	f, err := r.files.Open(ctx, name)
	if err != nil {
		if notThere(err) {
			return nil, nil
		}
		return nil, err
	}
	defer f.Close()
	bad := make(map[int64]string)
	for i := range list {
		fr := &list[i]
		if fr.End() > f.Size() {
			continue // torn, as will be seen
		}
		var sum uint32
		if err := blocks(ctx, f, fr.Offset, fr.End(), func(b []byte, _ int64) bool {
			sum = journal.Sum(sum, b)
			return true
		}); err != nil {
			return nil, err
		}
		if sum != fr.Sum {
			bad[fr.Offset] = fmt.Sprintf("its CRC-32C is %08x, %08x was recorded", sum, fr.Sum)
		}
	}
	return bad, nil
}

// keepJournal puts a journal away that has served its purpose: what comes after it is a presentation like any other.
func (r *run) keepJournal(ctx context.Context, name string, a *Asset) error {
	kept := name + beforeExt
	src, err := r.files.Open(ctx, name)
	if err != nil {
		return err
	}
	defer src.Close()
	w, err := r.store.Append(ctx, kept)
	if err != nil {
		return err
	}
	defer w.Close()
	if err := w.Truncate(0); err != nil { // of an interrupted run
		return err
	}
	var failed error
	err = blocks(ctx, src, 0, src.Size(), func(b []byte, _ int64) bool {
		_, failed = w.Write(b)
		return failed == nil
	})
	if failed != nil {
		err = failed
	}
	if err != nil {
		return err
	}
	if err := w.Sync(); err != nil {
		return err
	}
	if err := w.Close(); err != nil {
		return err
	}
	if err := r.store.Remove(ctx, name); err != nil {
		return err
	}
	a.did(kept, "is what %s was", name)
	return nil
}

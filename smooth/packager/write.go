package packager

import (
	"context"
	"fmt"
	"math"
	"runtime"
	"sync"

	"github.com/smoothkit/smoothkit/internal/cut"
	"github.com/smoothkit/smoothkit/internal/fmp4"
	"github.com/smoothkit/smoothkit/smooth"
)

const (
	videoBlock = 1 << 20   // bytes, two per video track that is being written
	smallBlock = 128 << 10 // bytes, two per audio or text track
	// maxParallel bounds how many inputs are read at once, and so the memory.
	maxParallel = 4
)

// write makes the media files. Each input is read by one goroutine, from start to end in one pass.
func (p *packaging) write(ctx context.Context, out *outputs) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	prog := &progress{total: p.total, report: p.job.Options.Progress}
	slots := make(chan struct{}, min(maxParallel, runtime.GOMAXPROCS(0)))
	var wg sync.WaitGroup
	for _, group := range p.groups() {
		wg.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			if err := writeGroup(ctx, out, group, p.shift, prog); err != nil {
				cancel(err)
			}
		})
	}
	wg.Wait()
	return context.Cause(ctx)
}

// groups returns the tracks of each input.
func (p *packaging) groups() [][]*track {
	var groups [][]*track
	where := make(map[*input]int)
	for _, t := range p.tracks {
		i, ok := where[t.in]
		if !ok || t.in == nil {
			i = len(groups)
			where[t.in] = i
			groups = append(groups, nil)
		}
		groups[i] = append(groups[i], t)
	}
	return groups
}

func writeGroup(ctx context.Context, out *outputs, group []*track, shift uint64, prog *progress) (err error) {
	writers := make([]*trackWriter, 0, len(group))
	defer func() {
		for _, w := range writers {
			if e := w.blocks.close(); err == nil && e != nil {
				err = fmt.Errorf("packager: %s: %w", w.t.file, e)
			}
		}
	}()
	for _, t := range group {
		w, err := newTrackWriter(out, t, shift)
		if err != nil {
			return err
		}
		writers = append(writers, w)
	}
	var r *spanReader
	if in := group[0].in; in != nil {
		r = newSpanReader(in)
	}
	for {
		w := earliest(writers)
		if w == nil {
			break
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if w.blocks.bad.Load() {
			return nil // close, which is deferred, returns the error
		}
		before := w.payload
		if err := w.fragment(r); err != nil {
			return err
		}
		prog.add(w.payload - before)
	}
	for _, w := range writers {
		w.index()
	}
	return nil
}

// earliest returns the writer whose next fragment starts first, or nil when all are done. Tracks of one file are
// usually interleaved by time.
func earliest(writers []*trackWriter) *trackWriter {
	var first *trackWriter
	for _, w := range writers {
		if w.next < len(w.t.cuts)-1 && (first == nil || w.t.cuts[w.next].Time < first.t.cuts[first.next].Time) {
			first = w
		}
	}
	return first
}

// trackWriter writes the file of one track.
type trackWriter struct {
	t       *track
	shift   uint64
	blocks  *blockWriter
	next    int   // fragment
	payload int64 // bytes of samples so far
	entries []fmp4.TfraEntry
	samples []fmp4.RunSample
	spans   []fmp4.Span
	head    []byte
	doc     []byte
}

func newTrackWriter(out *outputs, t *track, shift uint64) (*trackWriter, error) {
	head, err := t.header()
	if err != nil {
		return nil, err
	}
	f, err := out.create(t.file)
	if err != nil {
		return nil, err
	}
	size := smallBlock
	if t.codec.Type == smooth.Video {
		size = videoBlock
	}
	w := &trackWriter{t: t, shift: shift, blocks: newBlockWriter(f, size)}
	w.blocks.append(head)
	return w, nil
}

// fragment writes the next one.
func (w *trackWriter) fragment(r *spanReader) error {
	from, to := w.t.cuts[w.next], w.t.cuts[w.next+1]
	doc, err := w.gather(from, to)
	if err != nil {
		return err
	}
	hevc := w.t.codec.FourCC == "hev1" || w.t.codec.FourCC == "hvc1"
	head := fmp4.FragmentHead{
		Sequence: uint32(w.next + 1), TrackID: trackID,
		Tfxd: true, Time: from.Time, Duration: to.Time - from.Time,
		Tfdt: hevc, DecodeTime: from.Time, BaseIsMoof: hevc, // what the HEVC amendment asks for; older clients read tfxd
		Samples: w.samples,
	}
	if w.head, err = head.AppendTo(w.head[:0]); err != nil {
		return fmt.Errorf("packager: %s: fragment at %d: %w", w.t.file, from.Time, err)
	}
	w.entries = append(w.entries, fmp4.TfraEntry{Time: from.Time, Moof: uint64(w.blocks.off)})
	w.blocks.append(w.head)
	for i := range w.samples {
		w.payload += int64(w.samples[i].Size)
	}
	w.next++
	if doc != nil {
		w.blocks.append(doc)
		return nil
	}
	return r.copy(w.blocks, w.spans)
}

// gather sets samples and spans, or returns the document of a text fragment.
func (w *trackWriter) gather(from, to cut.Cut) (doc []byte, err error) {
	w.samples, w.spans = w.samples[:0], w.spans[:0]
	if w.t.in == nil {
		if to.Time-from.Time > math.MaxUint32 {
			return nil, fmt.Errorf("packager: %s: fragment of %d s: %w", w.t.file, (to.Time-from.Time)/cut.DefaultTimescale, smooth.ErrTooLarge)
		}
		w.doc = w.t.text.append(w.doc[:0], from.Time, to.Time)
		doc = w.doc
		w.samples = append(w.samples, fmp4.RunSample{Duration: uint32(to.Time - from.Time), Size: uint32(len(doc)), Flags: fmp4.FlagsSync})
		return doc, nil
	}
	w.samples, w.spans, err = w.t.source.Gather(w.samples, w.spans, from, to, cut.DefaultTimescale, w.shift)
	if err != nil {
		return nil, w.t.in.fault(smooth.ErrUnsupported, "moov/trak/mdia/minf/stbl", fmt.Sprintf("track %d: %v", w.t.id, err), "")
	}
	return nil, nil
}

// index writes the mfra box.
func (w *trackWriter) index() {
	w.blocks.append(fmp4.AppendMfra(nil, []uint32{trackID}, [][]fmp4.TfraEntry{w.entries}))
}

// progress adds up what several goroutines have written.
type progress struct {
	mu     sync.Mutex // guards done and calls of report
	done   int64
	total  int64
	report func(done, total int64)
}

func (p *progress) add(n int64) {
	if p.report == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.done += n
	p.report(p.done, p.total)
}

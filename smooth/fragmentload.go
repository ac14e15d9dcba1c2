package smooth

import (
	"context"
	"encoding/binary"
	"io"
	"os"
	"sync/atomic"

	"github.com/smoothkit/smoothkit/internal/fmp4"
)

const (
	// memoryFragment is the largest fragment, in bytes of file, that is read into pooled memory and written at once.
	// Longer ones are sent from the file. BENCHMARKS.md has the measurement.
	memoryFragment = 64 << 10
	// gatheredFragment is the same for fragments whose samples lie apart, which have to be read anyway.
	gatheredFragment = 256 << 10
	// headRead is how much is read at the start of a longer fragment: moof boxes are rarely larger.
	headRead = 8 << 10
	// headRoom is kept free before a fragment in memory, for a moof box that grows by a tfxd.
	headRoom = 64
	// maxFragmentMoofs bounds the moof boxes that one fragment is joined of.
	maxFragmentMoofs = 4096
)

// fragmentLoader makes one fragment. It is used once, under the context of the one who asked, which rules until the
// fragment is closed.
type fragmentLoader struct {
	p     *filePresentation
	t     *fileTrack
	ctx   context.Context
	key   FragmentKey
	chunk Chunk
}

func (l *fragmentLoader) load(i int) (*Fragment, error) {
	if l.t.plan != nil {
		return l.synthesise(i)
	}
	e := &l.t.entries[i]
	if !l.t.inPlace() {
		return l.join(e)
	}
	if e.extent <= memoryFragment {
		return l.loadMemory(e)
	}
	return l.loadFile(e)
}

// fragment returns a fragment with what all fragments of the track have in common, and one reference.
func (l *fragmentLoader) fragment() *Fragment {
	f := fragments.Get().(*Fragment)
	f.Key, f.Timescale, f.Duration, f.Codec = l.key, l.t.timescale, l.chunk.Duration, l.t.codec
	f.loan = loan{p: l.p, media: l.t.media}
	f.refs.Store(1)
	return f
}

// loan is what a fragment of a file holds until it is closed. A Release function would cost each fragment one more
// allocation.
type loan struct {
	p      *filePresentation
	media  *mediaFile
	memory *[]byte // of the buffers of media, or nil
	leased bool    // the body is leased from the file of media
}

// giveBack returns memory and file, not the presentation.
func (l *loan) giveBack(body io.ReaderAt) {
	if l.memory != nil {
		l.media.buffers.put(l.memory)
	}
	if l.leased {
		l.media.file.(Leaser).Return(body.(*os.File))
	}
}

// inspection is a moof box found where the index says, with the mdat box behind it.
type inspection struct {
	head    fmp4.Head
	payload int64
	usable  bool // can be served as stored or with another head
	intact  bool // can be served as stored
}

// inspect looks at the moof box that b starts with. b holds the moof box and the header of mdat.
func (l *fragmentLoader) inspect(e *fragmentEntry, b []byte) (inspection, error) {
	var in inspection
	n := fmp4.MoofSize(b)
	if n < 0 || n+8 > len(b) {
		return in, boxError(fmp4.ErrCorrupt, "moof", e.offset, "no whole moof box here, though the index says so")
	}
	size := int64(binary.BigEndian.Uint32(b[n:]))
	if known := atomic.LoadUint32(&e.stored); known != 0 && int(known) == n+8 && size >= 8 && int64(n)+size <= int64(e.extent) {
		in.head.Size, in.payload, in.usable, in.intact = n, size-8, true, true
		return in, nil
	}
	var err error
	if in.head, err = fmp4.Inspect(b[:n], e.offset, l.t.source.Defaults); err != nil {
		return in, err
	}
	if fmp4.Type(binary.BigEndian.Uint32(b[n+4:])) != fmp4.TypeMdat || size < 8 {
		return in, nil // a large mdat, or something in between
	}
	whole := int64(n) + size
	if e.extent != extentUnknown && whole > int64(e.extent) {
		return in, boxError(fmp4.ErrCorrupt, "mdat", e.offset+int64(n), "%d bytes reach into the next fragment at %d", size, e.offset+int64(e.extent))
	}
	in.payload = size - 8
	in.usable = in.head.Plain && in.head.TrackID == l.t.source.ID && (whole == int64(e.extent) || l.alone(e, whole, in.payload))
	if in.intact = in.usable && in.head.Ordered && l.timed(&in.head); in.intact {
		atomic.StoreUint32(&e.stored, uint32(n)+8)
	}
	return in, nil
}

// timed reports whether the moof box already has the times that a Smooth client needs. HEVC in the newer form carries
// tfdt instead of tfxd.
func (l *fragmentLoader) timed(h *fmp4.Head) bool {
	if h.HasTfxd {
		return h.Time == l.chunk.Time
	}
	return h.HasDecodeTime && l.t.codec.Type == Video && l.t.codec.isHEVC()
}

// alone reports whether no further moof box of the track follows within the extent, so that the fragment is the one
// moof and mdat. Between two fragments there may be other boxes, such as styp and sidx.
func (l *fragmentLoader) alone(e *fragmentEntry, whole, payload int64) bool {
	if e.extent == extentUnknown || int64(e.extent)-whole < 8 || int64(e.payload) == payload {
		return true
	}
	_, _, err := fmp4.NewMoofScanner(fileReader{l.ctx, l.t.media.file}, e.offset+whole, e.offset+int64(e.extent)).Next()
	return err != nil
}

// loadMemory reads a short fragment with one read into pooled memory.
func (l *fragmentLoader) loadMemory(e *fragmentEntry) (*Fragment, error) {
	pool := &l.t.media.buffers
	buf := pool.get(headRoom + int(e.extent))
	b := (*buf)[headRoom:]
	if n, err := l.t.media.file.ReadAtContext(l.ctx, b, e.offset); n < len(b) {
		pool.put(buf)
		return nil, l.short(e, n, err)
	}
	in, err := l.inspect(e, b)
	if err != nil || !in.usable {
		pool.put(buf)
		if err == nil {
			return l.join(e)
		}
		return nil, err
	}
	start, end := headRoom, headRoom+in.head.Size+8+int(in.payload)
	if !in.intact {
		if start, err = l.timeMemory(*buf, in.head.Size); err != nil || start < 0 {
			pool.put(buf)
			if err == nil {
				return l.join(e)
			}
			return nil, err
		}
	}
	f := l.fragment()
	f.hold((*buf)[start:end:end], headRoom-start+in.head.Size+8)
	f.loan.memory = buf
	return f, nil
}

// timeMemory gives the moof box of size bytes at headRoom the times that a Smooth client needs, and returns where it
// starts then. That is negative if the room does not suffice.
func (l *fragmentLoader) timeMemory(buf []byte, size int) (int, error) {
	var scratch [2048]byte
	moof, err := fmp4.AppendSmooth(scratch[:0], buf[headRoom:headRoom+size], l.chunk.Time, l.chunk.Duration)
	if err != nil {
		return 0, err
	}
	start := headRoom + size - len(moof)
	if start >= 0 {
		copy(buf[start:], moof)
	}
	return start, nil
}

func (l *fragmentLoader) short(e *fragmentEntry, n int, err error) error {
	if err == nil || err == io.EOF {
		return boxError(fmp4.ErrCorrupt, "file", e.offset, "%d bytes left, the fragment has %d", n, e.extent)
	}
	return err
}

// loadFile reads the head of a long fragment and leaves the payload in the file.
func (l *fragmentLoader) loadFile(e *fragmentEntry) (*Fragment, error) {
	f := l.fragment()
	f.loan.memory = l.t.media.buffers.get(headRead)
	l.lease(f)
	b, err := l.readHead(f.body, e, *f.loan.memory)
	var in inspection
	if err == nil {
		in, err = l.inspect(e, b)
	}
	if err != nil || !in.usable {
		f.loan.giveBack(f.body)
		if err == nil {
			return l.join(e)
		}
		return nil, err
	}
	f.head, f.stored = b[:in.head.Size+8], in.intact
	f.offset, f.size = e.offset+int64(in.head.Size)+8, in.payload
	if !in.intact {
		moof, err := fmp4.AppendSmooth(make([]byte, 0, in.head.Size+headRoom), b[:in.head.Size], l.chunk.Time, l.chunk.Duration)
		if err != nil {
			f.loan.giveBack(f.body)
			return nil, err
		}
		f.head = append(moof, b[in.head.Size:in.head.Size+8]...)
	}
	return f, nil
}

// readHead reads the moof box and the header of mdat into buf, or into new memory if they are larger.
func (l *fragmentLoader) readHead(r io.ReaderAt, e *fragmentEntry, buf []byte) ([]byte, error) {
	b := buf[:min(int64(len(buf)), int64(e.extent))]
	if n, err := r.ReadAt(b, e.offset); n < len(b) {
		return nil, l.short(e, n, err)
	}
	n := moofLength(b)
	if n+8 <= int64(len(b)) {
		return b, nil
	}
	if n > fmp4.MaxMoof || n+8 > int64(e.extent) {
		return nil, boxError(fmp4.ErrCorrupt, "moof", e.offset, "size %d, the fragment has %d bytes", n, e.extent)
	}
	b = make([]byte, n+8)
	if n, err := r.ReadAt(b, e.offset); n < len(b) {
		return nil, l.short(e, n, err)
	}
	return b, nil
}

// lease makes the media file the body of a fragment, for reading by that fragment alone. A file that cannot be lent,
// such as one whose name has been taken by another one meanwhile, is read where it was opened.
func (l *fragmentLoader) lease(f *Fragment) {
	if lender, ok := l.t.media.file.(Leaser); ok {
		if file, err := lender.Lease(); err == nil {
			f.body, f.loan.leased = file, true
			return
		}
	}
	f.body = fileReader{l.ctx, l.t.media.file}
}

// fileReader reads a [File] under a context.
type fileReader struct {
	ctx  context.Context
	file File
}

func (r fileReader) ReadAt(p []byte, off int64) (int, error) {
	return r.file.ReadAtContext(r.ctx, p, off)
}

// join makes a fragment of all moof boxes of the track within the extent, for files in which it is not simply one
// moof and one mdat box: several tracks in one moof, several runs, other timescales, defaults of trex.
func (l *fragmentLoader) join(e *fragmentEntry) (*Fragment, error) {
	size := l.t.media.file.Size() - e.offset
	if e.extent != extentUnknown {
		size = min(size, int64(e.extent))
	}
	j := joint{track: l.t, time: e.time}
	sc := fmp4.NewMoofScanner(fileReader{l.ctx, l.t.media.file}, e.offset, e.offset+size)
	for n := 0; ; n++ {
		raw, off, err := sc.Next()
		if err == io.EOF {
			break
		}
		if err == nil && n == maxFragmentMoofs {
			err = boxError(fmp4.ErrTooLarge, "moof", off, "more than %d moof boxes in one fragment", maxFragmentMoofs)
		}
		if err == nil {
			err = j.add(raw, off)
		}
		if err != nil {
			return nil, err
		}
		if e.extent == extentUnknown {
			break
		}
	}
	if len(j.samples) == 0 {
		return nil, boxError(fmp4.ErrCorrupt, "moof/traf", e.offset, "no samples of track %d, though the index says so", l.t.source.ID)
	}
	return l.assemble(j.samples, j.spans, j.encryption, j.sequence)
}

// joint collects the samples of one track from several moof boxes.
type joint struct {
	track      *fileTrack
	samples    []fmp4.RunSample
	spans      []fmp4.Span
	encryption []byte
	sequence   uint32
	time       uint64 // of the next sample, in ticks of the media
}

func (j *joint) add(raw []byte, off int64) error {
	m, err := fmp4.ParseMoof(raw, off)
	if err != nil {
		return err
	}
	t := j.track
	for i := range m.Trafs {
		tr := &m.Trafs[i]
		if tr.TrackID != t.source.ID {
			continue
		}
		if len(j.samples) == 0 {
			j.sequence = m.Sequence
			j.encryption = append([]byte(nil), tr.Encryption...)
		} else if tr.Encryption != nil {
			return boxError(fmp4.ErrUnsupported, "moof/traf/senc", off, "an encrypted fragment of several moof boxes")
		}
		if j.spans, err = m.Spans(j.spans, i, t.media.defaults); err != nil {
			return err
		}
		if len(j.samples)+tr.SampleCount() > fmp4.MaxRunSamples {
			return boxError(fmp4.ErrTooLarge, "moof/traf/trun", off, "more than %d samples in one fragment", fmp4.MaxRunSamples)
		}
		r := tr.Samples(t.source.Defaults)
		for s, ok := r.Next(); ok; s, ok = r.Next() {
			j.samples = append(j.samples, j.rescale(s))
		}
	}
	return nil
}

// rescale converts a sample into the timescale of the timeline, so that durations add up to those of chunks.
func (j *joint) rescale(s fmp4.RunSample) fmp4.RunSample {
	t := j.track
	delay := rescaleSigned(t.delay, DefaultTimescale, t.timescale)
	if uint64(t.source.Timescale) == t.timescale {
		s.CTS += int32(delay)
		return s
	}
	start := t.place(j.time)
	s.CTS = int32(t.place(j.time+uint64(int64(s.CTS))) - start + delay)
	j.time += uint64(s.Duration)
	s.Duration = uint32(t.place(j.time) - start)
	return s
}

// assemble makes a fragment with a new head of samples that lie in spans of the file.
func (l *fragmentLoader) assemble(samples []fmp4.RunSample, spans []fmp4.Span, encryption []byte, sequence uint32) (*Fragment, error) {
	var payload, declared int64
	for _, s := range spans {
		if s.Offset < 0 || s.Size > l.t.media.file.Size()-s.Offset {
			return nil, boxError(fmp4.ErrCorrupt, "mdat", s.Offset, "samples of %d bytes, the file has %d", s.Size, l.t.media.file.Size())
		}
		payload += s.Size
	}
	for i := range samples {
		declared += int64(samples[i].Size)
	}
	if payload != declared {
		return nil, boxError(fmp4.ErrCorrupt, "moof/traf/trun", 0, "samples of %d bytes in spans of %d", declared, payload)
	}
	h := fmp4.FragmentHead{
		Sequence: sequence, TrackID: l.t.source.ID, Tfxd: true, Time: l.chunk.Time, Duration: l.chunk.Duration,
		BaseIsMoof: l.t.kind == Video && l.t.codec.isHEVC(), Samples: samples,
	}
	if len(encryption) > 0 {
		h.Encryption = encryption
	}
	if payload <= memoryFragment || len(spans) > 1 && payload <= gatheredFragment {
		return l.assembleMemory(&h, spans, payload)
	}
	head, err := h.AppendTo(nil)
	if err != nil {
		return nil, err
	}
	f := l.fragment()
	f.head, f.size = head, payload
	if len(spans) > 1 {
		f.body = &gatherer{ctx: l.ctx, file: l.t.media.file, spans: spans, size: payload}
		return f, nil
	}
	f.offset = spans[0].Offset
	l.lease(f)
	return f, nil
}

// assembleMemory reads head and payload into pooled memory.
func (l *fragmentLoader) assembleMemory(h *fmp4.FragmentHead, spans []fmp4.Span, payload int64) (*Fragment, error) {
	pool := &l.t.media.buffers
	const perSample, boxes = 16, 256 // the most that trun takes per sample, and all other boxes but senc
	buf := pool.get(len(h.Samples)*perSample + len(h.Encryption) + boxes + int(payload))
	head, err := h.AppendTo((*buf)[:0])
	if err == nil {
		err = gather(l.ctx, l.t.media.file, spans, head[len(head):len(head)+int(payload)], 0)
	}
	if err != nil {
		pool.put(buf)
		return nil, err
	}
	f := l.fragment()
	f.hold(head[:len(head)+int(payload)], len(head))
	f.loan.memory = buf
	return f, nil
}

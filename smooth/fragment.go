package smooth

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"math"
	"os"
	"sync"
	"sync/atomic"

	"github.com/smoothkit/smoothkit/internal/fmp4"
)

// Fragment is one fragment of a track, a moof and an mdat box, and a loan: its bytes are a section of a leased
// file or pooled memory, which Close gives back. It is safe for concurrent use.
type Fragment struct {
	// Key names the fragment.
	Key FragmentKey
	// Timescale of Key.Time, Duration and the samples, in ticks per second.
	Timescale uint64
	// Duration in ticks.
	Duration uint64
	// Codec is the configuration the samples need.
	Codec *Codec
	// ChildTrack is the value of the sparse stream pointer of a live fragment, such as "ad=1200000000", or empty.
	// See [MS-SSTR] 2.2.5 and 3.2.5.
	ChildTrack string
	// Early reports a live fragment that has been received but is not listed yet: its Smooth header lacks what the fragments
	// after it will add. Outputs that need not wait for the look-ahead may use it; a [Handler] answers as if it were not
	// there.
	Early bool

	head    []byte      // moof and the header of mdat, in Smooth form and self-contained
	memory  []byte      // head and payload in one piece, or nil
	payload []byte      // the sample data if it is in memory, or nil
	body    io.ReaderAt // else: holds the payload at offset
	offset  int64
	size    int64      // of the payload
	stored  bool       // body holds head directly before the payload
	of      *Fragment  // has the sample data; nil if this one has
	within  *insertion // what is put into the sample data of of, or nil
	release func()
	loan    loan // of a fragment of a file source

	refs    atomic.Int32
	sending atomic.Bool // the seek position of body is in use
}

// FragmentInit is what [NewFragment] makes a fragment of. Either Memory is set, or Head with Payload, with Of, or with
// Body and Size.
type FragmentInit struct {
	// These become the fields of the same names of the [Fragment].
	Key        FragmentKey
	Timescale  uint64
	Duration   uint64
	Codec      *Codec
	ChildTrack string
	Early      bool

	// Memory holds the moof box, the mdat header and the payload in one piece; the first HeadLen bytes are moof and
	// mdat header.
	Memory  []byte
	HeadLen int

	// Payload is the sample data in memory, where it does not follow Head.
	Payload []byte

	// Of is a fragment whose sample data the new one shows behind its own Head, without a copy. The new one takes over the
	// caller's reference to it, and closes it with its own last Close.
	Of *Fragment
	// Insert, if not empty, are bytes of the new fragment that stand within the sample data of Of, before its byte InsertAt,
	// such as parameter sets in front of a picture. Head tells of the whole. An InsertAt beyond the end is the end.
	Insert   []byte
	InsertAt int64

	// Head holds a moof box and the mdat header. The moof is self-contained: one traf, one trun with all fields
	// that the track's defaults would otherwise supply, and a data offset that points behind the mdat header.
	Head []byte
	// Body holds Size bytes of payload from Offset. An *os.File is used at its seek position by one writer at a time,
	// so that the kernel can send it; it must not be shared with other fragments.
	Body   io.ReaderAt
	Offset int64
	Size   int64
	// Stored tells that Body holds exactly Head directly before Offset.
	Stored bool

	// Release, if set, is called once after the last Close.
	Release func()
}

// NewFragment returns a fragment with one reference. It does not copy.
func NewFragment(in FragmentInit) *Fragment {
	f := &Fragment{
		Key: in.Key, Timescale: in.Timescale, Duration: in.Duration, Codec: in.Codec, ChildTrack: in.ChildTrack, Early: in.Early,
		head: in.Head, body: in.Body, offset: in.Offset, size: in.Size, stored: in.Stored, release: in.Release,
	}
	switch {
	case in.Payload != nil:
		f.payload, f.size = in.Payload, int64(len(in.Payload))
	case in.Memory != nil:
		f.hold(in.Memory, in.HeadLen)
	case in.Of != nil:
		f.over(in.Of)
		f.insert(in.Insert, in.InsertAt)
	}
	f.refs.Store(1)
	return f
}

// hold makes memory the bytes of f, of which the first head are moof box and mdat header.
func (f *Fragment) hold(memory []byte, head int) {
	f.memory, f.head, f.payload, f.size = memory, memory[:head], memory[head:], int64(len(memory)-head)
}

// Retain adds a reference, for another goroutine that closes the fragment itself.
func (f *Fragment) Retain() { f.refs.Add(1) }

// Close drops a reference; after the last one the bytes may be reused, so it is called exactly once per reference. It
// always returns nil.
func (f *Fragment) Close() error {
	f.drop()
	return nil
}

// fragments keeps those of file sources that a handler was the last to have.
var fragments = sync.Pool{New: func() any { return new(Fragment) }}

// recycle is Close for a handler, after which the memory of f itself serves another fragment if nobody has retained f. An
// application must not do that: closing twice by mistake would then close somebody else's fragment.
func (f *Fragment) recycle() {
	own := f.loan.p != nil
	if f.drop() && own {
		*f = Fragment{}
		fragments.Put(f)
	}
}

// drop drops a reference and reports whether it was the last one.
func (f *Fragment) drop() bool {
	if f.refs.Add(-1) != 0 {
		return false
	}
	if f.release != nil {
		f.release()
	}
	if f.of != nil {
		f.of.Close()
	}
	if f.loan.p != nil {
		f.loan.giveBack(f.body)
		f.loan.p.release()
	}
	return true
}

// Size returns the number of bytes of moof and mdat, as WriteTo writes them.
func (f *Fragment) Size() int64 { return int64(len(f.head)) + f.size }

// PayloadSize returns the number of bytes of sample data.
func (f *Fragment) PayloadSize() int64 { return f.size }

// Form selects one of the forms of a fragment's header.
type Form uint8

const (
	// Smooth is the form of [MS-SSTR] 2.2.4: with tfxd, without tfdt (HEVC excepted).
	Smooth Form = iota
	// CMAF is the form of ISO/IEC 23000-19: with tfdt and default-base-is-moof, without Smooth's uuid boxes. Its track_ID
	// is 1.
	CMAF
)

// Header returns the moof box and the mdat header in the given form. The sample data that follows is the same in
// all forms. The Smooth form aliases the fragment and must not be modified; it is valid until Close. The error for
// another form wraps [ErrCorrupt], [ErrTooLarge] or [ErrUnsupported].
func (f *Fragment) Header(form Form) ([]byte, error) {
	if form == Smooth {
		return f.head, nil
	}
	moof, err := f.moof()
	if err != nil {
		return nil, err
	}
	head, err := fmp4.AppendCMAFHead(nil, moof, f.Key.Time, uint64(f.size))
	if err != nil {
		return nil, f.fault(err)
	}
	return head, nil
}

// fault names the fragment in an error of fmp4, and its file if it has one, and gives it the sentinel of this package.
func (f *Fragment) fault(err error) error {
	sentinel := ErrCorrupt
	switch {
	case errors.Is(err, fmp4.ErrTooLarge):
		sentinel = ErrTooLarge
	case errors.Is(err, fmp4.ErrUnsupported):
		sentinel = ErrUnsupported
	}
	var at *fmp4.Error
	if f.loan.media != nil && errors.As(err, &at) {
		return &FileError{File: f.loan.media.name, Path: at.Path, Offset: -1, Err: sentinel, Remedy: remedyFor(sentinel),
			Reason: fmt.Sprintf("fragment %s %d, byte %d: %s", f.Key.Stream, f.Key.Time, at.Offset, at.Reason)}
	}
	return fmt.Errorf("smooth: fragment %s %d: %w: %w", f.Key.Stream, f.Key.Time, err, sentinel)
}

func (f *Fragment) moof() ([]byte, error) {
	n := fmp4.MoofSize(f.head)
	if n < 0 {
		return nil, fmt.Errorf("smooth: fragment %s %d has no moof box: %w", f.Key.Stream, f.Key.Time, ErrCorrupt)
	}
	return f.head[:n], nil
}

// sendBufferSize is the size of the pooled buffers that carry bodies which the kernel cannot send itself.
const sendBufferSize = 256 << 10

var sendBuffers = sync.Pool{New: func() any { return new([sendBufferSize]byte) }}

// WriteTo writes moof and mdat to w the cheapest way: memory in one Write, a file by sendfile where w can.
func (f *Fragment) WriteTo(w io.Writer) (int64, error) {
	if f.memory != nil {
		n, err := w.Write(f.memory)
		return int64(n), err
	}
	if file, ok := f.body.(*os.File); ok && f.sending.CompareAndSwap(false, true) {
		defer f.sending.Store(false)
		return f.sendFile(w, file)
	}
	n, err := w.Write(f.head)
	if err != nil {
		return int64(n), err
	}
	m, err := f.WritePayload(w)
	return int64(n) + m, err
}

// WritePayload writes the sample data to w the cheapest way.
func (f *Fragment) WritePayload(w io.Writer) (int64, error) { return f.WritePayloadPart(w, 0, f.size) }

// WritePayloadPart writes n bytes of the sample data from an offset on to w the cheapest way. It fails, and has written
// nothing, if the part is not within [Fragment.PayloadSize].
func (f *Fragment) WritePayloadPart(w io.Writer, off, n int64) (int64, error) {
	if off < 0 || n < 0 || off > f.size-n {
		return 0, fmt.Errorf("smooth: fragment %s %d: %d bytes from %d on of %d", f.Key.Stream, f.Key.Time, n, off, f.size)
	}
	if f.payload != nil {
		n, err := w.Write(f.payload[off:][:n])
		return int64(n), err
	}
	if f.within != nil {
		return f.within.write(w, off, n)
	}
	if f.of != nil {
		return f.of.WritePayloadPart(w, off, n)
	}
	if file, ok := f.body.(*os.File); ok && f.sending.CompareAndSwap(false, true) {
		defer f.sending.Store(false)
		return sendSection(w, file, f.offset+off, n)
	}
	return copySection(w, f.body, f.offset+off, n)
}

func (f *Fragment) sendFile(w io.Writer, file *os.File) (int64, error) {
	if f.stored {
		return sendSection(w, file, f.offset-int64(len(f.head)), f.Size())
	}
	n, err := w.Write(f.head)
	if err != nil {
		return int64(n), err
	}
	m, err := sendSection(w, file, f.offset, f.size)
	return int64(n) + m, err
}

// sendSection sends a section of an exclusively held file. net/http's response reaches sendfile only through
// ReadFrom with a LimitedReader over the file itself, at the file's seek position.
func sendSection(w io.Writer, file *os.File, offset, size int64) (int64, error) {
	rf, ok := w.(io.ReaderFrom)
	if !ok {
		return copySection(w, file, offset, size)
	}
	if _, err := file.Seek(offset, io.SeekStart); err != nil {
		return 0, err
	}
	n, err := rf.ReadFrom(&io.LimitedReader{R: file, N: size})
	if err == nil && n < size {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

// copySection copies through a pooled buffer.
func copySection(w io.Writer, r io.ReaderAt, offset, size int64) (int64, error) {
	buf := sendBuffers.Get().(*[sendBufferSize]byte)
	defer sendBuffers.Put(buf)
	var done int64
	for done < size {
		p := buf[:min(size-done, sendBufferSize)]
		n, err := r.ReadAt(p, offset+done)
		if n < len(p) {
			return done, unexpected(err)
		}
		n, err = w.Write(p)
		done += int64(n)
		if err != nil {
			return done, err
		}
	}
	return done, nil
}

// ReadAt reads from moof and mdat as one piece.
func (f *Fragment) ReadAt(p []byte, off int64) (int, error) {
	if off < 0 {
		return 0, fmt.Errorf("smooth: negative offset %d", off)
	}
	n := 0
	if off < int64(len(f.head)) {
		n = copy(p, f.head[off:])
		if n == len(p) {
			return n, nil
		}
	}
	m, err := f.ReadPayloadAt(p[n:], off+int64(n)-int64(len(f.head)))
	return n + m, err
}

// ReadPayloadAt reads from the sample data.
func (f *Fragment) ReadPayloadAt(p []byte, off int64) (int, error) {
	if off >= f.size {
		return 0, io.EOF
	}
	short := false
	if int64(len(p)) > f.size-off {
		p, short = p[:f.size-off], true
	}
	var n int
	var err error
	if f.payload != nil {
		n = copy(p, f.payload[off:])
	} else {
		n, err = f.body.ReadAt(p, f.offset+off)
	}
	if n == len(p) {
		err = nil
		if short {
			err = io.EOF
		}
	} else if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

// payloadAt is the sample data of a fragment as an [io.ReaderAt].
type payloadAt struct{ f *Fragment }

// ReadAt implements [io.ReaderAt].
func (p payloadAt) ReadAt(b []byte, off int64) (int, error) { return p.f.ReadPayloadAt(b, off) }

// Load returns the sample data. It may alias the fragment, so it must not be modified and is valid until Close; if
// a copy is needed it is made in buf, when that has the capacity. The error wraps [ErrTooLarge] if no slice of this
// system could hold the data.
func (f *Fragment) Load(ctx context.Context, buf []byte) ([]byte, error) {
	if f.payload != nil {
		return f.payload, nil
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if f.size > math.MaxInt {
		return nil, fmt.Errorf("smooth: fragment %s %d: %d bytes: %w", f.Key.Stream, f.Key.Time, f.size, ErrTooLarge)
	}
	if int64(cap(buf)) < f.size {
		buf = make([]byte, f.size)
	}
	buf = buf[:f.size]
	_, err := f.ReadPayloadAt(buf, 0)
	if err != nil && err != io.EOF {
		return nil, err
	}
	return buf, nil
}

// Sample is one sample of a fragment.
type Sample struct {
	// DTS is the decode time in ticks of the fragment's timescale.
	DTS uint64
	// CTS is the composition time offset: presentation time minus DTS. It may be negative.
	CTS int64
	// Duration in ticks.
	Duration uint32
	// Size in bytes.
	Size uint32
	// Flags as in ISO/IEC 14496-12 8.8.3.1.
	Flags uint32
	// Offset of the sample in the sample data, in bytes.
	Offset int64
}

// IsSync reports whether the sample can be decoded without others.
func (s Sample) IsSync() bool { return s.Flags&fmp4.FlagNonSync == 0 }

// Samples iterates over the samples in decode order. The decode time of the first is the fragment's time. If the
// header cannot be read the last iteration carries an error, as of [Fragment.Header].
func (f *Fragment) Samples() iter.Seq2[Sample, error] {
	return func(yield func(Sample, error) bool) {
		moof, err := f.moof()
		if err != nil {
			yield(Sample{}, err)
			return
		}
		dts, off := f.Key.Time, int64(0)
		runs, err := fmp4.RunsOf(moof)
		for err == nil {
			s, ok := runs.Next()
			if !ok {
				return
			}
			if int64(s.Size) > f.size-off {
				err = fmt.Errorf("samples exceed the %d bytes of mdat", f.size)
				break
			}
			if !yield(Sample{DTS: dts, CTS: int64(s.CTS), Duration: s.Duration, Size: s.Size, Flags: s.Flags, Offset: off}, nil) {
				return
			}
			dts += uint64(s.Duration)
			off += int64(s.Size)
		}
		yield(Sample{}, f.fault(err))
	}
}

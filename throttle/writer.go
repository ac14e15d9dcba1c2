package throttle

import (
	"context"
	"io"
	"math"
	"sync"
	"time"
)

// Sizes of writes.
const (
	// DefaultInterval is how often a paced stream is written to, unless its rate is so low or so high that the sizes of
	// writes decide.
	DefaultInterval = 250 * time.Millisecond
	// minInterval is the shortest wait that is worth the turn.
	minInterval = 8 * time.Millisecond
	// maxQuantum is the largest write after the burst, in bytes, unless minInterval asks for more.
	maxQuantum = 1 << 20
	// maxBurstWrite is the largest write within the burst, in bytes: between two of them a slow client gets new time.
	maxBurstWrite = 256 << 10
	// sharedQuantum is the largest write while others wait for the same bucket, in bytes.
	sharedQuantum = 64 << 10
)

// quantum returns the size of a write at a rate, in bytes: what the rate earns in an interval, within bounds.
func quantum(rate Rate, interval time.Duration, least int64) int64 {
	q := min(rate.Bytes(interval), max(maxQuantum, rate.Bytes(minInterval)))
	return max(q, least, 1)
}

// Writer paces what is written to another writer by one or more buckets: each write is split so that no part is larger
// than what the slowest bucket earns in an interval, and every part waits until all buckets have it. A bucket may be
// shared with other writers and readers, and its rate changed at any time.
//
// It has no buffer. Its ReadFrom lets the writer below read from the source itself, so that a file still goes to a
// socket by sendfile. It is for one goroutine.
type Writer struct {
	// Interval is how often to write. Zero means [DefaultInterval].
	Interval time.Duration

	ctx     context.Context // io.Writer has no argument for it; it ends all waits of this writer
	w       io.Writer
	buckets []*Bucket
}

// NewWriter returns a writer to w. When the context ends, writes return its error and what they have written.
func NewWriter(ctx context.Context, w io.Writer, buckets ...*Bucket) *Writer {
	return &Writer{ctx: ctx, w: w, buckets: buckets}
}

// Write writes p at the pace of the buckets. It returns [ErrNoRate] if a bucket's rate is zero.
func (w *Writer) Write(p []byte) (n int, err error) {
	for n < len(p) {
		granted, err := grant(w.ctx, int64(len(p)-n), w.Interval, w.buckets)
		if err != nil {
			return n, err
		}
		m, err := w.w.Write(p[n : n+int(granted)])
		n += m
		if err == nil && int64(m) < granted {
			err = io.ErrShortWrite
		}
		if err != nil {
			w.done(granted, int64(m))
			return n, err
		}
	}
	return n, nil
}

// ReadFrom implements io.ReaderFrom: it reads from src until its end and returns how many bytes it wrote.
func (w *Writer) ReadFrom(src io.Reader) (int64, error) {
	return copyQuanta(w.w, src, func(want int64) (int64, error) {
		return grant(w.ctx, want, w.Interval, w.buckets)
	}, w.done)
}

// done gives back what was granted and not used.
func (w *Writer) done(granted, used int64) {
	for _, b := range w.buckets {
		b.Return(granted - used)
	}
}

// Reader paces what is read from another reader, as a [Writer] does. It is for one goroutine.
type Reader struct {
	// Interval is how often to read. Zero means [DefaultInterval].
	Interval time.Duration

	ctx     context.Context // as in Writer
	r       io.Reader
	buckets []*Bucket
}

// NewReader returns a reader of r. When the context ends, reads return its error.
func NewReader(ctx context.Context, r io.Reader, buckets ...*Bucket) *Reader {
	return &Reader{ctx: ctx, r: r, buckets: buckets}
}

// Read reads at most one quantum. It waits before it reads, and gives back what it then did not get. It returns
// [ErrNoRate] if a bucket's rate is zero.
func (r *Reader) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return r.r.Read(p)
	}
	granted, err := grant(r.ctx, int64(len(p)), r.Interval, r.buckets)
	if err != nil {
		return 0, err
	}
	n, err := r.r.Read(p[:granted])
	for _, b := range r.buckets {
		b.Return(granted - int64(n))
	}
	return n, err
}

// grant waits until at most want bytes may be sent by all buckets, takes them, and returns how many.
func grant(ctx context.Context, want int64, interval time.Duration, buckets []*Bucket) (int64, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	if interval <= 0 {
		interval = DefaultInterval
	}
	n := want
	for _, b := range buckets {
		n = min(n, quantum(b.Rate(), interval, min(DefaultMinSendSize, want)))
	}
	wait, now := time.Duration(0), time.Now()
	for _, b := range buckets {
		wait = max(wait, b.Take(now, n))
	}
	if err := sleep(ctx, wait); err != nil {
		for _, b := range buckets {
			b.Return(n)
		}
		return 0, err
	}
	return n, nil
}

// buffers are what is copied through where there is no sendfile.
var buffers = sync.Pool{New: func() any { return new([32 << 10]byte) }}

// copyN copies what r has left, with a buffer of the pool where w does not read itself.
func copyN(w io.Writer, r *io.LimitedReader) (m int64, err error) {
	n := r.N
	if rf, ok := w.(io.ReaderFrom); ok {
		m, err = rf.ReadFrom(r)
	} else {
		buf := buffers.Get().(*[32 << 10]byte)
		defer buffers.Put(buf)
		m, err = io.CopyBuffer(w, r, buf[:])
	}
	if m < n && err == nil {
		err = io.EOF
	}
	return m, err
}

// copyQuanta copies src to w in parts of what grant allows, each by w's own ReadFrom where it has one, and tells done
// how much of it was used.
func copyQuanta(w io.Writer, src io.Reader, grant func(want int64) (int64, error), done func(granted, used int64)) (sent int64, err error) {
	whole, limited := src.(*io.LimitedReader)
	r, left := src, int64(math.MaxInt64)
	if limited {
		r, left = whole.R, whole.N // sendfile knows a limited file, but not one that is limited twice
		defer func() { whole.N -= sent }()
	}
	part := &io.LimitedReader{R: r}
	for left > 0 {
		n, err := grant(left)
		if err != nil {
			return sent, err
		}
		part.N = n
		m, err := copyN(w, part)
		sent += m
		left -= m
		done(n, m)
		if err == io.EOF {
			return sent, nil
		}
		if err != nil {
			return sent, err
		}
	}
	return sent, nil
}

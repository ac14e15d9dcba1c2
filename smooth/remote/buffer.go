package remote

import (
	"errors"
	"fmt"
	"io"
	"math/bits"
	"sync"

	"github.com/smoothkit/smoothkit/smooth"
)

const (
	// headRoom is kept free before a body, for a moof box that grows by a tfxd.
	headRoom = 64
	// firstRead is the most that is set aside for what an origin says it will send. Memory beyond that is for bytes
	// that have come.
	firstRead = 1 << 20
)

// buffer is pooled memory: headRoom bytes, then those of a body.
type buffer struct{ data []byte }

// body returns the bytes of the body.
func (b *buffer) body() []byte { return b.data[headRoom:] }

// bufferPool lends memory in sizes of which there are four between powers of two.
type bufferPool struct {
	classes [maxClass - minClass + 1]sync.Pool
}

const (
	minClass = 12 * 4 // 4 KiB
	maxClass = 22 * 4 // 4 MiB; larger memory is not kept
)

// classOf returns the class of memory for n bytes and its size.
func classOf(n int) (class, size int) {
	n = max(n, 1<<(minClass/4))
	log := bits.Len(uint(n - 1))        // n is at most 1<<log
	quarter := 1 << max(log-3, 0)       // a quarter of the power below
	part := (n + quarter - 1) / quarter // 5 to 8
	return (log-1)*4 + part - 4, part * quarter
}

// get returns a buffer whose memory has at least n bytes.
func (p *bufferPool) get(n int) *buffer {
	class, size := classOf(n)
	if class > maxClass {
		return &buffer{data: make([]byte, size)}
	}
	if b, ok := p.classes[class-minClass].Get().(*buffer); ok {
		b.data = b.data[:cap(b.data)]
		return b
	}
	return &buffer{data: make([]byte, size)}
}

// put takes a buffer back. b may be nil.
func (p *bufferPool) put(b *buffer) {
	if b == nil {
		return
	}
	if class, size := classOf(cap(b.data)); class <= maxClass && size == cap(b.data) {
		p.classes[class-minClass].Put(b)
	}
}

// read reads a whole body of at most limit bytes. hint is how many the sender has promised, or -1; it is believed only
// as far as it costs little.
func (p *bufferPool) read(r io.Reader, hint, limit int64) (*buffer, error) {
	if hint > limit {
		return nil, tooLarge(limit)
	}
	b := p.get(headRoom + int(min(max(hint, 0), firstRead)))
	n := headRoom
	var probe [256]byte // tells the end of a body that fills the memory
	for {
		into := b.data[n:]
		if len(into) == 0 {
			into = probe[:]
		}
		m, err := r.Read(into)
		if m > 0 && n == len(b.data) {
			b = p.grow(b, n+m)
			copy(b.data[n:], probe[:m])
		}
		n += m
		switch {
		case int64(n-headRoom) > limit:
			err = tooLarge(limit)
		case err == nil:
			continue
		case errors.Is(err, io.EOF):
			b.data = b.data[:n]
			return b, nil
		}
		p.put(b)
		return nil, err
	}
}

// grow returns a buffer of at least n bytes, and of half as many again as b, with the content of b.
func (p *bufferPool) grow(b *buffer, n int) *buffer {
	larger := p.get(max(n, len(b.data)+len(b.data)/2))
	copy(larger.data, b.data)
	p.put(b)
	return larger
}

func tooLarge(limit int64) error {
	return fmt.Errorf("more than %d bytes: %w", limit, smooth.ErrTooLarge)
}

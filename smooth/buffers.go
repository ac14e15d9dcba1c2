package smooth

import (
	"math/bits"
	"sync"
)

// bufferPool lends byte slices of power-of-two capacities.
type bufferPool struct{ classes [maxBufferClass + 1]sync.Pool }

const (
	minBufferClass = 12 // 4 KiB
	maxBufferClass = 20 // 1 MiB; larger buffers are not kept
)

// get returns a buffer of length n.
func (p *bufferPool) get(n int) *[]byte {
	class := max(bits.Len(uint(max(n, 1)-1)), minBufferClass)
	if class > maxBufferClass {
		b := make([]byte, n)
		return &b
	}
	if b, ok := p.classes[class].Get().(*[]byte); ok {
		*b = (*b)[:n]
		return b
	}
	b := make([]byte, n, 1<<class)
	return &b
}

// put takes a buffer back.
func (p *bufferPool) put(b *[]byte) {
	class := bits.Len(uint(cap(*b) - 1))
	if class < minBufferClass || class > maxBufferClass || cap(*b) != 1<<class {
		return
	}
	p.classes[class].Put(b)
}

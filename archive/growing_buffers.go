package archive

import (
	"math/bits"
	"sync"
)

// bufferPool lends byte slices of power-of-two capacities.
type bufferPool struct {
	classes [maxBufferClass - minBufferClass + 1]sync.Pool
}

const (
	minBufferClass = 12 // 4 KiB
	maxBufferClass = 16 // memoryFragment; larger ones, which only odd heads need, are not kept
)

var fragmentBuffers bufferPool

// get returns a buffer of at least n bytes.
func (p *bufferPool) get(n int) *[]byte {
	class := max(bits.Len(uint(max(n, 1)-1)), minBufferClass)
	if class > maxBufferClass {
		b := make([]byte, n)
		return &b
	}
	if b, ok := p.classes[class-minBufferClass].Get().(*[]byte); ok {
		return b
	}
	b := make([]byte, 1<<class)
	return &b
}

// put takes a buffer back.
func (p *bufferPool) put(b *[]byte) {
	if class := bits.Len(uint(len(*b) - 1)); class >= minBufferClass && class <= maxBufferClass && len(*b) == 1<<class {
		p.classes[class-minBufferClass].Put(b)
	}
}

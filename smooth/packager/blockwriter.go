package packager

import (
	"os"
	"sync/atomic"
)

// blockWriter collects what is appended in large blocks and writes them from a goroutine of its own, so that reading
// and writing overlap. Two blocks go back and forth. It is for one goroutine, which must call close.
type blockWriter struct {
	f     *os.File
	block []byte      // being filled
	off   int64       // bytes appended so far
	bad   atomic.Bool // a write has failed; close returns the error
	full  chan []byte
	empty chan []byte
	done  chan error
}

func newBlockWriter(f *os.File, size int) *blockWriter {
	w := &blockWriter{f: f, block: make([]byte, 0, size), full: make(chan []byte, 1), empty: make(chan []byte, 1), done: make(chan error, 1)}
	w.empty <- make([]byte, 0, size)
	go func() {
		var err error
		for b := range w.full {
			if err == nil {
				if _, err = w.f.Write(b); err != nil {
					w.bad.Store(true)
				}
			}
			w.empty <- b[:0]
		}
		w.done <- err
	}()
	return w
}

// room returns free space of at least one byte in the block, for add.
func (w *blockWriter) room() []byte {
	if len(w.block) == cap(w.block) {
		w.flush()
	}
	return w.block[len(w.block):cap(w.block)]
}

// add takes n bytes that have been stored in room.
func (w *blockWriter) add(n int) {
	w.block = w.block[:len(w.block)+n]
	w.off += int64(n)
}

func (w *blockWriter) append(p []byte) {
	for len(p) > 0 {
		n := copy(w.room(), p)
		w.add(n)
		p = p[n:]
	}
}

func (w *blockWriter) flush() {
	w.full <- w.block
	w.block = <-w.empty
}

// close writes what is left and returns the first error of any write.
func (w *blockWriter) close() error {
	if len(w.block) > 0 {
		w.flush()
	}
	close(w.full)
	err := <-w.done
	if e := w.f.Close(); err == nil {
		err = e
	}
	return err
}

package usage

import "io"

// body counts what is received.
type body struct {
	io.ReadCloser
	x *response
}

// unproven is how much of a push is received before its stream gets counters, so that who only tries names gets none.
const unproven = 64 << 10

// Read implements [io.Reader]. Handlers may read while they write.
func (b *body) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if n > 0 {
		b.x.receive(int64(n))
	}
	return n, err
}

// receive counts bytes that were received.
func (x *response) receive(n int64) {
	x.rec.counters.received.add(x.part, n)
	x.mu.Lock()
	defer x.mu.Unlock()
	x.received += n
	switch {
	case x.pushed != nil:
		x.pushed.received.Add(n)
	case x.record.Class.Kind == Push && x.received >= unproven && !x.ended:
		x.acquire()
	}
}

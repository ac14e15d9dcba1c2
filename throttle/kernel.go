package throttle

import (
	"context"
	"net"
	"net/http"
)

type connKey struct{}

// ConnContext is for http.Server.ConnContext: it lets a handler with [HandlerOptions.KernelPacing] find the connection
// of a request. It may be called by a ConnContext of the application's own.
func ConnContext(ctx context.Context, c net.Conn) context.Context {
	return context.WithValue(ctx, connKey{}, c)
}

// kernelPacing paces the connection of one response by the kernel, between the writes that the law allows.
type kernelPacing struct {
	conn *net.TCPConn
	rate Rate // that is set
}

// newKernelPacing returns nil where the kernel cannot pace a response alone: in HTTP/2 a connection has many, and what
// TLS sends is not what is written.
func newKernelPacing(r *http.Request) *kernelPacing {
	conn, ok := r.Context().Value(connKey{}).(*net.TCPConn)
	if !ok || r.ProtoMajor != 1 || r.TLS != nil || !canPace {
		return nil
	}
	return &kernelPacing{conn: conn}
}

// set sends a quantum within about its interval: a tenth faster, so that a write finds the buffer empty. The send
// buffer is kept as small as that allows, as the kernel would fill memory with what it may not send yet.
func (k *kernelPacing) set(rate Rate, quantum int64) {
	if k == nil || k.rate == rate {
		return
	}
	if k.rate == 0 {
		_ = k.conn.SetWriteBuffer(int(min(2*quantum, 4<<20)))
	}
	k.rate = rate
	setPacingRate(k.conn, uint64(rate.percent(110)/8))
}

// end gives the connection back to its next response.
func (k *kernelPacing) end() {
	if k != nil && k.rate != 0 {
		setPacingRate(k.conn, ^uint64(0))
	}
}

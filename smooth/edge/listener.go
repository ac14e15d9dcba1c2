package edge

import (
	"context"
	"net"

	"github.com/smoothkit/smoothkit/internal/joined"
)

// NewListener returns a listener for an http.Server that has ConnContext, too, on whose connections a hit from memory goes
// out by one system call, header and body together. net/http alone takes two, which for a fragment of 33 kB is a fifth of
// what the request costs. It changes nothing else, and nothing for what is not TCP. With TLS it has no effect.
//
//	srv := &http.Server{Handler: cache, ConnContext: edge.ConnContext}
//	err := srv.Serve(edge.NewListener(l))
//
// The connections have a method NetConn, as those of crypto/tls, by which others find the *net.TCPConn.
func NewListener(l net.Listener) net.Listener { return joined.Listener{Listener: l} }

// ConnContext is for http.Server.ConnContext: by it a [Cache] finds a connection of [NewListener]. It may be called by a
// ConnContext of the application's own.
func ConnContext(ctx context.Context, c net.Conn) context.Context { return joined.Context(ctx, c) }

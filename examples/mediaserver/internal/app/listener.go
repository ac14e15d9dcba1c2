package app

import (
	"crypto/tls"
	"log/slog"
	"net"
	"reflect"
	"sync/atomic"

	"github.com/smoothkit/smoothkit/examples/mediaserver/internal/config"
	"github.com/smoothkit/smoothkit/livesmooth"
	"github.com/smoothkit/smoothkit/smooth/access"
)

// listener is what the configuration says of an address. It does not change: another configuration has others.
type listener struct {
	cfg     config.Listener
	tls     *tls.Config // nil for HTTP
	unasked bool        // the configuration says nothing of it
}

// newListener reads the certificates of a listener, or takes those of the one before if it is to have the same.
func newListener(cfg config.Listener, before *listener, log *slog.Logger) (*listener, error) {
	l := &listener{cfg: cfg}
	if cfg.TLS == nil {
		return l, nil
	}
	if before != nil && before.cfg.Tolerant == cfg.Tolerant && reflect.DeepEqual(before.cfg.TLS, cfg.TLS) {
		l.tls = before.tls
		return l, nil
	}
	var err error
	l.tls, err = tlsConfig(&cfg, log)
	return l, err
}

// tlsConfig has certificates that are read again when their files change.
func tlsConfig(cfg *config.Listener, log *slog.Logger) (*tls.Config, error) {
	var files []access.CertificateFiles
	for _, p := range cfg.TLS.Certificates {
		files = append(files, access.CertificateFiles{Certificate: p.Certificate, Key: p.Key})
	}
	certs, err := access.NewCertificates(files, &access.CertificatesOptions{Logger: log, ClientCAs: cfg.TLS.ClientCA})
	if err != nil {
		return nil, err
	}
	restrict := func(c *tls.Config) {
		if cfg.TLS.Minimum == "1.3" {
			c.MinVersion = tls.VersionTLS13
		}
		if cfg.Tolerant { // which is for HTTP/1
			c.NextProtos = []string{"http/1.1"}
		}
	}
	c := certs.TLSConfig()
	restrict(c)
	if each := c.GetConfigForClient; each != nil { // makes a new one for each connection
		c.GetConfigForClient = func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
			own, err := each(hello)
			if own != nil {
				restrict(own)
			}
			return own, err
		}
	}
	return c, nil
}

// accepter makes connections of what it accepts as the configuration of that moment says.
type accepter struct {
	net.Listener
	now *atomic.Pointer[listener]
}

// Accept implements net.Listener. HTTP is spoken on the connection of package net itself, so that sendfile works, and a handshake
// is that of http.Server, with its timeout.
func (a *accepter) Accept() (net.Conn, error) {
	conn, err := a.Listener.Accept()
	if err != nil {
		return nil, err
	}
	l := a.now.Load()
	if l.tls != nil {
		conn = tls.Server(conn, l.tls)
	}
	if l.cfg.Tolerant {
		return livesmooth.TolerantListener(accepted{conn}).Accept()
	}
	return conn, nil
}

// accepted is a listener of one connection.
type accepted struct{ net.Conn }

// Accept implements net.Listener.
func (a accepted) Accept() (net.Conn, error) { return a.Conn, nil }

// Addr implements net.Listener.
func (a accepted) Addr() net.Addr { return a.LocalAddr() }

package access

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

const (
	maxCertificateFile = 1 << 20
	checkFilesEvery    = time.Second
)

// CertificateFiles name the PEM files of a certificate, followed by those of its issuers, and of its private key. They
// may be the same file.
type CertificateFiles struct {
	Certificate, Key string
}

// CertificatesOptions tune [Certificates]. A nil pointer and the zero value mean the documented defaults.
type CertificatesOptions struct {
	// ClientCAs, if set, is a PEM file with the authorities of client certificates. Clients need not have one; who has a
	// wrong one is refused. See [ClientCertificate].
	ClientCAs string
	// Logger is told of new certificates, at level Info, and of those that cannot be read, at level Error. Nil means
	// slog.Default().
	Logger *slog.Logger
	// Now tells the time. Nil means time.Now.
	Now func() time.Time
}

// Certificates are those of a TLS server. Files that change are read again, at most once a second when a client
// connects, and by [Certificates.Reload]; if something in them is wrong the server goes on with what it had. It is safe
// for concurrent use.
type Certificates struct {
	files []CertificateFiles
	opts  CertificatesOptions
	set   atomic.Pointer[certificateSet]

	mu      sync.Mutex // guards the fields below, held while files are read
	checked time.Time
	seen    []fileState // of the last set that was read, whether it was good or not
}

// certificateSet is what the files had in them.
type certificateSet struct {
	certs []*tls.Certificate
	cas   *x509.CertPool
	raw   [][]byte
}

// fileState tells whether a file has changed.
type fileState struct {
	size    int64
	changed time.Time
}

// NewCertificates reads certificates. The first is for clients that ask for none of the names that are in the others.
func NewCertificates(files []CertificateFiles, opts *CertificatesOptions) (*Certificates, error) {
	c := &Certificates{files: append([]CertificateFiles(nil), files...)}
	if opts != nil {
		c.opts = *opts
	}
	if c.opts.Logger == nil {
		c.opts.Logger = slog.Default()
	}
	if c.opts.Now == nil {
		c.opts.Now = time.Now
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("access: no certificates: %w", ErrOptions)
	}
	if err := c.Reload(); err != nil {
		return nil, err
	}
	return c, nil
}

// Reload reads the files now. If it returns an error the certificates are those of before.
func (c *Certificates) Reload() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.checked, c.seen = c.opts.Now(), c.stat()
	return c.read()
}

// read reads the files. mu must be held.
func (c *Certificates) read() error {
	set := &certificateSet{}
	for _, f := range c.files {
		cert, err := set.pair(f)
		if err != nil {
			return fmt.Errorf("access: certificate %s: %w", f.Certificate, err)
		}
		set.certs = append(set.certs, cert)
	}
	if c.opts.ClientCAs != "" {
		if err := set.readCAs(c.opts.ClientCAs); err != nil {
			return fmt.Errorf("access: authorities of clients %s: %w", c.opts.ClientCAs, err)
		}
	}
	old := c.set.Swap(set)
	if old == nil || !old.same(set) {
		for i, cert := range set.certs {
			c.opts.Logger.Info("certificate read", "file", c.files[i].Certificate, "names", cert.Leaf.DNSNames, "ends", cert.Leaf.NotAfter)
		}
	}
	return nil
}

func (s *certificateSet) same(t *certificateSet) bool {
	if len(s.raw) != len(t.raw) {
		return false
	}
	for i, b := range s.raw {
		if !bytes.Equal(b, t.raw[i]) {
			return false
		}
	}
	return true
}

// pair reads a certificate and its key.
func (s *certificateSet) pair(f CertificateFiles) (*tls.Certificate, error) {
	certPEM, err := readBounded(f.Certificate)
	if err != nil {
		return nil, err
	}
	keyPEM, err := readBounded(f.Key)
	if err != nil {
		return nil, err
	}
	cert, err := tls.X509KeyPair(certPEM, keyPEM)
	if err != nil {
		return nil, err
	}
	if cert.Leaf == nil {
		if cert.Leaf, err = x509.ParseCertificate(cert.Certificate[0]); err != nil {
			return nil, err
		}
	}
	s.raw = append(s.raw, certPEM)
	return &cert, nil
}

func (s *certificateSet) readCAs(name string) error {
	pem, err := readBounded(name)
	if err != nil {
		return err
	}
	s.cas = x509.NewCertPool()
	if !s.cas.AppendCertsFromPEM(pem) {
		return errors.New("no certificate in it")
	}
	s.raw = append(s.raw, pem)
	return nil
}

func readBounded(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxCertificateFile+1))
	if err == nil && len(b) > maxCertificateFile {
		err = fmt.Errorf("file over %d bytes", maxCertificateFile)
	}
	return b, err
}

// stat returns the states of all files, zero for those that cannot be found.
func (c *Certificates) stat() []fileState {
	var list []fileState
	add := func(name string) {
		var s fileState
		if info, err := os.Stat(name); err == nil {
			s = fileState{size: info.Size(), changed: info.ModTime()}
		}
		list = append(list, s)
	}
	for _, f := range c.files {
		add(f.Certificate)
		add(f.Key)
	}
	if c.opts.ClientCAs != "" {
		add(c.opts.ClientCAs)
	}
	return list
}

// current returns the certificates, after a look at the files if that is due. Nobody waits for another one's look.
func (c *Certificates) current() *certificateSet {
	if c.mu.TryLock() {
		defer c.mu.Unlock()
		if now := c.opts.Now(); now.Sub(c.checked) >= checkFilesEvery || now.Before(c.checked) {
			c.checked = now
			c.readIfChanged()
		}
	}
	return c.set.Load()
}

// readIfChanged reads the files if they have changed. mu must be held.
func (c *Certificates) readIfChanged() {
	states := c.stat()
	for i := range states {
		if states[i] == c.seen[i] {
			continue
		}
		c.seen = states
		if err := c.read(); err != nil {
			c.opts.Logger.Error("certificates not read, going on with those of before", "err", err)
		}
		return
	}
}

// GetCertificate is for [tls.Config]: it returns the first certificate that the client can use, or else the first.
func (c *Certificates) GetCertificate(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	certs := c.current().certs
	for _, cert := range certs {
		if hello.SupportsCertificate(cert) == nil {
			return cert, nil
		}
	}
	return certs[0], nil
}

// TLSConfig returns a configuration for servers with these certificates, TLS 1.2 and later, HTTP/2 and HTTP/1.1.
func (c *Certificates) TLSConfig() *tls.Config {
	base := &tls.Config{
		MinVersion: tls.VersionTLS12, GetCertificate: c.GetCertificate, NextProtos: []string{"h2", "http/1.1"},
	}
	if c.opts.ClientCAs == "" {
		return base
	}
	base.ClientAuth = tls.VerifyClientCertIfGiven
	base.ClientCAs = c.set.Load().cas
	base.VerifyConnection = c.verifyResumed
	outer := base.Clone()
	outer.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) {
		config := base.Clone()
		config.ClientCAs = c.current().cas
		return config, nil
	}
	return outer
}

// verifyResumed verifies the certificate of a client that resumes a session, as authorities may have changed since.
func (c *Certificates) verifyResumed(state tls.ConnectionState) error {
	if !state.DidResume || len(state.PeerCertificates) == 0 {
		return nil
	}
	opts := x509.VerifyOptions{
		Roots: c.current().cas, Intermediates: x509.NewCertPool(), KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	for _, cert := range state.PeerCertificates[1:] {
		opts.Intermediates.AddCert(cert)
	}
	_, err := state.PeerCertificates[0].Verify(opts)
	return err
}

// ClientCertificate authenticates by the certificate that a client has shown and the TLS server has verified, see
// [CertificatesOptions].ClientCAs. The name is the common name, or else the first DNS name of the certificate.
type ClientCertificate struct{}

// Challenge returns "": TLS asks for certificates.
func (ClientCertificate) Challenge() string { return "" }

// Authenticate implements [Authenticator].
func (ClientCertificate) Authenticate(r *http.Request) (*Identity, error) {
	if r.TLS == nil || len(r.TLS.VerifiedChains) == 0 || len(r.TLS.VerifiedChains[0]) == 0 {
		return nil, nil
	}
	leaf := r.TLS.VerifiedChains[0][0]
	name := leaf.Subject.CommonName
	if name == "" && len(leaf.DNSNames) > 0 {
		name = leaf.DNSNames[0]
	}
	return &Identity{Name: name, Method: MethodCertificate, Expires: leaf.NotAfter}, nil
}

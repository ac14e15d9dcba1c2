package access_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"log"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/smooth/access"
)

// authority makes certificates.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t *testing.T, name string) *authority {
	t.Helper()
	a := &authority{}
	a.key, _ = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &a.key.PublicKey, a.key)
	require.NoError(t, err)
	a.cert, err = x509.ParseCertificate(der)
	require.NoError(t, err)
	return a
}

// issue returns a certificate and key, both in PEM.
func (a *authority) issue(t *testing.T, common string, names ...string) (cert, key []byte) {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: common}, DNSNames: names,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, &k.PublicKey, a.key)
	require.NoError(t, err)
	pkcs8, err := x509.MarshalPKCS8PrivateKey(k)
	require.NoError(t, err)
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8})
}

func (a *authority) pem() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.cert.Raw})
}

// write writes a file with a time of change of its own, as clocks of file systems are coarse.
func write(t *testing.T, name string, data []byte, changed int) {
	t.Helper()
	require.NoError(t, os.WriteFile(name, data, 0o600))
	at := time.Unix(1_700_000_000+int64(changed), 0)
	require.NoError(t, os.Chtimes(name, at, at))
}

// hello is what a client that wants a name sends.
func hello(name string) *tls.ClientHelloInfo {
	return &tls.ClientHelloInfo{
		ServerName: name, SupportedVersions: []uint16{tls.VersionTLS13}, CipherSuites: []uint16{tls.TLS_AES_128_GCM_SHA256},
		SignatureSchemes: []tls.SignatureScheme{tls.ECDSAWithP256AndSHA256},
	}
}

// nameFor returns the common name of the certificate that a client gets.
func nameFor(t *testing.T, c *access.Certificates, server string) string {
	t.Helper()
	cert, err := c.GetCertificate(hello(server))
	require.NoError(t, err)
	return cert.Leaf.Subject.CommonName
}

func TestCertificates(t *testing.T) {
	ca, dir, now := newAuthority(t, "ca"), t.TempDir(), newClock()
	file := func(name string) string { return filepath.Join(dir, name) }
	pair := func(name string) access.CertificateFiles {
		return access.CertificateFiles{Certificate: file(name + ".pem"), Key: file(name + ".key")}
	}
	put := func(changed int, name, common string, names ...string) {
		cert, key := ca.issue(t, common, names...)
		write(t, file(name+".pem"), cert, changed)
		write(t, file(name+".key"), key, changed)
	}
	put(1, "a", "a1", "a.example")
	put(1, "b", "b1", "b.example", "*.b.example")
	var log logBuffer
	c, err := access.NewCertificates([]access.CertificateFiles{pair("a"), pair("b")}, &access.CertificatesOptions{Logger: log.logger(), Now: now.Now})
	require.NoError(t, err)
	for server, want := range map[string]string{
		"a.example": "a1", "b.example": "b1", "x.b.example": "b1", "B.example": "b1", "c.example": "a1", "": "a1", "x.y.b.example": "a1",
	} {
		assert.Equal(t, want, nameFor(t, c, server), server)
	}

	put(2, "b", "b2", "b.example")
	assert.Equal(t, "b1", nameFor(t, c, "b.example"), "not looked at within a second")
	now.advance(time.Second)
	assert.Equal(t, "b2", nameFor(t, c, "b.example"))

	write(t, file("b.pem"), []byte("half written"), 3)
	now.advance(time.Second)
	assert.Equal(t, "b2", nameFor(t, c, "b.example"), "the one of before")
	assert.Error(t, c.Reload())
	assert.Equal(t, "b2", nameFor(t, c, "b.example"))
	require.NoError(t, os.Remove(file("b.key")))
	now.advance(time.Second)
	assert.Equal(t, "b2", nameFor(t, c, "b.example"))
	errors := log.String()
	for range 5 {
		now.advance(time.Second)
		nameFor(t, c, "b.example")
	}
	assert.Equal(t, errors, log.String(), "said once")
	assert.Contains(t, errors, "level=ERROR")

	put(4, "b", "b3", "b.example")
	_, stranger := ca.issue(t, "x")
	write(t, file("b.key"), stranger, 5)
	now.advance(time.Second)
	assert.Equal(t, "b2", nameFor(t, c, "b.example"), "a key of another certificate")
	put(6, "b", "b4", "b.example")
	require.NoError(t, c.Reload())
	assert.Equal(t, "b4", nameFor(t, c, "b.example"))
	assert.NotContains(t, log.String(), "PRIVATE")
	now.advance(-time.Hour)
	put(7, "b", "b5", "b.example")
	assert.Equal(t, "b5", nameFor(t, c, "b.example"), "a clock that was set back")
}

func TestCertificatesErrors(t *testing.T) {
	ca, dir := newAuthority(t, "ca"), t.TempDir()
	cert, key := ca.issue(t, "a")
	good := access.CertificateFiles{Certificate: filepath.Join(dir, "a.pem"), Key: filepath.Join(dir, "a.key")}
	write(t, good.Certificate, cert, 1)
	write(t, good.Key, key, 1)
	large := filepath.Join(dir, "large")
	write(t, large, make([]byte, 1<<20+1), 1)
	_, err := access.NewCertificates(nil, nil)
	assert.ErrorIs(t, err, access.ErrOptions)
	for name, files := range map[string]access.CertificateFiles{
		"missing":       {Certificate: filepath.Join(dir, "x"), Key: good.Key},
		"missing key":   {Certificate: good.Certificate, Key: filepath.Join(dir, "x")},
		"wrong way":     {Certificate: good.Key, Key: good.Certificate},
		"large":         {Certificate: large, Key: good.Key},
		"directory":     {Certificate: dir, Key: good.Key},
		"no names":      {},
		"key for large": {Certificate: good.Certificate, Key: large},
	} {
		_, err := access.NewCertificates([]access.CertificateFiles{files}, nil)
		assert.Error(t, err, name)
	}
	_, err = access.NewCertificates([]access.CertificateFiles{good}, &access.CertificatesOptions{ClientCAs: good.Key, Logger: quiet()})
	assert.ErrorContains(t, err, "no certificate in it")
	_, err = access.NewCertificates([]access.CertificateFiles{good}, &access.CertificatesOptions{ClientCAs: filepath.Join(dir, "x"), Logger: quiet()})
	assert.Error(t, err)
	both := filepath.Join(dir, "both.pem")
	write(t, both, append(cert, key...), 1)
	_, err = access.NewCertificates([]access.CertificateFiles{{Certificate: both, Key: both}}, &access.CertificatesOptions{Logger: quiet()})
	assert.NoError(t, err, "one file")
}

// Clients over TLS, with certificates of their own, while authorities change.
func TestClientCertificates(t *testing.T) {
	ca, old, fresh, dir, now := newAuthority(t, "ca"), newAuthority(t, "old"), newAuthority(t, "new"), t.TempDir(), newClock()
	files := access.CertificateFiles{Certificate: filepath.Join(dir, "a.pem"), Key: filepath.Join(dir, "a.key")}
	cert, key := ca.issue(t, "server", "example.com")
	write(t, files.Certificate, cert, 1)
	write(t, files.Key, key, 1)
	clients := filepath.Join(dir, "clients.pem")
	write(t, clients, old.pem(), 1)
	c, err := access.NewCertificates([]access.CertificateFiles{files}, &access.CertificatesOptions{ClientCAs: clients, Logger: quiet(), Now: now.Now})
	require.NoError(t, err)
	server := httptest.NewUnstartedServer(handler(&access.Policy{Authenticators: []access.Authenticator{access.ClientCertificate{}}}, nil))
	server.TLS = c.TLSConfig()
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	defer server.Close()

	sessions, resumed := tls.NewLRUClientSessionCache(0), false
	ask := func(a *authority) (int, string) {
		roots := x509.NewCertPool()
		roots.AddCert(ca.cert)
		config := &tls.Config{RootCAs: roots, ServerName: "example.com"}
		if a == old {
			config.ClientSessionCache = sessions
		}
		if a != nil {
			cert, key := a.issue(t, "encoder", "enc.example")
			pair, err := tls.X509KeyPair(cert, key)
			require.NoError(t, err)
			// Sent whatever authorities the server names.
			config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &pair, nil }
		}
		client := &http.Client{Transport: &http.Transport{TLSClientConfig: config, DisableKeepAlives: true}}
		resp, err := client.Get(server.URL + "/x")
		if err != nil {
			return 0, ""
		}
		defer resp.Body.Close()
		body, _ := io.ReadAll(resp.Body)
		resumed = resp.TLS.DidResume
		return resp.StatusCode, string(body)
	}
	status, _ := ask(nil)
	assert.Equal(t, 403, status, "no certificate")
	status, body := ask(old)
	assert.Equal(t, 200, status)
	assert.Equal(t, "/x certificate:encoder", body)
	status, _ = ask(old)
	assert.Equal(t, 200, status)
	assert.True(t, resumed)
	status, _ = ask(fresh)
	assert.Equal(t, 0, status, "another authority")

	write(t, clients, fresh.pem(), 2)
	now.advance(time.Second)
	status, _ = ask(fresh)
	assert.Equal(t, 200, status)
	status, _ = ask(old)
	assert.Equal(t, 0, status, "resumed or not")
	assert.Empty(t, access.ClientCertificate{}.Challenge())
	id, err := access.ClientCertificate{}.Authenticate(get("/x"))
	assert.Nil(t, id)
	assert.NoError(t, err)
}

// Handshakes and reloads at once.
func TestCertificatesRace(t *testing.T) {
	ca, dir, now := newAuthority(t, "ca"), t.TempDir(), newClock()
	files := access.CertificateFiles{Certificate: filepath.Join(dir, "a.pem"), Key: filepath.Join(dir, "a.pem")}
	put := func(i int) {
		cert, key := ca.issue(t, "a")
		write(t, files.Certificate, append(cert, key...), i)
	}
	put(0)
	c, err := access.NewCertificates([]access.CertificateFiles{files}, &access.CertificatesOptions{Logger: quiet(), Now: now.Now})
	require.NoError(t, err)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 50 {
				now.advance(time.Second)
				assert.Equal(t, "a", nameFor(t, c, ""))
				_ = c.Reload()
			}
		})
	}
	for i := range 20 {
		put(i + 1)
	}
	wg.Wait()
}

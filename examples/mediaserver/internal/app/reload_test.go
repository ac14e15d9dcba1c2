package app

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/examples/mediaserver/internal/listen"
)

// bench is a program whose configuration is looked at when the test says so.
type bench struct {
	*app
	t    *testing.T
	file string
	dir  string
	log  *bytes.Buffer
}

// newBench runs the program with a configuration. DIR in it is a directory of the test.
func newBench(t *testing.T, text string) *bench {
	t.Helper()
	dir, err := os.MkdirTemp("", "ms") // paths of sockets are short
	require.NoError(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	b := &bench{t: t, dir: dir, file: filepath.Join(dir, "c.yaml"), log: new(bytes.Buffer)}
	b.write(text)
	b.app = &app{flags: &flags{file: b.file}, out: io.Discard, level: new(slog.LevelVar)}
	b.app.log = slog.New(slog.NewTextHandler(&locked{w: b.log}, nil))
	b.debug.log = b.app.log
	cfg, err := loadConfig(b.flags, nil)
	require.NoError(t, err)
	b.watch = watcher{app: b.app, now: cfg.Config, files: cfg.Files, digest: cfg.digest, seen: cfg.digest}
	b.http, err = newServers(b.app, cfg.Config)
	require.NoError(t, err)
	b.set, err = listen.Open(t.Context(), specsOf(cfg.Config), &listen.Options{Logger: b.app.log})
	require.NoError(t, err)
	require.NoError(t, b.takeOver(t.Context(), cfg.Config))
	t.Cleanup(func() {
		assert.NoError(t, b.set.Close())
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		b.server.EndStreams()
		assert.NoError(t, b.http.shutdown(ctx))
		assert.NoError(t, b.server.Close())
		b.debug.close()
	})
	return b
}

// locked is a log that several goroutines write.
type locked struct {
	mu sync.Mutex
	w  io.Writer
}

func (l *locked) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(p)
}

func (b *bench) write(text string) {
	b.t.Helper()
	text = string(bytes.ReplaceAll([]byte(text), []byte("DIR"), []byte(b.dir)))
	require.NoError(b.t, os.WriteFile(b.file, []byte(text), 0o644))
}

// reload takes another configuration at once, as who sends SIGHUP wants it.
func (b *bench) reload(text string) {
	b.t.Helper()
	b.write(text)
	b.watch.look(b.t.Context(), true)
}

// tick looks at the files, as is done once a second.
func (b *bench) tick() { b.watch.look(b.t.Context(), false) }

// client has connections of its own to a socket in the directory of the test.
func (b *bench) client(socket string, change ...func(*http.Transport)) *http.Client {
	tr := &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", filepath.Join(b.dir, socket))
		},
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, ForceAttemptHTTP2: true,
	}
	for _, c := range change {
		c(tr)
	}
	b.t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr}
}

// status returns the status and the protocol of an answer.
func status(t *testing.T, c *http.Client, url string) (int, string) {
	t.Helper()
	resp, err := c.Get(url)
	require.NoError(t, err)
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, resp.Body)
	require.NoError(t, err)
	return resp.StatusCode, resp.Proto
}

// certificate writes a certificate of its own with its key into the directory.
func (b *bench) certificate() {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(b.t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: []string{"localhost"}, NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
	}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	require.NoError(b.t, err)
	private, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(b.t, err)
	for name, block := range map[string]*pem.Block{"cert.pem": {Type: "CERTIFICATE", Bytes: cert}, "key.pem": {Type: "PRIVATE KEY", Bytes: private}} {
		require.NoError(b.t, os.WriteFile(filepath.Join(b.dir, name), pem.EncodeToMemory(block), 0o600))
	}
}

const (
	plain   = "listen: [{address: 'unix:DIR/a'}]\nsample: true\n"
	pair    = "certificates: [{certificate: DIR/cert.pem, key: DIR/key.pem}]"
	secured = "listen: [{address: 'unix:DIR/a', tls: {" + pair + "}}]\nsample: true\n"
	sample  = "/sample/sample.ism/Manifest"
)

// TestListenerChanges: what the configuration says of an address that stays holds without a new process.
func TestListenerChanges(t *testing.T) {
	b := newBench(t, plain)
	b.certificate()
	kept := b.client("a")
	code, _ := status(t, kept, "http://localhost"+sample)
	require.Equal(t, 200, code)

	b.reload("listen: [{address: 'unix:DIR/a', for: [operators]}]\nsample: true\n")
	code, _ = status(t, kept, "http://localhost"+sample)
	assert.Equal(t, 404, code, "viewers are not wanted here, on connections that there are either")
	b.reload(plain)
	code, _ = status(t, kept, "http://localhost"+sample)
	assert.Equal(t, 200, code)

	b.reload(secured)
	code, proto := status(t, b.client("a"), "https://localhost"+sample)
	assert.Equal(t, 200, code)
	assert.Equal(t, "HTTP/2.0", proto)
	code, _ = status(t, kept, "http://localhost"+sample)
	assert.Equal(t, 200, code, "who was there is not cut off")

	b.reload("listen: [{address: 'unix:DIR/a', tolerant: true, tls: {minimum: '1.3', clientCA: DIR/cert.pem, " + pair + "}}]\nsample: true\n")
	code, proto = status(t, b.client("a"), "https://localhost"+sample)
	assert.Equal(t, 200, code)
	assert.Equal(t, "HTTP/1.1", proto, "tolerance is for HTTP/1")
	_, err := b.client("a", func(tr *http.Transport) { tr.TLSClientConfig.MaxVersion = tls.VersionTLS12 }).Get("https://localhost" + sample)
	assert.ErrorContains(t, err, "protocol version")
	conn, err := tls.Dial("unix", filepath.Join(b.dir, "a"), &tls.Config{InsecureSkipVerify: true})
	require.NoError(t, err)
	defer conn.Close()
	fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost : localhost\r\n\r\n", sample)
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	require.NoError(t, err)
	resp.Body.Close()
	assert.Equal(t, 200, resp.StatusCode, "an old encoder's blank")
}

// TestCertificateMissing: a certificate that cannot be used leaves everything as it was, also what is checked before it.
func TestCertificateMissing(t *testing.T) {
	b := newBench(t, plain)
	for _, name := range []string{"cert.pem", "key.pem"} {
		require.NoError(t, os.WriteFile(filepath.Join(b.dir, name), []byte("no certificate"), 0o600))
	}
	b.reload(secured + "log: {level: debug}\nusage: {metrics: /other}\n")
	c := b.client("a")
	for path, want := range map[string]int{sample: 200, "/other": 404} {
		code, _ := status(t, c, "http://localhost"+path)
		assert.Equal(t, want, code, path)
	}
	assert.Equal(t, slog.LevelInfo, b.level.Level())
	assert.Contains(t, b.log.String(), "the configuration stays as it was")
}

// TestAddressGoes: requests of an address that is not configured any more end as they began, and it can come again.
func TestAddressGoes(t *testing.T) {
	both := "listen: [{address: 'unix:DIR/a'}, {address: 'unix:DIR/b'}]\nsample: true\nroot: DIR\nthrottle: {disabled: true}\n"
	b := newBench(t, both)
	const size = 16 << 20
	require.NoError(t, os.WriteFile(filepath.Join(b.dir, "film.mp3"), make([]byte, size), 0o644))
	c := b.client("b")
	code, _ := status(t, c, "http://localhost"+sample)
	require.Equal(t, 200, code)
	resp, err := c.Get("http://localhost/film.mp3")
	require.NoError(t, err)
	defer resp.Body.Close()
	gone := b.http.server(listen.Spec{Address: "unix:" + b.dir + "/b"})

	b.reload("listen: [{address: 'unix:DIR/a'}]\nsample: true\nroot: DIR\nthrottle: {disabled: true}\n")
	_, err = b.client("b").Get("http://localhost/healthz")
	require.Error(t, err)
	assert.Len(t, b.http.all(), 2, "one of them is leaving")
	b.reload(both)
	code, _ = status(t, b.client("b"), "http://localhost"+sample)
	assert.Equal(t, 200, code)
	assert.NotSame(t, gone, b.http.server(listen.Spec{Address: "unix:" + b.dir + "/b"}))

	n, err := io.Copy(io.Discard, resp.Body)
	require.NoError(t, err)
	assert.Equal(t, int64(size), n)
	b.http.leaving.Wait()
	assert.Len(t, b.http.all(), 2)
}

// TestHalfWritten: a file that changes is taken when it does not change any more, one that vanishes is not, and nothing is missed.
func TestHalfWritten(t *testing.T) {
	metrics := func(path string) string { return plain + "usage: {metrics: " + path + "}\n" }
	b := newBench(t, metrics("/one"))
	c := b.client("a")
	at := func(path string) bool {
		code, _ := status(t, c, "http://localhost"+path)
		return code != 404
	}
	b.tick()
	require.True(t, at("/one"))

	b.write("") // truncated, which is a configuration too
	b.tick()
	assert.True(t, at("/one"), "who writes it is not done")
	b.write(metrics("/two"))
	b.tick()
	assert.True(t, at("/one"))
	b.tick()
	assert.True(t, at("/two"), "it is the same twice")
	assert.False(t, at("/one"))

	require.NoError(t, os.Remove(b.file))
	b.tick()
	b.tick()
	assert.True(t, at("/two"))
	assert.Contains(t, b.log.String(), "the configuration stays as it was")
	b.write("listen: [")
	b.tick()
	b.tick()
	assert.True(t, at("/two"))
	temp := b.file + ".new"
	require.NoError(t, os.WriteFile(temp, bytes.ReplaceAll([]byte(metrics("/three")), []byte("DIR"), []byte(b.dir)), 0o644))
	require.NoError(t, os.Rename(temp, b.file))
	b.tick()
	b.tick()
	assert.True(t, at("/three"))
}

// TestNamedFileRepaired: what is wrong may be in a file that only the configuration that cannot be used names.
func TestNamedFileRepaired(t *testing.T) {
	b := newBench(t, plain)
	aliases := filepath.Join(b.dir, "a.map")
	require.NoError(t, os.WriteFile(aliases, []byte("/old\n"), 0o644))
	b.reload(plain + "aliases: [DIR/a.map]\n")
	c := b.client("a")
	code, _ := status(t, c, "http://localhost/old/Manifest")
	require.Equal(t, 404, code)
	require.NoError(t, os.WriteFile(aliases, []byte("/old/* /sample/sample.ism/*\n"), 0o644))
	b.tick()
	b.tick()
	code, _ = status(t, c, "http://localhost/old/Manifest")
	assert.Equal(t, 200, code)
}

// TestReloadDuringHandover: a signal that comes while another process takes over is not forgotten if that gives up.
func TestReloadDuringHandover(t *testing.T) {
	b := newBench(t, plain)
	require.NoError(t, b.release(t.Context()))
	b.reload(plain + "usage: {metrics: /other}\n")
	c := b.client("a")
	code, _ := status(t, c, "http://localhost/other")
	assert.Equal(t, 404, code)
	require.NoError(t, b.reclaim(t.Context()))
	b.tick()
	code, _ = status(t, c, "http://localhost/other")
	assert.NotEqual(t, 404, code)
}

// TestKept: what needs a new process is told.
func TestKept(t *testing.T) {
	b := newBench(t, plain)
	b.reload(plain + "handover: DIR/h\nlog: {format: json}\nlimits: {connectionAcknowledgement: 3s}\n")
	for _, what := range []string{"another path of handover", "another format of the log", "another connectionAcknowledgement"} {
		assert.Contains(t, b.log.String(), what+" needs a new process")
	}
}

// TestDebugFollows: pprof is where the newest configuration says.
func TestDebugFollows(t *testing.T) {
	b := newBench(t, plain)
	b.reload(plain + "debug: 127.0.0.1:0\n")
	assert.Contains(t, b.log.String(), "msg=pprof address=127.0.0.1:")
	require.NotNil(t, b.debug.srv)
	require.NoError(t, b.release(t.Context()))
	assert.Nil(t, b.debug.srv, "the address is for the new process")
	require.NoError(t, b.reclaim(t.Context()))
	assert.NotNil(t, b.debug.srv)
	b.reload(plain)
	assert.Nil(t, b.debug.srv)
}

// TestDrainTold: a program that is told to end while it drains gives viewers the time that they have then, and cuts nobody at once.
func TestDrainTold(t *testing.T) {
	b := newBench(t, plain+"root: DIR\nthrottle: {disabled: true}\n")
	const size = 16 << 20
	require.NoError(t, os.WriteFile(filepath.Join(b.dir, "film.mp3"), make([]byte, size), 0o644))
	resp, err := b.client("a").Get("http://localhost/film.mp3")
	require.NoError(t, err)
	defer resp.Body.Close()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	assert.True(t, errors.Is(b.drain(ctx), context.Canceled))
	n, err := io.Copy(io.Discard, resp.Body)
	require.NoError(t, err)
	assert.Equal(t, int64(size), n)
}

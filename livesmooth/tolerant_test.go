package livesmooth_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/livesmooth"
)

// tolerantScript is a connection that receives data in pieces, each by one read; nil stands for a timeout.
type tolerantScript struct {
	net.Conn
	pieces [][]byte
	end    error
}

func (c *tolerantScript) Read(p []byte) (int, error) {
	switch {
	case len(c.pieces) == 0:
		return 0, c.end
	case c.pieces[0] == nil:
		c.pieces = c.pieces[1:]
		return 0, os.ErrDeadlineExceeded
	}
	n := copy(p, c.pieces[0])
	if c.pieces[0] = c.pieces[0][n:]; len(c.pieces[0]) == 0 {
		c.pieces = c.pieces[1:]
	}
	return n, nil
}

func (c *tolerantScript) Accept() (net.Conn, error) { return c, nil }
func (c *tolerantScript) Addr() net.Addr            { return nil }
func (c *tolerantScript) Close() error              { return nil }

// tolerantCut cuts data into pieces of a size.
func tolerantCut(data string, size int) (pieces [][]byte) {
	for ; len(data) > size; data = data[size:] {
		pieces = append(pieces, []byte(data[:size]))
	}
	if data != "" {
		pieces = append(pieces, []byte(data))
	}
	return pieces
}

// tolerantConn wraps a script.
func tolerantConn(t testing.TB, pieces [][]byte, end error) net.Conn {
	t.Helper()
	conn, err := livesmooth.TolerantListener(&tolerantScript{pieces: pieces, end: end}).Accept()
	if err != nil {
		t.Fatal(err)
	}
	return conn
}

func tolerantRead(t testing.TB, data string, piece int) string {
	t.Helper()
	got, err := io.ReadAll(tolerantConn(t, tolerantCut(data, piece), io.EOF))
	if err != nil {
		t.Fatal(err)
	}
	return string(got)
}

// tolerantEqual compares what may be too long to be shown.
func tolerantEqual(t *testing.T, want, got string, size int) {
	t.Helper()
	if want != got {
		t.Errorf("in pieces of %d bytes:\nwant %d bytes %.300q\ngot  %d bytes %.300q", size, len(want), want, len(got), got)
	}
}

const (
	tolerantBlank    = "Connection : Keep-Alive\r\n"
	tolerantRepaired = "Connection: Keep-Alive\r\n"
	// tolerantTrap is content that looks like a head that needs repair.
	tolerantTrap = "POST /trap HTTP/1.1\r\n" + tolerantBlank + "\r\n"
)

// tolerantGet is a request that is repaired wherever a head is expected.
const tolerantGet = "GET / HTTP/1.1\r\nHost: h\r\n" + tolerantBlank + "\r\n"

func tolerantChunks(contents ...string) string {
	var b strings.Builder
	for _, c := range contents {
		fmt.Fprintf(&b, "%x\r\n%s\r\n", len(c), c)
	}
	return b.String() + "0\r\n\r\n"
}

// tolerantRepairs are connections that are repaired: BLANK is where the blanks are.
var tolerantRepairs = []struct{ name, data string }{
	{"one", "GET / HTTP/1.1\r\nHost: h\r\nConnectionBLANK: Keep-Alive\r\n\r\n"},
	{"HTTP/1.0", "GET / HTTP/1.0\r\nConnectionBLANK: Keep-Alive\r\nHostBLANK: h\r\n\r\n"},
	{"several", "GET /a?b:c HTTP/1.1\r\nHost:h\r\nX-ABLANK:\r\nX-BBLANK::  a : b\t\r\nX-CBLANK: y\r\n\r\n"},
	{"pipelined", "GET / HTTP/1.1\r\nXBLANK:y\r\n\r\nHEAD / HTTP/1.1\r\nXBLANK:y\r\n\r\nGET / HTTP/1.1\r\nZBLANK:y\r\n\r\n"},
	{"length", "POST / HTTP/1.1\r\nXBLANK:y\r\ncontent-LENGTH:  53\t\r\n\r\n" + tolerantTrap + "12345\r\n" + "GET / HTTP/1.1\r\nXBLANK:y\r\n\r\n"},
	{"probe", "POST / HTTP/1.1\r\nContent-Length: 0\r\nXBLANK:y\r\n\r\nGET / HTTP/1.1\r\nXBLANK:y\r\n\r\n"},
	{"chunks", "POST / HTTP/1.1\r\nTransfer-Encoding: Chunked\r\nXBLANK:y\r\n\r\n" + tolerantChunks(tolerantTrap, "\r\n\r\n", tolerantTrap) + "GET / HTTP/1.1\r\nXBLANK:y\r\n\r\n"},
	{"extensions", "PUT / HTTP/1.1\r\ntransfer-encoding:chunked\r\n\r\n00B; a : b\r\nhello world\r\n1 \t;\r\nx\r\n000;z\r\n\r\nGET / HTTP/1.1\r\nXBLANK:y\r\n\r\n"},
	{"trailers", "PUT / HTTP/1.1\r\nTransfer-Encoding:chunked\r\n\r\n0\r\nA : b\r\nC: d\r\n\r\nGET / HTTP/1.1\r\nXBLANK:y\r\n\r\n"},
	{"empty lines", "POST / HTTP/1.1\r\nContent-Length:1\r\n\r\nx\r\n\r\nGET / HTTP/1.1\r\nXBLANK:y\r\n\r\n"},
	{"upgrade", "GET / HTTP/1.1\r\nConnectionBLANK: upgrade\r\nUpgradeBLANK: websocket\r\n\r\n" + tolerantTrap},
	{"another protocol", "CONNECT h:80 HTTP/1.1\r\nXBLANK:y\r\n\r\n" + tolerantTrap},
	{"breaks off in a body", "POST / HTTP/1.1\r\nContent-Length:99\r\nXBLANK:y\r\n\r\n" + tolerantTrap},
	{"breaks off in a head", "GET / HTTP/1.1\r\nXBLANK:y\r\n\r\nGET / HTTP/1.1\r\nX : y\r\n"},
	{"large", "GET / HTTP/1.1\r\nXBLANK:" + strings.Repeat("y", 64<<10-25) + "\r\n\r\nGET / HTTP/1.1\r\nXBLANK:y\r\n\r\n"},
}

func TestTolerantRepairs(t *testing.T) {
	for _, tt := range tolerantRepairs {
		t.Run(tt.name, func(t *testing.T) {
			want := strings.ReplaceAll(tt.data, "BLANK", "")
			for _, blanks := range []string{"", " ", "\t \t"} {
				in := strings.ReplaceAll(tt.data, "BLANK", blanks)
				for _, size := range []int{1, 2, 3, 7, 100, len(in)} {
					if size == 1 && len(in) > 10_000 {
						continue
					}
					tolerantEqual(t, want, tolerantRead(t, in, size), size)
				}
			}
		})
	}
}

// TestTolerantUntouched: what is ambiguous or not understood passes as it is, with all that follows.
func TestTolerantUntouched(t *testing.T) {
	head := func(fields string) string { return "POST / HTTP/1.1\r\nHost: h\r\n" + tolerantBlank + fields + "\r\n" }
	chunked := "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
	for name, in := range map[string]string{
		"two lengths":              head("Content-Length: 1\r\nContent-Length: 2\r\n"),
		"equal lengths":            head("Content-Length: 1\r\nContent-Length: 1\r\n"),
		"list of lengths":          head("Content-Length: 1, 1\r\n"),
		"signed length":            head("Content-Length: +1\r\n"),
		"no length":                head("Content-Length:\r\n"),
		"huge length":              head("Content-Length: 9223372036854775808\r\n"),
		"length and chunked":       head("Content-Length: 1\r\nTransfer-Encoding: chunked\r\n"),
		"chunked and length":       head("Transfer-Encoding: chunked\r\nContent-Length: 1\r\n"),
		"blank and length":         head("Transfer-Encoding : chunked\r\nContent-Length: 1\r\n"),
		"length and blank":         head("Content-Length: 1\r\nTransfer-Encoding : chunked\r\n"),
		"blank before length":      head("Content-Length : 1\r\n"),
		"blank before chunked":     head("Transfer-Encoding\t: chunked\r\n"),
		"two encodings":            head("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"),
		"list of encodings":        head("Transfer-Encoding: gzip, chunked\r\n"),
		"identity":                 head("Transfer-Encoding: identity\r\n"),
		"chunked with HTTP/1.0":    "POST / HTTP/1.0\r\n" + tolerantBlank + "Transfer-Encoding: chunked\r\n\r\n",
		"folded":                   head("A: b\r\n c\r\n"),
		"folded at the beginning":  "GET / HTTP/1.1\r\n " + tolerantBlank + "\r\n",
		"no colon":                 head("A\r\n"),
		"no name":                  head(" : a\r\n"),
		"blank in a name":          head("A B : c\r\n"),
		"no token":                 head("A\u00e9 : c\r\n"),
		"control":                  head("A : \x01\r\n"),
		"zero":                     head("A : \x00\r\n"),
		"carriage return":          head("A : b\rc\r\n"),
		"line feed":                head("A : b\n"),
		"line feeds":               strings.ReplaceAll(head(""), "\r", ""),
		"request line":             "POST  / HTTP/1.1\r\n" + tolerantBlank + "\r\n",
		"request line, no target":  "POST  HTTP/1.1\r\n" + tolerantBlank + "\r\n",
		"request line, version":    "POST / HTTP/1.2\r\n" + tolerantBlank + "\r\n",
		"request line, HTTP/0.9":   "GET /\r\n" + tolerantBlank + "\r\n",
		"request line, method":     "P(ST / HTTP/1.1\r\n" + tolerantBlank + "\r\n",
		"request line, target":     "POST /\x01 HTTP/1.1\r\n" + tolerantBlank + "\r\n",
		"HTTP/2":                   "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
		"TLS":                      "\x16\x03\x01\x02\x00",
		"too large":                head("A: " + strings.Repeat("b", 64<<10) + "\r\n"),
		"too many":                 head(strings.Repeat("A: b\r\n", 64<<10/6)),
		"endless line":             "GET /" + strings.Repeat("a", 70<<10),
		"chunk without size":       chunked + "\r\n",
		"chunk with a long size":   chunked + "00000000000000001\r\nx\r\n0\r\n\r\n",
		"chunk size":               chunked + "x\r\n",
		"chunk size with a sign":   chunked + "+1\r\nx\r\n0\r\n\r\n",
		"chunk line, line feed":    chunked + "1\nx\r\n0\r\n\r\n",
		"chunk line, return":       chunked + "1\rx\r\n0\r\n\r\n",
		"chunk line, long":         chunked + "1;" + strings.Repeat("a", 4<<10) + "\r\nx\r\n0\r\n\r\n",
		"chunk end":                chunked + "1\r\nxy\r\n0\r\n\r\n",
		"chunk end, line feed":     chunked + "1\r\nx\n0\r\n\r\n",
		"trailer, line feed":       chunked + "0\r\nA: b\n\r\n",
		"trailer, carriage return": chunked + "0\r\nA: b\rc\r\n\r\n",
		"trailers, long":           chunked + "0\r\n" + strings.Repeat("A: b\r\n", 64<<10/6+1) + "\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			if name != "TLS" && name != "endless line" {
				in += tolerantGet
			}
			for _, size := range []int{1, 3, len(in) + 1} {
				if size > 1 || len(in) < 10_000 {
					tolerantEqual(t, in, tolerantRead(t, in, size), size)
				}
			}
		})
	}
}

// TestTolerantDoesNotWait: what is not a head that goes on is passed on without waiting for more.
func TestTolerantDoesNotWait(t *testing.T) {
	for _, in := range []string{
		"\x16\x03\x01\x02\x00", "GET /\r\n", "GET / HTTP/1.1\nHost", "GET / HTTP/1.1\r\nHost: h\n", "GET / HTTP/1.1\r\n folded\r\n",
		strings.Repeat("a", 64<<10+1), "GET / HTTP/1.1\r\n\r\n", "\r\n", "GET / HTTP/1.1\r\nContent-Length: 5\r\n\r\nab",
		"GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5", "GET / HTTP/1.1\r\nUpgrade: x\r\n\r\nGET ", "CONNECT h HTTP/1.1\r\n\r\nGET ",
	} {
		conn := tolerantConn(t, append(tolerantCut(in, 1000), nil), io.EOF)
		got := make([]byte, len(in))
		_, err := io.ReadFull(conn, got)
		require.NoError(t, err, "%.40q", in)
		assert.Equal(t, in, string(got))
		_, err = conn.Read(got)
		assert.ErrorIs(t, err, os.ErrDeadlineExceeded)
	}
}

// TestTolerantTimeout: net/http lets reads time out and goes on afterwards, in whatever place.
func TestTolerantTimeout(t *testing.T) {
	in := tolerantGet + "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n" + tolerantBlank + "\r\n" + tolerantChunks("hello") + tolerantGet
	want := strings.ReplaceAll(in, tolerantBlank, tolerantRepaired)
	failure := errors.New("broken")
	for at := range len(in) + 1 {
		conn := tolerantConn(t, [][]byte{[]byte(in[:at]), nil, []byte(in[at:])}, failure)
		if at == 0 || at == len(in) {
			conn = tolerantConn(t, [][]byte{nil, []byte(in)}, failure)
		}
		var got []byte
		p := make([]byte, 10)
		timeouts := 0
		for {
			n, err := conn.Read(p)
			got = append(got, p[:n]...)
			if errors.Is(err, os.ErrDeadlineExceeded) {
				timeouts++
			} else if err != nil {
				require.ErrorIs(t, err, failure)
				break
			}
		}
		require.Equal(t, want, string(got), "timeout at %d", at)
		require.Equal(t, 1, timeouts)
		_, err := conn.Read(p)
		require.ErrorIs(t, err, failure)
		n, err := conn.Read(nil)
		require.Zero(t, n)
		require.NoError(t, err)
	}
}

// tolerantServer runs net/http behind a tolerant listener. It answers with what it got.
func tolerantServer(t *testing.T, wrap func(net.Listener) net.Listener) string {
	t.Helper()
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		fmt.Fprintf(w, "%s %s [%s] %q", r.Method, r.URL, r.Header.Get("Connection"), body)
	})}
	done := make(chan error, 1)
	go func() { done <- server.Serve(wrap(inner)) }()
	t.Cleanup(func() {
		assert.NoError(t, server.Close())
		assert.ErrorIs(t, <-done, http.ErrServerClosed)
	})
	return inner.Addr().String()
}

// tolerantTalk sends requests over one connection and returns the status and body of each answer until the end.
func tolerantTalk(t *testing.T, addr string, requests ...string) (answers []string) {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	require.NoError(t, err)
	defer conn.Close()
	require.NoError(t, conn.SetDeadline(time.Now().Add(20*time.Second)))
	r := bufio.NewReader(conn)
	for _, q := range requests {
		_, err := io.WriteString(conn, q)
		require.NoError(t, err)
		res, err := http.ReadResponse(r, nil)
		if err != nil {
			return append(answers, "closed")
		}
		body, err := io.ReadAll(res.Body)
		require.NoError(t, err)
		answers = append(answers, fmt.Sprintf("%d %s", res.StatusCode, body))
		if res.Close {
			return answers
		}
	}
	return answers
}

// tolerantEncoder is what the push encoder samples send: a probe, then a body of which each box is a chunk.
var tolerantEncoder = []string{
	"POST /live/demo.isml HTTP/1.1\r\nUser-Agent: NSPlayer/7.0 IIS-LiveStream/7.0\r\nHost: h\r\nConnection: Keep-Alive\r\nContent-Length: 0\r\n\r\n",
	"POST /live/demo.isml/Streams(a) HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: Chunked\r\nConnection : Keep-Alive\r\n\r\n" +
		tolerantChunks("ftyp", tolerantTrap, "mfra"),
	"GET /again HTTP/1.1\r\nHost: h\r\nConnection :close\r\n\r\n",
}

func TestTolerantListenerWithHTTP(t *testing.T) {
	plain := tolerantServer(t, func(l net.Listener) net.Listener { return l })
	assert.Equal(t, []string{
		`200 POST /live/demo.isml [Keep-Alive] ""`, "400 400 Bad Request: malformed HTTP request",
	}, strictAnswers(tolerantTalk(t, plain, tolerantEncoder...)), "what the listener is for")

	tolerant := tolerantServer(t, livesmooth.TolerantListener)
	assert.Equal(t, []string{
		`200 POST /live/demo.isml [Keep-Alive] ""`,
		fmt.Sprintf(`200 POST /live/demo.isml/Streams(a) [Keep-Alive] %q`, "ftyp"+tolerantTrap+"mfra"),
		`200 GET /again [close] ""`,
	}, tolerantTalk(t, tolerant, tolerantEncoder...))

	for _, field := range []string{"Content-Length : 1\r\n", "Transfer-Encoding : chunked\r\n", "Content-Length: 1\r\nContent-Length : 2\r\n", "Content-Length: 4\r\nTransfer-Encoding : chunked\r\n"} {
		got := tolerantTalk(t, tolerant, "POST / HTTP/1.1\r\nHost: h\r\n"+field+"Connection : close\r\n\r\n0\r\n\r\n")
		require.Len(t, got, 1, field)
		assert.True(t, strings.HasPrefix(got[0], "400 "), "%s: %s", field, got)
	}
}

// strictAnswers makes the words of net/http about a malformed head the same in every version.
func strictAnswers(answers []string) []string {
	for i, a := range answers {
		if strings.HasPrefix(a, "400 ") {
			answers[i] = "400 400 Bad Request: malformed HTTP request"
		}
	}
	return answers
}

// TestTolerantListenerTLS: outside of TLS it repairs; inside it sees what it does not understand, and does no harm.
func TestTolerantListenerTLS(t *testing.T) {
	certificates := httptest.NewTLSServer(nil)
	defer certificates.Close()
	config := &tls.Config{Certificates: certificates.TLS.Certificates}
	ask := func(addr string) int {
		conn, err := tls.Dial("tcp", addr, &tls.Config{InsecureSkipVerify: true})
		require.NoError(t, err)
		defer conn.Close()
		_, err = io.WriteString(conn, tolerantGet)
		require.NoError(t, err)
		res, err := http.ReadResponse(bufio.NewReader(conn), nil)
		require.NoError(t, err)
		return res.StatusCode
	}
	assert.Equal(t, 200, ask(tolerantServer(t, func(l net.Listener) net.Listener {
		return livesmooth.TolerantListener(tls.NewListener(l, config))
	})))
	assert.Equal(t, 400, ask(tolerantServer(t, func(l net.Listener) net.Listener {
		return tls.NewListener(livesmooth.TolerantListener(l), config)
	})))
}

// TestTolerantConn: the rest is that of the connection inside.
func TestTolerantConn(t *testing.T) {
	a, b := net.Pipe()
	defer a.Close()
	defer b.Close()
	conn, err := livesmooth.TolerantListener(tolerantOne{a}).Accept()
	require.NoError(t, err)
	assert.Same(t, a, conn.(interface{ NetConn() net.Conn }).NetConn())
	assert.ErrorIs(t, conn.(interface{ CloseWrite() error }).CloseWrite(), errors.ErrUnsupported)
	go func() { _, _ = conn.(io.ReaderFrom).ReadFrom(strings.NewReader("hello")) }()
	got := make([]byte, 5)
	_, err = io.ReadFull(b, got)
	require.NoError(t, err)
	assert.Equal(t, "hello", string(got))
	require.NoError(t, conn.SetReadDeadline(time.Unix(1, 0)))
	_, err = conn.Read(got)
	assert.ErrorIs(t, err, os.ErrDeadlineExceeded)

	refused := errors.New("refused")
	_, err = livesmooth.TolerantListener(tolerantNone{refused}).Accept()
	assert.ErrorIs(t, err, refused)

	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	var d net.Dialer
	client, err := d.DialContext(context.Background(), "tcp", l.Addr().String())
	require.NoError(t, err)
	defer client.Close()
	conn, err = livesmooth.TolerantListener(l).Accept()
	require.NoError(t, err)
	defer conn.Close()
	n, err := conn.(io.ReaderFrom).ReadFrom(strings.NewReader("hello"))
	require.NoError(t, err)
	assert.EqualValues(t, 5, n)
	require.NoError(t, conn.(interface{ CloseWrite() error }).CloseWrite())
	all, err := io.ReadAll(client)
	require.NoError(t, err)
	assert.Equal(t, "hello", string(all))
}

type tolerantOne struct{ net.Conn }

func (l tolerantOne) Accept() (net.Conn, error) { return l.Conn, nil }
func (l tolerantOne) Addr() net.Addr            { return l.LocalAddr() }

type tolerantNone struct{ err error }

func (l tolerantNone) Accept() (net.Conn, error) { return nil, l.err }
func (l tolerantNone) Addr() net.Addr            { return nil }
func (l tolerantNone) Close() error              { return nil }

// tolerantSpans returns where the heads of the requests are that net/http reads from data, up to the first that it refuses,
// and how far that is.
func tolerantSpans(data string) (heads [][2]int, end int, complete bool) {
	in := strings.NewReader(data)
	r := bufio.NewReader(in)
	at := func() int { return len(data) - in.Len() - r.Buffered() }
	for {
		if _, err := r.Peek(1); err != nil {
			return heads, at(), true
		}
		start := at()
		q, err := http.ReadRequest(r)
		if err != nil || slices.ContainsFunc(slices.Collect(maps.Keys(q.Header)), func(name string) bool { return strings.ContainsAny(name, " \t") }) {
			return heads, start, false // the server of net/http refuses blanks, ReadRequest does not
		}
		heads = append(heads, [2]int{start, at()})
		if q.Method == http.MethodConnect || q.Header.Get("Upgrade") != "" {
			return heads, at(), true
		}
		if _, err := io.Copy(io.Discard, q.Body); err != nil {
			return heads, at(), false
		}
	}
}

// FuzzTolerantListener: what net/http reads passes untouched; else, nothing is left out but blanks before a colon in what
// net/http takes for a head, too.
func FuzzTolerantListener(f *testing.F) {
	for _, tt := range tolerantRepairs {
		if len(tt.data) < 1000 {
			f.Add([]byte(strings.ReplaceAll(tt.data, "BLANK", "")), uint8(200))
			f.Add([]byte(strings.ReplaceAll(tt.data, "BLANK", " \t")), uint8(5))
		}
	}
	f.Add([]byte("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nTransfer-Encoding : chunked\r\nX : y\r\n\r\n0\r\n\r\n"), uint8(3))
	f.Add([]byte("POST / HTTP/1.1\r\nHost: h\r\nX : y\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n0A : b\r\n\r\n"), uint8(3))
	f.Fuzz(func(t *testing.T, data []byte, size uint8) {
		in := string(data)
		out := tolerantRead(t, in, int(size)+1)
		if _, _, complete := tolerantSpans(in); complete && out != in {
			t.Fatalf("well-formed\n%q became\n%q", in, out)
		}
		heads, end, _ := tolerantSpans(out)
		for i, o := 0, 0; i < len(in); i++ {
			if o < len(out) && in[i] == out[o] && !(out[o] == ' ' && blanksLeftOut(in[i:], out[o:])) {
				o++
				continue
			}
			if o >= len(out) || in[i] != ' ' && in[i] != '\t' {
				t.Fatalf("%q\nbecame\n%q", in, out)
			}
			if o < end && !inSpans(heads, o) {
				t.Fatalf("a body has changed: %q\nbecame\n%q", in, out)
			}
		}
		if strings.ReplaceAll(strings.ReplaceAll(in, " ", ""), "\t", "") != strings.ReplaceAll(strings.ReplaceAll(out, " ", ""), "\t", "") {
			t.Fatalf("%q\nbecame\n%q", in, out)
		}
	})
}

// blanksLeftOut reports whether in begins with blanks before a colon and out with the colon.
func blanksLeftOut(in, out string) bool {
	return strings.HasPrefix(strings.TrimLeft(in, " \t"), ":") && strings.HasPrefix(out, ":")
}

func inSpans(spans [][2]int, at int) bool {
	for _, s := range spans {
		if at >= s[0] && at < s[1] {
			return true
		}
	}
	return false
}

func BenchmarkTolerantBody(b *testing.B) {
	content := strings.Repeat("x", 64<<10)
	stream := bytes.Repeat([]byte("10000\r\n"+content+"\r\n"), 16)
	p := make([]byte, 4<<10)
	b.SetBytes(int64(len(stream)))
	b.ReportAllocs()
	conn := &tolerantScript{pieces: [][]byte{[]byte("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n")}, end: io.EOF}
	wrapped, err := livesmooth.TolerantListener(conn).Accept()
	require.NoError(b, err)
	_, err = wrapped.Read(p)
	require.NoError(b, err)
	for b.Loop() {
		conn.pieces = append(conn.pieces[:0], stream)
		for len(conn.pieces) > 0 {
			if _, err := wrapped.Read(p); err != nil {
				b.Fatal(err)
			}
		}
	}
}

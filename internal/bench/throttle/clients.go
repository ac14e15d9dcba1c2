package main

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"
)

const (
	// perSecond is how many clients begin per second at most.
	perSecond = 5000
	// requestTimeout is how long a client waits for the header.
	requestTimeout = 30 * time.Second
	// readSize is what clients read at once.
	readSize = 64 << 10
)

// received is what the clients tell about the time measured. Rates are in bytes per second.
type received struct {
	Mean, Dev, Least, Most float64
	Failures               int
	Error                  string // of one of them
	Elapsed                time.Duration
}

// client is one connection.
type client struct {
	mu    sync.Mutex // guards the fields below
	bytes int64
	last  time.Time // when the last bytes came
	err   error
}

// mark is what a client has received at a time.
type mark struct {
	bytes int64
	last  time.Time
	err   error
}

func (cl *client) mark() mark {
	cl.mu.Lock()
	defer cl.mu.Unlock()
	return mark{cl.bytes, cl.last, cl.err}
}

// took counts n bytes.
func (cl *client) took(n int) {
	now := time.Now()
	cl.mu.Lock()
	defer cl.mu.Unlock()
	cl.bytes += int64(n)
	cl.last = now
}

// run receives until the connection fails, which it does not before the end.
func (cl *client) run(c *config, id int) {
	err := cl.receive(c, id)
	cl.mu.Lock()
	defer cl.mu.Unlock()
	cl.err = err
}

func (cl *client) receive(c *config, id int) error {
	body, err := open(c, id)
	if err != nil {
		return err
	}
	defer body.Close()
	cl.took(0)
	if c.stalled {
		select {} // the process ends
	}
	buf := make([]byte, readSize)
	for {
		n, err := body.Read(buf)
		cl.took(n)
		if err != nil {
			return err
		}
	}
}

// open asks for the file, as a player of its own.
func open(c *config, id int) (io.ReadCloser, error) {
	addrs := strings.Split(c.addr, ",")
	addr := addrs[id%len(addrs)]
	if s, err := named(c.server); err == nil && s.h2 {
		return openH2(addr, id)
	}
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		return nil, err
	}
	request := fmt.Sprintf("GET /%s HTTP/1.1\r\nHost: %s\r\nX-Playback-Session-Id: %d\r\n\r\n", fileName, addr, id)
	err = errors.Join(conn.SetDeadline(time.Now().Add(requestTimeout)), send(conn, request))
	if err != nil {
		return nil, err
	}
	rest, err := skipHeader(conn)
	if err != nil {
		conn.Close()
		return nil, err
	}
	return &bodyOf{conn, rest}, conn.SetDeadline(time.Time{})
}

func send(conn net.Conn, s string) error {
	_, err := io.WriteString(conn, s)
	return err
}

// bodyOf is a connection after the header, of which the first bytes have been read already.
type bodyOf struct {
	net.Conn
	first []byte
}

func (b *bodyOf) Read(p []byte) (int, error) {
	if len(b.first) == 0 {
		return b.Conn.Read(p)
	}
	n := copy(p, b.first)
	b.first = b.first[n:]
	return n, nil
}

// skipHeader reads the header, and returns what it has read of the body with it.
func skipHeader(r io.Reader) ([]byte, error) {
	buf, n := make([]byte, 4<<10), 0
	for n < len(buf) {
		m, err := r.Read(buf[n:])
		if n += m; err != nil {
			return nil, err
		}
		head, rest, ok := bytes.Cut(buf[:n], []byte("\r\n\r\n"))
		if !ok {
			continue
		}
		if !bytes.HasPrefix(head, []byte("HTTP/1.1 200 ")) {
			return nil, fmt.Errorf("the answer is %.60q", head)
		}
		return bytes.Clone(rest), nil
	}
	return nil, errors.New("the header is too long")
}

// openH2 asks on an HTTP/2 connection of its own.
func openH2(addr string, id int) (io.ReadCloser, error) {
	r, err := http.NewRequest(http.MethodGet, "https://"+addr+"/"+fileName, nil)
	if err != nil {
		return nil, err
	}
	r.Header.Set("X-Playback-Session-Id", fmt.Sprint(id))
	t := &http.Transport{
		ForceAttemptHTTP2: true, ResponseHeaderTimeout: requestTimeout,
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, // the certificate is made up by the server beside us
	}
	resp, err := t.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	if resp.ProtoMajor != 2 || resp.StatusCode != http.StatusOK {
		resp.Body.Close()
		return nil, fmt.Errorf("the answer is %s %s", resp.Proto, resp.Status)
	}
	return resp.Body, nil
}

// clientsChild has the clients begin, tells when they have settled, and then, until in ends, what each line asks for:
// what was received since then.
func clientsChild(c *config, in io.Reader, out io.Writer) error {
	list := make([]client, c.conns)
	each := max(min(time.Second, c.settle)/time.Duration(c.conns), time.Second/perSecond)
	begun := time.Now()
	for i := range list {
		time.Sleep(time.Until(begun.Add(time.Duration(i) * each)))
		go list[i].run(c, i)
	}
	time.Sleep(c.settle)
	fmt.Fprintln(out, "settled")
	marks := make([]mark, len(list))
	for i := range list {
		marks[i] = list[i].mark()
	}
	since := time.Now()
	lines := bufio.NewScanner(in)
	for lines.Scan() {
		r := compare(marks, list)
		r.Elapsed = time.Since(since)
		if err := json.NewEncoder(out).Encode(r); err != nil {
			return err
		}
	}
	return lines.Err()
}

// compare returns what clients have received since the marks.
func compare(before []mark, list []client) received {
	r := received{Least: math.Inf(1)}
	sum, squares, n := 0.0, 0.0, 0.0
	for i := range list {
		now := list[i].mark()
		span := now.last.Sub(before[i].last)
		if now.err != nil {
			r.Failures++
			r.Error = now.err.Error()
			continue
		}
		rate := 0.0
		if span > 0 {
			rate = float64(now.bytes-before[i].bytes) / span.Seconds()
		}
		sum, squares, n = sum+rate, squares+rate*rate, n+1
		r.Least, r.Most = min(r.Least, rate), max(r.Most, rate)
	}
	if n == 0 {
		return received{Failures: r.Failures, Error: r.Error}
	}
	r.Mean = sum / n
	r.Dev = math.Sqrt(max(squares/n-r.Mean*r.Mean, 0))
	return r
}

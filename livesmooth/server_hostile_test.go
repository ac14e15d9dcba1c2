package livesmooth_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/livesmooth"
	"github.com/smoothkit/smoothkit/smooth/smoothtest"
	"github.com/smoothkit/smoothkit/smooth/validate"
)

// wire is a connection whose bytes a test writes itself.
type wire struct {
	net.Conn
	t *testing.T
	r *bufio.Reader
}

func (b *bench) dial() *wire {
	b.t.Helper()
	c, err := net.Dial("tcp", strings.TrimSuffix(strings.TrimPrefix(b.url, "http://"), "/"))
	require.NoError(b.t, err)
	b.t.Cleanup(func() { c.Close() })
	require.NoError(b.t, c.SetDeadline(time.Now().Add(20*time.Second)))
	return &wire{c, b.t, bufio.NewReader(c)}
}

// answer reads a response.
func (w *wire) answer() *http.Response {
	w.t.Helper()
	answer, err := http.ReadResponse(w.r, nil)
	require.NoError(w.t, err)
	_, err = io.Copy(io.Discard, answer.Body)
	require.NoError(w.t, err)
	return answer
}

// chunk returns a chunk of a body.
func chunk(b []byte) string { return fmt.Sprintf("%x\r\n%s\r\n", len(b), b) }

// TestServerWire sends pushes in all the forms that HTTP has for them.
func TestServerWire(t *testing.T) {
	body, err := io.ReadAll(smoothtest.NewEncoder(config()).Body(20 * time.Second))
	require.NoError(t, err)
	mfra := 8
	open := body[:len(body)-mfra] // without its end
	sized := func(method, version, headers string, b []byte) string {
		return fmt.Sprintf("%s /a.isml/Streams(1) HTTP/%s\r\nHost: a\r\n%sContent-Length: %d\r\n\r\n%s", method, version, headers, len(b), b)
	}
	chunked := func(headers string, parts ...[]byte) string {
		s := "POST /a.isml/Streams%281%29 HTTP/1.1\r\nHost: a\r\n" + headers + "Transfer-Encoding: chunked\r\n\r\n"
		for _, p := range parts {
			s += chunk(p)
		}
		return s + "0\r\n\r\n"
	}
	var bytewise [][]byte
	for i := range open[:20_000] {
		bytewise = append(bytewise, open[i:i+1])
	}
	bytewise = append(bytewise, open[20_000:])
	tests := []struct {
		name, send string
		statuses   []int
	}{
		{"with a length", sized("POST", "1.1", "", open), []int{200}},
		{"PUT", sized("PUT", "1.1", "", open), []int{200}},
		{"HTTP/1.0", sized("POST", "1.0", "", open), []int{200}},
		{"chunked", chunked("", open), []int{200}},
		{"in chunks of a byte", chunked("", bytewise...), []int{200}},
		{"Expect", chunked("Expect: 100-continue\r\n", open), []int{100, 200}},
		{"one after the other", sized("POST", "1.1", "", open) + sized("POST", "1.1", "", nil) + chunked("", open) + chunked(""), []int{200, 200, 200, 200}},
		{"breaks off in a box", sized("POST", "1.1", "", open[:len(open)-1]), []int{400}},
		{"twice in one body", chunked("", open, open), []int{200}},
		{"length and chunks", "POST /a.isml/Streams(1) HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n", []int{400}},
		{"a blank before the colon", "POST /a.isml/Streams(1) HTTP/1.1\r\nHost: a\r\nConnection : Keep-Alive\r\n\r\n", []int{400}},
		{"an escaped slash", "POST /a.isml/Streams(a%2Fb) HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n", []int{404}},
	}
	for _, c := range tests {
		t.Run(c.name, func(t *testing.T) {
			b := newBench(t, livesmooth.Options{Logger: slog.New(slog.DiscardHandler)})
			p := b.point("a.isml", nil)
			w := b.dial()
			go func() { _, _ = io.WriteString(w, c.send) }()
			for i, want := range c.statuses {
				require.Equal(t, want, w.answer().StatusCode, "answer %d", i)
			}
			if c.statuses[0] >= 400 && c.name != "breaks off in a box" {
				return
			}
			require.NoError(t, p.Stop(context.Background()))
			report, err := validate.Handler(context.Background(), b.Server, "/a.isml", nil)
			require.NoError(t, err)
			for _, v := range report.Violations { // sent twice is a clock that has begun anew
				assert.Equal(t, "SM410", v.Rule.ID, "%v", v)
			}
			assert.GreaterOrEqual(t, report.Checked.Fragments, 29)
			assert.Zero(t, p.Stats().Pinned)
		})
	}
}

// TestServerLies sends boxes that claim to be what they are not. The answer is there at once, and memory is not taken.
func TestServerLies(t *testing.T) {
	b := newBench(t, livesmooth.Options{Logger: slog.New(slog.DiscardHandler)})
	p := b.point("a.isml", nil)
	e := smoothtest.NewEncoder(config())
	header, two := e.Header(), e.Until(4*time.Second)
	moof := two[:binary.BigEndian.Uint32(two)]
	mdat := two[len(moof):]
	box := func(size uint32, typ string, content ...byte) []byte {
		return append(binary.BigEndian.AppendUint32(nil, size), append([]byte(typ), content...)...)
	}
	unknown := bytes.Clone(moof)
	at := bytes.Index(unknown, []byte("tfhd"))
	binary.BigEndian.PutUint32(unknown[at+8:], 99)
	many := bytes.Clone(moof)
	at = bytes.Index(many, []byte("trun"))
	binary.BigEndian.PutUint32(many[at+8:], 1<<30)
	free := bytes.Repeat(box(8, "free"), 1<<20)
	tests := []struct {
		name   string
		body   []byte
		status int
		ends   bool // the body; or else there is nothing after, and no end
	}{
		{"mdat of 60 MB", joined(header, moof, box(60<<20, "mdat")), 400, true},
		{"mdat of 4 GB", joined(header, moof, box(1<<32-1, "mdat")), 413, false},
		{"moof of 1 GB", joined(header, box(1<<30, "moof")), 413, false},
		{"a small mdat", joined(header, moof, box(9, "mdat", 1)), 400, false},
		{"two moof boxes", joined(header, moof, moof), 400, false},
		{"mdat first", joined(header, mdat), 400, false},
		{"another track", joined(header, unknown, mdat), 400, false},
		{"a billion samples", joined(header, many, mdat), 400, false},
		{"no end of free boxes", joined(header, free), 413, false},
		{"two headers in one", joined(header[:len(header)-1], header), 400, true},
	}
	for _, c := range tests {
		t.Run(c.name, func(t *testing.T) {
			w := b.dial()
			go func() {
				_, _ = io.WriteString(w, "POST /a.isml/Streams(1) HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"+chunk(c.body))
				if c.ends {
					_, _ = io.WriteString(w, "0\r\n\r\n")
				}
			}()
			answer := w.answer()
			assert.Equal(t, c.status, answer.StatusCode)
			assert.True(t, answer.Close)
			assert.Less(t, p.Stats().Memory, int64(8<<20))
		})
	}
	assert.Equal(t, livesmooth.Started, p.State())
}

func joined(parts ...[]byte) []byte { return bytes.Join(parts, nil) }

// TestServerEvents has encoders of different events at the same time.
func TestServerEvents(t *testing.T) {
	b := newBench(t, livesmooth.Options{Logger: slog.New(slog.DiscardHandler)})
	p := b.point("a.isml", nil)
	e := smoothtest.NewEncoder(config())
	start := joined(e.Header(), e.Until(10*time.Second))
	w := b.dial()
	_, err := io.WriteString(w, "POST /a.isml/Events(one)/Streams(1) HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"+chunk(start))
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		s := p.Stats()
		return len(s.Inputs) == 1 && len(s.Inputs[0].Tracks) == 3 && s.Inputs[0].Tracks[2].Received == 5
	}, 5*time.Second, time.Millisecond)
	assert.Equal(t, "one", p.Stats().EventID)
	answer, _ := b.do("POST", "a.isml/Events(two)/Streams(2)", bytes.NewReader(start))
	assert.Equal(t, 400, answer.StatusCode, "another event at the same time")
	answer, _ = b.do("POST", "a.isml/Streams(2)", bytes.NewReader(start))
	assert.Equal(t, 400, answer.StatusCode)
	answer, _ = b.do("POST", "a.isml/Events(one)/Streams(2)", bytes.NewReader(start))
	assert.Equal(t, 200, answer.StatusCode)
	_, err = io.WriteString(w, "0\r\n\r\n")
	require.NoError(t, err)
	assert.Equal(t, 200, w.answer().StatusCode)
}

package playlist_test

import (
	"context"
	"encoding/binary"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/playlist"
)

// elsewhere starts a server that plays one elsewhere.
func elsewhere(t *testing.T, h http.HandlerFunc) *httptest.Server {
	t.Helper()
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	return srv
}

// text answers with a type and a body.
func text(kind, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", kind)
		_, _ = io.WriteString(w, body)
	}
}

// newRemote returns a Remote. Nil options allow the addresses of this machine.
func newRemote(t *testing.T, opts *playlist.RemoteOptions) *playlist.Remote {
	t.Helper()
	if opts == nil {
		opts = &playlist.RemoteOptions{AllowPrivate: true}
	}
	r, err := playlist.NewRemote(opts)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, r.Close()) })
	return r
}

// checkQuiet checks that an error has a kind, and tells nothing of a URL but to those who debug.
func checkQuiet(t *testing.T, err, kind error, source string) {
	t.Helper()
	if !assert.ErrorIs(t, err, kind, source) {
		return
	}
	u, _ := url.Parse(source)
	if u != nil && u.Host != "" {
		assert.NotContains(t, err.Error(), u.Hostname())
		assert.NotContains(t, err.Error(), u.Host)
		if len(u.Path) > 1 {
			assert.NotContains(t, err.Error(), u.Path)
		}
		debug, ok := err.(interface{ Debug() string })
		if assert.True(t, ok, "%T", err) {
			assert.Contains(t, debug.Debug(), u.Hostname())
		}
	}
}

// transport is a function as an http.RoundTripper.
type transport func(*http.Request) (*http.Response, error)

func (f transport) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// reply makes an answer of a transport.
func reply(r *http.Request, status int, body io.ReadCloser, headers ...string) *http.Response {
	resp := &http.Response{StatusCode: status, Header: make(http.Header), Body: body, ContentLength: -1, Request: r}
	for i := 0; i+1 < len(headers); i += 2 {
		resp.Header.Set(headers[i], headers[i+1])
	}
	return resp
}

// names returns a resolver that knows these names, and asks nobody.
func names(table map[string]string) *net.Resolver {
	return &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
		client, server := net.Pipe()
		go answerDNS(server, table)
		return client, nil
	}}
}

// answerDNS answers the questions of one connection until that is closed: two bytes of length before each message, a
// header of twelve, a name in labels, a type and a class. See RFC 1035 sections 4.1 and 4.2.2.
func answerDNS(c net.Conn, table map[string]string) {
	defer c.Close()
	for {
		var length [2]byte
		if _, err := io.ReadFull(c, length[:]); err != nil {
			return
		}
		q := make([]byte, binary.BigEndian.Uint16(length[:]))
		if _, err := io.ReadFull(c, q); err != nil {
			return
		}
		var labels []string
		end := 12
		for q[end] != 0 {
			labels = append(labels, string(q[end+1:end+1+int(q[end])]))
			end += 1 + int(q[end])
		}
		end += 5
		answer := append([]byte(nil), q[:end]...)
		copy(answer[2:12], []byte{0x81, 0x80, 0, 1, 0, 0, 0, 0, 0, 0})
		addr, known := table[strings.ToLower(strings.Join(labels, "."))]
		if !known {
			answer[3] |= 3 // no such name
		} else if a := netip.MustParseAddr(addr); (q[end-3] == 1) == a.Is4() {
			answer[7] = 1
			answer = append(answer, 0xc0, 12, 0, q[end-3], 0, 1, 0, 0, 0, 0, 0, byte(len(a.AsSlice())))
			answer = append(answer, a.AsSlice()...)
		}
		if _, err := c.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(answer))), answer...)); err != nil {
			return
		}
	}
}

// newTLS starts a server with a certificate that nobody vouches for, and returns its URL.
func newTLS(t *testing.T) string {
	t.Helper()
	srv := httptest.NewUnstartedServer(text("text/plain", "a"))
	srv.Config.ErrorLog = log.New(io.Discard, "", 0)
	srv.StartTLS()
	t.Cleanup(srv.Close)
	return srv.URL
}

package joined_test

import (
	"io"
	"net"
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/smoothkit/smoothkit/internal/joined"
)

// segments returns how many segments with data a connection has sent.
func segments(t *testing.T, c *joined.Conn) uint32 {
	t.Helper()
	tcp, ok := c.NetConn().(*net.TCPConn)
	require.True(t, ok)
	raw, err := tcp.SyscallConn()
	require.NoError(t, err)
	var info *unix.TCPInfo
	require.NoError(t, raw.Control(func(fd uintptr) { info, err = unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO) }))
	require.NoError(t, err)
	return info.Data_segs_out
}

// TestOneSegment: header and body together are a segment less than apart, as loopback has room for 32 kB in one from the beginning.
func TestOneSegment(t *testing.T) {
	body := make([]byte, 20_000)
	counts := make(chan uint32, 1)
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		c := joined.Of(r)
		before := segments(t, c)
		w.Header().Set("Content-Length", "20000")
		if r.URL.Path == "/joined" {
			assert.NoError(t, join(w, r, body))
		} else {
			_, err := w.Write(body)
			assert.NoError(t, err)
		}
		counts <- segments(t, c) - before
	})
	sent := make(map[string]uint32)
	for _, path := range []string{"/joined", "/apart"} {
		resp, err := s.Client().Get(s.URL + path)
		require.NoError(t, err)
		_, err = io.Copy(io.Discard, resp.Body)
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		sent[path] = <-counts
	}
	assert.Equal(t, sent["/apart"]-1, sent["/joined"], "%v", sent)
}

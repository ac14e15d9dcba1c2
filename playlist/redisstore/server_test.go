package redisstore_test

import (
	"bufio"
	"context"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/playlist"
	"github.com/smoothkit/smoothkit/playlist/redisstore"
)

// server is a Redis of a test.
type server struct {
	dir, socket string
	args        []string
	cmd         *exec.Cmd
}

// startServer starts a Redis that listens on a socket in a directory of its own until the end of the test. It skips
// the test if there is no redis-server.
func startServer(tb testing.TB, args ...string) *server {
	tb.Helper()
	if _, err := exec.LookPath("redis-server"); err != nil {
		tb.Skip("redis-server is not installed; .ci/run installs it on Debian")
	}
	dir, err := os.MkdirTemp("", "redis") // the name of a socket must be short
	require.NoError(tb, err)
	s := &server{dir: dir, socket: filepath.Join(dir, "s"), args: args}
	tb.Cleanup(func() {
		s.stop(tb)
		_ = os.RemoveAll(dir)
	})
	s.start(tb)
	return s
}

// start starts the server, once more after stop, and waits until it is ready.
func (s *server) start(tb testing.TB) {
	tb.Helper()
	s.cmd = exec.Command("redis-server", append([]string{
		"--port", "0", "--unixsocket", s.socket, "--dir", s.dir, "--save", "", "--daemonize", "no",
	}, s.args...)...)
	out, err := s.cmd.StdoutPipe()
	require.NoError(tb, err)
	require.NoError(tb, s.cmd.Start())
	var log strings.Builder
	for lines := bufio.NewScanner(out); lines.Scan(); {
		log.WriteString(lines.Text() + "\n")
		if strings.Contains(lines.Text(), "eady to accept connections") {
			go func() { _, _ = io.Copy(io.Discard, out) }() // until it ends
			return
		}
	}
	tb.Fatalf("Redis did not start:\n%s", log.String())
}

// stop kills the server.
func (s *server) stop(testing.TB) {
	if s.cmd != nil {
		_ = s.cmd.Process.Kill()
		_ = s.cmd.Wait()
		s.cmd = nil
	}
}

// client returns a new client of the server.
func (s *server) client(tb testing.TB) *redis.Client {
	tb.Helper()
	c := redis.NewClient(&redis.Options{Network: "unix", Addr: s.socket, ContextTimeoutEnabled: true, MaxRetries: 1, DialerRetries: 1})
	tb.Cleanup(func() { _ = c.Close() })
	return c
}

// startCluster starts a Redis Cluster of one server and returns a client of it.
func startCluster(t *testing.T) *redis.ClusterClient {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	port := strconv.Itoa(l.Addr().(*net.TCPAddr).Port)
	require.NoError(t, l.Close())
	s := startServer(t, "--port", port, "--bind", "127.0.0.1", "--cluster-enabled", "yes", "--cluster-port", "0")
	direct := s.client(t)
	require.NoError(t, direct.Do(t.Context(), "CLUSTER", "ADDSLOTSRANGE", 0, 16383).Err())
	require.Eventually(t, func() bool {
		info, err := direct.ClusterInfo(t.Context()).Result()
		return err == nil && strings.Contains(info, "cluster_state:ok")
	}, 10*time.Second, 10*time.Millisecond)
	c := redis.NewClusterClient(&redis.ClusterOptions{Addrs: []string{"127.0.0.1:" + port}, ContextTimeoutEnabled: true})
	t.Cleanup(func() { _ = c.Close() })
	return c
}

var epoch = time.Date(2026, 3, 1, 20, 15, 0, 0, time.UTC)

// frozen is a clock that stands still.
func frozen() time.Time { return epoch }

// newSession returns a session that lives for an hour, and ten minutes without a request.
func newSession() *playlist.Session {
	return &playlist.Session{
		ID: playlist.NewID(), Playlist: "/a.isx", Version: "v", Created: epoch, Used: epoch,
		TimeToLive: time.Hour, InactivityTimeout: 10 * time.Minute, Client: "0",
	}
}

func nothing(*playlist.Session) error { return nil }

// count adds one to the number that the client of a session is.
func count(p *playlist.Session) error {
	n, err := strconv.Atoi(p.Client)
	p.Client = strconv.Itoa(n + 1)
	return err
}

func clientOf(t *testing.T, s *redisstore.Store, id playlist.ID) (client string) {
	t.Helper()
	require.NoError(t, s.Update(t.Context(), id, epoch, func(p *playlist.Session) error { client = p.Client; return nil }))
	return client
}

// hook lets a test act around the pipelines of a client.
type hook func(ctx context.Context, cmds []redis.Cmder, next redis.ProcessPipelineHook) error

// DialHook implements [redis.Hook].
func (h hook) DialHook(next redis.DialHook) redis.DialHook { return next }

// ProcessHook implements [redis.Hook].
func (h hook) ProcessHook(next redis.ProcessHook) redis.ProcessHook { return next }

// ProcessPipelineHook implements [redis.Hook].
func (h hook) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error { return h(ctx, cmds, next) }
}

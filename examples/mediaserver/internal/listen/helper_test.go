package listen_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/examples/mediaserver/internal/listen"
)

// patience is how long a test waits for what must happen. It only matters when it does not.
const patience = 20 * time.Second

var quiet = slog.New(slog.DiscardHandler)

// await receives from a channel.
func await[T any](t *testing.T, c <-chan T, what string) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(patience):
		require.FailNow(t, "nothing came", what)
		panic("not reached")
	}
}

// open opens a Set that is closed at the end of the test.
func open(t *testing.T, opts listen.Options, specs ...listen.Spec) *listen.Set {
	t.Helper()
	if opts.Logger == nil {
		opts.Logger = quiet
	}
	s, err := listen.Open(t.Context(), specs, &opts)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, s.Close()) })
	return s
}

// local is some port of this machine.
var local = listen.Spec{Address: "127.0.0.1:0"}

// served tells which listeners are being served.
type served struct {
	net.Listener
	spec listen.Spec
}

// acceptAll serves by writing a word to whoever comes. Each listener is sent to begun when it begins, and to ended when it
// ends.
func acceptAll(word string, begun, ended chan<- served) listen.ServeFunc {
	return func(l net.Listener, spec listen.Spec) error {
		if begun != nil {
			begun <- served{l, spec}
		}
		for {
			conn, err := l.Accept()
			if err != nil {
				if ended != nil {
					ended <- served{l, spec}
				}
				return err
			}
			io.WriteString(conn, word)
			conn.Close()
		}
	}
}

// read dials an address and returns what comes.
func read(t *testing.T, addr net.Addr) string {
	t.Helper()
	conn, err := net.Dial(addr.Network(), addr.String())
	require.NoError(t, err)
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(patience))
	b, err := io.ReadAll(conn)
	require.NoError(t, err)
	return string(b)
}

// addresses returns the addresses of the sockets of a Set.
func addresses(s *listen.Set) (list []net.Addr) {
	for _, st := range s.Status() {
		list = append(list, st.Addr)
	}
	return list
}

// vault is what only one process can have, such as an archive.
type vault chan struct{}

func newVault() vault { return make(vault, 1) }

func (v vault) open(ctx context.Context) error {
	select {
	case v <- struct{}{}:
		return nil
	case <-ctx.Done():
		return errors.New("somebody else has the archive")
	}
}

func (v vault) close() { <-v }

// process is a media server in short: an http.Server per listener that tells its name, and an archive.
type process struct {
	t     *testing.T
	name  string
	vault vault
	set   *listen.Set
	opts  listen.Options
	conns listen.Conns

	mu      sync.Mutex // guards servers and log
	servers []*http.Server
	log     []string
}

// newProcess returns a process that has not begun.
func newProcess(t *testing.T, name, control string, v vault) *process {
	p := &process{t: t, name: name, vault: v}
	p.opts = listen.Options{Logger: quiet, Handover: control, Release: p.release, Reclaim: p.reclaim, Drain: p.drain,
		State: func() []byte { return []byte("of " + name) }}
	return p
}

// open takes the sockets.
func (p *process) open(specs ...listen.Spec) {
	p.t.Helper()
	var err error
	p.set, err = listen.Open(p.t.Context(), specs, &p.opts)
	require.NoError(p.t, err, p.name)
	p.t.Cleanup(func() { p.set.Close(); p.drain(context.Background()) })
	p.set.Serve(p.serve)
}

// start is the whole start of a process.
func (p *process) start(specs ...listen.Spec) {
	p.t.Helper()
	p.open(specs...)
	require.NoError(p.t, p.set.Ready(p.t.Context()), p.name)
	require.NoError(p.t, p.vault.open(p.t.Context()), p.name)
	require.NoError(p.t, p.set.Done(p.t.Context()), p.name)
}

func (p *process) serve(l net.Listener, _ listen.Spec) error {
	srv := &http.Server{ConnState: p.conns.ConnState, Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		io.WriteString(w, p.name)
	})}
	p.mu.Lock()
	p.servers = append(p.servers, srv)
	p.mu.Unlock()
	return srv.Serve(l)
}

func (p *process) note(what string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.log = append(p.log, what)
}

// history returns what happened to the process.
func (p *process) history() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return fmt.Sprint(p.log)
}

func (p *process) release(context.Context) error {
	p.note("release")
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, srv := range p.servers {
		srv.SetKeepAlivesEnabled(false)
	}
	p.vault.close()
	return nil
}

func (p *process) reclaim(ctx context.Context) error {
	p.note("reclaim")
	return p.vault.open(ctx)
}

func (p *process) drain(ctx context.Context) error {
	p.note("drain")
	p.mu.Lock()
	servers := p.servers
	p.mu.Unlock()
	return p.conns.Drain(ctx, servers...)
}

// get asks for the name of the process that answers.
func get(addr net.Addr) (string, error) {
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: patience}
	r, err := client.Get("http://" + addr.String())
	if err != nil {
		return "", err
	}
	defer r.Body.Close()
	b, err := io.ReadAll(r.Body)
	return string(b), err
}

// answers asserts which process answers.
func answers(t *testing.T, addr net.Addr, name string) {
	t.Helper()
	got, err := get(addr)
	require.NoError(t, err)
	require.Equal(t, name, got)
}

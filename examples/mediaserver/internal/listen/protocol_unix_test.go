//go:build unix

package listen_test

import (
	"bufio"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/examples/mediaserver/internal/listen"
)

// peer is the other end of a control connection, played by a test.
type peer struct {
	t    *testing.T
	conn *net.UnixConn
	in   *bufio.Reader
}

func newPeer(t *testing.T, conn *net.UnixConn) *peer {
	conn.SetDeadline(time.Now().Add(patience))
	return &peer{t, conn, bufio.NewReaderSize(conn, 256<<10)}
}

// say sends text. The other end may have hung up.
func (p *peer) say(text string) { io.WriteString(p.conn, text) }

// hear returns the next line, or an empty string at the end of the connection.
func (p *peer) hear() string {
	line, err := p.in.ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, syscall.ECONNRESET) {
		require.NoError(p.t, err)
	}
	return line
}

const hello = `{"type":"hello","version":1,"pid":1}` + "\n"

// TestOddNewProcess: whatever comes to the control socket, the process goes on with all it has, and can be taken over.
func TestOddNewProcess(t *testing.T) {
	short := 20 * time.Millisecond
	ready := func(p *peer) {
		p.say(hello)
		assert.Contains(p.t, p.hear(), `{"type":"sockets","version":1,`)
		p.say(`{"type":"ready"}` + "\n")
		assert.Equal(p.t, `{"type":"released","state":"b2Ygb2xk"}`+"\n", p.hear(), "with the state in base64")
	}
	for name, tt := range map[string]struct {
		talk     func(p *peer)
		timeouts listen.Timeouts
		answer   string
		history  string
	}{
		"garbage":      {talk: func(p *peer) { p.say("GET / HTTP/1.1\r\n\r\n") }, answer: "control protocol broken", history: "[]"},
		"unknown type": {talk: func(p *peer) { p.say(`{"type":"please"}` + "\n") }, answer: `\"please\"`, history: "[]"},
		"long line":    {talk: func(p *peer) { p.say(strings.Repeat("x", 1<<20)) }, answer: "no end of line within", history: "[]"},
		"half a line":  {talk: func(p *peer) { p.say(hello[:9]); p.conn.CloseWrite() }, answer: "ends within a message", history: "[]"},
		"version": {talk: func(p *peer) { p.say(strings.Replace(hello, ":1", ":2", 1)) },
			answer: "protocol version 2, this process has 1", history: "[]"},
		"wrong order": {talk: func(p *peer) { p.say(`{"type":"done"}` + "\n") }, answer: `\"done\" instead of \"hello\"`,
			history: "[]"},
		"silence": {talk: func(*peer) {}, timeouts: listen.Timeouts{Step: short}, answer: `no \"hello\" within 20ms`,
			history: "[]"},
		"never ready": {talk: func(p *peer) { p.say(hello); p.hear() }, timeouts: listen.Timeouts{Prepare: short},
			answer: `no \"ready\" within 20ms`, history: "[]"},
		"does not want": {talk: func(p *peer) { p.say(hello); p.hear(); p.say(`{"type":"error","text":"no room"}` + "\n") },
			answer: "no room", history: "[]"},
		"never done": {talk: ready, timeouts: listen.Timeouts{Resume: short, Step: time.Second}, answer: `no \"done\" within 20ms`,
			history: "[release reclaim]"},
		"dies": {talk: func(p *peer) { ready(p); p.conn.CloseWrite() }, answer: "done: the other process has ended", history: "[release reclaim]"},
		"fails": {talk: func(p *peer) { ready(p); p.say(`{"type":"error","text":"disk"}` + "\n") }, answer: "disk",
			history: "[release reclaim]"},
		"descriptors": {talk: func(p *peer) { p.sendFiles(hello, 100); p.sendFiles("x", 100) }, answer: "200 descriptors, at most 128",
			history: "[]"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			old := newProcess(t, "old", controlPath(t), newVault())
			old.opts.Timeouts = tt.timeouts
			old.start(local)
			conn, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: old.opts.Handover, Net: "unix"})
			require.NoError(t, err)
			defer conn.Close()
			p := newPeer(t, conn)
			tt.talk(p)
			for line := p.hear(); ; line = p.hear() {
				if strings.HasPrefix(line, `{"type":"error"`) {
					assert.Contains(t, line, tt.answer)
					break
				}
				require.NotEmpty(t, line, "an answer")
			}
			conn.Close()
			require.Eventually(t, func() bool { return old.history() == tt.history }, patience, time.Millisecond, old.history())
			if tt.timeouts == (listen.Timeouts{}) {
				goesOn(t, old, tt.history)
			} else { // so short that another handover might not make it on a busy machine
				answers(t, addresses(old.set)[0], "old")
			}
		})
	}
}

// sendFiles sends text with n descriptors that are no listening sockets.
func (p *peer) sendFiles(text string, n int) {
	p.t.Helper()
	r, w, err := os.Pipe()
	require.NoError(p.t, err)
	defer r.Close()
	defer w.Close()
	fds := make([]int, n)
	for i := range fds {
		fds[i] = int(w.Fd())
	}
	_, _, err = p.conn.WriteMsgUnix([]byte(text), syscall.UnixRights(fds...), nil)
	if !errors.Is(err, syscall.EPIPE) {
		require.NoError(p.t, err)
	}
}

// oldProcess plays an old process at a control socket, once.
func oldProcess(t *testing.T, talk func(p *peer)) (control string) {
	control = controlPath(t)
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: control, Net: "unix"})
	require.NoError(t, err)
	done := make(chan struct{})
	go func() {
		defer close(done)
		conn, err := l.AcceptUnix()
		if assert.NoError(t, err) {
			talk(newPeer(t, conn))
			conn.Close()
		}
	}()
	t.Cleanup(func() { await(t, done, "the old process"); l.Close() })
	return control
}

// TestOddOldProcess: a new process that does not understand the old one says why and leaves it alone.
func TestOddOldProcess(t *testing.T) {
	one := `{"type":"sockets","version":1,"sockets":[{"address":":80"}]}` + "\n"
	for name, tt := range map[string]struct {
		talk func(p *peer)
		want error
		text string
	}{
		"garbage":      {func(p *peer) { p.say("220 mail ready\r\n") }, listen.ErrProtocol, "invalid character"},
		"long line":    {func(p *peer) { p.say(strings.Repeat(" ", 1<<20)) }, listen.ErrProtocol, "no end of line within"},
		"hangs up":     {func(p *peer) { p.hear() }, listen.ErrRefused, "closed the connection without an answer"},
		"hangs up now": {func(*peer) {}, nil, "take over from the process at"},
		"busy":         {func(p *peer) { p.say(`{"type":"busy","text":"later"}` + "\n") }, listen.ErrBusy, "later"},
		"error":        {func(p *peer) { p.say(`{"type":"error","text":"never"}` + "\n") }, listen.ErrRefused, "never"},
		"version": {func(p *peer) { p.say(strings.Replace(one, ":1", ":7", 1)) }, listen.ErrProtocol,
			"protocol version 7, this process has 1"},
		"no descriptors": {func(p *peer) { p.say(one) }, listen.ErrProtocol, "0 descriptors for 1 sockets"},
		"two of them":    {func(p *peer) { p.sendFiles(one, 2) }, listen.ErrProtocol, "2 descriptors for 1 sockets"},
		"no sockets":     {func(p *peer) { p.sendFiles(one, 1) }, listen.ErrProtocol, "socket :80"},
		"odd address": {func(p *peer) { p.sendFiles(strings.Replace(one, ":80", "?", 1), 1) }, listen.ErrProtocol,
			`socket "?"`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			control := oldProcess(t, tt.talk)
			_, err := listen.Open(t.Context(), []listen.Spec{local}, &listen.Options{Handover: control, Logger: quiet})
			require.Error(t, err)
			if tt.want != nil {
				assert.ErrorIs(t, err, tt.want)
			}
			assert.ErrorContains(t, err, tt.text)
			assert.FileExists(t, control)
		})
	}
}

// TestSilentOldProcess: one that does not answer is not waited for longer than its limits.
func TestSilentOldProcess(t *testing.T) {
	t.Parallel()
	opts := &listen.Options{Logger: quiet, Timeouts: listen.Timeouts{Step: 20 * time.Millisecond, Release: time.Millisecond}}
	opts.Handover = oldProcess(t, func(p *peer) { p.hear(); p.hear() })
	_, err := listen.Open(t.Context(), nil, opts)
	require.ErrorIs(t, err, os.ErrDeadlineExceeded)
	assert.ErrorContains(t, err, `no "sockets" within 20ms`)

	opts.Timeouts.Step = 500 * time.Millisecond
	none := `{"type":"sockets","version":1}` + "\n"
	for _, last := range []string{"", `{"type":"released"}` + "\n"} {
		opts.Handover = oldProcess(t, func(p *peer) {
			p.hear()
			p.say(none)
			p.hear()
			p.say(last)
			p.hear()
			p.hear()
		})
		s, err := listen.Open(t.Context(), nil, opts)
		require.NoError(t, err)
		err = s.Done(t.Context())
		assert.ErrorIs(t, err, os.ErrDeadlineExceeded)
		assert.Equal(t, err, s.Done(t.Context()), "it stays so")
		require.NoError(t, s.Close())
	}
}

// TestOldDies: a new process goes on when the connection ends without an error, whenever that is.
func TestOldDies(t *testing.T) {
	none := `{"type":"sockets","version":1}` + "\n"
	for name, last := range map[string]string{"ready": "", "done": `{"type":"released"}` + "\n"} {
		t.Run(name, func(t *testing.T) {
			control := oldProcess(t, func(p *peer) { p.hear(); p.say(none); p.hear(); p.say(last) })
			s := open(t, listen.Options{Handover: control}, local)
			require.NoError(t, s.Done(t.Context()))
			s.Serve(acceptAll("new", nil, nil))
			assert.Equal(t, "new", read(t, addresses(s)[0]))
		})
	}
}

// TestDescriptorsClose: what came with a message that is refused does not stay open.
func TestDescriptorsClose(t *testing.T) {
	r, w, err := os.Pipe()
	require.NoError(t, err)
	defer r.Close()
	rights := syscall.UnixRights(int(w.Fd()), int(w.Fd()))
	control := oldProcess(t, func(p *peer) {
		p.hear()
		_, _, err := p.conn.WriteMsgUnix([]byte("?\n"), rights, nil)
		assert.NoError(t, err)
		assert.Empty(t, p.hear())
	})
	_, err = listen.Open(t.Context(), nil, &listen.Options{Handover: control, Logger: quiet})
	require.ErrorIs(t, err, listen.ErrProtocol)
	require.NoError(t, w.Close())
	r.SetReadDeadline(time.Now().Add(patience))
	_, err = r.Read(make([]byte, 1))
	assert.ErrorIs(t, err, io.EOF)
}

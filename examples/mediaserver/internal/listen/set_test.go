package listen_test

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/examples/mediaserver/internal/listen"
)

// TestServe: every address is served, before and after Serve has been called, with the connections of package net.
func TestServe(t *testing.T) {
	now := time.Unix(1234567890, 0)
	s := open(t, listen.Options{Now: func() time.Time { return now }}, local, local)
	for _, st := range s.Status() {
		assert.Equal(t, listen.Bound, st.State)
		assert.Equal(t, listen.FromBind, st.Origin)
		assert.Equal(t, 1, st.Attempts)
		assert.Equal(t, now, st.Since)
		assert.NoError(t, st.Err)
	}
	begun, ended := make(chan served, 2), make(chan served, 2)
	s.Serve(acceptAll("hello", begun, ended))
	s.Serve(acceptAll("the second call counts", begun, ended))
	for range 2 {
		assert.Equal(t, local, await(t, begun, "serve").spec)
	}
	for _, st := range s.Status() {
		assert.Equal(t, listen.Listening, st.State)
		assert.Equal(t, "hello", read(t, st.Addr))
	}
	addrs := addresses(s)
	require.NoError(t, s.Close())
	require.NoError(t, s.Close())
	assert.Len(t, ended, 2)
	assert.NoError(t, s.Wait())
	_, err := net.Dial("tcp", addrs[0].String())
	assert.Error(t, err)
	assert.ErrorIs(t, s.Update(t.Context(), nil), listen.ErrClosed)
	assert.ErrorIs(t, s.Done(t.Context()), listen.ErrClosed)
}

// TestAcceptReturnsTCP: sendfile needs the connection itself.
func TestAcceptReturnsTCP(t *testing.T) {
	s := open(t, listen.Options{}, local)
	conns := make(chan net.Conn, 1)
	s.Serve(func(l net.Listener, _ listen.Spec) error {
		assert.Equal(t, s.Status()[0].Addr, l.Addr())
		conn, err := l.Accept()
		conns <- conn
		return err
	})
	c, err := net.Dial("tcp", addresses(s)[0].String())
	require.NoError(t, err)
	defer c.Close()
	conn := await(t, conns, "connection")
	defer conn.Close()
	assert.IsType(t, &net.TCPConn{}, conn)
}

// TestRetry: a taken address does not stop the others, and is served when it is free.
func TestRetry(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer taken.Close()
	s := open(t, listen.Options{RetryInterval: time.Millisecond}, listen.Spec{Address: taken.Addr().String()}, local)
	begun := make(chan served, 2)
	s.Serve(acceptAll("hello", begun, nil))
	assert.Equal(t, local, await(t, begun, "the free address").spec)

	st := s.Status()[0]
	assert.Equal(t, listen.Waiting, st.State)
	assert.Nil(t, st.Addr)
	assert.Empty(t, st.Origin)
	assert.GreaterOrEqual(t, st.Attempts, 1)
	var ae *listen.AddressError
	require.ErrorAs(t, st.Err, &ae)
	assert.Equal(t, taken.Addr().String(), ae.Address)
	assert.Contains(t, ae.Reason, "is taken by")
	if runtime.GOOS == "linux" {
		assert.Contains(t, ae.Error(), "is taken by this program itself (as "+taken.Addr().String()+"): stop it, ")
	}

	require.NoError(t, taken.Close())
	again := await(t, begun, "the address that was taken")
	assert.Equal(t, "hello", read(t, again.Addr()))
	st = s.Status()[0]
	assert.Equal(t, listen.Listening, st.State)
	assert.NoError(t, st.Err)
	assert.Greater(t, st.Attempts, 1)
}

// TestRetryGrows: the attempts become rarer, up to a limit, and end with Close.
func TestRetryGrows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var at []time.Duration
		begin := time.Now()
		opts := listen.WithListen(listen.Options{Logger: quiet}, func(context.Context, string, string) (net.Listener, error) {
			at = append(at, time.Since(begin))
			return nil, errors.New("not today")
		})
		s, err := listen.Open(t.Context(), []listen.Spec{{Address: "10.1.2.3:80"}}, opts)
		require.NoError(t, err)
		time.Sleep(122*time.Second - time.Millisecond)
		require.NoError(t, s.Close())
		var seconds []int
		for _, d := range at {
			seconds = append(seconds, int(d/time.Second))
		}
		assert.Equal(t, []int{0, 1, 3, 7, 15, 31, 61, 91, 121}, seconds)
	})
}

// TestStrict: if nothing can be bound, Open fails, but only then.
func TestStrict(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer taken.Close()
	bad := listen.Spec{Address: taken.Addr().String()}
	_, err = listen.Open(t.Context(), []listen.Spec{bad}, &listen.Options{Strict: true, Logger: quiet})
	require.ErrorIs(t, err, listen.ErrNoListener)
	assert.ErrorContains(t, err, bad.Address)
	open(t, listen.Options{Strict: true}, bad, local)

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = listen.Open(ctx, []listen.Spec{bad}, nil)
	assert.ErrorIs(t, err, context.Canceled)
}

// TestUpdate: addresses that stay are not touched, the others come and go, in the order of the configuration.
func TestUpdate(t *testing.T) {
	other := listen.Spec{Address: "localhost:0"}
	s := open(t, listen.Options{}, local, other)
	begun, ended := make(chan served, 9), make(chan served, 9)
	s.Serve(acceptAll("hello", begun, ended))
	await(t, begun, "first")
	await(t, begun, "second")
	addrs := addresses(s)

	third := listen.Spec{Address: "127.0.0.1:0"}
	named := listen.Spec{Address: local.Address, Name: "renamed"}
	require.NoError(t, s.Update(t.Context(), []listen.Spec{third, named}))
	assert.Equal(t, other, await(t, ended, "the removed address").spec)
	await(t, begun, "the new address")
	st := s.Status()
	require.Len(t, st, 2)
	assert.Equal(t, addrs[0], st[0].Addr, "the first of two equal ones stays")
	assert.Equal(t, named, st[1].Spec)
	for _, a := range addresses(s) {
		assert.Equal(t, "hello", read(t, a))
	}
	assert.Empty(t, begun)
	assert.Empty(t, ended)

	assert.ErrorIs(t, s.Update(t.Context(), []listen.Spec{{Address: "?"}}), listen.ErrAddress)
	assert.Len(t, s.Status(), 2)
	require.NoError(t, s.Update(t.Context(), nil))
	assert.Empty(t, s.Status())
	assert.Len(t, ended, 2)
}

// TestUpdateFreesFirst: the port of a removed address can be used by a new one that overlaps.
func TestUpdateFreesFirst(t *testing.T) {
	s := open(t, listen.Options{}, local)
	s.Serve(acceptAll("hello", nil, nil))
	_, port, err := net.SplitHostPort(addresses(s)[0].String())
	require.NoError(t, err)
	require.NoError(t, s.Update(t.Context(), []listen.Spec{{Address: "0.0.0.0:" + port}}))
	require.NoError(t, s.Status()[0].Err)
	assert.Equal(t, "hello", read(t, addresses(s)[0]))
}

// TestServeEnds: a serve function that returns by itself is called again after an error, and not when it is done.
func TestServeEnds(t *testing.T) {
	s := open(t, listen.Options{RetryInterval: time.Millisecond}, local)
	calls := make(chan net.Listener, 9)
	results := make(chan error)
	s.Serve(func(l net.Listener, _ listen.Spec) error {
		calls <- l
		err := <-results
		l.Close()
		return err
	})
	await(t, calls, "first call")
	addr := addresses(s)[0]
	results <- errors.New("out of files")
	l := await(t, calls, "second call")
	assert.Equal(t, addr, l.Addr(), "the same socket")
	go func() {
		conn, err := net.Dial("tcp", addr.String())
		if err == nil {
			conn.Close()
		}
	}()
	conn, err := l.Accept()
	require.NoError(t, err)
	conn.Close()
	results <- nil
	require.Eventually(t, func() bool { return s.Status()[0].State == listen.Stopped }, patience, time.Millisecond)
	_, err = net.Dial("tcp", addr.String())
	assert.Error(t, err)

	require.NoError(t, s.Update(t.Context(), []listen.Spec{local}))
	await(t, calls, "a configuration that names it again opens it again")
	results <- net.ErrClosed
}

// TestUnix: the file of a dead process does not matter, that of a live one does, and nothing else is removed.
func TestUnix(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "web")
	dead, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	require.NoError(t, err)
	dead.SetUnlinkOnClose(false)
	require.NoError(t, dead.Close())
	file := filepath.Join(dir, "file")
	require.NoError(t, os.WriteFile(file, []byte("precious"), 0o600))

	spec := listen.Spec{Address: "unix:" + path}
	s := open(t, listen.Options{}, spec, listen.Spec{Address: "unix:" + file}, listen.Spec{Address: "unix:" + dir + "/no/where"})
	s.Serve(acceptAll("hello", nil, nil))
	st := s.Status()
	require.NoError(t, st[0].Err)
	assert.Equal(t, "hello", read(t, st[0].Addr))
	assert.ErrorContains(t, st[1].Err, "is taken: another program answers there, or it is a file that is no socket")
	assert.ErrorContains(t, st[2].Err, "is in a directory that does not exist: create it")
	assert.FileExists(t, file)

	second := open(t, listen.Options{}, spec)
	assert.ErrorContains(t, second.Status()[0].Err, "is taken")
	require.NoError(t, s.Close())
	assert.NoFileExists(t, path)
}

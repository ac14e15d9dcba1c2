package listen_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/examples/mediaserver/internal/listen"
)

// controlPath returns the path of a control socket, or skips where there are none.
func controlPath(t *testing.T) string {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("windows hands nothing over")
	}
	dir, err := os.MkdirTemp("", "listen") // t.TempDir has the name of the test in it, and the path must be short
	require.NoError(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	return filepath.Join(dir, "control")
}

// TestHandover: a new process takes the sockets from the old one, step by step.
func TestHandover(t *testing.T) {
	control, v := controlPath(t), newVault()
	old := newProcess(t, "old", control, v)
	old.start(local)
	info, err := os.Stat(control)
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	addr := addresses(old.set)[0]
	answers(t, addr, "old")

	young := newProcess(t, "new", control, v)
	young.open(local)
	assert.Equal(t, []net.Addr{addr}, addresses(young.set), "port 0 is the same socket")
	assert.Equal(t, listen.Bound, young.set.Status()[0].State)
	assert.Equal(t, listen.FromHandover, young.set.Status()[0].Origin)
	answers(t, addr, "old")
	require.NoError(t, young.set.Ready(t.Context()))
	require.NoError(t, young.set.Ready(t.Context()), "the second time does nothing")
	assert.Equal(t, "of old", string(young.set.State()))
	assert.Nil(t, old.set.State(), "there was nobody before it")
	assert.Equal(t, "[release]", old.history())
	assert.Equal(t, listen.Bound, old.set.Status()[0].State)

	queued := make(chan string, 1)
	go func() {
		name, err := get(addr)
		if err != nil {
			name = err.Error()
		}
		queued <- name
	}()
	require.NoError(t, v.open(t.Context()))
	require.NoError(t, young.set.Done(t.Context()))
	require.NoError(t, young.set.Done(t.Context()), "the second time does nothing")
	assert.Equal(t, "new", await(t, queued, "who came in between"))
	assert.ErrorIs(t, old.set.Wait(), listen.ErrTakenOver)
	assert.Equal(t, "[release drain]", old.history())
	require.NoError(t, old.set.Close())
	assert.ErrorIs(t, old.set.Wait(), listen.ErrTakenOver)
	answers(t, addr, "new")
	assert.FileExists(t, control, "it is that of the new process")

	third := newProcess(t, "third", control, v)
	third.start(local)
	answers(t, addr, "third")
	require.NoError(t, third.set.Close())
	assert.NoFileExists(t, control)
}

// TestHandoverUnderLoad: whoever dials while processes follow one another is served, and nobody is refused or reset.
func TestHandoverUnderLoad(t *testing.T) {
	const clients, handovers, each = 8, 6, 40
	control, v := controlPath(t), newVault()
	names := []string{"0", "1", "2", "3", "4", "5", "6"}
	p := newProcess(t, names[0], control, v)
	p.start(local, local)
	addrs := addresses(p.set)

	type answer struct {
		name string
		err  error
	}
	answered := make(chan answer)
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	for i := range clients {
		wg.Go(func() {
			for ctx.Err() == nil {
				name, err := get(addrs[i%len(addrs)])
				select {
				case answered <- answer{name, err}:
				case <-ctx.Done():
				}
			}
		})
	}
	defer wg.Wait()
	defer cancel()
	hear := func(name string) {
		for n := 0; n < each; {
			a := await(t, answered, "answer")
			require.NoError(t, a.err)
			if a.name == name {
				n++
			}
		}
	}
	hear(names[0])
	for i := 1; i <= handovers; i++ {
		next := newProcess(t, names[i], control, v)
		started := make(chan struct{})
		go func() { defer close(started); next.start(local, local) }()
		hear(names[i])
		await(t, started, "start")
		require.ErrorIs(t, p.set.Wait(), listen.ErrTakenOver)
		require.Equal(t, "[release drain]", p.history())
		p = next
	}
	cancel()
}

// TestOtherAddresses: the new process binds what the old one did not have, and closes what it does not want.
func TestOtherAddresses(t *testing.T) {
	control, v := controlPath(t), newVault()
	web, gone := filepath.Join(filepath.Dir(control), "web"), filepath.Join(filepath.Dir(control), "gone")
	old := newProcess(t, "old", control, v)
	old.start(local, listen.Spec{Address: "unix:" + web}, listen.Spec{Address: "unix:" + gone}, listen.Spec{Address: "localhost:0"})
	before := old.set.Status()

	young := newProcess(t, "new", control, v)
	young.start(listen.Spec{Address: "unix:" + web}, listen.Spec{Address: before[0].Addr.String()}, listen.Spec{Address: "0.0.0.0:0"})
	require.ErrorIs(t, old.set.Wait(), listen.ErrTakenOver)
	st := young.set.Status()
	require.Len(t, st, 3)
	assert.Equal(t, before[1].Addr.String(), st[0].Addr.String())
	assert.Equal(t, before[0].Addr, st[1].Addr, "found by the address that it has")
	for i, origin := range []listen.Origin{listen.FromHandover, listen.FromHandover, listen.FromBind} {
		assert.Equal(t, origin, st[i].Origin)
	}
	answers(t, st[1].Addr, "new")
	answers(t, st[2].Addr, "new")
	conn, err := net.Dial("unix", web)
	require.NoError(t, err, "closing the old one leaves the file")
	conn.Close()
	_, err = net.Dial("tcp", before[3].Addr.String())
	assert.Error(t, err)
	require.NoError(t, young.set.Close())
	assert.NoFileExists(t, web)
}

// TestOverlap: an address that the old process blocks is bound when it has left, without waiting for long.
func TestOverlap(t *testing.T) {
	control, v := controlPath(t), newVault()
	old := newProcess(t, "old", control, v)
	old.start(listen.Spec{Address: "0.0.0.0:0"})
	port := addresses(old.set)[0].(*net.TCPAddr).Port
	young := newProcess(t, "new", control, v)
	young.opts.RetryInterval = time.Second
	young.open(listen.Spec{Address: fmt.Sprintf("127.0.0.1:%d", port)})
	require.Equal(t, listen.Waiting, young.set.Status()[0].State)
	require.NoError(t, young.set.Ready(t.Context()))
	require.NoError(t, v.open(t.Context()))
	require.NoError(t, young.set.Done(t.Context()))
	require.Eventually(t, func() bool { return young.set.Status()[0].State == listen.Listening }, patience, time.Millisecond)
	answers(t, young.set.Status()[0].Addr, "new")
}

// goesOn asserts that the old process has everything back, and can still be taken over.
func goesOn(t *testing.T, old *process, history string) {
	t.Helper()
	addr := addresses(old.set)[0]
	answers(t, addr, "old")
	assert.Equal(t, history, old.history())
	var young *process
	require.Eventually(t, func() bool { // the old one may not have noticed yet that the other one is gone
		young = newProcess(t, "new", old.opts.Handover, old.vault)
		var err error
		young.set, err = listen.Open(t.Context(), []listen.Spec{local}, &young.opts)
		if err != nil {
			require.ErrorIs(t, err, listen.ErrBusy)
		}
		return err == nil
	}, patience, time.Millisecond)
	defer young.set.Close()
	young.set.Serve(young.serve)
	require.NoError(t, young.set.Ready(t.Context()))
	require.NoError(t, old.vault.open(t.Context()))
	require.NoError(t, young.set.Done(t.Context()))
	answers(t, addr, "new")
	require.ErrorIs(t, old.set.Wait(), listen.ErrTakenOver)
}

// TestNewGivesUp: a new process that ends at any step leaves the old one as it was.
func TestNewGivesUp(t *testing.T) {
	for name, tt := range map[string]struct {
		steps   func(p *process)
		history string
	}{
		"after the sockets": {func(*process) {}, "[]"},
		"after ready": {func(p *process) {
			require.NoError(p.t, p.set.Ready(p.t.Context()))
		}, "[release reclaim]"},
		"with the archive": {func(p *process) {
			require.NoError(p.t, p.set.Ready(p.t.Context()))
			require.NoError(p.t, p.vault.open(p.t.Context()))
			p.vault.close()
		}, "[release reclaim]"},
		"no control socket": {func(p *process) {
			require.NoError(p.t, p.set.Ready(p.t.Context()))
			dir := filepath.Dir(p.opts.Handover)
			require.NoError(p.t, os.Rename(dir, dir+".away"))
			defer os.Rename(dir+".away", dir)
			require.ErrorContains(p.t, p.set.Done(p.t.Context()), "control socket")
		}, "[release reclaim]"},
	} {
		t.Run(name, func(t *testing.T) {
			old := newProcess(t, "old", controlPath(t), newVault())
			old.start(local)
			young := newProcess(t, "new", old.opts.Handover, old.vault)
			young.open(local)
			tt.steps(young)
			require.NoError(t, young.set.Close())
			goesOn(t, old, tt.history)
		})
	}
}

// TestOldRefuses: when the old process cannot let go, the new one learns why, and the old one goes on.
func TestOldRefuses(t *testing.T) {
	old := newProcess(t, "old", controlPath(t), newVault())
	fails := true
	old.opts.Release = func(ctx context.Context) error {
		if err := old.release(ctx); !fails {
			return err
		}
		fails = false
		return errors.New("the encoder is not done" + strings.Repeat(", not at all", 20_000))
	}
	old.start(local)
	young := newProcess(t, "new", old.opts.Handover, old.vault)
	young.open(local)
	err := young.set.Ready(t.Context())
	require.ErrorIs(t, err, listen.ErrRefused)
	assert.ErrorContains(t, err, "the encoder is not done")
	require.Error(t, young.set.Done(t.Context()), "nor later")
	require.NoError(t, young.set.Close())
	goesOn(t, old, "[release reclaim]")
}

// TestServeFunctionStays: a serve function that does not return is why the old process cannot let go.
func TestServeFunctionStays(t *testing.T) {
	t.Parallel()
	control, end := controlPath(t), make(chan struct{})
	opts := listen.Options{Handover: control, Timeouts: listen.Timeouts{Step: time.Second}}
	old := open(t, opts, local)
	begun := make(chan served, 9)
	old.Serve(func(l net.Listener, spec listen.Spec) error {
		begun <- served{l, spec}
		<-end
		return nil
	})
	await(t, begun, "serve")
	require.NoError(t, old.Done(t.Context()))
	opts.Timeouts.Step = patience
	young := open(t, opts, local)
	err := young.Ready(t.Context())
	require.ErrorIs(t, err, listen.ErrRefused)
	assert.ErrorContains(t, err, "address 127.0.0.1:0 is still being served after 1s")
	require.NoError(t, young.Close())
	close(end)
	await(t, begun, "serve again")
}

// TestTwoTakers: the second is told that the first is there, and why it failed is not its fault.
func TestTwoTakers(t *testing.T) {
	old := newProcess(t, "old", controlPath(t), newVault())
	old.start(local)
	first := newProcess(t, "first", old.opts.Handover, old.vault)
	first.open(local)
	_, err := listen.Open(t.Context(), []listen.Spec{local}, &old.opts)
	require.ErrorIs(t, err, listen.ErrBusy)
	require.NoError(t, first.set.Ready(t.Context()))
	_, err = listen.Open(t.Context(), []listen.Spec{local}, &old.opts)
	require.ErrorIs(t, err, listen.ErrBusy)
	require.NoError(t, old.vault.open(t.Context()))
	require.NoError(t, first.set.Done(t.Context()))
	answers(t, addresses(first.set)[0], "first")
}

// TestOldCloses: an old process that ends in between, of itself, leaves its sockets to the new one.
func TestOldCloses(t *testing.T) {
	for name, after := range map[string]func(young *process, closeOld func()){
		"before ready": func(young *process, closeOld func()) {
			closeOld()
			young.vault.close()
			require.NoError(young.t, young.set.Ready(young.t.Context()))
			require.NoError(young.t, young.vault.open(young.t.Context()))
			require.NoError(young.t, young.set.Done(young.t.Context()))
		},
		"after ready": func(young *process, closeOld func()) {
			require.NoError(young.t, young.set.Ready(young.t.Context()))
			require.NoError(young.t, young.vault.open(young.t.Context()))
			var wg sync.WaitGroup
			wg.Go(closeOld)
			require.NoError(young.t, young.set.Done(young.t.Context()))
			wg.Wait()
		},
	} {
		t.Run(name, func(t *testing.T) {
			old := newProcess(t, "old", controlPath(t), newVault())
			old.start(local)
			addr := addresses(old.set)[0]
			young := newProcess(t, "new", old.opts.Handover, old.vault)
			young.open(local)
			after(young, func() { assert.NoError(t, old.set.Close()) })
			assert.NotContains(t, old.history(), "reclaim")
			answers(t, addr, "new")
			assert.FileExists(t, young.opts.Handover)
		})
	}
}

// TestDrainEnds: Close ends draining, and so does its time limit.
func TestDrainEnds(t *testing.T) {
	for name, limit := range map[string]time.Duration{"closed": 0, "limit": time.Millisecond} {
		t.Run(name, func(t *testing.T) {
			old := newProcess(t, "old", controlPath(t), newVault())
			draining := make(chan struct{})
			old.opts.Timeouts.Drain = limit
			old.opts.Drain = func(ctx context.Context) error {
				close(draining)
				<-ctx.Done()
				return ctx.Err()
			}
			old.start(local)
			newProcess(t, "new", old.opts.Handover, old.vault).start(local)
			await(t, draining, "drain")
			if limit == 0 {
				require.NoError(t, old.set.Close())
			}
			require.ErrorIs(t, old.set.Wait(), listen.ErrTakenOver)
		})
	}
}

// TestCloseDuringReady: Close ends a wait for the old process.
func TestCloseDuringReady(t *testing.T) {
	old := newProcess(t, "old", controlPath(t), newVault())
	releasing, goOn := make(chan struct{}), make(chan struct{})
	old.opts.Release = func(ctx context.Context) error {
		close(releasing)
		<-goOn
		return old.release(ctx)
	}
	old.start(local)
	young := newProcess(t, "new", old.opts.Handover, old.vault)
	young.open(local)
	failed := make(chan error, 1)
	go func() { failed <- young.set.Ready(t.Context()) }()
	await(t, releasing, "release")
	require.NoError(t, young.set.Close())
	require.ErrorIs(t, await(t, failed, "ready"), context.Canceled)
	close(goOn)
	require.Eventually(t, func() bool { return old.history() == "[release reclaim]" }, patience, time.Millisecond)
	answers(t, addresses(old.set)[0], "old")
}

// TestStaleControlSocket: what a dead process left is replaced, what is no socket is not.
func TestStaleControlSocket(t *testing.T) {
	control := controlPath(t)
	dead, err := net.ListenUnix("unix", &net.UnixAddr{Name: control, Net: "unix"})
	require.NoError(t, err)
	dead.SetUnlinkOnClose(false)
	require.NoError(t, dead.Close())
	p := newProcess(t, "only", control, newVault())
	p.start(local)
	answers(t, addresses(p.set)[0], "only")
	require.NoError(t, p.set.Close())

	require.NoError(t, os.WriteFile(control, []byte("precious"), 0o600))
	_, err = listen.Open(t.Context(), []listen.Spec{local}, &p.opts)
	assert.ErrorContains(t, err, "no socket")
	assert.FileExists(t, control)
}

// TestHandoverOnWindows: it is refused rather than ignored.
func TestHandoverOnWindows(t *testing.T) {
	if runtime.GOOS != "windows" {
		t.Skip("possible here")
	}
	_, err := listen.Open(t.Context(), []listen.Spec{local}, &listen.Options{Handover: "control"})
	assert.ErrorIs(t, err, errors.ErrUnsupported)
}

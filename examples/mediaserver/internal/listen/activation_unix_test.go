//go:build unix

package listen_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/examples/mediaserver/internal/listen"
)

// helperEnv makes the test program a small server; its value is the path of its control socket, or "-".
const helperEnv = "LISTEN_TEST_HELPER"

func TestMain(m *testing.M) {
	if control := os.Getenv(helperEnv); control != "" {
		if err := helper(control); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// report is what the helper says of an address.
type report struct {
	Address, Name, Addr string
	State               listen.State
	Origin              listen.Origin
}

// helper serves the addresses of each line of its input, a list of Specs, and answers with their states. It ends with its input,
// or when it has been taken over.
func helper(control string) error {
	if control == "-" {
		control = ""
	}
	os.Setenv("LISTEN_PID", strconv.Itoa(os.Getpid())) // which the test could not know
	in, out := bufio.NewScanner(os.Stdin), json.NewEncoder(os.Stdout)
	var set *listen.Set
	for in.Scan() {
		var specs []listen.Spec
		if err := json.Unmarshal(in.Bytes(), &specs); err != nil {
			return err
		}
		var err error
		if set != nil {
			err = set.Update(context.Background(), specs)
		} else if set, err = listen.Open(context.Background(), specs, &listen.Options{Handover: control, Logger: quiet}); err == nil {
			set.Serve(acceptAll("helper", nil, nil))
			err = set.Done(context.Background())
		}
		if err != nil {
			return err
		}
		if os.Getenv("LISTEN_FDS") != "" {
			return errors.New("children would inherit LISTEN_FDS")
		}
		var list []report
		for _, st := range set.Status() {
			list = append(list, report{st.Address, st.Name, fmt.Sprint(st.Addr), st.State, st.Origin})
		}
		out.Encode(list)
	}
	if control != "" {
		if err := set.Wait(); !errors.Is(err, listen.ErrTakenOver) {
			return fmt.Errorf("wait: %v", err)
		}
	}
	return set.Close()
}

// helperProcess is a running helper.
type helperProcess struct {
	t   *testing.T
	cmd *exec.Cmd
	in  io.WriteCloser
	out *json.Decoder
}

// startHelper starts a helper that gets descriptors as systemd passes them.
func startHelper(t *testing.T, control, names string, files ...*os.File) *helperProcess {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), helperEnv+"="+control, "LISTEN_FDS="+strconv.Itoa(len(files)), "LISTEN_FDNAMES="+names,
		"GORACE=atexit_sleep_ms=0")
	cmd.ExtraFiles, cmd.Stderr = files, os.Stderr
	in, err := cmd.StdinPipe()
	require.NoError(t, err)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() { cmd.Process.Kill() })
	return &helperProcess{t, cmd, in, json.NewDecoder(out)}
}

// update gives the helper its addresses and returns what it says.
func (h *helperProcess) update(specs ...listen.Spec) (list []report) {
	h.t.Helper()
	require.NoError(h.t, json.NewEncoder(h.in).Encode(specs))
	require.NoError(h.t, h.out.Decode(&list))
	return list
}

// end waits for the helper.
func (h *helperProcess) end() {
	h.t.Helper()
	h.in.Close()
	assert.NoError(h.t, h.cmd.Wait())
}

// listenFile returns a listening socket as systemd has it, and its address.
func listenFile(t *testing.T, network, address string) (*os.File, net.Addr) {
	t.Helper()
	l, err := net.Listen(network, address)
	require.NoError(t, err)
	defer l.Close()
	var f *os.File
	if u, ok := l.(*net.UnixListener); ok {
		u.SetUnlinkOnClose(false)
		f, err = u.File()
	} else {
		f, err = l.(*net.TCPListener).File()
	}
	require.NoError(t, err)
	t.Cleanup(func() { f.Close() })
	return f, l.Addr()
}

// TestActivation: sockets of systemd are found by address and by name, the others are served too, and what a new configuration
// does not name can come back.
func TestActivation(t *testing.T) {
	byAddress, a1 := listenFile(t, "tcp", "127.0.0.1:0")
	byName, a2 := listenFile(t, "tcp", "127.0.0.1:0")
	extra, a3 := listenFile(t, "tcp", "127.0.0.1:0")
	junk, w, err := os.Pipe()
	require.NoError(t, err)
	defer junk.Close()
	defer w.Close()
	h := startHelper(t, "-", "web:media:other:junk", byAddress, byName, extra, junk)
	first, second := listen.Spec{Address: a1.String()}, listen.Spec{Address: "127.0.0.1:1", Name: "media"}
	extraReport := report{a3.String(), "other", a3.String(), listen.Listening, listen.FromActivation}
	accepting := func(list []report) []report {
		for i := range list { // whether the serve function has begun is a matter of moments
			assert.Contains(t, []listen.State{listen.Bound, listen.Listening}, list[i].State)
			list[i].State = listen.Listening
		}
		return list
	}
	assert.Equal(t, []report{
		{first.Address, "", a1.String(), listen.Listening, listen.FromActivation},
		{second.Address, "media", a2.String(), listen.Listening, listen.FromActivation},
		extraReport,
	}, accepting(h.update(first, second)))
	for _, a := range []net.Addr{a1, a2, a3} {
		assert.Equal(t, "helper", read(t, a))
	}
	assert.Equal(t, []report{extraReport}, accepting(h.update()))
	assert.Equal(t, []report{
		{second.Address, "media", a2.String(), listen.Listening, listen.FromActivation},
		{first.Address, "", a1.String(), listen.Listening, listen.FromActivation},
		extraReport,
	}, accepting(h.update(second, first)))
	for _, a := range []net.Addr{a1, a2, a3} {
		assert.Equal(t, "helper", read(t, a))
	}
	h.end()
}

// TestHandoverBetweenProcesses: this process takes over from another one, whose sockets came from systemd. Their files are those of
// systemd, whoever has the sockets.
func TestHandoverBetweenProcesses(t *testing.T) {
	control := controlPath(t)
	path := filepath.Join(filepath.Dir(control), "web")
	web, _ := listenFile(t, "unix", path)
	tcp, addr := listenFile(t, "tcp", "127.0.0.1:0")
	specs := []listen.Spec{{Address: "unix:" + path}, {Address: addr.String()}}
	h := startHelper(t, control, "a:b", web, tcp)
	require.Len(t, h.update(specs...), 2)
	assert.Equal(t, "helper", read(t, addr))

	s := open(t, listen.Options{Handover: control}, specs...)
	s.Serve(acceptAll("parent", nil, nil))
	assert.Equal(t, "helper", read(t, addr))
	require.NoError(t, s.Done(t.Context()))
	h.end()
	for _, st := range s.Status() {
		assert.Equal(t, listen.FromHandover, st.Origin)
		assert.Equal(t, "parent", read(t, st.Addr))
	}
	require.NoError(t, s.Close())
	assert.FileExists(t, path)
}

// TestHolder: who has an address is named.
func TestHolder(t *testing.T) {
	h := startHelper(t, "-", "")
	addr := h.update(local)[0].Addr
	s := open(t, listen.Options{}, listen.Spec{Address: addr})
	var ae *listen.AddressError
	require.ErrorAs(t, s.Status()[0].Err, &ae)
	if runtime.GOOS == "linux" {
		assert.Regexp(t, fmt.Sprintf(`^.+ \(pid %d\)$`, h.cmd.Process.Pid), ae.Holder)
		assert.Equal(t, "is taken by "+ae.Holder, ae.Reason)
	}
	h.end()
}

// TestSocketsOfSystemdStay: what systemd passed to the old process and the configuration does not name is served by the new one too.
func TestSocketsOfSystemdStay(t *testing.T) {
	control := controlPath(t)
	f, addr := listenFile(t, "tcp", "127.0.0.1:0")
	h := startHelper(t, control, "extra", f)
	require.Len(t, h.update(local), 2)
	s := open(t, listen.Options{Handover: control})
	s.Serve(acceptAll("parent", nil, nil))
	require.NoError(t, s.Done(t.Context()))
	h.end()
	require.Len(t, s.Status(), 1, "the address that it bound itself has gone with it")
	assert.Equal(t, listen.Spec{Address: addr.String(), Name: "extra"}, s.Status()[0].Spec)
	assert.Equal(t, "parent", read(t, addr))
}

// TestMainPID: the service manager learns from the old process which the new one is.
func TestMainPID(t *testing.T) {
	path := controlPath(t)
	manager, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	require.NoError(t, err)
	defer manager.Close()
	t.Setenv("NOTIFY_SOCKET", path)
	old := newProcess(t, "old", controlPath(t), newVault())
	old.start(local)
	newProcess(t, "new", old.opts.Handover, old.vault).start(local)
	require.ErrorIs(t, old.set.Wait(), listen.ErrTakenOver)
	if runtime.GOOS != "linux" && runtime.GOOS != "darwin" {
		return // nobody knows who is at the other end
	}
	b := make([]byte, 100)
	n, err := manager.Read(b)
	require.NoError(t, err)
	assert.Equal(t, listen.NotifyMainPID(os.Getpid()), string(b[:n]))
}

// TestActivationOfOthers: what the environment says of another process, or nonsense, is not followed.
func TestActivationOfOthers(t *testing.T) {
	for name, env := range map[string][2]string{
		"another process": {strconv.Itoa(os.Getpid() + 1), "1"},
		"negative":        {strconv.Itoa(os.Getpid()), "-1"},
		"too many":        {strconv.Itoa(os.Getpid()), "1000000000"},
		"no number":       {strconv.Itoa(os.Getpid()), "x"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("LISTEN_PID", env[0])
			t.Setenv("LISTEN_FDS", env[1])
			assert.Empty(t, open(t, listen.Options{}).Status())
		})
	}
}

// TestNotify: states go to the service manager, if there is one.
func TestNotify(t *testing.T) {
	t.Setenv("NOTIFY_SOCKET", "")
	require.NoError(t, listen.Notify(listen.NotifyReady))

	path := controlPath(t)
	manager, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	require.NoError(t, err)
	defer manager.Close()
	t.Setenv("NOTIFY_SOCKET", path)
	require.NoError(t, listen.Notify(listen.NotifyReady, listen.NotifyMainPID(7)))
	b := make([]byte, 100)
	n, err := manager.Read(b)
	require.NoError(t, err)
	assert.Equal(t, "READY=1\nMAINPID=7", string(b[:n]))

	require.NoError(t, listen.Notify(listen.NotifyReloadingAt()))
	n, err = manager.Read(b)
	require.NoError(t, err)
	assert.Regexp(t, `^RELOADING=1(\nMONOTONIC_USEC=\d+)?$`, string(b[:n]))

	require.NoError(t, manager.Close())
	assert.ErrorContains(t, listen.Notify(listen.NotifyStopping), "listen: notify the service manager")
}

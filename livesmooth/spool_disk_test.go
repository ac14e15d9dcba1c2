package livesmooth_test

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/livesmooth"
	"github.com/smoothkit/smoothkit/smooth"
)

// TestSpoolDiskErrors: an error loses the fragment and nothing else, and the next one is kept when the disk works again.
func TestSpoolDiskErrors(t *testing.T) {
	half := func(p []byte) (int, error) { return len(p) / 2, livesmooth.ErrDisk }
	for name, fault := range map[string]livesmooth.SpoolFaults{
		"create":      {Creates: func() error { return livesmooth.ErrDisk }},
		"write":       {Writes: func([]byte) (int, error) { return 0, livesmooth.ErrDisk }},
		"write short": {Writes: half},
	} {
		t.Run(name, func(t *testing.T) {
			s, dir := spoolForTest(t, livesmooth.SpoolOptions{SegmentBytes: 2 << 20})
			p := spoolMedia(5)
			r, h := beginSpool(t, s, p)
			var faults livesmooth.SpoolFaults
			livesmooth.SpoolFault(s, &faults)
			lost := map[smooth.FragmentKey]bool{}
			keys := spoolKeys(t, p)
			for i, k := range keys {
				faults.Creates, faults.Writes = nil, nil
				if i%4 > 1 {
					faults.Creates, faults.Writes = fault.Creates, fault.Writes
				}
				if err := appendSpool(t, r, p, k); err != nil {
					require.ErrorIs(t, err, livesmooth.ErrDisk)
					lost[k] = true
				}
			}
			assert.NotEmpty(t, lost)
			assert.Zero(t, p.open.Load())
			size := int64(0)
			for _, k := range keys {
				if lost[k] {
					_, err := h.Fragment(t.Context(), k)
					require.ErrorIs(t, err, smooth.ErrNotFound)
					continue
				}
				size += int64(len(spoolBytes(t, p, k)))
				spoolSameBytes(t, spoolBytes(t, p, k), spoolBytes(t, h, k), k)
			}
			assert.Equal(t, size, spoolSize(t, dir), "nothing is left of what was lost")
			faults.Creates, faults.Writes = nil, nil
			for _, k := range keys { // now they come again
				require.NoError(t, appendSpool(t, r, p, k))
				spoolSameBytes(t, spoolBytes(t, p, k), spoolBytes(t, h, k), k)
			}
		})
	}
}

func spoolSize(t *testing.T, dir string) (size int64) {
	t.Helper()
	list, err := filepath.Glob(filepath.Join(dir, "*", "*.segment"))
	require.NoError(t, err)
	for _, path := range list {
		info, err := os.Stat(path)
		require.NoError(t, err)
		size += info.Size()
	}
	return size
}

// TestSpoolSourceFails: a fragment that cannot be read is not kept by halves.
func TestSpoolSourceFails(t *testing.T) {
	s, dir := spoolForTest(t, livesmooth.SpoolOptions{})
	p := spoolMedia(1)
	r, h := beginSpool(t, s, p)
	k := spoolKeys(t, p)[0]
	require.Error(t, r.Append(t.Context(), "", smooth.NewFragment(smooth.FragmentInit{
		Key: k, Timescale: smooth.DefaultTimescale, Head: make([]byte, 8), Body: bytes.NewReader(make([]byte, 10)), Size: 100,
	})))
	_, err := h.Fragment(t.Context(), k)
	require.ErrorIs(t, err, smooth.ErrNotFound)
	assert.Zero(t, spoolSegments(t, dir))
}

// TestSpoolFilesVanish: somebody deletes the files of a running process. What was there is lost, what follows is kept.
func TestSpoolFilesVanish(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("open files stay")
	}
	s, dir := spoolForTest(t, livesmooth.SpoolOptions{SegmentBytes: 1})
	p := spoolMedia(2)
	r, h := beginSpool(t, s, p)
	keys := spoolKeys(t, p)
	require.NoError(t, appendSpool(t, r, p, keys[0]))
	home := livesmooth.SpoolHome(s)
	require.NoError(t, os.RemoveAll(home))
	require.NoError(t, appendSpool(t, r, p, keys[1]))
	assert.NotEqual(t, home, livesmooth.SpoolHome(s))
	spoolSameBytes(t, spoolBytes(t, p, keys[1]), spoolBytes(t, h, keys[1]), "the new one")
	_, err := h.Fragment(t.Context(), keys[0])
	require.ErrorIs(t, err, fs.ErrNotExist)

	require.NoError(t, os.RemoveAll(dir))
	require.ErrorIs(t, appendSpool(t, r, p, keys[2]), fs.ErrNotExist)
	require.NoError(t, os.Mkdir(dir, 0o777))
	require.NoError(t, appendSpool(t, r, p, keys[2]))
	spoolSameBytes(t, spoolBytes(t, p, keys[2]), spoolBytes(t, h, keys[2]), "after the directory has come back")

	large := smooth.FragmentKey{Stream: "video", Bitrate: 3_000_000, Time: 20_000_000}
	require.NoError(t, appendSpool(t, r, p, large))
	paths, err := filepath.Glob(filepath.Join(dir, "*", "*.segment"))
	require.NoError(t, err)
	for _, path := range paths {
		require.NoError(t, os.Truncate(path, 10))
	}
	for _, k := range []smooth.FragmentKey{keys[2], large} {
		_, err = h.Fragment(t.Context(), k)
		require.ErrorIs(t, err, io.ErrUnexpectedEOF, "a file that was cut")
	}
}

// TestSpoolLeftovers deletes what a crash has left, and nothing else.
func TestSpoolLeftovers(t *testing.T) {
	dir := t.TempDir()
	var log bytes.Buffer
	opts := &livesmooth.SpoolOptions{Logger: slog.New(slog.NewTextHandler(&log, nil))}
	start := func() *livesmooth.Spool {
		s, err := livesmooth.NewSpool(dir, opts)
		require.NoError(t, err)
		return s
	}
	p := spoolMedia(1)
	fill := func(s *livesmooth.Spool) string {
		r, _ := beginSpool(t, s, p)
		require.NoError(t, appendSpool(t, r, p, spoolKeys(t, p)[0]))
		home := livesmooth.SpoolHome(s)
		require.FileExists(t, filepath.Join(home, "1-1.segment"))
		return home
	}
	write := func(path string, data string) {
		path = filepath.Join(dir, path)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o777))
		require.NoError(t, os.WriteFile(path, []byte(data), 0o600))
	}
	living, dead, mixed := start(), start(), start()
	alive, gone, kept := fill(living), fill(dead), fill(mixed)
	marker, err := os.ReadFile(filepath.Join(alive, "lock"))
	require.NoError(t, err)
	write(filepath.Join(filepath.Base(kept), "holiday.jpg"), "x")
	livesmooth.SpoolCrash(dead)
	livesmooth.SpoolCrash(mixed)

	// Things that look alike.
	write("spool-file", "x")
	write("spool-nolock/1-1.segment", "x")
	write("spool-other/lock", "another program")
	write("spool-other/1-1.segment", "x")
	write("spool-empty/lock", "")
	write("spool-longer/lock", string(marker)+"x")
	write("spool-locked/lock/1-1.segment", "x")
	write("other/lock", string(marker))
	write("other/1-1.segment", "x")
	write("1-1.segment", "x")
	before := spoolFiles(t, dir)
	log.Reset()
	next := start()
	defer next.Close()

	assert.NoDirExists(t, gone)
	assert.NoFileExists(t, filepath.Join(kept, "1-1.segment"))
	assert.FileExists(t, filepath.Join(kept, "holiday.jpg"))
	assert.FileExists(t, filepath.Join(alive, "1-1.segment"))
	assert.Contains(t, log.String(), "deleted what was left")
	assert.Contains(t, log.String(), "bytes=750")
	assert.Contains(t, log.String(), filepath.Base(kept), "says what it cannot delete")
	after := spoolFiles(t, dir)
	for _, name := range before {
		if first := filepath.Base(gone); name == first || filepath.Dir(name) == first || filepath.Dir(name) == filepath.Base(kept) {
			continue
		}
		assert.Contains(t, after, name)
	}
	log.Reset()
	require.NoError(t, start().Close())
	assert.Empty(t, log.String(), "said once")
	require.NoError(t, living.Close())
}

// TestSpoolProcess runs in a process of its own: it makes a spool and waits to be killed.
func TestSpoolProcess(t *testing.T) {
	dir := os.Getenv("SMOOTHKIT_SPOOL_DIR")
	if dir == "" {
		t.Skip("started by TestSpoolCrash")
	}
	s, err := livesmooth.NewSpool(dir, nil)
	require.NoError(t, err)
	p := spoolMedia(1)
	r, _ := beginSpool(t, s, p)
	require.NoError(t, appendSpool(t, r, p, spoolKeys(t, p)[0]))
	_, _ = os.Stdout.WriteString("ready\n")
	_, _ = io.Copy(io.Discard, os.Stdin)
}

// TestSpoolCrash shares a directory with another process, kills that, and finds its files gone.
func TestSpoolCrash(t *testing.T) {
	if runtime.GOOS == "solaris" || runtime.GOOS == "illumos" || runtime.GOOS == "aix" {
		t.Skip("no locks")
	}
	dir := t.TempDir()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestSpoolProcess$")
	cmd.Env = append(os.Environ(), "SMOOTHKIT_SPOOL_DIR="+dir)
	in, err := cmd.StdinPipe()
	require.NoError(t, err)
	defer in.Close()
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	line, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err)
	require.Equal(t, "ready\n", line)

	quiet := &livesmooth.SpoolOptions{Logger: slog.New(slog.DiscardHandler)}
	s, err := livesmooth.NewSpool(dir, quiet)
	require.NoError(t, err)
	require.NoError(t, s.Close())
	assert.Equal(t, 1, spoolSegments(t, dir), "the other process lives")
	require.NoError(t, cmd.Process.Kill())
	var exit *exec.ExitError
	require.True(t, errors.As(cmd.Wait(), &exit))
	assert.Equal(t, 1, spoolSegments(t, dir))
	s, err = livesmooth.NewSpool(dir, quiet)
	require.NoError(t, err)
	assert.Zero(t, spoolSegments(t, dir))
	require.NoError(t, s.Close())
	assert.Empty(t, spoolFiles(t, dir))
}

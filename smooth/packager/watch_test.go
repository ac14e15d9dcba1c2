package packager_test

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/internal/testmedia"
	"github.com/smoothkit/smoothkit/smooth/packager"
)

// inbox is a watch folder at a time that the test sets.
type inbox struct {
	t       *testing.T
	in, out string
	w       *packager.Watcher
	now     time.Time
}

func newInbox(t *testing.T) *inbox {
	b := &inbox{t: t, in: t.TempDir(), out: t.TempDir(), now: time.Unix(1_700_000_000, 0)}
	var err error
	b.w, err = packager.NewWatcher(b.in, b.out, &packager.WatchOptions{Settle: 10 * time.Second})
	require.NoError(t, err)
	return b
}

// put copies one of the test media into the folder, or only its first bytes.
func (b *inbox) put(media, name string, part int) {
	raw, err := os.ReadFile(testmedia.Media(b.t, media))
	require.NoError(b.t, err)
	if part > 0 {
		raw = raw[:part]
	}
	b.text(name, string(raw))
}

func (b *inbox) text(name, content string) {
	path := filepath.Join(b.in, name)
	require.NoError(b.t, os.MkdirAll(filepath.Dir(path), 0o777))
	require.NoError(b.t, os.WriteFile(path, []byte(content), 0o666))
}

// after lets time pass and returns how many jobs a step does.
func (b *inbox) after(d time.Duration) int {
	b.now = b.now.Add(d)
	n, err := b.w.Step(b.t.Context(), b.now)
	require.NoError(b.t, err)
	return n
}

func (b *inbox) report(dir string) string {
	raw, err := os.ReadFile(filepath.Join(b.in, dir, "package.log"))
	require.NoError(b.t, err)
	return string(raw)
}

func TestWatchWaitsForFiles(t *testing.T) {
	b := newInbox(t)
	assert.Zero(t, b.after(0))
	b.put("high.mp4", "film.mp4", 1000)
	assert.Zero(t, b.after(0))
	assert.Zero(t, b.after(9*time.Second))
	b.put("high.mp4", "film.mp4", 2000) // still growing
	assert.Zero(t, b.after(9*time.Second))
	b.put("high.mp4", "film.mp4", 0)
	b.text("film.de.vtt", "WEBVTT\n\n00:00.000 --> 00:01.000\nHallo\n")
	b.text("film.part2.vtt", "another film's")
	assert.Zero(t, b.after(9*time.Second))
	assert.Zero(t, b.after(9*time.Second))
	assert.Equal(t, 1, b.after(time.Second))
	assert.Zero(t, b.after(time.Hour))

	assert.FileExists(t, filepath.Join(b.out, "film.ism"))
	assert.FileExists(t, filepath.Join(b.out, "film_deu.ismt"))
	assert.FileExists(t, filepath.Join(b.in, "done", "film", "film.mp4"))
	assert.FileExists(t, filepath.Join(b.in, "film.part2.vtt"))
	assert.Contains(t, b.report("done/film"), "output film.ism\n")
}

func TestWatchDirectories(t *testing.T) {
	b := newInbox(t)
	b.put("high.mp4", "a/high.mp4", 0)
	b.put("low.mp4", "a/low.mp4", 0)
	b.put("low.mp4", "b/low.mp4", 0)
	b.text("b/ready.job", "")
	b.text("c/readme.txt", "no media")
	b.text(".hidden.mp4", "x")
	assert.Equal(t, 1, b.after(0), "the marked one starts at once")
	assert.FileExists(t, filepath.Join(b.out, "b.ism"))
	assert.Equal(t, 1, b.after(10*time.Second))
	assert.FileExists(t, filepath.Join(b.out, "a.ism"))
	assert.ElementsMatch(t, []string{".hidden.mp4", "c", "done"}, listDir(t, b.in))
	b.put("low.mp4", "a/low.mp4", 0)
	b.text("a/complete", "")
	assert.Equal(t, 1, b.after(0))
	assert.ElementsMatch(t, []string{"a", "a-2", "b"}, listDir(t, filepath.Join(b.in, "done")))
}

// TestWatchTextFirst: captions that come long before their film wait for it.
func TestWatchTextFirst(t *testing.T) {
	b := newInbox(t)
	const cues = "WEBVTT\n\n00:00.000 --> 00:01.000\nHallo\n"
	b.text("a/film.de.vtt", cues)
	assert.Zero(t, b.after(0))
	assert.Zero(t, b.after(time.Hour))
	b.put("low.mp4", "a/film.mp4", 0)
	assert.Zero(t, b.after(0))
	assert.Equal(t, 1, b.after(10*time.Second))
	assert.FileExists(t, filepath.Join(b.out, "a_deu.ismt"))
	b.text("b/film.de.vtt", cues)
	b.text("b/complete", "")
	assert.Equal(t, 1, b.after(0), "texts alone, if that is said")
	assert.FileExists(t, filepath.Join(b.out, "b.ism"))
}

func TestWatchFailures(t *testing.T) {
	b := newInbox(t)
	b.put("high.mp4", "film.mp4", 5000)
	b.put("low.mp4", "good.mp4", 0)
	assert.Zero(t, b.after(0))
	assert.Equal(t, 2, b.after(10*time.Second), "one that fails does not stop the others")
	assert.Contains(t, b.report("failed/film"), "failed: smooth: ")
	assert.FileExists(t, filepath.Join(b.in, "failed", "film", "film.mp4"))
	assert.FileExists(t, filepath.Join(b.out, "good.ism"))
	assert.NoFileExists(t, filepath.Join(b.out, "film.ism"))

	_, err := packager.NewWatcher(b.in, b.in, nil)
	assert.ErrorContains(t, err, "lies in the watch folder")
	_, err = packager.NewWatcher(b.in, filepath.Join(b.in, "done"), nil)
	assert.ErrorContains(t, err, "lies in the watch folder")
	_, err = packager.NewWatcher(filepath.Join(b.in, "none"), b.out, nil)
	assert.ErrorContains(t, err, "is not a directory")
}

// TestWatchCancelled: a job that is interrupted stays for the next run.
func TestWatchCancelled(t *testing.T) {
	b := newInbox(t)
	b.put("low.mp4", "a/low.mp4", 0)
	b.text("a/complete", "")
	ctx, cancel := context.WithCancel(t.Context())
	w, err := packager.NewWatcher(b.in, b.out, &packager.WatchOptions{Options: packager.Options{
		Progress: func(done, total int64) { cancel() },
	}})
	require.NoError(t, err)
	_, err = w.Step(ctx, b.now)
	require.NoError(t, err)
	assert.Empty(t, listDir(t, b.out))
	assert.NoError(t, w.Run(ctx, time.Millisecond))
	assert.Equal(t, 1, b.after(0))
	assert.FileExists(t, filepath.Join(b.out, "a.ism"))
}

func TestWatchSymlinks(t *testing.T) {
	b := newInbox(t)
	if err := os.Symlink(testmedia.Media(t, "low.mp4"), filepath.Join(b.in, "link.mp4")); err != nil {
		t.Skip(err)
	}
	assert.Zero(t, b.after(0))
	assert.Zero(t, b.after(time.Hour))
}

func TestWatchReaderIsBounded(t *testing.T) {
	b := newInbox(t)
	b.text("x/huge.vtt", string(bytes.Repeat([]byte("x"), 17<<20)))
	b.text("x/complete", "")
	assert.Equal(t, 1, b.after(0))
	assert.Contains(t, b.report("failed/x"), "the limit is")
}

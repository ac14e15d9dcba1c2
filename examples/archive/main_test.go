package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/archive"
	"github.com/smoothkit/smoothkit/archive/edit"
	"github.com/smoothkit/smoothkit/smooth"
	"github.com/smoothkit/smoothkit/smooth/smoothtest"
)

func runCommand(args ...string) (code int, out, errOut string) {
	var o, e bytes.Buffer
	code = run(context.Background(), args, &o, &e)
	return code, o.String(), e.String()
}

const event = "live/demo-isml/20260702T120000Z"

// recorded makes an archive with an event of 32 seconds in three segments, and returns its directory.
func recorded(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	store, err := archive.Dir(dir)
	require.NoError(t, err)
	defer store.Close()
	src := smooth.FS(smoothtest.Sample(), nil)
	defer src.Close()
	p, err := src.Open(t.Context(), "sample.ism")
	require.NoError(t, err)
	defer p.Close()
	at := func(s uint64) smooth.Instant { return smooth.AtTicks(s, 1) }
	for i, span := range [][2]uint64{{0, 10}, {10, 20}, {20, 40}} {
		_, err := edit.Trim(t.Context(), p, at(span[0]), at(span[1]), store, path.Join(event, string(rune('1'+i))), "demo", nil)
		require.NoError(t, err)
	}
	return dir
}

// timeline returns that of the picture of a presentation.
func timeline(t *testing.T, dir, name string) smooth.Timeline {
	t.Helper()
	src := smooth.Dir(dir, nil)
	defer src.Close()
	p, err := src.Open(t.Context(), name)
	require.NoError(t, err)
	defer p.Close()
	s, err := p.Snapshot(t.Context())
	require.NoError(t, err)
	return s.Manifest.Stream("video").Timeline
}

func TestMerge(t *testing.T) {
	dir, out := recorded(t), filepath.Join(t.TempDir(), "new", "whole")
	code, text, errText := runCommand("merge", filepath.Join(dir, event), "-to", out)
	require.Equal(t, 0, code, errText)
	assert.Contains(t, text, "from 00:00:00.000 to 00:00:32.")
	assert.Contains(t, text, "3 segments")
	tl := timeline(t, out, "demo.ism")
	assert.Len(t, tl, 16)
	code, _, errText = runCommand("merge", filepath.Join(dir, event), "-to", out)
	assert.Equal(t, 1, code)
	assert.Contains(t, errText, "choose another directory")

	t.Chdir(t.TempDir())
	code, text, errText = runCommand("merge", "-json", filepath.Join(dir, event))
	require.Equal(t, 0, code, errText)
	var r edit.Result
	require.NoError(t, json.Unmarshal([]byte(text), &r))
	assert.NotZero(t, r.Fragments)
	assert.Equal(t, tl, timeline(t, "20260702T120000Z-merged", "demo.ism"))
}

func TestTrim(t *testing.T) {
	dir, out := recorded(t), t.TempDir()
	whole, goal := filepath.Join(out, "whole"), filepath.Join(out, "goal")
	code, text, errText := runCommand("trim", "-from", "00:00:09", "-to", "21.5", filepath.Join(dir, event), "-out", goal)
	require.Equal(t, 0, code, errText)
	assert.Contains(t, text, "from 00:00:07.994 to 00:00:22.", "sound begins a little earlier")
	tl := timeline(t, goal, "demo.ism")
	assert.EqualValues(t, 8*smooth.DefaultTimescale, tl.Start(), "across the segments")

	code, _, errText = runCommand("trim", "-to=12s", filepath.Join(dir, event, "1", "demo.ism"), "-out", whole)
	require.Equal(t, 0, code, errText)
	t.Chdir(filepath.Join(dir, event, "1"))
	code, _, errText = runCommand("trim", "-to=12s", "demo.ism", "-out", filepath.Join(out, "here"))
	require.Equal(t, 0, code, errText)
	code, text, errText = runCommand("trim", "-from", "@80000000", "-rebase", "-out", filepath.Join(out, "zero"), goal)
	require.Equal(t, 0, code, errText)
	assert.Contains(t, text, "times less ")
	assert.Less(t, timeline(t, filepath.Join(out, "zero"), "demo.ism").Start(), uint64(smooth.DefaultTimescale/10), "sound begins at zero")

	for _, args := range [][]string{{"-from", "00:10:00"}, {"-from", "2026-07-02T12:10:00Z"}} {
		nowhere := filepath.Join(out, "nowhere")
		code, _, errText = runCommand(append([]string{"trim", "-out", nowhere, goal}, args...)...)
		assert.Equal(t, 1, code)
		assert.Contains(t, errText, "not found", "nothing is there at %v", args)
		assert.Contains(t, errText, "is 00:00:14.", "how long it is")
		assert.NoDirExists(t, nowhere)
	}
}

func TestCheckAndRepair(t *testing.T) {
	dir := recorded(t)
	code, text, errText := runCommand("check", dir)
	require.Equal(t, 0, code, text+errText)
	assert.Contains(t, text, event+"/2/demo.ism")
	ism := filepath.Join(dir, event, "2", "demo.ism")
	require.NoError(t, os.WriteFile(ism, nil, 0o600))
	media, err := filepath.Glob(filepath.Join(dir, event, "3", "*.ismv"))
	require.NoError(t, err)
	info, err := os.Stat(media[0])
	require.NoError(t, err)
	require.NoError(t, os.Truncate(media[0], info.Size()-2000))

	code, text, _ = runCommand("check", dir)
	assert.Equal(t, 1, code, text)
	code, _, errText = runCommand("merge", filepath.Join(dir, event), "-to", filepath.Join(t.TempDir(), "x"))
	assert.Equal(t, 1, code)
	assert.Contains(t, errText, "archive repair "+filepath.Join(dir, event))

	code, text, errText = runCommand("repair", "-json", filepath.Join(dir, event))
	require.Equal(t, 0, code, text+errText)
	var report struct {
		Assets []struct {
			Name string
			Done []any
		}
	}
	require.NoError(t, json.Unmarshal([]byte(text), &report))
	require.Len(t, report.Assets, 3)
	assert.Empty(t, report.Assets[0].Done)
	assert.NotEmpty(t, report.Assets[1].Done)
	assert.NotEmpty(t, report.Assets[2].Done)
	code, text, errText = runCommand("check", dir)
	assert.Equal(t, 0, code, text+errText)
}

// TestInterrupted: what a server leaves that died can be joined after repair, though the journals stay for the next server.
func TestInterrupted(t *testing.T) {
	dir := recorded(t)
	at, out := filepath.Join(dir, event), filepath.Join(t.TempDir(), "out")
	require.NoError(t, os.WriteFile(filepath.Join(at, "event.json"), []byte(`{"Ended": false}`), 0o600))
	for _, s := range []string{"2", "3"} {
		require.NoError(t, os.WriteFile(filepath.Join(at, s, "demo.journal"), nil, 0o600))
		require.NoError(t, os.WriteFile(filepath.Join(at, s, "demo.ismc"), nil, 0o600))
	}
	code, _, errText := runCommand("merge", at, "-to", out)
	assert.Equal(t, 1, code)
	assert.Contains(t, errText, "archive repair "+at)
	code, text, errText := runCommand("repair", at)
	require.Equal(t, 0, code, text+errText)
	require.FileExists(t, filepath.Join(at, "2", "demo.journal"))
	code, _, errText = runCommand("merge", at, "-to", out)
	require.Equal(t, 0, code, errText)
	assert.Len(t, timeline(t, out, "demo.ism"), 16)
	code, _, errText = runCommand("trim", "-to", "4", filepath.Join(at, "3"), "-out", filepath.Join(out, "goal"))
	assert.Equal(t, 0, code, errText)
}

// TestLocked: what would change an archive in use is refused, what only reads is not.
func TestLocked(t *testing.T) {
	dir := recorded(t)
	store, err := archive.Dir(dir)
	require.NoError(t, err)
	defer store.Close()
	lock, err := store.Lock(t.Context())
	require.NoError(t, err)
	for _, args := range [][]string{
		{"repair", dir}, {"repair", filepath.Join(dir, event)},
		{"merge", filepath.Join(dir, event), "-to", filepath.Join(dir, "live", "whole")}, {"merge", filepath.Join(dir, event), "-to", dir},
	} {
		code, out, errText := runCommand(args...)
		assert.Equal(t, 1, code, args)
		assert.Empty(t, out, "nobody has looked: %v", args)
		assert.NotContains(t, errText, "no presentations", args)
		assert.Contains(t, errText, "in use by another process", args)
		assert.Contains(t, errText, "Stop it first", args)
	}
	code, _, errText := runCommand("check", dir)
	assert.Equal(t, 0, code, errText)
	assert.Contains(t, errText, "a server may be recording there")
	code, _, errText = runCommand("merge", filepath.Join(dir, event), "-to", filepath.Join(t.TempDir(), "whole"))
	assert.Equal(t, 0, code, errText)
	require.NoError(t, lock.Close())
	code, _, errText = runCommand("repair", filepath.Join(dir, event))
	assert.Equal(t, 0, code, errText)
}

func TestUsage(t *testing.T) {
	for _, line := range []string{"", "check", "check a b", "mend a", "trim a", "trim -from 1:2:3:4 .", "check -x a", "-json",
		"check -from 1 a", "repair -rebase a", "merge -payload a", "merge a -to b -out c"} {
		args := strings.Fields(line)
		for i := range args {
			if args[i] == "." {
				args[i] = filepath.Join(recorded(t), event)
			}
		}
		code, out, errText := runCommand(args...)
		assert.Equal(t, 2, code, line)
		assert.Empty(t, out)
		assert.NotEmpty(t, errText, line)
	}
	_, _, errText := runCommand("trim", "a")
	assert.Contains(t, errText, "usage: archive check|repair|merge|trim")
	for _, line := range []string{"-h", "check -help", "trim a -h"} {
		code, _, errText := runCommand(strings.Fields(line)...)
		assert.Equal(t, 0, code, line)
		assert.Contains(t, errText, "usage: archive", line)
	}
	for line, wrong := range map[string]string{"": "no command", "mend a": `no command "mend"`, "check": "0 directories", "trim a": "-from",
		"check -from 1 a": "check has no flag -from", "merge -payload a": "merge has no flag -payload"} {
		_, _, errText := runCommand(strings.Fields(line)...)
		assert.Contains(t, errText, wrong, line)
	}
	for _, line := range []string{"check", "repair", "merge", "trim -to 1"} {
		code, _, errText := runCommand(append(strings.Fields(line), filepath.Join(t.TempDir(), "none"))...)
		assert.Equal(t, 1, code, line)
		assert.Contains(t, errText, "none", line)
		code, _, errText = runCommand(append(strings.Fields(line), t.TempDir())...)
		assert.Equal(t, 1, code, line)
		assert.NotEmpty(t, errText, line)
	}
}

func TestPoint(t *testing.T) {
	const second = smooth.DefaultTimescale
	start := uint64(time.Date(2026, 7, 2, 12, 0, 0, 0, time.UTC).Unix()) * second
	for s, want := range map[string]uint64{
		"0": start, "750": start + 750*second, "00:12:30": start + 750*second, "12:30.25": start + 750*second + second/4, "12m30s": start + 750*second,
		"1:00:00": start + 3600*second, "@5": 5, "2026-07-02T12:10:00Z": start + 600*second, "2026-07-02T14:10:00.5+02:00": start + 600*second + second/2,
	} {
		got, err := point(s, start)
		require.NoError(t, err, s)
		assert.Equal(t, smooth.AtTicks(want, second), got, s)
	}
	for _, s := range []string{"x", "-1", "@", "@-1", "1:60", "1.5:00", "1:2:3:4", ":", "1e300", "NaN", "-5s", "1960-01-01T00:00:00Z"} {
		_, err := point(s, start)
		assert.Error(t, err, s)
	}
	got, err := point("", start)
	require.NoError(t, err)
	assert.True(t, got.IsZero())
	assert.Equal(t, "01:02:03.456", clock(37_234_560_000))
}

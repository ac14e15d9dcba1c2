package main

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const movie = "../../internal/testmedia/media/high.mp4" // of six seconds

// TestMain lets the test binary stand in for the program.
func TestMain(m *testing.M) {
	if os.Getenv("BITRATE_EXAMPLE") != "" {
		main()
	}
	os.Exit(m.Run())
}

// command runs the program.
func command(t *testing.T, args ...string) (code int, out, errOut string) {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.Command(self, args...)
	cmd.Env = append(os.Environ(), "BITRATE_EXAMPLE=1")
	var o, e bytes.Buffer
	cmd.Stdout, cmd.Stderr = &o, &e
	if err := cmd.Run(); err != nil {
		require.ErrorAs(t, err, new(*exec.ExitError))
	}
	return cmd.ProcessState.ExitCode(), o.String(), e.String()
}

// write makes a file with content.
func write(t *testing.T, name string, content []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	require.NoError(t, os.WriteFile(path, content, 0o600))
	return path
}

// wave returns ten seconds of PCM with one channel of eight bits at 8 kHz.
func wave() []byte {
	const rate, length = 8000, 80_000
	le := binary.LittleEndian
	b := le.AppendUint32([]byte("RIFF"), 36+length)
	b = le.AppendUint32(append(b, "WAVEfmt "...), 16)
	b = le.AppendUint16(le.AppendUint16(b, 1), 1)
	b = le.AppendUint32(le.AppendUint32(b, rate), rate)
	b = le.AppendUint16(le.AppendUint16(b, 1), 8)
	b = le.AppendUint32(append(b, "data"...), length)
	return append(b, make([]byte, length)...)
}

func TestJSON(t *testing.T) {
	sound, text := write(t, "sound.wav", wave()), write(t, "notes.txt", []byte("no media in here"))
	missing, dir := filepath.Join(t.TempDir(), "missing.mp4"), t.TempDir()
	names := []string{missing, sound, text, dir, movie}
	code, out, errOut := command(t, append([]string{"-json"}, names...)...)
	assert.Equal(t, 1, code)
	assert.Empty(t, errOut)
	lines := strings.Split(strings.TrimSuffix(out, "\n"), "\n")
	require.Len(t, lines, len(names))
	found := make([]result, len(lines))
	for i, line := range lines {
		var keys map[string]any
		require.NoError(t, json.Unmarshal([]byte(line), &keys))
		for _, key := range []string{"file", "container", "bitrate", "peak", "duration", "method", "error"} {
			assert.Contains(t, keys, key, line)
		}
		assert.Len(t, keys, 7, line)
		require.NoError(t, json.Unmarshal([]byte(line), &found[i]))
		assert.Equal(t, names[i], found[i].File)
	}
	assert.Contains(t, found[0].Error, missing)
	assert.Contains(t, found[2].Error, "unknown container")
	assert.Contains(t, found[3].Error, "is a directory")
	for _, i := range []int{0, 2, 3} {
		assert.Equal(t, result{File: names[i], Error: found[i].Error}, found[i], "nothing but the error")
	}

	assert.EqualValues(t, "wav", found[1].Container)
	assert.InEpsilon(t, 64_000, found[1].Bitrate, 0.01)
	assert.InDelta(t, 10, found[1].Duration, 0.01)
	stat, err := os.Stat(movie)
	require.NoError(t, err)
	assert.EqualValues(t, "mp4", found[4].Container)
	assert.InEpsilon(t, stat.Size()*8/6, found[4].Bitrate, 0.02)
	assert.InDelta(t, 6, found[4].Duration, 0.1)
	for _, i := range []int{1, 4} {
		assert.NotEmpty(t, found[i].Method)
		assert.Empty(t, found[i].Error)
	}
}

func TestTable(t *testing.T) {
	sound := write(t, "sound.wav", wave())
	code, out, errOut := command(t, sound, movie)
	assert.Equal(t, 0, code, out)
	assert.Empty(t, errOut)
	lines := strings.Split(strings.TrimSuffix(out, "\n"), "\n")
	require.Len(t, lines, 3)
	column := strings.Index(lines[0], "CONTAINER")
	require.Positive(t, column)
	assert.True(t, strings.HasPrefix(lines[1][column:], "wav "), out)
	assert.True(t, strings.HasPrefix(lines[2][column:], "mp4 "), out)
	assert.Contains(t, lines[1], " 10.000 ")

	code, out, _ = command(t, write(t, "cut.wav", wave()[:20]), sound)
	assert.Equal(t, 1, code)
	assert.Contains(t, out, "bitrate: wav at offset ")
	assert.Contains(t, out, " 10.000 ", "a file after one with an error")
}

func TestUsage(t *testing.T) {
	for _, args := range [][]string{{}, {"-json"}, {"-nope", movie}} {
		code, out, errOut := command(t, args...)
		assert.Equal(t, 2, code, args)
		assert.Empty(t, out)
		assert.Contains(t, errOut, "usage: bitrate [-json] FILE...")
	}
}

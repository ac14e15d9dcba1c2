package main

import (
	"bytes"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/internal/bench/mediaserver/program"
)

// TestMain lets the test be its own children.
func TestMain(m *testing.M) {
	for _, arg := range os.Args {
		if arg == "-child" {
			main()
			return
		}
	}
	os.Exit(m.Run())
}

func newConfig(t *testing.T) (*config, *bytes.Buffer) {
	t.Helper()
	if !program.HasProc() {
		t.Skip("no /proc")
	}
	if _, err := exec.LookPath("go"); err != nil {
		t.Skip("no go command, which builds the media server")
	}
	var out bytes.Buffer
	return &config{rounds: 1, seconds: 1, viewers: 100, out: &out}, &out
}

// TestHerd: a fragment that a hundred viewers ask for at once is asked of the origin once.
func TestHerd(t *testing.T) {
	c, out := newConfig(t)
	require.NoError(t, c.withDir(c.measureHerds), out)
	assert.Equal(t, 4, strings.Count(out.String(), "| 100 | 1 | 0 |"), out)
}

func TestCaches(t *testing.T) {
	c, out := newConfig(t)
	if _, err := exec.LookPath("wrk"); err != nil {
		t.Skip("wrk is not installed")
	}
	c.only, c.loads = "nginx,cache", []load{{"audio", 32_800, 20}}
	require.NoError(t, c.withDir(c.measureCaches), out)
	assert.Contains(t, out.String(), "| audio    |     32800 | cache ")
}

// TestCompare: who got something else is counted.
func TestCompare(t *testing.T) {
	var h herd
	h.compare([]answer{{size: 1}, {size: 2, err: os.ErrDeadlineExceeded}}, []byte("abc"))
	assert.Equal(t, 2, h.wrong)
	assert.EqualValues(t, 3, h.bytes)
	assert.ErrorIs(t, h.err, os.ErrDeadlineExceeded)
}

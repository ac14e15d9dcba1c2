package main

import (
	"bytes"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

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

// output is what several goroutines write.
type output struct {
	mu sync.Mutex // guards b
	b  bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}

func newConfig(t *testing.T) (*config, *output) {
	t.Helper()
	if !program.HasProc() {
		t.Skip("no /proc")
	}
	if _, err := exec.LookPath("go"); err != nil {
		t.Skip("no go command, which builds the media server")
	}
	out := new(output)
	return &config{out: out}, out
}

// TestMixed is some seconds of the mixed load with few clients: nothing may be wrong in them either.
func TestMixed(t *testing.T) {
	t.Parallel()
	c, out := newConfig(t)
	c.length, c.fragment, c.scale = 6*time.Second, 300*time.Millisecond, 0.1
	require.NoError(t, c.withDir(c.runMixed), out)
	for _, want := range []string{
		"the origin goes away", "the origin is back", "the encoder is cut off", "| live Smooth |", "| live HLS m3u8-aapl |", "| on-demand HLS |",
		"| on-demand seeks |", "| edge /cdn |", "| edge /strict |", "| playlists |", "| console |", "| metrics, health |", "| reloads |", "| plain files |",
	} {
		assert.Contains(t, out.String(), want)
	}
}

// TestAbuse is each attack with few connections.
func TestAbuse(t *testing.T) {
	t.Parallel()
	c, out := newConfig(t)
	c.length, c.viewers, c.idle, c.slow, c.stalled = 400*time.Millisecond, 5, 100, 30, 10
	require.NoError(t, c.withDir(c.runAbuse), out)
	assert.Equal(t, 7, strings.Count(out.String(), " | 0, 0 | "), out)
	assert.Contains(t, out.String(), "idle connections: 100 opened, 0 closed")
	assert.NotContains(t, out.String(), "oversized headers: 20 opened, 20 closed by the server, 0 answered 4xx")
}

func TestFlat(t *testing.T) {
	var even, growing []moment
	for i := range 40 {
		even = append(even, moment{rss: 100 << 20, goroutines: 50 + i%7})
		growing = append(growing, moment{rss: 100 << 20, goroutines: 50 + 3*i})
	}
	assert.NoError(t, flat(even))
	assert.ErrorContains(t, flat(growing), "goroutines has grown from 95 to 155")
	assert.Error(t, flat(nil))
}

// TestJudge: what counts as a fault.
func TestJudge(t *testing.T) {
	excused := true
	c := &client{mix: &mix{score: newScore(io.Discard)}, kind: "k", excused: func(time.Time) bool { return excused }}
	answer := func(status int, also ...int) bool { return c.judge("/", &reply{status: status}, time.Now(), also) }
	assert.True(t, answer(http.StatusOK))
	assert.True(t, answer(http.StatusPreconditionFailed, http.StatusPreconditionFailed, http.StatusNotFound))
	assert.True(t, answer(http.StatusNotFound, http.StatusPreconditionFailed, http.StatusNotFound))
	assert.False(t, answer(http.StatusBadGateway), "it is expected, but no answer")
	assert.False(t, answer(http.StatusInternalServerError))
	assert.False(t, answer(http.StatusNotFound))
	excused = false
	assert.False(t, answer(http.StatusGatewayTimeout))
	c.compare("/", []byte("abc"), []byte("abd"))
	k := c.kinds["k"]
	assert.EqualValues(t, []int64{7, 1, 1, 1, 2, 1, 1}, []int64{k.requests, k.notYet, k.gone, k.excused, k.failed, k.refused, k.wrong})
	assert.Equal(t, 4, c.print())
}

func TestExcused(t *testing.T) {
	now := time.Now()
	o := &origin{up: now}
	assert.False(t, o.excused(now), "it has never been away")
	o.down, o.up = now, time.Time{}
	assert.True(t, o.excused(now))
	o.up = now.Add(time.Second)
	assert.True(t, o.excused(now.Add(recovery)))
	assert.False(t, o.excused(now.Add(time.Second+recovery)))
}

func TestPayload(t *testing.T) {
	b := []byte("\x00\x00\x00\x0cmoofhead\x00\x00\x00\x0amdatok")
	got, err := payload(b)
	require.NoError(t, err)
	assert.Equal(t, "ok", string(got))
	for n := range b {
		_, err := payload(b[:n])
		assert.Error(t, err, n)
	}
}

func TestIsTS(t *testing.T) {
	packet := append([]byte{0x47}, make([]byte, 187)...)
	assert.True(t, isTS(append(packet, packet...)))
	for _, b := range [][]byte{nil, packet[:187], append(packet, 0), make([]byte, 188)} {
		assert.False(t, isTS(b))
	}
}

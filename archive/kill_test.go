package archive_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/archive"
	"github.com/smoothkit/smoothkit/smooth"
	"github.com/smoothkit/smoothkit/smooth/smoothtest"
)

// killedEnv has the order of a process that is to be killed.
const killedEnv = "SMOOTHKIT_ARCHIVE_KILLED"

// A killOrder says what a process records.
type killOrder struct {
	Dir     string
	Seed    uint64
	From    time.Duration // of the event
	Segment time.Duration
	Every   bool // fragment is synced
}

// killFeeds are the encoders: picture and sound of one input stream, and sound of another one.
func killFeeds(t testing.TB) []*feed {
	c := small()
	c.Streams[1].Durations = []uint64{1.9 * second}
	return []*feed{newFeed(t, "enc", c), newFeed(t, "fra", smoothtest.Config{MaxPayload: 70_000, Streams: []smoothtest.Stream{
		{Type: smooth.Audio, Name: "audio_fra", Language: "fra", Durations: []uint64{2.1 * second}, Levels: []smoothtest.Level{{Bitrate: 256_000}}},
	}})}
}

// TestKilledProcess runs in a process of its own. It records until it is killed, and says so: "at N" before it sends what is complete
// at second N of the event, "has N" when the recording has taken N fragments, "safe N" when it is durable up to tick N.
func TestKilledProcess(t *testing.T) {
	order := os.Getenv(killedEnv)
	if order == "" {
		t.Skip("started by TestKill")
	}
	var o killOrder
	require.NoError(t, json.Unmarshal([]byte(order), &o))
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(1) // the other process has died
	}()
	say := func(what string, n uint64) {
		_, _ = os.Stdout.WriteString(what + " " + strconv.FormatUint(n, 10) + "\n")
	}
	say("begin", 0)
	opts := quiet()
	opts.Now, opts.SyncInterval = time.Now, 4*time.Millisecond
	if o.Every {
		opts.SyncInterval = -1
	}
	a, err := archive.New(o.Dir, opts)
	require.NoError(t, err)
	feeds, random := killFeeds(t), rand.New(rand.NewPCG(o.Seed, 2))
	feeds[0].event.Started, feeds[0].event.Archive.SegmentLength = time.Now(), o.Segment
	r := feeds[0].begin(a)
	require.NoError(t, r.Declare(t.Context(), feeds[1].input))
	for _, f := range feeds {
		f.until(o.From)
	}
	said := uint64(0)
	for at, n := o.From, uint64(0); ; at += time.Second {
		say("at", uint64((at+time.Second)/time.Second))
		for _, f := range feeds {
			for _, fragment := range f.until(at + time.Second) {
				require.NoError(t, r.Append(t.Context(), f.input.ID, fragment))
				n++
				say("has", n)
				if safe := r.Durable(); safe != said {
					said = safe
					say("safe", safe)
				}
				if random.IntN(4) == 0 {
					time.Sleep(time.Duration(random.IntN(3000)) * time.Microsecond)
				}
			}
		}
	}
}

// TestKill kills processes that record, at random moments. What they have said is durable is served afterwards, and so is all else that
// was recorded, as the system has it; nothing is served that was not sent, and the next process goes on in the same event.
func TestKill(t *testing.T) {
	events, kills := 5, 20
	if testing.Short() {
		events, kills = 2, 5
	}
	for seed := range events {
		t.Run(strconv.Itoa(seed), func(t *testing.T) {
			t.Parallel()
			random := rand.New(rand.NewPCG(uint64(seed), 1))
			x := &killTest{T: t, random: random, feeds: killFeeds(t), dir: t.TempDir(), had: make(map[smooth.FragmentKey]bool), durable: make(map[smooth.FragmentKey]bool), every: seed%5 == 4}
			if seed > 0 {
				x.segment = time.Duration(4+random.IntN(40)) * time.Second
			}
			for range kills {
				x.run()
				x.check(false)
			}
			x.finish()
		})
	}
}

// A killTest is an event that several processes record.
type killTest struct {
	*testing.T
	random  *rand.Rand
	feeds   []*feed
	dir     string
	segment time.Duration
	every   bool
	order   []smooth.FragmentKey        // in which fragments are sent
	starts  []int                       // of the fragments of each second, in order
	had     map[smooth.FragmentKey]bool // the recording has taken them
	durable map[smooth.FragmentKey]bool // it has said so
	last    int                         // second of the event that was sent last
	runs    int
}

// prepare makes the fragments that are complete at a second.
func (x *killTest) prepare(second int) {
	for len(x.starts) < second {
		x.starts = append(x.starts, len(x.order))
		for _, f := range x.feeds {
			before := len(f.order)
			for _, fragment := range f.until(time.Duration(len(x.starts)) * time.Second) {
				fragment.Close()
			}
			x.order = append(x.order, f.order[before:]...)
		}
	}
}

// run runs a process and kills it.
func (x *killTest) run() {
	x.runs++
	from := max(x.last-1-x.random.IntN(4), 0) // encoders send the last fragments again
	order, err := json.Marshal(killOrder{Dir: x.dir, Seed: x.random.Uint64(), From: time.Duration(from) * time.Second, Segment: x.segment, Every: x.every})
	require.NoError(x, err)
	cmd := exec.Command(os.Args[0], "-test.run=^TestKilledProcess$", "-test.count=1")
	cmd.Env = append(os.Environ(), killedEnv+"="+string(order))
	in, err := cmd.StdinPipe()
	require.NoError(x, err)
	defer in.Close()
	out, err := cmd.StdoutPipe()
	require.NoError(x, err)
	require.NoError(x, cmd.Start())
	defer func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}()
	lines := bufio.NewScanner(out)
	require.True(x, lines.Scan(), "the process says nothing")
	require.Equal(x, "begin 0", lines.Text())
	left := -1
	if x.random.IntN(3) == 0 { // any moment, or that of a certain word
		timer := time.AfterFunc(time.Duration(x.random.IntN(60_000))*time.Microsecond, func() { _ = cmd.Process.Kill() })
		defer timer.Stop()
	} else {
		left = 1 + x.random.IntN(150)
	}
	first := -1 // of the fragments of this process, in order
	for lines.Scan() {
		left--
		if left == 0 {
			_ = cmd.Process.Kill()
		}
		what, number, _ := strings.Cut(lines.Text(), " ")
		n, err := strconv.ParseUint(number, 10, 64)
		require.NoError(x, err, "the process says %q", lines.Text())
		switch what {
		case "at":
			x.prepare(int(n))
			x.last = max(x.last, int(n))
			if first < 0 {
				first = x.starts[n-1]
			}
		case "has":
			x.had[x.order[first+int(n)-1]] = true
		case "safe":
			x.safe(n)
		default:
			require.Fail(x, "the process says "+lines.Text())
		}
	}
}

// safe notes what has been said of all fragments that end at a tick.
func (x *killTest) safe(tick uint64) {
	for _, k := range x.order {
		if x.ends(k) <= tick {
			x.had[k], x.durable[k] = true, true // it may have been killed before it had said the former
		}
	}
}

func (x *killTest) ends(k smooth.FragmentKey) uint64 {
	switch k.Stream {
	case "audio_eng":
		return k.Time + 1.9*second
	case "audio_fra":
		return k.Time + 2.1*second
	}
	return k.Time + 2*second
}

// check opens the archive and compares what it serves. While the event is not over, sound that has come before the picture is held for
// the segment that may begin with that, and a picture that only some levels have, which is not durable then, waits for the others.
func (x *killTest) check(ended bool) {
	opts := quiet()
	opts.Now = time.Now
	a, err := archive.New(x.dir, opts)
	require.NoError(x, err)
	defer func() { require.NoError(x, a.Close()) }()
	events, err := filepath.Glob(filepath.Join(x.dir, "live", "demo-isml", "*", "event.json"))
	require.NoError(x, err)
	if len(events) == 0 {
		require.Empty(x, x.had)
		return
	}
	require.Len(x, events, 1, "a process has not gone on with the event")
	p, err := a.Open(x.Context(), path.Join("live/demo-isml", filepath.Base(filepath.Dir(events[0])), "demo.ism"))
	require.NoError(x, err)
	defer p.Close()
	got := x.served(p)
	sent := make(map[smooth.FragmentKey][]byte)
	for _, f := range x.feeds {
		for k, b := range f.sent {
			sent[k] = b
		}
	}
	picture := uint64(0)
	for k, b := range got {
		require.True(x, bytes.Equal(sent[k], b), "%+v: %d bytes, sent were %d", k, len(b), len(sent[k]))
		if k.Stream == "video" {
			picture = max(picture, k.Time)
		}
	}
	for k := range x.had {
		if early := (k.Time+x.ends(k))/2 > picture && (k.Stream != "video" || !x.durable[k]); ended || !early {
			_, ok := got[k]
			require.True(x, ok, "%+v is not there after %d runs, up to %d; durable %t", k, x.runs, picture, x.durable[k])
		}
	}
}

// served returns what a presentation has, which may be nothing yet.
func (x *killTest) served(p smooth.Presentation) map[smooth.FragmentKey][]byte {
	snap, err := p.Snapshot(x.Context())
	require.NoError(x, err)
	if len(snap.Periods) == 0 {
		return nil
	}
	return content(x, p, x.feeds...)
}

// finish goes on with the event to its end.
func (x *killTest) finish() {
	opts := quiet()
	opts.Now = time.Now
	a, err := archive.New(x.dir, opts)
	require.NoError(x, err)
	feeds := killFeeds(x)
	feeds[0].event.Started, feeds[0].event.Archive.SegmentLength = time.Now(), x.segment
	r := feeds[0].begin(a)
	require.NoError(x, r.Declare(x.Context(), feeds[1].input))
	x.prepare(x.last + 10)
	for _, f := range feeds {
		f.until(time.Duration(max(x.last-3, 0)) * time.Second)
		from := len(f.order)
		for _, fragment := range f.until(time.Duration(x.last+10) * time.Second) {
			require.NoError(x, r.Append(x.Context(), f.input.ID, fragment))
		}
		for _, k := range f.order[from:] {
			x.had[k] = true
		}
	}
	require.NoError(x, r.Close(x.Context(), true))
	require.NoError(x, a.Close())
	x.check(true)
	assert.NotEmpty(x, x.durable)
	x.Logf("%d fragments of %d seconds, %d were reported durable before a kill", len(x.had), x.last+10, len(x.durable))
}

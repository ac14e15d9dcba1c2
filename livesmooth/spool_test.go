package livesmooth_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/livesmooth"
	"github.com/smoothkit/smoothkit/smooth"
	"github.com/smoothkit/smoothkit/smooth/smoothtest"
)

// TestSpoolKeepsBytes appends fragments and compares what comes back: whole, in parts, and what is said about them.
func TestSpoolKeepsBytes(t *testing.T) {
	s, _ := spoolForTest(t, livesmooth.SpoolOptions{SegmentBytes: 2 << 20})
	p := spoolMedia(6)
	r, h := beginSpool(t, s, p)
	for _, k := range spoolKeys(t, p) {
		_, err := h.Fragment(t.Context(), k)
		require.ErrorIs(t, err, smooth.ErrNotFound)
		require.NoError(t, appendSpool(t, r, p, k))
		require.NoError(t, appendSpool(t, r, p, k), "again")
	}
	assert.Zero(t, p.open.Load())
	assert.Zero(t, r.Durable())
	for _, k := range spoolKeys(t, p) {
		want := spoolBytes(t, p, k)
		original, err := p.Fragment(t.Context(), k)
		require.NoError(t, err)
		f, err := h.Fragment(t.Context(), k)
		require.NoError(t, err)
		spoolSameBytes(t, want, spoolWritten(t, f), k)
		spoolSameBytes(t, want, spoolWritten(t, f), "again")
		assert.Equal(t, []any{k, original.Duration, original.Timescale, true}, []any{f.Key, f.Duration, f.Timescale, f.Codec.Equal(original.Codec)})
		head, err := f.Header(smooth.Smooth)
		require.NoError(t, err)
		wantHead, err := original.Header(smooth.Smooth)
		require.NoError(t, err)
		assert.Equal(t, wantHead, head)
		for _, part := range [][2]int{{0, 10}, {len(head) - 3, len(head) + 3}, {len(want) - 5, len(want)}, {100, len(want) / 2}} {
			got := make([]byte, part[1]-part[0])
			n, err := f.ReadAt(got, int64(part[0]))
			require.NoError(t, err)
			spoolSameBytes(t, want[part[0]:part[1]], got[:n], part)
		}
		payload, err := f.Load(t.Context(), nil)
		require.NoError(t, err)
		spoolSameBytes(t, want[len(head):], payload, "payload")
		size, err := h.(smooth.Sizer).FragmentSize(k)
		require.NoError(t, err)
		assert.EqualValues(t, len(want)-len(head), size)
		f.Close()
		original.Close()
	}
	for _, k := range []smooth.FragmentKey{{Stream: "video", Bitrate: 1}, {Stream: "video", Bitrate: 3_000_000, Time: 1}, {Stream: "none"}} {
		_, err := h.Fragment(t.Context(), k)
		assert.ErrorIs(t, err, smooth.ErrNotFound, "%v", k)
		_, err = h.(smooth.Sizer).FragmentSize(k)
		assert.ErrorIs(t, err, smooth.ErrNotFound, "%v", k)
	}
}

// TestSpoolOverHTTP asks a server for what was recorded, and another one for the original, and compares.
func TestSpoolOverHTTP(t *testing.T) {
	s, _ := spoolForTest(t, livesmooth.SpoolOptions{SegmentBytes: 2 << 20})
	p := spoolMedia(3)
	r, h := beginSpool(t, s, p)
	for _, k := range spoolKeys(t, p) {
		require.NoError(t, appendSpool(t, r, p, k))
	}
	source := smoothtest.NewSource()
	source.Add("original.ism", p)
	source.Add("spool.ism", spoolKeptOpen{h})
	server := httptest.NewServer(smooth.NewHandler(source, nil))
	defer server.Close()
	get := func(name, path, part string) (int, []byte) {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+"/"+name+path, nil)
		require.NoError(t, err)
		if part != "" {
			req.Header.Set("Range", part)
		}
		resp, err := server.Client().Do(req)
		require.NoError(t, err)
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		return resp.StatusCode, body
	}
	for _, path := range []string{
		"/QualityLevels(3000000)/Fragments(video=20000000)", "/QualityLevels(300000,angle=2)/Fragments(video=40000000)",
		"/QualityLevels(96000)/Fragments(audio=0)", "/QualityLevels(3000000)/RawFragments(video=0)",
		"/QualityLevels(3000000)/FragmentInfo(video=0)", "/QualityLevels(3000000)/KeyFrames(video=0)", "/QualityLevels(3000000)/Fragments(video=7)",
	} {
		for _, part := range []string{"", "bytes=0-9", "bytes=100-299999", "bytes=-7"} {
			wantCode, want := get("original.ism", path, part)
			code, got := get("spool.ism", path, part)
			assert.Equal(t, wantCode, code, path)
			spoolSameBytes(t, want, got, path+" "+part)
		}
	}
	code, manifest := get("spool.ism", "/Manifest", "")
	require.Equal(t, http.StatusOK, code)
	m, err := smooth.ParseManifest(manifest)
	require.NoError(t, err)
	original, err := p.Snapshot(t.Context())
	require.NoError(t, err)
	require.Len(t, m.Streams, 2)
	assert.Equal(t, original.Manifest.Streams[0].Timeline, m.Streams[0].Timeline)
	assert.Len(t, m.Streams[0].Levels, 2)
	assert.True(t, m.IsLive)
}

// TestSpoolSnapshot follows what is there.
func TestSpoolSnapshot(t *testing.T) {
	s, _ := spoolForTest(t, livesmooth.SpoolOptions{})
	p := spoolMedia(4)
	r, h := beginSpool(t, s, p)
	snap := func() *smooth.Snapshot {
		got, err := h.Snapshot(t.Context())
		require.NoError(t, err)
		return got
	}
	first := snap()
	assert.Same(t, first, snap())
	keys := spoolKeys(t, p)
	require.NoError(t, appendSpool(t, r, p, keys[0]))
	select {
	case <-first.Superseded():
	default:
		t.Error("not superseded")
	}
	for _, k := range keys[1:] {
		require.NoError(t, appendSpool(t, r, p, k))
	}
	all := snap()
	assert.NotEqual(t, first.Validator, all.Validator)
	assert.Len(t, all.Manifest.Streams[0].Timeline, 4)
	assert.False(t, all.Ended)
	assert.NotNil(t, all.Track(keys[0]).Codec)
	require.NoError(t, r.Trim(t.Context(), 2*2*smooth.DefaultTimescale))
	assert.Equal(t, uint64(40_000_000), snap().Manifest.Streams[0].Timeline.Start())
	assert.Len(t, all.Manifest.Streams[0].Timeline, 4, "the old one has changed")
	require.NoError(t, r.Close(t.Context(), true))
	assert.True(t, snap().Ended)
	assert.Equal(t, uint64(80_000_000), snap().Manifest.Duration)
	require.NoError(t, h.Close())
	_, err := h.Snapshot(t.Context())
	require.ErrorIs(t, err, smooth.ErrClosed)
}

// TestSpoolTrim deletes files with what has left the window; what is lent stays valid.
func TestSpoolTrim(t *testing.T) {
	s, dir := spoolForTest(t, livesmooth.SpoolOptions{SegmentBytes: 2 << 20})
	p := spoolMedia(12)
	r, h := beginSpool(t, s, p)
	keys := spoolKeys(t, p)
	for _, k := range keys {
		require.NoError(t, appendSpool(t, r, p, k))
	}
	before := spoolSegments(t, dir)
	assert.Equal(t, 6, before, "two seconds are 849 kB")
	var lent []*smooth.Fragment
	for _, k := range keys[:4] {
		f, err := h.Fragment(t.Context(), k)
		require.NoError(t, err)
		lent = append(lent, f)
	}
	trim := func(second uint64) { require.NoError(t, r.Trim(t.Context(), second*smooth.DefaultTimescale)) }
	trim(0)
	trim(1)
	assert.Equal(t, before, spoolSegments(t, dir))
	trim(13)
	assert.Equal(t, before-2, spoolSegments(t, dir), "one of three is lent")
	for i, f := range lent {
		spoolSameBytes(t, spoolBytes(t, p, keys[i]), spoolWritten(t, f), keys[i])
		f.Close()
	}
	assert.Equal(t, before-3, spoolSegments(t, dir))
	for _, k := range keys {
		f, err := h.Fragment(t.Context(), k)
		if k.Time < 12*smooth.DefaultTimescale {
			require.ErrorIs(t, err, smooth.ErrGone, "%v", k)
			continue
		}
		require.NoError(t, err, "%v", k)
		spoolSameBytes(t, spoolBytes(t, p, k), spoolWritten(t, f), k)
		f.Close()
	}
	trim(1000)
	assert.Zero(t, spoolSegments(t, dir), "also that which was being written")
	require.NoError(t, appendSpool(t, r, p, keys[len(keys)-1]))
	assert.Equal(t, 1, spoolSegments(t, dir))
}

// TestSpoolClose: viewers go back in a window that nothing is added to, until the history is closed, too.
func TestSpoolClose(t *testing.T) {
	s, dir := spoolForTest(t, livesmooth.SpoolOptions{})
	p := spoolMedia(2)
	r, h := beginSpool(t, s, p)
	keys := spoolKeys(t, p)
	for _, k := range keys {
		require.NoError(t, appendSpool(t, r, p, k))
	}
	require.NoError(t, s.Close())
	require.NoError(t, s.Close())
	_, err := s.Begin(t.Context(), smooth.EventInfo{})
	require.ErrorIs(t, err, smooth.ErrClosed)
	require.NoError(t, r.Close(t.Context(), true))
	for _, err := range []error{
		appendSpool(t, r, p, keys[0]), r.Trim(t.Context(), 1), r.Declare(t.Context(), smooth.InputInfo{}),
	} {
		require.ErrorIs(t, err, smooth.ErrClosed)
	}
	spoolSameBytes(t, spoolBytes(t, p, keys[0]), spoolBytes(t, h, keys[0]), "after Close of the recording")
	f, err := h.Fragment(t.Context(), keys[0])
	require.NoError(t, err)
	require.NoError(t, h.Close())
	_, err = h.Fragment(t.Context(), keys[0])
	require.ErrorIs(t, err, smooth.ErrClosed)
	assert.Equal(t, 1, spoolSegments(t, dir), "lent")
	spoolSameBytes(t, spoolBytes(t, p, keys[0]), spoolWritten(t, f), "after Close of all")
	f.Close()
	assert.Empty(t, spoolFiles(t, dir))

	other, dir := spoolForTest(t, livesmooth.SpoolOptions{})
	r, err = other.Begin(t.Context(), smooth.EventInfo{})
	require.NoError(t, err)
	require.NoError(t, r.Declare(t.Context(), spoolInput(t, p)))
	require.NoError(t, appendSpool(t, r, p, keys[0]))
	require.NoError(t, r.Close(t.Context(), false))
	assert.Zero(t, spoolSegments(t, dir), "without a history nobody needs it")
}

// TestSpoolRefuses: fragments that cannot be kept, calls under an ended context, options.
func TestSpoolRefuses(t *testing.T) {
	s, dir := spoolForTest(t, livesmooth.SpoolOptions{MaxBytes: 1 << 20})
	p := spoolMedia(1)
	r, h := beginSpool(t, s, p)
	closed := 0
	fragment := func(k smooth.FragmentKey, timescale uint64, size int) *smooth.Fragment {
		return smooth.NewFragment(smooth.FragmentInit{Key: k, Timescale: timescale, Memory: make([]byte, size), HeadLen: 8, Release: func() { closed++ }})
	}
	k := spoolKeys(t, p)[0]
	require.ErrorIs(t, r.Append(t.Context(), "", fragment(smooth.FragmentKey{Stream: "none"}, smooth.DefaultTimescale, 10)), livesmooth.ErrNoHeader)
	require.ErrorIs(t, r.Append(t.Context(), "", fragment(k, 1000, 10)), livesmooth.ErrMedia)
	require.ErrorIs(t, r.Append(t.Context(), "", fragment(k, smooth.DefaultTimescale, 1<<20+1)), livesmooth.ErrLimit)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, r.Append(ended, "", fragment(k, smooth.DefaultTimescale, 10)), context.Canceled)
	assert.Equal(t, 4, closed)
	require.ErrorIs(t, r.Declare(ended, smooth.InputInfo{}), context.Canceled)
	require.ErrorIs(t, r.Trim(ended, 1), context.Canceled)
	require.NoError(t, r.Gap(t.Context(), smooth.Gap{Stream: "video"}))
	_, err := h.Fragment(ended, k)
	require.ErrorIs(t, err, context.Canceled)
	_, err = h.Snapshot(ended)
	require.ErrorIs(t, err, context.Canceled)
	_, err = s.Begin(ended, smooth.EventInfo{})
	require.ErrorIs(t, err, context.Canceled)
	assert.Zero(t, spoolSegments(t, dir))

	for _, o := range []livesmooth.SpoolOptions{{SegmentBytes: -1}, {SegmentBytes: 1<<30 + 1}, {MaxBytes: -1}, {MaxOpenFiles: -1}} {
		_, err := livesmooth.NewSpool(dir, &o)
		require.ErrorIs(t, err, livesmooth.ErrSettings, "%+v", o)
	}
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	_, err = livesmooth.NewSpool(file, nil)
	require.Error(t, err)
	for limit, want := range map[uint64]int{0: 1, 1024: 128, 1 << 20: 256, 1<<64 - 1: 256} {
		assert.Equal(t, want, livesmooth.SpoolOpenFiles(limit), "of %d", limit)
	}
}

// TestSpoolLate puts fragments in between that come late, each with its own codec configuration and pointer.
func TestSpoolLate(t *testing.T) {
	s, _ := spoolForTest(t, livesmooth.SpoolOptions{SegmentBytes: 1 << 20})
	p := spoolMedia(9)
	r, h := beginSpool(t, s, p)
	codecs := []*smooth.Codec{{FourCC: "H264"}, {FourCC: "H264", Width: 1}, {FourCC: "H264", Width: 2}}
	add := func(i int) {
		k := smooth.FragmentKey{Stream: "audio", Bitrate: 96_000, Time: uint64(i) * 20_000_000}
		data := bytes.Repeat([]byte{byte(i)}, 100+i)
		in := smooth.FragmentInit{Key: k, Timescale: smooth.DefaultTimescale, Duration: 20_000_000, Memory: data, HeadLen: 10, Codec: codecs[i/3]}
		if i%2 == 1 {
			in.ChildTrack = strings.Repeat("a", i)
		}
		require.NoError(t, r.Append(t.Context(), "", smooth.NewFragment(in)))
	}
	for _, i := range []int{1, 5, 8, 4, 0, 2, 7, 6, 3} {
		add(i)
	}
	for i := range 9 {
		k := smooth.FragmentKey{Stream: "audio", Bitrate: 96_000, Time: uint64(i) * 20_000_000}
		f, err := h.Fragment(t.Context(), k)
		require.NoError(t, err)
		assert.Equal(t, *codecs[i/3], *f.Codec, "%d", i)
		assert.Len(t, f.ChildTrack, i%2*i)
		assert.Equal(t, bytes.Repeat([]byte{byte(i)}, 100+i), spoolWritten(t, f))
		f.Close()
	}
	snap, err := h.Snapshot(t.Context())
	require.NoError(t, err)
	assert.Len(t, snap.Manifest.Stream("audio").Timeline, 9)

	// Without a configuration of its own a fragment has the declared one.
	k := smooth.FragmentKey{Stream: "audio", Bitrate: 96_000, Time: 9 * 20_000_000}
	in := smooth.FragmentInit{Key: k, Timescale: smooth.DefaultTimescale, Memory: make([]byte, 20), HeadLen: 10}
	require.NoError(t, r.Append(t.Context(), "", smooth.NewFragment(in)))
	f, err := h.Fragment(t.Context(), k)
	require.NoError(t, err)
	defer f.Close()
	assert.Equal(t, "AACL", f.Codec.FourCC)
}

// TestSpoolIndex compares the index of a track with a plain map, for random changes of codec and orders.
func TestSpoolIndex(t *testing.T) {
	codecs := []*smooth.Codec{{FourCC: "a"}, {FourCC: "b"}, {FourCC: "c"}}
	for seed := range uint64(200) {
		rnd := rand.New(rand.NewPCG(seed, 1))
		var track livesmooth.SpoolTrack
		want := map[uint64]*smooth.Codec{}
		for _, i := range rnd.Perm(40) {
			at, c := uint64(i)*10, codecs[rnd.IntN(3)]
			if rnd.IntN(3) > 0 {
				c = codecs[i/14]
			}
			want[at] = c
			track.Insert(at, c)
			if rnd.IntN(10) == 0 {
				before := rnd.Uint64N(100)
				track.Trim(before)
				for at := range want {
					if at+10 <= before {
						delete(want, at)
					}
				}
			}
		}
		for at, c := range want {
			require.Same(t, c, track.Codec(at), "seed %d, time %d", seed, at)
		}
		track.Trim(390)
		require.LessOrEqual(t, track.Codecs(), 2)
	}
}

// TestSpoolIndexMemory: 32 bytes per fragment, and an eighth of that to spare.
func TestSpoolIndexMemory(t *testing.T) {
	s, _ := spoolForTest(t, livesmooth.SpoolOptions{})
	p := spoolMedia(1)
	r, _ := beginSpool(t, s, p)
	data := make([]byte, 20)
	const n = 2000
	add := func(i int) {
		require.NoError(t, r.Append(t.Context(), "", smooth.NewFragment(smooth.FragmentInit{
			Key:       smooth.FragmentKey{Stream: "audio", Bitrate: 96_000, Time: uint64(i) * 20_000_000},
			Timescale: smooth.DefaultTimescale, Duration: 20_000_000, Memory: data, HeadLen: 10, Codec: &smooth.Codec{FourCC: "AACL"},
		})))
	}
	for i := range n {
		add(i)
	}
	fragments, size, codecs := livesmooth.SpoolIndexSize(r)
	assert.Equal(t, n, fragments)
	assert.LessOrEqual(t, size, n*36, "an hour")
	assert.Equal(t, 1, codecs)
	for i := range n { // the window moves on
		add(n + i)
		require.NoError(t, r.Trim(t.Context(), uint64(i+1)*20_000_000))
	}
	fragments, grown, _ := livesmooth.SpoolIndexSize(r)
	assert.Equal(t, n, fragments)
	assert.LessOrEqual(t, grown, n*36)
}

// TestSpoolMaxBytes: the oldest goes when a recording is full.
func TestSpoolMaxBytes(t *testing.T) {
	const limit = 4 << 20
	s, dir := spoolForTest(t, livesmooth.SpoolOptions{MaxBytes: limit})
	p := spoolMedia(12)
	r, h := beginSpool(t, s, p)
	keys := spoolKeys(t, p)
	for _, k := range keys {
		require.NoError(t, appendSpool(t, r, p, k))
		size := int64(0)
		for _, name := range spoolFiles(t, dir) {
			if info, err := os.Stat(filepath.Join(dir, name)); strings.HasSuffix(name, ".segment") && assert.NoError(t, err) {
				size += info.Size()
			}
		}
		require.LessOrEqual(t, size, int64(limit))
		spoolSameBytes(t, spoolBytes(t, p, k), spoolBytes(t, h, k), k)
	}
	gone := 0
	for i, k := range keys {
		f, err := h.Fragment(t.Context(), k)
		if err != nil {
			require.ErrorIs(t, err, smooth.ErrGone)
			require.Equal(t, gone, i, "a younger one is there")
			gone++
			continue
		}
		f.Close()
	}
	assert.InDelta(t, 3*8, gone, 3, "two seconds are 849 kB")

	small, _ := spoolForTest(t, livesmooth.SpoolOptions{MaxBytes: 800_000})
	r, h = beginSpool(t, small, p)
	for _, k := range keys[:9] { // each has a segment of its own
		require.NoError(t, appendSpool(t, r, p, k))
		spoolSameBytes(t, spoolBytes(t, p, k), spoolBytes(t, h, k), k)
	}
}

// TestSpoolConcurrent reads while fragments come and go.
func TestSpoolConcurrent(t *testing.T) {
	s, _ := spoolForTest(t, livesmooth.SpoolOptions{SegmentBytes: 2 << 20, MaxOpenFiles: 3})
	p := spoolMedia(16)
	r, h := beginSpool(t, s, p)
	keys := spoolKeys(t, p)
	sums := make([][sha256.Size]byte, len(keys))
	for i, k := range keys {
		sums[i] = sha256.Sum256(spoolBytes(t, p, k))
	}
	stop := make(chan struct{})
	var wg sync.WaitGroup
	read := func(rnd *rand.Rand) {
		i := rnd.IntN(len(keys))
		f, err := h.Fragment(t.Context(), keys[i])
		if err != nil {
			return
		}
		defer f.Close()
		b := make([]byte, f.Size())
		if rnd.IntN(2) == 0 {
			_, err = f.ReadAt(b, 0)
		} else {
			w := bytes.NewBuffer(b[:0])
			_, err = f.WriteTo(w)
		}
		if assert.NoError(t, err) {
			assert.Equal(t, sums[i], sha256.Sum256(b), "%v", keys[i])
		}
		_, err = h.Snapshot(t.Context())
		assert.NoError(t, err)
	}
	for i := range 8 {
		wg.Go(func() {
			rnd := rand.New(rand.NewPCG(1, uint64(i)))
			for {
				select {
				case <-stop:
					return
				default:
					read(rnd)
				}
			}
		})
	}
	for _, k := range keys {
		require.NoError(t, appendSpool(t, r, p, k))
		require.NoError(t, r.Trim(t.Context(), max(k.Time, 120_000_000)-120_000_000))
	}
	close(stop)
	wg.Wait()
}

// TestSpoolOpenFiles lends more fragments than there may be open files.
func TestSpoolOpenFiles(t *testing.T) {
	s, dir := spoolForTest(t, livesmooth.SpoolOptions{SegmentBytes: 1 << 20, MaxOpenFiles: 5})
	p := spoolMedia(6)
	r, h := beginSpool(t, s, p)
	keys := spoolKeys(t, p)
	for _, k := range keys {
		require.NoError(t, appendSpool(t, r, p, k))
	}
	check := func() {
		t.Helper()
		assert.LessOrEqual(t, livesmooth.SpoolOpen(s), 5)
		if runtime.GOOS == "linux" {
			assert.LessOrEqual(t, spoolDescriptors(t, dir), 5+1+1, "one is being written, one is the lock")
		}
	}
	for range 2 {
		var lent []*smooth.Fragment
		for _, k := range slices.Concat(keys, keys) {
			f, err := h.Fragment(t.Context(), k)
			require.NoError(t, err)
			lent = append(lent, f)
		}
		check()
		assert.Equal(t, 5, livesmooth.SpoolOpen(s))
		for i, f := range lent {
			spoolSameBytes(t, spoolBytes(t, p, keys[i%len(keys)]), spoolWritten(t, f), f.Key)
			f.Close()
		}
		check()
	}
}

// spoolDescriptors counts the descriptors of this process that lead below a directory.
func spoolDescriptors(t *testing.T, dir string) int {
	t.Helper()
	list, err := os.ReadDir("/proc/self/fd")
	require.NoError(t, err)
	n := 0
	for _, d := range list {
		if to, err := os.Readlink(filepath.Join("/proc/self/fd", d.Name())); err == nil && strings.HasPrefix(to, dir) {
			n++
		}
	}
	return n
}

package smoothtest_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"testing"
	"time"

	"github.com/Eyevinn/mp4ff/avc"
	"github.com/Eyevinn/mp4ff/mp4"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/internal/fmp4"
	"github.com/smoothkit/smoothkit/smooth"
	"github.com/smoothkit/smoothkit/smooth/smoothtest"
	"github.com/smoothkit/smoothkit/smooth/validate"
)

const second = smooth.DefaultTimescale

func TestPresentationFragments(t *testing.T) {
	p := smoothtest.New(smoothtest.Default())
	s, err := p.Snapshot(t.Context())
	require.NoError(t, err)
	for _, st := range s.Manifest.Streams {
		for _, l := range st.Levels {
			c := st.Timeline[len(st.Timeline)-1]
			k := smooth.FragmentKey{Stream: st.Name, Bitrate: l.Bitrate, Time: c.Time}
			f, err := p.Fragment(t.Context(), k)
			require.NoError(t, err)
			var b bytes.Buffer
			_, err = f.WriteTo(&b)
			require.NoError(t, err)
			size, err := p.FragmentSize(k)
			require.NoError(t, err)
			assert.Equal(t, f.PayloadSize(), size)

			at := c.Time
			for sample, err := range f.Samples() {
				require.NoError(t, err)
				assert.Equal(t, at, sample.DTS)
				at += uint64(sample.Duration)
			}
			assert.Equal(t, c.End(), at)
			_, err = mp4.DecodeFile(&b)
			require.NoError(t, err, "another reader understands the boxes")
			require.NoError(t, f.Close())
		}
	}
	assert.Zero(t, p.OpenFragments())
}

// TestPresentationIsValid: the validator finds nothing in the default presentation, as our handler shows it.
func TestPresentationIsValid(t *testing.T) {
	src := smoothtest.NewSource()
	r, err := validate.Source(t.Context(), src, "sample/sample.ism", nil)
	require.NoError(t, err)
	assert.Empty(t, r.Violations)
	assert.Greater(t, r.Checked.Fragments, 70)
}

func TestPresentationIsDeterministic(t *testing.T) {
	read := func(k smooth.FragmentKey) []byte {
		f, err := smoothtest.New(smoothtest.Default()).Fragment(t.Context(), k)
		require.NoError(t, err)
		defer f.Close()
		var b bytes.Buffer
		_, err = f.WriteTo(&b)
		require.NoError(t, err)
		return b.Bytes()
	}
	k := smooth.FragmentKey{Stream: "video", Bitrate: 400_000, Time: 2 * second}
	other := k
	other.Bitrate = 1_200_000
	assert.Equal(t, read(k), read(k))
	assert.NotEqual(t, read(k), read(other))
}

func TestPrivateDataIsValid(t *testing.T) {
	for _, size := range [][2]uint32{{320, 180}, {640, 360}, {1280, 720}, {1920, 1080}, {16, 16}} {
		p := smoothtest.New(smoothtest.Config{Streams: []smoothtest.Stream{{
			Type: smooth.Video, Durations: smoothtest.Repeat(1, second),
			Levels: []smoothtest.Level{{Bitrate: 1, Width: size[0], Height: size[1]}}}}})
		s, err := p.Snapshot(t.Context())
		require.NoError(t, err)
		data := s.Periods[0].Tracks[0].Codec.PrivateData
		_, sets, _ := bytes.Cut(data, []byte{0, 0, 0, 1})
		spsNALU, _, _ := bytes.Cut(sets, []byte{0, 0, 0, 1})
		sps, err := avc.ParseSPSNALUnit(spsNALU, true)
		require.NoError(t, err)
		assert.Equal(t, [2]uint32{uint32(sps.Width), uint32(sps.Height)}, size)
	}
}

func TestPresentationLive(t *testing.T) {
	c := smoothtest.Default()
	c.Live, c.Lookahead = true, 2
	p := smoothtest.New(c)
	key := func(n uint64) smooth.FragmentKey {
		return smooth.FragmentKey{Stream: "video", Bitrate: 400_000, Time: n * 2 * second}
	}
	s, err := p.Snapshot(t.Context())
	require.NoError(t, err)
	assert.True(t, s.Manifest.IsLive)
	assert.Len(t, s.Manifest.Stream("video").Timeline, 13)
	edge, listed := s.Edges[0], s.Manifest.Streams[0].Timeline
	assert.Equal(t, []uint64{26 * second, 30 * second, 30 * second}, []uint64{edge.Listed, edge.Complete, edge.Received.End()})
	assert.Equal(t, listed, edge.Received[:len(listed)])
	_, err = p.Fragment(t.Context(), key(15))
	assert.ErrorIs(t, err, smooth.ErrNotYet)

	done := make(chan error)
	go func() { done <- p.Wait(t.Context(), key(15)) }()
	p.Append(1)
	assert.NoError(t, <-done)
	<-s.Superseded()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	assert.ErrorIs(t, p.Wait(ctx, key(16)), context.Canceled)

	p.Trim(3)
	_, err = p.Fragment(t.Context(), key(2))
	assert.ErrorIs(t, err, smooth.ErrGone)
	p.End()
	s, err = p.Snapshot(t.Context())
	require.NoError(t, err)
	assert.False(t, s.Manifest.IsLive)
	assert.Len(t, s.Manifest.Stream("video").Timeline, 13, "16 fragments less 3")
	assert.ErrorIs(t, p.Wait(t.Context(), key(16)), smooth.ErrNotFound)
}

func TestSource(t *testing.T) {
	src := smoothtest.NewSource()
	src.Add("b.ism", smoothtest.New(smoothtest.Default()))
	var names []string
	require.NoError(t, src.List(t.Context(), func(i smooth.Info) bool { names = append(names, i.Name); return true }))
	assert.Equal(t, []string{"b.ism", "sample/sample.ism"}, names)
	require.NoError(t, src.List(t.Context(), func(smooth.Info) bool { names = nil; return false }))
	assert.Nil(t, names)
	_, err := src.Open(t.Context(), "c.ism")
	assert.ErrorIs(t, err, smooth.ErrNotFound)
	p, err := src.Open(t.Context(), "b.ism")
	require.NoError(t, err)
	require.NoError(t, p.Close())
}

// pushed is a fragment found in a push.
type pushed struct {
	track          uint32
	time, duration uint64
	data           []byte
}

// readPush splits a push into its boxes.
func readPush(t *testing.T, r io.Reader) (movie *fmp4.Movie, smil []byte, fragments []pushed, ended bool) {
	t.Helper()
	data, err := io.ReadAll(r)
	require.NoError(t, err)
	scan := fmp4.NewScanner(bytes.NewReader(data), 0, int64(len(data)))
	var order []string
	for {
		b, err := scan.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		require.NoError(t, err)
		raw := data[b.Offset:b.End()]
		order = append(order, b.Type.String())
		switch b.Type.String() {
		case "uuid":
			smil = raw[28:]
		case "moov":
			movie, err = fmp4.ParseMovie(raw, b.Offset)
			require.NoError(t, err)
		case "moof":
			m, err := fmp4.ParseMoof(raw, b.Offset)
			require.NoError(t, err)
			require.Len(t, m.Trafs, 1)
			require.True(t, m.Trafs[0].HasTfxd)
			fragments = append(fragments, pushed{m.Trafs[0].TrackID, m.Trafs[0].Time, m.Trafs[0].Duration, nil})
		case "mdat":
			fragments[len(fragments)-1].data = raw[8:]
		case "mfra":
			require.Len(t, raw, 8)
			ended = true
		}
	}
	require.GreaterOrEqual(t, len(order), 3)
	assert.Equal(t, []string{"ftyp", "uuid", "moov"}, order[:3])
	return movie, smil, fragments, ended
}

func TestEncoderBody(t *testing.T) {
	c := smoothtest.Default()
	e := smoothtest.NewEncoder(c)
	movie, smil, fragments, ended := readPush(t, e.Body(30*time.Second))
	assert.True(t, ended)
	require.Len(t, movie.Tracks, 6)
	assert.True(t, movie.Fragmented)
	assert.EqualValues(t, second, movie.Tracks[0].Timescale)
	assert.Equal(t, "fra", movie.Tracks[4].Language)
	assert.Equal(t, [2]uint32{1280, 720}, [2]uint32{movie.Tracks[0].Width, movie.Tracks[0].Height})
	assert.Len(t, fragments, 5*15+3)
	for _, want := range []string{`<video systemBitrate="1200000">`, `"trackID" value="2"`, `"trackName" value="audio_eng"`,
		`"FourCC" value="AACL"`, `"CodecPrivateData" value="1190"`, `"MaxWidth" value="640"`, `<textstream systemBitrate="1000">`} {
		assert.Contains(t, string(smil), want)
	}
	server, err := smooth.ParseServerManifest(smil)
	require.NoError(t, err)
	require.Len(t, server.Tracks, 6)
	assert.EqualValues(t, 96_000, server.Tracks[4].Bitrate)
	assert.Equal(t, "fra", server.Tracks[4].Language)

	// what is pushed is what a presentation of the same configuration serves
	p := smoothtest.New(c)
	last := map[uint32]uint64{}
	for _, f := range fragments {
		k := smooth.FragmentKey{Stream: "video", Bitrate: c.Streams[0].Levels[min(f.track, 3)-1].Bitrate, Time: f.time}
		switch f.track {
		case 4, 5:
			k.Stream, k.Bitrate = c.Streams[f.track-3].Name, 96_000
		case 6:
			k.Stream, k.Bitrate = "text_eng", 1_000
		}
		g, err := p.Fragment(t.Context(), k)
		require.NoError(t, err)
		data, err := g.Load(t.Context(), nil)
		require.NoError(t, err)
		assert.Equal(t, data, f.data)
		assert.Equal(t, g.Duration, f.duration)
		assert.Equal(t, last[f.track], f.time, "no gap")
		last[f.track] = f.time + f.duration
		require.NoError(t, g.Close())
	}
}

func TestEncoderUntil(t *testing.T) {
	c := smoothtest.Default()
	c.Streams = c.Streams[:2]
	c.Streams[1].Start = ^uint64(213333) + 1 // as ffmpeg starts AAC
	e := smoothtest.NewEncoder(c)
	var body bytes.Buffer
	body.Write(e.Header())
	counts := []int{}
	for _, at := range []time.Duration{0, 1900 * time.Millisecond, 2 * time.Second, 2030 * time.Millisecond, 2030 * time.Millisecond, 61 * time.Second} {
		before := bytes.Count(body.Bytes(), []byte("moof"))
		body.Write(e.Until(at))
		counts = append(counts, bytes.Count(body.Bytes(), []byte("moof"))-before)
	}
	assert.Equal(t, []int{0, 0, 1, 3, 0, 30 + 3*29 - 1}, counts, "audio ends 21 ms before video")
	_, _, fragments, ended := readPush(t, &body)
	assert.False(t, ended)
	assert.EqualValues(t, 4, fragments[0].track, "audio ends first")
	assert.Equal(t, uint64(18446744073709338283), fragments[0].time)
}

func ExampleEncoder() {
	c := smoothtest.Default()
	c.Streams = c.Streams[:1]                     // video only
	c.Streams[0].Levels = c.Streams[0].Levels[2:] // one bit rate
	e := smoothtest.NewEncoder(c)

	fmt.Println("header:", len(e.Header()) > 0)
	for _, at := range []time.Duration{1 * time.Second, 2 * time.Second, 5 * time.Second} {
		fragments := e.Until(at)
		fmt.Println(at, bytes.Count(fragments, []byte("moof")))
	}
	fmt.Printf("end: %x\n", e.Trailer())
	// Output:
	// header: true
	// 1s 0
	// 2s 1
	// 5s 1
	// end: 000000086d667261
}

func ExampleNewSource() {
	src := smoothtest.NewSource()
	p, err := src.Open(context.Background(), "sample/sample.ism")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer p.Close()
	s, err := p.Snapshot(context.Background())
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, st := range s.Manifest.Streams {
		fmt.Println(st.Name, len(st.Levels), len(st.Timeline))
	}
	// Output:
	// video 3 15
	// audio_eng 1 15
	// audio_fra 1 15
	// text_eng 1 3
}

package hls_test

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/Eyevinn/mp4ff/mp4"
	"github.com/asticode/go-astits"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/hls"
	"github.com/smoothkit/smoothkit/hls/validate"
	"github.com/smoothkit/smoothkit/smooth"
	"github.com/smoothkit/smoothkit/smooth/smoothtest"
)

// checkValid runs the validator, which shares no code with the segmenter, over all files.
func checkValid(t *testing.T, m *memory) {
	t.Helper()
	report, err := validate.FS(context.Background(), m.files, "master.m3u8", nil)
	require.NoError(t, err)
	for _, v := range report.Violations {
		assert.NotEqual(t, validate.Error, v.Rule.Severity, "%v", v)
	}
}

func options(duration time.Duration) *hls.SegmenterOptions {
	return &hls.SegmenterOptions{Options: hls.Options{SegmentDuration: duration}}
}

func TestSegmenterMuxed(t *testing.T) {
	p := openMedia(t, "high.mp4")
	opts := options(2 * time.Second)
	opts.OmitAudioOnly = true
	m, res := segmentAll(t, opts, p)
	checkValid(t, m)
	assert.Equal(t, 3, res.Written)
	ts := m.joinedSegments(t, "a")
	got := demux(t, ts)

	times, data := trackSamples(t, p, streamOf(t, p, "video"), 0)
	var found []uint64
	for i, pes := range got[astits.StreamTypeH264Video] {
		found = append(found, uint64(pes.Header.OptionalHeader.PTS.Base))
		assert.True(t, bytes.HasSuffix(pes.Data, byteStream(data[i])), "picture %d", i)
	}
	assert.Equal(t, times, found, "every picture once and in order")
	_, frames := trackSamples(t, p, streamOf(t, p, "audio"), 0)
	var raw, want []byte
	for _, pes := range got[astits.StreamTypeAACAudio] {
		for b := pes.Data; len(b) > 0; {
			n := int(binary.BigEndian.Uint32(b[3:]) >> 13 & 0x1fff)
			raw, b = append(raw, b[7:n]...), b[n:]
		}
	}
	for _, f := range frames {
		want = append(want, f...)
	}
	assert.True(t, bytes.Equal(want, raw), "%d bytes of sound, want %d", len(raw), len(want))
}

// byteStream returns a sample as MPEG-2 TS carries it: without delimiters and filler data.
func byteStream(sample []byte) []byte {
	var out []byte
	for len(sample) > 0 {
		n := binary.BigEndian.Uint32(sample)
		nalu := sample[4:][:n]
		if kind := nalu[0] & 31; kind != 9 && kind != 12 {
			out = append(append(out, 0, 0, 0, 1), nalu...)
		}
		sample = sample[4+n:]
	}
	return out
}

func TestSegmenterRates(t *testing.T) {
	m, _ := segmentAll(t, options(2*time.Second), openMedia(t, "high.mp4"))
	v := m.master(t).Variants
	require.Len(t, v, 3, "muxed, without picture, key frames")
	var peak, total, length float64
	for _, s := range m.segments(t, "a/index.m3u8") {
		n := float64(len(m.data(t, "a/"+s.URI)) * 8)
		peak, total, length = max(peak, n/s.Duration), total+n, length+s.Duration
	}
	assert.InDelta(t, peak, float64(v[0].Bandwidth), 2)
	assert.GreaterOrEqual(t, float64(v[0].Bandwidth), peak)
	assert.InDelta(t, total/length, float64(v[0].AverageBandwidth), 2)
	assert.Equal(t, 25.0, v[0].FrameRate)
	assert.Equal(t, "audio/en/index.m3u8", v[1].URI)
	assert.Equal(t, "a/iframes.m3u8", v[2].URI)
}

// TestSegmenterKeyFrames reads what the lists of key frames name.
func TestSegmenterKeyFrames(t *testing.T) {
	for _, format := range []hls.SegmentFormat{hls.TS, hls.FMP4} {
		opts := options(4 * time.Second)
		opts.Format = format
		m, _ := segmentAll(t, opts, openMedia(t, "high.mp4"))
		list := m.segments(t, "a/iframes.m3u8")
		require.Len(t, list, 3)
		length := 0.0
		for _, s := range list {
			length += s.Duration
			part := m.data(t, "a/"+s.URI)[s.Offset:][:s.Limit]
			if format == hls.FMP4 {
				f, err := mp4.DecodeFile(bytes.NewReader(append(bytes.Clone(m.data(t, "a/init.mp4")), part...)))
				require.NoError(t, err)
				require.Len(t, f.Segments[0].Fragments, 1)
				samples, err := f.Segments[0].Fragments[0].GetFullSamples(f.Init.Moov.Mvex.Trexs[0])
				require.NoError(t, err)
				assert.Len(t, samples, 1)
				assert.Equal(t, uint32(mp4.SyncSampleFlags), samples[0].Flags)
				continue
			}
			pes := demux(t, append(bytes.Clone(m.data(t, "a/tables.ts")), part...))[astits.StreamTypeH264Video]
			require.Len(t, pes, 1)
			assert.Contains(t, string(pes[0].Data), "\x00\x00\x01\x65", "an IDR picture")
		}
		assert.InDelta(t, 6.0, length, 0.1)
	}
}

func TestSegmenterFMP4(t *testing.T) {
	p := openMedia(t, "high.mp4")
	opts := options(4 * time.Second)
	opts.Format = hls.FMP4
	m, _ := segmentAll(t, opts, p)
	checkValid(t, m)
	for dir, stream := range map[string]string{"a": "video", "audio/en": "audio"} {
		var all [][]byte
		raw := append(bytes.Clone(m.data(t, dir+"/init.mp4")), m.joinedSegments(t, dir)...)
		f, err := mp4.DecodeFile(bytes.NewReader(raw))
		require.NoError(t, err)
		for _, s := range f.Segments {
			for _, frag := range s.Fragments {
				samples, err := frag.GetFullSamples(f.Init.Moov.Mvex.Trexs[0])
				require.NoError(t, err)
				for _, x := range samples {
					all = append(all, x.Data)
				}
			}
		}
		_, want := trackSamples(t, p, streamOf(t, p, stream), 0)
		assert.Equal(t, len(want), len(all), dir)
		assert.True(t, slices.EqualFunc(want, all, bytes.Equal), dir)
	}
}

func TestSegmenterPresentation(t *testing.T) {
	for name, change := range map[string]func(*hls.SegmenterOptions){
		"TS":       func(*hls.SegmenterOptions) {},
		"fMP4":     func(o *hls.SegmenterOptions) { o.Format = hls.FMP4 },
		"auto":     func(o *hls.SegmenterOptions) { o.Sound = hls.SoundAuto },
		"muxed":    func(o *hls.SegmenterOptions) { o.Sound = hls.SoundMuxed },
		"parallel": func(o *hls.SegmenterOptions) { o.Parallel = 16 },
	} {
		t.Run(name, func(t *testing.T) {
			opts := options(0)
			change(opts)
			m, res := segmentAll(t, opts, openSample(t))
			checkValid(t, m)
			master := m.master(t)
			dirs := make(map[string]bool)
			for _, v := range master.Variants {
				dirs[strings.TrimSuffix(v.URI, "/index.m3u8")] = true
				if v.Iframe {
					continue
				}
				for _, a := range v.Alternatives {
					dirs[strings.TrimSuffix(a.URI, "/index.m3u8")] = true
				}
			}
			assert.True(t, dirs["text/en"], "%v", dirs)
			assert.Equal(t, name != "muxed", dirs["audio/de"], "%v", dirs)
			assert.Equal(t, name == "muxed", len(res.Skipped) == 1, "%q", res.Skipped)
			cues := string(m.joinedSegments(t, "text/en"))
			assert.Equal(t, len(m.segments(t, "text/en/index.m3u8")), strings.Count(cues, "WEBVTT"))
			assert.Contains(t, cues, " --> ")
		})
	}
}

// TestSegmenterInputs joins renditions of one film: all pictures, each language once.
func TestSegmenterInputs(t *testing.T) {
	m, res := segmentAll(t, options(2*time.Second), openMedia(t, "high.mp4"), openMedia(t, "low.mp4"), openMedia(t, "german.m4a"))
	checkValid(t, m)
	var variants []string
	for _, v := range m.master(t).Variants {
		if !v.Iframe {
			variants = append(variants, v.URI)
		}
	}
	assert.Equal(t, []string{"a/index.m3u8", "b/index.m3u8", "audio/en/index.m3u8"}, variants)
	assert.Contains(t, m.files, "audio/de/index.m3u8")
	assert.Equal(t, []string{"b: stream audio: an earlier input has that language"}, res.Skipped)
	first := demux(t, m.joinedSegments(t, "a"))[astits.StreamTypeH264Video]
	second := demux(t, m.joinedSegments(t, "b"))[astits.StreamTypeH264Video]
	require.Equal(t, len(first), len(second))
	for i := range first {
		assert.Equal(t, first[i].Header.OptionalHeader.PTS, second[i].Header.OptionalHeader.PTS)
	}
}

// TestSegmenterOneSound muxes the only sound there is into the picture of every input.
func TestSegmenterOneSound(t *testing.T) {
	opts := options(2 * time.Second)
	opts.OmitAudioOnly = true
	m, _ := segmentAll(t, opts, openMedia(t, "low.mp4"), openMedia(t, "high.mp4"))
	checkValid(t, m)
	for _, dir := range []string{"a", "b"} {
		assert.NotEmpty(t, demux(t, m.joinedSegments(t, dir))[astits.StreamTypeAACAudio], dir)
	}
	assert.NotContains(t, m.files, "audio/en/index.m3u8")
}

// TestSegmenterOffset brings inputs together that differ by a constant, as files with and without sound do.
func TestSegmenterOffset(t *testing.T) {
	const offset = 213_333 // 1,024 samples at 48 kHz
	early, late := smoothtest.Default(), smoothtest.Default()
	early.Streams, late.Streams = early.Streams[:1], late.Streams[:2]
	for i := range late.Streams {
		late.Streams[i].Start += offset
	}
	late.Streams[0].Levels = late.Streams[0].Levels[:1]
	early.Streams[0].Levels = early.Streams[0].Levels[1:2]
	for _, format := range []hls.SegmentFormat{hls.TS, hls.FMP4} {
		opts := options(6 * time.Second)
		opts.Format, opts.Sound = format, hls.SoundSeparate
		m, _ := segmentAll(t, opts, smoothtest.New(early), smoothtest.New(late))
		assert.Equal(t, string(m.data(t, "a/index.m3u8")), string(m.data(t, "b/index.m3u8")))
		if format == hls.TS {
			a, b := demux(t, m.joinedSegments(t, "a")), demux(t, m.joinedSegments(t, "b"))
			assert.Equal(t, b[astits.StreamTypeH264Video][0].Header.OptionalHeader.PTS, a[astits.StreamTypeH264Video][0].Header.OptionalHeader.PTS)
			continue
		}
		for _, dir := range []string{"a", "b"} {
			f, err := mp4.DecodeFile(bytes.NewReader(append(bytes.Clone(m.data(t, dir+"/init.mp4")), m.data(t, dir+"/00000.m4s")...)))
			require.NoError(t, err)
			assert.Equal(t, uint64(offset), f.Segments[0].Fragments[0].Moof.Traf.Tfdt.BaseMediaDecodeTime(), dir)
		}
	}
}

func TestSegmenterAudioOnly(t *testing.T) {
	m, _ := segmentAll(t, options(2*time.Second), openMedia(t, "german.m4a"))
	checkValid(t, m)
	require.Len(t, m.master(t).Variants, 1)
	assert.NotEmpty(t, demux(t, m.joinedSegments(t, "audio/de"))[astits.StreamTypeAACAudio])

	one := smoothtest.Default()
	one.Streams = one.Streams[1:2]
	one.Streams[0].Levels = append(one.Streams[0].Levels, smoothtest.Level{Bitrate: 48_000})
	m, _ = segmentAll(t, nil, smoothtest.New(one))
	var uris []string
	for _, v := range m.master(t).Variants {
		uris = append(uris, v.URI)
	}
	assert.Equal(t, []string{"audio/en-96k/index.m3u8", "audio/en-48k/index.m3u8"}, uris)

	two := smoothtest.Default()
	two.Streams = one.Streams[:1]
	m, _ = segmentAll(t, nil, smoothtest.New(one), smoothtest.New(two))
	assert.Len(t, m.master(t).Variants, 1)
}

func TestSegmenterMaxBitrate(t *testing.T) {
	opts := options(0)
	opts.MaxBitrate = 1
	m, res := segmentAll(t, opts, openSample(t))
	videos := 0
	for _, v := range m.master(t).Variants {
		if v.Resolution != "" && !v.Iframe {
			videos++
		}
	}
	assert.Equal(t, 1, videos, "the last one stays")
	assert.Len(t, res.Skipped, 3)
}

func TestSegmenterEncryption(t *testing.T) {
	key := hls.StaticKey{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}
	for _, format := range []hls.SegmentFormat{hls.TS, hls.FMP4} {
		opts := options(2 * time.Second)
		opts.Format = format
		clear, _ := segmentAll(t, opts, openMedia(t, "low.mp4"))
		opts.Encryption = &hls.Encryption{Keys: key, URI: "https://example.com/{presentation}.key"}
		m, _ := segmentAll(t, opts, openMedia(t, "low.mp4"))
		for i, s := range m.segments(t, "a/index.m3u8") {
			var iv [16]byte
			binary.BigEndian.PutUint64(iv[8:], uint64(i))
			b := bytes.Clone(m.data(t, "a/"+s.URI))
			block, err := aes.NewCipher(key[:])
			require.NoError(t, err)
			cipher.NewCBCDecrypter(block, iv[:]).CryptBlocks(b, b)
			assert.True(t, bytes.Equal(clear.data(t, "a/"+s.URI), b[:len(b)-int(b[len(b)-1])]), s.URI)
		}
		list := string(m.data(t, "a/index.m3u8"))
		assert.Contains(t, list, `#EXT-X-KEY:METHOD=AES-128,URI="https://example.com/a.key"`)
		assert.NotContains(t, m.files, "a/iframes.m3u8", "parts of an encrypted segment cannot be read")
		for name := range m.files {
			assert.NotContains(t, name, "key")
		}
	}
}

func TestSegmenterWriteKeys(t *testing.T) {
	opts := options(2 * time.Second)
	opts.Encryption = &hls.Encryption{Master: []byte("a secret of some length"), Rotate: 2}
	opts.WriteKeys = true
	m, _ := segmentAll(t, opts, openSample(t))
	checkValid(t, m) // decrypts with the keys
	assert.Len(t, m.data(t, "keys/a-0.key"), 16)
	assert.NotEqual(t, m.data(t, "keys/a-0.key"), m.data(t, "keys/a-1.key"))
	assert.Contains(t, string(m.data(t, "audio/en/index.m3u8")), `URI="../../keys/a-0.key"`)

	opts.Encryption.Method = hls.SampleAES
	m, _ = segmentAll(t, opts, openSample(t))
	checkValid(t, m)
}

func TestSegmenterProgress(t *testing.T) {
	var last hls.Progress
	opts := options(2 * time.Second)
	opts.Progress = func(p hls.Progress) {
		assert.Equal(t, last.Segments+1, p.Segments)
		assert.GreaterOrEqual(t, p.Bytes, last.Bytes)
		if last.TotalSegments > 0 {
			assert.Equal(t, last.TotalBytes, p.TotalBytes)
		}
		last = p
	}
	segmentAll(t, opts, openSample(t))
	assert.Equal(t, last.TotalSegments, last.Segments)
	assert.Equal(t, last.TotalBytes, last.Bytes)
	assert.Positive(t, last.TotalBytes)
}

// TestSegmenterCancel stops a run in the middle: no file is there in part, and no master playlist.
func TestSegmenterCancel(t *testing.T) {
	dir := t.TempDir()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	opts := options(2 * time.Second)
	opts.Progress = func(p hls.Progress) {
		if p.Segments == 3 {
			cancel()
		}
	}
	g, err := hls.NewSegmenter(hls.NewDirSink(dir, nil), opts)
	require.NoError(t, err)
	g.Add("film", openSample(t))
	_, err = g.Run(ctx)
	require.ErrorIs(t, err, context.Canceled)
	whole, _ := segmentAll(t, options(2*time.Second), openSample(t))
	count := 0
	require.NoError(t, filepath.WalkDir(dir, func(path string, e os.DirEntry, err error) error {
		require.NoError(t, err)
		if e.IsDir() || e.Name() == ".segmenter.json" {
			return nil
		}
		count++
		rel, err := filepath.Rel(dir, path)
		require.NoError(t, err)
		data, err := os.ReadFile(path)
		require.NoError(t, err)
		name := strings.Replace(filepath.ToSlash(rel), "film-", "a-", 1)
		assert.True(t, bytes.Equal(whole.data(t, name), data), rel)
		return nil
	}))
	assert.GreaterOrEqual(t, count, 3)
	assert.NoFileExists(t, filepath.Join(dir, "master.m3u8"))
	g, err = hls.NewSegmenter(hls.NewDirSink(dir, nil), options(2*time.Second))
	require.NoError(t, err)
	g.Add("film", openSample(t))
	res, err := g.Run(context.Background())
	require.NoError(t, err)
	assert.GreaterOrEqual(t, res.Kept, 3)
	assert.Equal(t, len(whole.segmentFiles()), res.Kept+res.Written)
}

// segmentFiles returns the names of the segments.
func (m *memory) segmentFiles() []string {
	var list []string
	for name := range m.files {
		if ext := filepath.Ext(name); (ext == ".ts" || ext == ".m4s" || ext == ".vtt") && !strings.HasSuffix(name, "tables.ts") {
			list = append(list, name)
		}
	}
	return list
}

func TestSegmenterOptions(t *testing.T) {
	enc := &hls.Encryption{Keys: hls.StaticKey{}}
	elsewhere := &hls.Encryption{Keys: hls.StaticKey{}, URI: "k"}
	for name, opts := range map[string]*hls.SegmenterOptions{
		"format":           {Format: 9},
		"sound":            {Sound: 9},
		"muxed fMP4":       {Format: hls.FMP4, Sound: hls.SoundMuxed},
		"keys of nothing":  {WriteKeys: true},
		"no URI":           {Options: hls.Options{Encryption: enc}},
		"two places":       {Options: hls.Options{Encryption: elsewhere}, WriteKeys: true},
		"no keys":          {Options: hls.Options{Encryption: &hls.Encryption{URI: "k"}}},
		"SAMPLE-AES fMP4":  {Options: hls.Options{Encryption: &hls.Encryption{Keys: hls.StaticKey{}, URI: "k", Method: hls.SampleAES}}, Format: hls.FMP4},
		"no period in URI": {Options: hls.Options{Encryption: &hls.Encryption{Keys: hls.StaticKey{}, URI: "k", Rotate: 1}}},
	} {
		_, err := hls.NewSegmenter(newMemory(), opts)
		assert.Error(t, err, name)
	}
	_, err := segmentInto(newMemory(), nil)
	assert.Error(t, err, "no inputs")
}

// broken is a presentation some of whose fragments cannot be had or are damaged.
type broken struct {
	smooth.Presentation
	change func(k smooth.FragmentKey, f *smooth.Fragment) (*smooth.Fragment, error)
}

func (b broken) Fragment(ctx context.Context, k smooth.FragmentKey) (*smooth.Fragment, error) {
	f, err := b.Presentation.Fragment(ctx, k)
	if err != nil {
		return nil, err
	}
	return b.change(k, f)
}

func TestSegmenterBadInput(t *testing.T) {
	wrong := errors.New("wrong")
	late := func(k smooth.FragmentKey) bool { return k.Time > 100_000_000 }
	for name, change := range map[string]func(k smooth.FragmentKey, f *smooth.Fragment) (*smooth.Fragment, error){
		"missing": func(k smooth.FragmentKey, f *smooth.Fragment) (*smooth.Fragment, error) {
			if late(k) {
				f.Close()
				return nil, wrong
			}
			return f, nil
		},
		"lengths of NAL units": func(k smooth.FragmentKey, f *smooth.Fragment) (*smooth.Fragment, error) {
			return rewrite(f, late(k), func(head, payload []byte) []byte {
				for i := range payload {
					payload[i] = 0xff
				}
				return head
			})
		},
		"no moof": func(k smooth.FragmentKey, f *smooth.Fragment) (*smooth.Fragment, error) {
			return rewrite(f, late(k), func(head, _ []byte) []byte { return head[4:] })
		},
	} {
		m := newMemory()
		_, err := segmentInto(m, options(2*time.Second), broken{openSample(t), change})
		require.Error(t, err, name)
		assert.Zero(t, m.open, name)
		assert.NotContains(t, m.files, "master.m3u8", name)
		assert.NotEmpty(t, m.segmentFiles(), name)
	}
	live := smoothtest.Default()
	live.Live = true
	_, err := segmentInto(newMemory(), nil, smoothtest.New(live))
	require.ErrorIs(t, err, smooth.ErrUnsupported)
	text := smoothtest.Default()
	text.Streams = text.Streams[3:]
	_, err = segmentInto(newMemory(), nil, smoothtest.New(text))
	require.ErrorIs(t, err, smooth.ErrUnsupported)
	assert.ErrorContains(t, err, "input a")
}

// rewrite returns a fragment with other bytes.
func rewrite(f *smooth.Fragment, really bool, change func(head, payload []byte) []byte) (*smooth.Fragment, error) {
	if !really {
		return f, nil
	}
	defer f.Close()
	head, err := f.Header(smooth.Smooth)
	if err != nil {
		return nil, err
	}
	payload, err := f.Load(context.Background(), nil)
	if err != nil { // the run has ended meanwhile
		return nil, err
	}
	payload = bytes.Clone(payload)
	head = change(bytes.Clone(head), payload)
	return smooth.NewFragment(smooth.FragmentInit{
		Key: f.Key, Timescale: f.Timescale, Duration: f.Duration, Codec: f.Codec, Memory: slices.Concat(head, payload), HeadLen: len(head),
	}), nil
}

func TestSegmenterNames(t *testing.T) {
	m := newMemory()
	g, err := hls.NewSegmenter(m, options(2*time.Second))
	require.NoError(t, err)
	for _, name := range []string{"../Grüße, Welt.mp4", "AUDIO", "..", "audio", strings.Repeat("x", 300)} {
		g.Add(name, openMedia(t, "misaligned.mp4"))
	}
	_, err = g.Run(context.Background())
	require.NoError(t, err)
	for _, dir := range []string{"Gr__e__Welt.mp4", "AUDIO-2", "video", "audio-3", strings.Repeat("x", 64)} {
		assert.Contains(t, m.files, dir+"/index.m3u8")
	}
	assert.Equal(t, 5, len(m.master(t).Variants)/2, fmt.Sprint(m.commits))
}

// TestOptionsAreCopied: what the caller does with its options and with what it was given changes nothing.
func TestOptionsAreCopied(t *testing.T) {
	hls.NewOutput(nil).Formats()[0] = "none"
	assert.Equal(t, "m3u8-aapl", hls.NewOutput(nil).Formats()[0])

	encrypted := func(change func(*hls.Encryption)) *memory {
		opts := options(2 * time.Second)
		opts.Encryption = &hls.Encryption{Master: []byte("0123456789abcdef"), Rotate: 2, URI: "k{period}", IV: make([]byte, 16)}
		m := newMemory()
		g, err := hls.NewSegmenter(m, opts)
		require.NoError(t, err)
		change(opts.Encryption)
		g.Add("a", openMedia(t, "low.mp4"))
		_, err = g.Run(t.Context())
		require.NoError(t, err)
		return m
	}
	want := encrypted(func(*hls.Encryption) {})
	assertSameFiles(t, want, encrypted(func(e *hls.Encryption) {
		e.Master[0]++
		e.IV[0]++
		*e = hls.Encryption{Method: hls.SampleAES, Keys: hls.StaticKey{}}
	}))
}

// TestSegmenterOfEnded: what was live becomes files that do not change any more.
func TestSegmenterOfEnded(t *testing.T) {
	for name, edit := range liveCases {
		t.Run(name, func(t *testing.T) {
			p := &edited{Presentation: smoothtest.New(liveConfig(0)), edit: edit}
			p.Append(40)
			p.End()
			m, res := segmentAll(t, options(0), p)
			lists := 0
			for _, file := range res.Files {
				text := string(m.data(t, file))
				if strings.HasSuffix(file, ".m3u8") && file != "master.m3u8" {
					lists++
					assert.Contains(t, text, "#EXT-X-PLAYLIST-TYPE:VOD\n", file)
					assert.Contains(t, text, "#EXT-X-ENDLIST\n", file)
				}
			}
			assert.Greater(t, lists, 2)
		})
	}
}

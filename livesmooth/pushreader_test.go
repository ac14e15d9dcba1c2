package livesmooth

import (
	"bytes"
	"encoding/binary"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/Eyevinn/mp4ff/bits"
	"github.com/Eyevinn/mp4ff/mp4"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/internal/fmp4"
	"github.com/smoothkit/smoothkit/smooth"
	"github.com/smoothkit/smoothkit/smooth/smoothtest"
)

// pushSeen is what a reader has returned, with the memory of fragments copied and given back.
type pushSeen struct {
	headers   []*pushHeader
	fragments []pushCopy
	ends      int
	err       error // io.EOF at the end of the body
}

type pushCopy struct {
	pushFragment
	early, payload []byte
}

// pushReadAll reads a body to its end, and requires that all memory has come back.
func pushReadAll(t testing.TB, r io.Reader, c pushReaderConfig) (s pushSeen) {
	t.Helper()
	if c.pool == nil {
		c.pool = newPool()
	}
	c.limits = c.limits.withDefaults()
	p := newPushReader(r, c)
	for {
		item, err := p.next()
		if err != nil {
			s.err = err
			break
		}
		switch item := item.(type) {
		case *pushHeader:
			s.headers = append(s.headers, item)
		case *pushFragment:
			require.GreaterOrEqual(t, item.buf.room, headRoom(item.buf.early))
			require.Equal(t, len(item.buf.data), cap(item.buf.data))
			requirePushCanonical(t, item)
			f := pushCopy{*item, bytes.Clone(item.buf.Early()), bytes.Clone(item.buf.Payload())}
			item.buf.release()
			f.buf = nil
			s.fragments = append(s.fragments, f)
		case pushEnd:
			s.ends++
		default:
			t.Fatalf("next returned %T", item)
		}
	}
	require.Zero(t, c.pool.used.Load(), "bytes that were not given back")
	_, err := p.next()
	require.Equal(t, s.err, err, "the error stays")
	return s
}

// requirePushCanonical requires that the final head can be made of the early one, with the same length but for tfrf.
func requirePushCanonical(t testing.TB, f *pushFragment) {
	t.Helper()
	early := f.buf.Early()
	n := fmp4.MoofSize(early)
	require.Equal(t, len(early)-8, n)
	head, err := fmp4.Inspect(early[:n], 0, fmp4.Defaults{})
	require.NoError(t, err)
	require.True(t, head.Plain && head.Ordered && head.HasTfxd)
	h := fmp4.LiveHead{Sequence: 1, TrackID: 2, Time: head.Time, Duration: head.Duration}
	final, err := h.AppendTo(nil, early[:n])
	require.NoError(t, err)
	require.Len(t, final, n)
}

// pushRecording returns a recorded body.
func pushRecording(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", "push", name))
	require.NoError(t, err)
	return b
}

// pushSample is a sample with its decode time, in ticks of 10,000,000.
type pushSample struct {
	time, cts int64
	sync      bool
	data      string
}

// pushSamples decodes fragments of a track with the library: from the form that viewers get.
func pushSamples(t testing.TB, s pushSeen, track int) (all []pushSample) {
	t.Helper()
	for _, f := range s.fragments {
		if f.track != track {
			continue
		}
		box, err := mp4.DecodeBoxSR(0, bits.NewFixedSliceReader(f.early))
		require.NoError(t, err)
		moof := box.(*mp4.MoofBox)
		require.Len(t, moof.Trafs, 1)
		require.EqualValues(t, len(f.early), moof.Traf.Trun.DataOffset)
		require.EqualValues(t, 8+len(f.payload), binary.BigEndian.Uint32(f.early[len(f.early)-8:]))
		tfxd := pushTfxd(moof.Traf)
		require.EqualValues(t, f.time, tfxd.FragmentAbsoluteTime)
		require.EqualValues(t, f.duration, tfxd.FragmentAbsoluteDuration)
		moof.Traf.Trun.AddSampleDefaultValues(moof.Traf.Tfhd, nil)
		at, data := f.time, f.payload
		for _, x := range moof.Traf.Trun.Samples {
			all = append(all, pushSample{at, int64(x.CompositionTimeOffset), x.IsSync(), string(data[:x.Size])})
			at, data = at+int64(x.Dur), data[x.Size:]
		}
		require.Empty(t, data)
	}
	return all
}

// pushTfxd returns the tfxd box, or nil.
func pushTfxd(traf *mp4.TrafBox) *mp4.TfxdData {
	for _, c := range traf.Children {
		if u, ok := c.(*mp4.UUIDBox); ok && u.Tfxd != nil {
			return u.Tfxd
		}
	}
	return nil
}

// pushExpected decodes a recording with the library: the samples of a track as the encoder wrote them.
func pushExpected(t testing.TB, raw []byte, id uint32) (all []pushSample) {
	t.Helper()
	file, err := mp4.DecodeFile(bytes.NewReader(raw))
	require.NoError(t, err)
	var trex *mp4.TrexBox
	var timescale uint64
	var shift int64
	for _, trak := range file.Init.Moov.Traks {
		if trak.Tkhd.TrackID == id {
			timescale = uint64(trak.Mdia.Mdhd.Timescale)
			if trak.Edts != nil {
				shift = -trak.Edts.Elst[0].Entries[0].MediaTime
			}
		}
	}
	for _, x := range file.Init.Moov.Mvex.Trexs {
		if x.TrackID == id {
			trex = x
		}
	}
	for _, seg := range file.Segments {
		for _, f := range seg.Fragments {
			for _, traf := range f.Moof.Trafs {
				if traf.Tfhd.TrackID != id {
					continue
				}
				at := int64(0)
				if tfxd := pushTfxd(traf); tfxd != nil {
					at, shift = int64(tfxd.FragmentAbsoluteTime), 0
				} else {
					at = int64(traf.Tfdt.BaseMediaDecodeTime())
				}
				traf.Trun.AddSampleDefaultValues(traf.Tfhd, trex)
				offset := uint64(traf.Trun.DataOffset) + f.Moof.StartPos - f.Mdat.PayloadAbsoluteOffset()
				for _, x := range traf.Trun.Samples {
					s := pushSample{at, int64(x.CompositionTimeOffset), x.IsSync(), string(f.Mdat.Data[offset : offset+uint64(x.Size)])}
					if trex != nil && shift != 0 && file.Init.Moov.Traks[0].Mdia.Hdlr.HandlerType == "vide" {
						s.cts += shift
					} else {
						s.time += shift
					}
					s.cts = rescale(s.time+s.cts, timescale, scale) - rescale(s.time, timescale, scale)
					s.time = rescale(s.time, timescale, scale)
					all = append(all, s)
					at, offset = at+int64(x.Dur), offset+uint64(x.Size)
				}
			}
		}
	}
	return all
}

func TestPushRecordings(t *testing.T) {
	for _, c := range []struct {
		file      string
		tracks    []string // name and bit rate
		fragments []int    // per track
		ends      int
		asIs      bool // the header is passed on as received
	}{
		{"ffmpeg-all.ismv", []string{"video_und", "audio_eng"}, []int{3, 3}, 1, true},
		{"ffmpeg-video.ismv", []string{"video_und"}, []int{3}, 1, true},
		{"ffmpeg-audio.ismv", []string{"audio_eng"}, []int{1}, 1, true},
		{"gstreamer-0.isml", []string{"video", "audio"}, []int{5, 4}, 0, false},
		{"gstreamer-10000000.isml", []string{"video", "audio"}, []int{5, 4}, 0, false},
		{"ffmpeg-cmaf.mp4", []string{"video", "audio"}, []int{3, 3}, 1, false},
		{"dash-video.m4s", []string{"video"}, []int{3}, 0, false},
		{"dash-audio.m4s", []string{"audio"}, []int{4}, 0, false},
		{"dash-video-chunks.m4s", []string{"video"}, []int{3}, 0, false},
		{"dash-audio-chunks.m4s", []string{"audio"}, []int{4}, 0, false},
	} {
		t.Run(c.file, func(t *testing.T) {
			raw := pushRecording(t, c.file)
			s := pushReadAll(t, bytes.NewReader(raw), pushReaderConfig{})
			require.Equal(t, io.EOF, s.err)
			require.Len(t, s.headers, 1)
			h := s.headers[0]
			require.Equal(t, c.ends, s.ends)
			require.Equal(t, c.asIs, h.described && bytes.Contains(raw, h.raw))
			for i := range h.tracks {
				tr := &h.tracks[i]
				require.Equal(t, c.tracks[i], tr.stream.Name)
				n := 0
				for _, f := range s.fragments {
					if f.track == i {
						n++
					}
				}
				require.Equal(t, c.fragments[i], n, "fragments of track %d", i)
				want, got := pushExpected(t, raw, tr.id), pushSamples(t, s, i)
				require.Len(t, got, len(want))
				for k := range want {
					require.Equal(t, want[k].data, got[k].data, "sample %d", k)
					require.Equal(t, want[k].sync, got[k].sync, "sample %d", k)
					require.InDelta(t, want[k].time, got[k].time, 1, "sample %d of track %d", k, i)
					require.InDelta(t, want[k].cts, got[k].cts, 1, "sample %d of track %d", k, i)
				}
			}
		})
	}
}

// TestPushEncoder: fragments of the synthetic encoder are those of the presentation that it is made of, and a body that ends,
// repeats its header and goes on is one input.
func TestPushEncoder(t *testing.T) {
	for _, timescale := range []uint64{scale, 48000, 90000} {
		t.Run(strconv.FormatUint(timescale, 10), func(t *testing.T) {
			e := smoothtest.NewEncoder(smoothtest.Config{MaxPayload: 20_000, Streams: []smoothtest.Stream{
				{Type: smooth.Video, Levels: []smoothtest.Level{{Bitrate: 900_000}, {Bitrate: 300_000}}},
				{Type: smooth.Audio, Timescale: timescale, Start: -(1024 * timescale / 48000), Durations: []uint64{timescale * 201 / 100, timescale * 199 / 100},
					Levels: []smoothtest.Level{{Bitrate: 64000}}},
			}})
			body, err := io.ReadAll(e.Body(20 * time.Second))
			require.NoError(t, err)
			body = append(append(append(body, e.Header()...), e.Until(30*time.Second)...), e.Trailer()...)
			s := pushReadAll(t, bytes.NewReader(body), pushReaderConfig{})
			require.Equal(t, io.EOF, s.err)
			require.Equal(t, 2, s.ends)
			require.Len(t, s.headers, 2)
			require.Equal(t, s.headers[0].raw, s.headers[1].raw)
			next := map[int]int64{2: -213_333}
			count := make([]int, 3)
			for _, f := range s.fragments {
				require.Equal(t, next[f.track], f.time)
				require.True(t, f.wall.IsZero())
				next[f.track] = f.time + int64(f.duration)
				count[f.track]++
			}
			require.Equal(t, []int{14, 14, 15}, count)
			for i := range count {
				require.Equal(t, pushExpectedData(t, body, s.headers[0].tracks[i].id), pushData(pushSamples(t, s, i)))
			}
		})
	}
}

// pushData joins the data of samples.
func pushData(list []pushSample) string {
	var b strings.Builder
	for _, s := range list {
		b.WriteString(s.data)
	}
	return b.String()
}

// pushExpectedData joins the payloads of the fragments of a track with one traf per moof.
func pushExpectedData(t testing.TB, body []byte, id uint32) string {
	t.Helper()
	var b strings.Builder
	r := fmp4.NewStreamReader(bytes.NewReader(body))
	wanted := false
	for {
		h, err := r.Next()
		if err == io.EOF {
			return b.String()
		}
		require.NoError(t, err)
		raw := body[h.Offset:h.End()]
		switch h.Type {
		case fmp4.TypeMoof:
			m, err := fmp4.ParseMoof(raw, 0)
			require.NoError(t, err)
			wanted = m.Trafs[0].TrackID == id
		case fmp4.TypeMdat:
			if wanted {
				b.Write(raw[8:])
			}
		}
	}
}

// TestPushReadSizes: how the bytes come in pieces does not matter.
func TestPushReadSizes(t *testing.T) {
	for _, file := range []string{"ffmpeg-all.ismv", "gstreamer-0.isml", "ffmpeg-cmaf.mp4", "dash-video-chunks.m4s"} {
		raw := pushRecording(t, file)
		want := pushReadAll(t, bytes.NewReader(raw), pushReaderConfig{})
		for name, r := range map[string]io.Reader{
			"one byte": iotest.OneByteReader(bytes.NewReader(raw)), "halves": iotest.HalfReader(bytes.NewReader(raw)),
			"end with data": iotest.DataErrReader(bytes.NewReader(raw)),
		} {
			got := pushReadAll(t, r, pushReaderConfig{})
			require.Equal(t, want.fragments, got.fragments, name)
			require.Equal(t, want.err, got.err, name)
			require.Equal(t, want.ends, got.ends, name)
		}
	}
}

// TestPushTruncated: a body that breaks off anywhere gives what was complete, and says so; one that ends between boxes is
// complete.
func TestPushTruncated(t *testing.T) {
	for _, file := range []string{"ffmpeg-video.ismv", "gstreamer-0.isml", "ffmpeg-cmaf.mp4", "dash-video-chunks.m4s"} {
		raw := pushRecording(t, file)
		raw = raw[:min(len(raw), pushHeaderSize(t, file)+900)] // header and first fragment; it takes a square of the size
		edges := make(map[int]fmp4.Type)                       // ends of boxes
		r := fmp4.NewStreamReader(bytes.NewReader(raw))
		for h, err := r.Next(); err == nil; h, err = r.Next() {
			edges[int(h.End())] = h.Type
		}
		whole := pushReadAll(t, bytes.NewReader(pushRecording(t, file)), pushReaderConfig{})
		for n := range len(raw) {
			s := pushReadAll(t, bytes.NewReader(raw[:n]), pushReaderConfig{})
			typ, edge := edges[n]
			switch {
			case n == 0 || edge && typ != fmp4.TypeMoof && typ != fmp4.TypeFtyp && typ != fmp4.TypeUUID:
				require.Equal(t, io.EOF, s.err, "%s up to %d", file, n)
			case edge && typ != fmp4.TypeMoof && len(s.headers) == 0:
				require.ErrorIs(t, s.err, ErrMalformed, "%s up to %d", file, n)
			case edge && typ != fmp4.TypeMoof:
			default:
				require.ErrorIs(t, s.err, io.ErrUnexpectedEOF, "%s up to %d", file, n)
				require.NotErrorIs(t, s.err, ErrMalformed)
			}
			require.LessOrEqual(t, len(s.fragments), len(whole.fragments))
			for i := range s.fragments[:max(len(s.fragments)-1, 0)] {
				require.Equal(t, whole.fragments[i].payload, s.fragments[i].payload)
			}
		}
	}
}

// TestPushConnectionError: errors of the connection come through.
func TestPushConnectionError(t *testing.T) {
	raw := pushRecording(t, "ffmpeg-video.ismv")
	for _, n := range []int{0, 3, 24, 500, len(raw) - 20, len(raw) - 8, len(raw)} {
		s := pushReadAll(t, io.MultiReader(bytes.NewReader(raw[:n]), iotest.ErrReader(os.ErrDeadlineExceeded)), pushReaderConfig{})
		require.ErrorIs(t, s.err, os.ErrDeadlineExceeded)
	}
	s := pushReadAll(t, io.MultiReader(bytes.NewReader(raw), iotest.ErrReader(io.ErrUnexpectedEOF)), pushReaderConfig{})
	require.ErrorIs(t, s.err, io.ErrUnexpectedEOF, "a chunked body without its last chunk")
}

// TestPushClose: a reader that is given up holds no memory.
func TestPushClose(t *testing.T) {
	for _, file := range []string{"ffmpeg-cmaf.mp4", "dash-video-chunks.m4s"} {
		for n := range 5 {
			pool := newPool()
			p := newPushReader(bytes.NewReader(pushRecording(t, file)), pushReaderConfig{pool: pool, limits: Limits{}.withDefaults()})
			for range n {
				item, err := p.next()
				require.NoError(t, err)
				if f, ok := item.(*pushFragment); ok {
					f.buf.release()
				}
			}
			p.close()
			require.Zero(t, pool.used.Load())
			_, err := p.next()
			require.ErrorIs(t, err, io.ErrClosedPipe)
		}
	}
}

// TestPushPhases: deadlines follow the phases.
func TestPushPhases(t *testing.T) {
	e := smoothtest.NewEncoder(smoothtest.Default())
	fragments := e.Until(2 * time.Second)
	var log []string
	phase := func(p pushPhase) { log = append(log, []string{"header", "idle", "fragment"}[p]) }
	steps := func(known *pushHeader, parts ...[]byte) string {
		log = nil
		r, w := io.Pipe()
		go func() {
			for _, b := range parts {
				w.Write(b)
			}
			w.Close()
		}()
		pushReadAll(t, r, pushReaderConfig{phase: phase, known: known})
		return strings.Join(log, " ")
	}
	require.Equal(t, "header", steps(nil))
	require.Equal(t, "header idle", steps(nil, e.Header()))
	n := bytes.Count(fragments, []byte("moof"))
	require.Equal(t, "header idle"+strings.Repeat(" fragment idle", n+1), steps(nil, e.Header(), fragments, e.Trailer()))
	h := pushOneHeader(t, e.Header())
	require.Equal(t, "idle"+strings.Repeat(" fragment idle", n), steps(h, fragments))
}

// TestPushAllocations: nothing but the pooled buffer is allocated in proportion to a fragment.
func TestPushAllocations(t *testing.T) {
	const size = 200_000
	fragment := func(at int64) []byte { return pushPlain(1, at, string(make([]byte, size))) }
	pool, limits := newPool(), Limits{}.withDefaults()
	h := pushOneHeader(t, pushFtyp(), pushMoov(t, pushVideo(t, 1)))
	read := func(n int) (objects float64, total uint64) {
		var body []byte
		for i := range n {
			body = append(body, fragment(int64(i)*10)...)
		}
		once := func() {
			p := newPushReader(bytes.NewReader(body), pushReaderConfig{pool: pool, limits: limits, known: h})
			for {
				item, err := p.next()
				if err != nil {
					return
				}
				item.(*pushFragment).buf.release()
			}
		}
		once()
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		objects = testing.AllocsPerRun(1, once)
		runtime.ReadMemStats(&after)
		return objects, (after.TotalAlloc - before.TotalAlloc) / 2 // once to warm up
	}
	objects, total := read(10)
	moreObjects, more := read(50)
	require.LessOrEqual(t, moreObjects-objects, 40*4.0)
	require.Less(t, more-total, uint64(40*1000), "bytes for 40 fragments of %d", size)
}

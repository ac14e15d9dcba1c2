package livesmooth

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"testing/iotest"
	"time"

	"github.com/Eyevinn/mp4ff/bits"
	"github.com/Eyevinn/mp4ff/mp4"
	"github.com/stretchr/testify/require"

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

var _ = []any{errors.Is, math.MaxInt64, slices.Equal[[]int], iotest.OneByteReader, time.Second, smooth.Video, smoothtest.NewEncoder}

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

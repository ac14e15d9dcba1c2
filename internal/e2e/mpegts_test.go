package e2e_test

import (
	"bytes"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/Eyevinn/mp4ff/hevc"
	"github.com/Eyevinn/mp4ff/mp4"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/hls/mpegts"
	"github.com/smoothkit/smoothkit/internal/testmedia"
)

// tsTrack is a track of an MP4 file, or something like it, to be written as transport stream.
type tsTrack struct {
	stream mpegts.Stream
	units  []mpegts.Unit
}

const (
	tsStart   = 10 * 90000 // added to all times
	tsSegment = 2 * 90000  // least duration of a segment
	tsPacking = 5          // audio frames in a PES packet
)

// TestTransportStream makes a source in each codec, writes its samples as segments, joins these, and has ffmpeg read
// them. It must not complain, and give the packets and pictures of the source.
func TestTransportStream(t *testing.T) {
	need(t, "ffmpeg", "ffprobe")
	const (
		picture = "testsrc2=s=320x180:r=25:d=5"
		slow    = "testsrc2=s=320x180:r=2:d=6"
		tone    = "sine=f=440:r=48000:d=5"
		tone44  = "sine=f=440:r=44100:d=5"
		low     = "sine=f=440:r=22050:d=5"
	)
	x264 := []string{"-c:v", "libx264", "-preset", "veryfast", "-bf", "2", "-pix_fmt", "yuv420p", "-g", "50"}
	x265 := []string{"-c:v", "libx265", "-preset", "ultrafast", "-bf", "2", "-pix_fmt", "yuv420p", "-tag:v", "hvc1",
		"-x265-params", "keyint=50:bframes=2:log-level=none"}
	aac := []string{"-c:a", "aac", "-b:a", "96k"}
	for _, c := range []struct {
		name   string
		inputs []string
		codecs [][]string
	}{
		{"H.264 and AAC", []string{picture, tone}, [][]string{x264, aac}},
		{"H.264 with slices", []string{picture}, [][]string{x264, {"-slices", "4", "-x264-params", "aud=1:nal-hrd=cbr",
			"-b:v", "300k", "-minrate", "300k", "-maxrate", "300k", "-bufsize", "300k"}}},
		{"H.264 at two frames a second, and AAC", []string{slow, tone44}, [][]string{x264, {"-g", "4"}, aac}},
		{"HEVC and AC-3", []string{picture, tone}, [][]string{x265, {"-c:a", "ac3"}}},
		{"AAC", []string{tone44}, [][]string{aac}},
		{"AC-3", []string{tone}, [][]string{{"-c:a", "ac3"}}},
		{"E-AC-3", []string{tone}, [][]string{{"-c:a", "eac3"}}},
		{"MP3", []string{tone44}, [][]string{{"-c:a", "libmp3lame"}}},
		{"MP3 of MPEG-2 and H.264", []string{picture, low}, [][]string{x264, {"-c:a", "libmp3lame"}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			source := filepath.Join(t.TempDir(), "source.mp4")
			var args []string
			for _, in := range c.inputs {
				args = append(args, "-f", "lavfi", "-i", in)
			}
			for _, codec := range c.codecs {
				args = append(args, codec...)
			}
			require.NoError(t, ffmpeg(t, append(args, source)...))
			tracks := readMP4(t, source)
			require.Len(t, tracks, len(c.inputs))
			file := writeTS(t, tracks)
			checkDecodes(t, file)
			for i, track := range tracks {
				checkTrack(t, source, file, i, track.stream.Codec)
			}
		})
	}
}

// readMP4 reads all tracks of a progressive file.
func readMP4(t *testing.T, name string) (tracks []tsTrack) {
	t.Helper()
	data, err := os.ReadFile(name)
	require.NoError(t, err)
	file, err := mp4.DecodeFile(bytes.NewReader(data))
	require.NoError(t, err)
	for _, trak := range file.Moov.Traks {
		track := tsTrack{stream: streamOf(t, trak.Mdia.Minf.Stbl.Stsd)}
		count := trak.GetNrSamples()
		samples, err := trak.GetSampleData(1, count)
		require.NoError(t, err)
		scale := float64(trak.Mdia.Mdhd.Timescale)
		dts := uint64(0)
		for i, s := range samples {
			at, err := trak.GetRangesForSampleInterval(uint32(i+1), uint32(i+1))
			require.NoError(t, err)
			ticks := func(v uint64) uint64 { return tsStart + uint64(math.Round(float64(v)*90000/scale)) }
			u := mpegts.Unit{DTS: ticks(dts), PTS: ticks(dts + uint64(s.CompositionTimeOffset))}
			u.Sync = track.stream.Codec.IsVideo() && s.IsSync()
			dts += uint64(s.Dur)
			u.Duration = uint32(ticks(dts) - u.DTS)
			u.Data = data[at[0].Offset : at[0].Offset+at[0].Size]
			track.units = append(track.units, u)
		}
		tracks = append(tracks, track)
	}
	return tracks
}

func streamOf(t *testing.T, stsd *mp4.StsdBox) (s mpegts.Stream) {
	t.Helper()
	switch {
	case stsd.AvcX != nil:
		c := stsd.AvcX.AvcC
		s = mpegts.Stream{Codec: mpegts.AVC, ParameterSets: append(c.SPSnalus, c.PPSnalus...)}
	case stsd.HvcX != nil:
		s.Codec = mpegts.HEVC
		for _, kind := range []hevc.NaluType{hevc.NALU_VPS, hevc.NALU_SPS, hevc.NALU_PPS} {
			s.ParameterSets = append(s.ParameterSets, stsd.HvcX.HvcC.GetNalusForType(kind)...)
		}
	case stsd.AC3 != nil:
		s.Codec = mpegts.AC3
	case stsd.EC3 != nil:
		s.Codec = mpegts.EAC3
	default:
		require.NotNil(t, stsd.Mp4a)
		s.SampleRate = int(stsd.Mp4a.SampleRate)
		const mpeg4Audio = 0x40
		config := stsd.Mp4a.Esds.DecConfigDescriptor
		if s.Codec = mpegts.MP3; config.ObjectType == mpeg4Audio {
			s.Codec, s.AudioConfig = mpegts.AAC, config.DecSpecificInfo.DecConfig
		}
	}
	return s
}

// pack puts several frames of audio in one unit, but none of two segments.
func (k *tsTrack) pack(size int) {
	if !k.stream.Codec.IsAudio() {
		return
	}
	var packed []mpegts.Unit
	for _, u := range k.units {
		n := len(packed) - 1
		if n < 0 || len(packed[n].Frames) == size || u.PTS/tsSegment != packed[n].PTS/tsSegment {
			u.Frames, u.Data = [][]byte{u.Data}, nil
			packed = append(packed, u)
			continue
		}
		packed[n].Frames = append(packed[n].Frames, u.Data)
		packed[n].Duration += u.Duration
	}
	k.units = packed
}

// writeTS writes tracks as joined segments, each made by a muxer of its own, and returns the file.
func writeTS(t *testing.T, tracks []tsTrack) string {
	t.Helper()
	var streams []mpegts.Stream
	for i := range tracks {
		tracks[i].pack(tsPacking)
		streams = append(streams, tracks[i].stream)
	}
	var ts []byte
	segments := uint64(0)
	for next := make([]int, len(tracks)); ; segments++ {
		order := nextSegment(tracks, next)
		if len(order) == 0 {
			break
		}
		m, err := mpegts.NewMuxer(streams)
		require.NoError(t, err)
		ts = m.Start(ts, segments)
		for _, at := range order {
			ts, err = m.Append(ts, at[0], &tracks[at[0]].units[at[1]])
			require.NoError(t, err)
		}
	}
	require.Greater(t, segments, uint64(1))
	name := filepath.Join(t.TempDir(), "joined.ts")
	require.NoError(t, os.WriteFile(name, ts, 0o600))
	return name
}

// nextSegment takes the units of a segment and returns track and unit in the order of decoding. The first track says
// where it ends.
func nextSegment(tracks []tsTrack, next []int) (order [][2]int) {
	end := uint64(math.MaxUint64)
	rest := tracks[0].units[next[0]:]
	for i, u := range rest {
		random := u.Sync || tracks[0].stream.Codec.IsAudio()
		if i > 0 && random && unitTime(tracks[0], u) >= unitTime(tracks[0], rest[0])+tsSegment {
			end = unitTime(tracks[0], u)
			break
		}
	}
	for {
		best, time := -1, end
		for i, k := range tracks {
			if next[i] < len(k.units) && unitTime(k, k.units[next[i]]) < time {
				best, time = i, unitTime(k, k.units[next[i]])
			}
		}
		if best < 0 {
			break
		}
		order = append(order, [2]int{best, next[best]})
		next[best]++
	}
	seen := map[int]bool{}
	for i := len(order) - 1; i >= 0; i-- {
		track, unit := order[i][0], order[i][1]
		tracks[track].units[unit].Last = !seen[track]
		seen[track] = true
	}
	return order
}

func unitTime(k tsTrack, u mpegts.Unit) uint64 {
	if k.stream.Codec.IsVideo() {
		return u.DTS
	}
	return u.PTS
}

// checkDecodes decodes a file, and every packet of it must be in order.
func checkDecodes(t *testing.T, file string) {
	t.Helper()
	out, err := run(t, time.Minute, "ffmpeg", "-hide_banner", "-nostdin", "-v", "warning", "-xerror",
		"-i", file, "-map", "0:v?", "-map", "0:a?", "-f", "null", "-")
	require.NoError(t, err, out)
	assert.Empty(t, out, "what ffmpeg says of the segments")
}

// checkTrack compares a track with its source: the decoded pictures, or the packets of audio.
func checkTrack(t *testing.T, source, file string, track int, codec mpegts.Codec) {
	t.Helper()
	args := []string{"-fps_mode", "passthrough"}
	if codec.IsAudio() {
		args = []string{"-c", "copy"}
	}
	want := digests(t, source, track, args...)
	if codec == mpegts.AAC {
		args = append(args, "-bsf:a", "aac_adtstoasc")
	}
	got := digests(t, file, track, args...)
	require.Greater(t, len(want), 10)
	assert.Equal(t, column(want, 5), column(got, 5), "digests of track %d, %v", track, codec)
	checkTimes(t, source, file, track)
}

// digests returns the lines of framemd5 of one track.
func digests(t *testing.T, file string, track int, args ...string) (lines [][]string) {
	t.Helper()
	all := append([]string{"-nostdin", "-v", "error", "-i", file, "-map", "0:" + strconv.Itoa(track)}, args...)
	out, err := run(t, time.Minute, "ffmpeg", append(all, "-f", "framemd5", "-")...)
	require.NoError(t, err, out)
	for line := range strings.Lines(out) {
		if fields := strings.Split(line, ","); !strings.HasPrefix(line, "#") && len(fields) >= 6 {
			for i := range fields {
				fields[i] = strings.TrimSpace(fields[i])
			}
			lines = append(lines, fields)
		}
	}
	return lines
}

func column(lines [][]string, i int) (values []string) {
	for _, fields := range lines {
		values = append(values, fields[i])
	}
	return values
}

// checkTimes compares the times of presentation of all packets, less that of the first. ffmpeg computes those inside of
// a PES packet by itself, so a tick is allowed for each.
func checkTimes(t *testing.T, source, file string, track int) {
	t.Helper()
	want, got := packetTimes(t, source, track), packetTimes(t, file, track)
	require.Len(t, got, len(want))
	for i := range want {
		require.InDelta(t, want[i]-want[0], got[i]-got[0], float64(tsPacking)/90000, "time of packet %d", i)
	}
}

func packetTimes(t *testing.T, file string, track int) (times []float64) {
	t.Helper()
	out, err := run(t, time.Minute, "ffprobe", "-v", "error", "-select_streams", strconv.Itoa(track),
		"-show_entries", "packet=pts_time", "-of", "csv=p=0", file)
	require.NoError(t, err, out)
	for _, field := range strings.Fields(out) {
		v, err := strconv.ParseFloat(strings.Trim(field, ","), 64)
		require.NoError(t, err)
		times = append(times, v)
	}
	return times
}

// heAAC is an AudioSpecificConfig that signals SBR, or SBR and PS, explicitly, over a core of a frequency index.
func heAAC(object, core, channels, extension byte) []byte {
	v := uint32(object)<<27 | uint32(core)<<23 | uint32(channels)<<19 | uint32(extension)<<15 | 2<<10
	return []byte{byte(v >> 24), byte(v >> 16), byte(v >> 8)}
}

// adtsTrack makes a track of the frames of an ADTS stream, which lose their headers.
func adtsTrack(t *testing.T, adts, asc []byte) (k tsTrack) {
	t.Helper()
	k.stream = mpegts.Stream{Codec: mpegts.AAC, AudioConfig: asc}
	const samples, rate = 1024, 24000
	for i := uint64(0); len(adts) > 0; i++ {
		require.Equal(t, []byte{0xFF, 0xF1}, adts[:2], "ADTS without CRC")
		n := int(adts[3]&3)<<11 | int(adts[4])<<3 | int(adts[5])>>5
		k.units = append(k.units, mpegts.Unit{
			PTS: tsStart + i*samples*90000/rate, Duration: samples * 90000 / rate, Data: adts[7:n],
		})
		adts = adts[n:]
	}
	require.Greater(t, len(k.units), 50)
	return k
}

// TestTransportStreamHEAAC writes HE-AAC with explicit signalling: its ADTS headers must be those of the core, so that
// a decoder finds SBR and PS by itself. The first stream is real; the second has the signalling, but only a core.
func TestTransportStreamHEAAC(t *testing.T) {
	need(t, "ffmpeg", "ffprobe")
	const sbr, ps, khz24, khz48 = 5, 29, 6, 3
	t.Run("v2", func(t *testing.T) {
		checkHEAAC(t, []string{"-i", testmedia.Shared(t, "testdata/media/mpegts/shaka-player-id3-metadata.ts"),
			"-map", "0:a:0", "-c", "copy"}, heAAC(ps, khz24, 1, khz48), "HE-AACv2,48000,2")
	})
	t.Run("core", func(t *testing.T) {
		checkHEAAC(t, []string{"-f", "lavfi", "-i", "sine=f=440:r=24000:d=5", "-c:a", "aac", "-b:a", "48k"},
			heAAC(sbr, khz24, 1, khz48), "LC,24000,1")
	})
}

func checkHEAAC(t *testing.T, input []string, asc []byte, profile string) {
	t.Helper()
	source := filepath.Join(t.TempDir(), "source.aac")
	require.NoError(t, ffmpeg(t, append(input, "-f", "adts", source)...))
	adts, err := os.ReadFile(source)
	require.NoError(t, err)
	file := writeTS(t, []tsTrack{adtsTrack(t, adts, asc)})
	checkDecodes(t, file)
	frames := []string{"-c", "copy", "-bsf:a", "aac_adtstoasc"} // headers may differ in buffer fullness
	assert.Equal(t, column(digests(t, source, 0, frames...), 5), column(digests(t, file, 0, frames...), 5))
	assert.Equal(t, column(digests(t, source, 0), 5), column(digests(t, file, 0), 5), "decoded")
	out, err := run(t, time.Minute, "ffprobe", "-v", "error", "-show_entries", "stream=profile,sample_rate,channels",
		"-of", "csv=p=0", file)
	require.NoError(t, err, out)
	assert.Equal(t, profile, strings.Fields(out)[0])
}

// TestTransportStreamID3 writes a tag each second beside pictures.
func TestTransportStreamID3(t *testing.T) {
	need(t, "ffmpeg", "ffprobe")
	source := filepath.Join(t.TempDir(), "source.mp4")
	require.NoError(t, ffmpeg(t, "-f", "lavfi", "-i", "testsrc2=s=320x180:r=25:d=5", "-c:v", "libx264", "-preset", "veryfast",
		"-pix_fmt", "yuv420p", "-g", "50", source))
	tags := tsTrack{stream: mpegts.Stream{Codec: mpegts.ID3}}
	var whole, cut string // ffmpeg takes the first five bytes of all such streams for the header of a cell, and drops them
	for i := range uint64(5) {
		text := fmt.Sprintf("\x03second %d", i)
		frame := fmt.Sprintf("TIT2\x00\x00\x00%c\x00\x00%s", len(text), text)
		tag := fmt.Sprintf("ID3\x04\x00\x00\x00\x00\x00%c%s", len(frame), frame)
		tags.units = append(tags.units, mpegts.Unit{PTS: tsStart + i*90000, Data: []byte(tag)})
		whole, cut = whole+tag, cut+tag[5:]
	}
	file := writeTS(t, append(readMP4(t, source), tags))
	checkDecodes(t, file)
	checkTrack(t, source, file, 0, mpegts.AVC)
	out, err := run(t, time.Minute, "ffprobe", "-v", "error", "-show_entries", "stream=codec_name", "-of", "csv=p=0", file)
	require.NoError(t, err, out)
	assert.Contains(t, strings.Fields(out), "timed_id3")
	data := filepath.Join(t.TempDir(), "tags")
	require.NoError(t, ffmpeg(t, "-i", file, "-map", "0:1", "-c", "copy", "-f", "data", data))
	got, err := os.ReadFile(data)
	require.NoError(t, err)
	assert.Contains(t, []string{whole, cut}, string(got))
	assert.Equal(t, []float64{10, 11, 12, 13, 14}, packetTimes(t, file, 1))
}

// TestTransportStreamSilence ends segments with frames so small that closing the cycle of the counter takes stuffing in
// the PES header, which then goes on in the next packets.
func TestTransportStreamSilence(t *testing.T) {
	need(t, "ffmpeg", "ffprobe")
	source := filepath.Join(t.TempDir(), "source.mp4")
	require.NoError(t, ffmpeg(t, "-f", "lavfi", "-i", "anullsrc=r=48000:cl=mono:d=3", "-c:a", "aac", source))
	track := readMP4(t, source)[0]
	m, err := mpegts.NewMuxer([]mpegts.Stream{track.stream})
	require.NoError(t, err)
	var ts []byte
	const frames = 17 // the last begins at a counter of 0
	for i := range track.units {
		u := &track.units[i]
		if i%frames == 0 {
			ts = m.Start(ts, uint64(i/frames))
		}
		u.Last = i%frames == frames-1 || i == len(track.units)-1
		ts, err = m.Append(ts, 0, u)
		require.NoError(t, err)
	}
	require.Less(t, len(track.units[frames-1].Data), 8)
	file := filepath.Join(t.TempDir(), "joined.ts")
	require.NoError(t, os.WriteFile(file, ts, 0o600))
	checkDecodes(t, file)
	checkTrack(t, source, file, 0, mpegts.AAC)
}

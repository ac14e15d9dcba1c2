package e2e_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/livesmooth"
)

// TestArchiveFrames compares what was pushed with what the archive has of it: packets and decoded frames, of its files as they
// are and of HLS. There are B-frames.
func TestArchiveFrames(t *testing.T) {
	t.Parallel()
	need(t, "ffmpeg", "ffprobe")
	copied := makeSource(t)
	for _, c := range []struct {
		name string
		push func(t *testing.T, s *station) (source string)
		pick func(track int) (file string, of int) // where the archive has a track
	}{
		{
			name: "one POST, in the middle of the day",
			push: func(t *testing.T, s *station) string {
				require.NoError(t, ffmpeg(t, slices.Concat([]string{"-i", copied, "-map", "0", "-c", "copy", "-output_ts_offset", "43210.02"},
					ismlTo(s.url+"Streams(all)"))...))
				return copied
			},
			pick: func(track int) (string, int) { return "all.ismv", track },
		},
		{
			name: "a POST for each track",
			push: func(t *testing.T, s *station) string {
				// Not all at once, since one that has not begun when another is far ahead counts as one that starts over.
				require.NoError(t, ffmpeg(t, slices.Concat([]string{"-readrate", "4", "-i", copied},
					[]string{"-map", "0:0", "-c", "copy"}, ismlTo(s.url+"Streams(high)"),
					[]string{"-map", "0:1", "-c", "copy"}, ismlTo(s.url+"Streams(low)"),
					[]string{"-map", "0:2", "-c", "copy", "-f", "ismv", "-movflags", "isml", "-frag_duration", "2000000", s.url + "Streams(sound)"})...))
				return copied
			},
			pick: func(track int) (string, int) { return []string{"high.ismv", "low.ismv", "sound.isma"}[track], 0 },
		},
		{
			name: "coded for one POST and a file",
			push: func(t *testing.T, s *station) string {
				file := filepath.Join(t.TempDir(), "coded.ismv")
				const options = "[f=ismv:movflags="
				require.NoError(t, ffmpeg(t, slices.Concat(sourceInput(), sourceCoder(), []string{"-c:a", "aac", "-b:a", "64k", "-flags", "+global_header",
					"-output_ts_offset", "1", // sound begins before the picture, and a point moves what is before zero
					"-f", "tee", options + "frag_keyframe]" + file + "|" + options + "isml+frag_keyframe]" + s.url + "Streams(coded)"})...))
				return file
			},
			pick: func(track int) (string, int) { return "coded.ismv", track },
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := startArchive(t)
			s := recordInto(t, a, 0)
			source := c.push(t, s)
			s.waitState(t, livesmooth.Stopped)
			event := a.event(t)
			urls := make(map[string][]hlsTrack)
			for _, format := range []string{"m3u8-aapl", "m3u8-cmaf"} {
				urls[format] = inOrder(tracksOf(t, a.url+event+"/event.ism/"+master(format)))
			}
			for track := range 3 {
				want := sumsOfTrack(t, source, track)
				assert.Greater(t, len(want.packets), 250)
				name, number := c.pick(track)
				file := filepath.Join(a.dir, filepath.FromSlash(event), "1", name)
				said, err := run(t, time.Minute, "ffprobe", "-v", "warning", "-show_entries", "format=duration", "-of", "csv=p=0", file)
				require.NoError(t, err)
				assert.Regexp(t, `^[0-9.]+\n$`, said, "what ffprobe says of %s", name)
				want.compare(t, sumsOfTrack(t, file, number), name)
				fmp4 := sumsOfTrack(t, urls["m3u8-cmaf"][track].url, 0)
				want.compare(t, fmp4, "fMP4 of "+urls["m3u8-cmaf"][track].name())
				var adts []string
				if track == 2 {
					adts = []string{"-bsf:a", "aac_adtstoasc"}
				}
				ts := sumsOfTrack(t, urls["m3u8-aapl"][track].url, 0, adts...)
				if track < 2 {
					ts.packets = nil // in another form, Annex B
				} else {
					ts.late = 1024 / 48000. // ffmpeg takes the second packet to begin with the first, up to the next PES packet
				}
				want.compare(t, ts, "TS of "+urls["m3u8-aapl"][track].name())
			}
		})
	}
}

// inOrder sorts tracks of HLS as they are in the sources: pictures, the highest bit rate first, and sound.
func inOrder(tracks []hlsTrack) []hlsTrack {
	rate := func(k hlsTrack) int {
		n, _ := strconv.Atoi(k.rate)
		if k.video {
			n += 1 << 30
		}
		return n
	}
	slices.SortFunc(tracks, func(a, b hlsTrack) int { return rate(b) - rate(a) })
	return tracks
}

// sourceInput makes ffmpeg read pictures and sound, not in real time. The last fragment is shorter than the others.
func sourceInput() []string {
	const seconds = "11.4"
	return []string{"-f", "lavfi", "-i", "testsrc2=s=320x180:r=25:d=" + seconds, "-f", "lavfi", "-i", "sine=f=500:r=48000:d=" + seconds}
}

// sourceCoder makes ffmpeg code two pictures, and map the sound.
func sourceCoder() []string {
	return []string{
		"-map", "0:v", "-map", "0:v", "-map", "1:a", "-c:v", "libx264", "-preset", "veryfast", "-bf", "3", "-pix_fmt", "yuv420p",
		"-b:v:0", "300k", "-b:v:1", "100k", "-s:v:1", "160x90", "-g", "50", "-keyint_min", "50", "-sc_threshold", "0",
	}
}

// makeSource makes an MP4 file with two pictures and sound, whose edit lists leave nothing out.
func makeSource(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	sound, file := filepath.Join(dir, "sound.aac"), filepath.Join(dir, "source.mp4")
	input := sourceInput()
	require.NoError(t, ffmpeg(t, append(input[4:], "-c:a", "aac", "-b:a", "64k", sound)...))
	require.NoError(t, ffmpeg(t, slices.Concat(input[:4], []string{"-i", sound}, sourceCoder(), []string{"-c:a", "copy", file})...))
	return file
}

// frameSum is the checksum of a packet or a frame, at a time in seconds.
type frameSum struct {
	time float64
	sum  string
}

// trackSums are those of a track: of its packets as they are stored, and of what is decoded.
type trackSums struct {
	packets, frames []frameSum
	late            float64 // what times may differ by, in seconds
}

// sumsOfTrack reads a track of a file or URL, of which ffmpeg must not complain. Options are for packets.
func sumsOfTrack(t *testing.T, input string, track int, options ...string) trackSums {
	t.Helper()
	return trackSums{
		packets: frameSums(t, input, track, append([]string{"-c", "copy"}, options...)...),
		frames:  frameSums(t, input, track, "-fps_mode", "passthrough"),
	}
}

func frameSums(t *testing.T, input string, track int, options ...string) (list []frameSum) {
	t.Helper()
	sums := filepath.Join(t.TempDir(), "sums")
	said, err := run(t, time.Minute, "ffmpeg", slices.Concat([]string{"-nostdin", "-v", "warning", "-i", input, "-map", fmt.Sprintf("0:%d", track)},
		options, []string{"-f", "framemd5", sums})...)
	require.NoError(t, err, said)
	assert.Empty(t, said, "what ffmpeg says of track %d of %s", track, input)
	data, err := os.ReadFile(sums)
	require.NoError(t, err)
	base := 0.0
	for line := range strings.Lines(string(data)) {
		if scale, ok := strings.CutPrefix(line, "#tb 0: 1/"); ok {
			base, err = strconv.ParseFloat(strings.TrimSpace(scale), 64)
			require.NoError(t, err)
		}
		fields := strings.Split(line, ",")
		if strings.HasPrefix(line, "#") || len(fields) < 6 {
			continue
		}
		pts, err := strconv.ParseFloat(strings.TrimSpace(fields[2]), 64)
		require.NoError(t, err)
		list = append(list, frameSum{pts / base, strings.TrimSpace(fields[5])})
	}
	return list
}

// compare compares a track with what was pushed: the same checksums in the same order, at the same times but for a constant.
func (s trackSums) compare(t *testing.T, got trackSums, what string) {
	t.Helper()
	if got.packets != nil {
		compareSums(t, s.packets, got.packets, got.late, what+": packets")
	}
	compareSums(t, s.frames, got.frames, got.late, what+": frames")
}

func compareSums(t *testing.T, want, got []frameSum, late float64, what string) {
	t.Helper()
	require.Len(t, got, len(want), what)
	tolerance := late + 0.0005 // clocks of 10 MHz, 90 kHz and of the sound
	for i := range want {
		require.Equal(t, want[i].sum, got[i].sum, "%s: %d", what, i)
		require.InDelta(t, want[i].time-want[0].time, got[i].time-got[0].time, tolerance, "%s: time of %d", what, i)
	}
}

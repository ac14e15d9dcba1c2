package e2e_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/asticode/go-astits"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/internal/testmedia"
)

// TestHLSTransportStream reads the segments of whole playlists with go-astits: of the sample, of MP4 files that are cut
// as they are asked for, and of sound in other codecs.
func TestHLSTransportStream(t *testing.T) {
	root := media(t)
	base := serveHLS(t, root, nil)
	addresses := map[string]string{"dolby": serveHLS(t, dolby(t), nil) + "clip.ism/"}
	for _, p := range presentations {
		addresses[p.name] = base + p.path + "/"
	}
	for name, address := range addresses {
		for _, format := range []string{"m3u8-aapl", "m3u8-aapl-v3"} {
			for _, k := range tracksOf(t, address+master(format)) {
				if name == "ffmpeg-ismv" && (!k.video || format == "m3u8-aapl-v3") {
					continue // its sound begins before zero, which Smooth cannot express: a frame comes late
				}
				t.Run(name+"/"+format+"/"+k.name(), func(t *testing.T) { checkJoined(t, k) })
			}
		}
	}
}

// dolby makes a presentation over MP4 files with sound as E-AC-3 and AC-3 and returns its directory.
func dolby(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	const video = "video_500.mp4"
	require.NoError(t, os.Link(filepath.Join(media(t), "mp4", video), filepath.Join(dir, video)))
	sounds := []string{"eac3", "ac3"}
	for i, codec := range sounds {
		require.NoError(t, ffmpeg(t, "-f", "lavfi", "-i", fmt.Sprintf("sine=f=%d:r=48000:d=%d", 300*(i+1), clip),
			"-c:a", codec, "-b:a", "96k", "-ac", "2", filepath.Join(dir, codec+".mp4")))
	}
	writeISM(t, dir, fmt.Sprintf(`<video src="%s" systemBitrate="500000">%s</video>`, video, param("trackID", "1")), sounds...)
	return dir
}

// heAACOnly makes a presentation of sound only, HE-AAC version 2, of a real stream that is repeated.
func heAACOnly(t *testing.T) string {
	t.Helper()
	source := testmedia.Shared(t, "testdata/media/mpegts/shaka-player-id3-metadata.ts")
	dir := t.TempDir()
	adts := filepath.Join(dir, "heaac.aac") // which has no times, so that those of the whole are even
	require.NoError(t, ffmpeg(t, "-stream_loop", "4", "-i", source, "-map", "0:a", "-c", "copy", adts))
	require.NoError(t, ffmpeg(t, "-i", adts, "-c", "copy", filepath.Join(dir, "heaac.mp4")))
	writeISM(t, dir, "", "heaac")
	return dir
}

// writeISM writes clip.ism over MP4 files: one of pictures, if any, and those of the named sounds.
func writeISM(t *testing.T, dir, video string, sounds ...string) {
	t.Helper()
	ism := `<smil xmlns="http://www.w3.org/2001/SMIL20/Language"><head><meta name="formats" content="mp4"/></head><body><switch>` + video
	for _, name := range sounds {
		ism += fmt.Sprintf(`<audio src="%s.mp4" systemBitrate="96000" systemLanguage="eng">%s%s</audio>`, name,
			param("trackID", "1"), param("trackName", name))
	}
	require.NoError(t, os.WriteFile(filepath.Join(dir, "clip.ism"), []byte(ism+"</switch></body></smil>"), 0o644))
}

func param(name, value string) string {
	return fmt.Sprintf(`<param name="%s" value="%s" valueType="data"/>`, name, value)
}

const (
	tsPacketSize = 188
	clock        = 90000 // ticks per second
)

// checkJoined reads all segments of a media playlist one after the other.
func checkJoined(t *testing.T, k hlsTrack) {
	_, segments := readMedia(t, k.url)
	var joined []byte
	var first, end int64 // presentation times of the main stream
	var seconds float64
	sound := soundChecker{}
	for i, s := range segments {
		data := download(t, s.URI)
		require.Zero(t, len(data)%tsPacketSize, s.URI)
		pids := checkTables(t, data, k)
		units := unitsOf(t, data)
		require.Len(t, units, len(pids), "every stream that the PMT declares has data")
		main := units[pids[0]]
		if i == 0 {
			first = main[0].pts
		}
		require.InDelta(t, seconds*clock, main[0].pts-first, 1.01, "segment %d begins at the sum of EXTINF before it", i)
		if k.video {
			checkIDR(t, main[0])
		}
		for _, u := range main {
			end = max(end, u.pts)
		}
		for _, pid := range pids {
			sound.check(t, pid, units[pid])
		}
		seconds += s.Duration
		joined = append(joined, data...)
	}
	checkPackets(t, joined)
	if k.video {
		const frame = clock / 25
		require.InDelta(t, seconds*clock, end+frame-first, 1.01, "all pictures last as long as EXTINF says")
	} else if sound.end > 0 {
		require.InDelta(t, seconds*clock, sound.end-float64(first), 2, "all sound lasts as long as EXTINF says")
	}
}

// checkTables checks that a segment begins with PAT and PMT, and returns the streams' PIDs, picture first.
func checkTables(t *testing.T, segment []byte, k hlsTrack) (pids []uint16) {
	t.Helper()
	d := astits.NewDemuxer(context.Background(), bytes.NewReader(segment))
	pat, err := d.NextData()
	require.NoError(t, err)
	require.NotNil(t, pat.PAT, "the first packet is a PAT")
	require.Len(t, pat.PAT.Programs, 1)
	pmt, err := d.NextData()
	require.NoError(t, err)
	require.NotNil(t, pmt.PMT, "the second packet is a PMT")
	second, err := astits.NewDemuxer(context.Background(), bytes.NewReader(segment[tsPacketSize:])).NextPacket()
	require.NoError(t, err)
	require.Equal(t, pat.PAT.Programs[0].ProgramMapID, second.Header.PID)
	for _, s := range pmt.PMT.ElementaryStreams {
		pids = append(pids, s.ElementaryPID)
	}
	require.NotEmpty(t, pids)
	require.Equal(t, pids[0], pmt.PMT.PCRPID)
	require.Equal(t, k.video, pmt.PMT.ElementaryStreams[0].StreamType.IsVideo())
	return pids
}

// tsUnit is what one PES packet holds.
type tsUnit struct {
	pts, dts int64
	random   bool // random_access_indicator
	data     []byte
}

// unitsOf returns the PES packets of a segment by PID.
func unitsOf(t *testing.T, segment []byte) map[uint16][]tsUnit {
	t.Helper()
	units := map[uint16][]tsUnit{}
	d := astits.NewDemuxer(context.Background(), bytes.NewReader(segment))
	for {
		data, err := d.NextData()
		if errors.Is(err, astits.ErrNoMorePackets) {
			return units
		}
		require.NoError(t, err)
		if data.PES == nil {
			continue
		}
		h := data.PES.Header.OptionalHeader
		require.NotNil(t, h.PTS, "every PES packet has a time")
		u := tsUnit{pts: h.PTS.Base, dts: h.PTS.Base, data: data.PES.Data}
		if h.DTS != nil {
			u.dts = h.DTS.Base
		}
		require.LessOrEqual(t, u.dts, u.pts)
		if a := data.FirstPacket.AdaptationField; a != nil {
			u.random = a.RandomAccessIndicator
		}
		pid := data.FirstPacket.Header.PID
		if n := len(units[pid]); n > 0 {
			require.Greater(t, u.dts, units[pid][n-1].dts, "decode times grow")
		}
		units[pid] = append(units[pid], u)
	}
}

// checkIDR checks that an access unit is one that a player can begin with: delimiter, parameter sets, IDR slices.
func checkIDR(t *testing.T, u tsUnit) {
	t.Helper()
	require.True(t, u.random)
	require.True(t, bytes.HasPrefix(u.data, []byte{0, 0, 0, 1, 9}), "access unit delimiter first")
	var types []byte
	for _, nal := range bytes.Split(u.data, []byte{0, 0, 1})[1:] {
		types = append(types, nal[0]&0x1F)
	}
	require.Subset(t, types, []byte{9, 7, 8, 5})
	require.NotContains(t, types, byte(1))
}

// soundChecker follows the frames of AAC through all segments: none may be missing or come twice.
type soundChecker struct {
	end float64 // of the frames so far, in ticks; zero before the first
}

func (c *soundChecker) check(t *testing.T, pid uint16, units []tsUnit) {
	t.Helper()
	for _, u := range units {
		if len(u.data) < 2 || u.data[0] != 0xFF || u.data[1]&0xF6 != 0xF0 { // not ADTS
			return
		}
		if c.end > 0 {
			require.InDelta(t, c.end, u.pts, 1.01, "PID %d: sound goes on where it was", pid)
		}
		if c.end == 0 || math.Abs(c.end-float64(u.pts)) > 0.6 { // times are rounded, each from its exact value
			c.end = float64(u.pts)
		}
		for adts := u.data; len(adts) > 0; {
			require.Greater(t, len(adts), 7)
			size := int(adts[3]&3)<<11 | int(adts[4])<<3 | int(adts[5])>>5
			require.LessOrEqual(t, size, len(adts), "whole frames")
			rates := []float64{96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000, 7350}
			c.end += 1024 * clock / rates[adts[2]>>2&0xF]
			adts = adts[size:]
		}
	}
}

// checkPackets checks the counters and the clock in a stream of packets.
func checkPackets(t *testing.T, ts []byte) {
	t.Helper()
	counters := map[uint16]uint8{}
	clockAt := int64(-1)
	d := astits.NewDemuxer(context.Background(), bytes.NewReader(ts), astits.DemuxerOptPacketSize(tsPacketSize))
	packets := 0
	for ; ; packets++ {
		p, err := d.NextPacket()
		if errors.Is(err, astits.ErrNoMorePackets) {
			break
		}
		require.NoError(t, err)
		h := p.Header
		require.False(t, h.TransportErrorIndicator)
		if last, ok := counters[h.PID]; ok {
			want := last
			if h.HasPayload {
				want = (last + 1) & 0xF
			}
			require.Equal(t, want, h.ContinuityCounter, "packet %d, PID %d", packets, h.PID)
		}
		counters[h.PID] = h.ContinuityCounter
		a := p.AdaptationField
		if a == nil || !a.HasPCR {
			continue
		}
		require.False(t, a.DiscontinuityIndicator)
		if clockAt >= 0 {
			require.Greater(t, a.PCR.Base, clockAt, "packet %d", packets)
			require.LessOrEqual(t, a.PCR.Base-clockAt, int64(clock/10), "packet %d: a clock reference each 100 ms", packets)
		}
		clockAt = a.PCR.Base
	}
	require.Equal(t, len(ts)/tsPacketSize, packets)
	require.GreaterOrEqual(t, clockAt, int64(0))
}

// TestHLSSound decodes sound in other codecs, in all formats.
func TestHLSSound(t *testing.T) {
	need(t, "ffmpeg")
	for name, make := range map[string]func(*testing.T) string{"dolby": dolby, "he-aac": heAACOnly} {
		t.Run(name, func(t *testing.T) {
			dir := make(t)
			base := serveHLS(t, dir, nil) + "clip.ism/"
			for _, format := range []string{"m3u8-aapl", "m3u8-aapl-v3", "m3u8-cmaf"} {
				for _, k := range tracksOf(t, base+master(format)) {
					if k.video {
						continue
					}
					t.Run(format+"/"+k.stream, func(t *testing.T) {
						want, complaints := decoded(t, filepath.Join(dir, k.stream+".mp4"), "a")
						require.Empty(t, complaints)
						frames, complaints := decoded(t, k.url, "a")
						require.Empty(t, complaints)
						// Of the first frame, ffmpeg leaves out of a file what an edit list says, the encoder's delay.
						require.Equal(t, want[1:], frames[1:])
					})
				}
			}
		})
	}
}

// TestHLSTransportStreamHEAAC reads segments of HE-AAC, whose headers are those of its core, at half the rate.
func TestHLSTransportStreamHEAAC(t *testing.T) {
	need(t, "ffmpeg")
	base := serveHLS(t, heAACOnly(t), nil) + "clip.ism/"
	for _, k := range tracksOf(t, base+master("m3u8-aapl")) {
		t.Run(k.name(), func(t *testing.T) { checkJoined(t, k) })
	}
	checkRates(t, base+master("m3u8-aapl"))
}

// TestHLSBandwidth compares what master playlists promise with the sizes of all segments.
func TestHLSBandwidth(t *testing.T) {
	base := serveHLS(t, media(t), nil)
	addresses := map[string]string{"dolby": serveHLS(t, dolby(t), nil) + "clip.ism/"}
	for _, p := range presentations {
		addresses[p.name] = base + p.path + "/"
	}
	for name, address := range addresses {
		for _, format := range []string{"m3u8-aapl", "m3u8-aapl-v3", "m3u8-cmaf"} {
			t.Run(name+"/"+format, func(t *testing.T) { checkRates(t, address+master(format)) })
		}
	}
}

func checkRates(t *testing.T, address string) {
	known := map[string]bitrates{}
	rates := func(reference string) bitrates {
		url := resolve(t, address, reference)
		if _, ok := known[url]; !ok {
			known[url] = measure(t, url)
		}
		return known[url]
	}
	for _, v := range readMaster(t, address).Variants {
		if v.Iframe {
			continue
		}
		// Each group adds its heaviest member; a variant without picture is itself a member, and counts once.
		r, alone := rates(v.URI), true
		heaviest := map[string]bitrates{}
		for _, a := range v.Alternatives {
			if a.GroupId != v.Audio && a.GroupId != v.Subtitles {
				continue
			}
			alone = alone && a.URI != v.URI
			h, other := heaviest[a.GroupId], rates(a.URI)
			heaviest[a.GroupId] = bitrates{max(h.peak, other.peak), max(h.average, other.average)}
		}
		if !alone {
			r = bitrates{}
		}
		for _, h := range heaviest {
			r.peak, r.average = r.peak+h.peak, r.average+h.average
		}
		what := fmt.Sprintf("%s: measured %.0f, on average %.0f", v.URI, r.peak, r.average)
		t.Logf("%s; BANDWIDTH %d (%+.1f %%), AVERAGE-BANDWIDTH %d (%+.1f %%)", what, v.Bandwidth,
			float64(v.Bandwidth)/r.peak*100-100, v.AverageBandwidth, float64(v.AverageBandwidth)/r.average*100-100)
		assert.GreaterOrEqual(t, float64(v.Bandwidth), math.Floor(r.peak), what)
		assert.LessOrEqual(t, float64(v.Bandwidth), r.peak*1.1, what)
		assert.InEpsilon(t, r.average, float64(v.AverageBandwidth), 0.1, what)
	}
}

// bitrates are measured, in bits per second.
type bitrates struct{ peak, average float64 }

// measure downloads all segments of a media playlist. The peak is that of RFC 8216 section 4.3.4.2: of the segments one
// after the other that last between half and one and a half target durations.
func measure(t *testing.T, address string) (r bitrates) {
	t.Helper()
	list, segments := readMedia(t, address)
	sizes := make([]float64, len(segments))
	var bits, seconds float64
	for i, s := range segments {
		sizes[i] = float64(len(download(t, s.URI)) * 8)
		bits, seconds = bits+sizes[i], seconds+s.Duration
	}
	r.average = bits / seconds
	for i := range segments {
		bits, seconds = 0, 0
		for j := i; j < len(segments); j++ {
			bits, seconds = bits+sizes[j], seconds+segments[j].Duration
			if seconds > list.TargetDuration*1.5 {
				break
			}
			if seconds >= list.TargetDuration*0.5 {
				r.peak = max(r.peak, bits/seconds)
			}
		}
	}
	return r
}

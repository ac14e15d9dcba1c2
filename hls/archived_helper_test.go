package hls_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/hls"
	"github.com/smoothkit/smoothkit/hls/mpegts"
	"github.com/smoothkit/smoothkit/smooth"
	"github.com/smoothkit/smoothkit/smooth/smoothtest"
)

// archiveTS describes a continuous file of MPEG-2 TS as IIS left it.
type archiveTS struct {
	seconds      int
	start        uint64 // of the clock, in ticks of 90 kHz
	noVideo      bool
	noAudio      bool
	reorder      bool // B-frames
	repeatTables int  // PAT and PMT again before every so many key frames; 0 is only at the start
	hidden       bool // no random_access_indicator
	seed         uint64
	gop          int // pictures; 0 is 50
}

const (
	archiveFrame = 3600 // 25 pictures a second
	aacFrames    = 4    // in a PES packet
	aacFrame     = 1920 // 48 kHz
)

// sampleCodecs returns the configurations of the sample's picture and sound.
func sampleCodecs(t testing.TB) (video, audio *smooth.Codec) {
	t.Helper()
	src := smooth.FS(smoothtest.Sample(), nil)
	defer src.Close()
	p, err := src.Open(context.Background(), "sample.ism")
	require.NoError(t, err)
	defer p.Close()
	s, err := p.Snapshot(context.Background())
	require.NoError(t, err)
	for _, tr := range s.Periods[0].Tracks {
		switch {
		case tr.Codec.Type == smooth.Video && video == nil:
			video = tr.Codec
		case tr.Codec.Type == smooth.Audio && audio == nil:
			audio = tr.Codec
		}
	}
	return video, audio
}

func (a archiveTS) streams(t testing.TB) (list []mpegts.Stream) {
	video, audio := sampleCodecs(t)
	if !a.noVideo {
		_, sps, pps := video.ParameterSets()
		list = append(list, mpegts.Stream{Codec: mpegts.AVC, ParameterSets: [][]byte{sps[0], pps[0]}})
	}
	if !a.noAudio {
		list = append(list, mpegts.Stream{Codec: mpegts.AAC, AudioConfig: audio.AudioConfig()})
	}
	return list
}

// make writes the file.
func (a archiveTS) make(t testing.TB) []byte {
	t.Helper()
	streams := a.streams(t)
	m, err := mpegts.NewMuxer(streams)
	require.NoError(t, err)
	r := rand.New(rand.NewPCG(a.seed, 1))
	if a.gop == 0 {
		a.gop = 50
	}
	ts := m.Start(nil, 0)
	tables, repeated := bytes.Clone(ts), byte(0)
	sound := uint64(0)
	for i := range a.seconds * 25 {
		at := uint64(i) * archiveFrame
		for ; !a.noAudio && sound <= at; sound += aacFrames * aacFrame {
			u := mpegts.Unit{PTS: a.start + sound, Duration: aacFrames * aacFrame}
			for range aacFrames {
				u.Frames = append(u.Frames, noise(r, 50+r.IntN(200)))
			}
			ts, err = m.Append(ts, len(streams)-1, &u)
			require.NoError(t, err)
		}
		if a.noVideo {
			continue
		}
		u := mpegts.Unit{DTS: a.start + at, PTS: a.start + at, Duration: archiveFrame, Sync: i%a.gop == 0}
		kind := byte(0x41)
		if u.Sync {
			kind = 0x65
		}
		if a.reorder {
			u.PTS += [...]uint64{1, 2, 0}[i%a.gop%3] * archiveFrame
		}
		u.Data = avcSample(kind, noise(r, 300+r.IntN(4000)))
		if n := i / a.gop; u.Sync && i > 0 && a.repeatTables > 0 && n%a.repeatTables == 0 {
			repeated++
			again := bytes.Clone(tables)
			again[3], again[191] = again[3]&0xF0|repeated&15, again[191]&0xF0|repeated&15
			ts = append(ts, again...)
		}
		ts, err = m.Append(ts, 0, &u)
		require.NoError(t, err)
	}
	if a.hidden {
		for at := 0; at < len(ts); at += 188 {
			if ts[at+3]&0x20 != 0 && ts[at+4] > 0 {
				ts[at+5] &^= 0x40
			}
		}
	}
	return ts
}

// noise returns n bytes that are neither a start code nor need emulation prevention.
func noise(r *rand.Rand, n int) []byte {
	at := r.IntN(len(noisy) - n)
	return noisy[at : at+n]
}

var noisy = func() []byte {
	r := rand.New(rand.NewPCG(3, 4))
	b := make([]byte, 64<<10)
	for i := range b {
		b[i] = byte(r.Uint32()) | 4
	}
	return b
}()

func avcSample(kind byte, data []byte) []byte {
	b := binary.BigEndian.AppendUint32(nil, uint32(len(data)+1))
	return append(append(b, kind), data...)
}

// archiveISM writes a server manifest with elements such as "video 464000 a.ts".
func archiveISM(tracks ...string) []byte {
	var b strings.Builder
	b.WriteString(`<?xml version="1.0" encoding="utf-8"?><smil xmlns="http://www.w3.org/2001/SMIL20/Language"><head/><body><switch>`)
	for _, line := range tracks {
		var element, rate, src, name string
		fmt.Sscan(line, &element, &rate, &src, &name)
		fmt.Fprintf(&b, `<%s src="%s" systemBitrate="%s"><param name="trackID" value="1" valuetype="data"/>`, element, src, rate)
		if name != "" {
			fmt.Fprintf(&b, `<param name="trackName" value="%s" valuetype="data"/>`, name)
		}
		fmt.Fprintf(&b, "</%s>", element)
	}
	b.WriteString("</switch></body></smil>")
	return []byte(b.String())
}

// testTime is when the files of an archive were written.
var testTime = time.Date(2012, 5, 1, 12, 0, 0, 0, time.UTC)

func archiveFile(data []byte) *fstest.MapFile {
	return &fstest.MapFile{Data: data, Mode: 0o644, ModTime: testTime}
}

// eventArchive is an archive with two bit rates and the sound alone.
func eventArchive(t testing.TB) fstest.MapFS {
	t.Helper()
	return fstest.MapFS{
		"live/Event-m3u8-aapl.ism": archiveFile(archiveISM(
			"video 464000 Event_464000.ts Video", "video 1200000 Event_1200000.ismx Video", "audio 64000 Event_audio.ts audio")),
		"live/Event_464000.ts":    archiveFile(archiveTS{seconds: 20, seed: 1}.make(t)),
		"live/Event_1200000.ts":   archiveFile(archiveTS{seconds: 20, seed: 2}.make(t)),
		"live/Event_audio.ts":     archiveFile(archiveTS{seconds: 20, noVideo: true, seed: 3}.make(t)),
		"live/Event_1200000.ismx": archiveFile([]byte("\x00garbage\xff")),
		"live/Event_464000.m3u8":  archiveFile([]byte("#EXTM3U\n")),
	}
}

// quiet drops what is logged.
var quiet = slog.New(slog.DiscardHandler)

// archiveServer is a handler for the archives in files.
type archiveServer struct {
	*hls.ArchiveSource
	h http.Handler
}

func serveArchives(t testing.TB, files fstest.MapFS, opts *hls.Options) archiveServer {
	t.Helper()
	src := hls.WithArchives(smooth.FS(files, &smooth.FileOptions{Logger: quiet, Revalidate: -1}), &hls.ArchiveOptions{Logger: quiet, Revalidate: -1})
	t.Cleanup(func() { require.NoError(t, src.Close()) })
	if opts == nil {
		opts = new(hls.Options)
	}
	opts.Logger = quiet
	out := hls.NewOutput(opts)
	return archiveServer{src, smooth.NewHandler(src, &smooth.HandlerOptions{Logger: quiet, Outputs: []smooth.Output{out}})}
}

func (s archiveServer) get(t testing.TB, target string) *httptest.ResponseRecorder {
	t.Helper()
	w := httptest.NewRecorder()
	s.h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, target, nil))
	return w
}

// body returns the body of an answer that has to be 200.
func (s archiveServer) body(t testing.TB, target string) []byte {
	t.Helper()
	w := s.get(t, target)
	require.Equal(t, http.StatusOK, w.Code, "%s: %s", target, w.Body)
	b, err := io.ReadAll(w.Body)
	require.NoError(t, err)
	return b
}

// uris returns the lines of a playlist that are not tags.
func uris(playlist []byte) (list []string) {
	for line := range strings.Lines(string(playlist)) {
		if line = strings.TrimSpace(line); line != "" && line[0] != '#' {
			list = append(list, line)
		}
	}
	return list
}

// segments fetches all segments of a media playlist, whose address ends in a file name.
func (s archiveServer) segments(t testing.TB, playlist string) (list [][]byte) {
	t.Helper()
	base := playlist[:strings.LastIndexByte(playlist, '/')+1]
	for _, u := range uris(s.body(t, playlist)) {
		list = append(list, s.body(t, base+u))
	}
	return list
}

// tsPID, tsCounter and so on read the head of a packet.
func tsPID(p []byte) int      { return int(binary.BigEndian.Uint16(p[1:]) & 0x1FFF) }
func tsCounter(p []byte) byte { return p[3] & 15 }
func tsIsTable(p []byte) bool { return tsPID(p) == 0 || tsPID(p) == 0x1000 }
func tsIsKey(p []byte) bool   { return p[3]&0x20 != 0 && p[4] > 0 && p[5]&0x40 != 0 }

// withoutTables returns the packets of a stream other than PAT and PMT.
func withoutTables(ts []byte) (out []byte) {
	for ; len(ts) >= 188; ts = ts[188:] {
		if !tsIsTable(ts) {
			out = append(out, ts[:188]...)
		}
	}
	return out
}

// checkJoined checks that segments begin with tables, that their counters join, that a packet of a table that occurs
// twice is the same, and that all packets of the file from an offset on are there.
func checkJoined(t testing.TB, segments [][]byte, file []byte) {
	t.Helper()
	var joined []byte
	for i, s := range segments {
		require.Zero(t, len(s)%188, "segment %d", i)
		require.Equal(t, 0, tsPID(s), "segment %d begins with a PAT", i)
		require.Equal(t, 0x1000, tsPID(s[188:]), "and a PMT")
		joined = append(joined, s...)
	}
	last := map[int][]byte{}
	for at := 0; at < len(joined); at += 188 {
		p := joined[at : at+188]
		require.EqualValues(t, 0x47, p[0])
		if before := last[tsPID(p)]; before != nil {
			twice := tsIsTable(p) && bytes.Equal(p, before)
			require.True(t, twice || tsCounter(p) == (tsCounter(before)+1)&15, "packet %d of PID %#x: counter %d after %d",
				at/188, tsPID(p), tsCounter(p), tsCounter(before))
		}
		last[tsPID(p)] = p
	}
	require.True(t, bytes.Equal(withoutTables(file), withoutTables(joined)), "all packets in their order")
}

// map2fs returns files of names and contents.
func map2fs(list ...any) fstest.MapFS {
	files := fstest.MapFS{}
	for i := 0; i < len(list); i += 2 {
		files[list[i].(string)] = archiveFile(list[i+1].([]byte))
	}
	return files
}

// sampleFilesFS returns the files of the sample.
func sampleFilesFS(t testing.TB) fstest.MapFS {
	t.Helper()
	out := fstest.MapFS{}
	require.NoError(t, fs.WalkDir(smoothtest.Sample(), ".", func(name string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		data, err := fs.ReadFile(smoothtest.Sample(), name)
		out[name] = archiveFile(data)
		return err
	}))
	return out
}

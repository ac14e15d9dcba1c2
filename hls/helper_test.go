package hls_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"github.com/grafov/m3u8"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/hls"
	"github.com/smoothkit/smoothkit/smooth"
	"github.com/smoothkit/smoothkit/smooth/smoothtest"
)

var quietLogger = slog.New(slog.NewTextHandler(io.Discard, nil))

// sampleSource has the sample that the module embeds, as sample.ism.
func sampleSource(t testing.TB) smooth.Source {
	t.Helper()
	src := smooth.FS(smoothtest.Sample(), nil)
	t.Cleanup(func() { src.Close() })
	return src
}

// sourceOf has one presentation, as a.ism.
func sourceOf(p smooth.Presentation) *smoothtest.Source {
	src := smoothtest.NewSource()
	src.Add("a.ism", p)
	return src
}

// smoothHandler serves a source with an output. opts may be nil.
func smoothHandler(src smooth.Source, opts *hls.Options) *smooth.Handler {
	var o hls.Options
	if opts != nil {
		o = *opts
	}
	if o.Logger == nil {
		o.Logger = quietLogger
	}
	return smooth.NewHandler(src, &smooth.HandlerOptions{
		Logger: quietLogger, Outputs: []smooth.Output{hls.NewOutput(&o)}, ChildQuery: []string{"token"},
		Filters: map[string]smooth.Filter{"small": {MaxHeight: 300}},
	})
}

// smoothHandlerLogging is smoothHandler with a log.
func smoothHandlerLogging(src smooth.Source, log io.Writer) *smooth.Handler {
	logger := slog.New(slog.NewTextHandler(log, nil))
	return smooth.NewHandler(src, &smooth.HandlerOptions{
		Logger: logger, Outputs: []smooth.Output{hls.NewOutput(&hls.Options{Logger: logger})},
	})
}

// do sends a request. headers are in the form "Name: value".
func do(h http.Handler, method, target string, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, target, nil)
	for _, line := range headers {
		name, value, _ := strings.Cut(line, ": ")
		r.Header.Add(name, value)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// get returns the body of an answer with status 200.
func get(t testing.TB, h http.Handler, target string) []byte {
	t.Helper()
	w := do(h, "GET", target)
	require.Equal(t, http.StatusOK, w.Code, "%s: %s", target, w.Body)
	return w.Body.Bytes()
}

// resolve returns the URL that a reference in a document means.
func resolve(t testing.TB, base, ref string) string {
	t.Helper()
	b, err := url.Parse(base)
	require.NoError(t, err)
	u, err := b.Parse(ref)
	require.NoError(t, err, "reference in %s", base)
	return u.String()
}

// An entry is a segment of a media playlist.
type entry struct {
	url                string // absolute
	text               string // all lines, as they are
	duration           uint64 // microseconds
	number             uint64
	gap, discontinuity bool
	date               string
	initURL, key       string // that apply, absolute; of the key the whole tag
}

// A mediaList is a media playlist as an independent reader sees it.
type mediaList struct {
	url      string
	text     string
	version  int
	target   uint64
	sequence uint64
	kind     string
	ended    bool
	dseq     uint64
	entries  []entry
}

// readMedia fetches a media playlist, reads it, and has m3u8 read it too.
func readMedia(t testing.TB, h http.Handler, target string) *mediaList {
	t.Helper()
	return parseMedia(t, target, get(t, h, target))
}

func parseMedia(t testing.TB, target string, body []byte) *mediaList {
	t.Helper()
	m := &mediaList{url: target, text: string(body)}
	require.True(t, strings.HasPrefix(m.text, "#EXTM3U\n#EXT-X-VERSION:"), m.text)
	require.True(t, strings.HasSuffix(m.text, "\n"))
	number := func(s string) uint64 {
		n, err := strconv.ParseUint(s, 10, 64)
		require.NoError(t, err)
		return n
	}
	var e entry
	for _, line := range strings.Split(strings.TrimSuffix(m.text, "\n"), "\n") {
		name, value, _ := strings.Cut(line, ":")
		switch name {
		case "#EXT-X-VERSION":
			m.version = int(number(value))
		case "#EXT-X-TARGETDURATION":
			m.target = number(value)
		case "#EXT-X-MEDIA-SEQUENCE":
			m.sequence = number(value)
		case "#EXT-X-DISCONTINUITY-SEQUENCE":
			m.dseq = number(value)
		case "#EXT-X-PLAYLIST-TYPE":
			m.kind = value
		case "#EXT-X-ENDLIST":
			m.ended = true
		case "#EXTINF":
			whole, part, ok := strings.Cut(strings.TrimSuffix(value, ","), ".")
			require.True(t, ok && len(part) == 6, line)
			e.duration = number(whole)*1_000_000 + number(part)
		case "#EXT-X-GAP":
			e.gap = true
		case "#EXT-X-DISCONTINUITY":
			e.discontinuity = true
		case "#EXT-X-PROGRAM-DATE-TIME":
			e.date = value
		case "#EXT-X-KEY":
			e.key = line
		case "#EXT-X-MAP":
			e.initURL = resolve(t, target, attribute(value, "URI"))
		}
		switch {
		case !strings.HasPrefix(line, "#"):
			e.text += line
			e.url, e.number = resolve(t, target, line), m.sequence+uint64(len(m.entries))
			m.entries = append(m.entries, e)
			e = entry{initURL: e.initURL, key: e.key}
		case e.duration > 0 || e.gap || e.discontinuity || e.date != "" || strings.HasPrefix(line, "#EXT-X-KEY"):
			e.text += line + "\n"
		}
	}
	for _, e := range m.entries {
		require.LessOrEqual(t, (e.duration+500_000)/1_000_000, m.target, "EXTINF and target in %s", target)
	}
	m.compare(t, body)
	return m
}

// compare has m3u8 read the playlist and compares what it knows of.
func (m *mediaList) compare(t testing.TB, body []byte) {
	t.Helper()
	if len(m.entries) == 0 { // it does not take a list without segments
		return
	}
	list, kind, err := m3u8.DecodeFrom(bytes.NewReader(body), true)
	require.NoError(t, err, m.url)
	require.Equal(t, m3u8.MEDIA, kind)
	media := list.(*m3u8.MediaPlaylist)
	require.EqualValues(t, m.version, media.Version())
	require.InDelta(t, m.target, media.TargetDuration, 1) // it rounds the longest segment up
	require.Equal(t, m.sequence, media.SeqNo)
	require.Equal(t, m.ended, media.Closed)
	require.Equal(t, m.dseq, media.DiscontinuitySeq)
	require.EqualValues(t, len(m.entries), media.Count())
	for i, e := range m.entries {
		s := media.Segments[i]
		require.Equal(t, e.url, resolve(t, m.url, s.URI))
		require.InDelta(t, float64(e.duration)/1e6, s.Duration, 1e-7)
		require.Equal(t, e.discontinuity, s.Discontinuity)
	}
}

// total returns the sum of all durations in microseconds.
func (m *mediaList) total() (us uint64) {
	for _, e := range m.entries {
		us += e.duration
	}
	return us
}

// attribute returns the value of an attribute without its quotes, or "".
func attribute(list, name string) string {
	_, rest, ok := strings.Cut(","+list, ","+name+"=")
	if !ok {
		return ""
	}
	if quoted, ok := strings.CutPrefix(rest, `"`); ok {
		value, _, _ := strings.Cut(quoted, `"`)
		return value
	}
	value, _, _ := strings.Cut(rest, ",")
	return value
}

// A masterList is a master playlist.
type masterList struct {
	url                        string
	text                       string
	variants, renditions, keys []tagged
}

// A tagged is a tag with attributes and the URL it stands for.
type tagged struct{ attrs, url string }

func (v *tagged) attr(name string) string { return attribute(v.attrs, name) }

func (v *tagged) number(t testing.TB, name string) uint64 {
	t.Helper()
	n, err := strconv.ParseUint(v.attr(name), 10, 64)
	require.NoError(t, err, "%s in %s", name, v.attrs)
	return n
}

func readMaster(t testing.TB, h http.Handler, target string) *masterList {
	t.Helper()
	body := get(t, h, target)
	_, kind, err := m3u8.DecodeFrom(bytes.NewReader(body), true)
	require.NoError(t, err)
	require.Equal(t, m3u8.MASTER, kind)
	m := &masterList{url: target, text: string(body)}
	lines := strings.Split(m.text, "\n")
	for i, line := range lines {
		name, attrs, _ := strings.Cut(line, ":")
		v := tagged{attrs: attrs}
		if uri := attribute(attrs, "URI"); uri != "" {
			v.url = resolve(t, target, uri)
		}
		switch name {
		case "#EXT-X-STREAM-INF":
			v.url = resolve(t, target, lines[i+1])
			m.variants = append(m.variants, v)
		case "#EXT-X-MEDIA":
			m.renditions = append(m.renditions, v)
		case "#EXT-X-I-FRAME-STREAM-INF":
			m.keys = append(m.keys, v)
		}
	}
	return m
}

// A pes is a PES packet of MPEG-2 TS.
type pes struct {
	pts, dts uint64
	payload  []byte
}

// A demuxer follows one PID after the other through segments that belong together.
type demuxer struct {
	counters map[uint16]byte
	program  map[uint16]byte // stream_type by PID of the last segment
}

// read returns the PES packets of a segment by stream_type. It checks what every segment has: PAT and PMT first, and
// continuity counters that go on from the segment before.
func (d *demuxer) read(t testing.TB, ts []byte) map[byte][]pes {
	t.Helper()
	require.Zero(t, len(ts)%188)
	if d.counters == nil {
		d.counters = make(map[uint16]byte)
	}
	d.program = nil
	open := make(map[uint16][]byte)
	list := make(map[byte][]pes)
	for at := 0; at < len(ts); at += 188 {
		p := ts[at : at+188]
		pid, start, kind, counter := binary.BigEndian.Uint16(p[1:])&0x1FFF, p[1]&0x40 != 0, p[3]>>4&3, p[3]&15
		require.EqualValues(t, 0x47, p[0])
		require.Equal(t, at == 0, pid == 0, "PAT at %d", at)
		if last, ok := d.counters[pid]; ok && kind&1 != 0 {
			require.Equal(t, (last+1)&15, counter, "continuity of PID %#x at %d", pid, at)
		}
		if kind&1 == 0 {
			continue
		}
		d.counters[pid] = counter
		body := p[4:]
		if kind == 3 {
			body = body[1+int(body[0]):]
		}
		switch {
		case pid == 0:
		case at == 188:
			d.program = readPMT(body)
		default:
			if start && open[pid] != nil {
				list[d.program[pid]] = append(list[d.program[pid]], readPES(t, open[pid]))
				open[pid] = nil
			}
			open[pid] = append(open[pid], body...)
		}
	}
	for pid, kind := range d.program {
		require.NotNil(t, open[pid], "PID %#x is declared and has nothing", pid)
		list[kind] = append(list[kind], readPES(t, open[pid]))
		delete(open, pid)
	}
	require.Empty(t, open, "PIDs that are not declared")
	return list
}

func readPMT(b []byte) map[uint16]byte {
	b = b[1+int(b[0]):]
	end := 3 + int(binary.BigEndian.Uint16(b[1:])&0xFFF) - 4
	program := make(map[uint16]byte)
	for b := b[12+int(binary.BigEndian.Uint16(b[10:])&0xFFF) : end]; len(b) >= 5; {
		program[binary.BigEndian.Uint16(b[1:])&0x1FFF] = b[0]
		b = b[5+int(binary.BigEndian.Uint16(b[3:])&0xFFF):]
	}
	return program
}

func readPES(t testing.TB, b []byte) pes {
	t.Helper()
	require.Equal(t, []byte{0, 0, 1}, b[:3])
	time := func(b []byte) uint64 {
		return uint64(b[0]>>1&7)<<30 | uint64(b[1])<<22 | uint64(b[2]>>1)<<15 | uint64(b[3])<<7 | uint64(b[4]>>1)
	}
	p := pes{pts: time(b[9:]), payload: b[9+int(b[8]):]}
	p.dts = p.pts
	if b[7] == 0xC0 {
		p.dts = time(b[14:])
	}
	if n := int(binary.BigEndian.Uint16(b[4:])); n > 0 {
		require.Equal(t, n, len(b)-6)
	}
	return p
}

const (
	streamAVC = 0x1B
	streamAAC = 0x0F
)

// frames takes the ADTS headers off the frames of PES packets.
func frames(t testing.TB, packets []pes) (list [][]byte) {
	t.Helper()
	for _, p := range packets {
		for b := p.payload; len(b) > 0; {
			require.GreaterOrEqual(t, len(b), 7)
			require.EqualValues(t, 0xFFF1, binary.BigEndian.Uint16(b)|1)
			n := int(b[3]&3)<<11 | int(b[4])<<3 | int(b[5])>>5
			require.LessOrEqual(t, n, len(b))
			list = append(list, b[7:n])
			b = b[n:]
		}
	}
	return list
}

// payloadsOf returns the samples of all fragments of a track.
func payloadsOf(t testing.TB, p smooth.Presentation, stream string, bitrate uint64) (list [][]byte) {
	t.Helper()
	s, err := p.Snapshot(t.Context())
	require.NoError(t, err)
	st := s.Manifest.Stream(stream)
	require.NotNil(t, st)
	for _, c := range st.Timeline {
		f, err := p.Fragment(t.Context(), smooth.FragmentKey{Stream: stream, Bitrate: bitrate, Time: c.Time})
		require.NoError(t, err)
		data, err := f.Load(t.Context(), nil)
		require.NoError(t, err)
		for s, err := range f.Samples() {
			require.NoError(t, err)
			list = append(list, bytes.Clone(data[s.Offset:s.Offset+int64(s.Size)]))
		}
		f.Close()
	}
	return list
}

// sameSamples compares lists of samples without printing them.
func sameSamples(t testing.TB, want, got [][]byte, what string) {
	t.Helper()
	for i := range min(len(want), len(got)) {
		if !bytes.Equal(want[i], got[i]) {
			t.Fatalf("%s: sample %d of %d differs: %d and %d bytes", what, i, len(want), len(want[i]), len(got[i]))
		}
	}
	require.Equal(t, len(want), len(got), what)
}

// level spells the directory of a track in the form of IIS.
func level(bitrate uint64) string { return fmt.Sprintf("QualityLevels(%d)", bitrate) }

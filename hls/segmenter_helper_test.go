package hls_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"path/filepath"
	"sync"
	"testing"
	"testing/fstest"

	"github.com/asticode/go-astits"
	"github.com/grafov/m3u8"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/hls"
	"github.com/smoothkit/smoothkit/internal/testmedia"
	"github.com/smoothkit/smoothkit/smooth"
	"github.com/smoothkit/smoothkit/smooth/smoothtest"
)

// memory is a sink in memory. As a file system it can be read by other packages.
type memory struct {
	mu       sync.Mutex // guards the fields below
	files    fstest.MapFS
	commits  []string              // in order
	fail     func(op string) error // or nil
	open     int                   // files in the making
	readFrom int                   // calls
}

func newMemory() *memory { return &memory{files: make(fstest.MapFS)} }

// try fails where the test wants it.
func (m *memory) try(op string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.fail == nil {
		return nil
	}
	return m.fail(op)
}

func (m *memory) Create(_ context.Context, name string) (hls.SinkFile, error) {
	if err := m.try("create " + name); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.open++
	return &memoryFile{m: m, name: name}, nil
}

func (m *memory) Stat(_ context.Context, name string) (int64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	f, ok := m.files[name]
	if !ok {
		return 0, fs.ErrNotExist
	}
	return int64(len(f.Data)), nil
}

func (m *memory) ReadFile(_ context.Context, name string, _ int64) ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	f, ok := m.files[name]
	if !ok {
		return nil, fs.ErrNotExist
	}
	return f.Data, nil
}

func (m *memory) Remove(_ context.Context, name string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.files, name)
	return nil
}

// data returns the content of a file.
func (m *memory) data(tb testing.TB, name string) []byte {
	tb.Helper()
	f, ok := m.files[name]
	require.True(tb, ok, "%s is missing", name)
	return f.Data
}

type memoryFile struct {
	m    *memory
	name string
	buf  bytes.Buffer
}

func (f *memoryFile) Write(b []byte) (int, error) {
	if err := f.m.try("write " + f.name); err != nil {
		return 0, err
	}
	return f.buf.Write(b)
}

func (f *memoryFile) ReadFrom(r io.Reader) (int64, error) {
	f.m.mu.Lock()
	f.m.readFrom++
	f.m.mu.Unlock()
	return f.buf.ReadFrom(r)
}

func (f *memoryFile) Commit() error {
	err := f.m.try("commit " + f.name)
	f.m.mu.Lock()
	defer f.m.mu.Unlock()
	f.m.open--
	if err == nil {
		f.m.files[f.name] = &fstest.MapFile{Data: f.buf.Bytes()}
		f.m.commits = append(f.m.commits, f.name)
	}
	return err
}

func (f *memoryFile) Abort() error {
	f.m.mu.Lock()
	defer f.m.mu.Unlock()
	f.m.open--
	return nil
}

// openMedia opens one of the small MP4 files.
func openMedia(tb testing.TB, name string) smooth.Presentation {
	tb.Helper()
	src := smooth.Dir(filepath.Dir(testmedia.Media(tb, name)), nil)
	tb.Cleanup(func() { src.Close() })
	return openFrom(tb, src, name)
}

func openSample(tb testing.TB) smooth.Presentation {
	tb.Helper()
	src := smooth.FS(smoothtest.Sample(), nil)
	tb.Cleanup(func() { src.Close() })
	return openFrom(tb, src, "sample.ism")
}

func openFrom(tb testing.TB, src smooth.Source, name string) smooth.Presentation {
	tb.Helper()
	p, err := src.Open(context.Background(), name)
	require.NoError(tb, err)
	tb.Cleanup(func() { p.Close() })
	return p
}

// segmentInto segments presentations called a, b, ...
func segmentInto(sink hls.Sink, opts *hls.SegmenterOptions, inputs ...smooth.Presentation) (*hls.SegmenterResult, error) {
	g, err := hls.NewSegmenter(sink, opts)
	if err != nil {
		return nil, err
	}
	for i, p := range inputs {
		g.Add(string(rune('a'+i)), p)
	}
	return g.Run(context.Background())
}

func segmentAll(tb testing.TB, opts *hls.SegmenterOptions, inputs ...smooth.Presentation) (*memory, *hls.SegmenterResult) {
	tb.Helper()
	m := newMemory()
	res, err := segmentInto(m, opts, inputs...)
	require.NoError(tb, err)
	require.Zero(tb, m.open, "files left open")
	require.Equal(tb, "master.m3u8", m.commits[len(m.commits)-1])
	require.Equal(tb, "master.m3u8", res.Files[len(res.Files)-1])
	total := int64(0)
	for _, name := range res.Files {
		total += int64(len(m.data(tb, name)))
	}
	require.Equal(tb, total, res.Bytes)
	require.Len(tb, m.files, len(res.Files)+1, "the state, and nothing else, is not in the result")
	return m, res
}

// master reads the master playlist with an independent parser.
func (m *memory) master(tb testing.TB) *m3u8.MasterPlaylist {
	tb.Helper()
	p, kind, err := m3u8.DecodeFrom(bytes.NewReader(m.data(tb, "master.m3u8")), true)
	require.NoError(tb, err)
	require.Equal(tb, m3u8.MASTER, kind)
	return p.(*m3u8.MasterPlaylist)
}

// segments returns the entries of a media playlist, as an independent parser reads it.
func (m *memory) segments(tb testing.TB, name string) []*m3u8.MediaSegment {
	tb.Helper()
	p, kind, err := m3u8.DecodeFrom(bytes.NewReader(m.data(tb, name)), true)
	require.NoError(tb, err)
	require.Equal(tb, m3u8.MEDIA, kind)
	list := p.(*m3u8.MediaPlaylist)
	require.True(tb, list.Closed, "EXT-X-ENDLIST")
	return list.Segments[:list.Count()]
}

// joinedSegments returns the segments of a media playlist one after the other.
func (m *memory) joinedSegments(tb testing.TB, dir string) []byte {
	tb.Helper()
	var all []byte
	for _, s := range m.segments(tb, dir+"/index.m3u8") {
		all = append(all, m.data(tb, dir+"/"+s.URI)...)
	}
	return all
}

// demuxed is what go-astits finds in a stream, by stream type.
type demuxed map[astits.StreamType][]*astits.PESData

// demux reads a transport stream and checks its continuity.
func demux(tb testing.TB, ts []byte) demuxed {
	tb.Helper()
	checkContinuity(tb, ts)
	out, types := make(demuxed), make(map[uint16]astits.StreamType)
	d := astits.NewDemuxer(context.Background(), bytes.NewReader(ts))
	for {
		data, err := d.NextData()
		if errors.Is(err, astits.ErrNoMorePackets) {
			return out
		}
		require.NoError(tb, err)
		if data.PMT != nil {
			for _, es := range data.PMT.ElementaryStreams {
				types[es.ElementaryPID] = es.StreamType
			}
		}
		if data.PES != nil {
			out[types[data.PID]] = append(out[types[data.PID]], data.PES)
		}
	}
}

// checkContinuity checks the counters over all segments.
func checkContinuity(tb testing.TB, ts []byte) {
	tb.Helper()
	require.Zero(tb, len(ts)%188)
	next := make(map[int]int)
	for at := 0; at < len(ts); at += 188 {
		pid := int(ts[at+1]&0x1f)<<8 | int(ts[at+2])
		if ts[at+3]&0x10 == 0 {
			continue // no payload
		}
		counter := int(ts[at+3] & 15)
		if want, ok := next[pid]; ok {
			require.Equal(tb, want, counter, "PID %d, byte %d", pid, at)
		}
		next[pid] = (counter + 1) & 15
	}
}

// trackSamples returns times and bytes of all samples of a stream's level.
func trackSamples(tb testing.TB, p smooth.Presentation, st *smooth.Stream, level int) (times []uint64, data [][]byte) {
	tb.Helper()
	for _, c := range st.Timeline {
		key := smooth.FragmentKey{Stream: st.Name, Bitrate: st.Levels[level].Bitrate, Attrs: st.Levels[level].AttrsKey(), Time: c.Time}
		f, err := p.Fragment(context.Background(), key)
		require.NoError(tb, err)
		payload, err := f.Load(context.Background(), nil)
		require.NoError(tb, err)
		for s, err := range f.Samples() {
			require.NoError(tb, err)
			pts := smooth.Rescale(uint64(int64(s.DTS)+s.CTS), f.Timescale, 90_000) + 900_000
			times, data = append(times, pts), append(data, bytes.Clone(payload[s.Offset:][:s.Size]))
		}
		f.Close()
	}
	return times, data
}

func streamOf(tb testing.TB, p smooth.Presentation, name string) *smooth.Stream {
	tb.Helper()
	s, err := p.Snapshot(context.Background())
	require.NoError(tb, err)
	st := s.Manifest.Stream(name)
	require.NotNil(tb, st, name)
	return st
}

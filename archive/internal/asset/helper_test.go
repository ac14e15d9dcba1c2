package asset_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"io/fs"
	"log/slog"
	"path"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/archive/internal/asset"
	"github.com/smoothkit/smoothkit/internal/fmp4"
	"github.com/smoothkit/smoothkit/smooth"
	"github.com/smoothkit/smoothkit/smooth/smoothtest"
)

// start is a time of a live event, in ticks of 100 ns: a date of our days counted from the year 1500 or so.
const (
	start  uint64 = 160_000_000_000_000_000
	second        = smooth.DefaultTimescale
)

// mapFiles is a tree of files in memory.
type mapFiles map[string][]byte

func (m mapFiles) fsys() fstest.MapFS {
	f := make(fstest.MapFS)
	for name, data := range m {
		f[name] = &fstest.MapFile{Data: data, ModTime: time.Unix(1, 0)}
	}
	return f
}

func (m mapFiles) Open(_ context.Context, name string) (smooth.File, error) {
	data, ok := m[name]
	if !ok {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	return mapFile{bytes.NewReader(data)}, nil
}

func (m mapFiles) Stat(_ context.Context, name string) (fs.FileInfo, error) {
	return m.fsys().Stat(name)
}

func (m mapFiles) ReadDir(_ context.Context, name string) ([]fs.DirEntry, error) {
	return m.fsys().ReadDir(name)
}

type mapFile struct{ *bytes.Reader }

func (f mapFile) ReadAtContext(_ context.Context, p []byte, off int64) (int, error) {
	return f.ReadAt(p, off)
}
func (f mapFile) Size() int64        { return f.Reader.Size() }
func (f mapFile) ModTime() time.Time { return time.Unix(1, 0) }
func (f mapFile) Version() string    { return "1" }
func (f mapFile) Close() error       { return nil }

// recording is what an encoder has sent, as an archive stores it.
type recording struct {
	file   []byte
	tracks []smooth.InputTrack
	known  *smooth.ServerManifest
}

// tracksOf returns the tracks of a recording for asset.ServerManifest.
func (r *recording) tracksOf(file string) []asset.Track {
	var list []asset.Track
	for i := range r.tracks {
		list = append(list, asset.Track{File: file, Input: r.tracks[i], Known: &r.known.Tracks[i]})
	}
	return list
}

// record stores what an encoder sends in a time. Fragments for which drop reports true are lost.
func record(t testing.TB, c smoothtest.Config, d time.Duration, drop func(track uint32, time uint64) bool) *recording {
	t.Helper()
	e := smoothtest.NewEncoder(c)
	header := e.Header()
	r := &recording{file: header}
	for i := 0; ; {
		h, err := fmp4.NewScanner(bytes.NewReader(header[i:]), 0, int64(len(header)-i)).Next()
		require.NoError(t, err)
		if h.Type == fmp4.TypeUUID {
			xml, err := fmp4.ParseFullUUID(header[i:i+int(h.Size)], 0)
			require.NoError(t, err)
			r.known, err = smooth.ParseServerManifest(xml)
			require.NoError(t, err)
			break
		}
		i += int(h.Size)
	}
	index := make(map[uint32][]fmp4.TfraEntry)
	for body := e.Until(d); len(body) > 0; {
		n := fmp4.MoofSize(body)
		whole := n + int(binary.BigEndian.Uint32(body[n:]))
		h, err := fmp4.Inspect(body[:n], 0, fmp4.Defaults{})
		require.NoError(t, err)
		if drop == nil || !drop(h.TrackID, h.Time) {
			index[h.TrackID] = append(index[h.TrackID], fmp4.TfraEntry{Time: h.Time, Moof: uint64(len(r.file))})
			r.file = append(r.file, body[:whole]...)
		}
		body = body[whole:]
	}
	s, err := smoothtest.New(c).Snapshot(t.Context())
	require.NoError(t, err)
	var ids []uint32
	var entries [][]fmp4.TfraEntry
	for _, st := range s.Manifest.Streams {
		for _, lv := range st.Levels {
			id := uint32(len(ids) + 1)
			fixed := *st
			fixed.Timeline = nil
			r.tracks = append(r.tracks, smooth.InputTrack{ID: id, Stream: &fixed, Level: lv,
				Key: smooth.FragmentKey{Stream: st.Name, Bitrate: lv.Bitrate, Attrs: lv.AttrsKey()}})
			ids, entries = append(ids, id), append(entries, index[id])
		}
	}
	r.file = fmp4.AppendMfra(r.file, ids, entries)
	return r
}

// live is a configuration of two bit rates, sound and a sparse stream.
func live() smoothtest.Config {
	return smoothtest.Config{Streams: []smoothtest.Stream{
		{Type: smooth.Video, Start: start, Durations: smoothtest.Repeat(1, 2*second), Levels: []smoothtest.Level{{Bitrate: 1_500_001}, {Bitrate: 300_000}}},
		{Type: smooth.Audio, Name: "audio_eng", Language: "eng", Start: start, Durations: smoothtest.Repeat(1, 2*second), Levels: []smoothtest.Level{{Bitrate: 64_000}}},
	}}
}

// source opens files as a server does.
func source(t testing.TB, files smooth.Files) (*smooth.FileSource, *bytes.Buffer) {
	var log bytes.Buffer
	src := smooth.NewFileSource(files, &smooth.FileOptions{Logger: slog.New(slog.NewTextHandler(&log, nil))})
	t.Cleanup(func() { src.Close() })
	return src, &log
}

// opened returns the presentation of an .ism and its snapshot.
func opened(t testing.TB, files mapFiles, ism string) (smooth.Presentation, *smooth.Snapshot, *bytes.Buffer) {
	t.Helper()
	src, log := source(t, files)
	p, err := src.Open(t.Context(), ism)
	require.NoError(t, err)
	t.Cleanup(func() { p.Close() })
	s, err := p.Snapshot(t.Context())
	require.NoError(t, err)
	return p, s, log
}

// finish makes both manifests of a presentation in a directory.
func finish(t testing.TB, files mapFiles, ism string, tracks []asset.Track) {
	t.Helper()
	server, err := asset.ServerManifest(asset.ClientManifestName(ism), tracks)
	require.NoError(t, err)
	files[ism] = server
	client, err := asset.ClientManifest(t.Context(), files, ism)
	require.NoError(t, err)
	files[path.Join(path.Dir(ism), asset.ClientManifestName(ism))] = client
}

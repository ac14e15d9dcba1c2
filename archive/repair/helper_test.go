package repair_test

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"path"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/archive/internal/lossy"
	"github.com/smoothkit/smoothkit/archive/repair"
	"github.com/smoothkit/smoothkit/internal/fmp4"
	"github.com/smoothkit/smoothkit/smooth"
	"github.com/smoothkit/smoothkit/smooth/smoothtest"
)

// put makes data the content of a file.
func put(t testing.TB, s *lossy.Store, name string, data []byte) {
	t.Helper()
	require.NoError(t, s.Replace(t.Context(), name, data))
}

// get returns the content of a file.
func get(t testing.TB, files smooth.Files, name string) []byte {
	t.Helper()
	f, err := files.Open(context.Background(), name)
	require.NoError(t, err)
	defer f.Close()
	b := make([]byte, f.Size())
	if len(b) > 0 {
		_, err = f.ReadAtContext(context.Background(), b, 0)
		require.NoError(t, err)
	}
	return b
}

// exists reports whether there is a file.
func exists(files smooth.Files, name string) bool {
	_, err := files.Stat(context.Background(), name)
	return err == nil
}

// sample returns a store with the sample presentation in directory film.
func sample(t testing.TB) *lossy.Store {
	s := lossy.New()
	require.NoError(t, fs.WalkDir(smoothtest.Sample(), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasPrefix(path.Ext(name), ".ism") {
			return err
		}
		data, err := fs.ReadFile(smoothtest.Sample(), name)
		put(t, s, "film/"+name, data)
		return err
	}))
	return s
}

const (
	sampleISM  = "film/sample.ism"
	sampleISMC = "film/sample.ismc"
	sampleHigh = "film/sample_294.ismv"
	sampleMid  = "film/sample_138.ismv"
)

// encoder returns an encoder of two video levels and sound, as a live push brings them: in one stream.
func encoder() *smoothtest.Encoder {
	return smoothtest.NewEncoder(smoothtest.Config{Streams: []smoothtest.Stream{
		{Type: smooth.Video, Start: 16e16, Levels: []smoothtest.Level{{Bitrate: 900_000}, {Bitrate: 300_000}}},
		{Type: smooth.Audio, Name: "audio_fra", Language: "fra", Start: 16e16, Levels: []smoothtest.Level{{Bitrate: 64_000}}},
	}})
}

// point is the directory of a segment of a recording of IIS.
const point = "site/live-isml/2026-07-02/1/"

// iisArchive returns what IIS leaves when it crashes after seconds of an event: media without index, empty manifests.
func iisArchive(t testing.TB, seconds int) *lossy.Store {
	s := lossy.New()
	e := encoder()
	put(t, s, point+"9092-stream2.ismv", append(e.Header(), e.Until(secondsOf(seconds))...))
	put(t, s, point+"live.ism", nil)
	put(t, s, point+"live.ismc", nil)
	return s
}

// moofs returns the offsets of the moof boxes of a file, and the end of the last fragment.
func moofs(t testing.TB, file []byte) (list []int64, end int64) {
	t.Helper()
	sc := fmp4.NewScanner(bytes.NewReader(file), 0, int64(len(file)))
	for {
		h, err := sc.Next()
		if err != nil {
			require.NotEmpty(t, list)
			return list, end
		}
		switch h.Type {
		case fmp4.TypeMoof:
			list = append(list, h.Offset)
		case fmp4.TypeMdat:
			end = h.End()
		}
	}
}

// withoutIndex returns a file up to the end of its last fragment.
func withoutIndex(t testing.TB, file []byte) []byte {
	_, end := moofs(t, file)
	return file[:end:end]
}

// one returns the only asset of a report.
func one(t testing.TB, r *repair.Report, err error) *repair.Asset {
	t.Helper()
	require.NoError(t, err)
	require.Len(t, r.Assets, 1, "%v", r)
	return &r.Assets[0]
}

// check and mend look at a store with all the validator has.
func check(t testing.TB, s smooth.Files) *repair.Asset {
	t.Helper()
	r, err := repair.Check(context.Background(), s, ".", &repair.Options{Payload: true})
	return one(t, r, err)
}

// mend repairs a store. It sees to it that the presentation plays then, to the satisfaction of the validator, that Check has found the
// faults before, and that another run does nothing.
func mend(t testing.TB, s *lossy.Store) *repair.Asset {
	t.Helper()
	before := check(t, s)
	r, err := repair.Repair(context.Background(), s, ".", &repair.Options{Payload: true})
	a := one(t, r, err)
	require.True(t, a.Plays, "%v", r)
	require.Equal(t, a.Faults() > 0, before.Faults() > 0, "check: %+v\nrepair: %v", before, r)
	for _, f := range before.Findings {
		require.True(t, f.Note || a.Has(f.Code), "only found by Check: %+v\n%v", f, r)
	}
	settled(t, s)
	return a
}

// settled sees to it that another run finds nothing and changes nothing.
func settled(t testing.TB, s *lossy.Store) {
	t.Helper()
	was := s.Dump()
	r, err := repair.Repair(context.Background(), s, ".", nil)
	a := one(t, r, err)
	require.Zero(t, a.Faults(), "%v", r)
	require.Empty(t, a.Done, "%v", r)
	require.True(t, a.Plays, "%v", r)
	require.Equal(t, was, s.Dump())
}

// manifestOf returns what a source serves.
func manifestOf(t testing.TB, s smooth.Files, name string) *smooth.Manifest {
	t.Helper()
	src := smooth.NewFileSource(s, nil)
	defer src.Close()
	p, err := src.Open(context.Background(), name)
	require.NoError(t, err)
	defer p.Close()
	snap, err := p.Snapshot(context.Background())
	require.NoError(t, err)
	return snap.Manifest
}

// payloads returns the sample data of all fragments that are listed, by key.
func payloads(t testing.TB, s smooth.Files, name string) map[smooth.FragmentKey]string {
	t.Helper()
	src := smooth.NewFileSource(s, nil)
	defer src.Close()
	p, err := src.Open(context.Background(), name)
	require.NoError(t, err)
	defer p.Close()
	snap, err := p.Snapshot(context.Background())
	require.NoError(t, err)
	out := make(map[smooth.FragmentKey]string)
	for _, st := range snap.Manifest.Streams {
		for _, l := range st.Levels {
			for _, c := range st.Timeline {
				k := smooth.FragmentKey{Stream: st.Name, Bitrate: l.Bitrate, Attrs: l.AttrsKey(), Time: c.Time}
				f, err := p.Fragment(context.Background(), k)
				if errors.Is(err, smooth.ErrNotFound) {
					continue // a hole in one level
				}
				require.NoError(t, err, "%v", k)
				b, err := f.Load(context.Background(), nil)
				require.NoError(t, err, "%v", k)
				out[k] = string(b)
				f.Close()
			}
		}
	}
	return out
}

// lossyWith returns a store with one file.
func lossyWith(t testing.TB, name string, data []byte) *lossy.Store {
	s := lossy.New()
	put(t, s, name, data)
	return s
}

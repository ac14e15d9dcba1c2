package fmp4_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"path/filepath"
	"testing"

	"github.com/Eyevinn/mp4ff/mp4"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/internal/fmp4"
	"github.com/smoothkit/smoothkit/internal/testmedia"
)

// expectedBox is a box of expected-fragments.json.
type expectedBox struct {
	Type     string
	Size     int64
	Sequence uint32
	TrackID  uint32 `json:"track_id"`
	Samples  int
	Name     string
	UUID     string
	Time     uint64
	Duration uint64
	Children []expectedBox
}

func (b *expectedBox) child(typ, name string) (all []expectedBox) {
	for _, c := range b.Children {
		if c.Type == typ && c.Name == name {
			all = append(all, c)
		}
	}
	return all
}

// TestExpectedFragments compares real Smooth fragments with what another reader found in them.
func TestExpectedFragments(t *testing.T) {
	root := testmedia.Shared(t, "testdata")
	var all map[string][]expectedBox
	require.NoError(t, json.Unmarshal(readFile(t, filepath.Join(root, "expected-fragments.json")), &all))
	require.Greater(t, len(all), 20)
	for name, want := range all {
		t.Run(name, func(t *testing.T) {
			raw := readFile(t, filepath.Join(root, filepath.FromSlash(name)))
			heads := headersOf(raw)
			require.Len(t, heads, len(want))
			for i, h := range heads {
				require.Equal(t, want[i].Type, h.Type.String())
				require.Equal(t, want[i].Size, h.Size)
				if want[i].UUID != "" {
					require.Equal(t, want[i].UUID, hex.EncodeToString(h.UUID[:]))
				}
				if h.Type == fmp4.TypeMoof && h.End() <= int64(len(raw)) {
					checkMoof(t, &want[i], raw[h.Offset:h.End()], h.Offset)
				}
			}
		})
	}
}

// headersOf returns the headers of all boxes, also of a last one that is cut.
func headersOf(raw []byte) (all []fmp4.Box) {
	s := fmp4.NewScanner(bytes.NewReader(raw), 0, int64(len(raw)))
	for {
		h, err := s.Next()
		if h.Size > 0 {
			all = append(all, h)
		}
		if err != nil {
			return all
		}
	}
}

func checkMoof(t *testing.T, want *expectedBox, raw []byte, off int64) {
	t.Helper()
	m, err := fmp4.ParseMoof(raw, off)
	require.NoError(t, err)
	require.Equal(t, want.child("mfhd", "")[0].Sequence, m.Sequence)
	trafs := want.child("traf", "")
	require.Len(t, m.Trafs, len(trafs))
	for i, w := range trafs {
		f := &m.Trafs[i]
		require.Equal(t, w.child("tfhd", "")[0].TrackID, f.TrackID)
		runs := w.child("trun", "")
		require.Equal(t, len(runs), f.Runs())
		n := 0
		for _, r := range runs {
			n += r.Samples
		}
		require.Equal(t, n, f.SampleCount())
		require.Equal(t, len(w.child("tfdt", "")) > 0, f.HasDecodeTime)
		x := w.child("uuid", "tfxd")
		require.Equal(t, len(x) > 0, f.HasTfxd)
		if f.HasTfxd {
			require.Equal(t, []uint64{x[0].Time, x[0].Duration}, []uint64{f.Time, f.Duration})
		}
	}
	useMoof(t, raw)
	compareMoof(t, raw, m)
}

// compareMoof compares the samples of a moof with the library's reading.
func compareMoof(t testing.TB, raw []byte, m *fmp4.Moof) {
	t.Helper()
	lib := decode(t, raw).(*mp4.MoofBox)
	for i, traf := range lib.Trafs {
		var want []fmp4.RunSample
		for _, run := range traf.Truns {
			run.AddSampleDefaultValues(traf.Tfhd, nil)
			for _, s := range run.GetSamples() {
				want = append(want, fmp4.RunSample{Duration: s.Dur, Size: s.Size, Flags: s.Flags, CTS: s.CompositionTimeOffset})
			}
		}
		for _, c := range traf.Children {
			if sdtp, ok := c.(*mp4.SdtpBox); ok {
				markBySdtp(want, sdtp)
			}
		}
		require.Equal(t, want, samplesOf(&m.Trafs[i], fmp4.Defaults{}))
	}
}

// markBySdtp gives samples without flags those that sdtp implies, which the library leaves to its user.
func markBySdtp(samples []fmp4.RunSample, sdtp *mp4.SdtpBox) {
	for i := range samples {
		if samples[i].Flags == 0 && sdtp.Entries[0].SampleDependsOn() == 2 && sdtp.Entries[i].SampleDependsOn() != 2 {
			samples[i].Flags = fmp4.FlagsDelta
		}
	}
}

// TestSeveralTrafs reads a file with two trafs of several runs in each moof; samples and the places of their data
// must be those that the library finds.
func TestSeveralTrafs(t *testing.T) {
	raw := readFile(t, filepath.Join("testdata", "av-frag.mp4"))
	lib, err := mp4.DecodeFile(bytes.NewReader(raw))
	require.NoError(t, err)
	b, off := find(t, raw, fmp4.TypeMoov)
	movie, err := fmp4.ParseMovie(b, off)
	require.NoError(t, err)
	require.True(t, movie.Fragmented)
	defaults := func(id uint32) fmp4.Defaults { return movie.Track(id).Defaults }
	moofs, offs, err := scanMoofs(bytes.NewReader(raw), 0, int64(len(raw)))
	require.NoError(t, err)
	var frags []*mp4.Fragment
	for _, s := range lib.Segments {
		frags = append(frags, s.Fragments...)
	}
	require.Len(t, moofs, len(frags))
	require.Greater(t, len(moofs), 2)
	several := 0
	for i, f := range frags {
		m, err := fmp4.ParseMoof(moofs[i], offs[i])
		require.NoError(t, err)
		require.Len(t, m.Trafs, len(f.Moof.Trafs))
		h, err := fmp4.Inspect(moofs[i], offs[i], fmp4.Defaults{})
		require.NoError(t, err)
		require.False(t, h.Plain)
		for j := range m.Trafs {
			compareSpans(t, raw, lib, f, m, j, defaults)
			several += m.Trafs[j].Runs() - 1
		}
	}
	require.Positive(t, several)
}

// compareSpans compares the bytes of all samples of a traf, joined, with the library's.
func compareSpans(t *testing.T, raw []byte, lib *mp4.File, f *mp4.Fragment, m *fmp4.Moof, j int, defaults func(uint32) fmp4.Defaults) {
	t.Helper()
	id := m.Trafs[j].TrackID
	trex, ok := lib.Init.Moov.Mvex.GetTrex(id)
	require.True(t, ok)
	want, err := f.GetFullSamples(trex)
	require.NoError(t, err)
	got := samplesOf(&m.Trafs[j], defaults(id))
	require.Len(t, got, len(want))
	var a, b []byte
	for k, s := range want {
		require.Equal(t, fmp4.RunSample{Duration: s.Dur, Size: s.Size, Flags: s.Flags, CTS: s.CompositionTimeOffset}, got[k])
		a = append(a, s.Data...)
	}
	spans, err := m.Spans(nil, j, defaults)
	require.NoError(t, err)
	for _, s := range spans {
		b = append(b, raw[s.Offset:s.Offset+s.Size]...)
	}
	require.Equal(t, a, b)
}

package smooth_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/internal/testmedia"
	"github.com/smoothkit/smoothkit/smooth"
)

// expectedManifest is an entry of expected-manifests.json, which another program made of the real manifests.
type expectedManifest struct {
	Root       string
	Attributes map[string]string
	Clips      []struct{ ClipBegin, ClipEnd, URL string }
	Streams    []expectedStream
}

type expectedStream struct {
	Type, Name, Subtype, Language, Timescale, URL string
	Clip                                          int
	DeclaredChunks                                string `json:"declared_chunks"`
	Fragments                                     int
	FirstStart                                    *uint64 `json:"first_start"`
	End                                           *uint64
	QualityLevels                                 []struct{ Bitrate, FourCC string } `json:"quality_levels"`
}

func TestParseManifestReal(t *testing.T) {
	data, err := os.ReadFile(testmedia.Shared(t, "testdata/expected-manifests.json"))
	require.NoError(t, err)
	var all map[string]expectedManifest
	require.NoError(t, json.Unmarshal(data, &all))
	require.NotEmpty(t, all)
	for file, want := range all {
		t.Run(filepath.Base(file), func(t *testing.T) {
			data, err := os.ReadFile(testmedia.Shared(t, "testdata/"+file))
			require.NoError(t, err)
			m, err := smooth.ParseManifest(data)
			require.NoError(t, err)
			checkManifest(t, want, m)
			checkRoundTrip(t, m, nil)
			checkRoundTrip(t, m, &smooth.ManifestOptions{V20: true})
		})
	}
}

func checkManifest(t *testing.T, want expectedManifest, m *smooth.Manifest) {
	t.Helper()
	decimal := func(v uint64) string { return strconv.FormatUint(v, 10) }
	assert.Equal(t, want.Attributes["Duration"], decimal(m.Duration))
	assert.Equal(t, want.Attributes["MajorVersion"], decimal(uint64(m.MajorVersion)))
	assert.Equal(t, want.Attributes["MinorVersion"], decimal(uint64(m.MinorVersion)))
	streams := m.Streams
	require.Len(t, m.Clips, len(want.Clips))
	for i, c := range m.Clips {
		assert.Equal(t, want.Clips[i].ClipBegin, decimal(c.Begin))
		assert.Equal(t, want.Clips[i].ClipEnd, decimal(c.End))
		assert.Equal(t, want.Clips[i].URL, c.URL)
		streams = append(streams, c.Streams...)
	}
	require.Len(t, streams, len(want.Streams))
	for i, s := range streams {
		w := want.Streams[i]
		if w.Name == "" {
			w.Name = w.Type
		}
		assert.Equal(t, []string{w.Type, w.Name, w.Subtype, w.Language, w.Timescale, w.URL, w.DeclaredChunks},
			[]string{string(s.Type), s.Name, s.Subtype, s.Language, decimal(m.TimescaleOf(s)), s.URL, decimal(uint64(s.DeclaredChunks))})
		assert.Len(t, s.Timeline, w.Fragments)
		if w.FirstStart != nil {
			assert.Equal(t, *w.FirstStart, s.Timeline.Start())
			assert.Equal(t, *w.End, s.Timeline.End())
		}
		require.Len(t, s.Levels, len(w.QualityLevels))
		for j, l := range s.Levels {
			assert.Equal(t, w.QualityLevels[j].Bitrate, decimal(l.Bitrate))
			assert.Equal(t, w.QualityLevels[j].FourCC, l.FourCC)
		}
	}
}

// checkRoundTrip writes m, reads it back and writes it again.
func checkRoundTrip(t *testing.T, m *smooth.Manifest, opts *smooth.ManifestOptions) {
	t.Helper()
	first, err := m.AppendXML(nil, opts)
	require.NoError(t, err)
	again, err := smooth.ParseManifest(first)
	require.NoError(t, err, "%s", first)
	second, err := again.AppendXML(nil, opts)
	require.NoError(t, err)
	assert.Equal(t, string(first), string(second))
	assert.Equal(t, asWritten(m), asWritten(again))
}

// asWritten returns m without what writing decides itself: versions, declared counts and spelling of templates.
func asWritten(m *smooth.Manifest) *smooth.Manifest {
	m = m.Clone()
	m.MajorVersion, m.MinorVersion = 0, 0
	streams := m.Streams
	for _, c := range m.Clips {
		streams = append(streams, c.Streams...)
	}
	for _, s := range streams {
		s.DeclaredChunks = uint32(len(s.Timeline))
		s.URL = strings.NewReplacer("{start_time}", "{start time}", "{Bitrate}", "{bitrate}").Replace(s.URL)
	}
	return m
}

package smooth_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/smooth"
	"github.com/smoothkit/smoothkit/smooth/smoothtest"
)

func TestFilterLanguages(t *testing.T) {
	tests := []struct {
		track, want string
		match       bool
	}{
		{"eng", "en", true}, {"en", "ENG", true}, {"en-GB", "eng", true}, {"en-GB", "en-gb", true},
		{"en", "en-GB", false}, {"en-US", "en-GB", false}, {"enm", "en", false},
		{"ger", "de", true}, {"deu", "ger", true}, {"zho", "chi", true}, {"wel", "cy", true}, {"zul", "zu", true}, {"aar", "aa", true},
		{"", "en", false}, {"und", "en", false}, {"und", "und", true}, {"haw", "haw", true}, {"fil", "fi", false},
	}
	for _, tt := range tests {
		p := smoothtest.New(smoothtest.Config{Streams: []smoothtest.Stream{
			{Type: smooth.Video, Durations: smoothtest.Repeat(1, second), Levels: []smoothtest.Level{{Bitrate: 1}}},
			{Type: smooth.Audio, Language: tt.track, Durations: smoothtest.Repeat(1, second), Levels: []smoothtest.Level{{Bitrate: 1}}},
		}})
		f, err := smooth.NewFiltered(t.Context(), p, smooth.Filter{Languages: []string{tt.want}})
		require.NoError(t, err)
		s, err := f.Snapshot(t.Context())
		require.NoError(t, err)
		assert.Equal(t, tt.match, s.Manifest.Stream("audio") != nil, "%q asked for %q", tt.track, tt.want)
	}
}

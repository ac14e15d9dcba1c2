package livesmooth_test

import (
	"reflect"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/livesmooth"
	"github.com/smoothkit/smoothkit/smooth"
)

func TestSettingsValidate(t *testing.T) {
	remote := func(url string) []livesmooth.RemotePoint { return []livesmooth.RemotePoint{{URL: url}} }
	const good = "http://h/live/a.isml"
	many := make([]livesmooth.RemotePoint, livesmooth.MaxRemotePoints+1)
	for i := range many {
		many[i].URL = good
	}
	const long = 10 * 366 * 24 * time.Hour
	tests := []struct {
		name   string
		change func(s *livesmooth.Settings)
		want   string // empty if valid
	}{
		{"default", func(*livesmooth.Settings) {}, ""},
		{"zero", func(s *livesmooth.Settings) { *s = livesmooth.Settings{} }, ""},
		{"everything", func(s *livesmooth.Settings) { *s = *ismlEverything() }, ""},
		{"source", func(s *livesmooth.Settings) { s.Source = "push" }, `source type "push" is neither Push nor Pull`},
		{"look-ahead", func(s *livesmooth.Settings) { s.Lookahead = livesmooth.MaxLookahead }, ""},
		{"large look-ahead", func(s *livesmooth.Settings) { s.Lookahead = 17 }, "look-ahead 17 is not within 0 and 16"},
		{"negative look-ahead", func(s *livesmooth.Settings) { s.Lookahead = -1 }, "look-ahead -1 is not within 0 and 16"},
		{"long", func(s *livesmooth.Settings) {
			s.EstimatedDuration, s.Archive.SegmentLength, s.Viewers.WindowLength = long, long, long
		}, ""},
		{"too long", func(s *livesmooth.Settings) { s.EstimatedDuration = long + 1 }, "estimated duration 87840h0m0.000000001s is not within 0 and ten years"},
		{"archive", func(s *livesmooth.Settings) { s.Archive.SegmentLength = -1 }, "archive segment length -1ns is not within 0 and ten years"},
		{"window", func(s *livesmooth.Settings) { s.Viewers.WindowLength = -1 }, "window length -1ns is not within 0 and ten years"},
		{"cache", func(s *livesmooth.Settings) { s.Viewers.LiveCacheLength = -1 }, "live cache length -1ns is not within 0 and ten years"},
		{"no version", func(s *livesmooth.Settings) { s.Viewers.ManifestVersion = "" }, ""},
		{"version", func(s *livesmooth.Settings) { s.Viewers.ManifestVersion = "2" }, `client manifest version "2" is neither 2.0 nor 2.2`},
		{"pull", func(s *livesmooth.Settings) { s.Source, s.PullFrom = livesmooth.SourcePull, remote(good) }, ""},
		{"pull from nowhere", func(s *livesmooth.Settings) { s.Source = livesmooth.SourcePull }, "a pull point without an address to pull from"},
		{"push from", func(s *livesmooth.Settings) { s.PullFrom = remote(good) }, "a push point with addresses to pull from"},
		{"push to", func(s *livesmooth.Settings) { s.PushTo = remote("https://u:p@h:1/A.ISML") }, ""},
		{"many", func(s *livesmooth.Settings) { s.PushTo = many[1:] }, ""},
		{"too many", func(s *livesmooth.Settings) { s.PushTo = many }, "more than 64 addresses"},
		{"file", func(s *livesmooth.Settings) { s.PushTo = remote("file:///a.isml") }, `address "file:///a.isml" is not the http or https URL of a publishing point`},
		{"no host", func(s *livesmooth.Settings) { s.PushTo = remote("http:///a.isml") }, `address "http:///a.isml" is not the http or https URL of a publishing point`},
		{"no point", func(s *livesmooth.Settings) { s.PushTo = remote("http://h/a.ism") }, `address "http://h/a.ism" is not the http or https URL of a publishing point`},
		{"below a point", func(s *livesmooth.Settings) { s.PushTo = remote("http://h/a.isml/Streams(x)") }, `is not the http or https URL`},
		{"no URL", func(s *livesmooth.Settings) { s.PushTo = remote("http://h/%zz.isml") }, `is not the http or https URL`},
		{"HLS", func(s *livesmooth.Settings) { s.HLS = new(livesmooth.HLSSettings) }, ""},
		{"HLS segment", func(s *livesmooth.Settings) { s.HLS = &livesmooth.HLSSettings{SegmentLength: time.Hour + 1} }, "HLS segment length 1h0m0.000000001s is not within 0 and an hour"},
		{"HLS key", func(s *livesmooth.Settings) { s.HLS = &livesmooth.HLSSettings{Key: make([]byte, 15)} }, "HLS key of 15 bytes, need 16"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := livesmooth.DefaultSettings()
			tt.change(s)
			err := s.Validate()
			if tt.want == "" {
				assert.NoError(t, err)
				return
			}
			assert.ErrorIs(t, err, livesmooth.ErrSettings)
			assert.ErrorContains(t, err, tt.want)
		})
	}
	s := &livesmooth.Settings{Lookahead: -1, EstimatedDuration: -1, Archive: smooth.ArchiveSettings{SegmentLength: -1}, Source: "x"}
	assert.EqualError(t, s.Validate(), "livesmooth: invalid settings: source type \"x\" is neither Push nor Pull\nlook-ahead -1 is not within 0 and 16\n"+
		"estimated duration -1ns is not within 0 and ten years\narchive segment length -1ns is not within 0 and ten years")
}

// TestSettingsClone changes everything that a copy could share.
func TestSettingsClone(t *testing.T) {
	s := ismlEverything()
	requireNoZero(t, reflect.ValueOf(*s), "Settings")
	c := s.Clone()
	assert.Equal(t, s, c)
	c.Title = "changed"
	c.PullFrom[0].URL, c.PushTo[0].URL, c.Extra[0].Value = "changed", "changed", "changed"
	c.HLS.Key[0], c.HLS.Extra[0].Value, c.HLS.MaxBitrate = 99, "changed", 1
	assert.Equal(t, ismlEverything(), s)

	s = livesmooth.DefaultSettings()
	assert.Equal(t, s, s.Clone())
	assert.NotSame(t, s, s.Clone())
	assert.Nil(t, s.Clone().HLS)
}

// requireNoZero: a field that is added must be added to the tests, too.
func requireNoZero(t *testing.T, v reflect.Value, path string) {
	t.Helper()
	if v.Type() == reflect.TypeFor[livesmooth.ServerSettings]() {
		return // what differs from the default is false
	}
	require.False(t, v.IsZero(), path)
	switch {
	case v.Kind() == reflect.Pointer:
		requireNoZero(t, v.Elem(), path)
	case v.Kind() == reflect.Struct:
		for i := range v.NumField() {
			requireNoZero(t, v.Field(i), path+"."+v.Type().Field(i).Name)
		}
	}
}

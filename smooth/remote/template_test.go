package remote

import (
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/smooth"
)

func TestTemplate(t *testing.T) {
	l := &smooth.QualityLevel{Bitrate: 1_200_000, CustomAttributes: []smooth.Attribute{{Name: "z", Value: "1"}, {Name: "angle", Value: "left/right ?(ü)"}}}
	for in, want := range map[string]string{
		"QualityLevels({bitrate})/Fragments(video={start time})":                    "http://o/v/x.ism/QualityLevels(1200000)/Fragments(video=7)",
		"QualityLevels({Bitrate})/Fragments(video={start_time})":                    "http://o/v/x.ism/QualityLevels(1200000)/Fragments(video=7)",
		"QualityLevels({bitrate},{CustomAttributes})/Fragments(video={start time})": "http://o/v/x.ism/QualityLevels(1200000,z=1,angle=left%2Fright%20%3F%28%C3%BC%29)/Fragments(video=7)",
		"QualityLevels{bitrate}/Fragmentsvideo={start time}":                        "http://o/v/x.ism/QualityLevels1200000/Fragmentsvideo=7",
		"{bitrate}/Fragments (été={start time}).mp4?a=b":                            "http://o/v/x.ism/1200000/Fragments%20(%C3%A9t%C3%A9=7).mp4?a=b",
		"a%20b/100%/{start time}":                                                   "http://o/v/x.ism/a%20b/100%25/7",
		"../{x}/{start time}":                                                       "http://o/v/%7Bx%7D/7",
		"{start time":                                                               "",
		"/abs/{start time}":                                                         "http://o/abs/7",
		"//cdn/{start time}":                                                        "http://cdn/7",
		"https://cdn/a/{bitrate}/{start time}":                                      "https://cdn/a/1200000/7",
		"v:{start time}":                                                            "http://o/v/x.ism/v:7",
		"file:///etc/{start time}":                                                  "",
		"fixed":                                                                     "",
		"":                                                                          "",
	} {
		p, err := parseTemplate(in)
		if want == "" {
			assert.Error(t, err, in)
			continue
		}
		require.NoError(t, err, in)
		base, err := url.Parse("http://o/v/x.ism/Manifest?token=1")
		require.NoError(t, err)
		u, err := p.resolve(base, l, 7)
		require.NoError(t, err, in)
		assert.Equal(t, want, u.String(), in)
	}
}

// FuzzTemplate: whatever stands in a manifest, what is asked for is http and has no control characters.
func FuzzTemplate(f *testing.F) {
	for _, s := range []string{"QualityLevels({bitrate},{CustomAttributes})/Fragments(a={start time})", "//x/{start_time}", "a:{start time}%zz", "{{start time}}"} {
		f.Add(s, "k", "v")
	}
	base, err := url.Parse("http://o/v/x.ism/Manifest")
	require.NoError(f, err)
	f.Fuzz(func(t *testing.T, s, key, value string) {
		p, err := parseTemplate(s)
		if err != nil {
			return
		}
		u, err := p.resolve(base, &smooth.QualityLevel{Bitrate: 1, CustomAttributes: []smooth.Attribute{{Name: key, Value: value}}}, 5)
		if err != nil {
			return
		}
		require.Contains(t, []string{"http", "https"}, u.Scheme)
		text := u.String()
		require.False(t, strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r > 0x7e }), text)
		_, err = url.Parse(text)
		require.NoError(t, err)
	})
}

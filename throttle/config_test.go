package throttle_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/internal/testmedia"
	"github.com/smoothkit/smoothkit/throttle"
	"github.com/smoothkit/smoothkit/throttle/bitrate"
)

func readConfig(t *testing.T, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	return data
}

func ownConfig(t *testing.T, name string) []byte {
	t.Helper()
	return readConfig(t, filepath.Join("testdata", "config", name))
}

// setting returns the setting of an extension.
func setting(t *testing.T, r *throttle.Rules, match string) throttle.Setting {
	t.Helper()
	for _, s := range r.Settings {
		if s.Match == match {
			return s
		}
	}
	require.Failf(t, "no setting", "%s in %v", match, r.Settings)
	return throttle.Setting{}
}

func hasSetting(r *throttle.Rules, match string) bool {
	for _, s := range r.Settings {
		if s.Match == match {
			return true
		}
	}
	return false
}

func TestParseWalkthroughSection(t *testing.T) {
	data := ownConfig(t, "iis-docs-throttling-3.xml")
	c, err := throttle.ParseConfig(data)
	require.NoError(t, err)
	r := c.Rules
	assert.False(t, r.Disabled)
	assert.Equal(t, 5840, r.MinSendSize)
	assert.Empty(t, c.Locations)

	var got []throttle.Setting // what the file adds, in its order, after the defaults that it leaves
	defaults := len(throttle.DefaultSettings()) - 10
	require.Len(t, r.Settings, defaults+11)
	got = r.Settings[defaults:]
	media := func(match string, seconds time.Duration, group string) throttle.Setting {
		return throttle.Setting{Match: match, InitialBufferTime: seconds * time.Second, RatePercentage: 100, Group: group}
	}
	assert.Equal(t, []throttle.Setting{
		media(".asf", 20, "VideoFiles"), media(".wmv", 20, "VideoFiles"), media(".wma", 20, "AudioFiles"),
		media(".avi", 20, "VideoFiles"), media(".mp3", 10, "AudioFiles"), media(".mp4", 10, "VideoFiles"),
		media(".mov", 10, "VideoFiles"), media(".flv", 10, "VideoFiles"), media(".rm", 10, "AudioFiles"),
		media(".rmvb", 10, "VideoFiles"),
		{Match: ".jpg", Kind: throttle.Data, InitialSendSize: 10 * 1024, Rate: 5 * throttle.KbitPerSecond},
	}, got)
	assert.True(t, hasSetting(r, ".m4v"), "a default that the file does not mention")
	assert.Equal(t, []throttle.Group{{Name: "VideoFiles"}, {Name: "AudioFiles"}}, r.Groups)
	assert.Equal(t, []throttle.Warning{{Line: 21, Column: 4, Text: `bitrateThrottling: text "..." is ignored`}}, c.Warnings)
	assert.Equal(t, `line 21: bitrateThrottling: text "..." is ignored`, c.Warnings[0].String())

	again, err := throttle.ReadRules(bytes.NewReader(data))
	require.NoError(t, err)
	assert.Equal(t, r, again)
}

func TestParseWalkthroughGroups(t *testing.T) {
	r, err := throttle.ParseRules(ownConfig(t, "iis-docs-throttling-4.xml"))
	require.NoError(t, err)
	assert.Equal(t, &throttle.Rules{
		Groups: []throttle.Group{{Name: "VideoFiles", ConnectionLimit: 5000}, {Name: "AudioFiles"}},
	}, r)
}

// The documented rules, which are add elements without anything around them, are those that package bitrate has.
func TestParseDocumentedFormats(t *testing.T) {
	builtin := make(map[string]bitrate.Format)
	for _, f := range bitrate.BuiltinFormats() {
		builtin[f.Extension] = f
	}
	for file, extensions := range map[string]string{
		"5": ".asf .wma .wmv .flv .rmvb .rm", "6": ".flv .mov .mp4", "7": ".asf",
	} {
		c, err := throttle.ParseConfig(readConfig(t, testmedia.Shared(t, "testdata/config/iis-docs-throttling-"+file+".xml")))
		require.NoError(t, err, file)
		assert.Empty(t, c.Warnings, file)
		assert.Nil(t, c.Rules.Settings, file)
		var got []string
		for _, f := range c.Rules.Formats {
			got = append(got, f.Extension)
			for i := range f.Rates {
				assert.Equal(t, int64(4096), f.Rates[i].RangeEnd)
				f.Rates[i].RangeEnd = 0
				if f.Rates[i].Unit == 1 {
					f.Rates[i].Unit = 0
				}
			}
			if f.Extension == ".flv" && file == "6" {
				assert.Equal(t, &bitrate.DurationRule{
					Duration: bitrate.Search{
						Pattern: []byte("duration"), RangeEnd: 4096, DataOffset: 1, Type: bitrate.Double,
					},
					ConstScale: 1,
				}, f.Duration)
				continue
			}
			assert.Equal(t, builtin[f.Extension], f, file)
		}
		assert.Equal(t, extensions, strings.Join(got, " "), file)
	}
}

func TestParseWithoutSection(t *testing.T) {
	for _, doc := range []string{
		`<sectionGroup name="media"><section name="Bit RateThrottling" overrideModeDefault="Deny" /></sectionGroup>`,
		`<configuration><system.webServer><media/></system.webServer></configuration>`,
		`<configuration><bitrateThrottling/></configuration>`,
		`<configuration><location path="a"><media><bitrateThrottling/></media></location></configuration>`,
		`<html/>`,
	} {
		_, err := throttle.ParseConfig([]byte(doc))
		require.ErrorIs(t, err, throttle.ErrNoSection, doc)
		assert.Contains(t, err.Error(), "throttle: config line 1: ", doc)
	}
	doc := []byte(`<location path="a"><system.webServer><media><bitrateThrottling/></media></system.webServer></location>`)
	c, err := throttle.ParseConfig(doc)
	require.NoError(t, err)
	assert.Equal(t, &throttle.Rules{}, c.Rules)
	_, err = throttle.ParseRules(doc)
	require.ErrorIs(t, err, throttle.ErrNoSection)
}

// What is around the section does not matter, nor the encoding.
func TestParseForms(t *testing.T) {
	section := `<bitrateThrottling enabled="False" minSendSize=" 1460 "><throttleSettings><clear/>` +
		`<add fileExtension="video/ü" settingType="Data" throttleRateKbps="8"/></throttleSettings></bitrateThrottling>`
	want := &throttle.Rules{Disabled: true, MinSendSize: 1460, Settings: []throttle.Setting{
		{Match: "video/ü", Kind: throttle.Data, Rate: 8000},
	}}
	server := "<system.webServer><handlers><add name='x'/></handlers><media>" + section + "</media></system.webServer>"
	declared := `<?xml version="1.0" encoding="utf-16"?><!-- comment -->` +
		`<configuration xmlns="http://schemas.microsoft.com/.NetConfiguration/v2.0">` +
		`<configSections><section name="bitrateThrottling"/></configSections>` + server + "</configuration>"
	for name, doc := range map[string]string{
		"section": section, "media": "<media>" + section + "</media>", "server": server, "configuration": declared,
		"mark": "\xef\xbb\xbf" + declared, "UTF-16LE": utf16Text(declared, binary.LittleEndian),
		"UTF-16BE": utf16Text(declared, binary.BigEndian),
	} {
		r, err := throttle.ParseRules([]byte(doc))
		require.NoError(t, err, name)
		assert.Equal(t, want, r, name)
	}
}

func utf16Text(s string, order binary.AppendByteOrder) string {
	b := order.AppendUint16(nil, 0xFEFF)
	for _, u := range utf16.Encode([]rune(s)) {
		b = order.AppendUint16(b, u)
	}
	return string(b)
}

func TestParseFragments(t *testing.T) {
	r, err := throttle.ParseRules([]byte(`<throttleSettings><clear/></throttleSettings>
		<connectionLimitGroups><add name="a" connectionLimit="1"/></connectionLimitGroups>`))
	require.NoError(t, err)
	assert.Equal(t, &throttle.Rules{Settings: []throttle.Setting{}, Groups: []throttle.Group{{Name: "a", ConnectionLimit: 1}}}, r)

	r, err = throttle.ParseRules([]byte(`<add name="a" connectionLimit="1"/><add name="b"/>`))
	require.NoError(t, err)
	assert.Equal(t, &throttle.Rules{Groups: []throttle.Group{{Name: "a", ConnectionLimit: 1}, {Name: "b"}}}, r)

	r, err = throttle.ParseRules([]byte(`<add fileExtension=".x" throttleRateKbps="1"/>`))
	require.NoError(t, err)
	assert.Equal(t, throttle.Setting{Match: ".x", Kind: throttle.Data, Rate: 1000}, setting(t, r, ".x"))
}

// The attributes whose names IIS does not document, and ours.
func TestParseOtherAttributes(t *testing.T) {
	want := &throttle.Rules{
		DefaultRate: 500_000, MaxRate: 8_000_500, TargetRate: 1_000_000_000, Ceiling: 2_000_000_000, UsePeak: true,
		Groups: []throttle.Group{{Name: "VideoFiles", Rate: 1500}},
	}
	for _, names := range [][3]string{
		{"defaultThrottleRateKbps", "maximumThrottleRateKbps", "siteTargetThroughputKbps"},
		{"defaultThrottleRate", "maximumThrottleRate", "siteTargetThroughput"},
		{"defaultRateKbps", "maxThrottleRateKbps", "siteTargetThroughputRateKbps"},
		{"DEFAULTRATEKBPS", "maxThrottleRate", "siteTargetThroughputRate"},
		{"defaultRateKbps", "maxThrottleRate", "targetThroughputKbps"},
	} {
		r, err := throttle.ParseRules([]byte(`<bitrateThrottling ` + names[0] + `="500" ` + names[1] + `="8000.5" ` + names[2] +
			`="1000000" ceilingKbps="2000000" usePeakBitRate="true"><connectionLimitGroups><add name="videofiles" rateKbps="1.5"/>` +
			`</connectionLimitGroups></bitrateThrottling>`))
		require.NoError(t, err)
		assert.Equal(t, want, r, names)
	}
}

func TestConfigWarnings(t *testing.T) {
	doc := `<bitrateThrottling lockAttributes="enabled" colour="red" x:y="1">
<throttleSettings lockItem="true">
<clear why="1"/>
<add fileExtension=".a" settingType="media" throttleRateKbps="5" initialSendSizeKBytes="1" />
<add fileExtension=".b" settingType="data" initialBufferTimeSeconds="1" throttleRatePercentage="2" />
<add fileExtension=".c" settingType="media" throttleRatePercentage="0" connectionLimitGroup="None" />
<add fileExtension=".d" settingType="media" connectionLimitGroup="FEW" /><add fileExtension=".e" />
<remove fileExtension=".f"/><change fileExtension=".a"/>
</throttleSettings>
<connectionLimitGroups><remove name="VideoFiles"/><remove name="Audio"/><add name="Few" connectionLimit="1"/></connectionLimitGroups>
<mediaFormats><remove fileExtension=".avi"/><remove fileExtension=".FLV"/><add colour="red" fileExtension=".g"><bitrateRules><add searchPattern="a"
searchPatternType="stringValue" dataType="uint16"><in/></add><rule/></bitrateRules><other/></add>
<add fileExtension=".h"><durationRule enabled="true"><duration searchPattern="a" searchPatternType="stringValue" dataType="float"/>
<timeScale constScale="2" searchPattern="a" searchPatternType="stringValue" unitBitPerSecond="1"/><unit/></durationRule></add>
</mediaFormats><more/>
</bitrateThrottling>`
	c, err := throttle.ParseConfig([]byte(doc))
	require.NoError(t, err)
	var got []string
	for _, w := range c.Warnings {
		got = append(got, w.String())
	}
	assert.Equal(t, []string{
		"line 1: bitrateThrottling: attribute colour is not known",
		"line 1: bitrateThrottling: attribute x:y is not known",
		"line 3: clear: attribute why is not known",
		"line 4: add .a: throttleRateKbps is ignored, as it is for settings of type data and this is one of type media",
		"line 4: add .a: initialSendSizeKBytes is ignored, as it is for settings of type data and this is one of type media",
		"line 5: add .b: initialBufferTimeSeconds is ignored, as it is for settings of type media and this is one of type data",
		"line 5: add .b: throttleRatePercentage is ignored, as it is for settings of type media and this is one of type data",
		"line 6: add .c: throttleRatePercentage is 0, which means 100",
		"line 7: add .e: settingType is missing, media is assumed",
		"line 8: remove .f: there is none to remove",
		"line 8: throttleSettings: element change is not known",
		"line 10: remove Audio: there is none to remove",
		"line 11: add .g: attribute colour is not known",
		"line 11: bitrateRules: not enabled, as it does not say so",
		"line 12: add a: element in is not known",
		"line 12: bitrateRules: element rule is not known",
		"line 12: add .g: element other is not known",
		"line 11: add .g: no rule is enabled",
		"line 14: timeScale a: attribute unitBitPerSecond is not known",
		"line 14: timeScale a: the search is ignored, as there is a constScale",
		"line 14: durationRule: element unit is not known",
		"line 15: bitrateThrottling: element more is not known",
		`line 6: add .c: there is no group "None", so that it has no limit`,
	}, got)
	assert.Equal(t, 45, c.Warnings[3].Column)
	assert.Equal(t, "Few", setting(t, c.Rules, ".d").Group, "in the case of the group")
	assert.Equal(t, throttle.Setting{Match: ".a"}, setting(t, c.Rules, ".a"))
	assert.Equal(t, throttle.Setting{Match: ".b", Kind: throttle.Data}, setting(t, c.Rules, ".b"))
}

func TestConfigWarningsAreBounded(t *testing.T) {
	c, err := throttle.ParseConfig([]byte("<bitrateThrottling>" + strings.Repeat("<x/>", 1000) + "</bitrateThrottling>"))
	require.NoError(t, err)
	require.Len(t, c.Warnings, 257)
	assert.Equal(t, "744 more warnings", c.Warnings[256].Text)
}

func TestReadRulesErrors(t *testing.T) {
	broken := errors.New("broken")
	_, err := throttle.ReadRules(io.MultiReader(strings.NewReader("<a>"), errorReader{broken}))
	require.ErrorIs(t, err, broken)
	_, err = throttle.ReadRules(endless{})
	require.ErrorContains(t, err, fmt.Sprintf("more than %d bytes", throttle.MaxConfigBytes))
}

type errorReader struct{ err error }

func (r errorReader) Read([]byte) (int, error) { return 0, r.err }

// endless is white space without end.
type endless struct{}

func (endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = ' '
	}
	return len(p), nil
}

package throttle_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/throttle"
	"github.com/smoothkit/smoothkit/throttle/bitrate"
)

// everyField has every field that can be written, with values that IIS's units do not have.
func everyField() *throttle.Rules {
	search := bitrate.Search{
		Pattern: []byte("a<\"&'"), From: bitrate.Both, RangeStart: 9, RangeEnd: 4096, DataOffset: 3, Type: bitrate.Float,
		Order: bitrate.LittleEndian,
	}
	binary := bitrate.Search{Pattern: []byte{0xa1, 0, '\n'}, From: bitrate.End, Type: bitrate.Uint16}
	return &throttle.Rules{
		Disabled: true, MinSendSize: 1, UsePeak: true, DefaultRate: 1, MaxRate: throttle.MaxRate, TargetRate: 1500, Ceiling: 12_345,
		Settings: []throttle.Setting{
			{Match: ".a", InitialBufferTime: 1500*time.Millisecond + 1, RatePercentage: 110, Group: "g"},
			{Match: "video/*"},
			{Match: "image/png", Kind: throttle.Data, InitialSendSize: 10_241, Rate: 999, Group: "<\"&'\t\r\n\u00fc>"},
			{Match: ".b", Kind: throttle.Data},
		},
		Groups: []throttle.Group{{Name: "g", ConnectionLimit: 7, Rate: 1}, {Name: "<\"&'\t\r\n\u00fc>"}},
		Formats: []bitrate.Format{
			{Extension: ".a"},
			{Extension: ".b", Rates: []bitrate.RateRule{{Search: search, Unit: 1000}, {Search: binary}}},
			{Extension: ".c", Duration: &bitrate.DurationRule{Duration: search, ConstScale: 90000}},
			{Extension: ".d", Duration: &bitrate.DurationRule{Duration: binary, Timescale: search}, Rates: []bitrate.RateRule{{Search: binary}}},
		},
	}
}

func TestRulesAppendXML(t *testing.T) {
	got, err := (&throttle.Rules{
		MinSendSize: 5840,
		Settings: []throttle.Setting{
			{Match: ".wmv", InitialBufferTime: 20 * time.Second, RatePercentage: 100, Group: "VideoFiles"},
			{Match: ".jpg", Kind: throttle.Data, InitialSendSize: 10 * 1024, Rate: 5500},
		},
		Groups:  []throttle.Group{{Name: "VideoFiles"}},
		Formats: bitrate.BuiltinFormats()[3:4],
		MaxRate: 8 * throttle.MbitPerSecond,
	}).AppendXML([]byte("before\n"))
	require.NoError(t, err)
	assert.Equal(t, `before
<bitrateThrottling enabled="true" minSendSize="5840" maximumThrottleRateKbps="8000">
	<throttleSettings>
		<clear />
		<add fileExtension=".wmv" settingType="media" initialBufferTimeSeconds="20" throttleRatePercentage="100" connectionLimitGroup="VideoFiles" />
		<add fileExtension=".jpg" settingType="data" initialSendSizeKBytes="10" throttleRateKbps="5.5" />
	</throttleSettings>
	<connectionLimitGroups>
		<clear />
		<add name="VideoFiles" connectionLimit="0" />
	</connectionLimitGroups>
	<mediaFormats>
		<clear />
		<add fileExtension=".flv">
			<bitrateRules enabled="true">
				<add searchPattern="videodatarate" searchPatternType="stringValue" searchRangeStart="9" dataOffset="1" dataType="double" endianness="bigEndian" unitBitPerSecond="1000" />
				<add searchPattern="audiodatarate" searchPatternType="stringValue" searchRangeStart="9" dataOffset="1" dataType="double" endianness="bigEndian" unitBitPerSecond="1000" />
			</bitrateRules>
		</add>
	</mediaFormats>
</bitrateThrottling>
`, string(got))
}

func TestRulesRoundTrip(t *testing.T) {
	for name, r := range map[string]*throttle.Rules{
		"zero": {}, "no settings": {Settings: []throttle.Setting{}}, "defaults": {Settings: throttle.DefaultSettings()},
		"every field": everyField(), "builtin": {Formats: bitrate.BuiltinFormats()},
	} {
		data, err := r.AppendXML(nil)
		require.NoError(t, err, name)
		c, err := throttle.ParseConfig(data)
		require.NoError(t, err, "%s\n%s", name, data)
		assert.Equal(t, r, c.Rules, "%s\n%s", name, data)
	}
}

func TestConfigRoundTrip(t *testing.T) {
	c, err := throttle.ParseConfig([]byte(inheriting))
	require.NoError(t, err)
	c.Locations = append(c.Locations, throttle.Location{Path: "every/\"field\"", Rules: everyField()},
		throttle.Location{Path: "every/\"field\"/none", Rules: &throttle.Rules{Settings: []throttle.Setting{}}})
	data, err := c.AppendXML(nil)
	require.NoError(t, err)
	again, err := throttle.ParseConfig(data)
	require.NoError(t, err, "%s", data)
	assert.Equal(t, c.Rules, again.Rules)
	assert.Equal(t, c.Locations, again.Locations)
}

// A location that has the default settings below one that has others gets them as they are.
func TestConfigWritesDefaultsThatAreNotInherited(t *testing.T) {
	c := &throttle.Config{Locations: []throttle.Location{
		{Path: "a/b/c", Rules: &throttle.Rules{}},
		{Path: "a", Rules: &throttle.Rules{Settings: []throttle.Setting{{Match: ".x"}}}},
		{Path: "b", Rules: &throttle.Rules{UsePeak: true}},
	}}
	data, err := c.AppendXML(nil)
	require.NoError(t, err)
	again, err := throttle.ParseConfig(data)
	require.NoError(t, err)
	assert.Equal(t, &throttle.Rules{}, again.Rules)
	assert.Equal(t, &throttle.Rules{Settings: throttle.DefaultSettings()}, again.RulesFor("a/b/c"))
	assert.Equal(t, c.Locations[1:], again.Locations[1:])
}

func TestAppendXMLErrors(t *testing.T) {
	for name, c := range map[string]struct {
		rules   throttle.Rules
		message string
	}{
		"invalid":       {throttle.Rules{MinSendSize: -1}, "throttle: config: throttle: rules: MinSendSize -1"},
		"characters":    {throttle.Rules{Settings: []throttle.Setting{{Match: ".\x00"}}}, "has characters that XML does not have"},
		"not a text":    {throttle.Rules{Groups: []throttle.Group{{Name: "\xff"}}}, "has characters that XML does not have"},
		"no character":  {throttle.Rules{Groups: []throttle.Group{{Name: "\uffff"}}}, "has characters that XML does not have"},
		"groups":        {throttle.Rules{Groups: []throttle.Group{{Name: "a"}, {Name: "A"}}}, `connectionLimitGroups: "A" is there twice`},
		"formats":       {throttle.Rules{Formats: []bitrate.Format{{Extension: ".a"}, {Extension: ".A"}}}, `mediaFormats: ".A" is there twice`},
		"unused format": {throttle.Rules{Formats: unusedDuration()}, "searchPattern"},
	} {
		got, err := c.rules.AppendXML([]byte("x"))
		require.ErrorContains(t, err, c.message, name)
		assert.Equal(t, "x", string(got), name)
	}
	for name, locations := range map[string][]throttle.Location{
		"no rules": {{Path: "a"}}, "no path": {{Path: "/", Rules: &throttle.Rules{}}},
		"twice": {{Path: "a", Rules: &throttle.Rules{}}, {Path: "A/", Rules: &throttle.Rules{}}},
	} {
		_, err := (&throttle.Config{Locations: locations}).AppendXML(nil)
		require.ErrorContains(t, err, "without rules, without a path, or there twice", name)
	}
}

// unusedDuration has a duration rule that is not valid and not used.
func unusedDuration() []bitrate.Format {
	f := bitrate.BuiltinFormats()[0]
	f.Duration = &bitrate.DurationRule{}
	return []bitrate.Format{f}
}

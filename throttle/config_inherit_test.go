package throttle_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/throttle"
)

// inheriting has a server, a site, a directory of it and a file, out of order.
const inheriting = `<configuration>
<location path="Site/Videos/trailer.wmv">
  <system.webServer><media><bitrateThrottling enabled="false" /></media></system.webServer>
</location>
<system.webServer><media>
  <bitrateThrottling minSendSize="1460" maxThrottleRateKbps="8000">
    <throttleSettings>
      <add fileExtension=".WMV" settingType="media" initialBufferTimeSeconds="5" throttleRatePercentage="110" />
      <remove fileExtension=".avi" />
      <add fileExtension=".jpg" settingType="data" initialSendSizeKBytes="10" throttleRateKbps="5" />
    </throttleSettings>
    <connectionLimitGroups><add name="VideoFiles" connectionLimit="10" /><add name="Few" connectionLimit="2" /></connectionLimitGroups>
    <mediaFormats><add fileExtension=".xyz" /></mediaFormats>
  </bitrateThrottling>
</media></system.webServer>
<location path="Site">
  <system.webServer><media>
    <bitrateThrottling minSendSize="2920">
      <throttleSettings>
        <remove fileExtension=".wmv" />
        <add fileExtension=".wmv" settingType="media" initialBufferTimeSeconds="7" connectionLimitGroup="few" />
      </throttleSettings>
      <connectionLimitGroups><remove name="videofiles" /><add name="VideoFiles" connectionLimit="3" /></connectionLimitGroups>
      <mediaFormats><remove fileExtension=".XYZ" /></mediaFormats>
    </bitrateThrottling>
  </media></system.webServer>
</location>
<location path=" / site/videos /" overrideMode="Allow">
  <system.webServer><media>
    <bitrateThrottling>
      <throttleSettings>
        <clear />
        <add fileExtension=".mp4" settingType="media" connectionLimitGroup="Few" />
      </throttleSettings>
      <connectionLimitGroups><clear /></connectionLimitGroups>
    </bitrateThrottling>
  </media></system.webServer>
</location>
<location path="Other" inheritInChildApplications="false">
  <system.webServer><media><bitrateThrottling maxThrottleRateKbps="0" /></media></system.webServer>
</location>
</configuration>`

func TestInheritance(t *testing.T) {
	c, err := throttle.ParseConfig([]byte(inheriting))
	require.NoError(t, err)
	require.Len(t, c.Locations, 4)
	file, site, videos, other := c.Locations[0], c.Locations[1], c.Locations[2], c.Locations[3]
	assert.Equal(t, []string{"Site/Videos/trailer.wmv", "Site", "site/videos", "Other"},
		[]string{file.Path, site.Path, videos.Path, other.Path})

	server := c.Rules
	assert.Equal(t, 1460, server.MinSendSize)
	assert.Equal(t, throttle.Setting{Match: ".WMV", InitialBufferTime: 5 * time.Second, RatePercentage: 110}, setting(t, server, ".WMV"))
	assert.False(t, hasSetting(server, ".wmv"), "the default is replaced")
	assert.False(t, hasSetting(server, ".avi"))
	assert.True(t, hasSetting(server, ".mkv"))
	assert.Len(t, server.Settings, len(throttle.DefaultSettings()))
	assert.Len(t, server.Formats, 1)

	s := site.Rules
	assert.Equal(t, 2920, s.MinSendSize)
	assert.Equal(t, 8*throttle.MbitPerSecond, s.MaxRate)
	assert.Equal(t, throttle.Setting{Match: ".wmv", InitialBufferTime: 7 * time.Second, Group: "Few"}, setting(t, s, ".wmv"))
	assert.False(t, hasSetting(s, ".WMV"))
	assert.True(t, hasSetting(s, ".jpg"))
	assert.False(t, hasSetting(s, ".avi"))
	assert.Equal(t, []throttle.Group{{Name: "Few", ConnectionLimit: 2}, {Name: "VideoFiles", ConnectionLimit: 3}}, s.Groups)
	assert.Empty(t, s.Formats)

	v := videos.Rules
	assert.Equal(t, &throttle.Rules{
		MinSendSize: 2920, MaxRate: 8 * throttle.MbitPerSecond, Settings: []throttle.Setting{{Match: ".mp4", Group: "Few"}},
	}, v)
	want := *v
	want.Disabled = true
	assert.Equal(t, &want, file.Rules)

	assert.Zero(t, other.Rules.MaxRate)
	assert.Equal(t, server.Settings, other.Rules.Settings)
	other.Rules.Settings[0].Match = ".changed"
	assert.NotEqual(t, ".changed", server.Settings[0].Match, "rules do not share memory")

	var warnings []string
	for _, w := range c.Warnings {
		warnings = append(warnings, w.String())
	}
	assert.Equal(t, []string{
		"line 39: location: inheritInChildApplications is not known here, everything inherits",
		"line 13: add .xyz: no rule is enabled",
		`line 33: add .mp4: there is no group "Few", so that it has no limit`,
	}, warnings)
}

// A location without a path, or with a dot, is the whole server.
func TestLocationOfEverything(t *testing.T) {
	for _, attribute := range []string{"", "path=''", "path='.'", "PATH='/'", "path='x' path=' . '"} {
		r, err := throttle.ParseRules([]byte("<configuration><location " + attribute + "><system.webServer><media>" +
			"<bitrateThrottling minSendSize='1'/></media></system.webServer></location></configuration>"))
		require.NoError(t, err, attribute)
		assert.Equal(t, &throttle.Rules{MinSendSize: 1}, r, attribute)
	}
}

func TestRulesFor(t *testing.T) {
	c, err := throttle.ParseConfig([]byte(inheriting))
	require.NoError(t, err)
	for path, want := range map[string]*throttle.Rules{
		"": c.Rules, "/": c.Rules, "Sit": c.Rules, "Sites/a": c.Rules, "third": c.Rules,
		"Site": c.Locations[1].Rules, "/SITE/": c.Locations[1].Rules, "Site/videosx": c.Locations[1].Rules,
		"Site/Videos": c.Locations[2].Rules, "site/VIDEOS/a/b.mp4": c.Locations[2].Rules,
		"Site/videos/trailer.wmv": c.Locations[0].Rules, "other/x": c.Locations[3].Rules,
	} {
		assert.Same(t, want, c.RulesFor(path), path)
	}
}

func TestParseConfigOver(t *testing.T) {
	server := &throttle.Rules{
		MinSendSize: 1460, Settings: []throttle.Setting{{Match: ".a"}, {Match: ".b"}}, Groups: []throttle.Group{{Name: "g"}},
	}
	section := func(inside string) []byte {
		return []byte("<bitrateThrottling><throttleSettings>\n" + inside + "</throttleSettings></bitrateThrottling>")
	}
	c, err := throttle.ParseConfigOver(server, section(`<remove fileExtension=".a"/><add fileExtension=".c" settingType="media"/>`))
	require.NoError(t, err)
	assert.Equal(t, &throttle.Rules{
		MinSendSize: 1460, Settings: []throttle.Setting{{Match: ".b"}, {Match: ".c"}}, Groups: []throttle.Group{{Name: "g"}},
	}, c.Rules)
	assert.Len(t, server.Settings, 2, "what is inherited from does not change")

	_, err = throttle.ParseConfigOver(server, section(`<add fileExtension=".A" settingType="media"/>`))
	require.EqualError(t, err, `throttle: config line 2: add .A: fileExtension ".A": there is one inherited already, which must be removed first`)

	_, err = throttle.ParseConfigOver(&throttle.Rules{MinSendSize: -1}, section(""))
	require.ErrorContains(t, err, "throttle: config: inherited: throttle: rules: MinSendSize -1")
}

func TestInheritedDuplicates(t *testing.T) {
	_, err := throttle.ParseConfig([]byte(`<configuration>
<system.webServer><media><bitrateThrottling><throttleSettings>
<add fileExtension=".mp4" settingType="media"/>
</throttleSettings></bitrateThrottling></media></system.webServer>
<location path="a/b"><system.webServer><media><bitrateThrottling><throttleSettings>
<add fileExtension=".mp4" settingType="media"/><add fileExtension=".mkv" settingType="media"/>
</throttleSettings></bitrateThrottling></media></system.webServer></location>
<location path="A/b/"><system.webServer><media><bitrateThrottling/></media></system.webServer></location>
</configuration>`))
	require.EqualError(t, err, `throttle: config line 6: add .mp4: fileExtension ".mp4": there is one inherited from line 3 already, `+
		"which must be removed first\n"+
		`throttle: config line 8: bitrateThrottling: there is one for this location at line 5 already`)
}

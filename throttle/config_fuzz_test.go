package throttle_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/throttle"
)

// FuzzParseRules: what is read is valid, within the limits, and written so that it is read as equal.
func FuzzParseRules(f *testing.F) {
	names, err := filepath.Glob(filepath.Join("testdata", "config", "*.xml"))
	require.NoError(f, err)
	for _, name := range names {
		data, err := os.ReadFile(name)
		require.NoError(f, err)
		f.Add(data)
	}
	every, err := everyField().AppendXML(nil)
	require.NoError(f, err)
	for _, doc := range []string{
		string(every), inheriting, "<media>\n<a b></media>", "<!DOCTYPE a>", "\xff\xfe<\x00a\x00/\x00>\x00",
		`<add fileExtension=".a"><bitrateRules enabled="true"><add searchPattern="00" searchPatternType="hexValue" dataType="float" /></bitrateRules></add>`,
		`<add name="x" connectionLimit="1" /><add name='X'/>`, `<location path="a/b"/><location/>`,
		`<throttleSettings>x<clear/><add fileExtension=".a" throttleRateKbps="1.5" a:b=""/></throttleSettings>`,
	} {
		f.Add([]byte(doc))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := throttle.ParseConfig(data)
		if err != nil {
			var e *throttle.ConfigError
			require.ErrorAs(t, err, &e)
			return
		}
		require.LessOrEqual(t, len(c.Warnings), 257)
		entries := 0
		for _, l := range append([]throttle.Location{{Rules: c.Rules}}, c.Locations...) {
			require.NoError(t, l.Rules.Validate())
			require.Same(t, l.Rules, c.RulesFor(l.Path))
			entries += len(l.Rules.Settings) + len(l.Rules.Groups) + len(l.Rules.Formats)
		}
		require.LessOrEqual(t, entries, throttle.MaxConfigEntries)
		// Each element of the document makes at most one entry, and each location inherits those of the document.
		require.LessOrEqual(t, entries, (len(data)/4+len(throttle.DefaultSettings()))*(1+len(c.Locations)))

		written, err := c.AppendXML(nil)
		require.NoError(t, err)
		again, err := throttle.ParseConfig(written)
		require.NoError(t, err, "%s", written)
		assert.Equal(t, c.Rules, again.Rules)
		assert.Equal(t, c.Locations, again.Locations)
		one, err := c.Rules.AppendXML(nil)
		require.NoError(t, err)
		rules, err := throttle.ParseRules(one)
		require.NoError(t, err, "%s", one)
		assert.Equal(t, c.Rules, rules)
	})
}

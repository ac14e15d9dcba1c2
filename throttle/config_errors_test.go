package throttle_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/throttle"
	"github.com/smoothkit/smoothkit/throttle/bitrate"
)

func TestConfigErrors(t *testing.T) {
	setting := func(attributes string) string {
		return "<bitrateThrottling>\n<throttleSettings>\n<add fileExtension=\".wmv\"\n\tsettingType=\"media\"\r\n\t" + attributes +
			" />\n</throttleSettings></bitrateThrottling>"
	}
	data := func(attributes string) string { return strings.Replace(setting(attributes), "media", "data", 1) }
	group := func(inside string) string {
		return "<bitrateThrottling><connectionLimitGroups>\n" + inside + "</connectionLimitGroups></bitrateThrottling>"
	}
	format := func(inside string) string {
		return "<mediaFormats><add fileExtension=\".x\">\n" + inside + "\n</add></mediaFormats>"
	}
	rates := func(attributes string) string {
		return format("<bitrateRules enabled='true'>\n<add " + attributes + "/></bitrateRules>")
	}
	const good = `searchPattern="a" searchPatternType="stringValue" dataType="uint16"`
	for name, c := range map[string]struct {
		doc                string
		line, column       int
		attribute, message string
	}{
		"percentage": {setting(`throttleRatePercentage="abc"`), 5, 2, "throttleRatePercentage",
			`throttle: config line 5: add .wmv: throttleRatePercentage "abc": not a whole number`},
		"percentage range": {setting(`throttleRatePercentage="100001"`), 5, 2, "throttleRatePercentage",
			`add .wmv: throttleRatePercentage "100001": not between 0 and 100000`},
		"percentage negative": {setting(`throttleRatePercentage="-1"`), 5, 2, "throttleRatePercentage",
			`"-1": not between 0 and 100000`},
		"percentage fraction": {setting(`throttleRatePercentage="1.5"`), 5, 2, "throttleRatePercentage", `not a whole number`},
		"percentage empty":    {setting(`throttleRatePercentage=""`), 5, 2, "throttleRatePercentage", `"": not a whole number`},
		"second attribute": {setting("throttleRatePercentage = '1'  initialBufferTimeSeconds='1e3'"), 5, 32, "initialBufferTimeSeconds",
			`"1e3": not a number`},
		"seconds": {setting(`initialBufferTimeSeconds="86401"`), 5, 2, "initialBufferTimeSeconds", `not between 0 and 86400`},
		"seconds just": {setting(`initialBufferTimeSeconds="86400.5"`), 5, 2, "initialBufferTimeSeconds",
			`not between 0 and 86400`},
		"seconds minus": {setting(`initialBufferTimeSeconds="-0.5"`), 5, 2, "initialBufferTimeSeconds", `not between 0 and 86400`},
		"seconds huge": {setting(`initialBufferTimeSeconds="99999999999999999999"`), 5, 2, "initialBufferTimeSeconds",
			`not between`},
		"seconds fraction": {setting(`initialBufferTimeSeconds="0.0000000001"`), 5, 2, "initialBufferTimeSeconds",
			"not a whole number of the 1000000000 units"},
		"seconds digits": {setting(`initialBufferTimeSeconds="0.00000000001"`), 5, 2, "initialBufferTimeSeconds",
			"more than 10 digits"},
		"seconds point": {setting(`initialBufferTimeSeconds="1."`), 5, 2, "initialBufferTimeSeconds", "not a number"},
		"twice": {setting(`settingType="media"`), 5, 2, "settingType",
			`settingType "media": there is one at line 4 already`},
		"rate":          {data(`throttleRateKbps="1000000001"`), 5, 2, "throttleRateKbps", `not between 0 and 1000000000`},
		"rate fraction": {data(`throttleRateKbps="0.0001"`), 5, 2, "throttleRateKbps", `not a whole number of the 1000 units`},
		"size": {data(`initialSendSizeKBytes="1099511627777"`), 5, 2, "initialSendSizeKBytes",
			`not between 0 and 1099511627776`},
		"type": {"<throttleSettings>\n<add fileExtension='.a' settingType='Medium'/></throttleSettings>", 2, 25, "settingType",
			`settingType "Medium": neither media nor data`},
		"extension": {"<throttleSettings>\n<add fileExtension='wmv' settingType='media'/></throttleSettings>", 2, 6, "fileExtension",
			`add wmv: fileExtension "wmv": neither an extension with a dot nor a media type`},
		"no extension": {"<throttleSettings>\n  <add settingType='media'/></throttleSettings>", 2, 3, "fileExtension",
			`add: fileExtension: missing`},
		"remove without": {"<throttleSettings>\n<remove/></throttleSettings>", 2, 1, "fileExtension", `remove: fileExtension: missing`},
		"duplicate": {"<throttleSettings><clear/>\n<add fileExtension='.a' settingType='media'/>\n" +
			"<add fileExtension='.A' settingType='data'/></throttleSettings>", 3, 6, "fileExtension",
			`line 3: add .A: fileExtension ".A": there is one at line 2 already`},
		"enabled": {`<bitrateThrottling enabled="1" />`, 1, 20, "enabled", `enabled "1": neither true nor false`},
		"min":     {"<bitrateThrottling\n\nminSendSize='2000000000' />", 3, 1, "minSendSize", `not between 0 and 1073741824`},
		"max":     {"<bitrateThrottling maxThrottleRate='x' />", 1, 20, "maxThrottleRate", `not a number`},
		"peak":    {"<bitrateThrottling usePeakBitRate='yes' />", 1, 20, "usePeakBitRate", `neither true nor false`},
		"limit": {group(`<add name="a" connectionLimit="2147483648"/>`), 2, 15, "connectionLimit",
			`add a: connectionLimit "2147483648": not between 0 and 2147483647`},
		"group name":      {group(`<add name="" connectionLimit="1"/>`), 2, 6, "name", `name "": empty`},
		"group unnamed":   {group(`<add connectionLimit="1"/>`), 2, 1, "name", `add: name: missing`},
		"group duplicate": {group("<add name='a'/>\n<add name='a'/>"), 3, 6, "name", `there is one at line 2 already`},

		"data type": {rates(`searchPattern="a" searchPatternType="stringValue" dataType="uint64"`), 3, 56, "dataType",
			`add a: dataType "uint64": `},
		"data type missing": {rates(`searchPattern="a" searchPatternType="stringValue"`), 3, 1, "dataType", `add a: dataType: missing`},
		"pattern type": {rates(`searchPattern="a" searchPatternType="text" dataType="uint16"`), 3, 24, "searchPatternType",
			`neither hexValue nor stringValue`},
		"pattern type none": {rates(`searchPattern="a" dataType="uint16"`), 3, 1, "searchPatternType", `missing`},
		"pattern": {rates(`searchPattern="zz" searchPatternType="hexValue" dataType="uint16"`), 3, 6, "searchPattern",
			`hexadecimal`},
		"pattern none": {rates(`searchPatternType="hexValue" dataType="uint16"`), 3, 1, "searchPattern",
			`searchPattern "": empty`},
		"from":           {rates(good + ` searchFrom="middle"`), 3, 74, "searchFrom", `searchFrom "middle": `},
		"order":          {rates(good + ` endianness="middle"`), 3, 74, "endianness", `endianness "middle": `},
		"range start":    {rates(good + ` searchRangeStart="-1"`), 3, 74, "searchRangeStart", `not between 0`},
		"range end zero": {rates(good + ` searchRangeEnd="0"`), 3, 74, "searchRangeEnd", `must not be zero`},
		"range end": {rates(good + ` searchRangeEnd="1000000000000"`), 3, 74, "searchRangeEnd",
			`add a: searchRangeEnd "1000000000000": 1000000000000 makes windows of`},
		"offset": {rates(good + ` dataOffset="4294967296"`), 3, 74, "dataOffset", `not between 0 and 4294967295`},
		"unit":   {rates(good + ` unitBitPerSecond="0"`), 3, 74, "unitBitPerSecond", `must not be zero`},
		"format enabled": {format(`<bitrateRules enabled="maybe"/>`), 2, 15, "enabled",
			`bitrateRules: enabled "maybe": neither true nor false`},
		"format extension": {"<mediaFormats>\n<add fileExtension='x'><bitrateRules/></add></mediaFormats>", 2, 6, "fileExtension",
			`add x: fileExtension "x": not a dot and an extension`},
		"no duration": {format(`<durationRule enabled="true"/>`), 2, 1, "searchPattern",
			`durationRule: searchPattern "": empty`},
		"no timescale": {format(`<durationRule enabled="true"><duration ` + good + `/></durationRule>`), 2, 1, "searchPattern",
			`empty`},
		"timescale": {format("<durationRule enabled='true'><duration " + good + "/>\n<timeScale constScale='-1'/></durationRule>"),
			3, 12, "constScale",
			`not between`},
		"two durations": {format("<durationRule><duration/>\n<duration/></durationRule>"), 3, 1, "",
			`duration: there is one at line 2 already`},
		"two duration rules": {format("<durationRule/>\n<durationRule/>"), 1, 15, "",
			`two elements durationRule, at line 2 and line 3`},
		"unused duration": {format("<bitrateRules enabled='true'><add " + good + "/></bitrateRules>\n<durationRule enabled='true'>" +
			"<duration searchPattern='a' searchPatternType='stringValue'/><timeScale constScale='1'/></durationRule>"),
			3, 30, "dataType", `duration a: dataType`},
		"unused rates": {format("<bitrateRules enabled='false'><add dataType='x'/></bitrateRules>"), 2, 36, "dataType", `dataType "x"`},

		"two sections": {"<media><bitrateThrottling/>\n<bitrateThrottling/></media>", 2, 1, "",
			`line 2: bitrateThrottling: there is one for this location at line 1 already`},
		"two roots":       {"<media/>\n<media/>", 2, 1, "", `a second root element, the first is media of line 1`},
		"root after part": {"<throttleSettings/>\n<bitrateThrottling/>", 2, 1, "", `a second root element`},
		"ambiguous add":   {"\n<add fileExtension='.x'/>", 2, 1, "", `add outside of a collection could be of several`},
		"contrary add":    {"\n<add name='x' settingType='media'/>", 2, 1, "", `add outside of a collection could be of several`},
		"other add": {"<add name='x'/>\n<add fileExtension='.x' settingType='media'/>", 2, 1, "",
			`seems to be of throttleSettings`},
		"text":          {"\n {}", 1, 1, "", `text "{}" outside of elements`},
		"nothing":       {"", 1, 1, "", `no element`},
		"end":           {"<media>\n", 2, 1, "", `line 2: media: unexpected end of input`},
		"tag":           {"<media>\n\n<a b></media>", 3, 0, "", `line 3: media: `},
		"nesting":       {"<media>\n<a></media>", 2, 4, "", `a: closed by </media>`},
		"closed":        {"</media>", 1, 1, "", `</media> closes nothing`},
		"document type": {"<!DOCTYPE a [<!ENTITY b 'c'>]><media/>", 1, 1, "", `document types are not allowed`},
		"entity":        {"<bitrateThrottling enabled='&b;'/>", 1, 0, "", `&b;`},
		"UTF-16":        {"\xff\xfe<\x00a", 0, 0, "", `throttle: config: UTF-16 of 5 bytes`},
		"UTF-8":         {"<media>\n\xff</media>", 2, 0, "", `invalid UTF-8`},
		"depth":         {strings.Repeat("<media>", 65), 1, 64*7 + 1, "", `more than 64 nested elements`},
		"attributes":    {"<bitrateThrottling" + strings.Repeat(" a=''", 257) + "/>", 1, 1, "", `257 attributes, limit 256`},
		"elements": {"<throttleSettings>" + strings.Repeat("<x/>", throttle.MaxConfigEntries) + "</throttleSettings>", 1, 524303, "",
			`more than 131072 elements`},
		"all attributes": {"<throttleSettings>" + strings.Repeat("\n<x"+strings.Repeat(" a=''", 256)+"/>", 2049) +
			"</throttleSettings>", 2050, 1, "",
			`more than 524288 attributes`},
		"path":             {"<location path='" + strings.Repeat("x", 4097) + "'/>", 1, 1, "", `path of 4097 bytes, limit 4096`},
		"foreign encoding": {"<?xml version='1.1'?><media/>", 1, 1, "", `version`},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := throttle.ParseRules([]byte(c.doc))
			var e *throttle.ConfigError
			require.ErrorAs(t, err, &e)
			assert.Contains(t, err.Error(), c.message)
			assert.Equal(t, c.line, e.Line, "line of %v", err)
			assert.Equal(t, c.column, e.Column, "column of %v", err)
			assert.Equal(t, c.attribute, e.Attribute)
			assert.Contains(t, err.Error(), e.Element)
			assert.True(t, strings.HasPrefix(err.Error(), "throttle: config"), err)
			assert.NotContains(t, err.Error(), "\n")
		})
	}
}

// Everything that is wrong is said at once, within bounds.
func TestConfigErrorsJoined(t *testing.T) {
	var b strings.Builder
	b.WriteString("<throttleSettings>\n")
	for i := range 40 {
		fmt.Fprintf(&b, "<add fileExtension='.x%d' settingType='media' throttleRatePercentage='x'/>\n", i)
	}
	_, err := throttle.ParseRules([]byte(b.String() + "</throttleSettings>"))
	joined, ok := err.(interface{ Unwrap() []error })
	require.True(t, ok)
	require.Len(t, joined.Unwrap(), 33)
	for i, err := range joined.Unwrap()[:32] {
		var e *throttle.ConfigError
		require.ErrorAs(t, err, &e)
		assert.Equal(t, i+2, e.Line)
		assert.Equal(t, "x", e.Value)
	}
	assert.EqualError(t, joined.Unwrap()[32], "throttle: config: 8 more errors")
}

func TestConfigErrorOfFormat(t *testing.T) {
	_, err := throttle.ParseRules([]byte(`<mediaFormats><add fileExtension="x"/></mediaFormats>`))
	var e *bitrate.FormatError
	require.True(t, errors.As(err, &e))
	assert.Equal(t, "fileExtension", e.Attribute)
}

// Rules that inherit much multiply what a small document says.
func TestConfigEntriesAreBounded(t *testing.T) {
	var b strings.Builder
	b.WriteString("<configuration><system.webServer><media><bitrateThrottling><throttleSettings>")
	for i := range 1000 {
		fmt.Fprintf(&b, "<add fileExtension='.x%d' settingType='media' />", i)
	}
	b.WriteString("</throttleSettings></bitrateThrottling></media></system.webServer>")
	for i := range 200 {
		fmt.Fprintf(&b, "\n<location path='%d'><system.webServer><media><bitrateThrottling/></media></system.webServer></location>", i)
	}
	b.WriteString("</configuration>")
	_, err := throttle.ParseConfig([]byte(b.String()))
	require.ErrorContains(t, err, "more than 131072 entries with those inherited")
}

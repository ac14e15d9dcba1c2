package playlist_test

import (
	"encoding/xml"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/internal/testmedia"
	"github.com/smoothkit/smoothkit/playlist"
)

// section returns a configuration whose section, on line 3, has attributes and children.
func section(attrs, children string) string {
	return "<configuration>\n<system.webServer><media>\n<playlist" + attrs + ">" + children + "</playlist>\n" +
		"</media></system.webServer></configuration>"
}

func parseConfig(tb testing.TB, doc string) *playlist.Config {
	tb.Helper()
	c, err := playlist.ParseConfig([]byte(doc))
	require.NoError(tb, err, doc)
	return c
}

func configWarnings(c *playlist.Config) string {
	return warningsOf(&playlist.Playlist{Warnings: c.Warnings})
}

func TestConfigDefaults(t *testing.T) {
	want := &playlist.Config{
		Enabled: true, QueryStringDelimiter: ";", DefaultSessionProvider: "InMemory", MaximumPlaylistDepth: 5,
		Timeouts: playlist.ConfigTimeouts{Connect: 60 * time.Second, Send: 30 * time.Second, Receive: 30 * time.Second},
		SessionProviders: []playlist.ConfigSessionProvider{
			{Name: "InMemory", InactivityTimeout: 2 * time.Hour, TimeToLive: 24 * time.Hour},
			{Name: "ASP.NET", InactivityTimeout: 2 * time.Hour, TimeToLive: 24 * time.Hour},
		},
		SessionOptions: playlist.ConfigSessionOptions{MaxConcurrentConnections: 4},
	}
	assert.Equal(t, want, playlist.DefaultConfig())
	for _, doc := range []string{
		"<playlist/>", "<media><playlist/></media>", "<system.webServer><media><playlist></playlist></media></system.webServer>",
		section("", ""), section("", "<sessionProviders/><outputFormats></outputFormats>"), "\ufeff<?xml version='1.0'?><!-- x -->" + section("", ""),
		"<configuration><configSections><a/></configSections><system.web><x>y</x></system.web><system.webServer><asp/><media><live/><playlist/></media></system.webServer></configuration>",
	} {
		assert.Equal(t, want, parseConfig(t, doc), doc)
	}
}

// TestConfigSchema compares the defaults and bounds with those of IIS's own schema.
func TestConfigSchema(t *testing.T) {
	data, err := os.ReadFile(testmedia.Shared(t, "testdata/config/iis-docs-web-playlists-config.xml"))
	require.NoError(t, err)
	type attribute struct {
		Name     string `xml:"name,attr"`
		Type     string `xml:"type,attr"`
		Default  string `xml:"defaultValue,attr"`
		Required bool   `xml:"required,attr"`
		Range    string `xml:"validationParameter,attr"`
	}
	var schema struct {
		Section struct {
			Attributes []attribute `xml:"attribute"`
			Elements   []struct {
				Name       string      `xml:"name,attr"`
				Attributes []attribute `xml:"attribute"`
				Collection struct {
					Add        string      `xml:"addElement,attr"`
					Attributes []attribute `xml:"attribute"`
				} `xml:"collection"`
			} `xml:"element"`
		} `xml:"sectionSchema"`
	}
	require.NoError(t, xml.Unmarshal(data, &schema))
	seen := 0
	check := func(a attribute, others []attribute, wrap func(attrs string) string) {
		with := func(value string) string {
			attrs := fmt.Sprintf(" %s='%s'", a.Name, value)
			for _, b := range others {
				if b.Required && b.Name != a.Name {
					attrs += " " + b.Name + "='x'"
				}
			}
			return wrap(attrs)
		}
		seen++
		if a.Default != "" {
			c, d := parseConfig(t, with(a.Default)), parseConfig(t, strings.Replace(with(a.Default), " "+a.Name+"='"+a.Default+"'", "", 1))
			c.Warnings, d.Warnings = nil, nil
			c.SessionOptions.HasAllowSkipAfterMinPercent = false
			for i := range c.AccessOptions {
				c.AccessOptions[i].Password, d.AccessOptions[i].Password = "", ""
			}
			assert.Equal(t, d, c, a.Name)
		}
		if low, high, ok := strings.Cut(a.Range, ","); ok {
			parseConfig(t, with(low))
			parseConfig(t, with(high))
			for _, bad := range []string{"-1", high + "0", "x", "", "1.5"} {
				_, err := playlist.ParseConfig([]byte(with(bad)))
				var e *playlist.ConfigError
				require.ErrorAs(t, err, &e, "%s=%s", a.Name, bad)
				assert.Equal(t, a.Name, e.Attribute)
			}
		}
		if a.Required {
			_, err := playlist.ParseConfig([]byte(strings.Replace(with("x"), " "+a.Name+"='x'", "", 1)))
			if a.Name == "password" { // it has a default, too
				require.NoError(t, err)
			} else {
				require.ErrorContains(t, err, ": "+a.Name+": missing")
			}
		}
		if a.Type == "bool" {
			_, err := playlist.ParseConfig([]byte(with("yes")))
			require.ErrorContains(t, err, a.Name+` "yes": neither true nor false`)
		}
	}
	for _, a := range schema.Section.Attributes {
		check(a, nil, func(attrs string) string { return section(attrs, "") })
	}
	for _, el := range schema.Section.Elements {
		for _, a := range el.Attributes {
			check(a, nil, func(attrs string) string { return section("", "<"+el.Name+attrs+"/>") })
		}
		for _, a := range el.Collection.Attributes {
			check(a, el.Collection.Attributes, func(attrs string) string {
				return section("", "<"+el.Name+"><"+el.Collection.Add+attrs+"/></"+el.Name+">")
			})
		}
	}
	assert.Equal(t, 6+4+5+4+3+2+4, seen)
}

const everySetting = `<configuration>
<system.webServer><media>
<playlist enabled="false" queryStringDelimiter=":" allowAbsolutePaths="True" defaultSessionProvider="mine" maximumPlaylistDepth="7" allowClientCache="TRUE">
  <winHttpSetTimeouts httpdResolveTimeout="1" httpdConnectTimeout="2" httpdSendTimeout="3" httpdReceiveTimeout="4" />
  <sessionProviders>
    <sessionProvider name="InMemory" inactivityTimeout="10" />
    <remove name="asp.net" />
    <sessionProvider name="Mine" persistenceType="x" timeToLive="20" maxActiveSessions="30" />
  </sessionProviders>
  <accessOptions>
    <accessOption path="\\server\media" userName="DOMAIN\user" password="[enc:AesProvider:abc:enc]" logonMethod="network" />
    <accessOption path="D:\media" userName="u" />
  </accessOptions>
  <playlistProviders>
    <playlistProvider description="Ads" progid="Sample.Provider" extension=".ads" />
  </playlistProviders>
  <sessionOptions maxConcurrentConnections="0" allowSkipAfterMinPercent="0" />
  <outputFormats>
    <outputFormat format="atom" xsltSrc="/xslt/atom.xslt" contentType="application/atom+xml; charset=utf-8" />
    <outputFormat format="plain &amp; ü" enabled="false" />
  </outputFormats>
</playlist>
</media></system.webServer>
</configuration>`

func TestConfigEverySetting(t *testing.T) {
	c := parseConfig(t, everySetting)
	assert.Equal(t, "11, 64: accessOption \\\\server\\media: passwords belong into a store of secrets, not into a configuration", configWarnings(c))
	c.Warnings = nil
	assert.Equal(t, &playlist.Config{
		QueryStringDelimiter: ":", AllowAbsolutePaths: true, DefaultSessionProvider: "mine", MaximumPlaylistDepth: 7, AllowClientCache: true,
		Timeouts: playlist.ConfigTimeouts{
			Resolve: time.Millisecond, Connect: 2 * time.Millisecond, Send: 3 * time.Millisecond, Receive: 4 * time.Millisecond,
		},
		SessionProviders: []playlist.ConfigSessionProvider{
			{Name: "InMemory", InactivityTimeout: 10 * time.Minute, TimeToLive: 24 * time.Hour},
			{Name: "Mine", PersistenceType: "x", InactivityTimeout: 2 * time.Hour, TimeToLive: 20 * time.Minute, MaxActiveSessions: 30},
		},
		AccessOptions: []playlist.ConfigAccessOption{
			{Path: `\\server\media`, UserName: `DOMAIN\user`, Password: "[enc:AesProvider:abc:enc]", LogonMethod: playlist.LogonNetwork},
			{Path: `D:\media`, UserName: "u", LogonMethod: playlist.LogonClearText},
		},
		PlaylistProviders: []playlist.ConfigPlaylistProvider{{Description: "Ads", ProgID: "Sample.Provider", Extension: ".ads"}},
		SessionOptions:    playlist.ConfigSessionOptions{HasAllowSkipAfterMinPercent: true},
		OutputFormats: []playlist.ConfigOutputFormat{
			{Enabled: true, Format: "atom", XSLTSrc: "/xslt/atom.xslt", ContentType: "application/atom+xml; charset=utf-8"},
			{Format: "plain & ü"},
		},
	}, c)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
		assert.NotContains(t, fmt.Sprintf(verb, c.AccessOptions), "enc:Aes", verb)
	}
	assert.Equal(t, `\\server\media as DOMAIN\user (Network)`, c.AccessOptions[0].String())
}

func TestConfigErrors(t *testing.T) {
	for _, c := range []struct {
		doc          string
		line, column int
		message      string
	}{
		{section(` enabled="maybe"`, ""), 3, 11, `playlist: config line 3: playlist: enabled "maybe": neither true nor false`},
		{section("\n maximumPlaylistDepth='0'", ""), 4, 2, `playlist: config line 4: playlist: maximumPlaylistDepth "0": not between 1 and 1024`},
		{section(` queryStringDelimiter=""`, ""), 3, 11, `playlist: config line 3: playlist: queryStringDelimiter "": empty`},
		{section(` queryStringDelimiter="="`, ""), 3, 11, `playlist: config line 3: playlist: queryStringDelimiter "=": only !$&'()*,/:;?@ can delimit what is in a query`},
		{section(` queryStringDelimiter=";;;;;;;;;"`, ""), 3, 11, `playlist: config line 3: playlist: queryStringDelimiter ";;;;;;;;;": more than 8 bytes`},
		{section(` enabled="true" Enabled="true"`, ""), 3, 26, `playlist: config line 3: playlist: Enabled "true": there is one at line 3 already`},
		{section("", "\n<sessionOptions allowSkipAfterMinPercent='101'/>"), 4, 17, `playlist: config line 4: sessionOptions: allowSkipAfterMinPercent "101": not between 0 and 100`},
		{section("", "\n<sessionOptions/>\n<sessionoptions/>"), 5, 1, `playlist: config line 5: sessionoptions: there is one at line 4 already`},
		{section("", "\n<sessionProviders><sessionProvider/></sessionProviders>"), 4, 19, `playlist: config line 4: sessionProvider: name: missing`},
		{section("", "<sessionProviders>\n<sessionProvider name='x' timeToLive='0'/></sessionProviders>"), 4, 27, `playlist: config line 4: sessionProvider x: timeToLive "0": not between 1 and 525600`},
		{section("", "<sessionProviders>\n<sessionProvider name='x'/>\n<sessionProvider name='X'/></sessionProviders>"), 5, 18, `playlist: config line 5: sessionProvider X: name "X": there is one at line 4 already`},
		{section("", "<accessOptions>\n<accessOption path='x' password='secret'/></accessOptions>"), 4, 1, `playlist: config line 4: accessOption x: userName: missing`},
		{section("", "<accessOptions>\n<accessOption path='' userName='x'/></accessOptions>"), 4, 15, `playlist: config line 4: accessOption : path "": empty`},
		{section("", "<accessOptions>\n<accessOption path='x' userName='x' logonMethod='y'/></accessOptions>"), 4, 37, `playlist: config line 4: accessOption x: logonMethod "y": none of Interactive, Batch, Network, ClearText`},
		{section("", "<accessOptions>\n<accessOption path='x' userName='x' password='secret' Password='secret'/></accessOptions>"), 4, 55, `playlist: config line 4: accessOption x: Password "": there is one at line 4 already`},
		{section("", "<outputFormats>\n<outputFormat format='x' xsltSrc='a.xslt'/></outputFormats>"), 4, 26, `playlist: config line 4: outputFormat x: xsltSrc "a.xslt": does not begin with a slash, and is from the root of the site`},
		{section("", "<outputFormats>\n<outputFormat format='x' contentType='a b'/></outputFormats>"), 4, 26, `playlist: config line 4: outputFormat x: contentType "a b": not a media type`},
		{section("", "<outputFormats>\n<remove/></outputFormats>"), 4, 1, `playlist: config line 4: remove: format: missing`},
		{section("", "") + "<a/>", 4, 44, `playlist: config line 4: a: a second root element, the first is configuration of line 1`},
		{"<configuration>\n<system.webServer>", 2, 19, `playlist: config line 2: system.webServer: unexpected end of input`},
		{"<!DOCTYPE a [<!ENTITY b 'c'>]>" + section("", ""), 1, 1, `playlist: config line 1: document types are not allowed`},
		{"", 1, 1, `playlist: config line 1: no element`},
		{"<configuration/>", 1, 1, `playlist: config line 1: configuration: no section playlist`},
		{"<media>\n<playlists/></media>", 1, 1, `playlist: config line 1: media: no section playlist`},
		{"\xff\xfe<", 0, 0, `playlist: config: UTF-16 of 3 bytes, an odd number`},
		{strings.Repeat(" ", 8<<20+1), 0, 0, `playlist: config: 8388609 bytes, limit 8388608`},
		{"<location path='" + strings.Repeat("x", 4097) + "'/>", 1, 1, `playlist: config line 1: location: path of 4097 bytes, limit 4096`},
	} {
		got, err := playlist.ParseConfig([]byte(c.doc))
		require.Nil(t, got)
		var e *playlist.ConfigError
		require.ErrorAs(t, err, &e, c.message)
		require.EqualError(t, err, c.message)
		assert.Equal(t, []int{c.line, c.column}, []int{e.Line, e.Column}, c.message)
	}
	_, err := playlist.ParseConfig([]byte("<configuration/>"))
	require.ErrorIs(t, err, playlist.ErrNoSection)
	_, err = playlist.ParseConfig([]byte(section(" enabled='x' allowClientCache='y'", "")))
	require.EqualError(t, err, "playlist: config line 3: playlist: enabled \"x\": neither true nor false\n"+
		"playlist: config line 3: playlist: allowClientCache \"y\": neither true nor false")
	_, err = playlist.ParseConfig([]byte(section("", "<sessionOptions/>"+strings.Repeat("<sessionOptions/>", 50))))
	require.ErrorContains(t, err, "playlist: config: 18 more errors")
}

func TestConfigWarnings(t *testing.T) {
	c := parseConfig(t, section(" lockItem='true' depth='3' defaultSessionProvider='x'", `x<sessionOptions a="b"><c/></sessionOptions><d/>
<outputFormats e="f"><add format="g"/><remove format="h"/><clear/><outputFormat format="i"/></outputFormats>`))
	for _, want := range []string{
		"3, 27: playlist: attribute depth is not known", `3, 64: playlist: text "x" is ignored`,
		"3, 81: sessionOptions: attribute a is not known", "3, 87: sessionOptions: element c is not known",
		"3, 108: playlist: element d is not known",
		"4, 16: outputFormats: attribute e is not known", "4, 22: outputFormats: element add is not known",
		"4, 39: remove h: there is none to remove", "4, 67: outputFormat i: there is no xsltSrc",
		`3, 1: playlist: there is no sessionProvider "x", which is the default`,
	} {
		assert.Contains(t, configWarnings(c), want)
	}
	assert.Len(t, c.Warnings, 10)
	c = parseConfig(t, section("", strings.Repeat("<a/>", 300)))
	assert.Len(t, c.Warnings, 257)
	assert.Equal(t, "44 more warnings", c.Warnings[256].Text)
}

func TestConfigInherits(t *testing.T) {
	server := parseConfig(t, `<location path="Default Web Site/a/"><system.webServer><media><playlist maximumPlaylistDepth="3">
<outputFormats><remove format="ATOM"/><outputFormat format="rss" xsltSrc="/rss"/></outputFormats></playlist></media></system.webServer></location>
<location path="."><system.webServer><media><playlist allowClientCache="true">
<outputFormats><outputFormat format="atom" xsltSrc="/atom"/></outputFormats><sessionProviders><clear/><sessionProvider name="InMemory" timeToLive="5"/></sessionProviders></playlist></media></system.webServer></location>
<location path="Default Web Site/a/b"><system.webServer><media><playlist enabled="false"/></media></system.webServer></location>
<location path="Other" inheritInChildApplications="false"><system.webServer><media><playlist><sessionOptions allowSkipAfterMinPercent="100"/></playlist></media></system.webServer></location>`)
	formats := func(c *playlist.Config) (list string) {
		for _, f := range c.OutputFormats {
			list += f.Format + " "
		}
		return list
	}
	require.Len(t, server.Locations, 3)
	assert.Equal(t, "Default Web Site/a", server.Locations[0].Path)
	assert.Equal(t, "6, 24: location: inheritInChildApplications is not known here, everything inherits", configWarnings(server))
	for path, want := range map[string]string{
		"":                            "true 5 true atom  0 5m0s",
		"default web site":            "true 5 true atom  0 5m0s",
		"Default Web Site/ab":         "true 5 true atom  0 5m0s",
		"DEFAULT WEB SITE/A":          "true 3 true rss  0 5m0s",
		"Default Web Site/a/c.isx":    "true 3 true rss  0 5m0s",
		"/Default Web Site/a/b/c.isx": "false 3 true rss  0 5m0s",
		"Other/x":                     "true 5 true atom  100 5m0s",
	} {
		c := server.For(path)
		require.Len(t, c.SessionProviders, 1)
		assert.Equal(t, want, fmt.Sprint(c.Enabled, c.MaximumPlaylistDepth, c.AllowClientCache, " ", formats(c), " ",
			c.SessionOptions.AllowSkipAfterMinPercent, c.SessionProviders[0].TimeToLive), path)
	}

	web := section("", `<outputFormats><outputFormat format="more" xsltSrc="/m"/></outputFormats>`)
	c, err := playlist.ParseConfigOver(server.For("Default Web Site/a"), []byte(web))
	require.NoError(t, err)
	assert.Equal(t, "rss more ", formats(c))
	assert.Equal(t, 3, c.MaximumPlaylistDepth)
	assert.Equal(t, "rss ", formats(server.For("Default Web Site/a")))
	_, err = playlist.ParseConfigOver(c, []byte(web))
	require.EqualError(t, err, `playlist: config line 3: outputFormat more: format "more": there is one inherited already, which must be removed first`)
	_, err = playlist.ParseConfig([]byte(`<location path="a"><system.webServer><media><playlist><outputFormats><outputFormat format="x"/></outputFormats></playlist></media></system.webServer></location>
<location path="a/b"><system.webServer><media><playlist><outputFormats><outputFormat format="x"/></outputFormats></playlist></media></system.webServer></location>
<location path="A/"><system.webServer><media><playlist/></media></system.webServer></location>`))
	require.EqualError(t, err, `playlist: config line 3: playlist: there is one for this location at line 1 already`+"\n"+
		`playlist: config line 2: outputFormat x: format "x": there is one inherited from line 1 already, which must be removed first`)
}

func TestConfigLimits(t *testing.T) {
	format := func(n int) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, "<outputFormat format='%d' xsltSrc='/'/>", i)
		}
		return "<outputFormats>" + b.String() + "</outputFormats>"
	}
	location := func(path, children string) string {
		return "<location path='" + path + "'><system.webServer><media><playlist>" + children + "</playlist></media></system.webServer></location>"
	}
	// Each location inherits a thousand formats: memory is that of all of them.
	var many strings.Builder
	many.WriteString(location("", format(1000)))
	for i := range 200 {
		many.WriteString(location(fmt.Sprint("site", i), ""))
	}
	_, err := playlist.ParseConfig([]byte(many.String()))
	require.ErrorContains(t, err, "more than 131072 entries with those inherited")
	_, err = playlist.ParseConfig([]byte(section("", strings.Repeat("<x/>", 131073))))
	require.ErrorContains(t, err, "more than 131072 elements")
	_, err = playlist.ParseConfig([]byte(section("", strings.Repeat("<x>", 65))))
	require.ErrorContains(t, err, "more than 64 nested elements")
	attrs := manyAttributes(100)
	attrs += strings.ReplaceAll(attrs, "a", "b") + strings.ReplaceAll(attrs, "a", "c")
	_, err = playlist.ParseConfig([]byte(section("", "<x"+attrs+"/>")))
	require.ErrorContains(t, err, "300 attributes, limit 256")
}

func TestConfigTruncated(t *testing.T) {
	for n := range len(everySetting) {
		_, err := playlist.ParseConfig([]byte(everySetting[:n]))
		var e *playlist.ConfigError
		require.ErrorAs(t, err, &e, "%d bytes", n)
	}
}

// TestConfigOfThrottling reads files about something else.
func TestConfigOfThrottling(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(testmedia.Shared(t, "testdata/config"), "iis-docs-throttling-*.xml"))
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		data, err := os.ReadFile(file)
		require.NoError(t, err)
		_, err = playlist.ParseConfig(data)
		assert.True(t, errors.Is(err, playlist.ErrNoSection) || strings.Contains(fmt.Sprint(err), "a second root element"), "%s: %v", file, err)
	}
}

package manage_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/internal/testmedia"
	"github.com/smoothkit/smoothkit/livesmooth"
	"github.com/smoothkit/smoothkit/livesmooth/manage"
)

// sampleStats are those of an event with two inputs, one of which waits for its encoder.
func sampleStats() livesmooth.Stats {
	since := time.Date(2011, 6, 13, 21, 0, 0, 0, time.UTC)
	return livesmooth.Stats{
		State: livesmooth.Started, EventID: "2011", Started: since, Viewers: 12, Memory: 1 << 20, Pinned: 4096, Budget: 256 << 20, Periods: 1,
		Inputs: []livesmooth.InputStats{
			{
				ID: "9092-stream0", Sources: []livesmooth.SourceStats{{Name: "HTTP Push", Address: "fe80::1%14", Since: since, Bytes: 77}},
				Tracks: []livesmooth.TrackStats{
					{
						ID: 2, Name: "video", Bitrate: 2962000, Incoming: 3449096, Received: 13, Duplicates: 1, Late: 2, Overlapping: 3, Gaps: 4,
						LastTime: 260000000, LastDuration: 20000000, Wait: 764 * time.Millisecond, Requests: 0.6,
					},
					{ID: 1, Name: "audio", Bitrate: 160000, LastTime: 17e18, LastDuration: 19969160, Wait: 670*time.Millisecond + 1},
				},
			},
			{ID: "<2>"},
			{ID: "3", Ended: true, Sources: []livesmooth.SourceStats{{Name: "HTTP Pull", Address: "http://u:p@up.example/a.isml", Since: since}}},
		},
		Outputs: []livesmooth.OutputStats{{Name: "video", LastTime: 220000000, Listed: true, Fragments: 11}, {Name: "audio"}},
		Sinks: []livesmooth.SinkStats{
			{Name: "HTTP Push", Target: "http://u:p@edge.example/a.isml", Failing: true, Err: errors.New("no route"), Queued: 3, QueuedBytes: 9, Dropped: 1},
			{Name: "Archive", Target: "archives", Durable: 220000000, Files: map[string]string{"3": "3.isma"}},
		},
	}
}

// TestGolden shows every document, in both forms.
func TestGolden(t *testing.T) {
	f := &manage.Fake{}
	f.Add("live/bunny.isml", bunny())
	f.Add("live/full.isml", full()).PutStats(sampleStats())
	f.Add("test1.isml", bunny()).Put(livesmooth.Faulted, errors.New("disk full"))
	h := newHandler(t, f, nil)
	for name, target := range map[string]string{
		"list": list, "details": list + "/settings", "settings": "/live/bunny.isml/settings", "settings-full": "/live/full.isml/settings",
		"state": "/live/bunny.isml/state", "state-error": "/test1.isml/state", "statistics": "/live/full.isml/statistics",
		"error": "/none.isml/state",
	} {
		golden(t, name+".xml", serve(h, request("GET", target, "")).Body.Bytes())
		body := serve(h, request("GET", target, "", "Accept", "application/json")).Body.Bytes()
		require.True(t, json.Valid(body))
		golden(t, name+".json", body)
	}
}

// TestSampleAnswers: in the circumstances of the documentation's samples we send the same.
func TestSampleAnswers(t *testing.T) {
	f := &manage.Fake{}
	f.Add("test1.isml", bunny())
	state := newHandler(t, f, &manage.Options{Authorize: allow, BaseURL: "http://contoso.com"})
	same := func(sample string, got []byte) {
		t.Helper()
		want := testmedia.SharedFile(t, "testdata/management/"+sample)
		assert.Equal(t, canonical(t, want), canonical(t, got), sample)
	}
	same("query-publishing-point-state-2.xml", serve(state, request("GET", "/test1.isml/state", "")).Body.Bytes())

	f = &manage.Fake{}
	h := newHandler(t, f, &manage.Options{Authorize: allow, BaseURL: "http://contoso.com"})
	body := testmedia.SharedFile(t, "testdata/management/create-a-new-publishing-point-2.xml")
	w := serve(h, request("POST", list+"/settings", string(body), "Content-Type", atom, "Slug", "/media/bunny.isml"))
	require.Equal(t, http.StatusCreated, w.Code, w.Body)
	assert.Equal(t, "http://contoso.com/media/bunny.isml/settings", w.Header().Get("Location"))
	same("create-a-new-publishing-point-4.xml", w.Body.Bytes())

	body = testmedia.SharedFile(t, "testdata/management/update-publishing-point-settings-2.xml")
	w = serve(h, request("PUT", "/media/bunny.isml/settings", string(body), "Content-Type", atom))
	require.Equal(t, http.StatusOK, w.Code, w.Body)
	assert.Empty(t, w.Body.String())
	w = serve(h, request("GET", "/media/bunny.isml/settings", ""))
	got := strings.Replace(canonical(t, w.Body.Bytes()), canonical(t, []byte(`<author xmlns="http://www.w3.org/2005/Atom"><name/></author>`)), "", 1)
	assert.Equal(t, canonical(t, body), got)
	s := f.Add("x.isml", bunny()) // not there before: the settings are those of the sample
	want := s.Settings()
	want.HLS = &livesmooth.HLSSettings{
		SegmentLength: 10 * time.Second, MaxBitrate: 3_000_000, BackwardCompatible: true, Encrypt: true,
		Key: []byte("\x8C\x33\x9A\xD2\xF4\x4E\x4B\x2B\x72\xC9\x58\x88\x38\x52\x21\xBE"),
	}
	read, err := manage.ReadSettings(body, nil)
	require.NoError(t, err)
	assert.Equal(t, want, read)

	w = serve(h, request("GET", "/none.isml/settings", ""))
	same("service-management-status-and-error-codes-2.xml", w.Body.Bytes())
}

// TestSampleList: the list of the documentation.
func TestSampleList(t *testing.T) {
	f := &manage.Fake{}
	f.Add("myvideos/bunny.isml", &livesmooth.Settings{Title: "Big Buck Bunny"})
	f.Add("myvideos/elephant.isml", &livesmooth.Settings{Title: "Elephant's Dream"})
	h := newHandler(t, f, &manage.Options{Authorize: allow, BaseURL: "http://contoso.com"})
	want := canonical(t, testmedia.SharedFile(t, "testdata/management/enumerate-web-site-publishing-points-2.xml"))
	got := canonical(t, serve(h, request("GET", list, "")).Body.Bytes())
	times := strings.NewReplacer("2011-06-15T18:42:17.993Z", "T", "2011-06-15T18:42:13Z", "T", "2011-06-15T18:42:06Z", "T",
		"2011-06-13T22:08:57.044Z", "T", "2011-05-31T21:32:26Z", "T")
	assert.Equal(t, times.Replace(want), times.Replace(got))
}

// TestTemplates: the documentation's forms, with words in the place of values, have the right shape and wrong values.
func TestTemplates(t *testing.T) {
	for _, name := range []string{"create-a-new-publishing-point-1.xml", "create-a-new-publishing-point-3.xml"} {
		_, err := manage.ReadSettings(testmedia.SharedFile(t, "testdata/management/"+name), nil)
		require.Error(t, err)
		assert.Equal(t, "MPE_MGMT_INVALID_DATA", manage.ErrorName(err), err)
	}
	_, err := manage.ReadState(testmedia.SharedFile(t, "testdata/management/query-publishing-point-state-1.xml"))
	assert.Equal(t, "MPE_MGMT_INVALID_DATA", manage.ErrorName(err), err)
}

// TestRoundTrip: what is sent can be sent back.
func TestRoundTrip(t *testing.T) {
	for _, s := range []*livesmooth.Settings{bunny(), full(), livesmooth.DefaultSettings()} {
		got, err := manage.ReadSettings(manage.WriteSettings(s), nil)
		require.NoError(t, err)
		assert.Equal(t, s, got)
		data, err := manage.WriteJSONSettings(s)
		require.NoError(t, err)
		got, err = manage.ReadJSONSettings(data, nil)
		require.NoError(t, err)
		assert.Equal(t, s, got)
	}
	for _, encode := range []func(string) []byte{utf16LE, func(s string) []byte { return []byte("\uFEFF" + s) }} {
		got, err := manage.ReadSettings(encode(string(manage.WriteSettings(full()))), nil)
		require.NoError(t, err)
		assert.Equal(t, full(), got)
	}
}

func utf16LE(s string) []byte {
	b := []byte{0xFF, 0xFE}
	for _, u := range utf16.Encode([]rune(s)) {
		b = append(b, byte(u), byte(u>>8))
	}
	return b
}

// TestSettingsDocuments says which documents are not well-formed, break the schema, or hold wrong values.
func TestSettingsDocuments(t *testing.T) {
	deep := strings.Repeat("<a>", 40) + strings.Repeat("</a>", 40)
	for _, c := range []struct{ name, body, want string }{
		{"empty settings", settingsDocument(""), ""},
		{"another order", settingsDocument("<AutoStart>1</AutoStart><Title>t</Title>"), ""},
		{"comments", settingsDocument("<!-- c --><Title>t<!-- c --></Title>"), ""},
		{"prefixes", `<a:entry xmlns:a="http://www.w3.org/2005/Atom" xmlns:m="http://schemas.microsoft.com/iis/media/2011/03/streaming/management">` +
			`<a:content><m:SmoothStreaming><m:Settings><m:Title>t</m:Title></m:Settings></m:SmoothStreaming></a:content></a:entry>`, ""},
		{"extensions of Atom", strings.Replace(settingsDocument(""), "<content", `<x xmlns="urn:x"/><category term="c"/><content`, 1), ""},
		{"foreign attributes", settingsDocument(`<Title xmlns:x="urn:x" x:y="z">t</Title>`), ""},
		{"capitals", settingsDocument("<SourceType>push</SourceType><AutoStart> True </AutoStart>"), ""},

		{"nothing", "", "INVALID_XML"},
		{"not XML", "{}", "INVALID_XML"},
		{"half", settingsDocument("")[:99], "INVALID_XML"},
		{"crossed", settingsDocument("<Title></AutoStart>"), "INVALID_XML"},
		{"document type", `<!DOCTYPE entry [<!ENTITY x "y">]>` + settingsDocument(""), "INVALID_XML"},
		{"entity", settingsDocument("<Title>&x;</Title>"), "INVALID_XML"},
		{"two roots", settingsDocument("") + settingsDocument(""), "INVALID_XML"},
		{"text after it", settingsDocument("") + "x", "INVALID_XML"},
		{"attribute twice", settingsDocument(`<Archive enabled="true" enabled="true"/>`), "INVALID_XML"},
		{"not UTF-8", settingsDocument("<Title>\xff</Title>"), "INVALID_XML"},
		{"half of UTF-16", "\xff\xfe<\x00e", "INVALID_XML"},
		{"deep", settingsDocument(deep), "INVALID_XML"},
		{"many elements", settingsDocument(strings.Repeat("<a/>", 5000)), "INVALID_XML"},
		{"many attributes", settingsDocument("<a " + manyAttributes(70) + "/>"), "INVALID_XML"},

		{"no entry", `<SmoothStreaming xmlns="http://schemas.microsoft.com/iis/media/2011/03/streaming/management"><Settings/></SmoothStreaming>`,
			"INVALID_SCHEMA"},
		{"no content", `<entry xmlns="http://www.w3.org/2005/Atom"/>`, "INVALID_SCHEMA"},
		{"two contents", strings.Replace(settingsDocument(""), "</entry>", "<content/></entry>", 1), "INVALID_SCHEMA"},
		{"another namespace of Atom", strings.Replace(settingsDocument(""), "http://www.w3.org/2005/Atom", "http://purl.org/atom/ns#", 1),
			"INVALID_SCHEMA"},
		{"another namespace", strings.Replace(settingsDocument(""), "2011/03", "2012/03", 1), "INVALID_SCHEMA"},
		{"settings and state", strings.Replace(settingsDocument(""), "</SmoothStreaming>", "<State/></SmoothStreaming>", 1), "INVALID_SCHEMA"},
		{"unknown", settingsDocument("<Colour/>"), "INVALID_SCHEMA"},
		{"unknown namespace", settingsDocument(`<Title xmlns="urn:x"/>`), "INVALID_SCHEMA"},
		{"unknown attribute", settingsDocument(`<Title lang="en"/>`), "INVALID_SCHEMA"},
		{"twice", settingsDocument("<Title/><Title/>"), "INVALID_SCHEMA"},
		{"text", settingsDocument("x"), "INVALID_SCHEMA"},
		{"element in a value", settingsDocument("<Title><b/></Title>"), "INVALID_SCHEMA"},
		{"nothing enabled", settingsDocument("<Archive/>"), "INVALID_SCHEMA"},
		{"nothing enabled for viewers", settingsDocument("<ClientConnections/>"), "INVALID_SCHEMA"},
		{"nothing enabled for servers", settingsDocument("<ServerConnections/>"), "INVALID_SCHEMA"},
		{"no module", settingsDocument("<Modules><HLS/></Modules>"), "INVALID_SCHEMA"},
		{"text between modules", settingsDocument("<Modules>x</Modules>"), "INVALID_SCHEMA"},
		{"module without a type", settingsDocument(`<Modules><Module id="hls"><HLS/></Module></Modules>`), "INVALID_SCHEMA"},
		{"module twice", settingsDocument(`<Modules><Module id="hls" type="sink"/><Module id="HLS" type="sink"/></Modules>`), "INVALID_SCHEMA"},
		{"unknown in a module", settingsDocument(`<Modules><Module id="hls" type="sink"><DASH/></Module></Modules>`), "INVALID_SCHEMA"},
		{"encryption without enabled", settingsDocument(`<Modules><Module id="hls" type="sink"><HLS><Encryption/></HLS></Module></Modules>`),
			"INVALID_SCHEMA"},
		{"servers", settingsDocument("<PushTo><PublishingPoints><URL/></PublishingPoints></PushTo>"), "INVALID_SCHEMA"},
		{"text between servers", settingsDocument("<PushTo><PublishingPoints>x</PublishingPoints></PushTo>"), "INVALID_SCHEMA"},

		{"boolean", settingsDocument("<AutoStart>yes</AutoStart>"), "INVALID_DATA"},
		{"empty boolean", settingsDocument("<AutoStart/>"), "INVALID_DATA"},
		{"boolean attribute", settingsDocument(`<Archive enabled="on"/>`), "INVALID_DATA"},
		{"path attribute", settingsDocument(`<Archive enabled="true"><Path useEventIdOnPath=""/></Archive>`), "INVALID_DATA"},
		{"source", settingsDocument("<SourceType>Pushed</SourceType>"), "INVALID_DATA"},
		{"number", settingsDocument("<LookAheadChunks>two</LookAheadChunks>"), "INVALID_DATA"},
		{"large number", settingsDocument("<LookAheadChunks>4294967298</LookAheadChunks>"), "INVALID_DATA"},
		{"negative number", settingsDocument("<LookAheadChunks>-1</LookAheadChunks>"), "INVALID_DATA"},
		{"duration", settingsDocument("<EstimatedDuration>3600</EstimatedDuration>"), "INVALID_DATA"},
		{"long duration", settingsDocument("<EstimatedDuration>P20Y</EstimatedDuration>"), "INVALID_DATA"},
		{"version", settingsDocument(`<ClientConnections enabled="true"><ClientManifestVersion>3.0</ClientManifestVersion></ClientConnections>`),
			"INVALID_DATA"},
		{"pull without an address", settingsDocument("<SourceType>Pull</SourceType>"), "INVALID_DATA"},
		{"address", settingsDocument("<PushTo><PublishingPoints><PublishingPoint>ftp://x/a.isml</PublishingPoint></PublishingPoints></PushTo>"),
			"INVALID_DATA"},
		{"bit rate", settingsDocument(`<Modules><Module id="hls" type="sink"><HLS><MaxBitRate>-1</MaxBitRate></HLS></Module></Modules>`),
			"INVALID_DATA"},
		{"key", settingsDocument(`<Modules><Module id="hls" type="sink"><HLS><Encryption enabled="true"><Key>12</Key></Encryption></HLS>` +
			`</Module></Modules>`), "INVALID_DATA"},
	} {
		_, err := manage.ReadSettings([]byte(c.body), nil)
		checkCode(t, c.name, c.want, err)
	}
}

func checkCode(t *testing.T, name, want string, err error) {
	t.Helper()
	if want == "" {
		assert.NoError(t, err, name)
		return
	}
	if assert.Error(t, err, name) {
		assert.Equal(t, "MPE_MGMT_"+want, manage.ErrorName(err), "%s: %v", name, err)
	}
}

func manyAttributes(n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(" a" + strings.Repeat("b", i) + `="1"`)
	}
	return b.String()
}

// TestJSONDocuments is the same for JSON.
func TestJSONDocuments(t *testing.T) {
	for _, c := range []struct{ name, body, want string }{
		{"empty settings", `{}`, ""},
		{"no HLS", ` {"hls": null, "pushTo": null}` + "\n", ""},
		{"seconds", `{"estimatedDurationSeconds": 1.5, "archive": {"segmentLengthSeconds": 3e2}}`, ""},

		{"nothing", ``, "INVALID_XML"},
		{"blank", ` `, "INVALID_XML"},
		{"half", `{"title": "x"`, "INVALID_XML"},
		{"XML", `<x/>`, "INVALID_XML"},
		{"comma", `{"title": "x",}`, "INVALID_XML"},
		{"two documents", `{}{}`, "INVALID_XML"},
		{"text after it", `{} x`, "INVALID_XML"},
		{"deep", strings.Repeat(`{"a":[`, 30), "INVALID_XML"},

		{"null", `null`, "INVALID_SCHEMA"},
		{"array", `[{}]`, "INVALID_SCHEMA"},
		{"string", `"x"`, "INVALID_SCHEMA"},
		{"unknown", `{"colour": 1}`, "INVALID_SCHEMA"},
		{"unknown below", `{"archive": {"colour": 1}}`, "INVALID_SCHEMA"},
		{"twice", `{"title": "x", "title": "y"}`, "INVALID_SCHEMA"},
		{"twice in another case", `{"title": "x", "Title": "y"}`, "INVALID_SCHEMA"},
		{"letters that fold", `{"hlſ": {}}`, "INVALID_SCHEMA"},
		{"twice below", `{"pushTo": [{"url": "http://x/a.isml", "url": "http://x/b.isml"}]}`, "INVALID_SCHEMA"},
		{"type", `{"title": 1}`, "INVALID_SCHEMA"},
		{"type of seconds", `{"estimatedDurationSeconds": "PT1H"}`, "INVALID_SCHEMA"},
		{"number", `{"lookAheadChunks": 1.5}`, "INVALID_SCHEMA"},

		{"negative seconds", `{"estimatedDurationSeconds": -1}`, "INVALID_DATA"},
		{"many seconds", `{"estimatedDurationSeconds": 1e300}`, "INVALID_DATA"},
		{"look-ahead", `{"lookAheadChunks": 99}`, "INVALID_DATA"},
		{"source", `{"sourceType": "push"}`, "INVALID_DATA"},
		{"key", `{"hls": {"encryption": {"keyHex": "12"}}}`, "INVALID_DATA"},
		{"address", `{"pushTo": [{"url": "x"}]}`, "INVALID_DATA"},
		{"title that XML cannot carry", `{"title": "a\u0000b"}`, "INVALID_DATA"},
		{"path that XML cannot carry", `{"archive": {"path": "\uffff"}}`, "INVALID_DATA"},
		{"name that XML cannot carry", `{"pushTo": [{"url": "http://x/a.isml", "credentialName": "\u001b"}]}`, "INVALID_DATA"},
		{"half a pair", `{"title": "\ud800"}`, "INVALID_DATA"},
		{"long title", `{"title": "` + strings.Repeat("x", 5000) + `"}`, "INVALID_DATA"},
		{"long address", `{"pushTo": [{"url": "http://x/` + strings.Repeat("x", 5000) + `.isml"}]}`, "INVALID_DATA"},
	} {
		_, err := manage.ReadJSONSettings([]byte(c.body), nil)
		checkCode(t, c.name, c.want, err)
	}
}

// TestStateDocuments: clients send back what they have got with another value in it.
func TestStateDocuments(t *testing.T) {
	f := &manage.Fake{}
	p := f.Add("a.isml", bunny())
	p.Put(livesmooth.Faulted, errors.New("disk full"))
	h := newHandler(t, f, nil)
	for _, accept := range []string{atom, "application/json"} {
		p.Put(livesmooth.Faulted, errors.New("disk full"))
		w := serve(h, request("GET", "/a.isml/state", "", "Accept", accept))
		body := strings.Replace(w.Body.String(), "Error<", "Idle<", 1)
		body = strings.Replace(body, `"Error"`, `"Idle"`, 1)
		w = serve(h, request("PUT", "/a.isml/state", body, "Content-Type", accept))
		assert.Equal(t, http.StatusOK, w.Code, w.Body)
		assert.Equal(t, livesmooth.Idle, p.State())
	}
	for body, want := range map[string]string{
		`{"state":"Started"}`: "", `{"state":"Running"}`: "INVALID_DATA", `{}`: "INVALID_DATA", `{"State":1}`: "INVALID_SCHEMA",
		`{"status":"Started"}`: "INVALID_SCHEMA",
	} {
		_, err := manage.ReadJSONState([]byte(body))
		checkCode(t, body, want, err)
	}
	_, err := manage.ReadState([]byte(strings.Replace(stateDocument("Idle"), "<Value>", "<Value x='y'>", 1)))
	checkCode(t, "attribute", "INVALID_SCHEMA", err)
	_, err = manage.ReadState([]byte(settingsDocument("")))
	checkCode(t, "settings", "INVALID_SCHEMA", err)
}

// TestUnknownModules are kept, and do not grow as they go back and forth.
func TestUnknownModules(t *testing.T) {
	f := &manage.Fake{}
	p := f.Add("a.isml", bunny())
	h := newHandler(t, f, nil)
	const module = `<Module id="Acme" type="source" name="A &amp; B"><Acme x="1">
		<Part xmlns="urn:acme"> one <b/></Part>
	</Acme></Module>`
	put := func(body string) {
		t.Helper()
		w := serve(h, request("PUT", "/a.isml/settings", body, "Content-Type", atom))
		require.Equal(t, http.StatusOK, w.Code, w.Body)
	}
	get := func() string { return serve(h, request("GET", "/a.isml/settings", "")).Body.String() }
	put(settingsDocument("<Modules>" + module + "</Modules>"))
	first := get()
	assert.Contains(t, canonical(t, []byte(first)), "<{urn:acme}Part>\none\n<{urn:acme}b>")
	assert.Nil(t, p.Settings().HLS)
	put(first)
	put(get())
	assert.Equal(t, first, get())
	extra := p.Settings().Extra
	assert.Len(t, extra, 1)

	// JSON has no place for them, and keeps them.
	w := serve(h, request("PUT", "/a.isml/settings", `{}`, "Content-Type", "application/json"))
	require.Equal(t, http.StatusOK, w.Code)
	assert.Equal(t, first, get())

	put(settingsDocument(""))
	assert.Empty(t, p.Settings().Extra)

	for name, modules := range map[string]string{
		"many": strings.Repeat(`<Module id="N" type="sink"/>`, 9), "long": `<Module id="a" type="sink">` + strings.Repeat("x", 16<<10) + `</Module>`,
		"long id": `<Module id="` + strings.Repeat("x", 65) + `" type="sink"/>`,
	} {
		for i := range 9 {
			modules = strings.Replace(modules, `"N"`, `"n`+string(rune('0'+i))+`"`, 1)
		}
		_, err := manage.ReadSettings([]byte(settingsDocument("<Modules>"+modules+"</Modules>")), nil)
		checkCode(t, name, "INVALID_DATA", err)
	}
	s := bunny()
	s.Extra = extra
	s.Extra[0].Value = "<Module" // an editor was here
	assert.NotContains(t, string(manage.WriteSettings(s)), "Module")
}

func TestDurations(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"PT0S": 0, "PT1H15M30.5S": 75*time.Minute + 30500*time.Millisecond, "P1DT2H": 26 * time.Hour, "P1D": 24 * time.Hour,
		"P1Y2M3D": (365 + 60 + 3) * 24 * time.Hour, "PT90M": 90 * time.Minute, " PT1S ": time.Second, "PT0.000000001S": 1,
		"PT1.0000000019S": time.Second + 1, "PT3600S": time.Hour, "PT2M": 2 * time.Minute,
	} {
		got, err := manage.ParseDuration(text)
		require.NoError(t, err, text)
		assert.Equal(t, want, got, text)
		again, err := manage.ParseDuration(manage.FormatDuration(got))
		require.NoError(t, err, text)
		assert.Equal(t, got, again, text)
	}
	for _, text := range []string{
		"", "P", "PT", "1H", "-PT1S", "PT1", "PTS", "P1H", "PT1D", "PT1S1M", "PT1M1M", "PT1.5M", "PT1.S", "PT.5S", "PT1,5S", "PT+1S",
		"P1DT", "pt1s", "PT1S ago", "PT99999999999999999999S", "P99999999Y", "PT9223372036.9S", "P106751DT23H47M16.9S", "PT1.5xS",
	} {
		d, err := manage.ParseDuration(text)
		assert.Error(t, err, "%s: %v", text, d)
	}
	for d, want := range map[time.Duration]string{
		0: "PT0S", -1: "PT0S", time.Hour: "PT1H", 10 * time.Second: "PT10S", 26 * time.Hour: "P1DT2H", 48 * time.Hour: "P2D",
		90*time.Minute + 500*time.Millisecond: "PT1H30M0.5S",
	} {
		assert.Equal(t, want, manage.FormatDuration(d))
	}
}

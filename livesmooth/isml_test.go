package livesmooth_test

import (
	"encoding/binary"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/livesmooth"
	"github.com/smoothkit/smoothkit/smooth"
)

var updateISML = flag.Bool("update", false, "rewrite golden files")

// ismlEverything has no field as in the defaults.
func ismlEverything() *livesmooth.Settings {
	return &livesmooth.Settings{
		Title: `Race & "finish", Zürich`, Source: livesmooth.SourcePull, EstimatedDuration: 3600*time.Second + 500*time.Millisecond,
		AutoStart: true, AutoRestart: true, Lookahead: 3,
		Archive: smooth.ArchiveSettings{Enabled: true, SegmentLength: time.Second, Path: `D:\archives`, EventIDOnPath: true},
		Viewers: livesmooth.ViewerSettings{Enabled: true, WindowLength: 2 * time.Hour, LiveCacheLength: 1, ManifestVersion: "2.2"},
		PullFrom: []livesmooth.RemotePoint{
			{URL: "http://origin.example/live/race.isml", Credential: "origin"},
			{URL: "https://backup.example:8443/live/race.isml"},
		},
		PushTo: []livesmooth.RemotePoint{{URL: "http://edge.example/live/race.isml"}},
		HLS: &livesmooth.HLSSettings{
			SegmentLength: 6 * time.Second, MaxBitrate: 3_000_000, AllowCaching: true, BackwardCompatible: true, IncludeCodecs: true,
			Encrypt: true, Key: []byte{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15},
			Extra: []smooth.Attribute{{Name: "m3u8-aapl-later", Value: "1"}},
		},
		Filters: "f",
		Extra: []smooth.Attribute{
			{Name: "publishing", Value: "Telemetry"}, {Name: "zebra", Value: "first"}, {Name: "creator"}, {Name: "zebra", Value: "second"},
		},
	}
}

func TestAppendISMLGolden(t *testing.T) {
	all := ismlEverything()
	all.Extra = append([]smooth.Attribute{{Name: "formats", Value: "fmp4"}}, all.Extra...)
	regatta := livesmooth.DefaultSettings()
	regatta.Title, regatta.AutoStart, regatta.Archive.Enabled = "Regatta", true, true
	for name, s := range map[string]*livesmooth.Settings{"everything.isml": all, "regatta.isml": regatta} {
		t.Run(name, func(t *testing.T) {
			got, err := s.AppendISML([]byte("before"))
			require.NoError(t, err)
			got = got[len("before"):]
			golden := filepath.Join("testdata", name)
			if *updateISML {
				require.NoError(t, os.WriteFile(golden, got, 0o644))
			}
			want, err := os.ReadFile(golden)
			require.NoError(t, err)
			assert.Equal(t, string(want), string(got))
			again, err := livesmooth.ParseSettings(got)
			require.NoError(t, err)
			assert.Equal(t, s, again)
		})
	}
}

// TestParseISMLForIIS reads what generators for IIS write; writing it again changes nothing.
func TestParseISMLForIIS(t *testing.T) {
	s := ismlHead(t, `
		<META CONTENT="Fragments, streams" NAME="Publishing"/>
		<meta name="FORMATS" content="m3u8-aapl"/>
		<meta name="m3u8-aapl-maxbitrate" content=" 1600000 "/>
		<meta name="m3u8-aapl-segmentlength" content="10"/>
		<meta name="m3u8-aapl-allowcaching" content="FALSE"/>
		<meta name="m3u8-aapl-backwardcompatible" content="true"/>
		<meta name="m3u8-aapl-enableencryption" content="0"/>
		<meta name="startOnFirstRequest" content="1"/>
		<meta name="estimatedTime" content="0010"/>
		<meta name="manifestWindowLength" content=".5"/>
		<meta name="archiveSegmentLength" content="1.5"/>
		<meta name="filters" content=""/>
		<meta name="title" content="  kept as it is "/>
		<meta name="title" content="second"/>
		<meta content="without a name"/>`)
	want := livesmooth.DefaultSettings()
	want.Title, want.AutoStart, want.EstimatedDuration = "  kept as it is ", true, 10*time.Second
	want.Viewers.WindowLength, want.Archive.SegmentLength = 500*time.Millisecond, 90*time.Second
	want.HLS = &livesmooth.HLSSettings{SegmentLength: 10 * time.Second, MaxBitrate: 1_600_000, BackwardCompatible: true}
	assert.Equal(t, want, s)
}

// TestParseISMLDefaults: what is absent or empty is as in DefaultSettings.
func TestParseISMLDefaults(t *testing.T) {
	want := livesmooth.DefaultSettings()
	assert.Equal(t, want, ismlHead(t, ``))
	empty := `<meta name="module" content=""/>`
	for _, name := range []string{
		"sourceType", "estimatedTime", "lookaheadChunks", "manifestWindowLength", "startOnFirstRequest", "archiveSegmentLength",
		"restartOnEncoderReconnect", "formats", "sendEndOfStreamOnStop", "clientManifestVersion", "liveCacheLength",
	} {
		empty += `<meta name="` + name + `" content=" "/>`
	}
	assert.Equal(t, want, ismlHead(t, empty))
	s, err := livesmooth.ParseSettings([]byte("<smil/>"))
	require.NoError(t, err)
	assert.Equal(t, want, s)

	want.Viewers.Enabled, want.Servers.Enabled = false, false
	assert.Equal(t, want, ismlHead(t, `<meta name="publishing"/>`), "open to nobody")
}

// TestISMLUnknown: what is unknown survives, in its order, also when settings change.
func TestISMLUnknown(t *testing.T) {
	s := ismlHead(t, `
		<meta name="b" content="&lt;1&#10;&#9;2>"/>
		<meta name="m3u8-aapl-segmentlength" content="7"/>
		<meta name="m3u8-aapl-later" content="x"/>
		<meta name="publishing" content="Telemetry;Streams;More"/>
		<meta name="formats" content="dash"/>
		<meta name="a" content=""/>`)
	require.Nil(t, s.HLS)
	assert.Equal(t, []smooth.Attribute{
		{Name: "formats", Value: "dash"}, {Name: "b", Value: "<1\n\t2>"}, {Name: "m3u8-aapl-segmentlength", Value: "7"},
		{Name: "m3u8-aapl-later", Value: "x"}, {Name: "publishing", Value: "Telemetry;More"}, {Name: "a", Value: ""},
	}, s.Extra)
	again := ismlRewrite(t, s)
	assert.ElementsMatch(t, s.Extra, again.Extra)
	assert.Equal(t, []string{"Streams;Telemetry;More"}, ismlMetas(t, s)["publishing"])

	s.HLS = &livesmooth.HLSSettings{SegmentLength: 4 * time.Second}
	s.Viewers.Enabled = true
	all := ismlMetas(t, s)
	assert.Equal(t, []string{"m3u8-aapl;dash"}, all["formats"])
	assert.Equal(t, []string{"4"}, all["m3u8-aapl-segmentlength"], "the field wins over what was kept")
	assert.Equal(t, []string{"x"}, all["m3u8-aapl-later"])
	assert.Equal(t, []string{"Fragments;Streams;Telemetry;More"}, all["publishing"])

	s = livesmooth.DefaultSettings()
	s.Extra = []smooth.Attribute{{Name: "TITLE", Value: "stale"}, {Name: "lookaheadChunks", Value: "99"}}
	assert.Equal(t, livesmooth.DefaultSettings(), ismlRewrite(t, s), "a field wins also where it is not written")
}

func TestParseISMLEncodings(t *testing.T) {
	golden, err := os.ReadFile(filepath.Join("testdata", "everything.isml"))
	require.NoError(t, err)
	want, err := livesmooth.ParseSettings(golden)
	require.NoError(t, err)
	text := string(golden)
	claimsUTF16 := strings.Replace(text, `encoding="utf-8"`, `encoding="utf-16"`, 1)
	prefixed := strings.NewReplacer("<smil xmlns=", "<s:smil xmlns:s=", "</smil>", "</s:smil>").Replace(text)
	for name, data := range map[string][]byte{
		"mark":         append([]byte("\xef\xbb\xbf"), text...),
		"UTF-16LE":     ismlUTF16(claimsUTF16, binary.LittleEndian, true),
		"UTF-16BE":     ismlUTF16(claimsUTF16, binary.BigEndian, false),
		"lies":         []byte(claimsUTF16),
		"a prefix":     []byte(prefixed),
		"no namespace": []byte(strings.Replace(text, ` xmlns="http://www.w3.org/2001/SMIL20/Language"`, "", 1)),
		"carriage":     []byte(strings.ReplaceAll(text, "\n", "\r\n")),
	} {
		got, err := livesmooth.ParseSettings(data)
		require.NoError(t, err, name)
		assert.Equal(t, want, got, name)
	}
}

func TestParseISMLRefs(t *testing.T) {
	const refs = `<PAR><Ref SRC=" http://a.example/x.isml " credentialname="c"/><seq><ref src="https://b.example/Y.ISML"/></seq></PAR>
		<ref src="http://c.example/z.isml" list="pushto"/><video src="no.isml"/>`
	s, err := livesmooth.ParseSettings([]byte("<smil><head><ref src='no'/></head><body>" + refs + "</body></smil>"))
	require.NoError(t, err)
	a := livesmooth.RemotePoint{URL: "http://a.example/x.isml", Credential: "c"}
	b := livesmooth.RemotePoint{URL: "https://b.example/Y.ISML"}
	c := livesmooth.RemotePoint{URL: "http://c.example/z.isml"}
	assert.Empty(t, s.PullFrom)
	assert.Equal(t, []livesmooth.RemotePoint{a, b, c}, s.PushTo)

	s, err = livesmooth.ParseSettings([]byte("<smil><body>" + refs + "</body><head><meta name='sourceType' content='pull'/></head></smil>"))
	require.NoError(t, err)
	assert.Equal(t, []livesmooth.RemotePoint{a, b}, s.PullFrom)
	assert.Equal(t, []livesmooth.RemotePoint{c}, s.PushTo)
	assert.Equal(t, s, ismlRewrite(t, s))
}

func TestParseISMLErrors(t *testing.T) {
	meta := func(name, value string) string {
		return "<smil>\n<head>\n<meta name='" + name + "' content='" + value + "'/>\n</head></smil>"
	}
	const key = "00112233445566778899aabbccddee"
	hls := func(name, value string) string {
		return "<smil>\n<head>\n<meta name='m3u8-aapl-" + name + "' content='" + value + "'/>\n<meta name='formats' content='m3u8-aapl'/></head></smil>"
	}
	body := func(s string) string { return "<smil><body>\n<par>\n" + s + "</par></body></smil>" }
	ref := "<ref src='http://h/a.isml'/>"
	tests := []struct {
		name, doc string
		line      int
		path      string
		reason    string
		err       error
	}{
		{"empty", "", 1, "", "no smil element", smooth.ErrCorrupt},
		{"root", "<SmoothStreamingMedia/>", 1, "", "root element SmoothStreamingMedia, want one smil", smooth.ErrCorrupt},
		{"two roots", "<smil/>\n<smil/>", 2, "", "root element smil, want one smil", smooth.ErrCorrupt},
		{"text", "<smil/>x", 1, "", "text outside the root element", smooth.ErrCorrupt},
		{"doctype", "<!DOCTYPE smil [<!ENTITY a 'b'>]>\n<smil/>", 1, "", "document type declarations are not allowed", smooth.ErrCorrupt},
		{"entity", "<smil>\n<head>\n<meta name='&a;'/></head></smil>", 3, "smil/head", "invalid character entity &a;", smooth.ErrCorrupt},
		{"end", "<smil>\n<head>", 2, "smil/head", "unexpected EOF", smooth.ErrCorrupt},
		{"closed", "<smil>\n<head>\n</smil>", 3, "smil/head", "element <head> closed by </smil>", smooth.ErrCorrupt},
		{"UTF-16", "\xff\xfe<", 0, "", "UTF-16 of 3 bytes, an odd number", smooth.ErrCorrupt},
		{"UTF-8", "<smil>\n\xff</smil>", 2, "smil", "invalid UTF-8", smooth.ErrCorrupt},
		{"size", strings.Repeat(" ", 1<<20+1), 0, "", "1048577 bytes, limit 1048576", smooth.ErrTooLarge},
		{"depth", "<smil>" + strings.Repeat("<a>", 32), 1, "smil" + strings.Repeat("/a", 31), "more than 32 nested elements", smooth.ErrTooLarge},
		{"attributes", "<smil><head><meta " + strings.Repeat("a='' ", 65) + "/></head></smil>", 1, "smil/head/meta", "65 attributes, limit 64", smooth.ErrTooLarge},
		{"twice", "<smil><head>\n<meta name='a' NAME='b'/></head></smil>", 2, "smil/head/meta", "attribute NAME twice", smooth.ErrCorrupt},
		{"metas", "<smil><head>\n" + strings.Repeat("<meta name='a'/>", 1025) + "</head></smil>", 2, "smil/head/meta", "more than 1024 unknown metas", smooth.ErrTooLarge},
		{"module", meta("module", "smoothStreaming"), 3, "smil/head/meta", `module "smoothStreaming" is not liveSmoothStreaming`, livesmooth.ErrSettings},
		{"source", meta("SourceType", "Both"), 3, "smil/head/meta", `sourceType "Both" is neither Push nor Pull`, livesmooth.ErrSettings},
		{"look-ahead", meta("lookaheadChunks", "17"), 3, "smil/head/meta", `lookaheadChunks "17" is not a whole number within 0 and 16`, livesmooth.ErrSettings},
		{"negative", meta("lookaheadChunks", "-1"), 3, "smil/head/meta", `lookaheadChunks "-1" is not a whole number within 0 and 16`, livesmooth.ErrSettings},
		{"decimal", meta("lookaheadChunks", "1.0"), 3, "smil/head/meta", `lookaheadChunks "1.0" is not a whole number within 0 and 16`, livesmooth.ErrSettings},
		{"time", meta("estimatedTime", "-1"), 3, "smil/head/meta", `estimatedTime "-1" is not a decimal number`, livesmooth.ErrSettings},
		{"two dots", meta("estimatedTime", "1.0.0"), 3, "smil/head/meta", `estimatedTime "1.0.0" is not a decimal number`, livesmooth.ErrSettings},
		{"dot", meta("estimatedTime", "."), 3, "smil/head/meta", `estimatedTime "." is not a decimal number`, livesmooth.ErrSettings},
		{"exponent", meta("manifestWindowLength", "1e999999999"), 3, "smil/head/meta", `manifestWindowLength "1e999999999" is not a decimal number`, livesmooth.ErrSettings},
		{"long", meta("manifestWindowLength", strings.Repeat("0", 41)), 3, "smil/head/meta", `manifestWindowLength "` + strings.Repeat("0", 41) + `" is not a decimal number`, livesmooth.ErrSettings},
		{"large", meta("manifestWindowLength", strings.Repeat("9", 40)), 3, "smil/head/meta", `manifestWindowLength ` + strings.Repeat("9", 40) + ` is not within 0 and 316224000`, livesmooth.ErrSettings},
		{"minutes", meta("archiveSegmentLength", "5270400.000000001"), 3, "smil/head/meta", `archiveSegmentLength 5270400.000000001 is not within 0 and 5270400`, livesmooth.ErrSettings},
		{"boolean", meta("startOnFirstRequest", "yes"), 3, "smil/head/meta", `startOnFirstRequest "yes" is neither true nor false`, livesmooth.ErrSettings},
		{"version", meta("clientManifestVersion", "2.1"), 3, "smil/head/meta", `clientManifestVersion "2.1" is neither 2.0 nor 2.2`, livesmooth.ErrSettings},
		{"HLS segment", hls("segmentlength", "3601"), 3, "smil/head/meta", `m3u8-aapl-segmentlength 3601 is not within 0 and 3600`, livesmooth.ErrSettings},
		{"HLS bit rate", hls("maxbitrate", "18446744073709551616"), 3, "smil/head/meta", `m3u8-aapl-maxbitrate "18446744073709551616" is not a whole number of bits per second`, livesmooth.ErrSettings},
		{"HLS key", hls("encryptionkey", key), 3, "smil/head/meta", `m3u8-aapl-encryptionkey is not a key of 32 hexadecimal digits`, livesmooth.ErrSettings},
		{"address", body("<ref src='ftp://h/a.isml'/>"), 3, "smil/body/par/ref", `src "ftp://h/a.isml" is not the http or https URL of a publishing point`, livesmooth.ErrSettings},
		{"no address", body("<ref/>"), 3, "smil/body/par/ref", `src "" is not the http or https URL of a publishing point`, livesmooth.ErrSettings},
		{"list", body("<ref src='http://h/a.isml' list='x'/>"), 3, "smil/body/par/ref", `list "x" is neither PushTo nor PullFrom`, livesmooth.ErrSettings},
		{"addresses", body(strings.Repeat(ref, livesmooth.MaxRemotePoints+1)), 3, "smil/body/par/ref", "more than 64 addresses", smooth.ErrTooLarge},
		{"pull", meta("sourceType", "Pull"), 0, "", "", livesmooth.ErrSettings},
		{"push from", body("<ref src='http://h/a.isml' list='PullFrom'/>"), 0, "", "", livesmooth.ErrSettings},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, err := livesmooth.ParseSettings([]byte(tt.doc))
			assert.Nil(t, s)
			require.ErrorIs(t, err, tt.err)
			assert.NotContains(t, err.Error(), key, "keys are not told")
			var fe *smooth.FileError
			require.ErrorAs(t, err, &fe)
			assert.Equal(t, "publishing point", fe.File)
			assert.Equal(t, tt.line, fe.Line)
			assert.Equal(t, tt.path, fe.Path)
			assert.Equal(t, tt.reason, fe.Reason)
		})
	}
}

func TestAppendISMLErrors(t *testing.T) {
	for name, change := range map[string]func(s *livesmooth.Settings){
		"invalid":   func(s *livesmooth.Settings) { s.Lookahead = -1 },
		"control":   func(s *livesmooth.Settings) { s.Title = "a\x01" },
		"no text":   func(s *livesmooth.Settings) { s.Filters = "a\xff" },
		"no char":   func(s *livesmooth.Settings) { s.Filters = "a\uffff" },
		"name":      func(s *livesmooth.Settings) { s.Extra = []smooth.Attribute{{Name: "\x00"}} },
		"nameless":  func(s *livesmooth.Settings) { s.Extra = []smooth.Attribute{{Value: "v"}} },
		"too large": func(s *livesmooth.Settings) { s.Title = strings.Repeat("&", 1<<18) },
		"too many":  func(s *livesmooth.Settings) { s.Extra = make([]smooth.Attribute, 1025) },
	} {
		s := livesmooth.DefaultSettings()
		change(s)
		_, err := s.AppendISML(nil)
		assert.ErrorIs(t, err, livesmooth.ErrSettings, name)
	}
	s := livesmooth.DefaultSettings()
	s.Title = "replaced \ufffd"
	assert.Equal(t, s, ismlRewrite(t, s))
}

// TestISMLSpans: lengths of time survive to the nanosecond, also those in minutes.
func TestISMLSpans(t *testing.T) {
	for _, d := range []time.Duration{0, 1, 59, time.Microsecond + 1, time.Second / 3, time.Second, 61 * time.Second, time.Hour / 7, 10*366*24*time.Hour - 1} {
		s := livesmooth.DefaultSettings()
		s.EstimatedDuration, s.Archive.SegmentLength, s.Viewers.WindowLength, s.Viewers.LiveCacheLength = d, d, d, d
		assert.Equal(t, s, ismlRewrite(t, s), "%d", d)
	}
}

func FuzzParseSettings(f *testing.F) {
	for _, name := range []string{"everything.isml", "regatta.isml"} {
		data, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
		f.Add(ismlUTF16(string(data), binary.LittleEndian, true))
	}
	f.Add([]byte("<s:smil xmlns:s='x'><s:head><s:meta NAME='formats' content='m3u8-aapl,x'/></s:head><s:body><s:ref src='http://h/a.isml'/></s:body></s:smil>"))
	f.Add([]byte("<smil><head><meta name='archiveSegmentLength' content='.3333333333333'/></head></smil>"))
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := livesmooth.ParseSettings(data)
		if err != nil {
			return
		}
		first, err := s.AppendISML(nil)
		if err != nil {
			if len(data) < 1000 {
				t.Fatalf("%q was read, but not written: %v", data, err)
			}
			return // escapes have made it too large
		}
		again, err := livesmooth.ParseSettings(first)
		if err != nil {
			t.Fatalf("%s\n%v", first, err)
		}
		second, err := again.AppendISML(nil)
		if err != nil || string(first) != string(second) {
			t.Fatalf("%s\nbecame %v\n%s", first, err, second)
		}
	})
}

// ismlHead reads a definition with these metas.
func ismlHead(t *testing.T, metas string) *livesmooth.Settings {
	t.Helper()
	s, err := livesmooth.ParseSettings([]byte("<smil><head>" + metas + "</head><body/></smil>"))
	require.NoError(t, err)
	return s
}

// ismlRewrite writes settings and reads them again.
func ismlRewrite(t *testing.T, s *livesmooth.Settings) *livesmooth.Settings {
	t.Helper()
	data, err := s.AppendISML(nil)
	require.NoError(t, err)
	again, err := livesmooth.ParseSettings(data)
	require.NoError(t, err, "%s", data)
	return again
}

// ismlMetas returns the contents of the metas as another reader of SMIL sees them.
func ismlMetas(t *testing.T, s *livesmooth.Settings) map[string][]string {
	t.Helper()
	data, err := s.AppendISML(nil)
	require.NoError(t, err)
	m, err := smooth.ParseServerManifest(data)
	require.NoError(t, err)
	all := make(map[string][]string)
	for _, a := range m.Meta {
		all[a.Name] = append(all[a.Name], a.Value)
	}
	return all
}

func ismlUTF16(s string, order binary.AppendByteOrder, mark bool) []byte {
	var out []byte
	if mark {
		out = order.AppendUint16(out, 0xfeff)
	}
	for _, u := range utf16.Encode([]rune(s)) {
		out = order.AppendUint16(out, u)
	}
	return out
}

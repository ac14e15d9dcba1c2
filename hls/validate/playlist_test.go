package validate_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/hls/validate"
)

// fixture breaks one rule: in the base, the first occurrence of old becomes new.
type fixture struct{ rule, base, old, new string }

const huge = "99999999999999999999" // more than 64 bits

func commonFixtures() []fixture {
	return []fixture{
		{"HP100", "vod", "first", strings.Repeat("x", 70_000)},
		{"HP101", "vod", "#EXTM3U\n", "#EXTM3U8\n"},
		{"HP102", "vod", "#EXTM3U", "\xEF\xBB\xBF#EXTM3U"},
		{"HP102", "vod", "first", "\xff\xfe"},
		{"HP103", "vod", "first", "fi\x01rst"},
		{"HP103", "vod", "first", "fi\u0085rst"},
		{"HP104", "vod", "a.ts", " a.ts"},
		{"HP104", "vod", "#EXT-X-ENDLIST", "#EXT-X-ENDLIST "},
		{"HP104", "vod", "#EXT-X-ENDLIST", "\t\n#EXT-X-ENDLIST"},
		{"HP105", "live", "#EXT-X-VERSION:3", "#EXT-X-VERSION:0"},
		{"HP106", "live", "#EXT-X-VERSION:3\n", ""},
		{"HP106", "vod", "#EXT-X-VERSION:4", "#EXT-X-VERSION:3"},
		{"HP106", "map", "#EXT-X-VERSION:6", "#EXT-X-VERSION:5"},
		{"HP106", "drm", "#EXT-X-VERSION:5", "#EXT-X-VERSION:4"},
		{"HP106", "vod", "METHOD=AES-128", "METHOD=SAMPLE-AES"},
		{"HP106", "low", "#EXT-X-VERSION:9", "#EXT-X-VERSION:8"},
		{"HP106", "low", "SKIPPED-SEGMENTS=3", `SKIPPED-SEGMENTS=3,RECENTLY-REMOVED-DATERANGES="a"`},
		{"HP106", "master", `INSTREAM-ID="CC1"`, `INSTREAM-ID="SERVICE7"`},
		{"HP106", "master", `FRAME-RATE=25.000`, `FRAME-RATE=25.000,REQ-VIDEO-LAYOUT="CH-MONO"`},
		{"HP106", "define", "#EXT-X-VERSION:8", "#EXT-X-VERSION:7"},
		{"HP107", "live", "#EXT-X-VERSION:3", "#EXT-X-VERSION:5"},
		{"HP107", "map", "#EXT-X-VERSION:6", "#EXT-X-VERSION:9"},
		{"HP107", "master", "#EXT-X-VERSION:4", "#EXT-X-VERSION:8"},
		{"HP108", "master", "# a comment", "#EXT-X-TARGETDURATION:6"},
		{"HP108", "vod", "#EXT-X-ENDLIST", "#EXT-X-SESSION-DATA:DATA-ID=\"a\",VALUE=\"b\"\n#EXT-X-ENDLIST"},
		{"HP110", "vod", `METHOD=AES-128,`, `METHOD=AES-128, `},
		{"HP110", "vod", `URI="key.bin"`, `URI="key.bin`},
		{"HP110", "vod", `URI="key.bin"`, `URI="key.bin"x`},
		{"HP110", "vod", `PRECISE=YES`, `PRECISE=`},
		{"HP110", "vod", `PRECISE=YES`, `precise=YES`},
		{"HP110", "vod", `PRECISE=YES`, `PRECISE`},
		{"HP111", "vod", `PRECISE=YES`, `PRECISE=YES,PRECISE=YES`},
		{"HP112", "vod", `TIME-OFFSET=1.5`, `TIME-OFFSET="1.5"`},
		{"HP112", "vod", `TIME-OFFSET=1.5`, `TIME-OFFSET=1e1`},
		{"HP112", "vod", `IV=0x00000000000000000000000000000001`, `IV=1`},
		{"HP112", "master", `BANDWIDTH=900000`, `BANDWIDTH=` + huge},
		{"HP112", "master", `RESOLUTION=640x360`, `RESOLUTION=640X360`},
		{"HP112", "master", `FRAME-RATE=25.000`, `FRAME-RATE=-25`},
		{"HP112", "master", `NAME="English"`, `NAME=English`},
		{"HP112", "master", `AUTOSELECT=YES`, `AUTOSELECT="YES"`},
		{"HP113", "vod", `PRECISE=YES`, `PRECISE=TRUE`},
		{"HP113", "vod", `METHOD=AES-128`, `METHOD=AES-256`},
		{"HP113", "master", `FRAME-RATE=25.000`, `FRAME-RATE=25.000,HDCP-LEVEL=TYPE-9`},
		{"HP113", "master", `CLOSED-CAPTIONS="cc"`, `CLOSED-CAPTIONS=cc`},
		{"HP114", "vod", `METHOD=AES-128,URI="key.bin",IV`, `IV`},
		{"HP114", "vod", `TIME-OFFSET=1.5,`, ``},
		{"HP114", "master", `BANDWIDTH=900000,AVERAGE-BANDWIDTH`, `AVERAGE-BANDWIDTH`},
		{"HP114", "master", `,URI="iframes.m3u8"`, ``},
		{"HP115", "vod", "#EXT-X-ENDLIST", "#EXT-X-END-LIST\n#EXT-X-ENDLIST"},
		{"HP115", "live", "#EXT-X-PROGRAM-DATE-TIME", "#EXT-X-independent-segments\n#EXT-X-PROGRAM-DATE-TIME"},
		{"HP116", "map", "#EXT-X-VERSION:6", "#EXT-X-VERSION:7\n#EXT-X-ALLOW-CACHE:YES"},
		{"HP116", "master6", "#EXT-X-STREAM-INF:", "#EXT-X-STREAM-INF:PROGRAM-ID=1,"},
		{"HP117", "vod", "#EXT-X-ENDLIST", "#EXT-X-ENDLIST:1"},
		{"HP117", "vod", "#EXT-X-DISCONTINUITY\n", "#EXT-X-DISCONTINUITY:\n"},
		{"HP117", "vod", "#EXT-X-MEDIA-SEQUENCE:0", "#EXT-X-MEDIA-SEQUENCE:-1"},
		{"HP117", "live", "#EXTINF:6.000,", "#EXTINF"},
		{"HP117", "vod", "PLAYLIST-TYPE:VOD", "PLAYLIST-TYPE"},
		{"HP118", "vod", "TIME-OFFSET=1.5", "TIME-OFFSET=-60"},
		{"HP119", "vod", "#EXT-X-ENDLIST", "#EXT-X-ENDLIST\n#EXT-X-ENDLIST"},
		{"HP119", "vod", "#EXT-X-START", "#EXTM3U\n#EXT-X-START"},
		{"HP119", "master", "#EXT-X-INDEPENDENT", "#EXT-X-VERSION:4\n#EXT-X-INDEPENDENT"},
		{"HP120", "define", "{$host}", "{$hosts}"},
		{"HP120", "define", `IMPORT="token"`, `IMPORT="token",NAME="x"`},
		{"HP120", "define", `IMPORT="token"`, `IMPORT="host"`},
		{"HP121", "vod", "a.ts", "a b.ts"},
		{"HP121", "vod", "a.ts", "a%zz.ts"},
		{"HP121", "vod", "key.bin", ""},
		{"HP121", "vod", "a.ts", "%gh"},
	}
}

func mediaFixtures() []fixture {
	return []fixture{
		{"HL101", "vod", "#EXT-X-TARGETDURATION:6\n", ""},
		{"HL101", "vod", "#EXT-X-TARGETDURATION:6", "#EXT-X-TARGETDURATION:0"},
		{"HL102", "vod", "#EXTINF:6.400", "#EXTINF:6.500"},
		{"HL104", "vod", "#EXTINF:2.000,\n", ""},
		{"HL104", "vod", "#EXTINF:2.000,\n", "#EXTINF:2.000,\n#EXTINF:2.000,\n"},
		{"HL104", "vod", "c.ts\n", ""},
		{"HL105", "vod", "#EXTINF:6.400,first", "#EXTINF:6.400"},
		{"HL105", "vod", "#EXTINF:6.400,first", "#EXTINF:-1,first"},
		{"HL105", "vod", "#EXTINF:2.000,", "#EXTINF: 2.000,"},
		{"HL108", "map", "#EXT-X-ENDLIST", "#EXT-X-MEDIA-SEQUENCE:1\n#EXT-X-ENDLIST"},
		{"HL109", "live", "#EXT-X-DISCONTINUITY-SEQUENCE:3\n", "#EXT-X-DISCONTINUITY\n#EXT-X-DISCONTINUITY-SEQUENCE:3\n"},
		{"HL110", "live", "#EXTINF", "#EXT-X-PLAYLIST-TYPE:LIVE\n#EXTINF"},
		{"HL111", "vod", "#EXT-X-ENDLIST\n", ""},
		{"HL113", "vod", `METHOD=AES-128,URI="key.bin"`, `METHOD=AES-128`},
		{"HL113", "vod", `METHOD=NONE`, `METHOD=NONE,URI="key.bin"`},
		{"HL113", "master", `METHOD=AES-128,URI="key.bin"`, `METHOD=AES-128`},
		{"HL114", "vod", `IV=0x`, `IV=0x1`},
		{"HL115", "drm", `"1/2"`, `"1/0"`},
		{"HL116", "map", `,IV=0X00000000000000000000000000000001`, ``},
		{"HL117", "vod", "BYTERANGE:1000\n", "BYTERANGE:0\n"},
		{"HL117", "vod", "#EXT-X-BYTERANGE:1000@0", "#EXT-X-BYTERANGE:1000@0\n#EXT-X-BYTERANGE:1000@0"},
		{"HL117", "map", `BYTERANGE="600@0"`, `BYTERANGE="600@x"`},
		{"HL118", "vod", "BYTERANGE:1000@0", "BYTERANGE:1000"},
		{"HL119", "vod", "2026-01-01T00:00:00.000Z", "2026-13-01T00:00:00.000Z"},
		{"HL120", "vod", "2026-01-01T01:00:00.000+01:00", "2026-01-01T01:00:00.000"},
		{"HL121", "vod", "#EXTINF:6,", "#EXT-X-PROGRAM-DATE-TIME:2026-01-01T00:00:05.000Z\n#EXTINF:6,"},
		{"HL122", "vod", `START-DATE="2026-01-01T00:00:00Z",`, ``},
		{"HL122", "vod", `START-DATE="2026-01-01T00:00:00Z"`, `START-DATE="yesterday"`},
		{"HL122", "vod", `END-DATE="2026-01-01T00:00:02Z",DURATION=2.0`, `END-DATE="2025-01-01T00:00:02Z"`},
		{"HL122", "vod", `DURATION=2.0`, `DURATION=3.0`},
		{"HL123", "vod", `CLASS="x",START-DATE="2026-01-01T00:00:03Z"`, `START-DATE="2026-01-01T00:00:03Z"`},
		{"HL124", "map", "#EXTINF", "#EXT-X-DATERANGE:ID=\"a\",START-DATE=\"2026-01-01T00:00:00Z\"\n#EXTINF"},
		{"HL125", "vod", `ID="b",CLASS="x"`, `ID="a",CLASS="y"`},
		{"HL126", "live", liveText[strings.Index(liveText, "#EXTINF:6.000,\n12.ts"):], ""},
		{"HL128", "live", "#EXTINF:6.000,\n15.ts\n", ""},
		{"HL129", "live", "#EXT-X-PROGRAM-DATE-TIME:2026-01-01T00:00:00.000Z\n", ""},
		{"HL132", "map", mapText[strings.Index(mapText, "#EXTINF"):], "#EXT-X-ENDLIST"},
		{"HL133", "live", "12.ts", "11.ts"},
		{"HL134", "live", "#EXT-X-DISCONTINUITY-SEQUENCE:3\n", ""},
		{"HL141", "low", "#EXT-X-PART-INF:PART-TARGET=0.5\n", ""},
		{"HL142", "low", "DURATION=0.5", "DURATION=0.51"},
		{"HL143", "low", "HOLD-BACK=12", "HOLD-BACK=11"},
		{"HL143", "low", "PART-HOLD-BACK=1.0", "PART-HOLD-BACK=0.9"},
		{"HL143", "low", "PART-HOLD-BACK=1.0,", ""},
		{"HL143", "low", "CAN-SKIP-UNTIL=24.0", "CAN-SKIP-UNTIL=23"},
		{"HL145", "live", "TARGETDURATION:6", "TARGETDURATION:11"},
	}
}

func masterFixtures() []fixture {
	variants := masterText[strings.Index(masterText, "#EXT-X-STREAM-INF"):strings.Index(masterText, "#EXT-X-I-FRAME")]
	iframes := masterText[strings.Index(masterText, "#EXT-X-I-FRAME"):]
	audio := masterText[strings.Index(masterText, `#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="hi",NAME="Deutsch"`):strings.Index(masterText, "#EXT-X-MEDIA:TYPE=SUBTITLES")]
	return []fixture{
		{"HM101", "master", variants, ""},
		{"HM102", "master", "low.m3u8\n", ""},
		{"HM102", "master", "low.m3u8\n", "low.m3u8\nlow2.m3u8\n"},
		{"HM103", "master", "BANDWIDTH=100000,AVERAGE-BANDWIDTH=90000", "BANDWIDTH=0"},
		{"HM104", "master", "avc1.42001e,mp4a.40.2", "avc1.66.30,mp4a.40.2"},
		{"HM104", "master", "avc1.42001e,mp4a.40.2", "avc1.42001e,,mp4a.40.2"},
		{"HM104", "master", "avc1.42001e,mp4a.40.2", "avc1.42001e,mp4a"},
		{"HM105", "master", `CODECS="avc1.42001e,mp4a.40.2",`, ``},
		{"HM106", "master", `RESOLUTION=1280x720,`, ``},
		{"HM107", "master", `FRAME-RATE=25.000,`, ``},
		{"HM108", "master", `AVERAGE-BANDWIDTH=800000,`, ``},
		{"HM109", "master", `,CLOSED-CAPTIONS="cc"`, ``},
		{"HM110", "master", `AVERAGE-BANDWIDTH=800000`, `AVERAGE-BANDWIDTH=900001`},
		{"HM111", "master", `SUBTITLES="subs"`, `SUBTITLES="none"`},
		{"HM111", "master", `SUBTITLES="subs"`, `SUBTITLES="aac"`},
		{"HM112", "master", `CLOSED-CAPTIONS="cc"`, `CLOSED-CAPTIONS=NONE`},
		{"HM113", "master", `,URI="subs.m3u8"`, ``},
		{"HM113", "master", `INSTREAM-ID="CC1"`, `INSTREAM-ID="CC1",URI="cc.m3u8"`},
		{"HM114", "master", `,INSTREAM-ID="CC1"`, ``},
		{"HM114", "master", `INSTREAM-ID="CC1"`, `INSTREAM-ID="CC5"`},
		{"HM114", "master", `FORCED=NO`, `FORCED=NO,INSTREAM-ID="CC1"`},
		{"HM115", "master", `CHANNELS="2"`, `CHANNELS="2",FORCED=YES`},
		{"HM116", "master", `DEFAULT=YES,AUTOSELECT=YES`, `DEFAULT=YES,AUTOSELECT=NO`},
		{"HM117", "master", audio, audio + audio},
		{"HM118", "master", `LANGUAGE="de",AUTOSELECT=YES`, `LANGUAGE="de",DEFAULT=YES,AUTOSELECT=YES`},
		{"HM119", "master", audio, ""},
		{"HM120", "master", `LANGUAGE="de",AUTOSELECT=YES`, `LANGUAGE="en",AUTOSELECT=YES`},
		{"HM121", "master", `LANGUAGE="de",AUTOSELECT=YES`, `LANGUAGE="de_DE",AUTOSELECT=YES`},
		{"HM122", "master", `CHANNELS="2",`, ``},
		{"HM123", "master", `,URI="iframes.m3u8"`, `,FRAME-RATE=1,URI="iframes.m3u8"`},
		{"HM124", "master", iframes, ""},
		{"HM126", "master", `VALUE="Film"`, `VALUE="Film",URI="x.json"`},
		{"HM126", "master", `LANGUAGE="de"`, `LANGUAGE="en"`},
		{"HM127", "master", `METHOD=AES-128,URI="key.bin"`, `METHOD=NONE`},
		{"HM128", "master", iframes, strings.Replace(variants, "900000", "900001", 1)[:strings.Index(variants, "\n\n")] + "\n" + iframes},
		{"HM130", "master", `#EXT-X-STREAM-INF`, `#EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID="unused",NAME="English",URI="x.m3u8"` + "\n#EXT-X-STREAM-INF"},
		{"HM131", "master", `CODECS="avc1.42001e"`, `CODECS="hev1.1.6.L93.B0"`},
		{"HM132", "master", `#EXTM3U`, "#EXTM3U\n#EXT-X-VERSION:4\n#EXT-X-STREAM-INF:BANDWIDTH=1000,AVERAGE-BANDWIDTH=1000,CODECS=\"ec-3\"\na.m3u8\n@"},
	}
}

func textOf(f fixture) string {
	text := strings.Replace(bases()[f.base], f.old, f.new, 1)
	text, _, _ = strings.Cut(text, "@\n")
	return text
}

// rulesOf lists the rules that a report names, each once.
func rulesOf(r *validate.Report) []string {
	ids := []string{}
	for _, v := range r.Violations {
		ids = append(ids, v.Rule.ID)
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}

func checkText(t *testing.T, text string, opts *validate.Options) *validate.Report {
	t.Helper()
	r, err := validate.Bytes("a.m3u8", []byte(text), opts)
	require.NoError(t, err)
	return r
}

func TestPlaylistBasesAreClean(t *testing.T) {
	for name, text := range bases() {
		assert.Empty(t, checkText(t, text, nil).Violations, name)
		assert.Empty(t, checkText(t, strings.ReplaceAll(text, "\n", "\r\n"), nil).Violations, name)
		assert.Empty(t, checkText(t, strings.TrimSuffix(text, "\n"), nil).Violations, name)
	}
}

func TestPlaylistRules(t *testing.T) {
	for _, f := range slices.Concat(commonFixtures(), mediaFixtures(), masterFixtures()) {
		t.Run(f.rule, func(t *testing.T) {
			text := textOf(f)
			require.NotEqual(t, bases()[f.base], text, "%q is not in the base", f.old)
			r := checkText(t, text, nil)
			assert.Equal(t, []string{f.rule}, rulesOf(r), "%q -> %q\n%v", f.old, f.new, r.Violations)
		})
	}
}

// TestPlaylistLines checks that violations name their lines.
func TestPlaylistLines(t *testing.T) {
	r := checkText(t, strings.Replace(vodText, "#EXTINF:5.96", "#EXTINF:7.5", 1), nil)
	require.Len(t, r.Violations, 1)
	assert.Equal(t, `HL102 error (RFC 8216 4.3.3.1) line 20 in a.m3u8: EXTINF is 7.5s, rounded 8, and EXT-X-TARGETDURATION 6`,
		r.Violations[0].String())
	assert.Equal(t, 1, r.Checked.Documents)
	assert.Equal(t, 4, r.Checked.Chunks)
}

// TestPlaylistKind names what lies there instead of a playlist.
func TestPlaylistKind(t *testing.T) {
	for text, hint := range map[string]string{
		"":                          "empty",
		"<SmoothStreamingMedia/>":   "format=m3u8-aapl",
		"<?xml?><MPD/>":             "DASH",
		"<!DOCTYPE html><p>":        "HTML",
		"\x00\x00\x00\x18ftypmp42":  "MP4",
		"G\x40\x00\x10":             "transport stream",
		"#EXT-X-VERSION:3\n#EXTM3U": "before #EXTM3U",
		"nothing":                   "no playlist",
	} {
		r := checkText(t, text, nil)
		assert.Equal(t, []string{"HP101"}, rulesOf(r))
		assert.Contains(t, r.Violations[0].Text, hint)
	}
}

// TestProfile checks what only devices refuse.
func TestProfile(t *testing.T) {
	o := &validate.Options{Profile: validate.ProfileIIS}
	assert.Empty(t, checkText(t, masterText, o).Violations)
	assert.Empty(t, checkText(t, vodText, o).Violations)
	for _, f := range profileFixtures() {
		assert.Equal(t, []string{f.rule}, rulesOf(checkText(t, textOf(f), o)), f.new)
	}
}

func profileFixtures() []fixture {
	return []fixture{
		{"HD101", "master", "avc1.42001e", "avc1.64001f"},
		{"HD101", "master", "avc1.42001e", "avc1.42001f"},
		{"HD101", "master", "avc1.4d401f", "avc1.4d4020"},
		{"HD102", "master", "mp4a.40.2", "mp4a.40.5"},
		{"HD103", "vod", "#EXTINF:6,", "#EXTINF:1.9,"},
		{"HD104", "master", "BANDWIDTH=1600000", "BANDWIDTH=1600001"},
		{"HD105", "live0", liveText[strings.Index(liveText, "#EXTINF:6.000,\n12"):], ""},
		{"HD106", "master", "mp4a.40.2", "ac-3"},
		{"HD107", "map", "a.m4s", "c.m4s"},
	}
}

// TestBombs checks that small playlists do not cost much.
func TestBombs(t *testing.T) {
	value := strings.Repeat("y", 60_000)
	text := "#EXTM3U\n#EXT-X-VERSION:8\n#EXT-X-TARGETDURATION:1\n#EXT-X-DEFINE:NAME=\"a\",VALUE=\"" + value + "\"\n"
	r := checkText(t, text+strings.Repeat("#EXTINF:0,\n{$a}\n", 1000), nil)
	assert.Contains(t, rulesOf(r), "HP100")
	maps := strings.Repeat("#EXT-X-MAP:URI=\"a\"\n", 50_000)
	r = checkText(t, "#EXTM3U\n#EXT-X-VERSION:6\n#EXT-X-TARGETDURATION:1\n"+maps+"#EXTINF:1,\na\n#EXT-X-ENDLIST\n", nil)
	assert.Empty(t, r.Violations)
}

// TestReportIsBounded checks the limit per rule.
func TestReportIsBounded(t *testing.T) {
	r := checkText(t, vodText+strings.Repeat("#EXT-X-NOSUCH\n", 50), &validate.Options{MaxPerRule: 3})
	assert.Len(t, r.Violations, 3)
	assert.Equal(t, map[string]int{"HP115": 47}, r.Suppressed)
}

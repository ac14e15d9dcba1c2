package smooth_test

import (
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/smooth"
)

func mustURL(t testing.TB, raw string) *url.URL {
	t.Helper()
	u, err := url.Parse(raw)
	require.NoError(t, err, raw)
	return u
}

func fragmentRequest(name, stream string, bitrate, time uint64) smooth.Request {
	return smooth.Request{
		Presentation: name, Kind: smooth.FragmentRequest,
		Key: smooth.FragmentKey{Stream: stream, Bitrate: bitrate, Time: time},
	}
}

func with(q smooth.Request, change func(*smooth.Request)) smooth.Request {
	change(&q)
	return q
}

func TestParseRequest(t *testing.T) {
	manifest := smooth.Request{Presentation: "a.ism"}
	video := fragmentRequest("a.ism", "video", 1200000, 20000000)
	tests := []struct {
		url  string
		want smooth.Request
	}{
		{"/a.ism/Manifest", manifest},
		{"a.ism/Manifest", manifest},
		{"/a.ism/manifest", manifest},
		{"/a.ism/MANIFEST", manifest},
		{"/a.ism/Manifest()", manifest},
		{"/a.ism/Manifest.ismv", with(manifest, func(q *smooth.Request) { q.Suffix = ".ismv" })},
		{"/a.ism/Manifest?token=1&x=a%20b", with(manifest, func(q *smooth.Request) { q.RawQuery = "token=1&x=a%20b" })},
		{"/a.ism/Manifest(format=fmp4-v20)", with(manifest, func(q *smooth.Request) { q.Format = "fmp4-v20" })},
		{"/a.ism/manifest(FORMAT=m3u8-aapl).m3u8", with(manifest, func(q *smooth.Request) { q.Format, q.Suffix = "m3u8-aapl", ".m3u8" })},
		{"/a.ism/Manifest(format=m3u8-aapl-v3,audio-only=false)", with(manifest, func(q *smooth.Request) {
			q.Format, q.Options = "m3u8-aapl-v3", "audio-only=false"
		})},
		{"/a.ism/Manifest(filter=mobile,format=x,startTime=10)", with(manifest, func(q *smooth.Request) {
			q.Format, q.Options = "x", "filter=mobile,startTime=10"
		})},
		{"/a.ism/Manifest%28format%3Dx%2Cfilter%3Dy%29", with(manifest, func(q *smooth.Request) { q.Format, q.Options = "x", "filter=y" })},
		{"/a.ism/Manifest%20(%20filter%20=%20y%20)", with(manifest, func(q *smooth.Request) { q.Options = "filter = y" })},
		{"/x/y%20z/a.b.isml/Manifest", smooth.Request{Presentation: "x/y z/a.b.isml"}},
		{"/a.mp4/Manifest", smooth.Request{Presentation: "a.mp4"}},
		{"/100%25.ism/Manifest", smooth.Request{Presentation: "100%.ism"}},
		{"/a(b)=c,d.ism/Manifest", smooth.Request{Presentation: "a(b)=c,d.ism"}},
		{"/%E7%89%87.ism/Manifest", smooth.Request{Presentation: "片.ism"}},
		{"/x/a.csm", smooth.Request{Presentation: "x/a.csm", Kind: smooth.CompositeRequest}},
		{"/x/a.csm/Manifest", smooth.Request{Presentation: "x/a.csm"}},
		{"/manifest.ism/manifest", smooth.Request{Presentation: "manifest.ism"}},
		{"/QualityLevels(1).ism/Manifest", smooth.Request{
			Presentation: "QualityLevels(1).ism",
		}},
		{"/a.ism/QualityLevels(1200000)/Fragments(video=20000000)", video},
		{"/a.ism/qualitylevels(1200000)/fragments(video=20000000)", video},
		{"/a.ism/QUALITYLEVELS(1200000)/FRAGMENTS(video=20000000)", video},
		{"/a.ism/QualityLevels%281200000%29/Fragments%28video%3D20000000%29", video},
		{"/a.ism/QualityLevels(1200000)/Fragments%20(video=20000000)", video},
		{"/a.ism/QualityLevels%20(%201200000%20)/Fragments(%20video%20=%2020000000%20)", video},
		{"/a.ism/QualityLevels(1200000)/Fragments(video=20000000)?sig=%2F", with(video, func(q *smooth.Request) { q.RawQuery = "sig=%2F" })},
		{"/a.ism/QualityLevels(1200000)/Fragments(video=20000000).ismv", with(video, func(q *smooth.Request) { q.Suffix = ".ismv" })},
		{"/a.ism/QualityLevels(1200000)/FragmentInfo(video=20000000)", with(video, func(q *smooth.Request) { q.Noun = smooth.FragmentInfo })},
		{"/a.ism/QualityLevels(1200000)/RawFragments(video=20000000)", with(video, func(q *smooth.Request) { q.Noun = smooth.RawFragments })},
		{"/a.ism/QualityLevels(1200000)/keyframes(video=20000000,format=m3u8-aapl)", with(video, func(q *smooth.Request) {
			q.Noun, q.Format = smooth.KeyFrames, "m3u8-aapl"
		})},
		{"/a.ism/QualityLevels(1200000)/Fragments(video=20000000,format=m3u8-aapl,filter=a,x)", with(video, func(q *smooth.Request) {
			q.Format, q.Options = "m3u8-aapl", "filter=a,x"
		})},
		{"/a.ism/QualityLevels(1)/Fragments(v=18446744073709551615)", fragmentRequest("a.ism", "v", 1, 1<<64-1)},
		{"/a.ism/QualityLevels(1)/Fragments(v=9007199254740993)", fragmentRequest("a.ism", "v", 1, 9007199254740993)},
		{"/a.ism/QualityLevels(1,hardwareProfile=9)/Fragments(v=0)", with(fragmentRequest("a.ism", "v", 1, 0), func(q *smooth.Request) {
			q.Key.Attrs = "hardwareProfile=9"
		})},
		{"/a.ism/QualityLevels(1,b=2,a=1)/Fragments(v=0)", with(fragmentRequest("a.ism", "v", 1, 0), func(q *smooth.Request) { q.Key.Attrs = "a=1,b=2" })},
		{"/a.ism/QualityLevels(1, a = 1 ,b=)/Fragments(v=0)", with(fragmentRequest("a.ism", "v", 1, 0), func(q *smooth.Request) { q.Key.Attrs = "a= 1,b=" })},
		{"/a.ism/QualityLevels(7)/Manifest(audio_eng,format=m3u8-aapl,type=keyframes).m3u8", smooth.Request{
			Presentation: "a.ism", Kind: smooth.TrackManifestRequest, Key: smooth.FragmentKey{Stream: "audio_eng", Bitrate: 7},
			Format: "m3u8-aapl", Options: "type=keyframes", Suffix: ".m3u8",
		}},
	}
	for _, tt := range tests {
		t.Run(tt.url, func(t *testing.T) {
			got, err := smooth.ParseRequest(mustURL(t, tt.url))
			require.NoError(t, err)
			assert.Equal(t, tt.want, got)
			again, err := smooth.ParseRequest(mustURL(t, "/"+got.String()))
			require.NoError(t, err, "formatted as %s", got.String())
			assert.Equal(t, got, again, "formatted as %s", got.String())
		})
	}
}

func TestParseRequestMalformed(t *testing.T) {
	for _, tail := range []string{
		"QualityLevels(1)/Fragments(video)",
		"QualityLevels(1)/Fragments(video=)",
		"QualityLevels(1)/Fragments(=1)",
		"QualityLevels(1)/Fragments()",
		"QualityLevels(1)/Fragments",
		"QualityLevels(1)/Fragments(video=1",
		"QualityLevels(1)/Fragments(video=1)x",
		"QualityLevels(1)/Fragments(video=-1)",
		"QualityLevels(1)/Fragments(video=+1)",
		"QualityLevels(1)/Fragments(video=1.5)",
		"QualityLevels(1)/Fragments(video=1e3)",
		"QualityLevels(1)/Fragments(video=0x1)",
		"QualityLevels(1)/Fragments(video=18446744073709551616)",
		"QualityLevels(1)/Fragments(video=99999999999999999999999)",
		"QualityLevels(1)/Fragments(video=1,)",
		"QualityLevels(1)/Fragments(video=1,,a=b)",
		"QualityLevels(1)/Fragments(video=1,=b)",
		"QualityLevels(1)/Fragments(video=1,format=a,format=b)",
		"QualityLevels(1)/Fragments(video=1,format=)",
		"QualityLevels(18446744073709551616)/Fragments(video=1)",
		"QualityLevels()/Fragments(video=1)",
		"QualityLevels(x)/Fragments(video=1)",
		"QualityLevels(1/Fragments(video=1)",
		"QualityLevels(1)x/Fragments(video=1)",
		"QualityLevels/Fragments(video=1)",
		"QualityLevels(1,)/Fragments(video=1)",
		"QualityLevels(1,a)/Fragments(video=1)",
		"QualityLevels(1,=1)/Fragments(video=1)",
		"QualityLevels(1,a=1,a=2)/Fragments(video=1)",
		"QualityLevels(1)/",
		"QualityLevels(1)",
		"QualityLevels(1)/Manifest",
		"QualityLevels(1)/Manifest(video=1)",
		"Fragments(video=1)",
		"Manifest(",
		"Manifest(a=1",
		"Manifest(a=1)x",
		"Manifest(,)",
	} {
		_, err := smooth.ParseRequest(mustURL(t, "/a.ism/"+tail))
		assert.ErrorIs(t, err, smooth.ErrBadRequest, tail)
	}
}

func TestParseRequestNotFound(t *testing.T) {
	for _, path := range []string{
		"", "/", "/a.ism", "/a.ismc", "/a.ismv", "/a.isml", "/x/a.mp4", "/favicon.ico", "/a.ism/", "/a.ism/Manifests",
		"/a.ism/Manifest/", "/a.ism/x/y", "/Manifest", "//Manifest", "/a/Manifest", "/.ism/Manifest", "/a./Manifest",
		"/a.ism/QualityLevels(1)/Foo(video=1)", "/.csm", "/Fragments",
	} {
		_, err := smooth.ParseRequest(&url.URL{Path: path})
		assert.ErrorIs(t, err, smooth.ErrNotFound, path)
	}
}

// TestParseRequestUnsafeNames checks names that must not reach a file system: each is tried alone and as a directory.
func TestParseRequestUnsafeNames(t *testing.T) {
	for _, name := range []string{
		"../a.ism", "x/../a.ism", "./a.ism", "x/./a.ism", "x//a.ism", "/a.ism", "..%2fa.ism", "x%2Fa.ism", "x%5Ca.ism",
		"x%5ca.ism", "..%5c..%5ca.ism", "%2e%2e/a.ism", "%2e%2e%2fa.ism", "x%252fa.ism", "x%255Ca.ism", "%252e%252e/a.ism",
		"%25252e/a.ism", "a%00.ism", "a%2500.ism", "a%0a.ism", "a%7f.ism", "a%1f.ism", "a%C2%85.ism", "a%FF.ism",
		"CON.ism", "con.ism", "Nul.ism", "nul.x.ism", "AUX.ism", "prn.ism", "COM1.ism", "com9.ism", "LPT1.ism", "lpt0.ism",
		"COM%C2%B9.ism", "LPT%C2%B3.ism", "CONIN$.ism", "conout$.ism", "nul%20.ism", "CON/a.ism", "com1.txt/a.ism",
		"a.ism.", "a.ism%20", "x./a.ism", "x%20/a.ism", ".../a.ism", "a.ism:s.ism", "c:/a.ism", "c:a.ism", "a.ism::$DATA.ism",
		"a.ism%3Ax.ism",
	} {
		for _, tail := range []string{"/Manifest", "/QualityLevels(1)/Fragments(video=0)", "/QualityLevels(x)/Fragments(video=0)"} {
			u, err := url.Parse("http://host/" + name + tail)
			require.NoError(t, err)
			_, err = smooth.ParseRequest(u)
			assert.ErrorIs(t, err, smooth.ErrNotFound, name+tail)
		}
	}
	for _, name := range []string{
		"console.ism", "nulls.ism", "com.ism", "com10.ism", "lpt.ism", "x.con/a.ism", "..a.ism", "a..ism", "50%25off.ism", "a%2520b.ism",
	} {
		_, err := smooth.ParseRequest(mustURL(t, "/"+name+"/Manifest"))
		assert.NoError(t, err, name)
	}
}

func TestParseRequestDoesNotAllocate(t *testing.T) {
	for _, raw := range []string{
		"/sport/final.ism/Manifest",
		"/sport/final.ism/Manifest(format=m3u8-aapl,filter=mobile).m3u8?token=1",
		"/sport/final.ism/QualityLevels(1200000)/Fragments(video=20000000)",
		"/sport/final.ism/QualityLevels%281200000%29/Fragments%28video%3D20000000%29",
		"/sport/final.ism/QualityLevels(1200000,a=1,b=2)/Fragments(audio_eng=20000000,format=m3u8-aapl)",
	} {
		u := mustURL(t, raw)
		n := testing.AllocsPerRun(100, func() {
			if _, err := smooth.ParseRequest(u); err != nil {
				t.Fatal(err)
			}
		})
		assert.Zero(t, n, raw)
	}
}

func TestRequestOption(t *testing.T) {
	q, err := smooth.ParseRequest(mustURL(t, "/a.ism/Manifest(Filter=mobile,startTime = 10,format=x,flag,empty=)"))
	require.NoError(t, err)
	for _, tt := range []struct {
		name, value string
		ok          bool
	}{
		{"filter", "mobile", true}, {"FILTER", "mobile", true}, {"starttime", "10", true}, {"format", "x", true},
		{"flag", "", true}, {"empty", "", true}, {"filte", "", false}, {"mobile", "", false}, {"", "", false},
	} {
		value, ok := q.Option(tt.name)
		assert.Equal(t, tt.value, value, tt.name)
		assert.Equal(t, tt.ok, ok, tt.name)
	}
}

// TestRequestAppendChild resolves each relative URL as a client does and parses the result.
func TestRequestAppendChild(t *testing.T) {
	track := "/x y/a.ism/QualityLevels(7,k=v)/Manifest(video,format=m3u8-aapl)"
	tests := []struct {
		base, child, want string
	}{
		{"/a.ism/Manifest", "/a.ism/QualityLevels(7)/Fragments(video=0)", "QualityLevels(7)/Fragments(video=0)"},
		{"/a.ism/Manifest", "/a.ism/Manifest(format=x)?t=1", "Manifest(format=x)?t=1"},
		{track, "/x y/a.ism/QualityLevels(7,k=v)/Fragments(video=0,format=m3u8-aapl)", "Fragments(video=0,format=m3u8-aapl)"},
		{track, "/x y/a.ism/QualityLevels(8,k=v)/Fragments(video=0)", "../QualityLevels(8,k=v)/Fragments(video=0)"},
		{track, "/x y/a.ism/QualityLevels(7)/Manifest(video)", "../QualityLevels(7)/Manifest(video)"},
		{track, "/x y/a.ism/Manifest", "../Manifest"},
		{"/x/a.csm", "/x/a.csm/Manifest", "a.csm/Manifest"},
		{"/a.ism/Manifest", "/a.ism/QualityLevels(7,k=a:b)/Fragments(s p=0)", "QualityLevels(7,k=a%3Ab)/Fragments(s%20p=0)"},
	}
	for _, tt := range tests {
		baseURL := mustURL(t, tt.base)
		base, err := smooth.ParseRequest(baseURL)
		require.NoError(t, err)
		child, err := smooth.ParseRequest(mustURL(t, tt.child))
		require.NoError(t, err)
		got := string(base.AppendChild(nil, &child))
		assert.Equal(t, tt.want, got)
		resolved, err := smooth.ParseRequest(baseURL.ResolveReference(mustURL(t, got)))
		require.NoError(t, err)
		assert.Equal(t, child, resolved, got)
	}
}

func FuzzParseRequest(f *testing.F) {
	for _, seed := range []string{
		"/a.ism/Manifest", "/x/a.isml/manifest(format=m3u8-aapl,filter=b).m3u8?q=1", "/a.csm",
		"/a.ism/QualityLevels(1,b=2,a=1)/Fragments(video=20000000,format=x)", "/a.ism/QualityLevels%281%29/KeyFrames%28v%3D0%29",
		"/a.ism/QualityLevels( 1 , a = 1 )/Manifest( video , x = 1 )", "/..%2f/NUL.ism/Manifest", "/a.ism/Manifest(a=1, format = b , c=1)",
		"/a.ism/QualityLevels(1)/Fragments(v(x)=1)", "/a.ism/Manifest(a)b=c)", "/a.ism/QualityLevels(1,=,)/Fragments(,=1,format)",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		u, err := url.Parse(raw)
		if err != nil {
			return
		}
		q, err := smooth.ParseRequest(u)
		if err != nil {
			return
		}
		if strings.ContainsAny(q.String(), "\r\n\" <>\\") && q.RawQuery == "" {
			t.Fatalf("%q is formatted as %q", raw, q.String())
		}
		v, err := url.Parse("/" + q.String())
		if err != nil {
			t.Fatalf("%q is formatted as %q: %v", raw, q.String(), err)
		}
		again, err := smooth.ParseRequest(v)
		if err != nil || again != q {
			t.Fatalf("%q parses as %+v, then %q as %+v, %v", raw, q, q.String(), again, err)
		}
	})
}

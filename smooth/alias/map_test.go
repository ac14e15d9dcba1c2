package alias_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/smooth/alias"
)

const id = "b1a5e2c0-6f2d-4c0e-9a57-0d5a1f0c7e11"

func parse(t testing.TB, text string) *alias.Map {
	t.Helper()
	m, err := alias.Parse(strings.NewReader(text))
	require.NoError(t, err)
	return m
}

// led tells where a path leads: "-" where no rule applies, "410", or the URL with the status of redirects.
func led(m *alias.Map, host, path string) string {
	match, ok := m.Lookup(host, path)
	switch {
	case !ok:
		return "-"
	case match.URL == nil:
		return fmt.Sprint(match.Rule.Status)
	case match.Rule.Status == 0:
		return match.URL.Path
	}
	return fmt.Sprintf("%s %d", match.URL, match.Rule.Status)
}

func TestLookup(t *testing.T) {
	tests := map[string]struct {
		rules string
		paths []string // path, where it leads, ...
	}{
		"exact": {"/a/b /c\n/a/b/ /d\n/ /root", []string{
			"/a/b", "/c", "/A/B", "/c", "/a/b/", "/d", "/", "/root", "/a", "-", "/a/b/c", "-", "", "-", "a/b", "-", "*", "-",
		}},
		"rest": {"/a/* /b/*", []string{
			"/a", "/b", "/a/", "/b/", "/a/X/y", "/b/X/y", "/a/x/", "/b/x/", "/ab", "-", "/", "-",
		}},
		"all": {"/* /b/*", []string{"/", "/b/", "/x", "/b/x", "/x/y/", "/b/x/y/"}},
		"to the root": {"/a/* /*", []string{
			"/a", "/", "/a/", "/", "/a/x", "/x", "/a/x/", "/x/",
		}},
		"rest that is dropped":  {"/a/* /b.ism", []string{"/a/x/y", "/b.ism", "/a", "/b.ism"}},
		"rest by its long name": {"/a/{rest...} /b/{rest...}", []string{"/a/x/y", "/b/x/y"}},
		"guid": {"/{guid}/{name}.ism/* -> /vod/{name}.ism/*", []string{
			"/" + id + "/Film.ism/Manifest", "/vod/Film.ism/Manifest",
			"/" + strings.ToUpper(id) + "/Film.ISM/QualityLevels(1)/Fragments(video=0)", "/vod/Film.ism/QualityLevels(1)/Fragments(video=0)",
			"/" + id[1:] + "/Film.ism/Manifest", "-",
			"/" + strings.Replace(id, "-", "a", 1) + "/Film.ism/Manifest", "-",
			"/" + strings.Replace(id, "b", "g", 1) + "/Film.ism/Manifest", "-",
			"/" + id + "/.ism/Manifest", "-",
			"/" + id + "/Film.isml/Manifest", "-",
			"/" + id, "-",
		}},
		"number": {"/clip-{number}.mp4 /c/{number}", []string{
			"/clip-007.mp4", "/c/007", "/CLIP-1.MP4", "/c/1", "/clip-.mp4", "-", "/clip-1a.mp4", "-", "/clip-1", "-", "/clip-.mp", "-",
		}},
		"ids":                      {"/{a:name}/{b:name}/{name} /{b}-{a}/x{name}y", []string{"/1/2/3", "/2-1/x3y"}},
		"text around meets itself": {"/aa{name}aa /{name}", []string{"/aaa", "-", "/aaaa", "-", "/aabaa", "/b"}},
		"specific first": {
			"/* /any/*\n/{name}/x.ism /name\n/{guid}/x.ism /guid\n/" + id + "/x.ism /literal\n/{number}/x.ism /number\n" +
				"/{name}/* /rest\n/{name}/{name2:name}.ism /suffix\n/f{name}/x.ism /prefix",
			[]string{
				"/" + id + "/x.ism", "/literal", "/a" + id[1:] + "/x.ism", "/guid", "/12/x.ism", "/number", "/n/x.ism", "/name",
				"/fn/x.ism", "/prefix", "/n/y.ism", "/suffix", "/n/y", "/rest", "/", "/any/",
			},
		},
		"hosts": {
			"/x /any\nA.example.com/x /a\n*.example.com/x /wild\n*.b.example.com/x /deep\nc.example.com/y /c", []string{
				"a.example.com", "/a", "A.EXAMPLE.COM:8080", "/a", "a.example.com.", "/a", "d.example.com", "/wild", "x.y.example.com", "/wild",
				"x.b.example.com", "/deep", "b.example.com", "/wild", "example.com", "/any", "c.example.com", "/wild", "", "/any",
				"[::1]:80", "/any", "[::1]", "/any", strings.Repeat("a.", 200) + "example.com", "/any",
			},
		},
		"status": {"/a /b 301\n/c https://x.example/d?e=1#f 302\n/g 410\n/h/* HTTP://x.example/* 308\n/i https://x.example 307", []string{
			"/a", "/b 301", "/c", "https://x.example/d?e=1#f 302", "/g", "410", "/h/j/k", "http://x.example/j/k 308",
			"/i", "https://x.example/ 307", "/h", "http://x.example/ 308",
		}},
		"encoded": {"/a%20b/%2A%7b/* /c%23d/ä/*\n/über/* /x\n/50%25 /y", []string{
			"/A b/*{/%41", "/c#d/ä/%41", "/ÜBER/x", "/x", "/50%", "/y", "/50%25", "-",
		}},
		"exact case": {"/Film.ism/* /film.ism/* 301 exact-case\n/X-{name}/* /y exact-case", []string{
			"/Film.ism/M", "/film.ism/M 301", "/film.ism/M", "-", "/X-a/b", "/y", "/x-a/b", "-",
		}},
		"Kelvin is no k": {"/k{name}/* /{name}/*\n/kk /x", []string{"/Kx", "/x", "/\u212ax", "-", "/\u212ak", "-", "/kK", "/x", "/ka\u212a", "/a\u212a"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			m := parse(t, test.rules)
			for i := 0; i < len(test.paths); i += 2 {
				host, path := "h.example", test.paths[i]
				if name == "hosts" {
					host, path = test.paths[i], "/x"
				}
				assert.Equal(t, test.paths[i+1], led(m, host, path), "%s%s", host, path)
			}
		})
	}
}

// Paths that are not clean match nothing, so nothing leads out of a target.
func TestLookupUnclean(t *testing.T) {
	m := parse(t, "/* /vod/*\n/{name} /vod/.{name}")
	for _, path := range []string{
		"/../x", "/a/../x", "/a/./x", "/a/..", "/.", "/..", "//x", "/a//x", "/a/x//", `/a\..\x`, `/\evil.example`, "/a\x00", "/a\nb", "/\x7f",
		"/" + strings.Repeat("x", alias.MaxPath), "x/..",
	} {
		assert.Equal(t, "-", led(m, "", path), "%q", path)
	}
	assert.Equal(t, "/vod/.../x", led(m, "", "/.../x"))
	assert.Equal(t, "/vod/.a", led(m, "", "/a"))
	assert.Equal(t, "/vod/a/"+strings.Repeat("x", alias.MaxPath-3), led(m, "", "/a/"+strings.Repeat("x", alias.MaxPath-3)))
	m = parse(t, "/f-{name}/* /vod/{name}/*\n/g-{name} /vod/.{name}\n/* /vod/*")
	for _, path := range []string{"/f-../x", "/f-.", "/g-."} { // clean, but what is captured would not be
		assert.Equal(t, "-", led(m, "", path), path)
	}
	assert.Equal(t, "/vod/.../x", led(m, "", "/f-.../x"))
	for _, path := range []string{"/a/b", "/" + strings.Repeat("a/", 100), "/x" + strings.Repeat("/\xff", 600)} {
		assert.Equal(t, "/vod"+path, led(m, "", path))
	}
}

func TestNil(t *testing.T) {
	var m *alias.Map
	assert.Equal(t, "-", led(m, "h", "/x"))
	assert.Zero(t, m.Len())
	assert.Nil(t, m.Rules())
	text, err := m.AppendText([]byte("x"))
	assert.NoError(t, err)
	assert.Equal(t, "x", string(text))
	empty, err := alias.Build()
	require.NoError(t, err)
	assert.Equal(t, "-", led(empty, "h", "/x"))
}

func TestRuleErrors(t *testing.T) {
	tests := []struct {
		line string
		want error
		text string
	}{
		{"x", alias.ErrSyntax, `"x" is no path`},
		{"/a /b 301 exact-case more", alias.ErrSyntax, `"more"`},
		{"/a /b /c", alias.ErrSyntax, `"/c"`},
		{"/a -> -> /b", alias.ErrSyntax, `"/b"`},
		{"/a \xff", alias.ErrSyntax, "not UTF-8"},
		{"/a /" + strings.Repeat("b", alias.MaxLine), alias.ErrSyntax, "at most"},
		{"/a", alias.ErrTarget, "none"},
		{"/a exact-case", alias.ErrTarget, "none"},
		{"/a 301", alias.ErrTarget, "none"},
		{"/a /b 410", alias.ErrTarget, "leads nowhere"},
		{"/a /b 200", alias.ErrStatus, "200 is none of"},
		{"/a /b 0", alias.ErrStatus, ""},
		{"/a /b 99999999999999999999", alias.ErrStatus, ""},
		{"h:80/a /b", alias.ErrPattern, "without port"},
		{"h..x/a /b", alias.ErrPattern, "host"},
		{"a.*.x/a /b", alias.ErrPattern, "host"},
		{"*/a /b", alias.ErrPattern, "host"},
		{strings.Repeat("h.", 130) + "x/a /b", alias.ErrPattern, "at most 253"},
		{"//a /b", alias.ErrPattern, `has "//"`},
		{"/a/../b /b", alias.ErrPattern, "dots"},
		{"/%2e%2E/b /b", alias.ErrPattern, "dots"},
		{"/a%2Fb /b", alias.ErrPattern, "slash"},
		{`/a\b /b`, alias.ErrPattern, "backslash"},
		{"/a%00 /b", alias.ErrPattern, "control"},
		{"/" + strings.Repeat("a", alias.MaxPath) + " /b", alias.ErrPattern, "4097 bytes"},
		{"/%zz{name} /b", alias.ErrPattern, "%zz"},
		{"/a%zz /b", alias.ErrPattern, "%zz"},
		{"/\x1b /b", alias.ErrPattern, "control"},
		{"/a /" + strings.Repeat("b", alias.MaxPath), alias.ErrTarget, "4097 bytes, at most 4096"},
		{"/a%ff /b", alias.ErrPattern, "UTF-8"},
		{"/a?x=1 /b", alias.ErrPattern, "query"},
		{"/*/a /b", alias.ErrPattern, "at the end only"},
		{"/a* /b", alias.ErrPattern, "at the end only"},
		{"/{rest...}/a /b", alias.ErrPattern, "at the end only"},
		{"/{name /b", alias.ErrPattern, "brace"},
		{"/name} /b", alias.ErrPattern, "brace"},
		{"/{title} /b", alias.ErrPattern, "{title:name}"},
		{"/{a:b} /b", alias.ErrPattern, "{a:b}"},
		{"/{} /b", alias.ErrPattern, "{}"},
		{"/{a,:name} /b", alias.ErrPattern, "{a,:name}"},
		{"/{name}{number} /b", alias.ErrPattern, "one placeholder"},
		{"/{name}/{name} /b", alias.ErrPattern, "{id:name}"},
		{"/ä{name} /b", alias.ErrPattern, "ASCII"},
		{"/x" + strings.Repeat("/y", alias.MaxSegments) + " /b", alias.ErrPattern, "33 segments"},
		{"/a b", alias.ErrTarget, "neither a path nor"},
		{"/a ftp://x/b 301", alias.ErrTarget, "neither a path nor"},
		{"/a //evil.example/ 301", alias.ErrTarget, `has "//"`},
		{`/a /\evil.example/ 301`, alias.ErrTarget, "backslash"},
		{"/a https://x/b", alias.ErrTarget, "a rewrite stays"},
		{"/{name} https://{name}/b 301", alias.ErrTarget, "no placeholder"},
		{"/{name} https://{name}.x/b 301", alias.ErrTarget, "no placeholder"},
		{"/{name} https://x:{name}/b 301", alias.ErrTarget, "no placeholder"},
		{"/a/* https://* 301", alias.ErrTarget, "host"},
		{"/a https://ü.example/b 301", alias.ErrTarget, "host"},
		{"/a https://a%2e.example/b 301", alias.ErrTarget, "host"},
		{"/a https://h:x/b 301", alias.ErrTarget, "host"},
		{"/a https:///b 301", alias.ErrTarget, "host"},
		{"/a https://u@x/b 301", alias.ErrTarget, "host"},
		{`/a https://x\y/b 301`, alias.ErrTarget, "host"},
		{"/a /../b", alias.ErrTarget, "dots"},
		{"/a /b/%2e%2e/c", alias.ErrTarget, "dots"},
		{"/a /b%2fc", alias.ErrTarget, "slash"},
		{"/a /b/*/c", alias.ErrTarget, "at the end only"},
		{"/a /b/*", alias.ErrTarget, "that the pattern does not have"},
		{"/a /{name}", alias.ErrTarget, "that the pattern does not have"},
		{"/{a:name} /{name}", alias.ErrTarget, "that the pattern does not have"},
		{"/{name} /b?c={name}", alias.ErrTarget, "placeholder in the query"},
		{"/a /b#c", alias.ErrTarget, "fragment"},
		{"/a /b?ä 301", alias.ErrTarget, "not encoded"},
		{"/a /b}", alias.ErrTarget, "brace"},
		{"/{name} /{name", alias.ErrTarget, "brace"},
		{"/a /a 301", alias.ErrLoop, ""},
		{"/Film /film 301", alias.ErrLoop, ""},
		{"/a/* /a/b/* 302", alias.ErrLoop, "/a/x"},
		{"/{guid}/n{number}/x{name}/ /{guid}/n{number}/xx{name}/ 302", alias.ErrLoop, ""},
		{"x.example/a/* https://x.example/a/a/* 302", alias.ErrLoop, ""},
	}
	for _, test := range tests {
		_, err := alias.Parse(strings.NewReader("# first\n\n" + test.line + " # comment\n/ok /fine"))
		var re *alias.RuleError
		if assert.ErrorAs(t, err, &re, test.line) {
			assert.Equal(t, 3, re.Line)
			assert.ErrorIs(t, err, test.want, test.line)
			assert.ErrorContains(t, err, test.text)
			assert.ErrorContains(t, err, "alias: line 3: ")
			assert.NotContains(t, err.Error(), "\n")
			assert.Less(t, len(err.Error()), 600)
		}
	}
}

func TestDuplicates(t *testing.T) {
	_, err := alias.Parse(strings.NewReader("/a/{name} /b\n/x /y\n/A/{n:name} /c\nh/a/{name} /d"))
	require.ErrorIs(t, err, alias.ErrDuplicate)
	assert.EqualError(t, err, "alias: line 3: /A/{n:name}: duplicate rule: line 1 matches the same, in any case: /a/{name}")
	_, err = alias.Build(alias.Rule{From: "/a", To: "/b"}, alias.Rule{From: "/a", Status: 410})
	assert.EqualError(t, err, "alias: rule 2: /a: duplicate rule: rule 1 matches the same, in any case: /a")
}

// Circles of several redirects are found; a rewrite or an absolute URL between ends them.
func TestLoops(t *testing.T) {
	_, err := alias.Parse(strings.NewReader("/a /b 301\n/b /c 302\n/c/ /a 307\n/c /a 307"))
	require.ErrorIs(t, err, alias.ErrLoop)
	assert.Len(t, err.(interface{ Unwrap() []error }).Unwrap(), 4, "also what leads into it")
	parse(t, "/a /b 301\n/b /a")
	parse(t, "/a /b 301\n/b https://other.example/a 301")
	parse(t, "x.example/* https://x.example/* 301")
	parse(t, "*.example/a /b 301\nx.example/b 410\n/b /a 301")
}

// Rules of a program may be what no line can be.
func TestBuildErrors(t *testing.T) {
	for _, r := range []alias.Rule{
		{From: "/a b", To: "/c"}, {From: "/a", To: "/b c"}, {From: "/a\u2003", To: "/b"}, {From: "/a\n/x /y", To: "/b"}, {From: "/a", To: "/b?c d", Status: 301},
		{From: "/a", To: "/b?c\n/d", Status: 301}, {From: "/{name}", To: "/b {name}"}, {From: "/ {name}", To: "/b"}, {From: "/{na me:name}", To: "/b"},
		{Host: "a b", From: "/a", To: "/b"}, {Host: "#", From: "/a", To: "/b"}, {From: "/a", To: "http://h\n/b", Status: 301}, {From: "", To: "/b"},
		{From: "h/a", To: "/b"}, {From: "/a", To: "b"}, {From: "/a", To: "/b", Status: 100}, {From: "/#a", To: "/b"}, {From: "/a", To: "/b#c"},
	} {
		_, err := alias.Build(r)
		assert.Error(t, err, "%q", r)
		if err != nil {
			assert.NotContains(t, err.Error(), "\n")
		}
	}
}

func TestManyErrors(t *testing.T) {
	_, err := alias.Parse(strings.NewReader(strings.Repeat("bad\n", 100) + "/a /b 99"))
	list := err.(interface{ Unwrap() []error }).Unwrap()
	require.Len(t, list, 21)
	assert.EqualError(t, list[20], "alias: and 81 more")
	_, err = alias.Parse(strings.NewReader("bad\n/a /b 99\n/c\n"))
	list = err.(interface{ Unwrap() []error }).Unwrap()
	assert.Len(t, list, 3, "errors of both kinds: %v", err)
}

func TestBounds(t *testing.T) {
	_, err := alias.Build(make([]alias.Rule, alias.MaxRules+1)...)
	assert.ErrorIs(t, err, alias.ErrTooLarge)
	_, err = alias.Parse(strings.NewReader(strings.Repeat("/\n", 4)))
	assert.Error(t, err)
	var forms []alias.Rule
	for i := range alias.MaxForms + 1 {
		forms = append(forms, alias.Rule{From: fmt.Sprintf("/{name}.%d", i), To: "/b"})
	}
	_, err = alias.Build(forms...)
	assert.ErrorIs(t, err, alias.ErrTooLarge)
	_, err = alias.Build(forms[:alias.MaxForms]...)
	assert.NoError(t, err)
	_, err = alias.Parse(brokenReader{})
	assert.ErrorIs(t, err, errBroken)
}

var errBroken = errors.New("broken")

type brokenReader struct{}

func (brokenReader) Read([]byte) (int, error) { return 0, errBroken }

func TestRoundTrip(t *testing.T) {
	const text = "/a/* /b/*\n*.example.com/{guid}/{name}.ism/{rest...} /v/{name}/{rest...}\n/c https://x/y?z=1#w 308\n/d 410\n/E%20 /f?g 301 exact-case\n"
	m := parse(t, text)
	out, err := m.AppendText(nil)
	require.NoError(t, err)
	assert.Equal(t, text, string(out))
	assert.Equal(t, m.Rules(), parse(t, string(out)).Rules())
	utf16 := []byte{0xff, 0xfe}
	for _, c := range []byte(strings.ReplaceAll(text, "\n", "\r\n")) {
		utf16 = append(utf16, c, 0)
	}
	assert.Equal(t, m.Rules(), parse(t, string(utf16)).Rules(), "as Notepad may write it")
	assert.Equal(t, 5, m.Len())
	assert.Equal(t, "*.example.com/{guid}/{name}.ism/{rest...} /v/{name}/{rest...}", m.Rules()[1].String())
	m.Rules()[0].From = "/changed"
	assert.Equal(t, "/a/*", m.Rules()[0].From)
}

// large returns rules of 100,000 names, and a pattern.
func large(t testing.TB) *alias.Map {
	rules := []alias.Rule{{From: "/{guid}/{name}.ism/*", To: "/vod/{name}.ism/*"}}
	for i := range 100_000 {
		rules = append(rules, alias.Rule{From: fmt.Sprintf("/Videos/%08d/film.ism", i), To: fmt.Sprintf("/vod/%d.ism", i)})
	}
	m, err := alias.Build(rules...)
	require.NoError(t, err)
	return m
}

func TestLookupAllocations(t *testing.T) {
	m := parse(t, "/{guid}/{name}.ism/* /vod/*\n/Videos/1 /x\nh.example/Videos/2/* /y\n*.example/{number}/x /z")
	for _, path := range []string{
		"/videos/other", "/Vod/Film.ism/QualityLevels(1000000)/Fragments(video=20000000)", "/" + id + "/film.isx/Manifest", "/ü/Ü",
	} {
		allocs := testing.AllocsPerRun(100, func() {
			if _, ok := m.Lookup("H.example:8080", path); ok {
				t.Fatal(path)
			}
		})
		assert.Zero(t, allocs, path)
	}
}

func BenchmarkLookup(b *testing.B) {
	m := large(b)
	for name, path := range map[string]string{
		"miss": "/Videos/00000000/film.ism/QualityLevels(1000000)/Fragments(video=20000000)", "missed": "/videos/0x012345/film.ism",
		"exact": "/videos/00012345/Film.ism", "pattern": "/" + id + "/Film.ism/QualityLevels(1000000)/Fragments(video=20000000)",
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				m.Lookup("media.example.com", path)
			}
		})
	}
}

func BenchmarkBuild(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		large(b)
	}
}

package validate_test

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/smooth/validate"
)

// isNoun reports a request for the noun.
func isNoun(r *http.Request, noun string) bool { return strings.Contains(r.URL.Path, "/"+noun+"(") }

// onManifest answers manifest requests with f.
func onManifest(f http.HandlerFunc) func(*origin) {
	return on(func(r *http.Request) bool { return strings.HasSuffix(r.URL.Path, "/Manifest") }, f)
}

func onNoun(noun string, f http.HandlerFunc) func(*origin) {
	return on(func(r *http.Request) bool { return isNoun(r, noun) }, f)
}

func on(is func(*http.Request) bool, f http.HandlerFunc) func(*origin) {
	return func(o *origin) {
		o.intercept = func(w http.ResponseWriter, r *http.Request) bool {
			if is(r) {
				f(w, r)
				return true
			}
			return false
		}
	}
}

func page(status int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Header().Set("Cache-Control", "no-store")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, "<!DOCTYPE html><html><body>app</body></html>")
	}
}

func redirect(to string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, to, http.StatusMovedPermanently) }
}

func setHeader(noun, name, value string) func(*origin) {
	return func(o *origin) {
		o.header = func(h http.Header, n string) {
			if n != noun {
				return
			}
			if value == "" {
				h.Del(name)
				return
			}
			h.Set(name, value)
		}
	}
}

func changeBody(noun string, f func([]byte) []byte) func(*origin) {
	return func(o *origin) {
		o.body = func(b []byte, n string) []byte {
			if n == noun {
				return f(b)
			}
			return b
		}
	}
}

func isHead(r *http.Request) bool { return r.Method == http.MethodHead }
func refuse(status int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }
}

// cutShort announces ten bytes more than it sends.
func cutShort(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "video/mp4")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("ETag", `"1"`)
	w.Header().Set("Access-Control-Allow-Origin", "*")
	w.Header().Set("Content-Length", "12")
	_, _ = io.WriteString(w, "ab")
}

type urlFixture struct {
	rule, hint string
	change     func(*origin)
}

func urlFixtures() []urlFixture {
	pathIs := func(part string) func(*http.Request) bool {
		return func(r *http.Request) bool { return strings.Contains(r.URL.Path, part) }
	}
	ranged := func(prefix string) func(*http.Request) bool {
		return func(r *http.Request) bool { return strings.HasPrefix(r.Header.Get("Range"), prefix) }
	}
	return []urlFixture{
		{"SH101", "mounted at this prefix", onManifest(http.NotFound)},
		{"SH101", "own page", onManifest(page(404))},
		{"SH101", "token", onManifest(refuse(403))},
		{"SH101", "log of the server", onManifest(refuse(500))},
		{"SH102", "single-page", onManifest(page(200))},
		{"SH103", "sign-in", onManifest(redirect("/login?next=/"))},
		{"SH103", "adds a slash", onManifest(redirect(originPath + "Manifest/"))},
		{"SH103", "handler in front", onManifest(redirect("/"))},
		{"SH103", "another server answers", onManifest(redirect("http://cdn.example" + originPath + "Manifest"))},
		{"SH103", "a loop", onManifest(redirect(originPath + "Manifest"))},
		{"SH104", "static file server", setHeader("Manifest", "Content-Type", "application/octet-stream")},
		{"SH105", "Content-Length is 12", on(pathIs("Fragments(video=20000000)"), cutShort)},
		{"SH106", "", on(func(r *http.Request) bool { return isHead(r) && !isNoun(r, "Fragments") }, refuse(404))},
		{"SH106", "", func(o *origin) {
			on(func(r *http.Request) bool { return isHead(r) && !isNoun(r, "Fragments") }, func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Content-Type", "text/xml")
				w.Header().Set("Content-Length", "1")
			})(o)
		}},
		{"SH107", "", func(o *origin) {
			o.intercept = func(w http.ResponseWriter, r *http.Request) bool {
				if !strings.HasSuffix(r.URL.Path, "/Manifest") || isHead(r) || r.Header.Get("If-None-Match") != "" {
					return false
				}
				h := w.Header()
				h.Set("Content-Type", "text/xml")
				h.Set("Last-Modified", "Mon, 02 Jan 2006 15:04:05 GMT")
				h.Set("Cache-Control", "no-cache")
				h.Set("Access-Control-Allow-Origin", "*")
				_, _ = io.WriteString(w, o.manifest)
				w.(http.Flusher).Flush()
				return true
			}
		}},
		{"SH108", "Head", on(func(r *http.Request) bool { return r.Method == "HEAD" && strings.HasSuffix(r.URL.Path, "/Manifest") },
			func(w http.ResponseWriter, r *http.Request) { panic(http.ErrAbortHandler) })},
		{"SH108", "QualityLevels(abc)", on(func(r *http.Request) bool { return strings.Contains(r.URL.Path, "(abc)") },
			func(w http.ResponseWriter, r *http.Request) { panic(http.ErrAbortHandler) })},
		{"SH108", "", onNoun("RawFragments", func(w http.ResponseWriter, r *http.Request) { panic(http.ErrAbortHandler) })},
		{"SH111", "", on(pathIs("Fragments(video=20000000)"), refuse(503))},
		{"SH112", "single-page", on(pathIs("Fragments(video=20000000)"), page(200))},
		{"SH113", "", on(pathIs("Fragments(video=20000000)"), redirect("/cdn/x"))},
		{"SH114", "", setHeader("Fragments", "Content-Type", "application/octet-stream")},
		{"SH115", "", on(func(r *http.Request) bool { return isHead(r) && isNoun(r, "Fragments") }, refuse(405))},
		{"SH117", "", setHeader("Fragments", "Content-Type", `video/mp4;ChildTrack="audio_eng=1"`)},
		{"SH121", "", onNoun("FragmentInfo", refuse(404))},
		{"SH121", "", changeBody("FragmentInfo", func(b []byte) []byte { return append([]byte(nil), b[:len(b)-1]...) })},
		{"SH122", "", changeBody("RawFragments", func(b []byte) []byte { return append([]byte{0}, b...) })},
		{"SH123", "", onNoun("KeyFrames", refuse(404))},
		{"SH123", "", changeBody("KeyFrames", func([]byte) []byte { return videoSpec(0).build() })},
		{"SH131", "", on(pathIs("Fragments(video=10000001)"), refuse(500))},
		{"SH131", "HTML", on(pathIs("Fragments(video=10000001)"), page(200))},
		{"SH132", "", on(pathIs("QualityLevels(4294967291)"), refuse(410-10))},
		{"SH133", "", on(pathIs("no_such_stream"), redirect("/"))},
		{"SH134", "", on(pathIs("QualityLevels(abc)"), http.NotFound)},
		{"SH135", "", on(pathIs("no_such_stream"), func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Cache-Control", "public, max-age=86400")
			w.WriteHeader(404)
		})},
		{"SH137", "", on(func(r *http.Request) bool { return strings.HasSuffix(r.URL.Path, ".ism") }, func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, `<?xml version="1.0"?><smil xmlns="http://www.w3.org/2001/SMIL20/Language"/>`)
		})},
		{"SH141", "", setHeader("Fragments", "ETag", "")},
		{"SH142", "", on(func(r *http.Request) bool {
			if r.Header.Get("If-None-Match") != "" {
				r.Header.Del("If-None-Match")
			}
			return false
		}, nil)},
		{"SH143", "", setHeader("Manifest", "Access-Control-Allow-Origin", "")},
		{"SH144", "", setHeader("Fragments", "Set-Cookie", "session=1")},
		{"SH145", "", setHeader("Fragments", "Cache-Control", "")},
		{"SH146", "", on(ranged("bytes=4-7"), refuse(206))},
		{"SH147", "", on(ranged("bytes=3"), refuse(200))},
		{"SH148", "", on(ranged("bytes=0-"), refuse(416))},
		{"SH151", "", on(func(r *http.Request) bool { return strings.Contains(r.URL.EscapedPath(), "%28") }, refuse(404))},
		{"SH152", "", on(pathIs("/manifest"), refuse(404))},
		{"SH152", "", on(pathIs("/fragments("), refuse(404))},
		{"SH153", "", on(func(r *http.Request) bool { return r.URL.RawQuery != "" }, refuse(403))},
		// Rules that need more than one fragment.
		{"SF123", "", func(o *origin) {
			o.fragment = func(s *spec, stream string, _ uint64) {
				for i := range s.samples {
					if stream == "video" {
						s.samples[i].duration += 190000 // 0.95 of a sample in each fragment
					}
				}
			}
		}},
		{"SF153", "", func(o *origin) {
			o.fragment = func(s *spec, stream string, time uint64) {
				if stream == "video" && time == 40000000 {
					s.sequence = 2
				}
			}
		}},
	}
}

func check(t *testing.T, url string) *validate.Report {
	t.Helper()
	r, err := validate.URL(context.Background(), url, nil)
	require.NoError(t, err)
	return r
}

func TestURLClean(t *testing.T) {
	r := check(t, (&origin{manifest: plain}).start(t))
	assert.Empty(t, r.Violations)
	assert.Equal(t, 11, r.Checked.Fragments, "8 video, 2 audio, 1 text")
	r = check(t, (&origin{manifest: live}).start(t))
	assert.Empty(t, r.Violations)
}

func TestURLRules(t *testing.T) {
	for _, f := range urlFixtures() {
		t.Run(f.rule, func(t *testing.T) {
			o := &origin{manifest: plain}
			f.change(o)
			r := check(t, o.start(t))
			require.Equal(t, []string{f.rule}, rulesOf(r), "%v", r.Violations)
			assert.Contains(t, r.Violations[0].Text, f.hint)
		})
	}
}

// TestURLNotYet checks the rule that needs a live presentation.
func TestURLNotYet(t *testing.T) {
	o := &origin{manifest: live}
	on(func(r *http.Request) bool { return strings.Contains(r.URL.Path, "video=123691") }, refuse(404))(o)
	assert.Equal(t, []string{"SH136"}, rulesOf(check(t, o.start(t))))
}

// TestURLLiveCaching checks the rules about lifetimes that need a live presentation.
func TestURLLiveCaching(t *testing.T) {
	o := &origin{manifest: live}
	setHeader("Manifest", "Cache-Control", "max-age=60")(o)
	assert.Equal(t, []string{"SH138"}, rulesOf(check(t, o.start(t))))
	o = &origin{manifest: live}
	setHeader("Manifest", "Cache-Control", "max-age=1")(o)
	on(func(r *http.Request) bool { return strings.Contains(r.URL.Path, "video=123691") }, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Cache-Control", "max-age=3600")
		w.WriteHeader(412)
	})(o)
	assert.Equal(t, []string{"SH135"}, rulesOf(check(t, o.start(t))))
}

// TestURLFragmentLimit checks the rule that needs a limit.
func TestURLFragmentLimit(t *testing.T) {
	r, err := validate.URL(context.Background(), (&origin{manifest: plain}).start(t), &validate.Options{MaxFragmentSize: 450})
	require.NoError(t, err)
	assert.Equal(t, []string{"SH116"}, rulesOf(r), "%v", r.Violations)
}

func TestURLUsage(t *testing.T) {
	for _, url := range []string{"", "a.ism", "ftp://x/a.ism", "http://127.0.0.1:1/a.ism", "http://%zz/"} {
		_, err := validate.URL(context.Background(), url, nil)
		assert.Error(t, err, url)
	}
}

// TestURLOfPresentation leaves it to the validator to add the manifest's name.
func TestURLOfPresentation(t *testing.T) {
	for _, name := range []string{"/a.ism", "/a.ism/", "/b/A.ISML", "/x.mp4", "/x.isma?token=a/b"} {
		var asked string
		h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			asked = r.URL.RequestURI()
			http.NotFound(w, r)
		})
		_, err := validate.Handler(context.Background(), h, name, &validate.Options{ManifestOnly: true})
		require.NoError(t, err)
		bare, query, _ := strings.Cut(name, "?")
		want := strings.TrimSuffix(bare, "/") + "/Manifest"
		if query != "" {
			want += "?" + query
		}
		assert.Equal(t, want, asked, name)
	}
}

func TestURLSample(t *testing.T) {
	url := (&origin{manifest: plain}).start(t)
	for n, want := range map[int]int{1: 4, 2: 7, 3: 9, 100: 11} {
		r, err := validate.URL(context.Background(), url, &validate.Options{Sample: n})
		require.NoError(t, err)
		assert.Empty(t, r.Violations)
		assert.Equal(t, want, r.Checked.Fragments, "sample %d", n)
	}
	r, err := validate.URL(context.Background(), strings.TrimSuffix(url, "/Manifest"), &validate.Options{ManifestOnly: true})
	require.NoError(t, err)
	assert.Equal(t, validate.Counts{Documents: 1, Streams: 3, Levels: 4, Chunks: 7, Requests: 1, Bytes: int64(len(plain))}, r.Checked)
}

// TestEveryRuleHasAFixture keeps rules and fixtures together.
func TestEveryRuleHasAFixture(t *testing.T) {
	have := map[string]bool{"SH116": true, "SH136": true, "SH138": true, "SI100": true} // tests of their own above
	for _, f := range manifestFixtures() {
		have[f.rule] = true
	}
	for _, f := range fragmentFixtures() {
		have[f.rule] = true
	}
	for _, f := range urlFixtures() {
		have[f.rule] = true
	}
	for _, f := range mediaFixtures() {
		have[f.rule] = true
	}
	for _, f := range serverFixtures() {
		have[f.rule] = true
	}
	seen := map[string]bool{}
	for _, r := range validate.Rules() {
		assert.True(t, have[r.ID], "rule %s has no fixture", r.ID)
		assert.False(t, seen[r.ID], "rule %s is listed twice", r.ID)
		assert.NotEmpty(t, r.Clause)
		assert.NotEmpty(t, r.Text)
		seen[r.ID] = true
	}
	for id := range have {
		assert.True(t, seen[id], "fixture for an unknown rule %s", id)
	}
}

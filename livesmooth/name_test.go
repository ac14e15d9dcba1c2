package livesmooth

import (
	"io/fs"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestValidPointName(t *testing.T) {
	for _, name := range []string{
		"demo.isml", "live/demo.isml", "a/b/c/x.ISML", "live/Zürich 2026.isml", ".hidden.isml", "a.b.isml", "com10.isml", "100%.isml",
		"console.isml", "x.ism/demo.isml", "isml/demo.isml", ".isml/demo.isml", strings.Repeat("a", 1019) + ".isml",
		"QualityLevels.isml", "Manifest/demo.isml", "Streams(a)/demo.isml",
	} {
		assert.True(t, validPointName(name), "%q", name)
	}
	for _, name := range []string{
		"", ".", "..", "/", "demo", "demo.ism", "demo.isml/", ".isml", "live/.isml", "/demo.isml", "../demo.isml", "a/../demo.isml", "a//demo.isml",
		"./demo.isml", `a\demo.isml`, "C:demo.isml", "C:/demo.isml", "a\x00.isml", "a\n/demo.isml", "\x7f.isml", "\u0085.isml", "a\xff.isml",
		"demo.isml.", "demo.isml ", "a./demo.isml", "a /demo.isml", "NUL.isml", "con/demo.isml", "com1.isml", "lpt\u00b9.isml", "aux.x.isml",
		"a%2fb.isml", "%2e%2e/demo.isml", "a%00.isml", "a*.isml", "a?.isml", `a".isml`, "a<.isml", "a>.isml", "a|.isml",
		"a.isml/demo.isml", "live/A.ISML/b/demo.isml", strings.Repeat("a", 1020) + ".isml",
	} {
		assert.False(t, validPointName(name), "%q", name)
	}
}

func TestIsPointName(t *testing.T) {
	for name, want := range map[string]bool{
		"a.isml": true, "A.IsMl": true, "x/y.isml": true, `x\y.isml`: true, ".isml": false, "x/.isml": false, "a.ism": false, "isml": false,
		"a.isml/x": false, "": false, "a.is\u017fml": false,
	} {
		assert.Equal(t, want, isPointName(name), "%q", name)
	}
}

// FuzzValidPointName: a valid name is a local path on this system, whatever it is.
func FuzzValidPointName(f *testing.F) {
	for _, s := range []string{"live/demo.isml", "../a.isml", "NUL.isml", "a:b.isml", "a%2fb.isml"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, name string) {
		if !validPointName(name) {
			return
		}
		if !fs.ValidPath(name) || !filepath.IsLocal(filepath.FromSlash(name)) || strings.ContainsAny(name, "\\:\x00") {
			t.Fatalf("%q is valid", name)
		}
	})
}

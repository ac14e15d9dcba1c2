package playlist_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/xml"
	"errors"
	"io"
	"maps"
	"regexp"
	"strings"
	"testing"

	"github.com/smoothkit/smoothkit/playlist"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// htmlElement is a start tag, with the text up to the next one.
type htmlElement struct {
	name string
	attr map[string]string
	text string
}

// readHTML reads a page that is well-formed but for the scripts, styles and void elements of HTML.
func readHTML(t *testing.T, s string) []htmlElement {
	t.Helper()
	s = regexp.MustCompile(`(?s)(<script>|<style>).*?(</)`).ReplaceAllString(s, "$1$2")
	d := xml.NewDecoder(strings.NewReader(s))
	d.Strict, d.AutoClose, d.Entity = false, xml.HTMLAutoClose, xml.HTMLEntity
	var all []htmlElement
	for {
		tok, err := d.Token()
		if errors.Is(err, io.EOF) {
			return all
		}
		require.NoError(t, err)
		switch tok := tok.(type) {
		case xml.StartElement:
			e := htmlElement{tok.Name.Local, map[string]string{}, ""}
			for _, a := range tok.Attr {
				e.attr[a.Name.Local] = a.Value
			}
			all = append(all, e)
		case xml.CharData:
			if len(all) > 0 {
				all[len(all)-1].text += strings.TrimRight(string(tok), " \n")
			}
		}
	}
}

func named(all []htmlElement, name string) (found []htmlElement) {
	for _, e := range all {
		if e.name == name {
			found = append(found, e)
		}
	}
	return found
}

// TestPageItems: what the script reads is in the page, and what the page shows without it.
func TestPageItems(t *testing.T) {
	l := evening()
	all := readHTML(t, appended(t, playlist.HTML{}, l))
	assert.Equal(t, l.Title, named(all, "title")[0].text)
	assert.Equal(t, l.Title, named(all, "h1")[0].text)
	assert.Equal(t, l.Stitched, named(all, "section")[0].attr["data-stitched"])

	items := named(all, "li")
	require.Len(t, items, 3)
	flag := func(name string) string { return name } // non-strict XML gives an attribute without a value its name
	assert.Equal(t, map[string]string{
		"data-id": "1", "data-seconds": "5.5", "data-role": "advertisement", "data-no-seek": flag("data-no-seek"),
		"data-no-skip-forward": flag("data-no-skip-forward"), "data-no-skip-back": flag("data-no-skip-back"),
	}, items[0].attr)
	assert.Equal(t, map[string]string{
		"data-id": "2", "data-seconds": "", "data-role": "", "data-no-skip-back": flag("data-no-skip-back"),
	}, items[1].attr)
	assert.Equal(t, map[string]string{"data-id": "3.1", "data-seconds": "5400", "data-role": ""}, items[2].attr)

	var urls, names []string
	for i, e := range all {
		if e.name == "a" && all[i+1].attr["class"] == "name" {
			urls, names = append(urls, e.attr["href"]), append(names, all[i+1].text)
		}
	}
	assert.Equal(t, []string{l.Items[0].URL, l.Items[1].URL, l.Items[2].URL}, urls)
	assert.Equal(t, []string{"Soap", "Grüße, <b>Welt</b>", "Entry 3.1"}, names)
	assert.Contains(t, appended(t, playlist.HTML{}, l), ">1:30:00 <")
}

// TestPagePolicy: the page has one script and one style, those whose hashes are in the policy, and nothing in its markup
// that the policy would stop. That holds whatever the listing says.
func TestPagePolicy(t *testing.T) {
	policy := playlist.HTML{}.ContentSecurityPolicy()
	assert.True(t, strings.HasPrefix(policy, "default-src 'none'; "), policy)
	assert.NotContains(t, policy, "unsafe")
	for _, l := range []*playlist.Listing{evening(), nasty(), {}} {
		s := appended(t, playlist.HTML{}, l)
		for _, name := range []string{"script", "style"} {
			found := regexp.MustCompile(`(?s)<`+name+`(.*?)>(.*?)</`+name+`>`).FindAllStringSubmatch(s, -1)
			require.Len(t, found, 1, name)
			assert.Empty(t, found[0][1], "attributes")
			sum := sha256.Sum256([]byte(found[0][2]))
			assert.Contains(t, policy, name+"-src 'sha256-"+base64.StdEncoding.EncodeToString(sum[:])+"';")
		}
		all := readHTML(t, s)
		require.Len(t, named(all, "li"), len(l.Items))
		for _, e := range all {
			for name := range maps.Keys(e.attr) {
				assert.False(t, strings.HasPrefix(name, "on") || name == "style", "%s has %s", e.name, name)
			}
			assert.NotContains(t, []string{"b", "base", "iframe", "object", "embed"}, e.name)
		}
	}
}

// TestPageURLs: a URL that would run as a script is not given.
func TestPageURLs(t *testing.T) {
	for _, u := range []string{"javascript:alert(1)", " JavaScript:alert(1)", "data:text/html,x", "vbscript:x"} {
		all := readHTML(t, appended(t, playlist.HTML{}, &playlist.Listing{Items: []playlist.Item{{ID: "1", URL: u}}}))
		assert.Equal(t, "#ZgotmplZ", named(all, "a")[1].attr["href"], u)
	}
}

// TestPageEmpty: a playlist without entries and title has a page too.
func TestPageEmpty(t *testing.T) {
	s := appended(t, playlist.HTML{}, &playlist.Listing{})
	assert.Contains(t, s, "This playlist is empty.")
	assert.Contains(t, s, "<title>Playlist</title>")
	assert.NotContains(t, appended(t, playlist.HTML{}, evening()), "This playlist is empty.")
}

// TestPageControls: what needs a name for screen readers has one.
func TestPageControls(t *testing.T) {
	all := readHTML(t, appended(t, playlist.HTML{}, evening()))
	for _, name := range []string{"button", "input", "video"} {
		require.NotEmpty(t, named(all, name))
		for _, e := range named(all, name) {
			assert.True(t, e.attr["aria-label"] != "" || strings.TrimSpace(e.text) != "", "%s %s", name, e.attr["id"])
		}
	}
	for _, e := range named(all, "svg") {
		assert.Equal(t, "true", e.attr["aria-hidden"])
	}
}

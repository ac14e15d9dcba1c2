package e2e_test

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/smooth"
)

// TestMediaServer does what an operator does who moves a Windows server with Media Services: looks at what is understood of its
// configuration, serves its directories at the old URLs, has an encoder push and viewers watch, manages it in the console, changes the
// configuration and then the process under them, and reads the logs.
func TestMediaServer(t *testing.T) {
	t.Parallel()
	need(t, "ffmpeg")
	browser := chromium(t)
	b := newBox(t)
	b.check(t)
	server, err := startServer(t, b.exe, b.args()...)
	require.NoError(t, err)
	encoder := keepPushing(t, b.url(boxPoint)+"/Streams(enc1)")
	b.oldURLs(t)
	together(t, map[string]func() error{
		"playlist":  func() error { return b.playlist() },
		"throttled": func() error { return b.throttled() },
		"console":   func() error { return b.console(t, browser) },
		"old link in hls.js": func() error {
			_, err := play(t, order{
				Player: "hls", URL: b.url(boxLocator + "/sample.ism/" + master("m3u8-aapl")), Seconds: 2, Seek: 19, Chromium: browser, Brief: true,
			})
			return err
		},
	})
	b.measured(t)
	server = b.takeOver(t, server, encoder, browser)
	b.recorded(t)
	b.loses(t, encoder)
	require.NoError(t, encoder.end())
	require.NoError(t, server.interrupt())
	b.counted(t)
}

// check looks at the configuration as an operator does before it is used, and at one with a mistake.
func (b *box) check(t *testing.T) {
	t.Helper()
	out, err := run(t, time.Minute, b.exe, b.args("-check")...)
	require.NoError(t, err, out)
	for _, want := range []string{
		`applicationHost\.config:\d+: .*bitrateThrottling`,
		`applicationHost\.config:\d+: .*not understood: .*`,
		`applicationHost\.config:6: / of site "Default Web Site" is .*wwwroot`,
		`applicationHost\.config:7: /media of site "Default Web Site" is .*media`,
		`applicationHost\.config:8: /gone of site "Default Web Site" is left out: where E:\\gone is now is not said`,
		`applicationHost\.config:19: https at :443 is left out`,
		`applicationHost\.config:22: site "Old" is left out: it is stopped`,
		`site "Default Web Site": hosts all, addresses \[` + b.address[0] + " " + b.address[1] + `\]`,
		`site "Films": hosts \[films\.example\], addresses \[` + b.address[0] + `\]`,
		`The configuration can be used\.`,
	} {
		assert.Regexp(t, `(?m)`+want, out)
	}
	out, err = run(t, time.Minute, b.exe, "-import", module(t, "smooth/iis/testdata/applicationHost.config"), "-map", `C:\inetpub\wwwroot=`+b.root, "-check")
	require.NoError(t, err, out)
	for _, want := range []string{
		`applicationHost\.config:\d+: system\.webServer/media/bitrateThrottling`, `applicationHost\.config:\d+: /shop of site "Default Web Site" is left out`,
		`site "Default Web Site": hosts all, .* root .*wwwroot`, `The configuration can be used\.`,
	} {
		assert.Regexp(t, `(?m)`+want, out, "the sample of package iis")
	}
	writeFile(t, b.dir, "broken.yaml", "sample: true\nlive:\n  memry: 5MB\n")
	out, err = run(t, time.Minute, b.exe, "-config", filepath.Join(b.dir, "broken.yaml"), "-check")
	assert.Error(t, err)
	assert.Contains(t, out, `broken.yaml:3: unknown key "memry"`)
}

// oldURLs asks for everything at the URLs that it had.
func (b *box) oldURLs(t *testing.T) {
	t.Helper()
	for _, c := range []struct{ url, host, want string }{
		{b.url(""), "", "The old page"},
		{b.url("hello.txt"), "", "hello"},
		{b.url("Hello.TXT"), "", "hello"},
		{b.url("media/there.txt"), "", "on the other drive"},
		{"http://" + b.address[1] + "/media/there.txt", "", "on the other drive"},
		{b.url("there.txt"), "films.example", "on the other drive"},
		{b.url("sample.ism/Manifest"), "films.example", "SmoothStreamingMedia"},
		{b.url("vod/sample.ism/" + master("m3u8-aapl")), "", "#EXTM3U"},
		{b.url("console/"), "", "<h1>"},
	} {
		a, err := inquire(c.url, c.host)
		require.NoError(t, err)
		assert.Equal(t, http.StatusOK, a.status, c.url)
		assert.Contains(t, string(a.body), c.want, c.url)
	}
	a, err := inquire(b.url("hello.txt"), "")
	require.NoError(t, err)
	assert.Equal(t, "old", a.header.Get("X-Box"), "by web.config")
	for url, status := range map[string]int{
		b.url("web.config"): 404, b.url("vod/sample.ism"): 404, b.url("gone/x.txt"): 404, b.url("page.php"): 404, b.url("newest/hello.txt"): 404,
	} {
		a, err := inquire(url, "")
		require.NoError(t, err)
		assert.Equal(t, status, a.status, url)
	}
	b.presentation(t, b.url("vod/sample.ism/"), filepath.Join(b.root, "vod"))
	b.presentation(t, b.url("media/sample.ism/"), filepath.Join(b.drive, "media"))
	b.presentation(t, b.url(boxLocator+"/sample.ism/"), filepath.Join(b.root, "vod"))
}

// presentation compares all media of a presentation with the files of a directory.
func (b *box) presentation(t *testing.T, url, dir string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.ism[vat]"))
	require.NoError(t, err)
	var content [][]byte
	for _, f := range files {
		data, err := os.ReadFile(f)
		require.NoError(t, err)
		content = append(content, data)
	}
	m, err := smooth.ParseManifest(download(t, url+"Manifest"))
	require.NoError(t, err)
	compared := 0
	for _, st := range m.Streams {
		for _, l := range st.Levels {
			for _, c := range st.Timeline {
				path := fmt.Sprintf("QualityLevels(%d)/Fragments(%s=%d)", l.Bitrate, st.Name, c.Time)
				if !inOne(content, mediaOf(download(t, url+path))) {
					require.Fail(t, "media that are in no file", "%s%s", url, path)
				}
				compared++
			}
		}
	}
	assert.Greater(t, compared, 60)
}

// mediaOf returns the samples of a fragment: what is behind its moof.
func mediaOf(fragment []byte) []byte {
	if len(fragment) < 16 || string(fragment[4:8]) != "moof" {
		return nil
	}
	size := int(fragment[0])<<24 | int(fragment[1])<<16 | int(fragment[2])<<8 | int(fragment[3])
	if size < 8 || size >= len(fragment)-8 {
		return nil
	}
	return fragment[size:]
}

// inOne reports whether one of several files has a part, which is not empty.
func inOne(files [][]byte, part []byte) bool {
	for _, f := range files {
		if len(part) > 8 && bytes.Contains(f, part) {
			return true
		}
	}
	return false
}

// throttled downloads a film: what its burst leaves over comes at its own speed.
func (b *box) throttled() error {
	start := time.Now()
	a, err := inquire(b.url(trailer), "")
	if err != nil {
		return err
	}
	want, err := os.ReadFile(filepath.Join(b.root, filepath.FromSlash(trailer)))
	if err != nil {
		return err
	}
	if !bytes.Equal(want, a.body) {
		return errors.New("what was sent is not the film")
	}
	const law = boxTrailer - boxBurst
	return within("seconds it took", time.Since(start).Seconds(), 0.9*law, 2.5*law)
}

// playlist plays a list whose first entry may not be skipped.
func (b *box) playlist() error {
	a, err := inquire(b.url("evening.isx"), "")
	if err != nil {
		return err
	}
	entries := regexp.MustCompile(`(?i)<ref\s+href="([^"]+)"`).FindAllStringSubmatch(string(a.body), -1)
	if a.status != http.StatusOK || len(entries) != 2 {
		return fmt.Errorf("status %d: %s", a.status, a.body)
	}
	second := strings.ReplaceAll(entries[1][1], "&amp;", "&")
	refused, err := inquire(second, "")
	if err != nil {
		return err
	}
	if rule := refused.header.Get("X-Playlist-Rule"); refused.status != http.StatusForbidden || rule != "no-skip-forward" {
		return fmt.Errorf("skipping is answered with %d, rule %q", refused.status, rule)
	}
	first, err := inquire(strings.ReplaceAll(entries[0][1], "&amp;", "&"), "")
	if err != nil {
		return err
	}
	spot, err := os.ReadFile(filepath.Join(b.root, "ads", "spot.mp4"))
	if err != nil || !bytes.Equal(spot, first.body) {
		return errors.Join(err, fmt.Errorf("the first entry: status %d, %d of %d bytes", first.status, len(first.body), len(spot)))
	}
	rest, err := inquire(second, "")
	if err == nil && string(rest.body) != "hello\n" {
		err = fmt.Errorf("the second entry: status %d, %q", rest.status, rest.body)
	}
	return err
}

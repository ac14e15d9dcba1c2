package server_test

import (
	"bufio"
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/bcrypt"

	"github.com/smoothkit/smoothkit/examples/mediaserver/internal/config"
	"github.com/smoothkit/smoothkit/examples/mediaserver/internal/server"
	"github.com/smoothkit/smoothkit/smooth/access"
	"github.com/smoothkit/smoothkit/smooth/smoothtest"
)

// urlKey signs tokens in these tests.
const urlKey = "0123456789abcdef0123456789abcdef"

// signedBy is a policy by signed URLs.
const signedBy = "{signed: {keys: [" + urlKey + "]}}"

// stranger is somebody on another machine who asks for a host by its public name.
func stranger(r *http.Request) { r.RemoteAddr, r.Host = "192.0.2.7:99", "www.example.com" }

// with changes a request by several functions.
func with(changes ...func(*http.Request)) func(*http.Request) {
	return func(r *http.Request) {
		for _, change := range changes {
			change(r)
		}
	}
}

func header(name, value string) func(*http.Request) {
	return func(r *http.Request) { r.Header.Set(name, value) }
}

func basicAuth(user, password string) func(*http.Request) {
	return header("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(user+":"+password)))
}

// hashed puts the hash of a password into the environment, and returns how a configuration names it.
func hashed(t *testing.T, name, password string) string {
	t.Helper()
	hash, err := bcrypt.GenerateFromPassword([]byte(password), bcrypt.MinCost)
	require.NoError(t, err)
	t.Setenv(name, string(hash))
	return "${" + name + "}"
}

// tokenFor returns a token for a path.
func tokenFor(t *testing.T, path, role string) string {
	t.Helper()
	signer, err := access.NewSigner([]byte(urlKey))
	require.NoError(t, err)
	token, err := signer.Sign(access.Grant{Path: path, Role: role, Expires: time.Now().Add(time.Hour)})
	require.NoError(t, err)
	return token
}

// TestManagementByDetours: no detour leads who is no operator to what only operators may.
func TestManagementByDetours(t *testing.T) {
	s := newServer(t, parsed(t, site(t), `
root: DIR
live: {demo: true}
aliases: [`+aliases(t, "/old/* /*\n/statistics /metrics\n")+`]
access:
  paths: {/vod: `+signedBy+`}
`))
	token := tokenFor(t, "/vod/*", "")
	for _, prefix := range []string{"", "/t/" + token, "/t/" + strings.Repeat("A", 60), "/old", "/t/" + token + "/old"} {
		for _, path := range []string{"/console", "/console/", "/console/points", "/metrics", "/live/demo.isml/state", "/live/demo.isml/settings"} {
			w := ask(s, http.MethodGet, prefix+path, stranger)
			assert.Contains(t, []int{401, 403}, w.Code, prefix+path)
		}
		for _, path := range []string{"/console/point?name=live/demo.isml", "/live/demo.isml/state", "/live/demo.isml/settings"} {
			for _, method := range []string{http.MethodPost, http.MethodPut, http.MethodDelete, http.MethodPatch} {
				w := ask(s, method, prefix+path, stranger)
				assert.Contains(t, []int{401, 403, 405}, w.Code, method+" "+prefix+path)
				assert.NotContains(t, w.Header().Get("Set-Cookie"), "console", method+" "+prefix+path)
			}
		}
		assert.Contains(t, []int{401, 403}, ask(s, http.MethodDelete, prefix+"/live/demo.isml", stranger).Code, prefix)
		assert.Contains(t, []int{401, 403, 404}, ask(s, http.MethodPut, prefix+"/live/new.isml", stranger).Code, prefix)
	}
	assert.Equal(t, 403, ask(s, http.MethodGet, "/statistics", stranger).Code)
	assert.Equal(t, 200, ask(s, http.MethodGet, "/statistics").Code, "an operator may use aliases")
	for _, path := range []string{
		"//console/", "/./console/", "/%63onsole/", "/console%2f", "/vod/../console/", "/vod/%2e%2e/console/", "/CONSOLE/", "/metrics/", "/METRICS",
	} {
		w := ask(s, http.MethodGet, path, stranger)
		assert.Contains(t, []int{400, 403, 404}, w.Code, path)
	}
	for _, name := range []string{"X-Original-Url", "X-Rewrite-Url", "X-Forwarded-Host", "X-Http-Method-Override"} {
		w := ask(s, http.MethodGet, "/metrics", with(stranger, header(name, "/")))
		assert.Equal(t, 403, w.Code, name)
	}
	for _, name := range []string{"X-Forwarded-For", "X-Real-Ip", "Forwarded", "Via", "X-Forwarded-Host"} {
		assert.Equal(t, 403, ask(s, http.MethodGet, "/metrics", header(name, "127.0.0.1")).Code, "behind a proxy: "+name)
	}
}

// TestListenerRoles: a listener that is for some roles is not for the others, whatever the request looks like.
func TestListenerRoles(t *testing.T) {
	cfg := parsed(t, site(t), `
root: DIR
live: {demo: true}
aliases: [`+aliases(t, "/old/* /*\n")+`]
access: {operators: `+signedBy+`}
`)
	s := newServer(t, cfg)
	token := tokenFor(t, "/*", "operators")
	on := func(roles ...config.Role) func(*http.Request) {
		l := &config.Listener{For: roles}
		return func(r *http.Request) {
			*r = *r.WithContext(server.WithListener(r.Context(), func() *config.Listener { return l }))
		}
	}
	for _, path := range []string{"/t/" + token + "/console/", "/console/?token=" + token, "/old/console/?token=" + token, "/t/" + token + "/old/metrics"} {
		assert.Equal(t, 200, ask(s, http.MethodGet, path).Code, path)
		status := 404
		if strings.Contains(path, "/old/") {
			status = 403 // the alias is for viewers
		}
		assert.Equal(t, status, ask(s, http.MethodGet, path, on(config.Viewers)).Code, path)
		assert.Equal(t, 404, ask(s, http.MethodGet, path, on(config.Encoders)).Code, path)
	}
	assert.Equal(t, 200, ask(s, http.MethodGet, "/t/"+token+"/console/", on(config.Operators)).Code)
	assert.Equal(t, 200, ask(s, http.MethodGet, "/console/?token="+token, on(config.Operators, config.Encoders)).Code)
	manifest, push := "/vod/sample.ism/Manifest", "/live/demo.isml/Streams(a)"
	assert.Equal(t, 200, ask(s, http.MethodGet, manifest, on(config.Viewers)).Code)
	assert.Equal(t, 404, ask(s, http.MethodGet, manifest, on(config.Encoders)).Code)
	assert.Equal(t, 404, ask(s, http.MethodGet, manifest, on(config.Operators)).Code)
	assert.Equal(t, 404, ask(s, http.MethodPost, push, on(config.Viewers)).Code)
	assert.Equal(t, 404, ask(s, http.MethodGet, push, on(config.Viewers)).Code, "what servers pull is not for viewers")
	assert.NotEqual(t, 404, ask(s, http.MethodPost, push, on(config.Encoders)).Code)
	assert.Equal(t, 200, ask(s, http.MethodGet, "/healthz", on(config.Encoders)).Code)
}

// TestOtherNames: a presentation, a directory or a recording under another of its names has the same rules.
func TestOtherNames(t *testing.T) {
	root, rec := site(t), t.TempDir()
	require.NoError(t, os.CopyFS(filepath.Join(root, "video"), smoothtest.Sample()))
	s := newServer(t, parsed(t, root, `
root: DIR
live: {demo: true}
archive: {directory: `+rec+`}
access:
  paths:
    /vod/sample.ism: `+signedBy+`
    /video: `+signedBy+`
    /live/demo.isml: `+signedBy+`
`))
	enc := event()
	body, done := startPush(t, s, "live/demo.isml")
	body.write(enc.Header(), enc.Until(8*time.Second))
	body.end()
	<-done
	media, err := filepath.Glob(filepath.Join(root, "vod", "*.ism[va]"))
	require.NoError(t, err)
	require.NotEmpty(t, media)
	for _, name := range media {
		for _, path := range []string{"/vod/", "/VOD/"} {
			path += filepath.Base(name) + "/Manifest"
			assert.Equal(t, 404, ask(s, http.MethodGet, path).Code, "media of a presentation is none of its own: "+path)
		}
	}
	for _, path := range []string{
		"/vod/sample.ism/Manifest", "/VOD/SAMPLE.ISM/Manifest", "/vod/sample-m3u8-aapl.ism/Manifest(format=m3u8-aapl)",
		"/vod/Sample-M3U8-aapl.ISM/Manifest", "/vod/sample-m3u8-aapl-m3u8-aapl.ism/Manifest", "/vod/sample-m3u8-aapl.ism/hls-ts/master.m3u8",
		"/video.ism/Manifest", "/VIDEO-m3u8-aapl.ism/Manifest", "/video.ism", // MP4 files in a directory
		"/v%C4%B1deo/sample.ism/Manifest", "/v%C4%B0deo/sample.ism/Manifest", "/v%C4%B1deo/sample-m3u8-aapl.ism/Manifest",
	} {
		assert.Equal(t, 403, ask(s, http.MethodGet, path).Code, path)
	}
	var list []server.Presentation
	eventually(t, "a recording", func() bool {
		all, err := s.Presentations(t.Context())
		require.NoError(t, err)
		list = slices.DeleteFunc(all, func(p server.Presentation) bool { return p.Recording == nil })
		return len(list) == 1
	})
	for _, p := range list {
		assert.Equal(t, 403, ask(s, http.MethodGet, "/"+p.URL).Code, p.URL)
		assert.Equal(t, 403, ask(s, http.MethodGet, "/"+p.HLS).Code, p.HLS)
		dir := "/" + p.URL[:strings.LastIndex(p.URL, "/demo.ism")]
		for _, name := range []string{"/demo.ism/Manifest", "/demo.isml/Manifest", "/1/demo.ism/Manifest", "/1/demo-m3u8-aapl.ism/Manifest"} {
			assert.Equal(t, 403, ask(s, http.MethodGet, dir+name).Code, dir+name)
			assert.Equal(t, 403, ask(s, http.MethodGet, strings.Replace(dir, "demo-isml", "Demo-ISML", 1)+name).Code, name)
		}
		token := tokenFor(t, dir+"/*", "")
		assert.Equal(t, 200, ask(s, http.MethodGet, "/t/"+token+dir+"/1/demo.ism/Manifest").Code)
	}
}

// TestRulesOfTheArchive: rules that say something of the archive itself count there.
func TestRulesOfTheArchive(t *testing.T) {
	s := newServer(t, parsed(t, site(t), `
root: DIR
archive: {directory: `+t.TempDir()+`}
access:
  viewers: `+signedBy+`
  paths: {/live: {deny: [192.0.2.0/24]}, /archive: {}}
`))
	assert.Equal(t, 404, ask(s, http.MethodGet, "/archive/live/x-isml/1/x.ism/Manifest", stranger).Code)
	assert.Equal(t, 403, ask(s, http.MethodGet, "/live/x.isml/Manifest", stranger).Code)
	assert.Equal(t, 403, ask(s, http.MethodGet, "/vod/sample.ism/Manifest").Code)
}

// TestArchiveBelowRoot: recordings that lie below the root have the rules of their points there too.
func TestArchiveBelowRoot(t *testing.T) {
	root := site(t)
	require.NoError(t, os.CopyFS(filepath.Join(root, "rec/live/demo-isml/20260101T000000Z/1"), smoothtest.Sample()))
	require.NoError(t, os.CopyFS(filepath.Join(root, "rec/two/live/x-isml/20260101T000000Z/1"), smoothtest.Sample()))
	s := newServer(t, parsed(t, root, `
root: DIR
archive: {directory: rec}
sites: [{name: two, hosts: [two.example]}]
access: {paths: {/live/demo.isml: `+signedBy+`}}
`))
	for _, path := range []string{"/rec/live/demo-isml", "/REC/live/demo-isml", "/archive/live/demo-isml"} {
		assert.Equal(t, 403, ask(s, http.MethodGet, path+"/20260101T000000Z/1/sample.ism/Manifest").Code, path)
	}
	foreign := "/two/live/x-isml/20260101T000000Z/1/sample.ism/Manifest"
	for _, path := range []string{"/rec" + foreign, "/archive" + foreign, "/archive" + strings.Replace(foreign, "two", "TWO", 1), "/rec/TWO" + foreign[4:]} {
		assert.Equal(t, 404, ask(s, http.MethodGet, path).Code, "what another site has recorded: "+path)
	}
	assert.Equal(t, 200, ask(s, http.MethodGet, "http://two.example/archive"+foreign[4:]).Code)
}

// TestHidden: what is only for playlists is not sent under any spelling.
func TestHidden(t *testing.T) {
	root := site(t)
	require.NoError(t, os.CopyFS(filepath.Join(root, "ads/film"), smoothtest.Sample()))
	up := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "spot") }))
	defer up.Close()
	s := newServer(t, parsed(t, root, "root: DIR\nhide: [/ads, /cdn/ads]\naliases: ["+aliases(t, "/x/* /ads/*\n")+
		"]\nedge: [{path: /cdn, upstreams: [{url: '"+up.URL+"'}]}]\n"))
	for _, path := range []string{
		"/ads/spot.wmv", "/ADS/spot.wmv", "/ad%C5%BF/spot.wmv", "/ads/film/sample.ism/Manifest", "/AD%C5%BF/film/sample.ism/Manifest",
		"/x/spot.wmv", "/cdn/ads/spot.wmv", "/cdn/ADS/spot.wmv", "/ads", "/ads/",
	} {
		assert.Equal(t, 404, ask(s, http.MethodGet, path).Code, path)
	}
	assert.Equal(t, 200, ask(s, http.MethodGet, "/cdn/other.wmv").Code)
}

// TestPullIsWatching: who may not watch may not pull the streams of a point either, unless encoders have rules of their own.
func TestPullIsWatching(t *testing.T) {
	root := site(t)
	pull := "/live/demo.isml/Streams(a)"
	s := newServer(t, parsed(t, root, "root: DIR\nlive: {demo: true}\naccess: {paths: {/live: "+signedBy+"}}\n"))
	assert.Equal(t, 403, ask(s, http.MethodGet, pull).Code)
	assert.Equal(t, 403, ask(s, http.MethodGet, "/live/demo.isml/StreamManifest").Code)
	assert.NotEqual(t, 403, ask(s, http.MethodGet, pull+"?token="+tokenFor(t, "/live/*", ""), leaving).Code)
	s = newServer(t, parsed(t, root, "root: DIR\nlive: {demo: true}\naccess: {encoders: {allow: [127.0.0.0/8]}, paths: {/live: "+signedBy+"}}\n"))
	assert.NotEqual(t, 403, ask(s, http.MethodGet, pull, leaving).Code)
	assert.Equal(t, 403, ask(s, http.MethodGet, pull, stranger).Code)
}

// leaving is who does not wait for a stream to begin.
func leaving(r *http.Request) {
	ctx, leave := context.WithCancel(r.Context())
	leave()
	*r = *r.WithContext(ctx)
}

// TestSiteRules: a site has the rules of the server where it says nothing, also where it adds rules for a part.
func TestSiteRules(t *testing.T) {
	root := site(t)
	s := newServer(t, parsed(t, root, `
sites:
  - {name: one, hosts: [one.example], root: DIR}
  - name: two
    hosts: [two.example]
    root: DIR
    siteAccess:
      paths: {/Films: {}}
      operators: {basic: {users: {olga: '`+hashed(t, "SMOOTHKIT_TEST_OLGA", "secret")+`'}}}
access:
  viewers: `+signedBy+`
  paths: {/ads: {}}
`))
	token := tokenFor(t, "/vod/*", "")
	for path, status := range map[string]int{
		"/vod/sample.ism/Manifest": 403, "/t/" + token + "/vod/sample.ism/Manifest": 200, "/vod/sample.ism/Manifest?token=" + token: 200,
		"/Films/Trailer.wmv": 200, "/ads/spot.wmv": 200, "/index.html": 403,
	} {
		assert.Equal(t, status, ask(s, http.MethodGet, "http://two.example"+path).Code, path)
	}
	assert.Equal(t, 403, ask(s, http.MethodGet, "http://one.example/Films/Trailer.wmv").Code)
	for _, path := range []string{"/console/", "/metrics"} {
		w := ask(s, http.MethodGet, "http://two.example"+path, basicAuth("olga", "secret"))
		assert.Equal(t, 403, w.Code, "the operators of a site do not manage the others: "+path)
	}
	assert.NotContains(t, []int{401, 403}, ask(s, http.MethodGet, "http://two.example/live/x.isml/state", basicAuth("olga", "secret")).Code)
	assert.Equal(t, 401, ask(s, http.MethodGet, "http://two.example/live/x.isml/state").Code)
	assert.Equal(t, 403, ask(s, http.MethodGet, "http://one.example/live/x.isml/state", basicAuth("olga", "secret")).Code)
}

// TestUpstreamsLearnNothing: what viewers prove to this server who they are with is not sent on to others, and what they get is cached
// for all who are let in.
func TestUpstreamsLearnNothing(t *testing.T) {
	var asked []string
	up := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.Method+" "+r.URL.String()+" "+r.Header.Get("Authorization")+r.Header.Get("Referer"))
		w.Header().Set("Cache-Control", "max-age=60")
		io.WriteString(w, "media")
	}))
	defer up.Close()
	edges := "edge: [{path: /cdn, upstreams: [{url: '" + up.URL + "', headers: {X-Edge: secret}}]}]\n"
	s := newServer(t, parsed(t, t.TempDir(), edges+"access: {viewers: {signed: {keys: ["+urlKey+"]}, basic: {users: {vera: '"+
		hashed(t, "SMOOTHKIT_TEST_VERA", "secret")+"'}}}}\n"))
	token := tokenFor(t, "/cdn/*", "")
	for i, path := range []string{"/cdn/" + firstFragment, "/t/" + token + "/cdn/" + firstFragment, "/cdn/" + firstFragment + "?token=" + token} {
		change := header("Referer", "http://localhost/t/"+token+"/x")
		if i == 0 {
			change = basicAuth("vera", "secret")
		}
		w := ask(s, http.MethodGet, path, change)
		assert.Equal(t, 200, w.Code, path)
		assert.Equal(t, []string{"MISS", "HIT", "HIT"}[i], w.Header().Get("X-Cache"), path)
	}
	assert.Equal(t, []string{"GET /" + firstFragment + " "}, asked)
	assert.Equal(t, 403, ask(s, http.MethodGet, "/cdn/"+firstFragment+"?token="+token+"x").Code, "what is cached is locked as well")

	asked = nil
	w := ask(s, http.MethodGet, "/cdn/a.ism/Manifest", basicAuth("vera", "secret"))
	assert.Equal(t, 200, w.Code)
	w = ask(s, http.MethodGet, "/cdn/a.ism/Manifest?token="+token)
	assert.Equal(t, 200, w.Code)
	assert.Equal(t, []string{"GET /a.ism/Manifest ", "GET /a.ism/Manifest?token=" + token + " "}, asked, "who makes manifests has to repeat the token")

	asked = nil
	for _, method := range []string{http.MethodPost, http.MethodPut, http.MethodDelete} {
		assert.Contains(t, []int{403, 405}, ask(s, method, "/cdn/a.ism/Manifest").Code, "nobody may write on behalf of the edge: "+method)
	}
	assert.Empty(t, asked)
	s = newServer(t, parsed(t, t.TempDir(), edges))
	assert.Equal(t, 200, ask(s, http.MethodGet, "/cdn/b", header("Authorization", "Bearer theirs")).Code)
	assert.Equal(t, []string{"GET /b Bearer theirs"}, asked, "what is not for this server is for the upstream")
}

// TestRewrittenPaths: rules that make a path of what a client sends do not lead around the rules of where it leads.
func TestRewrittenPaths(t *testing.T) {
	root := site(t)
	require.NoError(t, os.WriteFile(filepath.Join(root, "web.config"), []byte(`<configuration><system.webServer><rewrite><rules>
		<rule name="play" stopProcessing="true"><match url="^play$"/>
		<conditions><add input="{QUERY_STRING}" pattern="f=(.*)"/></conditions>
		<action type="Rewrite" url="/{C:1}" appendQueryString="false"/></rule></rules></rewrite></system.webServer></configuration>`), 0o644))
	s := newServer(t, parsed(t, root, "root: DIR\nimport: [{file: web.config}]\nlive: {demo: true}\naccess: {paths: {/vod: "+signedBy+"}}\n"))
	assert.Equal(t, 200, ask(s, http.MethodGet, "/play?f=Films/Trailer.wmv", stranger).Code, "the rule works")
	for _, to := range []string{
		"vod/sample.ism/Manifest", "VOD/sample.ism/Manifest", "Films/../vod/sample.ism/Manifest", "./vod/sample.ism/Manifest", "Films//../vod/sample.ism/Manifest",
		"/vod/sample.ism/Manifest", "vod%2fsample.ism/Manifest", "vod%252fsample.ism/Manifest", "%2e/vod/sample.ism/Manifest", `Films\..\vod\sample.ism\Manifest`,
		"console/", "./console/", "console", "metrics", "Films/../metrics", "live/demo.isml/state",
	} {
		w := ask(s, http.MethodGet, "/play?f="+to, stranger)
		assert.Contains(t, []int{400, 403, 404}, w.Code, to)
	}
}

// TestListsWhatMayBeSeen: the page does not list what has rules of its own to who has not been let in by them.
func TestListsWhatMayBeSeen(t *testing.T) {
	s := newServer(t, parsed(t, site(t), "root: DIR\nsample: true\nhide: [/ads]\nlive: {demo: true}\naccess: {paths: {/vod: "+signedBy+", /live: "+signedBy+"}}\n"))
	w := ask(s, http.MethodGet, "/presentations.json")
	assert.Equal(t, 200, w.Code)
	assert.Contains(t, w.Body.String(), "sample/sample.ism")
	assert.NotContains(t, w.Body.String(), "vod/")
	assert.NotContains(t, w.Body.String(), "demo.isml")
}

// TestEncodersAreNoPages: pages of other origins do not push on behalf of who looks at them.
func TestEncodersAreNoPages(t *testing.T) {
	s := newServer(t, parsed(t, site(t), "root: DIR\nlive: {demo: true, create: true}\n"))
	for _, site := range []string{"cross-site", "same-site"} {
		assert.Equal(t, 403, ask(s, http.MethodPost, "/live/demo.isml/Streams(a)", header("Sec-Fetch-Site", site)).Code)
		assert.Equal(t, 403, ask(s, http.MethodPut, "/live/new.isml", header("Sec-Fetch-Site", site)).Code)
	}
	assert.Equal(t, 403, ask(s, http.MethodPost, "/live/demo.isml/Streams(a)", header("Origin", "http://evil.example")).Code)
	assert.NotEqual(t, 403, ask(s, http.MethodPost, "/live/demo.isml/Streams(a)").Code)
}

// TestGuessing: wrong passwords are counted by the client, not by the proxy before it.
func TestGuessing(t *testing.T) {
	s := newServer(t, parsed(t, site(t), "root: DIR\naccess: {trustedProxies: [10.0.0.1], viewers: {basic: {users: {vera: '"+
		hashed(t, "SMOOTHKIT_TEST_VERA", "secret")+"'}}}}\n"))
	get := func(client, password string) int {
		return ask(s, http.MethodGet, "/Films/Trailer.wmv", from("10.0.0.1:5"), header("X-Forwarded-For", client), basicAuth("vera", password)).Code
	}
	for range access.DefaultMaxAttempts {
		assert.Equal(t, 401, get("192.0.2.7", "wrong"))
	}
	assert.Equal(t, 429, get("192.0.2.7", "wrong"))
	assert.Equal(t, 200, get("192.0.2.8", "secret"), "others behind the proxy are not concerned")
	forged := ask(s, http.MethodGet, "/Films/Trailer.wmv", from("192.0.2.9:5"), header("X-Forwarded-For", "192.0.2.7"), basicAuth("vera", "wrong"))
	assert.Equal(t, 401, forged.Code, "nobody believes what clients say of themselves")
}

// TestSecretsInLogs: tokens are in no log, whatever their parameter is called.
func TestSecretsInLogs(t *testing.T) {
	root, logs := site(t), t.TempDir()
	var program strings.Builder
	s, err := server.New(parsed(t, root, "root: DIR\nusage: {json: true, log: {directory: "+logs+"}}\naccess: {paths: {/vod: {bearer: {secret: "+urlKey+
		", query: jwt}, signed: {keys: ["+urlKey+"]}}}}\n"), &server.Options{Logger: slog.New(slog.NewTextHandler(&program, &slog.HandlerOptions{Level: slog.LevelDebug}))})
	require.NoError(t, err)
	token := tokenFor(t, "/vod/*", "")
	for _, url := range []string{"/vod/sample.ism/Manifest?jwt=verysecret", "/t/" + token + "/vod/sample.ism/Manifest", "/t/" + token + "x/vod/sample.ism/Manifest"} {
		ask(s, http.MethodGet, url, header("Referer", "http://localhost"+url))
	}
	require.NoError(t, s.Close())
	told := program.String()
	for _, name := range []string{"requests.log", "sessions.log"} {
		data, err := os.ReadFile(filepath.Join(logs, name))
		require.NoError(t, err)
		told += string(data)
	}
	assert.Contains(t, told, "/vod/sample.ism/Manifest")
	assert.NotContains(t, told, "verysecret")
	assert.NotContains(t, told, token[:20])
}

// TestRawRequests: what only a program of its own can send leads nowhere.
func TestRawRequests(t *testing.T) {
	s := newServer(t, parsed(t, site(t), "root: DIR\nlive: {demo: true}\naccess: {paths: {/vod: "+signedBy+"}}\n"))
	real := httptest.NewServer(s)
	defer real.Close()
	address := real.Listener.Addr().String()
	for _, tt := range []struct {
		request string
		allowed []int
	}{
		{"GET /console/ HTTP/1.1\r\nHost: " + address + "\r\n\r\n", []int{200}},
		{"GET http://evil.example/console/ HTTP/1.1\r\nHost: localhost\r\n\r\n", []int{403}},
		{"GET /console/ HTTP/1.1\r\nHost: evil.example\r\n\r\n", []int{403}},
		{"GET /console/ HTTP/1.0\r\n\r\n", []int{403}},
		{"GET /metrics HTTP/1.0\r\nHost: " + address + "\r\n\r\n", []int{403}}, // as many proxies ask
		{"GET /vod/sample.ism/Manifest HTTP/1.0\r\n\r\n", []int{403}},
		{"GET http://x/vod/sample.ism/Manifest HTTP/1.1\r\nHost: y\r\n\r\n", []int{403}},
		{"GET http:///vod/sample.ism/Manifest HTTP/1.1\r\nHost: y\r\n\r\n", []int{400, 403}},
		{"GET vod/sample.ism/Manifest HTTP/1.1\r\nHost: y\r\n\r\n", []int{400}},
		{"GET /vod;/sample.ism/Manifest HTTP/1.1\r\nHost: y\r\n\r\n", []int{404}},
		{"GET /live/..;/vod/sample.ism/Manifest HTTP/1.1\r\nHost: y\r\n\r\n", []int{404}},
		{"GET /vod%5csample.ism/Manifest HTTP/1.1\r\nHost: y\r\n\r\n", []int{400}},
		{"GET /vod%00/sample.ism/Manifest HTTP/1.1\r\nHost: y\r\n\r\n", []int{400}},
		{"TRACE /vod/sample.ism/Manifest HTTP/1.1\r\nHost: y\r\n\r\n", []int{403, 405}},
		{"CONNECT evil.example:80 HTTP/1.1\r\nHost: evil.example:80\r\n\r\n", []int{400, 403, 405}},
		{"CONNECT /console/ HTTP/1.1\r\nHost: evil.example\r\n\r\n", []int{400, 403, 405}},
		{"OPTIONS * HTTP/1.1\r\nHost: y\r\n\r\n", []int{200, 400}},
		{"OPTIONS /console/ HTTP/1.1\r\nHost: y\r\nOrigin: http://evil.example\r\nAccess-Control-Request-Method: POST\r\n\r\n", []int{403}},
		{"get /vod/sample.ism/Manifest HTTP/1.1\r\nHost: y\r\n\r\n", []int{403, 405}},
		{"POST /vod/sample.ism/Manifest HTTP/1.1\r\nHost: y\r\nX-HTTP-Method-Override: GET\r\nContent-Length: 0\r\n\r\n", []int{403, 405}},
	} {
		conn, err := net.Dial("tcp", address)
		require.NoError(t, err)
		_, err = io.WriteString(conn, tt.request)
		require.NoError(t, err)
		resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if assert.NoError(t, err, tt.request) {
			assert.Contains(t, tt.allowed, resp.StatusCode, tt.request)
		}
		conn.Close()
	}
}

// TestEdgeAtRoot: a site that is a cache only has health and console all the same, and upstreams are not asked for them.
func TestEdgeAtRoot(t *testing.T) {
	up := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "upstream ", r.URL.Path) }))
	defer up.Close()
	s := newServer(t, parsed(t, t.TempDir(), "edge: [{path: /, upstreams: [{url: '"+up.URL+"'}]}]\n"))
	for _, path := range []string{"/healthz", "/readyz", "/console/", "/metrics"} {
		w := ask(s, http.MethodGet, path)
		assert.Equal(t, 200, w.Code, path)
		assert.NotContains(t, w.Body.String(), "upstream "+path)
	}
	for _, path := range []string{"/", "/index.html", "/presentations.json", "/vod/a.ism/Manifest", "/crossdomain.xml"} {
		w := ask(s, http.MethodGet, path)
		assert.Equal(t, 200, w.Code, path)
		assert.Equal(t, "upstream "+path, w.Body.String())
	}
}

// TestMediaOfPresentations: the files of presentations are not sent as plain files, wherever they are below.
func TestMediaOfPresentations(t *testing.T) {
	root := t.TempDir()
	manifest := `<smil xmlns="http://www.w3.org/2001/SMIL20/Language"><head/><body><switch>
		<video src="media/one%20film.mp4" systemBitrate="1"/><video src="Media\\two.mp4" systemBitrate="2"/></switch></body></smil>`
	for name, text := range map[string]string{
		"vod/film.ism": strings.ReplaceAll(manifest, `\\`, `\`), "vod/media/one film.mp4": "1", "vod/media/two.mp4": "2", "vod/media/other.mp4": "3", "vod/two.mp4": "4",
	} {
		require.NoError(t, os.MkdirAll(filepath.Dir(filepath.Join(root, name)), 0o755))
		require.NoError(t, os.WriteFile(filepath.Join(root, name), []byte(text), 0o644))
	}
	s := newServer(t, parsed(t, root, "root: DIR\n"))
	for path, status := range map[string]int{
		"/vod/media/one%20film.mp4": 404, "/vod/media/two.mp4": 404, "/VOD/MEDIA/TWO.mp4": 404, "/vod/media/other.mp4": 200, "/vod/two.mp4": 200,
	} {
		assert.Equal(t, status, ask(s, http.MethodGet, path).Code, path)
	}
}

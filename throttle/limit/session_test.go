package limit_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/throttle/limit"
)

func TestFile(t *testing.T) {
	for path, want := range map[string]string{
		"/live/a.isml/Manifest":                                       "/live/a.isml",
		"/live/a.isml/QualityLevels(300000)/Fragments(video=0)":       "/live/a.isml",
		"/a.ism/manifest(format=m3u8-aapl,filter=x).m3u8":             "/a.ism",
		"/a.ism/QualityLevels(1)/Fragments(audio=1,format=m3u8-aapl)": "/a.ism",
		"/A.ISM/Manifest":                        "/A.ISM",
		"/a.ism":                                 "/a.ism",
		"/a.ism.mp4":                             "/a.ism.mp4",
		"/film/master.m3u8":                      "/film",
		"/film/hls-ts/video/300000/0-2.ts":       "/film",
		"/film/hls-fmp4/video/300000/init-0.mp4": "/film",
		"/film/hls-muxed/key-1":                  "/film",
		"/hls-ts":                                "/hls-ts",
		"/hls/seg17.ts":                          "/hls",
		"/hls/INIT.MP4":                          "/hls",
		"/hls/seg17.M4S":                         "/hls",
		"/hls/en.webvtt":                         "/hls",
		"/master.m3u8":                           "/",
		"/films/a.mp4":                           "/films/a.mp4",
		"/films//b/../a.mp4":                     "/films/a.mp4",
		"/films/":                                "/films",
		"/a.nonsenseextension":                   "/a.nonsenseextension",
		"":                                       "/",
		"*":                                      "/*",
	} {
		assert.Equal(t, want, limit.File(&http.Request{URL: &url.URL{Path: path}}), path)
	}
}

func TestPlaybackSession(t *testing.T) {
	long := strings.Repeat("x", 257)
	for _, c := range []struct{ apple, header, query, want string }{
		{},
		{apple: "A-1", header: `sid="b"`, query: `CMCD=sid%3D%22c%22`, want: "A-1"},
		{apple: long, header: `sid="b"`, want: "b"},
		{header: `cid="x,sid=\"no\",y",pr=1,sid="b-2",st=v`, query: `CMCD=sid%3D%22c%22`, want: "b-2"},
		{query: `a=1&CMCD=br%3D3200%2Csid%3D%226e2fb550-c457-11e9-bb97-0800200c9a66%22&b`, want: "6e2fb550-c457-11e9-bb97-0800200c9a66"},
		{query: `CMCD=bs,sid=%22c%22`, want: "c"},
		{header: `sid="a\"b"`, want: `a\"b`},
		{header: ` sid="a b" `, want: `a b`},
		{header: `xsid="a"`},
		{header: `sid=a`},
		{header: `sid="`},
		{header: `sid="a`},
		{header: `sid="` + long + `"`},
		{header: `cid="` + strings.Repeat("x", 5000) + `",sid="a"`},
		{header: `cid="open,sid="a"`},
		{header: `cid="\`},
		{query: "CMCD"},
		{query: "CMCD=%zz"},
		{query: "cmcd=sid%3D%22c%22"},
		{query: "CMCD=" + strings.Repeat("x", 5000)},
	} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.URL.RawQuery = c.query
		r.Header.Set("X-Playback-Session-Id", c.apple)
		r.Header.Set("CMCD-Session", c.header)
		assert.Equal(t, c.want, limit.PlaybackSession(r), "%+v", c)
	}
}

func TestWhoIsAViewer(t *testing.T) {
	d := newDesk(ok, limit.Options{})
	at := func(path, client, agent, sid string) *http.Request {
		r := request(path, client)
		r.Header.Set("User-Agent", agent)
		r.Header.Set("CMCD-Session", sid)
		return r
	}
	d.admitted(t, at("/a.ism/Manifest", "10.0.0.1", "x", ""), at("/a.ism/QualityLevels(1)/Fragments(video=2)", "10.0.0.1", "x", ""))
	r := at("/a.ism/Manifest", "10.0.0.1", "x", "")
	r.RemoteAddr = "10.0.0.1:1" // another connection
	d.admitted(t, r)
	assert.Equal(t, 1, d.players())
	d.admitted(t, at("/a.ism/Manifest", "10.0.0.1", "y", ""))
	assert.Equal(t, 2, d.players(), "another player behind the same address")
	d.admitted(t, at("/b.ism/Manifest", "10.0.0.1", "x", ""))
	assert.Equal(t, 3, d.players(), "another film")
	d.admitted(t, at("/a.ism/Manifest", "10.0.0.2", "x", ""))
	assert.Equal(t, 4, d.players(), "another address")

	d.admitted(t, at("/v/1/a.m3u8", "10.0.0.1", "x", `sid="s"`), at("/v/2/b.ts", "10.0.0.9", "x", `sid="s"`))
	d.admitted(t, at("/v/1/c.ts", "10.0.0.9", "", `sid="s"`))
	s := d.Stats(10)
	assert.Equal(t, 5, s.Players.Now, "a session that roams and changes the rendition")
	assert.Equal(t, 6, s.Sessions)
	assert.Contains(t, s.Files, limit.FileStats{File: "/v/1", Players: 1})
	assert.Contains(t, s.Files, limit.FileStats{File: "/v/2", Players: 1})
	d.pass(time.Hour)
	assert.Zero(t, d.players())
	assert.Zero(t, limit.Sizes(d.Handler))
}

func TestViewerWithManyFilesIsNotRefused(t *testing.T) {
	opts := server(limit.Limits{Players: 1, PlayersPerAddress: 1, ConnectionRate: 1, PlayersPerFile: 2})
	opts.Session = func(r *http.Request) string { return r.URL.Query().Get("token") }
	d := newDesk(ok, opts)
	for i := range 10 {
		d.admitted(t, request(fmt.Sprintf("/v/%d/a.ts?token=me", i), "10.0.0.1"))
	}
	assert.Equal(t, 1, d.players())
	d.refused(t, request("/v/1/a.ts?token=you", "10.0.0.2"), limit.Players)
}

// Renditions usually have directories below that of the master playlist: a player who began there is who asks for them.
func TestRenditionsInDirectories(t *testing.T) {
	for name, paths := range map[string][]string{
		"HLS":    {"/a/master.m3u8", "/a/720p/index.m3u8", "/a/720p/1.ts", "/a/360p/index.m3u8", "/a/360p/2.ts"},
		"deeper": {"/a/master.m3u8", "/a/video/720p/index.m3u8", "/a/video/720p/1.ts", "/a/audio/de/1.aac"},
		"root":   {"/master.m3u8", "/720p/index.m3u8", "/720p/1.ts"},
		"beside": {"/a/film.m3u8", "/a/film/1.ts", "/a/film/2.ts"},
		"DASH":   {"/a/film.mpd", "/a/v1/init.mp4", "/a/v1/1.m4s", "/a/a1/1.m4s"},
	} {
		for _, id := range []string{"", "A"} {
			t.Run(name+id, func(t *testing.T) {
				d := newDesk(ok, limit.Options{Rules: limit.Rules{Server: limit.Limits{Players: 2, PlayersPerFile: 2}}})
				ask := func(client int, path string) *http.Request {
					r := request(path, fmt.Sprintf("10.0.0.%d", client))
					if id != "" {
						r.Header.Set("X-Playback-Session-Id", fmt.Sprint(id, client))
					}
					return r
				}
				for range 5 {
					for _, path := range paths {
						d.admitted(t, ask(1, path))
						d.admitted(t, ask(2, path))
						d.pass(10 * time.Second)
					}
				}
				assert.Equal(t, 2, d.players())
				d.refused(t, ask(3, paths[0]), limit.PlayersPerFile)
				d.pass(30 * time.Second)
				d.admitted(t, ask(3, paths[0]))
				assert.Equal(t, 1, d.players())
			})
		}
	}
}

// Who has not begun with a directory above is not taken for who has, and a point is a part of its own.
func TestDirectoriesApart(t *testing.T) {
	d := newDesk(ok, limit.Options{Rules: limit.Rules{Points: []limit.Point{{Path: "/a/live"}}}})
	for i, path := range []string{"/a/1/x.m3u8", "/a/2/x.m3u8", "/a/x.m3u8", "/a/3/x.mp4", "/a/live/x.m3u8", "/a/4/5/6/x.m3u8"} {
		d.admitted(t, request(path, "10.0.0.1"))
		assert.Equal(t, i+1, d.players(), path)
	}
	d.admitted(t, request("/a/4/x.m3u8", "10.0.0.1"))
	assert.Equal(t, 6, d.players())
	d.admitted(t, request("/a/4/x.m3u8", "10.0.0.2"))
	assert.Equal(t, 7, d.players())

	own := newDesk(ok, limit.Options{File: limit.File}) // who says what a file is means it
	for i, path := range []string{"/a/x.m3u8", "/a/1/x.m3u8"} {
		own.admitted(t, request(path, "10.0.0.1"))
		assert.Equal(t, i+1, own.players(), path)
	}
}

func TestPerRequest(t *testing.T) {
	g := newGate()
	opts := server(limit.Limits{Players: 2})
	opts.Session, opts.ShowReason = limit.PerRequest, true
	h := limit.NewHandler(g, &opts)
	done := make(chan int)
	for range 2 {
		go func() { done <- get(h, "/a.mp4", "10.0.0.1") }()
		<-g.entered
	}
	assert.Equal(t, 503, get(h, "/a.mp4", "10.0.0.1"))
	for s := range h.Sessions() {
		assert.Empty(t, s.ID)
	}
	close(g.open)
	assert.Equal(t, 200, <-done)
	assert.Equal(t, 200, <-done)
	assert.Zero(t, limit.Sizes(h), "they leave at once")
}

func TestWhatFailsDoesNotStay(t *testing.T) {
	d := newDesk(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/panic":
			panic(http.ErrAbortHandler)
		case "/late":
			_, _ = io.WriteString(w, "begun")
			panic(http.ErrAbortHandler)
		case "/silent":
			return
		case "/early":
			w.WriteHeader(http.StatusEarlyHints)
			w.WriteHeader(http.StatusNotFound)
		default:
			var status int
			_, err := fmt.Sscanf(r.URL.Path, "/%d", &status)
			assert.NoError(t, err)
			w.WriteHeader(status)
		}
	}), server(limit.Limits{ConnectionRate: 1}))
	send := func(path string) {
		t.Helper()
		defer func() {
			if p := recover(); p != nil {
				assert.Equal(t, http.ErrAbortHandler, p)
			}
		}()
		require.NotEqual(t, http.StatusServiceUnavailable, serve(d, request(path, "10.0.0.1")).StatusCode, path)
	}
	for _, path := range []string{"/404", "/302", "/403", "/500", "/panic", "/early", "/416"} {
		send(path)
		assert.Zero(t, limit.Sizes(d.Handler), path)
	}
	for i, path := range []string{"/silent", "/late", "/206", "/304"} {
		send(path)
		assert.Equal(t, i+1, d.players(), path)
		d.pass(time.Second)
	}
}

func TestRemoteAddress(t *testing.T) {
	for remote, want := range map[string]string{
		"203.0.113.1:80": "203.0.113.1", "[2001:db8::1]:80": "2001:db8::1", "[::ffff:203.0.113.1]:80": "203.0.113.1",
		"203.0.113.1": "203.0.113.1", "[2001:db8::1]": "2001:db8::1", "@": "invalid IP", "": "invalid IP",
	} {
		assert.Equal(t, want, limit.RemoteAddress(&http.Request{RemoteAddr: remote}).String(), remote)
	}
}

func TestTrustedProxies(t *testing.T) {
	address := limit.TrustedProxies(netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("2001:db8::/32"))
	for _, c := range []struct {
		remote string
		lines  []string
		want   string
	}{
		{"203.0.113.1:1", []string{"198.51.100.1"}, "203.0.113.1"},
		{"10.0.0.1:1", nil, "10.0.0.1"},
		{"10.0.0.1:1", []string{"198.51.100.1"}, "198.51.100.1"},
		{"10.0.0.1:1", []string{"192.0.2.66, 198.51.100.1, 10.0.0.2"}, "198.51.100.1"},
		{"10.0.0.1:1", []string{"192.0.2.66", "198.51.100.1", "10.0.0.2"}, "198.51.100.1"},
		{"[2001:db8::1]:1", []string{"[2001:db9::1]:443"}, "2001:db9::1"},
		{"10.0.0.1:1", []string{"198.51.100.1:99"}, "198.51.100.1"},
		{"10.0.0.1:1", []string{"198.51.100.1, junk"}, "10.0.0.1"},
		{"10.0.0.1:1", []string{"198.51.100.1,"}, "10.0.0.1"},
		{"10.0.0.1:1", []string{"10.0.0.3, 10.0.0.2"}, "10.0.0.3"},
		{"[::ffff:10.0.0.1]:1", []string{"::ffff:198.51.100.1"}, "198.51.100.1"},
	} {
		r := &http.Request{RemoteAddr: c.remote, Header: http.Header{"X-Forwarded-For": c.lines}}
		assert.Equal(t, c.want, address(r).String(), "%+v", c)
	}
	assert.False(t, address(&http.Request{RemoteAddr: "@", Header: http.Header{"X-Forwarded-For": {"1.2.3.4"}}}).IsValid())

	h := limit.NewHandler(ok, &limit.Options{Address: address})
	for _, from := range []string{"198.51.100.1", "198.51.100.2"} {
		r := request("/a", "10.0.0.1")
		r.Header.Set("X-Forwarded-For", from)
		serve(h, r)
	}
	assert.Equal(t, 2, h.Stats(0).Players.Now)
	forged := request("/a", "203.0.113.1")
	forged.Header.Set("X-Forwarded-For", "198.51.100.3")
	assert.Equal(t, 200, serve(h, forged).StatusCode)
	var addresses []string
	for s := range h.Sessions() {
		addresses = append(addresses, s.Address.String())
	}
	slices.Sort(addresses)
	assert.Equal(t, []string{"198.51.100.1", "198.51.100.2", "203.0.113.1"}, addresses)
}

func TestObserve(t *testing.T) {
	d := newDesk(ok, limit.Options{Measure: true, Rules: limit.Rules{
		Points: []limit.Point{{Path: "/p", Limits: limit.Limits{Players: 1}}},
		Groups: []limit.Group{{Name: "g", Patterns: []string{"*.mp4"}}},
	}})
	d.admitted(t, request("/p/a.mp4", "10.0.0.1"))
	d.pass(time.Second)
	d.admitted(t, request("/p/a.mp4", "10.0.0.1"))
	d.refused(t, request("/p/a.mp4", "10.0.0.2"), limit.Players)
	d.pass(time.Hour)
	assert.Zero(t, d.players())
	require.Len(t, d.events, 3)
	in, no, out := d.events[0], d.events[1], d.events[2]
	assert.Equal(t, []limit.EventKind{limit.Admitted, limit.Denied, limit.Ended}, []limit.EventKind{in.Kind, no.Kind, out.Kind})
	assert.Equal(t, "/p/a.mp4", in.Request.URL.Path)
	assert.Equal(t, "10.0.0.2:4711", no.Request.RemoteAddr)
	assert.Nil(t, out.Request)
	assert.Equal(t, limit.Players, no.Reason)
	assert.Equal(t, 30*time.Second, no.RetryAfter)
	assert.Equal(t, limit.Session{File: "/p/a.mp4", Point: "/p", Group: "g", Address: netip.MustParseAddr("10.0.0.2")}, no.Session)

	s := out.Session
	assert.Len(t, s.ID, 32)
	assert.Equal(t, in.Session.ID, s.ID)
	assert.EqualValues(t, 1, in.Session.Requests)
	assert.EqualValues(t, 2, s.Requests)
	assert.EqualValues(t, 4, s.Bytes)
	assert.Equal(t, time.Second, s.Last.Sub(s.Started))
	assert.Equal(t, "admitted denied ended none", fmt.Sprint(in.Kind, no.Kind, out.Kind, limit.EventKind(0)))
}

func TestSessionsAndStats(t *testing.T) {
	d := newDesk(ok, server(limit.Limits{Players: 1000}))
	for i := range 1000 {
		d.admitted(t, request(fmt.Sprintf("/f%d.mp4", i%300), fmt.Sprintf("10.0.%d.%d", i/250, i%250)))
	}
	d.refused(t, request("/", "10.1.0.0"), limit.Players)
	seen := make(map[string]limit.Session)
	for s := range d.Sessions() {
		seen[s.ID] = s
	}
	assert.Len(t, seen, 1000)
	n := 0
	for range d.Sessions() {
		if n++; n == 300 {
			break
		}
	}
	assert.Equal(t, 300, n)

	s := d.Stats(3)
	assert.Equal(t, []limit.FileStats{{File: "/f0.mp4", Players: 4}, {File: "/f1.mp4", Players: 4}, {File: "/f10.mp4", Players: 4}}, s.Files)
	assert.Equal(t, map[limit.Reason]int64{limit.Players: 1}, s.Denied)
	assert.EqualValues(t, 1000, s.Admitted)
	begun := s.Since
	d.pass(30 * time.Second)
	s = d.Stats(3)
	assert.Equal(t, limit.Counts{Peak: 1000}, s.Players)
	assert.EqualValues(t, 1000, s.Ended)
	assert.Empty(t, s.Files)
	assert.Equal(t, begun, s.Since)
	d.ResetPeaks()
	s = d.Stats(0)
	assert.Zero(t, s.Players.Peak)
	assert.Equal(t, 30*time.Second, s.Since.Sub(begun))
}

func TestSessionsExpireInSteps(t *testing.T) {
	for _, points := range []int{0, 40} {
		t.Run(fmt.Sprint(points, " points"), func(t *testing.T) {
			var rules limit.Rules
			for i := range points {
				rules.Points = append(rules.Points, limit.Point{Path: fmt.Sprint("/", i)})
			}
			c := newClock()
			h := limit.NewHandler(ok, &limit.Options{Now: c.Now, Rules: rules})
			const all = 3000
			for i := range all {
				require.Equal(t, 200, get(h, fmt.Sprintf("/%d/a.mp4", i%max(points, 1)), fmt.Sprintf("10.0.%d.%d", i/250, i%250)))
			}
			c.pass(time.Hour)
			before, requests := limit.Kept(h), 0
			for ; before > 1; requests++ {
				require.Equal(t, 200, get(h, "/0/b.mp4", "10.0.0.1"))
				after := limit.Kept(h)
				require.LessOrEqual(t, before-after, 8, "one request forgets only a few")
				before = after
				require.Less(t, requests, all*2)
			}
			c.pass(time.Hour)
			assert.Zero(t, h.Stats(0).Sessions)
			assert.Zero(t, limit.Sizes(h))
		})
	}
}

func TestSessionsOfOnePointExpireAsOthersCome(t *testing.T) {
	var rules limit.Rules
	for i := range 40 {
		rules.Points = append(rules.Points, limit.Point{Path: fmt.Sprint("/", i)})
	}
	c := newClock()
	h := limit.NewHandler(ok, &limit.Options{Now: c.Now, Rules: rules})
	for round := range 3 {
		for i := range 1000 {
			require.Equal(t, 200, get(h, "/0/a.mp4", fmt.Sprintf("10.%d.%d.%d", round, i/250, i%250)))
		}
		assert.LessOrEqual(t, limit.Kept(h), 1000)
		c.pass(time.Hour)
	}
}

func TestRefusalLooksAtAllThatHasExpired(t *testing.T) {
	d := newDesk(ok, server(limit.Limits{PlayersPerFile: 1}))
	for i := range 3 * limit.DrainStep {
		d.admitted(t, request(fmt.Sprintf("/%d.mp4", i), "10.0.0.1"))
	}
	d.admitted(t, request("/last.mp4", "10.0.0.1"))
	d.pass(time.Hour)
	d.admitted(t, request("/last.mp4", "10.0.0.2"))
	assert.Equal(t, 1, limit.Kept(d.Handler))
	assert.Len(t, d.events, 2*(3*limit.DrainStep+1)+1)
}

func TestNamesAreBounded(t *testing.T) {
	d := newDesk(ok, server(limit.Limits{PlayersPerFile: 1}))
	long := "/" + strings.Repeat("x", 100_000)
	d.admitted(t, request(long+"1", "10.0.0.1"), request(long+"2", "10.0.0.2"), request(long+"1", "10.0.0.1"))
	d.refused(t, request(long+"2", "10.0.0.3"), limit.PlayersPerFile)
	files := d.Stats(5).Files
	require.Len(t, files, 2)
	for _, f := range files {
		assert.LessOrEqual(t, len(f.File), 512)
	}
}

func FuzzKeys(f *testing.F) {
	f.Add("/a.ism/Manifest", `sid="a"`, "CMCD=sid%3D%22c%22")
	f.Add("/a/hls-ts/x.ts", `cid="\",sid="`, "CMCD=%")
	f.Add("//..//x.m3u8", `,,,"`, "&&CMCD=\x00")
	f.Add("", "sid=", "CMCD=")
	h := limit.NewHandler(ok, &limit.Options{MaxSessions: 64})
	f.Fuzz(func(t *testing.T, path, header, query string) {
		file := limit.FileOf(path)
		if file == "" || file[0] != '/' || len(file) > len(path)+1 {
			t.Fatalf("file of %q is %q", path, file)
		}
		again := limit.FileOf(file + "/Manifest")
		if strings.HasSuffix(file, ".ism") && again != file && !strings.Contains(file, "hls-") {
			t.Fatalf("%q is in %q", file, again)
		}
		if sid := limit.CMCDSession(header); len(sid) > 256 || !strings.Contains(header, sid) {
			t.Fatalf("sid of %q is %q", header, sid)
		}
		r := &http.Request{
			Method: http.MethodGet, URL: &url.URL{Path: path, RawQuery: query}, RemoteAddr: header,
			Header: http.Header{"Cmcd-Session": {header}},
		}
		if id := limit.PlaybackSession(r); len(id) > 256 {
			t.Fatalf("session of %d bytes", len(id))
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != 200 && w.Code != 503 {
			t.Fatalf("status %d", w.Code)
		}
		if kept := limit.Kept(h); kept > 64 {
			t.Fatalf("%d sessions", kept)
		}
	})
}

// TestDownloadsSideBySide: downloads of one file from its beginning are viewers of their own, even if address and player
// are the same; further ranges are not, and streams never are.
func TestDownloadsSideBySide(t *testing.T) {
	held := make(chan struct{})
	inside := make(chan struct{}, 16)
	slow := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusOK)
		inside <- struct{}{}
		<-held
	})
	h := limit.NewHandler(slow, &limit.Options{Rules: limit.Rules{Server: limit.Limits{Players: 2}}})
	var wg sync.WaitGroup
	begin := func(path, from string) {
		r := request(path, "10.0.0.1")
		if from != "" {
			r.Header.Set("Range", from)
		}
		wg.Go(func() { h.ServeHTTP(httptest.NewRecorder(), r) })
		<-inside
	}
	begin("/film.mp4", "")
	begin("/film.mp4", "bytes=5000-")
	begin("/film.mp4", "bytes=0-1")
	assert.Equal(t, 1, h.Stats(0).Players.Now)
	begin("/film.mp4", "bytes=0-")
	assert.Equal(t, 2, h.Stats(0).Players.Now)
	assert.Equal(t, http.StatusServiceUnavailable, get(h, "/film.mp4", "10.0.0.1"))
	begin("/film.mp4", "bytes=9000-")
	close(held)
	wg.Wait()

	held = make(chan struct{})
	h = limit.NewHandler(slow, &limit.Options{Rules: limit.Rules{Server: limit.Limits{Players: 1}}})
	for range 3 {
		begin("/film.ism/QualityLevels(1)/Fragments(video=0)", "")
	}
	assert.Equal(t, 1, h.Stats(0).Players.Now)
	close(held)
	wg.Wait()
}

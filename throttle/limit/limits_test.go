package limit_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/throttle"
	"github.com/smoothkit/smoothkit/throttle/limit"
)

func TestNoLimits(t *testing.T) {
	for name, opts := range map[string]limit.Options{
		"zero": {},
		"negative": server(limit.Limits{
			Players: -1, PlayersPerFile: -1, PlayersPerAddress: -1, RequestsPerPlayer: -1, ConnectionRate: -1,
			PlayerBandwidth: -1, PlayerCeiling: -1, BandwidthPerPlayer: -1,
		}),
	} {
		t.Run(name, func(t *testing.T) {
			d := newDesk(ok, opts)
			for i := range 500 {
				d.admitted(t, request("/a.mp4", fmt.Sprintf("10.0.%d.%d", i/250, i%250)))
			}
			assert.Equal(t, 500, d.players())
		})
	}
	assert.Equal(t, http.StatusOK, get(limit.NewHandler(ok, nil), "/a.mp4", "10.0.0.1"))
}

func TestPlayers(t *testing.T) {
	d := newDesk(ok, server(limit.Limits{Players: 2}))
	d.admitted(t, request("/a.ism/Manifest", "10.0.0.1"))
	d.pass(4 * time.Second)
	d.admitted(t, request("/b.ism/Manifest", "10.0.0.2"))
	assert.Equal(t, "26", d.refused(t, request("/a.ism/Manifest", "10.0.0.3"), limit.Players), "until the first may end")
	d.pass(1500 * time.Millisecond)
	assert.Equal(t, "25", d.refused(t, request("/a.ism/Manifest", "10.0.0.3"), limit.Players), "rounded up")

	d.pass(20 * time.Second)
	d.admitted(t, request("/a.ism/QualityLevels(1)/Fragments(video=0)", "10.0.0.1"))
	d.pass(9 * time.Second)
	d.admitted(t, request("/a.ism/Manifest", "10.0.0.3")) // the second has gone
	d.refused(t, request("/b.ism/Manifest", "10.0.0.2"), limit.Players)
	d.admitted(t, request("/a.ism/Manifest", "10.0.0.1"))
	assert.Equal(t, 2, d.players())
	d.pass(limit.DefaultInactivityTimeout)
	assert.Zero(t, d.players())
}

func TestRefusal(t *testing.T) {
	opts := server(limit.Limits{Players: 1})
	for _, show := range []bool{false, true} {
		opts.ShowReason = show
		h := limit.NewHandler(ok, &opts)
		require.Equal(t, 200, get(h, "/a.mp4", "10.0.0.1"))
		res := serve(h, request("/a.mp4", "10.0.0.2"))
		body, err := io.ReadAll(res.Body)
		require.NoError(t, err)
		assert.Equal(t, "Service Unavailable: the server has as many viewers as it may have\n", string(body))
		assert.Equal(t, "text/plain; charset=utf-8", res.Header.Get("Content-Type"))
		assert.Equal(t, "*", res.Header.Get("Access-Control-Allow-Origin"))
		assert.Equal(t, "30", res.Header.Get("Retry-After"))
		assert.Equal(t, show, res.Header.Get("X-Limit") == "players")
	}

	opts.Header = http.Header{"Access-Control-Allow-Origin": {"https://a.example"}, "X-Help": {"call"}}
	h := limit.NewHandler(ok, &opts)
	opts.Header.Set("X-Help", "changed")
	require.Equal(t, 200, get(h, "/a.mp4", "10.0.0.1"))
	w := httptest.NewRecorder()
	w.Header().Set("Access-Control-Allow-Origin", "https://b.example") // by an outer middleware
	h.ServeHTTP(w, request("/a.mp4", "10.0.0.2"))
	assert.Equal(t, "https://b.example", w.Header().Get("Access-Control-Allow-Origin"))
	assert.Equal(t, "call", w.Header().Get("X-Help"))
}

func TestUncounted(t *testing.T) {
	opts := server(limit.Limits{Players: 1})
	opts.Exempt = func(r *http.Request) bool { return r.URL.Path == "/health" }
	d := newDesk(ok, opts)
	d.admitted(t, request("/a.mp4", "10.0.0.1"))
	for _, method := range []string{http.MethodHead, http.MethodOptions, http.MethodPost, http.MethodPut, http.MethodDelete} {
		r := request("/a.mp4", "10.0.0.2")
		r.Method = method
		d.admitted(t, r)
	}
	d.admitted(t, request("/health", "10.0.0.2"))
	d.refused(t, request("/a.mp4", "10.0.0.2"), limit.Players)
	assert.Equal(t, 1, d.Stats(0).Sessions)
}

func TestExactlyTheLimitIsAdmitted(t *testing.T) {
	const most, clients = 17, 200
	for name, l := range map[string]limit.Limits{
		"players": {Players: most}, "file": {PlayersPerFile: most}, "rate": {ConnectionRate: most},
		"bandwidth": {PlayerBandwidth: most * throttle.MbitPerSecond, BandwidthPerPlayer: throttle.MbitPerSecond},
	} {
		t.Run(name, func(t *testing.T) {
			g := newGate()
			opts := server(l)
			opts.Now = newClock().Now
			h := limit.NewHandler(g, &opts)
			var wg sync.WaitGroup
			status := make(chan int, clients)
			for i := range clients {
				wg.Go(func() { status <- get(h, "/a.ism/Manifest", fmt.Sprintf("10.0.0.%d", i)) })
			}
			for range clients - most {
				require.Equal(t, http.StatusServiceUnavailable, <-status)
			}
			assert.Equal(t, most, h.Stats(0).Players.Now)
			close(g.open)
			wg.Wait()
			for range most {
				assert.Equal(t, http.StatusOK, <-status)
			}
			assert.Len(t, g.entered, most)
		})
	}
}

func TestOnePlayerWithSixConnections(t *testing.T) {
	g := newGate()
	h := limit.NewHandler(g, &limit.Options{Rules: limit.Rules{Server: limit.Limits{Players: 1, ConnectionRate: 1}}, Now: newClock().Now})
	var wg sync.WaitGroup
	for i := range 6 {
		wg.Go(func() {
			path := fmt.Sprintf("/live/a.isml/QualityLevels(%d)/Fragments(video=%d)", 1000*i, i)
			assert.Equal(t, http.StatusOK, get(h, path, "10.0.0.1"))
		})
	}
	for range 6 {
		<-g.entered
	}
	s := h.Stats(5)
	assert.Equal(t, 1, s.Players.Now)
	assert.Equal(t, []limit.FileStats{{File: "/live/a.isml", Players: 1}}, s.Files)
	close(g.open)
	wg.Wait()
}

func TestSetRulesCutsNobody(t *testing.T) {
	d := newDesk(ok, limit.Options{})
	for i := range 5 {
		d.admitted(t, request("/a.mp4", fmt.Sprintf("10.0.0.%d", i)))
	}
	d.SetRules(limit.Rules{Server: limit.Limits{
		Players: 1, PlayersPerFile: 1, ConnectionRate: 1, PlayerBandwidth: 1, PlayersPerAddress: 1,
	}, Groups: []limit.Group{{Name: "g", Limit: 1, Patterns: []string{"*"}}}})
	for range 3 {
		d.pass(20 * time.Second)
		for i := range 5 {
			d.admitted(t, request("/a.mp4", fmt.Sprintf("10.0.0.%d", i)))
		}
	}
	d.refused(t, request("/b.mp4", "10.0.0.9"), limit.Players)
	assert.Equal(t, 5, d.players())
	assert.Equal(t, 1, d.Rules().Server.Players)
	d.SetRules(limit.Rules{})
	d.admitted(t, request("/b.mp4", "10.0.0.9"))
}

func TestPlayersPerFile(t *testing.T) {
	d := newDesk(ok, server(limit.Limits{PlayersPerFile: 1}))
	d.admitted(t, request("/a.ism/Manifest", "10.0.0.1"), request("/b.ism/Manifest", "10.0.0.2"))
	d.refused(t, request("/a.ism/manifest(format=m3u8-aapl)", "10.0.0.2"), limit.PlayersPerFile)
	d.admitted(t, request("/a.ism/manifest(format=m3u8-aapl)", "10.0.0.1"))

	other := request("/b.ism/Manifest", "10.0.0.1")
	d.refused(t, other, limit.PlayersPerFile)
	d.pass(limit.DefaultInactivityTimeout)
	d.admitted(t, other)
}

func TestPlayersPerAddress(t *testing.T) {
	d := newDesk(ok, server(limit.Limits{PlayersPerAddress: 2}))
	d.admitted(t, request("/a.mp4", "10.0.0.1"), request("/b.mp4", "10.0.0.1"), request("/c.mp4", "10.0.0.2"))
	d.refused(t, request("/c.mp4", "10.0.0.1"), limit.PlayersPerAddress)

	d.admitted(t, request("/a.mp4", "[2001:db8::1]"), request("/a.mp4", "[2001:db8::2]"), request("/a.mp4", "[2001:db8:0:1::3]"))
	d.refused(t, request("/a.mp4", "[2001:db8::3]"), limit.PlayersPerAddress)
	d.refused(t, request("/c.mp4", "[::ffff:10.0.0.1]"), limit.PlayersPerAddress)

	r := request("/a.mp4", "")
	r.RemoteAddr = "@" // a Unix socket
	for _, path := range []string{"/a", "/b", "/c"} {
		r.URL.Path = path
		d.admitted(t, r)
	}
}

func TestAddressBits(t *testing.T) {
	opts := server(limit.Limits{PlayersPerAddress: 1})
	opts.IPv4Bits, opts.IPv6Bits = 24, 48
	opts.Address = func(r *http.Request) netip.Addr { return netip.MustParseAddr(r.Header.Get("X-Test")) }
	d := newDesk(ok, opts)
	from := func(a string) *http.Request {
		r := request("/a.mp4", "127.0.0.1")
		r.Header.Set("X-Test", a)
		return r
	}
	d.admitted(t, from("10.0.0.1"), from("10.0.1.1"), from("2001:db8::1"), from("2001:db8:1::1"), from("fe80::1%eth0"))
	for _, a := range []string{"10.0.0.2", "2001:db8:0:ff::1", "fe80::2%eth1"} {
		d.refused(t, from(a), limit.PlayersPerAddress)
	}
}

func TestRequestsPerPlayer(t *testing.T) {
	g := newGate()
	opts := server(limit.Limits{RequestsPerPlayer: 2})
	opts.ShowReason = true
	h := limit.NewHandler(g, &opts)
	sid := func(path string) *http.Request {
		r := request(path, "10.0.0.1")
		r.Header.Set("X-Playback-Session-Id", "one")
		return r
	}
	var wg sync.WaitGroup
	for _, path := range []string{"/a.mp4", "/b.mp4"} {
		wg.Go(func() { assert.Equal(t, 200, serve(h, sid(path)).StatusCode) })
	}
	<-g.entered
	<-g.entered
	for _, path := range []string{"/a.mp4", "/c.mp4"} {
		res := serve(h, sid(path))
		assert.Equal(t, "requests-per-player", res.Header.Get("X-Limit"), path)
		assert.Equal(t, "1", res.Header.Get("Retry-After"))
	}
	close(g.open)
	wg.Wait()
	assert.Equal(t, 200, serve(h, sid("/c.mp4")).StatusCode)
}

func TestGroups(t *testing.T) {
	rules := limit.Rules{Groups: []limit.Group{
		{Name: "VideoFiles", Limit: 2, Patterns: []string{"*.WMV", "*.mp4"}},
		{Name: "AudioFiles", Limit: 1, Patterns: []string{"[", "/radio/*.mp3"}},
		{Name: "Free", Patterns: []string{"*.txt"}},
	}}
	d := newDesk(ok, limit.Options{Rules: rules})
	d.admitted(t, request("/a.wmv", "10.0.0.1"), request("/b/c.MP4", "10.0.0.2"), request("/radio/a.mp3", "10.0.0.3"))
	d.refused(t, request("/d.wmv", "10.0.0.1"), limit.GroupPlayers)
	d.refused(t, request("/Radio/b.mp3", "10.0.0.1"), limit.GroupPlayers)
	d.admitted(t, request("/b.mp3", "10.0.0.1"), request("/a.txt", "10.0.0.1"), request("/a.txt", "10.0.0.2"))
	assert.Equal(t, []limit.GroupStats{{"AudioFiles", 1, 1}, {"Free", 2, 2}, {"VideoFiles", 2, 2}}, d.Stats(0).Groups)

	d.SetRules(limit.Rules{})
	d.admitted(t, request("/d.wmv", "10.0.0.1"))
	d.pass(time.Hour)
	assert.Empty(t, d.Stats(0).Groups, "those without rules go with their viewers")

	d = newDesk(ok, limit.Options{Rules: rules, Group: func(r *http.Request) string { return r.URL.Query().Get("g") }})
	d.admitted(t, request("/a.wmv?g=AudioFiles", "10.0.0.1"))
	d.admitted(t, request("/a.wmv", "10.0.0.2"), request("/a.wmv", "10.0.0.3"), request("/a.wmv", "10.0.0.4"))
	d.refused(t, request("/x?g=AudioFiles", "10.0.0.5"), limit.GroupPlayers)
}

func TestConnectionRate(t *testing.T) {
	d := newDesk(ok, server(limit.Limits{ConnectionRate: 2}))
	client := func(i int) *http.Request { return request("/a.mp4", fmt.Sprintf("10.0.%d.%d", i/250, i%250)) }
	d.admitted(t, client(0), client(1))
	var waits []string
	for i := range 7 {
		waits = append(waits, d.refused(t, client(2+i), limit.ConnectionRate))
	}
	assert.Equal(t, []string{"1", "1", "2", "2", "3", "3", "4"}, waits, "one after the other")
	for i := range 200 {
		d.refused(t, client(10+i), limit.ConnectionRate)
	}
	assert.Equal(t, "60", d.refused(t, client(250), limit.ConnectionRate), "bounded")
	d.admitted(t, client(0), client(1))
	d.pass(time.Minute)
	d.admitted(t, client(0), client(1))
	assert.Equal(t, "1", d.refused(t, client(2), limit.ConnectionRate), "nobody waits any more")

	d.pass(500 * time.Millisecond)
	d.admitted(t, client(2))
	d.refused(t, client(3), limit.ConnectionRate)
	d.pass(time.Minute)
	d.admitted(t, client(3), client(4))
	d.refused(t, client(5), limit.ConnectionRate)
	d.SetRules(limit.Rules{Server: limit.Limits{ConnectionRate: 100}})
	d.refused(t, client(5), limit.ConnectionRate)
	d.pass(50 * time.Millisecond)
	for i := range 5 {
		d.admitted(t, client(5+i))
	}
	d.refused(t, client(10), limit.ConnectionRate)
}

func TestInactivityTimeout(t *testing.T) {
	d := newDesk(ok, server(limit.Limits{Players: 1, PlayerInactivityTimeout: 6 * time.Second}))
	d.admitted(t, request("/a.mp4", "10.0.0.1"))
	d.pass(6*time.Second - 1)
	d.refused(t, request("/a.mp4", "10.0.0.2"), limit.Players)
	d.pass(1)
	d.admitted(t, request("/a.mp4", "10.0.0.2"))
	d.SetRules(limit.Rules{Server: limit.Limits{Players: 1, PlayerInactivityTimeout: -1}})
	for i := range 5 {
		d.admitted(t, request("/a.mp4", fmt.Sprintf("10.0.1.%d", i)))
	}
	assert.Zero(t, limit.Sizes(d.Handler))
}

func TestLongRequestCountsWhileOpen(t *testing.T) {
	g := newGate()
	c := newClock()
	h := limit.NewHandler(g, &limit.Options{Rules: limit.Rules{Server: limit.Limits{Players: 1}}, Now: c.Now})
	var wg sync.WaitGroup
	wg.Go(func() { assert.Equal(t, 200, get(h, "/a.mp4", "10.0.0.1")) })
	<-g.entered
	c.pass(time.Hour)
	assert.Equal(t, 503, get(h, "/a.mp4", "10.0.0.2"))
	close(g.open)
	wg.Wait()
	c.pass(29 * time.Second)
	assert.Equal(t, 503, get(h, "/a.mp4", "10.0.0.2"))
	c.pass(time.Second)
	assert.Equal(t, 200, get(h, "/a.mp4", "10.0.0.2"))
}

func TestMaxSessions(t *testing.T) {
	d := newDesk(ok, limit.Options{MaxSessions: 3})
	for i := range 3 {
		d.admitted(t, request("/a.mp4", fmt.Sprintf("10.0.0.%d", i)))
	}
	assert.Equal(t, "30", d.refused(t, request("/a.mp4", "10.0.0.3"), limit.MaxSessions))
	d.admitted(t, request("/a.mp4", "10.0.0.0"))
	d.pass(30 * time.Second)
	d.admitted(t, request("/a.mp4", "10.0.0.3"))
}

func TestReasons(t *testing.T) {
	seen := make(map[string]bool)
	for r := limit.Players; r <= limit.MaxSessions; r++ {
		assert.NotEqual(t, "none", r.String())
		assert.False(t, seen[r.String()], r)
		seen[r.String()] = true
	}
	assert.Equal(t, "none", limit.Reason(0).String())
	assert.Equal(t, "none", limit.Reason(200).String())
}

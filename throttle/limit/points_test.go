package limit_test

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/smoothkit/smoothkit/throttle"
	"github.com/smoothkit/smoothkit/throttle/limit"
)

func TestPointsStandBesideTheServer(t *testing.T) {
	d := newDesk(ok, limit.Options{Rules: limit.Rules{
		Server: limit.Limits{Players: 4},
		Points: []limit.Point{
			{Path: "/live", Limits: limit.Limits{Players: 2}},
			{Path: "/live/big.isml/", Limits: limit.Limits{Players: 3}},
			{Path: "/live", Limits: limit.Limits{Players: 1}}, // the same again counts for nothing
		},
	}})
	d.admitted(t, request("/live/a.isml/Manifest", "10.0.0.1"), request("/live/b.mp4", "10.0.0.2"))
	d.refused(t, request("/live/c.mp4", "10.0.0.3"), limit.Players)
	d.refused(t, request("/x/../live/c.mp4", "10.0.0.3"), limit.Players)
	d.admitted(t, request("/lively.mp4", "10.0.0.3"), request("/live/big.isml/Manifest", "10.0.0.4"))
	d.refused(t, request("/live/big.isml/Manifest", "10.0.0.5"), limit.Players) // of the server

	s := d.Stats(10)
	assert.Equal(t, limit.Counts{Now: 4, Peak: 4}, s.Players)
	assert.Equal(t, []limit.PointStats{
		{Path: "/live", Players: limit.Counts{Now: 2, Peak: 2}}, {Path: "/live/big.isml", Players: limit.Counts{Now: 1, Peak: 1}},
	}, s.Points)
	d.pass(30 * time.Second)
	for i := range 3 {
		d.admitted(t, request("/live/big.isml/Manifest", fmt.Sprintf("10.0.0.%d", i)))
	}
	d.refused(t, request("/live/big.isml/Manifest", "10.0.0.9"), limit.Players) // of the point
	d.admitted(t, request("/a.mp4", "10.0.0.9"))
}

func TestPointsThatReplaceTheServer(t *testing.T) {
	d := newDesk(ok, limit.Options{Rules: limit.Rules{
		Server: limit.Limits{Players: 1, PlayersPerFile: 1, PlayersPerAddress: 1, ConnectionRate: 1},
		Points: []limit.Point{{Path: "/free", Replace: true, Limits: limit.Limits{PlayersPerAddress: 3}}},
	}})
	d.admitted(t, request("/a", "10.0.0.1"))
	for i := range 5 {
		d.admitted(t, request("/free/a", fmt.Sprintf("10.0.0.%d", i)))
	}
	d.admitted(t, request("/free/b", "10.0.0.1"), request("/free/c", "10.0.0.1"))
	d.refused(t, request("/free/d", "10.0.0.1"), limit.PlayersPerAddress)
	d.refused(t, request("/b", "10.0.0.2"), limit.Players)
	assert.Equal(t, 1, d.players())

	// Who is there counts on where he came in, whatever the rules become.
	d.SetRules(limit.Rules{Server: limit.Limits{Players: 2}, Points: []limit.Point{{Path: "/free"}}})
	d.admitted(t, request("/free/a", "10.0.0.1"), request("/free/z", "10.0.0.1"))
	d.refused(t, request("/free/z", "10.0.0.2"), limit.Players)
	d.pass(time.Hour)
	assert.Zero(t, d.players())
	assert.Zero(t, limit.Sizes(d.Handler))
}

func TestPointOfEverything(t *testing.T) {
	for _, path := range []string{"/", ""} {
		d := newDesk(ok, limit.Options{Rules: limit.Rules{Points: []limit.Point{{Path: path, Limits: limit.Limits{Players: 1}}}}})
		d.admitted(t, request("/a", "10.0.0.1"))
		d.refused(t, request("/b", "10.0.0.1"), limit.Players)
	}
}

func TestPointsReplaceWhatAppliesToOne(t *testing.T) {
	d := newDesk(ok, limit.Options{Rules: limit.Rules{
		Server: limit.Limits{PlayersPerFile: 1, PlayerInactivityTimeout: 10 * time.Second},
		Points: []limit.Point{
			{Path: "/two", Limits: limit.Limits{PlayersPerFile: 2, PlayerInactivityTimeout: time.Minute}},
			{Path: "/any", Limits: limit.Limits{PlayersPerFile: -1}},
			{Path: "/same"},
		},
	}})
	for path, most := range map[string]int{"/a": 1, "/two/a": 2, "/any/a": 5, "/same/a": 1} {
		for i := range most {
			d.admitted(t, request(path, fmt.Sprintf("10.0.0.%d", i)))
		}
		if most < 5 {
			d.refused(t, request(path, "10.0.0.9"), limit.PlayersPerFile)
		}
	}
	d.pass(10 * time.Second)
	d.admitted(t, request("/a", "10.0.0.9"), request("/same/a", "10.0.0.9"))
	assert.Equal(t, "50", d.refused(t, request("/two/a", "10.0.0.9"), limit.PlayersPerFile))
	d.pass(50 * time.Second)
	d.admitted(t, request("/two/a", "10.0.0.9"))
}

func TestPointsComeAndGo(t *testing.T) {
	d := newDesk(ok, limit.Options{})
	d.admitted(t, request("/p/a", "10.0.0.1"))
	d.SetRules(limit.Rules{Points: []limit.Point{{Path: "/p", Limits: limit.Limits{Players: 1}}}})
	d.admitted(t, request("/p/a", "10.0.0.1"), request("/p/a", "10.0.0.2")) // the first counts for the server only
	d.refused(t, request("/p/a", "10.0.0.3"), limit.Players)
	d.SetRules(limit.Rules{Points: []limit.Point{{Path: "/q", Limits: limit.Limits{Players: 1}}}})
	d.admitted(t, request("/p/a", "10.0.0.2"), request("/p/a", "10.0.0.3"), request("/q/a", "10.0.0.3"))
	points := d.Stats(0).Points
	assert.Len(t, points, 2, "a point that is gone stays while it has viewers")
	assert.Equal(t, limit.PointStats{Path: "/p", Players: limit.Counts{Now: 1, Peak: 1}}, points[0], "but gets no new ones")
	d.SetRules(limit.Rules{Points: []limit.Point{{Path: "/p", Limits: limit.Limits{Players: 1}}}})
	d.refused(t, request("/p/a", "10.0.0.4"), limit.Players)
	d.SetRules(limit.Rules{})
	d.pass(time.Hour)
	assert.Empty(t, d.Stats(0).Points)
	assert.Zero(t, limit.Sizes(d.Handler))
}

func TestConnectionRateOfPoints(t *testing.T) {
	d := newDesk(ok, limit.Options{Rules: limit.Rules{
		Server: limit.Limits{ConnectionRate: 1},
		Points: []limit.Point{{Path: "/p", Limits: limit.Limits{ConnectionRate: 2}}},
	}})
	d.admitted(t, request("/p/a", "10.0.0.1"))
	d.refused(t, request("/p/a", "10.0.0.2"), limit.ConnectionRate)
	d.SetRules(limit.Rules{Points: []limit.Point{{Path: "/p", Limits: limit.Limits{ConnectionRate: 2}}}})
	d.admitted(t, request("/p/a", "10.0.0.2")) // the point's was given back when the server refused
	d.refused(t, request("/p/a", "10.0.0.3"), limit.ConnectionRate)
}

func TestDistribution(t *testing.T) {
	opts := server(limit.Limits{
		Players: 1, PlayersPerFile: 1, PlayersPerAddress: 1, ConnectionRate: 1, DistributionConnections: 3,
		DistributionBandwidth: 7 * throttle.MbitPerSecond, BandwidthPerDistribution: 2 * throttle.MbitPerSecond,
	})
	tokens := map[string]string{"Bearer e1": "edge1", "Bearer e2": "edge2"}
	opts.Distribution = func(r *http.Request) string { return tokens[r.Header.Get("Authorization")] }
	d := newDesk(ok, opts)
	edge := func(path, token string) *http.Request {
		r := request(path, "10.0.0.1")
		r.Header.Set("Authorization", "Bearer "+token)
		r.Header.Set("User-Agent", token)
		return r
	}
	d.admitted(t, request("/a.ism/Manifest", "10.0.0.1"))
	for i := range 10 {
		d.admitted(t, edge(fmt.Sprintf("/a.ism/QualityLevels(1)/Fragments(video=%d)", i), "e1"))
	}
	d.admitted(t, edge("/b.ism/Manifest", "e1"), edge("/a.ism/Manifest", "e2"))
	d.refused(t, edge("/b.ism/Manifest", "e2"), limit.DistributionConnections)
	d.refused(t, edge("/a.ism/Manifest", "forged!"), limit.PlayersPerFile)
	d.refused(t, request("/z", "10.0.0.2"), limit.Players)

	s := d.Stats(3)
	assert.Equal(t, 1, s.Players.Now)
	assert.Equal(t, 3, s.Distribution.Now)
	assert.Equal(t, 6*throttle.MbitPerSecond, s.Distribution.Allocated)
	assert.Equal(t, []limit.FileStats{{"/a.ism", "", 1, 2}, {"/b.ism", "", 0, 1}}, s.Files)

	rules := d.Rules()
	rules.Server.DistributionConnections = 0
	d.SetRules(rules)
	d.refused(t, edge("/b.ism/Manifest", "e2"), limit.DistributionBandwidth)
}

func TestAllocatedBandwidth(t *testing.T) {
	opts := server(limit.Limits{PlayerBandwidth: 5 * throttle.MbitPerSecond})
	opts.Bandwidth = func(r *http.Request) throttle.Rate {
		rate, _ := throttle.ParseRate(r.URL.Query().Get("rate"))
		return rate
	}
	d := newDesk(ok, opts)
	d.admitted(t, request("/a?rate=2Mbit/s", "10.0.0.1"), request("/a?rate=2Mbit/s", "10.0.0.2"))
	assert.Equal(t, "5", d.refused(t, request("/a?rate=2Mbit/s", "10.0.0.3"), limit.PlayerBandwidth))
	d.admitted(t, request("/a?rate=1Mbit/s", "10.0.0.3"))
	d.refused(t, request("/a", "10.0.0.4"), limit.PlayerBandwidth)
	assert.Equal(t, 5*throttle.MbitPerSecond, d.Stats(0).Players.Allocated)
	d.pass(time.Hour)
	d.refused(t, request("/a?rate=6Mbit/s", "10.0.0.1"), limit.PlayerBandwidth)
	assert.Zero(t, d.Stats(0).Players.Allocated)
}

func TestMeasuredBandwidth(t *testing.T) {
	body := make([]byte, 125_000) // a Mbit
	next := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(body) })
	d := newDesk(next, server(limit.Limits{PlayerBandwidth: 2 * throttle.MbitPerSecond}))
	for i := range 9 {
		d.admitted(t, request("/a", fmt.Sprintf("10.0.0.%d", i)))
	}
	assert.Equal(t, 1800*throttle.KbitPerSecond, d.Stats(0).Players.Bandwidth)
	d.admitted(t, request("/a", "10.0.0.9"))
	d.refused(t, request("/a", "10.0.1.0"), limit.PlayerBandwidth)
	d.admitted(t, request("/a", "10.0.0.0")) // who is there goes on
	assert.Equal(t, limit.Counts{Now: 10, Peak: 10, Bandwidth: 2200 * throttle.KbitPerSecond, Bytes: 11 * 125_000}, d.Stats(0).Players)
	d.pass(4 * time.Second)
	d.refused(t, request("/a", "10.0.1.0"), limit.PlayerBandwidth)
	d.pass(1500 * time.Millisecond)
	d.admitted(t, request("/a", "10.0.1.0"))
	d.pass(time.Minute)
	assert.Zero(t, d.Stats(0).Players.Bandwidth)
}

package server

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/smoothkit/smoothkit/examples/mediaserver/internal/config"
	"github.com/smoothkit/smoothkit/smooth/usage"
	"github.com/smoothkit/smoothkit/throttle"
	"github.com/smoothkit/smoothkit/throttle/limit"
)

// newLimits returns what counts viewers, before what a site serves.
func (s *Server) newLimits(cfg *config.Config) *limit.Handler {
	next := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { visitOf(r).site.serve(w, r) })
	return limit.NewHandler(next, &limit.Options{
		Rules: limitRules(&cfg.Limits), Measure: true, ShowReason: true,
		Address: addressOf,
		Exempt:  func(r *http.Request) bool { return visitOf(r).role == config.Operators || !watched(r) },
		Distribution: func(r *http.Request) string {
			if v := visitOf(r); v.role == config.Encoders {
				return v.address.String()
			}
			return ""
		},
	})
}

// watched reports whether a request is for media, and not for a page.
func watched(r *http.Request) bool {
	switch usage.Classify(r).Kind {
	case usage.Manifest, usage.Segment, usage.Key, usage.File, usage.Playlist, usage.Distribution:
		return true
	}
	return false
}

// limitRules makes rules of the limits of the configuration, which have the names and units of Windows Media Services.
func limitRules(cfg *config.Limits) limit.Rules {
	rules := limit.Rules{Server: limitsOf(&cfg.PointLimits)}
	for at, p := range cfg.Points {
		rules.Points = append(rules.Points, limit.Point{Path: at, Replace: p.Replace, Limits: limitsOf(&p)})
	}
	slices.SortFunc(rules.Points, func(a, b limit.Point) int { return strings.Compare(a.Path, b.Path) })
	for _, g := range cfg.Groups {
		rules.Groups = append(rules.Groups, limit.Group{Name: g.Name, Limit: g.Limit, Patterns: g.Patterns})
	}
	return rules
}

func limitsOf(p *config.PointLimits) limit.Limits {
	kbit := func(n int64) throttle.Rate { return throttle.Rate(n) * throttle.KbitPerSecond }
	return limit.Limits{
		Players: p.PlayerConnections, PlayersPerFile: p.PlayersPerFile, PlayersPerAddress: p.PlayersPerAddress,
		RequestsPerPlayer: p.RequestsPerPlayer, ConnectionRate: p.ConnectionRate,
		PlayerBandwidth: kbit(p.AggregatePlayerBandwidth), PlayerCeiling: kbit(p.PlayerCeiling),
		BandwidthPerPlayer:       kbit(p.BandwidthPerPlayerConnection),
		DistributionConnections:  p.OutgoingDistributionConnections,
		DistributionBandwidth:    kbit(p.AggregateOutgoingDistributionBandwidth),
		DistributionCeiling:      kbit(p.OutgoingDistributionCeiling),
		BandwidthPerDistribution: kbit(p.BandwidthPerOutgoingDistribution),
		PlayerInactivityTimeout:  time.Duration(p.PlayerInactivityTimeout) * time.Second,
	}
}

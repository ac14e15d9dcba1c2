package limit

import (
	"path"
	"slices"
	"strings"
	"time"

	"github.com/smoothkit/smoothkit/throttle"
)

// DefaultInactivityTimeout is how long a viewer stays after its last request unless told otherwise: three segments of
// ten seconds, the longest that are usual.
const DefaultInactivityTimeout = 30 * time.Second

// Limits are the limits of the server, or of one [Point]. Zero and negative values mean that there is no limit (that
// of Windows Media Services for it is -1), except where a field says otherwise. Numbers of viewers are enforced for new
// viewers only. Quoted are the names of Windows Media Services.
type Limits struct {
	// Players is the number of viewers: "player connections".
	Players int
	// PlayersPerFile is the number of viewers of each file. In a point zero means that of the server.
	PlayersPerFile int
	// PlayersPerAddress is the number of viewers of each client address. See [Options].IPv6Bits. Windows Media Services
	// had no such limit.
	PlayersPerAddress int
	// RequestsPerPlayer is the number of requests of one viewer that are served at the same time. It is the one limit
	// that also refuses requests of viewers who are there. In a point zero means that of the server. Windows Media
	// Services, where a player had one connection, had no such limit.
	RequestsPerPlayer int
	// ConnectionRate is the number of new viewers per second: "connection rate". As many may come at once after a
	// second in which nobody came.
	ConnectionRate int
	// PlayerBandwidth is what viewers may use together: "aggregate player bandwidth", there in Kbps. As there it applies
	// to new viewers only: one is refused while what was sent in the last five seconds, or what the viewers who are
	// there may use, leaves no room for what it needs. See [Options].Bandwidth.
	PlayerBandwidth throttle.Rate
	// PlayerCeiling is the most that is sent to all viewers together, by slowing down everybody. A change applies to
	// requests that begin after it, and at once to those that are being paced. Windows Media Services had none.
	PlayerCeiling throttle.Rate
	// BandwidthPerPlayer is the most that is sent to one viewer, all its requests together: "bandwidth per player
	// connection", there in Kbps. In a point zero means that of the server. A viewer keeps the one it came with.
	BandwidthPerPlayer throttle.Rate

	// DistributionConnections is the number of files that other servers pull, counted for each of these servers:
	// "outgoing distribution connections".
	DistributionConnections int
	// DistributionBandwidth is as PlayerBandwidth: "aggregate outgoing distribution bandwidth".
	DistributionBandwidth throttle.Rate
	// DistributionCeiling is as PlayerCeiling.
	DistributionCeiling throttle.Rate
	// BandwidthPerDistribution is as BandwidthPerPlayer: "bandwidth per outgoing distribution connection".
	BandwidthPerDistribution throttle.Rate

	// PlayerInactivityTimeout is how long a viewer, or a server that pulls, stays after its last request: "player
	// inactivity timeout". Two to three target durations are right. Zero means that of the server in a point, and
	// [DefaultInactivityTimeout] otherwise; negative means that it leaves at once. A change applies to everybody.
	PlayerInactivityTimeout time.Duration
}

// Rules are all limits of a [Handler]. The zero value limits nothing.
type Rules struct {
	// Server holds for everything.
	Server Limits
	// Groups limit viewers by kinds of files.
	Groups []Group
	// Points have limits of their own.
	Points []Point
}

// Group limits the viewers of some kinds of files together: a connection limit group of IIS.
type Group struct {
	// Name is what [Options].Group returns.
	Name string
	// Limit is the number of viewers: connectionLimit. Zero and negative values mean no limit.
	Limit int
	// Patterns choose the group if Options.Group is nil: patterns of [path.Match] for the last element of the URL's
	// path, such as "*.wmv", or for all of it if they have a slash. Case does not matter. The first group with a pattern
	// that matches the first request of a viewer is the viewer's. A malformed pattern matches nothing.
	Patterns []string
}

// Point has limits of its own for a part of the server: a publishing point. As in Windows Media Services those of the
// server still apply to it: numbers and rates of all viewers together are counted for the point against the limits of
// the point, and with everything else against those of the server. What applies to one viewer or file
// (PlayersPerFile, RequestsPerPlayer, BandwidthPerPlayer, BandwidthPerDistribution, PlayerInactivityTimeout) is the
// point's if it has one, or else the server's; negative means none.
type Point struct {
	// Path is that of a file, directory or presentation; the point is this and all below. Of several points the one with
	// the longest path is taken. Case matters. Two points with the same path are one, the first.
	Path string
	// Replace says that only the limits of the point apply: its viewers do not count for those of the server.
	Replace bool
	Limits
}

// covers reports whether the cleaned path p is at or below the cleaned path of a point.
func covers(point, p string) bool {
	rest, ok := strings.CutPrefix(p, point)
	return ok && (rest == "" || rest[0] == '/' || point == "/")
}

// clean returns a path as a handler of files sees it. It does not allocate if p is so already.
func clean(p string) string {
	if p == "" || p[0] != '/' {
		p = "/" + p
	}
	return path.Clean(p)
}

// within returns the limits of a point as they apply.
func (l Limits) within(server Limits, replace bool) Limits {
	if replace {
		return l
	}
	l.PlayersPerFile = orElse(l.PlayersPerFile, server.PlayersPerFile)
	l.RequestsPerPlayer = orElse(l.RequestsPerPlayer, server.RequestsPerPlayer)
	l.BandwidthPerPlayer = orElse(l.BandwidthPerPlayer, server.BandwidthPerPlayer)
	l.BandwidthPerDistribution = orElse(l.BandwidthPerDistribution, server.BandwidthPerDistribution)
	l.PlayerInactivityTimeout = orElse(l.PlayerInactivityTimeout, server.PlayerInactivityTimeout)
	return l
}

// orElse returns v, or other if v is zero.
func orElse[T int | throttle.Rate | time.Duration](v, other T) T {
	if v == 0 {
		return other
	}
	return v
}

// inactivity returns the timeout, at least zero.
func (l *Limits) inactivity() time.Duration {
	return max(orElse(l.PlayerInactivityTimeout, DefaultInactivityTimeout), 0)
}

// count returns the limit on the number of players or distribution connections.
func (l *Limits) count(k kind) int {
	if k == distribution {
		return l.DistributionConnections
	}
	return l.Players
}

// aggregate returns the bandwidth above which nobody new is admitted.
func (l *Limits) aggregate(k kind) throttle.Rate {
	if k == distribution {
		return l.DistributionBandwidth
	}
	return l.PlayerBandwidth
}

// ceiling returns the rate that all together are slowed down to.
func (l *Limits) ceiling(k kind) throttle.Rate {
	if k == distribution {
		return l.DistributionCeiling
	}
	return l.PlayerCeiling
}

// each returns the bandwidth of one viewer.
func (l *Limits) each(k kind) throttle.Rate {
	if k == distribution {
		return l.BandwidthPerDistribution
	}
	return l.BandwidthPerPlayer
}

// clone returns a copy that shares nothing with r.
func (r Rules) clone() Rules {
	r.Points = slices.Clone(r.Points)
	r.Groups = slices.Clone(r.Groups)
	for i := range r.Groups {
		r.Groups[i].Patterns = slices.Clone(r.Groups[i].Patterns)
	}
	return r
}

// groupOf returns the name of the group whose patterns match a cleaned path, or "".
func (r *Rules) groupOf(p string) string {
	if len(r.Groups) == 0 {
		return ""
	}
	p = strings.ToLower(p)
	for i := range r.Groups {
		for _, pattern := range r.Groups[i].Patterns {
			subject := p
			if !strings.Contains(pattern, "/") {
				subject = path.Base(p)
			}
			if ok, err := path.Match(strings.ToLower(pattern), subject); ok && err == nil {
				return r.Groups[i].Name
			}
		}
	}
	return ""
}

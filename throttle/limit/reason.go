package limit

import "time"

// Reason says which limit refused a request. Zero means none.
type Reason uint8

// The reasons, by the limits that refuse.
const (
	Players Reason = iota + 1
	PlayersPerFile
	PlayersPerAddress
	RequestsPerPlayer
	GroupPlayers
	ConnectionRate
	PlayerBandwidth
	DistributionConnections
	DistributionBandwidth
	// MaxSessions is the size of the table of sessions, [Options].MaxSessions.
	MaxSessions
	reasons
)

// reasonTexts have the name of a reason in headers and logs, and what a client is told.
var reasonTexts = [reasons]struct{ name, words string }{
	Players:                 {"players", "the server has as many viewers as it may have"},
	PlayersPerFile:          {"players-per-file", "this file has as many viewers as it may have"},
	PlayersPerAddress:       {"players-per-address", "your address has as many viewers as it may have"},
	RequestsPerPlayer:       {"requests-per-player", "you have as many requests being served as you may have"},
	GroupPlayers:            {"group-players", "files of this kind have as many viewers as they may have"},
	ConnectionRate:          {"connection-rate", "too many viewers are coming at the same time"},
	PlayerBandwidth:         {"player-bandwidth", "the bandwidth for viewers is used up"},
	DistributionConnections: {"distribution-connections", "as many distribution connections as may be are open"},
	DistributionBandwidth:   {"distribution-bandwidth", "the bandwidth for distribution is used up"},
	MaxSessions:             {"max-sessions", "the server cannot keep track of more viewers"},
}

// String returns the name of the limit, such as "players-per-file".
func (r Reason) String() string {
	if r == 0 || r >= reasons {
		return "none"
	}
	return reasonTexts[r].name
}

// expires reports whether the reason can go away as sessions expire.
func (r Reason) expires() bool { return r != ConnectionRate && r != RequestsPerPlayer }

// Bounds of Retry-After.
const (
	minRetry = time.Second
	maxRetry = time.Minute
)

// denial is why a request is refused.
type denial struct {
	reason Reason
	retry  time.Duration // not yet within the bounds
}

// seconds returns the value of Retry-After.
func (d denial) seconds() int {
	return int((min(max(d.retry, minRetry), maxRetry) + time.Second - 1) / time.Second)
}

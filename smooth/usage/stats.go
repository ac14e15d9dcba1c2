package usage

import "time"

// Level is a number and the most that it has been since [Stats].PeaksSince.
type Level struct{ Now, Peak int64 }

// StreamStats are the counters of one stream since it got counters of its own.
type StreamStats struct {
	// Stream is its path, or "other" for all streams that have no counters of their own.
	Stream string
	// Viewers now, and by protocol where there are any.
	Viewers      int
	ViewersBy    map[Protocol]int
	Sent         int64
	Received     int64
	Requests     int64
	LateSegments int64
	Starved      int64
}

// Stats are the counters of a [Recorder]: what Windows Media Services had as current counters, peaks and totals. Each is
// exact; together they are not one moment's.
type Stats struct {
	// Since is when the recorder was made, PeaksSince when peaks were last reset.
	Since, PeaksSince time.Time
	// Viewers are the sessions that are there, ViewersBy those of each protocol.
	Viewers   Level
	ViewersBy map[Protocol]int
	// Active are the requests that are being served.
	Active Level
	// SentRate and ReceivedRate are bit/s of bodies over the last five seconds; their peaks are of one second.
	SentRate, ReceivedRate Level

	// Requests that ended; Aborted of these were not answered completely, Failed were answered with 5xx.
	Requests, Aborted, Failed int64
	// Sessions that began, SessionsBy protocol. Overflow counts good requests of viewers for whom there was no room.
	Sessions   int64
	SessionsBy map[Protocol]int64
	Overflow   int64
	// Sent and Received are bytes of bodies.
	Sent, Received int64
	// Denied requests, by the name of the limit, or the status where no limit is named.
	Denied map[string]int64
	// Cache counts the values of X-Cache, in lower case.
	Cache map[string]int64
	// Throttled counts answers with X-Throttle.
	Throttled int64
	// LateSegments took longer to send than they play, or than the player could wait, where it says so with CMCD.
	LateSegments int64
	// Starved counts how often players said that their buffers ran empty.
	Starved int64
	// CPU is the use of all processors by this process in the last second, in percent, negative if unknown.
	CPU float64

	// Streams have most viewers first.
	Streams []StreamStats
	// Logs and Webhooks say how the outputs are doing.
	Logs     []LogState
	Webhooks []WebhookStats
}

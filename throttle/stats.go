package throttle

import (
	"sync/atomic"
	"time"

	"github.com/smoothkit/smoothkit/throttle/bitrate"
)

// Stats are totals of a [Handler] since it was made, and what it does now. Bytes and waits count as they happen.
type Stats struct {
	Responses   uint64        // that were paced, also those that are now
	Unthrottled uint64        // that a setting or variables chose, and were sent unthrottled as no rate was known
	Aborted     uint64        // paced responses that ended before their end
	Refused     uint64        // answered 503 as their group was full
	Active      int           // paced responses now
	Sessions    int           // clients that are remembered
	BurstBytes  uint64        // sent without a wait
	SteadyBytes uint64        // sent at the paced rate
	SavedBytes  uint64        // of aborted responses, that were not sent
	Waited      time.Duration // the sum of all waits
	Detected    uint64        // files whose rate was found
	Undetected  uint64        // files whose rate was not found
	Containers  map[bitrate.Container]uint64
	Groups      []GroupStats // by name
}

// GroupStats are those of a connection group.
type GroupStats struct {
	Name    string
	Limit   int // zero means none
	Active  int
	Refused uint64
}

// counters are the atomics behind Stats.
type counters struct {
	responses, unthrottled, aborted, burst, steady, saved atomic.Uint64
	active, waited                                        atomic.Int64
}

// Observation is a paced or refused response that has ended.
type Observation struct {
	Path        string
	Status      int
	Group       string
	Source      string        // what the rate was taken from, such as "mvhd", "variables", "data" or "default"
	Rate        Rate          // after the burst, as planned; a site target may have raised it
	Encoded     Rate          // of the content, zero if it did not matter
	Burst       int64         // that the plan allows, in bytes
	Offset      int64         // of the first byte in the file
	Length      int64         // of the body, -1 if it was not known
	BurstBytes  int64         // sent without a wait
	SteadyBytes int64         // sent at the paced rate
	Waits       int           // how often it waited
	Waited      time.Duration // for how long
	Saved       int64         // bytes of the length that an aborted response did not send
	Aborted     bool
	Refused     bool  // 503, as the group was full
	Err         error // of the detection
}

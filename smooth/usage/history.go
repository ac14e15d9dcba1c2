package usage

import "time"

// The memory of [Recorder.History].
const (
	// HistoryStep is the time that one [Sample] is about.
	HistoryStep = 10 * time.Second
	// HistorySteps is how many samples there are at most: an hour.
	HistorySteps = 360
)

// Sample is what happened in one step of time.
type Sample struct {
	// Start of the step, a multiple of [HistoryStep] since the Unix epoch. The last step of a history is not over.
	Start time.Time
	// Sent and Received are bytes of bodies, as they went: long responses are not counted at their end.
	Sent, Received int64
	// Requests that ended, and Denied of these.
	Requests, Denied int64
	// Viewers is the most that were seen at the end of a second.
	Viewers int
}

// history is a ring of samples. It is for one goroutine at a time.
type history struct {
	ring  [HistorySteps]Sample
	last  int // index of the current step
	count int
	seen  Sample // the totals at the last observation
}

// observe adds what has happened since the last observation to the current step. total has totals, and the number of
// viewers now. Steps without an observation, as when a machine slept, are empty; a clock that is set back stays in the step.
func (h *history) observe(now time.Time, total Sample) {
	start := time.Unix(0, now.UnixNano()-now.UnixNano()%int64(HistoryStep))
	if h.count == 0 {
		h.count, h.seen = 1, total
		h.ring[0].Start = start
	}
	h.advance(start)
	s := &h.ring[h.last]
	s.Sent += total.Sent - h.seen.Sent
	s.Received += total.Received - h.seen.Received
	s.Requests += total.Requests - h.seen.Requests
	s.Denied += total.Denied - h.seen.Denied
	s.Viewers = max(s.Viewers, total.Viewers)
	h.seen = total
}

// advance makes start the current step, or leaves it if that is not later.
func (h *history) advance(start time.Time) {
	gap := start.Sub(h.ring[h.last].Start) / HistoryStep
	for i := min(gap, HistorySteps); i > 0; i-- {
		h.last = (h.last + 1) % HistorySteps
		h.count = min(h.count+1, HistorySteps)
		h.ring[h.last] = Sample{Start: start.Add(-time.Duration(i-1) * HistoryStep)}
	}
}

// samples returns a copy, the oldest first.
func (h *history) samples() []Sample {
	all := make([]Sample, 0, h.count)
	for i := range h.count {
		all = append(all, h.ring[(h.last-h.count+1+i+HistorySteps)%HistorySteps])
	}
	return all
}

package throttle

import (
	"errors"
	"net/http"
	"time"
)

// indexShare is the part of a file that an index is at most: one in so many.
const indexShare = 32

// pace is the paced part of a response: it says how many bytes may be written next, and waits until they may.
type pace struct {
	h       *Handler
	w       *response
	plan    plan
	err     error // of the detection
	taken   *taken
	seek    int64 // burst of a seek
	quantum int64
	slack   int64  // how much less than a quantum is waited for
	rate    Rate   // that the quantum is for
	changes uint64 // of sessions, when the rate was looked at

	credit  int64 // granted and not yet used
	dirty   bool  // bytes, or the header, have been written since the last flush
	timer   *time.Timer
	rc      *http.ResponseController
	rolling deadline
	kernel  *kernelPacing // nil without

	burst, after int64 // bytes sent before the first wait, and after it
	waits        int
	waited       time.Duration
}

// newPace enters a response into everything that it shares with others.
func (h *Handler) newPace(w *response, p *plan, err error) *pace {
	now := time.Now()
	c := &pace{h: h, w: w, plan: *p, err: err, dirty: true, rc: http.NewResponseController(w.ResponseWriter)}
	c.setQuantum(p.rate)
	if h.opts.KernelPacing {
		c.kernel = newKernelPacing(w.r)
	}
	c.seek = p.seekBurst(h.opts.SeekBurst)
	c.taken = h.sessions.begin(now, w.sessionKey(), w.from, p, c.seek, c.index(), c.capacity(), &h.site)
	h.counters.responses.Add(1)
	h.counters.active.Add(1)
	return c
}

// index returns how much of a response at the end of a file may be an index, such as the moov of an MP4 or the idx1 of an
// AVI, which players load before they play: up to the burst.
func (c *pace) index() int64 {
	w := c.w
	if w.from == 0 || w.total < 0 || w.length < 0 || w.from+w.length != w.total || w.length > max(c.plan.burst, w.total/indexShare) {
		return 0
	}
	return min(w.length, c.plan.burst)
}

func (c *pace) setQuantum(rate Rate) {
	c.rate = rate
	least := c.w.table.minSendSize()
	c.quantum = quantum(rate, c.h.opts.Interval, least)
	if c.slack = rate.Bytes(slack); c.quantum-c.slack < max(c.quantum/2, least) {
		c.slack = 0
	}
}

// capacity is how much may be caught up of what was not sent in time: what a slow client may, and at any rate what a
// server under load is late for. At a Gbit/s a quantum lasts a few milliseconds, and to wake later than that is usual.
func (c *pace) capacity() int64 {
	return max(c.seek, c.quantum, c.rate.Bytes(DefaultInterval))
}

// grant waits until bytes may be written and returns how many, at most want and more than zero.
func (c *pace) grant(want int64) (int64, error) {
	if c.credit == 0 {
		if err := c.earn(want); err != nil {
			return 0, err
		}
	}
	c.rolling.extend(c.rc, time.Now(), c.h.opts.WriteTimeout)
	return min(want, c.credit), nil
}

// use takes what was written from the credit.
func (c *pace) use(n int64) {
	c.credit -= n
	c.dirty = true
	if c.waits > 0 {
		c.after += n
		c.h.counters.steady.Add(uint64(n))
	} else {
		c.burst += n
		c.h.counters.burst.Add(uint64(n))
	}
}

// earn waits for the next quantum, or takes what the burst still has.
func (c *pace) earn(want int64) error {
	if err := c.w.r.Context().Err(); err != nil {
		return err
	}
	now := time.Now()
	c.refresh(now)
	remaining := c.remaining(want)
	least := min(remaining, c.quantum-c.slack)
	if rest := c.plan.burst - c.w.sent; rest > 0 && c.waits == 0 {
		least = min(least, rest) // the burst is exact
	}
	group, ceiling := c.shared()
	most := c.most()
	if group != nil || ceiling != nil {
		most = min(most, max(least, sharedQuantum))
	}
	n, wait := c.taken.bucket.next(now, min(remaining, most), least)
	var tick time.Duration
	if wait > 0 {
		n, wait, tick = c.align(now, n, wait)
	}
	if others := max(group.take(now, n), ceiling.take(now, n)); others > wait {
		wait, tick = others, 0
	}
	if err := c.wait(now, wait, tick); err != nil {
		c.taken.bucket.Return(n)
		group.giveBack(n)
		ceiling.giveBack(n)
		return err
	}
	if wait > 0 && group == nil && ceiling == nil && n < c.quantum { // what has been earned between least and now
		more, _ := c.taken.bucket.TakeUpTo(time.Now(), min(remaining, c.quantum)-n, 1)
		n += more
	}
	c.credit = n
	return nil
}

// refresh takes over what has changed around the response.
func (c *pace) refresh(now time.Time) {
	c.h.sessions.settle(now, c.taken)
	changes := c.h.sessions.changes.Load()
	if changes == c.changes {
		return
	}
	c.changes = changes
	rate := c.h.sessions.rate(c.taken)
	if most := c.w.table.MaxRate; most > 0 {
		rate = min(rate, most)
	}
	if rate != c.rate {
		c.setQuantum(rate)
		c.taken.bucket.SetRate(now, rate)
		c.taken.bucket.SetCapacity(now, c.capacity())
	}
}

// remaining is the rest of the body where its length is known, else want. Who wants more than the rest does not know
// the end, and finds it by one byte more.
func (c *pace) remaining(want int64) int64 {
	switch rest := c.w.length - c.w.sent; {
	case c.w.length < 0 || rest < 0:
		return max(want, c.quantum)
	case want > rest:
		return rest + 1
	default:
		return rest
	}
}

// most is the largest write: a quantum, but in the burst, which is until the first wait, more.
func (c *pace) most() int64 {
	if c.waits > 0 {
		return c.quantum
	}
	return max(maxBurstWrite, c.quantum)
}

// shared returns the buckets of the group and of the ceiling, nil where there are none now.
func (c *pace) shared() (group, ceiling *shared) {
	if c.w.group != nil {
		group = c.w.group.bucket.Load()
	}
	return group, c.h.ceiling.Load()
}

// align makes a wait end at a tick of the handler, so that many responses are woken at once: a processor that is asleep
// takes longer to wake than to send. It is the last tick before, with as much less to send, unless the next is so near
// that the response is not late by it. It returns the tick as its time since the handler began, or zero if the wait stays
// as it is.
func (c *pace) align(now time.Time, n int64, wait time.Duration) (int64, time.Duration, time.Duration) {
	end := now.Sub(c.h.start) + wait
	early := end % c.h.tick
	if late := (c.h.tick - early) % c.h.tick; c.rate.Bytes(late) <= c.slack {
		return n, wait + late, end + late
	}
	if early >= wait {
		return n, wait, 0
	}
	less := c.rate.Bytes(early) + 1
	if n-less < max(n/2, c.w.table.minSendSize()) {
		return n, wait, 0
	}
	c.taken.bucket.Return(less)
	return n - less, wait - early, end - early
}

// wait sleeps until the client is gone or d from start is over, which is at a tick unless that is zero. What has been
// written is on its way meanwhile.
func (c *pace) wait(start time.Time, d, tick time.Duration) error {
	if d <= 0 {
		return nil
	}
	c.waits++
	defer func() {
		waited := time.Since(start)
		c.waited += waited
		c.h.counters.waited.Add(int64(waited))
	}()
	if c.dirty {
		c.dirty = false
		if err := c.rc.Flush(); err != nil && !errors.Is(err, http.ErrNotSupported) {
			return err
		}
		if d -= time.Since(start); d <= 0 { // a slow client has been waited for already
			return nil
		}
	}
	c.rolling.extend(c.rc, time.Now().Add(d), c.h.opts.WriteTimeout) // in HTTP/2 it ends a stream that only waits, too
	c.kernel.set(c.rate, c.quantum)
	ctx := c.w.r.Context()
	if tick > 0 {
		select {
		case <-c.h.alarms.wait(c.h.start, tick):
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if c.timer == nil {
		c.timer = time.NewTimer(d)
	} else {
		c.timer.Reset(d)
	}
	select {
	case <-c.timer.C:
		return nil
	case <-ctx.Done():
		c.timer.Stop()
		return ctx.Err()
	}
}

// end leaves everything that the response shared.
func (c *pace) end(sent int64) {
	now := time.Now()
	group, ceiling := c.shared()
	c.taken.bucket.Return(c.credit)
	group.giveBack(c.credit)
	ceiling.giveBack(c.credit)
	c.credit = 0
	c.h.sessions.end(now, c.taken, sent)
	c.kernel.end()
	c.rolling.restore(c.rc, c.w.r.Context(), now)
	c.h.counters.active.Add(-1)
	if saved, aborted := c.w.aborted(); aborted {
		c.h.counters.aborted.Add(1)
		c.h.counters.saved.Add(uint64(saved))
	}
}

// observe fills in what the response did.
func (c *pace) observe(o *Observation) {
	o.Source, o.Rate, o.Encoded, o.Burst, o.Err = c.plan.source, c.plan.rate, c.plan.encoded, c.plan.burst, c.err
	o.BurstBytes, o.SteadyBytes, o.Waits, o.Waited = c.burst, c.after, c.waits, c.waited
	o.Saved, o.Aborted = c.w.aborted()
	o.Length = c.w.length
}

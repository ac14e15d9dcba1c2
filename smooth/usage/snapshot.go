package usage

// Stats returns the counters.
func (r *Recorder) Stats() Stats {
	c := &r.counters
	all, failed := c.total()
	s := Stats{
		Since: r.since, Requests: all, Failed: failed, Aborted: c.aborted.Load(), Overflow: c.overflow.Load(),
		Viewers: level(c.viewers.Load(), c.peakViewers.Load()), Active: level(c.active.Load(), c.peakActive.Load()),
		SentRate:     level(c.rateSent.Load(), c.peakSent.Load()),
		ReceivedRate: level(c.rateReceived.Load(), c.peakReceived.Load()),
		ViewersBy:    make(map[Protocol]int), SessionsBy: make(map[Protocol]int64),
		Sent: c.sent.load(), Received: c.received.load(), Denied: c.denied.counts(), Cache: c.cache.counts(),
		Throttled: c.throttled.Load(), LateSegments: c.late.Load(), Starved: c.starved.Load(), CPU: r.cpu(),
		Streams: r.streams.stats(),
	}
	for p := range protocols {
		if n := c.sessionsBy[p].Load(); n > 0 {
			s.SessionsBy[p] = n
			s.Sessions += n
			s.ViewersBy[p] = int(c.viewersBy[p].Load())
		}
	}
	r.mu.Lock()
	s.PeaksSince = r.peaksSince
	r.mu.Unlock()
	out := r.outputs.Load()
	for _, l := range out.logs {
		if l, ok := l.(stateful); ok {
			s.Logs = append(s.Logs, l.State())
		}
	}
	for _, h := range out.webhooks {
		s.Webhooks = append(s.Webhooks, h.Stats())
	}
	return s
}

// level returns a level whose peak is not below what is there.
func level(now, peak int64) Level { return Level{now, max(now, peak)} }

// ResetPeaks makes the peaks what there is now.
func (r *Recorder) ResetPeaks() {
	c := &r.counters
	r.mu.Lock()
	defer r.mu.Unlock()
	r.peaksSince = r.opts.Now()
	c.peakViewers.Store(c.viewers.Load())
	c.peakActive.Store(c.active.Load())
	c.peakSent.Store(0)
	c.peakReceived.Store(0)
}

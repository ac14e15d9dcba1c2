package usage

import (
	"net/http"
	"time"
)

// finish is the end of a request. returned tells that the handler did not panic.
func (r *Recorder) finish(x *response, returned bool) {
	rec := &x.record
	gone := x.request.Context().Err() != nil
	if rec.Status == 0 && returned && !gone && !x.hijacked {
		x.begin(http.StatusOK) // net/http will send it
	}
	now := r.opts.Now()
	rec.Duration = max(now.Sub(rec.Start), 0)
	rec.Aborted = !returned || x.failed || rec.Status == 0 && !x.hijacked || x.incomplete()
	x.mu.Lock()
	rec.Received = x.received
	pushed := x.pushed
	x.ended = true
	x.mu.Unlock()
	h := x.Header()
	rec.Cache, rec.Throttle, rec.Limit = first(h, "X-Cache"), first(h, "X-Throttle"), first(h, "X-Limit")
	r.settle(x, now)
	r.count(x)
	if pushed != nil {
		r.streams.release(pushed, now)
	}
	r.report(x)
}

// first returns the first value of a header whose name is in canonical form.
func first(h http.Header, name string) string {
	if v := h[name]; len(v) > 0 {
		return v[0]
	}
	return ""
}

// settle adds a request to the session it belongs to. A viewer who has none and is refused is a session that has failed.
func (r *Recorder) settle(x *response, now time.Time) {
	rec := &x.record
	c := &rec.Class
	if x.session == nil && rec.Status >= 400 && c.Stream != "" && c.Kind.watched() && x.request.Method == http.MethodGet {
		x.identify()
		if x.session = r.join(x, false); x.session == nil && c.Kind.opens() {
			r.refused(x, now)
		}
	}
	if s := x.session; s != nil {
		rec.Session = s.view.ID
		c.Stream = s.view.Stream
		if c.Protocol == Other {
			c.Protocol = s.view.Protocol
		}
		r.leave(s, rec, now)
	}
}

// refused tells the logs of a viewer who never got anything.
func (r *Recorder) refused(x *response, now time.Time) {
	if len(r.outputs.Load().logs) == 0 {
		return
	}
	v := x.newSession()
	v.Last, v.Ended, v.Requests, v.Failed, v.Sent, v.FileSize = now, now, 1, 1, x.record.Sent, 0
	v.HasCMCD = x.record.HasCMCD
	switch v.Status = x.record.Status; v.Status {
	case http.StatusForbidden:
		v.Status = http.StatusUnauthorized
	case http.StatusPreconditionFailed:
		v.Status = http.StatusNotFound
	}
	v.Viewers, v.CPU = int(r.counters.viewers.Load()), r.cpu()
	r.logSession(&v)
}

// count adds a request to the totals.
func (r *Recorder) count(x *response) {
	c, rec := &r.counters, &x.record
	c.active.Add(-1)
	kind := rec.Class.Kind
	c.requests[kind][statusClass(rec.Status)].Add(1)
	if kind.watched() {
		c.seconds[kind].add(rec.Duration)
	}
	if rec.Aborted {
		c.aborted.Add(1)
	}
	if rec.Cache != "" {
		c.cache.add(rec.Cache)
	}
	if rec.Throttle != "" {
		c.throttled.Add(1)
	}
	late, starved := rec.late(), rec.HasCMCD && rec.CMCD.Starved
	if late {
		c.late.Add(1)
	}
	if starved {
		c.starved.Add(1)
	}
	s := x.stream
	if x.session != nil {
		s = x.session.stream
	}
	if s != nil {
		s.requests.Add(1)
		if late {
			s.late.Add(1)
		}
		if starved {
			s.starved.Add(1)
		}
	}
	r.deny(x)
}

// deny counts a request that was refused.
func (r *Recorder) deny(x *response) {
	rec := &x.record
	switch {
	case rec.Limit != "" && rec.Status >= 400:
		r.counters.denied.add(rec.Limit)
		r.Emit(Event{
			Kind: LimitHit, Subject: rec.Class.Stream, Message: "a viewer was refused",
			Attrs: [][2]string{{"limit", plainWord(rec.Limit)}},
		})
	case rec.Status == http.StatusUnauthorized:
		r.counters.denied.add("401")
	case rec.Status == http.StatusForbidden:
		r.counters.denied.add("403")
	case rec.Status == http.StatusTooManyRequests:
		r.counters.denied.add("429")
	case rec.Status == http.StatusServiceUnavailable:
		r.counters.denied.add("503")
	}
}

// report tells the logs of a request.
func (r *Recorder) report(x *response) {
	if len(r.outputs.Load().logs) == 0 && r.opts.Observe == nil {
		return
	}
	rec, req := &x.record, x.request
	rec.Address, rec.Local = x.privacy.address(x.address), localAddress(req)
	rec.Method, rec.Version, rec.Host, rec.TLS = req.Method, req.Proto, req.Host, req.TLS != nil
	rec.Path, rec.Query = x.privacy.path(req.URL), x.privacy.query(req.URL.RawQuery)
	rec.UserAgent, rec.Referer = first(req.Header, "User-Agent"), x.privacy.referer(first(req.Header, "Referer"))
	rec.Range = first(req.Header, "Range")
	rec.Viewers = int(r.counters.viewers.Load())
	if rec.HasCMCD && rec.CMCD.NextObject != "" {
		rec.CMCD.NextObject = "" // a URL with whatever secrets
		rec.CMCD.keys &^= keyNOR
	}
	out := r.hold()
	for _, l := range out.logs {
		l.Request(rec)
	}
	out.users.RUnlock()
	if r.opts.Observe != nil {
		r.opts.Observe(rec)
	}
}

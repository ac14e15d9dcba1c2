package usage

import (
	"encoding/binary"
	"hash/maphash"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// key identifies a session: 128 bits of a keyed hash, so that nobody can make two of them meet.
type key [2]uint64

// session is a viewer. The shard's mutex guards it but for the counters.
type session struct {
	key            key
	view           Session // without what the other fields have
	stream         *stream
	sent, received atomic.Int64
	prev, next     *session // in the list of idle sessions
	listed, ended  bool
	troubled       bool // got an answer of 5xx
	resumed        bool // and a good one after that
	cut            bool // the last answer was not complete
}

// shards is the number of parts of the table. Each has its own mutex.
const shards = 32

// shard is a part of the table of sessions.
type shard struct {
	mu sync.Mutex // guards the fields below
	// sessions are those of the shard; head and tail are the list of those without request, the longest idle first.
	sessions   map[key]*session
	head, tail *session
}

// push puts a session at the end of the idle list. mu must be held.
func (p *shard) push(s *session) {
	s.prev, s.next, s.listed = p.tail, nil, true
	if p.tail == nil {
		p.head = s
	} else {
		p.tail.next = s
	}
	p.tail = s
}

// remove takes a session out of the idle list. mu must be held.
func (p *shard) remove(s *session) {
	if s.prev == nil {
		p.head = s.next
	} else {
		s.prev.next = s.next
	}
	if s.next == nil {
		p.tail = s.prev
	} else {
		s.next.prev = s.prev
	}
	s.prev, s.next, s.listed = nil, nil, false
}

// sum returns the key of what is hashed: who, by address or by name, and what. The bounds of the strings count.
func (r *Recorder) sum(w *who, stream string) (k key) {
	var head [17 + 16]byte
	head[0] = w.by
	binary.LittleEndian.PutUint64(head[1:], uint64(len(w.a)))
	binary.LittleEndian.PutUint64(head[9:], uint64(len(w.b)))
	copy(head[17:], w.ip[:])
	for i := range k {
		var h maphash.Hash
		h.SetSeed(r.seeds[i])
		h.Write(head[:])
		h.WriteString(w.a)
		h.WriteString(w.b)
		h.WriteString(stream)
		k[i] = h.Sum64()
	}
	return k
}

// The first byte of what is hashed for a key.
const (
	byID      = 'i'
	byAddress = 'a'
)

// maxAbove is how many directories above that of a part its session is looked for: a master playlist is above the
// directories of its renditions.
const maxAbove = 2

// join finds the session of a request and marks it as active, or makes one if create is set.
func (r *Recorder) join(x *response, create bool) *session {
	name := x.record.Class.Stream
	for above := 0; ; above++ {
		if s := r.find(r.sum(&x.who, name), x.record.Start); s != nil {
			return s
		}
		if !x.record.Class.part || above == maxAbove || len(name) < 2 {
			break
		}
		name = directory(name[:strings.LastIndexByte(name, '/')+1])
		if name == "/" || name == "" {
			break
		}
	}
	if !create {
		return nil
	}
	return r.create(x)
}

// find marks a session as active and returns it, or nil.
func (r *Recorder) find(k key, now time.Time) *session {
	p := &r.shards[k[0]%shards]
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.sessions[k]
	if s != nil {
		p.activate(s, now)
	}
	return s
}

// activate marks a session as one that has a request. mu must be held.
func (p *shard) activate(s *session, now time.Time) {
	if s.listed {
		p.remove(s)
	}
	s.view.Active++
	if now.After(s.view.Last) {
		s.view.Last = now
	}
}

// create makes the session of a request, or returns nil if there is no room for it.
func (r *Recorder) create(x *response) *session {
	if r.closed.Load() {
		return nil
	}
	n := r.counters.viewers.Add(1)
	if n > int64(r.opts.MaxSessions) {
		r.counters.viewers.Add(-1)
		r.counters.overflow.Add(1)
		return nil
	}
	s := &session{key: r.sum(&x.who, x.record.Class.Stream), view: x.newSession()}
	p := &r.shards[s.key[0]%shards]
	p.mu.Lock()
	if other := p.sessions[s.key]; other != nil {
		p.activate(other, x.record.Start)
		p.mu.Unlock()
		r.counters.viewers.Add(-1)
		return other
	}
	s.stream = r.streams.acquire(s.view.Stream)
	s.view.Active = 1
	p.sessions[s.key] = s
	p.mu.Unlock()
	r.came(s, n)
	return s
}

// came counts a new session.
func (r *Recorder) came(s *session, viewers int64) {
	rise(&r.counters.peakViewers, viewers)
	protocol := s.view.Protocol
	r.counters.viewersBy[protocol].Add(1)
	r.counters.sessionsBy[protocol].Add(1)
	s.stream.viewers[protocol].Add(1)
	s.stream.sessions[protocol].Add(1)
}

// leave is the end of a request of a session.
func (r *Recorder) leave(s *session, rec *Record, now time.Time) {
	p := &r.shards[s.key[0]%shards]
	p.mu.Lock()
	defer p.mu.Unlock()
	s.note(rec, now)
	if s.view.Active--; s.view.Active == 0 && !s.ended {
		p.push(s)
	}
}

// note adds a request to a session.
func (s *session) note(rec *Record, now time.Time) {
	v := &s.view
	v.Last = now
	v.Requests++
	v.User = firstOf(v.User, rec.User)
	s.cut = rec.Aborted
	if rec.Aborted {
		v.Aborted++
	}
	switch {
	case rec.Status >= 400:
		v.Failed++
		s.troubled = s.troubled || rec.Status >= 500
	case s.troubled:
		s.resumed = true
	}
	if c := &rec.Class; rec.Status < 400 && c.Kind == Segment {
		if c.Timed && !v.Timed && !v.Live {
			v.FirstTime, v.Timed = c.MediaTime, true
		}
		if c.Bitrate > 0 {
			v.Bitrate, v.MaxBitrate = c.Bitrate, max(v.MaxBitrate, c.Bitrate)
		}
	}
	if rec.HasCMCD {
		v.noteCMCD(&rec.CMCD)
	}
}

// noteCMCD adds what the player says.
func (v *Session) noteCMCD(c *CMCD) {
	v.HasCMCD = true
	v.Rate = c.PlaybackRate()
	if c.Starved {
		v.Starved++
	}
	if c.Throughput > 0 {
		v.Throughput = c.Throughput
	}
	v.Live = v.Live || c.StreamType == "l"
	if v.PlayerSession == "" {
		v.PlayerSession = strings.Clone(c.Session)
	}
	if v.Content == "" {
		v.Content = strings.Clone(c.Content)
	}
}

// firstOf returns a, or a copy of b if a is empty.
func firstOf(a, b string) string {
	if a != "" || b == "" {
		return a
	}
	return strings.Clone(clip(b, maxKept))
}

// snapshot returns a session as others see it. The shard's mutex must be held.
func (s *session) snapshot(now time.Time) Session {
	v := s.view
	if v.Active > 0 && now.After(v.Last) {
		v.Last = now // it goes on
	}
	v.Sent, v.Received = s.sent.Load(), s.received.Load()
	switch {
	case s.cut && v.Active == 0:
		v.Status = statusVanished
	case s.resumed:
		v.Status = statusResumed
	default:
		v.Status = 200
	}
	return v
}

// Values of [Session].Status that HTTP does not have, from Windows Media Services.
const (
	statusResumed  = 210
	statusVanished = 420
)

// expire ends the sessions that have been idle since before a time; all of them, also those with requests, if everything is
// set.
func (r *Recorder) expire(now, before time.Time, everything bool) {
	var gone []Session
	for i := range r.shards {
		gone = r.shards[i].expire(r, gone[:0], now, before, everything)
		for j := range gone {
			r.end(&gone[j], now)
		}
	}
}

// expire removes sessions from the table and appends them.
func (p *shard) expire(r *Recorder, gone []Session, now, before time.Time, everything bool) []Session {
	p.mu.Lock()
	defer p.mu.Unlock()
	take := func(s *session) {
		if s.listed {
			p.remove(s)
		}
		delete(p.sessions, s.key)
		s.ended = true
		gone = append(gone, s.snapshot(now))
		s.stream.viewers[s.view.Protocol].Add(-1)
		r.counters.viewersBy[s.view.Protocol].Add(-1)
		r.streams.release(s.stream, s.view.Last)
	}
	for p.head != nil && p.head.view.Last.Before(before) {
		take(p.head)
	}
	if everything {
		for _, s := range p.sessions {
			take(s)
		}
	}
	return gone
}

// end tells the logs of a session that is over.
func (r *Recorder) end(v *Session, now time.Time) {
	v.Viewers = int(r.counters.viewers.Load())
	r.counters.viewers.Add(-1)
	v.Ended = now
	v.CPU = r.cpu()
	r.logSession(v)
}

// logSession tells the logs of a session, with what is known of its stream.
func (r *Recorder) logSession(v *Session) {
	if r.opts.Media != nil {
		v.Media = r.opts.Media(v.Stream)
	}
	out := r.hold()
	defer out.users.RUnlock()
	for _, l := range out.logs {
		l.Session(v)
	}
}

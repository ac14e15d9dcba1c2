package throttle

import (
	"container/list"
	"sync"
	"sync/atomic"
	"time"
)

// Limits of sessions.
const (
	// sessionIdle is how long what a client has been sent of a file is remembered after its last response.
	sessionIdle = 5 * time.Minute
	// maxName is the longest name of a client or a file that is remembered as it is, in bytes.
	maxName = 512
	// maxViewers is the number of viewers that are told apart behind one address, of one file: as many as an address can
	// have connections, as it may be that of a proxy or of a benchmark.
	maxViewers = 1 << 16
	// maxCursors is the number of positions that a budget remembers, one for each response of a player lately.
	maxCursors = 4
	// A client may seek seekBursts times in a row and then once in four seconds; further seeks earn no burst.
	// Otherwise a download in small pieces would be sent as fast as it asks.
	seekBursts      = 12
	seekRate   Rate = 2 // a byte, which is a seek, every four seconds
	// seekSlack is how far beyond what was sent a request may begin and still be its continuation, in bytes.
	seekSlack = 64 << 10
	// seekWait is how long a seek waits for the burst it earns while the response before it is still being sent.
	seekWait = 2 * time.Second
	// Whoever has used less of a response than one part in askShare of a seek's burst has asked a question with it, as
	// for the header of a file, and does not play on with the next one.
	askShare = 6
	// resumeShare is the part of what a response was used for that its continuation gets back of what was lost, at most:
	// one in so many.
	resumeShare = 5
)

// sessionKey names a client and what it plays.
type sessionKey struct{ client, resource string }

// sessions remember what clients have been sent, so that a seek or a reopened connection does not begin with a burst
// again, and parallel ranges of one player share one rate.
type sessions struct {
	max     int           // sessions without a response are forgotten above it
	changes atomic.Uint64 // counts what may have changed somebody's rate

	mu    sync.Mutex // guards the fields below and all sessions and budgets
	byKey map[sessionKey]*session
	idle  *list.List // of *session without a response, the one that ended longest ago first
}

// session is a client and a file. Behind one address there may be several viewers, with a budget each.
type session struct {
	key     sessionKey
	budgets []*budget
	busy    int           // budgets with a response
	active  int           // responses
	ended   time.Time     // when the last of them did
	entry   *list.Element // of idle, nil while active
}

// budget is what one viewer may be sent of one file: all of its responses take from one bucket.
type budget struct {
	session *session
	bucket  *Bucket
	viewer  *viewer   // of the site, nil while no response is sent
	active  int       // responses
	used    time.Time // when one last began or ended
	seeks   *Bucket   // of bursts for seeks, one byte each
	cursors [maxCursors]cursor
	next    int // index of the cursor to replace
}

// cursor is what a response has sent: bytes [from, to) of the file.
type cursor struct{ from, to int64 }

// taken is a response's part of a budget.
type taken struct {
	*budget
	cursor cursor
	seek   int64     // burst that it earns when it is alone, in bytes
	since  time.Time // of the seek
}

func newSessions(most int) *sessions {
	return &sessions{max: most, byKey: make(map[sessionKey]*session), idle: list.New()}
}

// begin returns the budget of a response that begins at a byte of the file. index is what of it a player may need before
// it can play at all, in bytes.
func (s *sessions) begin(now time.Time, key sessionKey, from int64, p *plan, seekBurst, index, capacity int64, site *site) *taken {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.expire(now)
	sess := s.byKey[key]
	if sess == nil {
		sess = &session{key: key}
		s.byKey[key] = sess
	} else if sess.entry != nil {
		s.idle.Remove(sess.entry)
		sess.entry = nil
	}
	t := &taken{cursor: cursor{from, from}}
	if t.budget = sess.choose(from); t.budget == nil {
		t.budget = &budget{session: sess, bucket: NewBucket(p.rate, p.burst, capacity), seeks: NewBucket(seekRate, seekBursts, seekBursts)}
		sess.budgets = append(sess.budgets, t.budget)
	} else {
		t.resume(now, seekBurst, index)
	}
	if t.viewer != nil && t.viewer.floor != p.rate {
		t.viewer.leave()
		t.viewer = nil
	}
	if t.viewer == nil {
		t.viewer = site.join(p.rate)
		t.bucket.SetRate(now, p.rate)
	}
	t.bucket.SetCapacity(now, capacity)
	s.changes.Add(1)
	if t.active++; t.active == 1 {
		sess.busy++
	}
	t.used = now
	sess.active++
	return t
}

// choose returns the budget that a response at a byte of the file belongs to, or nil for a new viewer: the one whose
// response it goes on with, else the one that is idle and was used last, else the one that was used last. Whoever
// begins at the beginning while others are being sent the file is another viewer behind the same address.
func (s *session) choose(from int64) *budget {
	if from == 0 && s.busy == len(s.budgets) && len(s.budgets) < maxViewers {
		return nil
	}
	var best *budget
	for _, b := range s.budgets {
		if b.continues(from) >= 0 && b.active == 0 {
			return b
		}
		if best == nil || (b.active == 0) != (best.active == 0) && b.active == 0 || (b.active == 0) == (best.active == 0) && b.used.After(best.used) {
			best = b
		}
	}
	return best
}

// continues returns the index of the cursor that a response at a byte of the file goes on from, or -1.
func (b *budget) continues(from int64) int {
	for i, c := range b.cursors {
		if c.to > c.from && from > c.from && from <= c.to+seekSlack {
			return i
		}
	}
	return -1
}

// resume gives a further response of a budget what it earns: the continuation of an earlier one some of what was sent
// and not used, any other, which is a seek, a burst, and one that brings all of an index.
func (t *taken) resume(now time.Time, seekBurst, index int64) {
	if i := t.continues(t.cursor.from); i >= 0 && t.cursor.from-t.cursors[i].from > seekBurst/askShare {
		c := t.cursors[i]
		t.bucket.Return(min(max(c.to-t.cursor.from, 0), (t.cursor.from-c.from)/resumeShare))
		t.cursors[i] = cursor{} // once
		return
	}
	if n, _ := t.seeks.TakeUpTo(now, 1, 1); n == 1 {
		t.seek, t.since = seekBurst, now
		if seekBurst > 0 {
			t.seek = max(seekBurst, index)
		}
	}
}

// rate returns what the viewer may have now.
func (s *sessions) rate(t *taken) Rate {
	s.mu.Lock()
	defer s.mu.Unlock()
	return t.viewer.rate()
}

// settle gives a seek its burst once no other response of the player is being sent: a player that seeks has dropped
// the old one, but the news of that may be late, whereas one that loads ranges in parallel has not.
func (s *sessions) settle(now time.Time, t *taken) {
	if t.seek == 0 {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if t.active == 1 {
		t.bucket.Raise(now, t.seek)
		t.seek = 0
	} else if now.Sub(t.since) > seekWait {
		t.seek = 0
	}
}

// end ends a response that has sent so many bytes.
func (s *sessions) end(now time.Time, t *taken, sent int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if sent > 0 {
		t.cursors[t.next] = cursor{t.cursor.from, t.cursor.from + sent}
		t.next = (t.next + 1) % maxCursors
	}
	t.used = now
	s.changes.Add(1)
	if t.active--; t.active == 0 {
		t.viewer.leave()
		t.viewer = nil
		t.session.busy--
	}
	sess := t.session
	if sess.active--; sess.active == 0 {
		sess.ended = now
		sess.entry = s.idle.PushBack(sess)
	}
	s.expire(now)
}

// expire forgets sessions that ended long ago, or longest ago where there are too many. mu must be held.
func (s *sessions) expire(now time.Time) {
	for e := s.idle.Front(); e != nil; e = s.idle.Front() {
		sess := e.Value.(*session)
		if s.idle.Len() <= s.max && now.Sub(sess.ended) < sessionIdle {
			return
		}
		s.idle.Remove(e)
		delete(s.byKey, sess.key)
	}
}

// count returns the number of sessions.
func (s *sessions) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.byKey)
}

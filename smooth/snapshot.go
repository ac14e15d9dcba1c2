package smooth

import (
	"encoding/hex"
	"sync"
	"sync/atomic"
	"time"
)

// Snapshot is the state of a presentation at one moment. All fields are immutable once it is published.
// Create one with [NewSnapshot]. It is safe for concurrent use.
type Snapshot struct {
	// Manifest describes streams, quality levels and the timelines a client may ask for.
	Manifest *Manifest
	// Periods in ascending order of Start; at least one.
	Periods []Period
	// Edges holds one entry per stream of Manifest, in the same order; nil means everything listed is complete.
	Edges []Edge
	// Gaps lists missing fragments, in ascending order of time per stream.
	Gaps []Gap
	// Ended reports that nothing will be added: always true on demand.
	Ended bool
	// Validator identifies the content: two snapshots with the same bytes have the same validator, on every node.
	// It is made of characters that may stand in an entity tag.
	Validator string
	// ModTime is the time of the last change; zero if unknown.
	ModTime time.Time
	// NotSmooth says why the presentation cannot be shown over Smooth Streaming, such as that it is stored in a format
	// that only one of the outputs can send, or that nothing of it is listed yet. It wraps [ErrUnsupported] or [ErrNotYet]
	// and is the answer to a request for the client manifest; nil for nearly all presentations.
	NotSmooth error
	// Interstitials in ascending order of At.
	Interstitials []Interstitial

	memo       memo
	derived    sync.Map
	modified   atomic.Pointer[[]string] // ModTime as a header value, once made
	superseded chan struct{}
	replace    sync.Once
}

// Period is a part of a presentation with constant codec configurations.
type Period struct {
	// Start in ticks of the manifest's timescale.
	Start uint64
	// Wall is the wall-clock time at Start; zero if unknown.
	Wall time.Time
	// Discontinuity counts the discontinuities before the period since the presentation began.
	Discontinuity uint64
	// Tracks lists the tracks with their codec configuration, in manifest order.
	Tracks []Track
}

// Track is one quality level of a stream with its codec configuration.
type Track struct {
	// Stream, Attrs and Bitrate are those of the track's [FragmentKey].
	Stream, Attrs string
	Bitrate       uint64
	// Codec is the configuration in the period.
	Codec *Codec
}

// Edge tells how far a live stream has come, in ticks of the stream's timescale, exclusive.
type Edge struct {
	// Listed is the end of what a Smooth client may ask for, behind the look-ahead.
	Listed uint64
	// Complete is the end of what has been received.
	Complete uint64
	// Received lists the fragments that have been received and can be had, for outputs that need not wait for the
	// look-ahead: the Timeline of the stream, followed by those behind it, as two slices of one array. Nil means that only
	// what is listed is known.
	Received Timeline
	// Kept is Received preceded by the fragments that have left the window a short while ago and can still be had, by
	// players that have a list with them: three slices of one array, RFC 8216 6.2.2. Nil means that there are none.
	Kept Timeline
}

// Gap is a span without content, in ticks of the stream's timescale.
type Gap struct {
	Stream         string
	Time, Duration uint64
}

// NewSnapshot returns a snapshot of m. The caller sets further fields before it publishes the value and leaves
// both alone afterwards.
func NewSnapshot(m *Manifest, validator string) *Snapshot {
	return &Snapshot{
		Manifest:   m,
		Periods:    []Period{{}},
		Ended:      !m.IsLive,
		Validator:  validator,
		superseded: make(chan struct{}),
	}
}

// validatorBytes is how much of a SHA-256 sum makes a validator: no two contents meet by chance.
const validatorBytes = 12

// validatorOf returns a validator, or a part of one, for a SHA-256 sum.
func validatorOf(sum []byte) string { return hex.EncodeToString(sum[:validatorBytes]) }

// Superseded returns a channel that is closed when a newer snapshot has been published. On demand it never is,
// unless the files change.
func (s *Snapshot) Superseded() <-chan struct{} { return s.superseded }

// Supersede closes the channel of Superseded. The publisher calls it after it has published a successor.
func (s *Snapshot) Supersede() { s.replace.Do(func() { close(s.superseded) }) }

// Track returns the track for a key as of the last period that starts at or before the key's time, or nil.
func (s *Snapshot) Track(k FragmentKey) *Track {
	st := s.Manifest.Stream(k.Stream)
	if st == nil {
		return nil
	}
	t := Rescale(k.Time, s.Manifest.TimescaleOf(st), s.Manifest.timescale())
	for i := len(s.Periods) - 1; i >= 0; i-- {
		p := &s.Periods[i]
		if p.Start > t && i > 0 {
			continue
		}
		for j := range p.Tracks {
			tr := &p.Tracks[j]
			if tr.Stream == st.Name && tr.Bitrate == k.Bitrate && tr.Attrs == k.Attrs {
				return tr
			}
		}
		return nil
	}
	return nil
}

// MemoBytes bounds what [Snapshot.Memo] keeps per snapshot.
const MemoBytes = 16 << 20

// Memo returns the bytes derived from the snapshot under key, such as its XML or a media playlist. The first
// caller builds them, concurrent callers wait for it, later ones share the result, which nobody may modify. An
// error is returned to those who waited and not kept. Results beyond [MemoBytes] in all are built anew each time.
func (s *Snapshot) Memo(key string, build func() ([]byte, error)) ([]byte, error) {
	return s.memo.get(key, build)
}

// Derive returns the value that is kept with the snapshot under key, as build has made it, for what is dear to find out
// about a presentation again and again. Of several callers at first each may build; all get the same value. Nothing bounds
// what is kept, so keys must be few and must not come from requests; a key of a type of one's own meets no other. An
// error is not kept.
func (s *Snapshot) Derive(key any, build func() (any, error)) (any, error) {
	if v, ok := s.derived.Load(key); ok {
		return v, nil
	}
	v, err := build()
	if err != nil {
		return nil, err
	}
	v, _ = s.derived.LoadOrStore(key, v)
	return v, nil
}

// memo is a byte-bounded map of coalesced results.
type memo struct {
	mu      sync.Mutex // guards the fields below
	entries map[string]*memoEntry
	bytes   int
}

type memoEntry struct {
	done chan struct{} // closed when data and err are set
	data []byte
	err  error
}

func (m *memo) get(key string, build func() ([]byte, error)) ([]byte, error) {
	m.mu.Lock()
	if e, ok := m.entries[key]; ok {
		m.mu.Unlock()
		<-e.done
		return e.data, e.err
	}
	if m.entries == nil {
		m.entries = make(map[string]*memoEntry)
	}
	e := &memoEntry{done: make(chan struct{}), err: ErrClosed} // the error if build panics
	m.entries[key] = e
	m.mu.Unlock()
	defer m.finish(key, e)
	e.data, e.err = build()
	return e.data, e.err
}

func (m *memo) finish(key string, e *memoEntry) {
	close(e.done)
	m.mu.Lock()
	defer m.mu.Unlock()
	if e.err != nil || m.bytes+len(e.data)+len(key) > MemoBytes {
		delete(m.entries, key)
		return
	}
	m.bytes += len(e.data) + len(key)
}

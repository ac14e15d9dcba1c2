package playlist

import (
	"encoding/binary"
	"fmt"
	"time"
)

// UnmarshalBinary reads what [Session.AppendBinary] wrote and nothing else: not a part of it, nor more. It keeps
// nothing of data. After an error the session is as it was.
func (s *Session) UnmarshalBinary(data []byte) error {
	if len(data) > maxSessionBytes {
		return fmt.Errorf("playlist: session record: %d bytes, at most %d", len(data), maxSessionBytes)
	}
	r := sessionReader{data: data, text: string(data)}
	read := r.session()
	if r.err == nil && r.at < len(data) {
		r.fail("%d bytes too many", len(data)-r.at)
	}
	if r.err == nil {
		r.err = read.check()
	}
	if r.err != nil {
		return fmt.Errorf("playlist: session record: byte %d of %d: %w", r.at, len(data), r.err)
	}
	*s = read
	return nil
}

// sessionReader is a position in a record, and the first error: after it all values are zero and all counts too.
type sessionReader struct {
	data []byte
	text string // data once more: one allocation for all strings of a session
	at   int
	err  error
}

func (r *sessionReader) fail(format string, args ...any) {
	if r.err == nil {
		r.err = fmt.Errorf(format, args...)
	}
}

func (r *sessionReader) session() (s Session) {
	if v := r.bytes(1); len(v) == 1 && v[0] != sessionVersion {
		r.fail("version %d, not %d", v[0], sessionVersion)
	}
	copy(s.ID[:], r.bytes(len(s.ID)))
	s.Playlist, s.Version, s.Client = r.string(), r.string(), r.string()
	s.Created = r.time(time.Unix(0, 0))
	s.Used = r.time(s.Created)
	s.TimeToLive, s.InactivityTimeout = time.Duration(r.varint()), time.Duration(r.varint())
	r.viewer(&s.viewer, s.Created)
	r.viewer(&s.stitched, s.Created)
	s.lists = readList(r, maxOpenLists, 3, func(l *openList) { l.Parent, l.Playlist, l.Version = r.string(), r.string(), r.string() })
	return s
}

func (r *sessionReader) viewer(v *viewer, created time.Time) {
	v.At = readList(r, maxSessionDepth, 1, func(n *int) { *n = int(min(r.uvarint(), MaxEntries+1)) })
	if known := r.uvarint(); known > 1 {
		r.fail("mark of a time is %d", known)
	} else if known == 1 {
		v.Last = r.time(created)
	}
	v.Done = readList(r, maxDoneWords, 1, func(word *uint64) { *word = r.uvarint() })
	v.Nested = readList(r, maxNested, 1, func(name *string) { *name = r.string() })
	v.States = readList(r, maxStates, 6, func(g *progress) {
		g.Entry = r.string()
		g.Size = r.int()
		g.Began = r.time(created)
		g.Plays = time.Duration(r.varint())
		end := int64(0)
		g.Spans = readList(r, maxSpans, 2, func(p *span) {
			p.From = end + r.int() // what overflows is out of order
			p.To = p.From + r.int()
			end = p.To
		})
	})
}

// readList reads a count and as many values, each of which takes at least least bytes.
func readList[T any](r *sessionReader, most, least int, read func(*T)) []T {
	n := r.uvarint()
	if left := len(r.data) - r.at; n > uint64(most) || n > uint64(left/least) {
		r.fail("list of %d, at most %d in %d bytes", n, most, left)
	}
	if r.err != nil || n == 0 {
		return nil
	}
	list := make([]T, n)
	for i := range list {
		if read(&list[i]); r.err != nil {
			return nil
		}
	}
	return list
}

func (r *sessionReader) bytes(n int) []byte {
	if len(r.data)-r.at < n {
		r.fail("%w", errSessionShort)
	}
	if r.err != nil {
		return nil
	}
	r.at += n
	return r.data[r.at-n : r.at]
}

func (r *sessionReader) string() string {
	n := r.uvarint()
	if left := len(r.data) - r.at; n > MaxValue || n > uint64(left) {
		r.fail("text of %d bytes, at most %d, %d left", n, MaxValue, left)
	}
	if r.err != nil {
		return ""
	}
	r.at += int(n)
	return r.text[r.at-int(n) : r.at]
}

func (r *sessionReader) uvarint() uint64 {
	x, n := binary.Uvarint(r.data[r.at:])
	return r.number(x, n)
}

func (r *sessionReader) varint() int64 {
	x, n := binary.Varint(r.data[r.at:])
	return int64(r.number(uint64(x), n))
}

// number takes what package binary read, with the number of bytes.
func (r *sessionReader) number(x uint64, n int) uint64 {
	switch {
	case r.err != nil:
	case n == 0:
		r.fail("%w", errSessionShort)
	case n < 0:
		r.fail("number above 64 bits")
	default:
		r.at += n
		return x
	}
	return 0
}

// int reads a number that is not negative and fits into an int64.
func (r *sessionReader) int() int64 {
	x := r.uvarint()
	if int64(x) < 0 {
		r.fail("number %d, at most 63 bits", x)
		return 0
	}
	return int64(x)
}

func (r *sessionReader) time(base time.Time) time.Time {
	seconds, nanoseconds := r.varint(), r.uvarint()
	if nanoseconds >= uint64(time.Second) {
		r.fail("%d nanoseconds of a second", nanoseconds)
		return time.Time{}
	}
	return time.Unix(base.Unix()+seconds, int64(nanoseconds)).UTC()
}

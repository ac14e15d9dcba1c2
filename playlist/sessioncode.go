package playlist

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"
)

// The binary form of a session, in which stores keep it. Version 1, of uvarints (u) and varints (v) of package
// encoding/binary, strings with their length before them (s) and lists with their count before them ([]):
//
//	byte 1 · ID 16 bytes · Playlist s · Version s · Client s · Created time · Used time ·
//	TimeToLive v · InactivityTimeout v · viewer · viewer of the stitched form ·
//	opened lists [] of (Parent s, Playlist s, Version s)
//
//	viewer: At [] of u · Last (u 0, or u 1 and time) · Done [] of u · Nested [] of s ·
//	        States [] of (Entry s, Size u, Began time, Plays v, Spans [] of (u from the end of the one before, u length))
//	time:   v seconds since Created, or since 1970 for Created itself · u nanoseconds
const sessionVersion = 1

// Limits of the binary form beside those of viewers. They leave out nothing that documents within their limits lead to.
const (
	maxSessionBytes = 1 << 20
	maxSessionDepth = MaxDepth
	maxDoneWords    = (MaxEntries + 63) / 64
	maxNested       = 64 << 10
	maxOpenLists    = MaxEntries
)

// errSessionShort is for a record that ends inside a field.
var errSessionShort = errors.New("record ends too early")

// AppendBinary appends the binary form of the session, as stores keep it. It returns an error for a session that
// [Session.UnmarshalBinary] would not take, which no handler makes. Times lose their location.
func (s *Session) AppendBinary(dst []byte) ([]byte, error) {
	start := len(dst)
	if err := s.check(); err != nil {
		return dst, fmt.Errorf("playlist: session: %w", err)
	}
	b := append(dst, sessionVersion)
	b = append(b, s.ID[:]...)
	b = appendString(b, s.Playlist)
	b = appendString(b, s.Version)
	b = appendString(b, s.Client)
	b = appendTime(b, s.Created, time.Unix(0, 0))
	b = appendTime(b, s.Used, s.Created)
	b = binary.AppendVarint(b, int64(s.TimeToLive))
	b = binary.AppendVarint(b, int64(s.InactivityTimeout))
	b = s.viewer.append(b, s.Created)
	b = s.stitched.append(b, s.Created)
	b = binary.AppendUvarint(b, uint64(len(s.lists)))
	for i := range s.lists {
		l := &s.lists[i]
		b = appendString(b, l.Parent)
		b = appendString(b, l.Playlist)
		b = appendString(b, l.Version)
	}
	if n := len(b) - start; n > maxSessionBytes {
		return dst, fmt.Errorf("playlist: session: %d bytes, at most %d", n, maxSessionBytes)
	}
	return b, nil
}

func (v *viewer) append(b []byte, created time.Time) []byte {
	b = binary.AppendUvarint(b, uint64(len(v.At)))
	for _, n := range v.At {
		b = binary.AppendUvarint(b, uint64(n))
	}
	if v.Last.IsZero() {
		b = append(b, 0)
	} else {
		b = appendTime(append(b, 1), v.Last, created)
	}
	b = binary.AppendUvarint(b, uint64(len(v.Done)))
	for _, word := range v.Done {
		b = binary.AppendUvarint(b, word)
	}
	b = binary.AppendUvarint(b, uint64(len(v.Nested)))
	for _, name := range v.Nested {
		b = appendString(b, name)
	}
	b = binary.AppendUvarint(b, uint64(len(v.States)))
	for i := range v.States {
		g := &v.States[i]
		b = appendString(b, g.Entry)
		b = binary.AppendUvarint(b, uint64(g.Size))
		b = appendTime(b, g.Began, created)
		b = binary.AppendVarint(b, int64(g.Plays))
		b = binary.AppendUvarint(b, uint64(len(g.Spans)))
		end := int64(0)
		for _, p := range g.Spans {
			b = binary.AppendUvarint(b, uint64(p.From-end))
			b = binary.AppendUvarint(b, uint64(p.To-p.From))
			end = p.To
		}
	}
	return b
}

func appendString(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

func appendTime(b []byte, t, base time.Time) []byte {
	b = binary.AppendVarint(b, t.Unix()-base.Unix()) // wraps around at worst, as the addition does
	return binary.AppendUvarint(b, uint64(t.Nanosecond()))
}

// check returns an error for what the binary form does not hold.
func (s *Session) check() error {
	if err := checkText(s.Playlist, s.Version, s.Client); err != nil {
		return err
	}
	if err := s.viewer.check(); err != nil {
		return err
	}
	if err := s.stitched.check(); err != nil {
		return err
	}
	if len(s.lists) > maxOpenLists {
		return fmt.Errorf("%d open lists, at most %d", len(s.lists), maxOpenLists)
	}
	for i := range s.lists {
		if err := checkText(s.lists[i].Parent, s.lists[i].Playlist, s.lists[i].Version); err != nil {
			return err
		}
	}
	return nil
}

func checkText(texts ...string) error {
	for _, text := range texts {
		if len(text) > MaxValue {
			return fmt.Errorf("text of %d bytes, at most %d", len(text), MaxValue)
		}
	}
	return nil
}

func (v *viewer) check() error {
	switch {
	case len(v.At) > maxSessionDepth:
		return fmt.Errorf("path of %d levels, at most %d", len(v.At), maxSessionDepth)
	case len(v.Done) > maxDoneWords:
		return fmt.Errorf("%d entries done, at most %d", len(v.Done)*64, MaxEntries)
	case len(v.Nested) > maxNested:
		return fmt.Errorf("%d nested entries done, at most %d", len(v.Nested), maxNested)
	case len(v.States) > maxStates:
		return fmt.Errorf("progress of %d entries, at most %d", len(v.States), maxStates)
	}
	for _, n := range v.At {
		if n < 1 || n > MaxEntries {
			return fmt.Errorf("entry %d, not in 1 to %d", n, MaxEntries)
		}
	}
	for i := range v.States {
		if err := v.States[i].check(); err != nil {
			return err
		}
	}
	return checkText(v.Nested...)
}

func (g *progress) check() error {
	if g.Size < 0 {
		return fmt.Errorf("entry of size %d", g.Size)
	}
	if len(g.Spans) > maxSpans {
		return fmt.Errorf("%d spans, at most %d", len(g.Spans), maxSpans)
	}
	end := int64(0)
	for _, p := range g.Spans {
		if p.From < end || p.To <= p.From {
			return fmt.Errorf("span from %d to %d after %d", p.From, p.To, end)
		}
		end = p.To
	}
	return checkText(g.Entry)
}

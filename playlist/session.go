package playlist

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"time"
)

// ID is the name of a session: 122 random bits in the form of a version 4 UUID. Who knows it is the viewer.
type ID [16]byte

// NewID returns an ID that nobody can guess.
func NewID() ID {
	var id ID
	_, _ = rand.Read(id[:]) // never fails
	id[6] = id[6]&0x0f | 0x40
	id[8] = id[8]&0x3f | 0x80
	return id
}

// String returns the form of URLs: lower case, with dashes.
func (id ID) String() string {
	var b [36]byte
	hex.Encode(b[:8], id[:4])
	b[8] = '-'
	hex.Encode(b[9:13], id[4:6])
	b[13] = '-'
	hex.Encode(b[14:18], id[6:8])
	b[18] = '-'
	hex.Encode(b[19:23], id[8:10])
	b[23] = '-'
	hex.Encode(b[24:], id[10:])
	return string(b[:])
}

// ParseID reads the form of [ID.String], in any case.
func ParseID(s string) (ID, bool) {
	var id ID
	if len(s) != 36 || s[8] != '-' || s[13] != '-' || s[18] != '-' || s[23] != '-' {
		return id, false
	}
	digits := make([]byte, 0, 32)
	for _, part := range []string{s[:8], s[9:13], s[14:18], s[19:23], s[24:]} {
		digits = append(digits, part...)
	}
	_, err := hex.Decode(id[:], digits)
	return id, err == nil
}

// Session is what is remembered of one viewer of a playlist. A [Store] keeps it; only the handler looks inside.
type Session struct {
	ID ID
	// Playlist is the path of the outermost playlist, and Version the digest of its content when the session began:
	// a session goes on with the list that it began with.
	Playlist string
	Version  string
	// Created and Used are when it began and when it last asked for something. It ends TimeToLive after the one and
	// InactivityTimeout after the other, whichever is first.
	Created, Used                 time.Time
	TimeToLive, InactivityTimeout time.Duration
	// Client is what the session is bound to, such as an address; empty if to nothing but its ID.
	Client string

	viewer   viewer     // of the files
	stitched viewer     // of the one presentation
	lists    []openList // the nested ones that have been opened
}

// openList is a nested playlist that a session has opened.
type openList struct {
	Parent   string // the path of the entry that it is
	Playlist string // its own path
	Version  string // the digest of its content
}

// Expires returns when the session ends if nothing more is asked for.
func (s *Session) Expires() time.Time {
	life, idle := s.Created.Add(s.TimeToLive), s.Used.Add(s.InactivityTimeout)
	if idle.Before(life) {
		return idle
	}
	return life
}

// Store keeps sessions. The handler has one in memory; a farm of servers shares one that it gives the handler. It is
// safe for concurrent use.
type Store interface {
	// Create keeps a new session. It returns ErrBusy if there are as many as there may be.
	Create(ctx context.Context, s *Session) error
	// Update calls change with the session and keeps what it has become, unless change returns an error, which Update
	// then returns. No other update of the session happens between, on any server; change may be called more than once
	// for that, and must not keep the session. It returns ErrExpired for a session that has ended, and ErrNotFound for
	// one that never was, if it can tell them apart.
	Update(ctx context.Context, id ID, now time.Time, change func(*Session) error) error
	// Delete ends a session. It is no error if there is none.
	Delete(ctx context.Context, id ID) error
	// Len returns the number of sessions, about.
	Len(ctx context.Context) (int, error)
	// PutList and List keep versions of playlists, by a digest, for as long as sessions of them may live. List returns
	// nil if there is none.
	PutList(ctx context.Context, version string, p *Playlist, life time.Duration) error
	List(ctx context.Context, version string) (*Playlist, error)
}

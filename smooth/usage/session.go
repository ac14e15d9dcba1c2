package usage

import (
	"net/netip"
	"time"
)

// Session is one viewer who watches one stream, however many requests and connections that takes. It begins with the
// first good answer and ends when nothing has been asked for during the inactivity timeout.
type Session struct {
	// ID stands for the session, Player for the player whatever it watches: pseudonyms in hexadecimal digits.
	ID, Player string
	// PlayerSession and Content are what the player calls its session and what it plays (sid and cid of CMCD).
	PlayerSession, Content string

	Stream   string
	Protocol Protocol
	Live     bool
	// TLS, Version, Host, Path and Query are those of the first request.
	TLS                        bool
	Version, Host, Path, Query string
	Address, Local             netip.Addr
	User                       string
	UserAgent, Referer, Via    string
	Language                   string
	Started, Last, Ended       time.Time // Last is when a request last began or ended; Ended is zero while it goes on
	Requests, Failed, Aborted  int64
	Active                     int // requests being served
	Sent, Received             int64
	// Status is how it went: 200; 210 if it went on after an answer of 5xx; 420 if the client vanished in the middle of
	// an answer; for a viewer who never got anything the status of the answer, 401 for 403, 404 for 412.
	Status int

	// FirstTime is where in the stream the first part began, if Timed.
	FirstTime time.Duration
	Timed     bool
	// Bitrate is that of the last segment, MaxBitrate the highest, in bit/s; zero if unknown.
	Bitrate, MaxBitrate int64
	// FileSize is the size of a file, zero if unknown.
	FileSize int64

	// HasCMCD says that the player sends CMCD. Then Rate is the last playback rate, Starved how often the buffer ran empty,
	// Throughput what the player measures, in bit/s, zero if it does not say.
	HasCMCD    bool
	Rate       float64
	Starved    int64
	Throughput int64

	// Media is what Options.Media says. It is set when the session has ended.
	Media Media
	// Viewers is how many there were when it ended, this one included. CPU is the use of all processors by this process
	// then, in percent, negative if unknown.
	Viewers int
	CPU     float64
}

// Duration returns how long the session has lasted, from the beginning of the first request to the last thing that happened.
func (s *Session) Duration() time.Duration { return max(s.Last.Sub(s.Started), 0) }

// Bandwidth returns the average of what was sent, in bit/s, or zero if the session was too short to tell.
func (s *Session) Bandwidth() int64 {
	d := s.Duration()
	if d < time.Millisecond {
		return 0
	}
	return int64(float64(s.Sent) * 8 / d.Seconds())
}

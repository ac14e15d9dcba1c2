package playlist

import (
	"strconv"
	"time"
)

// HalfPlayedSession returns a session of a list of 20 entries of which ten have been played, as IIS would have it and
// with what a browser leaves behind: the rest of an entry in three parts, and the index of the next.
func HalfPlayedSession(now time.Time) *Session {
	s := &Session{
		ID:                NewID(),
		Playlist:          "/evening/programme.isx",
		Version:           "3f786850e387550fdab836ed7e6dc881de23001b",
		Created:           now.Add(-time.Hour),
		Used:              now,
		TimeToLive:        24 * time.Hour,
		InactivityTimeout: 2 * time.Hour,
		Client:            "2001:db8:85a3:8d3:1319:8a2e:370:7348",
	}
	for n := 1; n <= 10; n++ {
		s.viewer.finish(path{n})
	}
	s.viewer.At = path{11}
	for n := 11; n <= 12; n++ {
		s.viewer.States = append(s.viewer.States, progress{
			Entry: strconv.Itoa(n), Size: 734_003_200, Began: now.Add(-time.Minute),
			Spans: []span{{0, 65_536}, {1_048_576, 300_000_000}, {733_000_000, 734_003_200}},
		})
	}
	return s
}

// SeenByViewer reports whether entry n of the outermost list is done, for tests that sessions come back whole.
func (s *Session) SeenByViewer(n int) bool { return s.viewer.done(path{n}) }

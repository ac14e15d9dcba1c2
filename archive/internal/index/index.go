// Package index knows where the fragments of a presentation are that is being recorded, in few bytes for each.
package index

import (
	"iter"

	"github.com/smoothkit/smoothkit/smooth"
)

// Track is a track of the presentation.
type Track struct {
	// Key names it; Time is zero.
	Key smooth.FragmentKey
	// Stream and Level are as in the client manifest; the timeline is empty. They are not changed.
	Stream *smooth.Stream
	Level  *smooth.QualityLevel
	// Codec is the configuration.
	Codec *smooth.Codec
	// File is the number of the file that it is in, and ID its track_ID there.
	File int
	ID   uint32
}

// Entry is where a fragment is. All numbers but times are bytes.
type Entry struct {
	// Time and Duration in ticks of 100 ns.
	Time, Duration uint64
	// Offset of the moof box in the file.
	Offset int64
	// Head is moof and the header of mdat, Payload what follows.
	Head, Payload uint32
}

// An Index is a growing set of fragments. It is safe for concurrent use.
type Index struct{}

// New returns an empty index. The validators of its snapshots begin with prefix.
func New(prefix string) *Index { return nil }

// Declare adds a track, or replaces the one of that key, and returns its number, which stays.
func (x *Index) Declare(t Track) int { return 0 }

// Track returns a track by its number. The result must not be changed.
func (x *Index) Track(number int) Track { return Track{} }

// Number returns the number of a track, whatever the time of the key.
func (x *Index) Number(k smooth.FragmentKey) (int, bool) { return 0, false }

// Add adds a fragment. It reports false if there is one at that time already.
func (x *Index) Add(track int, e Entry) bool { return false }

// Find returns the fragment at a time.
func (x *Index) Find(track int, time uint64) (Entry, bool) { return Entry{}, false }

// Last returns the fragment of a track with the greatest time.
func (x *Index) Last(track int) (Entry, bool) { return Entry{}, false }

// Len returns the number of fragments of a track.
func (x *Index) Len(track int) int { return 0 }

// Entries returns the fragments of a track as they are now, in ascending order of time.
func (x *Index) Entries(track int) iter.Seq[Entry] { return nil }

// Cut takes out the fragments that end after size bytes of a file.
func (x *Index) Cut(file int, size int64) {}

// AddGap notes a span without content.
func (x *Index) AddGap(g smooth.Gap) {}

// Gaps returns the gaps in order.
func (x *Index) Gaps() []smooth.Gap { return nil }

// End marks the presentation as complete: live snapshots become ended ones.
func (x *Index) End() {}

// Live returns the presentation as one that goes on, until End: all that is there is listed, and the window begins with the
// first fragment. A new fragment supersedes it.
func (x *Index) Live() *smooth.Snapshot { return nil }

// OnDemand returns the presentation as if it were complete.
func (x *Index) OnDemand() *smooth.Snapshot { return nil }

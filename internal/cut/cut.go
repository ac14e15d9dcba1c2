// Package cut chooses where the tracks of ordinary MP4 files are cut into fragments, and rescales their samples. The
// packager and the source that fragments MP4 files on the fly share it, so both give the same fragments.
//
// The timeline. A Smooth client takes the time of a fragment for the decode time of its first sample, so a fragment's
// time is a DTS, and composition offsets are never negative (trun version 0). Zero is where the edit lists say. Video
// with B-frames starts to decode before that, so [Plan] shifts all tracks together by the smallest amount that makes
// every decode time non-negative; audio and video stay exactly in step.
//
// Renditions of one video are matched by the presentation time of their sync samples, not by decode time, since
// encoders differ in how far they reorder. The fragment time that all renditions share is the smallest of their decode
// times. [Track.Gather] then moves all decode times of a fragment by the same amount, so that its first sample starts
// at the fragment's time, lets the last sample last until the next fragment's time, and computes composition offsets
// from the exact presentation times. So durations telescope, fragments of all renditions agree to the tick, and no
// frame is shown earlier or later than in the input.
package cut

import (
	"errors"
	"fmt"

	"github.com/smoothkit/smoothkit/internal/fmp4"
)

// DefaultTimescale of the result, in ticks per second.
const DefaultTimescale = 10_000_000

// maxTimescale bounds Options.Timescale, so that a remainder times it fits into 64 bits.
const maxTimescale = 1 << 31

// maxTicks bounds times in the result's timescale; at 10 MHz that is 3,600 years.
const maxTicks = 1 << 60

// Kinds of errors.
var (
	// ErrEmpty: a track has no samples, or no sync samples.
	ErrEmpty = errors.New("no samples to start with")
	// ErrTimes: times that a fragment cannot express.
	ErrTimes = errors.New("times out of range")
)

// Track is one track of an input.
type Track struct {
	Table *fmp4.Table
	// Timescale of the media, in ticks per second; not zero.
	Timescale uint32
	// Shift is what the edit list adds to media times to give presentation times, in ticks of Timescale.
	Shift int64
}

// Options for [Plan]. The zero value is ready to use.
type Options struct {
	// Target is the wanted duration of a fragment, in ticks of 10 MHz. Zero means two seconds.
	Target uint64
	// Timescale of the result in ticks per second, at most 2^31. Zero means [DefaultTimescale].
	Timescale uint64
}

func (o Options) timescale() uint64 {
	if o.Timescale == 0 {
		return DefaultTimescale
	}
	return o.Timescale
}

// target returns the wanted duration in ticks of the result.
func (o Options) target() int64 {
	t := o.Target
	if t == 0 {
		t = 2 * DefaultTimescale
	}
	return max(rescale(int64(min(t, maxTicks/maxTimescale)), DefaultTimescale, o.timescale()), 1)
}

// Cut is the start of a fragment, or the end of a track.
type Cut struct {
	// Time is the decode time of the first sample on the shifted presentation timeline, in ticks of the result.
	Time uint64
	// Sample is the number of the first sample.
	Sample uint32
}

// AlignError tells that renditions of one video cannot be cut together.
type AlignError struct {
	// Tracks are the positions in the video tracks given to [Plan] that do not fit together.
	Tracks [2]int
	// From and To bound the part without common sync samples, in seconds of presentation time.
	From, To float64
	// Reason says what does not fit.
	Reason string
}

// Error implements error.
func (e *AlignError) Error() string {
	return fmt.Sprintf("cut: video tracks %d and %d from %.3f s to %.3f s: %s", e.Tracks[0], e.Tracks[1], e.From, e.To, e.Reason)
}

// TrackError is an error of one track.
type TrackError struct {
	// Audio tells in which list given to [Plan] the track is, Track its position there.
	Audio bool
	Track int
	Err   error
}

// Error implements error.
func (e *TrackError) Error() string {
	kind := "video"
	if e.Audio {
		kind = "audio"
	}
	return fmt.Sprintf("cut: %s track %d: %v", kind, e.Track, e.Err)
}

// Unwrap returns the cause.
func (e *TrackError) Unwrap() error { return e.Err }

// Ticks converts a media time of t, such as a DTS or a DTS plus composition offset, into ticks of timescale on the
// presentation timeline before the common shift, rounding half up. Differences of results telescope.
func (t *Track) Ticks(media int64, timescale uint64) int64 {
	return rescale(media+t.Shift, uint64(t.Timescale), timescale)
}

// rescale converts v from ticks of from to ticks of to, rounding half up also below zero. The track was checked: the
// result fits.
func rescale(v int64, from, to uint64) int64 {
	if from == to {
		return v
	}
	f := int64(from)
	q, r := v/f, v%f
	if r < 0 {
		q, r = q-1, r+f
	}
	return q*int64(to) + int64((uint64(r)*to+from/2)/from)
}

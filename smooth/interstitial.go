package smooth

import "time"

// Interstitial is content of its own that players put into a presentation, such as an advertisement. Outputs whose
// players know of it tell them: HLS by EXT-X-DATERANGE, which also needs [Period.Wall]. Others do not show it.
type Interstitial struct {
	// ID tells the interstitials of a presentation apart.
	ID string
	// At is where playback leaves the presentation, in ticks of the manifest's timescale.
	At uint64
	// URI is the absolute URL of the presentation in the output's own format, for HLS that of a master playlist.
	URI string
	// Duration is how long it plays; zero if unknown.
	Duration time.Duration
	// Resume is how much after At playback goes on. Zero inserts the interstitial, its duration replaces what is there.
	Resume time.Duration
	// NoSkip forbids leaving it before its end or playing it faster, NoJump seeking over it before it has been played.
	// Players are asked to; nothing makes them.
	NoSkip, NoJump bool
	// Pre plays it before everything else, Post after everything, wherever playback begins or ends.
	Pre, Post bool
	// Once plays it only the first time.
	Once bool
}

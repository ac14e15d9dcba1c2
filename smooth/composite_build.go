package smooth

import (
	"fmt"
	"slices"
)

// ClipSpec is a part of a presentation for [BuildComposite].
type ClipSpec struct {
	// URL of the source's manifest as it is to be written, such as "sport/final.ism/Manifest". A relative URL starts
	// at the directory of the composite manifest.
	URL string
	// Manifest is the source's client manifest. It is not modified.
	Manifest *Manifest
	// Begin and End on the source's timeline, in 100 ns ticks; End is exclusive. An End of zero means the source's end.
	Begin, End uint64
	// Streams names the streams to take. Nil means the first video and the first audio stream, which is all that
	// Silverlight plays.
	Streams []string
}

// BuildComposite returns a composite manifest (.csm) that plays the clips one after the other; [Manifest.AppendXML]
// writes it. Each clip lists the fragments that overlap [Begin, End); the client trims. Silverlight does not play a
// clip of a single video and a single audio fragment.
//
// The error wraps [ErrNotFound] if a clip's stream does not exist or has no fragment in the span, [ErrUnsupported]
// for live and composite sources, and [ErrBadRequest] if there is no clip or a span is empty.
func BuildComposite(clips []ClipSpec) (*Manifest, error) {
	switch {
	case len(clips) == 0:
		return nil, fmt.Errorf("smooth: composite manifest without clips: %w", ErrBadRequest)
	case len(clips) > MaxManifestClips:
		return nil, fmt.Errorf("smooth: composite manifest of %d clips, more than %d: %w", len(clips), MaxManifestClips, ErrTooLarge)
	}
	m := &Manifest{MajorVersion: 1}
	for i := range clips {
		c, err := clips[i].build()
		if err != nil {
			return nil, fmt.Errorf("smooth: composite clip %d (%s): %w", i+1, clips[i].URL, err)
		}
		m.Clips = append(m.Clips, c)
		m.Duration = addSaturating(m.Duration, c.End-c.Begin)
	}
	return m, nil
}

// build returns the clip.
func (cs *ClipSpec) build() (*Clip, error) {
	m := cs.Manifest
	switch {
	case cs.URL == "":
		return nil, fmt.Errorf("no URL: %w", ErrBadRequest)
	case m == nil:
		return nil, fmt.Errorf("no manifest: %w", ErrBadRequest)
	case m.IsLive || len(m.Clips) > 0:
		return nil, fmt.Errorf("source is live or composite: %w", ErrUnsupported)
	}
	c := &Clip{URL: cs.URL, Begin: cs.Begin, End: cs.End}
	if c.End == 0 {
		c.End = timelineEnd(m)
	}
	if c.End <= c.Begin {
		return nil, fmt.Errorf("span ends at %d, not after its begin %d: %w", c.End, c.Begin, ErrBadRequest)
	}
	streams, err := cs.streams()
	if err != nil {
		return nil, err
	}
	for _, s := range streams {
		scale := m.TimescaleOf(s)
		lo, hi := s.Timeline.Overlap(Rescale(c.Begin, DefaultTimescale, scale), Rescale(c.End, DefaultTimescale, scale))
		if lo == hi {
			return nil, fmt.Errorf("stream %s has no fragment from %d to %d: %w", s.Name, c.Begin, c.End, ErrNotFound)
		}
		out := s.clone()
		out.Timeline, out.DeclaredChunks = s.Timeline[lo:hi:hi], uint32(hi-lo)
		if out.Timescale = scale; scale == DefaultTimescale {
			out.Timescale = 0
		}
		if s.Embedded != nil {
			out.Embedded = s.Embedded[lo:hi:hi]
		}
		c.Streams = append(c.Streams, out)
	}
	return c, nil
}

// streams returns the source streams to take, in manifest order.
func (cs *ClipSpec) streams() ([]*Stream, error) {
	m := cs.Manifest
	if cs.Streams == nil {
		out := firstOfTypes(m)
		if len(out) == 0 {
			return nil, fmt.Errorf("source has neither video nor audio: %w", ErrNotFound)
		}
		return out, nil
	}
	var out []*Stream
	for _, name := range cs.Streams {
		s := m.Stream(name)
		if s == nil {
			return nil, fmt.Errorf("source has no stream %q: %w", name, ErrNotFound)
		}
		if !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	return out, nil
}

// firstOfTypes returns the first video and the first audio stream, where there are.
func firstOfTypes(m *Manifest) []*Stream {
	var out []*Stream
	for _, t := range [...]StreamType{Video, Audio} {
		i := slices.IndexFunc(m.Streams, func(s *Stream) bool {
			return s.Type == t && s.Parent == ""
		})
		if i >= 0 {
			out = append(out, m.Streams[i])
		}
	}
	return out
}

// timelineEnd returns the latest end of a stream, in 100 ns ticks.
func timelineEnd(m *Manifest) uint64 {
	end := uint64(0)
	for _, s := range m.Streams {
		end = max(end, Rescale(s.Timeline.End(), m.TimescaleOf(s), DefaultTimescale))
	}
	return end
}

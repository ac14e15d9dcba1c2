package smoothtest

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/smoothkit/smoothkit/smooth"
)

// Config describes a presentation for [New].
type Config struct {
	// Streams in manifest order.
	Streams []Stream
	// Live makes a live presentation, which grows by [Presentation.Append] and stops with [Presentation.End].
	Live bool
	// Lookahead is the number of newest fragments of a live stream that are complete but not yet listed.
	Lookahead int
	// DVRWindow is the length of the window that the manifest states, also when the presentation has ended, rounded to
	// its timescale. Zero means that it is unbounded. It is [Presentation.Trim] that drops fragments.
	DVRWindow time.Duration
	// Wall is the wall-clock time at the start of the timeline; zero means unknown.
	Wall time.Time
	// MaxPayload bounds the sample data of one fragment in bytes, so that tests stay small. Zero means 4096.
	MaxPayload int
}

// Stream describes a stream.
type Stream struct {
	Type smooth.StreamType
	// Name is empty for the type's name.
	Name, Language, Subtype string
	// Parent makes a sparse stream.
	Parent string
	// Timescale in ticks per second; zero means [smooth.DefaultTimescale].
	Timescale uint64
	// Start is the time of the first fragment, in ticks.
	Start uint64
	// Durations of the fragments, in ticks. A live stream continues with the last one.
	Durations []uint64
	// Levels in manifest order.
	Levels []Level
}

// Level describes a quality level.
type Level struct {
	// Bitrate in bits per second.
	Bitrate uint64
	// FourCC is empty for H264, AACL or TTML.
	FourCC string
	// Width and Height of video in pixels; zero means 320 by 180.
	Width, Height uint32
	// PrivateData is the codec configuration; nil means a valid one for H264 and AACL.
	PrivateData []byte
	// Attributes are custom attributes, which tell levels of one bit rate apart.
	Attributes []smooth.Attribute
}

// Repeat returns n durations of d ticks.
func Repeat(n int, d uint64) []uint64 { return slices.Repeat([]uint64{d}, n) }

// Default returns the configuration of a presentation of 30 seconds in fragments of two: three video levels, English
// and French audio, and English text.
func Default() Config {
	const second = smooth.DefaultTimescale
	return Config{Streams: []Stream{
		{Type: smooth.Video, Durations: Repeat(15, 2*second), Levels: []Level{
			{Bitrate: 3_000_000, Width: 1280, Height: 720},
			{Bitrate: 1_200_000, Width: 640, Height: 360},
			{Bitrate: 400_000, Width: 320, Height: 180},
		}},
		{Type: smooth.Audio, Name: "audio_eng", Language: "eng", Durations: Repeat(15, 2*second), Levels: []Level{{Bitrate: 96_000}}},
		{Type: smooth.Audio, Name: "audio_fra", Language: "fra", Durations: Repeat(15, 2*second), Levels: []Level{{Bitrate: 96_000}}},
		{Type: smooth.Text, Name: "text_eng", Language: "eng", Subtype: "CAPT", Durations: Repeat(3, 10*second), Levels: []Level{{Bitrate: 1_000}}},
	}}
}

// Presentation is a presentation in memory with made-up fragments, on demand or live. The boxes of the fragments are
// valid; the samples are noise that depends on nothing but stream, bit rate and time. It is a [smooth.Waiter] and a
// [smooth.Sizer]. It is safe for concurrent use.
type Presentation struct {
	config Config

	mu      sync.Mutex // guards the fields below
	lines   []smooth.Timeline
	first   []int // per stream: fragments that have left the window
	ended   bool
	snap    *smooth.Snapshot
	changed chan struct{} // closed and replaced with each snapshot
	closed  int
	open    int
}

// New returns a presentation. It panics if the configuration has no streams or a stream has no levels.
func New(c Config) *Presentation {
	if len(c.Streams) == 0 {
		panic("smoothtest: no streams")
	}
	c.Streams = slices.Clone(c.Streams)
	p := &Presentation{config: c, first: make([]int, len(c.Streams)), changed: make(chan struct{}), ended: !c.Live}
	for i := range c.Streams {
		s := &p.config.Streams[i]
		s.setDefaults()
		var tl smooth.Timeline
		t := s.Start
		for _, d := range s.Durations {
			tl = append(tl, smooth.Chunk{Time: t, Duration: d})
			t += d
		}
		p.lines = append(p.lines, tl)
	}
	p.publish()
	return p
}

func (s *Stream) setDefaults() {
	if len(s.Levels) == 0 {
		panic("smoothtest: stream without levels")
	}
	if s.Name == "" {
		s.Name = string(s.Type)
	}
	if s.Timescale == 0 {
		s.Timescale = smooth.DefaultTimescale
	}
	s.Levels = slices.Clone(s.Levels)
	for i := range s.Levels {
		s.Levels[i].setDefaults(s.Type)
	}
}

func (l *Level) setDefaults(t smooth.StreamType) {
	if t == smooth.Video && l.Width == 0 {
		l.Width, l.Height = 320, 180
	}
	if l.FourCC == "" {
		l.FourCC = map[smooth.StreamType]string{smooth.Video: "H264", smooth.Audio: "AACL", smooth.Text: "TTML"}[t]
	}
	if l.PrivateData == nil {
		switch l.FourCC {
		case "H264":
			l.PrivateData = h264PrivateData(l.Width, l.Height)
		case "AACL":
			l.PrivateData = []byte{0x11, 0x90} // AAC-LC, 48 kHz, stereo: ISO/IEC 14496-3 1.6.2.1
		}
	}
}

// publish makes a snapshot of the current state. mu must be held, except in New.
func (p *Presentation) publish() {
	m := &smooth.Manifest{MajorVersion: 2, MinorVersion: 2, Timescale: smooth.DefaultTimescale, IsLive: !p.ended}
	if m.IsLive {
		m.LookaheadCount = uint32(p.config.Lookahead)
	}
	m.DVRWindowLength = smooth.Rescale(uint64(p.config.DVRWindow), uint64(time.Second), m.Timescale)
	var edges []smooth.Edge
	for i := range p.config.Streams {
		st, listed := p.stream(i)
		m.Streams = append(m.Streams, st)
		received := p.lines[i][p.first[i]:len(p.lines[i]):len(p.lines[i])]
		edges = append(edges, smooth.Edge{Listed: listed, Complete: p.lines[i].End(), Received: received})
		if !m.IsLive {
			m.Duration = max(m.Duration, smooth.Rescale(listed, st.Timescale, m.Timescale))
		}
	}
	s := smooth.NewSnapshot(m, p.validator())
	s.Edges = edges
	s.Periods = []smooth.Period{{Wall: p.config.Wall, Tracks: p.tracks()}}
	old := p.snap
	p.snap = s
	if old != nil {
		close(p.changed)
		p.changed = make(chan struct{})
		old.Supersede()
	}
}

// stream returns a manifest stream and its listed end.
func (p *Presentation) stream(i int) (*smooth.Stream, uint64) {
	c := &p.config.Streams[i]
	st := &smooth.Stream{
		Type: c.Type, Name: c.Name, Language: c.Language, Subtype: c.Subtype, Parent: c.Parent, Timescale: c.Timescale,
		URL: "QualityLevels({bitrate})/Fragments(" + c.Name + "={start time})",
	}
	for n, l := range c.Levels {
		q := &smooth.QualityLevel{
			Index: uint32(n), Bitrate: l.Bitrate, FourCC: l.FourCC, CodecPrivateData: l.PrivateData,
			MaxWidth: l.Width, MaxHeight: l.Height, CustomAttributes: l.Attributes,
		}
		if c.Type == smooth.Audio {
			q.SamplingRate, q.Channels, q.BitsPerSample, q.PacketSize, q.AudioTag = 48000, 2, 16, 4, 255
		}
		st.Levels = append(st.Levels, q)
		st.MaxWidth, st.MaxHeight = max(st.MaxWidth, l.Width), max(st.MaxHeight, l.Height)
	}
	st.DisplayWidth, st.DisplayHeight = st.MaxWidth, st.MaxHeight
	end := len(p.lines[i])
	if !p.ended {
		end = max(end-p.config.Lookahead, p.first[i])
	}
	st.Timeline = p.lines[i][p.first[i]:end:end]
	st.DeclaredChunks = uint32(len(st.Timeline))
	return st, p.lines[i][:end].End()
}

func (p *Presentation) tracks() []smooth.Track {
	var out []smooth.Track
	for i := range p.config.Streams {
		s := &p.config.Streams[i]
		for n := range s.Levels {
			l := &s.Levels[n]
			q := smooth.QualityLevel{CustomAttributes: l.Attributes}
			out = append(out, smooth.Track{Stream: s.Name, Attrs: q.AttrsKey(), Bitrate: l.Bitrate, Codec: s.codec(l)})
		}
	}
	return out
}

func (s *Stream) codec(l *Level) *smooth.Codec {
	c := &smooth.Codec{
		Type: s.Type, FourCC: l.FourCC, PrivateData: l.PrivateData,
		Width: l.Width, Height: l.Height, DisplayWidth: l.Width, DisplayHeight: l.Height,
	}
	switch s.Type {
	case smooth.Video:
		c.NALULengthSize = 4
	case smooth.Audio:
		c.SamplingRate, c.Channels, c.BitsPerSample, c.PacketSize, c.AudioTag = 48000, 2, 16, 4, 255
	}
	return c
}

// validator hashes what the content depends on.
func (p *Presentation) validator() string {
	h := sha256.New()
	fmt.Fprintf(h, "%+v %v %v %v %v", p.config.Streams, p.config.MaxPayload, p.lines, p.first, p.ended)
	return hex.EncodeToString(h.Sum(nil)[:8])
}

// Append adds n fragments to every stream of a live presentation.
func (p *Presentation) Append(n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i, tl := range p.lines {
		d := uint64(2 * p.config.Streams[i].Timescale)
		if len(tl) > 0 {
			d = tl[len(tl)-1].Duration
		}
		start := max(tl.End(), p.config.Streams[i].Start)
		for range n {
			tl = append(tl, smooth.Chunk{Time: start, Duration: d})
			start += d
		}
		p.lines[i] = tl
	}
	p.publish()
}

// Trim drops the n oldest fragments of every stream, as a DVR window does.
func (p *Presentation) Trim(n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i := range p.first {
		p.first[i] = min(p.first[i]+n, len(p.lines[i]))
	}
	p.publish()
}

// End ends a live presentation.
func (p *Presentation) End() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ended = true
	p.publish()
}

// Snapshot implements [smooth.Presentation].
func (p *Presentation) Snapshot(ctx context.Context) (*smooth.Snapshot, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.snap, ctx.Err()
}

// Close implements [smooth.Presentation]. The presentation stays usable.
func (p *Presentation) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed++
	return nil
}

// Closed returns how often Close was called.
func (p *Presentation) Closed() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.closed
}

// OpenFragments returns the number of fragments that have been handed out and not closed, to find leaks.
func (p *Presentation) OpenFragments() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.open
}

// find returns the place of a fragment. mu must be held.
func (p *Presentation) find(k smooth.FragmentKey) (stream, level, pos int, err error) {
	stream = slices.IndexFunc(p.config.Streams, func(s Stream) bool { return s.Name == k.Stream })
	if stream < 0 {
		return 0, 0, 0, fmt.Errorf("smoothtest: stream %q: %w", k.Stream, smooth.ErrNotFound)
	}
	level = slices.IndexFunc(p.config.Streams[stream].Levels, func(l Level) bool {
		q := smooth.QualityLevel{CustomAttributes: l.Attributes}
		return l.Bitrate == k.Bitrate && q.AttrsKey() == k.Attrs
	})
	if level < 0 {
		return 0, 0, 0, fmt.Errorf("smoothtest: bit rate %d: %w", k.Bitrate, smooth.ErrNotFound)
	}
	pos, ok := p.lines[stream].Find(k.Time)
	switch {
	case !ok && !p.ended && k.Time >= p.lines[stream].End():
		err = smooth.ErrNotYet
	case !ok:
		err = smooth.ErrNotFound
	case pos < p.first[stream]:
		err = smooth.ErrGone
	}
	if err != nil {
		err = fmt.Errorf("smoothtest: fragment %s %d: %w", k.Stream, k.Time, err)
	}
	return stream, level, pos, err
}

// Fragment implements [smooth.Presentation].
func (p *Presentation) Fragment(ctx context.Context, k smooth.FragmentKey) (*smooth.Fragment, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	i, n, pos, err := p.find(k)
	if err != nil {
		return nil, err
	}
	s := &p.config.Streams[i]
	c := p.lines[i][pos]
	mem, head := appendFragment(nil, fragmentBox{
		sequence: uint32(pos + 1), trackID: uint32(i + 1), time: c.Time, duration: c.Duration,
		samples: sampleSizes(s.Type, p.config.payload(s, &s.Levels[n], c)), video: s.Type == smooth.Video,
		ttml: s.Levels[n].FourCC == "TTML",
		seed: s.Name, bitrate: k.Bitrate,
	})
	p.open++
	return smooth.NewFragment(smooth.FragmentInit{
		Key: k, Timescale: s.Timescale, Duration: c.Duration, Codec: s.codec(&s.Levels[n]), Memory: mem, HeadLen: head,
		Release: func() { p.mu.Lock(); p.open--; p.mu.Unlock() },
	}), nil
}

// payload returns the size of a fragment's sample data.
func (cfg *Config) payload(s *Stream, l *Level, c smooth.Chunk) int {
	limit := cfg.MaxPayload
	if limit == 0 {
		limit = 4096
	}
	return int(min(max(smooth.Rescale(c.Duration, s.Timescale, l.Bitrate/8+1), 64), uint64(limit)))
}

// FragmentSize implements [smooth.Sizer].
func (p *Presentation) FragmentSize(k smooth.FragmentKey) (int64, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	i, n, pos, err := p.find(k)
	if err != nil {
		return 0, err
	}
	s := &p.config.Streams[i]
	return int64(p.config.payload(s, &s.Levels[n], p.lines[i][pos])), nil
}

// Wait implements [smooth.Waiter].
func (p *Presentation) Wait(ctx context.Context, k smooth.FragmentKey) error {
	for {
		p.mu.Lock()
		_, _, _, err := p.find(k)
		changed := p.changed
		p.mu.Unlock()
		if !errors.Is(err, smooth.ErrNotYet) {
			return err
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

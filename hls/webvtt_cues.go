package hls

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"

	"github.com/smoothkit/smoothkit/internal/ttml"
	"github.com/smoothkit/smoothkit/smooth"
)

const (
	// maxTextPayload is the largest text fragment, in bytes of sample data. Real ones have some kilobytes.
	maxTextPayload = 4 << 20
	// maxSegmentText bounds the cues of one segment, in bytes: text that is timed inside of its cue repeats itself.
	maxSegmentText = 32 << 20
	// maxCueTime bounds times in 90 kHz, so that sums do not overflow.
	maxCueTime = 1 << 62
)

// cueSpan is a stretch of the presentation in 90 kHz, half-open.
type cueSpan struct{ begin, end uint64 }

// textSample is one sample of a text fragment.
type textSample struct {
	data []byte
	cueSpan
	fragment uint64 // begin of the fragment
}

// cuesOf returns the cues of a fragment of a text stream, TTML documents or WebVTT samples, in the order of the
// fragment, with presentation times. A cue may begin before the fragment and end after it. Cues do not alias the
// fragment. The error is a [smooth.UnsupportedError], or wraps [smooth.ErrCorrupt] or [smooth.ErrTooLarge] and names
// the place.
func cuesOf(ctx context.Context, f *smooth.Fragment) ([]cue, error) {
	read, err := cueReader(f)
	if err != nil {
		return nil, err
	}
	if n := f.PayloadSize(); n > maxTextPayload {
		return nil, fmt.Errorf("hls: fragment %s %d: text of %d bytes, the limit is %d: %w",
			f.Key.Stream, f.Key.Time, n, maxTextPayload, smooth.ErrTooLarge)
	}
	data, err := f.Load(ctx, nil)
	if err != nil {
		return nil, err
	}
	var list []cue
	n := 0
	for s, err := range f.Samples() {
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return nil, err
		}
		n++
		if list, err = read(list, textSampleOf(f, s, data)); err != nil {
			return nil, fmt.Errorf("hls: fragment %s %d, sample %d: %w", f.Key.Stream, f.Key.Time, n, err)
		}
	}
	return list, nil
}

// sizeOfCues returns the memory of cues in bytes, nearly.
func sizeOfCues(list []cue) int {
	size := 0
	for i := range list {
		size += 64 + len(list[i].settings) + len(list[i].text)
	}
	return size
}

// cueReader returns the reader of the samples of a fragment, which appends their cues.
func cueReader(f *smooth.Fragment) (func([]cue, textSample) ([]cue, error), error) {
	refuse := func(why string) error {
		return &smooth.UnsupportedError{Stream: f.Key.Stream, Bitrate: f.Key.Bitrate, Reason: why}
	}
	if f.Codec == nil || f.Timescale == 0 {
		return nil, refuse("the codec configuration is not known")
	}
	if f.Codec.Encrypted {
		return nil, refuse("it is encrypted")
	}
	switch name, _, _ := strings.Cut(f.Codec.Codecs(), "."); name {
	case "stpp":
		return appendTTMLCues, nil
	case "wvtt":
		return appendWVTTCues, nil
	}
	return nil, refuse(f.Codec.FourCC + " is no text that becomes WebVTT")
}

// textSampleOf returns a sample with its bytes and the time it is shown.
func textSampleOf(f *smooth.Fragment, s smooth.Sample, data []byte) textSample {
	begin := s.DTS + uint64(s.CTS)
	if s.CTS < 0 && uint64(-s.CTS) > s.DTS {
		begin = 0
	}
	end := begin + uint64(s.Duration)
	if s.Duration == 0 {
		end = f.Key.Time + f.Duration // a sparse stream need not say how long a sample lasts
	}
	scale := func(t uint64) uint64 { return min(smooth.Rescale(t, f.Timescale, cueScale), maxCueTime) }
	return textSample{
		data:     data[s.Offset : s.Offset+int64(s.Size)],
		cueSpan:  cueSpan{scale(begin), max(scale(end), scale(begin)+1)},
		fragment: scale(f.Key.Time),
	}
}

// appendTTMLCues appends the cues of a TTML document. A sample without a document is a pause.
func appendTTMLCues(list []cue, s textSample) ([]cue, error) {
	if len(strings.Trim(string(s.data), " \t\r\n")) == 0 {
		return list, nil
	}
	d, err := ttml.Parse(s.data)
	if err != nil {
		return nil, ttmlFault(err)
	}
	captions, err := d.Captions()
	if err != nil {
		return nil, ttmlFault(err)
	}
	base := timeBase(captions, &s)
	for i := range captions {
		c := cueOf(&captions[i], base, s.cueSpan)
		if c.text != "" && c.begin < c.end {
			list = append(list, c)
		}
	}
	return list, nil
}

// ttmlFault gives an error of package ttml the sentinel of package smooth.
func ttmlFault(err error) error {
	var at *ttml.Error
	if errors.As(err, &at) && at.TooLarge {
		return fmt.Errorf("%w: %w", err, smooth.ErrTooLarge)
	}
	return fmt.Errorf("%w: %w", err, smooth.ErrCorrupt)
}

// cueOf converts what a document shows. Text without an end is shown while its sample is.
func cueOf(c *ttml.Caption, base uint64, shown cueSpan) cue {
	at := spanOf(c, base)
	if c.End == ttml.Forever {
		at = cueSpan{max(at.begin, shown.begin), shown.end}
	}
	return cue{begin: at.begin, end: at.end, settings: settingsOf(&c.Layout), text: cueText(c.Runs)}
}

// spanOf returns when text is shown if times of its document count from base.
func spanOf(c *ttml.Caption, base uint64) cueSpan {
	ticks := func(t int64) uint64 { return base + smooth.Rescale(uint64(t), ttml.Second, cueScale) }
	return cueSpan{ticks(c.Begin), ticks(c.End)}
}

// timeBase returns what the times of a document count from, in 90 kHz. Packagers for Smooth count from the begin of
// the fragment, which is what Smooth clients expect; ISO/IEC 14496-30 section 5 and some live encoders count from zero
// of the presentation; and with several samples in a fragment either begin may be meant. No document says which, so the
// reading is chosen that puts its cues where the sample is. Readings that do equally well, as all do near zero, mean
// the same or cannot be told apart, and the earlier in this order is taken: begin of the sample, begin of the fragment,
// zero.
func timeBase(captions []ttml.Caption, s *textSample) uint64 {
	best := s.begin
	most := fitOf(captions, best, s.cueSpan)
	for _, base := range []uint64{s.fragment, 0} {
		if f := fitOf(captions, base, s.cueSpan); f.better(most) {
			best, most = base, f
		}
	}
	return best
}

// baseFit tells how well cues lie in a span.
type baseFit struct {
	inside   int    // cues that are shown in the span
	after    int    // cues that begin after it: none do if times are relative to it
	shown    uint64 // time for which cues are shown in the span, each counted
	distance uint64 // of the nearest cue if none is
}

func fitOf(captions []ttml.Caption, base uint64, shown cueSpan) baseFit {
	f := baseFit{distance: math.MaxUint64}
	for i := range captions {
		at := spanOf(&captions[i], base)
		if captions[i].End == ttml.Forever {
			at.end = at.begin + 1 // the begin alone tells something
		}
		switch {
		case at.begin >= shown.end:
			f.after++
			f.distance = min(f.distance, at.begin-shown.end+1)
		case at.end <= shown.begin:
			f.distance = min(f.distance, shown.begin-at.end+1)
		default:
			f.inside++
			f.shown += min(at.end, shown.end) - max(at.begin, shown.begin)
			f.distance = 0
		}
	}
	return f
}

// better reports whether f is the better fit. A whole programme in each fragment fits both readings in many places; the
// one with less behind the fragment is right then.
func (f baseFit) better(than baseFit) bool {
	switch {
	case f.inside != than.inside:
		return f.inside > than.inside
	case f.inside > 0 && f.after != than.after:
		return f.after < than.after
	case f.shown != than.shown:
		return f.shown > than.shown
	}
	return f.distance < than.distance
}

package hls

import (
	"context"
	"fmt"
	"hash/crc32"
	"io"
	"strings"

	"github.com/smoothkit/smoothkit/internal/fmp4"
	"github.com/smoothkit/smoothkit/internal/language"
	"github.com/smoothkit/smoothkit/smooth"
)

// A cmafSegment is a segment of fragmented MP4: the fragments one after the other, with their sample data where it is.
// See RFC 8216 section 3.3 and ISO/IEC 23000-19 7.3.
type cmafSegment struct {
	parts []cmafPart
	size  int64
	heads int // bytes of all heads
}

// maxSegmentHeads bounds the heads of a segment in bytes: they have some for each sample, of which box headers can state
// millions.
const maxSegmentHeads = 64 << 20

type cmafPart struct {
	fragment *smooth.Fragment
	head     []byte
}

// newCMAFSegment opens the fragments of a segment.
func newCMAFSegment(ctx context.Context, p smooth.Presentation, r *rendition, s *segment) (*cmafSegment, error) {
	c := new(cmafSegment)
	done := false
	defer func() {
		if !done { // an error, or a panic of the presentation
			c.close()
		}
	}()
	for _, chunk := range r.stream.Timeline[s.first : s.first+s.count] {
		f, err := p.Fragment(ctx, r.key(chunk.Time))
		if err == nil {
			c.parts = append(c.parts, cmafPart{fragment: f})
			err = c.addHead(f)
		}
		if err != nil {
			return nil, err
		}
	}
	done = true
	return c, nil
}

func (c *cmafSegment) addHead(f *smooth.Fragment) error {
	head, err := f.Header(smooth.CMAF)
	if err != nil {
		return err
	}
	if c.heads += len(head); c.heads > maxSegmentHeads {
		return fmt.Errorf("hls: fragment %s %d: heads of more than %d bytes in a segment: %w", f.Key.Stream, f.Key.Time, maxSegmentHeads, smooth.ErrTooLarge)
	}
	c.parts[len(c.parts)-1].head = head
	c.size += int64(len(head)) + f.PayloadSize()
	return nil
}

// close gives back the fragments.
func (c *cmafSegment) close() {
	for _, p := range c.parts {
		p.fragment.Close()
	}
	c.parts = nil
}

// identity returns a hash of the heads, for entity tags of live segments.
func (c *cmafSegment) identity() uint64 {
	sum := uint32(0)
	for _, p := range c.parts {
		sum = crc32.Update(sum, crc32.IEEETable, p.head)
	}
	return uint64(sum)<<32 ^ uint64(c.size)
}

// WriteTo writes the segment the cheapest way.
func (c *cmafSegment) WriteTo(w io.Writer) (int64, error) {
	var done int64
	for _, p := range c.parts {
		n, err := w.Write(p.head)
		done += int64(n)
		if err != nil {
			return done, err
		}
		m, err := p.fragment.WritePayload(w)
		done += m
		if err != nil {
			return done, err
		}
	}
	return done, nil
}

// ReadAt reads from the segment as one piece.
func (c *cmafSegment) ReadAt(b []byte, off int64) (int, error) {
	n := 0
	for _, p := range c.parts {
		if n == len(b) {
			return n, nil
		}
		head := int64(len(p.head))
		if off < head {
			k := copy(b[n:], p.head[off:])
			n, off = n+k, off+int64(k)
		}
		if left := head + p.fragment.PayloadSize() - off; off >= head && left > 0 && n < len(b) {
			part := b[n:min(int64(len(b)), int64(n)+left)]
			k, err := p.fragment.ReadPayloadAt(part, off-head)
			n, off = n+k, off+int64(k)
			if k < len(part) {
				return n, err
			}
		}
		off -= min(off, head+p.fragment.PayloadSize())
	}
	if n < len(b) {
		return n, io.EOF
	}
	return n, nil
}

// initSegment returns the init segment of a rendition for the period at a time, whose timescale is that of its stream.
func (w *show) initSegment(r *rendition, time uint64) ([]byte, error) {
	tr := w.snap.Track(r.key(time))
	if tr == nil || tr.Codec == nil {
		return nil, fmt.Errorf("hls: no configuration of %s at %d: %w", r.stream.Name, time, smooth.ErrNotFound)
	}
	entry, err := tr.Codec.BuildSampleEntry()
	if err != nil {
		return nil, err
	}
	timescale := w.snap.Manifest.TimescaleOf(r.stream)
	if timescale>>32 != 0 {
		return nil, fmt.Errorf("hls: timescale %d of %s: %w", timescale, r.stream.Name, smooth.ErrUnsupported)
	}
	init := fmp4.InitSegment{
		Brand: "iso6", Compatible: []string{"iso6", "cmfc", "mp41"}, TrackID: fmp4.CMAFTrackID, Timescale: uint32(timescale),
		Kind: "audio", Language: language.ThreeLetters(r.stream.Language), Entry: appleEntry(entry),
	}
	if r.stream.Type == smooth.Video {
		init.Kind, init.Width, init.Height = "video", tr.Codec.DisplayWidth, tr.Codec.DisplayHeight
	}
	return init.Encode()
}

// appleEntry returns a sample entry in the form that Apple's players need: HEVC as hvc1. That promises that the
// parameter sets are all in the entry; if there are further ones in the samples, decoders take them all the same.
func appleEntry(entry []byte) []byte {
	if len(entry) < 8 || string(entry[4:8]) != "hev1" {
		return entry
	}
	return append([]byte(string(entry[:4])+"hvc1"), entry[8:]...)
}

// codecsOf returns the codecs parameter for what a layout makes of a track.
func codecsOf(c *smooth.Codec, l layout) string {
	name := c.Codecs()
	if l == fragmented && strings.HasPrefix(name, "hev1") {
		return "hvc1" + name[len("hev1"):]
	}
	return name
}

package playlist

import (
	"encoding/binary"
	"fmt"
	"io"
	"math"

	"github.com/smoothkit/smoothkit/internal/fmp4"
	"github.com/smoothkit/smoothkit/smooth"
)

// stitchHead makes the head of a fragment in its place.
type stitchHead struct {
	inner    *smooth.Fragment
	at       *stitchedAt
	sequence uint32

	// sets are the parameter sets to put in, at an offset of the sample data.
	sets   []byte
	setsAt int64
}

// build returns the moof box and the header of the mdat box.
func (h *stitchHead) build() ([]byte, error) {
	head, err := h.inner.Header(smooth.Smooth)
	if err != nil {
		return nil, err
	}
	n := fmp4.MoofSize(head)
	if n < 0 {
		return nil, fmt.Errorf("no moof box: %w", smooth.ErrCorrupt)
	}
	if h.at.stream.levels[h.at.level].several {
		if err := h.findSets(); err != nil {
			return nil, err
		}
	}
	if h.sets == nil && h.at.span.scale == h.at.stream.timescale && h.at.chunk().Duration == h.at.source().Duration {
		return h.retimed(head, n)
	}
	return h.written(head[:n])
}

// retimed returns a head that differs in time and number only.
func (h *stitchHead) retimed(head []byte, n int) ([]byte, error) {
	moof, err := fmp4.Retime(make([]byte, 0, len(head)+64), head[:n], h.at.chunk().Time)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", err, smooth.ErrCorrupt)
	}
	if len(moof) >= 24 && string(moof[12:16]) == "mfhd" { // ISO/IEC 14496-12 8.8.5
		binary.BigEndian.PutUint32(moof[20:], h.sequence)
	}
	return append(moof, head[n:]...), nil
}

// written returns a head with other samples: the first one has grown, or times are in another timescale.
func (h *stitchHead) written(moof []byte) ([]byte, error) {
	old, err := fmp4.Inspect(moof, 0, fmp4.Defaults{})
	if err != nil {
		return nil, fmt.Errorf("%w: %w", err, smooth.ErrCorrupt)
	}
	chunk := h.at.chunk()
	f := fmp4.FragmentHead{
		Sequence: h.sequence, TrackID: old.TrackID, Tfxd: true, Time: chunk.Time, Duration: chunk.Duration,
		BaseIsMoof: h.inner.Codec != nil && familyOf(h.inner.Codec) == familyHEVC,
	}
	if f.Samples, err = h.samples(); err != nil {
		return nil, err
	}
	head, err := f.AppendTo(nil)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", err, smooth.ErrTooLarge)
	}
	return head, nil
}

// samples returns the samples in the timescale of the stream. Decode times are converted, not durations, so that nothing
// drifts within a part.
func (h *stitchHead) samples() ([]fmp4.RunSample, error) {
	span, scale := h.at.span, h.at.stream.timescale
	var list []fmp4.RunSample
	total := int64(0)
	for s, err := range h.inner.Samples() {
		if err != nil {
			return nil, err
		}
		length := span.time(s.DTS+uint64(s.Duration), scale) - span.time(s.DTS, scale)
		cts := rescaleOffset(s.CTS, span.scale, scale)
		if length > math.MaxUint32 || cts != int64(int32(cts)) {
			return nil, fmt.Errorf("sample of %d ticks, shown after %d: %w", length, cts, smooth.ErrTooLarge)
		}
		list = append(list, fmp4.RunSample{Duration: uint32(length), Size: s.Size, Flags: s.Flags, CTS: int32(cts)})
		total += int64(s.Size)
	}
	if total != h.inner.PayloadSize() {
		return nil, fmt.Errorf("samples of %d bytes, mdat has %d: %w", total, h.inner.PayloadSize(), smooth.ErrCorrupt)
	}
	if n := uint64(len(h.sets)); n > 0 {
		if len(list) == 0 || uint64(list[0].Size)+n > math.MaxUint32 {
			return nil, fmt.Errorf("no sample for %d bytes of parameter sets: %w", n, smooth.ErrCorrupt)
		}
		list[0].Size += uint32(n)
	}
	h.fit(list)
	return list, nil
}

// fit makes the samples of the last fragment of a part last until the next one begins, or those of a text until its part
// ends.
func (h *stitchHead) fit(list []fmp4.RunSample) {
	natural := h.at.span.moved(h.at.source(), h.at.stream.timescale).Duration
	length := h.at.chunk().Duration
	switch last := len(list) - 1; {
	case last < 0 || length == natural:
	case length > natural:
		list[last].Duration += uint32(min(length-natural, uint64(math.MaxUint32-list[last].Duration)))
	default:
		for i := range list {
			list[i].Duration = uint32(min(uint64(list[i].Duration), length))
			length -= uint64(list[i].Duration)
		}
	}
}

// rescaleOffset converts a composition offset.
func rescaleOffset(cts int64, from, to uint64) int64 {
	if cts < 0 {
		return -int64(smooth.Rescale(uint64(-cts), from, to))
	}
	return int64(smooth.Rescale(uint64(cts), from, to))
}

// findSets finds the parameter sets that the fragment is to begin with, and where: an access unit delimiter stays the first
// NAL unit. See ITU-T H.264 7.4.1.2.3 and H.265 7.4.2.4.4.
func (h *stitchHead) findSets() error {
	c := h.inner.Codec
	if h.sets = parameterSets(c); h.sets == nil {
		return nil // they are in the samples
	}
	size := int64(c.NALULengthSize)
	first := make([]byte, size+1)
	if n, err := h.inner.ReadPayloadAt(first, 0); n < len(first) {
		if err == nil || err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return err
	}
	length := int64(0)
	for _, b := range first[:size] {
		length = length<<8 | int64(b)
	}
	if !isDelimiter(c, first[size]) {
		return nil
	}
	for s, err := range h.inner.Samples() {
		if end := size + length; err == nil && end <= int64(s.Size) {
			h.setsAt = end
		}
		return err
	}
	return nil
}

// isDelimiter reports whether a NAL unit with that first byte is an access unit delimiter.
func isDelimiter(c *smooth.Codec, first byte) bool {
	if familyOf(c) == familyHEVC {
		return first>>1&0x3f == 35
	}
	return first&0x1f == 9
}

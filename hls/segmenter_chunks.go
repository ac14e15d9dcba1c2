package hls

import (
	"github.com/smoothkit/smoothkit/internal/fmp4"
	"github.com/smoothkit/smoothkit/smooth"
)

// A cmafChunk is a moof box with the header of an mdat box, and the part of a fragment's sample data that belongs into
// it. See ISO/IEC 23000-19 7.3.2.3.
type cmafChunk struct {
	head         []byte
	fragment     *smooth.Fragment
	offset, size int64 // bytes of sample data
	keyFrame     bool  // it holds nothing but the key frame that its fragment starts with
}

// wholeChunks returns the fragments of a segment as they are.
func wholeChunks(c *cmafSegment) []cmafChunk {
	list := make([]cmafChunk, len(c.parts))
	for i, p := range c.parts {
		list[i] = cmafChunk{head: p.head, fragment: p.fragment, size: p.fragment.PayloadSize()}
	}
	return list
}

// splitChunks returns the fragments of a segment with the key frame at the start of each in a chunk of its own, so that a
// list of key frames can name it by a range of bytes which a player reads as a whole fragment. first is the position of the
// first fragment in its timeline, for sequence numbers that rise.
func splitChunks(c *cmafSegment, first int) ([]cmafChunk, error) {
	var list []cmafChunk
	for i, p := range c.parts {
		samples, err := runSamples(p.fragment)
		if err != nil {
			return nil, err
		}
		number := uint32(2 * (first + i))
		if len(samples) == 0 || samples[0].Flags&fmp4.FlagNonSync != 0 {
			return wholeChunks(c), nil // not all of them have one, so that there will be no list
		}
		key, rest := samples[:1], samples[1:]
		size := int64(key[0].Size)
		head, err := chunkHead(number+1, p.fragment.Key.Time, key)
		if err != nil {
			return nil, err
		}
		list = append(list, cmafChunk{head: head, fragment: p.fragment, size: size, keyFrame: true})
		if len(rest) == 0 {
			continue
		}
		if head, err = chunkHead(number+2, p.fragment.Key.Time+uint64(key[0].Duration), rest); err != nil {
			return nil, err
		}
		list = append(list, cmafChunk{head: head, fragment: p.fragment, offset: size, size: p.fragment.PayloadSize() - size})
	}
	return list, nil
}

// runSamples returns the samples of a fragment as a moof box has them. They make up all of its sample data, which
// [smooth.Fragment.Header] has checked.
func runSamples(f *smooth.Fragment) ([]fmp4.RunSample, error) {
	var list []fmp4.RunSample
	for x, err := range f.Samples() {
		if err != nil {
			return nil, err
		}
		list = append(list, fmp4.RunSample{Duration: x.Duration, Size: x.Size, Flags: x.Flags, CTS: int32(x.CTS)})
	}
	return list, nil
}

// chunkHead returns the moof box of some samples and the header of their mdat box.
func chunkHead(number uint32, time uint64, samples []fmp4.RunSample) ([]byte, error) {
	h := fmp4.FragmentHead{Sequence: number, TrackID: fmp4.CMAFTrackID, Tfdt: true, DecodeTime: time, BaseIsMoof: true, Samples: samples}
	return h.AppendTo(nil)
}

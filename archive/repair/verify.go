package repair

import (
	"bytes"

	"github.com/smoothkit/smoothkit/internal/fmp4"
	"github.com/smoothkit/smoothkit/smooth"
)

// piece is a moof box with its mdat box.
type piece struct{ from, to int64 }

const (
	// maxPieces is how many fragments before the end of a file, or before a hole, are looked into at most.
	maxPieces = 64
	// maxPayload is the largest payload that is read for that, in bytes.
	maxPayload = 64 << 20
	// maxEffort bounds what is spent on samples of one file. Runs of samples that have no size take no bytes in it.
	maxEffort = 1 << 30
	perSample = 64
	// zeroSample is the least size of a sample that cannot be all zeros.
	zeroSample = 16
)

// remember notes a piece for suspect.
func (s *scanner) remember(p piece) {
	if len(s.pieces) == maxPieces {
		s.pieces = append(s.pieces[:0], s.pieces[maxPieces/2:]...)
	}
	s.pieces = append(s.pieces, p)
}

// suspect looks into the fragments before a place behind which there is damage: their boxes may be whole and their samples not. Those
// whose samples make no sense are taken back, up to the last one whose samples do; all stay if none does, since then the samples are
// of a kind that makes no sense here. It returns where the first one begins that was taken back, or at.
func (s *scanner) suspect(at int64) (int64, error) {
	from := at
	n := len(s.pieces) - 1
	for ; ; n-- {
		if n < 0 || s.trusted || s.behindHole(s.pieces[n]) {
			return at, nil
		}
		ok, err := s.intact(s.pieces[n])
		if err != nil {
			return at, err
		}
		if ok {
			break
		}
		from = s.pieces[n].from
	}
	for i := len(s.pieces) - 1; i > n; i-- {
		for _, t := range s.m.tracks {
			t.takeBack(s.pieces[i].from)
		}
	}
	s.pieces = s.pieces[:n+1]
	return from, nil
}

// behindHole reports whether there is a hole behind a piece.
func (s *scanner) behindHole(p piece) bool {
	n := len(s.m.holes)
	return n > 0 && s.m.holes[n-1].from >= p.to
}

// takeBack removes what begins at a place from the end of the list.
func (t *track) takeBack(at int64) {
	if n := len(t.fragments); n > 0 && t.fragments[n-1].offset == at {
		t.fragments = t.fragments[:n-1]
	}
	if n := len(t.more); n > 0 && t.more[n-1] == at {
		t.more = t.more[:n-1]
	}
}

// intact reports whether the samples of a piece make sense: none is all zeros, and the NAL units of video fill theirs. It only knows
// better what it can tell.
func (s *scanner) intact(p piece) (bool, error) {
	h, ok, err := s.box(p.from)
	if err != nil || !ok {
		return false, err
	}
	raw, err := fmp4.ReadBox(s.w, h, fmp4.MaxMoof)
	var moof *fmp4.Moof
	if err == nil {
		moof, err = fmp4.ParseMoof(raw, h.Offset)
	}
	if err != nil {
		if structural(err) {
			err = nil
		}
		return false, err
	}
	if p.to-p.from > maxPayload || s.effort > maxEffort {
		return true, nil
	}
	for i := range moof.Trafs {
		t := s.m.track(moof.Trafs[i].TrackID)
		if t == nil {
			continue
		}
		spans, err := moof.Spans(nil, i, s.defaults)
		if err != nil {
			return !structural(err), nil
		}
		ok, err := s.samples(t, &moof.Trafs[i], spans)
		if !ok || err != nil {
			return false, err
		}
	}
	return true, nil
}

// samples looks at the samples of a traf box, which lie in spans.
func (s *scanner) samples(t *track, f *fmp4.Traf, spans []fmp4.Span) (bool, error) {
	var data []byte
	s.effort += perSample * int64(f.SampleCount())
	for _, sp := range spans {
		if s.effort += sp.Size; s.effort > maxEffort || int64(len(data))+sp.Size > maxPayload {
			return true, nil
		}
		b := make([]byte, sp.Size)
		if err := readFull(s.w.ctx, s.w.file, b, sp.Offset); err != nil {
			return false, err
		}
		data = append(data, b...)
	}
	length := 0
	if codec, err := smooth.CodecFromSampleEntry(t.Entry); err == nil && !codec.Encrypted {
		length = int(codec.NALULengthSize)
	}
	r := f.Samples(t.Defaults)
	for x, ok := r.Next(); ok; x, ok = r.Next() {
		n := int64(x.Size)
		if n > int64(len(data)) {
			return false, nil
		}
		sample := data[:n]
		data = data[n:]
		if n >= zeroSample && len(bytes.TrimLeft(sample, "\x00")) == 0 || length > 0 && !units(sample, length) {
			return false, nil
		}
	}
	return true, nil
}

// units reports whether NAL units, each after a length of so many bytes, fill a sample. None ends with a zero. See ITU-T H.264 7.4.1.
func units(sample []byte, length int) bool {
	for len(sample) > 0 {
		if len(sample) < length {
			return false
		}
		var n uint64
		for _, b := range sample[:length] {
			n = n<<8 | uint64(b)
		}
		sample = sample[length:]
		if n == 0 || n > uint64(len(sample)) || sample[n-1] == 0 {
			return false
		}
		sample = sample[n:]
	}
	return true
}

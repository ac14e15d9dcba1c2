package repair

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/smoothkit/smoothkit/internal/fmp4"
	"github.com/smoothkit/smoothkit/smooth"
)

// scanner looks at the boxes of one file.
type scanner struct {
	w     *window
	a     *Asset
	m     *media
	limit int64 // where the boxes end: at the index or at the end of the file
	boxes int
	total int // fragments
	moof  fmp4.Moof
	spans []fmp4.Span
	bad   map[int64]string // fragments that are not what was recorded
	// trusted tells that the samples have been seen to make sense. pieces are the last ones.
	trusted bool
	// effort is what has been spent on looking into samples: their bytes, and perSample for each.
	effort int64
	pieces []piece
}

// run scans the file. The error is one of reading.
func (s *scanner) run() error {
	if ok, err := s.header(); !ok || err != nil {
		return err
	}
	if err := s.findIndex(); err != nil {
		return err
	}
	if err := s.fragments(); err != nil {
		s.m.movie = nil
		if !structural(err) {
			return err
		}
		s.a.note(TooLarge, s.m.name, -1, "%v", err)
		return nil
	}
	s.m.finish(s.a)
	return nil
}

// box reads the header of a box. ok is false if there is none that makes sense up to the limit.
func (s *scanner) box(off int64) (h fmp4.Box, ok bool, err error) {
	h, err = fmp4.NewScanner(s.w, off, s.limit).Next()
	switch {
	case err == nil:
		return h, printable(h.Type), nil
	case errors.Is(err, io.EOF) && off >= s.limit, structural(err):
		return h, false, nil
	}
	return h, false, err
}

// printable reports whether all four characters of a type are, as in every box there is.
func printable(t fmp4.Type) bool {
	for i := 0; i < 32; i += 8 {
		if c := byte(t >> i); c < 0x20 || c > 0x7e {
			return false
		}
	}
	return true
}

// header reads everything up to the end of moov. It reports false if the file cannot be used.
func (s *scanner) header() (bool, error) {
	m := s.m
	if m.size == 0 {
		s.a.note(MediaUnreadable, m.name, 0, "the file is empty")
		return false, nil
	}
	for off := int64(0); ; {
		h, ok, err := s.box(off)
		if err != nil {
			return false, err
		}
		if !ok || h.Type == fmp4.TypeMoof || s.boxes == fmp4.MaxBoxes {
			s.a.note(MediaUnreadable, m.name, off, "no header of tracks (moov) before this place")
			return false, nil
		}
		s.boxes++
		switch {
		case h.Type == fmp4.TypeMoov:
			return s.movie(h)
		case h.Type == fmp4.TypeUUID && h.UUID == fmp4.UUIDLiveServerManifest && h.Size < smooth.MaxServerManifest:
			if err := s.liveManifest(h); err != nil {
				return false, err
			}
		}
		off = h.End()
	}
}

// liveManifest reads what the encoder has said of its tracks, if it makes sense.
func (s *scanner) liveManifest(h fmp4.Box) error {
	raw, err := fmp4.ReadBox(s.w, h, smooth.MaxServerManifest)
	if err != nil {
		if structural(err) {
			return nil
		}
		return err
	}
	content, err := fmp4.ParseFullUUID(raw, h.Offset)
	if err != nil {
		return nil
	}
	if server, err := smooth.ParseServerManifest(content); err == nil {
		s.m.live = server
	}
	return nil
}

func (s *scanner) movie(h fmp4.Box) (bool, error) {
	m := s.m
	raw, err := fmp4.ReadBox(s.w, h, fmp4.MaxMoov)
	if err == nil {
		m.movie, err = fmp4.ParseMovie(raw, h.Offset)
	}
	if err != nil {
		m.movie = nil
		if !structural(err) {
			return false, err
		}
		s.a.note(MediaUnreadable, m.name, h.Offset, "%v", err)
		return false, nil
	}
	m.moov, m.body = h, h.End()
	for i := range m.movie.Tracks {
		t := &track{Track: &m.movie.Tracks[i], media: m, kind: kindOf(m.movie.Tracks[i].Handler)}
		if t.Samples.Len() > 0 {
			m.movie = nil
			s.a.note(MediaUnreadable, m.name, h.Offset, "samples are described in moov: no fragmented file")
			return false, nil
		}
		m.tracks = append(m.tracks, t)
	}
	return true, nil
}

// findIndex looks for the mfra box at the end of the file.
func (s *scanner) findIndex() error {
	m := s.m
	h, ok := fmp4.FindMfra(s.w, m.size)
	if !ok || h.Offset < m.body {
		return s.w.ctx.Err()
	}
	return s.readIndex(h)
}

// readIndex takes a box for the index; scanning ends there.
func (s *scanner) readIndex(h fmp4.Box) error {
	m := s.m
	m.index, s.limit = h, h.Offset
	raw, err := fmp4.ReadBox(s.w, h, fmp4.MaxMfra)
	if err == nil {
		m.tables, err = fmp4.ParseMfra(raw, h.Offset)
	}
	if err != nil {
		if !structural(err) {
			return err
		}
		m.tables, m.broken, m.wrong = nil, true, err.Error()
	}
	return nil
}

// fragments walks the boxes behind moov.
func (s *scanner) fragments() error {
	m := s.m
	off := m.body
	for off < s.limit {
		if s.boxes++; s.boxes > fmp4.MaxBoxes {
			return fmt.Errorf("more than %d boxes: %w", fmp4.MaxBoxes, fmp4.ErrTooLarge)
		}
		h, ok, err := s.box(off)
		if err != nil {
			return err
		}
		switch {
		case !ok:
			off, err = s.lost(off, 1, "no box")
		case h.Type == fmp4.TypeMoof:
			off, err = s.fragment(h)
		case h.Type == fmp4.TypeMdat && s.open(off):
			off, err = s.lost(off, 8, "mdat without a size")
		case h.Type == fmp4.TypeMfra && h.End() == s.limit && m.index.Size == 0:
			m.broken, m.wrong = true, "mfro does not lead to the mfra box"
			err = s.readIndex(h)
		default:
			off = h.End()
		}
		if err != nil {
			return err
		}
	}
	s.trim()
	if m.index.Size > 0 && !m.broken && len(m.tables) > 0 && len(m.torn) == 0 {
		return nil // somebody has finished the file
	}
	from, err := s.suspect(m.end)
	if from < m.end {
		m.torn = append([]hole{{from, m.end, Hole, "samples that make no sense"}}, m.torn...)
		m.end = from
	}
	return err
}

// open reports whether the box at off says that it goes on to the end of the file.
func (s *scanner) open(off int64) bool {
	b, err := s.w.at(off, 4)
	return err == nil && len(b) >= 4 && binary.BigEndian.Uint32(b) == 0
}

// trim makes what follows the last whole box the torn tail.
func (s *scanner) trim() {
	m := s.m
	m.end = s.limit
	for n := len(m.holes); n > 0 && m.holes[n-1].to == m.end; n-- {
		m.end = m.holes[n-1].from
		m.torn = append(m.torn, m.holes[n-1])
		m.holes = m.holes[:n-1]
	}
}

// maxHoles bounds what is remembered of a file full of holes.
const maxHoles = 1 << 14

func (s *scanner) hole(h hole) error {
	m := s.m
	if n := len(m.holes); n > 0 && m.holes[n-1].to == h.from && m.holes[n-1].code == h.code {
		m.holes[n-1].to = h.to
		return nil
	}
	if len(m.holes) == maxHoles {
		return fmt.Errorf("more than %d holes: %w", maxHoles, fmp4.ErrTooLarge)
	}
	m.holes = append(m.holes, h)
	return nil
}

// lost notes that there is nothing of use at off, and returns the place of the next moof box, or the limit.
func (s *scanner) lost(off, skip int64, reason string) (int64, error) {
	next, err := s.resync(off + skip)
	if err != nil {
		return 0, err
	}
	from, err := s.suspect(off)
	if err != nil {
		return 0, err
	}
	if from < off {
		reason += ", and samples that make no sense before it"
	}
	return next, s.hole(hole{from, next, Hole, reason})
}

// resyncStep is read at a time in search of a moof box, after less at first: most are near. moofStart bytes tell one: its header and
// that of mfhd.
const (
	resyncFirst = 4 << 10
	resyncStep  = 256 << 10
	moofStart   = 16
)

// resync returns the offset of the first moof box from off on, or the limit.
func (s *scanner) resync(off int64) (int64, error) {
	var buf []byte
	for step := int64(resyncFirst); off < s.limit; step = min(2*step, resyncStep) {
		n := int(min(step, s.limit-off))
		if n < moofStart {
			break
		}
		if len(buf) < n {
			buf = make([]byte, n)
		}
		b := buf[:n]
		if err := readFull(s.w.ctx, s.w.file, b, off); err != nil {
			return 0, err
		}
		for from := 0; ; {
			i := bytes.Index(b[from:], []byte("moof"))
			if i < 0 {
				break
			}
			at := from + i - 4
			from += i + 4
			if at >= 0 && at+moofStart <= n && s.startsMoof(b[at:], off+int64(at)) {
				return off + int64(at), nil
			}
		}
		if off+int64(n) == s.limit {
			break
		}
		off += int64(n - moofStart)
	}
	return s.limit, nil
}

// startsMoof reports whether b, which stands at off, begins like a moof box that fits into the file.
func (s *scanner) startsMoof(b []byte, off int64) bool {
	size := int64(binary.BigEndian.Uint32(b))
	return size >= 24 && size <= fmp4.MaxMoof && size <= s.limit-off &&
		binary.BigEndian.Uint32(b[8:]) == 16 && fmp4.Type(binary.BigEndian.Uint32(b[12:])) == fmp4.TypeMfhd
}

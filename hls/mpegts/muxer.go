package mpegts

import (
	"fmt"
	"slices"
)

// MaxUnit is the largest size in bytes of the samples of a unit: 256 MiB. It keeps every sum in 31 bits.
const MaxUnit = 1 << 28

// Unit is what one PES packet holds: an access unit of video, audio frames, or an ID3 tag.
type Unit struct {
	// DTS and PTS are the times of decoding and presentation in ticks of 90 kHz. They are not masked. DTS counts for
	// video only; audio and ID3 have PTS, that of the first frame.
	DTS, PTS uint64
	// Duration is in ticks of 90 kHz. In the stream that carries the PCR, a unit longer than [PCRInterval] has packets
	// with a PCR in between; elsewhere it does not count.
	Duration uint32
	// Sync says that video can be decoded from here on. Such a unit gets the parameter sets of its stream and
	// the random_access_indicator.
	Sync bool
	// Last says that the segment has no other unit of the stream. Its packets complete the cycle of the counter. A PCR
	// that is due after the last unit of all streams is written along with it.
	Last bool
	// Discontinuity says that the times begin anew, as after EXT-X-DISCONTINUITY, and sets the discontinuity_indicator.
	Discontinuity bool
	// Data is one sample as MP4 stores it: NAL units with length prefix, one raw audio frame, or a whole ID3 tag.
	Data []byte
	// Frames are raw audio frames that follow each other, to be packed into one PES packet, in place of Data.
	Frames [][]byte
}

// Muxer writes segments of one program. It keeps nothing of a segment that is over, so one muxer may write any
// number of them, in any order. It is for one goroutine at a time.
type Muxer struct {
	streams  []track
	pat, pmt *table
	clock    clock
	pcr      int // index of the stream that carries the PCR
	open     int // streams that have not had their last unit in this segment; of ID3 only if it had one
}

// NewMuxer makes a muxer. Stream i has PID 0x100+i. It copies what it needs of the streams.
//
// It fails with [ErrUnsupported] if a stream cannot be expressed, if there is no video and no audio, if there is
// more than one ID3 stream, or if the tables exceed one packet, which some twenty streams do.
func NewMuxer(streams []Stream) (*Muxer, error) {
	m := &Muxer{pcr: clockStream(streams)}
	if m.pcr < 0 {
		return nil, fmt.Errorf("mpegts: neither video nor audio: %w", ErrUnsupported)
	}
	if err := m.addStreams(streams); err != nil {
		return nil, err
	}
	var err error
	if m.pat, err = newPAT(); err == nil {
		m.pmt, err = newPMT(streams, firstPID+uint16(m.pcr))
	}
	if err != nil {
		return nil, fmt.Errorf("mpegts: %w", err)
	}
	return m, nil
}

// clockStream returns the index of the stream that carries the PCR, or -1.
func clockStream(streams []Stream) int {
	i := slices.IndexFunc(streams, func(s Stream) bool { return s.Codec.IsVideo() })
	if i < 0 {
		i = slices.IndexFunc(streams, func(s Stream) bool { return s.Codec.IsAudio() })
	}
	return i
}

// maxStreams is above what fits in one packet of tables, and far below what fits in the PIDs.
const maxStreams = 64

func (m *Muxer) addStreams(streams []Stream) error {
	if len(streams) > maxStreams {
		return fmt.Errorf("mpegts: %d streams, limit %d: %w", len(streams), maxStreams, ErrUnsupported)
	}
	var videos, audios, tags byte
	for i := range streams {
		t, err := newTrack(&streams[i])
		if err != nil {
			return fmt.Errorf("mpegts: stream %d: %w", i, err)
		}
		t.header = packetHeader(firstPID+uint16(i)) | flagPayload
		switch t.id {
		case streamVideo:
			t.id |= videos & 0x0F
			videos++
		case streamAudio:
			t.id |= audios & 0x1F
			audios++
		}
		if t.codec == ID3 {
			tags++
		}
		m.streams = append(m.streams, t)
	}
	if tags > 1 {
		return fmt.Errorf("mpegts: %d streams of ID3: %w", tags, ErrUnsupported)
	}
	return nil
}

// TablesSize is the bytes that [Muxer.Start] appends.
const TablesSize = 2 * PacketSize

// Start begins a segment: it appends PAT and PMT, whose continuity counter is the sequence number modulo 16. The
// counters of all other PIDs begin at 0.
func (m *Muxer) Start(dst []byte, sequence uint64) []byte {
	m.clock, m.open = clock{}, 0
	for i := range m.streams {
		t := &m.streams[i]
		t.header &^= counterMask
		if t.open = t.codec != ID3; t.open {
			m.open++
		}
	}
	dst = m.pat.appendTo(slices.Grow(dst, TablesSize), sequence)
	return m.pmt.appendTo(dst, sequence)
}

// Append appends a unit of a stream, which is an index into those of [NewMuxer]. Units of a stream come in the order of
// decoding, and those of different streams should come in the order of their times.
//
// The error wraps [ErrMalformed] if the sample contradicts its codec or is empty, or [ErrTooLarge]; dst is
// returned as it was then, and the muxer is as before. There is no panic but for an index without stream.
func (m *Muxer) Append(dst []byte, stream int, u *Unit) ([]byte, error) {
	held := m.clock
	s, err := m.step(stream, u)
	if err != nil {
		return dst, err
	}
	t := &m.streams[stream]
	n := s.size()
	dst = slices.Grow(dst, n)
	packets := dst[len(dst):][:n]
	packets = held.put(packets, m.streams[m.pcr].header, s.before)
	p := s.begin(packets, t.header, s.adaptation)
	t.write(&p, u, &s.pes, s.found)
	t.header = p.header
	m.clock.put(p.rest, m.streams[m.pcr].header, s.after)
	return dst[:len(dst)+n], nil
}

// Measure returns how many bytes Append would append. The muxer goes on as after Append, and the errors are the same. Of
// the samples only the headers of NAL units are read.
func (m *Muxer) Measure(stream int, u *Unit) (int, error) {
	s, err := m.step(stream, u)
	if err != nil {
		return 0, err
	}
	t := &m.streams[stream]
	t.header = t.header&^counterMask | (t.header+uint32(s.packets))&counterMask
	m.clock.next += uint64(s.after) * PCRInterval
	return s.size(), nil
}

// step is what a unit becomes.
type step struct {
	layout
	adaptation    adaptation
	pes           pesHeader
	found         kind // of NAL units
	before, after int  // packets with nothing but a PCR
}

func (s *step) size() int { return (s.before + s.packets + s.after) * PacketSize }

// step checks a unit, decides what becomes of it and moves the clock on. The counter stays.
func (m *Muxer) step(stream int, u *Unit) (s step, err error) {
	t := &m.streams[stream]
	size, found, err := t.measure(u)
	if err != nil {
		return s, fmt.Errorf("mpegts: stream %d: %w", stream, err)
	}
	s.found = found
	s.before, s.adaptation = m.tick(stream, u)
	s.after = m.note(t, u.Last)
	s.pes = t.pes(u, size)
	s.layout = divide(s.pes.size()+size, s.pes.size(), s.adaptation.size(), t.header, u.Last)
	s.pes.stuffing = s.layout.stuffing
	return s, nil
}

// tick moves the clock on to a unit. It returns how many PCR come in packets of their own before it, and
// its adaptation field.
func (m *Muxer) tick(stream int, u *Unit) (before int, a adaptation) {
	t := &m.streams[stream]
	if u.Discontinuity {
		a.flags |= adaptDiscontinuity
	}
	if u.Sync && t.video != nil {
		a.flags |= adaptRandomAccess
	}
	time := t.time(u) - PCRLead
	if stream != m.pcr {
		before = m.clock.due(time + 1)
		m.clock.next += uint64(before) * PCRInterval
		return before, a
	}
	if !u.Discontinuity {
		before = m.clock.due(time)
	}
	a.flags |= adaptPCR
	a.pcr = m.clock.unit(t.time(u), u.Duration)
	if t.video == nil {
		a.flags |= adaptRandomAccess // every audio frame is one
	}
	return before, a
}

// note keeps count of the streams that go on, or have yet to begin. It returns how many PCR come after the unit, because
// no other unit follows before which they could be written.
func (m *Muxer) note(t *track, last bool) (after int) {
	if !t.open {
		t.open = true
		m.open++
	}
	if !last {
		return 0
	}
	t.open = false
	m.open--
	if m.open > 0 {
		return 0
	}
	return m.clock.due(m.clock.end)
}

package mpegts

import (
	"encoding/binary"
	"fmt"
)

// track is a stream in the making.
type track struct {
	header uint32 // of the next packet
	open   bool
	video  *video // of video
	adts   uint64 // of AAC: header of a frame of no length; 0 means none
	codec  Codec
	id     byte // stream_id
}

func newTrack(s *Stream) (track, error) {
	t := track{codec: s.Codec, id: streamPrivate}
	if err := s.check(); err != nil {
		return t, err
	}
	switch s.Codec {
	case AVC, HEVC:
		t.id, t.video = streamVideo, newVideo(s)
	case AAC:
		c, err := parseAudioConfig(s.AudioConfig)
		if err != nil {
			return t, err
		}
		t.id, t.adts = streamAudio, c.adts()
	case MP3:
		t.id = streamAudio
	}
	return t, nil
}

// time returns the time of decoding of a unit.
func (t *track) time(u *Unit) uint64 {
	if t.video != nil {
		return u.DTS
	}
	return u.PTS
}

// pes returns the PES header of a unit of size bytes. A DTS that equals the PTS is left out.
func (t *track) pes(u *Unit, size int) pesHeader {
	return pesHeader{
		stream:  t.id,
		pts:     u.PTS,
		dts:     u.DTS,
		hasDTS:  t.video != nil && (u.PTS^u.DTS)&timeMask != 0,
		payload: size,
	}
}

// measure checks a unit and returns the bytes of its PES payload and, of video, the kinds of NAL units in it.
func (t *track) measure(u *Unit) (size int, found kind, err error) {
	if len(u.Data) > MaxUnit {
		return 0, 0, fmt.Errorf("%d bytes, limit %d: %w", len(u.Data), MaxUnit, ErrTooLarge)
	}
	if t.video == nil {
		size, err = t.measureFrames(u)
		return size, 0, err
	}
	if len(u.Frames) > 0 {
		return 0, 0, fmt.Errorf("%v in frames: %w", t.codec, ErrMalformed)
	}
	size, found, err = t.video.scan(u.Data)
	size += len(t.video.delimiter)
	if t.video.wantsSets(u.Sync, found) {
		size += len(t.video.sets)
	}
	return size, found, err
}

// measureFrames is measure for audio and metadata, whose PES packets must have a length.
func (t *track) measureFrames(u *Unit) (size int, err error) {
	if len(u.Frames) == 0 {
		size, err = t.measureFrame(u.Data)
	} else if len(u.Data) > 0 || t.codec == ID3 {
		err = fmt.Errorf("%v in %d frames beside %d bytes: %w", t.codec, len(u.Frames), len(u.Data), ErrMalformed)
	}
	for i := 0; i < len(u.Frames) && err == nil && size <= maxPESLength; i++ {
		var n int
		n, err = t.measureFrame(u.Frames[i])
		size += n
	}
	if err == nil && size > maxPESLength-(pesHeaderPTS-pesPrefix) {
		err = fmt.Errorf("more than %d bytes of %v: %w", maxPESLength, t.codec, ErrTooLarge)
	}
	return size, err
}

// measureFrame returns the bytes of one frame with its header.
func (t *track) measureFrame(frame []byte) (int, error) {
	switch {
	case len(frame) == 0:
		return 0, fmt.Errorf("empty %v frame: %w", t.codec, ErrMalformed)
	case t.adts == 0:
		return len(frame), nil
	case len(frame) > maxADTSFrame-adtsHeader:
		return 0, fmt.Errorf("AAC frame of %d bytes, limit %d: %w", len(frame), maxADTSFrame-adtsHeader, ErrTooLarge)
	}
	return adtsHeader + len(frame), nil
}

// write writes PES header and payload of a unit that measure has found good.
func (t *track) write(p *packer, u *Unit, pes *pesHeader, found kind) {
	var head [64]byte // at most 19 bytes, 15 of stuffing, and 7 of the delimiter
	b := pes.append(head[:0])
	if t.video == nil {
		p.write(b)
		t.writeFrames(p, u)
		return
	}
	p.write(append(b, t.video.delimiter...))
	if t.video.wantsSets(u.Sync, found) {
		p.write(t.video.sets)
	}
	t.video.write(p, u.Data)
}

func (t *track) writeFrames(p *packer, u *Unit) {
	if len(u.Frames) == 0 {
		t.writeFrame(p, u.Data)
	}
	for _, frame := range u.Frames {
		t.writeFrame(p, frame)
	}
}

func (t *track) writeFrame(p *packer, frame []byte) {
	if t.adts != 0 {
		var header [8]byte
		binary.BigEndian.PutUint64(header[:], t.adts<<8|uint64(adtsHeader+len(frame))<<(adtsLength+8))
		p.write(header[:adtsHeader])
	}
	p.write(frame)
}

package hls

import (
	"fmt"
	"strings"

	"github.com/smoothkit/smoothkit/hls/mpegts"
	"github.com/smoothkit/smoothkit/smooth"
)

// sampleKind is how the samples of a codec are encrypted.
type sampleKind uint8

const (
	sampleRefused sampleKind = iota
	sampleAVC
	sampleAAC
	sampleEAC3
)

func sampleKindOf(c *smooth.Codec) sampleKind {
	name, _, _ := strings.Cut(c.Codecs(), ".")
	switch name {
	case "avc1", "avc3":
		return sampleAVC
	case "mp4a":
		if c.AudioConfig() != nil { // else it is MP3
			return sampleAAC
		}
	case "ec-3":
		return sampleEAC3
	}
	return sampleRefused
}

// dolbyHeader is the part of the private data of E-AC-3 before the content of the dec3 box, in bytes: the tail of
// WAVEFORMATEXTENSIBLE.
const dolbyHeader = 2 + 4 + 16

// declareEncrypted makes s, which describes the clear samples of codec c, describe those that unit gives. NewMuxer refuses
// codecs that cannot be encrypted, and AC-3, whose description needs the start of a frame.
func declareEncrypted(s *mpegts.Stream, c *smooth.Codec) {
	s.SampleAES = true
	switch sampleKindOf(c) {
	case sampleAVC:
		s.NALULengthSize = 4
	case sampleEAC3:
		if len(c.PrivateData) > dolbyHeader {
			s.AudioConfig = c.PrivateData[dolbyHeader:]
		}
	}
}

// unit replaces the samples of u, of codec c, by their encrypted form. They are valid until the next call. Errors are
// those of the Append methods, and [smooth.ErrUnsupported] for a codec that cannot be encrypted by samples; u is of no
// use then.
func (e *sampleEncrypter) unit(u *mpegts.Unit, c *smooth.Codec) (err error) {
	kind := e.kindOf(c)
	e.out = e.out[:0]
	if len(u.Frames) == 0 {
		u.Data, err = e.sample(u.Data, c, kind)
		return err
	}
	for i, f := range u.Frames {
		if u.Frames[i], err = e.sample(f, c, kind); err != nil {
			return err
		}
	}
	return nil
}

// kindOf remembers the kinds of the codecs of a segment, since their names are made anew each time.
func (e *sampleEncrypter) kindOf(c *smooth.Codec) sampleKind {
	kind, ok := e.kinds[c]
	if !ok {
		kind = sampleKindOf(c)
		if e.kinds == nil {
			e.kinds = make(map[*smooth.Codec]sampleKind, 2)
		}
		e.kinds[c] = kind
	}
	return kind
}

// sample encrypts one sample into e.out and returns it. If e.out must move, those before it keep their old place.
func (e *sampleEncrypter) sample(b []byte, c *smooth.Codec, kind sampleKind) (out []byte, err error) {
	from := len(e.out)
	switch kind {
	case sampleAVC:
		e.out, err = e.AppendAVC(e.out, b, int(c.NALULengthSize))
	case sampleAAC:
		e.out = e.AppendAAC(e.out, b)
	case sampleEAC3:
		e.out, err = e.AppendEAC3(e.out, b)
	default:
		err = fmt.Errorf("hls: %s cannot be encrypted by samples: %w", c.Codecs(), smooth.ErrUnsupported)
	}
	return e.out[from:len(e.out):len(e.out)], err
}

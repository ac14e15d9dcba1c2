package mpegts

import (
	"fmt"
	"slices"
)

// Codec is the coding of an elementary stream.
type Codec uint8

// The codecs a [Muxer] can write. The zero value is none of them.
const (
	AVC  Codec = iota + 1 // H.264 video, ISO/IEC 14496-10
	HEVC                  // H.265 video, ISO/IEC 23008-2
	AAC                   // AAC in ADTS frames: LC, and HE-AAC over it
	AC3                   // Dolby AC-3, ETSI TS 102 366
	EAC3                  // Dolby E-AC-3, the same annex E
	MP3                   // MPEG-1 and MPEG-2 audio layer III (and II)
	ID3                   // timed metadata, one ID3 tag a unit
)

var codecNames = [...]string{"none", "AVC", "HEVC", "AAC", "AC-3", "E-AC-3", "MP3", "ID3"}

// String returns the usual name of the codec.
func (c Codec) String() string {
	if int(c) < len(codecNames) {
		return codecNames[c]
	}
	return fmt.Sprintf("Codec(%d)", uint8(c))
}

// IsVideo reports whether units of the codec are access units of NAL units.
func (c Codec) IsVideo() bool { return c == AVC || c == HEVC }

// IsAudio reports whether units of the codec are audio frames.
func (c Codec) IsAudio() bool { return c >= AAC && c <= MP3 }

// Stream is the configuration of one elementary stream.
type Stream struct {
	// Codec is what the units are coded in. It has to be set.
	Codec Codec
	// ParameterSets are the NAL units (SPS and PPS, of HEVC with VPS, in this order) to write before each random access
	// unit that lacks some of its own, without start codes. Empty if all are in the samples.
	ParameterSets [][]byte
	// NALULengthSize is the size of the length before each NAL unit of a sample, 1 to 4 bytes. Zero means 4.
	NALULengthSize int
	// AudioConfig is the AudioSpecificConfig (ISO/IEC 14496-3 1.6.2.1) of AAC. With SampleAES it is also the setup data
	// of AC-3, the first ten bytes of a frame, and of E-AC-3, the content of the dec3 box.
	AudioConfig []byte
	// SampleRate is in Hz. MP3 needs it to tell MPEG-1 from the half rates of MPEG-2; for others it tells nothing new.
	SampleRate int
	// SampleAES declares the stream as encrypted by the method SAMPLE-AES of HLS. The caller has encrypted the samples.
	// Only AVC, AAC, AC-3 and E-AC-3 can be.
	SampleAES bool
	// Language is an ISO 639-2 code of three letters, or empty.
	Language string
}

// Values of stream_type, ISO/IEC 13818-1 table 2-34, and those of Apple for encrypted streams.
const (
	typeMPEG1Audio = 0x03
	typeMPEG2Audio = 0x04
	typeAAC        = 0x0F
	typeMetadata   = 0x15
	typeAVC        = 0x1B
	typeHEVC       = 0x24
	typeAC3        = 0x81
	typeEAC3       = 0x87

	typeEncryptedAC3  = 0xC1
	typeEncryptedEAC3 = 0xC2
	typeEncryptedAAC  = 0xCF
	typeEncryptedAVC  = 0xDB
)

// minMPEG1Rate is the lowest sampling frequency of MPEG-1 audio in Hz; lower ones are of MPEG-2, ISO/IEC 13818-3.
const minMPEG1Rate = 32000

// streamType returns the stream_type of a stream, or 0 if there is none.
func (s *Stream) streamType() byte {
	if s.SampleAES {
		return map[Codec]byte{
			AVC: typeEncryptedAVC, AAC: typeEncryptedAAC, AC3: typeEncryptedAC3, EAC3: typeEncryptedEAC3,
		}[s.Codec]
	}
	if s.Codec == MP3 && s.SampleRate < minMPEG1Rate {
		return typeMPEG2Audio
	}
	return map[Codec]byte{
		AVC: typeAVC, HEVC: typeHEVC, AAC: typeAAC, AC3: typeAC3, EAC3: typeEAC3, MP3: typeMPEG1Audio, ID3: typeMetadata,
	}[s.Codec]
}

// check returns what is wrong with a stream by itself.
func (s *Stream) check() error {
	switch {
	case s.Codec < AVC || s.Codec > ID3:
		return fmt.Errorf("unknown codec %v: %w", s.Codec, ErrUnsupported)
	case s.streamType() == 0:
		return fmt.Errorf("%v has no form for SAMPLE-AES: %w", s.Codec, ErrUnsupported)
	case s.NALULengthSize < 0 || s.NALULengthSize > 4:
		return fmt.Errorf("lengths of NAL units have %d bytes, not 1 to 4: %w", s.NALULengthSize, ErrUnsupported)
	case s.Codec == MP3 && s.SampleRate <= 0:
		return fmt.Errorf("MP3 needs a sample rate, not %d: %w", s.SampleRate, ErrUnsupported)
	case s.Language != "" && !isLanguage(s.Language):
		return fmt.Errorf("language %q is not an ISO 639-2 code: %w", s.Language, ErrUnsupported)
	}
	return s.checkParameterSets()
}

func (s *Stream) checkParameterSets() error {
	if !s.Codec.IsVideo() && len(s.ParameterSets) > 0 {
		return fmt.Errorf("%v has no parameter sets: %w", s.Codec, ErrUnsupported)
	}
	size := 0
	for i, set := range s.ParameterSets {
		if len(set) == 0 {
			return fmt.Errorf("parameter set %d is empty: %w", i, ErrUnsupported)
		}
		size += len(startCode) + len(set)
	}
	if size > maxParameterSets {
		return fmt.Errorf("parameter sets have %d bytes, limit %d: %w", size, maxParameterSets, ErrUnsupported)
	}
	return nil
}

// maxParameterSets bounds the bytes of all parameter sets of a stream; real ones have some hundreds.
const maxParameterSets = 1 << 20

func isLanguage(code string) bool {
	return len(code) == 3 && !slices.ContainsFunc([]byte(code), func(c byte) bool { return c|0x20 < 'a' || c|0x20 > 'z' })
}

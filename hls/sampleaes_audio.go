package hls

import (
	"crypto/aes"
	"encoding/binary"
	"fmt"

	"github.com/smoothkit/smoothkit/smooth"
)

// clearAudio is the number of bytes at the start of an audio frame that stay clear, after the ADTS header for AAC.
const clearAudio = 16

// AppendAAC appends a raw AAC frame, without the ADTS header that it gets in the transport stream: 16 bytes stay clear,
// whole blocks are encrypted, the rest is clear again. The size stays the same.
func (e *sampleEncrypter) AppendAAC(dst, frame []byte) []byte {
	from := len(dst)
	dst = append(dst, frame...)
	e.encryptFrame(dst[from:], e.iv[:])
	return dst
}

// encryptFrame encrypts what is to be encrypted of a frame in place, and returns the chain for the next one.
func (e *sampleEncrypter) encryptFrame(frame, chain []byte) []byte {
	if len(frame) < clearAudio+aes.BlockSize {
		return chain
	}
	return e.encryptBlocks(frame[clearAudio:], chain)
}

// eac3Header is the part of an E-AC-3 syncframe that is read here, in bytes.
const eac3Header = 6

// AppendEAC3 appends an E-AC-3 sample. It may hold several syncframes, of which each has its own clear part while the
// chain of blocks goes through all. It returns [smooth.ErrCorrupt] if the syncframes do not fill the sample exactly,
// and [smooth.ErrUnsupported] for one that is AC-3.
func (e *sampleEncrypter) AppendEAC3(dst, sample []byte) ([]byte, error) {
	from := len(dst)
	out := append(dst, sample...)
	chain := e.iv[:]
	for rest := out[from:]; len(rest) > 0; {
		size, err := eac3Size(rest)
		if err != nil {
			return out[:from], err
		}
		chain = e.encryptFrame(rest[:size], chain)
		rest = rest[size:]
	}
	return out, nil
}

// eac3Size returns the size of the syncframe at the start of b. ETSI TS 102 366 annex E.1.2:
//
//	sync word 0x0b77 16, stream type 2, substream 3, words less one 11, rate 2, blocks 2, channels 4, bsid 5
//
// A word is 16 bits.
func eac3Size(b []byte) (int, error) {
	if len(b) < eac3Header || binary.BigEndian.Uint16(b) != 0x0b77 {
		return 0, fmt.Errorf("hls: no syncframe %d bytes before the end of an E-AC-3 sample: %w",
			len(b), smooth.ErrCorrupt)
	}
	if bsid := b[5] >> 3; bsid <= 10 || bsid > 16 {
		return 0, fmt.Errorf("hls: syncframe with bsid %d in an E-AC-3 sample: %w", bsid, smooth.ErrUnsupported)
	}
	size := 2 * (int(binary.BigEndian.Uint16(b[2:])&0x7ff) + 1)
	if size < eac3Header || size > len(b) {
		return 0, fmt.Errorf("hls: E-AC-3 syncframe of %d bytes, %d left: %w", size, len(b), smooth.ErrCorrupt)
	}
	return size, nil
}

package hls

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/subtle"
	"encoding/binary"
	"fmt"
	"math"

	"github.com/smoothkit/smoothkit/smooth"
)

// sampleEncrypter encrypts samples for MPEG-2 TS as METHOD=SAMPLE-AES wants it. See Apple, "MPEG-2 Stream Encryption
// Format for HTTP Live Streaming", section 2. It is for one goroutine and one key; in steady state nothing is
// allocated.
//
// The methods append the encrypted form of a sample as it is stored in an MP4 file. They do not change their input, and
// return dst at its old length with every error.
type sampleEncrypter struct {
	block cipher.Block
	iv    [16]byte
	nalu  []byte // the NAL unit at hand
	out   []byte // of unit
	kinds map[*smooth.Codec]sampleKind
}

func newSampleEncrypter(key, iv [16]byte) *sampleEncrypter {
	return &sampleEncrypter{block: newAES(key), iv: iv}
}

// Clear and encrypted parts of a NAL unit, in bytes. A NAL unit up to minProtected is not encrypted at all.
const (
	clearLeader  = 32
	clearSkip    = 144
	minProtected = clearLeader + aes.BlockSize
)

// H.264 NAL unit types that are encrypted. See ISO/IEC 14496-10 table 7-1.
const (
	naluSlice = 1
	naluIDR   = 5
)

// AppendAVC appends an H.264 sample, whose NAL units have lengths of lengthSize bytes (1, 2, 3 or 4) before them. Those
// it appends have lengths of 4 bytes. Slices of type 1 and 5 longer than 48 bytes are encrypted, everything else is
// copied. It returns [smooth.ErrCorrupt] if the lengths do not fill the sample exactly.
//
// An encrypted NAL unit grows by the emulation prevention that its new content needs, by half at most.
func (e *sampleEncrypter) AppendAVC(dst, sample []byte, lengthSize int) ([]byte, error) {
	if lengthSize < 1 || lengthSize > 4 {
		return dst, fmt.Errorf("hls: NAL unit lengths of %d bytes: %w", lengthSize, smooth.ErrUnsupported)
	}
	out := dst
	for at := 0; at < len(sample); {
		if len(sample)-at < lengthSize {
			return dst, fmt.Errorf("hls: sample of %d bytes ends in the NAL unit length at %d: %w",
				len(sample), at, smooth.ErrCorrupt)
		}
		var size uint32
		for _, b := range sample[at : at+lengthSize] {
			size = size<<8 | uint32(b)
		}
		at += lengthSize
		if uint64(size) > uint64(len(sample)-at) {
			return dst, fmt.Errorf("hls: NAL unit of %d bytes at %d of a sample of %d: %w",
				size, at, len(sample), smooth.ErrCorrupt)
		}
		if size > math.MaxUint32/2 {
			return dst, fmt.Errorf("hls: NAL unit of %d bytes: %w", size, smooth.ErrTooLarge)
		}
		out = e.appendNALU(out, sample[at:at+int(size)])
		at += int(size)
	}
	return out, nil
}

// appendNALU appends one NAL unit with its length, encrypted if it is of a kind that is.
func (e *sampleEncrypter) appendNALU(dst, nalu []byte) []byte {
	from := len(dst)
	dst = append(dst, 0, 0, 0, 0)
	if isSlice(nalu) {
		// Zeros at the end, which no NAL unit has, are part of the next start code for some receivers and part of the
		// NAL unit for others: these would not agree on which blocks are encrypted. ISO/IEC 14496-10 B.1.
		nalu = bytes.TrimRight(nalu, "\x00")
	}
	if isSlice(nalu) && len(nalu) > minProtected {
		e.nalu = append(e.nalu[:0], nalu...)
		e.encryptSlice(e.nalu)
		dst = appendEmulationPrevention(dst, e.nalu)
	} else {
		dst = append(dst, nalu...)
	}
	binary.BigEndian.PutUint32(dst[from:], uint32(len(dst)-from-4))
	return dst
}

func isSlice(nalu []byte) bool {
	return len(nalu) > 0 && (nalu[0]&31 == naluSlice || nalu[0]&31 == naluIDR)
}

// encryptSlice encrypts a NAL unit of more than minProtected bytes in place. It is taken as it is in the byte stream,
// its own emulation prevention included; that of the result comes on top, and is removed before decryption.
//
//	clear 32, then until the end: [ encrypted 16, if more than 16 are left | clear up to 144 ]
//
// So the last byte is never encrypted. One chain of blocks goes through the NAL unit.
func (e *sampleEncrypter) encryptSlice(nalu []byte) {
	chain := e.iv[:]
	for b := nalu[clearLeader:]; len(b) > aes.BlockSize; b = b[min(aes.BlockSize+clearSkip, len(b)):] {
		chain = e.encryptBlocks(b[:aes.BlockSize], chain)
	}
}

// encryptBlocks encrypts whole blocks in place and returns the last, or chain if there is none. chain is the block
// before the first one.
func (e *sampleEncrypter) encryptBlocks(b, chain []byte) []byte {
	for ; len(b) >= aes.BlockSize; b = b[aes.BlockSize:] {
		next := b[:aes.BlockSize]
		subtle.XORBytes(next, next, chain)
		e.block.Encrypt(next, next)
		chain = next
	}
	return chain
}

// appendEmulationPrevention appends a NAL unit with a byte 3 put before every byte up to 3 that follows two zeros. See
// ISO/IEC 14496-10 7.4.1. The last byte of the NAL unit is not zero.
func appendEmulationPrevention(dst, nalu []byte) []byte {
	zeros := []byte{0, 0}
	from := 0 // not appended yet
	for at := 0; ; {
		i := bytes.Index(nalu[at:], zeros)
		if i < 0 || at+i+2 >= len(nalu) {
			return append(dst, nalu[from:]...)
		}
		at += i + 2
		if nalu[at] <= 3 {
			dst = append(append(dst, nalu[from:at]...), 3)
			from = at
		}
	}
}

package validate

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
	"encoding/hex"
	"strings"
)

// checkSegment checks a segment in the clear, of whatever format. The state is that after the segment before.
func checkSegment(rec *recorder, data []byte, want expect, state *tsState) *content {
	rec.Tally(func(n *Counts) { n.Fragments++; n.Bytes += int64(len(data)) })
	switch formatOf(data) {
	case formatTransport:
		return checkTransport(rec, data, want, state)
	case formatFragment:
		return checkFragments(rec, data, want)
	case formatAudio:
		return checkPacked(rec, data, want, state)
	case formatText:
		return checkText(rec, data, want, state)
	}
	rec.Add("HS107", Place{Document: want.name}, "%d bytes that begin with %x", len(data), data[:min(len(data), 16)])
	return &content{bytes: len(data)}
}

// formatOf tells the format of a segment from its first bytes.
func formatOf(data []byte) format {
	switch {
	case len(data) == 0:
		return formatUnknown
	case isText(data):
		return formatText
	case data[0] == syncByte:
		return formatTransport
	case string(data[:min(len(data), 3)]) == "ID3", packedCodec(data) != "":
		return formatAudio
	case isFragment(data):
		return formatFragment
	case len(data) > 2*packetSize && data[packetSize] == syncByte && data[2*packetSize] == syncByte:
		return formatTransport // the first packet is broken
	}
	return formatUnknown
}

// decrypt undoes AES-128: CBC over the whole segment, padding as of PKCS7. It reports false, recorded, if that fails.
// See RFC 8216 sections 4.3.2.4 and 5.2.
func decrypt(rec *recorder, data, secret []byte, iv [16]byte, p Place) ([]byte, bool) {
	if len(data) == 0 || len(data)%aes.BlockSize != 0 {
		rec.Add("HK111", p, "there are %d bytes, %d after the last whole block", len(data), len(data)%aes.BlockSize)
		return nil, false
	}
	block, err := aes.NewCipher(secret)
	if err != nil {
		return nil, false // the size of the key was reported
	}
	plain := make([]byte, len(data))
	cipher.NewCBCDecrypter(block, iv[:]).CryptBlocks(plain, data)
	pad := int(plain[len(plain)-1])
	for _, b := range plain[max(len(plain)-pad, 0):] {
		if int(b) != pad {
			pad = 0
		}
	}
	if pad == 0 || pad > aes.BlockSize {
		rec.Add("HK112", p, "the last block is %x in the clear, which is no padding", plain[len(plain)-aes.BlockSize:])
		return nil, false
	}
	return plain[:len(plain)-pad], true
}

// vector returns the IV of a segment: that of the key, or the media sequence number.
func (k *key) vector(number uint64) (iv [16]byte) {
	if len(k.iv) < 3 {
		binary.BigEndian.PutUint64(iv[8:], number)
		return iv
	}
	digits := k.iv[2:]
	digits = strings.Repeat("0", max(32-len(digits), 0)) + digits
	raw, err := hex.DecodeString(digits[:32])
	if err == nil {
		copy(iv[:], raw)
	}
	return iv
}

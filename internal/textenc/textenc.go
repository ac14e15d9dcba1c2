// Package textenc reads text in the encodings that Windows wrote.
package textenc

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"unicode/utf16"
	"unicode/utf8"
)

// UTF8 removes a byte order mark and converts UTF-16, which is recognised by its mark or by the zero byte beside
// the first "<". It aliases data that needs no conversion, which need not be valid UTF-8.
func UTF8(data []byte) ([]byte, error) {
	var order binary.ByteOrder
	switch {
	case bytes.HasPrefix(data, []byte{0xEF, 0xBB, 0xBF}):
		return data[3:], nil
	case bytes.HasPrefix(data, []byte{0xFF, 0xFE}), bytes.HasPrefix(data, []byte{'<', 0}):
		order = binary.LittleEndian
	case bytes.HasPrefix(data, []byte{0xFE, 0xFF}), bytes.HasPrefix(data, []byte{0, '<'}):
		order = binary.BigEndian
	default:
		return data, nil
	}
	if len(data)%2 != 0 {
		return nil, fmt.Errorf("UTF-16 of %d bytes, an odd number", len(data))
	}
	out := make([]byte, 0, len(data)/2+len(data)/8)
	for i := 0; i < len(data); i += 2 {
		r := rune(order.Uint16(data[i:]))
		if i == 0 && r == 0xFEFF {
			continue
		}
		if utf16.IsSurrogate(r) {
			low := rune(utf8.RuneError)
			if i+3 < len(data) {
				low = rune(order.Uint16(data[i+2:]))
			}
			if r = utf16.DecodeRune(r, low); r == utf8.RuneError {
				return nil, fmt.Errorf("UTF-16 with a lone surrogate at byte %d", i)
			}
			i += 2
		}
		out = utf8.AppendRune(out, r)
	}
	return out, nil
}

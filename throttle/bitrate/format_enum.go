package bitrate

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
)

// The kinds of text that [ParsePattern] reads (searchPatternType).
const (
	HexValue    = "hexValue"    // pairs of hexadecimal digits
	StringValue = "stringValue" // ASCII, in that case
)

// From says where in a file a [Search] looks.
type From int

// The values of [From], with the numbers of the schema.
const (
	Beginning From = iota
	End
	Both // the beginning, and the end only if the beginning has no such value
)

// DataType is the type of a value in a file.
type DataType int

// The values of [DataType]. The zero value is none of them.
const (
	Uint16 DataType = iota + 1
	Uint32
	Float  // IEEE 754, four bytes
	Double // IEEE 754, eight bytes
)

// Endianness is the order of the bytes of a value.
type Endianness int

// The values of [Endianness], with the numbers of the schema.
const (
	BigEndian Endianness = iota
	LittleEndian
)

// The words of the schema, by value.
func fromWords() []string       { return []string{"beginning", "end", "both"} }
func dataTypeWords() []string   { return []string{"", "uint16", "uint32", "float", "double"} }
func endiannessWords() []string { return []string{"bigEndian", "littleEndian"} }

// String returns the word of the schema, or a number.
func (f From) String() string { return ruleWord("From", int(f), fromWords()) }

// String returns the word of the schema, or a number.
func (t DataType) String() string { return ruleWord("DataType", int(t), dataTypeWords()) }

// String returns the word of the schema, or a number.
func (e Endianness) String() string { return ruleWord("Endianness", int(e), endiannessWords()) }

func ruleWord(name string, v int, words []string) string {
	if v < 0 || v >= len(words) || words[v] == "" {
		return fmt.Sprintf("%s(%d)", name, v)
	}
	return words[v]
}

// ParseFrom reads a word of searchFrom: beginning, end or both.
func ParseFrom(word string) (From, error) {
	v, err := parseRuleWord("searchFrom", word, fromWords())
	return From(v), err
}

// ParseDataType reads a word of dataType: uint16, uint32, float or double.
func ParseDataType(word string) (DataType, error) {
	v, err := parseRuleWord("dataType", word, dataTypeWords())
	return DataType(v), err
}

// ParseEndianness reads a word of endianness: bigEndian or littleEndian.
func ParseEndianness(word string) (Endianness, error) {
	v, err := parseRuleWord("endianness", word, endiannessWords())
	return Endianness(v), err
}

func parseRuleWord(attribute, word string, words []string) (int, error) {
	for i, w := range words {
		if w != "" && w == word {
			return i, nil
		}
	}
	if words[0] == "" {
		words = words[1:]
	}
	return 0, fmt.Errorf("bitrate: %s is %q, want one of %q", attribute, word, words)
}

// ParsePattern returns the bytes of a searchPattern whose searchPatternType is kind, [HexValue] or [StringValue].
func ParsePattern(kind, text string) ([]byte, error) {
	if text == "" {
		return nil, errors.New("bitrate: searchPattern is empty")
	}
	switch kind {
	case HexValue:
		b, err := hex.DecodeString(text)
		if err != nil {
			return nil, fmt.Errorf("bitrate: searchPattern %q is not hexadecimal: %w", text, err)
		}
		return b, nil
	case StringValue:
		for i := range len(text) {
			if text[i] >= 0x80 {
				return nil, fmt.Errorf("bitrate: searchPattern %q is not ASCII: byte %#x at %d", text, text[i], i)
			}
		}
		return []byte(text), nil
	}
	return nil, fmt.Errorf("bitrate: searchPatternType is %q, want %q or %q", kind, HexValue, StringValue)
}

// size returns the size of a value, in bytes.
func (t DataType) size() int {
	switch t {
	case Uint16:
		return 2
	case Double:
		return 8
	default:
		return 4
	}
}

// decode reads a value of size bytes.
func (t DataType) decode(b []byte, e Endianness) float64 {
	var order binary.ByteOrder = binary.BigEndian
	if e == LittleEndian {
		order = binary.LittleEndian
	}
	switch t {
	case Uint16:
		return float64(order.Uint16(b))
	case Float:
		return float64(math.Float32frombits(order.Uint32(b)))
	case Double:
		return math.Float64frombits(order.Uint64(b))
	default:
		return float64(order.Uint32(b))
	}
}

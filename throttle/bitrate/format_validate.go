package bitrate

import (
	"fmt"
	"strings"
)

// FormatError says what is wrong with a [Format].
type FormatError struct {
	Extension string // of the format
	Field     string // in Go, such as "Rates[1].RangeEnd"
	Attribute string // the same in the schema of mediaFormats, such as "searchRangeEnd"
	Detail    string
}

// Error implements error.
func (e *FormatError) Error() string {
	return fmt.Sprintf("bitrate: format %q: %s (%s): %s", e.Extension, e.Field, e.Attribute, e.Detail)
}

// maxDataOffset bounds the distance of a value from its pattern, in bytes.
const maxDataOffset = 1 << 30

// Validate returns a [*FormatError] that names the first field of the format that cannot be. Windows that together are
// larger than what is read of a file, [MaxRead], are refused at the RangeEnd that exceeds it: a search of both ends
// counts twice, equal windows of several rules once, and each rule has [DefaultRangeEnd] bytes more for its value.
func (f *Format) Validate() error {
	if len(f.Extension) < 2 || f.Extension[0] != '.' || strings.ContainsAny(f.Extension[1:], "./\\") {
		return &FormatError{f.Extension, "Extension", "fileExtension", "not a dot and an extension"}
	}
	v := ruleValidator{extension: f.Extension, windows: map[ruleWindow]bool{}}
	for i := range f.Rates {
		if err := v.search(fmt.Sprintf("Rates[%d]", i), &f.Rates[i].Search); err != nil {
			return err
		}
	}
	if f.Duration == nil || len(f.Rates) > 0 {
		return nil
	}
	if err := v.search("Duration.Duration", &f.Duration.Duration); err != nil {
		return err
	}
	if f.Duration.ConstScale != 0 {
		return nil
	}
	return v.search("Duration.Timescale", &f.Duration.Timescale)
}

// ruleWindow is a window at one end of a file.
type ruleWindow struct {
	tail       bool
	start, end int64
}

// ruleValidator validates the searches of one format.
type ruleValidator struct {
	extension string
	windows   map[ruleWindow]bool
	read      int64 // bytes that the searches so far may read
}

func (v *ruleValidator) search(rule string, q *Search) error {
	fail := func(field, attribute, detail string, args ...any) error {
		return &FormatError{v.extension, rule + "." + field, attribute, fmt.Sprintf(detail, args...)}
	}
	size := q.end() - q.RangeStart
	switch {
	case len(q.Pattern) == 0:
		return fail("Pattern", "searchPattern", "empty")
	case q.From < Beginning || q.From > Both:
		return fail("From", "searchFrom", "%v", q.From)
	case q.Type < Uint16 || q.Type > Double:
		return fail("Type", "dataType", "%v", q.Type)
	case q.Order < BigEndian || q.Order > LittleEndian:
		return fail("Order", "endianness", "%v", q.Order)
	case q.DataOffset > maxDataOffset:
		return fail("DataOffset", "dataOffset", "%d is above %d", q.DataOffset, maxDataOffset)
	case q.RangeStart < 0:
		return fail("RangeStart", "searchRangeStart", "%d is negative", q.RangeStart)
	case q.end() < 0 || size < int64(len(q.Pattern)):
		return fail("RangeEnd", "searchRangeEnd", "%d leaves no room for a pattern of %d bytes from %d",
			q.end(), len(q.Pattern), q.RangeStart)
	}
	v.read += block
	if q.From != End {
		v.add(ruleWindow{false, q.RangeStart, q.end()})
	}
	if q.From != Beginning {
		v.add(ruleWindow{true, q.RangeStart, q.end()})
	}
	if v.read > MaxRead {
		return fail("RangeEnd", "searchRangeEnd", "%d makes windows of %d bytes, %d are read of a file", q.end(), v.read, MaxRead)
	}
	return nil
}

func (v *ruleValidator) add(w ruleWindow) {
	if !v.windows[w] {
		v.windows[w] = true
		v.read += min(w.end-w.start, MaxRead)
	}
}

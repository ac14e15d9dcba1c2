package fmp4

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/Eyevinn/mp4ff/bits"
	"github.com/Eyevinn/mp4ff/mp4"
)

// maxEntryBoxes is the largest number of boxes at one level of a sample entry.
const maxEntryBoxes = 64

// Sizes of the fixed fields that follow the box header of a sample entry. See ISO/IEC 14496-12 8.5.2, 12.1.3 and
// 12.2.3, and for versions 1 and 2 of the audio entry the QuickTime File Format.
const (
	boxHeader      = 8
	entryFields    = 8
	visualFields   = entryFields + 70
	audioFields    = entryFields + 20
	soundV1Fields  = 16
	soundV2Fields  = 36
	fullBoxHeader  = 4
	uuidLen        = 16
	largeBoxHeader = 16
)

var errShort = errors.New("box ends early")

// EntryBox is a box inside a sample entry. It aliases the entry.
type EntryBox struct {
	// Type is the four-character code.
	Type string
	// Raw is the whole box and Payload what follows its header.
	Raw, Payload []byte
}

// SplitEntryBoxes splits b into the boxes it consists of. Trailing zeros, the end mark of QuickTime, and a rest
// shorter than a box header are ignored. It does not copy.
func SplitEntryBoxes(b []byte) ([]EntryBox, error) {
	var boxes []EntryBox
	for off := 0; len(b)-off >= boxHeader; {
		size := uint64(binary.BigEndian.Uint32(b[off:]))
		if size == 0 && allZero(b[off:]) {
			break
		}
		header := boxHeader
		if size == 1 && len(b)-off >= largeBoxHeader {
			size, header = binary.BigEndian.Uint64(b[off+boxHeader:]), largeBoxHeader
		}
		name := string(b[off+4 : off+8])
		if size < uint64(header) || size > uint64(len(b)-off) {
			return nil, fmt.Errorf("box %q at %d: size %d, %d bytes left", name, off, size, len(b)-off)
		}
		if len(boxes) == maxEntryBoxes {
			return nil, fmt.Errorf("more than %d boxes", maxEntryBoxes)
		}
		raw := b[off : off+int(size) : off+int(size)]
		boxes = append(boxes, EntryBox{Type: name, Raw: raw, Payload: raw[header:]})
		off += int(size)
	}
	return boxes, nil
}

func allZero(b []byte) bool {
	for _, v := range b {
		if v != 0 {
			return false
		}
	}
	return true
}

// SampleEntry is a sample entry split into its fixed fields and boxes. It aliases the bytes it was made of.
type SampleEntry struct {
	// Format is the four-character code of the entry, such as avc1 or encv.
	Format string
	// Width and Height in pixels, of a visual entry.
	Width, Height uint16
	// Channels, SampleSize in bits and SampleRate in Hz, of an audio entry. A rate that the field cannot hold is 0.
	Channels, SampleSize uint16
	SampleRate           uint32
	// Fields are the bytes between the box header and the boxes.
	Fields []byte
	// Boxes of the entry.
	Boxes []EntryBox
}

// Kind selects the fixed fields of a sample entry.
type Kind uint8

// The kinds of sample entries.
const (
	PlainEntry  Kind = iota // no fields of its own
	OpaqueEntry             // strings or other content that is not split into boxes
	VisualEntry
	AudioEntry
)

// EntryFormat returns the four-character code of the sample entry, or an error if entry is not exactly one box.
func EntryFormat(entry []byte) (string, error) {
	if len(entry) > MaxSampleEntry {
		return "", fmt.Errorf("fmp4: sample entry of %d bytes, the limit is %d", len(entry), MaxSampleEntry)
	}
	if len(entry) < boxHeader+entryFields {
		return "", fmt.Errorf("fmp4: sample entry of %d bytes: %w", len(entry), errShort)
	}
	name := string(entry[4:8])
	if size := binary.BigEndian.Uint32(entry); uint64(size) != uint64(len(entry)) {
		return "", fmt.Errorf("fmp4: sample entry %q states %d bytes and has %d", name, size, len(entry))
	}
	return name, nil
}

// ParseEntry splits a sample entry, checking every size before it is used.
func ParseEntry(entry []byte, kind Kind) (*SampleEntry, error) {
	name, err := EntryFormat(entry)
	if err != nil {
		return nil, err
	}
	e := &SampleEntry{Format: name}
	body := entry[boxHeader:]
	switch kind {
	case VisualEntry:
		err = e.splitVisual(body)
	case AudioEntry:
		err = e.splitAudio(body)
	case OpaqueEntry:
		e.Fields = body
	default:
		err = e.split(body, entryFields)
	}
	if err != nil {
		return nil, fmt.Errorf("fmp4: sample entry %q: %w", name, err)
	}
	return e, nil
}

// Box returns the first box of that type, or nil.
func (e *SampleEntry) Box(name string) *EntryBox { return FindEntryBox(e.Boxes, name) }

// FindEntryBox returns the first box of that type, or nil.
func FindEntryBox(boxes []EntryBox, name string) *EntryBox {
	for i := range boxes {
		if boxes[i].Type == name {
			return &boxes[i]
		}
	}
	return nil
}

func (e *SampleEntry) split(body []byte, fields int) (err error) {
	if len(body) < fields {
		return fmt.Errorf("%d bytes of fields, need %d: %w", len(body), fields, errShort)
	}
	e.Fields = body[:fields:fields]
	e.Boxes, err = SplitEntryBoxes(body[fields:])
	return err
}

func (e *SampleEntry) splitVisual(body []byte) error {
	if err := e.split(body, visualFields); err != nil {
		return err
	}
	e.Width = binary.BigEndian.Uint16(body[24:])
	e.Height = binary.BigEndian.Uint16(body[26:])
	return nil
}

// splitAudio reads the fields of an audio entry. QuickTime's versions 1 and 2 have more fields before the boxes,
// but ISO/IEC 14496-12 gives version 1 another meaning without them, so the fields are skipped only if boxes
// follow them.
func (e *SampleEntry) splitAudio(body []byte) error {
	if len(body) < audioFields {
		return fmt.Errorf("%d bytes of fields, need %d: %w", len(body), audioFields, errShort)
	}
	e.Channels = binary.BigEndian.Uint16(body[16:])
	e.SampleSize = binary.BigEndian.Uint16(body[18:])
	e.SampleRate = binary.BigEndian.Uint32(body[24:]) >> 16
	extra := 0
	switch binary.BigEndian.Uint16(body[8:]) {
	case 1:
		extra = soundV1Fields
	case 2:
		extra = soundV2Fields
	}
	if extra > 0 && e.split(body, audioFields+extra) == nil {
		return nil
	}
	return e.split(body, audioFields)
}

// DecodeEntryBox decodes a leaf box of a sample entry. The size of raw has been checked; mp4ff reads it from a slice
// of that size, and a panic of its decoder becomes an error.
func DecodeEntryBox(raw []byte) (mp4.Box, error) {
	return guard("decode box", func() (mp4.Box, error) {
		return mp4.DecodeBoxSR(0, bits.NewFixedSliceReader(raw))
	})
}

// guard runs a decoder of mp4ff and turns a panic into an error. It is the last line: what is known to go wrong is
// checked before.
func guard[T any](what string, decode func() (T, error)) (v T, err error) {
	defer func() {
		if p := recover(); p != nil {
			var zero T
			v, err = zero, fmt.Errorf("fmp4: %s: decoder panicked: %v", what, p)
		}
	}()
	v, err = decode()
	if err != nil {
		err = fmt.Errorf("fmp4: %s: %w", what, err)
	}
	return v, err
}

// EncodeBox returns the bytes of a box that was made, not read.
func EncodeBox(b mp4.Box) ([]byte, error) {
	return guard("encode "+b.Type(), func() ([]byte, error) {
		sw := bits.NewFixedSliceWriter(int(b.Size()))
		if err := b.EncodeSW(sw); err != nil {
			return nil, err
		}
		return sw.Bytes(), sw.AccError()
	})
}

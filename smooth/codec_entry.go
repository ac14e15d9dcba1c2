package smooth

import (
	"errors"
	"fmt"

	"github.com/smoothkit/smoothkit/internal/fmp4"
)

// CodecFromSampleEntry reads the configuration of a track from its sample entry, one box of stsd with header. The
// codec keeps a reference to entry, which must not change afterwards. An error wraps [ErrUnsupported] and names the
// four-character code if Smooth Streaming has no way to carry the codec, [ErrTooLarge] or [ErrCorrupt].
// See ISO/IEC 14496-12 8.5.2.
func CodecFromSampleEntry(entry []byte) (*Codec, error) {
	if len(entry) > fmp4.MaxSampleEntry {
		return nil, fmt.Errorf("smooth: sample entry of %d bytes, the limit is %d: %w", len(entry), fmp4.MaxSampleEntry, ErrTooLarge)
	}
	format, err := fmp4.EntryFormat(entry)
	if err != nil {
		return nil, corruptEntry("", err)
	}
	kind, ok := entryKind(format)
	if !ok {
		return nil, unsupportedEntry(format)
	}
	e, err := fmp4.ParseEntry(entry, kind)
	if err != nil {
		return nil, corruptEntry("", err)
	}
	c := &Codec{SampleEntry: entry[:len(entry):len(entry)]}
	if format == "encv" || format == "enca" {
		if format, err = c.readProtection(e); err != nil {
			return nil, corruptEntry(e.Format, err)
		}
		if original, ok := entryKind(format); !ok || original != kind {
			return nil, unsupportedEntry(format)
		}
	}
	if err := c.readEntry(format, e); err != nil {
		return nil, err
	}
	return c, nil
}

// entryKind returns which fields a sample entry has, and false for formats that are not known.
func entryKind(format string) (fmp4.Kind, bool) {
	switch format {
	case "avc1", "avc3", "hvc1", "hev1", "vc-1", "ovc1", "encv":
		return fmp4.VisualEntry, true
	case "mp4a", ".mp3", "ac-3", "ec-3", "wma ", "owma", "enca":
		return fmp4.AudioEntry, true
	case "stpp", "dfxp":
		return fmp4.OpaqueEntry, true
	case "wvtt":
		return fmp4.PlainEntry, true
	}
	return 0, false
}

func (c *Codec) readEntry(format string, e *fmp4.SampleEntry) error {
	var err error
	switch format {
	case "avc1", "avc3":
		err = c.readAVC(e)
	case "hvc1", "hev1":
		err = c.readHEVC(e)
	case "vc-1", "ovc1":
		err = c.readVC1(e)
	case "mp4a":
		err = c.readMP4A(e)
	case ".mp3":
		c.setMP3(uint32(e.Channels), e.SampleRate)
	case "ac-3":
		err = c.readAC3(e)
	case "ec-3":
		err = c.readEC3(e)
	case "wma ", "owma":
		err = c.readWMA(e)
	case "stpp":
		c.Type, c.FourCC = Text, "TTML"
	case "dfxp":
		c.Type, c.FourCC = Text, "DFXP"
	case "wvtt":
		c.readWVTT(e)
	default:
		return unsupportedEntry(format)
	}
	return corruptEntry(format, err)
}

// readWVTT takes over the WebVTT configuration. No Smooth client is known that shows WebVTT samples; the FourCC lets
// them skip the stream, and other outputs can use it. See ISO/IEC 14496-30 7.5.
func (c *Codec) readWVTT(e *fmp4.SampleEntry) {
	c.Type, c.FourCC = Text, "WVTT"
	if b := e.Box("vttC"); b != nil {
		c.PrivateData = b.Payload
	}
}

func unsupportedEntry(format string) error {
	return fmt.Errorf("smooth: sample entry %q: codec cannot be carried by Smooth Streaming: %w", format, ErrUnsupported)
}

// corruptEntry wraps a parse error as corrupt, unless it says that the content is unsupported; nil stays nil.
func corruptEntry(format string, err error) error {
	if err == nil {
		return nil
	}
	if format != "" {
		err = fmt.Errorf("sample entry %q: %w", format, err)
	}
	if errors.Is(err, ErrUnsupported) {
		return fmt.Errorf("smooth: %w", err)
	}
	return fmt.Errorf("smooth: %w: %w", err, ErrCorrupt)
}

// readProtection reads the protection scheme information and returns the original format. The key id comes from the
// first sinf box that has one: tenc of ISO/IEC 23001-7 8.2 or the track encryption box of PIFF 1.1.
//
//	tenc: version 1, flags 3, reserved 1, pattern 1, protected 1, IV size 1, KID 16
//	PIFF: UUID 16, version 1, flags 3, algorithm 3, IV size 1, KID 16
func (c *Codec) readProtection(e *fmp4.SampleEntry) (format string, err error) {
	c.Encrypted = true
	for _, sinf := range e.Boxes {
		if sinf.Type != "sinf" {
			continue
		}
		boxes, err := fmp4.SplitEntryBoxes(sinf.Payload)
		if err != nil {
			return "", fmt.Errorf("sinf: %w", err)
		}
		if frma := fmp4.FindEntryBox(boxes, "frma"); frma != nil && len(frma.Payload) >= 4 && format == "" {
			format = string(frma.Payload[:4])
		}
		if err := c.readKID(boxes); err != nil {
			return "", err
		}
	}
	if format == "" {
		return "", fmt.Errorf("no sinf/frma box that names the original format")
	}
	return format, nil
}

func (c *Codec) readKID(sinf []fmp4.EntryBox) error {
	schi := fmp4.FindEntryBox(sinf, "schi")
	if schi == nil || c.KID != [16]byte{} {
		return nil
	}
	boxes, err := fmp4.SplitEntryBoxes(schi.Payload)
	if err != nil {
		return fmt.Errorf("sinf/schi: %w", err)
	}
	for _, b := range boxes {
		p := b.Payload
		switch {
		case b.Type == "tenc" && len(p) >= 24:
			copy(c.KID[:], p[8:])
		case b.Type == "uuid" && len(p) >= 40 && fmp4.UUID(p[:16]) == fmp4.UUIDTrackEncryption:
			copy(c.KID[:], p[24:])
		}
	}
	return nil
}

// entryFormat returns the four-character code of the unprotected sample entry, such as avc1, or "" if there is none.
func (c *Codec) entryFormat() string {
	if len(c.SampleEntry) < 8 {
		return ""
	}
	format := string(c.SampleEntry[4:8])
	if format != "encv" && format != "enca" {
		return format
	}
	kind, _ := entryKind(format)
	e, err := fmp4.ParseEntry(c.SampleEntry, kind)
	if err != nil {
		return ""
	}
	original, err := new(Codec).readProtection(e)
	if err != nil {
		return ""
	}
	return original
}

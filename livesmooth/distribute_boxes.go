package livesmooth

import (
	"encoding/binary"
	"encoding/xml"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/smoothkit/smoothkit/internal/fmp4"
	"github.com/smoothkit/smoothkit/internal/textenc"
)

// uuidPeriod is the box that says when on the wall clock a period began.
var uuidPeriod = fmp4.UUID{0x1d, 0x6f, 0x0a, 0x52, 0x3b, 0x7e, 0x4c, 0x19, 0x9a, 0x42, 0x5c, 0xe0, 0x8f, 0x27, 0xd3, 0xb6}

// pushPeriod says where a period begins, when that was, and how many discontinuities are before it.
type pushPeriod struct {
	start         uint64
	wall          time.Time // zero if unknown
	discontinuity uint64
}

// periodContent is the size of what follows version and flags.
const periodContent = 24

// appendPeriod appends the box of a period:
//
//	size:32 uuid:32 type:128 version:8 flags:24 start:64 wall:64 discontinuity:64
//
// start is in ticks of 100 ns, wall in nanoseconds since 1970, zero if unknown.
func appendPeriod(dst []byte, p pushPeriod) []byte {
	var c [periodContent]byte
	binary.BigEndian.PutUint64(c[:], p.start)
	if !p.wall.IsZero() {
		binary.BigEndian.PutUint64(c[8:], uint64(p.wall.UnixNano()))
	}
	binary.BigEndian.PutUint64(c[16:], p.discontinuity)
	return fmp4.AppendFullUUID(dst, uuidPeriod, c[:])
}

// parsePeriod reads the box of a period, header included. What a later version appends is left out.
func parsePeriod(raw []byte, offset int64) (pushPeriod, error) {
	c, err := fmp4.ParseFullUUID(raw, offset)
	if err != nil {
		return pushPeriod{}, pushError(err)
	}
	if len(c) < periodContent {
		return pushPeriod{}, malformed("period", offset, "content %d bytes, need %d", len(c), periodContent)
	}
	p := pushPeriod{start: binary.BigEndian.Uint64(c), discontinuity: binary.BigEndian.Uint64(c[16:])}
	if p.start > maxMediaTime || p.discontinuity > maxMediaTime {
		return pushPeriod{}, malformed("period", offset, "start %d, discontinuity %d", p.start, p.discontinuity)
	}
	if wall := int64(binary.BigEndian.Uint64(c[8:])); wall != 0 {
		p.wall = time.Unix(0, wall).UTC()
	}
	return p, nil
}

// period reads the box of a period, which is told before the fragment behind it.
func (p *pushReader) period(h fmp4.Box) error {
	if err := p.settle(); err != nil {
		return err
	}
	raw, err := p.reuse(maxPeriodBox)
	if err != nil {
		return err
	}
	at, err := parsePeriod(raw, h.Offset)
	if err != nil {
		return err
	}
	if err := p.complete(); err != nil {
		return err
	}
	p.queue = append(p.queue, at)
	return nil
}

// maxPeriodBox bounds the box of a period in bytes.
const maxPeriodBox = 1 << 10

// Boxes without content.
const (
	emptyMfra = "\x00\x00\x00\x08mfra"
	emptyFree = "\x00\x00\x00\x08free"
)

// streamRef is an entry of a stream manifest.
type streamRef struct {
	event, id string
	// ended tells that the encoder has ended the stream; other servers do not say.
	ended bool
}

// path returns the reference as a client of the point appends it to the name, unescaped.
func (r streamRef) path() string {
	if r.event != "" {
		return "Events(" + r.event + ")/Streams(" + r.id + ")"
	}
	return "Streams(" + r.id + ")"
}

// streamsNamespace is that of the attribute which tells that a stream has ended.
const streamsNamespace = "urn:smoothkit:streams"

// appendStreamManifest appends the SMIL document that lists input streams. See [MS-SSTR] 2.2.7.2.
func appendStreamManifest(dst []byte, refs []streamRef) []byte {
	dst = append(dst, "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<smil xmlns=\"http://www.w3.org/2001/SMIL20/Language\" xmlns:s=\""+
		streamsNamespace+"\">\n<body>\n<par>\n"...)
	for _, r := range refs {
		var src strings.Builder
		_ = xml.EscapeText(&src, []byte(r.path())) // a Builder takes everything
		dst = append(dst, "<ref src=\""+src.String()+"\""...)
		if r.ended {
			dst = append(dst, " s:ended=\"true\""...)
		}
		dst = append(dst, "/>\n"...)
	}
	return append(dst, "</par>\n</body>\n</smil>\n"...)
}

// parseStreamRefs reads what a server answers to streammanifest: a SMIL document, or the box that has one. Nothing in it may
// lead elsewhere, so of a URL in src only the end counts.
func parseStreamRefs(text []byte) ([]streamRef, error) {
	if len(text) > 8 && string(text[4:8]) == "uuid" {
		var err error
		if len(text) < 24 || fmp4.UUID(text[8:24]) != fmp4.UUIDStreamManifest {
			return nil, fmt.Errorf("livesmooth: stream manifest: another box: %w", ErrMalformed)
		}
		if text, err = fmp4.ParseFullUUID(text, 0); err != nil {
			return nil, pushError(err)
		}
	}
	text, err := textenc.UTF8(text)
	if err != nil {
		return nil, fmt.Errorf("livesmooth: stream manifest: %w: %w", ErrMalformed, err)
	}
	return scanStreamRefs(text)
}

func scanStreamRefs(text []byte) ([]streamRef, error) {
	dec := xml.NewDecoder(strings.NewReader(string(text)))
	dec.CharsetReader = func(_ string, r io.Reader) (io.Reader, error) { return r, nil } // it is UTF-8, whatever it says
	var list []streamRef
	for range maxSMILTokens {
		tok, err := dec.Token()
		if err == io.EOF {
			return list, nil
		}
		if err != nil {
			return nil, fmt.Errorf("livesmooth: stream manifest: %w: %w", ErrMalformed, err)
		}
		el, ok := tok.(xml.StartElement)
		if !ok || !equalFold(el.Name.Local, "ref") {
			continue
		}
		r, ok := streamRefOf(el)
		switch {
		case !ok:
			return nil, fmt.Errorf("livesmooth: stream manifest: ref %d names no stream: %w", len(list)+1, ErrMalformed)
		case len(list) == maxRequired:
			return nil, fmt.Errorf("livesmooth: stream manifest: more than %d streams: %w", maxRequired, ErrLimit)
		case !slices.ContainsFunc(list, func(o streamRef) bool { return o.id == r.id }):
			list = append(list, r)
		}
	}
	return nil, fmt.Errorf("livesmooth: stream manifest: more than %d tokens: %w", maxSMILTokens, ErrLimit)
}

// streamRefOf reads a ref element.
func streamRefOf(el xml.StartElement) (streamRef, bool) {
	var r streamRef
	found := false
	for _, a := range el.Attr {
		switch {
		case equalFold(a.Name.Local, "src"):
			elements := strings.Split(strings.Trim(a.Value, " \t\r\n/"), "/")
			n := len(elements) - 1
			if r.id, found = keyword(elements[n], "Streams"); found && n > 0 {
				r.event, _ = keyword(elements[n-1], "Events")
			}
		case a.Name.Space == streamsNamespace && a.Name.Local == "ended":
			r.ended = a.Value == "true"
		}
	}
	return r, found && validPushID(r.id) && (r.event == "" || validPushID(r.event))
}

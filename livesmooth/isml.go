package livesmooth

import (
	"encoding/xml"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/smoothkit/smoothkit/smooth"
)

// maxISMLBytes bounds the size of a definition, in whatever encoding it is in. Those of IIS have less than 2 kB.
const maxISMLBytes = 1 << 20

// maxISMLExtra bounds the metas that are kept without being known.
const maxISMLExtra = 1024

// ismlModule is the meta "module" that tells a publishing point from other SMIL documents.
const ismlModule = "liveSmoothStreaming"

// ParseSettings reads the definition of a publishing point: the content of an .isml file, which is SMIL 2.0 in UTF-8 or
// UTF-16. Names and values are compared without regard to case, the first of several metas of one name counts, and what is
// absent is as in [DefaultSettings]. Metas that are unknown are kept in Extra; of publishing and formats, also values that
// are unknown. Unknown elements and attributes are ignored. The ref elements of the body are PullFrom of a pull point and
// PushTo of a push point.
//
// estimatedTime, manifestWindowLength and m3u8-aapl-segmentlength are seconds, archiveSegmentLength is minutes; decimals
// are accepted. That archiveSegmentLength is minutes, as in the user interface of IIS, and manifestWindowLength seconds
// is what the known generators of such files suggest; no document says it.
//
// IIS has settings whose names in the file are not known. Here they are liveCacheLength (seconds), clientManifestVersion,
// sendEndOfStreamOnStop, archivePath, useEventIdOnPath, m3u8-aapl-includecodecs and m3u8-aapl-encryptionkey (32
// hexadecimal digits), after the elements of the management services; the destinations of a pull point are ref elements
// with list="PushTo". They are written only if they are not as in DefaultSettings, so that files for IIS stay as they were.
//
// Errors are [*smooth.FileError] with the line, and wrap [smooth.ErrCorrupt], [smooth.ErrTooLarge] or, if a value is
// impossible, [ErrSettings]. The result does not alias data.
func ParseSettings(data []byte) (*Settings, error) {
	doc, err := readISML(data)
	if err != nil {
		return nil, err
	}
	s := DefaultSettings()
	if err := doc.applyMetas(s); err != nil {
		return nil, err
	}
	if err := doc.applyRefs(s); err != nil {
		return nil, err
	}
	if err := s.Validate(); err != nil {
		return nil, &smooth.FileError{File: ismlFile, Offset: -1, Err: err}
	}
	return s, nil
}

// applyMetas sets what the metas say. That of the formats comes first: without HLS its settings are but kept.
func (d *ismlDocument) applyMetas(s *Settings) error {
	i := slices.IndexFunc(d.metas, func(m ismlMeta) bool { return equalFold(m.name, ismlFormats) })
	if i >= 0 {
		readFormats(s, d.metas[i].value)
	}
	seen := map[string]bool{ismlFormats: true}
	for _, m := range d.metas {
		f := ismlFieldOf(m.name)
		switch {
		case f == nil || f.hls && s.HLS == nil:
			if err := d.keep(s, m); err != nil {
				return err
			}
		case !seen[f.name]:
			seen[f.name] = true
			if err := f.read(s, m.value); err != nil {
				return m.place.fail(ErrSettings, "%s %v", f.name, err)
			}
		}
	}
	return nil
}

// keep adds a meta that nobody knows to those of HLS or of the point.
func (d *ismlDocument) keep(s *Settings, m ismlMeta) error {
	list := &s.Extra
	if s.HLS != nil && isHLSMeta(m.name) {
		list = &s.HLS.Extra
	}
	if len(*list) >= maxISMLExtra {
		return m.place.fail(smooth.ErrTooLarge, "more than %d unknown metas", maxISMLExtra)
	}
	*list = append(*list, smooth.Attribute{Name: m.name, Value: m.value})
	return nil
}

// applyRefs sets the addresses of other servers.
func (d *ismlDocument) applyRefs(s *Settings) error {
	for _, r := range d.refs {
		list := &s.PushTo
		switch {
		case equalFold(r.list, listPullFrom), r.list == "" && s.Source == SourcePull:
			list = &s.PullFrom
		case r.list != "" && !equalFold(r.list, listPushTo):
			return r.place.fail(ErrSettings, "list %q is neither %s nor %s", shorten(r.list), listPushTo, listPullFrom)
		}
		if !r.point.valid() {
			return r.place.fail(ErrSettings, "src %q is not the http or https URL of a publishing point", shorten(r.point.URL))
		}
		if len(*list) >= MaxRemotePoints {
			return r.place.fail(smooth.ErrTooLarge, "more than %d addresses", MaxRemotePoints)
		}
		*list = append(*list, r.point)
	}
	return nil
}

// The values of the attribute list of a ref element, which is our own.
const (
	listPullFrom = "PullFrom"
	listPushTo   = "PushTo"
)

// AppendISML appends the definition as an .isml file and returns the extended buffer. Equal settings give equal bytes,
// which [ParseSettings] reads as they were, but for the defaults that empty fields stand for. The error wraps
// [ErrSettings] if the settings are invalid, have text that XML cannot carry, or are too long. A key stands in the file.
func (s *Settings) AppendISML(dst []byte) ([]byte, error) {
	if err := s.Validate(); err != nil {
		return nil, err
	}
	w := ismlWriter{b: dst}
	w.raw(`<?xml version="1.0" encoding="utf-8"?>` + "\n" + `<smil xmlns="http://www.w3.org/2001/SMIL20/Language">` + "\n")
	w.head(s)
	w.body(s)
	w.raw("</smil>\n")
	if n := len(w.b) - len(dst); n > maxISMLBytes {
		w.fail("%d bytes, limit %d", n, maxISMLBytes)
	}
	if w.err != nil {
		return nil, fmt.Errorf("livesmooth: %w: %w", ErrSettings, w.err)
	}
	return w.b, nil
}

// ismlWriter appends XML. The first thing that XML cannot carry becomes err.
type ismlWriter struct {
	b   []byte
	err error
}

func (w *ismlWriter) raw(s string) { w.b = append(w.b, s...) }

func (w *ismlWriter) fail(format string, args ...any) {
	if w.err == nil {
		w.err = fmt.Errorf(format, args...)
	}
}

func (w *ismlWriter) attr(name, value string) {
	if !isXMLText(value) {
		w.fail("XML cannot carry %s %q", name, shorten(value))
	}
	w.raw(" " + name + `="`)
	// EscapeText fails only if the writer does.
	_ = xml.EscapeText((*ismlBuffer)(&w.b), []byte(value))
	w.raw(`"`)
}

// ismlBuffer is a buffer as an io.Writer.
type ismlBuffer []byte

func (a *ismlBuffer) Write(p []byte) (int, error) {
	*a = append(*a, p...)
	return len(p), nil
}

// head appends the metas in the order of the generators for IIS, then those that are unknown.
func (w *ismlWriter) head(s *Settings) {
	w.raw("  <head>\n")
	for i := range ismlFields {
		if value, ok := ismlFields[i].write(s); ok {
			w.meta(smooth.Attribute{Name: ismlFields[i].name, Value: value})
		}
	}
	if s.HLS != nil {
		w.unknown(s, s.HLS.Extra)
	}
	w.unknown(s, s.Extra)
	w.raw("  </head>\n")
}

func (w *ismlWriter) meta(m smooth.Attribute) {
	w.raw("    <meta")
	w.attr("name", m.Name)
	w.attr("content", m.Value)
	w.raw("/>\n")
}

// unknown appends the metas of a list that have no field of their own.
func (w *ismlWriter) unknown(s *Settings, list []smooth.Attribute) {
	n := 0
	for _, m := range list {
		if f := ismlFieldOf(m.Name); f != nil && (!f.hls || s.HLS != nil) {
			continue
		}
		if n++; m.Name == "" || n > maxISMLExtra {
			w.fail("unknown metas must have names and be no more than %d", maxISMLExtra)
			return
		}
		w.meta(m)
	}
}

func (w *ismlWriter) body(s *Settings) {
	if len(s.PullFrom)+len(s.PushTo) == 0 {
		w.raw("  <body/>\n")
		return
	}
	w.raw("  <body>\n    <par>\n")
	for _, r := range s.PullFrom {
		w.ref(r, "")
	}
	list := ""
	if s.Source == SourcePull {
		list = listPushTo
	}
	for _, r := range s.PushTo {
		w.ref(r, list)
	}
	w.raw("    </par>\n  </body>\n")
}

func (w *ismlWriter) ref(r RemotePoint, list string) {
	w.raw("      <ref")
	w.attr("src", r.URL)
	if r.Credential != "" {
		w.attr("credentialName", r.Credential)
	}
	if list != "" {
		w.attr("list", list)
	}
	w.raw("/>\n")
}

// isXMLText reports whether s has nothing but characters of XML 1.0, section 2.2.
func isXMLText(s string) bool {
	for i, r := range s {
		switch {
		case r < ' ' && r != '\t' && r != '\n' && r != '\r', r == 0xfffe, r == 0xffff:
			return false
		case r == utf8.RuneError && !strings.HasPrefix(s[i:], "\ufffd"):
			return false
		}
	}
	return true
}

// shorten keeps error messages short.
func shorten(s string) string {
	const limit = 80
	if len(s) > limit {
		return s[:limit] + "..."
	}
	return s
}

package smooth

import (
	"encoding/xml"
	"strconv"
	"strings"
)

// smilNamespace is the namespace of server manifests.
const smilNamespace = "http://www.w3.org/2001/SMIL20/Language"

// ParseServerManifest reads a server manifest: a smil element of SMIL 2.0 in its namespace, in any other or in none,
// in UTF-8 or UTF-16. Tracks are video, audio and textstream (or text) elements in the body, in or outside a switch.
// It keeps unknown meta and param elements and attributes, and ignores unknown elements. A head, tracks, src,
// systemBitrate and trackID may be missing.
//
// Errors are as those of [ParseManifest], with File "server manifest". The result does not alias data.
func ParseServerManifest(data []byte) (*ServerManifest, error) {
	x, err := newXMLReader("server manifest", data)
	if err != nil {
		return nil, err
	}
	p := &serverManifestParser{xmlReader: x, m: &ServerManifest{}}
	if err := p.document("smil", p.smil); err != nil {
		return nil, err
	}
	return p.m, nil
}

type serverManifestParser struct {
	*xmlReader
	m *ServerManifest
}

func (p *serverManifestParser) smil(el xml.StartElement) (err error) {
	if p.m.Extra, err = p.attributes(el, func(string, xml.Attr) bool { return false }); err != nil {
		return err
	}
	return p.children(func(el xml.StartElement) error {
		switch strings.ToLower(el.Name.Local) {
		case "head":
			return p.children(p.meta)
		case "body":
			return p.children(p.body)
		}
		return p.skip(el)
	})
}

func (p *serverManifestParser) meta(el xml.StartElement) error {
	if !equalFoldASCII(el.Name.Local, "meta") {
		return p.skip(el)
	}
	p.number(len(p.m.Meta) + 1)
	if len(p.m.Meta) >= MaxManifestLevels {
		return p.fail(ErrTooLarge, "more than %d meta elements", MaxManifestLevels)
	}
	meta, err := p.pair(el, "content")
	if err != nil {
		return err
	}
	if meta.Name != "" {
		p.m.Meta = append(p.m.Meta, meta)
	}
	return p.skip(el)
}

// body reads tracks, which a switch or another SMIL container may enclose.
func (p *serverManifestParser) body(el xml.StartElement) error {
	switch strings.ToLower(el.Name.Local) {
	case "switch", "seq", "par", "excl":
		return p.children(p.body)
	case "video":
		return p.track(el, Video)
	case "audio":
		return p.track(el, Audio)
	case "textstream", "text":
		return p.track(el, Text)
	}
	return p.skip(el)
}

const trackAttributes = "src systembitrate systemlanguage xmlns"

func (p *serverManifestParser) track(el xml.StartElement, kind StreamType) (err error) {
	p.number(len(p.m.Tracks) + 1)
	if len(p.m.Tracks) >= MaxManifestLevels {
		return p.fail(ErrTooLarge, "more than %d tracks", MaxManifestLevels)
	}
	t := ServerTrack{Type: kind}
	t.Extra, err = p.attributes(el, func(key string, a xml.Attr) bool {
		switch key {
		case "src":
			t.Src = a.Value
		case "systembitrate":
			t.Bitrate, t.HasBitrate = p.uint64(a), strings.TrimSpace(a.Value) != ""
		case "systemlanguage":
			t.Language = strings.TrimSpace(a.Value)
		default:
			return false
		}
		return true
	})
	if err != nil {
		return err
	}
	if err := p.children(func(el xml.StartElement) error { return p.param(el, &t) }); err != nil {
		return err
	}
	if v, ok := t.Param("systemBitrate"); ok && !t.HasBitrate {
		n, err := strconv.ParseUint(strings.TrimSpace(v), 10, 64)
		t.Bitrate, t.HasBitrate = n, err == nil
	}
	if v, ok := t.Param("systemLanguage"); ok && t.Language == "" {
		t.Language = strings.TrimSpace(v)
	}
	p.m.Tracks = append(p.m.Tracks, t)
	return nil
}

func (p *serverManifestParser) param(el xml.StartElement, t *ServerTrack) error {
	if !equalFoldASCII(el.Name.Local, "param") {
		return p.skip(el)
	}
	p.number(len(t.Params) + 1)
	if len(t.Params) >= MaxManifestAttributes {
		return p.fail(ErrTooLarge, "more than %d param elements", MaxManifestAttributes)
	}
	var param Param
	var value xml.Attr
	if _, err := p.attributes(el, func(key string, a xml.Attr) bool {
		switch key {
		case "name":
			param.Name = a.Value
		case "value":
			param.Value, value = a.Value, a
		case "valuetype":
			param.ValueType = a.Value
		}
		return true
	}); err != nil {
		return err
	}
	value.Name.Local = param.Name // errors name the param, not its value attribute
	switch strings.ToLower(param.Name) {
	case "":
		return p.skip(el)
	case "trackid":
		p.uint32(value)
	case "timescale", "systembitrate":
		p.uint64(value)
	}
	if err := p.takeErr(); err != nil {
		return err
	}
	t.Params = append(t.Params, param)
	return p.skip(el)
}

// AppendXML appends m in the form of IIS and returns the extended buffer. Equal manifests give equal bytes. The
// error wraps [ErrUnsupported] if a string cannot be written in XML or a track has no known type.
func (m *ServerManifest) AppendXML(dst []byte) ([]byte, error) {
	w := xmlWriter{b: dst, file: "server manifest"}
	w.raw(xmlDeclaration + "<smil")
	w.attr("xmlns", smilNamespace)
	w.extra(m.Extra, "xmlns")
	w.raw(">\n  <head>\n")
	for _, a := range m.Meta {
		w.raw("    <meta")
		w.attr("name", a.Name)
		w.attr("content", a.Value)
		w.raw("/>\n")
	}
	w.raw("  </head>\n  <body>\n    <switch>\n")
	for i := range m.Tracks {
		w.serverTrack(&m.Tracks[i])
	}
	w.raw("    </switch>\n  </body>\n</smil>\n")
	if w.err != nil {
		return nil, w.err
	}
	return w.b, nil
}

func (w *xmlWriter) serverTrack(t *ServerTrack) {
	if !t.Type.known() {
		w.fail(ErrUnsupported, "track type %q is none of video, audio and text", abbreviate(string(t.Type)))
		return
	}
	w.raw("      <")
	w.raw(t.Element())
	w.attrIf("src", t.Src)
	if t.HasBitrate {
		w.uint("systemBitrate", t.Bitrate)
	}
	w.attrIf("systemLanguage", t.Language)
	w.extra(t.Extra, trackAttributes)
	if len(t.Params) == 0 {
		w.raw("/>\n")
		return
	}
	w.raw(">\n")
	for _, p := range t.Params {
		w.raw("        <param")
		w.attr("name", p.Name)
		w.attr("value", p.Value)
		w.attrIf("valuetype", p.ValueType)
		w.raw("/>\n")
	}
	w.raw("      </")
	w.raw(t.Element())
	w.raw(">\n")
}

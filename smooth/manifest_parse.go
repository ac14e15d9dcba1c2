package smooth

import (
	"cmp"
	"encoding/xml"
	"strings"
)

// ParseManifest reads a client manifest or a composite manifest. See [MS-SSTR] 2.2.2.
//
// It is as tolerant as the clients of IIS were: UTF-8 and UTF-16 with or without byte order mark, whatever the
// declaration says; namespaces, any order of attributes, and any case of element names, attribute names, booleans
// and stream types; the attribute names of version 1 (Width, Height, WaveFormatEx) and of IIS
// (LookAheadFragmentCount); a wrong count in Chunks and QualityLevels; missing versions, names and indexes. It
// keeps unknown attributes and ignores unknown elements. Document type declarations are refused.
//
// Errors are a [*FileError] with File "manifest", the line and the path of the element. They wrap [ErrCorrupt], or
// [ErrTooLarge] beyond the limits such as [MaxManifestChunks], or [ErrUnsupported] for a stream of unknown type.
// The manifest does not alias data.
func ParseManifest(data []byte) (*Manifest, error) {
	x, err := newXMLReader("manifest", data)
	if err != nil {
		return nil, err
	}
	p := &manifestParser{xmlReader: x, m: &Manifest{MajorVersion: 2}}
	if err := p.document("SmoothStreamingMedia", p.root); err != nil {
		return nil, err
	}
	return p.m, nil
}

// manifestParser is an xmlReader for client manifests that counts what the limits bound.
type manifestParser struct {
	*xmlReader
	m                                 *Manifest
	streams, levels, chunks, embedded int
}

// The attributes of each element that have fields, in lower case. The writer refuses them as extra attributes.
const (
	rootAttributes = "majorversion minorversion timescale duration islive lookaheadcount lookaheadfragmentcount " +
		"dvrwindowlength canseek canpause xmlns"
	clipAttributes   = "url clipbegin clipend xmlns"
	streamAttributes = "type subtype name language timescale url maxwidth maxheight displaywidth displayheight " +
		"parentstreamindex manifestoutput fourcc chunks qualitylevels xmlns"
	levelAttributes = "index bitrate fourcc codecprivatedata maxwidth maxheight width height samplingrate channels " +
		"bitspersample packetsize audiotag nalunitlengthfield waveformatex xmlns"
)

func (p *manifestParser) root(el xml.StartElement) (err error) {
	m, line := p.m, p.line
	var lookahead uint32
	m.Extra, err = p.attributes(el, func(key string, a xml.Attr) bool {
		switch key {
		case "majorversion":
			m.MajorVersion = p.uint32(a)
		case "minorversion":
			m.MinorVersion = p.uint32(a)
		case "timescale":
			m.Timescale = p.uint64(a)
		case "duration":
			m.Duration = p.uint64(a)
		case "islive":
			m.IsLive = p.bool(a)
		case "lookaheadcount": // the name in MS-SSTR
			lookahead = p.uint32(a)
		case "lookaheadfragmentcount": // the name that IIS and Azure write
			m.LookaheadCount = p.uint32(a)
		case "dvrwindowlength":
			m.DVRWindowLength = p.uint64(a)
		case "canseek":
			m.CanSeek = p.bool(a)
		case "canpause":
			m.CanPause = p.bool(a)
		default:
			return false
		}
		return true
	})
	if err != nil {
		return err
	}
	m.LookaheadCount = cmp.Or(m.LookaheadCount, lookahead)
	if err := p.children(p.rootChild); err != nil {
		return err
	}
	if len(m.Clips) > 0 && len(m.Streams) > 0 {
		return p.failAt(line, ErrCorrupt, "SmoothStreamingMedia has both StreamIndex and Clip elements")
	}
	return nil
}

func (p *manifestParser) rootChild(el xml.StartElement) error {
	switch strings.ToLower(el.Name.Local) {
	case "protection":
		return p.children(p.protection)
	case "streamindex":
		return p.stream(el, &p.m.Streams)
	case "clip":
		return p.clip(el)
	case "customattributes":
		return p.customAttributes(&p.m.CustomAttributes)
	}
	return p.skip(el)
}

// protection reads a ProtectionHeader element. See [MS-SSTR] 2.2.2.2. The braces that it wants around the UUID are
// left out by deployed servers.
func (p *manifestParser) protection(el xml.StartElement) error {
	if !equalFoldASCII(el.Name.Local, "ProtectionHeader") {
		return p.skip(el)
	}
	p.number(len(p.m.Protection) + 1)
	if len(p.m.Protection) >= MaxManifestAttributes {
		return p.fail(ErrTooLarge, "more than %d protection headers", MaxManifestAttributes)
	}
	var h ProtectionHeader
	_, err := p.attributes(el, func(key string, a xml.Attr) bool {
		if key == "systemid" {
			h.SystemID = strings.ToLower(strings.Trim(a.Value, "{} \t\r\n"))
		}
		return true
	})
	if err != nil {
		return err
	}
	if h.Data, err = p.base64(); err != nil {
		return err
	}
	p.m.Protection = append(p.m.Protection, h)
	return nil
}

// base64 consumes the innermost element and decodes its text; without text it returns nil.
func (p *manifestParser) base64() ([]byte, error) {
	line, frame := p.line, p.stack[len(p.stack)-1]
	text, err := p.text()
	if err != nil {
		return nil, err
	}
	data, err := decodeBase64(text)
	if err != nil {
		p.stack = append(p.stack, frame) // the error names the element, which is closed by now
		return nil, p.failAt(line, ErrCorrupt, "content is not base64: %v", err)
	}
	if len(data) == 0 {
		return nil, nil
	}
	return data, nil
}

// clip reads a part of a composite manifest.
func (p *manifestParser) clip(el xml.StartElement) (err error) {
	c := &Clip{}
	p.number(len(p.m.Clips) + 1)
	if len(p.m.Clips) >= MaxManifestClips {
		return p.fail(ErrTooLarge, "more than %d clips", MaxManifestClips)
	}
	c.Extra, err = p.attributes(el, func(key string, a xml.Attr) bool {
		switch key {
		case "url":
			c.URL = a.Value
		case "clipbegin":
			c.Begin = p.uint64(a)
		case "clipend":
			c.End = p.uint64(a)
		default:
			return false
		}
		return true
	})
	switch {
	case err != nil:
		return err
	case c.URL == "":
		return p.fail(ErrCorrupt, "clip has no Url")
	case c.Begin > c.End:
		return p.fail(ErrCorrupt, "ClipBegin %d is after ClipEnd %d", c.Begin, c.End)
	}
	p.m.Clips = append(p.m.Clips, c)
	return p.children(func(el xml.StartElement) error {
		if equalFoldASCII(el.Name.Local, "StreamIndex") {
			return p.stream(el, &c.Streams)
		}
		return p.skip(el)
	})
}

// customAttributes reads a CustomAttributes element. See [MS-SSTR] 2.2.2.5.1.
func (p *manifestParser) customAttributes(list *[]Attribute) error {
	return p.children(func(el xml.StartElement) error {
		if !equalFoldASCII(el.Name.Local, "Attribute") {
			return p.skip(el)
		}
		p.number(len(*list) + 1)
		if len(*list) >= MaxManifestAttributes {
			return p.fail(ErrTooLarge, "more than %d custom attributes", MaxManifestAttributes)
		}
		c, err := p.pair(el, "value")
		if err != nil {
			return err
		}
		if c.Name == "" {
			return p.fail(ErrCorrupt, "custom attribute has no Name")
		}
		*list = append(*list, c)
		return p.skip(el)
	})
}

// stream reads a StreamIndex element. See [MS-SSTR] 2.2.2.3.
func (p *manifestParser) stream(el xml.StartElement, list *[]*Stream) (err error) {
	p.number(len(*list) + 1)
	if p.streams++; p.streams > MaxManifestStreams {
		return p.fail(ErrTooLarge, "more than %d streams", MaxManifestStreams)
	}
	s := &Stream{}
	if s.Extra, err = p.attributes(el, func(key string, a xml.Attr) bool { return p.streamAttribute(s, key, a) }); err != nil {
		return err
	}
	switch {
	case s.Type == "":
		return p.fail(ErrCorrupt, "stream has no Type")
	case !s.Type.known():
		return p.fail(ErrUnsupported, "stream type %q is none of video, audio and text", abbreviate(string(s.Type)))
	}
	if s.Name == "" {
		s.Name = string(s.Type)
	}
	for _, other := range *list {
		if other.Name == s.Name {
			return p.fail(ErrCorrupt, "two streams are called %q", abbreviate(s.Name))
		}
	}
	*list = append(*list, s)
	c := chunkReader{p: p, s: s, sparse: s.Parent != "" || s.ManifestOutput}
	err = p.children(func(el xml.StartElement) error {
		switch strings.ToLower(el.Name.Local) {
		case "qualitylevel":
			return p.level(el, s)
		case "c":
			return c.chunk(el)
		case "content":
			s.Content, err = p.innerXML()
			return err
		}
		return p.skip(el)
	})
	if err != nil {
		return err
	}
	return c.finish()
}

func (p *manifestParser) streamAttribute(s *Stream, key string, a xml.Attr) bool {
	switch key {
	case "type":
		s.Type = StreamType(strings.ToLower(strings.TrimSpace(a.Value)))
	case "subtype":
		s.Subtype = a.Value
	case "name":
		s.Name = a.Value
	case "language":
		s.Language = a.Value
	case "timescale":
		s.Timescale = p.uint64(a)
	case "url":
		s.URL = a.Value
	case "maxwidth":
		s.MaxWidth = p.uint32(a)
	case "maxheight":
		s.MaxHeight = p.uint32(a)
	case "displaywidth":
		s.DisplayWidth = p.uint32(a)
	case "displayheight":
		s.DisplayHeight = p.uint32(a)
	case "parentstreamindex":
		s.Parent = a.Value
	case "manifestoutput":
		s.ManifestOutput = p.bool(a)
	case "fourcc":
		s.FourCC = a.Value
	case "chunks":
		s.DeclaredChunks = p.uint32(a)
	case "qualitylevels": // informative, and wrong in real manifests
	default:
		return false
	}
	return true
}

// level reads a QualityLevel element. See [MS-SSTR] 2.2.2.5.
func (p *manifestParser) level(el xml.StartElement, s *Stream) (err error) {
	p.number(len(s.Levels) + 1)
	if p.levels++; p.levels > MaxManifestLevels {
		return p.fail(ErrTooLarge, "more than %d quality levels", MaxManifestLevels)
	}
	l := &QualityLevel{Index: uint32(len(s.Levels))}
	r := levelReader{p: p, l: l}
	if l.Extra, err = p.attributes(el, r.attribute); err != nil {
		return err
	}
	if err := r.finish(); err != nil {
		return err
	}
	if l.FourCC == "" {
		l.FourCC = s.FourCC
	}
	s.Levels = append(s.Levels, l)
	return p.children(func(el xml.StartElement) error {
		if equalFoldASCII(el.Name.Local, "CustomAttributes") {
			return p.customAttributes(&l.CustomAttributes)
		}
		return p.skip(el)
	})
}

// levelReader collects the attributes of a quality level; those of version 1 count where those of version 2 are
// missing.
type levelReader struct {
	p             *manifestParser
	l             *QualityLevel
	hasBitrate    bool
	width, height uint32
	waveFormat    []byte
}

func (r *levelReader) attribute(key string, a xml.Attr) bool {
	p, l := r.p, r.l
	switch key {
	case "index":
		l.Index = p.uint32(a)
	case "bitrate":
		l.Bitrate, r.hasBitrate = p.uint64(a), strings.TrimSpace(a.Value) != ""
	case "fourcc":
		l.FourCC = a.Value
	case "codecprivatedata":
		l.CodecPrivateData = p.hex(a)
	case "maxwidth":
		l.MaxWidth = p.uint32(a)
	case "maxheight":
		l.MaxHeight = p.uint32(a)
	case "width":
		r.width = p.uint32(a)
	case "height":
		r.height = p.uint32(a)
	case "samplingrate":
		l.SamplingRate = p.uint32(a)
	case "channels":
		l.Channels = p.uint32(a)
	case "bitspersample":
		l.BitsPerSample = p.uint32(a)
	case "packetsize":
		l.PacketSize = p.uint32(a)
	case "audiotag":
		l.AudioTag = p.uint32(a)
	case "nalunitlengthfield":
		l.NALUnitLengthField = p.uint32(a)
	case "waveformatex":
		r.waveFormat = p.hex(a)
	default:
		return false
	}
	return true
}

func (r *levelReader) finish() error {
	l := r.l
	if !r.hasBitrate {
		return r.p.fail(ErrCorrupt, "quality level has no Bitrate")
	}
	l.MaxWidth = cmp.Or(l.MaxWidth, r.width)
	l.MaxHeight = cmp.Or(l.MaxHeight, r.height)
	if len(r.waveFormat) > 0 && !l.setWaveFormat(r.waveFormat) {
		return r.p.fail(ErrCorrupt, "WaveFormatEx has %d bytes, want at least 16", len(r.waveFormat))
	}
	return nil
}

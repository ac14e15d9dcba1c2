package smooth

import (
	"slices"
	"strconv"
	"strings"
)

// ServerManifest is the content of an .ism file, which maps the quality levels of a presentation to tracks in
// files, or of the manifest box of a live encoder. It is for one goroutine.
type ServerManifest struct {
	// Meta are the meta elements of the head in order: names and contents, also unknown ones.
	Meta []Attribute
	// Tracks in order. A template has none.
	Tracks []ServerTrack
	// Extra are attributes of the root element, such as namespace declarations, kept for writing.
	Extra []Attribute
}

// ServerTrack is a video, audio or textstream element of a [ServerManifest].
type ServerTrack struct {
	// Type is that of the element; a textstream is [Text].
	Type StreamType
	// Src is the file name relative to the .ism as written; see SrcPath. The track of a live encoder has none.
	Src string
	// Bitrate is systemBitrate in bits per second, from the attribute or else the param; HasBitrate tells whether
	// there is one, since Azure left it out for plain MP4 files.
	Bitrate    uint64
	HasBitrate bool
	// Language is systemLanguage, from the attribute or else the param; empty if absent.
	Language string
	// Params in order, also unknown ones.
	Params []Param
	// Extra are unknown attributes, kept for writing.
	Extra []Attribute
}

// Param is a param element of a [ServerTrack].
type Param struct {
	// Name and Value are attributes, as written.
	Name, Value string
	// ValueType is the valuetype attribute, usually "data", or empty.
	ValueType string
}

// MetaValue returns the content of the first meta element called name, compared without regard to case.
func (m *ServerManifest) MetaValue(name string) (string, bool) {
	for _, a := range m.Meta {
		if equalFoldASCII(a.Name, name) {
			return a.Value, true
		}
	}
	return "", false
}

// ClientManifestPath returns clientManifestRelativePath in the form of [ServerTrack.SrcPath], or "".
func (m *ServerManifest) ClientManifestPath() string {
	v, _ := m.MetaValue("clientManifestRelativePath")
	return cleanSrc(v)
}

// Formats returns the values of the formats meta element: further outputs ("m3u8-aapl") for IIS, the format of the
// files ("mp4", "mp4-v3", "fmp4", ...) for Azure. Commas, semicolons and white space separate them.
func (m *ServerManifest) Formats() []string {
	v, _ := m.MetaValue("formats")
	return strings.FieldsFunc(v, func(r rune) bool { return r == ',' || r == ';' || r == ' ' || r == '\t' || r == '\n' || r == '\r' })
}

// SrcPath returns Src with percent escapes decoded and backslashes turned into slashes. What looks like an escape
// but is none stays as written. The result is foreign input: it may leave the directory.
func (t *ServerTrack) SrcPath() string { return cleanSrc(t.Src) }

func cleanSrc(s string) string {
	s = strings.TrimSpace(s)
	if !strings.ContainsAny(s, `%\`) {
		return s
	}
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c == '%' && i+2 < len(s) {
			if v, err := strconv.ParseUint(s[i+1:i+3], 16, 8); err == nil {
				c, i = byte(v), i+2
			}
		}
		if c == '\\' {
			c = '/'
		}
		b = append(b, c)
	}
	return string(b)
}

// Param returns the value of the first param element called name, compared without regard to case.
func (t *ServerTrack) Param(name string) (string, bool) {
	for _, p := range t.Params {
		if equalFoldASCII(p.Name, name) {
			return p.Value, true
		}
	}
	return "", false
}

// TrackID returns the track_ID in the file. It reports false if there is none or it is not a number.
func (t *ServerTrack) TrackID() (uint32, bool) {
	v, ok := t.Param("trackID")
	if !ok {
		return 0, false
	}
	id, err := strconv.ParseUint(strings.TrimSpace(v), 10, 32)
	return uint32(id), err == nil
}

// Name returns trackName, the name of the stream; the default is the name of the element: video, audio or
// textstream.
func (t *ServerTrack) Name() string {
	if v, _ := t.Param("trackName"); v != "" {
		return v
	}
	return t.Element()
}

// Element returns the name of the element that the track is written as.
func (t *ServerTrack) Element() string {
	if t.Type == Text {
		return "textstream"
	}
	return string(t.Type)
}

// Timescale returns the timescale param in ticks per second. Zero means that there is none; then the media header
// of the track counts, and [DefaultTimescale] where that is unknown.
func (t *ServerTrack) Timescale() uint64 {
	v, _ := t.Param("timescale")
	n, err := strconv.ParseUint(strings.TrimSpace(v), 10, 64)
	if err != nil {
		return 0
	}
	return n
}

// Parent returns parentTrackName, the stream that this sparse track is attached to, or "".
func (t *ServerTrack) Parent() string {
	v, _ := t.Param("parentTrackName")
	return v
}

// ManifestOutput reports a control track. It accepts 1 and true in any case.
func (t *ServerTrack) ManifestOutput() bool {
	v, _ := t.Param("manifestOutput")
	b, _ := parseBool(v)
	return b
}

// Attrs returns the custom attributes, which tell tracks of equal name and bit rate apart, in ascending order of
// names: params called {namespace}_{attribute}, and hardwareProfile.
func (t *ServerTrack) Attrs() []Attribute {
	var list []Attribute
	for _, p := range t.Params {
		if i := strings.IndexByte(p.Name, '_'); i > 0 && i < len(p.Name)-1 || equalFoldASCII(p.Name, "hardwareProfile") {
			list = append(list, Attribute{Name: p.Name, Value: p.Value})
		}
	}
	slices.SortFunc(list, compareAttributes)
	return list
}

// AttrsKey returns the canonical form of Attrs, as in [FragmentKey].
func (t *ServerTrack) AttrsKey() string { return attrsKey(t.Attrs()) }

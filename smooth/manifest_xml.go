package smooth

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// ManifestOptions tunes how a manifest is written. A nil pointer and the zero value mean the documented defaults.
type ManifestOptions struct {
	// V20 writes version 2.0 for clients that do not know the r attribute, as manifest(format=fmp4-v20) does.
	// Otherwise runs of equal fragments are written once with r, which makes the version 2.2.
	V20 bool
	// URLSuffix is appended to the template of fragment URLs of every stream, such as "?token=x".
	URLSuffix string
}

// AppendXML appends m in the form of IIS and returns the extended buffer. Equal manifests give equal bytes.
//
// A manifest with clips is written in the vocabulary of composite manifests, which is version 1.0. Otherwise the
// version is 2.2 if fragment runs could be shortened, or 2.0 or 2.1 as read. A live manifest is as its MinorVersion says,
// so that it stays the same while the event goes on: version 2.2 with r, or an older one without. The placeholders in
// templates are written as {bitrate} and {start time}, the spelling that all clients know. Chunks and QualityLevels count
// what is written.
//
// The error wraps [ErrCorrupt] if a timeline is not ascending or Embedded does not match it, and [ErrUnsupported]
// if a string cannot be written in XML; the buffer is nil then. See [MS-SSTR] 2.2.2.
func (m *Manifest) AppendXML(dst []byte, opts *ManifestOptions) ([]byte, error) {
	w := newManifestWriter(dst, m, opts)
	w.root()
	if w.err != nil {
		return nil, w.err
	}
	return w.b, nil
}

func newManifestWriter(dst []byte, m *Manifest, opts *ManifestOptions) manifestWriter {
	w := manifestWriter{xmlWriter: xmlWriter{b: dst, file: "manifest"}, m: m}
	if opts != nil {
		w.opts = *opts
	}
	w.composite = len(m.Clips) > 0
	w.repeats = !w.opts.V20 && !w.composite && m.mayRepeat()
	return w
}

// mayRepeat reports whether r is written, if the client knows it.
func (m *Manifest) mayRepeat() bool {
	if m.IsLive {
		return m.MinorVersion >= 2 && !m.NoRepeats
	}
	return !m.NoRepeats && m.hasRuns()
}

// hasRuns reports whether any stream has two fragments in sequence that one c element can describe.
func (m *Manifest) hasRuns() bool {
	for _, s := range m.Streams {
		for i := range s.Timeline {
			if s.runLength(i, min(i+2, len(s.Timeline))) > 1 {
				return true
			}
		}
	}
	return false
}

// runLength counts the chunks from position i on, and before position to, that one c element with r can describe.
func (s *Stream) runLength(i, to int) int {
	first := s.Timeline[i]
	if first.Duration == 0 || s.hasData(i) {
		return 1
	}
	n := 1
	for end := first.End(); i+n < to; n++ {
		if next := s.Timeline[i+n]; next.Time != end || next.Duration != first.Duration || s.hasData(i+n) {
			break
		}
		end += first.Duration
	}
	return n
}

func (s *Stream) hasData(i int) bool { return i < len(s.Embedded) && len(s.Embedded[i]) > 0 }

type manifestWriter struct {
	xmlWriter
	m         *Manifest
	opts      ManifestOptions
	repeats   bool // write r
	composite bool // write version 1

	live *liveWriter // takes the blocks of a live manifest; nil writes them with the rest
}

// version returns what the content requires, or the minor version that was read.
func (w *manifestWriter) version() (major, minor uint32) {
	switch {
	case w.composite:
		return 1, 0
	case w.repeats:
		return 2, 2
	case w.opts.V20 || w.m.MajorVersion != 2 || w.m.MinorVersion > 1:
		return 2, 0
	}
	return 2, w.m.MinorVersion
}

func (w *manifestWriter) root() {
	m := w.m
	major, minor := w.version()
	w.raw(xmlDeclaration + "<SmoothStreamingMedia")
	w.uint("MajorVersion", uint64(major))
	w.uint("MinorVersion", uint64(minor))
	w.uint("Duration", m.Duration)
	w.uintIf("TimeScale", m.Timescale)
	w.trueIf("IsLive", m.IsLive)
	if m.IsLive {
		w.uint("LookAheadFragmentCount", uint64(m.LookaheadCount))
		w.uint("DVRWindowLength", m.DVRWindowLength)
	} else {
		w.uintIf("LookAheadFragmentCount", uint64(m.LookaheadCount))
		w.uintIf("DVRWindowLength", m.DVRWindowLength)
	}
	w.trueIf("CanSeek", m.CanSeek)
	w.trueIf("CanPause", m.CanPause)
	w.extra(m.Extra, rootAttributes)
	w.raw(">\n")
	w.protection()
	w.customAttributes(m.CustomAttributes)
	if w.composite && len(m.Streams) > 0 {
		w.fail(ErrCorrupt, "%d streams beside %d clips", len(m.Streams), len(m.Clips))
	}
	w.streams(m.Streams)
	for _, c := range m.Clips {
		w.clip(c)
	}
	w.raw("</SmoothStreamingMedia>\n")
}

func (w *manifestWriter) protection() {
	if len(w.m.Protection) == 0 {
		return
	}
	w.raw("<Protection>\n")
	for _, h := range w.m.Protection {
		w.raw("<ProtectionHeader")
		w.attr("SystemID", strings.ToUpper(h.SystemID))
		w.raw(">")
		w.base64(h.Data)
		w.raw("</ProtectionHeader>\n")
	}
	w.raw("</Protection>\n")
}

func (w *manifestWriter) clip(c *Clip) {
	w.raw("<Clip")
	w.attr("Url", c.URL)
	w.uint("ClipBegin", c.Begin)
	w.uint("ClipEnd", c.End)
	w.extra(c.Extra, clipAttributes)
	w.raw(">\n")
	w.streams(c.Streams)
	w.raw("</Clip>\n")
}

func (w *manifestWriter) streams(list []*Stream) {
	for i, s := range list {
		for _, other := range list[:i] {
			if other.name() == s.name() {
				w.fail(ErrCorrupt, "two streams are called %q", abbreviate(s.name()))
			}
		}
		w.stream(s)
	}
}

func (w *manifestWriter) stream(s *Stream) {
	if err := s.check(); err != nil {
		w.fail(ErrCorrupt, "stream %q: %v", abbreviate(s.name()), err)
		return
	}
	w.raw("<StreamIndex")
	w.attr("Type", string(s.Type))
	if !w.composite || s.name() != string(s.Type) {
		w.attr("Name", s.name())
	}
	w.attrIf("Language", s.Language)
	if s.Type == Text { // some clients refuse a text stream without the attribute
		w.attr("Subtype", s.Subtype)
	} else {
		w.attrIf("Subtype", s.Subtype)
	}
	if s.URL != "" || len(s.Levels) > 0 || len(s.Timeline) > 0 { // else it is an embedded text stream
		w.uint("Chunks", uint64(len(s.Timeline)))
		w.uint("QualityLevels", uint64(len(s.Levels)))
	}
	w.uintIf("TimeScale", s.Timescale)
	w.uintIf("MaxWidth", uint64(s.MaxWidth))
	w.uintIf("MaxHeight", uint64(s.MaxHeight))
	w.uintIf("DisplayWidth", uint64(s.DisplayWidth))
	w.uintIf("DisplayHeight", uint64(s.DisplayHeight))
	w.attrIf("ParentStreamIndex", s.Parent)
	w.trueIf("ManifestOutput", s.ManifestOutput)
	w.attrIf("FourCC", s.FourCC)
	w.attrIf("Url", w.template(s.URL))
	w.extra(s.Extra, streamAttributes)
	w.raw(">\n")
	for _, l := range s.Levels {
		w.level(s, l)
	}
	w.chunks(s)
	if len(s.Content) > 0 {
		w.raw("<Content>")
		w.b = append(w.b, s.Content...)
		w.raw("</Content>\n")
	}
	w.raw("</StreamIndex>\n")
}

// name returns the name after defaulting.
func (s *Stream) name() string {
	if s.Name == "" {
		return string(s.Type)
	}
	return s.Name
}

// check verifies what writing and reading back relies on.
func (s *Stream) check() error {
	if !s.Type.known() {
		return fmt.Errorf("type %q is none of video, audio and text", abbreviate(string(s.Type)))
	}
	if s.Embedded != nil && len(s.Embedded) != len(s.Timeline) {
		return fmt.Errorf("%d fragments, embedded data for %d", len(s.Timeline), len(s.Embedded))
	}
	return nil
}

// check verifies that the chunks ascend and end within 64 bits.
func (tl Timeline) check() error {
	for i, c := range tl {
		if i > 0 && c.Time <= tl[i-1].Time {
			return fmt.Errorf("time %d is not after the previous time %d", c.Time, tl[i-1].Time)
		}
		if c.Duration > math.MaxUint64-c.Time {
			return fmt.Errorf("time %d + duration %d exceeds 64 bits", c.Time, c.Duration)
		}
	}
	return nil
}

// template writes the placeholders as every client knows them and adds the suffix.
func (w *manifestWriter) template(url string) string {
	if url == "" {
		return ""
	}
	if strings.Contains(url, "{start_time}") {
		url = strings.ReplaceAll(url, "{start_time}", "{start time}")
	}
	if strings.Contains(url, "{Bitrate}") {
		url = strings.ReplaceAll(url, "{Bitrate}", "{bitrate}")
	}
	suffix := w.opts.URLSuffix
	if strings.HasPrefix(suffix, "?") && strings.Contains(url, "?") {
		return url + "&" + suffix[1:]
	}
	return url + suffix
}

func (w *manifestWriter) level(s *Stream, l *QualityLevel) {
	w.raw("<QualityLevel")
	w.uint("Index", uint64(l.Index))
	w.uint("Bitrate", l.Bitrate)
	switch {
	case w.composite && s.Type == Audio:
		w.audioV1(l)
	case s.Type == Audio:
		w.hex("CodecPrivateData", l.CodecPrivateData)
		w.audio(l)
	default:
		w.hex("CodecPrivateData", l.CodecPrivateData)
		w.strayAudio(l)
	}
	fourCC := l.FourCC
	if fourCC == "" {
		fourCC = s.FourCC
	}
	w.attrIf("FourCC", fourCC)
	w.size(s, l)
	w.uintIf("NALUnitLengthField", uint64(l.NALUnitLengthField))
	w.extra(l.Extra, levelAttributes)
	if len(l.CustomAttributes) == 0 {
		w.raw("/>\n")
		return
	}
	w.raw(">\n")
	w.customAttributes(l.CustomAttributes)
	w.raw("</QualityLevel>\n")
}

func (w *manifestWriter) audio(l *QualityLevel) {
	w.uint("SamplingRate", uint64(l.SamplingRate))
	w.uint("Channels", uint64(l.Channels))
	w.uint("BitsPerSample", uint64(l.BitsPerSample))
	w.uint("PacketSize", uint64(l.PacketSize))
	w.uint("AudioTag", uint64(l.AudioTag))
}

// strayAudio writes the audio attributes of a level of another type, if it has any.
func (w *manifestWriter) strayAudio(l *QualityLevel) {
	w.uintIf("SamplingRate", uint64(l.SamplingRate))
	w.uintIf("Channels", uint64(l.Channels))
	w.uintIf("BitsPerSample", uint64(l.BitsPerSample))
	w.uintIf("PacketSize", uint64(l.PacketSize))
	w.uintIf("AudioTag", uint64(l.AudioTag))
}

// audioV1 writes a WaveFormatEx attribute, or the attributes of version 2 if a value does not fit into one.
func (w *manifestWriter) audioV1(l *QualityLevel) {
	wave, ok := l.appendWaveFormat(nil)
	if !ok {
		w.hex("CodecPrivateData", l.CodecPrivateData)
		w.audio(l)
		return
	}
	w.hex("WaveFormatEx", wave)
}

func (w *manifestWriter) size(s *Stream, l *QualityLevel) {
	width, height := "MaxWidth", "MaxHeight"
	if w.composite {
		width, height = "Width", "Height"
	}
	if s.Type == Video {
		w.uint(width, uint64(l.MaxWidth))
		w.uint(height, uint64(l.MaxHeight))
		return
	}
	w.uintIf(width, uint64(l.MaxWidth))
	w.uintIf(height, uint64(l.MaxHeight))
}

// chunks writes the c elements of a stream.
func (w *manifestWriter) chunks(s *Stream) {
	if w.m.IsLive && !w.composite {
		w.liveChunks(s)
		return
	}
	if w.checked(s, s.Timeline) {
		w.elements(s, 0, len(s.Timeline))
	}
}

// checked reports whether chunks of a stream can be written.
func (w *manifestWriter) checked(s *Stream, chunks Timeline) bool {
	err := chunks.check()
	if err != nil {
		w.fail(ErrCorrupt, "stream %q: %v", abbreviate(s.name()), err)
	}
	return err == nil
}

// elements writes the c elements of the chunks [from, to): in composite manifests t on each and d on the last; else n (on
// demand without repeats), t where it does not follow from the previous one, and d. In a live manifest the first has a
// t in any case.
func (w *manifestWriter) elements(s *Stream, from, to int) {
	var end uint64
	for i := from; i < to; {
		c, n := s.Timeline[i], 1
		first := i == from && w.m.IsLive // players of live streams want the first t even if it is 0
		last := i+1 == len(s.Timeline)
		w.raw("<c")
		if !w.composite && !w.repeats && !w.m.IsLive {
			w.chunkAttr(` n="`, uint64(i))
		}
		if w.composite || c.Time != end || first {
			w.chunkAttr(` t="`, c.Time)
		}
		if !w.composite || last || s.Timeline[i+1].Time != c.End() {
			w.chunkAttr(` d="`, c.Duration)
		}
		if w.repeats {
			if n = s.runLength(i, to); n > 1 {
				w.chunkAttr(` r="`, uint64(n))
			}
		}
		if s.hasData(i) {
			w.data(s.Embedded[i])
		} else {
			w.raw("/>\n")
		}
		i += n
		end = s.Timeline[i-1].End()
	}
}

func (w *manifestWriter) chunkAttr(name string, v uint64) {
	w.raw(name)
	w.b = append(strconv.AppendUint(w.b, v, 10), '"')
}

func (w *manifestWriter) data(list []ChunkData) {
	w.raw(">")
	for _, f := range list {
		w.raw("<f")
		w.uint("i", uint64(f.Level))
		w.raw(">")
		w.base64(f.Data)
		w.raw("</f>")
	}
	w.raw("</c>\n")
}

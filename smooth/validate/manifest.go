package validate

import (
	"errors"
	"math"
	"strconv"
	"strings"

	"github.com/smoothkit/smoothkit/smooth"
)

// Manifest checks a client manifest (.ismc, the answer to a Manifest request) or a composite manifest (.csm).
func Manifest(data []byte, opts *Options) *Report {
	rec := newRecorder(opts.withDefaults().MaxPerRule)
	checkManifest(rec, "", data)
	return rec.Report()
}

// presentation is what was understood of a manifest, for the checks of its fragments.
type presentation struct {
	live      bool
	lookahead uint64
	timescale uint64
	streams   []*stream
}

// sparse reports a sparse stream of that name.
func (p *presentation) sparse(name string) bool {
	for _, s := range p.streams {
		if s.name == name && s.sparse {
			return true
		}
	}
	return false
}

// stream is a StreamIndex that was understood.
type stream struct {
	el        *element
	name      string
	typ       smooth.StreamType
	url       string
	timescale uint64
	sparse    bool
	control   bool
	clip      bool // inside a Clip, where less is required
	levels    []*level
	runs      []run
	broken    bool // runs are empty because a c is wrong
}

// count returns the number of fragments.
func (s *stream) count() uint64 {
	var n uint64
	for _, r := range s.runs {
		n += r.n
	}
	return n
}

// mainline reports an audio or video stream with a timeline of its own.
func (s *stream) mainline() bool {
	return !s.sparse && !s.control && (s.typ == smooth.Video || s.typ == smooth.Audio) && len(s.runs) > 0
}

// start and end return the limits of the timeline in ticks.
func (s *stream) start() uint64 { return s.runs[0].time }

func (s *stream) end() uint64 { return s.runs[len(s.runs)-1].end() }

// run is a c element: n fragments of the same duration.
type run struct{ time, duration, n uint64 }

func (r run) end() uint64 { return r.time + r.duration*r.n }

// level is a QualityLevel that was understood.
type level struct {
	bitrate string
	fourCC  string
	private []byte
	attrs   [][2]string
}

// key is how messages call the level.
func (l *level) key() string {
	s := l.bitrate
	for _, a := range l.attrs {
		s += "," + a[0] + "=" + a[1]
	}
	return s
}

// manifestChecker walks one manifest. Its methods follow the elements.
type manifestChecker struct {
	rec      *Recorder
	doc      string
	repeats  bool // version 2.2
	version1 bool
	p        *presentation
}

func (c *manifestChecker) at(e *element, s *stream) Place {
	p := Place{Document: c.doc, Line: e.line}
	if s != nil {
		p.Stream = s.name
	}
	return p
}

// checkManifest records the violations of a manifest and returns what it understood, or nil.
func checkManifest(rec *Recorder, doc string, data []byte) *presentation {
	c := &manifestChecker{rec: rec, doc: doc, p: &presentation{timescale: smooth.DefaultTimescale}}
	rec.Tally(func(n *Counts) { n.Documents++; n.Bytes += int64(len(data)) })
	x, line, err := parseXML(data)
	if err != nil {
		id := "SM101"
		if errors.Is(err, errTooLarge) {
			id = "SM100"
		}
		rec.Add(id, Place{Document: doc, Line: line}, "%v", err)
		return nil
	}
	c.document(x)
	root := x.root
	if root.name != "SmoothStreamingMedia" {
		rec.Add("SM102", c.at(root, nil), "the root element is %s", root.name)
		return nil
	}
	c.names(root)
	if len(root.all("Clip")) > 0 {
		c.composite(root)
		return c.p
	}
	c.root(root)
	return c.p
}

// document checks what lies below the level of elements.
func (c *manifestChecker) document(x *xmlDocument) {
	p := Place{Document: c.doc, Line: 1}
	if x.dtdLine > 0 {
		c.rec.Add("SM103", Place{Document: c.doc, Line: x.dtdLine}, "there is a declaration <!...>")
	}
	if x.label != "" && x.label != x.actual && !(x.label == "us-ascii" && x.actual == "utf-8") {
		c.rec.Add("SM104", p, "the XML declaration says %s, the bytes are %s", x.label, x.actual)
	}
	if x.duplicate != "" {
		c.rec.Add("SM105", Place{Document: c.doc, Line: x.dupLine}, "%s", x.duplicate)
	}
}

// knownAttrs are the attributes of the protocol, by element.
func knownAttrs(elem string) string {
	switch elem {
	case "SmoothStreamingMedia":
		return "MajorVersion MinorVersion TimeScale Duration IsLive LookaheadCount LookAheadFragmentCount " +
			"DVRWindowLength CanSeek CanPause"
	case "StreamIndex":
		return "Type Subtype Name TimeScale Language Chunks QualityLevels Url MaxWidth MaxHeight DisplayWidth " +
			"DisplayHeight ParentStreamIndex ManifestOutput FourCC"
	case "QualityLevel":
		return "Index Bitrate FourCC CodecPrivateData MaxWidth MaxHeight SamplingRate Channels BitsPerSample " +
			"PacketSize AudioTag NALUnitLengthField NominalBitrate BufferTime HardwareProfile"
	case "c":
		return "n t d r"
	case "ProtectionHeader":
		return "SystemID"
	case "Clip":
		return "Url ClipBegin ClipEnd"
	}
	return ""
}

// names checks namespaces and the spelling of attributes in the whole tree.
func (c *manifestChecker) names(e *element) {
	known := strings.Fields(knownAttrs(e.name))
	if e.space != "" && (len(known) > 0 || e.name == "Protection" || e.name == "f") {
		c.rec.Add("SM106", c.at(e, nil), "%s is in the namespace %q", e.name, e.space)
	}
	for _, a := range e.attrs {
		for _, k := range known {
			if a.space == "" && a.name != k && strings.EqualFold(a.name, k) && !exactlyKnown(known, a.name) {
				c.rec.Add("SM107", c.at(e, nil), "%s has an attribute %s, the name is %s", e.name, a.name, k)
			}
		}
	}
	for _, child := range e.children {
		c.names(child)
	}
}

func exactlyKnown(known []string, name string) bool {
	for _, k := range known {
		if k == name {
			return true
		}
	}
	return false
}

// number reads an optional decimal attribute. A value that is not one is reported under id.
func (c *manifestChecker) number(e *element, s *stream, name, id string) (v uint64, present, ok bool) {
	text, present := e.attr(name)
	if !present {
		return 0, false, false
	}
	v, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		c.rec.Add(id, c.at(e, s), "%s is %q, not a decimal number of 64 bits", name, text)
		return 0, true, false
	}
	return v, true, true
}

// boolean reads an optional TRUE or FALSE.
func (c *manifestChecker) boolean(e *element, s *stream, name, id string) bool {
	text, present := e.attr(name)
	if present && !strings.EqualFold(text, "true") && !strings.EqualFold(text, "false") {
		c.rec.Add(id, c.at(e, s), "%s is %q", name, text)
	}
	return strings.EqualFold(text, "true")
}

// root checks SmoothStreamingMedia and everything below it.
func (c *manifestChecker) root(e *element) {
	c.version(e)
	c.timescale(e)
	c.p.live = c.boolean(e, nil, "IsLive", "SM121")
	c.boolean(e, nil, "CanSeek", "SM121")
	c.boolean(e, nil, "CanPause", "SM121")
	c.liveAttributes(e)
	if n := len(e.all("Protection")); n > 1 {
		c.rec.Add("SM132", c.at(e, nil), "there are %d Protection elements", n)
	}
	for _, p := range e.all("Protection") {
		c.protection(p)
	}
	streams := e.all("StreamIndex")
	if len(streams) == 0 {
		c.rec.Add("SM131", c.at(e, nil), "there is no StreamIndex")
	}
	for _, s := range streams {
		c.p.streams = append(c.p.streams, c.stream(s, false))
	}
	c.streamNames()
	c.parents()
	c.duration(e)
	c.limits(e)
}

func (c *manifestChecker) version(e *element) {
	major, _ := e.attr("MajorVersion")
	if major != "2" {
		c.rec.Add("SM111", c.at(e, nil), "MajorVersion is %q, 2 is the version of the specification", major)
	}
	c.version1 = major == "1"
	switch minor, _ := e.attr("MinorVersion"); minor {
	case "0":
	case "1":
		c.rec.Add("SM113", c.at(e, nil), "MinorVersion is 1, write 0 or, with repeats, 2")
	case "2":
		c.repeats = true
	default:
		c.rec.Add("SM112", c.at(e, nil), "MinorVersion is %q, not 0 or 2", minor)
	}
}

func (c *manifestChecker) timescale(e *element) {
	v, present, ok := c.number(e, nil, "TimeScale", "SM114")
	if ok && v == 0 {
		c.rec.Add("SM114", c.at(e, nil), "TimeScale is 0")
	}
	if present && ok && v > 0 {
		c.p.timescale = v
	}
}

func (c *manifestChecker) liveAttributes(e *element) {
	n1, p1, _ := c.number(e, nil, "LookAheadFragmentCount", "SM123")
	n2, p2, _ := c.number(e, nil, "LookaheadCount", "SM123")
	_, dvr, _ := c.number(e, nil, "DVRWindowLength", "SM123")
	c.p.lookahead = max(n1, n2)
	switch {
	case !c.p.live && (p1 || p2 || dvr):
		c.rec.Add("SM125", c.at(e, nil), "IsLive is not TRUE, but LookAheadFragmentCount, LookaheadCount or DVRWindowLength is there")
	case c.p.live && !p1 && !p2:
		c.rec.Add("SM122", c.at(e, nil), "IsLive is TRUE, and there is no LookAheadFragmentCount")
	case c.p.live && !p1:
		c.rec.Add("SM124", c.at(e, nil), "there is LookaheadCount=%d only", n2)
	}
}

// durationTolerance is the difference between Duration and the end of the streams that SM116 allows, in ms: players
// show Duration, and encoders round it to a video frame.
const durationTolerance = 100

func (c *manifestChecker) duration(e *element) {
	v, present, ok := c.number(e, nil, "Duration", "SM115")
	switch {
	case !present:
		c.rec.Add("SM115", c.at(e, nil), "there is no Duration")
		return
	case !ok:
		return
	case c.p.live && v > 0:
		c.rec.Add("SM126", c.at(e, nil), "IsLive is TRUE and Duration is %d", v)
		return
	case c.p.live:
		return
	case v == 0:
		c.rec.Add("SM117", c.at(e, nil), "Duration is 0 and IsLive is not TRUE")
		return
	}
	var end uint64 // in ms
	start, found := uint64(math.MaxUint64), false
	for _, s := range c.p.streams {
		if s.mainline() {
			start = min(start, millis(s.runs[0].time, s.timescale))
			end, found = max(end, millis(s.end(), s.timescale)), true
		}
	}
	// Recordings of live events, whose times may count from 1970, state the one or the other.
	if ms := millis(v, c.p.timescale); found && distance(ms, end) > durationTolerance && distance(ms, end-start) > durationTolerance {
		c.rec.Add("SM116", c.at(e, nil), "Duration is %d (%d ms), the fragments go from %d to %d ms", v, ms, start, end)
	}
}

// limits compares where the audio and video streams start and end.
func (c *manifestChecker) limits(e *element) {
	var first, last *stream
	for _, s := range c.p.streams {
		if !s.mainline() {
			continue
		}
		if first == nil || millis(s.start(), s.timescale) < millis(first.start(), first.timescale) {
			first = s
		}
		if last == nil || millis(s.end(), s.timescale) > millis(last.end(), last.timescale) {
			last = s
		}
	}
	for _, s := range c.p.streams {
		if !s.mainline() {
			continue
		}
		if a, b := millis(first.start(), first.timescale), millis(s.start(), s.timescale); b-a > 1000 {
			c.rec.Add("SM421", c.at(s.el, s), "starts at %d ms, stream %s at %d ms", b, first.name, a)
		}
		a, b := millis(last.end(), last.timescale), millis(s.end(), s.timescale)
		if longest := max(s.longest(), last.longest()); a-b > longest {
			c.rec.Add("SM422", c.at(s.el, s), "ends at %d ms, stream %s at %d ms, more than a fragment (%d ms) later",
				b, last.name, a, longest)
		}
	}
}

// longest returns the greatest duration of a fragment in ms.
func (s *stream) longest() uint64 {
	var d uint64
	for _, r := range s.runs {
		d = max(d, r.duration)
	}
	return millis(d, s.timescale)
}

func millis(ticks, timescale uint64) uint64 { return smooth.Rescale(ticks, timescale, 1000) }

func distance(a, b uint64) uint64 {
	if a > b {
		return a - b
	}
	return b - a
}

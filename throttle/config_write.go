package throttle

import (
	"bytes"
	"cmp"
	"encoding/hex"
	"encoding/xml"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/smoothkit/smoothkit/internal/iisconfig"
	"github.com/smoothkit/smoothkit/internal/xmltree"
	"github.com/smoothkit/smoothkit/throttle/bitrate"
)

// AppendXML appends the section bitrateThrottling, which [ParseRules] reads as equal rules. Its collections are
// cleared first, so that it does not matter what the section inherits in them; Settings that are nil are not
// written. Numbers have fractions only where they must, so that IIS understands the section unless there is a value
// that it does not have; see [ParseConfig].
//
// What has no effect is not written: fields of a setting that are for the other kind, empty lists of groups and
// formats, the Timescale of a duration rule that has a ConstScale. The error is that of [Rules.Validate], or says what
// XML cannot hold.
func (r *Rules) AppendXML(dst []byte) ([]byte, error) {
	w := &configWriter{}
	w.section(r, nil)
	return w.appendTo(dst)
}

// AppendXML appends a configuration, which [ParseConfig] reads as equal. Each location is written complete with what it
// inherits. Errors are those of [Rules.AppendXML], and that a location has no rules or path, or is there twice.
func (c *Config) AppendXML(dst []byte) ([]byte, error) {
	top := cmp.Or(c.Rules, &Rules{})
	rules := make(map[string]*Rules)
	for _, l := range c.Locations {
		key := iisconfig.PathKey(l.Path)
		if l.Rules == nil || key == "" || rules[key] != nil {
			return dst, fmt.Errorf("throttle: config: location %q: without rules, without a path, or there twice", xmltree.Shorten(l.Path))
		}
		rules[key] = l.Rules
	}
	w := &configWriter{}
	w.buf.WriteString(`<?xml version="1.0" encoding="UTF-8"?>` + "\n")
	w.open("configuration")
	w.wrapped(top, nil)
	for _, l := range c.Locations {
		w.open("location")
		w.text("path", l.Path)
		w.wrapped(l.Rules, cmp.Or(iisconfig.Above(rules, iisconfig.PathKey(l.Path)), top))
		w.close("location")
	}
	w.close("configuration")
	return w.appendTo(dst)
}

// configWriter writes XML with one element on a line.
type configWriter struct {
	buf   bytes.Buffer
	depth int
	tag   bool // the last start tag is not closed
	errs  []error
}

func (w *configWriter) fail(err error) { w.errs = append(w.errs, err) }

func (w *configWriter) appendTo(dst []byte) ([]byte, error) {
	if len(w.errs) > 0 {
		return dst, fmt.Errorf("throttle: config: %w", errors.Join(w.errs...))
	}
	return append(dst, w.buf.Bytes()...), nil
}

func (w *configWriter) line() {
	for range w.depth {
		w.buf.WriteByte('\t')
	}
}

// open begins an element; attributes may follow.
func (w *configWriter) open(name string) {
	w.endTag()
	w.line()
	w.buf.WriteString("<" + name)
	w.tag = true
	w.depth++
}

func (w *configWriter) endTag() {
	if w.tag {
		w.buf.WriteString(">\n")
		w.tag = false
	}
}

// close ends an element.
func (w *configWriter) close(name string) {
	w.depth--
	if w.tag {
		w.buf.WriteString(" />\n")
		w.tag = false
		return
	}
	w.line()
	w.buf.WriteString("</" + name + ">\n")
}

// text writes an attribute.
func (w *configWriter) text(name, value string) {
	if !isXML(value) {
		w.fail(fmt.Errorf("%s %q has characters that XML does not have", name, xmltree.Shorten(value)))
		return
	}
	w.buf.WriteString(" " + name + `="`)
	_ = xml.EscapeText(&w.buf, []byte(value)) // a Buffer does not fail
	w.buf.WriteByte('"')
}

// isXML tells whether a text has only characters of XML 1.0, section 2.2.
func isXML(s string) bool {
	if !utf8.ValidString(s) {
		return false
	}
	return strings.IndexFunc(s, func(c rune) bool {
		return c < ' ' && c != '\t' && c != '\n' && c != '\r' || c == 0xFFFE || c == 0xFFFF
	}) < 0
}

func (w *configWriter) number(name string, v int64) { w.text(name, strconv.FormatInt(v, 10)) }

// rate writes a rate in kbit/s.
func (w *configWriter) rate(name string, v Rate) { w.text(name, formatUnits(v, KbitPerSecond)) }

// wrapped writes a section in the elements around it.
func (w *configWriter) wrapped(r, above *Rules) {
	w.open("system.webServer")
	w.open("media")
	w.section(r, above)
	w.close("media")
	w.close("system.webServer")
}

// section writes a section that inherits from above, or from the defaults if that is nil.
func (w *configWriter) section(r, above *Rules) {
	if err := r.Validate(); err != nil {
		w.fail(err)
		return
	}
	w.open("bitrateThrottling")
	w.scalars(r, above != nil)
	settings := r.Settings
	if settings == nil && above != nil && above.Settings != nil {
		settings = DefaultSettings() // they are not inherited
	}
	if settings != nil {
		writeCollection(w, "throttleSettings", settings, func(s Setting) string { return s.Match }, w.setting)
	}
	if len(r.Groups) > 0 || above != nil {
		writeCollection(w, "connectionLimitGroups", r.Groups, func(g Group) string { return g.Name }, w.group)
	}
	if len(r.Formats) > 0 || above != nil {
		writeCollection(w, "mediaFormats", r.Formats, func(f bitrate.Format) string { return f.Extension }, w.format)
	}
	w.close("bitrateThrottling")
}

// scalars writes the attributes of the section, all of them or those that are not zero.
func (w *configWriter) scalars(r *Rules, all bool) {
	w.text("enabled", strconv.FormatBool(!r.Disabled))
	if all || r.MinSendSize != 0 {
		w.number("minSendSize", int64(r.MinSendSize))
	}
	for _, v := range []struct {
		name string
		rate Rate
	}{
		{"defaultThrottleRateKbps", r.DefaultRate}, {"maximumThrottleRateKbps", r.MaxRate},
		{"siteTargetThroughputKbps", r.TargetRate}, {"ceilingKbps", r.Ceiling},
	} {
		if all || v.rate != 0 {
			w.rate(v.name, v.rate)
		}
	}
	if all || r.UsePeak {
		w.text("usePeakBitRate", strconv.FormatBool(r.UsePeak))
	}
}

// writeCollection writes a collection that inherits nothing. Keys must be there once without regard to case, as they
// are read.
func writeCollection[T any](w *configWriter, name string, list []T, key func(T) string, write func(T)) {
	seen := make(map[string]bool, len(list))
	w.open(name)
	w.open("clear")
	w.close("clear")
	for _, v := range list {
		if k := strings.ToLower(key(v)); seen[k] {
			w.fail(fmt.Errorf("%s: %q is there twice", name, xmltree.Shorten(key(v))))
		} else {
			seen[k] = true
		}
		w.open("add")
		write(v)
		w.close("add")
	}
	w.close(name)
}

func (w *configWriter) setting(s Setting) {
	w.text("fileExtension", s.Match)
	w.text("settingType", s.Kind.String())
	if s.Kind == Media {
		w.text("initialBufferTimeSeconds", formatUnits(s.InitialBufferTime, time.Second))
		if s.RatePercentage != 0 {
			w.number("throttleRatePercentage", int64(s.RatePercentage))
		}
	} else {
		w.text("initialSendSizeKBytes", formatUnits(s.InitialSendSize, kilobyte))
		w.rate("throttleRateKbps", s.Rate)
	}
	if s.Group != "" {
		w.text("connectionLimitGroup", s.Group)
	}
}

func (w *configWriter) group(g Group) {
	w.text("name", g.Name)
	w.number("connectionLimit", int64(g.ConnectionLimit))
	if g.Rate != 0 {
		w.rate("rateKbps", g.Rate)
	}
}

func (w *configWriter) format(f bitrate.Format) {
	for _, part := range formatParts(f) {
		if err := part.Validate(); err != nil {
			w.fail(err)
			return
		}
	}
	w.text("fileExtension", f.Extension)
	if len(f.Rates) > 0 {
		w.open("bitrateRules")
		w.text("enabled", "true")
		for _, r := range f.Rates {
			w.open("add")
			w.search(r.Search)
			if r.Unit != 0 {
				w.number("unitBitPerSecond", int64(r.Unit))
			}
			w.close("add")
		}
		w.close("bitrateRules")
	}
	if f.Duration != nil {
		w.duration(f.Duration)
	}
}

func (w *configWriter) duration(r *bitrate.DurationRule) {
	w.open("durationRule")
	w.text("enabled", "true")
	w.open("duration")
	w.search(r.Duration)
	w.close("duration")
	w.open("timeScale")
	if r.ConstScale != 0 {
		w.number("constScale", int64(r.ConstScale))
	} else {
		w.search(r.Timescale)
	}
	w.close("timeScale")
	w.close("durationRule")
}

// search writes a valid search, what is not the default of it.
func (w *configWriter) search(q bitrate.Search) {
	kind, pattern := bitrate.StringValue, string(q.Pattern)
	if strings.IndexFunc(pattern, func(c rune) bool { return c < ' ' || c > '~' }) >= 0 {
		kind, pattern = bitrate.HexValue, strings.ToUpper(hex.EncodeToString(q.Pattern))
	}
	w.text("searchPattern", pattern)
	w.text("searchPatternType", kind)
	if q.RangeStart != 0 {
		w.number("searchRangeStart", q.RangeStart)
	}
	if q.RangeEnd != 0 {
		w.number("searchRangeEnd", q.RangeEnd)
	}
	if q.From != bitrate.Beginning {
		w.text("searchFrom", q.From.String())
	}
	if q.DataOffset != 0 {
		w.number("dataOffset", int64(q.DataOffset))
	}
	w.text("dataType", q.Type.String())
	w.text("endianness", q.Order.String())
}

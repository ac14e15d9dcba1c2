package throttle

import (
	"errors"
	"math"
	"strconv"
	"strings"

	"github.com/smoothkit/smoothkit/internal/iisconfig"
	"github.com/smoothkit/smoothkit/internal/xmltree"
	"github.com/smoothkit/smoothkit/throttle/bitrate"
)

// errZero is about a number that is zero in the document but would mean a default in a value of Go.
var errZero = errors.New("must not be zero")

func (b *configBuilder) formatReader() iisconfig.CollectionReader[bitrate.Format] {
	return iisconfig.CollectionReader[bitrate.Format]{
		Add: "add", Key: "fileExtension", Layer: b.number, Read: b.format, Deep: true, Known: isBuiltinFormat,
	}
}

// isBuiltinFormat tells whether IIS has a rule for an extension, for which we have a parser.
func isBuiltinFormat(extension string) bool {
	for _, f := range bitrate.BuiltinFormats() {
		if strings.EqualFold(f.Extension, extension) {
			return true
		}
	}
	return strings.EqualFold(extension, ".avi") || strings.EqualFold(extension, ".mp3")
}

// formatElements are where the parts of a format were read, to say where one is wrong.
type formatElements struct {
	add                 *xmltree.Element
	rates               []*xmltree.Element
	rule                *xmltree.Element // durationRule
	duration, timescale *xmltree.Element
}

// format reads an entry of mediaFormats.
func (b *configBuilder) format(el *xmltree.Element) (f bitrate.Format, ok bool) {
	from := formatElements{add: el}
	ok = b.log.Attributes(el, func(name string, a xmltree.Attr) (bool, error) {
		if name != "fileextension" {
			return false, nil
		}
		f.Extension = a.Value
		return true, nil
	})
	for _, child := range el.Children {
		switch {
		case child.Is("bitrateRules"):
			rates, good := b.rateRules(child, &from)
			f.Rates, ok = append(f.Rates, rates...), ok && good
		case child.Is("durationRule"):
			if from.rule != nil {
				b.log.FailElement(el, "two elements durationRule, at %v and %v", from.rule.At, child.At)
				ok = false
				continue
			}
			from.rule = child
			rule, good := b.durationRule(child, &from)
			f.Duration, ok = rule, ok && good
		default:
			b.log.Unknown(el, child)
		}
	}
	if _, there := el.GetFold("fileExtension"); ok && there { // else that is said already
		ok = b.validFormat(f, from)
	}
	if ok && len(f.Rates) == 0 && f.Duration == nil {
		b.log.Warn(el.At, "%s: no rule is enabled", b.log.Label(el))
	}
	return f, ok
}

// validFormat validates a format, also a duration that is not used as there are rates.
func (b *configBuilder) validFormat(f bitrate.Format, from formatElements) bool {
	for _, part := range formatParts(f) {
		var fault *bitrate.FormatError
		if err := part.Validate(); errors.As(err, &fault) {
			el := from.find(fault.Field)
			a, there := el.GetFold(fault.Attribute)
			if !there {
				a = xmltree.Attr{Name: fault.Attribute, At: el.At}
			}
			b.log.FailAttr(el, a, formatFault{fault})
			return false
		} else if err != nil {
			b.log.FailElement(from.add, "%w", err)
			return false
		}
	}
	return true
}

// formatParts returns the format as it is used, and the part of it that is not.
func formatParts(f bitrate.Format) []bitrate.Format {
	return []bitrate.Format{f, {Extension: f.Extension, Duration: f.Duration}}
}

// formatFault is a fault without the words that a ConfigError says already.
type formatFault struct{ *bitrate.FormatError }

func (e formatFault) Error() string { return e.Detail }

func (e formatFault) Unwrap() error { return e.FormatError }

// find returns the element that a field was read from, such as Rates[1].RangeEnd.
func (from *formatElements) find(field string) *xmltree.Element {
	switch {
	case strings.HasPrefix(field, "Duration.Duration") && from.duration != nil:
		return from.duration
	case strings.HasPrefix(field, "Duration.Timescale") && from.timescale != nil:
		return from.timescale
	case strings.HasPrefix(field, "Duration.") && from.duration != nil:
		return from.duration // there is no timeScale
	case strings.HasPrefix(field, "Rates["):
		number, _, _ := strings.Cut(strings.TrimPrefix(field, "Rates["), "]")
		if i, err := strconv.Atoi(number); err == nil && i >= 0 && i < len(from.rates) {
			return from.rates[i]
		}
	}
	return from.add
}

// isEnabled reads the attribute enabled of rules, which are not enabled by default.
func (b *configBuilder) isEnabled(el *xmltree.Element) (enabled, ok bool) {
	ok = b.log.Attributes(el, func(name string, a xmltree.Attr) (bool, error) {
		if name != "enabled" {
			return false, nil
		}
		return true, iisconfig.SetBool(&enabled, a.Value)
	})
	if _, there := el.GetFold("enabled"); !there && len(el.Children) > 0 {
		b.log.Warn(el.At, "%s: not enabled, as it does not say so", b.log.Label(el))
	}
	return enabled, ok
}

// rateRules reads bitrateRules. Those that are not enabled are checked too, and left out.
func (b *configBuilder) rateRules(el *xmltree.Element, from *formatElements) (list []bitrate.RateRule, ok bool) {
	enabled, ok := b.isEnabled(el)
	for _, child := range el.Children {
		if !child.Is("add") {
			b.log.Unknown(el, child)
			continue
		}
		var rule bitrate.RateRule
		good := b.search(child, &rule.Search, func(name, value string) (bool, error) {
			if name != "unitbitpersecond" {
				return false, nil
			}
			err := iisconfig.SetWhole(&rule.Unit, value, 0, math.MaxUint32)
			if err == nil && rule.Unit == 0 {
				err = errZero
			}
			return true, err
		})
		if enabled {
			list, from.rates = append(list, rule), append(from.rates, child)
		}
		ok = b.log.Require(child, "dataType") && ok && good
	}
	return list, ok
}

// durationRule reads durationRule. One that is not enabled is checked too, and nil.
func (b *configBuilder) durationRule(el *xmltree.Element, from *formatElements) (rule *bitrate.DurationRule, ok bool) {
	enabled, ok := b.isEnabled(el)
	rule = &bitrate.DurationRule{}
	for _, child := range el.Children {
		there := from.duration
		if child.Is("timeScale") {
			there = from.timescale
		}
		good := true
		switch {
		case !child.Is("duration") && !child.Is("timeScale"):
			b.log.Unknown(el, child)
			continue
		case there != nil:
			b.log.FailElement(child, "there is one at %v already", there.At)
			good = false
		case child.Is("duration"):
			from.duration = child
			good = b.search(child, &rule.Duration, nil)
		default:
			from.timescale = child
			good = b.timeScale(child, rule)
		}
		ok = ok && good
	}
	if !enabled {
		return nil, ok
	}
	if from.duration == nil {
		from.duration = el
	}
	if from.timescale == nil {
		from.timescale = el
	}
	return rule, ok
}

// timeScale reads timeScale, where a constant makes the search meaningless.
func (b *configBuilder) timeScale(el *xmltree.Element, rule *bitrate.DurationRule) bool {
	ok := b.search(el, &rule.Timescale, func(name, value string) (bool, error) {
		if name != "constscale" {
			return false, nil
		}
		return true, iisconfig.SetWhole(&rule.ConstScale, value, 0, math.MaxUint32)
	})
	if rule.ConstScale != 0 {
		if len(rule.Timescale.Pattern) > 0 {
			b.log.Warn(el.At, "%s: the search is ignored, as there is a constScale", b.log.Label(el))
		}
		rule.Timescale = bitrate.Search{}
	}
	return ok
}

// search reads the attributes that all rules share, and others with set.
func (b *configBuilder) search(el *xmltree.Element, q *bitrate.Search, set func(name, value string) (bool, error)) bool {
	kind, hasKind := el.GetFold("searchPatternType")
	pattern, hasPattern := el.GetFold("searchPattern")
	ok := b.log.Attributes(el, func(name string, a xmltree.Attr) (known bool, err error) {
		switch name {
		case "searchpattern":
			if hasKind && isPatternKind(kind.Value) {
				q.Pattern, err = bitrate.ParsePattern(kind.Value, a.Value)
			}
			return true, err
		case "searchpatterntype":
			if !isPatternKind(a.Value) {
				err = errors.New("neither hexValue nor stringValue")
			}
			return true, err
		}
		if known, err := searchAttribute(q, name, a.Value); known {
			return true, err
		}
		if set == nil {
			return false, nil
		}
		return set(name, a.Value)
	})
	if hasPattern && pattern.Value != "" {
		ok = b.log.Require(el, "searchPatternType") && ok
	}
	b.log.NoChildren(el)
	return ok
}

func isPatternKind(s string) bool { return s == bitrate.HexValue || s == bitrate.StringValue }

// searchAttribute reads an attribute but the pattern, whose name is in lower case.
func searchAttribute(q *bitrate.Search, name, value string) (known bool, err error) {
	switch name {
	case "searchrangestart":
		return true, iisconfig.SetWhole(&q.RangeStart, value, 0, math.MaxInt64)
	case "searchrangeend":
		if err = iisconfig.SetWhole(&q.RangeEnd, value, 0, math.MaxInt64); err == nil && q.RangeEnd == 0 {
			err = errZero
		}
		return true, err
	case "dataoffset":
		return true, iisconfig.SetWhole(&q.DataOffset, value, 0, math.MaxUint32)
	case "searchfrom":
		q.From, err = bitrate.ParseFrom(value)
		return true, err
	case "datatype":
		q.Type, err = bitrate.ParseDataType(value)
		return true, err
	case "endianness":
		q.Order, err = bitrate.ParseEndianness(value)
		return true, err
	}
	return false, nil
}

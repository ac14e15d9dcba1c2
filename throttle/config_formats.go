package throttle

import (
	"errors"
	"math"
	"strconv"
	"strings"

	"github.com/smoothkit/smoothkit/throttle/bitrate"
)

// errZero is about a number that is zero in the document but would mean a default in a value of Go.
var errZero = errors.New("must not be zero")

func (b *configBuilder) formatReader() collectionReader[bitrate.Format] {
	return collectionReader[bitrate.Format]{key: "fileExtension", known: isBuiltinFormat, read: b.format}
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
	add                 *element
	rates               []*element
	rule                *element // durationRule
	duration, timescale *element
}

// format reads an entry of mediaFormats.
func (b *configBuilder) format(el *element) (f bitrate.Format, key attribute, ok bool) {
	from := formatElements{add: el}
	ok = b.attributes(el, func(name string, a attribute) (bool, error) {
		if name != "fileextension" {
			return false, nil
		}
		key, f.Extension = a, a.value
		return true, nil
	})
	if _, there := el.get("fileExtension"); !there {
		b.log.missing(el, "fileExtension")
		ok = false
	}
	for _, child := range el.children {
		switch {
		case child.is("bitrateRules"):
			rates, good := b.rateRules(child, &from)
			f.Rates, ok = append(f.Rates, rates...), ok && good
		case child.is("durationRule"):
			if from.rule != nil {
				b.log.failElement(el, "two elements durationRule, at %v and %v", from.rule.at, child.at)
				ok = false
				continue
			}
			from.rule = child
			rule, good := b.durationRule(child, &from)
			f.Duration, ok = rule, ok && good
		default:
			b.unknown(el, child)
		}
	}
	if ok {
		ok = b.validFormat(f, from)
	}
	if ok && len(f.Rates) == 0 && f.Duration == nil {
		b.log.warn(el.at, "%s: no rule is enabled", el.label())
	}
	return f, key, ok
}

// validFormat validates a format, also a duration that is not used as there are rates.
func (b *configBuilder) validFormat(f bitrate.Format, from formatElements) bool {
	for _, part := range formatParts(f) {
		var fault *bitrate.FormatError
		if err := part.Validate(); errors.As(err, &fault) {
			el := from.find(fault.Field)
			a, there := el.get(fault.Attribute)
			if !there {
				a = attribute{name: fault.Attribute, at: el.at}
			}
			b.log.failAttribute(el, a, formatFault{fault})
			return false
		} else if err != nil {
			b.log.failElement(from.add, "%w", err)
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
func (from *formatElements) find(field string) *element {
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
func (b *configBuilder) isEnabled(el *element) (enabled, ok bool) {
	ok = b.attributes(el, func(name string, a attribute) (bool, error) {
		if name != "enabled" {
			return false, nil
		}
		var err error
		enabled, err = parseConfigBool(a.value)
		return true, err
	})
	if _, there := el.get("enabled"); !there && len(el.children) > 0 {
		b.log.warn(el.at, "%s: not enabled, as it does not say so", el.label())
	}
	return enabled, ok
}

// rateRules reads bitrateRules. Those that are not enabled are checked too, and left out.
func (b *configBuilder) rateRules(el *element, from *formatElements) (list []bitrate.RateRule, ok bool) {
	enabled, ok := b.isEnabled(el)
	for _, child := range el.children {
		if !child.is("add") {
			b.unknown(el, child)
			continue
		}
		var rule bitrate.RateRule
		good := b.search(child, &rule.Search, func(name, value string) (bool, error) {
			if name != "unitbitpersecond" {
				return false, nil
			}
			err := setWhole(&rule.Unit, value, 0, math.MaxUint32)
			if err == nil && rule.Unit == 0 {
				err = errZero
			}
			return true, err
		})
		if _, there := child.get("dataType"); !there {
			b.log.missing(child, "dataType")
			good = false
		}
		if enabled {
			list, from.rates = append(list, rule), append(from.rates, child)
		}
		ok = ok && good
	}
	return list, ok
}

// durationRule reads durationRule. One that is not enabled is checked too, and nil.
func (b *configBuilder) durationRule(el *element, from *formatElements) (rule *bitrate.DurationRule, ok bool) {
	enabled, ok := b.isEnabled(el)
	rule = &bitrate.DurationRule{}
	for _, child := range el.children {
		there := from.duration
		if child.is("timeScale") {
			there = from.timescale
		}
		good := true
		switch {
		case !child.is("duration") && !child.is("timeScale"):
			b.unknown(el, child)
			continue
		case there != nil:
			b.log.failElement(child, "there is one at %v already", there.at)
			good = false
		case child.is("duration"):
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
func (b *configBuilder) timeScale(el *element, rule *bitrate.DurationRule) bool {
	ok := b.search(el, &rule.Timescale, func(name, value string) (bool, error) {
		if name != "constscale" {
			return false, nil
		}
		return true, setWhole(&rule.ConstScale, value, 0, math.MaxUint32)
	})
	if rule.ConstScale != 0 {
		if len(rule.Timescale.Pattern) > 0 {
			b.log.warn(el.at, "%s: the search is ignored, as there is a constScale", el.label())
		}
		rule.Timescale = bitrate.Search{}
	}
	return ok
}

// search reads the attributes that all rules share, and others with set.
func (b *configBuilder) search(el *element, q *bitrate.Search, set func(name, value string) (bool, error)) bool {
	kind, hasKind := el.get("searchPatternType")
	pattern, hasPattern := el.get("searchPattern")
	ok := b.attributes(el, func(name string, a attribute) (known bool, err error) {
		switch name {
		case "searchpattern":
			if hasKind && isPatternKind(kind.value) {
				q.Pattern, err = bitrate.ParsePattern(kind.value, a.value)
			}
			return true, err
		case "searchpatterntype":
			if !isPatternKind(a.value) {
				err = errors.New("neither hexValue nor stringValue")
			}
			return true, err
		}
		if known, err := searchAttribute(q, name, a.value); known {
			return true, err
		}
		if set == nil {
			return false, nil
		}
		return set(name, a.value)
	})
	if hasPattern && pattern.value != "" && !hasKind {
		b.log.missing(el, "searchPatternType")
		ok = false
	}
	for _, child := range el.children {
		b.unknown(el, child)
	}
	return ok
}

func isPatternKind(s string) bool { return s == bitrate.HexValue || s == bitrate.StringValue }

// searchAttribute reads an attribute but the pattern, whose name is in lower case.
func searchAttribute(q *bitrate.Search, name, value string) (known bool, err error) {
	switch name {
	case "searchrangestart":
		return true, setWhole(&q.RangeStart, value, 0, math.MaxInt64)
	case "searchrangeend":
		if err = setWhole(&q.RangeEnd, value, 0, math.MaxInt64); err == nil && q.RangeEnd == 0 {
			err = errZero
		}
		return true, err
	case "dataoffset":
		return true, setWhole(&q.DataOffset, value, 0, math.MaxUint32)
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

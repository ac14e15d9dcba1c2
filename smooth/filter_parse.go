package smooth

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// maxFilterParts bounds the options of one request that filter.
const maxFilterParts = 32

// ParseFilters reads the filters of a request: options as in [Request].Options, and the query of its URL, as in
// [Request].RawQuery. Their intersection is meant. Options and parameters that do not filter are skipped.
//
// Options, in any case (lists are joined by semicolons):
//
//	filter=NAME;NAME           named filters, all of which apply
//	startTime=, endTime=       ticks of the manifest's timescale, an ISO 8601 duration or a wall-clock time
//	audioTrack=LIST            audio streams by name
//	audio-only, video-only     one type of streams; "=false" means nothing
//	minBitrate=, maxBitrate=   of video, in bits per second
//	maxWidth=, maxHeight=      of video, in pixels
//	language=LIST, lang=LIST   of audio and text
//	trackName=LIST             streams by name
//	firstQuality=              bits per second
//
// Query parameters:
//
//	filter=EXPR                see [ParseTrackExpr]; a single name means a named filter
//	vbegin=, vend=             seconds, an ISO 8601 duration or a wall-clock time
//	t=BEGIN-END                the same; either may be missing; also with a comma or semicolon between
//	min_bitrate=, max_bitrate= as minBitrate and maxBitrate
//	tracks=NAME,NAME           streams by name
//
// named finds named filters; it may be nil. An unknown name is an error that wraps [ErrNotFound], anything malformed
// one that wraps [ErrBadRequest].
func ParseFilters(options, rawQuery string, named func(name string) (Filter, bool)) ([]Filter, error) {
	if options == "" && rawQuery == "" {
		return nil, nil
	}
	p := filterParser{named: named}
	for part := range strings.SplitSeq(options, ",") {
		key, value, _ := strings.Cut(part, "=")
		if err := p.option(strings.TrimSpace(key), strings.TrimSpace(value)); err != nil {
			return nil, err
		}
	}
	for part := range strings.SplitSeq(rawQuery, "&") {
		key, value, _ := strings.Cut(part, "=")
		if err := p.parameter(key, value); err != nil {
			return nil, err
		}
	}
	return p.out, nil
}

type filterParser struct {
	named func(string) (Filter, bool)
	names int
	out   []Filter
}

// add appends one filter.
func (p *filterParser) add(f Filter, err error) error {
	if err == nil && len(p.out) == maxFilterParts {
		err = badFilter("more than %d options", maxFilterParts)
	}
	p.out = append(p.out, f)
	return err
}

// option reads one option of the parentheses.
func (p *filterParser) option(key, value string) error {
	if len(key) > len("firstQuality") {
		return nil
	}
	parse := filterOption(strings.ToLower(key))
	isName := equalFoldASCII(key, "filter")
	if parse == nil && !isName {
		return nil
	}
	if len(value) > maxFilterText {
		return badFilter("option %s has %d bytes, more than %d", key, len(value), maxFilterText)
	}
	if isName {
		return p.addNamed(strings.Split(value, ";"))
	}
	f, err := parse(value)
	if err != nil {
		return badFilter("option %s: %v", key, err)
	}
	return p.add(f, nil)
}

// addNamed appends the application's filters of these names.
func (p *filterParser) addNamed(names []string) error {
	for _, n := range names {
		n = strings.TrimSpace(n)
		if n == "" {
			return badFilter("empty name")
		}
		if p.names++; p.names > maxFilterNames {
			return badFilter("more than %d named filters", maxFilterNames)
		}
		f, ok := Filter{}, false
		if p.named != nil {
			f, ok = p.named(n)
		}
		if !ok {
			return fmt.Errorf("smooth: no filter is called %q: %w", n, ErrNotFound)
		}
		if err := p.add(f, nil); err != nil {
			return err
		}
	}
	return nil
}

// filterOption returns the reader of an option's value, or nil.
func filterOption(key string) func(string) (Filter, error) {
	switch key {
	case "starttime":
		return func(v string) (f Filter, err error) { f.Start, err = parseInstant(v, 0); return }
	case "endtime":
		return func(v string) (f Filter, err error) { f.End, err = parseInstant(v, 0); return }
	case "audiotrack":
		return func(v string) (f Filter, err error) { f.AudioNames, err = splitNames(v, ";"); return }
	case "trackname":
		return func(v string) (f Filter, err error) { f.Names, err = splitNames(v, ";"); return }
	case "language", "lang":
		return func(v string) (f Filter, err error) { f.Languages, err = splitNames(v, ";"); return }
	case "audio-only", "audioonly":
		return func(v string) (Filter, error) { return onlyType(v, Audio) }
	case "video-only", "videoonly":
		return func(v string) (Filter, error) { return onlyType(v, Video) }
	case "minbitrate", "min_bitrate":
		return func(v string) (f Filter, err error) { f.Video.Min, err = strconv.ParseUint(v, 10, 64); return }
	case "maxbitrate", "max_bitrate":
		return func(v string) (f Filter, err error) { f.Video.Max, err = parsePositive(v, 64); return }
	case "maxwidth":
		return func(v string) (f Filter, err error) {
			n, err := parsePositive(v, 32)
			f.MaxWidth = uint32(n)
			return f, err
		}
	case "maxheight":
		return func(v string) (f Filter, err error) {
			n, err := parsePositive(v, 32)
			f.MaxHeight = uint32(n)
			return f, err
		}
	case "firstquality":
		return func(v string) (f Filter, err error) { f.FirstQuality, err = parsePositive(v, 64); return }
	}
	return nil
}

// parsePositive reads a bound, which zero would lift.
func parsePositive(v string, bits int) (uint64, error) {
	n, err := strconv.ParseUint(v, 10, bits)
	if err == nil && n == 0 {
		err = errors.New("zero")
	}
	return n, err
}

func splitNames(v, sep string) ([]string, error) {
	names := strings.Split(v, sep)
	if len(names) > maxExprTerms {
		return nil, fmt.Errorf("%d names, more than %d", len(names), maxExprTerms)
	}
	for i, n := range names {
		if names[i] = strings.TrimSpace(n); names[i] == "" {
			return nil, errors.New("empty name")
		}
	}
	return names, nil
}

func onlyType(v string, t StreamType) (Filter, error) {
	if v == "" {
		return Filter{Types: []StreamType{t}}, nil
	}
	on, err := strconv.ParseBool(strings.ToLower(v))
	if err != nil || !on {
		return Filter{}, err
	}
	return Filter{Types: []StreamType{t}}, nil
}

// parameter reads one parameter of the query.
func (p *filterParser) parameter(key, value string) error {
	var parse func(string) error
	switch key {
	case "filter":
		parse = p.expression
	case "vbegin":
		parse = func(v string) error { i, err := parseInstant(v, 1); return p.add(Filter{Start: i}, err) }
	case "vend":
		parse = func(v string) error { i, err := parseInstant(v, 1); return p.add(Filter{End: i}, err) }
	case "t":
		parse = p.span
	case "tracks":
		parse = func(v string) error { names, err := splitNames(v, ","); return p.add(Filter{Names: names}, err) }
	case "min_bitrate", "max_bitrate":
		parse = func(v string) error { return p.add(filterOption(key)(v)) }
	default:
		return nil
	}
	if len(value) > 3*maxFilterText {
		return badFilter("parameter %s has %d bytes", key, len(value))
	}
	v, err := url.QueryUnescape(value)
	if err == nil {
		err = parse(v)
	}
	if err != nil && !errors.Is(err, ErrBadRequest) && !errors.Is(err, ErrNotFound) {
		err = badFilter("parameter %s: %v", key, err)
	}
	return err
}

// filterParameters are the names that [filterParser.parameter] knows.
var filterParameters = [...]string{"filter", "vbegin", "vend", "t", "tracks", "min_bitrate", "max_bitrate"}

// appendFilterQuery returns query with the parameters of raw that filter, escaped anew, without those called as in
// except, which query has already.
func appendFilterQuery(query, raw string, except []string) string {
	for part := range strings.SplitSeq(raw, "&") {
		key, value, _ := strings.Cut(part, "=")
		if !slices.Contains(filterParameters[:], key) || slices.Contains(except, key) {
			continue
		}
		v, err := url.QueryUnescape(value)
		if err != nil {
			continue // ParseFilters refuses it
		}
		if query != "" {
			query += "&"
		}
		query += key + "=" + url.QueryEscape(v)
	}
	return query
}

// expression reads a track expression, or the name of a filter.
func (p *filterParser) expression(v string) error {
	if v = strings.TrimSpace(v); isFilterName(v) {
		return p.addNamed(strings.Split(v, ";"))
	}
	e, err := ParseTrackExpr(v)
	return p.add(Filter{Tracks: e}, err)
}

// isFilterName reports whether v cannot be an expression but may be one or more names.
func isFilterName(v string) bool {
	if v == "" || equalFoldASCII(v, "true") || equalFoldASCII(v, "false") {
		return false
	}
	return strings.IndexFunc(v, func(r rune) bool {
		return r > 0x7f || !isWordByte(byte(r)) && !strings.ContainsRune("-.;", r)
	}) < 0
}

// span reads BEGIN-END. Since t is also a usual name for other things, such as a time stamp that defeats caches, a
// value that is no range is skipped.
func (p *filterParser) span(v string) error {
	if len(v) > 128 {
		return nil
	}
	for i := range len(v) {
		if strings.IndexByte("-,;", v[i]) < 0 {
			continue
		}
		var f Filter
		var err1, err2 error
		if i > 0 {
			f.Start, err1 = parseInstant(v[:i], 1)
		}
		if i+1 < len(v) {
			f.End, err2 = parseInstant(v[i+1:], 1)
		}
		if err1 == nil && err2 == nil && len(v) > 1 {
			return p.add(f, nil)
		}
	}
	return nil
}

// parseInstant reads a number, in ticks of the timescale or of the manifest's if that is zero; an ISO 8601 duration
// (PT1M30.5S); a time of a clock that runs from the start (hh:mm:ss); or an ISO 8601 date and time, in UTC unless it
// says otherwise.
func parseInstant(v string, timescale uint64) (Instant, error) {
	switch {
	case v == "":
		return Instant{}, errors.New("empty time")
	case len(v) > 64:
		return Instant{}, errors.New("time too long")
	case v[0] == 'P':
		ticks, err := parseISODuration(v[1:])
		return AtTicks(ticks, DefaultTimescale), err
	case strings.Contains(v, "T"):
		return parseWall(v)
	case strings.Contains(v, ":"):
		return parseClock(v)
	case strings.Contains(v, "."):
		ticks, err := parseSeconds(v, 1)
		return AtTicks(ticks, DefaultTimescale), err
	}
	n, err := strconv.ParseUint(v, 10, 64)
	return AtTicks(n, timescale), err
}

// parseWall reads a date and time. A plus sign that the query's encoding turned into a blank is restored.
func parseWall(v string) (Instant, error) {
	v = strings.Replace(v, " ", "+", 1)
	t, err := time.Parse(time.RFC3339, v)
	if err != nil {
		t, err = time.Parse("2006-01-02T15:04:05", v)
	}
	if err == nil && (t.Year() < 1678 || t.Year() >= 2262) {
		err = errors.New("year out of range")
	}
	if err != nil {
		return Instant{}, fmt.Errorf("malformed time %q", v)
	}
	return AtWall(t), nil
}

// parseClock reads hh:mm:ss or mm:ss, with a fraction.
func parseClock(v string) (Instant, error) {
	fields := strings.Split(v, ":")
	if len(fields) > 3 {
		return Instant{}, fmt.Errorf("malformed time %q", v)
	}
	var sum uint64
	unit := uint64(1)
	for i := len(fields) - 1; i >= 0; i-- {
		n, err := parseSeconds(fields[i], unit)
		if err != nil {
			return Instant{}, err
		}
		sum = addSaturating(sum, n)
		unit *= 60
	}
	return AtTicks(sum, DefaultTimescale), nil
}

// parseISODuration reads what follows the P of a duration in days, hours, minutes and seconds, in 100 ns ticks.
func parseISODuration(v string) (uint64, error) {
	date, clock, hasClock := strings.Cut(v, "T")
	var sum uint64
	units := map[byte]uint64{'D': 86400, 'H': 3600, 'M': 60, 'S': 1}
	for _, part := range [...]struct{ text, order string }{{date, "D"}, {clock, "HMS"}} {
		for part.text != "" {
			i := strings.IndexAny(part.text, part.order)
			if i < 0 {
				return 0, fmt.Errorf("malformed duration P%s", v)
			}
			n, err := parseSeconds(part.text[:i], units[part.text[i]])
			if err != nil {
				return 0, err
			}
			sum = addSaturating(sum, n)
			part.order = part.order[strings.IndexByte(part.order, part.text[i])+1:]
			part.text = part.text[i+1:]
		}
	}
	if v == "" || hasClock && clock == "" {
		return 0, fmt.Errorf("malformed duration P%s", v)
	}
	return sum, nil
}

// parseSeconds reads a decimal number of units of that many seconds, in 100 ns ticks; further digits are dropped.
func parseSeconds(v string, unit uint64) (uint64, error) {
	whole, fraction, _ := strings.Cut(v, ".")
	n, err := strconv.ParseUint(whole, 10, 32)
	if err != nil || n*unit > 1<<38 { // some 8,700 years: in ticks it still fits
		return 0, fmt.Errorf("malformed number %q", v)
	}
	var ticks uint64
	for i, scale := 0, uint64(DefaultTimescale/10); i < len(fraction); i, scale = i+1, scale/10 {
		if !isDigit(fraction[i]) {
			return 0, fmt.Errorf("malformed number %q", v)
		}
		ticks += uint64(fraction[i]-'0') * scale
	}
	return (n*DefaultTimescale + ticks) * unit, nil
}

package smooth

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
)

// ParseRequest parses the URL of a request: the path below the handler's root, with or without a leading slash, and
// the query. It reads the grammar of [MS-SSTR] 2.2.1 and 2.2.3 from the right, so that any directories may precede
// the presentation, and is lenient where IIS and deployed clients are: keywords in any case, spaces around names and
// numbers, and an extension such as .m3u8 after the last parenthesis. Delimiters may be percent-encoded.
//
// The error wraps [ErrBadRequest] if the path breaks the grammar, and [ErrNotFound] if it is not a request for a
// presentation at all or names something that can never be one: a path outside the root, a separator in disguise, a
// device.
func ParseRequest(u *url.URL) (Request, error) {
	if !safePath(u.Path) || hidesSeparator(u.RawPath) {
		return Request{}, fmt.Errorf("smooth: unsafe path: %w", ErrNotFound)
	}
	q := Request{RawQuery: u.RawQuery}
	path := strings.TrimPrefix(u.Path, "/")
	name, last := cutLast(path)
	word := leadingLetters(last)
	above, level := cutLast(name)
	var err error
	switch {
	case isLevel(level):
		name, err = above, q.parseTrack(level[len("qualitylevels"):], word, last[len(word):])
	case equalFoldASCII(word, "manifest"):
		err = q.parseManifest(last[len(word):])
	case isCall(last[len(word):]) && (isNoun(word) || equalFoldASCII(word, "qualitylevels")):
		err = malformed("%s without quality level or noun", word)
	case len(last) > 4 && equalFoldASCII(last[len(last)-4:], ".csm"):
		name, q.Kind = path, CompositeRequest
	default:
		return Request{}, fmt.Errorf("smooth: not a presentation request: %w", ErrNotFound)
	}
	if !validName(name) {
		return Request{}, fmt.Errorf("smooth: not a presentation name: %w", ErrNotFound)
	}
	if err != nil {
		return Request{}, err
	}
	q.Presentation = name
	return q, nil
}

func malformed(format string, args ...any) error {
	return fmt.Errorf("smooth: request: "+format+": %w", append(args, ErrBadRequest)...)
}

// parseManifest parses what follows the word of Manifest[(options)][suffix].
func (q *Request) parseManifest(rest string) error {
	q.Kind = ManifestRequest
	args, err := q.parseCall(rest)
	if err != nil {
		return err
	}
	return q.parseOptions(args)
}

// parseTrack parses QualityLevels(level)/word(rest), where level and rest include the parentheses.
func (q *Request) parseTrack(level, word, rest string) error {
	noun, ok := nounOf(word)
	switch {
	case ok:
		q.Kind, q.Noun = FragmentRequest, noun
	case equalFoldASCII(word, "manifest"):
		q.Kind = TrackManifestRequest
	case word != "" && isCall(rest):
		return fmt.Errorf("smooth: request: unknown noun %q: %w", word, ErrNotFound)
	default:
		return malformed("no noun after QualityLevels")
	}
	if err := q.parseLevel(level); err != nil {
		return err
	}
	if !isCall(rest) {
		return malformed("%s without parentheses", word)
	}
	args, err := q.parseCall(rest)
	if err != nil {
		return err
	}
	head, options, more := strings.Cut(args, ",")
	if more && strings.Trim(options, " ") == "" {
		return malformed("empty option")
	}
	if err := q.parseStream(strings.Trim(head, " ")); err != nil {
		return err
	}
	return q.parseOptions(options)
}

// parseStream parses stream=time of a fragment request or the stream of a track manifest request.
func (q *Request) parseStream(s string) error {
	stream, time, timed := strings.Cut(s, "=")
	q.Key.Stream = strings.Trim(stream, " ")
	if q.Key.Stream == "" {
		return malformed("no stream name")
	}
	if q.Kind == TrackManifestRequest {
		if timed {
			return malformed("manifest of a track with a time")
		}
		return nil
	}
	var ok bool
	if q.Key.Time, ok = parseUint(strings.Trim(time, " ")); !ok {
		return malformed("start time %q", time)
	}
	return nil
}

// parseLevel parses (bitrate[,key=value...]).
func (q *Request) parseLevel(s string) error {
	s = strings.Trim(s, " ")
	if len(s) < 2 || s[0] != '(' || s[len(s)-1] != ')' {
		return malformed("QualityLevels without parentheses")
	}
	rate, attrs, more := strings.Cut(s[1:len(s)-1], ",")
	var ok bool
	if q.Key.Bitrate, ok = parseUint(strings.Trim(rate, " ")); !ok {
		return malformed("bit rate %q", rate)
	}
	if !more {
		return nil
	}
	var err error
	q.Key.Attrs, err = canonicalAttrs(attrs)
	return err
}

// canonicalAttrs brings key=value pairs into the form of [FragmentKey]. It returns s itself where that has the form.
func canonicalAttrs(s string) (string, error) {
	canonical, previous := true, ""
	for i, rest, more := 0, s, true; more; i++ {
		var item string
		item, rest, more = strings.Cut(rest, ",")
		key, _, ok := strings.Cut(item, "=")
		if !ok || strings.Trim(key, " ") == "" {
			return "", malformed("custom attribute %q", item)
		}
		if strings.Trim(item, " ") != item || strings.HasSuffix(key, " ") || i > 0 && key <= previous {
			canonical = false
		}
		previous = key
	}
	if canonical {
		return s, nil
	}
	return sortAttrs(s)
}

func sortAttrs(s string) (string, error) {
	items := strings.Split(s, ",")
	keyOf := func(item string) string { key, _, _ := strings.Cut(item, "="); return key }
	for i, item := range items {
		key, value, _ := strings.Cut(item, "=")
		items[i] = strings.Trim(key, " ") + "=" + strings.TrimRight(value, " ")
	}
	slices.SortFunc(items, func(a, b string) int { return strings.Compare(keyOf(a), keyOf(b)) })
	for i := 1; i < len(items); i++ {
		if keyOf(items[i]) == keyOf(items[i-1]) {
			return "", malformed("custom attribute %q twice", keyOf(items[i]))
		}
	}
	return strings.Join(items, ","), nil
}

// parseCall splits [(args)][suffix], sets the suffix and returns args. The first parenthesis opens and the last one
// closes, so that names may contain others.
func (q *Request) parseCall(s string) (args string, err error) {
	s = strings.Trim(s, " ")
	if s != "" && s[0] == '(' {
		end := strings.LastIndexByte(s, ')')
		if end < 0 {
			return "", malformed("no closing parenthesis")
		}
		args, s = s[1:end], strings.TrimLeft(s[end+1:], " ")
	}
	if !validSuffix(s) {
		return "", malformed("unexpected text %q at the end", s)
	}
	q.Suffix = s
	return strings.Trim(args, " "), nil
}

// parseOptions takes the format option out of comma-separated options.
func (q *Request) parseOptions(s string) error {
	s = strings.Trim(s, " ")
	if s == "" {
		return nil
	}
	q.Options = s
	for start := 0; start <= len(s); {
		end := start + strings.IndexByte(s[start:], ',')
		if end < start {
			end = len(s)
		}
		name, value, _ := strings.Cut(s[start:end], "=")
		name, value = strings.Trim(name, " "), strings.Trim(value, " ")
		if name == "" {
			return malformed("empty option")
		}
		if equalFoldASCII(name, "format") {
			if q.Format != "" || value == "" {
				return malformed("format given twice or without value")
			}
			q.Format = value
			q.Options = joinOptions(s[:max(start-1, 0)], s[min(end+1, len(s)):])
		}
		start = end + 1
	}
	return nil
}

func joinOptions(before, after string) string {
	before, after = strings.Trim(before, " "), strings.Trim(after, " ")
	switch {
	case before == "":
		return after
	case after == "":
		return before
	}
	return before + "," + after
}

// Option returns the value of an option in the last pair of parentheses, such as filter. Names are compared without
// regard to case. An option without a value is reported with an empty one.
func (q *Request) Option(name string) (string, bool) {
	if equalFoldASCII(name, "format") {
		return q.Format, q.Format != ""
	}
	for rest, more := q.Options, q.Options != ""; more; {
		var item string
		item, rest, more = strings.Cut(rest, ",")
		key, value, _ := strings.Cut(item, "=")
		if equalFoldASCII(strings.Trim(key, " "), name) {
			return strings.Trim(value, " "), true
		}
	}
	return "", false
}

var nounNames = [...]string{Fragments: "Fragments", FragmentInfo: "FragmentInfo", RawFragments: "RawFragments", KeyFrames: "KeyFrames"}

// String returns the noun as it is written in a URL.
func (n Noun) String() string {
	if int(n) < len(nounNames) {
		return nounNames[n]
	}
	return fmt.Sprintf("Noun(%d)", uint8(n))
}

func nounOf(word string) (Noun, bool) {
	for i, name := range nounNames {
		if equalFoldASCII(name, word) {
			return Noun(i), true
		}
	}
	return 0, false
}

func isNoun(word string) bool {
	_, ok := nounOf(word)
	return ok
}

// isCall reports whether s begins with an opening parenthesis, after spaces.
func isCall(s string) bool {
	s = strings.TrimLeft(s, " ")
	return s != "" && s[0] == '('
}

// isLevel reports whether a path segment is meant as QualityLevels(...), well-formed or not, rather than being the
// name of a presentation.
func isLevel(segment string) bool {
	word := leadingLetters(segment)
	if !equalFoldASCII(word, "qualitylevels") {
		return false
	}
	rest := segment[len(word):]
	tail := rest[strings.LastIndexByte(rest, ')')+1:]
	return tail == "" || isCall(rest) && !validSuffix(tail)
}

// cutLast splits a path before its last segment.
func cutLast(path string) (dir, last string) {
	i := strings.LastIndexByte(path, '/')
	if i < 0 {
		return "", path
	}
	return path[:i], path[i+1:]
}

func leadingLetters(s string) string {
	i := 0
	for i < len(s) && isLetter(s[i]) {
		i++
	}
	return s[:i]
}

// validSuffix reports whether s is empty or a dot and letters, digits, dots, dashes and underscores.
func validSuffix(s string) bool {
	if s == "" {
		return true
	}
	for i := range len(s) {
		if c := s[i]; !isWordByte(c) && c != '.' && c != '-' {
			return false
		}
	}
	return s[0] == '.' && len(s) > 1
}

// parseUint parses decimal digits only. It reports false for none and on overflow.
func parseUint(s string) (uint64, bool) {
	var v uint64
	for i := range len(s) {
		d := uint64(s[i] - '0')
		if d > 9 || v > (1<<64-1)/10 || v*10 > 1<<64-1-d {
			return 0, false
		}
		v = v*10 + d
	}
	return v, s != ""
}

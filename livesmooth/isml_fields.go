package livesmooth

import (
	"encoding/hex"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/smoothkit/smoothkit/smooth"
)

// ismlField is a meta of a definition that has a field in [Settings].
type ismlField struct {
	name string
	// hls tells that it belongs to HLSSettings. Read and write are called with such settings only.
	hls bool
	// read sets the field. The error says what is wrong, without the name.
	read func(s *Settings, value string) error
	// write returns the value, and false if it is not to be written.
	write func(s *Settings) (string, bool)
}

const (
	// ismlFormats lists the outputs, ismlHLS is that of HLS and the beginning of the names of its settings.
	ismlFormats = "formats"
	ismlHLS     = "m3u8-aapl"
	// ismlPublishing lists what a point is open to.
	ismlPublishing = "publishing"
)

// ismlFields are the known metas in the order in which generators for IIS write them. Those of the first block are always
// written, as they do; the others as need be.
var ismlFields = []ismlField{
	textField("title", func(s *Settings) *string { return &s.Title }),
	{name: "module", read: readModule, write: func(*Settings) (string, bool) { return ismlModule, true }},
	{name: "sourceType", read: readSourceType, write: writeSourceType},
	{name: ismlPublishing, read: readPublishing, write: writePublishing},
	spanField("estimatedTime", time.Second, maxSpan, ismlAlways, func(s *Settings) *time.Duration { return &s.EstimatedDuration }),
	{name: "lookaheadChunks", read: readLookahead, write: func(s *Settings) (string, bool) { return strconv.Itoa(s.Lookahead), true }},
	spanField("manifestWindowLength", time.Second, maxSpan, ismlAlways, func(s *Settings) *time.Duration { return &s.Viewers.WindowLength }),
	boolField("startOnFirstRequest", ismlAlways, func(s *Settings) *bool { return &s.AutoStart }),
	spanField("archiveSegmentLength", time.Minute, maxSpan, ismlAlways, func(s *Settings) *time.Duration { return &s.Archive.SegmentLength }),
	inLowerCase(boolField("restartOnEncoderReconnect", ismlAlways, func(s *Settings) *bool { return &s.AutoRestart })),

	textField("filters", func(s *Settings) *string { return &s.Filters }),
	textField("archivePath", func(s *Settings) *string { return &s.Archive.Path }),
	boolField("useEventIdOnPath", ismlIfChanged, func(s *Settings) *bool { return &s.Archive.EventIDOnPath }),
	spanField("liveCacheLength", time.Second, maxSpan, ismlIfChanged, func(s *Settings) *time.Duration { return &s.Viewers.LiveCacheLength }),
	{name: "clientManifestVersion", read: readVersion, write: writeVersion},
	boolField("sendEndOfStreamOnStop", ismlIfChanged, func(s *Settings) *bool { return &s.Servers.EndOnStop }),

	{name: ismlFormats, read: readFormats, write: writeFormats},
	ofHLS(spanField("m3u8-aapl-segmentlength", time.Second, time.Hour, ismlIfChanged,
		func(s *Settings) *time.Duration { return &s.HLS.SegmentLength })),
	ofHLS(ismlField{name: "m3u8-aapl-maxbitrate", read: readMaxBitrate, write: writeMaxBitrate}),
	ofHLS(boolField("m3u8-aapl-allowcaching", ismlAlways, func(s *Settings) *bool { return &s.HLS.AllowCaching })),
	ofHLS(boolField("m3u8-aapl-backwardcompatible", ismlAlways, func(s *Settings) *bool { return &s.HLS.BackwardCompatible })),
	ofHLS(boolField("m3u8-aapl-enableencryption", ismlAlways, func(s *Settings) *bool { return &s.HLS.Encrypt })),
	ofHLS(boolField("m3u8-aapl-includecodecs", ismlIfChanged, func(s *Settings) *bool { return &s.HLS.IncludeCodecs })),
	ofHLS(ismlField{name: "m3u8-aapl-encryptionkey", read: readKey, write: writeKey}),
}

// ismlFieldOf returns the field of that name in any case, or nil.
func ismlFieldOf(name string) *ismlField {
	i := slices.IndexFunc(ismlFields, func(f ismlField) bool { return equalFold(f.name, name) })
	if i < 0 {
		return nil
	}
	return &ismlFields[i]
}

// isHLSMeta reports whether a meta is about HLS.
func isHLSMeta(name string) bool {
	return len(name) >= len(ismlHLS) && equalFold(name[:len(ismlHLS)], ismlHLS)
}

// When a field is written: always, or if it is not as in the settings that ParseSettings starts from.
const (
	ismlAlways    = true
	ismlIfChanged = false
)

// ofHLS makes a field one of HLSSettings.
func ofHLS(f ismlField) ismlField {
	write := f.write
	f.hls = true
	f.write = func(s *Settings) (string, bool) {
		if s.HLS == nil {
			return "", false
		}
		return write(s)
	}
	return f
}

// initialSettings is what the absence of metas means, with HLS on.
func initialSettings() *Settings {
	s := DefaultSettings()
	s.HLS = new(HLSSettings)
	return s
}

func textField(name string, field func(*Settings) *string) ismlField {
	return ismlField{
		name:  name,
		read:  func(s *Settings, value string) error { *field(s) = value; return nil },
		write: func(s *Settings) (string, bool) { return *field(s), *field(s) != "" },
	}
}

// boolField reads true and false, or 1 and 0, in any case, and writes True and False.
func boolField(name string, when bool, field func(*Settings) *bool) ismlField {
	initial := *field(initialSettings())
	return ismlField{
		name: name,
		read: func(s *Settings, value string) error {
			switch strings.ToLower(strings.TrimSpace(value)) {
			case "true", "1":
				*field(s) = true
			case "false", "0":
				*field(s) = false
			case "":
			default:
				return fmt.Errorf("%q is neither true nor false", shorten(value))
			}
			return nil
		},
		write: func(s *Settings) (string, bool) {
			if *field(s) {
				return "True", when || !initial
			}
			return "False", when || initial
		},
	}
}

// inLowerCase writes a field as generators write restartOnEncoderReconnect, unlike the others.
func inLowerCase(f ismlField) ismlField {
	write := f.write
	f.write = func(s *Settings) (string, bool) {
		value, ok := write(s)
		return strings.ToLower(value), ok
	}
	return f
}

// spanField is a length of time as a decimal number of units.
func spanField(name string, unit, limit time.Duration, when bool, field func(*Settings) *time.Duration) ismlField {
	initial := *field(initialSettings())
	return ismlField{
		name: name,
		read: func(s *Settings, value string) error {
			if value = strings.TrimSpace(value); value == "" {
				return nil
			}
			d, err := parseSpan(value, unit, limit)
			*field(s) = d
			return err
		},
		write: func(s *Settings) (string, bool) { return formatSpan(*field(s), unit), when || *field(s) != initial },
	}
}

// maxSpanDigits bounds the length of a number.
const maxSpanDigits = 40

// parseSpan reads a decimal number of units, to the nearest nanosecond.
func parseSpan(value string, unit, limit time.Duration) (time.Duration, error) {
	n := new(big.Rat)
	ok := len(value) <= maxSpanDigits && strings.Trim(value, "0123456789.") == ""
	if ok {
		_, ok = n.SetString(value)
	}
	if !ok {
		return 0, fmt.Errorf("%q is not a decimal number", shorten(value))
	}
	n.Mul(n, new(big.Rat).SetInt64(int64(unit)))
	if n.Cmp(new(big.Rat).SetInt64(int64(limit))) > 0 {
		return 0, fmt.Errorf("%s is not within 0 and %s", value, formatSpan(limit, unit))
	}
	n.Add(n, big.NewRat(1, 2))
	return time.Duration(new(big.Int).Quo(n.Num(), n.Denom()).Int64()), nil
}

// formatSpan writes a decimal number of units that parseSpan reads exactly.
func formatSpan(d, unit time.Duration) string {
	const digits = 12 // half a unit of the last one is less than half a nanosecond, for units of minutes, too
	s := big.NewRat(int64(d), int64(unit)).FloatString(digits)
	return strings.TrimSuffix(strings.TrimRight(s, "0"), ".")
}

func readModule(_ *Settings, value string) error {
	if v := strings.TrimSpace(value); v != "" && !equalFold(v, ismlModule) {
		return fmt.Errorf("%q is not %s", shorten(v), ismlModule)
	}
	return nil
}

func readSourceType(s *Settings, value string) error {
	switch v := strings.TrimSpace(value); {
	case v == "" || equalFold(v, string(SourcePush)):
		s.Source = SourcePush
	case equalFold(v, string(SourcePull)):
		s.Source = SourcePull
	default:
		return fmt.Errorf("%q is neither %s nor %s", shorten(v), SourcePush, SourcePull)
	}
	return nil
}

func writeSourceType(s *Settings) (string, bool) {
	if s.Source == SourcePull {
		return string(SourcePull), true
	}
	return string(SourcePush), true
}

func readLookahead(s *Settings, value string) error {
	if value = strings.TrimSpace(value); value == "" {
		return nil
	}
	n, err := strconv.ParseUint(value, 10, 32)
	if err != nil || n > MaxLookahead {
		return fmt.Errorf("%q is not a whole number within 0 and %d", shorten(value), MaxLookahead)
	}
	s.Lookahead = int(n)
	return nil
}

func readVersion(s *Settings, value string) error {
	switch v := strings.TrimSpace(value); v {
	case "2.0", "2.2":
		s.Viewers.ManifestVersion = v
	case "":
	default:
		return fmt.Errorf("%q is neither 2.0 nor 2.2", shorten(v))
	}
	return nil
}

func writeVersion(s *Settings) (string, bool) {
	v := s.Viewers.ManifestVersion
	return v, v != "" && v != DefaultSettings().Viewers.ManifestVersion
}

// The words of the meta publishing.
const (
	wordFragments = "Fragments"
	wordStreams   = "Streams"
	wordArchives  = "Archives"
)

func readPublishing(s *Settings, value string) error {
	words := ismlWords(value)
	take := func(word string) bool {
		n := len(words)
		words = slices.DeleteFunc(words, func(w string) bool { return equalFold(w, word) })
		return len(words) < n
	}
	s.Viewers.Enabled, s.Servers.Enabled, s.Archive.Enabled = take(wordFragments), take(wordStreams), take(wordArchives)
	s.keepWords(ismlPublishing, words)
	return nil
}

func writePublishing(s *Settings) (string, bool) {
	var words []string
	if s.Viewers.Enabled {
		words = append(words, wordFragments)
	}
	if s.Servers.Enabled {
		words = append(words, wordStreams)
	}
	if s.Archive.Enabled {
		words = append(words, wordArchives)
	}
	return strings.Join(append(words, s.keptWords(ismlPublishing, wordFragments, wordStreams, wordArchives)...), ";"), true
}

func readFormats(s *Settings, value string) error {
	words := ismlWords(value)
	n := len(words)
	words = slices.DeleteFunc(words, func(w string) bool { return equalFold(w, ismlHLS) })
	if len(words) < n {
		s.HLS = new(HLSSettings)
	}
	s.keepWords(ismlFormats, words)
	return nil
}

func writeFormats(s *Settings) (string, bool) {
	var words []string
	if s.HLS != nil {
		words = append(words, ismlHLS)
	}
	words = append(words, s.keptWords(ismlFormats, ismlHLS)...)
	return strings.Join(words, ";"), len(words) > 0
}

// ismlWords splits a list of words, which semicolons separate; some files have commas.
func ismlWords(value string) []string {
	return strings.FieldsFunc(value, func(r rune) bool { return strings.ContainsRune("; ,\t\r\n", r) })
}

// keepWords keeps the unknown words of a list in Extra, as a meta of the same name.
func (s *Settings) keepWords(name string, words []string) {
	if len(words) > 0 {
		s.Extra = append(s.Extra, smooth.Attribute{Name: name, Value: strings.Join(words, ";")})
	}
}

// keptWords returns the words that Extra has under a name, without the known ones, which fields speak for.
func (s *Settings) keptWords(name string, known ...string) []string {
	var words []string
	for _, a := range s.Extra {
		if equalFold(a.Name, name) {
			words = append(words, ismlWords(a.Value)...)
		}
	}
	return slices.DeleteFunc(words, func(word string) bool {
		return slices.ContainsFunc(known, func(k string) bool { return equalFold(k, word) })
	})
}

func readMaxBitrate(s *Settings, value string) error {
	if value = strings.TrimSpace(value); value == "" {
		return nil
	}
	n, err := strconv.ParseUint(value, 10, 64)
	if err != nil {
		return fmt.Errorf("%q is not a whole number of bits per second", shorten(value))
	}
	s.HLS.MaxBitrate = n
	return nil
}

func writeMaxBitrate(s *Settings) (string, bool) {
	return strconv.FormatUint(s.HLS.MaxBitrate, 10), s.HLS.MaxBitrate != 0
}

// readKey does not repeat the value in errors: they go to a log.
func readKey(s *Settings, value string) error {
	key, err := hex.DecodeString(strings.TrimSpace(value))
	if err != nil || len(key) != 0 && len(key) != 16 {
		return errors.New("is not a key of 32 hexadecimal digits")
	}
	if len(key) > 0 {
		s.HLS.Key = key
	}
	return nil
}

func writeKey(s *Settings) (string, bool) { return hex.EncodeToString(s.HLS.Key), len(s.HLS.Key) > 0 }

package bitrate_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"os"
	"path"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/smoothkit/smoothkit/internal/testmedia"
	"github.com/smoothkit/smoothkit/throttle/bitrate"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// builtinFormat returns the built-in rule of an extension.
func builtinFormat(t *testing.T, extension string) bitrate.Format {
	t.Helper()
	list := bitrate.BuiltinFormats()
	i := slices.IndexFunc(list, func(f bitrate.Format) bool { return f.Extension == extension })
	require.GreaterOrEqual(t, i, 0, "no built-in rule for %s", extension)
	return list[i]
}

// The rates that the rules of IIS give are the fields that they read, whatever these are worth.
func TestBuiltinFormatsReadHeaderFields(t *testing.T) {
	tested := map[string]int{}
	for name, want := range readExpectedMedia(t) {
		extension := path.Ext(name)
		var rate float64
		switch extension {
		case ".asf", ".wma", ".wmv":
			rate = want.HeaderFields["max_bit_rate"]
		case ".flv":
			rate = 1000 * (want.HeaderFields["videodatarate"] + want.HeaderFields["audiodatarate"])
		case ".rm":
			rate = want.HeaderFields["avg_bit_rate"]
		default:
			continue
		}
		data, err := os.ReadFile(testmedia.Shared(t, "testdata/"+name))
		require.NoError(t, err)
		rule := builtinFormat(t, extension)
		info, err := rule.Detect(bytes.NewReader(data), int64(len(data)))
		tested[extension]++
		if rate == 0 {
			assert.ErrorIs(t, err, bitrate.ErrUnknownRate, name)
			continue
		}
		require.NoError(t, err, name)
		assert.Equal(t, bitrate.Info{Container: bitrate.Declared, Average: int64(rate), Method: "rule"}, info, name)
	}
	for extension, n := range map[string]int{".asf": 2, ".wma": 6, ".wmv": 7, ".flv": 4, ".rm": 1} {
		assert.GreaterOrEqual(t, tested[extension], n, extension)
	}
}

func TestBuiltinFormatOfMovies(t *testing.T) {
	want := readExpectedMedia(t)
	for _, name := range []string{
		"media/mp4/media-bbb_176x144_192kbps_15fps_mpeg4.mp4", "media/mp4/moon-timecode-short-mp43.mp4",
		"media/mp4/shaka-player-small.mp4", "media/mp4/exiftool-QuickTime.mov", "smooth/package-mbr-mp4/BigBuckBunny_400.mp4",
	} {
		data, err := os.ReadFile(testmedia.Shared(t, "testdata/"+name))
		require.NoError(t, err)
		rule := builtinFormat(t, path.Ext(name))
		info, err := rule.Detect(bytes.NewReader(data), int64(len(data)))
		require.NoError(t, err, name)
		assert.InEpsilon(t, want[name].SizeOverDuration, info.Average, 0.02, name)
		assert.InEpsilon(t, want[name].FFprobe.Duration, info.Duration.Seconds(), 0.02, name)
	}
}

// In a fragmented file the movie header has no duration: the rule must find nothing, not an infinite rate.
func TestBuiltinFormatOfFragmentedMovie(t *testing.T) {
	data, err := os.ReadFile(testmedia.Media(t, "fragmented.mp4"))
	require.NoError(t, err)
	rule := builtinFormat(t, ".mp4")
	_, err = rule.Detect(bytes.NewReader(data), int64(len(data)))
	assert.ErrorIs(t, err, bitrate.ErrUnknownRate)
}

func TestBuiltinFormatsAreValidAndFresh(t *testing.T) {
	list := bitrate.BuiltinFormats()
	for i := range list {
		assert.NoError(t, list[i].Validate(), list[i].Extension)
	}
	list[0].Rates[0].Pattern[0] = 0
	assert.NotEqual(t, list[0], bitrate.BuiltinFormats()[0])
}

// fileWith returns zeros with pieces at offsets.
func fileWith(size int, pieces map[int]string) []byte {
	b := make([]byte, size)
	for off, p := range pieces {
		copy(b[off:], p)
	}
	return b
}

func uint32Text(v uint32) string { return string(binary.BigEndian.AppendUint32(nil, v)) }

func doubleText(v float64) string {
	return string(binary.BigEndian.AppendUint64(nil, math.Float64bits(v)))
}

// keyed returns a rule for the big-endian uint32 behind the word KEY, changed by edit.
func keyed(edit func(*bitrate.RateRule)) bitrate.Format {
	r := bitrate.RateRule{Search: bitrate.Search{Pattern: []byte("KEY"), Type: bitrate.Uint32}}
	edit(&r)
	return bitrate.Format{Extension: ".x", Rates: []bitrate.RateRule{r}}
}

func TestFormatSearchWindows(t *testing.T) {
	const unknown = 0
	head, tail := "KEY"+uint32Text(1111), "KEY"+uint32Text(2222)
	for _, c := range []struct {
		name       string
		from       bitrate.From
		start, end int64
		pieces     map[int]string
		want       int64
	}{
		{"at the beginning", bitrate.Beginning, 0, 0, map[int]string{0: head}, 1111},
		{"ends with the default window, value outside", bitrate.Beginning, 0, 0, map[int]string{4093: head}, 1111},
		{"one byte behind the default window", bitrate.Beginning, 0, 0, map[int]string{4094: head}, unknown},
		{"one byte before the start", bitrate.Beginning, 10, 100, map[int]string{9: head}, unknown},
		{"at the start", bitrate.Beginning, 10, 100, map[int]string{10: head}, 1111},
		{"ends with the window", bitrate.Beginning, 10, 100, map[int]string{97: head}, 1111},
		{"one byte behind the window", bitrate.Beginning, 10, 100, map[int]string{98: head}, unknown},
		{"window larger than the file", bitrate.Beginning, 0, 200_000, map[int]string{9_900: head}, 1111},
		{"window behind the file", bitrate.Beginning, 20_000, 21_000, map[int]string{9_900: head}, unknown},
		{"first of two", bitrate.Beginning, 0, 0, map[int]string{50: head, 90: tail}, 1111},
		{"end, not the beginning", bitrate.End, 0, 0, map[int]string{0: head, 9_900: tail}, 2222},
		{"end, nothing there", bitrate.End, 0, 0, map[int]string{0: head}, unknown},
		{"end, default window", bitrate.End, 0, 0, map[int]string{10_000 - 4096: tail}, 2222},
		{"end, one byte before it", bitrate.End, 0, 0, map[int]string{10_000 - 4097: tail}, unknown},
		{"end with a start", bitrate.End, 50, 100, map[int]string{9_947: tail}, 2222},
		{"end, one byte inside the start", bitrate.End, 50, 100, map[int]string{9_948: tail}, unknown},
		{"end, window larger than the file", bitrate.End, 0, 200_000, map[int]string{0: head, 5000: tail}, 1111},
		{"both prefers the head", bitrate.Both, 0, 0, map[int]string{50: head, 9_900: tail}, 1111},
		{"both takes the tail", bitrate.Both, 0, 0, map[int]string{9_900: tail}, 2222},
		{"both finds nothing in the middle", bitrate.Both, 0, 0, map[int]string{5000: tail}, unknown},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := keyed(func(r *bitrate.RateRule) { r.From, r.RangeStart, r.RangeEnd = c.from, c.start, c.end })
			require.NoError(t, f.Validate())
			r := &meteredReader{data: fileWith(10_000, c.pieces)}
			info, err := f.Detect(r, 10_000)
			assert.LessOrEqual(t, r.read, int64(bitrate.MaxRead))
			if c.want == unknown {
				var located *bitrate.Error
				require.ErrorAs(t, err, &located)
				assert.ErrorIs(t, err, bitrate.ErrUnknownRate)
				assert.Equal(t, bitrate.Declared, located.Container)
				return
			}
			require.NoError(t, err)
			assert.Equal(t, c.want, info.Average)
		})
	}
}

// The head fails not only where it has no pattern, but also where its value cannot be.
func TestFormatBothAfterBadValue(t *testing.T) {
	f := keyed(func(r *bitrate.RateRule) { r.From, r.Type = bitrate.Both, bitrate.Double })
	data := fileWith(20_000, map[int]string{7: "KEY" + doubleText(math.NaN()), 19_000: "KEY" + doubleText(64_000)})
	info, err := f.Detect(bytes.NewReader(data), 20_000)
	require.NoError(t, err)
	assert.EqualValues(t, 64_000, info.Average)
}

func TestFormatDataTypes(t *testing.T) {
	big, little := bitrate.BigEndian, bitrate.LittleEndian
	for _, c := range []struct {
		typ   bitrate.DataType
		order bitrate.Endianness
		bytes []byte
		unit  uint32
		want  int64
	}{
		{bitrate.Uint16, big, []byte{0xff, 0xfe}, 0, 65534},
		{bitrate.Uint16, little, []byte{0xfe, 0xff}, 1, 65534},
		{bitrate.Uint32, big, []byte{0, 1, 0x86, 0xa0}, 8, 800_000},
		{bitrate.Uint32, little, []byte{0xa0, 0x86, 1, 0}, 8, 800_000},
		{bitrate.Float, big, []byte{0x42, 0xf6, 0xe9, 0x79}, 1000, 123_456},
		{bitrate.Float, little, []byte{0x79, 0xe9, 0xf6, 0x42}, 1000, 123_456},
		{bitrate.Double, big, []byte{0x40, 0x5e, 0xdd, 0x2f, 0x1a, 0x9f, 0xbe, 0x77}, 1000, 123_456},
		{bitrate.Double, little, []byte{0x77, 0xbe, 0x9f, 0x1a, 0x2f, 0xdd, 0x5e, 0x40}, 1000, 123_456},
	} {
		f := keyed(func(r *bitrate.RateRule) { r.Type, r.Order, r.Unit, r.DataOffset = c.typ, c.order, c.unit, 5 })
		data := append([]byte("....KEY....."), c.bytes...)
		info, err := f.Detect(bytes.NewReader(data), int64(len(data)))
		require.NoError(t, err, "%v %v", c.typ, c.order)
		assert.InDelta(t, c.want, info.Average, 1, "%v %v", c.typ, c.order)

		_, err = f.Detect(bytes.NewReader(data[:len(data)-1]), int64(len(data)-1))
		assert.ErrorIs(t, err, bitrate.ErrCorrupt, "%v whose last byte is missing", c.typ)
	}
}

func TestFormatRefusesValues(t *testing.T) {
	for _, c := range []struct {
		name  string
		value float64
		want  error
	}{
		{"not a number", math.NaN(), bitrate.ErrCorrupt},
		{"infinite", math.Inf(1), bitrate.ErrCorrupt},
		{"negative infinite", math.Inf(-1), bitrate.ErrCorrupt},
		{"negative", -1000, bitrate.ErrCorrupt},
		{"zero", 0, bitrate.ErrUnknownRate},
		{"below the range", bitrate.MinRate - 1, bitrate.ErrUnknownRate},
		{"above the range", bitrate.MaxRate + 1, bitrate.ErrUnknownRate},
		{"above an int64", 1e300, bitrate.ErrUnknownRate},
	} {
		f := keyed(func(r *bitrate.RateRule) { r.Type = bitrate.Double })
		data := []byte("KEY" + doubleText(c.value))
		_, err := f.Detect(bytes.NewReader(data), int64(len(data)))
		assert.ErrorIs(t, err, c.want, c.name)
		var located *bitrate.Error
		assert.ErrorAs(t, err, &located, c.name)
	}
}

func TestFormatAddsRates(t *testing.T) {
	rule := func(key string) bitrate.RateRule {
		return bitrate.RateRule{Search: bitrate.Search{Pattern: []byte(key), Type: bitrate.Uint32}, Unit: 1000}
	}
	f := bitrate.Format{Extension: ".x", Rates: []bitrate.RateRule{rule("VIDEO"), rule("AUDIO"), rule("TEXT")}}
	// The duration rule would give another rate, and is ignored even where the rates are not found.
	f.Duration = &bitrate.DurationRule{Duration: bitrate.Search{Pattern: []byte("LENGTH"), Type: bitrate.Uint32}, ConstScale: 1}

	all := fileWith(1000, map[int]string{
		10: "VIDEO" + uint32Text(500), 100: "AUDIO" + uint32Text(64), 200: "TEXT" + uint32Text(1), 300: "LENGTH" + uint32Text(2)})
	info, err := f.Detect(bytes.NewReader(all), 1000)
	require.NoError(t, err)
	assert.Equal(t, bitrate.Info{Container: bitrate.Declared, Average: 565_000, Method: "rule"}, info)

	some := fileWith(1000, map[int]string{100: "AUDIO" + uint32Text(64)})
	info, err = f.Detect(bytes.NewReader(some), 1000)
	require.NoError(t, err)
	assert.EqualValues(t, 64_000, info.Average, "a stream that is not in the file has no rate")

	none := fileWith(1000, map[int]string{300: "LENGTH" + uint32Text(2)})
	_, err = f.Detect(bytes.NewReader(none), 1000)
	assert.ErrorIs(t, err, bitrate.ErrUnknownRate)

	cut := fileWith(1000, map[int]string{10: "VIDEO" + uint32Text(500), 994: "AUDIO"})[:999]
	_, err = f.Detect(bytes.NewReader(cut), 999)
	assert.ErrorIs(t, err, bitrate.ErrCorrupt, "half of a rate is not believed")
}

func TestFormatDuration(t *testing.T) {
	search := func(key string) bitrate.Search { return bitrate.Search{Pattern: []byte(key), Type: bitrate.Uint32} }
	inFile := &bitrate.DurationRule{Duration: search("LENGTH"), Timescale: search("SCALE")}
	constant := &bitrate.DurationRule{Duration: search("LENGTH"), ConstScale: 1000}
	for _, c := range []struct {
		name   string
		rule   *bitrate.DurationRule
		length uint32
		scale  uint32
		want   int64 // of a file of 100,000 bytes
		d      time.Duration
	}{
		{"scale in the file", inFile, 900_000, 90_000, 80_000, 10 * time.Second},
		{"constant scale", constant, 2_500, 1, 320_000, 2500 * time.Millisecond},
		{"no duration", inFile, 0, 90_000, 0, 0},
		{"no scale", inFile, 900_000, 0, 0, 0},
		{"neither", inFile, 0, 0, 0, 0},
		{"no duration, constant scale", constant, 0, 1, 0, 0},
		{"too slow to be", constant, math.MaxUint32, 1, 0, 0},
		{"too fast to be", inFile, 1, 1_000_000, 0, 0},
	} {
		f := bitrate.Format{Extension: ".x", Duration: c.rule}
		data := fileWith(100_000, map[int]string{30: "LENGTH" + uint32Text(c.length), 90: "SCALE" + uint32Text(c.scale)})
		info, err := f.Detect(bytes.NewReader(data), int64(len(data)))
		if c.want == 0 {
			assert.ErrorIs(t, err, bitrate.ErrUnknownRate, c.name)
			continue
		}
		require.NoError(t, err, c.name)
		assert.Equal(t, bitrate.Info{Container: bitrate.Declared, Average: c.want, Duration: c.d, Method: "rule"}, info, c.name)
	}

	double := func(key string) bitrate.Search { return bitrate.Search{Pattern: []byte(key), Type: bitrate.Double} }
	wide := bitrate.Format{Extension: ".x", Duration: &bitrate.DurationRule{Duration: double("LENGTH"), Timescale: double("SCALE")}}
	for _, v := range [][2]float64{{5e-324, 1e300}, {1e300, 5e-324}, {1e300, 1}, {1, 1e300}} {
		data := fileWith(1000, map[int]string{30: "LENGTH" + doubleText(v[0]), 90: "SCALE" + doubleText(v[1])})
		_, err := wide.Detect(bytes.NewReader(data), 1000)
		assert.ErrorIs(t, err, bitrate.ErrUnknownRate, "%v", v)
	}

	f := bitrate.Format{Extension: ".x", Duration: inFile}
	data := fileWith(1000, map[int]string{30: "LENGTH" + uint32Text(5)})
	_, err := f.Detect(bytes.NewReader(data), 1000)
	assert.ErrorIs(t, err, bitrate.ErrUnknownRate, "no scale in the file")
}

func TestFormatValidateNamesTheField(t *testing.T) {
	rate := func(edit func(*bitrate.RateRule)) bitrate.Format { return keyed(edit) }
	duration := func(edit func(*bitrate.DurationRule)) bitrate.Format {
		s := bitrate.Search{Pattern: []byte("KEY"), Type: bitrate.Uint32}
		r := &bitrate.DurationRule{Duration: s, Timescale: s}
		edit(r)
		return bitrate.Format{Extension: ".x", Duration: r}
	}
	type rr = *bitrate.RateRule
	type dr = *bitrate.DurationRule
	for _, c := range []struct {
		field, attribute string
		format           bitrate.Format
	}{
		{"Extension", "fileExtension", bitrate.Format{}},
		{"Extension", "fileExtension", bitrate.Format{Extension: "mp4"}},
		{"Extension", "fileExtension", bitrate.Format{Extension: "."}},
		{"Extension", "fileExtension", bitrate.Format{Extension: ".tar.gz"}},
		{"Rates[0].Pattern", "searchPattern", rate(func(r rr) { r.Pattern = nil })},
		{"Rates[0].From", "searchFrom", rate(func(r rr) { r.From = 3 })},
		{"Rates[0].From", "searchFrom", rate(func(r rr) { r.From = -1 })},
		{"Rates[0].Type", "dataType", rate(func(r rr) { r.Type = 0 })},
		{"Rates[0].Type", "dataType", rate(func(r rr) { r.Type = 5 })},
		{"Rates[0].Order", "endianness", rate(func(r rr) { r.Order = 2 })},
		{"Rates[0].DataOffset", "dataOffset", rate(func(r rr) { r.DataOffset = math.MaxUint32 })},
		{"Rates[0].RangeStart", "searchRangeStart", rate(func(r rr) { r.RangeStart = -1 })},
		{"Rates[0].RangeEnd", "searchRangeEnd", rate(func(r rr) { r.RangeEnd = -1 })},
		{"Rates[0].RangeEnd", "searchRangeEnd", rate(func(r rr) { r.RangeEnd = math.MinInt64 })},
		{"Rates[0].RangeEnd", "searchRangeEnd", rate(func(r rr) { r.RangeStart = 4096 })},
		{"Rates[0].RangeEnd", "searchRangeEnd", rate(func(r rr) { r.RangeStart, r.RangeEnd = 100, 102 })},
		{"Rates[0].RangeEnd", "searchRangeEnd", rate(func(r rr) { r.RangeEnd = bitrate.MaxRead })},
		{"Rates[0].RangeEnd", "searchRangeEnd", rate(func(r rr) { r.RangeEnd = math.MaxInt64 })},
		{"Rates[0].RangeEnd", "searchRangeEnd", rate(func(r rr) { r.From, r.RangeEnd = bitrate.Both, bitrate.MaxRead/2 })},
		{"Duration.Duration.Pattern", "searchPattern", duration(func(r dr) { r.Duration.Pattern = nil })},
		{"Duration.Timescale.Type", "dataType", duration(func(r dr) { r.Timescale.Type = 0 })},
		{"Duration.Timescale.RangeEnd", "searchRangeEnd", duration(func(r dr) {
			r.Duration.RangeEnd, r.Timescale.RangeEnd = bitrate.MaxRead/2, bitrate.MaxRead/2+1
		})},
	} {
		err := c.format.Validate()
		var bad *bitrate.FormatError
		if !assert.ErrorAs(t, err, &bad, c.field) {
			continue
		}
		assert.Equal(t, []string{c.format.Extension, c.field, c.attribute}, []string{bad.Extension, bad.Field, bad.Attribute})
		assert.Contains(t, err.Error(), c.field)
		assert.Contains(t, err.Error(), c.attribute)
		_, err = c.format.Detect(bytes.NewReader(make([]byte, 100)), 100)
		assert.ErrorAs(t, err, &bad, "%s: what is not valid is not used", c.field)
	}
	for name, f := range map[string]bitrate.Format{
		"no rules":          {Extension: ".x"},
		"far away":          rate(func(r rr) { r.RangeStart, r.RangeEnd = 1<<40, 1<<40+4096 }),
		"pattern as window": rate(func(r rr) { r.RangeStart, r.RangeEnd = 100, 103 }),
		"equal windows": duration(func(r dr) {
			r.Duration.RangeEnd, r.Timescale.RangeEnd = bitrate.MaxRead-8192, bitrate.MaxRead-8192
		}),
		"timescale not asked": duration(func(r dr) { r.ConstScale, r.Timescale = 1, bitrate.Search{} }),
	} {
		assert.NoError(t, f.Validate(), name)
	}
}

func TestFormatReadsWithinTheBudget(t *testing.T) {
	s := bitrate.Search{
		Pattern: []byte("KEY"), From: bitrate.Both, RangeEnd: (bitrate.MaxRead - 8192) / 2, DataOffset: 1 << 20, Type: bitrate.Uint32}
	f := bitrate.Format{Extension: ".x", Duration: &bitrate.DurationRule{Duration: s, Timescale: s}}
	require.NoError(t, f.Validate())
	r := &meteredReader{data: fileWith(4<<20, map[int]string{3 << 20: "KEY"})}
	_, err := f.Detect(r, 4<<20)
	assert.ErrorIs(t, err, bitrate.ErrUnknownRate, "the pattern is in the middle")
	assert.LessOrEqual(t, r.read, int64(bitrate.MaxRead))
	assert.Greater(t, r.read, int64(bitrate.MaxRead/2), "both ends were read")
}

func TestFormatWords(t *testing.T) {
	for word, want := range map[string]bitrate.From{"beginning": bitrate.Beginning, "end": bitrate.End, "both": bitrate.Both} {
		got, err := bitrate.ParseFrom(word)
		require.NoError(t, err)
		assert.Equal(t, want, got)
		assert.Equal(t, word, got.String())
	}
	for word, want := range map[string]bitrate.DataType{
		"uint16": bitrate.Uint16, "uint32": bitrate.Uint32, "float": bitrate.Float, "double": bitrate.Double} {
		got, err := bitrate.ParseDataType(word)
		require.NoError(t, err)
		assert.Equal(t, want, got)
		assert.Equal(t, word, got.String())
	}
	for word, want := range map[string]bitrate.Endianness{"bigEndian": bitrate.BigEndian, "littleEndian": bitrate.LittleEndian} {
		got, err := bitrate.ParseEndianness(word)
		require.NoError(t, err)
		assert.Equal(t, want, got)
		assert.Equal(t, word, got.String())
	}
	for _, word := range []string{"", "Both", "middle"} {
		_, err := bitrate.ParseFrom(word)
		assert.ErrorContains(t, err, "searchFrom", word)
		_, err = bitrate.ParseDataType(word)
		assert.ErrorContains(t, err, "dataType", word)
		_, err = bitrate.ParseEndianness(word)
		assert.ErrorContains(t, err, "endianness", word)
	}
	assert.Equal(t, "DataType(0)", bitrate.DataType(0).String())
	assert.Equal(t, "From(-1)", bitrate.From(-1).String())
}

func TestParsePattern(t *testing.T) {
	b, err := bitrate.ParsePattern(bitrate.HexValue, "A1dC00")
	require.NoError(t, err)
	assert.Equal(t, []byte{0xa1, 0xdc, 0}, b)
	b, err = bitrate.ParsePattern(bitrate.StringValue, "A1dC00 ")
	require.NoError(t, err)
	assert.Equal(t, []byte("A1dC00 "), b)
	for _, c := range [][3]string{
		{bitrate.HexValue, "A1D", "hexadecimal"}, {bitrate.HexValue, "0xA1", "hexadecimal"}, {bitrate.HexValue, "", "empty"},
		{bitrate.StringValue, "", "empty"}, {bitrate.StringValue, "d\u00fcration", "ASCII"}, {"", "mvhd", "searchPatternType"},
	} {
		_, err := bitrate.ParsePattern(c[0], c[1])
		assert.ErrorContains(t, err, c[2], "%q", c)
	}
}

// A detector asks the rules where no parser knows the content, by extension in any case.
func TestDetectorAsksFormats(t *testing.T) {
	data := fileWith(5000, map[int]string{100: "KEY" + uint32Text(250_000)})
	formats := []bitrate.Format{{Extension: ".y"}, keyed(func(*bitrate.RateRule) {})}
	d := bitrate.Detector{Name: "dir.x/file.X", Formats: formats}
	info, err := d.Detect(bytes.NewReader(data), int64(len(data)))
	require.NoError(t, err)
	assert.Equal(t, bitrate.Info{Container: bitrate.Declared, Average: 250_000, Method: "rule"}, info)

	d.Name = "dir.x/file.z"
	_, err = d.Detect(bytes.NewReader(data), int64(len(data)))
	assert.ErrorIs(t, err, bitrate.ErrUnknownContainer)

	d.Name = "file.y"
	_, err = d.Detect(bytes.NewReader(data), int64(len(data)))
	assert.ErrorIs(t, err, bitrate.ErrUnknownContainer)
	assert.ErrorIs(t, err, bitrate.ErrUnknownRate, "a format without rules finds nothing")
}

func TestFormatErrorOfReader(t *testing.T) {
	f := keyed(func(r *bitrate.RateRule) { r.From = bitrate.Both })
	broken := errors.New("store is away")
	_, err := f.Detect(failingReaderAt{broken}, 100_000)
	assert.ErrorIs(t, err, broken)
}

type failingReaderAt struct{ err error }

func (r failingReaderAt) ReadAt([]byte, int64) (int, error) { return 0, r.err }

func FuzzFormat(f *testing.F) {
	movie := "....moov....mvhd" + strings.Repeat("\x00", 12) + uint32Text(1000) + uint32Text(2000)
	f.Add([]byte(movie), []byte("mvhd"), 2, int64(0), int64(65536), uint32(12), 2, 0, uint32(0), false, int64(len(movie)))
	f.Add([]byte("FLV\x01....\x09..onMetaData..videodatarate\x00"+doubleText(400)), []byte("videodatarate"), 0, int64(9), int64(4096),
		uint32(1), 4, 0, uint32(1000), true, int64(54))
	f.Add([]byte("PROP\x00\x00"), []byte("PROP"), 1, int64(0), int64(0), uint32(6), 2, 1, uint32(1), true, int64(1<<62))
	f.Add([]byte("KEY"+doubleText(math.NaN())), []byte("KEY"), 0, int64(-5), int64(math.MaxInt64), uint32(0), 4, 0, uint32(7), false, int64(11))
	f.Add([]byte("KEY"+uint32Text(1<<20)), []byte("KEY"), 1, int64(0), int64(0), uint32(0), 2, 0, uint32(1), true, int64(-5))
	f.Add([]byte{}, []byte{}, -1, int64(math.MinInt64), int64(math.MinInt64), uint32(math.MaxUint32), 9, -3, uint32(0), true, int64(0))
	f.Fuzz(func(t *testing.T, data, pattern []byte, from int, start, end int64, offset uint32, typ, order int, unit uint32,
		rate bool, size int64) {
		s := bitrate.Search{Pattern: pattern, From: bitrate.From(from), RangeStart: start, RangeEnd: end,
			DataOffset: offset, Type: bitrate.DataType(typ), Order: bitrate.Endianness(order)}
		format := bitrate.Format{Extension: ".x", Rates: []bitrate.RateRule{{Search: s, Unit: unit}}}
		if !rate {
			scale := s
			scale.DataOffset /= 2
			format = bitrate.Format{Extension: ".x", Duration: &bitrate.DurationRule{Duration: s, Timescale: scale, ConstScale: unit}}
		}
		r := &meteredReader{data: data}
		info, err := format.Detect(r, size) // the size may be a lie
		assert.LessOrEqual(t, r.read, int64(bitrate.MaxRead))
		if invalid := format.Validate(); invalid != nil {
			assert.Equal(t, invalid, err)
			return
		}
		if err != nil {
			var located *bitrate.Error
			require.ErrorAs(t, err, &located)
			assert.Equal(t, bitrate.Declared, located.Container)
			assert.True(t, located.Offset >= 0 && located.Offset <= max(size, 0), "offset %d of %d", located.Offset, size)
			return
		}
		assert.True(t, info.Average >= bitrate.MinRate && info.Average <= bitrate.MaxRate && info.Duration >= 0, "%+v", info)
	})
}

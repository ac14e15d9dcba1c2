package bitrate_test

import (
	"encoding/xml"
	"os"
	"testing"

	"github.com/smoothkit/smoothkit/internal/testmedia"
	"github.com/smoothkit/smoothkit/throttle/bitrate"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// publishedSearch has the attributes of a search as IIS's documentation writes them.
type publishedSearch struct {
	Pattern    string `xml:"searchPattern,attr"`
	Kind       string `xml:"searchPatternType,attr"`
	From       string `xml:"searchFrom,attr"`
	Start      int64  `xml:"searchRangeStart,attr"`
	End        int64  `xml:"searchRangeEnd,attr"`
	DataOffset uint32 `xml:"dataOffset,attr"`
	Type       string `xml:"dataType,attr"`
	Order      string `xml:"endianness,attr"`
	Unit       uint32 `xml:"unitBitPerSecond,attr"`
	ConstScale uint32 `xml:"constScale,attr"`
}

type publishedFormats struct {
	Add []struct {
		Extension string            `xml:"fileExtension,attr"`
		Rates     []publishedSearch `xml:"bitrateRules>add"`
		Duration  publishedSearch   `xml:"durationRule>duration"`
		Timescale publishedSearch   `xml:"durationRule>timeScale"`
	} `xml:"add"`
}

func (p *publishedSearch) search(t *testing.T) bitrate.Search {
	t.Helper()
	if p.Pattern == "" {
		return bitrate.Search{}
	}
	s := bitrate.Search{RangeStart: p.Start, RangeEnd: p.End, DataOffset: p.DataOffset}
	var err error
	s.Pattern, err = bitrate.ParsePattern(p.Kind, p.Pattern)
	require.NoError(t, err)
	if p.From != "" {
		s.From, err = bitrate.ParseFrom(p.From)
		require.NoError(t, err)
	}
	s.Type, err = bitrate.ParseDataType(p.Type)
	require.NoError(t, err)
	s.Order, err = bitrate.ParseEndianness(p.Order)
	require.NoError(t, err)
	return s
}

// readPublishedFormats reads a sample, which is the inside of a mediaFormats element.
func readPublishedFormats(t *testing.T, sample string) map[string]bitrate.Format {
	t.Helper()
	text, err := os.ReadFile(testmedia.Shared(t, "testdata/config/"+sample))
	require.NoError(t, err)
	var list publishedFormats
	require.NoError(t, xml.Unmarshal([]byte("<mediaFormats>"+string(text)+"</mediaFormats>"), &list))
	formats := make(map[string]bitrate.Format)
	for _, add := range list.Add {
		f := bitrate.Format{Extension: add.Extension}
		for i := range add.Rates {
			f.Rates = append(f.Rates, bitrate.RateRule{Search: add.Rates[i].search(t), Unit: add.Rates[i].Unit})
		}
		if add.Duration.Pattern != "" {
			f.Duration = &bitrate.DurationRule{
				Duration: add.Duration.search(t), ConstScale: add.Timescale.ConstScale, Timescale: add.Timescale.search(t)}
		}
		require.NoError(t, f.Validate())
		formats[f.Extension] = f
	}
	return formats
}

// The built-in rules are those of the documentation, which states their defaults.
func TestBuiltinFormatsArePublishedOnes(t *testing.T) {
	published := readPublishedFormats(t, "iis-docs-throttling-5.xml")
	durations := readPublishedFormats(t, "iis-docs-throttling-6.xml")
	published[".mov"], published[".mp4"] = durations[".mov"], durations[".mp4"]
	builtin := make(map[string]bitrate.Format)
	for _, f := range bitrate.BuiltinFormats() {
		setDefaults(&f)
		builtin[f.Extension] = f
	}
	assert.Equal(t, published, builtin)
	assert.Equal(t, uint32(1), durations[".flv"].Duration.ConstScale)
}

// setDefaults writes defaults out, in place.
func setDefaults(f *bitrate.Format) {
	for i := range f.Rates {
		if f.Rates[i].Unit == 0 {
			f.Rates[i].Unit = bitrate.DefaultUnit
		}
		if f.Rates[i].RangeEnd == 0 {
			f.Rates[i].RangeEnd = bitrate.DefaultRangeEnd
		}
	}
}

// The form of the FLV rule with the duration reads the number of onMetaData.
func TestPublishedDurationRule(t *testing.T) {
	rule := readPublishedFormats(t, "iis-docs-throttling-6.xml")[".flv"]
	for name, want := range readExpectedMedia(t) {
		seconds := want.HeaderFields["duration"]
		if seconds == 0 {
			continue
		}
		file, err := os.Open(testmedia.Shared(t, "testdata/"+name))
		require.NoError(t, err)
		stat, err := file.Stat()
		require.NoError(t, err)
		info, err := rule.Detect(file, stat.Size())
		require.NoError(t, file.Close())
		require.NoError(t, err, name)
		assert.InDelta(t, seconds, info.Duration.Seconds(), 0.001, name)
		assert.InEpsilon(t, float64(stat.Size())*8/seconds, info.Average, 0.001, name)
	}
}

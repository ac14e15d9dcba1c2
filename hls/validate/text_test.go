package validate_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/smoothkit/smoothkit/hls/validate"
)

const vttText = `WEBVTT - a title
X-TIMESTAMP-MAP=LOCAL:00:00:00.000,MPEGTS:900000

NOTE nothing
to see

STYLE
::cue { color: red }

1
00:00.500 --> 00:00:01.000 align:left
Hello
--> no cue

00:00:01.000	-->	00:00:01.500
World
`

func textFixtures() []fixture {
	return []fixture{
		{"HV101", "", "WEBVTT - a title", "WEBVTTX"},
		{"HV101", "", "MPEGTS:900000\n", "MPEGTS:900000\n00:00.100 --> 00:00.200\n"},
		{"HV102", "", "Hello", "\xff"},
		{"HV103", "", "X-TIMESTAMP-MAP=LOCAL:00:00:00.000,MPEGTS:900000\n", ""},
		{"HV104", "", "MPEGTS:900000", "MPEGTS:8589934592"},
		{"HV104", "", "LOCAL:00:00:00.000,", ""},
		{"HV105", "", "00:00.500 -->", "0.500 -->"},
		{"HV105", "", "00:00.500 -->", "00:00.500-->"},
		{"HV105", "", "00:00:01.500", "00:00:61.500"},
		{"HV106", "", "00:00:01.500", "00:00:01.000"},
		{"HV107", "", "00:00:01.000\t", "00:00:00.100\t"},
	}
}

func TestTextRules(t *testing.T) {
	assert.Empty(t, checkBytes(t, []byte(vttText), nil).Violations)
	assert.Empty(t, checkBytes(t, []byte("\xEF\xBB\xBF"+strings.ReplaceAll(vttText, "\n", "\r\n")), nil).Violations)
	for _, f := range textFixtures() {
		text := strings.Replace(vttText, f.old, f.new, 1)
		assert.NotEqual(t, vttText, text)
		r := checkBytes(t, []byte(text), nil)
		assert.Equal(t, []string{f.rule}, rulesOf(r), "%q: %v", f.new, r.Violations)
	}
}

// packed makes a packed audio segment of n frames that begins at a time of the 90 kHz clock.
func packed(time int64, n int) []byte {
	body := append([]byte("com.apple.streaming.transportStreamTimestamp\x00"), u32(int(time>>32))...)
	body = append(body, u32(int(uint32(time)))...)
	frame := slices.Concat([]byte("PRIV"), []byte{0, 0, 0, byte(len(body)), 0, 0}, body)
	out := slices.Concat([]byte("ID3\x04\x00\x00\x00\x00\x00"), []byte{byte(len(frame))}, frame)
	for range n {
		out = append(out, adts(100)...)
	}
	return out
}

func TestPackedRules(t *testing.T) {
	r := checkBytes(t, packed(900_000, 10), nil)
	assert.Empty(t, r.Violations)
	assert.Equal(t, 10, r.Checked.Samples)
	for _, f := range packedFixtures() {
		r := checkBytes(t, f.change(packed(900_000, 10)), nil)
		assert.Equal(t, []string{f.rule}, rulesOf(r), "%v", r.Violations)
	}
	six := packed(0, 1)
	six[len(six)-98] |= 1
	assert.Equal(t, []string{"HD102"}, rulesOf(checkBytes(t, six, &validate.Options{Profile: validate.ProfileIIS})))
}

type bytesFixture struct {
	rule   string
	change func([]byte) []byte
}

func packedFixtures() []bytesFixture {
	end := len(packed(0, 0))
	return []bytesFixture{
		{"HA101", func(b []byte) []byte { return b[end:] }},
		{"HA101", func(b []byte) []byte { b[30] ^= 1; return b }},
		{"HA102", func(b []byte) []byte { b[13+4] = 99; return b }},
		{"HA103", func(b []byte) []byte { return append(packed(1<<33, 0), b[end:]...) }},
		{"HA111", func(b []byte) []byte { b[end+200] = 0; return b }},
		{"HA111", func(b []byte) []byte { return b[:len(b)-1] }},
		{"HA111", func(b []byte) []byte { return b[:end] }},
		{"HA112", func(b []byte) []byte { b[end+203] ^= 0xC0; return b }},
	}
}

// TestBytesUnknown checks the error for what is neither playlist nor segment.
func TestBytesUnknown(t *testing.T) {
	for _, data := range []string{"", "hello", "<MPD/>", "\x00\x00\x00\x08abcd"} {
		_, err := validate.Bytes("x", []byte(data), nil)
		assert.ErrorContains(t, err, "neither a playlist nor a segment", data)
	}
}

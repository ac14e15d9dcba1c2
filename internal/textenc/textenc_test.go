package textenc

import (
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestUTF8(t *testing.T) {
	for name, in := range map[string]string{
		"plain":            "<a>ü😀</a>",
		"mark":             "\xef\xbb\xbf<a>ü😀</a>",
		"UTF-16LE":         "\xff\xfe<\x00a\x00>\x00\xfc\x00\x3d\xd8\x00\xde<\x00/\x00a\x00>\x00",
		"UTF-16LE no mark": "<\x00a\x00>\x00\xfc\x00\x3d\xd8\x00\xde<\x00/\x00a\x00>\x00",
		"UTF-16BE":         "\xfe\xff\x00<\x00a\x00>\x00\xfc\xd8\x3d\xde\x00\x00<\x00/\x00a\x00>",
		"UTF-16BE no mark": "\x00<\x00a\x00>\x00\xfc\xd8\x3d\xde\x00\x00<\x00/\x00a\x00>",
	} {
		out, err := UTF8([]byte(in))
		require.NoError(t, err, name)
		assert.Equal(t, "<a>ü😀</a>", string(out), name)
	}
	for name, in := range map[string]string{
		"odd": "\xff\xfe<", "lone high": "\xff\xfe\x3d\xd8", "high before no low": "\xff\xfe\x3d\xd8a\x00", "lone low": "\xff\xfe\x00\xde",
	} {
		_, err := UTF8([]byte(in))
		assert.ErrorContains(t, err, "UTF-16", name)
	}
}

func FuzzUTF8(f *testing.F) {
	f.Add([]byte("\xff\xfe<\x00"))
	f.Add([]byte("\x00<\x00a"))
	f.Add([]byte("\xef\xbb\xbfa"))
	f.Fuzz(func(t *testing.T, data []byte) {
		out, err := UTF8(data)
		if err == nil && !utf8.Valid(out) && utf8.Valid(data) {
			t.Fatalf("%q became %q", data, out)
		}
	})
}

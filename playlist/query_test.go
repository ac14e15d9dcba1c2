package playlist

import (
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestParseQuery(t *testing.T) {
	for _, c := range []struct {
		raw, delimiter string
		want           query
	}{
		{"", ";", query{}},
		{"sessionId=a;entryId=1", ";", query{"sessionid": "a", "entryid": "1"}},
		{"SESSIONID=a&ENTRYID=1", ";", query{"sessionid": "a", "entryid": "1"}},
		{"a=1;a=2&A=3", ";", query{"a": "1"}},
		{"a=1;b=2", "&", query{"a": "1;b=2"}},
		{"a=1;b=2", "|", query{"a": "1;b=2"}},
		{"a=1|b=2&c=3", "|", query{"a": "1", "b": "2", "c": "3"}},
		{"a=1--b=2", "--", query{"a": "1", "b": "2"}},
		{";;&&a;=x;b==c", ";", query{"a": "", "b": "=c"}},
		{"f=a%20b%3C%26%C3%BC%3B;g=a+b", ";", query{"f": "a b<&ü;", "g": "a b"}},
	} {
		got, ok := parseQuery(c.raw, c.delimiter)
		require.True(t, ok, c.raw)
		assert.Equal(t, c.want, got, c.raw)
	}
	for _, raw := range []string{"%", "a=%zz", "%zz=1", "a=1;b=%2", strings.Repeat("a", maxQuery+1), pairs(maxPairs + 1)} {
		_, ok := parseQuery(raw, ";")
		assert.False(t, ok, "%.40s", raw)
	}
	_, ok := parseQuery(pairs(maxPairs), ";")
	assert.True(t, ok)
}

// pairs returns a query of n names.
func pairs(n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(strings.Repeat("a", i+1) + "=1;")
	}
	return b.String()
}

func FuzzParseQuery(f *testing.F) {
	for _, s := range []string{"sessionId=a;entryId=1", "a=1&b=%20;c", "%zz", "a=%C3%BC;;=;&", "format=a+b%26", "a|b", ";"} {
		f.Add(s, ";")
		f.Add(s, "|")
	}
	f.Fuzz(func(t *testing.T, raw, delimiter string) {
		q, ok := parseQuery(raw, delimiter)
		if !ok {
			return
		}
		require.LessOrEqual(t, len(q), maxPairs)
		for name, value := range q {
			require.NotEmpty(t, name)
			require.LessOrEqual(t, len(name)+len(value), 3*len(raw)+3, "lower case may be longer")
			if delimiter != ";" || strings.ToLower(name) != name {
				continue
			}
			again, ok := parseQuery(url.QueryEscape(name)+"="+escapeName(value), delimiter)
			if len(raw) < maxQuery/6 {
				require.True(t, ok)
				require.Equal(t, query{name: value}, again, "what is escaped is read as it was")
			}
		}
	})
}

func FuzzParsePath(f *testing.F) {
	for _, s := range []string{"1", "2.1", "10000.3.7", "", "0", "01", "1.", "1..2", "+1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if p := parsePath(s); p != nil {
			require.Equal(t, s, p.String(), "one spelling")
			require.LessOrEqual(t, len(p), 32)
		}
	})
}

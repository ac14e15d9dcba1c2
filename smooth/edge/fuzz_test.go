package edge_test

import (
	"net/url"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/smooth/edge"
)

// Whatever else stands in Cache-Control, no-store that stands by itself is seen, and a split at a comma outside quotes
// changes nothing.
func FuzzCacheControl(f *testing.F) {
	for _, seed := range []string{
		"", "max-age=10", "no-store", `private="a,b", max-age="5"`, `a="\"", s-maxage=1`, "max-age=99999999999999999999",
		`no-cache="set-cookie`, ",,=;\x00", "stale-if-error=a, stale-while-revalidate=1", `"`, `\`, `a="\`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		alone := edge.ControlOf(s)
		assert.Equal(t, alone, edge.ControlOf(s, ""))
		assert.Equal(t, edge.ControlOf("no-store", s), edge.ControlOf("no-store, "+s))
		assert.Equal(t, edge.ControlOf(s, s), alone, "twice the same is the same")
		edge.RequestControlOf(s)
		if !strings.ContainsAny(s, `"\`) {
			assert.Equal(t, edge.ControlOf(strings.Split(s, ",")...), alone)
			assert.Equal(t, edge.ControlOf(s+",no-store"), edge.ControlOf(s, "no-store"))
		}
	})
}

// What decodes is encoded to the same bytes, or bytes that decode the same, and what was cut or lies is an error.
func FuzzDiskFile(f *testing.F) {
	dir := f.TempDir()
	handler := reply(200, "body", "Cache-Control", "max-age=1000", "Vary", "Accept-Encoding", "Content-Type", "video/mp4")
	r := newRig(f, handler, &edge.Options{Dir: dir})
	r.get("/a?b=c")
	r.cache.WaitWritten()
	b, err := os.ReadFile(files(f, dir)[0])
	require.NoError(f, err)
	again, err := edge.DecodeDisk(b)
	require.NoError(f, err)
	require.Equal(f, b, again)
	for i := range b {
		_, err := edge.DecodeDisk(b[:i])
		require.ErrorIs(f, err, edge.ErrCorrupt, i)
	}
	for i := range len(b) - len("body") {
		damaged := append([]byte(nil), b...)
		damaged[i] ^= 1
		_, err := edge.DecodeDisk(damaged)
		require.ErrorIs(f, err, edge.ErrCorrupt, i)
	}
	f.Add(b)
	f.Add(b[:28])
	f.Add([]byte("edgeobj\x01"))
	f.Fuzz(func(t *testing.T, b []byte) {
		once, err := edge.DecodeDisk(b)
		if err != nil {
			return
		}
		twice, err := edge.DecodeDisk(once)
		require.NoError(t, err)
		assert.Equal(t, once, twice)
	})
}

// A canonical path means the same, stays what it is, and has nothing escaped that need not be.
func FuzzPath(f *testing.F) {
	for _, seed := range []string{
		"/", "/a%28b%29", "/%2e%2E/", "/%", "/%4", "/%zz", "/a%2fb%5C", "/%c3%a9", "/%25%32%35",
		"/%%32A", // what is no escape must not become one
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, path string) {
		canonical := edge.CanonicalPath(path)
		assert.Equal(t, canonical, edge.CanonicalPath(canonical))
		want, err := url.PathUnescape(path)
		if err != nil {
			return
		}
		got, err := url.PathUnescape(canonical)
		require.NoError(t, err)
		assert.Equal(t, want, got)
	})
}

func TestStripQuery(t *testing.T) {
	for query, want := range map[string]string{
		"": "", "CMCD=1": "", "a=1&CMCD=1&b=2": "a=1&b=2", "CMCDX=1&x=CMCD": "CMCDX=1&x=CMCD", "%43MCD=1&a": "a",
		"CMCD&CMCD&a=": "a=", "cmcd=1": "cmcd=1",
	} {
		assert.Equal(t, want, edge.StripQuery(query, "CMCD"), query)
	}
	assert.Equal(t, "CMCD=1", edge.StripQuery("CMCD=1"))
}

func TestFIFO(t *testing.T) {
	f := edge.NewFIFO(100)
	for _, k := range []string{"a", "b", "c", "d"} {
		assert.Empty(t, f.Set(k, 25))
	}
	f.Hit("b")
	assert.Equal(t, []string{"a"}, f.Set("e", 25), "the oldest that was not hit")
	assert.Equal(t, []string{"c"}, f.Set("f", 25), "b is in the main queue now")
	assert.Equal(t, []string{"d"}, f.Set("a", 25), "a was remembered and enters the main queue")
	for _, k := range []string{"g", "h", "i", "j"} {
		f.Set(k, 25)
		assert.True(t, f.Hit("a"))
		assert.True(t, f.Hit("b"))
	}
	bytes, items, ghosts := f.Bytes()
	assert.EqualValues(t, 100, bytes)
	assert.Equal(t, 4, items)
	assert.Positive(t, ghosts)
	assert.Equal(t, []string{"i"}, f.Set("j", 50), "what grows needs room")
	f.Remove("a")
	f.Remove("a")
	f.Remove("b")
	assert.Equal(t, []string{"z"}, f.Set("z", 101), "more than there is at all")
	assert.Equal(t, []string{"j"}, f.Set("j", 101), "even if it was there")
	bytes, _, _ = f.Bytes()
	assert.LessOrEqual(t, bytes, int64(100))
	for i := range 1000 {
		f.Set(strings.Repeat("x", i), 25)
	}
	_, items, ghosts = f.Bytes()
	assert.LessOrEqual(t, items, 4)
	assert.LessOrEqual(t, ghosts, 64)
}

package xslt_test

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/smoothkit/smoothkit/playlist"
	"github.com/smoothkit/smoothkit/playlist/xslt"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestContentType(t *testing.T) {
	for body, want := range map[string]string{
		``:                            "text/xml",
		`<xsl:output method="xml"/>`:  "text/xml",
		`<xsl:output method="html"/>`: "text/html; charset=utf-8",
		`<xsl:output method="text" encoding="ISO-8859-1"/>`:        "text/plain; charset=iso-8859-1",
		`<xsl:output media-type="application/atom+xml"/>`:          "application/atom+xml",
		`<xsl:output method="text" media-type="text/csv"/>`:        "text/csv; charset=utf-8",
		`<xsl:output media-type="text/csv; charset=us-ascii"/>`:    "text/csv; charset=us-ascii",
		`<xsl:output method="html"/><xsl:output method="text"/>`:   "text/plain; charset=utf-8",
		`<xsl:output method="xml" media-type="text/vnd.example"/>`: "text/vnd.example; charset=utf-8",
	} {
		assert.Equal(t, want, newTransform(t, sheet(body), xslt.Options{Processor: &fake{}}).ContentType(), body)
	}
	f := newTransform(t, sheet(`<xsl:output method="html"/>`), xslt.Options{Processor: &fake{}, ContentType: "a/b"})
	assert.Equal(t, "a/b", f.ContentType())
}

// TestNewTries: the processor sees the stylesheet before there is a format.
func TestNewTries(t *testing.T) {
	for _, err := range []error{xslt.ErrStylesheet, xslt.ErrNotInstalled} {
		_, got := xslt.New(sheet(""), &xslt.Options{Processor: failing{err}})
		assert.ErrorIs(t, got, err)
	}
	_, err := xslt.New(sheet(""), &xslt.Options{Processor: failing{xslt.ErrFailed}})
	assert.NoError(t, err, "an empty document may be one that the stylesheet cannot do")
	_, err = xslt.New(bytes.Repeat([]byte(" "), xslt.MaxStylesheet+1), &xslt.Options{Processor: &fake{}})
	assert.ErrorIs(t, err, xslt.ErrTooLarge)
}

type failing struct{ err error }

func (f failing) Process(context.Context, []byte, []byte, int) ([]byte, error) { return nil, f.err }

// TestDefaultInput: without another input the document is the ASX of the listing.
func TestDefaultInput(t *testing.T) {
	p := &fake{}
	l := listing("http://h/a?sessionId=1;entryId=1")
	got := appended(t, newTransform(t, sheet(""), xslt.Options{Processor: p}), l)
	want, err := playlist.ASX{}.Append(t.Context(), nil, l)
	require.NoError(t, err)
	assert.Equal(t, "<"+string(want)+">", got)
}

func TestCache(t *testing.T) {
	p := &fake{}
	f := newTransform(t, sheet(""), xslt.Options{Processor: p, Input: urls{}})
	for range 3 {
		assert.Equal(t, "<a\n>", appended(t, f, listing("a")))
	}
	assert.Equal(t, 1, p.calls())
	assert.Equal(t, "<b\n>", appended(t, f, listing("b")))
	assert.Equal(t, "<a\n>", appended(t, f, listing("a")))
	assert.Equal(t, 2, p.calls())
}

// TestCacheBound: the results that were not used for longest make room, and one larger than the cache is never kept.
func TestCacheBound(t *testing.T) {
	long := strings.Repeat("x", 500)
	p := &fake{}
	f := newTransform(t, sheet(""), xslt.Options{Processor: p, Input: urls{}, CacheBytes: 2000}) // two results
	for _, u := range []string{"a", "b", "a", "c", "a", "b"} {                                   // c displaces b, b displaces c
		assert.Equal(t, "<"+u+long+"\n>", appended(t, f, listing(u+long)))
	}
	assert.Equal(t, 4, p.calls())
	for range 2 {
		appended(t, f, listing(strings.Repeat("y", 3000)))
	}
	assert.Equal(t, 6, p.calls())
	appended(t, f, listing("a"+long))
	assert.Equal(t, 6, p.calls(), "what is too large displaces nothing")

	p = &fake{}
	f = newTransform(t, sheet(""), xslt.Options{Processor: p, Input: urls{}, CacheBytes: -1})
	appended(t, f, listing("a"))
	appended(t, f, listing("a"))
	assert.Equal(t, 2, p.calls())
}

// TestErrorsAreNotKept: what has failed once is tried again.
func TestErrorsAreNotKept(t *testing.T) {
	broken := true
	p := &fake{process: func(_ context.Context, b []byte) ([]byte, error) {
		if broken {
			return nil, xslt.ErrFailed
		}
		return b, nil
	}}
	f := newTransform(t, sheet(""), xslt.Options{Processor: p, Input: urls{}})
	b, err := f.Append(t.Context(), []byte("x"), listing("a"))
	assert.ErrorIs(t, err, xslt.ErrFailed)
	assert.Equal(t, "x", string(b))
	broken = false
	assert.Equal(t, "a\n", appended(t, f, listing("a")))
}

// TestVolatile: sessions share a result, each gets its own IDs in it, and the processor and the cache see none of them.
func TestVolatile(t *testing.T) {
	p := &fake{process: func(_ context.Context, b []byte) ([]byte, error) { return bytes.Repeat(b, 2), nil }}
	session := func(l *playlist.Listing) []string { return []string{l.Title, l.Title + "-entry"} }
	f := newTransform(t, sheet(""), xslt.Options{Processor: p, Input: urls{}, Volatile: session})
	for _, id := range []string{"261276a9-99c2-4af6-b81d-47e88b7ce18c", "00000000-0000-0000-0000-000000000000"} {
		l := listing("http://h/"+id+"?a", "http://h/"+id+"-entry")
		l.Title = id
		one := "http://h/" + id + "?a\nhttp://h/" + id + "-entry\n"
		assert.Equal(t, one+one, appended(t, f, l))
		assert.NotContains(t, p.last(), id)
		assert.Len(t, p.last(), len(one))
	}
	assert.Equal(t, 1, p.calls())
}

// TestVolatileUnfit: short strings, and such that may be escaped, stay in the document; so does all if the document has
// what would stand in.
func TestVolatileUnfit(t *testing.T) {
	for name, s := range map[string]string{"short": "abcdefghijklmno", "escaped": "abcdefghijklmnop&", "umlaut": "abcdefghijklmnopü"} {
		t.Run(name, func(t *testing.T) {
			p := &fake{}
			f := newTransform(t, sheet(""), xslt.Options{Processor: p, Input: urls{}, Volatile: always(s)})
			assert.Equal(t, "<"+s+"\n>", appended(t, f, listing(s)))
			assert.Equal(t, s+"\n", p.last())
		})
	}
	const id = "261276a9-99c2-4af6-b81d-47e88b7ce18c"
	p := &fake{}
	f := newTransform(t, sheet(""), xslt.Options{Processor: p, Input: urls{}, Volatile: always(id)})
	appended(t, f, listing(id))
	standIn := strings.TrimSpace(p.last())
	require.NotEqual(t, id, standIn)
	assert.Equal(t, "<"+id+"\n"+standIn+"\n>", appended(t, f, listing(id, standIn)))
}

func always(s string) func(*playlist.Listing) []string {
	return func(*playlist.Listing) []string { return []string{s} }
}

func TestLimits(t *testing.T) {
	p := &fake{process: func(context.Context, []byte) ([]byte, error) { return make([]byte, 101), nil }}
	f := newTransform(t, sheet(""), xslt.Options{Processor: p, Input: urls{}, MaxOutput: 100})
	_, err := f.Append(t.Context(), nil, listing("a"))
	assert.ErrorIs(t, err, xslt.ErrTooLarge)

	p = &fake{}
	f = newTransform(t, sheet(""), xslt.Options{Processor: p, Input: fixed(strings.Repeat("x", xslt.MaxInput+1))})
	_, err = f.Append(t.Context(), nil, listing())
	assert.ErrorIs(t, err, xslt.ErrTooLarge)
	assert.Zero(t, p.calls())

	wrong := errors.New("no document")
	f = newTransform(t, sheet(""), xslt.Options{Processor: p, Input: brokenInput{wrong}})
	_, err = f.Append(t.Context(), nil, listing())
	assert.ErrorIs(t, err, wrong)
}

type brokenInput struct{ err error }

func (brokenInput) ContentType() string { return "" }

func (b brokenInput) Append(_ context.Context, dst []byte, _ *playlist.Listing) ([]byte, error) {
	return dst, b.err
}

func TestTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &fake{process: func(ctx context.Context, _ []byte) ([]byte, error) { <-ctx.Done(); return nil, ctx.Err() }}
		f := newTransform(t, sheet(""), xslt.Options{Processor: p, Input: urls{}, Timeout: 3 * time.Second})
		began := time.Now()
		_, err := f.Append(t.Context(), nil, listing("a"))
		assert.ErrorIs(t, err, context.DeadlineExceeded)
		assert.Equal(t, 3*time.Second, time.Since(began))
	})
}

// TestTurns: no more transformations at once than allowed, those that wait for a result that is made meanwhile get that,
// and whoever waits too long or goes away stops waiting.
func TestTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		p := &fake{process: func(_ context.Context, b []byte) ([]byte, error) { <-release; return b, nil }}
		f := newTransform(t, sheet(""), xslt.Options{Processor: p, Input: urls{}, Concurrency: 1, Timeout: time.Minute})
		var wg sync.WaitGroup
		for range 5 {
			wg.Go(func() { assert.Equal(t, "a\n", appended(t, f, listing("a"))) })
		}
		synctest.Wait()
		assert.Equal(t, 1, p.calls())
		ctx, cancel := context.WithCancel(t.Context())
		wg.Go(func() {
			_, err := f.Append(ctx, nil, listing("b"))
			assert.ErrorIs(t, err, context.Canceled)
		})
		synctest.Wait()
		cancel()
		synctest.Wait()
		close(release)
		wg.Wait()
		assert.Equal(t, 1, p.calls())
	})
}

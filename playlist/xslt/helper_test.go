package xslt_test

import (
	"context"
	"strings"
	"sync"
	"testing"

	"github.com/smoothkit/smoothkit/playlist"
	"github.com/smoothkit/smoothkit/playlist/xslt"
	"github.com/stretchr/testify/require"
)

// sheet returns a stylesheet with a body, and declarations on its outermost element.
func sheet(body string, declarations ...string) []byte {
	return []byte(`<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform" ` +
		strings.Join(declarations, " ") + `>` + body + `</xsl:stylesheet>`)
}

// fake is a processor that notes what it is given. Its first call is that of xslt.New.
type fake struct {
	process func(ctx context.Context, document []byte) ([]byte, error)

	mu        sync.Mutex
	documents []string // guarded by mu
}

func (f *fake) Process(ctx context.Context, _, document []byte, _ int) ([]byte, error) {
	f.mu.Lock()
	f.documents = append(f.documents, string(document))
	first := len(f.documents) == 1
	f.mu.Unlock()
	if first || f.process == nil {
		return []byte("<" + string(document) + ">"), nil
	}
	return f.process(ctx, document)
}

// calls returns how many documents there were, not counting that of xslt.New.
func (f *fake) calls() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.documents) - 1
}

func (f *fake) last() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.documents[len(f.documents)-1]
}

// urls is an input format: the URLs of a listing in lines.
type urls struct{}

func (urls) ContentType() string { return "text/plain" }

func (urls) Append(_ context.Context, dst []byte, l *playlist.Listing) ([]byte, error) {
	for _, it := range l.Items {
		dst = append(dst, it.URL+"\n"...)
	}
	return dst, nil
}

// fixed is an input format: one document.
type fixed string

func (fixed) ContentType() string { return "text/xml" }

func (f fixed) Append(_ context.Context, dst []byte, _ *playlist.Listing) ([]byte, error) {
	return append(dst, f...), nil
}

func newTransform(t testing.TB, stylesheet []byte, o xslt.Options) *xslt.Transform {
	t.Helper()
	f, err := xslt.New(stylesheet, &o)
	require.NoError(t, err)
	return f
}

func appended(t testing.TB, f *xslt.Transform, l *playlist.Listing) string {
	t.Helper()
	b, err := f.Append(t.Context(), []byte("before "), l)
	require.NoError(t, err)
	s, ok := strings.CutPrefix(string(b), "before ")
	require.True(t, ok)
	return s
}

func listing(urls ...string) *playlist.Listing {
	l := &playlist.Listing{}
	for _, u := range urls {
		l.Items = append(l.Items, playlist.Item{URL: u})
	}
	return l
}

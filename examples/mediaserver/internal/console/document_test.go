package console_test

import (
	"encoding/xml"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/examples/mediaserver/internal/console"
)

// prefix is where tests mount the console.
const prefix = "/some/prefix/console"

// element is an element of a page.
type element struct {
	name     string
	attrs    map[string]string
	children []*element
	text     string // of the element and of what is in it
}

// parse reads a page, which is HTML that is nested as XML is but for void elements.
func parse(t *testing.T, page string) *element {
	t.Helper()
	d := xml.NewDecoder(strings.NewReader(page))
	d.Strict, d.AutoClose, d.Entity = false, xml.HTMLAutoClose, xml.HTMLEntity
	root := &element{}
	stack := []*element{root}
	for {
		token, err := d.Token()
		if err == io.EOF {
			break
		}
		require.NoError(t, err)
		switch tk := token.(type) {
		case xml.StartElement:
			e := &element{name: tk.Name.Local, attrs: map[string]string{}}
			for _, a := range tk.Attr {
				e.attrs[a.Name.Local] = a.Value
			}
			top := stack[len(stack)-1]
			top.children = append(top.children, e)
			stack = append(stack, e)
		case xml.EndElement:
			require.Greater(t, len(stack), 1, "an end tag without a start tag: %s", tk.Name.Local)
			stack = stack[:len(stack)-1]
		case xml.CharData:
			for _, e := range stack {
				e.text += string(tk)
			}
		}
	}
	require.Len(t, stack, 1, "elements that are not closed")
	return root
}

// all returns the elements in e, in document order, for which match holds.
func (e *element) all(match func(*element) bool) (list []*element) {
	for _, c := range e.children {
		if match(c) {
			list = append(list, c)
		}
		list = append(list, c.all(match)...)
	}
	return list
}

func (e *element) named(names ...string) []*element {
	return e.all(func(c *element) bool {
		for _, n := range names {
			if c.name == n {
				return true
			}
		}
		return false
	})
}

// with returns the elements with an attribute, of that value unless it is "*".
func (e *element) with(attr, value string) []*element {
	return e.all(func(c *element) bool {
		v, ok := c.attrs[attr]
		return ok && (value == "*" || v == value)
	})
}

// text returns the text of the only element with an attribute.
func (e *element) only(t *testing.T, attr, value string) *element {
	t.Helper()
	list := e.with(attr, value)
	require.Len(t, list, 1, "elements with %s=%q", attr, value)
	return list[0]
}

func newConsole(t *testing.T, src console.Source, opts *console.Options) http.Handler {
	t.Helper()
	o := console.Options{Version: "1.2.3", Location: time.UTC, Now: func() time.Time { return noon }, Logger: slog.New(slog.DiscardHandler)}
	if opts != nil {
		o.Key, o.Interval, o.MaxStreams = opts.Key, opts.Interval, opts.MaxStreams
		if opts.Logger != nil {
			o.Logger = opts.Logger
		}
		if opts.Now != nil {
			o.Now = opts.Now
		}
	}
	c := console.New(src, &o)
	t.Cleanup(func() { require.NoError(t, c.Close()) })
	return http.StripPrefix(prefix, c)
}

func get(h http.Handler, path string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, prefix+"/"+path, nil))
	return w
}

// page gets a page and reads it.
func page(t *testing.T, h http.Handler, path string, status int) *element {
	t.Helper()
	w := get(h, path)
	require.Equal(t, status, w.Code, path)
	require.Equal(t, "text/html; charset=utf-8", w.Header().Get("Content-Type"))
	return parse(t, w.Body.String())
}

// resolve returns where a link on a page of the console leads to.
func resolve(t *testing.T, from, link string) *url.URL {
	t.Helper()
	base, err := url.Parse(prefix + "/" + from)
	require.NoError(t, err)
	u, err := base.Parse(link)
	require.NoError(t, err)
	return u
}

package iisconfig_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/internal/iisconfig"
	"github.com/smoothkit/smoothkit/internal/xmltree"
)

func asItIs(e *iisconfig.Error) error { return e }

func TestSections(t *testing.T) {
	const inner = "<system.webServer><media><X a='1'/><y/></media></system.webServer>"
	for doc, want := range map[string]string{
		"<x a='1'/>":                          "= ",
		"<media><x a='1'/><x a='1'/></media>": "= = ",
		inner:                                 "= ",
		"<configuration>" + inner + "<location path='/A/b/'>" + inner + "<x/></location><x/></configuration>": "= A/b= ",
		"<location path='.'>" + inner + "</location><location path='c'>" + inner + "</location>":              "= c= ",
	} {
		var log iisconfig.Log
		list := iisconfig.Sections([]byte(doc), iisconfig.Form{Name: "x"}, &log)
		require.Empty(t, log.Errors(), doc)
		got := ""
		for _, s := range list {
			a, ok := s.Get("a")
			require.True(t, ok, doc)
			assert.Equal(t, "1", a.Value)
			got += s.Path + "= "
		}
		assert.Equal(t, want, got, doc)
		assert.Empty(t, log.Warnings(), doc)
	}
	var log iisconfig.Log
	doc := "<configuration><x/><media><x/></media></configuration>"
	require.Nil(t, iisconfig.Sections([]byte(doc), iisconfig.Form{Name: "x"}, &log))
	err := log.Err(asItIs)
	require.ErrorIs(t, err, iisconfig.ErrNoSection)
	require.EqualError(t, err, "config line 1: configuration: no section x")
}

func TestCollection(t *testing.T) {
	var log iisconfig.Log
	log.Keys = []string{"k"}
	base := iisconfig.NewCollection([]string{"One", "Two"}, func(s string) string { return s }, true)
	change := func(c *iisconfig.Collection[string], layer int, doc string) *iisconfig.Collection[string] {
		list := iisconfig.Sections([]byte("<x>"+doc+"</x>"), iisconfig.Form{Name: "x"}, &log)
		require.Len(t, list, 1)
		return iisconfig.Change(&log, list[0].Element, c, iisconfig.CollectionReader[string]{
			Add: "add", Key: "k", Layer: layer, Read: func(el *xmltree.Element) (string, bool) {
				a, _ := el.GetFold("k")
				return a.Value, a.Value != "bad"
			},
		})
	}
	assert.Equal(t, []string{"One", "Two"}, change(base, 1, "").Values())
	assert.Equal(t, []string{"Two", "three", "one"}, change(base, 1, "<add k='three'/><add k='one'/>").Values())
	assert.Equal(t, []string{"One"}, change(base, 1, "<remove k='TWO'/>").Values())
	assert.Equal(t, []string{"a"}, change(base, 1, "<add k='x'/><clear/><add k='a'/>").Values())
	assert.Nil(t, change(base, 1, "<clear/>").Values())
	assert.Equal(t, 2, base.Len(), "changes are of copies")
	require.Empty(t, log.Errors())
	require.Empty(t, log.Warnings())

	one := change(base, 1, "<add k='a'/><remove k='b'/><add k='c'><d/></add><e/>")
	require.Len(t, log.Warnings(), 3)
	two := change(one, 2, "<add k='A'/><add k='bad'/><add/><remove k='c'/><add k=''/>")
	assert.Equal(t, []string{"One", "Two", "a"}, two.Values())
	var errs []string
	for _, err := range log.Errors() {
		errs = append(errs, err.Error())
	}
	assert.Equal(t, []string{
		`config line 1: add A: k "A": there is one inherited from line 1 already, which must be removed first`,
		"config line 1: add: k: missing",
		`config line 1: add : k "": empty`,
	}, errs)
}

// TestCollectionOfEntries: what only some collections have.
func TestCollectionOfEntries(t *testing.T) {
	reader := iisconfig.CollectionReader[string]{
		Add: "add", Key: "k", Layer: 3, Deep: true, Known: func(key string) bool { return key == "known" },
		Read: func(el *xmltree.Element) (string, bool) { a, _ := el.GetFold("k"); return a.Value, true },
	}
	change := func(c *iisconfig.Collection[string], log *iisconfig.Log, doc string) *iisconfig.Collection[string] {
		list := iisconfig.Sections([]byte("<x>"+doc+"</x>"), iisconfig.Form{Name: "x"}, log)
		require.Len(t, list, 1)
		return iisconfig.Change(log, list[0].Element, c, reader)
	}
	key := func(s string) string { return s }
	none := iisconfig.NewCollection(nil, key, false)
	assert.False(t, none.Stated())
	assert.True(t, iisconfig.NewCollection([]string{}, key, false).Stated())
	assert.False(t, iisconfig.NewCollection([]string{"a"}, key, true).Stated(), "nobody wrote it")

	var log iisconfig.Log
	assert.False(t, change(none, &log, "<other/>").Stated())
	require.Len(t, log.Warnings(), 1)
	log = iisconfig.Log{}
	for _, doc := range []string{"<clear/>", "<remove k='known'/>", "<add k='a'><b/></add>"} {
		assert.True(t, change(none, &log, doc).Stated(), doc)
	}
	assert.Empty(t, log.Warnings())
	assert.False(t, none.Stated())

	c := change(iisconfig.NewCollection([]string{"One"}, key, false), &log, "\n<add k='Two'/><add k='three'/><remove k='TWO'/>")
	v, ok := c.Get("ONE")
	assert.Equal(t, "One", v)
	assert.True(t, ok)
	_, ok = c.Get("two")
	assert.False(t, ok)
	type place struct{ line, column, layer int }
	var got []place
	for e := range c.All() {
		got = append(got, place{e.At.Line, e.At.Column, e.Layer})
	}
	assert.Equal(t, []place{{}, {2, 15, 3}}, got)
	for range c.All() {
		break
	}
}

func TestValues(t *testing.T) {
	var n int
	for s, ok := range map[string]bool{
		" 7 ": true, "0": true, "-1": false, "": false, "-": false, "11": false, "1.5": false, "+1": false,
		"99999999999999999999": false, "١": false,
	} {
		assert.Equal(t, ok, iisconfig.SetWhole(&n, s, 0, 10) == nil, s)
	}
	var b bool
	require.NoError(t, iisconfig.SetBool(&b, "TRUE"))
	assert.True(t, b)
	require.NoError(t, iisconfig.SetBool(&b, "false"))
	assert.False(t, b)
	require.Error(t, iisconfig.SetBool(&b, " true"))
}

func TestLogIsBounded(t *testing.T) {
	var log iisconfig.Log
	for range 300 {
		log.Warn(xmltree.Position{Line: 1, Column: 1}, "x")
		log.Fail(&iisconfig.Error{Err: iisconfig.ErrMissing})
	}
	require.Len(t, log.Warnings(), iisconfig.MaxWarnings+1)
	require.Len(t, log.Errors(), iisconfig.MaxErrors+1)
	require.EqualError(t, log.Errors()[iisconfig.MaxErrors], "config: 268 more errors")
	joined, ok := log.Err(asItIs).(interface{ Unwrap() []error })
	require.True(t, ok)
	assert.Len(t, joined.Unwrap(), iisconfig.MaxErrors+1)
	assert.True(t, log.Grow(xmltree.Position{}, iisconfig.MaxEntries))
	assert.False(t, log.Grow(xmltree.Position{}, 1))
	assert.False(t, log.Grow(xmltree.Position{}, 0))
}

func TestWarningsInOrder(t *testing.T) {
	var log iisconfig.Log
	for _, at := range []xmltree.Position{{Line: 2, Column: 1}, {Line: 1, Column: 5}, {Line: 1, Column: 2}} {
		log.Warn(at, "%d", at.Column)
	}
	text := func() (s string) {
		for _, w := range log.Warnings() {
			s += w.Text
		}
		return s
	}
	assert.Equal(t, "152", text())
	log.SortWarnings()
	assert.Equal(t, "251", text())
}

func TestSecrets(t *testing.T) {
	log := iisconfig.Log{Secrets: []string{"word"}}
	el := &xmltree.Element{Name: "a", Attrs: []xmltree.Attr{{Name: "x", Value: "1"}, {Name: "X", Value: "2"},
		{Name: "word", Value: "hidden"}, {Name: "WORD", Value: "hidden"}}}
	assert.False(t, log.Attributes(el, func(string, xmltree.Attr) (bool, error) { return true, nil }))
	require.EqualError(t, log.Err(asItIs), `config: a: X "2": there is one at line 0 already`+"\n"+
		`config: a: WORD "": there is one at line 0 already`)
}

package iisconfig_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/internal/iisconfig"
	"github.com/smoothkit/smoothkit/internal/xmltree"
)

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
		list, err := iisconfig.Sections([]byte(doc), "x", &log)
		require.NoError(t, err, doc)
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
	_, err := iisconfig.Sections([]byte("<configuration><x/><media><x/></media></configuration>"), "x", new(iisconfig.Log))
	require.ErrorIs(t, err, iisconfig.ErrNoSection)
	require.EqualError(t, err, "config line 1: configuration: no section x")
}

func TestCollection(t *testing.T) {
	var log iisconfig.Log
	log.Keys = []string{"k"}
	base := iisconfig.NewCollection([]string{"One", "Two"}, func(s string) string { return s }, true)
	change := func(c *iisconfig.Collection[string], layer int, doc string) *iisconfig.Collection[string] {
		list, err := iisconfig.Sections([]byte("<x>"+doc+"</x>"), "x", &log)
		require.NoError(t, err)
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
	assert.Equal(t, []string{"One", "Two", "a"}, change(one, 2, "<add k='A'/><add k='bad'/><add/><remove k='c'/><add k=''/>").Values())
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

func TestValues(t *testing.T) {
	var n int
	for s, ok := range map[string]bool{" 7 ": true, "0": true, "-1": false, "": false, "-": false, "11": false, "1.5": false, "+1": false,
		"99999999999999999999": false, "١": false} {
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
	assert.True(t, log.Grow(xmltree.Position{}, iisconfig.MaxEntries))
	assert.False(t, log.Grow(xmltree.Position{}, 1))
	assert.False(t, log.Grow(xmltree.Position{}, 0))
}

func TestPaths(t *testing.T) {
	assert.Equal(t, "A/b", iisconfig.CleanPath(" /A/b/ "))
	assert.Empty(t, iisconfig.CleanPath("."))
	for path, want := range map[string]bool{"a": true, "a/b": true, "ab": false, "": false} {
		assert.Equal(t, want, iisconfig.IsWithin(path, "a"), path)
	}
	assert.True(t, iisconfig.IsWithin("x", ""))
	assert.True(t, strings.HasPrefix(iisconfig.PathKey("/A/"), "a"))
}

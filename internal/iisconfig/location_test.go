package iisconfig_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/internal/iisconfig"
)

func TestPaths(t *testing.T) {
	assert.Equal(t, "A/b", iisconfig.CleanPath(" /A/b/ "))
	assert.Empty(t, iisconfig.CleanPath("."))
	assert.Equal(t, "a", iisconfig.PathKey("/A/"))
}

func TestLongest(t *testing.T) {
	locations := []string{"A/b", "a", "C", "a/B"}
	for path, want := range map[string]int{
		"": -1, "x": -1, "ab": -1, "a": 1, "/A/x/": 1, "a/bx": 1, "a/b": 0, "A/B/c": 0, "c/d": 2,
	} {
		assert.Equal(t, want, iisconfig.Longest(locations, func(s string) string { return s }, path), path)
	}
	assert.Equal(t, 0, iisconfig.Longest([]string{"."}, func(s string) string { return s }, "x"))
}

func TestAbove(t *testing.T) {
	root, a := "root", "a"
	all := map[string]*string{"": &root, "a": &a, "a/b/c": new(string)}
	assert.Same(t, &a, iisconfig.Above(all, "a/b/c"))
	assert.Same(t, &a, iisconfig.Above(all, "a/b"))
	assert.Same(t, &root, iisconfig.Above(all, "a"))
	assert.Nil(t, iisconfig.Above(all, ""))
	delete(all, "")
	assert.Nil(t, iisconfig.Above(all, "a"))
}

func TestInherit(t *testing.T) {
	var log iisconfig.Log
	section := func(path, name string) string {
		return "\n<location path='" + path + "'><system.webServer><media><x n='" + name + "'/></media></system.webServer></location>"
	}
	doc := section("A/b", "3") + section("a", "2") + section("", "1") + section("c", "4") + section("a/B/", "5")
	sections := iisconfig.Sections([]byte(doc), iisconfig.Form{Name: "x"}, &log)
	require.Len(t, sections, 5)
	all := iisconfig.Inherit(&log, "0", sections, func(l *iisconfig.Layer[string], s iisconfig.Section) {
		n, _ := s.Get("n")
		l.Value += n.Value
	})
	require.Len(t, log.Errors(), 1)
	require.EqualError(t, log.Errors()[0], "config line 6: x: there is one for this location at line 2 already")
	for path, want := range map[string]string{"": "01", "A": "012", "a/b": "0123", "C": "014"} {
		assert.Equal(t, want, all.Of(path).Value, path)
	}
	assert.Equal(t, []int{1, 2, 3, 4}, []int{all.Of("").Number, all.Of("a").Number, all.Of("c").Number, all.Of("a/b").Number})
	assert.Equal(t, 2, all.Of("a/b").At.Line)
	assert.Zero(t, iisconfig.Inherit(&log, "0", nil, nil).Of("").Number)
}

package hls_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/smoothkit/smoothkit/smooth/smoothtest"
)

// TestPlainNames: the extension may be left out of any name, also of one with dots.
func TestPlainNames(t *testing.T) {
	src := smoothtest.NewSource()
	p := smoothtest.New(smoothtest.Default())
	for _, name := range []string{"film.2026.ism", "a.b/c.d.ism", "other.ism", "other.wsx", "master.m3u8.ism"} {
		src.Add(name, p)
	}
	h := plainHandler(t, src, nil)
	for _, name := range []string{
		"film.2026", "film.2026.ism", "a.b/c.d", "a.b/c.d.ism", "other", "other.ism", "other.wsx", "master.m3u8",
	} {
		for _, u := range crawl(t, h, "/"+name+"/hls-fmp4/master.m3u8") {
			assert.Equal(t, 200, do(h, "GET", u).Code, u)
		}
		assert.Equal(t, 200, do(h, "GET", "/"+name+"/master.m3u8").Code, name)
	}
	for _, name := range []string{"film.2027", "film", "../film.2026", "%2e%2e/film.2026", "con.2026", "film.2026.", ".2026"} {
		assert.Equal(t, 404, do(h, "GET", "/"+name+"/master.m3u8").Code, name)
	}
	assert.Zero(t, p.OpenFragments())
}

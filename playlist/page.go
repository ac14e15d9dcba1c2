package playlist

import (
	"bytes"
	"context"
	"crypto/sha256"
	_ "embed" // the parts of the page
	"encoding/base64"
	"fmt"
	"html/template"
	"strconv"
	"sync"
	"time"
)

// HTML is a page with a player that plays the items one after the other and keeps their rules: where seeking or skipping
// is off its controls are, with the reason, until the entry has played or the server allows it, which it asks by HEAD
// requests for the next entry. The server enforces the same rules against whoever does without this page. An entry that
// cannot be played is passed over. If the listing has a stitched presentation and the browser plays HLS by itself, that
// can be chosen as the source.
//
// The page is complete in itself and runs under [HTML.ContentSecurityPolicy], which should be sent with it. Without
// scripts it is a list of links. URLs other than http, https and relative ones are made harmless.
type HTML struct{}

//go:embed page/page.html
var pageHTML string

//go:embed page/style.css
var pageStyle string

//go:embed page/player.js
var pageScript string

// pageTemplate parses the page once, when first it is used.
var pageTemplate = sync.OnceValues(func() (*template.Template, error) { return template.New("page").Parse(pageHTML) })

// pagePolicy is made of the hashes of the page's only script and style.
var pagePolicy = sync.OnceValue(func() string {
	return "default-src 'none'; script-src " + cspHash(pageScript) + "; style-src " + cspHash(pageStyle) +
		"; media-src 'self' http: https: blob:; connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'" +
		"; require-trusted-types-for 'script'"
})

func cspHash(s string) string {
	h := sha256.Sum256([]byte(s))
	return "'sha256-" + base64.StdEncoding.EncodeToString(h[:]) + "'"
}

// page is what the template is given.
type page struct {
	Title    string
	Style    template.CSS
	Script   template.JS
	Stitched string
	Items    []pageItem
}

type pageItem struct {
	ID, URL, Name, Role               string
	Seconds, Length                   string // for the script, and to be read; empty if unknown
	NoSeek, NoSkipForward, NoSkipBack bool
}

// ContentType implements [Format].
func (HTML) ContentType() string { return "text/html; charset=utf-8" }

// ContentSecurityPolicy returns the value of the header of this name that the page should be sent with: its own script
// and style by their hashes, media from anywhere, as entries may be remote, requests to its own origin, nothing else.
func (HTML) ContentSecurityPolicy() string { return pagePolicy() }

// Append implements [Format].
func (HTML) Append(_ context.Context, dst []byte, l *Listing) ([]byte, error) {
	t, err := pageTemplate()
	if err != nil {
		return dst, fmt.Errorf("playlist: page: %w", err)
	}
	p := page{
		Title: lineText(l.Title), Style: template.CSS(pageStyle), Script: template.JS(pageScript), Stitched: l.Stitched,
		Items: make([]pageItem, len(l.Items)),
	}
	if p.Title == "" {
		p.Title = "Playlist"
	}
	for i := range l.Items {
		p.Items[i] = newPageItem(&l.Items[i])
	}
	b := bytes.NewBuffer(dst)
	if err := t.Execute(b, &p); err != nil {
		return dst, fmt.Errorf("playlist: page: %w", err)
	}
	return b.Bytes(), nil
}

func newPageItem(it *Item) pageItem {
	p := pageItem{
		ID: lineText(it.ID), URL: it.URL, Name: lineText(it.Title), Role: lineText(it.Role),
		NoSeek: it.NoSeek, NoSkipForward: it.NoSkipForward, NoSkipBack: it.NoSkipBack,
	}
	if p.Name == "" {
		p.Name = "Entry " + it.ID
	}
	if it.Duration > 0 {
		p.Seconds = strconv.FormatFloat(it.Duration.Seconds(), 'f', -1, 64)
		p.Length = pageClock(it.Duration)
	}
	return p
}

// pageClock returns a duration as m:ss or h:mm:ss, rounded to seconds.
func pageClock(d time.Duration) string {
	s := int64(d.Round(time.Second) / time.Second)
	if s < 3600 {
		return fmt.Sprintf("%d:%02d", s/60, s%60)
	}
	return fmt.Sprintf("%d:%02d:%02d", s/3600, s/60%60, s%60)
}

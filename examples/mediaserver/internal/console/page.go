package console

import (
	"bytes"
	"context"
	"errors"
	"html/template"
	"net/http"
	"net/url"
	"strings"
)

// page is a route: how its view is made, and whether it takes commands.
type page struct {
	view     func(ctx context.Context, q url.Values) (*view, error)
	commands bool
}

func (p page) methods() string {
	if p.commands {
		return "GET, HEAD, POST"
	}
	return "GET, HEAD"
}

// view is a page with its values: what is to be drawn.
type view struct {
	// nav is the path of the entry in the navigation that the page belongs to.
	nav, title string
	// parts are the names of the templates of the sections, which get data.
	parts []string
	data  any
	// every is how often the page is drawn again, in intervals; zero means never.
	every int
	// form is the action of the form that the buttons of the page belong to; empty if it has none.
	form string
}

// part is a section as it has been drawn.
type part struct {
	ID   string        `json:"id"`
	HTML template.HTML `json:"html"`
}

// routes returns the pages by their paths, all in one directory: relative URLs are the same in all of them.
func (c *Console) routes() map[string]page {
	return map[string]page{
		"":              {view: c.overview},
		"presentations": {view: c.presentations},
		"presentation":  {view: c.presentation},
		"points":        {view: c.points},
		"point":         {view: c.point, commands: true},
		"confirm":       {view: c.confirm},
		"throttle":      {view: c.throttle},
		"limits":        {view: c.limits},
		"playlists":     {view: c.playlists},
		"edge":          {view: c.edge},
		"archive":       {view: c.archive},
		"events":        {view: c.events},
	}
}

// link is an entry of the navigation.
type link struct {
	Path, Name string
	Current    bool
}

// navigation returns the entries for what the server has.
func (c *Console) navigation(current string) []link {
	has := c.src.Parts()
	list := []struct {
		path, name string
		shown      bool
	}{
		{"", "Overview", true},
		{"presentations", "Presentations", true},
		{"points", "Publishing points", has.Points},
		{"throttle", "Throttling", has.Throttle},
		{"limits", "Limits", has.Limits},
		{"playlists", "Playlists", has.Playlists},
		{"edge", "Edge cache", has.Edge},
		{"archive", "Archive", has.Archive},
		{"events", "Events", true},
	}
	var links []link
	for _, e := range list {
		if e.shown {
			links = append(links, link{Path: "./" + e.path, Name: e.name, Current: e.path == current})
		}
	}
	return links
}

// frame is what stands around the sections.
type frame struct {
	Title, Version, Player, Zone string
	Nav                          []link
	// Live is the URL of the updates, Form that of the form for commands and Token its token; empty if there are none.
	Live, Form, Token string
	// Notice is a message about what was asked for, Home is whether to offer the first page.
	Notice string
	Home   bool
	Parts  []part
}

func (c *Console) servePage(w http.ResponseWriter, r *http.Request, path string, p page) {
	v, err := p.view(r.Context(), r.URL.Query())
	if err != nil {
		c.serveError(w, r, err)
		return
	}
	c.serveView(w, r, path, v, http.StatusOK, "")
}

// serveView draws a view in its frame.
func (c *Console) serveView(w http.ResponseWriter, r *http.Request, path string, v *view, status int, notice string) {
	parts, err := c.draw(v)
	if err != nil {
		c.serveError(w, r, err)
		return
	}
	f := c.frame(v)
	f.Parts, f.Notice = parts, notice
	if v.every > 0 {
		f.Live = "live/" + path
		if query := canonical(r.URL.Query()); query != "" {
			f.Live += "?" + query
		}
	}
	if v.form != "" {
		f.Form, f.Token = v.form, c.token(w, r)
	}
	c.write(w, r, status, f)
}

func (c *Console) frame(v *view) *frame {
	return &frame{
		Title: v.title, Version: c.opts.Version, Player: c.opts.Player, Nav: c.navigation(v.nav),
		Zone: c.opts.Now().In(c.opts.Location).Format("MST"),
	}
}

// draw executes the templates of a view. A section with nothing in it is empty, so that it is not shown.
func (c *Console) draw(v *view) ([]part, error) {
	parts := make([]part, 0, len(v.parts))
	var b bytes.Buffer
	for _, name := range v.parts {
		b.Reset()
		if err := c.templates.ExecuteTemplate(&b, name, v.data); err != nil {
			return nil, err
		}
		parts = append(parts, part{ID: name, HTML: template.HTML(strings.TrimSpace(b.String()))})
	}
	return parts, nil
}

// write sends a page.
func (c *Console) write(w http.ResponseWriter, r *http.Request, status int, f *frame) {
	var b bytes.Buffer
	if err := c.templates.ExecuteTemplate(&b, "frame.html", f); err != nil {
		c.opts.Logger.Error("draw a page of the console", "err", err)
		http.Error(w, http.StatusText(http.StatusInternalServerError), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	if r.Method == http.MethodHead {
		return
	}
	if _, err := w.Write(b.Bytes()); err != nil {
		c.opts.Logger.Debug("send a page of the console", "err", err)
	}
}

// statusOf returns the status for an error of the source.
func statusOf(err error) int {
	switch {
	case errors.Is(err, ErrNotFound):
		return http.StatusNotFound
	case errors.Is(err, ErrState):
		return http.StatusConflict
	case errors.Is(err, context.DeadlineExceeded):
		return http.StatusGatewayTimeout
	}
	return http.StatusInternalServerError
}

// serveError answers an error of the source, whose text is for the log.
func (c *Console) serveError(w http.ResponseWriter, r *http.Request, err error) {
	if errors.Is(err, context.Canceled) && r.Context().Err() != nil {
		return
	}
	status := statusOf(err)
	if status >= http.StatusInternalServerError {
		c.opts.Logger.Error("page of the console", "path", r.URL.Path, "err", err)
	}
	c.serveFault(w, r, status)
}

// notice says what a status means for an operator.
func notice(status int) string {
	switch status {
	case http.StatusNotFound:
		return "There is nothing of that name here, or not any more."
	case http.StatusBadRequest:
		return "There is no such command."
	case http.StatusMethodNotAllowed:
		return "This page cannot be used in that way."
	case http.StatusConflict:
		return "That is not possible in the state that the publishing point is in now."
	case http.StatusForbidden:
		return "The form was not sent from this console, or is too old. Nothing was done: go back, load the page again and try again."
	case http.StatusRequestURITooLong:
		return "The address is too long."
	case http.StatusGatewayTimeout:
		return "It takes longer than expected. Look at the state to see what becomes of it."
	}
	return "Something went wrong in the server. Its log says what."
}

func (c *Console) serveFault(w http.ResponseWriter, r *http.Request, status int) {
	f := c.frame(&view{nav: "-", title: http.StatusText(status)})
	f.Notice, f.Home = notice(status), true
	c.write(w, r, status, f)
}

// canonical returns the query with what pages know, in a fixed order.
func canonical(q url.Values) string {
	known := url.Values{}
	for _, key := range []string{"name", "q", "page", "order", "from", "to"} {
		if v := q.Get(key); v != "" {
			known.Set(key, v)
		}
	}
	return known.Encode()
}

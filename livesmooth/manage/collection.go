package manage

import (
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/smoothkit/smoothkit/livesmooth"
)

// serveCollection lists publishing points or creates one.
func (x *exchange) serveCollection() error {
	if x.r.Method == http.MethodPost {
		return x.create()
	}
	if err := x.authorize(Operation{Kind: Read}); err != nil {
		return err
	}
	var points []point
	for _, p := range x.h.server.list() {
		if x.may(Read, p.Name()) { // IIS left out what the user may not read
			points = append(points, p)
		}
	}
	if x.format == jsonFormat {
		return x.sendJSONList(points)
	}
	entries := make([]entry, len(points))
	for i, p := range points {
		entries[i] = x.listEntry(p)
	}
	return x.sendElement(http.StatusOK, feed(x.h.opts.Now(), entries))
}

func (x *exchange) listEntry(p point) entry {
	if x.res == detailsResource {
		return x.settingsEntry(p)
	}
	e := x.settingsEntry(p)
	e.links[0].rel, e.payload = "related", nil
	return e
}

// jsonPoint is a publishing point in a list.
type jsonPoint struct {
	Name       string        `json:"name"`
	Title      string        `json:"title"`
	State      string        `json:"state"`
	Modified   time.Time     `json:"modified"`
	Settings   string        `json:"settingsUrl"`
	StateURL   string        `json:"stateUrl"`
	Statistics string        `json:"statisticsUrl"`
	Events     string        `json:"eventsUrl"`
	Details    *jsonSettings `json:"settings,omitempty"`
}

func (x *exchange) sendJSONList(points []point) error {
	list := make([]jsonPoint, len(points))
	for i, p := range points {
		name := p.Name()
		list[i] = jsonPoint{
			Name: name, Title: p.Settings().Title, State: p.State().String(), Modified: p.Modified().UTC(),
			Settings: pointURL(x.base, name, settingsResource), StateURL: pointURL(x.base, name, stateResource),
			Statistics: pointURL(x.base, name, statisticsResource), Events: pointURL(x.base, name, eventsResource),
		}
		if x.res == detailsResource {
			list[i].Details = jsonOf(x.shown(p))
		}
	}
	return x.sendJSON(http.StatusOK, struct {
		Points []jsonPoint `json:"publishingPoints"`
	}{list})
}

// create makes the publishing point that the Slug header names.
func (x *exchange) create() error {
	name, slugErr := slug(x.r)
	x.name = name
	if err := x.authorize(Operation{Kind: Create, Point: name}); err != nil {
		return err
	}
	if slugErr != nil {
		return slugErr
	}
	s, err := x.readSettings(nil)
	if err != nil {
		return err
	}
	p, err := x.h.server.create(x.r.Context(), name, s)
	if err != nil {
		return err
	}
	x.name = p.Name()
	x.w.Header().Set("Location", pointURL(x.base, x.name, settingsResource))
	if x.format == jsonFormat {
		return x.sendJSON(http.StatusCreated, jsonOf(x.shown(p)))
	}
	return x.sendElement(http.StatusCreated, x.settingsEntry(p).element())
}

// readSettings reads the settings in the body of a request.
func (x *exchange) readSettings(current *livesmooth.Settings) (*livesmooth.Settings, error) {
	data, kind, err := x.body()
	if err != nil {
		return nil, err
	}
	if kind == jsonFormat {
		return readJSONSettings(data, current)
	}
	return readSettings(data, current)
}

// serveSettings answers with the settings of a publishing point, changes them, or removes it.
func (x *exchange) serveSettings() error {
	ctx := x.r.Context()
	switch x.r.Method {
	case http.MethodDelete:
		if err := x.h.server.remove(ctx, x.name); err != nil {
			return err
		}
		return x.send(http.StatusOK, "", nil)
	case http.MethodPut:
		s, err := x.readSettings(x.point.Settings())
		if err != nil {
			return err
		}
		if err := x.point.SetSettings(ctx, s); err != nil {
			return err
		}
		return x.send(http.StatusOK, "", nil)
	}
	if x.format == jsonFormat {
		return x.sendJSON(http.StatusOK, jsonOf(x.shown(x.point)))
	}
	e := x.settingsEntry(x.point)
	e.authored = true
	return x.sendElement(http.StatusOK, e.element())
}

// settingsEntry is the entry of a publishing point with its settings.
func (x *exchange) settingsEntry(p point) entry {
	s, self := x.shown(p), pointURL(x.base, p.Name(), settingsResource)
	return entry{
		id: self, title: s.Title, updated: p.Modified(), payload: settingsElement(s),
		links: []link{{self, "self", "Settings"}, {pointURL(x.base, p.Name(), stateResource), "related", "State"}},
	}
}

// shown returns the settings of a publishing point as the sender of the request may see them: keys and the passwords in
// URLs are for those who may change them.
func (x *exchange) shown(p point) *livesmooth.Settings {
	s := p.Settings()
	if !hasSecrets(s) || x.may(Write, p.Name()) {
		return s
	}
	s = s.Clone()
	if s.HLS != nil {
		s.HLS.Key = nil
	}
	for _, list := range [][]livesmooth.RemotePoint{s.PullFrom, s.PushTo} {
		for i := range list {
			list[i].URL = redacted(list[i].URL)
		}
	}
	return s
}

func hasSecrets(s *livesmooth.Settings) bool {
	secret := func(r livesmooth.RemotePoint) bool { return redacted(r.URL) != r.URL }
	return s.HLS != nil && len(s.HLS.Key) > 0 || slices.ContainsFunc(slices.Concat(s.PullFrom, s.PushTo), secret)
}

// redacted returns a URL without the password in it. What is not a URL stays as it is.
func redacted(address string) string {
	u, err := url.Parse(address)
	if err != nil || u.User == nil {
		return address
	}
	return u.Redacted()
}

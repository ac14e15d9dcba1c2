package validate

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	base "github.com/smoothkit/smoothkit/smooth/validate"
)

// URL checks a presentation over HTTP: target is the URL of its master playlist, or of a media playlist. The error is
// one of usage or of the network, when there was no answer at all; whatever the server answers is in the report.
func URL(ctx context.Context, target string, opts *Options) (*Report, error) {
	return check(ctx, target, opts.withDefaults(), "")
}

// Handler checks what a handler serves, without a network: path is that of the playlist, such as "/film/master.m3u8".
// Every request runs on the goroutine that checks its answer; several do at the same time.
func Handler(ctx context.Context, h http.Handler, path string, opts *Options) (*Report, error) {
	o := opts.withDefaults()
	o.Client = base.HandlerClient(h)
	return check(ctx, "http://localhost"+path, o, "")
}

// check walks a presentation. With a root, it consists of files below that URL.
func check(ctx context.Context, target string, o Options, root string) (*Report, error) {
	u, err := url.Parse(target)
	if err != nil {
		return nil, fmt.Errorf("validate: %w", err)
	}
	if u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return nil, fmt.Errorf("validate: %q is not an http or https URL", target)
	}
	u.Fragment = ""
	rec := newRecorder(o.MaxPerRule)
	w := &walk{fetcher: newFetcher(o, rec), root: root, keys: make(map[string]*secret)}
	w.files = root != ""
	defer w.client.Close()
	if err := w.start(ctx, u.String()); err != nil {
		return nil, err
	}
	return rec.Report(), ctx.Err()
}

// walk is the check of one presentation.
type walk struct {
	*fetcher
	root   string // of files
	master *list
	lists  []*list // media playlists

	mu   sync.Mutex // guards keys
	keys map[string]*secret
}

// list is a playlist and what is known of it.
type list struct {
	*walk
	url    string
	base   *url.URL // URIs are relative to it
	name   string
	p      *playlist
	users  []*variant   // variants that are this playlist
	roles  []*rendition // renditions that are this playlist
	iframe bool         // of an I-frame variant

	state    *tsState
	series   series
	inits    map[string]*initSegment
	next     uint64 // number of the segment to check next
	measures []measure
	found    map[string]bool // codecs
	video    bool            // the segments have video
	width    uint64
	height   uint64
	starts   map[uint64]time.Duration // least presentation time of a segment, of the main track
	sound    time.Duration            // that of sound in the first segment
	hasSound bool
	texts    []textSegment
}

// measure is the size of a segment.
type measure struct {
	number   uint64
	duration time.Duration
	bytes    int64
}

// textSegment is what is kept of a WebVTT segment.
type textSegment struct {
	seg  *segment
	cues []cue
	name string
}

// document is the name of a URL in reports: for files, the path.
func (w *walk) document(target string) string {
	if rest, ok := strings.CutPrefix(target, w.root); ok && w.files {
		if path, err := url.PathUnescape(rest); err == nil {
			return path
		}
	}
	return target
}

// start gets the first playlist and goes on from there.
func (w *walk) start(ctx context.Context, target string) error {
	a, err := w.get(ctx, target, MaxPlaylistSize)
	if err != nil {
		return err
	}
	l := w.newList(target)
	if !l.read(ctx, a, origin{}) {
		return nil
	}
	if l.p.isMaster {
		w.master = l
		w.gather(ctx)
	} else {
		w.lists = []*list{l}
	}
	w.compareLists()
	if !w.opts.PlaylistOnly {
		w.each(func(l *list) { l.segments(ctx) })
		w.compareMedia()
	}
	if w.opts.Reloads > 0 {
		w.each(func(l *list) { l.reload(ctx) })
	}
	return nil
}

func (w *walk) newList(target string) *list {
	return &list{
		walk: w, url: target, name: w.document(target), state: newTSState(), series: series{rec: w.rec},
		inits: make(map[string]*initSegment), found: make(map[string]bool), starts: make(map[uint64]time.Duration),
	}
}

// each runs f for the media playlists, some at the same time.
func (w *walk) each(f func(*list)) {
	var wg sync.WaitGroup
	slots := make(chan struct{}, w.opts.Concurrency)
	for _, l := range w.lists {
		if l.p == nil || l.p.media == nil {
			continue
		}
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			f(l)
		})
	}
	wg.Wait()
}

// read checks an answer with a playlist. It reports false if there is none in it.
func (l *list) read(ctx context.Context, a *answer, from origin) bool {
	p := Place{Document: l.name}
	switch {
	case a.Status != http.StatusOK:
		l.rec.Add("HH101", p, "%s", statusHint(a))
		return false
	case a.IsHTML():
		l.rec.Add("HH102", p, "%s", htmlHint)
		return false
	case a.Large:
		l.rec.Add("HP100", p, "there are more than %d bytes", MaxPlaylistSize)
		return false
	}
	l.base = a.Final
	from.query = a.Final.Query()
	l.p = checkPlaylist(l.rec, l.opts, l.name, a.Body, from)
	if l.p == nil {
		return false
	}
	if !l.files {
		l.playlistType(a, p)
		l.common(a, p)
		if m := l.p.media; m != nil && m.live() && m.target > 0 && a.MaxAge() > int64(m.target/time.Second) {
			l.rec.Add("HH146", p, "Cache-Control is %q, the target duration %s",
				a.Header.Get("Cache-Control"), m.target)
		}
		if !l.opts.PlaylistOnly {
			l.headOfPlaylist(ctx, a, p)
		}
	}
	if l.p.media != nil {
		l.next = l.p.media.sequence
	}
	return true
}

// headOfPlaylist compares HEAD to GET; the length of a live playlist may have changed in between.
func (l *list) headOfPlaylist(ctx context.Context, a *answer, p Place) {
	if l.p.media != nil && l.p.media.live() {
		live := *a
		live.Status = 0
		a = &live
	}
	l.head(ctx, a, "HH109", p)
}

// playlistType checks that a playlist can be told from its name or type.
func (l *list) playlistType(a *answer, p Place) {
	t := a.MediaType()
	if t == "application/vnd.apple.mpegurl" || t == "audio/mpegurl" {
		return
	}
	path := strings.ToLower(a.Final.Path)
	id := "HH105"
	if !strings.HasSuffix(path, ".m3u8") && !strings.HasSuffix(path, ".m3u") {
		id = "HH104"
	}
	l.rec.Add(id, p, "Content-Type is %q", t)
}

// resolve returns the absolute URL of a URI in the playlist. It reports false if it is none that can be fetched.
func (l *list) resolve(uri string) (string, bool) {
	u, err := l.base.Parse(uri)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" {
		return "", false
	}
	u.Fragment = ""
	return u.String(), true
}

// gather gets the media playlists that the master playlist names.
func (w *walk) gather(ctx context.Context) {
	known := make(map[string]*list)
	add := func(uri string) *list {
		target, ok := w.master.resolve(uri)
		if uri == "" || !ok {
			return nil
		}
		if known[target] == nil && len(w.lists) < maxPlaylists {
			known[target] = w.newList(target)
			w.lists = append(w.lists, known[target])
		}
		return known[target]
	}
	m := w.master.p.master
	for _, v := range m.variants {
		if l := add(v.uri); l != nil {
			l.users = append(l.users, v)
			l.iframe = v.iframes
		}
	}
	for _, x := range m.renditions {
		if l := add(x.uri); l != nil {
			l.roles = append(l.roles, x)
		}
	}
	from := origin{imports: w.master.p.vars}
	var wg sync.WaitGroup
	slots := make(chan struct{}, w.opts.Concurrency)
	for _, l := range w.lists {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			l.fetch(ctx, from)
		})
	}
	wg.Wait()
}

// fetch gets a media playlist.
func (l *list) fetch(ctx context.Context, from origin) {
	p := Place{Document: l.name}
	a, err := l.get(ctx, l.url, MaxPlaylistSize)
	if err != nil {
		l.lost(ctx, err, p)
		return
	}
	if l.read(ctx, a, from) && l.p.isMaster {
		l.rec.Add("HC117", p, "the playlist is a master playlist")
	}
}

package console

import (
	"context"
	"crypto/rand"
	"html/template"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// Options tunes a [Console]. A nil pointer and the zero value mean the documented defaults.
type Options struct {
	// Logger gets errors of the source and of writing. Nil means slog.Default().
	Logger *slog.Logger
	// Interval is how often open pages are drawn again. Zero means one second.
	Interval time.Duration
	// Version of the server.
	Version string
	// Root is the URL of the server's root, relative to that of the console. Empty means "../".
	Root string
	// Player is the URL of the page of players, relative to that of the console. Empty means Root.
	Player string
	// Key signs the tokens of forms. Empty means a random one: forms that are open when the server starts anew must then be
	// loaded again. It is copied.
	Key []byte
	// Location is the time zone of the pages. Nil means time.Local.
	Location *time.Location
	// MaxStreams bounds how many pages are sent updates; who comes in excess gets 503, and tries again. Zero means 64.
	MaxStreams int
	// Now is the clock. Nil means time.Now.
	Now func() time.Time
}

func (o *Options) withDefaults() Options {
	var opts Options
	if o != nil {
		opts = *o
	}
	if opts.Logger == nil {
		opts.Logger = slog.Default()
	}
	if opts.Interval <= 0 {
		opts.Interval = time.Second
	}
	if opts.Root == "" {
		opts.Root = "../"
	}
	if opts.Player == "" {
		opts.Player = opts.Root
	}
	opts.Key = slices.Clone(opts.Key)
	if len(opts.Key) == 0 {
		opts.Key = make([]byte, 32)
		rand.Read(opts.Key) // never fails
	}
	if opts.Location == nil {
		opts.Location = time.Local
	}
	if opts.MaxStreams <= 0 {
		opts.MaxStreams = 64
	}
	if opts.Now == nil {
		opts.Now = time.Now
	}
	return opts
}

// Console is the handler of the console's pages. It is safe for concurrent use.
type Console struct {
	src       Source
	opts      Options
	templates *template.Template
	assets    map[string]*asset
	pages     map[string]page
	hub       *hub
	incoming  *incoming

	stop    context.CancelFunc
	running sync.WaitGroup
}

// New returns a console that shows src. It copies opts. Close ends it.
func New(src Source, opts *Options) *Console {
	c := &Console{src: src, opts: opts.withDefaults(), assets: loadAssets()}
	c.templates = loadTemplates(&c.opts)
	c.pages = c.routes()
	c.hub = newHub(c.opts.MaxStreams)
	c.incoming = newIncoming()
	ctx, stop := context.WithCancel(context.Background())
	c.stop = stop
	c.running.Go(func() { c.keepDrawing(ctx) })
	c.running.Go(func() { c.keepSampling(ctx) })
	return c
}

// Close ends the streams of updates and waits for what the console has started. An [http.Server] waits for open streams
// when it shuts down, so call it before, or give it to RegisterOnShutdown. Pages are served as before, but not updated.
func (c *Console) Close() error {
	c.stop()
	c.hub.close()
	c.running.Wait()
	return nil
}

// ServeHTTP implements [http.Handler]. Paths are relative to that of the console: mount it with [http.StripPrefix].
func (c *Console) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path := strings.TrimPrefix(r.URL.Path, "/")
	setHeaders(w.Header())
	if len(r.URL.RawQuery) > maxQuery {
		c.serveFault(w, r, http.StatusRequestURITooLong)
		return
	}
	if a, ok := strings.CutPrefix(path, "assets/"); ok {
		c.serveAsset(w, r, a)
		return
	}
	if p, ok := strings.CutPrefix(path, "live/"); ok {
		c.serveLive(w, r, p)
		return
	}
	p, ok := c.pages[path]
	switch {
	case !ok:
		c.serveFault(w, r, http.StatusNotFound)
	case r.Method == http.MethodPost && p.commands:
		c.serveCommand(w, r, path, p)
	case r.Method == http.MethodGet || r.Method == http.MethodHead:
		c.servePage(w, r, path, p)
	default:
		w.Header().Set("Allow", p.methods())
		c.serveFault(w, r, http.StatusMethodNotAllowed)
	}
}

// maxQuery bounds the length of a query: it has the name of a presentation at most.
const maxQuery = 4 << 10

func setHeaders(h http.Header) {
	h.Set("Content-Security-Policy",
		"default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "same-origin")
	h.Set("Cache-Control", "no-store")
}

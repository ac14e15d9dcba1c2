package console

import (
	"log/slog"
	"net/http"
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
	// Key signs the tokens of forms. Empty means a random one: forms that are open when the server starts anew must then be
	// loaded again. It is copied.
	Key []byte
	// Location is the time zone of the pages. Nil means time.Local.
	Location *time.Location
	// MaxStreams bounds how many browsers are sent updates; who comes in excess gets 503, and tries again. Zero means 64.
	MaxStreams int
	// Now is the clock. Nil means time.Now.
	Now func() time.Time
}

// Console is the handler of the console's pages. It is safe for concurrent use.
type Console struct {
	src  Source
	opts Options
}

// New returns a console that shows src. It copies opts. Close ends it.
func New(src Source, opts *Options) *Console {
	c := &Console{src: src}
	if opts != nil {
		c.opts = *opts
	}
	return c
}

// ServeHTTP implements [http.Handler]. Paths are relative to that of the console: mount it with [http.StripPrefix].
func (c *Console) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	http.NotFound(w, r)
}

// Close ends the streams of updates and waits for what the console has started.
func (c *Console) Close() error { return nil }

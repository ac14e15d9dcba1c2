package manage

import (
	"log/slog"
	"net/http"
	"time"
)

// Kind is what a request wants to do.
type Kind uint8

// The kinds. IIS asked for the right to read the .isml file, to write it, to write the directory it is to be in, and to
// write it, in this order.
const (
	// Read: a list, settings, state, statistics, events.
	Read Kind = iota
	// Write: change settings or state. A reader of settings with an encryption key is asked for with Write too, because
	// only those who may write see the key.
	Write
	// Create makes a publishing point.
	Create
	// Delete removes one.
	Delete
)

// String returns the kind in lower case.
func (k Kind) String() string {
	switch k {
	case Read:
		return "read"
	case Write:
		return "write"
	case Create:
		return "create"
	case Delete:
		return "delete"
	}
	return "unknown"
}

// Operation is what the authorisation hook rules on.
type Operation struct {
	// Kind says what is wanted.
	Kind Kind
	// Point is the name of the publishing point, spelled as it was created if it exists, else as in the request; names
	// that differ in case only are the same. It is empty, with Read, for the list itself, whose points are asked for one
	// by one.
	Point string
}

// Options tunes a [Handler]. Authorize is required; the zero value of everything else means the documented default.
type Options struct {
	// Authorize rules on every operation, which a nil error allows. One that wraps [ErrUnauthenticated] says that the
	// request has no valid credentials, any other that its user lacks the right; both are answered with 401, as IIS did,
	// and the header Challenge. It may be called several times for one request, and concurrently for several. An event
	// stream is asked for when it begins.
	Authorize func(r *http.Request, op Operation) error
	// Challenge is the WWW-Authenticate header of a 401. Empty means Basic realm="publishing points".
	Challenge string
	// BaseURL begins the absolute URLs of Atom and JSON documents, such as "https://example.com/live": what stands before
	// the path of a publishing point. Empty means scheme, host and prefix of the request.
	BaseURL string
	// TrustForwarded believes X-Forwarded-Proto and X-Forwarded-Host. Set it only behind a proxy that sets both.
	TrustForwarded bool
	// TrustedOrigins are origins, such as "https://console.example.com", whose pages may change publishing points
	// besides those of the host itself. Answers carry no CORS headers; wrap the handler to let such pages read them.
	TrustedOrigins []string
	// Next gets the requests that are not for the management services: see [Handler.Handles]. Nil answers 404.
	Next http.Handler
	// Logger gets one record per change and per failed request: Info for changes and for what the client did wrong,
	// Debug for what does not exist, Error for our faults. Nil means slog.Default().
	Logger *slog.Logger
	// Now is the clock of the time stamps in documents. Nil means time.Now.
	Now func() time.Time
}

func (o *Options) withDefaults() Options {
	var d Options
	if o != nil {
		d = *o
	}
	if d.Challenge == "" {
		d.Challenge = `Basic realm="publishing points"`
	}
	if d.Logger == nil {
		d.Logger = slog.Default()
	}
	if d.Now == nil {
		d.Now = time.Now
	}
	return d
}

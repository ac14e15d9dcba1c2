package smooth

import (
	"cmp"
	"errors"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/smoothkit/smoothkit/internal/httpx"
	"github.com/smoothkit/smoothkit/internal/sending"
)

// HandlerOptions tunes a [Handler]. A nil pointer and the zero value mean the documented defaults.
type HandlerOptions struct {
	// Logger gets one record per failed request: at level Debug for what does not exist (yet) and for what the source
	// has logged already, Info for a client's fault, Error for ours. Nil means slog.Default().
	Logger *slog.Logger
	// FragmentMaxAge is the Cache-Control lifetime of a fragment. Zero means one hour; negative means no-store.
	FragmentMaxAge time.Duration
	// ManifestMaxAge is the Cache-Control lifetime of a manifest. Zero means one minute; negative means no-store. A
	// live manifest never gets more than half the duration of a fragment and a twentieth of a second.
	ManifestMaxAge time.Duration
	// Immutable promises that published files are never replaced: fragments may be cached for a year without asking
	// again. It overrides FragmentMaxAge.
	Immutable bool
	// Outputs show presentations in further formats. Of two with the same format the first one wins; fmp4-v20 is
	// taken.
	Outputs []Output
	// CORS rules over requests of scripts from other origins. Nil means that any origin may read.
	CORS *CORS
	// NoPolicies stops answering /clientaccesspolicy.xml and /crossdomain.xml below the handler's root, which
	// Silverlight and Flash ask for at the root of the host. By default they allow the origins that CORS allows.
	NoPolicies bool
	// ChildQuery names the query parameters of a manifest request that are repeated in the URLs inside the manifest,
	// such as the token of a signed URL. Nil means none.
	ChildQuery []string
	// Filters are the named filters that requests may ask for, besides those that options and queries spell out: see
	// [ParseFilters]. Nil means none.
	Filters map[string]Filter
	// RememberedFilters bounds the filtered views of presentations that are kept. Zero means
	// [DefaultRememberedFilters].
	RememberedFilters int
	// TimeTolerance in ticks of the stream: a request for a fragment that does not exist is answered with the
	// nearest one whose start differs by at most this. Zero means exact.
	TimeTolerance uint64
	// WaitAtEdge is how long a request for a live fragment that is about to come is held, if the presentation is a
	// [Waiter]. Zero means that it is answered with 412 at once. A request further ahead of the live edge than
	// three fragments is never held.
	WaitAtEdge time.Duration
	// SendTimeout bounds, to within an eighth, how long sending one fragment of more than 64 kB may take before the
	// connection is cut, so that a client that has stopped reading gives back the open file or memory that the fragment
	// holds. Zero means five minutes; negative means no bound. Where the [http.Server] has a WriteTimeout, that one
	// counts instead.
	SendTimeout time.Duration
	// Observe, if set, is called once per finished request, on the request's goroutine. It must not block.
	Observe func(Observation)
}

// Handler serves the presentations of a [Source] over the Smooth Streaming protocol, [MS-SSTR], and dispatches to
// the registered outputs. It works under any prefix (with [http.StripPrefix]) and in any router that leaves the
// URL's path alone, sends relative URLs only, and never sets a cookie. It is safe for concurrent use.
type Handler struct {
	src     Source
	opts    HandlerOptions
	outputs map[string]Output // by format in lower case
	cors    cors
	policy  policies
	filters *FilterSet
	sending *sending.Watch // nil without SendTimeout
	blocks  *chunkBlocks   // of live manifests
	counters

	fragmentCache, manifestCache []string // values of Cache-Control
}

// NewHandler returns a handler for the presentations of src. It copies opts.
func NewHandler(src Source, opts *HandlerOptions) *Handler {
	h := &Handler{src: src, outputs: make(map[string]Output), blocks: newChunkBlocks()}
	if opts != nil {
		h.opts = *opts
	}
	h.opts.Logger = cmp.Or(h.opts.Logger, slog.Default())
	h.opts.ChildQuery = slices.Clone(h.opts.ChildQuery)
	for _, o := range h.opts.Outputs {
		for _, format := range o.Formats() {
			format = strings.ToLower(format)
			if _, taken := h.outputs[format]; !taken {
				h.outputs[format] = o
			}
		}
	}
	named := maps.Clone(h.opts.Filters)
	h.filters = NewFilterSet(func(name string) (Filter, bool) { f, ok := named[name]; return f, ok }, h.opts.RememberedFilters)
	h.cors = newCORS(h.opts.CORS)
	h.policy = newPolicies(&h.cors, h.opts.NoPolicies)
	h.opts.ManifestMaxAge = cmp.Or(h.opts.ManifestMaxAge, time.Minute)
	if timeout := cmp.Or(h.opts.SendTimeout, 5*time.Minute); timeout > 0 {
		h.sending = sending.NewWatch(timeout)
	}
	h.fragmentCache = []string{httpx.CacheControl(cmp.Or(h.opts.FragmentMaxAge, time.Hour))}
	if h.opts.Immutable {
		h.fragmentCache = []string{"public, max-age=31536000, immutable"}
	}
	h.manifestCache = []string{httpx.CacheControl(h.opts.ManifestMaxAge)}
	return h
}

// ServeHTTP implements [http.Handler].
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	x := exchanges.Get().(*exchange)
	*x = exchange{w: w, r: r, size: -1}
	if h.opts.Observe != nil {
		x.start = time.Now()
	}
	defer h.finish(x)
	x.err = h.serve(x)
}

// errMethod is the error for a method other than GET and HEAD.
var errMethod = errors.New("method not allowed")

// serve routes a request.
func (h *Handler) serve(x *exchange) error {
	h.cors.setHeaders(x.w.Header(), x.r)
	if policy := h.policy.find(x.r.URL.Path); policy != nil {
		if x.r.Method != http.MethodGet && x.r.Method != http.MethodHead {
			return h.serveMethod(x)
		}
		return x.sendBytes(policy)
	}
	var err error
	if x.req, err = ParseRequest(x.r.URL); err != nil {
		return err
	}
	if x.r.Method != http.MethodGet && x.r.Method != http.MethodHead {
		return h.serveMethod(x)
	}
	x.req.childQuery = childQueryOf(x.req.RawQuery, h.opts.ChildQuery)
	if f := x.req.Format; f != "" && !equalFoldASCII(f, formatV20) { // the children of an output's answers are filtered too
		x.req.childQuery = appendFilterQuery(x.req.childQuery, x.req.RawQuery, h.opts.ChildQuery)
	}
	p, err := h.open(x)
	if err != nil {
		return err
	}
	defer p.Close()
	return h.servePresentation(x, p)
}

// open opens the presentation and applies filters.
func (h *Handler) open(x *exchange) (Presentation, error) {
	p, err := h.src.Open(x.r.Context(), x.req.Presentation)
	if err != nil {
		return nil, err
	}
	filtered, err := h.filters.Apply(x.r.Context(), p, &x.req)
	if err != nil {
		p.Close()
		return nil, err
	}
	return filtered, nil
}

// servePresentation dispatches by format and kind.
func (h *Handler) servePresentation(x *exchange, p Presentation) error {
	switch q := &x.req; {
	case q.Kind == CompositeRequest:
		return h.serveComposite(x, p)
	case q.Kind == FragmentRequest && q.Format == "":
		h.fragments.Add(1)
		return h.serveFragment(x, p)
	case q.Kind == ManifestRequest && (q.Format == "" && !foreignSuffix(q.Suffix) || equalFoldASCII(q.Format, formatV20)):
		h.manifests.Add(1)
		return h.serveManifest(x, p)
	}
	o, ok := h.outputs[strings.ToLower(x.req.Format)]
	if !ok || x.req.Format == "" {
		return notFound("format %q", x.req.Format)
	}
	h.converted.Add(1)
	x.shared = true
	return o.Serve(x, x.r, &x.req, p)
}

// foreignSuffix reports whether a player that appends this to a manifest's URL expects another format.
func foreignSuffix(suffix string) bool {
	return equalFoldASCII(suffix, ".m3u8") || equalFoldASCII(suffix, ".mpd")
}

// serveMethod answers OPTIONS, for CORS preflight requests, and refuses other methods.
func (h *Handler) serveMethod(x *exchange) error {
	header := x.w.Header()
	header["Allow"] = h.cors.methods
	if x.r.Method != http.MethodOptions || h.cors.disabled {
		return errMethod
	}
	h.cors.setPreflight(header, x.r)
	x.WriteHeader(http.StatusNoContent)
	return nil
}

package playlist

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/smoothkit/smoothkit/playlist/internal/turn"
	"github.com/smoothkit/smoothkit/smooth"
)

// Defaults of [HandlerOptions], those of IIS.
const (
	DefaultDelimiter         = ";"
	DefaultDepth             = 5
	DefaultInactivityTimeout = 2 * time.Hour
	DefaultTimeToLive        = 24 * time.Hour
	DefaultConnections       = 4
	// DefaultEarly is how much before the end of a locked entry the next one may be asked for.
	DefaultEarly = 2 * time.Second
	// DefaultHold is how long a request that comes too early is held.
	DefaultHold = 8 * time.Second
)

// HandlerOptions tune a [Handler]. A nil pointer and the zero value mean the documented defaults.
type HandlerOptions struct {
	// Logger gets lifecycle and refusals at Info, faults at Error. Real places of media are told at Debug only. Nil means
	// slog.Default().
	Logger *slog.Logger
	// Files are what relative entries name, by the path of their URL. Nil means those of the provider if it is a
	// [*Files], else none.
	Files fs.FS
	// AllowAbsolutePaths allows entries with physical paths, which are looked up in Roots. By default they are refused:
	// whoever may write a playlist could otherwise read every file.
	AllowAbsolutePaths bool
	// Roots are the file systems of physical paths, by directory, such as C:\inetpub\wwwroot or \\server\share.
	Roots map[string]fs.FS
	// Remote gets what is elsewhere: answers to httpd:// questions, and media if ProxyRemote is set. Nil means a client
	// with default options, which refuses private addresses.
	Remote *Remote
	// ProxyRemote sends remote media through this server, which hides their URLs and enforces rules. By default the
	// client is redirected, and rules of remote entries are only told, as IIS did; but what may not be left keeps what is
	// behind it locked until it has been asked for and, if the list tells a DURATION, could have been watched.
	ProxyRemote bool
	// ServerNames are the names of this server that httpd:// questions may be asked of, such as "www.example.com" or
	// "10.0.0.1:8080"; see the placeholders {SERVER_NAME} and {SERVER_PORT}. Nil means the address that the client has
	// connected to.
	ServerNames []string

	// Store keeps sessions. Nil means a [MemoryStore] of MaxSessions.
	Store Store
	// MaxSessions is the number of sessions of that store. Zero means no limit.
	MaxSessions int
	// TimeToLive and InactivityTimeout are those of sessions whose playlist says nothing else. Zero means the defaults.
	TimeToLive, InactivityTimeout time.Duration
	// Bind binds sessions to more than their ID. The default is [BindNothing].
	Bind Binding
	// Keys sign cookies of [BindCookie] and sessions that are tokens, the first one new ones: at least 16 random bytes
	// each, the same on all servers of a farm. Nil means a random one of this handler. See [NewTokens].
	Keys [][]byte
	// Stateless makes sessions of playlists without rules tokens, which no server has to remember: a signed text in the
	// place of the ID. Lists with entries that may be lists themselves, or with sessions bound to a cookie, have sessions
	// as always.
	Stateless bool
	// Client names the client of a request for [BindAddress]. Nil means the address without its port.
	Client func(r *http.Request) string
	// MaxConnections is the number of responses of one session at once. Zero means DefaultConnections; negative means
	// no limit. It is counted by each handler.
	MaxConnections int
	// Delimiter separates the pairs of queries, besides &: up to 8 of the characters !$&'()*,/:;?@, which are encoded where
	// they are part of a value. Empty means DefaultDelimiter.
	Delimiter string
	// MaxDepth is how deep playlists may be nested. Zero means DefaultDepth.
	MaxDepth int

	// AllowSkipAfterMinPercent is how much of a locked entry must have been delivered, and of its duration have passed,
	// before it may be left, in percent. Zero means 100: what is locked is locked. Negative means 0, IIS's default, which
	// undoes NoSkipForward of all entries.
	AllowSkipAfterMinPercent int
	// Early is how much before its end an entry counts as watched. Zero means DefaultEarly; negative means none.
	Early time.Duration
	// Hold is how long a request that comes only too early is held before it is refused: players fetch ahead. Zero means
	// DefaultHold; negative means none.
	Hold time.Duration
	// Duration finds how long a media file plays, for locks by the clock. It is asked once per version of a file. Nil
	// leaves locks of plain files to the delivered bytes, unless their entry has a DURATION.
	Duration func(ctx context.Context, name string, r io.ReaderAt, size int64) (time.Duration, error)

	// Formats are further output formats, or other ones in the place of those that [Formats] returns, by name. A nil
	// value takes a format away. A name may be any string.
	Formats map[string]Format
	// AllowClientCache leaves out Pragma and Cache-Control: no-cache, which answers have by default as URLs are those of
	// one session.
	AllowClientCache bool
	// RideAlong names query parameters of a playlist's URL that are repeated in the URLs it lists, such as a token.
	RideAlong []string
	// BaseURL returns scheme and host that URLs begin with, such as "https://example.com". Nil means those of the
	// request.
	BaseURL func(r *http.Request) string

	// Presentations are what entries that are presentations name, by path. Nil means that there are none.
	Presentations smooth.Source
	// Outputs show presentations, and the stitched one, in further formats; see [smooth.HandlerOptions].
	Outputs []smooth.Output
	// Interstitials offers playlists as HLS whose advertisements are put in by players, at ?format=hls-interstitials: the
	// entries with the role "advertisement", or those that may not be skipped where no entry has a role. Rules are then
	// only asked of players; nothing enforces them, also not for the presentation of a single entry in any other format.
	Interstitials bool
	// Media wraps the handler that sends media files, such as by a throttle. The path of requests is not that of the
	// file, but ends in its extension.
	Media func(http.Handler) http.Handler
	// Report, if set, is told what was delivered of an entry when its response ends, on its goroutine. It must not block.
	Report func(Delivery)
	// Now tells the time. Nil means time.Now.
	Now func() time.Time
}

// Delivery is what a response has delivered of an entry: what an advertiser is billed by.
type Delivery struct {
	Session   ID
	Playlist  string // path of the outermost one
	Entry     string // ID
	Title     string
	Role      string
	Stitched  bool // as a part of the one presentation; sizes are in milliseconds of media then
	Status    int
	Bytes     int64 // that this response has sent
	Delivered int64 // of the entry, by all responses of the session, what was sent twice counted once
	Size      int64 // of the entry, zero if unknown
	Percent   int   // Delivered of Size
	Completed bool  // the entry has been delivered to its end
}

// Handler answers requests for playlists and for the entries of their sessions. It is safe for concurrent use.
type Handler struct {
	provider Provider
	opts     HandlerOptions
	rules    rules
	roots    *physicalRoots
	rootFS   []fs.FS // by the names that roots has for them
	formats  map[string]Format
	lists    prepared
	tokens   *Tokens
	media    http.Handler
	stitched *smooth.Handler // of sessions' presentations, nil if there are none
	stitches stitches
	lengths  lengths
	// questions are asked one at a time for an entry of a session.
	questions turn.Turns[string]

	mu     sync.Mutex // guards active
	active map[ID]int // responses
}

// NewHandler returns a handler of the playlists of a provider. It panics on options that contradict themselves: a root
// that is no directory name, a key below 16 bytes, a Delimiter of other characters, an AllowSkipAfterMinPercent above 100.
func NewHandler(provider Provider, opts *HandlerOptions) *Handler {
	h := &Handler{provider: provider, active: make(map[ID]int)}
	if opts != nil {
		h.opts = *opts
	}
	h.defaults()
	if err := h.useRoots(); err != nil {
		panic(err)
	}
	var err error
	if h.tokens, err = NewTokens(h.opts.Keys...); err != nil {
		panic(err)
	}
	if err := checkDelimiter(h.opts.Delimiter); err != nil {
		panic(fmt.Errorf("playlist: Delimiter %q: %w", h.opts.Delimiter, err))
	}
	if p := h.opts.AllowSkipAfterMinPercent; p > 100 {
		panic(fmt.Errorf("playlist: AllowSkipAfterMinPercent %d is above 100", p))
	}
	h.rules = rules{percent: max(cmp.Or(h.opts.AllowSkipAfterMinPercent, 100), 0), early: max(h.opts.Early, 0)}
	h.formats = Formats()
	for name, f := range h.opts.Formats {
		if f == nil {
			delete(h.formats, name)
		} else {
			h.formats[name] = f
		}
	}
	h.media = http.HandlerFunc(h.sendFile)
	if h.opts.Media != nil {
		h.media = h.opts.Media(h.media)
	}
	if h.opts.Presentations != nil {
		h.stitched = smooth.NewHandler(&sessionSource{h}, &smooth.HandlerOptions{
			Logger: discreetLogger(h.opts.Logger), Outputs: h.opts.Outputs, NoPolicies: true, FragmentMaxAge: -1, ManifestMaxAge: -1,
			ChildQuery: h.opts.RideAlong,
		})
	}
	return h
}

// defaults fills in what is not set.
func (h *Handler) defaults() {
	o := &h.opts
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if p, ok := h.provider.(*Files); ok && o.Files == nil {
		o.Files = p.fsys
	}
	if o.Store == nil {
		o.Store = NewMemoryStore(&MemoryOptions{MaxSessions: o.MaxSessions, Now: o.Now})
	}
	if o.Remote == nil {
		o.Remote, _ = NewRemote(nil) // the defaults are valid
	}
	if o.Client == nil {
		o.Client = addressOf
	}
	if o.BaseURL == nil {
		o.BaseURL = baseURL
	}
	o.Delimiter = cmp.Or(o.Delimiter, DefaultDelimiter)
	o.MaxDepth = cmp.Or(o.MaxDepth, DefaultDepth)
	o.TimeToLive = cmp.Or(o.TimeToLive, DefaultTimeToLive)
	o.InactivityTimeout = cmp.Or(o.InactivityTimeout, DefaultInactivityTimeout)
	o.MaxConnections = cmp.Or(o.MaxConnections, DefaultConnections)
	o.Early = cmp.Or(o.Early, DefaultEarly)
	o.Hold = cmp.Or(o.Hold, DefaultHold)
	o.RideAlong = slices.Clone(o.RideAlong)
}

// useRoots makes the table of physical paths.
func (h *Handler) useRoots() (err error) {
	if !h.opts.AllowAbsolutePaths {
		return nil
	}
	table := make(map[string]string)
	for _, dir := range slices.Sorted(maps.Keys(h.opts.Roots)) {
		h.rootFS = append(h.rootFS, h.opts.Roots[dir])
		table[dir] = fmt.Sprint(len(h.rootFS)) // the empty name is that of Files
	}
	h.roots, err = newPhysicalRoots(table)
	return err
}

// Formats returns the formats that every handler has, by the names that ?format= takes: asx, xspf, m3u8, pls, json, rss
// and html.
func Formats() map[string]Format {
	return map[string]Format{
		"asx": ASX{}, "xspf": XSPF{}, "m3u8": M3U8{}, "pls": PLS{}, "json": JSON{}, "rss": MediaRSS{}, "html": HTML{},
	}
}

// ServeHTTP implements http.Handler. The path of requests is that of a playlist below the handler's root, such as
// "/evening.isx", alone or with the session and what is below it.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "Method Not Allowed", http.StatusMethodNotAllowed)
		return
	}
	if err := h.route(w, r); err != nil {
		h.fail(w, r, err)
	}
}

// route finds out what is asked for.
func (h *Handler) route(w http.ResponseWriter, r *http.Request) error {
	name := strings.TrimPrefix(r.URL.Path, "/")
	if list, text, rest, ok := h.cutSession(name); ok {
		return h.serveStitched(w, r, list, text, rest)
	}
	if !fs.ValidPath(name) || name == "." {
		return ErrNotFound
	}
	q, ok := parseQuery(r.URL.RawQuery, h.opts.Delimiter)
	if !ok {
		return errBadQuery
	}
	if id, ok := q["sessionid"]; ok {
		return h.serveEntry(w, r, name, id, q)
	}
	return h.serveList(w, r, name, q)
}

// cutSession splits list.isx/SESSION/rest, where the rest begins with the name of a presentation: a directory may be called
// as sessions are.
func (h *Handler) cutSession(name string) (list, text, rest string, ok bool) {
	for i := 0; i < len(name); i++ {
		if name[i] != '/' {
			continue
		}
		text, rest, ok = strings.Cut(name[i+1:], "/")
		if !ok {
			break
		}
		if first, _, _ := strings.Cut(rest, "/"); !strings.HasSuffix(first, ".ism") {
			continue
		}
		if _, ok := ParseID(text); ok || h.opts.Stateless && isTokenText(text) {
			return name[:i], text, rest, true
		}
	}
	return "", "", "", false
}

// isTokenText reports whether a text may be that of a [Token].
func isTokenText(s string) bool {
	return len(s) >= tokenText.EncodedLen(tokenHead+tokenMAC) && len(s) <= tokenText.EncodedLen(maxTokenBytes) && !strings.Contains(s, ".")
}

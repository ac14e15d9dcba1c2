package iis

import (
	"errors"
	"fmt"
	"html/template"
	"io/fs"
	"log/slog"
	"net/http"
	"net/netip"
	"path"
	"strings"
	"time"
)

// FilesOptions tunes a [Files]. A nil pointer and the zero value mean the documented defaults.
type FilesOptions struct {
	// Config has the settings of every place; Site and Path say which one the root of the files is, such as "Default
	// Web Site" and "media". Nil means that Settings hold everywhere.
	Config     *Config
	Site, Path string
	// Settings are those of everything. Nil means DefaultSettings. Only one of Config and Settings may be there.
	Settings *Settings
	// WebConfig reads the web.config files in the tree, of at most MaxWebConfigBytes, over these settings. A wrong one
	// makes everything below its directory a 500, as it does on IIS. They are looked at again when they are two seconds
	// old.
	WebConfig bool
	// RootRead tells that Config has been made of the web.config at the root of the tree: it is not read over itself, where
	// entries of collections would be there twice.
	RootRead bool
	// Next gets the requests for what is not sent from here: what does not exist, is kept back, or is a directory
	// without a default document. Nil answers them with 404, or 403 for a directory.
	Next http.Handler
	// Hidden reports files that are not sent although they could be, such as the media files that a server manifest
	// names. Its argument is the actual name, in the sense of fs.ValidPath.
	Hidden func(name string) bool
	// UnknownType is the type of files whose extension has none. Empty means that they are not sent, as IIS has it
	// (404.3).
	UnknownType string
	// Index sends lists of directories where directoryBrowse is enabled.
	Index bool
	// Address returns the address of a client, for the rules of ipSecurity. Nil means that they are not applied.
	Address func(*http.Request) netip.Addr
	// Logger gets a record per failed request. Nil means slog.Default().
	Logger *slog.Logger
	// Now is the time. Nil means time.Now.
	Now func() time.Time
}

// Files sends files as IIS did: whatever the case of their names, with default documents, types, caching and headers of
// the settings. It answers GET and HEAD, with ranges and conditions. It is safe for concurrent use.
//
// The file system should be that of an [os.Root], out of which symbolic links do not lead and whose files the kernel
// sends by itself. It never sends raw files of presentations and playlists, web.config, names that begin with a dot
// but for .well-known, and those that the settings hide. Names that Windows could take for others are not found on any
// system: with a backslash, a colon, a dot or space at the end, of a device, or of the form of a short name (WEB~1.CON).
//
// The ETag is made of the name, the size and the time of change in nanoseconds, so that it is the same on servers with
// copies that keep the times. It is a weak one as long as the file is younger than two seconds, since it may change once
// more within the same tick of the clock. Files without a time have none.
type Files struct {
	place place
	tree  *tree
	web   *webConfigs // nil if they are not read
	list  *template.Template
	opts  FilesOptions
}

// NewFiles returns a handler of files. Errors wrap [ErrOptions].
func NewFiles(fsys fs.FS, opts *FilesOptions) (*Files, error) {
	h := &Files{}
	if opts != nil {
		h.opts = *opts
	}
	if h.opts.Logger == nil {
		h.opts.Logger = slog.Default()
	}
	if h.opts.Now == nil {
		h.opts.Now = time.Now
	}
	var err error
	if h.place, err = newPlace(h.opts.Config, h.opts.Site, h.opts.Path, h.opts.Settings); err != nil {
		return nil, err
	}
	if h.list, err = template.New("list").Parse(listPage); err != nil {
		return nil, err
	}
	h.tree = newTree(fsys, h.opts.Logger, h.opts.Now)
	if h.opts.WebConfig {
		h.web = newWebConfigs(h.tree, h.opts.RootRead)
	}
	return h, nil
}

// visit is a request on its way.
type visit struct {
	w http.ResponseWriter
	r *http.Request
	s *Settings
	// name is the actual name of what is asked for.
	name  string
	slash bool // at the end of the path
}

// Errors that say how a request is answered.
var (
	errNotHere   = errors.New("not found")
	errForbidden = errors.New("forbidden")
	errMethod    = errors.New("method not allowed")
	errFiltered  = errors.New("filtered")
	errDenied    = errors.New("address is denied")
)

// ServeHTTP implements [http.Handler].
func (h *Files) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	err := h.serve(w, r)
	switch {
	case err == nil:
		return
	case h.opts.Next != nil && (errors.Is(err, errNotHere) || errors.Is(err, errForbidden)):
		h.opts.Next.ServeHTTP(w, r)
		return
	}
	status := statusOf(err)
	level := slog.LevelDebug
	if status == http.StatusInternalServerError {
		level = slog.LevelError
	}
	h.opts.Logger.Log(r.Context(), level, "request failed", "status", status, "err", err)
	if status == http.StatusMethodNotAllowed {
		w.Header().Set("Allow", "GET, HEAD")
	}
	fail(w, r, status)
}

// statusOf returns the status of an error.
func statusOf(err error) int {
	switch {
	case errors.Is(err, errMethod):
		return http.StatusMethodNotAllowed
	case errors.Is(err, errForbidden), errors.Is(err, errDenied), errors.Is(err, fs.ErrPermission):
		return http.StatusForbidden
	case errors.Is(err, errNotHere), errors.Is(err, errFiltered), errors.Is(err, fs.ErrNotExist):
		return http.StatusNotFound
	}
	return http.StatusInternalServerError
}

// serve answers a request, or returns why it does not.
func (h *Files) serve(w http.ResponseWriter, r *http.Request) error {
	name, slash, kind := nameOf(r.URL)
	if kind == nameWrong {
		return errFiltered
	}
	actual, info, err := h.tree.resolve(name)
	if err == nil {
		name = actual // whose spelling is that of the locations
	}
	s, suffix, settingsErr := h.settings(name, err == nil, r)
	if settingsErr != nil {
		return settingsErr
	}
	if err := h.admit(s, r); err != nil {
		return err
	}
	if s.redirect(w, r, suffix) {
		return nil
	}
	switch {
	case kind != nameFile || errors.Is(err, fs.ErrNotExist):
		return errNotHere
	case err != nil:
		return err
	}
	v := &visit{w: w, r: r, s: s, name: actual, slash: slash}
	if info.IsDir() {
		return h.serveDirectory(v)
	}
	return h.serveFile(v, info)
}

// admit returns why a request is not answered whatever it asks for.
func (h *Files) admit(s *Settings, r *http.Request) error {
	if addressOf(h.opts.Address).denies(s, r) {
		return errDenied
	}
	if d := s.Filtering.Check(r); d != 0 {
		return fmt.Errorf("%w: 404.%d", errFiltered, int(d))
	}
	return nil
}

// settings returns those of a name, and the rest of the path below the place of their redirect.
func (h *Files) settings(name string, exists bool, r *http.Request) (s *Settings, suffix string, err error) {
	s = h.place.of(name)
	suffix = h.place.suffix(s.Redirect.At, r.URL.Path)
	if h.web == nil {
		return s, suffix, nil
	}
	over, dir, err := h.web.settings(name, exists, s)
	if err == nil && over.Redirect != s.Redirect {
		suffix = cutFold(r.URL.Path, strings.TrimSuffix("/"+path.Join(dir, over.Redirect.At), "/"))
	}
	return over, suffix, err
}

// isHidden tells whether a file is not sent whatever it is.
func (h *Files) isHidden(v *visit) bool {
	if isKeptBack(v.name) || v.s.Filtering.CheckPath("/"+v.name) != 0 {
		return true
	}
	return h.opts.Hidden != nil && h.opts.Hidden(h.tree.spelling(v.name))
}

// serveDirectory sends a default document or a list, or redirects to the path with a slash.
func (h *Files) serveDirectory(v *visit) error {
	if v.name != "." && h.isHidden(v) {
		return errNotHere
	}
	if !isRead(v.r.Method) {
		if h.opts.Next != nil {
			return errNotHere
		}
		return errMethod
	}
	if last := lastName(v.r); last != "" {
		return v.addSlash(last)
	}
	if v.s.DefaultDocument.Enabled {
		for _, file := range v.s.DefaultDocument.Files {
			if err := h.serveDefault(v, file); !errors.Is(err, errNotHere) {
				return err
			}
		}
	}
	if h.opts.Index && v.s.DirectoryBrowse {
		return h.serveList(v)
	}
	return errForbidden
}

// addSlash redirects to the path of a directory with a slash, relative to the path that was asked for.
func (v *visit) addSlash(last string) error {
	query := ""
	if v.r.URL.RawQuery != "" {
		query = "?" + escapeText(v.r.URL.RawQuery)
	}
	v.s.addHeaders(v.w)
	v.w.Header().Set("Location", "./"+last+"/"+query)
	fail(v.w, v.r, http.StatusMovedPermanently)
	return nil
}

// serveDefault sends a default document if it is there.
func (h *Files) serveDefault(v *visit, file string) error {
	if !fs.ValidPath(file) || badElement(path.Base(file)) {
		return errNotHere
	}
	actual, info, err := h.tree.resolve(path.Join(v.name, file))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return errNotHere
	case err != nil:
		return err
	case info.IsDir():
		return errNotHere
	}
	inside := *v
	inside.name, inside.slash = actual, false
	return h.serveFile(&inside, info)
}

func isRead(method string) bool { return method == http.MethodGet || method == http.MethodHead }

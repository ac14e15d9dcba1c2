package iis

import (
	"errors"
	"maps"
	"net/http"
	"slices"
	"strings"
)

// defaultDocument reads the section of that name.
func (b *builder) defaultDocument(to *Settings, n *node, path string) {
	d := &to.DefaultDocument
	b.bool(n, "enabled", &d.Enabled)
	if files := b.single(n, "files"); files != nil {
		files.take()
		r := stringsReader(b, statedFiles, "add", "value")
		r.front = true
		d.Files = change(b, to, files, path+"/files", d.Files, r)
	}
	b.say(n, path, "enabled: %v, %d names", d.Enabled, len(d.Files))
}

// staticContent reads the section of that name, whose MIME types are directly in it.
func (b *builder) staticContent(to *Settings, n *node, path string) {
	var list []mimeType
	for _, ext := range slices.Sorted(maps.Keys(to.StaticContent.Types)) {
		list = append(list, mimeType{ext, to.StaticContent.Types[ext]})
	}
	list = change(b, to, n, path, list, listReader[mimeType]{
		id: statedTypes, add: "mimeMap", key: "fileExtension", required: []string{"mimeType"},
		keyOf: func(t mimeType) string { return t.ext }, read: b.readMIMEType,
	})
	types := make(MIMETypes, len(list))
	for _, t := range list {
		types[strings.ToLower(t.ext)] = t.value
	}
	to.StaticContent.Types = types
	if c := b.single(n, "clientCache"); c != nil {
		b.clientCache(&to.StaticContent.ClientCache, c, path+"/clientCache")
	}
	b.say(n, path, "%d MIME types", len(types))
}

// mimeType is an extension and its type.
type mimeType struct{ ext, value string }

func (b *builder) readMIMEType(n *node, _ string) (mimeType, bool) {
	ext, _ := n.attr("fileExtension")
	typ, _ := n.attr("mimeType")
	switch {
	case !strings.HasPrefix(ext.Value, "."):
		b.log.FailAttr(n.Element, ext, errors.New("no extension with a dot"))
	case !isHeaderValue(typ.Value) || typ.Value == "":
		b.log.FailAttr(n.Element, typ, errors.New("no value for a header"))
	default:
		return mimeType{ext.Value, typ.Value}, true
	}
	return mimeType{}, false
}

func (b *builder) clientCache(to *ClientCache, n *node, path string) {
	mode, etag := string(to.Mode), !to.NoETag
	b.choice(n, "cacheControlMode", &mode, string(NoControl), string(DisableCache), string(UseMaxAge), string(UseExpires))
	b.span(n, "cacheControlMaxAge", &to.MaxAge)
	b.header(n, "cacheControlCustom", &to.Custom)
	b.bool(n, "setEtag", &etag)
	to.Mode, to.NoETag = CacheMode(mode), !etag
	if a, ok := n.attr("httpExpires"); ok {
		if _, err := http.ParseTime(a.Value); err != nil {
			b.log.FailAttr(n.Element, a, errors.New("no date of HTTP"))
		}
		to.Expires = a.Value
	}
	b.say(n, path, "mode %s", to.Mode)
}

// header reads a value for a header if it is there.
func (b *builder) header(n *node, name string, to *string) {
	a, ok := n.attr(name)
	if !ok {
		return
	}
	if !isHeaderValue(a.Value) {
		b.log.FailAttr(n.Element, a, errors.New("no value for a header"))
		return
	}
	*to = a.Value
}

// directoryBrowse reads the section of that name.
func (b *builder) directoryBrowse(to *Settings, n *node, path string) {
	b.bool(n, "enabled", &to.DirectoryBrowse)
	n.attr("showFlags")
	b.say(n, path, "enabled: %v; a list has names, sizes and times whatever showFlags says", to.DirectoryBrowse)
}

// httpProtocol reads the headers of answers.
func (b *builder) httpProtocol(to *Settings, n *node, path string) {
	read := func(name string, id stated, list *[]Header) {
		if c := b.single(n, name); c != nil {
			c.take()
			*list = change(b, to, c, path+"/"+name, *list, listReader[Header]{
				id: id, add: "add", key: "name", required: []string{"value"},
				keyOf: func(h Header) string { return h.Name }, read: b.customHeader,
			})
		}
	}
	read("customHeaders", statedHeaders, &to.Headers)
	read("redirectHeaders", statedRedirectHeaders, &to.RedirectHeaders)
	b.say(n, path, "%d headers, %d of redirects", len(to.Headers), len(to.RedirectHeaders))
}

func (b *builder) customHeader(n *node, path string) (Header, bool) {
	name, _ := n.attr("name")
	value, _ := n.attr("value")
	switch {
	case !isToken(name.Value):
		b.log.FailAttr(n.Element, name, errors.New("no name of a header"))
	case !isHeaderValue(value.Value):
		b.log.FailAttr(n.Element, value, errors.New("no value for a header"))
	case isOwnHeader(name.Value):
		b.refuse(n, path, "the header is set with the answer itself")
	default:
		return Header{http.CanonicalHeaderKey(name.Value), value.Value}, true
	}
	return Header{}, false
}

// isOwnHeader reports headers that frame an answer, so that a fixed value would break it.
func isOwnHeader(name string) bool {
	switch http.CanonicalHeaderKey(name) {
	case "Content-Length", "Transfer-Encoding", "Connection", "Content-Range", "Trailer", "Upgrade", "Content-Encoding":
		return true
	}
	return false
}

// httpRedirect reads the section of that name.
func (b *builder) httpRedirect(to *Settings, n *node, path string) {
	r := to.Redirect
	status := ""
	b.bool(n, "enabled", &r.Enabled)
	b.header(n, "destination", &r.Destination)
	b.bool(n, "exactDestination", &r.Exact)
	b.bool(n, "childOnly", &r.ChildOnly)
	b.choice(n, "httpResponseStatus", &status, "Permanent", "Found", "Temporary", "PermRedirect")
	switch status {
	case "Permanent":
		r.Status = http.StatusMovedPermanently
	case "Found":
		r.Status = http.StatusFound
	case "Temporary":
		r.Status = http.StatusTemporaryRedirect
	case "PermRedirect":
		r.Status = http.StatusPermanentRedirect
	}
	r.At = b.inLocation
	switch {
	case r.Enabled && r.Destination == "":
		b.refuse(n, path, "no destination")
		return
	case r.Enabled && !isDestination(r.Destination):
		b.refuse(n, path, "destination %.100q", r.Destination)
		return
	}
	to.Redirect = r
	b.say(n, path, "enabled: %v", r.Enabled)
}

// isHeaderValue reports what may stand in a header. See RFC 9110 section 5.5.
func isHeaderValue(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < ' ' && c != '\t' || c == 0x7f {
			return false
		}
	}
	return true
}

// isToken reports names of headers and methods. See RFC 9110 section 5.6.2.
func isToken(s string) bool {
	for i := range len(s) {
		c := s[i]
		isLetter := 'a' <= c|0x20 && c|0x20 <= 'z'
		if !isLetter && ('0' > c || c > '9') && strings.IndexByte("!#$%&'*+-.^_`|~", c) < 0 {
			return false
		}
	}
	return s != ""
}

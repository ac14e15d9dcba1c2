package iis

import (
	"hash/fnv"
	"io"
	"io/fs"
	"net/http"
	"strconv"
	"time"
)

// freshness is how long the clock of a file system may stand, with much to spare.
const freshness = 2 * time.Second

// serveFile sends a file.
func (h *Files) serveFile(v *visit, info fs.FileInfo) error {
	if v.slash || !info.Mode().IsRegular() || h.isHidden(v) {
		return errNotHere
	}
	if m := v.s.HandlerFor(http.MethodGet, "/"+v.name); m != nil && m.Kind != StaticHandler {
		return errNotHere
	}
	contentType, ok := v.s.StaticContent.Types.TypeOf(v.name)
	if !ok {
		if contentType = h.opts.UnknownType; contentType == "" {
			return errNotHere
		}
	}
	if !isRead(v.r.Method) {
		return errMethod
	}
	f, err := h.tree.fsys.Open(v.name)
	if err != nil {
		return plainError(v.name, err)
	}
	defer f.Close()
	if info, err = f.Stat(); err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return errNotHere
	}
	v.s.addHeaders(v.w)
	v.w.Header().Set("Content-Type", contentType)
	v.s.StaticContent.ClientCache.set(v.w.Header())
	if tag := h.entityTag(v, info); tag != "" {
		v.w.Header().Set("Etag", tag)
	}
	if content, ok := f.(io.ReadSeeker); ok {
		http.ServeContent(v.w, v.r, "", info.ModTime(), content)
		return nil
	}
	return v.sendWhole(f, info)
}

// sendWhole sends a file that can only be read from its start, without ranges.
func (v *visit) sendWhole(f fs.File, info fs.FileInfo) error {
	header := v.w.Header()
	if !info.ModTime().IsZero() {
		header.Set("Last-Modified", info.ModTime().UTC().Format(http.TimeFormat))
	}
	header.Set("Content-Length", strconv.FormatInt(info.Size(), 10))
	v.w.WriteHeader(http.StatusOK)
	if v.r.Method != http.MethodHead {
		_, _ = io.CopyN(v.w, f, info.Size()) // the answer has begun: a length that is not reached ends the connection
	}
	return nil
}

// entityTag returns the ETag of a file, empty if it has none.
func (h *Files) entityTag(v *visit, info fs.FileInfo) string {
	changed := info.ModTime()
	if changed.IsZero() || v.s.StaticContent.ClientCache.NoETag {
		return ""
	}
	name := fnv.New64a()
	_, _ = io.WriteString(name, v.name) // never fails
	tag := `"` + strconv.FormatUint(name.Sum64(), 36) + "-" + strconv.FormatInt(info.Size(), 36) + "-" +
		strconv.FormatInt(changed.UnixNano(), 36) + `"`
	if h.opts.Now().Sub(changed) < freshness {
		return "W/" + tag
	}
	return tag
}

// set sets the headers about caching.
func (c *ClientCache) set(h http.Header) {
	value := ""
	switch c.Mode {
	case DisableCache:
		value = "no-cache"
	case UseMaxAge:
		value = "max-age=" + strconv.FormatInt(int64(c.MaxAge/time.Second), 10)
	case UseExpires:
		if c.Expires != "" {
			h.Set("Expires", c.Expires)
		}
	}
	switch {
	case c.Custom != "" && value != "":
		value = c.Custom + "," + value
	case value == "":
		value = c.Custom
	}
	if value != "" {
		h.Set("Cache-Control", value)
	}
}

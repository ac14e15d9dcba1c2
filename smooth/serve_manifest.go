package smooth

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/xml"
	"errors"
	"strings"
	"time"

	"github.com/smoothkit/smoothkit/internal/httpx"
)

// formatV20 is the format option of manifests for clients that do not know the r attribute.
const formatV20 = "fmp4-v20"

// manifestBody is one form of a manifest.
type manifestBody struct {
	// key names the form among the derived bytes of the snapshot and in entity tags.
	key  string
	data []byte
	live *liveText // of a live manifest, instead of data
}

// serveManifest answers a manifest request. See [MS-SSTR] 2.2.1 and 2.2.2.
func (h *Handler) serveManifest(x *exchange, p Presentation) error {
	ctx := x.r.Context()
	s, err := p.Snapshot(ctx)
	if err != nil {
		return err
	}
	if s.NotSmooth != nil {
		return s.NotSmooth
	}
	m, err := h.clientManifest(ctx, s, p, &x.req)
	if err != nil {
		return err
	}
	return h.sendManifest(x, s, m)
}

// serveComposite answers a request for a composite manifest itself.
func (h *Handler) serveComposite(x *exchange, p Presentation) error {
	c, ok := p.(CompositeFile)
	if !ok {
		return notFound("%s is not a composite manifest", x.req.Presentation)
	}
	ctx := x.r.Context()
	s, err := p.Snapshot(ctx)
	if err != nil { // the clips cannot be played here, but a client may fetch them from where they are
		if s, err = compositeSnapshot(ctx, c); err != nil {
			return err
		}
	}
	h.manifests.Add(1)
	m := manifestBody{key: "smooth.composite"}
	if m.data, err = s.Memo(m.key, func() ([]byte, error) { return c.CompositeBytes(shared(ctx)) }); err != nil {
		return err
	}
	return h.sendManifest(x, s, m)
}

// compositeSnapshot returns a snapshot that stands for the composite manifest itself.
func compositeSnapshot(ctx context.Context, c CompositeFile) (*Snapshot, error) {
	data, err := c.CompositeBytes(ctx)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(data)
	return NewSnapshot(&Manifest{MajorVersion: 1}, "csm-"+validatorOf(sum[:])), nil
}

// clientManifest returns the manifest that a request gets: as it is stored, unless that has to be changed.
func (h *Handler) clientManifest(ctx context.Context, s *Snapshot, p Presentation, q *Request) (m manifestBody, err error) {
	v20 := q.Format != ""
	if stored, ok := p.(ManifestFile); ok && !v20 && q.childQuery == "" {
		m.key = "smooth.stored"
		m.data, err = s.Memo(m.key, func() ([]byte, error) { return stored.ManifestBytes(shared(ctx)) })
		if err == nil || !errors.Is(err, ErrNotFound) {
			return m, err
		}
	}
	m.key = "smooth.xml"
	if v20 {
		m.key = "smooth.v20"
	}
	suffix := ""
	if q.childQuery != "" {
		m.key += "+query"
		suffix = querySuffix
	}
	opts := &ManifestOptions{V20: v20, URLSuffix: suffix}
	if s.Manifest.IsLive {
		m.live, err = h.liveText(s, m.key, q.Presentation, opts)
		return m, err
	}
	m.data, err = s.Memo(m.key, func() ([]byte, error) { return s.Manifest.AppendXML(nil, opts) })
	return m, err
}

// liveTextKey is the key of a live manifest among what is derived from a snapshot.
type liveTextKey string

// liveText returns a form of a live manifest.
func (h *Handler) liveText(s *Snapshot, form, presentation string, opts *ManifestOptions) (*liveText, error) {
	v, err := s.Derive(liveTextKey(form), func() (any, error) {
		return newLiveText(s.Manifest, opts, h.blocks, presentation)
	})
	if err != nil {
		return nil, err
	}
	return v.(*liveText), nil
}

// shared returns the context of work that several requests wait for, which does not end with the first of them.
func shared(ctx context.Context) context.Context { return context.WithoutCancel(ctx) }

// querySuffix stands in a cached manifest for the query that rides along, which differs from viewer to viewer.
const querySuffix = "?smooth-child-query"

// withQuery returns a cached manifest with the query of one request.
func withQuery(data []byte, query string) []byte {
	var escaped bytes.Buffer
	escaped.WriteByte('?')
	_ = xml.EscapeText(&escaped, []byte(query)) // a bytes.Buffer does not fail
	return bytes.ReplaceAll(data, []byte(querySuffix), escaped.Bytes())
}

// sendManifest answers with a manifest, compressed if the client wants that.
func (h *Handler) sendManifest(x *exchange, s *Snapshot, m manifestBody) error {
	d := document{
		mime: typeXML, cache: h.manifestLifetime(s), vary: varyEncoding, modified: s.lastModified(),
	}
	if m.live == nil {
		d.mime = xmlType(m.data)
	}
	if d.modified != nil {
		d.modTime = s.ModTime
	}
	hash := newFNV64.text(m.key).text(x.req.childQuery)
	wantsGzip := x.r.Header["Range"] == nil && httpx.AcceptsGzip(x.r.Header["Accept-Encoding"])
	var err error
	var isGzip bool
	if query := x.req.childQuery; query != "" && strings.HasSuffix(m.key, "+query") {
		d.data, isGzip = m.forQuery(query, wantsGzip)
	} else if d.data, isGzip, err = m.forAll(s, wantsGzip); err != nil {
		return err
	}
	if isGzip {
		d.encoding, hash = encodingGzip, hash.text("gzip")
	}
	d.etag = string(appendETag(nil, s.Validator, hash))
	return x.sendBytes(&d)
}

// forAll returns the body for all clients that want it compressed, or do not, and whether it is.
func (m *manifestBody) forAll(s *Snapshot, compressed bool) ([]byte, bool, error) {
	if compressed {
		data, err := s.Memo(m.key+".gzip", func() ([]byte, error) {
			if m.live != nil {
				return m.live.gzip(), nil
			}
			return httpx.Compress(m.data)
		})
		if err != nil || len(data) < m.size() {
			return data, true, err
		}
	}
	if m.live == nil {
		return m.data, false, nil
	}
	data, err := s.Memo(m.key, func() ([]byte, error) { return m.live.plain(), nil })
	return data, false, err
}

// forQuery returns the body for one client, whose query rides along. Compressing it cannot be done once for all, so that is
// left to large live manifests, of which most parts are compressed already.
func (m *manifestBody) forQuery(query string, compressed bool) ([]byte, bool) {
	switch {
	case m.live == nil:
		return withQuery(m.data, query), false
	case compressed && m.live.size >= wholeText:
		return m.live.withQuery(query).gzip(), true
	}
	return m.live.withQuery(query).plain(), false
}

// size returns the number of bytes of the manifest.
func (m *manifestBody) size() int {
	if m.live != nil {
		return m.live.size
	}
	return len(m.data)
}

// manifestLifetime returns the value of Cache-Control. A live manifest is old after half a fragment at most.
func (h *Handler) manifestLifetime(s *Snapshot) []string {
	if s.Ended || h.opts.ManifestMaxAge < 0 {
		return h.manifestCache
	}
	const nearly = time.Second / 20 // fragments of sound are a little shorter than the two seconds they are meant to be
	age := min(h.opts.ManifestMaxAge, shortestFragment(s.Manifest)/2+nearly)
	return []string{httpx.CacheControl(age)}
}

// shortestFragment returns the least duration of the newest fragments of the streams that are not sparse, or 0.
func shortestFragment(m *Manifest) time.Duration {
	shortest := time.Duration(-1)
	for _, s := range m.Streams {
		n := len(s.Timeline)
		if n == 0 || s.Parent != "" {
			continue
		}
		ns := min(Rescale(s.Timeline[n-1].Duration, m.TimescaleOf(s), uint64(time.Second)), uint64(time.Hour))
		if d := time.Duration(ns); shortest < 0 || d < shortest {
			shortest = d
		}
	}
	return max(shortest, 0)
}

var (
	typeUTF16LE = []string{"text/xml; charset=utf-16le"}
	typeUTF16BE = []string{"text/xml; charset=utf-16be"}
	typeUTF16   = []string{"text/xml; charset=utf-16"}
)

// xmlType returns the media type of an XML document with the character encoding that its first bytes show, which are
// the byte order mark or those of "<?xml". Its declaration counts only if the bytes leave it open, since the label
// utf-16 on UTF-8 occurs. See XML 1.0 appendix F and RFC 7303.
func xmlType(data []byte) []string {
	switch {
	case bytes.HasPrefix(data, []byte{0xff, 0xfe}), bytes.HasPrefix(data, []byte{0xfe, 0xff}):
		return typeUTF16
	case bytes.HasPrefix(data, []byte{'<', 0}):
		return typeUTF16LE
	case bytes.HasPrefix(data, []byte{0, '<'}):
		return typeUTF16BE
	case bytes.HasPrefix(data, []byte{0xef, 0xbb, 0xbf}):
		return typeXML
	}
	if charset := declaredEncoding(data); charset != "" {
		return []string{"text/xml; charset=" + charset}
	}
	return typeXML
}

// declaredEncoding returns the encoding that an XML declaration in ASCII names, in lower case, if it is neither UTF-8
// nor impossible.
func declaredEncoding(data []byte) string {
	if !bytes.HasPrefix(data, []byte("<?xml")) {
		return ""
	}
	head, _, ok := bytes.Cut(data[:min(len(data), 200)], []byte("?>"))
	_, after, named := bytes.Cut(head, []byte("encoding"))
	if !ok || !named {
		return ""
	}
	after = bytes.TrimLeft(after, " \t\r\n=")
	if len(after) < 2 || after[0] != '"' && after[0] != '\'' {
		return ""
	}
	name, _, ok := bytes.Cut(after[1:], after[:1])
	charset := strings.ToLower(string(name))
	if !ok || charset == "utf-8" || strings.HasPrefix(charset, "utf-16") || strings.HasPrefix(charset, "utf-32") || !validSuffix("."+charset) {
		return ""
	}
	return charset
}

package smooth

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/smoothkit/smoothkit/internal/fmp4"
	"github.com/smoothkit/smoothkit/internal/httpx"
)

// serveFragment answers a fragment request. See [MS-SSTR] 2.2.3 and 2.2.4.
func (h *Handler) serveFragment(x *exchange, p Presentation) error {
	ctx := x.r.Context()
	f, err := listedFragment(ctx, p, x.req.Key)
	if err != nil {
		if f, err = h.fragmentNear(ctx, p, x.req.Key, err); err != nil {
			return err
		}
	}
	defer f.recycle()
	s, err := p.Snapshot(ctx)
	if err != nil {
		return err
	}
	body, err := newFragmentBody(f, x.req.Noun)
	if err != nil {
		return err
	}
	body.kind = streamType(f, s)
	h.fragmentHeaders(x, s, &body)
	if body.size > memoryFragment && h.sending != nil && !hasWriteTimeout(ctx) {
		defer h.sending.End(h.sending.Begin(x.w))
	}
	return x.sendFragment(s, body)
}

// listedFragment returns a fragment with all that its header will ever have.
func listedFragment(ctx context.Context, p Presentation, k FragmentKey) (*Fragment, error) {
	f, err := p.Fragment(ctx, k)
	if err == nil && f.Early {
		f.Close()
		return nil, fmt.Errorf("smooth: fragment %s %d is behind the look-ahead: %w", k.Stream, k.Time, ErrNotYet)
	}
	return f, err
}

// hasWriteTimeout reports whether the server of a request bounds its answers itself.
func hasWriteTimeout(ctx context.Context) bool {
	s, ok := ctx.Value(http.ServerContextKey).(*http.Server)
	return ok && s.WriteTimeout > 0
}

// fragmentNear tries again after a fragment was not there: under the name in its right case, at a time nearby, or later.
func (h *Handler) fragmentNear(ctx context.Context, p Presentation, k FragmentKey, cause error) (*Fragment, error) {
	switch {
	case errors.Is(cause, ErrNotFound):
		return h.nearestFragment(ctx, p, k, cause)
	case h.opts.WaitAtEdge > 0 && errors.Is(cause, ErrNotYet):
		if w, ok := p.(Waiter); ok {
			return h.awaitFragment(ctx, p, w, k, cause)
		}
	}
	return nil, cause
}

// nearestFragment returns the fragment of the stream that a key means, within the tolerance.
func (h *Handler) nearestFragment(ctx context.Context, p Presentation, k FragmentKey, cause error) (*Fragment, error) {
	s, err := p.Snapshot(ctx)
	if err != nil {
		return nil, err
	}
	stream := s.Manifest.Stream(k.Stream)
	if stream == nil {
		return nil, cause
	}
	found := k
	found.Stream = stream.Name
	if i, ok := stream.Timeline.Nearest(k.Time, h.opts.TimeTolerance); ok {
		found.Time = stream.Timeline[i].Time
	}
	if found == k {
		return nil, cause
	}
	f, err := listedFragment(ctx, p, found)
	if err == nil && found.Time != k.Time {
		h.nearest.Add(1)
	}
	return f, err
}

// awaitFragment holds a request until the fragment is there.
func (h *Handler) awaitFragment(ctx context.Context, p Presentation, w Waiter, k FragmentKey, cause error) (*Fragment, error) {
	s, err := p.Snapshot(ctx)
	if err != nil {
		return nil, err
	}
	if !nearEdge(s, k) {
		return nil, cause
	}
	h.held.Add(1)
	waiting, cancel := context.WithTimeout(ctx, h.opts.WaitAtEdge)
	defer cancel()
	if err := w.Wait(waiting, k); err != nil {
		if ctx.Err() == nil && waiting.Err() != nil {
			return nil, cause
		}
		return nil, err
	}
	return listedFragment(ctx, p, k)
}

// nearEdge reports whether a key is at most three fragments ahead of what its stream lists.
func nearEdge(s *Snapshot, k FragmentKey) bool {
	for i, stream := range s.Manifest.Streams {
		if stream.Name != k.Stream && !equalFoldASCII(stream.Name, k.Stream) {
			continue
		}
		n := len(stream.Timeline)
		if n == 0 {
			return true
		}
		edge := stream.Timeline.End()
		if i < len(s.Edges) {
			edge = max(edge, s.Edges[i].Complete)
		}
		return k.Time <= edge || (k.Time-edge)/3 <= stream.Timeline[n-1].Duration
	}
	return false
}

// fragmentHeaders sets the headers of a fragment. They are the same for GET and HEAD, whole and in parts.
func (h *Handler) fragmentHeaders(x *exchange, s *Snapshot, b *fragmentBody) {
	header := x.w.Header()
	header["Cache-Control"] = h.fragmentCache
	header["Accept-Ranges"] = acceptRanges
	if mime := b.contentType(); b.f.ChildTrack == "" {
		header["Content-Type"] = mime
	} else {
		header["Content-Type"] = []string{sparsePointer(mime[0], b.f.ChildTrack)}
	}
	var buf [128]byte
	tag := b.appendETag(buf[:0], s)
	n := len(tag)
	both := string(strconv.AppendInt(tag, b.size, 10)) // one string and one slice for both headers
	text := [...]string{both[:n], both[n:]}
	header["Etag"], header["Content-Length"] = text[:1:1], text[1:]
	if modified := s.lastModified(); modified != nil {
		header["Last-Modified"] = modified
	}
}

// sparsePointer returns the Content-Type with the sparse stream pointer of [MS-SSTR] 2.2.5.
func sparsePointer(mime, pointer string) string {
	if strings.IndexByte(pointer, '"') >= 0 || !safePath(pointer) {
		return mime
	}
	return mime + `;ChildTrack="` + pointer + `"`
}

// sendFragment sends the body. The whole of a GET goes out directly, the cheapest way.
func (x *exchange) sendFragment(s *Snapshot, body fragmentBody) error {
	if httpx.Conditional(x.r) {
		return x.serveContent(s, body)
	}
	x.WriteHeader(http.StatusOK)
	if x.r.Method == http.MethodHead {
		return nil
	}
	n, err := body.WriteTo(x.w)
	x.bytes = n
	return err
}

// serveContent answers a request with a range or a precondition.
func (x *exchange) serveContent(s *Snapshot, body fragmentBody) (err error) {
	delete(x.w.Header(), "Content-Length")
	x.size = body.size
	var modTime time.Time
	if s.Ended {
		modTime = s.ModTime
	}
	src := httpx.NewReadErrors(&body)
	defer func() { err = src.End() }()
	http.ServeContent(x, x.r, "", modTime, io.NewSectionReader(src, 0, body.size))
	return nil
}

// fragmentBody is what one noun shows of a fragment.
type fragmentBody struct {
	f     *Fragment
	noun  Noun
	kind  StreamType
	head  []byte      // the header of FragmentInfo and KeyFrames
	spans []fmp4.Span // of the payload, that follow it
	size  int64
}

func newFragmentBody(f *Fragment, noun Noun) (fragmentBody, error) {
	b := fragmentBody{f: f, noun: noun}
	switch noun {
	case Fragments:
		b.size = f.Size()
		return b, nil
	case RawFragments:
		b.size = f.PayloadSize()
		return b, nil
	}
	moof, err := f.moof()
	if err != nil {
		return b, err
	}
	b.head = moof
	if noun == KeyFrames {
		if b.head, b.spans, err = fmp4.AppendKeyFrames(nil, moof, f.PayloadSize()); err != nil {
			return b, f.fault(err)
		}
	}
	b.size = int64(len(b.head))
	for _, s := range b.spans {
		b.size += s.Size
	}
	return b, nil
}

// contentType returns the media type. ISO files without picture and sound are application/mp4, see RFC 4337.
func (b *fragmentBody) contentType() []string {
	if b.noun == RawFragments {
		return typeRaw
	}
	switch b.kind {
	case Video:
		return typeVideo
	case Audio:
		return typeAudio
	}
	return typeOther
}

// streamType returns the type of a fragment's stream.
func streamType(f *Fragment, s *Snapshot) StreamType {
	if f.Codec != nil && f.Codec.Type != "" {
		return f.Codec.Type
	}
	if stream := s.Manifest.Stream(f.Key.Stream); stream != nil {
		return stream.Type
	}
	return ""
}

// appendETag appends the entity tag. Of a presentation that has ended it derives from the validator of the snapshot;
// a live one has a new validator with each fragment, so there it derives from the fragment's header, which does not
// change.
func (b *fragmentBody) appendETag(dst []byte, s *Snapshot) []byte {
	k := &b.f.Key
	hash := newFNV64.text(k.Stream).text(k.Attrs).number(k.Bitrate).number(k.Time).number(uint64(b.noun))
	if s.Ended {
		return appendETag(dst, s.Validator, hash)
	}
	return appendETag(dst, "live", hash.number(uint64(crc32.Checksum(b.f.head, castagnoli))).number(uint64(b.f.size)))
}

// WriteTo writes the whole body.
func (b *fragmentBody) WriteTo(w io.Writer) (int64, error) {
	switch b.noun {
	case Fragments:
		return b.f.WriteTo(w)
	case RawFragments:
		return b.f.WritePayload(w)
	}
	n, err := w.Write(b.head)
	done := int64(n)
	for _, s := range b.spans {
		if err != nil {
			break
		}
		var m int64
		m, err = copySection(w, payloadAt{b.f}, s.Offset, s.Size)
		done += m
	}
	return done, err
}

// ReadAt reads from the whole body.
func (b *fragmentBody) ReadAt(p []byte, off int64) (int, error) {
	switch b.noun {
	case Fragments:
		return b.f.ReadAt(p, off)
	case RawFragments:
		return b.f.ReadPayloadAt(p, off)
	}
	n := 0
	if off < int64(len(b.head)) {
		n = copy(p, b.head[off:])
	}
	at := int64(len(b.head))
	for _, s := range b.spans {
		if from := off + int64(n) - at; n < len(p) && from >= 0 && from < s.Size {
			part := p[n:min(int64(len(p)), int64(n)+s.Size-from)]
			m, err := b.f.ReadPayloadAt(part, s.Offset+from)
			n += m
			if m < len(part) {
				return n, err
			}
		}
		at += s.Size
	}
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

package hls

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/smoothkit/smoothkit/internal/httpx"
	"github.com/smoothkit/smoothkit/internal/sending"
	"github.com/smoothkit/smoothkit/smooth"
)

// An Output shows presentations as HLS. Register it in the Outputs of [smooth.HandlerOptions]: then every presentation
// that the handler serves also answers
//
//	Name.ism/Manifest(format=m3u8-aapl)[.m3u8]      MPEG-TS, sound in renditions of its own
//	Name.ism/Manifest(format=m3u8-aapl-v3)[.m3u8]   MPEG-TS, sound muxed in; audiotrack=NAME chooses it
//	Name.ism/Manifest(format=m3u8-cmaf)[.m3u8]      fragmented MP4
//
// and what these playlists refer to. Options and filters of a request, and the parameters of its query that the handler
// lets through, are in every URL of its playlist; more than 4,096 bytes of them are refused. It is safe for concurrent
// use.
type Output struct {
	opts    Options
	protect *protection // or nil
	invalid error       // what is wrong with the options
	mark    string      // see fingerprint
	cache   *segmentCache
	watch   *sending.Watch // nil without SendTimeout
	live    *liveLists
}

// NewOutput returns an output. It copies opts; nil means the documented defaults.
func NewOutput(opts *Options) *Output {
	o := &Output{opts: opts.withDefaults(), live: newLiveLists()}
	o.protect, o.invalid = newProtection(o.opts.Encryption)
	o.mark = o.fingerprint()
	o.cache = newSegmentCache(o.opts.CacheBytes, o.opts.CacheDir)
	if o.opts.SendTimeout > 0 {
		o.watch = sending.NewWatch(o.opts.SendTimeout)
	}
	return o
}

// Close gives up the segments that are kept. The output stays usable.
func (o *Output) Close() error {
	o.cache.clear()
	return nil
}

// Stats are counts since an output was made, of the segments that have to be made: those of MPEG-2 TS, key frames and
// encrypted ones. Others are sent from where their bytes are, or are text, and do not count.
type Stats struct {
	// Made counts segments that were made, Shared requests that waited for one that was being made for another, Hits
	// those answered from what was kept, and Kept the segments that were added to that.
	Made, Shared, Hits, Kept uint64
}

// Stats returns the counts so far.
func (o *Output) Stats() Stats {
	c := o.cache
	return Stats{Made: c.misses.Load(), Shared: c.shared.Load(), Hits: c.hits.Load(), Kept: c.kept.Load()}
}

// Formats implements [smooth.Output].
func (o *Output) Formats() []string { return slices.Clone(formats) }

func (o *Output) length() time.Duration { return o.opts.SegmentDuration }

func (o *Output) encrypts() bool { return o.protect != nil }

// errBuild is the error of those who waited for a segment whose making has panicked.
var errBuild = errors.New("hls: the segment could not be made")

// Serve implements [smooth.Output].
func (o *Output) Serve(w http.ResponseWriter, r *http.Request, req *smooth.Request, p smooth.Presentation) error {
	if o.invalid != nil {
		return o.invalid
	}
	t, err := targetOf(req)
	if err != nil {
		return err
	}
	if t.kind == encryptionKey {
		return o.serveKey(w, r, req.Presentation, t.period)
	}
	s, err := p.Snapshot(r.Context())
	if err != nil {
		return err
	}
	if a := archiveOf(p); a != nil {
		x := exchange{o: o, w: w, r: r, req: req, p: p, target: t, archive: a}
		return x.serveArchive(s)
	}
	if t.kind != masterPlaylist && t.kind != mediaPlaylist && t.kind != iframePlaylist {
		s = withKept(s)
	}
	show, err := showOf(s, t.layout, t.format, o.protect != nil && o.protect.method == SampleAES)
	if err != nil {
		return err
	}
	x := exchange{o: o, w: w, r: r, req: req, p: p, show: show, target: t}
	if t.kind == masterPlaylist {
		return x.serveMaster()
	}
	if x.r1, err = show.find(t.key); err != nil {
		return err
	}
	x.target.key.Stream, x.target.text = x.r1.stream.Name, x.r1.stream.Type == smooth.Text
	switch t.kind {
	case mediaPlaylist, iframePlaylist:
		return x.serveMedia()
	case initSegment:
		return x.serveInit()
	}
	return x.serveSegment()
}

func (o *Output) serveKey(w http.ResponseWriter, r *http.Request, name string, period uint64) error {
	if o.protect == nil {
		return fmt.Errorf("hls: nothing is encrypted: %w", smooth.ErrNotFound)
	}
	err := o.protect.serveKey(w, r, name, period)
	if !errors.Is(err, errKeyDenied) {
		return err
	}
	o.opts.Logger.Info("hls: key refused", "err", err)
	w.Header().Set("Cache-Control", "no-store")
	http.Error(w, "forbidden", http.StatusForbidden)
	return nil
}

// An exchange is one request on its way.
type exchange struct {
	o       *Output
	w       http.ResponseWriter
	r       *http.Request
	req     *smooth.Request
	p       smooth.Presentation
	show    *show
	target  target
	r1      *rendition // that the target names, or nil
	archive *archive   // that p is or shows a part of, or nil
	made    uint64     // see madeOf
}

// queryMark stands in a kept playlist for the query that rides along, which differs from viewer to viewer.
const queryMark = "hls-child-query"

// maxRiding bounds what of a request is repeated in each URL of a playlist, in bytes: as much as a cookie may have. There
// may be thousands of URLs.
const maxRiding = 4096

// playlist returns the playlist that build makes, which is made once per snapshot and spelling of the request.
func (x *exchange) playlist(build func(ctx context.Context, link linker, key string) ([]byte, error)) (string, []byte, error) {
	if n := len(x.req.Options) + len(x.req.ChildQuery()); n > maxRiding {
		return "", nil, fmt.Errorf("hls: %d bytes to repeat in each URL, more than %d: %w", n, maxRiding, smooth.ErrBadRequest)
	}
	query := ""
	if x.req.ChildQuery() != "" {
		query = queryMark
	}
	plain := plainLinksOf(x.r.Context())
	link := newLinker(x.req, query, !x.o.opts.OmitSuffixes, plain)
	key := "hls." + x.o.mark + "." + x.target.format + "." + strconv.FormatUint(x.target.identity(), 36) + "." + query + "." + plain.memoKey() + "." + link.options
	if x.o.encrypts() && !x.o.protect.servesKeys() { // the name may stand in the URI of the key as it is spelled
		key += "." + x.req.Presentation
	}
	data, err := x.show.snap.Memo(key, func() ([]byte, error) { return build(context.WithoutCancel(x.r.Context()), link, key) })
	return key, data, err
}

func (x *exchange) serveMaster() error {
	key, data, err := x.playlist(func(ctx context.Context, link linker, _ string) ([]byte, error) {
		return x.o.masterPlaylist(ctx, x.p, x.show, link)
	})
	if err != nil {
		return err
	}
	return x.sendPlaylist(key, data)
}

func (x *exchange) serveMedia() error {
	key, data, err := x.playlist(func(_ context.Context, link linker, key string) ([]byte, error) {
		if x.target.kind == iframePlaylist {
			if x.r1.stream.Type != smooth.Video || x.o.encrypts() {
				return nil, fmt.Errorf("hls: no key frames of %s: %w", x.r1.stream.Name, smooth.ErrNotFound)
			}
			return x.o.iframePlaylist(x.show, x.r1, link), nil
		}
		return x.o.mediaPlaylist(x.show, x.r1, link, x.req.Presentation+"\x00"+key), nil
	})
	if err != nil {
		return err
	}
	return x.sendPlaylist(key, data)
}

// sendPlaylist answers with a playlist, compressed if the client wants that. With a query from the request it is not
// compressed: that cannot be done once for all.
func (x *exchange) sendPlaylist(key string, data []byte) error {
	a := reply{mime: typePlaylist, cache: x.playlistLifetime(), varies: true, modTime: lastModified(x.show.snap)}
	hash := hashText(hashStart, key)
	if query := x.req.ChildQuery(); query != "" {
		data = []byte(strings.ReplaceAll(string(data), queryMark, query))
		hash = hashText(hash, query)
	} else if x.r.Header["Range"] == nil && httpx.AcceptsGzip(x.r.Header["Accept-Encoding"]) {
		small, err := x.show.snap.Memo(key+".gzip", func() ([]byte, error) { return httpx.Compress(data) })
		if err != nil {
			return err
		}
		if len(small) < len(data) {
			data, a.encoding, hash = small, "gzip", hashText(hash, "gzip")
		}
	}
	a.etag = etagOf(x.show.snap.Validator, hash)
	a.setBytes(data)
	return a.send(x.w, x.r)
}

// playlistLifetime returns the value of Cache-Control. A live playlist is old after half a target duration at most.
func (x *exchange) playlistLifetime() string {
	age := x.o.opts.PlaylistMaxAge
	if !x.show.snap.Ended && age > 0 {
		age = min(age, x.o.length()/2)
	}
	return httpx.CacheControl(age)
}

func (o *Output) segmentLifetime() string {
	if o.opts.Immutable {
		return "public, max-age=31536000, immutable"
	}
	return httpx.CacheControl(o.opts.SegmentMaxAge)
}

func (x *exchange) serveInit() error {
	if x.target.layout != fragmented || x.target.text {
		return fmt.Errorf("hls: no init segment of %s in this format: %w", x.target.key.Stream, smooth.ErrNotFound)
	}
	data, err := x.show.initSegment(x.r1, x.target.key.Time)
	if err != nil {
		return err
	}
	a := reply{mime: typeVideo, cache: x.o.segmentLifetime(), modTime: lastModified(x.show.snap)}
	if x.r1.stream.Type == smooth.Audio {
		a.mime = typeAudio
	}
	a.etag = etagOf("init", hashText(hashStart, string(data)))
	a.setBytes(data)
	return a.send(x.w, x.r)
}

// watching reports whether an answer is to be bounded in time.
func (x *exchange) watching() bool {
	if x.o.watch == nil {
		return false
	}
	s, ok := x.r.Context().Value(http.ServerContextKey).(*http.Server)
	return !ok || s.WriteTimeout == 0
}

// send answers with a segment.
func (x *exchange) send(a *reply) error {
	if x.watching() {
		defer x.o.watch.End(x.o.watch.Begin(x.w))
	}
	return a.send(x.w, x.r)
}

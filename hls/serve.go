package hls

import (
	"context"
	"fmt"
	"io"

	"github.com/smoothkit/smoothkit/internal/httpx"
	"github.com/smoothkit/smoothkit/smooth"
)

// locate returns the segment that the target names: where its first fragment is, and how many there are.
func (x *exchange) locate() (plan, segment, error) {
	st := x.show.referenceOf(x.r1)
	pl := newPlan(x.show.snap, st, x.o.length())
	i, ok := pl.line.Find(x.target.key.Time)
	if !ok {
		return pl, segment{}, x.missing(&pl)
	}
	n := x.target.count
	if _, closed := pl.endOf(i); n > len(pl.line)-i || n == 0 && !closed {
		return pl, segment{}, x.incomplete(&pl)
	}
	s := pl.at(i, n)
	switch {
	case n > 0 && !x.plausible(&pl, &s):
		return pl, s, fmt.Errorf("hls: no segment of %d fragments at %d: %w", n, s.start, smooth.ErrNotFound)
	case s.count > maxSegmentFragments:
		return pl, s, fmt.Errorf("hls: segment at %d of %d fragments: %w", s.start, s.count, smooth.ErrTooLarge)
	case !x.show.covers(x.r1, &pl, &s):
		return pl, s, x.incomplete(&pl)
	}
	s.number = exactNumber(x.numbers(&pl, st), i, s.number)
	x.target.count, x.made = s.count, x.madeOf(&s)
	return pl, s, nil
}

// numbers returns the numbers of the list of a plan, which are looked at once.
func (x *exchange) numbers(pl *plan, st *smooth.Stream) []segment {
	type key struct {
		stream string
		span   uint64
	}
	v, err := x.show.snap.Derive(key{st.Name, pl.span}, func() (any, error) { return pl.numbers(), nil })
	if err != nil {
		return pl.numbers()
	}
	return v.([]segment)
}

// incomplete returns the error for a segment of which a part is not there.
func (x *exchange) incomplete(pl *plan) error {
	err := smooth.ErrNotFound
	if pl.open {
		err = smooth.ErrNotYet
	}
	return fmt.Errorf("hls: segment of %s at %d is not complete: %w", x.target.key.Stream, x.target.key.Time, err)
}

// missing returns the error for a time at which no fragment starts.
func (x *exchange) missing(pl *plan) error {
	t := x.target.key.Time
	err := smooth.ErrNotFound
	switch {
	case pl.open && (len(pl.line) == 0 || t >= pl.line[len(pl.line)-1].Time):
		err = smooth.ErrNotYet
	case pl.open && t < pl.line[0].Time:
		err = smooth.ErrGone
	}
	return fmt.Errorf("hls: segment of %s at %d: %w", x.target.key.Stream, t, err)
}

// plausible reports whether a number of fragments other than the plan's may come from a playlist that was made with
// another segment length: it bounds what one request can ask for.
func (x *exchange) plausible(pl *plan, s *segment) bool {
	if s.count == 1 {
		return true
	}
	const longest = 4
	d := pl.line[s.first+s.count-1].End() - s.start
	return d/longest <= pl.span || d <= smooth.Rescale(60, 1, pl.timescale)
}

// serveSegment answers a request for a segment, or for a key frame of one.
func (x *exchange) serveSegment() error {
	pl, s, err := x.locate()
	if err != nil {
		return err
	}
	switch {
	case x.target.text:
		return x.serveText(&pl, &s)
	case x.target.kind == iframeSegment:
		return x.serveKeyFrame(&pl, &s)
	case x.target.layout == fragmented:
		return x.serveCMAF(&s)
	}
	return x.serveTS(&pl, &s)
}

// reply returns an answer with what all segments have in common.
func (x *exchange) reply(mime string, identity uint64) reply {
	snap := x.show.snap
	a := reply{mime: mime, cache: x.o.segmentLifetime(), modTime: lastModified(snap)}
	if snap.Ended {
		a.etag = etagOf(snap.Validator, mix(mix(x.target.identity(), x.made), identity))
	} else {
		a.etag = etagOf("live", mix(x.made, identity))
	}
	return a
}

// key returns the key of a segment in the cache.
func (x *exchange) key(identity uint64) cacheKey {
	k := cacheKey{name: x.req.Presentation, target: x.target.identity(), identity: mix(x.made, identity)}
	if x.show.snap.Ended {
		k.name += "\x00" + x.show.snap.Validator
	}
	return k
}

// serveTS answers with a segment of MPEG-2 TS. The first time it is asked for it is sent as it is made, so that it never
// is in memory as a whole; whoever asks again is likely not to be the last.
func (x *exchange) serveTS(pl *plan, s *segment) error {
	ctx := x.r.Context()
	x.target.count = s.count // the same segment, whether or not the request says how long it is
	identity := s.number
	var ready *tsSegment
	collect := func(ctx context.Context) (err error) {
		if ready == nil {
			ready, err = x.show.collect(ctx, x.p, x.r1, pl, s)
		}
		return err
	}
	defer func() {
		if ready != nil {
			ready.close()
		}
	}()
	if !x.show.snap.Ended {
		// What a live segment is made of tells it from one at the same time before a restart.
		if err := collect(context.WithoutCancel(ctx)); err != nil { // others may wait for it, too
			return err
		}
		for _, u := range ready.tracks {
			identity = identity*31 ^ u.identity
		}
	}
	if !x.o.encrypts() && !httpx.Conditional(x.r) && x.o.cache.firstTime(x.key(identity)) {
		if err := collect(context.WithoutCancel(ctx)); err != nil {
			return err
		}
		if done, err := x.streamTS(ready, identity); done || err != nil {
			return err
		}
		x.o.cache.forget(x.key(identity)) // making it in memory is the first time
	}
	return x.sendMade(typeTS, identity, func(ctx context.Context) (*[]byte, error) {
		if err := collect(ctx); err != nil {
			return nil, err
		}
		return x.o.makeTS(ctx, x.req.Presentation, ready)
	})
}

// streamTS sends a segment as it is made. It reports false, and has sent nothing, if the size is not known before.
func (x *exchange) streamTS(t *tsSegment, identity uint64) (bool, error) {
	size, known, err := t.measure(x.r.Context())
	if err != nil || !known {
		return false, err
	}
	x.o.cache.misses.Add(1)
	a := x.reply(typeTS, identity)
	a.size = size
	a.write = func(w io.Writer) (int64, error) { return t.stream(x.r.Context(), w) }
	return true, x.send(&a)
}

// makeTS makes a segment, encrypted if need be, in a buffer.
func (o *Output) makeTS(ctx context.Context, presentation string, t *tsSegment) (*[]byte, error) {
	var key, iv [16]byte
	if o.protect != nil {
		var err error
		if key, iv, err = o.protect.segmentKey(ctx, presentation, t.number); err != nil {
			return nil, err
		}
		if o.protect.method == SampleAES {
			if err := t.encryptSamples(key, iv); err != nil {
				return nil, err
			}
		}
	}
	size := t.size()
	if size > maxSegment {
		return nil, fmt.Errorf("hls: segment %d of %d bytes: %w", t.number, size, smooth.ErrTooLarge)
	}
	buf := getBuffer(int(size) + sealing)
	data, err := t.append(ctx, (*buf)[:0])
	if err == nil && o.protect != nil && o.protect.method == AES128 {
		data = encryptAES128(data, 0, key, iv)
	}
	if err != nil {
		putBuffer(buf)
		return nil, err
	}
	*buf = data
	return buf, nil
}

// sendMade answers with a segment from the cache, made by build if it is not there.
func (x *exchange) sendMade(mime string, identity uint64, build func(ctx context.Context) (*[]byte, error)) error {
	body, err := x.o.cache.get(x.r.Context(), x.key(identity), build)
	if err != nil {
		return err
	}
	defer body.release()
	a := x.reply(mime, identity)
	a.size, a.write, a.at = body.size, body.WriteTo, body
	return x.send(&a)
}

// serveCMAF answers with a segment of fragmented MP4.
func (x *exchange) serveCMAF(s *segment) error {
	ctx := x.r.Context()
	if x.o.encrypts() {
		ctx = context.WithoutCancel(ctx) // others may wait for it, too
	}
	c, err := newCMAFSegment(ctx, x.p, x.r1, s)
	if err != nil {
		return err
	}
	defer c.close()
	mime := typeVideo
	if x.r1.stream.Type == smooth.Audio {
		mime = typeAudio
	}
	if x.o.protect != nil {
		return x.sendMade(mime, c.identity(), func(ctx context.Context) (*[]byte, error) {
			return x.o.encryptCMAF(ctx, x.req.Presentation, s.number, c)
		})
	}
	a := x.reply(mime, c.identity())
	a.size, a.write, a.at = c.size, c.WriteTo, c
	return x.send(&a)
}

// encryptCMAF returns a segment of fragmented MP4 under AES-128.
func (o *Output) encryptCMAF(ctx context.Context, presentation string, number uint64, c *cmafSegment) (*[]byte, error) {
	if o.protect.method != AES128 {
		return nil, fmt.Errorf("hls: %s of fragmented MP4: %w", o.protect.method, smooth.ErrUnsupported)
	}
	key, iv, err := o.protect.segmentKey(ctx, presentation, number)
	if err != nil {
		return nil, err
	}
	if c.size > maxSegment {
		return nil, fmt.Errorf("hls: segment %d of %d bytes: %w", number, c.size, smooth.ErrTooLarge)
	}
	buf := getBuffer(int(c.size) + sealing)
	data := (*buf)[:c.size]
	if _, err := c.ReadAt(data, 0); err != nil && err != io.EOF {
		putBuffer(buf)
		return nil, err
	}
	*buf = encryptAES128(data, 0, key, iv)
	return buf, nil
}

// serveText answers with a segment of WebVTT. See RFC 8216 section 3.5.
func (x *exchange) serveText(pl *plan, s *segment) error {
	data, err := x.show.textSegment(x.r.Context(), x.p, x.r1, pl, s)
	if err != nil {
		return err
	}
	a := x.reply(typeVTT, hashText(hashStart, string(data)))
	a.setBytes(data)
	return x.send(&a)
}

// textSegment returns the cues that are shown during a segment of the reference stream.
func (w *show) textSegment(ctx context.Context, p smooth.Presentation, r *rendition, pl *plan, s *segment) ([]byte, error) {
	at := w.reachOf(pl, s)
	scale := w.snap.Manifest.TimescaleOf(r.stream)
	line := r.stream.Timeline
	lo, hi := line.Overlap(smooth.Rescale(at.start, at.timescale, scale), smooth.Rescale(at.end, at.timescale, scale))
	if !w.snap.Manifest.IsLive {
		// A cue may reach over the end of its fragment, or be cut there and go on in the next one. While a list moves, what is
		// beside a segment comes and goes, and the segment must stay the same.
		lo, hi = max(lo-1, 0), min(hi+1, len(line))
	}
	if hi-lo > maxFragmentsBeside {
		return nil, tooManyFragments(r.stream, hi-lo)
	}
	cues := cueReading{ctx: ctx, p: p, r: r, edge: func(t uint64) uint64 { return smooth.Rescale(t, scale, cueScale) }}
	for _, c := range line[lo:hi] {
		if err := cues.read(c.Time); err != nil {
			return nil, err
		}
	}
	shown := cueSpan{smooth.Rescale(at.start, at.timescale, cueScale), smooth.Rescale(at.end, at.timescale, cueScale)}
	if !w.snap.Manifest.IsLive && lo < hi {
		if err := cues.complete(shown, lo, hi); err != nil {
			return nil, err
		}
	}
	offset := uint64(startOffset)
	if w.layout == fragmented { // whose times are those of the presentation
		offset = 0
	}
	return appendWebVTT(nil, overlapping(arrange(cues.list), shown.begin, shown.end), offset), nil
}

// serveKeyFrame answers with the first key frame of a fragment, as a segment of its own.
func (x *exchange) serveKeyFrame(pl *plan, s *segment) error {
	if x.r1.stream.Type != smooth.Video || x.o.encrypts() {
		return fmt.Errorf("hls: no key frames of %s: %w", x.target.key.Stream, smooth.ErrNotFound)
	}
	identity := uint64(0)
	if !x.show.snap.Ended {
		var err error
		if identity, err = x.headIdentity(s.start); err != nil {
			return err
		}
	}
	return x.sendMade(keyFrameType(x.target.layout), identity, func(ctx context.Context) (*[]byte, error) {
		return x.show.keyFrame(ctx, x.p, x.r1, pl, s)
	})
}

// headIdentity returns a hash of the head of a fragment, which tells it from one at the same time before a restart.
func (x *exchange) headIdentity(time uint64) (uint64, error) {
	f, err := x.p.Fragment(x.r.Context(), x.r1.key(time))
	if err != nil {
		return 0, err
	}
	defer f.Close()
	head, err := f.Header(smooth.Smooth)
	return hashText(hashStart, string(head)), err
}

func keyFrameType(l layout) string {
	if l == fragmented {
		return typeVideo
	}
	return typeTS
}

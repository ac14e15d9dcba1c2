package remote

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"mime"
	"strings"

	"github.com/smoothkit/smoothkit/internal/fmp4"
	"github.com/smoothkit/smoothkit/smooth"
)

// maxMoofs bounds the moof boxes of one fragment.
const maxMoofs = 4096

// received is a fragment that has come from the origin.
type received struct {
	fragment *smooth.Fragment
	chunk    smooth.Chunk
	next     []fmp4.FragmentSpan // of its tfrf box
	bytes    int64               // of memory
}

// newFragment makes a fragment of the body of an answer, which it takes over if there is no error. A body that is fit
// to be sent as it is stays so, byte for byte. Errors of the boxes wrap [smooth.ErrCorrupt], [smooth.ErrTooLarge] or
// [smooth.ErrUnsupported].
func (o *origin) newFragment(a *answer, p *place, timescale uint64) (received, error) {
	r, memory, head, err := o.arrange(a, p)
	if err != nil {
		return r, boxFault(err)
	}
	buf := a.body
	if memory.own != nil {
		o.pool.put(buf)
		buf = memory.own
	}
	r.bytes = int64(cap(buf.data))
	r.fragment = smooth.NewFragment(smooth.FragmentInit{
		Key: p.key, Timescale: timescale, Duration: r.chunk.Duration, Codec: p.codec, ChildTrack: childTrack(a.header.Get("Content-Type")),
		Memory: memory.data, HeadLen: head, Release: func() { o.pool.put(buf) },
	})
	return r, nil
}

// memory holds a fragment: a part of the body that came, or a buffer of its own.
type memory struct {
	data []byte
	own  *buffer
}

// arrange finds the boxes of a body and brings them into the form that is served.
func (o *origin) arrange(a *answer, p *place) (r received, m memory, head int, err error) {
	b := a.body.body()
	moofs, mdat, err := scan(b)
	switch {
	case len(moofs) == 0 && a.isHTML():
		return r, m, 0, fmt.Errorf("the answer is an HTML page: %w", smooth.ErrCorrupt)
	case err != nil:
		return r, m, 0, err
	case len(moofs) == 0:
		return r, m, 0, fmt.Errorf("no moof box in %d bytes: %w", len(b), smooth.ErrCorrupt)
	}
	first := moofs[0]
	raw := b[first.Offset:first.End()]
	h, err := fmp4.Inspect(raw, first.Offset, fmp4.Defaults{})
	if err != nil {
		return r, m, 0, err
	}
	if r.next, err = fmp4.ParseTfrf(raw); err != nil {
		return r, m, 0, err
	}
	if len(moofs) == 1 && h.Plain && mdat.Offset == first.End() && mdat.Header == 8 {
		duration, err := check(raw, first.Offset, mdat.Size-8)
		if err != nil {
			return r, m, 0, err
		}
		if r.chunk, err = chunkOf(p, &h, duration); err != nil {
			return r, m, 0, err
		}
		m, head, err = plain(a.body, &h, first, mdat, &r.chunk, p.codec)
		return r, m, head, err
	}
	var all joint
	for _, x := range moofs {
		if err := all.add(b, x); err != nil {
			return r, m, 0, err
		}
	}
	if r.chunk, err = chunkOf(p, &h, all.duration); err != nil {
		return r, m, 0, err
	}
	m, head, err = o.join(b, &all, &r.chunk, p.codec)
	return r, m, head, err
}

// check returns the duration of the samples of a plain moof box, whose sizes must fit the payload.
func check(raw []byte, offset, payload int64) (duration uint64, err error) {
	m, err := fmp4.ParseMoof(raw, offset)
	if err != nil {
		return 0, err
	}
	duration, size := m.Trafs[0].Totals(fmp4.Defaults{})
	switch {
	case size > uint64(payload):
		return 0, fmt.Errorf("samples of %d bytes, mdat has %d: %w", size, payload, smooth.ErrCorrupt)
	case size == 0 && payload > 0:
		return 0, fmt.Errorf("no samples whose size is stated: %w", smooth.ErrUnsupported)
	}
	return duration, nil
}

// scan returns the moof boxes of a body, and the first mdat box after the first of them.
func scan(b []byte) (moofs []fmp4.Box, mdat fmp4.Box, err error) {
	sc := fmp4.NewScanner(bytes.NewReader(b), 0, int64(len(b)))
	for {
		x, err := sc.Next()
		switch {
		case errors.Is(err, io.EOF):
			return moofs, mdat, nil
		case err != nil:
			return moofs, mdat, err
		case x.Type == fmp4.TypeMoof && len(moofs) == maxMoofs:
			return moofs, mdat, fmt.Errorf("more than %d moof boxes: %w", maxMoofs, smooth.ErrTooLarge)
		case x.Type == fmp4.TypeMoof:
			moofs = append(moofs, x)
		case x.Type == fmp4.TypeMdat && len(moofs) > 0 && mdat.Size == 0:
			mdat = x
		}
	}
}

// chunkOf returns the entry of the timeline for a fragment: that of the manifest, or what the fragment says where it is
// not listed yet. Then it must be the one that was asked for.
func chunkOf(p *place, h *fmp4.Head, samples uint64) (smooth.Chunk, error) {
	c := p.chunk
	if p.listed {
		return c, nil
	}
	if h.HasTfxd && h.Time != c.Time {
		return c, fmt.Errorf("fragment of time %d where %d was asked for: %w", h.Time, c.Time, smooth.ErrNotYet)
	}
	c.Duration = cmp.Or(h.Duration, c.Duration, samples)
	return c, nil
}

// plain makes a fragment of a body with one moof and one mdat box. A moof box that is not as Smooth clients need it is
// written anew before the payload.
func plain(b *buffer, h *fmp4.Head, moof, mdat fmp4.Box, c *smooth.Chunk, codec *smooth.Codec) (m memory, head int, err error) {
	start, end := headRoom+int(moof.Offset), headRoom+int(mdat.End())
	head = int(moof.Size) + 8
	if !h.Ordered || !timed(h, c, codec) {
		at := start + int(moof.Size)
		fit, err := fmp4.AppendSmooth(make([]byte, 0, int(moof.Size)+headRoom), b.data[start:at], c.Time, cmp.Or(c.Duration, h.Duration))
		if err != nil {
			return m, 0, err
		}
		if len(fit) > at { // a tfxd has room
			return m, 0, fmt.Errorf("moof box grows by %d bytes: %w", len(fit)-int(moof.Size), smooth.ErrUnsupported)
		}
		start, head = at-len(fit), len(fit)+8
		copy(b.data[start:], fit)
	}
	m.data = b.data[start:end:end]
	return m, head, nil
}

// timed reports whether a moof box has the times that a Smooth client needs. HEVC in the newer form carries tfdt
// instead of tfxd.
func timed(h *fmp4.Head, c *smooth.Chunk, codec *smooth.Codec) bool {
	if h.HasTfxd {
		return h.Time == c.Time
	}
	return h.HasDecodeTime && isHEVC(codec)
}

func isHEVC(c *smooth.Codec) bool {
	return c.Type == smooth.Video && (strings.EqualFold(c.FourCC, "hev1") || strings.EqualFold(c.FourCC, "hvc1"))
}

// joint collects the samples of the moof boxes of a body.
type joint struct {
	samples    []fmp4.RunSample
	spans      []fmp4.Span
	encryption []byte
	sequence   uint32
	track      uint32
	duration   uint64
}

// add takes the samples of a moof box. The defaults of the track header are out of reach for Smooth clients, and so for
// us.
func (j *joint) add(b []byte, x fmp4.Box) error {
	m, err := fmp4.ParseMoof(b[x.Offset:x.End()], x.Offset)
	if err != nil {
		return err
	}
	if len(m.Trafs) != 1 {
		return fmt.Errorf("moof box with %d tracks: %w", len(m.Trafs), smooth.ErrUnsupported)
	}
	t := &m.Trafs[0]
	switch {
	case j.spans == nil:
		j.sequence, j.track, j.encryption = m.Sequence, t.TrackID, t.Encryption
	case t.TrackID != j.track:
		return fmt.Errorf("tracks %d and %d in one fragment: %w", j.track, t.TrackID, smooth.ErrUnsupported)
	case t.Encryption != nil || j.encryption != nil:
		return fmt.Errorf("encrypted fragment of several moof boxes: %w", smooth.ErrUnsupported)
	}
	if len(j.samples)+t.SampleCount() > fmp4.MaxRunSamples {
		return fmt.Errorf("more than %d samples: %w", fmp4.MaxRunSamples, smooth.ErrTooLarge)
	}
	if j.spans, err = m.Spans(j.spans, 0, func(uint32) fmp4.Defaults { return fmp4.Defaults{} }); err != nil {
		return err
	}
	for _, s := range j.spans {
		if s.Offset < 0 || s.Size > int64(len(b))-s.Offset {
			return fmt.Errorf("samples of %d bytes at %d, the fragment has %d: %w", s.Size, s.Offset, len(b), smooth.ErrCorrupt)
		}
	}
	if len(j.spans) == 0 {
		return fmt.Errorf("no samples whose size is stated: %w", smooth.ErrUnsupported)
	}
	runs := t.Samples(fmp4.Defaults{})
	for s, ok := runs.Next(); ok; s, ok = runs.Next() {
		j.samples = append(j.samples, s)
		j.duration += uint64(s.Duration)
	}
	return nil
}

// join makes a fragment with a head of its own of samples that lie anywhere in the body.
func (o *origin) join(b []byte, j *joint, c *smooth.Chunk, codec *smooth.Codec) (m memory, head int, err error) {
	h := fmp4.FragmentHead{
		Sequence: j.sequence, TrackID: j.track, Tfxd: true, Time: c.Time, Duration: cmp.Or(c.Duration, j.duration),
		BaseIsMoof: isHEVC(codec), Encryption: j.encryption, Samples: j.samples,
	}
	fit, err := h.AppendTo(nil)
	if err != nil {
		return m, 0, err
	}
	size := int64(len(fit))
	for _, s := range j.spans {
		size += s.Size
	}
	if size > o.opts.MaxFragmentBytes+int64(len(fit)) { // spans may overlap
		return m, 0, fmt.Errorf("samples of %d bytes: %w", size, smooth.ErrTooLarge)
	}
	m.own = o.pool.get(int(size))
	out := append(m.own.data[:0], fit...)
	for _, s := range j.spans {
		out = append(out, b[s.Offset:s.Offset+s.Size]...)
	}
	m.data = out
	return m, len(fit), nil
}

// boxFault gives an error of fmp4 the sentinel of package smooth.
func boxFault(err error) error {
	switch {
	case errors.Is(err, fmp4.ErrTooLarge):
		return fmt.Errorf("%w: %w", err, smooth.ErrTooLarge)
	case errors.Is(err, fmp4.ErrUnsupported):
		return fmt.Errorf("%w: %w", err, smooth.ErrUnsupported)
	case errors.Is(err, fmp4.ErrCorrupt):
		return fmt.Errorf("%w: %w", err, smooth.ErrCorrupt)
	}
	return err
}

// childTrack returns the sparse stream pointer in a Content-Type, or "". See [MS-SSTR] 2.2.5.
func childTrack(contentType string) string {
	if !strings.Contains(contentType, ";") {
		return ""
	}
	_, params, err := mime.ParseMediaType(contentType)
	if err != nil {
		return ""
	}
	return params["childtrack"]
}

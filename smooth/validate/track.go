package validate

import (
	"bytes"
	"context"
	"mime"
	"net/http"
	"strconv"
	"strings"

	"github.com/smoothkit/smoothkit/smooth"
)

// track is the check of the fragments of one quality level, in order of time.
type track struct {
	*walk
	s *stream
	l *level

	previous uint32 // sequence number of the fragment before
	started  bool
	drift    int64 // sum of sample durations minus sum of chunk durations, in ticks
	drifted  bool
}

// driftLimit is the drift that SF123 allows, in ms.
const driftLimit = 500

func (t *track) place(target string, time uint64) Place {
	return Place{Document: target, Stream: t.s.name, Level: t.l.key(), Time: strconv.FormatUint(time, 10)}
}

func (t *track) run(ctx context.Context) {
	for pos, chunk := range t.s.picked(t.opts.Sample) {
		if ctx.Err() != nil {
			return
		}
		target := t.fragmentURL(t.s, t.l, chunk.Time)
		p := t.place(target, chunk.Time)
		a, err := t.do(ctx, http.MethodGet, target, t.opts.MaxFragmentSize)
		if err != nil {
			t.rec.Add("SH108", p, "%v", err)
			return
		}
		f := t.fragment(a, p, chunk)
		if f == nil {
			continue
		}
		t.neighbours(f, p, chunk)
		if pos == 0 {
			t.once(ctx, a, f, p)
		}
	}
}

// fragment checks one answer. It returns nil if that is no fragment at all.
func (t *track) fragment(a *answer, p Place, chunk smooth.Chunk) *fragment {
	switch {
	case a.IsRedirect():
		t.rec.Add("SH113", p, "%s", redirectHint(a))
		return nil
	case a.Status != http.StatusOK:
		t.rec.Add("SH111", p, "%s", a.StatusHint(meanings))
		return nil
	case a.IsHTML():
		t.rec.Add("SH112", p, "%s", htmlHint)
		return nil
	case a.Large:
		t.rec.Add("SH116", p, "the limit is %d bytes", t.opts.MaxFragmentSize)
		return nil
	}
	switch m := a.MediaType(); {
	case m == "video/mp4":
	case m == "audio/mp4" && t.s.typ != smooth.Video:
	case m == "application/mp4" && t.s.typ == smooth.Text:
	default:
		t.rec.Add("SH114", p, "Content-Type is %q in a stream of type %s", m, t.s.typ)
	}
	t.children(a, p)
	t.common(a, p)
	if a.Cut {
		return nil
	}
	return checkFragment(t.rec, a.Body, t.expect(a.URL, chunk))
}

// children checks the sparse stream pointer: sets of name=time pairs, separated by semicolons.
func (t *track) children(a *answer, p Place) {
	_, params, err := mime.ParseMediaType(a.Header.Get("Content-Type"))
	value, ok := params["childtrack"]
	if err != nil || !ok {
		return
	}
	for _, set := range strings.Split(value, ";") {
		for _, pair := range strings.Split(set, ",") {
			name, time, _ := strings.Cut(pair, "=")
			if _, ok := decimal(time); !ok || !t.p.sparse(name) {
				t.rec.Add("SH117", p, "ChildTrack is %q: %q is not a sparse stream and a time", value, pair)
				return
			}
		}
	}
}

func (t *track) expect(target string, chunk smooth.Chunk) Expect {
	return Expect{
		Name: target, Stream: t.s.name, Level: t.l.key(), Type: t.s.typ, FourCC: t.l.fourCC, Timescale: t.s.timescale,
		Chunk: chunk, HasChunk: true, Live: t.p.live && !t.s.sparse, Lookahead: t.p.lookahead,
		Next: t.s.following(chunk.Time, 255),
	}
}

// neighbours compares a fragment to those before it.
func (t *track) neighbours(f *fragment, p Place, chunk smooth.Chunk) {
	p.Box = "moof/mfhd"
	if t.started && f.sequence != 0 && f.sequence <= t.previous {
		t.rec.Add("SF153", p, "the sequence number is %d after %d", f.sequence, t.previous)
	}
	if f.moof != nil {
		t.previous, t.started = f.sequence, true
	}
	if t.opts.Sample > 0 || !f.times || t.s.sparse {
		return
	}
	t.drift += int64(f.duration) - int64(chunk.Duration)
	limit := int64(min(t.s.timescale, 1<<40)) * driftLimit / 1000
	if (t.drift > limit || t.drift < -limit) && !t.drifted {
		t.drifted = true
		p.Box = "moof/traf/trun"
		t.rec.Add("SF123", p, "up to here samples last %d ticks longer than the chunks", t.drift)
	}
}

// once checks, on the first fragment of a track, the other nouns and the ways to ask.
func (t *track) once(ctx context.Context, a *answer, f *fragment, p Place) {
	if err := t.head(ctx, a, "SH115"); err != nil {
		t.rec.Add("SH108", p, "%v", err)
		return
	}
	if f.moof == nil {
		return
	}
	t.noun(ctx, a, p, "FragmentInfo", "SH121", func(b *answer) string {
		if !bytes.Equal(b.Body, f.moof) {
			return sizes("FragmentInfo", len(b.Body), "the moof", len(f.moof))
		}
		return ""
	})
	t.noun(ctx, a, p, "RawFragments", "SH122", func(b *answer) string {
		if !bytes.Equal(b.Body, f.payload) {
			return sizes("RawFragments", len(b.Body), "the payload", len(f.payload))
		}
		return ""
	})
	t.noun(ctx, a, p, "KeyFrames", "SH123", func(b *answer) string { return t.keyFrames(b, f) })
}

func sizes(a string, n int, b string, m int) string {
	return a + " has " + strconv.Itoa(n) + " bytes, " + b + " has " + strconv.Itoa(m) + ", or their contents differ"
}

// noun asks for another form of the fragment; check returns what is wrong with it.
func (t *track) noun(ctx context.Context, a *answer, p Place, noun, id string, check func(*answer) string) {
	p.Document = strings.Replace(a.URL, "/Fragments(", "/"+noun+"(", 1)
	b, err := t.do(ctx, http.MethodGet, p.Document, t.opts.MaxFragmentSize)
	switch {
	case err != nil:
		t.rec.Add("SH108", p, "%v", err)
	case b.Status != http.StatusOK:
		t.rec.Add(id, p, "%s", b.StatusHint(meanings))
	default:
		if text := check(b); text != "" {
			t.rec.Add(id, p, "%s", text)
		}
	}
}

// keyFrames checks the answer to KeyFrames: a fragment of its own whose samples are the sync samples of f, in order.
func (t *track) keyFrames(b *answer, f *fragment) string {
	scratch := newRecorder(1)
	want := t.expect(b.URL, smooth.Chunk{})
	want.HasChunk, want.Live = false, false
	k := checkFragment(scratch, b.Body, want)
	for _, v := range scratch.Report().Violations {
		if v.Rule.Severity == Error {
			return "the answer breaks " + v.String()
		}
	}
	var whole []byte
	n, rest := 0, f.payload
	for _, s := range f.samples {
		if uint64(s.size) > uint64(len(rest)) {
			return "" // reported of the fragment
		}
		if s.sync() {
			n++
			whole = append(whole, rest[:s.size]...)
		}
		rest = rest[s.size:]
	}
	if len(k.samples) != n || !bytes.Equal(k.payload, whole) {
		return "the answer has " + strconv.Itoa(len(k.samples)) + " samples of " + strconv.Itoa(len(k.payload)) +
			" bytes, the fragment has " + strconv.Itoa(n) + " sync samples of " + strconv.Itoa(len(whole))
	}
	return ""
}

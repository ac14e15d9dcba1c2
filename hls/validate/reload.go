package validate

import (
	"context"
	"net/http"
	"time"
)

// reload loads a media playlist again and again, and compares each version to the one before. New segments are checked
// too. A playlist that has ended is loaded once more.
func (l *list) reload(ctx context.Context) {
	times := l.opts.Reloads
	if !l.p.media.live() {
		times = 1
	}
	known := make(map[[2]string]bool)
	still := time.Duration(0) // since the last change
	for range times {
		pause := max(l.p.media.target/2, 100*time.Millisecond)
		if err := l.opts.Wait(ctx, pause); err != nil {
			return
		}
		still += pause
		old := l.p
		p, ok := l.load(ctx, known)
		if !ok {
			return
		}
		changed := l.update(old, p)
		if changed {
			still = 0
			l.p = p
			l.series.origin += old.media.before(p.media.sequence)
			if !l.opts.PlaylistOnly {
				l.segments(ctx)
			}
		}
		if m := p.media; m.live() && m.target > 0 && 2*still > 3*m.target {
			l.rec.Add("HR108", l.place(), "the playlist has not changed for %s, the target duration is %s",
				still, m.target)
			return
		}
	}
}

// before is the duration of the segments before a number: so much earlier a later version begins.
func (m *media) before(number uint64) time.Duration {
	var d time.Duration
	for _, s := range m.segments {
		if s.number < number {
			d += s.duration
		}
	}
	return d
}

// load gets the playlist. Violations that a version before had are known, and left out.
func (l *list) load(ctx context.Context, known map[[2]string]bool) (*playlist, bool) {
	a, err := l.get(ctx, l.url, MaxPlaylistSize)
	if err != nil {
		l.lost(ctx, err, l.place())
		return nil, false
	}
	if a.Status != http.StatusOK || a.Large {
		l.rec.Add("HH101", l.place(), "%s, after it was answered before", statusHint(a))
		return nil, false
	}
	if len(known) == 0 {
		for _, v := range l.rec.Report().Violations {
			known[[2]string{v.Rule.ID, v.Text}] = true
		}
	}
	quiet := newRecorder(l.opts.MaxPerRule)
	from := origin{query: a.Final.Query()}
	if l.master != nil {
		from.imports = l.master.p.vars
	}
	p := checkPlaylist(quiet, l.opts, l.name, a.Body, from)
	for _, v := range quiet.Report().Violations {
		if k := [2]string{v.Rule.ID, v.Text}; !known[k] {
			known[k] = true
			l.rec.Add(v.Rule.ID, v.Place, "%s", v.Text)
		}
	}
	return p, p != nil && p.media != nil
}

// update compares two versions of a playlist, and reports whether they differ.
func (l *list) update(old, now *playlist) bool {
	a, b, p := old.media, now.media, l.place()
	endA, endB := a.sequence+uint64(len(a.segments)), b.sequence+uint64(len(b.segments))
	if a.target != b.target {
		l.rec.Add("HR102", p, "the target duration is %s, and was %s", b.target, a.target)
	}
	switch {
	case b.sequence < a.sequence:
		l.rec.Add("HR101", p, "EXT-X-MEDIA-SEQUENCE is %d, and was %d", b.sequence, a.sequence)
	case a.ended && (endA != endB || a.sequence != b.sequence):
		l.rec.Add("HR107", p, "after EXT-X-ENDLIST the playlist has segments %d to %d, and had %d to %d",
			b.sequence, endB, a.sequence, endA)
	case b.sequence > a.sequence && (a.kind == "EVENT" || a.kind == "VOD"):
		l.rec.Add("HR105", p, "EXT-X-MEDIA-SEQUENCE is %d, and was %d, in a playlist of type %s",
			b.sequence, a.sequence, a.kind)
	case b.sequence > endA || endB < endA:
		l.rec.Add("HR104", p, "the playlist has segments %d to %d, and had %d to %d",
			b.sequence, endB, a.sequence, endA)
	default:
		l.overlap(a, b)
	}
	return a.sequence != b.sequence || endA != endB || a.ended != b.ended
}

// overlap compares the segments that both versions have, and counts the discontinuities that went.
func (l *list) overlap(a, b *media) {
	gone := uint64(0)
	for i, s := range a.segments {
		if s.number < b.sequence {
			if s.discontinuity {
				gone++
			}
			continue
		}
		t := b.segments[s.number-b.sequence]
		first := s.number == b.sequence && i > 0 // its discontinuity may have been counted
		if t.number == b.sequence {
			l.series.hasOrigin = l.series.hasOrigin && t.duration == s.duration
		}
		if t.uri != s.uri || t.duration != s.duration || t.discontinuity != s.discontinuity && !first || t.gap != s.gap {
			l.rec.Add("HR103", Place{Document: l.name, Line: t.line}, "segment %d is %q of %s, and was %q of %s",
				s.number, clip(t.uri), t.duration, clip(s.uri), s.duration)
			return
		}
		if first && s.discontinuity && !t.discontinuity {
			gone++
		}
	}
	if b.discontinuity != a.discontinuity+gone {
		l.rec.Add("HR106", l.place(), "EXT-X-DISCONTINUITY-SEQUENCE is %d, and was %d; %d discontinuities were removed",
			b.discontinuity, a.discontinuity, gone)
	}
}

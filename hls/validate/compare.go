package validate

import (
	"slices"
	"strings"
	"time"
)

// media returns the lists that are media playlists.
func (w *walk) media() []*list {
	var out []*list
	for _, l := range w.lists {
		if l.p != nil && l.p.media != nil {
			out = append(out, l)
		}
	}
	return out
}

// isSubtitles reports a playlist of a subtitles rendition.
func (l *list) isSubtitles() bool {
	return slices.ContainsFunc(l.roles, func(x *rendition) bool { return x.kind == "SUBTITLES" })
}

// isMain reports a playlist of a variant that is not of I-frames.
func (l *list) isMain() bool { return len(l.users) > 0 && !l.iframe }

// place is that of the playlist as a whole.
func (l *list) place() Place { return Place{Document: l.name} }

// compareLists checks what media playlists must agree on. See RFC 8216 section 6.2.4.
func (w *walk) compareLists() {
	if w.master == nil {
		return
	}
	lists := w.media()
	if len(lists) == 0 {
		return
	}
	first := lists[0]
	for _, l := range lists {
		l.compareTo(first)
		if l.p.media.iframes != l.iframe {
			w.rec.Add("HC118", l.place(), "EXT-X-I-FRAMES-ONLY is there: %t, the playlist is of an I-frame variant: %t",
				l.p.media.iframes, l.iframe)
		}
		if !w.master.p.independent && !l.p.independent && l.isMain() && l.users[0].hasVideo() {
			w.rec.Add("HC105", l.place(), "there is no EXT-X-INDEPENDENT-SEGMENTS here and in the master playlist")
		}
	}
	w.alignment(lists)
}

// compareTo checks a playlist against the first one.
func (l *list) compareTo(first *list) {
	a, b := first.p.media, l.p.media
	free := (l.isSubtitles() || b.iframes) && b.kind == "VOD"
	if a.target != b.target && a.target > 0 && b.target > 0 && !free {
		l.rec.Add("HC101", l.place(), "the target duration is %s, in %s %s", b.target, first.name, a.target)
	}
	if a.kind != b.kind {
		l.rec.Add("HC102", l.place(), "EXT-X-PLAYLIST-TYPE is %q, in %s %q", b.kind, first.name, a.kind)
	}
	if !a.ended || !b.ended {
		return
	}
	if off := a.duration() - b.duration(); off.Abs() > 500*time.Millisecond {
		l.rec.Add("HC103", l.place(), "the segments last %s, those of %s %s", b.duration(), first.name, a.duration())
	}
	if x, y := a.breaks(), b.breaks(); x != y && !b.iframes || a.discontinuity != b.discontinuity {
		l.rec.Add("HC104", l.place(), "there are %d discontinuities from %d on, in %s %d from %d on",
			y, b.discontinuity, first.name, x, a.discontinuity)
	}
}

// breaks counts the discontinuities.
func (m *media) breaks() int {
	n := 0
	for _, s := range m.segments {
		if s.discontinuity {
			n++
		}
	}
	return n
}

// alignment compares the segments of playlists with video.
func (w *walk) alignment(lists []*list) {
	var first *list
	for _, l := range lists {
		if !l.isMain() || !l.users[0].hasVideo() || !l.p.media.ended {
			continue
		}
		if first == nil {
			first = l
			continue
		}
		a, b := first.p.media.segments, l.p.media.segments
		if len(a) != len(b) {
			w.rec.Add("HC112", l.place(), "there are %d segments, in %s %d", len(b), first.name, len(a))
			continue
		}
		for i := range a {
			if off := a[i].start - b[i].start; off.Abs() > 100*time.Millisecond {
				w.rec.Add("HC112", Place{Document: l.name, Line: b[i].line}, "the segment begins at %s, in %s at %s",
					b[i].start, first.name, a[i].start)
				break
			}
		}
	}
}

// compareMedia checks what is known after the segments were read.
func (w *walk) compareMedia() {
	lists := w.media()
	if w.master == nil {
		return
	}
	byRole := make(map[groupKey][]*list)
	for _, l := range lists {
		for _, x := range l.roles {
			k := groupKey{x.kind, x.group}
			byRole[k] = append(byRole[k], l)
		}
	}
	var first *list
	for _, l := range lists {
		if l.isMain() && len(l.starts) > 0 {
			if first == nil {
				first = l
			}
			l.sameTimes(first)
		}
		for _, v := range l.users {
			with := w.partners(v, byRole)
			w.rates(l, v, with)
			l.describes(v, with)
		}
	}
	if first != nil {
		w.companions(lists, first)
	}
}

// partners returns, for each type of rendition that a variant names, the playlists of the group.
func (w *walk) partners(v *variant, byRole map[groupKey][]*list) [][]*list {
	var out [][]*list
	for _, kind := range groupAttrs {
		if a, ok := v.attrs.lookup(kind); ok && a.quoted && !v.iframes {
			if lists := byRole[groupKey{kind, a.value}]; len(lists) > 0 {
				out = append(out, lists)
			}
		}
	}
	return out
}

// sameTimes compares the times of segments with the same number.
func (l *list) sameTimes(first *list) {
	if l == first || l.video != first.video || l.p.media.target != first.p.media.target || l.p.media.live() {
		return
	}
	for _, s := range l.p.media.segments {
		t, ok1 := l.starts[s.number]
		o, ok2 := first.starts[s.number]
		if off := t - o; ok1 && ok2 && off.Abs() > 20*time.Millisecond {
			l.rec.Add("HC111", Place{Document: l.name, Line: s.line}, "the segment begins at %s, in %s at %s",
				t, first.name, o)
			return
		}
	}
}

// describes checks CODECS and RESOLUTION of a variant.
func (l *list) describes(v *variant, with [][]*list) {
	p := Place{Document: l.master.name, Line: v.line}
	if r := v.attrs.get("RESOLUTION"); l.width > 0 && r != "" {
		if got := resolution(l.width, l.height); got != r {
			l.rec.Add("HC114", p, "RESOLUTION is %s, the video of %s %s", r, l.name, got)
		}
	}
	if len(v.codecs) == 0 {
		return
	}
	found := make(map[string]bool)
	for _, lists := range append(with, []*list{l}) {
		for _, x := range lists {
			for codec := range x.found {
				found[codec] = true
			}
		}
	}
	for _, codec := range sortedKeys(found) {
		if v.iframes && !isVideoCodec(codec) {
			continue
		}
		if !slices.ContainsFunc(v.codecs, func(s string) bool { return covers(s, codec) }) {
			l.rec.Add("HC113", p, "CODECS is %q, and there is %s", v.attrs.get("CODECS"), codec)
		}
	}
	if len(l.starts) > 0 && !l.video && slices.ContainsFunc(v.codecs, isVideoCodec) {
		l.rec.Add("HC113", p, "CODECS is %q, and there is no video", v.attrs.get("CODECS"))
	}
}

// covers reports whether a name in CODECS stands for the one that was found.
func covers(stated, found string) bool {
	stated, found = strings.ToLower(stated), strings.ToLower(found)
	switch {
	case strings.HasPrefix(found, "avc"): // the constraint flags in the middle are often left out
		return len(stated) == len(found) && len(found) == len("avc1.ppccll") &&
			stated[:3] == "avc" && stated[5:7] == found[5:7] && stated[9:] == found[9:]
	case found == "hvc1" || found == "hev1":
		return strings.HasPrefix(stated, "hvc1") || strings.HasPrefix(stated, "hev1")
	case found == "mp4a.40.2":
		return slices.Contains([]string{"mp4a.40.2", "mp4a.40.02", "mp4a.40.5", "mp4a.40.05", "mp4a.40.29"}, stated)
	case found == "mp4a.40.34":
		return slices.Contains([]string{"mp4a.40.34", "mp4a.69", "mp4a.6b", "mp3"}, stated)
	}
	return stated == found || strings.HasPrefix(stated, found+".")
}

// companions checks that sound and cues go with the picture.
func (w *walk) companions(lists []*list, first *list) {
	start, ok := first.starts[first.p.media.sequence]
	for _, l := range lists {
		together := l.p.media.sequence == first.p.media.sequence && !l.p.media.live()
		if l.hasSound && ok && first.video && !l.iframe && together {
			if off := l.sound - start; off.Abs() > 500*time.Millisecond {
				w.rec.Add("HC120", l.place(), "sound begins at %s, the picture of %s at %s", l.sound, first.name, start)
			}
		}
		if ok && l.isSubtitles() && !l.p.media.live() {
			l.cuesInPlace(start)
		}
	}
}

// cuesInPlace checks that cues overlap the segment that has them; start is the media time of the playlist's begin.
func (l *list) cuesInPlace(start time.Duration) {
	const slack = 500 * time.Millisecond
	for _, t := range l.texts {
		from, to := start+t.seg.start-slack, start+t.seg.start+t.seg.duration+slack
		for _, c := range t.cues {
			if c.end < from || c.start > to {
				l.rec.Add("HC119", Place{Document: t.name, Line: c.line}, "the cue is %s to %s, the segment %s to %s",
					c.start, c.end, from+slack, to-slack)
				break
			}
		}
	}
}

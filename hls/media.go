package hls

import (
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/smoothkit/smoothkit/smooth"
)

// mediaWriter writes the media playlist of a rendition. See RFC 8216 section 4.3.3.
type mediaWriter struct {
	*show
	o    *Output
	r    *rendition
	plan plan
	link linker
	// ranges are where the entries of a list of key frames lie in files; nil if each has a URL of its own.
	ranges []byteRange
}

// A byteRange is a part of a segment.
type byteRange struct {
	segment      uint64 // its number
	offset, size int64  // bytes
}

// mediaPlaylist returns the playlist of a rendition. name tells it from all others that may be live.
func (o *Output) mediaPlaylist(w *show, r *rendition, link linker, name string) []byte {
	m := mediaWriter{show: w, o: o, r: r, plan: newPlan(w.snap, w.referenceOf(r), o.length()), link: link}
	list := m.complete(m.plan.segments(make([]segment, 0, len(m.plan.line)/2+1)))
	w.markSound(r, &m.plan, list)
	dst := m.appendInterstitials(m.appendHead(make([]byte, 0, 512+160*len(list)), list, mediaPlaylist))
	e := entryWriter{mediaWriter: &m, target: m.segmentTarget(), extra: m.soundOption(r)}
	if w.snap.Manifest.IsLive {
		dst = e.appendLive(dst, list, o.live, name+"\x00"+e.extra) // filters of the query, which name leaves out, choose the sound
	} else {
		for i := range list {
			dst = e.append(dst, list, i)
		}
	}
	if w.snap.Ended {
		dst = append(dst, "#EXT-X-ENDLIST\n"...)
	}
	return dst
}

// markSound marks a discontinuity where segments with muxed sound begin to have any, or cease to: their tables declare what
// is there, and the number of tracks may not change without one. See RFC 8216 section 4.3.2.3. A live list is left as it
// is, since discontinuities are counted there from the beginning.
// It reports whether it has marked any.
func (w *show) markSound(r *rendition, pl *plan, list []segment) (marked bool) {
	sound := w.sound(r)
	if sound == nil || pl.live {
		return false
	}
	scale := w.snap.Manifest.TimescaleOf(sound.stream)
	frame := 1024 * scale / uint64(max(sound.codec.SamplingRate, 8000)) // what is shorter holds no frame that begins in it
	first, had := true, false
	for i := range list {
		if list[i].gap {
			continue
		}
		at := w.reachOf(pl, &list[i])
		from := smooth.Rescale(at.start, at.timescale, scale)
		lo, hi := sound.stream.Timeline.Overlap(from, smooth.Rescale(at.end, at.timescale, scale))
		has := hi > lo && sound.stream.Timeline[hi-1].End()-from >= frame
		if !first && has != had {
			list[i].discontinuity, marked = true, true
		}
		first, had = false, has
	}
	return marked
}

// complete drops live segments whose sound or text has not been received as far as the picture that they go with.
func (m *mediaWriter) complete(list []segment) []segment {
	n := len(list)
	for n > 0 && !m.covers(m.r, &m.plan, &list[n-1]) {
		n--
	}
	return list[:n]
}

// covers reports whether what goes into a segment of a rendition beside the fragments of its reference stream is known
// as far as the segment lasts. What has been received but is not listed does not count, as its place is not known.
func (w *show) covers(r *rendition, pl *plan, s *segment) bool {
	with := w.sound(r)
	if r.stream.Type == smooth.Text {
		with = r
	}
	if with == nil || w.snap.Ended {
		return true
	}
	return !before(with.stream.Timeline.End(), w.snap.Manifest.TimescaleOf(with.stream), s.end, pl.timescale)
}

func (m *mediaWriter) segmentTarget() target {
	return target{kind: mediaSegment, layout: m.layout, format: m.format, key: m.r.key(0), text: m.r.stream.Type == smooth.Text}
}

// appendHead writes what stands before the first segment.
func (m *mediaWriter) appendHead(dst []byte, list []segment, k kind) []byte {
	dst = append(dst, "#EXTM3U\n#EXT-X-VERSION:"...)
	dst = strconv.AppendInt(dst, int64(m.listVersion(list, k)), 10)
	if m.o.opts.DisallowCaching {
		dst = append(dst, "\n#EXT-X-ALLOW-CACHE:NO"...)
	}
	target := m.targetDuration()
	if k == iframePlaylist { // the last frame before a gap is shown until its end
		target = max(target, targetDuration(list, m.plan.timescale))
	}
	dst = strconv.AppendUint(append(dst, "\n#EXT-X-TARGETDURATION:"...), target, 10)
	first := uint64(0)
	if len(list) > 0 {
		first = list[0].number
	}
	dst = strconv.AppendUint(append(dst, "\n#EXT-X-MEDIA-SEQUENCE:"...), first, 10)
	// A list that segments leave must have it as soon as it has a discontinuity: RFC 8216 section 6.2.2.
	d, latest := m.discontinuitySequence(list), m.discontinuitySequence(list[max(len(list)-1, 0):])
	if d > 0 || latest > 0 && m.snap.Manifest.DVRWindowLength > 0 {
		dst = strconv.AppendUint(append(dst, "\n#EXT-X-DISCONTINUITY-SEQUENCE:"...), d, 10)
	}
	switch {
	case !m.snap.Manifest.IsLive && m.snap.Ended && (!m.plan.live || m.link.files != nil):
		dst = append(dst, "\n#EXT-X-PLAYLIST-TYPE:VOD"...) // the end alone does not change the type: RFC 8216 section 6.2.1
	case m.snap.Manifest.DVRWindowLength == 0: // nothing ever leaves the list
		dst = append(dst, "\n#EXT-X-PLAYLIST-TYPE:EVENT"...)
	}
	if k == iframePlaylist {
		dst = append(dst, "\n#EXT-X-I-FRAMES-ONLY"...)
	}
	return append(dst, '\n')
}

// listVersion returns the least version that knows what the list uses. See RFC 8216 section 7.
func (m *mediaWriter) listVersion(list []segment, k kind) int {
	v := 3
	if m.layout == fragmented && m.r.stream.Type != smooth.Text {
		v = 6 // EXT-X-MAP
		if k == iframePlaylist {
			v = 5
		}
	}
	if k == iframePlaylist {
		v = max(v, 4)
	}
	if m.sampleAES && m.r.stream.Type != smooth.Text || m.ranges != nil {
		v = max(v, 5)
	}
	for i := range list {
		if list[i].gap {
			return 8
		}
	}
	return v
}

// targetKey is where the target duration is kept with a snapshot.
type targetKey struct {
	showKey
	length time.Duration
}

// targetDuration returns the EXT-X-TARGETDURATION, which is the same for all playlists of a master. See RFC 8216
// section 6.2.4.
func (w *mediaWriter) targetDuration() uint64 {
	v, err := w.snap.Derive(targetKey{w.key, w.o.length()}, func() (any, error) {
		target := uint64(1)
		for _, r := range slices.Concat(w.audio, w.video[:min(1, len(w.video))]) {
			pl := newPlan(w.snap, r.stream, w.o.length())
			if pl.live {
				target = max(target, pl.liveTarget())
			} else {
				target = max(target, targetDuration(pl.segments(make([]segment, 0, len(pl.line)/2+1)), pl.timescale))
			}
		}
		return target, nil
	})
	if err != nil {
		return 1
	}
	return v.(uint64)
}

// discontinuitySequence returns the discontinuities before the first segment.
func (m *mediaWriter) discontinuitySequence(list []segment) uint64 {
	if len(list) == 0 || len(m.snap.Periods) == 0 {
		return 0
	}
	if len(m.plan.periods) == 0 {
		return m.snap.Periods[0].Discontinuity
	}
	return m.plan.periods[m.plan.period(list[0].start)].discontinuity
}

// An entryWriter writes the lines of segments.
type entryWriter struct {
	*mediaWriter
	target target
	extra  string
	urls   *urlTemplate // made with the first segment

	key    uint64 // period of the last EXT-X-KEY, plus one
	mapped bool   // an EXT-X-MAP applies
}

// append writes segment i of a list.
func (e *entryWriter) append(dst []byte, list []segment, i int) []byte {
	s := &list[i]
	if s.discontinuity {
		dst = append(dst, "#EXT-X-DISCONTINUITY\n"...)
	}
	e.target.number = s.number
	if e.ranges != nil {
		e.target.number = e.ranges[i].segment
	}
	if (e.layout == fragmented || e.ranges != nil) && !e.target.text && !s.gap && (!e.mapped || s.discontinuity) {
		dst = e.appendMap(dst, s)
	}
	if !e.target.text && !s.gap && e.o.protect != nil {
		dst = e.appendKey(dst, s)
	}
	if i == 0 || s.discontinuity || list[i-1].gap || s.start != list[i-1].end {
		dst = e.appendDate(dst, s)
	}
	if s.gap {
		dst = append(dst, "#EXT-X-GAP\n"...)
	}
	dst = appendDuration(append(dst, "#EXTINF:"...), s.start, s.end, e.plan.timescale)
	dst = append(dst, ",\n"...)
	if e.ranges != nil {
		dst = fmt.Appendf(dst, "#EXT-X-BYTERANGE:%d@%d\n", e.ranges[i].size, e.ranges[i].offset)
	}
	e.target.key.Time, e.target.count = s.start, max(s.count, 1)
	return append(e.appendURL(dst), '\n')
}

// appendURL writes the URL of the target.
func (e *entryWriter) appendURL(dst []byte) []byte {
	if e.urls == nil {
		e.urls = newURLTemplate(&e.link, e.target, e.extra)
	}
	if e.urls.whole {
		return e.link.append(dst, &e.target, e.extra)
	}
	return e.urls.append(dst, &e.target)
}

// appendMap writes the EXT-X-MAP of a segment's period, in the clear. See RFC 8216 section 4.3.2.5.
func (e *entryWriter) appendMap(dst []byte, s *segment) []byte {
	if e.key > 0 {
		dst = append(dst, "#EXT-X-KEY:METHOD=NONE\n"...)
		e.key = 0
	}
	e.mapped = true
	t := e.target
	t.kind, t.key.Time = initSegment, s.start
	dst = append(dst, `#EXT-X-MAP:URI="`...)
	return append(e.link.append(dst, &t, ""), "\"\n"...)
}

// appendKey writes an EXT-X-KEY where another key begins. See RFC 8216 section 4.3.2.4.
func (e *entryWriter) appendKey(dst []byte, s *segment) []byte {
	period := e.o.protect.period(s.number)
	if e.key == period+1 {
		return dst
	}
	e.key = period + 1
	t := target{kind: encryptionKey, layout: e.layout, format: e.format, period: period}
	builtin := string(e.link.append(nil, &t, ""))
	return e.o.protect.appendTag(dst, e.link.base.Presentation, period, builtin)
}

// appendDate writes the wall-clock time of a segment, if it is known. See RFC 8216 section 4.3.2.6.
func (e *entryWriter) appendDate(dst []byte, s *segment) []byte {
	wall, ok := wallOf(e.snap, s.start, e.plan.timescale)
	if !ok {
		return dst
	}
	dst = append(dst, "#EXT-X-PROGRAM-DATE-TIME:"...)
	return append(wall.UTC().AppendFormat(dst, "2006-01-02T15:04:05.000Z"), '\n')
}

// wallOf returns the wall-clock time at t ticks of a timescale.
func wallOf(s *smooth.Snapshot, t, timescale uint64) (time.Time, bool) {
	scale := timescaleOf(s.Manifest)
	for i := len(s.Periods) - 1; i >= 0; i-- {
		p := &s.Periods[i]
		if i > 0 && before(t, timescale, p.Start, scale) {
			continue
		}
		if p.Wall.IsZero() {
			return time.Time{}, false
		}
		ns := smooth.Rescale(t, timescale, uint64(time.Second)) - smooth.Rescale(p.Start, scale, uint64(time.Second))
		return p.Wall.Add(time.Duration(ns)), true
	}
	return time.Time{}, false
}

// appendDuration writes the seconds between two ticks with six decimals. Both ends are rounded, not the difference, so
// that the sum of all durations in a playlist does not drift.
func appendDuration(dst []byte, start, end, timescale uint64) []byte {
	us := smooth.Rescale(end, timescale, 1_000_000) - smooth.Rescale(start, timescale, 1_000_000)
	dst = strconv.AppendUint(dst, us/1_000_000, 10)
	at := len(dst)
	dst = strconv.AppendUint(append(dst, '.'), 1_000_000+us%1_000_000, 10)
	return append(dst[:at+1], dst[at+2:]...)
}

// iframePlaylist returns the list of the key frames of a video level. See RFC 8216 section 4.3.3.6.
func (o *Output) iframePlaylist(w *show, r *rendition, link linker) []byte {
	m := mediaWriter{show: w, o: o, r: r, plan: newPlan(w.snap, r.stream, o.length()), link: link}
	return m.keyFramePlaylist(m.keyFrames())
}

// keyFramePlaylist writes the list of key frames.
func (m *mediaWriter) keyFramePlaylist(list []segment) []byte {
	dst := m.appendHead(make([]byte, 0, 512+160*len(list)), list, iframePlaylist)
	e := entryWriter{mediaWriter: m, target: m.segmentTarget()}
	e.target.kind = iframeSegment
	for i := range list {
		dst = e.append(dst, list, i)
	}
	if m.snap.Ended {
		dst = append(dst, "#EXT-X-ENDLIST\n"...)
	}
	return dst
}

// keyFrames returns an entry for the first key frame of each fragment, which lasts until that of the next. Of a
// presentation that is or was live it is one for each segment, since only those have numbers that stay.
func (m *mediaWriter) keyFrames() []segment {
	if m.plan.live {
		return m.plan.segments(nil)
	}
	list := make([]segment, len(m.plan.line))
	period := -1
	for i := range list {
		s := m.plan.at(i, 1)
		now := m.plan.period(s.start)
		s.discontinuity = i > 0 && now != period
		s.number, period = uint64(i), now
		list[i] = s
	}
	return list
}

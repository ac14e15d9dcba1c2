package hls

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"

	"github.com/smoothkit/smoothkit/internal/language"
	"github.com/smoothkit/smoothkit/smooth"
)

// A variant is one EXT-X-STREAM-INF: a playlist and the renditions that go with it.
type variant struct {
	main  *rendition
	group *audioGroup // or nil
	weight
	codecs []string
}

// An audioGroup is the sound in one codec, in all languages. Players choose a variant by its codecs, so each codec has
// a group and variants of its own.
type audioGroup struct {
	id     string
	list   []*rendition
	weight // of the heaviest
	codecs []string
}

// masterWriter writes a master playlist. See RFC 8216 section 4.3.4.
type masterWriter struct {
	*show
	o     *Output
	ctx   context.Context
	p     smooth.Presentation
	link  linker
	known map[*rendition]weight
	// iframes are the peak bit rates of the lists of key frames that were made as files; nil if they are served, which
	// muxed layouts do not, being for old clients.
	iframes map[*rendition]uint64
	// files tells that the playlists are files: a muxed layout then has what newer clients know, too.
	files bool
}

// masterPlaylist returns the master playlist of a presentation.
func (o *Output) masterPlaylist(ctx context.Context, p smooth.Presentation, w *show, link linker) ([]byte, error) {
	m := masterWriter{show: w, o: o, ctx: ctx, p: p, link: link, known: make(map[*rendition]weight)}
	return m.playlist()
}

func (m *masterWriter) playlist() ([]byte, error) {
	groups, err := m.groups()
	if err != nil {
		return nil, err
	}
	variants, err := m.variants(groups)
	if err != nil {
		return nil, err
	}
	dst := []byte("#EXTM3U\n#EXT-X-VERSION:")
	dst = strconv.AppendInt(dst, int64(m.version()), 10)
	dst = append(dst, "\n#EXT-X-INDEPENDENT-SEGMENTS\n"...)
	full := m.layout != muxed || m.files
	if full {
		if len(m.alone) > 0 {
			groups = nil // its levels are the variants, and need no rendition
		}
		dst = m.appendRenditions(dst, groups)
	}
	for i := range variants {
		dst = m.appendVariant(dst, &variants[i])
	}
	if full && !m.o.encrypts() {
		dst = m.appendIFrames(dst, variants)
	}
	return dst, nil
}

// version returns the EXT-X-VERSION of all playlists. See RFC 8216 section 7: 3 for fractions of seconds, 4 for lists of
// I-frames, 6 for EXT-X-MAP in any list.
func (w *show) version() int {
	switch w.layout {
	case muxed:
		return 3
	case fragmented:
		return 6
	}
	return 4
}

// weigh returns the weight of a rendition, which is found once.
func (m *masterWriter) weigh(r *rendition) (weight, error) {
	if v, ok := m.known[r]; ok {
		return v, nil
	}
	v, err := m.show.weigh(m.ctx, m.p, r, newPlan(m.snap, r.stream, m.o.length()))
	if err != nil {
		return v, err
	}
	m.known[r] = v
	if nominal := m.nominal(r); m.snap.Ended && (v.average > nominal.average*5/4 || v.average < r.level.Bitrate/2) {
		m.o.opts.Logger.Info("hls: bit rate differs from the manifest", slog.String("stream", r.stream.Name),
			slog.Uint64("bitrate", r.level.Bitrate), slog.Uint64("measured", v.average))
	}
	return v, nil
}

// groups sorts the sound by codec.
func (m *masterWriter) groups() ([]*audioGroup, error) {
	var groups []*audioGroup
	if m.layout == muxed {
		return nil, nil
	}
	for i := range m.audio {
		r := &m.audio[i]
		names := m.formatsOf(r)
		family, _, _ := strings.Cut(names[0], ".")
		n := slices.IndexFunc(groups, func(g *audioGroup) bool { f, _, _ := strings.Cut(g.codecs[0], "."); return f == family })
		if n < 0 {
			id := "audio"
			if len(groups) > 0 {
				id += "-" + family
			}
			n, groups = len(groups), append(groups, &audioGroup{id: id, codecs: names[:1:1]})
		}
		v, err := m.weigh(r)
		if err != nil {
			return nil, err
		}
		g := groups[n]
		g.list = append(g.list, r)
		for _, name := range names {
			if !slices.Contains(g.codecs, name) {
				g.codecs = append(g.codecs, name)
			}
		}
		g.peak, g.average = max(g.peak, v.peak), max(g.average, v.average)
	}
	return groups, nil
}

// variants returns the variants in the order of the playlist.
func (m *masterWriter) variants(groups []*audioGroup) ([]variant, error) {
	var list []variant
	for _, r := range m.startOrder() {
		of, err := m.variantsOf(r, groups)
		if err != nil {
			return nil, err
		}
		list = append(list, of...)
	}
	list = m.limit(list)
	if len(m.video) > 0 && (m.o.opts.OmitAudioOnly || m.omitsAudioOnly()) {
		return list, nil
	}
	alone, err := m.soundAlone(groups)
	return append(list, alone...), err
}

// omitsAudioOnly reports whether the request asks for audio-only=false, as clients of Azure do.
func (m *masterWriter) omitsAudioOnly() bool {
	v, ok := m.link.base.Option("audio-only")
	return ok && strings.EqualFold(v, "false")
}

// variantsOf returns the variants of a video level: one for each group of sound.
func (m *masterWriter) variantsOf(r *rendition, groups []*audioGroup) ([]variant, error) {
	v, err := m.weigh(r)
	if err != nil {
		return nil, err
	}
	text := m.textWeight()
	v.peak, v.average = v.peak+text.peak, v.average+text.average
	one := variant{main: r, weight: v, codecs: m.formatsOf(r)}
	if sound := m.sound(r); sound != nil {
		one.codecs = append(one.codecs, m.formatsOf(sound)...)
	}
	if len(groups) == 0 {
		return []variant{one}, nil
	}
	var list []variant
	for _, g := range groups {
		x := one
		x.group = g
		x.codecs = slices.Concat(one.codecs, g.codecs)
		x.peak, x.average = v.peak+g.peak, v.average+g.average
		list = append(list, x)
	}
	return list, nil
}

// textWeight returns the weight of the heaviest subtitles.
func (m *masterWriter) textWeight() (most weight) {
	if m.layout == muxed && !m.files {
		return most // there are none
	}
	for i := range m.text {
		v, ok := m.known[&m.text[i]]
		if !ok {
			v = m.weighText(&m.text[i])
			m.known[&m.text[i]] = v
		}
		most.peak, most.average = max(most.peak, v.peak), max(most.average, v.average)
	}
	return most
}

// weighText returns the weight of subtitles: that of their segments, or of a long or live presentation what the manifest
// promises. Text that cannot be read is reported to whoever asks for it.
func (m *masterWriter) weighText(r *rendition) weight {
	pl := newPlan(m.snap, m.referenceOf(r), m.o.length())
	list := pl.segments(nil)
	v := weight{peak: r.level.Bitrate, average: r.level.Bitrate}
	if !m.snap.Ended || len(list) > maxMeasured {
		return v
	}
	var peak, bytes, ticks uint64
	for i := range list {
		s := &list[i]
		if s.gap || s.end == s.start {
			continue
		}
		data, err := m.textSegment(m.ctx, m.p, r, &pl, s)
		if err != nil {
			return v
		}
		peak = max(peak, smooth.Rescale(uint64(len(data))*8, s.end-s.start, pl.timescale)+1)
		bytes, ticks = bytes+uint64(len(data)), ticks+s.end-s.start
	}
	if ticks == 0 {
		return v
	}
	return weight{peak: peak, average: smooth.Rescale(bytes*8, ticks, pl.timescale)}
}

// soundAlone returns variants of sound without picture: one for each codec or, where there is no picture at all, one for
// each level of the first stream.
func (m *masterWriter) soundAlone(groups []*audioGroup) ([]variant, error) {
	var list []variant
	add := func(r *rendition, g *audioGroup) error {
		v, err := m.weigh(r)
		if g != nil { // the player may choose any of them
			v = g.weight
		}
		if err == nil {
			list = append(list, variant{main: r, group: g, weight: v, codecs: m.formatsOf(r)})
		}
		return err
	}
	switch {
	case len(m.audio) == 0:
		return nil, nil
	case len(m.video) == 0 && len(m.audio) == 1:
		for i := range m.alone {
			if err := add(&m.alone[i], nil); err != nil {
				return nil, err
			}
		}
		return m.limit(list), nil
	case m.layout == muxed:
		if m.soundInParts() {
			return nil, nil // all variants have the same discontinuities, RFC 8216 section 6.2.4, and sound alone has none
		}
		err := add(&m.audio[0], nil)
		return list, err
	}
	for _, g := range groups {
		if err := add(g.list[0], g); err != nil {
			return nil, err
		}
	}
	return list, nil
}

// soundInParts reports whether some segments with muxed sound have none.
func (m *masterWriter) soundInParts() bool {
	if len(m.video) == 0 {
		return false
	}
	pl := newPlan(m.snap, m.video[0].stream, m.o.length())
	return m.markSound(&m.video[0], &pl, pl.segments(nil))
}

// startOrder returns the video levels with the one first that players are to start with: the middle one, unless the
// order tells that somebody has chosen another.
func (m *masterWriter) startOrder() []*rendition {
	list := make([]*rendition, len(m.video))
	for i := range m.video {
		list[i] = &m.video[i]
	}
	down := func(a, b *rendition) int { return compareRates(b, a) }
	if len(list) < 3 || !slices.IsSortedFunc(list, compareRates) && !slices.IsSortedFunc(list, down) {
		return list
	}
	middle := list[len(list)/2]
	return append([]*rendition{middle}, slices.DeleteFunc(list, func(r *rendition) bool { return r == middle })...)
}

// limit drops the variants above the maximum bit rate, but never the last one. What counts is the measured rate, since
// encoders misstate theirs.
func (m *masterWriter) limit(list []variant) []variant {
	most := m.o.opts.MaxBitrate
	if most == 0 || len(list) == 0 {
		return list
	}
	least := slices.MinFunc(list, func(a, b variant) int { return cmp.Compare(a.average, b.average) })
	kept := slices.DeleteFunc(slices.Clone(list), func(v variant) bool {
		over := v.average > most
		if over && m.snap.Ended { // else it would be said again with every fragment
			m.o.opts.Logger.Info("hls: variant above the maximum bit rate", slog.String("stream", v.main.stream.Name),
				slog.Uint64("bitrate", v.main.level.Bitrate), slog.Uint64("measured", v.average))
		}
		return over
	})
	if len(kept) == 0 {
		return []variant{least}
	}
	return kept
}

// target returns the address of the playlist of a rendition.
func (m *masterWriter) target(r *rendition, k kind) target {
	return target{kind: k, layout: m.layout, format: m.format, key: r.key(0), text: r.stream.Type == smooth.Text}
}

// appendVariant writes an EXT-X-STREAM-INF and its URI. See RFC 8216 section 4.3.4.2.
func (m *masterWriter) appendVariant(dst []byte, v *variant) []byte {
	dst = append(dst, "#EXT-X-STREAM-INF:"...)
	dst = m.appendRates(dst, v.weight)
	if !m.o.opts.OmitCodecs {
		dst = fmt.Appendf(dst, `,CODECS="%s"`, strings.Join(v.codecs, ","))
	}
	if w, h := m.sizeOf(v.main); w > 0 {
		dst = fmt.Appendf(dst, ",RESOLUTION=%dx%d", w, h)
	}
	if v.frameRate > 0 {
		dst = fmt.Appendf(dst, ",FRAME-RATE=%d.%03d", v.frameRate/1000, v.frameRate%1000)
	}
	if v.group != nil {
		dst = fmt.Appendf(dst, `,AUDIO="%s"`, v.group.id)
	}
	if m.o.opts.NoClosedCaptions && v.main.stream.Type == smooth.Video {
		dst = append(dst, ",CLOSED-CAPTIONS=NONE"...)
	}
	if len(m.text) > 0 && (m.layout != muxed || m.files) && v.main.stream.Type == smooth.Video {
		dst = append(dst, `,SUBTITLES="text"`...)
	}
	t := m.target(v.main, mediaPlaylist)
	return append(m.link.append(append(dst, '\n'), &t, m.soundOption(v.main)), '\n')
}

// soundOption names the sound that is muxed into the segments of a rendition, if there is a choice.
func (w *show) soundOption(r *rendition) string {
	sound := w.sound(r)
	if sound == nil || len(w.audio) < 2 || strings.ContainsAny(sound.stream.Name, ",;=") {
		return ""
	}
	return "audiotrack=" + sound.stream.Name
}

func (m *masterWriter) appendRates(dst []byte, v weight) []byte {
	dst = strconv.AppendUint(append(dst, "BANDWIDTH="...), max(v.peak, 1), 10)
	return strconv.AppendUint(append(dst, ",AVERAGE-BANDWIDTH="...), max(v.average, 1), 10)
}

// appendRenditions writes an EXT-X-MEDIA for each stream of sound and text. See RFC 8216 section 4.3.4.1.
func (m *masterWriter) appendRenditions(dst []byte, groups []*audioGroup) []byte {
	for _, g := range groups {
		for i, r := range g.list {
			same := groups[0].counterpart(g, i)
			dst = m.appendRendition(dst, "AUDIO", g.id, same, r, same == groups[0].list[0])
			if n := r.codec.Channels; n > 0 {
				dst = fmt.Appendf(dst, `,CHANNELS="%d"`, n)
			}
			dst = m.appendURI(dst, r, mediaPlaylist)
		}
	}
	for i := range m.text {
		r := &m.text[i]
		dst = m.appendRendition(dst, "SUBTITLES", "text", r, r, false) // shown when the viewer's settings ask for it
		dst = m.appendURI(append(dst, ",FORCED=NO"...), r, mediaPlaylist)
	}
	return dst
}

// counterpart returns the rendition of g that has what number i of another group has, in another codec: the first in the
// language if that is the first there, and so on. If there is none it returns the one of the other group.
func (g *audioGroup) counterpart(other *audioGroup, i int) *rendition {
	r := other.list[i]
	speaks := func(o *rendition) bool { return languageTag(o.stream.Language) == languageTag(r.stream.Language) }
	before := 0
	for _, o := range other.list[:i] {
		if speaks(o) {
			before++
		}
	}
	for _, o := range g.list {
		if speaks(o) {
			if before == 0 {
				return o
			}
			before--
		}
	}
	return r
}

// appendRendition writes an EXT-X-MEDIA up to its URI. It has the name of its counterpart in the first group, since all
// groups must have the same names. See RFC 8216 section 4.3.4.1.1.
func (m *masterWriter) appendRendition(dst []byte, kind, group string, same, r *rendition, first bool) []byte {
	dst = fmt.Appendf(dst, `#EXT-X-MEDIA:TYPE=%s,GROUP-ID="%s",NAME="%s"`, kind, group, quotable(same.stream.Name))
	if tag := languageTag(r.stream.Language); tag != "" {
		dst = fmt.Appendf(dst, `,LANGUAGE="%s"`, tag)
	}
	choice := "NO"
	if first {
		choice = "YES"
	}
	return append(append(append(dst, ",DEFAULT="...), choice...), ",AUTOSELECT=YES"...)
}

func (m *masterWriter) appendURI(dst []byte, r *rendition, k kind) []byte {
	t := m.target(r, k)
	dst = append(dst, `,URI="`...)
	return append(m.link.append(dst, &t, ""), "\"\n"...)
}

// appendIFrames writes an EXT-X-I-FRAME-STREAM-INF for each video level. See RFC 8216 section 4.3.4.3.
func (m *masterWriter) appendIFrames(dst []byte, variants []variant) []byte {
	var done []*rendition
	for i := range variants {
		v := &variants[i]
		if v.main.stream.Type != smooth.Video || slices.Contains(done, v.main) || m.iframes != nil && m.iframes[v.main] == 0 {
			continue
		}
		done = append(done, v.main)
		dst = append(dst, "#EXT-X-I-FRAME-STREAM-INF:"...)
		dst = strconv.AppendUint(append(dst, "BANDWIDTH="...), m.iframeRate(v.main, v.peak), 10)
		if !m.o.opts.OmitCodecs {
			dst = fmt.Appendf(dst, `,CODECS="%s"`, strings.Join(m.formatsOf(v.main), ","))
		}
		if w, h := m.sizeOf(v.main); w > 0 {
			dst = fmt.Appendf(dst, ",RESOLUTION=%dx%d", w, h)
		}
		dst = m.appendURI(dst, v.main, iframePlaylist)
	}
	return dst
}

// languageTag returns the RFC 5646 tag for a language as manifests state it, or "".
func languageTag(code string) string {
	code = strings.ToLower(strings.Trim(code, " "))
	if len(code) == 3 {
		if two := language.TwoLetters(code); two != "" {
			return two
		}
	}
	if code == "und" || quotable(code) != code {
		return ""
	}
	return code
}

// quotable returns s without what a quoted string of a playlist cannot hold. See RFC 8216 section 4.2.
func quotable(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '"' || r < ' ' || r == 0x7f {
			return '_'
		}
		return r
	}, s)
}

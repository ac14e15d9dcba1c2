package hls

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/smoothkit/smoothkit/smooth"
)

// joined is several presentations as one, as far as they are shown. It implements [smooth.Presentation] and
// [smooth.Sizer].
type joined struct {
	show    *show
	streams map[string]joinedStream // by the name in show
	skipped []string                // what is left out, and why
}

// joinedStream is a stream of an input.
type joinedStream struct {
	input *segmenterInput
	name  string // there
	delay uint64 // what is added to its times, in ticks of the stream
	only  bool   // its input has only one level of video
}

// join looks for what can be shown of the inputs and makes one show of it.
func (g *Segmenter) join(ctx context.Context) (*joined, error) {
	l := separate
	format := formatDefault
	if g.opts.Format == FMP4 {
		l, format = fragmented, formatCMAF
	}
	shows := make([]*show, len(g.inputs))
	for i := range g.inputs {
		s, err := g.inputs[i].p.Snapshot(ctx)
		if err == nil && !s.Ended {
			err = fmt.Errorf("hls: the presentation is live: %w", smooth.ErrUnsupported)
		}
		if err == nil {
			shows[i], err = newShow(s, l, format, g.out.protect != nil && g.out.protect.method == SampleAES)
		}
		if err != nil {
			return nil, fmt.Errorf("hls: input %s: %w", g.inputs[i].name, err)
		}
	}
	j := &joined{streams: make(map[string]joinedStream)}
	if err := j.merge(g.inputs, shows); err != nil {
		return nil, err
	}
	return j, j.place(g.opts.Sound)
}

// merge makes one show of several.
func (j *joined) merge(inputs []segmenterInput, shows []*show) error {
	m := &smooth.Manifest{MajorVersion: 2, Timescale: smooth.DefaultTimescale}
	snap := smooth.NewSnapshot(m, "")
	j.show = &show{snap: snap, layout: shows[0].layout, format: shows[0].format, sampleAES: shows[0].sampleAES}
	if err := mergePeriods(snap, inputs, shows); err != nil {
		return err
	}
	delays := delaysOf(shows)
	for i, w := range shows {
		b := merging{joined: j, input: &inputs[i], from: w, delay: delays[i], known: make(map[*smooth.Stream]*smooth.Stream)}
		b.skipRefused()
		for _, r := range w.video {
			j.show.video = append(j.show.video, b.take(r))
		}
		j.show.audio = b.choose(j.show.audio, w.audio)
		j.show.text = b.choose(j.show.text, w.text)
		m.Duration = max(m.Duration, smooth.Rescale(w.snap.Manifest.Duration, timescaleOf(w.snap.Manifest), smooth.DefaultTimescale)+delays[i])
	}
	if len(j.show.video) == 0 && len(j.show.audio) == 1 {
		j.show.alone = j.show.audio
		if len(shows) == 1 { // all levels, since there is nothing else to choose from
			b := merging{joined: j, input: &inputs[0], from: shows[0], known: make(map[*smooth.Stream]*smooth.Stream)}
			j.show.alone = nil
			for _, r := range shows[0].alone {
				b.known[r.stream] = j.show.audio[0].stream
				j.show.alone = append(j.show.alone, b.take(r))
			}
		}
	}
	return nil
}

// mergePeriods gives a snapshot the periods of the first input, which all have to have.
func mergePeriods(snap *smooth.Snapshot, inputs []segmenterInput, shows []*show) error {
	starts := func(w *show) []uint64 {
		var list []uint64
		for _, p := range w.snap.Periods {
			list = append(list, smooth.Rescale(p.Start, timescaleOf(w.snap.Manifest), smooth.DefaultTimescale))
		}
		return list
	}
	first := starts(shows[0])
	for i, w := range shows {
		if len(w.snap.Periods) != len(first) || len(first) > 1 && !slices.Equal(starts(w), first) {
			return fmt.Errorf("hls: inputs %s and %s: periods start at different times: %w", inputs[0].name, inputs[i].name, smooth.ErrUnsupported)
		}
	}
	snap.Periods = make([]smooth.Period, len(first))
	for i, start := range first {
		p := shows[0].snap.Periods[i]
		snap.Periods[i] = smooth.Period{Start: start, Wall: p.Wall, Discontinuity: p.Discontinuity}
	}
	return nil
}

// maxDelay bounds by what inputs are brought together, in ticks of [smooth.DefaultTimescale].
const maxDelay = smooth.DefaultTimescale / 2

// delaysOf returns what is to be added to the times of each input, in ticks of [smooth.DefaultTimescale], so that video
// fragments which differ by a constant start together. A file source moves files whose sound starts before the picture.
func delaysOf(shows []*show) []uint64 {
	none, delays := make([]uint64, len(shows)), make([]uint64, len(shows))
	lists := make([][]uint64, len(shows))
	var base []uint64
	latest := uint64(0)
	for i, w := range shows {
		if lists[i] = videoStarts(w); len(lists[i]) == 0 {
			continue
		}
		if base == nil {
			base = lists[i]
		}
		if !differByConstant(base, lists[i]) {
			return none
		}
		latest = max(latest, lists[i][0])
	}
	for i, list := range lists {
		if len(list) > 0 {
			delays[i] = latest - list[0]
		}
		if delays[i] > maxDelay {
			return none
		}
	}
	return delays
}

func videoStarts(w *show) []uint64 {
	if len(w.video) == 0 {
		return nil
	}
	st := w.video[0].stream
	list := make([]uint64, len(st.Timeline))
	for i, c := range st.Timeline {
		list[i] = smooth.Rescale(c.Time, w.snap.Manifest.TimescaleOf(st), smooth.DefaultTimescale)
	}
	return list
}

// differByConstant reports whether two lists differ by the same number everywhere, but for rounding and the last entries.
func differByConstant(a, b []uint64) bool {
	for i := range a[:min(len(a), len(b))] {
		if d := int64(b[i]-a[i]) - int64(b[0]-a[0]); d < -1 || d > 1 {
			return false
		}
	}
	return true
}

// merging takes renditions of one input over.
type merging struct {
	*joined
	input *segmenterInput
	from  *show
	delay uint64 // in ticks of smooth.DefaultTimescale
	known map[*smooth.Stream]*smooth.Stream
}

// skipRefused notes the levels that cannot be shown.
func (b *merging) skipRefused() {
	for _, st := range b.from.snap.Manifest.Streams {
		if st.Parent != "" || st.ManifestOutput {
			continue
		}
		if st.Type == smooth.Video && len(b.from.video) > 0 && b.from.video[0].stream != st {
			b.skip(st, "another picture comes first")
			continue
		}
		for _, l := range st.Levels {
			if _, err := b.from.rendition(st, l); err != nil {
				b.skipped = append(b.skipped, fmt.Sprintf("%s: %v", b.input.name, err))
			}
		}
	}
}

func (b *merging) skip(st *smooth.Stream, why string) {
	b.skipped = append(b.skipped, fmt.Sprintf("%s: stream %s: %s", b.input.name, st.Name, why))
}

// choose appends the renditions whose language, and codec, none of an earlier input has.
func (b *merging) choose(dst, list []rendition) []rendition {
	earlier := dst
	for _, r := range list {
		if slices.ContainsFunc(earlier, func(o rendition) bool { return sameChoice(&o, &r) }) {
			b.skip(r.stream, "an earlier input has that language")
			continue
		}
		dst = append(dst, b.take(r))
	}
	return dst
}

// sameChoice reports whether a player would have no reason to choose between two sounds or texts.
func sameChoice(a, b *rendition) bool {
	return languageTag(a.stream.Language) == languageTag(b.stream.Language) && codecFamily(a.codec) == codecFamily(b.codec)
}

// codecFamily returns what comes before the profile in the name of a codec. All texts become WebVTT.
func codecFamily(c *smooth.Codec) string {
	if c.Type == smooth.Text {
		return ""
	}
	family, _, _ := strings.Cut(c.Codecs(), ".")
	return family
}

// take returns a rendition of the joined show.
func (b *merging) take(r rendition) rendition {
	st, ok := b.known[r.stream]
	if !ok {
		st = b.stream(r.stream)
		b.known[r.stream] = st
	}
	for i := range b.from.snap.Periods {
		for _, tr := range b.from.snap.Periods[i].Tracks {
			if tr.Stream == r.stream.Name && tr.Bitrate == r.level.Bitrate && tr.Attrs == r.attrs {
				tr.Stream = st.Name
				p := &b.show.snap.Periods[i]
				p.Tracks = append(p.Tracks, tr)
			}
		}
	}
	r.stream = st
	return r
}

// stream returns a copy of a stream with a name and times of its own.
func (b *merging) stream(of *smooth.Stream) *smooth.Stream {
	st := *of
	st.Timescale = b.from.snap.Manifest.TimescaleOf(of)
	st.Name = of.Name
	for n := 2; b.show.snap.Manifest.Stream(st.Name) != nil; n++ {
		st.Name = of.Name + "_" + strconv.Itoa(n)
	}
	js := joinedStream{input: b.input, name: of.Name, delay: smooth.Rescale(b.delay, smooth.DefaultTimescale, st.Timescale)}
	js.only = len(b.from.video) == 1
	if js.delay > 0 {
		st.Timeline = slices.Clone(st.Timeline)
		for i := range st.Timeline {
			st.Timeline[i].Time += js.delay
		}
	}
	b.streams[st.Name] = js
	b.show.snap.Manifest.Streams = append(b.show.snap.Manifest.Streams, &st)
	return &st
}

// place decides where the sound goes.
func (j *joined) place(sound SoundPlacement) error {
	w := j.show
	if w.layout == fragmented || len(w.video) == 0 || len(w.audio) == 0 || sound == SoundSeparate || sound == SoundAuto && len(w.audio) > 1 {
		return nil
	}
	w.layout = muxed
	for _, r := range w.audio[1:] {
		j.skipped = append(j.skipped, fmt.Sprintf("%s: stream %s: another sound is muxed in", j.streams[r.stream.Name].input.name, r.stream.Name))
	}
	w.audio = w.audio[:1]
	return nil
}

// Snapshot implements [smooth.Presentation].
func (j *joined) Snapshot(context.Context) (*smooth.Snapshot, error) { return j.show.snap, nil }

// Close implements [smooth.Presentation]. The inputs are the caller's.
func (j *joined) Close() error { return nil }

// there returns the presentation of a key and the key there.
func (j *joined) there(k smooth.FragmentKey) (joinedStream, smooth.FragmentKey) {
	js := j.streams[k.Stream]
	k.Stream = js.name
	k.Time -= js.delay
	return js, k
}

// Fragment implements [smooth.Presentation].
func (j *joined) Fragment(ctx context.Context, k smooth.FragmentKey) (*smooth.Fragment, error) {
	js, key := j.there(k)
	f, err := js.input.p.Fragment(ctx, key)
	if err != nil {
		return nil, fmt.Errorf("hls: input %s: %w", js.input.name, err)
	}
	if js.delay == 0 {
		return f, nil
	}
	return delayed(f, js.delay)
}

// delayed returns a fragment at a later time. The fragment itself may have other users.
func delayed(f *smooth.Fragment, delay uint64) (*smooth.Fragment, error) {
	head, err := f.Header(smooth.Smooth)
	if err != nil {
		f.Close()
		return nil, err
	}
	key := f.Key
	key.Time += delay
	return smooth.NewFragment(smooth.FragmentInit{
		Key: key, Timescale: f.Timescale, Duration: f.Duration, Codec: f.Codec,
		Head: head, Body: fragmentPayload{f}, Size: f.PayloadSize(), Release: func() { f.Close() },
	}), nil
}

// fragmentPayload is the sample data of a fragment.
type fragmentPayload struct{ f *smooth.Fragment }

// ReadAt implements [io.ReaderAt].
func (p fragmentPayload) ReadAt(b []byte, off int64) (int, error) { return p.f.ReadPayloadAt(b, off) }

// FragmentSize implements [smooth.Sizer]. Of an input that does not know it is what the bit rate promises.
func (j *joined) FragmentSize(k smooth.FragmentKey) (int64, error) {
	js, key := j.there(k)
	if sizer, ok := js.input.p.(smooth.Sizer); ok {
		return sizer.FragmentSize(key)
	}
	st := j.show.snap.Manifest.Stream(k.Stream)
	i, ok := st.Timeline.Find(k.Time)
	if !ok {
		return 0, fmt.Errorf("hls: no fragment at %d: %w", k.Time, smooth.ErrNotFound)
	}
	return int64(min(smooth.Rescale(st.Timeline[i].Duration, st.Timescale, k.Bitrate/8), 1<<40)), nil
}

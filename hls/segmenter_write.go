package hls

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/smoothkit/smoothkit/hls/mpegts"
	"github.com/smoothkit/smoothkit/smooth"
)

// writeAll makes all files: what segments need to be played, the segments, then playlists, the master playlist last.
func (s *segmentation) writeAll(ctx context.Context) error {
	err := s.writeInits(ctx)
	if err == nil {
		err = s.writeKeys(ctx)
	}
	if err == nil {
		err = s.saveState(ctx)
	}
	if err == nil {
		err = s.writeSegments(ctx)
		// also after an error: what is there need not be made again
		if saved := s.saveState(context.WithoutCancel(ctx)); err == nil {
			err = saved
		}
	}
	if err == nil {
		err = s.writePlaylists(ctx)
	}
	return err
}

// segmenterProgress adds up what several goroutines have done.
type segmenterProgress struct {
	Progress
	mu     sync.Mutex // guards Progress and calls of report
	report func(Progress)
}

func (p *segmenterProgress) add(j *segmentJob) {
	if p.report == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.Bytes += j.bytes
	p.Segments++
	p.report(p.Progress)
}

// writeSegments makes the segments that are not there, several at once.
func (s *segmentation) writeSegments(ctx context.Context) error {
	var todo []*segmentJob
	for i := range s.jobs {
		j := &s.jobs[i]
		made, ok := s.state.Files[j.name]
		if !ok {
			todo = append(todo, j)
			continue
		}
		*j.made() = made
		s.progress.add(j)
	}
	s.written = len(todo)
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var next atomic.Int64
	var wg sync.WaitGroup
	for range min(s.opts.parallel(), len(todo)) {
		wg.Go(func() {
			for ctx.Err() == nil {
				i := int(next.Add(1)) - 1
				if i >= len(todo) {
					return
				}
				if err := s.writeSegment(ctx, todo[i]); err != nil {
					cancel(err)
				}
			}
		})
	}
	wg.Wait()
	return context.Cause(ctx)
}

func (s *segmentation) writeSegment(ctx context.Context, j *segmentJob) error {
	made, err := s.make(ctx, j)
	if err != nil {
		return err
	}
	*j.made() = made
	s.progress.add(j)
	return s.done(ctx, j.name, made)
}

// writeFile writes a small file that is part of the result.
func (s *segmentation) writeFile(ctx context.Context, name string, data []byte) error {
	if _, err := s.put(ctx, name, data); err != nil {
		return err
	}
	s.files = append(s.files, name)
	s.bytes += int64(len(data))
	return nil
}

// writeInits writes the init segments of fragmented MP4, and of MPEG-2 TS the tables that key frames need, one for each
// period.
func (s *segmentation) writeInits(ctx context.Context) error {
	for _, t := range s.tracks {
		init := s.initOf(t)
		if init == nil {
			continue
		}
		first := true
		for i := range t.list {
			g := &t.list[i]
			if g.gap || !first && !g.discontinuity {
				continue
			}
			first = false
			data, err := init(t.r, g.start)
			if err != nil {
				return err
			}
			x := target{kind: initSegment, layout: s.show.layout, number: g.number}
			if err := s.writeSupport(ctx, string(t.links.appendFile(append([]byte(t.links.dir), '/'), &x)), data); err != nil {
				return err
			}
		}
	}
	return nil
}

// initOf returns what makes the init segments of a rendition, or nil.
func (s *segmentation) initOf(t *segmentedTrack) func(r *rendition, time uint64) ([]byte, error) {
	switch {
	case t.r.stream.Type == smooth.Text:
		return nil
	case s.show.layout == fragmented:
		return s.show.initSegment
	case t.r.stream.Type == smooth.Video && !s.out.encrypts():
		return s.show.tables
	}
	return nil
}

// tables returns PAT and PMT for the picture alone: those of a muxed segment announce sound, for which a player of key
// frames would wait.
func (w *show) tables(r *rendition, time uint64) ([]byte, error) {
	tr := w.snap.Track(r.key(time))
	if tr == nil || tr.Codec == nil {
		return nil, fmt.Errorf("hls: no configuration of %s at %d: %w", r.stream.Name, time, smooth.ErrNotFound)
	}
	m, err := mpegts.NewMuxer([]mpegts.Stream{elementary(tr.Codec)})
	if err != nil {
		return nil, err
	}
	return m.Start(nil, 0), nil
}

// writeSupport writes a small file that a later run clears away with the segments.
func (s *segmentation) writeSupport(ctx context.Context, name string, data []byte) error {
	if err := s.writeFile(ctx, name, data); err != nil {
		return err
	}
	return s.done(ctx, name, madeFile{Size: int64(len(data))})
}

// writeKeys writes the keys, if that is wanted.
func (s *segmentation) writeKeys(ctx context.Context) error {
	if !s.opts.WriteKeys {
		return nil
	}
	known := make(map[string]bool)
	for _, t := range s.tracks {
		for i := range t.list {
			period := s.out.protect.period(t.list[i].number)
			name := keyDir + "/" + t.links.keyFile(period)
			if known[name] || t.list[i].gap || t.r.stream.Type == smooth.Text {
				continue
			}
			known[name] = true
			key, err := s.out.protect.keys.Key(ctx, t.input, period)
			if err != nil {
				return fmt.Errorf("hls: key %d of %s: %w", period, t.input, err)
			}
			if err := s.writeSupport(ctx, name, key[:]); err != nil {
				return err
			}
		}
	}
	return nil
}

// writePlaylists writes the playlists of all renditions, and then that which leads to them.
func (s *segmentation) writePlaylists(ctx context.Context) error {
	m := masterWriter{show: s.show, o: s.out, ctx: ctx, p: s, files: true, known: make(map[*rendition]weight), iframes: make(map[*rendition]uint64)}
	m.link = linker{base: &smooth.Request{Presentation: s.inputs[0].name}, files: &fileLinks{}}
	for _, t := range s.tracks {
		link := linker{base: &smooth.Request{Presentation: t.input}, files: &t.links}
		if err := s.writeSupport(ctx, t.links.dir+"/"+mediaFile, s.out.mediaPlaylist(s.show, t.r, link, "")); err != nil {
			return err
		}
		m.link.files.dirs = t.links.dirs
		m.known[t.r] = s.weight(t)
		if list := s.keyFrames(t); list != nil {
			m.iframes[t.r] = iframePeak(list, t.plan.timescale)
			if err := s.writeSupport(ctx, t.links.dir+"/"+iframeFile, s.iframePlaylist(t, list, link)); err != nil {
				return err
			}
		}
	}
	s.weighAlone(&m)
	if err := s.saveState(ctx); err != nil {
		return err
	}
	data, err := m.playlist()
	if err != nil {
		return err
	}
	return s.writeFile(ctx, masterFile, data)
}

// weighAlone gives renditions that stand in two lists of the show the same weight.
func (s *segmentation) weighAlone(m *masterWriter) {
	for _, t := range s.tracks {
		for _, list := range [][]rendition{s.show.audio, s.show.alone} {
			i := slices.IndexFunc(list, func(r rendition) bool { return r.key(0) == t.r.key(0) })
			if i >= 0 {
				m.known[&list[i]] = m.known[t.r]
			}
		}
	}
}

// weight returns the bit rates of a rendition: those of its segments as they are.
func (s *segmentation) weight(t *segmentedTrack) weight {
	var v weight
	var bytes, ticks uint64
	for i := range t.list {
		g, made := &t.list[i], &t.made[i]
		if g.gap || g.end <= g.start {
			continue
		}
		v.peak = max(v.peak, rateOf(made.Size, g.start, g.end, t.plan.timescale))
		bytes += uint64(made.Size)
		ticks += g.end - g.start
		length := uint64(0)
		for _, c := range t.plan.line[g.first : g.first+g.count] {
			length += c.Duration
		}
		if length > 0 {
			v.frameRate = max(v.frameRate, smooth.Rescale(made.Units*1000, length, t.plan.timescale))
		}
	}
	if ticks > 0 {
		v.average = smooth.Rescale(bytes*8, ticks, t.plan.timescale)
	}
	return v
}

// rateOf returns the bit rate of so many bytes between two ticks, rounded up.
func rateOf(bytes int64, start, end, timescale uint64) uint64 {
	return smooth.Rescale(uint64(bytes)*8, end-start, timescale) + 1
}

// keyFrames returns where the key frames of a rendition are, one for each fragment; nil if some fragment has none, or if
// parts of segments cannot be read by themselves because they are encrypted.
func (s *segmentation) keyFrames(t *segmentedTrack) []framePlace {
	if t.r.stream.Type != smooth.Video || s.out.encrypts() {
		return nil
	}
	var list []framePlace
	for i := range t.list {
		g, frames := &t.list[i], t.made[i].Frames
		if g.gap {
			continue
		}
		if len(frames) != 2*g.count {
			return nil
		}
		for k := range g.count {
			f := framePlace{segment: t.plan.at(g.first+k, 1), byteRange: byteRange{g.number, frames[2*k], frames[2*k+1]}}
			f.number = uint64(len(list))
			f.discontinuity = k == 0 && g.discontinuity
			list = append(list, f)
		}
	}
	return list
}

// A framePlace is an entry in a list of key frames.
type framePlace struct {
	segment
	byteRange byteRange
}

// iframePeak returns the bit rate of the heaviest key frame.
func iframePeak(list []framePlace, timescale uint64) uint64 {
	peak := uint64(0)
	for i := range list {
		if f := &list[i]; f.end > f.start {
			peak = max(peak, rateOf(f.byteRange.size, f.start, f.end, timescale))
		}
	}
	return peak
}

// iframePlaylist returns the list of the key frames of a rendition. See RFC 8216 section 4.3.3.6.
func (s *segmentation) iframePlaylist(t *segmentedTrack, frames []framePlace, link linker) []byte {
	m := mediaWriter{show: s.show, o: s.out, r: t.r, plan: t.plan, link: link}
	var list []segment
	for i := range frames {
		list = append(list, frames[i].segment)
		m.ranges = append(m.ranges, frames[i].byteRange)
	}
	return m.keyFramePlaylist(list)
}

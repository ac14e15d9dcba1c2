package smooth

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/smoothkit/smoothkit/internal/cut"
	"github.com/smoothkit/smoothkit/internal/fmp4"
)

// progressivePlan is how a track of a progressive file is cut into fragments.
type progressivePlan struct {
	track cut.Track
	cuts  []cut.Cut
	shift uint64
}

// cutSize is the memory of a cut.Cut, in bytes.
const cutSize = 16

// planProgressive cuts the tracks of progressive files on one grid: video at sync samples that all bit rates have.
func (l *loader) planProgressive() error {
	var video, audio []*fileTrack
	l.p.tracks = slices.DeleteFunc(l.p.tracks, l.uncuttable)
	if len(l.p.tracks) == 0 {
		return &FileError{File: l.name, Path: "moov/trak", Offset: -1, Err: ErrUnsupported, Reason: "no track that can be shown", Remedy: knownCodecs}
	}
	for _, t := range l.p.tracks {
		switch {
		case !t.media.progressive():
		case t.kind == Video:
			video = append(video, t)
		default:
			audio = append(audio, t)
		}
	}
	if len(video)+len(audio) == 0 {
		return nil
	}
	opts := cut.Options{Target: Rescale(uint64(l.opts.FragmentDuration), uint64(time.Second), DefaultTimescale)}
	if err := checkCuts(append(slices.Clone(video), audio...), opts.Target); err != nil {
		return err
	}
	videoCuts, audioCuts, shift, err := cut.Plan(cutTracks(video), cutTracks(audio), opts)
	if err != nil {
		return l.planFault(err, video, audio)
	}
	l.adopt(video, videoCuts, shift)
	l.adopt(audio, audioCuts, shift)
	return nil
}

// uncuttable reports whether a track of a progressive file cannot be shown and so must not have a say in where the others
// are cut.
func (l *loader) uncuttable(t *fileTrack) bool {
	if !t.media.progressive() {
		return false
	}
	c, err := CodecFromSampleEntry(t.source.Entry)
	switch {
	case err != nil:
	case t.source.Samples.Len() == 0:
		err = ErrCorrupt
	case c.Encrypted:
		err = fmt.Errorf("smooth: the initialisation vectors of an encrypted progressive file are not carried over: %w", ErrUnsupported)
	}
	if err != nil {
		l.opts.Logger.Warn("track is left out", "presentation", l.name, "file", t.media.name, "track", t.source.ID, "err", err)
	}
	return err != nil
}

// checkCuts refuses tracks whose tables state so long a time that they would have too many fragments.
func checkCuts(list []*fileTrack, target uint64) error {
	for _, t := range list {
		table := &t.source.Samples
		cursor := table.At(table.Len() - 1)
		last, _ := cursor.Next()
		length := Rescale(last.DTS+uint64(last.Duration), uint64(t.source.Timescale), DefaultTimescale)
		if min(uint64(table.Len()), length/max(target, 1)) > MaxManifestChunks {
			return &FileError{File: t.media.name, Path: "moov/trak/mdia/minf/stbl/stts", Offset: -1, Err: ErrTooLarge,
				Reason: fmt.Sprintf("track %d lasts %d s and would have more than %d fragments", t.source.ID, length/DefaultTimescale, MaxManifestChunks),
				Remedy: "package it anew, with longer fragments"}
		}
	}
	return nil
}

func cutTracks(list []*fileTrack) []cut.Track {
	out := make([]cut.Track, len(list))
	for i, t := range list {
		out[i] = cut.Track{Table: &t.source.Samples, Timescale: t.source.Timescale, Shift: t.source.Shift}
	}
	return out
}

func (l *loader) adopt(list []*fileTrack, cuts [][]cut.Cut, shift uint64) {
	for i, t := range list {
		t.plan = &progressivePlan{
			track: cut.Track{Table: &t.source.Samples, Timescale: t.source.Timescale, Shift: t.source.Shift},
			cuts:  cuts[i], shift: shift,
		}
		l.p.indexBytes += int64(len(cuts[i])) * cutSize
	}
}

// planFault names the files in an error of cut.
func (l *loader) planFault(err error, video, audio []*fileTrack) error {
	var te *cut.TrackError
	var ae *cut.AlignError
	switch {
	case errors.As(err, &te):
		t := video
		if te.Audio {
			t = audio
		}
		return &FileError{File: t[te.Track].media.name, Path: "moov/trak/mdia/minf/stbl", Offset: -1, Err: ErrCorrupt,
			Reason: fmt.Sprintf("track %d: %v", t[te.Track].source.ID, te.Err), Remedy: remedyFor(ErrCorrupt)}
	case errors.As(err, &ae):
		return &FileError{File: video[ae.Tracks[0]].media.name, Path: "moov/trak/mdia/minf/stbl/stss", Offset: -1, Err: ErrUnsupported,
			Reason: fmt.Sprintf("cannot be cut together with %s: %s", video[ae.Tracks[1]].media.name, ae.Reason),
			Remedy: "encode all bit rates with the same key frames"}
	}
	return inFile(l.name, err)
}

// gathered is scratch memory for the samples of one fragment.
type gathered struct {
	samples []fmp4.RunSample
	spans   []fmp4.Span
}

var gatheredPool = sync.Pool{New: func() any { return new(gathered) }}

// synthesise makes fragment i of a progressive file.
func (l *fragmentLoader) synthesise(i int) (*Fragment, error) {
	plan := l.t.plan
	g := gatheredPool.Get().(*gathered)
	defer gatheredPool.Put(g)
	var err error
	g.samples, g.spans, err = plan.track.Gather(g.samples[:0], g.spans[:0], plan.cuts[i], plan.cuts[i+1], l.t.timescale, plan.shift)
	if err != nil {
		return nil, boxError(fmp4.ErrCorrupt, "moov/trak/mdia/minf/stbl", 0, "track %d, fragment %d: %v", l.t.source.ID, i, err)
	}
	spans := g.spans
	if len(spans) > 1 && l.t.bytes(i, i+1) > gatheredFragment {
		spans = append([]fmp4.Span(nil), spans...) // they outlive the scratch memory
	}
	return l.assemble(g.samples, spans, nil, uint32(i)+1)
}

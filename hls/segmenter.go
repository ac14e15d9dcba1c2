package hls

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"

	"github.com/smoothkit/smoothkit/smooth"
)

// SegmentFormat is the container of the segments that a [Segmenter] makes.
type SegmentFormat uint8

// The formats.
const (
	// TS is MPEG-2 TS.
	TS SegmentFormat = iota
	// FMP4 is fragmented MP4 (CMAF).
	FMP4
)

// SoundPlacement says where a [Segmenter] puts the sound.
type SoundPlacement uint8

// The placements.
const (
	// SoundAuto muxes the sound into the segments of the picture if they are MPEG-2 TS and there is exactly one sound in
	// all, and makes renditions of their own otherwise.
	SoundAuto SoundPlacement = iota
	// SoundMuxed muxes the first sound in and leaves out the others. Segments of fragmented MP4 have no such form.
	SoundMuxed
	// SoundSeparate makes a rendition of each sound.
	SoundSeparate
)

// SegmenterOptions tunes a [Segmenter]. A nil pointer and the zero value mean the documented defaults.
type SegmenterOptions struct {
	// Options as for an [Output]. Those of caches, URLs and answers do not count. Where MaxBitrate drops a variant it is
	// not made at all. With muxed sound the variant without picture is a rendition of its own, which OmitAudioOnly saves.
	Options
	// Format of the segments; MPEG-2 TS unless set.
	Format SegmentFormat
	// Sound is muxed in or apart.
	Sound SoundPlacement
	// WriteKeys writes the keys beside the segments, where players find them, if Encryption has no URI. It takes some
	// other guard to make that safe, so that it has to be asked for: without it, an Encryption must have a URI.
	WriteKeys bool
	// Parallel is the number of segments that are made at once, each with about a fragment and 1 MiB in memory. Zero
	// means one per processor, and eight at most.
	Parallel int
	// StartOver makes everything anew, whatever an earlier run has left.
	StartOver bool
	// Progress, if set, is told how far a run has come. Calls come from several goroutines, but one at a time, and the
	// numbers never go back.
	Progress func(Progress)
}

// Progress is how far a run of a [Segmenter] has come.
type Progress struct {
	// Bytes of sample data of the inputs, as far as their index tells, that are in segments, of TotalBytes in all.
	Bytes, TotalBytes int64
	// Segments that are done, of TotalSegments in all, with those that an earlier run has left.
	Segments, TotalSegments int
}

// maxParallel bounds the segments that are made at once unless the user asks for more.
const maxParallel = 8

func (o *SegmenterOptions) parallel() int {
	if o.Parallel > 0 {
		return o.Parallel
	}
	return min(runtime.GOMAXPROCS(0), maxParallel)
}

// check returns what is wrong with the options.
func (o *SegmenterOptions) check() error {
	switch {
	case o.Format > FMP4:
		return fmt.Errorf("hls: unknown segment format %d", o.Format)
	case o.Sound > SoundSeparate:
		return fmt.Errorf("hls: unknown placement of sound %d", o.Sound)
	case o.Format == FMP4 && o.Sound == SoundMuxed:
		return fmt.Errorf("hls: sound muxed into fragmented MP4: %w", smooth.ErrUnsupported)
	case o.Encryption == nil && o.WriteKeys:
		return errors.New("hls: keys are to be written, but nothing is encrypted")
	case o.Encryption == nil:
		return nil
	case o.Encryption.Method == SampleAES && o.Format == FMP4:
		return fmt.Errorf("hls: %s of fragmented MP4: %w", o.Encryption.Method, smooth.ErrUnsupported)
	case o.Encryption.URI == "" && !o.WriteKeys:
		return errors.New("hls: encrypted files need the URI of the key, or WriteKeys")
	case o.Encryption.URI != "" && o.WriteKeys:
		return errors.New("hls: WriteKeys, but playlists name a key elsewhere")
	}
	return o.Encryption.Validate()
}

// A Segmenter makes HLS of presentations and files: media playlists with their segments, and one master playlist for all
// inputs, which it writes to a [Sink]:
//
//	master.m3u8
//	INPUT/index.m3u8, iframes.m3u8, 00000.ts, ...        video; INPUT-3000k if an input has several bit rates
//	audio/LANGUAGE/index.m3u8, 00000.ts, ...             sound that is not muxed in
//	text/LANGUAGE/index.m3u8, 00000.vtt, ...             subtitles
//	INPUT/init.mp4, 00000.m4s                            in place of .ts, with fragmented MP4
//	INPUT/tables.ts                                      for the key frames of .ts
//	keys/INPUT-0.key                                     with WriteKeys
//	.segmenter.json                                      what a further run needs to know
//
// Every file is whole under its name or not there; the master playlist, which leads to all others, is written last. With
// a sink that is a [Resumer], a run that was interrupted is resumed by running the same again: segments that are there
// already, as far as .segmenter.json knows of them and with the size noted there, are not made anew. If the content of the
// inputs (the Validator of their snapshots), their names or an option that counts have changed, or if it is not known
// whether they have, the run starts over: it first removes the master playlist and then the other files of the earlier
// run.
//
// The bit rates in the master playlist are those of the segments that were written: BANDWIDTH is the heaviest segment of
// each rendition, AVERAGE-BANDWIDTH the mean of all.
//
// The same inputs and options give the same bytes. A Segmenter is for one goroutine.
type Segmenter struct {
	sink   Sink
	opts   SegmenterOptions
	out    *Output
	inputs []segmenterInput
}

type segmenterInput struct {
	name string
	p    smooth.Presentation
}

// NewSegmenter returns a segmenter that writes to sink. It copies opts. The error says which option cannot work.
func NewSegmenter(sink Sink, opts *SegmenterOptions) (*Segmenter, error) {
	g := &Segmenter{sink: sink}
	if opts != nil {
		g.opts = *opts
	}
	if err := g.opts.check(); err != nil {
		return nil, err
	}
	g.out = NewOutput(&g.opts.Options)
	g.opts.Options = g.out.opts
	return g, nil
}

// Add adds an input, which stays the caller's and has to be open until Run has returned. Inputs are renditions of one
// film: all video levels become variants, sound and text come from the first input that has the language (and, of sound,
// the codec). Their times have to agree, but for a constant offset that some encoders give files with sound: inputs whose
// video fragments all differ by the same time of less than half a second are brought together.
//
// name is that of a directory, with anything that does not fit a URL replaced, and the presentation of [Encryption].
func (g *Segmenter) Add(name string, p smooth.Presentation) {
	g.inputs = append(g.inputs, segmenterInput{name, p})
}

// SegmenterResult tells what a run of a [Segmenter] has made.
type SegmenterResult struct {
	// Files are the names of all files, the master playlist last, without .segmenter.json.
	Files []string
	// Bytes is the size of all these files.
	Bytes int64
	// Written and Kept count the segments that were made and those that an earlier run had left.
	Written, Kept int
	// Skipped says which tracks of the inputs were left out, and why.
	Skipped []string
}

// Run makes the files. After an error, or when ctx is cancelled, there is no master playlist unless an earlier run has
// left one of the same content, and no file is there in part; what is whole stays for the next run.
//
// The error wraps [smooth.ErrUnsupported] if an input is live, if nothing of it can be shown (a
// [*smooth.UnsupportedError]), or if several inputs do not go together; [smooth.ErrCorrupt] or [smooth.ErrTooLarge] if
// sample data is broken; or it is that of the sink.
func (g *Segmenter) Run(ctx context.Context) (*SegmenterResult, error) {
	if len(g.inputs) == 0 {
		return nil, errors.New("hls: no inputs to segment")
	}
	j, err := g.join(ctx)
	if err != nil {
		return nil, err
	}
	s := &segmentation{Segmenter: g, joined: j}
	if err := s.plan(ctx); err != nil {
		return nil, err
	}
	if err := s.resume(ctx); err != nil {
		return nil, err
	}
	if err := s.writeAll(ctx); err != nil {
		return nil, err
	}
	return s.result(), nil
}

// segmentation is one run.
type segmentation struct {
	*Segmenter
	*joined
	tracks   []*segmentedTrack
	jobs     []segmentJob
	state    *resumeState
	progress *segmenterProgress
	written  int
	// files are the names and sizes of all but the segments, in the order of writing.
	files []string
	bytes int64
}

// result collects what there is after a run.
func (s *segmentation) result() *SegmenterResult {
	res := &SegmenterResult{Written: s.written, Kept: len(s.jobs) - s.written, Bytes: s.bytes, Skipped: s.skipped}
	for i := range s.jobs {
		res.Files = append(res.Files, s.jobs[i].name)
		res.Bytes += s.jobs[i].made().Size
	}
	slices.Sort(res.Files)
	res.Files = append(res.Files, s.files...)
	return res
}

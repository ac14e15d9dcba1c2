package packager

import (
	"context"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/smoothkit/smoothkit/internal/cut"
	"github.com/smoothkit/smoothkit/smooth"
)

// Input is one file to package.
type Input struct {
	// Path is the file to open. If Reader is set it only names the input in messages. The extension decides what it
	// is: .ttml, .dfxp, .xml and .vtt are text, all others MP4.
	Path string
	// Reader and Size give the content instead of a file.
	Reader io.ReaderAt
	Size   int64
	// Language is the ISO 639 code of text and audio, instead of what the file says. A code before the extension of a
	// text file, as in film.en.vtt, is taken if it is empty.
	Language string
}

// Options tune a [Job]. The zero value is ready to use.
type Options struct {
	// FragmentDuration is the wanted duration of fragments; zero means two seconds. Fragments of video start at sync
	// samples, so the encoder decides how near it is met.
	FragmentDuration time.Duration
	// AllAudio keeps every audio track of every input. Otherwise only the first input's, or the highest bit rate, of
	// audio tracks that have language and codec in common is kept, because renditions of one film usually repeat it.
	AllAudio bool
	// Progress, if set, is told how many bytes of media have been written, and how many there will be. Calls come from
	// several goroutines, but one at a time.
	Progress func(done, total int64)
}

// Job is what [Package] does.
type Job struct {
	// Inputs in any order: renditions of one film, further audio languages, texts.
	Inputs []Input
	// Dir is the directory of the output, which exists. Name is the base name of the presentation's files.
	Dir, Name string
	Options   Options
}

// Result tells what [Package] has made.
type Result struct {
	// Files are the names of the files in Dir, media first, then NAME.ismc and NAME.ism.
	Files []string
	// Manifest and Server are the contents of the two manifests.
	Manifest *smooth.Manifest
	Server   *smooth.ServerManifest
	// Skipped says which tracks of the inputs were left out, and why.
	Skipped []string
}

// Package makes a presentation of some inputs. Every file is written under a temporary name and gets its final name
// when all are complete, the server manifest last; after an error or when ctx is cancelled nothing is left behind.
// Files of the same names are replaced.
//
// The error is a [*smooth.FileError] where an input is at fault. It wraps [smooth.ErrUnsupported] for encrypted
// tracks, codecs that Smooth Streaming cannot carry and renditions whose sync samples do not fit together, and
// [smooth.ErrCorrupt] or [smooth.ErrTooLarge] for broken files. It is safe for concurrent use, as long as no two jobs
// write the same presentation.
func Package(ctx context.Context, job Job) (*Result, error) {
	if err := job.check(); err != nil {
		return nil, err
	}
	p := &packaging{job: job}
	defer p.closeInputs()
	for i := range job.Inputs {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if err := p.open(&job.Inputs[i]); err != nil {
			return nil, err
		}
	}
	if err := p.plan(); err != nil {
		return nil, err
	}
	out := newOutputs(job.Dir)
	defer out.discard()
	if err := p.write(ctx, out); err != nil {
		return nil, err
	}
	return p.finish(out)
}

// isName reports whether files of that name can be stored on every system and their presentation be requested: it is
// no device of Windows, has no control characters, and nothing in it looks like an escaped separator.
func isName(name string) bool {
	if name == "" || name != filepath.Base(name) || strings.ContainsAny(name, `/\:*?"<>|`) || strings.HasPrefix(name, ".") {
		return false
	}
	q, err := smooth.ParseRequest(&url.URL{Path: "/" + name + ".ism/Manifest"})
	return err == nil && q.Presentation == name+".ism"
}

func (j *Job) check() error {
	if len(j.Inputs) == 0 {
		return fmt.Errorf("packager: no inputs")
	}
	if !isName(j.Name) {
		return fmt.Errorf("packager: %q is no name for files", j.Name)
	}
	if d := j.Options.FragmentDuration; d < 0 || d > time.Hour {
		return fmt.Errorf("packager: fragment duration %v", d)
	}
	st, err := os.Stat(j.Dir)
	if err != nil {
		return fmt.Errorf("packager: %w", err)
	}
	if !st.IsDir() {
		return fmt.Errorf("packager: %s is not a directory", j.Dir)
	}
	return nil
}

// packaging is the state of one job.
type packaging struct {
	job     Job
	inputs  []*input
	tracks  []*track // in the order of the manifest: video, audio, text
	skipped []string
	shift   uint64
	total   int64 // bytes of samples
}

func (p *packaging) cutOptions() cut.Options {
	return cut.Options{Target: smooth.Rescale(uint64(p.job.Options.FragmentDuration), uint64(time.Second), smooth.DefaultTimescale)}
}

// track is one track of the output.
type track struct {
	in       *input // nil for text
	source   cut.Track
	id       uint32 // in the input
	cuts     []cut.Cut
	codec    *smooth.Codec
	language string
	stream   string // name
	bitrate  uint64
	file     string // name of the output
	text     *document
}

// duration returns the time between the first and the last cut, in ticks of 10 MHz.
func (t *track) duration() uint64 { return t.cuts[len(t.cuts)-1].Time - t.cuts[0].Time }

// payload returns the number of bytes of all samples that are packaged.
func (t *track) payload() int64 {
	if t.in == nil {
		return t.text.size(t.cuts)
	}
	return int64(t.source.Table.BytesBefore(t.source.Table.Len()) - t.source.Table.BytesBefore(t.cuts[0].Sample))
}

func (p *packaging) finish(out *outputs) (*Result, error) {
	m, s := p.manifest(), p.serverManifest()
	client, err := m.AppendXML(nil, nil)
	if err != nil {
		return nil, fmt.Errorf("packager: %w", err)
	}
	server, err := s.AppendXML(nil)
	if err != nil {
		return nil, fmt.Errorf("packager: %w", err)
	}
	if err := out.writeFile(p.job.Name+".ismc", client); err != nil {
		return nil, err
	}
	if err := out.writeFile(p.job.Name+".ism", server); err != nil {
		return nil, err
	}
	names, err := out.publish()
	if err != nil {
		return nil, err
	}
	slices.Sort(names[:len(names)-2]) // written in parallel; the manifests stay last
	return &Result{Files: names, Manifest: m, Server: s, Skipped: p.skipped}, nil
}

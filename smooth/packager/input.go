package packager

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/smoothkit/smoothkit/internal/cut"
	"github.com/smoothkit/smoothkit/internal/fmp4"
	"github.com/smoothkit/smoothkit/smooth"
)

// input is an open MP4 file.
type input struct {
	name  string
	r     io.ReaderAt
	size  int64
	close func() error
}

func (p *packaging) closeInputs() {
	for _, in := range p.inputs {
		if in.close != nil {
			in.close()
		}
	}
}

// open opens an input and collects its tracks.
func (p *packaging) open(x *Input) error {
	in := &input{name: x.Path, r: x.Reader, size: x.Size}
	if in.r == nil {
		f, err := os.Open(x.Path)
		if err != nil {
			return fmt.Errorf("packager: %w", err)
		}
		in.r, in.close = f, f.Close
		st, err := f.Stat()
		if err == nil && !st.Mode().IsRegular() {
			err = fmt.Errorf("%s is not a regular file", x.Path)
		}
		if err != nil {
			f.Close()
			return fmt.Errorf("packager: %w", err)
		}
		in.size = st.Size()
	}
	p.inputs = append(p.inputs, in)
	switch strings.ToLower(filepath.Ext(x.Path)) {
	case ".ttml", ".dfxp", ".xml", ".vtt":
		return p.openText(in, x)
	}
	return p.openMovie(in, x)
}

func (p *packaging) openMovie(in *input, x *Input) error {
	m, err := in.movie()
	if err != nil {
		return in.error(err)
	}
	found := false
	for i := range m.Tracks {
		t := &m.Tracks[i]
		if t.Handler != fmp4.HandlerVideo && t.Handler != fmp4.HandlerAudio {
			p.skip(in, t.ID, "handler %q", t.Handler)
			continue
		}
		if t.Samples.Len() == 0 {
			p.skip(in, t.ID, "no samples")
			continue
		}
		if err := p.addTrack(in, t, x.Language); err != nil {
			return err
		}
		found = true
	}
	if !found {
		return in.fault(smooth.ErrUnsupported, "moov", "no audio or video track with samples", "")
	}
	return nil
}

func (p *packaging) skip(in *input, id uint32, format string, args ...any) {
	p.skipped = append(p.skipped, fmt.Sprintf("%s: track %d: %s", in.name, id, fmt.Sprintf(format, args...)))
}

func (p *packaging) addTrack(in *input, t *fmp4.Track, language string) error {
	where := fmt.Sprintf("moov/trak[track_ID=%d]/mdia/minf/stbl/stsd", t.ID)
	if t.Entries != 1 {
		return in.fault(smooth.ErrUnsupported, where, fmt.Sprintf("%d sample entries; a Smooth track has one codec configuration", t.Entries), "encode the file again in one piece")
	}
	c, err := smooth.CodecFromSampleEntry(t.Entry)
	switch {
	case err != nil:
		return in.fault(err, where, fmt.Sprintf("track %d: %v", t.ID, err), "")
	case c.Encrypted:
		return in.fault(smooth.ErrUnsupported, where, fmt.Sprintf("track %d is encrypted", t.ID), "package the clear file")
	case c.Type != smooth.Video && c.Type != smooth.Audio:
		p.skip(in, t.ID, "type %s", c.Type)
		return nil
	case c.NALULengthSize != 0 && c.NALULengthSize != 4:
		return in.fault(smooth.ErrUnsupported, where, fmt.Sprintf("track %d has NAL unit lengths of %d bytes, Smooth clients need 4", t.ID, c.NALULengthSize), "remux the file with ffmpeg -c copy")
	}
	if n := t.Samples.BytesBefore(t.Samples.Len()); n > uint64(in.size) {
		return in.fault(smooth.ErrCorrupt, fmt.Sprintf("moov/trak[track_ID=%d]/mdia/minf/stbl/stsz", t.ID),
			fmt.Sprintf("samples of %d bytes in a file of %d bytes", n, in.size), cutShort)
	}
	if language == "" || c.Type == smooth.Video {
		language = t.Language
	}
	p.tracks = append(p.tracks, &track{
		in: in, id: t.ID, codec: c, language: languageCode(language),
		source: cut.Track{Table: &t.Samples, Timescale: t.Timescale, Shift: t.Shift},
	})
	return nil
}

// cutShort is what to do about a file that ends before its samples do.
const cutShort = "the file is cut short: copy or record it again"

// movie reads the moov box, and the moof boxes of a fragmented file into sample tables.
func (in *input) movie() (*fmp4.Movie, error) {
	s := fmp4.NewScanner(in.r, 0, in.size)
	for {
		h, err := s.Next()
		if err == io.EOF {
			return nil, &fmp4.Error{Path: "moov", Offset: in.size, Reason: "no moov box", Err: fmp4.ErrCorrupt}
		}
		if err != nil {
			return nil, err
		}
		if h.Type != fmp4.TypeMoov {
			continue
		}
		raw, err := fmp4.ReadBox(in.r, h, fmp4.MaxMoov)
		if err != nil {
			return nil, err
		}
		m, err := fmp4.ParseMovie(raw, h.Offset)
		if err != nil || !m.Fragmented {
			return m, err
		}
		return m, in.readFragments(m, h.End())
	}
}

// error gives an error of internal/fmp4 the terms of this module.
func (in *input) error(err error) error {
	var e *fmp4.Error
	if !errors.As(err, &e) {
		return fmt.Errorf("packager: %s: %w", in.name, err)
	}
	f := &smooth.FileError{File: in.name, Path: e.Path, Offset: e.Offset, Reason: e.Reason, Err: e.Err}
	switch {
	case errors.Is(e.Err, fmp4.ErrCorrupt):
		f.Err, f.Remedy = smooth.ErrCorrupt, "check that the file is complete, or remux it"
	case errors.Is(e.Err, fmp4.ErrTooLarge):
		f.Err = smooth.ErrTooLarge
	case errors.Is(e.Err, fmp4.ErrUnsupported):
		f.Err = smooth.ErrUnsupported
	}
	return f
}

func (in *input) fault(kind error, path, reason, remedy string) error {
	return &smooth.FileError{File: in.name, Path: path, Offset: -1, Reason: reason, Remedy: remedy, Err: kind}
}

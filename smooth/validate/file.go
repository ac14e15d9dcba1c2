package validate

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"github.com/smoothkit/smoothkit/smooth"
)

// kind is what a document is.
type kind uint8

const (
	kindUnknown  kind = iota
	kindManifest      // client or composite
	kindServerManifest
	kindFragment
	kindMedia
)

// kindOf tells the kind of a document from its first bytes.
func kindOf(name string, head []byte) kind {
	text := bytes.TrimLeft(bytes.TrimPrefix(head, []byte("\xEF\xBB\xBF")), " \t\r\n")
	isXML := bytes.HasPrefix(text, []byte("<")) || bytes.HasPrefix(head, []byte("\xFF\xFE")) ||
		bytes.HasPrefix(head, []byte("\xFE\xFF"))
	switch {
	case isXML && (strings.EqualFold(filepath.Ext(name), ".ism") || bytes.Contains(head, []byte("<smil"))):
		return kindServerManifest
	case isXML:
		return kindManifest
	case len(head) < 8:
		return kindUnknown
	}
	switch string(head[4:8]) {
	case "moof":
		return kindFragment
	case "ftyp", "moov", "free", "uuid":
		return kindMedia
	}
	return kindUnknown
}

// File checks one file by its content: a client or composite manifest, a server manifest with everything it names
// (see [FS]) and as [smooth.Handler] serves it (see [Source]), a media file (.ismv, .isma, .ismt), or a single
// fragment. The error is one of reading, or says that the file is none of these.
func File(ctx context.Context, name string, opts *Options) (*Report, error) {
	o := opts.withDefaults()
	f, err := os.Open(name)
	if err != nil {
		return nil, fmt.Errorf("validate: %w", err)
	}
	defer f.Close()
	head := make([]byte, 512)
	n, err := io.ReadFull(f, head)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, fmt.Errorf("validate: %w", err)
	}
	rec := newRecorder(o.MaxPerRule)
	switch kindOf(name, head[:n]) {
	case kindServerManifest:
		return serverManifest(ctx, name, opts)
	case kindManifest:
		err = withContent(f, MaxManifestSize+1, func(data []byte) { checkManifest(rec, name, data) })
	case kindFragment:
		err = withContent(f, o.MaxFragmentSize, func(data []byte) { checkFragment(rec, data, Expect{Name: name}) })
	case kindMedia:
		err = media(rec, o, name, f)
	default:
		err = fmt.Errorf("validate: %s is neither a manifest nor a fragmented MP4 file", name)
	}
	if err != nil {
		return nil, err
	}
	return rec.Report(), ctx.Err()
}

// serverManifest checks a presentation as it is stored and as it is served.
func serverManifest(ctx context.Context, name string, opts *Options) (*Report, error) {
	dir, base := filepath.Split(name)
	if dir == "" {
		dir = "."
	}
	stored, err := FS(ctx, os.DirFS(dir), base, opts)
	if err != nil || stored.Errors() > 0 {
		return stored, err // the server would only show the consequences
	}
	src := smooth.Dir(dir, &smooth.FileOptions{Logger: slog.New(slog.DiscardHandler)})
	defer src.Close()
	served, err := Source(ctx, src, base, opts)
	if err != nil {
		return nil, err
	}
	return stored.merge(served), nil
}

func media(rec *Recorder, o Options, name string, f *os.File) error {
	info, err := f.Stat()
	if err != nil {
		return fmt.Errorf("validate: %w", err)
	}
	_, err = checkMedia(rec, o, name, f, info.Size())
	return err
}

// withContent calls check with a file from its start, up to limit bytes.
func withContent(f *os.File, limit int64, check func([]byte)) error {
	data, err := io.ReadAll(io.NewSectionReader(f, 0, limit))
	if err != nil {
		return fmt.Errorf("validate: %w", err)
	}
	check(data)
	return nil
}

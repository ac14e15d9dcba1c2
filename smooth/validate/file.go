package validate

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// kind is what a document is.
type kind uint8

const (
	kindUnknown kind = iota
	kindManifest
	kindFragment
)

// kindOf tells the kind of a document from its first bytes.
func kindOf(head []byte) kind {
	text := bytes.TrimLeft(bytes.TrimPrefix(head, []byte("\xEF\xBB\xBF")), " \t\r\n")
	switch {
	case bytes.HasPrefix(text, []byte("<")), bytes.HasPrefix(head, []byte("\xFF\xFE")), bytes.HasPrefix(head, []byte("\xFE\xFF")):
		return kindManifest
	case len(head) >= 8 && string(head[4:8]) == "moof":
		return kindFragment
	}
	return kindUnknown
}

// File checks one file by its content: a client or composite manifest, or a single fragment. The error is one of
// reading, or says that the file is none of these.
func File(ctx context.Context, name string, opts *Options) (*Report, error) {
	o := opts.withDefaults()
	f, err := os.Open(name)
	if err != nil {
		return nil, fmt.Errorf("validate: %w", err)
	}
	defer f.Close()
	head := make([]byte, 64)
	n, err := io.ReadFull(f, head)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, fmt.Errorf("validate: %w", err)
	}
	rec := newRecorder(o.MaxPerRule)
	switch kindOf(head[:n]) {
	case kindManifest:
		data, err := readWhole(f, MaxManifestSize+1)
		if err != nil {
			return nil, err
		}
		checkManifest(rec, name, data)
	case kindFragment:
		data, err := readWhole(f, o.MaxFragmentSize)
		if err != nil {
			return nil, err
		}
		checkFragment(rec, data, Expect{Name: name})
	default:
		return nil, fmt.Errorf("validate: %s (%s) is neither a manifest nor a fragment", name, strings.ToLower(filepath.Ext(name)))
	}
	return rec.finish(), ctx.Err()
}

// readWhole reads a file from its start, up to limit bytes.
func readWhole(f *os.File, limit int64) ([]byte, error) {
	data, err := io.ReadAll(io.NewSectionReader(f, 0, limit))
	if err != nil {
		return nil, fmt.Errorf("validate: %w", err)
	}
	return data, nil
}

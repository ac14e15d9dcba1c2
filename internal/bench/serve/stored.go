package main

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"

	"github.com/smoothkit/smoothkit/internal/fmp4"
)

// stored finds fragments in media files by the start of their moof boxes, so that the bare handler reads the bytes
// from where our handler reads them.
type stored map[[headSize]byte]storedAt

// headSize is enough of a moof box to tell it from others: the sequence number and the first sample sizes are in it.
const headSize = 128

type storedAt struct {
	file   string
	offset int64
}

func storedFragments(root string) (stored, error) {
	files, err := filepath.Glob(filepath.Join(root, "*.is[mv]*"))
	if err != nil {
		return nil, err
	}
	s := make(stored)
	for _, name := range files {
		if ext := filepath.Ext(name); ext == ".ismv" || ext == ".isma" {
			if err := s.add(name); err != nil {
				return nil, err
			}
		}
	}
	return s, nil
}

func (s stored) add(name string) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	sc := fmp4.NewScanner(f, 0, info.Size())
	for {
		h, err := sc.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		var head [headSize]byte
		if h.Type == fmp4.TypeMoof && h.Size >= headSize {
			if _, err := f.ReadAt(head[:], h.Offset); err != nil {
				return err
			}
			s[head] = storedAt{name, h.Offset}
		}
	}
}

// replace lets p refer to a media file that holds the same bytes as all does.
func (s stored) replace(p *piece, all *os.File) error {
	want := make([]byte, p.Size)
	if _, err := all.ReadAt(want, p.Offset); err != nil {
		return err
	}
	if len(want) < headSize {
		return nil
	}
	at, ok := s[[headSize]byte(want)]
	if !ok {
		return nil
	}
	f, err := os.Open(at.file)
	if err != nil {
		return err
	}
	defer f.Close()
	have := make([]byte, p.Size)
	if _, err := f.ReadAt(have, at.offset); err != nil || !bytes.Equal(want, have) {
		return nil // the handler changes the fragment on its way
	}
	p.File, p.Offset = at.file, at.offset
	return nil
}

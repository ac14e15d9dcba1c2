package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/smoothkit/smoothkit/hls"
	"github.com/smoothkit/smoothkit/smooth"
)

// inputs are what has been opened, to be closed in the opposite order.
type inputs struct{ opened []io.Closer }

func (in *inputs) close() {
	for i := len(in.opened) - 1; i >= 0; i-- {
		in.opened[i].Close()
	}
}

// add opens a file or directory and gives it to a segmenter.
func (in *inputs) add(ctx context.Context, g *hls.Segmenter, path string) error {
	path, name, err := locate(path)
	if err != nil {
		return err
	}
	src := smooth.Dir(filepath.Dir(path), nil)
	in.opened = append(in.opened, src)
	p, err := src.Open(ctx, filepath.Base(path))
	if errors.Is(err, smooth.ErrNotFound) && isFile(path) {
		return fmt.Errorf("%s: %w under this name: the extension must be one of -in (see -h), and a colon or an escape such as %%25 cannot be in it", path, err)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	in.opened = append(in.opened, p)
	g.Add(name, p)
	return nil
}

// isFile reports whether there is such a file.
func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}

// locate returns the path under which an input is opened, and its name. A directory is the presentation whose server
// manifest it holds, or else the one that its MP4 files form.
func locate(path string) (actual, name string, err error) {
	if path, err = filepath.Abs(path); err != nil {
		return "", "", err
	}
	info, err := os.Stat(path)
	if err != nil {
		return "", "", err
	}
	if info.IsDir() {
		found, err := filepath.Glob(filepath.Join(filepath.Clean(path), "*.ism"))
		switch {
		case err != nil:
			return "", "", err
		case len(found) > 1:
			return "", "", fmt.Errorf("%s holds %d presentations: name one of them, such as %s", path, len(found), found[0])
		case len(found) == 1:
			path = found[0]
		default:
			path += ".ism"
		}
	}
	base := filepath.Base(path)
	return path, strings.TrimSuffix(base, filepath.Ext(base)), nil
}

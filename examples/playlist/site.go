package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"os"
	"path"
	"strings"
	"time"

	"github.com/smoothkit/smoothkit/hls"
	"github.com/smoothkit/smoothkit/playlist"
	"github.com/smoothkit/smoothkit/smooth"
	"github.com/smoothkit/smoothkit/smooth/smoothtest"
	"github.com/smoothkit/smoothkit/throttle"
	"github.com/smoothkit/smoothkit/throttle/bitrate"
)

// site is the handler of a folder.
type site struct {
	*playlist.Handler
	source *smooth.FileSource
	hls    *hls.Output
	lists  []string // some of them
}

// newSite puts together what plays the lists of a folder, or of the sample if dir is empty: entries are files, which are
// paced so that what was sent says what may have been watched, or presentations, and all of them are one presentation.
func newSite(dir string, store playlist.Store, log *slog.Logger) (*site, error) {
	s := &site{}
	known := &catalogue{
		Programmes: map[string][]string{"sample": {"sample.ism", "sample.ism"}}, Ads: map[string][]string{"": {"sample.ism"}},
	}
	files := smoothtest.Sample()
	if dir == "" {
		s.source = smooth.FS(files, &smooth.FileOptions{Logger: log})
	} else {
		files = os.DirFS(dir)
		var err error
		if known, err = readCatalogue(files); err != nil {
			return nil, err
		}
		if s.lists, err = listFiles(files); err != nil {
			return nil, err
		}
		s.source = smooth.Dir(dir, &smooth.FileOptions{Logger: log})
	}
	s.lists = append(s.lists, known.lists()...)
	known.files = playlist.NewFiles(files, log)
	s.hls = hls.NewOutput(&hls.Options{Logger: log})
	s.Handler = playlist.NewHandler(known, &playlist.HandlerOptions{
		Logger: log, Files: files, Presentations: s.source, Outputs: []smooth.Output{s.hls}, Store: store, Duration: duration,
		Media: func(files http.Handler) http.Handler {
			return throttle.New(files, nil, &throttle.HandlerOptions{Logger: log})
		},
		Report: func(d playlist.Delivery) {
			if d.Role == "advertisement" && d.Bytes > 0 { // what its owner pays for
				log.Info("advertisement", "session", d.Session.String()[:8], "entry", d.Entry, "percent", d.Percent, "completed", d.Completed)
			}
		},
	})
	return s, nil
}

// duration finds how long a file plays, which is how long it cannot be skipped.
func duration(_ context.Context, name string, r io.ReaderAt, size int64) (time.Duration, error) {
	d := bitrate.Detector{Name: path.Base(name)}
	info, err := d.Detect(r, size)
	return info.Duration, err
}

// listFiles returns the first playlists of a folder.
func listFiles(files fs.FS) (names []string, err error) {
	err = fs.WalkDir(files, ".", func(name string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() && strings.EqualFold(path.Ext(name), ".isx") {
			names = append(names, name)
		}
		if len(names) == 20 {
			return fs.SkipAll
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("cannot be listed: %w", err)
	}
	return names, nil
}

// Close releases the files.
func (s *site) Close() error { return errors.Join(s.hls.Close(), s.source.Close()) }

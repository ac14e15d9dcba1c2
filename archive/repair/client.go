package repair

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"

	"github.com/smoothkit/smoothkit/archive/internal/asset"
	"github.com/smoothkit/smoothkit/smooth"
)

// clientManifest compares the client manifest with what will be served. It returns what it should be if it is not right, nil if it
// is, or if that cannot be known before media files are repaired.
func (w *work) clientManifest(ctx context.Context, s *shown) ([]byte, error) {
	old, m, err := w.listed(ctx, s)
	if err != nil || w.faulty {
		return nil, err
	}
	view := newOverlay(w.files, w.p.name, s.data)
	good := m != nil && accepted(ctx, view, w.p.name, old)
	data, err := asset.ClientManifest(ctx, view, w.p.name)
	if err != nil {
		if !good {
			w.a.note(LevelLeftOut, w.p.name, -1, "%v", err)
		}
		return nil, ctx.Err()
	}
	want, err := smooth.ParseManifest(data)
	if err != nil {
		return nil, err
	}
	why := ""
	if m != nil && !good {
		why = "it lists what the files do not have"
	} else if m != nil {
		why = outdated(m, want)
	}
	switch {
	case m == nil:
	case why != "":
		w.a.fault(IsmcStale, s.client, -1, "%s", why)
	case !s.changed, s.invented, bytes.Equal(old, data):
		w.leftOut(s, m)
		return nil, nil
	}
	w.leftOut(s, want)
	return data, nil
}

// listed returns the client manifest that is there, nil if there is none that can be read, which is noted.
func (w *work) listed(ctx context.Context, s *shown) ([]byte, *smooth.Manifest, error) {
	old, err := readSmall(ctx, w.files, s.client, smooth.MaxClientManifest)
	switch {
	case notThere(err):
		w.a.fault(IsmcMissing, s.client, -1, "no client manifest")
		return nil, nil, nil
	case errors.Is(err, smooth.ErrTooLarge):
		w.a.fault(IsmcStale, s.client, -1, "%v", err)
		return nil, nil, nil
	case err != nil:
		return nil, nil, err
	case len(old) == 0:
		w.a.fault(IsmcEmpty, s.client, 0, "no bytes")
		return nil, nil, nil
	}
	m, err := smooth.ParseManifest(old)
	if err != nil {
		w.a.fault(IsmcStale, s.client, -1, "%v", err)
		return nil, nil, nil
	}
	return old, m, nil
}

// accepted reports whether a source serves the presentation from its client manifest.
func accepted(ctx context.Context, files smooth.Files, ism string, client []byte) bool {
	src := smooth.NewFileSource(files, &smooth.FileOptions{Logger: slog.New(slog.DiscardHandler)})
	defer src.Close()
	p, err := src.Open(ctx, ism)
	if err != nil {
		return false
	}
	defer p.Close()
	stored, ok := p.(interface {
		ManifestBytes(context.Context) ([]byte, error)
	})
	if !ok {
		return false
	}
	got, err := stored.ManifestBytes(ctx)
	return err == nil && bytes.Equal(got, client)
}

// outdated returns what is wrong with a client manifest that a source accepts, or "": it does not list all that the files have, or
// it lists at the end what not all levels have. A hole in one level elsewhere is none of the other levels' business.
func outdated(m, want *smooth.Manifest) string {
	if m.IsLive {
		return "it is that of a live presentation"
	}
	for _, st := range want.Streams {
		for _, o := range m.Streams {
			if o.Type != st.Type || !strings.EqualFold(o.Name, st.Name) || o.URL == "" {
				continue
			}
			if len(o.Timeline) < len(st.Timeline) {
				return "it lists fewer fragments of stream " + st.Name + " than there are"
			}
			if n := len(st.Timeline); n > 0 && n < len(o.Timeline) && len(o.Levels) <= len(st.Levels) && o.Timeline[n-1].Time == st.Timeline[n-1].Time {
				return "it ends later in stream " + st.Name + " than some of the levels"
			}
		}
	}
	return ""
}

// leftOut notes tracks that the client manifest does not list.
func (w *work) leftOut(s *shown, m *smooth.Manifest) {
	for i := range s.manifest.Tracks {
		st := &s.manifest.Tracks[i]
		listed := false
		for _, stream := range m.Streams {
			for _, l := range stream.Levels {
				listed = listed || stream.Type == st.Type && (l.Bitrate == st.Bitrate || !st.HasBitrate)
			}
		}
		if !listed {
			w.a.note(LevelLeftOut, w.p.name, -1, "%s %s at %d bits/s is not listed: its fragments are not those of the other levels, or it has no known codec",
				st.Element(), st.Name(), st.Bitrate)
		}
	}
}

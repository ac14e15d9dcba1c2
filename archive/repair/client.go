package repair

import (
	"bytes"
	"context"
	"log/slog"
	"strings"

	"github.com/smoothkit/smoothkit/archive/internal/asset"
	"github.com/smoothkit/smoothkit/smooth"
)

// clientManifest compares the client manifest with what will be served. It returns what it should be if it is not right, nil if it
// is, or if that cannot be known before media files are repaired.
func (w *work) clientManifest(ctx context.Context, s *shown) ([]byte, error) {
	old, err := readSmall(ctx, w.files, s.client, smooth.MaxClientManifest)
	switch {
	case notThere(err):
		w.a.fault(IsmcMissing, s.client, -1, "no client manifest")
	case err != nil && !strings.Contains(err.Error(), "limit"):
		return nil, err
	case err != nil:
		w.a.fault(IsmcStale, s.client, -1, "%v", err)
	case len(old) == 0:
		w.a.fault(IsmcEmpty, s.client, 0, "no bytes")
	}
	_, broken := smooth.ParseManifest(old)
	if len(old) > 0 && broken != nil {
		w.a.fault(IsmcStale, s.client, -1, "%v", broken)
	}
	if w.faulty {
		return nil, nil
	}
	view := newOverlay(w.files, w.p.name, s.data)
	want, err := asset.ClientManifest(ctx, view, w.p.name)
	if err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if len(old) == 0 || broken != nil || !accepted(ctx, view, w.p.name, old) {
			w.a.note(LevelLeftOut, w.p.name, -1, "%v", err)
		}
		return nil, nil
	}
	m, err := smooth.ParseManifest(want)
	if err != nil {
		return nil, err
	}
	w.leftOut(s, m)
	if bytes.Equal(old, want) {
		return nil, nil
	}
	if len(old) == 0 || broken != nil {
		return want, nil
	}
	switch why := outdated(old, m); {
	case !accepted(ctx, view, w.p.name, old):
		w.a.fault(IsmcStale, s.client, -1, "it lists what the files do not have")
	case why != "":
		w.a.fault(IsmcStale, s.client, -1, "%s", why)
	case !s.changed, s.invented:
		return nil, nil
	}
	return want, nil
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

// outdated returns what a client manifest does not list of what the files have, or "".
func outdated(old []byte, want *smooth.Manifest) string {
	m, err := smooth.ParseManifest(old)
	if err != nil {
		return err.Error()
	}
	if m.IsLive {
		return "it is that of a live presentation"
	}
	for _, st := range want.Streams {
		for _, o := range m.Streams {
			if o.Type == st.Type && strings.EqualFold(o.Name, st.Name) && len(o.Timeline) < len(st.Timeline) && o.URL != "" {
				return "it lists fewer fragments of stream " + st.Name + " than there are"
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

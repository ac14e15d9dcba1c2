package edit

import (
	"context"
	"slices"

	"github.com/smoothkit/smoothkit/archive/internal/asset"
	"github.com/smoothkit/smoothkit/smooth"
)

// manifests writes the client manifest and then, when all else is on the disk, the server manifest.
func (w *writing) manifests(ctx context.Context) error {
	ism, ismc := w.path(w.name+".ism"), w.path(w.name+".ismc")
	var tracks []asset.Track
	for _, s := range w.streams {
		for _, t := range s.tracks {
			if t.media == nil {
				continue
			}
			tracks = append(tracks, asset.Track{File: t.file, Input: smooth.InputTrack{
				ID: t.media.id, Key: t.key, Stream: s.from, Level: t.level, Codec: t.codec}})
		}
	}
	server, err := asset.ServerManifest(w.name+".ismc", tracks)
	if err != nil {
		return err
	}
	client, err := w.clientManifest(ctx, ism, server)
	if err != nil {
		return err
	}
	w.begun = true
	if err := w.store.Replace(ctx, ismc, client); err != nil {
		return err
	}
	if err := w.store.Replace(ctx, ism, server); err != nil {
		return err
	}
	w.result.Name = ism
	w.result.Files = append(w.result.Files, ismc, ism)
	return nil
}

// clientManifest returns that of the source with what has been written of it, so that nothing is lost which only manifests tell. Where
// that cannot be, as for levels that lack something, it is made of the files.
func (w *writing) clientManifest(ctx context.Context, ism string, server []byte) ([]byte, error) {
	if m := w.ownManifest(); m != nil {
		data, err := m.AppendXML(nil, nil)
		if err == nil && asset.Served(ctx, w.store, ism, server, data) {
			return data, nil
		}
	}
	return asset.ClientManifestFor(ctx, w.store, ism, server)
}

// ownManifest returns the manifest of the source with the timelines that have been written, nil if there is more to it.
func (w *writing) ownManifest() *smooth.Manifest {
	m := *w.first().Manifest
	m.IsLive, m.LookaheadCount, m.DVRWindowLength, m.CanSeek, m.CanPause = false, 0, 0, false, false
	m.Streams, m.Protection = nil, w.protection()
	for _, s := range w.streams {
		st := *s.from
		st.Timescale, st.Levels, st.Timeline = s.timescale, nil, nil
		st.URL = "QualityLevels({bitrate})/Fragments(" + st.Name + "={start time})"
		for _, t := range s.tracks {
			if t.media == nil {
				continue
			}
			if st.Timeline != nil && !slices.EqualFunc(st.Timeline, t.line, func(a, b smooth.Chunk) bool { return a.Time == b.Time }) {
				return nil
			}
			lv := *t.level
			lv.Index, st.Timeline = uint32(len(st.Levels)), t.line
			st.Levels = append(st.Levels, &lv)
			if len(lv.CustomAttributes) > 0 {
				st.URL = "QualityLevels({bitrate},{CustomAttributes})/Fragments(" + st.Name + "={start time})"
			}
		}
		if st.ManifestOutput { // whose data have to be in the manifest
			return nil
		}
		st.Embedded = nil
		if len(st.Levels) > 0 {
			m.Streams = append(m.Streams, &st)
		}
	}
	for _, st := range w.first().Manifest.Streams {
		if st.URL == "" && len(st.Content) > 0 && !w.opts.Rebase { // captions inside the manifest
			m.Streams = append(m.Streams, st)
		}
	}
	m.Duration = duration(&m)
	return &m
}

// duration returns how long the presentation is, in ticks of its manifest: from its first fragment on, as its times may be a date. See
// [MS-SSTR] 3.1.5.1.
func duration(m *smooth.Manifest) uint64 {
	to := m.Timescale
	if to == 0 {
		to = scale
	}
	start, end, found := uint64(0), uint64(0), false
	for _, st := range m.Streams {
		if len(st.Timeline) == 0 || st.Parent != "" {
			continue
		}
		if first := smooth.Rescale(st.Timeline.Start(), m.TimescaleOf(st), to); !found || first < start {
			start, found = first, true
		}
		end = max(end, smooth.Rescale(st.Timeline.End(), m.TimescaleOf(st), to))
	}
	return end - start
}

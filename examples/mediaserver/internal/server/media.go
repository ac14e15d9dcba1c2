package server

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/smoothkit/smoothkit/smooth"
	"github.com/smoothkit/smoothkit/smooth/usage"
)

// mediaWithin is how long the end of a session may wait for what is known of its stream. What has just been watched is open.
const mediaWithin = 100 * time.Millisecond

// media returns what is known of a presentation, for the lines of its sessions. It is nothing for what is no presentation.
func (s *Server) media(stream string) (m usage.Media) {
	g := s.enter()
	if g == nil || !ofPresentation(stream+"/") {
		if g != nil {
			g.leave()
		}
		return m
	}
	defer g.leave()
	ctx, cancel := context.WithTimeout(context.Background(), mediaWithin)
	defer cancel()
	for _, st := range g.sites {
		p, err := g.open(ctx, st.label(strings.TrimPrefix(stream, "/")))
		if err != nil {
			continue
		}
		snap, err := p.Snapshot(ctx)
		p.Close()
		if err == nil {
			return mediaOf(snap)
		}
	}
	return m
}

// mediaOf tells length, which live presentations have none of, and codecs.
func mediaOf(snap *smooth.Snapshot) (m usage.Media) {
	if snap.Ended {
		m.Duration = time.Duration(extentOf(snap).seconds * float64(time.Second))
	}
	codecs := map[smooth.StreamType][]string{}
	for _, st := range snap.Manifest.Streams {
		for _, l := range st.Levels {
			if l.FourCC != "" && !slices.Contains(codecs[st.Type], l.FourCC) {
				codecs[st.Type] = append(codecs[st.Type], l.FourCC)
			}
		}
	}
	m.VideoCodec, m.AudioCodec = strings.Join(codecs[smooth.Video], ";"), strings.Join(codecs[smooth.Audio], ";")
	return m
}

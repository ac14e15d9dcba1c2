package server

import (
	"context"
	"encoding/json"

	"github.com/smoothkit/smoothkit/livesmooth"
)

// running are the publishing points that another process starts when it takes over.
type running struct {
	Points []string `json:"points"`
}

// Running tells which publishing points wait for encoders or have them, for the process that takes over.
func (s *Server) Running() []byte {
	g := s.enter()
	if g == nil {
		return nil
	}
	defer g.leave()
	var list running
	for _, p := range g.consolePoints() {
		if p.State == livesmooth.Starting.String() || p.State == livesmooth.Started.String() {
			list.Points = append(list.Points, p.Name)
		}
	}
	data, err := json.Marshal(list)
	if err != nil {
		return nil // there is nothing in it that could not be written
	}
	return data
}

// Start starts the publishing points that were started in the process before, as Running has told. What is not there any more, or
// cannot be started, is a warning.
func (s *Server) Start(ctx context.Context, told []byte) {
	g := s.enter()
	if g == nil || len(told) == 0 {
		if g != nil {
			g.leave()
		}
		return
	}
	defer g.leave()
	var list running
	if err := json.Unmarshal(told, &list); err != nil {
		s.log.Warn("which publishing points were started before is not known", "err", err)
		return
	}
	for _, name := range list.Points {
		_, p, err := g.point(name)
		if err == nil {
			err = p.Start(ctx)
		}
		if err != nil {
			s.log.Warn("a publishing point that was started before is not", "point", name, "err", err)
		}
	}
}

package manage

import (
	"context"
	"iter"
	"time"

	"github.com/smoothkit/smoothkit/livesmooth"
)

// server is what the handler needs of a [livesmooth.Server].
type server interface {
	find(name string) (point, error)
	list() []point
	create(ctx context.Context, name string, s *livesmooth.Settings) (point, error)
	remove(ctx context.Context, name string) error
}

// point is what it needs of a [livesmooth.Point].
type point interface {
	Name() string
	Settings() *livesmooth.Settings
	SetSettings(ctx context.Context, s *livesmooth.Settings) error
	State() livesmooth.State
	LastError() error
	Modified() time.Time
	Start(ctx context.Context) error
	Stop(ctx context.Context) error
	Shutdown(ctx context.Context) error
	Stats() livesmooth.Stats
	Watch(ctx context.Context) iter.Seq[livesmooth.Event]
}

// liveServer is a real server. A nil *Point must not become a point that is not nil.
type liveServer struct{ s *livesmooth.Server }

func (l liveServer) find(name string) (point, error) {
	p, err := l.s.Point(name)
	if err != nil {
		return nil, err
	}
	return p, nil
}

func (l liveServer) list() []point {
	points := l.s.Points()
	list := make([]point, len(points))
	for i, p := range points {
		list[i] = p
	}
	return list
}

func (l liveServer) create(ctx context.Context, name string, s *livesmooth.Settings) (point, error) {
	p, err := l.s.Create(ctx, name, s)
	if err != nil {
		return nil, err
	}
	return p, nil
}

func (l liveServer) remove(ctx context.Context, name string) error { return l.s.Remove(ctx, name) }

package archive

import (
	"io"

	"github.com/smoothkit/smoothkit/archive/internal/index"
	"github.com/smoothkit/smoothkit/smooth"
)

// Shared is a presentation that several have open.
type Shared interface {
	smooth.Presentation
	smooth.Sizer
	smooth.Waiter
	Retain() bool
}

type (
	shownGrowing struct{ *growing }
	shownLive    struct{ *liveView }
	// Joined is a joined presentation.
	Joined struct{ *joined }
)

func (s shownGrowing) Retain() bool { return s.retain() }
func (s shownLive) Retain() bool    { return s.retain() }
func (s *Joined) Retain() bool      { return s.retain() }

// Set is set.
func (s *Joined) Set(parts []Shared, ended bool) {
	var list []smooth.Presentation
	for _, p := range parts {
		list = append(list, p)
	}
	s.set(list, ended)
}

// SetAny is set.
func (s *Joined) SetAny(parts []smooth.Presentation, ended bool) { s.set(parts, ended) }

// NewGrowing is newGrowing.
func NewGrowing(x *index.Index, files func(int) (io.ReaderAt, smooth.Leaser), live bool, done func()) Shared {
	return shownGrowing{newGrowing(x, files, live, done)}
}

// NewLiveView is newLiveView.
func NewLiveView(of Shared) Shared { return shownLive{newLiveView(of)} }

// NewJoined is newJoined.
func NewJoined(live bool, clock smooth.Period) *Joined { return &Joined{newJoined(live, clock)} }

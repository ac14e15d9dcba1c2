package console

import (
	"context"
	"slices"
	"sync"
	"time"
)

// Bounds of what is kept of publishing points.
const (
	sampleEvery  = 10 * time.Second
	samplesKept  = 360 // one hour
	pointsKept   = 256 // those in excess, in the order of names, have no chart
	sampleWithin = 5 * time.Second
)

// value is a number at a time.
type value struct {
	at time.Time
	v  float64
}

// incoming keeps the incoming bit rates of publishing points over the last hour: 256 points and 360 samples of each at most.
type incoming struct {
	mu     sync.Mutex // guards points
	points map[string][]value
}

func newIncoming() *incoming { return &incoming{points: make(map[string][]value)} }

// add keeps the bit rates of now and forgets the points that are gone.
func (in *incoming) add(now time.Time, points []Point) {
	points = points[:min(len(points), pointsKept)]
	in.mu.Lock()
	defer in.mu.Unlock()
	next := make(map[string][]value, len(points))
	for i := range points {
		list := in.points[points[i].Name]
		if len(list) == samplesKept {
			list = slices.Delete(list, 0, 1)
		}
		next[points[i].Name] = append(list, value{at: now, v: points[i].In})
	}
	in.points = next
}

// of returns a copy of what is known of a point, oldest first.
func (in *incoming) of(name string) []value {
	in.mu.Lock()
	defer in.mu.Unlock()
	return slices.Clone(in.points[name])
}

// keepSampling asks for the points until ctx ends. A source that does not answer leaves a hole.
func (c *Console) keepSampling(ctx context.Context) {
	tick := time.NewTicker(sampleEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			c.sample(ctx)
		}
	}
}

func (c *Console) sample(ctx context.Context) {
	if !c.src.Parts().Points {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, sampleWithin)
	defer cancel()
	points, err := c.src.Points(ctx)
	if err != nil {
		c.opts.Logger.Debug("sample the publishing points for the console", "err", err)
		return
	}
	c.incoming.add(c.opts.Now(), points)
}

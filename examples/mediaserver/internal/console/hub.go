package console

import (
	"context"
	"sync"
	"time"
)

// update is what is sent to those who have a page open: its sections, or why there are none.
type update struct {
	parts []part
	err   error
}

// watched is a page that is open somewhere.
type watched struct {
	draw  func(ctx context.Context) ([]part, error)
	due   int // intervals until it is drawn again
	every int
	who   map[*watcher]struct{}
}

// watcher is a browser that has a page open. An update that has not been taken when the next one comes is replaced.
type watcher struct {
	key     string
	updates chan update
}

// hub has the pages that are open, by their URL. A page is drawn once however many browsers have it open.
type hub struct {
	limit int
	done  chan struct{} // closed at the end

	mu     sync.Mutex // guards the fields below
	pages  map[string]*watched
	count  int
	closed bool
}

func newHub(limit int) *hub {
	return &hub{limit: limit, done: make(chan struct{}), pages: make(map[string]*watched)}
}

// join adds a browser to those who have a page open; draw is how to draw it. It returns nil when there are too many of them
// or it is over.
func (h *hub) join(key string, every int, draw func(ctx context.Context) ([]part, error)) *watcher {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed || h.count >= h.limit {
		return nil
	}
	p := h.pages[key]
	if p == nil {
		p = &watched{draw: draw, every: every, who: make(map[*watcher]struct{})}
		h.pages[key] = p
	}
	w := &watcher{key: key, updates: make(chan update, 1)}
	p.who[w] = struct{}{}
	p.due = 0 // who joins sees the present state soon
	h.count++
	return w
}

func (h *hub) leave(w *watcher) {
	h.mu.Lock()
	defer h.mu.Unlock()
	p := h.pages[w.key]
	delete(p.who, w)
	if len(p.who) == 0 {
		delete(h.pages, w.key)
	}
	h.count--
}

// next returns the pages that are to be drawn now.
func (h *hub) next() map[string]*watched {
	h.mu.Lock()
	defer h.mu.Unlock()
	list := make(map[string]*watched)
	for key, p := range h.pages {
		if p.due--; p.due < 0 {
			p.due = p.every - 1
			list[key] = p
		}
	}
	return list
}

// publish gives an update to all who have the page open.
func (h *hub) publish(p *watched, u update) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for w := range p.who {
		select {
		case <-w.updates: // it was too slow for that one
		default:
		}
		w.updates <- u
	}
}

func (h *hub) close() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.closed {
		h.closed = true
		close(h.done)
	}
}

// drawWithin bounds how long the source may take for a page.
const drawWithin = 10 * time.Second

// keepDrawing draws the pages that are open until ctx ends, one after the other: a slow source makes updates rarer, not more
// of them at a time.
func (c *Console) keepDrawing(ctx context.Context) {
	tick := time.NewTicker(c.opts.Interval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			for _, p := range c.hub.next() {
				c.hub.publish(p, c.drawOnce(ctx, p))
			}
		}
	}
}

func (c *Console) drawOnce(ctx context.Context, p *watched) update {
	ctx, cancel := context.WithTimeout(ctx, drawWithin)
	defer cancel()
	parts, err := p.draw(ctx)
	return update{parts: parts, err: err}
}

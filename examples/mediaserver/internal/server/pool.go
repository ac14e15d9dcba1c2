package server

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
)

// pool keeps the parts that several generations of the configuration share: a publishing point, a cache or a log lives on as long as
// what the configuration says of it stays the same. It is safe for concurrent use.
type pool struct {
	mu    sync.Mutex // guards parts and the counts in them
	parts map[string]*part
}

// part is something with an end of its own.
type part struct {
	key   string
	value io.Closer
	refs  int // generations that hold it
}

// An exclusive part is one that only one process can have, or whose requests do not end by themselves. It has to be told when the
// newest configuration does not have it any more, although requests still use it, or when another process takes over.
type exclusive interface {
	release(ctx context.Context) error
	// rank orders them: lower ones let go first.
	rank() int
}

// keyOf makes the name of a part of a kind and what the configuration says of it.
func keyOf(kind string, values ...any) string {
	h := sha256.New()
	for _, v := range values {
		fmt.Fprintf(h, "%#v\x00", v)
	}
	return kind + " " + hex.EncodeToString(h.Sum(nil)[:16])
}

// share returns the part of a generation with that key, made by this generation if there is none. Making it may take its time: nothing
// that serves a request waits for the pool.
func share[T io.Closer](g *generation, key string, create func() (T, error)) (T, error) {
	p := &g.server.pool
	p.mu.Lock()
	defer p.mu.Unlock()
	if old, ok := p.parts[key]; ok {
		if !g.holds(old) {
			old.refs++
			g.parts = append(g.parts, old)
		}
		return old.value.(T), nil
	}
	value, err := create()
	if err != nil {
		return value, err
	}
	made := &part{key: key, value: value, refs: 1}
	if p.parts == nil {
		p.parts = make(map[string]*part)
	}
	p.parts[key] = made
	g.parts = append(g.parts, made)
	return value, nil
}

// has reports whether there is a part with that key.
func (p *pool) has(key string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.parts[key] != nil
}

// drop gives back the parts of a generation, and closes those that nobody holds, the youngest first.
func (p *pool) drop(g *generation) error {
	var errs []error
	for i := len(g.parts) - 1; i >= 0; i-- {
		if last := p.unref(g.parts[i]); last != nil {
			errs = append(errs, last.Close())
		}
	}
	g.parts = nil
	return errors.Join(errs...)
}

// unref returns what is to be closed, or nil.
func (p *pool) unref(x *part) io.Closer {
	p.mu.Lock()
	defer p.mu.Unlock()
	if x.refs--; x.refs > 0 {
		return nil
	}
	if p.parts[x.key] == x {
		delete(p.parts, x.key)
	}
	return x.value
}

// forget lets no other generation have a part.
func (p *pool) forget(x *part) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.parts[x.key] == x {
		delete(p.parts, x.key)
	}
}

// release lets go of everything exclusive and forgets it, so that it is made anew when it is wanted again.
func (p *pool) release(ctx context.Context) error {
	var list []exclusive
	p.mu.Lock()
	for key, x := range p.parts {
		if e, ok := x.value.(exclusive); ok {
			list = append(list, e)
			delete(p.parts, key)
		}
	}
	p.mu.Unlock()
	slices.SortFunc(list, func(a, b exclusive) int { return cmp.Compare(a.rank(), b.rank()) })
	var errs []error
	for _, e := range list {
		errs = append(errs, e.release(ctx))
	}
	return errors.Join(errs...)
}

// closer makes a part of what has nothing to close but a function.
type closer func() error

func (c closer) Close() error { return c() }

package remote

import (
	"context"
	"path"
	"strings"
	"sync"

	"github.com/smoothkit/smoothkit/smooth"
)

// Open opens one presentation by the absolute URL of its client manifest, whatever that is called, such as
// "http://origin/live/event.isml/Manifest". The URLs of fragments are relative to where the manifest is found after
// redirects. A query of the URL, such as a token, is sent with every request to that host. Fallbacks in opts are
// manifest URLs, too.
//
// ctx rules the opening only. The presentation is a [smooth.Waiter]; closing it ends all requests to the origin and
// waits for them. Errors are those of [Source.Open].
func Open(ctx context.Context, manifestURL string, opts *Options) (smooth.Presentation, error) {
	o, err := opts.withDefaults()
	if err != nil {
		return nil, err
	}
	urls, err := parseURLs(manifestURL, o.Fallback)
	if err != nil {
		return nil, err
	}
	s := &single{o: newOrigin(o, urls)}
	done := make(chan struct{})
	s.o.start(func() {
		defer close(done)
		if s.presentation, err = open(s.o, nameOf(urls[0].Path), urls); err == nil {
			s.presentation.retain() // for a poll now and then while it is open and out of use
		}
	})
	select {
	case <-done:
		if err == nil {
			return s, nil
		}
		s.o.close()
		return nil, err
	case <-ctx.Done():
		s.o.close()
		return nil, ctx.Err()
	}
}

// nameOf returns the name of a presentation, for the log, given the path of its manifest.
func nameOf(p string) string {
	dir, last := path.Split(p)
	if strings.HasPrefix(strings.ToLower(last), "manifest") {
		return path.Base(dir)
	}
	return last
}

// single is a presentation that has an origin of its own.
type single struct {
	*presentation
	o    *origin
	once sync.Once
}

// Close implements [smooth.Presentation].
func (s *single) Close() error {
	s.once.Do(s.o.close)
	return nil
}

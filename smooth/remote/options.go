package remote

import (
	"cmp"
	"fmt"
	"log/slog"
	"net/http"
	"time"
)

// Options tunes a [Source]. A nil pointer and the zero value mean the documented defaults.
type Options struct {
	// Client sends the requests; it is copied. Its own rule about redirects applies, which by default allows ten of
	// them, to other hosts too. Nil means a client with connections of its own, which go through the proxy that the
	// environment names.
	Client *http.Client
	// Header is added to every request to the host of the base URL or of a fallback, such as Authorization. Other
	// hosts, to which a redirect or a manifest may lead, do not get it. Nothing that a viewer sends is ever passed on.
	Header http.Header
	// Prepare, if set, is called with every request that gets Header, to sign it. An error ends the request. It may be
	// called from several goroutines.
	Prepare func(r *http.Request) error
	// Fallback are further base URLs, or manifest URLs in [Open], of origins with the same content. They are tried in
	// order when an origin does not answer, answers with a status of 500 or more, or sends what is broken. The one that
	// has answered is kept; after half a minute the first one is tried again.
	Fallback []string
	// Timeout bounds each request, its body included. Zero means 30 seconds.
	Timeout time.Duration
	// Logger gets failures of polls and of origins, levels that are left out and new beginnings of live presentations
	// at level Warn. Nil means slog.Default().
	Logger *slog.Logger
	// Revalidate is how long the manifest of an on-demand presentation is used before the origin is asked whether it
	// has changed. Zero means one minute.
	Revalidate time.Duration
	// Poll is how often the manifest of a live presentation in use is fetched. Zero means every half fragment.
	Poll time.Duration
	// CacheBytes bounds the fragments that are kept in memory. Zero means 64 MiB; negative means that none are kept.
	CacheBytes int64
	// MaxFragmentBytes bounds one fragment. Zero means 64 MiB.
	MaxFragmentBytes int64
	// MaxPresentations bounds the presentations that are kept open beyond their use, names that do not exist included.
	// Zero means 1,024.
	MaxPresentations int
	// MaxIndexBytes bounds the memory of the manifests of the presentations that are kept open. Zero means 256 MiB.
	MaxIndexBytes int64
	// Now replaces time.Now, for tests.
	Now func() time.Time
}

const (
	// primaryRetry is how long a fallback serves before the first base URL is tried again.
	primaryRetry = 30 * time.Second
	// idleAfter is how long nobody must have used a live presentation before its manifest is not polled any more.
	idleAfter = time.Minute
	// errorLifetime is how long a failed load stands for those who ask again.
	errorLifetime = time.Second
	// patience bounds how long a caller waits for a manifest to be checked before it gets what is known.
	patience = 2 * time.Second
	// maxRedirects is what [net/http.Client] allows.
	maxRedirects = 10
	// Bounds of the poll interval that is found from the length of fragments, and the one where there are none yet.
	minPoll, maxPoll, emptyPoll = 250 * time.Millisecond, 10 * time.Second, time.Second
	// maxBehind is the number of polls in a row whose manifest ends before an earlier one did until it is taken for a
	// new beginning and not for the copy of a cache or of a slower origin.
	maxBehind = 8
	// endedLifetime is how long the manifest of a publishing point is used whose event has ended: another event may have
	// begun there, at the same times.
	endedLifetime = 5 * time.Second
	// endedLag is how long after its end a manifest that is live again may be the copy of a cache or of a slower origin.
	// Later it is another event.
	endedLag = 15 * time.Second
	// maxAnnounced bounds what is remembered of the fragments that tfrf boxes name.
	maxAnnounced = 64
)

func (o *Options) withDefaults() (Options, error) {
	var d Options
	if o != nil {
		d = *o
	}
	if d.Timeout < 0 || d.Revalidate < 0 || d.Poll < 0 || d.MaxFragmentBytes < 0 || d.MaxPresentations < 0 || d.MaxIndexBytes < 0 {
		return d, fmt.Errorf("remote: negative value in options")
	}
	d.Header = d.Header.Clone()
	d.Timeout = cmp.Or(d.Timeout, 30*time.Second)
	d.Logger = cmp.Or(d.Logger, slog.Default())
	d.Revalidate = cmp.Or(d.Revalidate, time.Minute)
	d.CacheBytes = cmp.Or(d.CacheBytes, 64<<20)
	d.MaxFragmentBytes = cmp.Or(d.MaxFragmentBytes, 64<<20)
	d.MaxPresentations = cmp.Or(d.MaxPresentations, 1024)
	d.MaxIndexBytes = cmp.Or(d.MaxIndexBytes, 256<<20)
	if d.Now == nil {
		d.Now = time.Now
	}
	return d, nil
}

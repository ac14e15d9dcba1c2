package access

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/MicahParks/jwkset"
)

// Bounds of key sets.
const (
	maxKeySet  = 1 << 20 // bytes
	maxSetKeys = 256
	minRSABits = 2048
	// minRefresh is between two requests to an issuer, whatever tokens name keys that do not exist.
	minRefresh = 30 * time.Second
)

// keySets are the keys of one or several issuers, fetched by a goroutine of their own: at the beginning, when they are
// old, and when a token names a key that is not there, but not more often than minRefresh. A set that cannot be fetched
// stays as it was. It is the [jwkset.Storage] of package keyfunc.
type keySets struct {
	jwkset.Storage // of those parts that keyfunc does not use
	urls           []string
	client         *http.Client
	timeout        time.Duration
	interval       time.Duration
	now            func() time.Time
	log            *slog.Logger
	changed        func() // called after each fetch

	wanted chan struct{} // of one: somebody waits for a fetch
	cancel context.CancelFunc
	wg     sync.WaitGroup

	mu      sync.Mutex     // guards the fields below
	sets    [][]jwkset.JWK // by URL, nil until it was fetched
	failed  []error        // by URL, of the last fetch
	fetched time.Time      // when the last fetch began
	asked   bool           // a fetch is under way or has been asked for
	closed  bool
	done    chan struct{} // closed and replaced after each
}

// newKeySets starts fetching. given are keys that do not come from a URL.
func newKeySets(o *BearerOptions, changed func()) (*keySets, error) {
	k := &keySets{
		urls: o.JWKS, client: o.Client, timeout: o.Timeout, interval: o.RefreshInterval, now: o.Now, log: o.Logger,
		changed: changed, wanted: make(chan struct{}, 1), done: make(chan struct{}), asked: len(o.JWKS) > 0,
		sets: make([][]jwkset.JWK, len(o.JWKS)+1), failed: make([]error, len(o.JWKS)),
	}
	for kid, key := range o.Keys {
		if err := checkKey(key); err != nil {
			return nil, fmt.Errorf("access: bearer: key %q: %w: %w", kid, err, ErrOptions)
		}
		jwk, err := jwkset.NewJWKFromKey(key, jwkset.JWKOptions{Metadata: jwkset.JWKMetadataOptions{KID: kid}})
		if err != nil {
			return nil, fmt.Errorf("access: bearer: key %q: %w: %w", kid, err, ErrOptions)
		}
		k.sets[len(k.urls)] = append(k.sets[len(k.urls)], jwk)
	}
	for _, u := range k.urls {
		if err := checkIssuer(u, o.AllowHTTP); err != nil {
			return nil, fmt.Errorf("access: bearer: key set %q: %w: %w", u, err, ErrOptions)
		}
	}
	var ctx context.Context
	ctx, k.cancel = context.WithCancel(context.Background())
	if len(k.urls) > 0 {
		k.wg.Go(func() { k.run(ctx) })
	}
	return k, nil
}

// checkIssuer refuses URLs where somebody on the way could put keys in.
func checkIssuer(rawURL string, allowHTTP bool) error {
	u, err := url.Parse(rawURL)
	switch {
	case err != nil || u.Host == "":
		return errors.New("not an absolute URL")
	case u.Scheme == "https" || u.Scheme == "http" && (allowHTTP || isLoopbackHost(u.Hostname())):
		return nil
	}
	return fmt.Errorf("scheme %q, want https", u.Scheme)
}

// checkKey refuses keys that are not public ones of a kind and size that signatures are safe with.
func checkKey(key any) error {
	switch key := key.(type) {
	case *rsa.PublicKey:
		if n := key.N.BitLen(); n < minRSABits {
			return fmt.Errorf("RSA of %d bits, want %d", n, minRSABits)
		}
	case *ecdsa.PublicKey, ed25519.PublicKey:
	default:
		return fmt.Errorf("key of type %T", key)
	}
	return nil
}

// close ends the goroutine and waits for it. Nobody waits for a fetch any more.
func (k *keySets) close() {
	k.cancel()
	k.wg.Wait()
	k.mu.Lock()
	defer k.mu.Unlock()
	k.closed = true
	k.wake()
}

// wake lets those go on that wait for a fetch. mu must be held.
func (k *keySets) wake() {
	close(k.done)
	k.done, k.asked = make(chan struct{}), false
}

// run fetches until the context ends.
func (k *keySets) run(ctx context.Context) {
	for {
		k.fetchAll(ctx)
		wait := k.interval
		if k.anyFailed() {
			wait = min(wait, minRefresh)
		}
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-k.wanted:
			timer.Stop()
		case <-ctx.Done():
			timer.Stop()
			return
		}
	}
}

func (k *keySets) anyFailed() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return errors.Join(k.failed...) != nil
}

// fetchAll fetches all sets, one after the other.
func (k *keySets) fetchAll(ctx context.Context) {
	k.mu.Lock()
	k.fetched, k.asked = k.now(), true
	k.mu.Unlock()
	for i, u := range k.urls {
		set, err := k.fetch(ctx, u)
		if err != nil && ctx.Err() == nil {
			k.log.Error("key set not fetched", "url", u, "err", err)
		}
		k.mu.Lock()
		k.failed[i] = err
		if err == nil {
			k.sets[i] = set
		}
		k.mu.Unlock()
	}
	k.changed()
	k.mu.Lock()
	defer k.mu.Unlock()
	k.wake()
}

// fetch fetches the keys of one issuer that can be used.
func (k *keySets) fetch(ctx context.Context, u string) ([]jwkset.JWK, error) {
	ctx, cancel := context.WithTimeout(ctx, k.timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", "application/jwk-set+json, application/json")
	resp, err := k.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("status %d", resp.StatusCode)
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxKeySet+1))
	switch {
	case err != nil:
		return nil, err
	case len(body) > maxKeySet:
		return nil, fmt.Errorf("key set over %d bytes", maxKeySet)
	}
	return k.parse(body)
}

// parse reads the public keys of a set. Others, those of other uses and those that are too weak, are left out.
func (k *keySets) parse(body []byte) ([]jwkset.JWK, error) {
	var doc jwkset.JWKSMarshal
	if err := json.Unmarshal(body, &doc); err != nil {
		return nil, fmt.Errorf("key set: %w", err)
	}
	if len(doc.Keys) > maxSetKeys {
		return nil, fmt.Errorf("key set of %d keys, at most %d", len(doc.Keys), maxSetKeys)
	}
	set := []jwkset.JWK{}
	for _, m := range doc.Keys {
		if m.USE == jwkset.UseEnc {
			continue
		}
		jwk, err := jwkset.NewJWKFromMarshal(m, jwkset.JWKMarshalOptions{}, jwkset.JWKValidateOptions{})
		if err == nil {
			err = checkKey(jwk.Key())
		}
		if err != nil {
			k.log.Warn("key left out", "kid", m.KID, "err", err)
			continue
		}
		set = append(set, jwk)
	}
	if len(set) == 0 {
		return nil, errors.New("key set without a key that can be used")
	}
	return set, nil
}

// KeyRead returns the key of that ID. If there is none it waits for a fetch, unless there was one a moment ago.
func (k *keySets) KeyRead(ctx context.Context, kid string) (jwkset.JWK, error) {
	jwk, ok := k.find(kid)
	if !ok && k.refresh(ctx) {
		jwk, ok = k.find(kid)
	}
	if ok {
		return jwk, nil
	}
	return jwkset.JWK{}, k.missing(fmt.Sprintf("key %q", kid))
}

// KeyReadAll returns all keys, for a token that names none.
func (k *keySets) KeyReadAll(ctx context.Context) ([]jwkset.JWK, error) {
	all := k.all()
	if len(all) == 0 && k.refresh(ctx) {
		all = k.all()
	}
	if len(all) == 0 {
		return nil, k.missing("any key")
	}
	return all, nil
}

func (k *keySets) find(kid string) (jwkset.JWK, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, set := range k.sets {
		for _, jwk := range set {
			if jwk.Marshal().KID == kid {
				return jwk, true
			}
		}
	}
	return jwkset.JWK{}, false
}

func (k *keySets) all() []jwkset.JWK {
	k.mu.Lock()
	defer k.mu.Unlock()
	var all []jwkset.JWK
	for _, set := range k.sets {
		all = append(all, set...)
	}
	return all
}

// missing returns the error for keys that are not there: that nobody can say, if an issuer could not be asked.
func (k *keySets) missing(what string) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if err := errors.Join(k.failed...); err != nil {
		return fmt.Errorf("no %s, and key sets could not be fetched: %w", what, ErrUnavailable)
	}
	for _, set := range k.sets[:len(k.urls)] {
		if set == nil {
			return fmt.Errorf("no %s yet: %w", what, ErrUnavailable)
		}
	}
	return fmt.Errorf("no %s: %w", what, ErrUnauthenticated)
}

// refresh waits for the fetch that is under way or asks for one, and reports whether there was one. The wait ends with
// the context, which has a deadline.
func (k *keySets) refresh(ctx context.Context) bool {
	k.mu.Lock()
	done, waiting := k.done, k.asked
	if !waiting && !k.closed && len(k.urls) > 0 && k.now().Sub(k.fetched) >= minRefresh {
		waiting, k.asked = true, true
		select {
		case k.wanted <- struct{}{}:
		default:
		}
	}
	k.mu.Unlock()
	if !waiting {
		return false
	}
	select {
	case <-done:
		return true
	case <-ctx.Done():
		return false
	}
}

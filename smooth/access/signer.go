package access

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"hash"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"time"
)

// Bounds of tokens and keys.
const (
	minKey   = 16
	maxKeys  = 16
	macSize  = 16 // half of what SHA-256 has, RFC 2104 section 5
	maxToken = 2048
	skew     = time.Minute
)

// purpose is what the signature begins with, so that a key that has signed something else has not signed a token.
const purpose = "smoothkit access token\x00"

// Signer makes and verifies tokens. A token is the unpadded base64url form of a [Grant] and its HMAC-SHA256, cut to 16
// bytes: some 60 characters and four thirds of the path. Anybody can read what is in it. A Signer is safe for
// concurrent use.
type Signer struct {
	macs []*macs
}

// macs are the hashes of a key that are not in use.
type macs struct {
	purpose []byte
	pool    sync.Pool
}

// NewSigner returns a signer with keys of at least 16 bytes each, better 32 random ones. The first signs, all verify: to
// change keys put the new one first, and leave the old one out when the last URL that it has signed has expired. The
// error wraps [ErrOptions].
func NewSigner(keys ...[]byte) (*Signer, error) {
	if len(keys) == 0 || len(keys) > maxKeys {
		return nil, fmt.Errorf("access: %d keys, want 1 to %d: %w", len(keys), maxKeys, ErrOptions)
	}
	s := &Signer{}
	for i, key := range keys {
		if len(key) < minKey {
			return nil, fmt.Errorf("access: key %d has %d bytes, want %d: %w", i+1, len(key), minKey, ErrOptions)
		}
		key = bytes.Clone(key)
		m := &macs{purpose: []byte(purpose)}
		m.pool.New = func() any { return hmac.New(sha256.New, key) }
		s.macs = append(s.macs, m)
	}
	return s, nil
}

// sum appends the signature of a payload.
func (m *macs) sum(dst, payload []byte) []byte {
	h := m.pool.Get().(hash.Hash)
	defer m.pool.Put(h)
	h.Reset()
	h.Write(m.purpose)
	h.Write(payload)
	var full [sha256.Size]byte
	return append(dst, h.Sum(full[:0])[:macSize]...)
}

// Sign returns the token of a grant. The error wraps [ErrGrant].
func (s *Signer) Sign(g Grant) (string, error) {
	if err := g.check(); err != nil {
		return "", fmt.Errorf("access: grant: %w: %w", err, ErrGrant)
	}
	payload := g.append(nil)
	return base64.RawURLEncoding.EncodeToString(s.macs[0].sum(payload, payload)), nil
}

// Verify returns the grant of a token, which may have expired: see [Grant.Allows]. The error wraps [ErrToken].
func (s *Signer) Verify(token string) (Grant, error) {
	if len(token) > maxToken || strings.ContainsAny(token, "\r\n") { // which the decoder skips
		return Grant{}, fmt.Errorf("access: token of %d bytes: %w", len(token), ErrToken)
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(token)
	if err != nil || len(b) <= macSize {
		return Grant{}, fmt.Errorf("access: token: not base64url of %d bytes and more: %w", macSize, ErrToken)
	}
	payload, mac := b[:len(b)-macSize], b[len(b)-macSize:]
	if !s.signed(payload, mac) {
		return Grant{}, fmt.Errorf("access: token: signature: %w", ErrToken)
	}
	g, err := parseGrant(payload)
	if err != nil {
		return Grant{}, fmt.Errorf("access: token: %w: %w", err, ErrToken)
	}
	return g, nil
}

// signed reports whether one of the keys has signed the payload.
func (s *Signer) signed(payload, mac []byte) bool {
	ok := false
	var buf [macSize]byte
	for _, m := range s.macs {
		ok = hmac.Equal(m.sum(buf[:0], payload), mac) || ok
	}
	return ok
}

// Allows returns why the grant does not allow a request for a path from an address at a time, with a minute for clocks
// that differ; nil if it does. The error wraps [ErrForbidden].
func (g *Grant) Allows(path string, from netip.Addr, now time.Time) error {
	p, err := parsePattern(g.Path)
	switch {
	case err != nil:
	case now.After(g.Expires.Add(skew)):
		err = fmt.Errorf("expired %v ago", now.Sub(g.Expires).Round(time.Second))
	case now.Before(g.NotBefore.Add(-skew)):
		err = fmt.Errorf("begins in %v", g.NotBefore.Sub(now).Round(time.Second))
	case !p.matches(path):
		err = fmt.Errorf("path %q is not in %q", path, g.Path)
	case g.Address.IsValid() && !unmapPrefix(g.Address).Contains(from.Unmap().WithZone("")):
		err = fmt.Errorf("address %v is not in %v", from, g.Address)
	}
	if err != nil {
		return fmt.Errorf("access: grant: %w: %w", err, ErrForbidden)
	}
	return nil
}

// grantsURL returns the parsed form of a URL that a grant covers. The error has no prefix.
func grantsURL(rawURL string, g *Grant) (*url.URL, error) {
	u, err := url.Parse(rawURL)
	if err != nil {
		return nil, errors.New("not a URL")
	}
	if err := checkPath(u, false); err != nil {
		return nil, err
	}
	if p, err := parsePattern(g.Path); err != nil || !p.matches(u.Path) {
		return nil, fmt.Errorf("path %q is not in %q", u.Path, g.Path)
	}
	return u, nil
}

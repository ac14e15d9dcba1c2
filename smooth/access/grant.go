package access

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"net/netip"
	"time"
	"unicode/utf8"
)

// Grant is what a signed URL allows.
type Grant struct {
	// Path is what may be asked for, as [net/url.URL].Path below the root of the [Handler]: a path alone, or with "/*" at
	// the end everything below it, such as "/live/event.isml/*". Case matters. Required. The manifests of other
	// presentations that a composite manifest or a playlist names need grants of their own, or a path above both.
	Path string
	// Expires is when it ends, to the second. Required. Players go on asking for fragments with the same URL, so that it
	// should be later than the end of what is watched, pauses included.
	Expires time.Time
	// NotBefore is when it begins. Zero means that it has begun.
	NotBefore time.Time
	// Address is where it may be used from. The zero value means anywhere. Viewers on the move change their address.
	Address netip.Prefix
	// Session and User say who watches, at most 128 bytes each. Both may be empty.
	Session, User string
	// Role is what [SignedOptions].Role asks for, at most 32 bytes. Empty means viewing.
	Role string
}

// Bounds of grants.
const (
	maxGrantPath = 1024
	maxGrantText = 128
	maxGrantRole = 32
)

// tokenVersion is the first byte of a token. A change of the format changes it.
const tokenVersion = 1

// check returns why no token can be made of a grant. The error has no prefix.
func (g *Grant) check() error {
	if _, err := parsePattern(g.Path); err != nil {
		return err
	}
	switch {
	case g.Expires.Unix() <= 0 || g.Expires.IsZero():
		return errors.New("no end")
	case !g.NotBefore.IsZero() && (g.NotBefore.Unix() <= 0 || g.NotBefore.After(g.Expires)):
		return fmt.Errorf("begins at %v, ends at %v", g.NotBefore, g.Expires)
	case g.Address.Addr().IsValid() && (!g.Address.IsValid() || g.Address.Addr().Zone() != ""):
		return fmt.Errorf("address %v", g.Address)
	case len(g.Path) > maxGrantPath:
		return fmt.Errorf("path of %d bytes, at most %d", len(g.Path), maxGrantPath)
	case len(g.Session) > maxGrantText || len(g.User) > maxGrantText:
		return fmt.Errorf("session of %d and user of %d bytes, at most %d", len(g.Session), len(g.User), maxGrantText)
	case len(g.Role) > maxGrantRole:
		return fmt.Errorf("role of %d bytes, at most %d", len(g.Role), maxGrantRole)
	case !utf8.ValidString(g.Session) || !utf8.ValidString(g.User) || !utf8.ValidString(g.Role):
		return errors.New("text that is not UTF-8")
	}
	return nil
}

// append appends the binary form, which the signature covers.
//
//	version    byte     1
//	expires    uvarint  seconds since 1970
//	notBefore  uvarint  seconds since 1970, 0 for none
//	address    byte     length in bytes: 0, 4 or 16; then as many bytes and the length of the prefix in one
//	path       uvarint  length, then as many bytes; so session, user and role
func (g *Grant) append(b []byte) []byte {
	b = append(b, tokenVersion)
	b = binary.AppendUvarint(b, uint64(g.Expires.Unix()))
	notBefore := uint64(0)
	if !g.NotBefore.IsZero() {
		notBefore = uint64(g.NotBefore.Unix())
	}
	b = binary.AppendUvarint(b, notBefore)
	if p := unmapPrefix(g.Address); p.IsValid() {
		addr := p.Masked().Addr().AsSlice()
		b = append(append(append(b, byte(len(addr))), addr...), byte(p.Bits()))
	} else {
		b = append(b, 0)
	}
	for _, s := range []string{g.Path, g.Session, g.User, g.Role} {
		b = append(binary.AppendUvarint(b, uint64(len(s))), s...)
	}
	return b
}

// errTruncated has no prefix, as all errors of grantReader.
var errTruncated = errors.New("truncated")

// grantReader reads the binary form of a grant. The first error stays.
type grantReader struct {
	b   []byte
	err error
}

// parseGrant reads what append has written, all of it.
func parseGrant(b []byte) (g Grant, err error) {
	r := grantReader{b: b}
	if v := r.bytes(1); r.err == nil && v[0] != tokenVersion {
		return g, fmt.Errorf("version %d, want %d", v[0], tokenVersion)
	}
	g.Expires, g.NotBefore, g.Address = r.time(), r.time(), r.address()
	g.Path = string(r.bytes(r.length(maxGrantPath)))
	g.Session = string(r.bytes(r.length(maxGrantText)))
	g.User = string(r.bytes(r.length(maxGrantText)))
	g.Role = string(r.bytes(r.length(maxGrantRole)))
	if r.err == nil && len(r.b) > 0 {
		r.err = fmt.Errorf("%d bytes behind the end", len(r.b))
	}
	if r.err != nil {
		return Grant{}, r.err
	}
	return g, g.check()
}

func (r *grantReader) uvarint() uint64 {
	v, n := binary.Uvarint(r.b)
	if n <= 0 {
		r.fail(errTruncated)
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *grantReader) fail(err error) {
	if r.err == nil {
		r.err = err
	}
	r.b = nil
}

func (r *grantReader) length(most int) int {
	n := r.uvarint()
	if n > uint64(most) {
		r.fail(fmt.Errorf("text of %d bytes, at most %d", n, most))
		return 0
	}
	return int(n)
}

// bytes returns the next n bytes, nil if there are fewer.
func (r *grantReader) bytes(n int) []byte {
	if len(r.b) < n {
		r.fail(errTruncated)
		return nil
	}
	b := r.b[:n]
	r.b = r.b[n:]
	return b
}

func (r *grantReader) time() time.Time {
	v := r.uvarint()
	if v == 0 || v > math.MaxInt64/uint64(time.Second) {
		return time.Time{}
	}
	return time.Unix(int64(v), 0)
}

func (r *grantReader) address() netip.Prefix {
	n := r.bytes(1)
	if len(n) == 0 || n[0] == 0 {
		return netip.Prefix{}
	}
	addr, ok := netip.AddrFromSlice(r.bytes(int(n[0])))
	bits := r.bytes(1)
	if !ok || len(bits) == 0 || int(bits[0]) > addr.BitLen() {
		r.fail(errors.New("address"))
		return netip.Prefix{}
	}
	return unmapPrefix(netip.PrefixFrom(addr, int(bits[0])))
}

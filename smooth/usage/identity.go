package usage

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
)

// maxKept bounds the strings of requests that sessions keep, in bytes.
const maxKept = 256

// clip returns the first bytes of s.
func clip(s string, most int) string { return s[:min(len(s), most)] }

// who tells viewers apart.
type who struct {
	by   byte
	a, b string // the names
	ip   [16]byte
}

// identify says who makes a request. session is what the application knows, or "".
func identify(session string, cmcd *CMCD, r *http.Request, address netip.Addr) who {
	id := session
	if id == "" {
		id = cmcd.Session
	}
	if id == "" {
		id = clip(r.Header.Get("X-Playback-Session-Id"), maxKept)
	}
	if id != "" {
		return who{by: byID, a: id}
	}
	w := who{by: byAddress, b: r.UserAgent()}
	if address.IsValid() {
		w.ip = address.As16()
	} else {
		w.a = r.RemoteAddr
	}
	return w
}

// pseudonym returns a name that stands for the player, and with a stream for its session.
func (r *Recorder) pseudonym(w *who, stream string) string {
	m := hmac.New(sha256.New, r.opts.PseudonymKey)
	for _, part := range [...]string{string(w.by), w.a, w.b, string(w.ip[:]), stream} {
		m.Write([]byte(strconv.Itoa(len(part)) + ":"))
		m.Write([]byte(part))
	}
	return hex.EncodeToString(m.Sum(nil)[:16])
}

// localAddress returns the address of the server that a client has connected to.
func localAddress(r *http.Request) netip.Addr {
	switch a := r.Context().Value(http.LocalAddrContextKey).(type) {
	case *net.TCPAddr:
		return a.AddrPort().Addr().Unmap()
	case *net.UDPAddr:
		return a.AddrPort().Addr().Unmap()
	}
	return netip.Addr{}
}

// language returns the first language that a client accepts, or "".
func language(r *http.Request) string {
	first, _, _ := strings.Cut(r.Header.Get("Accept-Language"), ",")
	first, _, _ = strings.Cut(first, ";")
	return clip(strings.TrimSpace(first), 35)
}

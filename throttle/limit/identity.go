package limit

import (
	"encoding/binary"
	"hash/maphash"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
)

const (
	maxSessionID = 256      // bytes; CTA-5004 says 64
	maxCMCD      = 4 * 1024 // bytes that are looked through
)

// PerRequest is for [Options].Session: each request is a viewer of its own while it is served. So IIS counted
// connections. Players of segmented streams are not counted right.
func PerRequest(*http.Request) string { return "" }

// PlaybackSession returns what a player calls its session, or "" if it does not say: X-Playback-Session-Id, which those
// of Apple send, or sid of the Common Media Client Data in the header CMCD-Session or the query parameter CMCD
// (CTA-5004). One of more than 256 bytes is none.
func PlaybackSession(r *http.Request) string {
	id := r.Header.Get("X-Playback-Session-Id")
	if id == "" || len(id) > maxSessionID {
		id = cmcdSession(r.Header.Get("Cmcd-Session"))
	}
	if id == "" {
		id = querySession(r.URL.RawQuery)
	}
	return id
}

// querySession returns the session in the CMCD of a query, or "".
func querySession(query string) string {
	for more := query != ""; more; {
		var pair string
		pair, query, more = strings.Cut(query, "&")
		value, ok := strings.CutPrefix(pair, "CMCD=")
		if !ok {
			continue
		}
		if len(value) > maxCMCD {
			return ""
		}
		value, err := url.QueryUnescape(value)
		if err != nil {
			return ""
		}
		return cmcdSession(value)
	}
	return ""
}

// cmcdSession returns the value of sid in a list of keys with values, or "". Strings are in quotes, within which a
// backslash escapes the next byte; escapes are left as they are, as only equality matters.
func cmcdSession(s string) string {
	if len(s) > maxCMCD {
		return ""
	}
	for s != "" {
		end, inside := 0, false
		for ; end < len(s) && (inside || s[end] != ','); end++ {
			switch {
			case s[end] == '"':
				inside = !inside
			case s[end] == '\\' && inside:
				end++
			}
		}
		end = min(end, len(s))
		if value, ok := strings.CutPrefix(strings.Trim(s[:end], " \t"), "sid="); ok {
			return unquote(value)
		}
		s = s[min(end+1, len(s)):]
	}
	return ""
}

// unquote returns what is between quotes, or "" if they are missing or it is too long.
func unquote(s string) string {
	if len(s) < 2 || s[0] != '"' || s[len(s)-1] != '"' || len(s)-2 > maxSessionID {
		return ""
	}
	return s[1 : len(s)-1]
}

// key identifies a session or viewer: 128 bits of a keyed hash, so that nobody can make two of them meet and sessions
// take the same memory whatever clients call themselves.
type key [2]uint64

// hasher makes keys.
type hasher [2]maphash.Seed

func newHasher() hasher { return hasher{maphash.MakeSeed(), maphash.MakeSeed()} }

// sum returns the key of some strings, of which the order and the bounds count.
func (h *hasher) sum(kind byte, parts ...string) (k key) {
	for i := range k {
		var m maphash.Hash
		m.SetSeed(h[i])
		m.WriteByte(kind)
		for _, p := range parts {
			var n [8]byte
			binary.LittleEndian.PutUint64(n[:], uint64(len(p)))
			m.Write(n[:])
			m.WriteString(p)
		}
		k[i] = m.Sum64()
	}
	return k
}

// with returns the key of what belongs to k in a part of the server.
func (h *hasher) with(k key, part uint64, name string) key {
	var b [24]byte
	binary.LittleEndian.PutUint64(b[:], k[0])
	binary.LittleEndian.PutUint64(b[8:], k[1])
	binary.LittleEndian.PutUint64(b[16:], part)
	for i := range k {
		var m maphash.Hash
		m.SetSeed(h[i])
		m.Write(b[:])
		m.WriteString(name)
		k[i] = m.Sum64()
	}
	return k
}

// The first byte of what is hashed for a key.
const (
	byID      = 'i'
	byAddress = 'a'
	byServer  = 'd'
)

// identity is who asks for what.
type identity struct {
	file   string
	id     key // of the viewer, before point and group
	key    key // of the session
	kind   kind
	shared bool // the viewer may have other sessions, of other files
	alone  bool // a viewer for this request only
	whole  bool // the request is for the beginning of a file that is no stream

	path  string // cleaned, if it is that of a part of a stream and may belong to a session of a directory above
	by    byte   // what the key is made of: byID, byAddress or byServer, and the names
	names [2]string
}

// of returns the key of the session of a file.
func (h *hasher) of(who *identity, file string) key {
	if who.by == byAddress {
		return h.sum(who.by, who.names[0], who.names[1], file)
	}
	return h.sum(who.by, who.names[0], file)
}

// identify reads a request. It holds no lock, as options are called.
func (h *Handler) identify(r *http.Request) (who identity) {
	if h.tree {
		var part bool
		p := clean(r.URL.Path)
		if who.file, part = split(p); part {
			who.path = p
		}
	} else {
		who.file = h.opts.File(r)
	}
	if h.opts.Distribution != nil {
		if name := h.opts.Distribution(r); name != "" {
			who.kind = distribution
			who.by, who.names[0] = byServer, name
			who.key = h.hasher.of(&who, who.file)
			return who
		}
	}
	var id string
	if h.opts.Session != nil {
		id = h.opts.Session(r)
		if who.alone = id == ""; who.alone {
			return who
		}
	} else {
		id = PlaybackSession(r)
	}
	if id != "" {
		who.shared = true
		who.id = h.hasher.sum(byID, id)
		who.by, who.names[0] = byID, id
	} else {
		who.by, who.names = byAddress, [2]string{h.client(r), r.UserAgent()}
		from := r.Header.Get("Range")
		who.whole = (from == "" || from == "bytes=0-") && who.file == r.URL.Path
	}
	who.key = h.hasher.of(&who, who.file)
	return who
}

// client returns the address as text. It does not allocate for the default of Options.Address.
func (h *Handler) client(r *http.Request) string {
	if h.remote {
		host := r.RemoteAddr
		if i := strings.LastIndexByte(host, ':'); i >= 0 {
			host = host[:i]
		}
		return host
	}
	if a := h.opts.Address(r); a.IsValid() {
		b := a.As16()
		return string(b[:])
	}
	return r.RemoteAddr
}

// addressOf returns a stored address, invalid if there is none.
func addressOf(b [16]byte) netip.Addr {
	if b == ([16]byte{}) {
		return netip.Addr{}
	}
	return netip.AddrFrom16(b).Unmap()
}

package usage

import (
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Bounds of what is read of CMCD.
const (
	maxCMCD       = 4 << 10 // bytes of one header or of the query's value
	maxCMCDKeys   = 64
	maxCMCDString = 256  // bytes of sid and cid, of which CTA-5004 allows 64
	maxCMCDURL    = 1024 // bytes of nor
	maxCMCDNumber = 1e12
)

// CMCD is Common Media Client Data: what a player says with a request. Numbers are in units of this package, not in those
// on the wire. [CMCD.Has] tells a zero that was sent from a key that was not. See CTA-5004.
type CMCD struct {
	// Session (sid) and Content (cid) are names that the player or its page gives.
	Session, Content string
	// Bitrate (br) is that of the requested object, TopBitrate (tb) the highest the player could choose, both in bit/s.
	Bitrate, TopBitrate int64
	// Throughput (mtp) is what the player measures, Requested (rtp) what it wants to get at most, both in bit/s.
	Throughput, Requested int64
	// BufferLength (bl) is what the player has in store. Deadline (dl) is when the first sample is needed, after the
	// request. ObjectDuration (d) is how long the object plays.
	BufferLength, Deadline, ObjectDuration time.Duration
	// Starved (bs) says that the buffer ran empty since the request before. Startup (su) says that the object is
	// needed at once, after a start, a seek or an empty buffer.
	Starved, Startup bool
	// ObjectType (ot): m manifest, a audio, v video, av both, i init segment, c caption, tt subtitle, k key, o other.
	ObjectType string
	// Format (sf): d DASH, h HLS, s Smooth Streaming, o other. StreamType (st): v on demand, l live.
	Format, StreamType string
	// Rate (pr) is the playback rate: 1 is real time, 2 double speed, 0 not playing. Players leave 1 out.
	Rate float64
	// NextObject (nor) is the relative URL of the next request, as it was sent.
	NextObject string
	// Version (v) of the specification. Players leave 1 out.
	Version int64

	keys cmcdKeys
}

// cmcdKeys is a set of keys.
type cmcdKeys uint32

const (
	keyBR cmcdKeys = 1 << iota
	keyTB
	keyMTP
	keyRTP
	keyBL
	keyDL
	keyD
	keyBS
	keySU
	keyOT
	keySF
	keyST
	keyPR
	keyNOR
	keyV
	keySID
	keyCID
)

func cmcdKey(name string) cmcdKeys {
	switch name {
	case "br":
		return keyBR
	case "tb":
		return keyTB
	case "mtp":
		return keyMTP
	case "rtp":
		return keyRTP
	case "bl":
		return keyBL
	case "dl":
		return keyDL
	case "d":
		return keyD
	case "bs":
		return keyBS
	case "su":
		return keySU
	case "ot":
		return keyOT
	case "sf":
		return keySF
	case "st":
		return keyST
	case "pr":
		return keyPR
	case "nor":
		return keyNOR
	case "v":
		return keyV
	case "sid":
		return keySID
	case "cid":
		return keyCID
	}
	return 0
}

// Has reports whether the player has sent a key, such as "bl", with a value that was understood.
func (c *CMCD) Has(key string) bool { return c.keys&cmcdKey(key) != 0 }

// PlaybackRate returns the rate, which is 1 if the player does not say so.
func (c *CMCD) PlaybackRate() float64 {
	if c.keys&keyPR == 0 {
		return 1
	}
	return c.Rate
}

// RequestCMCD returns what a request says, in the headers CMCD-Request, CMCD-Object, CMCD-Status and CMCD-Session or in
// the query parameter CMCD, and whether it says anything. What is malformed is left out.
func RequestCMCD(r *http.Request) (c CMCD, ok bool) {
	for _, name := range [...]string{"Cmcd-Session", "Cmcd-Status", "Cmcd-Object", "Cmcd-Request"} {
		if values := r.Header[name]; len(values) > 0 {
			_ = c.parse(values[0]) // what was read before the fault counts
		}
	}
	if c.keys == 0 {
		if value, found := queryCMCD(r.URL.RawQuery); found {
			_ = c.parse(value)
		}
	}
	return c, c.keys != 0
}

// queryCMCD returns the decoded value of the parameter CMCD.
func queryCMCD(query string) (string, bool) {
	for more := query != ""; more; {
		var pair string
		pair, query, more = strings.Cut(query, "&")
		value, ok := strings.CutPrefix(pair, "CMCD=")
		if !ok {
			continue
		}
		if len(value) > 3*maxCMCD {
			return "", false
		}
		value, err := url.QueryUnescape(value)
		return value, err == nil
	}
	return "", false
}

// ParseCMCD parses the text of a CMCD header, or the decoded value of the query parameter: keys with values, separated by
// commas. Unknown keys, and values that are not of the type of their key, are left out. The error wraps [ErrCMCD] if the text
// is no such list, or is longer than 4,096 bytes or 64 keys. See CTA-5004, 3.
func ParseCMCD(s string) (CMCD, error) {
	var c CMCD
	if err := c.parse(s); err != nil {
		return CMCD{}, err
	}
	return c, nil
}

func (c *CMCD) parse(s string) error {
	if len(s) > maxCMCD {
		return fmt.Errorf("%w: %d bytes, at most %d", ErrCMCD, len(s), maxCMCD)
	}
	for n := 0; s != ""; n++ {
		if n == maxCMCDKeys {
			return fmt.Errorf("%w: more than %d keys", ErrCMCD, maxCMCDKeys)
		}
		end := itemEnd(s)
		if end < 0 {
			return fmt.Errorf("%w: a string does not end", ErrCMCD)
		}
		name, value, valued := strings.Cut(strings.Trim(s[:end], " \t"), "=")
		if name == "" && (valued || end < len(s)) {
			return fmt.Errorf("%w: a value without key", ErrCMCD)
		}
		c.set(cmcdKey(name), value, valued)
		s = s[min(end+1, len(s)):]
	}
	return nil
}

// itemEnd returns the index of the comma that ends the first item, len(s) without one, or -1 if a string does not end.
func itemEnd(s string) int {
	inside := false
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '"':
			inside = !inside
		case s[i] == '\\' && inside:
			i++
		case s[i] == ',' && !inside:
			return i
		}
	}
	if inside {
		return -1
	}
	return len(s)
}

// set takes a value if it is of the type of its key.
func (c *CMCD) set(key cmcdKeys, value string, valued bool) {
	ok := false
	switch key {
	case keyBR:
		c.Bitrate, ok = kilo(value)
	case keyTB:
		c.TopBitrate, ok = kilo(value)
	case keyMTP:
		c.Throughput, ok = kilo(value)
	case keyRTP:
		c.Requested, ok = kilo(value)
	case keyBL:
		c.BufferLength, ok = milliseconds(value)
	case keyDL:
		c.Deadline, ok = milliseconds(value)
	case keyD:
		c.ObjectDuration, ok = milliseconds(value)
	case keyBS:
		c.Starved, ok = boolean(value, valued)
	case keySU:
		c.Startup, ok = boolean(value, valued)
	case keyOT:
		c.ObjectType, ok = token(value)
	case keySF:
		c.Format, ok = token(value)
	case keyST:
		c.StreamType, ok = token(value)
	case keyPR:
		c.Rate, ok = decimal(value)
	case keyNOR:
		c.NextObject, ok = quoted(value, maxCMCDURL)
	case keyV:
		c.Version, ok = integer(value)
	case keySID:
		c.Session, ok = quoted(value, maxCMCDString)
	case keyCID:
		c.Content, ok = quoted(value, maxCMCDString)
	}
	if c.keys &^= key; ok {
		c.keys |= key
	}
}

func integer(s string) (int64, bool) {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n < 0 || n > maxCMCDNumber || s[0] == '+' || s[0] == '-' {
		return 0, false
	}
	return n, true
}

// kilo parses kbit/s and returns bit/s.
func kilo(s string) (int64, bool) {
	n, ok := integer(s)
	return n * 1000, ok
}

// milliseconds parses a time of up to 30 years.
func milliseconds(s string) (time.Duration, bool) {
	n, ok := integer(s)
	return time.Duration(n) * time.Millisecond, ok
}

func boolean(s string, valued bool) (value, ok bool) {
	switch {
	case !valued || s == "true" || s == "?1":
		return true, true
	case s == "false" || s == "?0":
		return false, true
	}
	return false, false
}

// decimal parses digits with up to three behind a point, the most that a structured field has.
func decimal(s string) (float64, bool) {
	whole, part, pointed := strings.Cut(s, ".")
	if len(whole) == 0 || len(whole) > 12 || pointed && (len(part) == 0 || len(part) > 3) {
		return 0, false
	}
	for _, digits := range [...]string{whole, part} {
		for i := range len(digits) {
			if digits[i] < '0' || digits[i] > '9' {
				return 0, false
			}
		}
	}
	v, err := strconv.ParseFloat(s, 64)
	return v, err == nil
}

// token returns a token of up to three small letters, which is what CTA-5004 has.
func token(s string) (string, bool) {
	if len(s) == 0 || len(s) > 3 {
		return "", false
	}
	for i := range len(s) {
		if s[i] < 'a' || s[i] > 'z' {
			return "", false
		}
	}
	return s, true
}

// quoted returns the content of a string.
func quoted(s string, most int) (string, bool) {
	if len(s) < 2 || s[0] != '"' || s[len(s)-1] != '"' || len(s)-2 > most {
		return "", false
	}
	s = s[1 : len(s)-1]
	switch {
	case !strings.ContainsAny(s, `"\`):
		return s, true
	case strings.IndexByte(s, '\\') < 0:
		return "", false
	}
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] == '"' {
			return "", false
		}
		if s[i] == '\\' {
			if i++; i == len(s) {
				return "", false
			}
		}
		b = append(b, s[i])
	}
	return string(b), true
}

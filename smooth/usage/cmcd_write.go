package usage

import "strconv"

// String returns the data as one list, keys in alphabetical order as CTA-5004 recommends. Units are those on the wire.
func (c CMCD) String() string {
	var b []byte
	item := func(key cmcdKeys, name string, write func(b []byte) []byte) {
		if c.keys&key == 0 {
			return
		}
		if len(b) > 0 {
			b = append(b, ',')
		}
		b = write(append(b, name...))
	}
	number := func(n int64) func([]byte) []byte {
		return func(b []byte) []byte { return strconv.AppendInt(append(b, '='), n, 10) }
	}
	text := func(s string) func([]byte) []byte {
		return func(b []byte) []byte { return appendQuoted(append(b, '='), s) }
	}
	word := func(s string) func([]byte) []byte {
		return func(b []byte) []byte { return append(append(b, '='), s...) }
	}
	flag := func(v bool) func([]byte) []byte {
		return func(b []byte) []byte {
			if v {
				return b
			}
			return append(b, "=false"...)
		}
	}
	item(keyBL, "bl", number(c.BufferLength.Milliseconds()))
	item(keyBR, "br", number(c.Bitrate/1000))
	item(keyBS, "bs", flag(c.Starved))
	item(keyCID, "cid", text(c.Content))
	item(keyD, "d", number(c.ObjectDuration.Milliseconds()))
	item(keyDL, "dl", number(c.Deadline.Milliseconds()))
	item(keyMTP, "mtp", number(c.Throughput/1000))
	item(keyNOR, "nor", text(c.NextObject))
	item(keyOT, "ot", word(c.ObjectType))
	item(keyPR, "pr", func(b []byte) []byte { return strconv.AppendFloat(append(b, '='), c.Rate, 'f', -1, 64) })
	item(keyRTP, "rtp", number(c.Requested/1000))
	item(keySF, "sf", word(c.Format))
	item(keySID, "sid", text(c.Session))
	item(keyST, "st", word(c.StreamType))
	item(keySU, "su", flag(c.Startup))
	item(keyTB, "tb", number(c.TopBitrate/1000))
	item(keyV, "v", number(c.Version))
	return string(b)
}

func appendQuoted(b []byte, s string) []byte {
	b = append(b, '"')
	for i := range len(s) {
		if s[i] == '"' || s[i] == '\\' {
			b = append(b, '\\')
		}
		b = append(b, s[i])
	}
	return append(b, '"')
}

package hls

import "encoding/hex"

// appendKeyLine appends an EXT-X-KEY line with its line feed. method NONE takes no attributes: uri and iv must be empty
// then. iv is left out if nil. keyFormat is the value of KEYFORMAT and, if there is a second one, of KEYFORMATVERSIONS;
// both are left out for the implicit "identity". See RFC 8216 section 4.3.2.4.
//
// What cannot stand in a quoted string or a URI (quotes, control characters, spaces, bytes from 0x80 up) is
// percent-encoded, so that neither a name nor a query that rides along can end the string or begin another line.
func appendKeyLine(dst []byte, method, uri string, iv *[16]byte, keyFormat ...string) []byte {
	dst = append(dst, "#EXT-X-KEY:METHOD="...)
	dst = append(dst, method...)
	if uri != "" {
		dst = appendQuoted(append(dst, ",URI="...), uri)
	}
	if iv != nil {
		dst = hex.AppendEncode(append(dst, ",IV=0x"...), iv[:])
	}
	for i, name := range []string{",KEYFORMAT=", ",KEYFORMATVERSIONS="} {
		if i < len(keyFormat) {
			dst = appendQuoted(append(dst, name...), keyFormat[i])
		}
	}
	return append(dst, '\n')
}

// appendQuoted appends s as a quoted string, see appendKeyLine.
func appendQuoted(dst []byte, s string) []byte {
	const digits = "0123456789ABCDEF"
	dst = append(dst, '"')
	for i := range len(s) {
		if c := s[i]; c > ' ' && c < 0x7f && c != '"' {
			dst = append(dst, c)
		} else {
			dst = append(dst, '%', digits[c>>4], digits[c&15])
		}
	}
	return append(dst, '"')
}

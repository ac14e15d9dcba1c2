package hls

import (
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/smoothkit/smoothkit/smooth"
)

// appendInterstitials writes what players are to put into the presentation, for which the list must have wall-clock
// times. Player support differs much; see the draft of RFC 8216bis, appendix D, for the attributes. Text in them comes
// from the presentation, so what an attribute cannot hold is left out.
func (m *mediaWriter) appendInterstitials(dst []byte) []byte {
	for i := range m.snap.Interstitials {
		in := &m.snap.Interstitials[i]
		start, ok := wallOf(m.snap, in.At, timescaleOf(m.snap.Manifest))
		if ok && isQuotable(in.ID) && isQuotable(in.URI) && isAbsolute(in.URI) {
			dst = appendInterstitial(dst, in, start)
		}
	}
	return dst
}

func appendInterstitial(dst []byte, in *smooth.Interstitial, start time.Time) []byte {
	dst = append(dst, `#EXT-X-DATERANGE:ID="`+in.ID+`",CLASS="com.apple.hls.interstitial",START-DATE="`...)
	dst = start.UTC().AppendFormat(dst, "2006-01-02T15:04:05.000Z")
	dst = append(dst, '"')
	if in.Duration > 0 {
		dst = appendSeconds(append(dst, ",DURATION="...), in.Duration)
	}
	dst = append(dst, `,X-ASSET-URI="`+in.URI+`",X-RESUME-OFFSET=`...)
	dst = appendSeconds(dst, in.Resume)
	dst = appendWords(dst, ",X-RESTRICT", word{"SKIP", in.NoSkip}, word{"JUMP", in.NoJump})
	return append(appendWords(dst, ",CUE", word{"PRE", in.Pre}, word{"POST", in.Post}, word{"ONCE", in.Once}), '\n')
}

// word is one of an enumerated list, if it is on.
type word struct {
	name string
	on   bool
}

// appendWords appends an attribute that is a quoted list, or nothing if no word is on.
func appendWords(dst []byte, attribute string, words ...word) []byte {
	before := len(dst)
	for _, w := range words {
		if !w.on {
			continue
		}
		if len(dst) == before {
			dst = append(dst, attribute+`="`...)
		} else {
			dst = append(dst, ',')
		}
		dst = append(dst, w.name...)
	}
	if len(dst) > before {
		dst = append(dst, '"')
	}
	return dst
}

// appendSeconds appends a duration in seconds, to the millisecond.
func appendSeconds(dst []byte, d time.Duration) []byte {
	return strconv.AppendFloat(dst, float64(d.Milliseconds())/1000, 'f', -1, 64)
}

// isQuotable reports whether a text may be a quoted string of RFC 8216 section 4.2.
func isQuotable(s string) bool { return s != "" && !strings.ContainsAny(s, "\"\r\n") }

func isAbsolute(s string) bool {
	u, err := url.Parse(s)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != ""
}

package manage

import (
	"mime"
	"net/http"
	"strconv"
	"strings"
)

// format is a form of documents.
type format uint8

const (
	atomFormat format = iota
	jsonFormat
)

// Media types.
const (
	typeAtom   = "application/atom+xml"
	typeXML    = "application/xml"
	typeJSON   = "application/json"
	typeEvents = "text/event-stream"
)

// answerFormat returns the form of the answer to a request: JSON if it asks for it by name, or says nothing and sends
// JSON itself; else Atom. See RFC 9110 section 12.5.1.
func answerFormat(r *http.Request) format {
	json, atom, wild := -1.0, -1.0, -1.0
	for _, value := range r.Header.Values("Accept") {
		for item := range strings.SplitSeq(value, ",") {
			kind, quality := mediaRange(item)
			switch kind {
			case typeJSON:
				json = max(json, quality)
			case typeAtom, typeXML, "text/xml":
				atom = max(atom, quality)
			case "*/*", "application/*":
				wild = max(wild, quality)
			}
		}
	}
	switch {
	case json > 0 && json > atom && json >= wild:
		return jsonFormat
	case json < 0 && atom <= 0 && contentFormat(r) == typeJSON:
		return jsonFormat
	}
	return atomFormat
}

// mediaRange returns an element of an Accept header in lower case and its weight. A malformed weight counts as zero.
func mediaRange(item string) (kind string, quality float64) {
	kind, params, _ := strings.Cut(item, ";")
	quality = 1
	for param := range strings.SplitSeq(params, ";") {
		name, value, _ := strings.Cut(param, "=")
		if !strings.EqualFold(strings.TrimSpace(name), "q") {
			continue
		}
		q, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
		if err != nil || !(q >= 0 && q <= 1) {
			q = 0
		}
		quality = q
	}
	return strings.ToLower(strings.TrimSpace(kind)), quality
}

// contentFormat returns the media type of the body of a request, without parameters and in lower case.
func contentFormat(r *http.Request) string {
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil {
		return ""
	}
	return kind
}

package livesmooth

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// pushKind is what a request below a publishing point is about, for an encoder or another server.
type pushKind uint8

const (
	// pushProbe is the publishing point itself: some encoders probe there before they push.
	pushProbe pushKind = iota
	// pushStream is "[Events(e)/]Streams(id)".
	pushStream
	// pushSegment is a file with one segment, or the header, of a track, as MPD and DASH-IF Interface 1 name them.
	pushSegment
	// pushManifest is an MPD or an HLS playlist that an encoder uploads beside its segments. Nobody needs it.
	pushManifest
	// pushServerManifest is "streammanifest", the list of streams that other servers ask for.
	pushServerManifest
)

// toServers reports whether other servers GET such a path.
func (k pushKind) toServers() bool { return k == pushStream || k == pushServerManifest }

// pushPath is a path below a publishing point.
type pushPath struct {
	// point is the name of the publishing point, as written.
	point string
	// event is the ID in Events(ID), input the one in Streams(ID) or what a segment is called after. Either may be empty.
	event, input string
	kind         pushKind
}

// maxPushID bounds the IDs of events and streams, in bytes.
const maxPushID = 256

// parsePushPath reads the path of a request, percent escapes decoded. It reports false if the path does not go below a
// publishing point, or is not one for encoders and servers. Names are recognised in any case, IDs are kept as they are. See
// [MS-SSTR] 2.2.7 and DASH-IF Live Media Ingest.
//
//	dir/name.isml
//	dir/name.isml/streammanifest
//	dir/name.isml[/Events(e)][/Switching(s)]/Streams(id[.cmfv|.cmfa|.cmft|.cmfm])
//	dir/name.isml[/Events(e)]/[dirs/]file.m4s|mp4|m4v|m4a|cmfv|cmfa|cmft|cmfm
//	dir/name.isml[/Events(e)]/[dirs/]file.mpd|m3u8
//
// The input of a segment is what stays the same from segment to segment, see segmentInput.
func parsePushPath(path string) (pushPath, bool) {
	point, rest, ok := splitPoint(strings.TrimPrefix(path, "/"))
	if !ok || !validPointName(point) {
		return pushPath{}, false
	}
	p := pushPath{point: point}
	if rest == "" {
		return p, true
	}
	elements := strings.Split(rest, "/")
	for _, e := range elements {
		if !validPushID(e) {
			return pushPath{}, false
		}
	}
	if id, ok := keyword(elements[0], "Events"); ok {
		p.event, elements = id, elements[1:]
	}
	if len(elements) > 0 {
		if _, ok := keyword(elements[0], "Switching"); ok {
			elements = elements[1:]
		}
	}
	if len(elements) == 0 {
		return pushPath{}, false
	}
	return p.below(elements)
}

// below reads what follows the point and the event.
func (p pushPath) below(elements []string) (pushPath, bool) {
	last := elements[len(elements)-1]
	if len(elements) == 1 {
		if equalFold(last, "streammanifest") {
			p.kind = pushServerManifest
			return p, p.event == ""
		}
		if id, ok := keyword(last, "Streams"); ok {
			p.kind, p.input = pushStream, id
			if stem, ext := splitExtension(id); isCMAF(ext) && validPushID(stem) {
				p.input = stem
			}
			return p, true
		}
	}
	for _, e := range elements {
		if strings.ContainsAny(e, "()") { // the URL of a viewer
			return pushPath{}, false
		}
	}
	switch _, ext := splitExtension(last); {
	case ext == "mpd" || ext == "m3u8":
		p.kind = pushManifest
		return p, true
	case ext == "m4s" || ext == "mp4" || ext == "m4v" || ext == "m4a" || isCMAF(ext):
		p.kind, p.input = pushSegment, segmentInput(elements)
		return p, true
	}
	return pushPath{}, false
}

// splitPoint splits a path behind the first element that names a publishing point. A slash at the end is ignored.
func splitPoint(path string) (point, rest string, ok bool) {
	for at := 0; at < len(path); {
		end := len(path)
		if i := strings.IndexByte(path[at:], '/'); i >= 0 {
			end = at + i
		}
		if isPointName(path[at:end]) {
			return path[:end], strings.TrimPrefix(path[end:], "/"), true
		}
		at = end + 1
	}
	return "", "", false
}

// keyword returns id of "Word(id)", if it is a valid one.
func keyword(element, word string) (string, bool) {
	n := len(word)
	if len(element) < n+3 || !equalFold(element[:n], word) || element[n] != '(' || element[len(element)-1] != ')' {
		return "", false
	}
	id := element[n+1 : len(element)-1]
	return id, validPushID(id)
}

// validPushID reports whether s can be an ID, or hold one as an element of a path: short text without control characters. The
// names of directories that mean something else are none, since archives are called after IDs.
func validPushID(s string) bool {
	return s != "" && s != "." && s != ".." && len(s) <= maxPushID && utf8.ValidString(s) && !strings.ContainsFunc(s, unicode.IsControl)
}

// splitExtension returns a name without its extension, and that in lower case.
func splitExtension(name string) (stem, ext string) {
	i := strings.LastIndexByte(name, '.')
	if i < 0 {
		return name, ""
	}
	return name[:i], strings.ToLower(name[i+1:])
}

func isCMAF(ext string) bool { return ext == "cmfv" || ext == "cmfa" || ext == "cmft" || ext == "cmfm" }

// segmentInput returns the input that a segment belongs to, given its path below the publishing point. A SegmentTemplate
// puts a number or a time into the names of media segments and usually a word such as init into that of the header, so
// the name without its extension is split into words at "-", "_" and "."; then
//
//   - words such as init, chunk and segment go, with digits at their end;
//   - if none of those said init, the last word goes if it is a number, or else the first one if that is.
//
// The directories and the words that are left, joined by "-", are the input:
//
//	init-stream0.m4s, chunk-stream0-00001.m4s          stream0
//	video/720p/init.mp4, video/720p/17.m4s             video-720p
//	audio_128k_init.cmfa, audio_128k_1700000000.cmfa   audio-128k
//
// If nothing is left, the kind of the extension is: video, audio, text, meta or stream.
func segmentInput(elements []string) string {
	n := len(elements) - 1
	stem, ext := splitExtension(elements[n])
	words, header := nameWords(stem)
	switch last := len(words) - 1; {
	case header || last < 0:
	case isNumber(words[last]):
		words = words[:last]
	case isNumber(words[0]):
		words = words[1:]
	}
	words = append(append([]string(nil), elements[:n]...), words...)
	id := strings.Join(words, "-")
	switch {
	case id == "":
		return extensionKind(ext)
	case len(id) > maxPushID: // many directories: their ends tell inputs apart
		return strings.ToValidUTF8(id[len(id)-maxPushID:], "")
	}
	return id
}

// nameWords splits a name into words without those that say which part of a track it is. header tells that one said init.
func nameWords(stem string) (words []string, header bool) {
	for _, w := range strings.FieldsFunc(stem, func(r rune) bool { return r == '-' || r == '_' || r == '.' }) {
		switch strings.ToLower(strings.TrimRight(w, "0123456789")) {
		case "init", "initialization", "initialisation", "header":
			header = true
		case "chunk", "segment", "seg", "fragment", "frag":
		default:
			words = append(words, w)
		}
	}
	return words, header
}

func isNumber(s string) bool { return strings.Trim(s, "0123456789") == "" }

func extensionKind(ext string) string {
	switch ext {
	case "cmfv", "m4v":
		return "video"
	case "cmfa", "m4a":
		return "audio"
	case "cmft":
		return "text"
	case "cmfm":
		return "meta"
	}
	return "stream"
}

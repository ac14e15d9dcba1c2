package playlist

import (
	"io/fs"
	"net/url"
	"strings"
)

// maxSource bounds the source of an entry, in bytes.
const maxSource = 4 << 10

// place is where the content of an entry is: a file, or a URL elsewhere.
type place struct {
	// remote is the URL of what is elsewhere, nil for a file.
	remote *url.URL
	// root is the name of the file system that physical paths are mapped to, empty for that of the handler.
	root string
	// file is the path of a file, valid in the sense of [fs.ValidPath] and never ".".
	file string
	// query and fragment are those of a relative URI as they are written, without ? and #. They are no part of file.
	query, fragment string
}

// resolvePlace returns the place of a source that is not a question (see [isQuestion]) of an entry of list, the place of
// its playlist. What a relative URI names is in the same root as the playlist, or on the same host. Physical paths are
// allowed if roots is not nil and the playlist is a file here: what comes from elsewhere cannot name files. Errors wrap
// [ErrForbiddenSource].
func resolvePlace(list place, t SrcType, src string, roots *physicalRoots) (place, error) {
	src = strings.TrimSpace(src)
	if len(src) > maxSource {
		return place{}, forbidden("longer than "+maxSourceText, src[:64]+"...")
	}
	switch t {
	case RelativeURI:
		if list.remote != nil {
			return relativeToRemote(list.remote, src)
		}
		return relativeURI(list, src)
	case PhysicalPath:
		if roots == nil || list.remote != nil {
			return place{}, forbidden("physical paths are not allowed", src)
		}
		return roots.resolve(src)
	case RemoteURL:
		u, err := parseRemote(src)
		return place{remote: u}, err
	}
	return place{}, forbidden("unknown type of source", src)
}

const maxSourceText = "4,096 bytes"

// relativeURI resolves a URI against the path of the playlist. It is decoded once; a backslash separates as a slash
// does; a path that begins with one is relative to the root. Unlike RFC 3986 section 5.2.4, which drops what leads above
// the root, that is an error. An encoded separator would be part of a name, which no system can have.
func relativeURI(list place, src string) (place, error) {
	ref, fragment, _ := strings.Cut(src, "#")
	ref, query, _ := strings.Cut(ref, "?")
	if hidesSeparator(ref) {
		return place{}, forbidden("encoded separator", src)
	}
	decoded := decodeEscapes(ref)
	switch {
	case len(decoded) > 1 && isSeparator(decoded[0]) && isSeparator(decoded[1]):
		return place{}, forbidden("relative URI with a host", src)
	case decoded == "" || !isSeparator(decoded[0]):
		decoded = list.file[:strings.LastIndexByte(list.file, '/')+1] + decoded
	}
	file, why := joinFile(decoded)
	if why != "" {
		return place{}, forbidden(why, src)
	}
	return place{root: list.root, file: file, query: query, fragment: fragment}, nil
}

// joinFile returns the plain path of a file below the root, or why there is none.
func joinFile(name string) (file, why string) {
	if last := name[strings.LastIndexAny(name, `/\`)+1:]; last == "" || last == "." || last == ".." {
		return "", "names no file"
	}
	elements, why := walk(name)
	if why != "" {
		return "", why
	}
	file = strings.Join(elements, "/")
	if !fs.ValidPath(file) || file == "." {
		return "", "no valid path"
	}
	return file, ""
}

// relativeToRemote resolves a URI against the URL of a playlist that is elsewhere. It stays on its host.
func relativeToRemote(list *url.URL, src string) (place, error) {
	cut := len(src)
	if i := strings.IndexAny(src, "?#"); i >= 0 {
		cut = i
	}
	ref, err := url.Parse(strings.ReplaceAll(src[:cut], `\`, "/") + src[cut:])
	if err != nil || ref.Scheme != "" || ref.Host != "" || ref.User != nil {
		return place{}, forbidden("no relative URI", src)
	}
	u, err := parseRemote(list.ResolveReference(ref).String())
	return place{remote: u}, err
}

package archive

import (
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/smoothkit/smoothkit/smooth"
)

// Names of files, besides those of the presentations. See the layout in the documentation of the package.
const (
	eventFile        = "event.json"
	journalExtension = ".journal"
	holdExtension    = ".hold"
	eventsSuffix     = "-isml" // of the directory of the events of a point
	stampLayout      = "20060102T150405Z"
)

// pointDir returns the directory of the events of a publishing point, such as live/demo-isml, below the path that the settings
// name, and the name of its presentations, demo. A path that leads elsewhere, as those of IIS do, counts as none; clean tells.
func pointDir(e *smooth.EventInfo) (dir, base string, clean bool) {
	dir, file := path.Split(e.Point)
	base = strings.TrimSuffix(file, path.Ext(file))
	root, clean := archivePath(e.Archive.Path)
	return path.Join(root, dir, base+eventsSuffix), base, clean
}

// archivePath returns the directory that Settings.Archive.Path names below the archive.
func archivePath(p string) (dir string, clean bool) {
	if p == "" {
		return "", true
	}
	p = path.Clean(strings.ReplaceAll(p, `\`, "/"))
	if path.IsAbs(p) || strings.ContainsAny(p, "%:\x00") || p == ".." || strings.HasPrefix(p, "../") {
		return "", false
	}
	return p, true
}

// eventName returns the name of the directory of an event.
func eventName(e *smooth.EventInfo) string {
	if e.Archive.EventIDOnPath && e.ID != "" {
		return safeName(e.ID)
	}
	return e.Started.UTC().Format(stampLayout)
}

// attempt returns the name to try after n others were taken.
func attempt(name string, n int) string {
	if n == 0 {
		return name
	}
	return name + "-" + strconv.Itoa(n+1)
}

// safeName makes a name for a file of an identifier of any kind: what some file system does not allow becomes an underscore.
func safeName(id string) string {
	const most = 100 // bytes; the limit of file systems is 255
	b := []byte(id)
	for i, c := range b {
		letter := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
		if !letter && c != '-' && c != '_' && !(c == '.' && i > 0) {
			b[i] = '_'
		}
	}
	name := strings.TrimRight(string(b[:min(len(b), most)]), ".")
	if name == "" || reserved(name) {
		return "_" + name
	}
	return name
}

// reserved reports names that Windows keeps for devices, whatever their extension.
func reserved(name string) bool {
	stem, _, _ := strings.Cut(strings.ToUpper(name), ".")
	switch stem {
	case "CON", "PRN", "AUX", "NUL":
		return true
	}
	return len(stem) == 4 && (stem[:3] == "COM" || stem[:3] == "LPT") && '0' <= stem[3] && stem[3] <= '9'
}

// mediaExtension returns that of a file with tracks of these types.
func mediaExtension(tracks []smooth.InputTrack) string {
	has := make(map[smooth.StreamType]bool)
	for i := range tracks {
		has[tracks[i].Stream.Type] = true
	}
	switch {
	case has[smooth.Video] || len(has) == 0:
		return ".ismv"
	case has[smooth.Audio]:
		return ".isma"
	}
	return ".ismt"
}

func segmentDir(event string, number int) string { return path.Join(event, strconv.Itoa(number)) }

// scale is the number of ticks per second in everything that is recorded.
const scale = smooth.DefaultTimescale

// ticks converts a length of time.
func ticks(d time.Duration) uint64 { return uint64(max(d, 0) / 100) }

// duration converts a number of ticks, at most ten days, as no part of what clocks tell of each other is longer.
func duration(ticks uint64) time.Duration { return time.Duration(min(ticks, 10*24*3600*scale)) * 100 }

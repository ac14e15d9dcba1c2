package playlist

import "time"

// Limits of documents.
const (
	// MaxDocument is the largest document that is read, in bytes.
	MaxDocument = 4 << 20
	// MaxDepth is the deepest nesting of elements that is read.
	MaxDepth = 32
	// MaxEntries is the largest number of entries of a playlist.
	MaxEntries = 10_000
	// MaxValue is the longest attribute or text that is read, in bytes.
	MaxValue = 64 << 10
)

// Playlist is a list of entries in play order: what an .isx file says, or a provider made up. It must not be changed
// once a handler has it.
type Playlist struct {
	Title string
	// Description is a note of the administrator. It is never sent to clients.
	Description string
	// ExtraParam is ASX markup that is copied into the ASX element.
	ExtraParam string
	// Modified is the time of the last change. Zero means unknown.
	Modified time.Time
	// InactivityTimeout and TimeToLive are those of sessions of this playlist where it is the outermost. Zero means
	// those of the handler.
	InactivityTimeout, TimeToLive time.Duration
	Entries                       []Entry
	// Warnings are what the parser did not understand, in order of the document.
	Warnings []Warning
}

// Entry is one thing to play: a file, a presentation, something elsewhere, or another playlist.
type Entry struct {
	// Src says where it is, in the form that SrcType names; or an httpd:// URL, whose answer is such a place.
	Src     string
	SrcType SrcType
	Title   string
	// ExtraParam is ASX markup that is copied into the ENTRY element, such as a DURATION.
	ExtraParam string
	// NoSeek, NoSkipForward and NoSkipBack are what the viewer may not do: seek inside the entry, leave it before its
	// end, return to it or to what is before it. They are the opposites of canSeek, canSkipForward and canSkipBack.
	NoSeek, NoSkipForward, NoSkipBack bool
	// Duration is how long the entry plays, if that is known without looking at it, as from a DURATION in ExtraParam.
	Duration time.Duration
	// Role is what the entry is for, such as "advertisement": a param of this package, not of IIS.
	Role string
}

// Locked reports whether the entry has any rule.
func (e *Entry) Locked() bool { return e.NoSeek || e.NoSkipForward || e.NoSkipBack }

// SrcType says how the source of an entry is to be read. The numbers are those of IIS's provider interface.
type SrcType int

// The types of sources.
const (
	// PhysicalPath is a path of the server's file system, such as C:\media\a.wmv or \\server\share\a.wmv, which is only
	// read if absolute paths are allowed.
	PhysicalPath SrcType = iota
	// RelativeURI is relative to the URL of the playlist.
	RelativeURI
	// RemoteURL is an http or https URL of media or of another playlist.
	RemoteURL
)

// String returns the word of .isx files.
func (t SrcType) String() string {
	switch t {
	case PhysicalPath:
		return "physicalPath"
	case RelativeURI:
		return "relativeURI"
	case RemoteURL:
		return "remoteURL"
	}
	return "unknown"
}

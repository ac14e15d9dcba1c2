package smooth

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Sentinels a caller acts on. Match them with [errors.Is]; every error that a package of the suite returns
// for one of these situations wraps the sentinel.
var (
	// ErrNotFound: the presentation, stream, quality level, fragment or format does not exist.
	ErrNotFound = errors.New("not found")
	// ErrNotYet: a live fragment at or after the live edge; it may exist later. See [MS-SSTR] 2.2.6 (status 412).
	ErrNotYet = errors.New("not available yet")
	// ErrGone: a live fragment that existed and has left the DVR window.
	ErrGone = errors.New("left the DVR window")
	// ErrBadRequest: the request URL does not follow the grammar of [MS-SSTR] 2.2.1 and 2.2.3, or a filter is malformed
	// or contradicts itself.
	ErrBadRequest = errors.New("malformed request")
	// ErrUnsupported: the content exists but cannot be shown in the form that was asked for.
	ErrUnsupported = errors.New("unsupported content")
	// ErrTooLarge: a size or count in the input is above a documented limit.
	ErrTooLarge = errors.New("too large")
	// ErrCorrupt: a file contradicts its format or another file of the same presentation.
	ErrCorrupt = errors.New("corrupt input")
	// ErrClosed: the presentation or source was closed.
	ErrClosed = errors.New("closed")
)

// FileError says where in a file of a presentation something is wrong and what an operator can do about it.
// It unwraps to [ErrCorrupt], [ErrTooLarge], [ErrUnsupported] or the error of the file system.
type FileError struct {
	// File is the path of the file, relative to the source's root.
	File string
	// Path is the place inside the file: a box path such as "moov/trak/mdia/mdhd", or an XML element path.
	Path string
	// Offset is the byte offset in the file, or -1 if unknown.
	Offset int64
	// Line is the line of an XML file, counted from 1, or 0.
	Line int
	// Reason names the numbers that disagree.
	Reason string
	// Remedy says what to do, or is empty.
	Remedy string
	// Err is the sentinel or cause.
	Err error
}

// remedyFor returns the remedy for a file that is as the sentinel says, where nothing better is known.
func remedyFor(sentinel error) string {
	switch sentinel {
	case ErrCorrupt:
		return "copy the file again or package it anew"
	case ErrTooLarge:
		return "divide the presentation or package it anew"
	case ErrUnsupported:
		return "package it anew"
	}
	return ""
}

// Error implements error.
func (e *FileError) Error() string {
	var b strings.Builder
	b.WriteString("smooth: ")
	b.WriteString(e.File)
	if e.Line > 0 {
		fmt.Fprintf(&b, ":%d", e.Line)
	}
	if e.Path != "" {
		b.WriteString(": ")
		b.WriteString(e.Path)
	}
	if e.Offset >= 0 && e.Line == 0 {
		fmt.Fprintf(&b, " at byte %d", e.Offset)
	}
	if e.Reason != "" {
		b.WriteString(": ")
		b.WriteString(e.Reason)
	} else if e.Err != nil {
		b.WriteString(": ")
		b.WriteString(e.Err.Error())
	}
	if e.Remedy != "" {
		b.WriteString(" (")
		b.WriteString(e.Remedy)
		b.WriteString(")")
	}
	return b.String()
}

// Unwrap returns the sentinel or cause.
func (e *FileError) Unwrap() error { return e.Err }

// An UnsupportedError says which track of a presentation cannot be shown in a format, and why. It wraps
// [ErrUnsupported]. Its text is sent to the client, so it must not name files.
type UnsupportedError struct {
	// Stream and Bitrate name the track. Bitrate may be zero.
	Stream  string
	Bitrate uint64
	// Format is the value of the format option.
	Format string
	// Reason in a few words, such as "VC-1 has no place in MPEG-2 TS".
	Reason string
}

// Error implements error.
func (e *UnsupportedError) Error() string {
	s := "smooth: stream " + strconv.Quote(e.Stream)
	if e.Bitrate != 0 {
		s += " at " + strconv.FormatUint(e.Bitrate, 10) + " bits/s"
	}
	if e.Format != "" {
		s += " as " + e.Format
	}
	return s + ": " + e.Reason
}

// Unwrap returns [ErrUnsupported].
func (e *UnsupportedError) Unwrap() error { return ErrUnsupported }

package playlist

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// AppendISX appends the playlist as an .isx file in the form that the user interface of IIS wrote, and returns the
// extended buffer. [ParseISX] reads what it writes as equal, but for Modified and Warnings, which the file does not
// have, and a Duration that does not come from ExtraParam.
//
// The error wraps [ErrTooLarge] for what is above the limits of the package, and [ErrSyntax] for a text with characters
// that XML has no form for, an entry without source, a type of source that is none, and timeouts that are not whole
// minutes from 1 to 525600.
func (p *Playlist) AppendISX(dst []byte) ([]byte, error) {
	if len(p.Entries) > MaxEntries {
		return nil, fmt.Errorf("playlist: isx: %d entries, limit %d: %w", len(p.Entries), MaxEntries, ErrTooLarge)
	}
	w := isxWriter{b: dst}
	from := len(dst)
	w.raw(`<?xml version="1.0" encoding="UTF-8"?>` + "\n" + isxDoctype + "\n" + `<smil xmlns="` + isxNamespace + "\">\n    <head>\n")
	w.metaIf(nameExtraParam, p.ExtraParam)
	w.metaIf(nameTitle, p.Title)
	w.metaIf(nameDescription, p.Description)
	w.minutesIf(nameInactivity, p.InactivityTimeout)
	w.minutesIf(nameTimeToLive, p.TimeToLive)
	w.raw("    </head>\n    <body>\n        <seq>\n")
	for i := range p.Entries {
		w.entry(i, &p.Entries[i])
		if len(w.b)-from > MaxDocument {
			return nil, fmt.Errorf("playlist: isx: more than %d bytes at entry %d: %w", MaxDocument, i+1, ErrTooLarge)
		}
	}
	w.raw("        </seq>\n    </body>\n</smil>")
	if w.err == nil && len(w.b)-from > MaxDocument {
		w.err = fmt.Errorf("playlist: isx: %d bytes, limit %d: %w", len(w.b)-from, MaxDocument, ErrTooLarge)
	}
	if w.err != nil {
		return nil, w.err
	}
	return w.b, nil
}

// isxWriter appends elements. The first thing that cannot be written becomes err.
type isxWriter struct {
	b           []byte
	entryNumber int // from 1, zero in the head
	err         error
}

func (w *isxWriter) fail(name string, sentinel error, format string, args ...any) {
	if w.err != nil {
		return
	}
	where := ""
	if w.entryNumber > 0 {
		where = fmt.Sprintf("entry %d: ", w.entryNumber)
	}
	w.err = fmt.Errorf("playlist: isx: %s%s: %s: %w", where, name, fmt.Sprintf(format, args...), sentinel)
}

func (w *isxWriter) raw(s string) { w.b = append(w.b, s...) }

// value appends a value of what has a name.
func (w *isxWriter) value(name, s string) {
	if len(s) > MaxValue {
		w.fail(name, ErrTooLarge, "%d bytes, limit %d", len(s), MaxValue)
		return
	}
	if i := invalidXML(s); i >= 0 {
		w.fail(name, ErrSyntax, "character at byte %d has no form in XML", i)
		return
	}
	w.b = appendEscaped(w.b, s, "'")
}

func (w *isxWriter) metaIf(name, value string) {
	if value == "" {
		return
	}
	w.raw(`        <meta name="` + name + `" content="`)
	w.value(name, value)
	w.raw("\" />\n")
}

func (w *isxWriter) minutesIf(name string, d time.Duration) {
	if d == 0 {
		return
	}
	n := int64(d / time.Minute)
	if d%time.Minute != 0 || n < 1 || n > maxMinutes {
		w.fail(name, ErrSyntax, "%v is not from 1 to %d whole minutes", d, maxMinutes)
	}
	w.metaIf(name, strconv.FormatInt(n, 10))
}

func (w *isxWriter) entry(i int, e *Entry) {
	w.entryNumber = i + 1
	src := strings.Trim(e.Src, " \t\r\n")
	if src == "" {
		w.fail("src", ErrSyntax, "empty")
	}
	if e.SrcType < PhysicalPath || e.SrcType > RemoteURL {
		w.fail(nameSrcType, ErrSyntax, "%d is no type of source", int(e.SrcType))
	}
	w.raw(`            <ref src="`)
	w.value("src", src)
	w.raw("\">\n")
	w.param(nameSrcType, e.SrcType.String())
	w.can(nameCanSkipForward, e.NoSkipForward)
	w.can(nameCanSkipBack, e.NoSkipBack)
	w.can(nameCanSeek, e.NoSeek)
	w.param(nameExtraParam, e.ExtraParam)
	w.param(nameTitle, e.Title)
	if e.Role != "" {
		w.param(nameRole, e.Role)
	}
	w.raw("            </ref>\n")
}

func (w *isxWriter) param(name, value string) {
	w.raw(`                <param name="` + name + `" value="`)
	w.value(name, value)
	w.raw("\" />\n")
}

// can writes what the viewer can do, the opposite of a rule.
func (w *isxWriter) can(name string, not bool) {
	if not {
		w.param(name, "False")
	} else {
		w.param(name, "True")
	}
}

package usage

import "net/http"

// Note is what a handler knows of a request that the recorder does not.
type Note struct {
	// User and Session replace what [Options].User and Options.Session say, if they are not empty.
	User, Session string
	// Class, if set, replaces what [Options].Classify says.
	Class *Class
}

// Annotate adds to what is recorded of a request. It is for handlers behind that of a [Recorder], and must be called on the
// request's goroutine before the status is written: who is let in, and under which session. w may be wrapped by others that
// have Unwrap. It reports whether there is a recorder.
func Annotate(w http.ResponseWriter, note Note) bool {
	for {
		if x, ok := w.(*response); ok {
			x.annotate(note)
			return true
		}
		inner, ok := w.(interface{ Unwrap() http.ResponseWriter })
		if !ok {
			return false
		}
		w = inner.Unwrap()
	}
}

func (x *response) annotate(note Note) {
	if note.User != "" {
		x.record.User = note.User
	}
	if note.Session != "" {
		x.sessionID = note.Session
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if note.Class != nil && x.pushed == nil && x.record.Status == 0 {
		x.record.Class = *note.Class
		x.record.Class.repair()
	}
}

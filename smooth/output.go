package smooth

import "net/http"

// An Output shows presentations in another format. Register it with [HandlerOptions].Outputs; the handler then
// dispatches manifest, track manifest and fragment requests that carry one of its formats. It is safe for
// concurrent use.
type Output interface {
	// Formats returns the values of the format option that the output answers, such as "m3u8-aapl". Requests may
	// write them in any case.
	Formats() []string
	// Serve answers one GET or HEAD request for p, to which the filters of the request have been applied; the handler
	// closes p. CORS headers are set. It sets Content-Type, Cache-Control and ETag itself. URLs in the answer come
	// from [Request.Child] and [Request.AppendChild].
	//
	// An error that it returns has not been written to w; the handler turns it into a status as it does for its own,
	// and breaks the connection if part of an answer was sent. An [UnsupportedError] tells the client which track
	// cannot be shown. w is an [io.ReaderFrom], so [Fragment.WritePayload] reaches sendfile through it, and an
	// [http.ResponseController] reaches flush and deadlines.
	Serve(w http.ResponseWriter, r *http.Request, req *Request, p Presentation) error
}

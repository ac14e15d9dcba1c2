package smooth

import "net/http"

// An Output shows presentations in another format. Register it with [HandlerOptions].Outputs; the handler then
// dispatches manifest and fragment requests that carry one of its formats. It is safe for concurrent use.
type Output interface {
	// Formats returns the values of the format option that the output answers, such as "m3u8-aapl".
	Formats() []string
	// Serve answers one request. An error that it returns has not been written to w; the handler turns it into a
	// status as it does for its own.
	Serve(w http.ResponseWriter, r *http.Request, req *Request, p Presentation) error
}

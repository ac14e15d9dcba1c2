// Package console is the operator's console of the media server: pages about what it serves, to whom and how well, drawn on
// the server and kept up to date by server-sent events.
//
//	c := console.New(source, &console.Options{Version: version})
//	mux.Handle("/console/", http.StripPrefix("/console", c))
//	defer c.Close()
//
// # Objects
//
// A [Source] is the server as the console sees it; what it returns are plain values, see model.go. A [Console] is the
// [http.Handler] of the pages. A page is a frame with sections; a section is a piece of HTML with an identifier, drawn by
// html/template from values of the source. While a page is open its sections are drawn again and again, once for all
// browsers that have the same page open, and those that have changed are sent. What the source has not (no edge cache, no
// archive) is not shown.
//
// All pages work without scripts: commands and searches are forms, parts of a timeline are links. Scripts add the updates, the
// cursor of charts, and copying of addresses. Elements have attributes for tests to find them by, such as data-point,
// data-state, data-number, data-chart, data-listener, data-alarm, data-presentation, data-output and data-zoom.
//
// # Security
//
// The console does not ask who somebody is: put an authenticating handler in front. Commands are POST forms which need a
// token that belongs to the browser's cookie and are refused across origins. Pages carry a Content-Security-Policy without
// inline scripts and styles. Errors of the source are logged and not shown, but for [ErrNotFound] and [ErrState].
//
// # Not here
//
// Nobody logs in here, nothing is configured here, and no numbers are kept but the incoming bit rate of publishing points
// over the last hour.
//
// # Specifications
//
// Server-sent events: HTML Living Standard, section 9.2. Content Security Policy Level 3. Fetch Metadata Request Headers.
package console

// Package usage tells who watches what: viewer sessions, counters, logs in the W3C extended format, events.
//
//	rec, err := usage.New(nil)
//	...
//	http.Handle("/", rec.Handler(smooth.NewHandler(source, nil)))
package usage

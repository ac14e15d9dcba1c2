// Package edit makes new presentations of recorded ones: it joins the segments of an event, cuts out a span, and writes whatever a
// [smooth.Source] can open as files.
//
//	store, err := archive.Dir("media/archives")
//	...
//	whole, err := edit.Merge(ctx, store, "live/demo-isml/20260702T120000Z", store, "demo", nil)
//	...
//	goal, err := edit.Trim(ctx, presentation, smooth.AtTicks(from, second), smooth.AtTicks(to, second), store, "goals", "first", nil)
//
// # What is written
//
// A file per quality level (.ismv, .isma, .ismt) with ftyp, moov, the fragments in order of time, and mfra; then the client manifest
// (.ismc), and last the server manifest (.ism), before which nobody takes the files for a presentation. Everything is on the disk when a
// function returns. After an error nothing is left; after a crash there may be media files, but no .ism. Files that exist are never
// replaced, and what is read is never changed.
//
// Samples are copied as they are and cuts are made between fragments, so nothing is encoded anew. The fragments are those of the source
// byte for byte, with their times, unless [Options.Rebase] moves them.
//
// # Not here
//
// Recordings that a crash has left, which package repair brings in order first.
package edit

// Package remote makes a [smooth.Source] of any origin that speaks Smooth Streaming: IIS, Azure Media Services or a
// server of this module, on demand and live. With it a server fronts an old origin, caches for it, and turns what it
// has into the formats of its outputs, such as HLS:
//
//	src, err := remote.New("http://old-iis/video/", nil)
//	...
//	http.Handle("/video/", http.StripPrefix("/video", smooth.NewHandler(src, &smooth.HandlerOptions{Outputs: outputs})))
//
// [Open] opens one presentation by the URL of its manifest instead.
//
// # How it works
//
// A presentation is opened by its client manifest, and its fragments are asked for by the URL templates in there. A
// level whose codec configuration the manifest does not tell is left out, with a line in the log. Fragments pass
// through as they are, byte for byte; only those that some clients could not play (without tfxd, or with boxes in
// another order) get a canonical head. Requests for one thing share one request to the origin, and a small cache in
// memory keeps the fragments used last. An origin that does not answer is replaced by a fallback.
//
// # Live
//
// A live presentation follows its origin in two ways: the manifest is polled every half fragment while somebody uses
// the presentation, and the tfrf boxes of fragments that pass tell the times of the next ones. What the origin lists is
// listed, and so is a fragment that has been fetched, since then the origin gives it out. The window is that of the
// origin. What lies ahead is [smooth.ErrNotYet], and a [smooth.Waiter] waits for it.
//
// When the origin begins anew (its times go back, or are others) a new period follows with the next discontinuity
// number; when levels go or change, a period begins where the list did not reach yet. An origin that goes back to the
// same times is told from an old copy in a cache by its persistence. Wall-clock times are known only if the manifest
// states the time at zero (timeScaleZeroPoint), or the ticks of a live presentation are plainly those of the clock.
//
// # Trust
//
// What comes from the origin is bounded and checked. Redirects are followed as the [net/http.Client] does, and
// templates may name other hosts, but credentials go to configured hosts only. Nothing of a viewer's request is passed
// on, names and times of presentations excepted. Names that do not end in .ism or .isml and times that are neither
// listed nor next cost no request.
//
// # Not here
//
// Sizes of fragments without fetching them and lists of presentations, for which the protocol has nothing. Composite
// manifests: [smooth.OpenComposite] plays them from a source of this package. Answers on disk, and feeding publishing
// points: that is package livesmooth with a pull source.
//
// # Specifications
//
// [MS-SSTR] 2.2.2 (manifest), 2.2.3 (fragment requests), 2.2.4 (fragments, tfxd, tfrf), 2.2.5 (sparse stream pointers)
// and 2.2.6 (status 412); RFC 3986 and RFC 9110.
//
// [MS-SSTR]: https://learn.microsoft.com/en-us/openspecs/windows_protocols/ms-sstr/
package remote

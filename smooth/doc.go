// Package smooth serves Smooth Streaming presentations and holds the vocabulary of the suite.
//
// The smallest server is one line in an application of your own:
//
//	http.Handle("/video/", http.StripPrefix("/video", smooth.NewHandler(smooth.Dir("media", nil), nil)))
//
// It serves every presentation below the directory media as IIS did: Manifest, Fragments, FragmentInfo, RawFragments
// and KeyFrames requests, manifest(format=fmp4-v20), filters, composite manifests and the policy files of Silverlight
// and Flash.
//
// # Objects
//
// A [Source] opens a [Presentation] by name; [Dir], [FS] and [NewFileSource] make one of files. A presentation gives a
// [Snapshot], its immutable state with the [Manifest], and a [Fragment] per [FragmentKey], a loan that the caller
// closes. A [Handler] parses a URL into a [Request], applies its [Filter], and sends manifest and fragments, or hands
// the request to an [Output] for another format. [NewFiltered] and [OpenComposite] make presentations of others.
// [ParseManifest], [ParseServerManifest] and [ParseRequest] read the documents and URLs by themselves, and every type
// can be built and written too.
//
// # Time
//
// Media time is counted in ticks, as uint64, in the timescale that stands beside it; [Rescale] converts. A
// [time.Duration] is wall-clock time, but for the options that say how long something wanted is. Spans are half-open:
// the end does not belong to them.
//
// # Errors
//
// Errors wrap one of the sentinels in this package; a [FileError] says where in which file, an [UnsupportedError]
// which track. [Handler] turns them into statuses:
//
//	ErrBadRequest                                400
//	ErrNotFound, ErrGone                         404
//	ErrNotYet                                    412, empty body
//	ErrUnsupported                               415
//	ErrCorrupt, ErrTooLarge, everything else     500
//	ErrClosed, a context that has ended          503
//
// # Not here
//
// Live ingest, which is package livesmooth, other formats than Smooth Streaming, encryption and access control. Making
// presentations is package packager, checking them package validate, origins on other machines package remote, help for
// tests package smoothtest.
//
// # Specifications
//
// [MS-SSTR] Smooth Streaming Protocol, with the observed behaviour of IIS and clients where it differs; the manifest
// documentation of IIS Media Services; the HEVC amendment and the dynamic manifests of Azure Media Services; PIFF 1.1;
// ISO/IEC 14496-12 and 14496-15; RFC 9110.
//
// [MS-SSTR]: https://learn.microsoft.com/en-us/openspecs/windows_protocols/ms-sstr/
package smooth

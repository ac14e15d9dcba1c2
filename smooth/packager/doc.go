// Package packager turns ordinary MP4 files into an on-demand Smooth Streaming presentation: NAME.ism, NAME.ismc and
// one fragmented file per track (.ismv, .isma, .ismt), as IIS and every client accept them.
//
// Each input may hold one video and any number of audio tracks; the videos are renditions of one picture and become
// the quality levels of one stream. Fragments start at sync samples that all renditions have, so encode them with the
// same fixed key frame interval. Samples are copied, never encoded again; nothing is encrypted. Text inputs, TTML or
// WebVTT, become streams of TTML documents, one per fragment. [Package] does one job, a [Watcher] those that are put
// into a directory.
//
//	res, err := packager.Package(ctx, packager.Job{
//		Inputs: []packager.Input{{Path: "film_3000.mp4"}, {Path: "film_800.mp4"}, {Path: "film.en.vtt"}},
//		Dir:    "media", Name: "film",
//	})
//
// The timeline is 10 MHz. A fragment's time is the decode time of its first sample, and presentation times are those
// of the inputs' edit lists, all moved by the same amount, such as 80 ms, where B-frames would make decode times
// negative; so sound and picture stay exactly in step. [smooth.Dir] fragments MP4 files that are not packaged at the
// same places.
//
// Each input is read once, in the order of its bytes where tracks are interleaved, while large blocks are written to all
// outputs. Memory is a few megabytes per input that is read at the same time, and the size of the moov boxes.
//
// Specifications: [MS-SSTR] 2.2.2 and 2.2.4, PIFF 1.1, ISO/IEC 14496-12, TTML1, WebVTT.
package packager

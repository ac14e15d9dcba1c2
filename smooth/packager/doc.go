// Package packager turns ordinary MP4 files into an on-demand Smooth Streaming presentation: NAME.ism, NAME.ismc and
// one fragmented file per track, as IIS and every client accept them.
//
// Each input may hold one video and any number of audio tracks; the videos are renditions of one picture and become
// the quality levels of one stream. Fragments start at sync samples that all renditions have. Samples are copied, never
// encoded again. Text inputs, TTML or WebVTT, become streams of TTML documents, one per fragment.
//
// See [MS-SSTR] 2.2.4, PIFF 1.1 and ISO/IEC 14496-12.
package packager

// Package fmp4 is the trust boundary for ISO base media files: bounded scanning and parsing of untrusted boxes, and
// the writing of fragment headers. Nothing else that serves or packages reads MP4 boxes from a file or the network; package
// validate has a reader of its own on purpose.
//
// Every size and count is checked against the bytes that are really there before anything is allocated or skipped,
// and an error in the structure of a file is an [*Error] that names the box path and the offset. Parsed values alias the
// bytes they were parsed from. The content of sample entries and most parameter sets are left to mp4ff, behind
// [ParseEntry], [DecodeEntryBox], [DecodeAVCConfig] and [DecodeHEVCConfig].
//
// Specifications: ISO/IEC 14496-12 (boxes), [MS-SSTR] 2.2.4 (Smooth fragments), PIFF 1.1 (protection boxes).
package fmp4

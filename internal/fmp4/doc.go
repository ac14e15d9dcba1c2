// Package fmp4 is the trust boundary for ISO base media files: bounded scanning and parsing of untrusted boxes, and
// the writing of fragment headers. Nothing else of the module reads MP4 boxes from a file or the network.
//
// Every size and count is checked against the bytes that are really there before anything is allocated or skipped,
// and every error is an [*Error] that names the box path and the offset. Parsed values alias the bytes they were
// parsed from. Sample entries and parameter sets are left to mp4ff, behind [ParseEntry] and [DecodeEntryBox].
//
// Specifications: ISO/IEC 14496-12 (boxes), [MS-SSTR] 2.2.4 (Smooth fragments), PIFF 1.1 (protection boxes).
package fmp4

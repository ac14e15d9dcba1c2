// Package validate checks a Smooth Streaming presentation against its specification and the needs of real clients.
//
// It reads a presentation as a client does, over HTTP ([URL]), or a single document: a client or composite manifest
// ([Manifest]) or a fragment ([Fragment]). Every requirement is a [Rule] with a stable id, a severity
// and the clause it comes from; [Rules] lists them all. A [Violation] names the rule, the place and the numbers that
// disagree. Errors break the specification; warnings are things that some client is known to stumble over.
//
// The package deliberately does not use the parsers of the rest of the suite: it walks the XML tokens and the boxes
// itself, strictly, so that it does not share a fault with the server it checks.
//
// Specifications: [MS-SSTR] Smooth Streaming Protocol; the Azure Media Services amendment for HEVC; PIFF 1.1;
// ISO/IEC 14496-12 and 14496-15; RFC 9110 for HTTP.
package validate

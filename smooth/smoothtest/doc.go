// Package smoothtest helps to test programs that use the suite.
//
// [New] makes a presentation in memory, on demand or live, whose boxes are valid and whose samples are noise, in TTML
// that of a comment;
// [NewSource] is a source of such presentations. Players do not show them: for that there is [Sample], the files of a
// small presentation with real picture and sound. [Encoder] makes the body of a live push as real encoders do.
//
// A presentation counts what was lent and not given back, so a test of a handler or source finds leaks with
// [Presentation.OpenFragments] and [Presentation.Closed].
//
// Nothing here needs files, a network or an encoder, and everything is deterministic: the same configuration gives
// the same bytes.
package smoothtest

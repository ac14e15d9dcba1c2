// Package ttml reads TTML and DFXP documents, for whoever writes them anew and for whoever shows their text.
//
// [Parse] resolves the times of all elements to one timeline and leaves two views of each p element: its markup, in
// pieces between which the times stand, from which a document for a part of the timeline can be written; and its
// text, which [Document.Captions] gives with style and place, cut where what is shown changes.
//
// Read are text, white space and line breaks, times and time containers, the timing parameters, and of styles and
// regions what other subtitle formats have too. Not read are animation (set), images, the times of regions, and ruby.
// Namespaces are told by local names alone, because the drafts, DFXP and TTML each have their own.
//
// See W3C Timed Text Markup Language 1 (TTML1), sections 6 (parameters), 8 (styling), 9 (layout) and 10 (timing).
package ttml

// Package xslt makes playlists in formats that XSLT 1.0 stylesheets describe, as IIS Web Playlists does with its output
// formats: a [Transform] is a playlist.Format that gives the ASX document of a listing to a stylesheet and returns what
// comes out, an Atom feed for instance.
//
//	atom, err := xslt.New(stylesheet, &xslt.Options{ContentType: "application/atom+xml"})
//
// The work is done by a [Processor]. The built-in one, [Xsltproc], runs the program xsltproc of libxslt, once per
// document that is not in the cache; an application can bring another. No XSLT 1.0 processor in pure Go was found that
// is both alive and complete.
//
// Stylesheets are the operator's, but they get no more than they need: [New] refuses those that read other documents or
// files, that call extension functions other than the calculating ones of EXSLT, or that have a document type
// declaration; a transformation is bounded in time, in depth, in output and where the system can do that in memory.
//
// See XSL Transformations (XSLT) Version 1.0, and XML Path Language (XPath) Version 1.0.
package xslt

package xslt

import "errors"

var (
	// ErrNotInstalled: there is no program xsltproc. It is in the package of that name of most systems.
	ErrNotInstalled = errors.New("xslt: xsltproc is not installed")
	// ErrStylesheet: the stylesheet is not one, has an error, or uses what is not allowed here.
	ErrStylesheet = errors.New("xslt: stylesheet")
	// ErrFailed: the processor could not read the document, or the stylesheet could not be carried out on it.
	ErrFailed = errors.New("xslt: transformation failed")
	// ErrTooLarge: the stylesheet, the document or what came out of it is above its limit.
	ErrTooLarge = errors.New("xslt: above the limit")
)

package xslt

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// maxDepth is the deepest nesting of elements of a stylesheet.
const maxDepth = 256

const xslNamespace = "http://www.w3.org/1999/XSL/Transform"

// harmless are the namespaces whose functions only calculate: those of EXSLT that processors have, and the one of MSXML,
// which has node-set.
func harmless(namespace string) bool {
	switch namespace {
	case "http://exslt.org/common", "http://exslt.org/math", "http://exslt.org/sets", "http://exslt.org/strings",
		"http://exslt.org/dates-and-times", "urn:schemas-microsoft-com:xslt":
		return true
	}
	return false
}

// output is what a stylesheet says about what comes out of it. XSLT 1.0 section 16.
type output struct{ method, mediaType, encoding string }

// contentType returns the media type with its defaults. Only types of text have a charset: XML says its own.
func (o *output) contentType() string {
	t := o.mediaType
	if t == "" {
		switch o.method {
		case "html":
			t = "text/html"
		case "text":
			t = "text/plain"
		default:
			return "text/xml"
		}
	}
	if !strings.HasPrefix(t, "text/") || strings.HasPrefix(t, "text/xml") || strings.Contains(t, ";") {
		return t
	}
	charset := strings.ToLower(o.encoding)
	if charset == "" {
		charset = "utf-8"
	}
	return t + "; charset=" + charset
}

// checker goes over a stylesheet once.
type checker struct {
	dec    *xml.Decoder
	scopes []map[string]string // namespaces by prefix, those that each open element declares
	out    output
}

// check reads a stylesheet and refuses it, with [ErrStylesheet], if it does what stylesheets may not do here: read other
// documents by import, include or the function document, write them, evaluate strings as expressions, or call extension
// functions. A declaration of the document type is refused too, as it can hide any of that in entities.
//
// The processor must read the same as this function does, so the encoding is UTF-8.
func check(stylesheet []byte) (output, error) {
	c := checker{dec: xml.NewDecoder(bytes.NewReader(stylesheet))}
	for {
		tok, err := c.dec.Token()
		if errors.Is(err, io.EOF) {
			return c.out, nil
		}
		if err == nil {
			err = c.token(tok)
		}
		if err != nil {
			line, column := c.dec.InputPos()
			return c.out, fmt.Errorf("%w: line %d, column %d: %w", ErrStylesheet, line, column, err)
		}
	}
}

func (c *checker) token(tok xml.Token) error {
	switch tok := tok.(type) {
	case xml.Directive:
		return errors.New("a document type declaration is not allowed; write characters as they are or by number")
	case xml.StartElement:
		return c.element(tok)
	case xml.EndElement:
		c.scopes = c.scopes[:len(c.scopes)-1]
	}
	return nil
}

func (c *checker) element(e xml.StartElement) error {
	if len(c.scopes) >= maxDepth {
		return fmt.Errorf("elements nested deeper than %d", maxDepth)
	}
	scope := map[string]string{}
	for _, a := range e.Attr {
		if a.Name.Space == "xmlns" {
			scope[a.Name.Local] = a.Value
		}
	}
	c.scopes = append(c.scopes, scope)
	isXSL := e.Name.Space == xslNamespace
	if isXSL {
		switch e.Name.Local {
		case "import", "include", "document":
			return fmt.Errorf("xsl:%s is not allowed", e.Name.Local)
		case "output":
			c.output(e.Attr)
		}
	}
	for _, a := range e.Attr {
		if a.Name.Local == "extension-element-prefixes" && strings.TrimSpace(a.Value) != "" {
			return errors.New("extension elements are not allowed")
		}
		if isXSL && a.Name.Space == "" && isExpression(a.Name.Local) {
			if err := c.expression(a.Value); err != nil {
				return err
			}
			continue
		}
		for _, expr := range templates(a.Value) {
			if err := c.expression(expr); err != nil {
				return err
			}
		}
	}
	return nil
}

func (c *checker) output(attr []xml.Attr) {
	for _, a := range attr {
		switch a.Name.Local {
		case "method":
			c.out.method = a.Value
		case "media-type":
			c.out.mediaType = a.Value
		case "encoding":
			c.out.encoding = a.Value
		}
	}
}

// isExpression reports whether an attribute of an element of XSLT is an expression or a pattern. In the others, as in those
// of other elements, expressions are in braces.
func isExpression(name string) bool {
	return slices.Contains([]string{"select", "test", "match", "use", "count", "from", "value"}, name)
}

// expression refuses calls that are not allowed.
func (c *checker) expression(expr string) error {
	for _, name := range calls(expr) {
		prefix, _, prefixed := strings.Cut(name, ":")
		if !prefixed && name == "document" {
			return errors.New("the function document is not allowed")
		}
		if prefixed && !harmless(c.namespace(prefix)) {
			return fmt.Errorf("the extension function %s is not allowed", name)
		}
	}
	return nil
}

// namespace returns the namespace that a prefix has in the present element.
func (c *checker) namespace(prefix string) string {
	for _, scope := range slices.Backward(c.scopes) {
		if ns, ok := scope[prefix]; ok {
			return ns
		}
	}
	return ""
}

package xslt_test

import (
	"context"
	"fmt"
	"strings"

	"github.com/smoothkit/smoothkit/playlist"
	"github.com/smoothkit/smoothkit/playlist/xslt"
)

// shout stands for a processor of another kind.
type shout struct{}

func (shout) Process(_ context.Context, _, document []byte, _ int) ([]byte, error) {
	title, _, _ := strings.Cut(string(document), "</TITLE>")
	_, title, _ = strings.Cut(title, "<TITLE>")
	return []byte(strings.ToUpper(title)), nil
}

// An application can bring another processor than the program xsltproc.
func ExampleNew() {
	const stylesheet = `<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform">
  <xsl:output method="text"/>
</xsl:stylesheet>`
	format, err := xslt.New([]byte(stylesheet), &xslt.Options{Processor: shout{}})
	if err != nil {
		fmt.Println(err)
		return
	}
	document, err := format.Append(context.Background(), nil, &playlist.Listing{Title: "Evening"})
	fmt.Println(format.ContentType(), string(document), err)
	// Output: text/plain; charset=utf-8 EVENING <nil>
}

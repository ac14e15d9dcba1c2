package playlist_test

import (
	"fmt"

	"github.com/smoothkit/smoothkit/playlist"
)

// A list that Windows Media Player saved becomes an .isx file, in which the advertisement is then locked.
func ExampleParseASX() {
	p, err := playlist.ParseASX([]byte(`<asx version=3.0>
<entry><title>Soap & Co</title><ref href=ads/soap.wmv></entry>
<entry><title>The Film</title><ref href="http://media.example.com/film.wmv"><author>A. Director</entry>
</asx>`))
	if err != nil {
		fmt.Println(err)
		return
	}
	p.Entries[0].NoSkipForward = true
	isx, err := p.AppendISX(nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	p, err = playlist.ParseISX(isx)
	for _, e := range p.Entries {
		fmt.Printf("%v %s: %s %t %q\n", e.SrcType, e.Src, e.Title, e.NoSkipForward, e.ExtraParam)
	}
	fmt.Println(err)
	// Output:
	// relativeURI ads/soap.wmv: Soap & Co true ""
	// remoteURL http://media.example.com/film.wmv: The Film false "<AUTHOR>A. Director</AUTHOR>"
	// <nil>
}

func ExampleParseConfig() {
	c, err := playlist.ParseConfig([]byte(`<configuration><system.webServer><media>
<playlist maximumPlaylistDepth="3">
  <sessionOptions allowSkipAfterMinPercent="100" />
  <outputFormats><outputFormat format="atom" xsltSrc="/xslt/atom.xslt" contentType="application/atom+xml" /></outputFormats>
</playlist>
</media></system.webServer></configuration>`))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(c.MaximumPlaylistDepth, c.SessionOptions.AllowSkipAfterMinPercent, c.SessionProviders[0].TimeToLive)
	for _, f := range c.OutputFormats {
		fmt.Println(f.Format, f.XSLTSrc, f.ContentType)
	}
	// Output:
	// 3 100 24h0m0s
	// atom /xslt/atom.xslt application/atom+xml
}

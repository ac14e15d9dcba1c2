package smooth

import (
	"encoding/xml"
	"net/url"
	"strings"
)

// policies are the files that ask Silverlight and Flash to let other hosts in. Both clients read them at the root of
// the host only, so they matter for a handler that is mounted there.
type policies struct{ silverlight, flash *document }

func newPolicies(c *cors, off bool) policies {
	if off || c.disabled {
		return policies{}
	}
	origins := c.origins
	if origins == nil {
		origins = anyOrigin
	}
	return policies{silverlight: newPolicy(silverlightPolicy(origins)), flash: newPolicy(flashPolicy(origins))}
}

func newPolicy(text string) *document {
	return &document{
		data: []byte(text), mime: typeXML, cache: cacheHour,
		etag: string(appendETag(nil, "policy", newFNV64.text(text))),
	}
}

// find returns the policy that a path below the handler's root asks for, or nil.
func (p *policies) find(path string) *document {
	path = strings.TrimPrefix(path, "/")
	switch {
	case equalFoldASCII(path, "clientaccesspolicy.xml"):
		return p.silverlight
	case equalFoldASCII(path, "crossdomain.xml"):
		return p.flash
	}
	return nil
}

func silverlightPolicy(origins []string) string {
	var b strings.Builder
	b.WriteString(xmlDeclaration + `<access-policy><cross-domain-access><policy><allow-from http-request-headers="*">`)
	for _, origin := range origins {
		writeAttribute(&b, `<domain uri="`, origin, `"/>`)
	}
	b.WriteString(`</allow-from><grant-to><resource path="/" include-subpaths="true"/></grant-to></policy></cross-domain-access></access-policy>` + "\n")
	return b.String()
}

func flashPolicy(origins []string) string {
	var b strings.Builder
	b.WriteString(xmlDeclaration + `<cross-domain-policy>`)
	for _, origin := range origins {
		host := origin
		if u, err := url.Parse(origin); err == nil && u.Host != "" {
			host = u.Hostname()
		}
		writeAttribute(&b, `<allow-access-from domain="`, host, `"/>`)
		writeAttribute(&b, `<allow-http-request-headers-from domain="`, host, `" headers="*"/>`)
	}
	b.WriteString("</cross-domain-policy>\n")
	return b.String()
}

func writeAttribute(b *strings.Builder, before, value, after string) {
	b.WriteString(before)
	_ = xml.EscapeText(b, []byte(value)) // a strings.Builder does not fail
	b.WriteString(after)
}

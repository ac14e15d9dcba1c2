package iis

import (
	"maps"
	"net/netip"
	"slices"
	"time"
)

// Settings are what holds at a place: those of the sections of system.webServer that are known here. They are shared
// and must not be changed; [Settings.Clone] returns some that may be.
type Settings struct {
	DefaultDocument DefaultDocument
	StaticContent   StaticContent
	// DirectoryBrowse tells that directories without a default document are listed.
	DirectoryBrowse bool
	Filtering       Filtering
	Redirect        Redirect
	// Headers are those that every answer gets (httpProtocol/customHeaders), RedirectHeaders those of redirects.
	Headers, RedirectHeaders []Header
	Handlers                 []HandlerMapping // the first that fits counts
	IPSecurity               IPSecurity
	Authentication           Authentication
	// RequireTLS tells that IIS refuses requests without TLS (security/access). Nothing here does.
	RequireTLS bool
	Rewrite    Rewrite

	stated stated
	// locked are the sections that configurations below must not have, by lower-case path, and why. It is replaced and
	// never changed.
	locked map[string]string
}

// DefaultDocument is the section defaultDocument.
type DefaultDocument struct {
	Enabled bool
	Files   []string // names, the first that exists is sent
}

// StaticContent is the section staticContent.
type StaticContent struct {
	Types       MIMETypes
	ClientCache ClientCache
}

// ClientCache is what answers say about caching: clientCache in staticContent.
type ClientCache struct {
	Mode CacheMode
	// MaxAge is that of UseMaxAge, in whole seconds.
	MaxAge time.Duration
	// Expires is that of UseExpires, as it is written: a date of HTTP.
	Expires string
	// Custom is put into Cache-Control beside what the mode says, such as "public".
	Custom string
	// NoETag leaves out the ETag.
	NoETag bool
}

// CacheMode is a value of cacheControlMode.
type CacheMode string

// The values of cacheControlMode. The empty one is NoControl.
const (
	NoControl    CacheMode = "NoControl"
	DisableCache CacheMode = "DisableCache"
	UseMaxAge    CacheMode = "UseMaxAge"
	UseExpires   CacheMode = "UseExpires"
)

// Header is a header of answers.
type Header struct{ Name, Value string }

// Redirect is the section httpRedirect.
type Redirect struct {
	Enabled bool
	// Destination is a URL or an absolute path, in which $S is the rest of the requested path below the place of the
	// redirect, with its slash; $Q the query with its question mark and $P without it; $V the whole path with the query.
	Destination string
	// Exact sends everybody to the destination as it is. Otherwise $S and $Q are put after a destination that has none
	// of the variables.
	Exact bool
	// ChildOnly leaves alone what is in directories below.
	ChildOnly bool
	Status    int // 301, 302, 307 or 308; zero means 302
	// At is the location that has the redirect, such as "Default Web Site/old", empty for the server or a web.config.
	At string
}

// Authentication says who may come in. Nothing here enforces it: it is for the application, which has package access.
type Authentication struct{ Anonymous, Basic, Windows, Digest bool }

// IPSecurity is the section security/ipSecurity. [Files] and [Filter] enforce it where they are told how to find the address of
// a client.
type IPSecurity struct {
	// AllowUnlisted tells whether addresses that no rule contains may come in.
	AllowUnlisted bool
	Rules         []AddressRule // the first that contains an address counts
}

// AddressRule allows or denies a range of addresses.
type AddressRule struct {
	Prefix  netip.Prefix
	Allowed bool
	Line    int
}

// Allows reports whether an address may come in.
func (s *IPSecurity) Allows(addr netip.Addr) bool {
	addr = addr.Unmap().WithZone("")
	for _, r := range s.Rules {
		if r.Prefix.Contains(addr) {
			return r.Allowed
		}
	}
	return s.AllowUnlisted
}

// DefaultSettings returns what IIS has when it is new, with the MIME types of IIS 10 and those of media that came
// since.
func DefaultSettings() *Settings {
	return &Settings{
		DefaultDocument: DefaultDocument{
			Enabled: true,
			Files:   []string{"Default.htm", "Default.asp", "index.htm", "index.html", "iisstart.htm"},
		},
		StaticContent:  StaticContent{Types: defaultTypes()},
		Filtering:      defaultFiltering(),
		IPSecurity:     IPSecurity{AllowUnlisted: true},
		Authentication: Authentication{Anonymous: true},
	}
}

// Clone returns a copy whose lists may be changed.
func (s *Settings) Clone() *Settings {
	c := *s
	c.DefaultDocument.Files = slices.Clone(s.DefaultDocument.Files)
	c.StaticContent.Types = maps.Clone(s.StaticContent.Types)
	c.Headers, c.RedirectHeaders = slices.Clone(s.Headers), slices.Clone(s.RedirectHeaders)
	c.Handlers = slices.Clone(s.Handlers)
	c.IPSecurity.Rules = slices.Clone(s.IPSecurity.Rules)
	c.Filtering.HiddenSegments = slices.Clone(s.Filtering.HiddenSegments)
	c.Filtering.Extensions = slices.Clone(s.Filtering.Extensions)
	c.Filtering.DeniedSequences = slices.Clone(s.Filtering.DeniedSequences)
	c.Filtering.DeniedQuerySequences = slices.Clone(s.Filtering.DeniedQuerySequences)
	c.Filtering.Verbs = slices.Clone(s.Filtering.Verbs)
	c.Rewrite.Global, c.Rewrite.Rules = slices.Clone(s.Rewrite.Global), slices.Clone(s.Rewrite.Rules)
	c.Rewrite.Maps = slices.Clone(s.Rewrite.Maps)
	return &c
}

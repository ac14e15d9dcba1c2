package playlist

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/smoothkit/smoothkit/internal/xmltree"
)

// Apply sets the options of a handler to what the configuration says, that of one place: see [Config.For]. It returns
// sentences about what has no counterpart in them. What the configuration has no words for is left as it is:
//
//	queryStringDelimiter       Delimiter
//	allowAbsolutePaths         AllowAbsolutePaths; which paths, say Roots
//	maximumPlaylistDepth       MaxDepth
//	allowClientCache           AllowClientCache
//	winHttpSetTimeouts         Remote, which is replaced by one with these timeouts that is otherwise equal
//	sessionProvider            InactivityTimeout, TimeToLive and MaxSessions, of the one that is the default
//	maxConcurrentConnections   MaxConnections; 0 is no limit
//	allowSkipAfterMinPercent   AllowSkipAfterMinPercent, only if it was written, as IIS's default undoes locks
//	outputFormat               Formats, from which those that are not enabled are taken away
//
// A stylesheet of an output format, a playlist provider and an access option are left to the program: it gives a
// [Format] of the same name (package xslt makes one of a stylesheet), a [Provider], and a file system in Roots. Apply
// takes a format for given if it is in o.Formats, so these are to be set before. Closing o.Remote is the caller's.
func (c *Config) Apply(o *HandlerOptions) (left []string) {
	a := &configApplier{o: o}
	if !c.Enabled {
		a.leave("enabled is false, but a handler always answers: leave it out")
	}
	o.Delimiter, o.MaxDepth = c.QueryStringDelimiter, c.MaximumPlaylistDepth
	o.AllowAbsolutePaths, o.AllowClientCache = c.AllowAbsolutePaths, c.AllowClientCache
	if c.AllowAbsolutePaths && len(o.Roots) == 0 {
		a.leave("allowAbsolutePaths is true, but Roots has no file systems for them")
	}
	o.Remote = a.remote(c.Timeouts)
	a.sessions(c)
	o.MaxConnections = orNegative(c.SessionOptions.MaxConcurrentConnections)
	if c.SessionOptions.HasAllowSkipAfterMinPercent {
		o.AllowSkipAfterMinPercent = orNegative(c.SessionOptions.AllowSkipAfterMinPercent)
	}
	a.formats(c.OutputFormats)
	for _, p := range c.PlaylistProviders {
		a.leave("playlistProvider %s: the class %s needs a Provider in its place", short(p.Extension), short(p.ProgID))
	}
	for _, access := range c.AccessOptions {
		a.leave("accessOption %s: nobody is logged on, Roots or Files must be readable", short(access.Path))
	}
	return a.left
}

// orNegative returns the zero of a configuration in the form of an option whose zero is a default.
func orNegative(n int) int { return cmp.Or(n, -1) }

func short(s string) string { return xmltree.Shorten(s) }

// configApplier sets options.
type configApplier struct {
	o    *HandlerOptions
	left []string
}

// leave notes what is left to the program.
func (a *configApplier) leave(format string, args ...any) {
	a.left = append(a.left, fmt.Sprintf(format, args...))
}

// remote returns a client with the timeouts, otherwise like the one that is there. Zero is no limit in IIS; here it is
// the default, as nothing should be waited for without end. Without a client there is no TotalTimeout that somebody has
// chosen, so it does not cut the others short.
func (a *configApplier) remote(t ConfigTimeouts) *Remote {
	var opts RemoteOptions
	if a.o.Remote != nil {
		opts = a.o.Remote.opts
	}
	for _, limit := range []struct {
		name string
		time.Duration
	}{{"Connect", t.Connect}, {"Send", t.Send}, {"Receive", t.Receive}} {
		if limit.Duration == 0 {
			a.leave("httpd%sTimeout is 0, no limit: the default is used", limit.name)
		}
	}
	opts.ResolveTimeout, opts.ConnectTimeout, opts.SendTimeout, opts.ReceiveTimeout = t.Resolve, t.Connect, t.Send, t.Receive
	opts = opts.withDefaults()
	if a.o.Remote == nil {
		opts.TotalTimeout = max(opts.TotalTimeout, opts.ResolveTimeout+opts.ConnectTimeout+opts.SendTimeout+opts.ReceiveTimeout)
	}
	r, err := NewRemote(&opts)
	if err != nil { // those of a client that is there are valid, and so is none
		a.leave("winHttpSetTimeouts: %v", err)
		return a.o.Remote
	}
	return r
}

// sessions sets what the default session provider says.
func (a *configApplier) sessions(c *Config) {
	name := c.DefaultSessionProvider
	i := slices.IndexFunc(c.SessionProviders, func(p ConfigSessionProvider) bool { return strings.EqualFold(p.Name, name) })
	if i < 0 {
		a.leave("there is no sessionProvider %s, which is the default", short(name))
		return
	}
	p := c.SessionProviders[i]
	a.o.InactivityTimeout, a.o.TimeToLive, a.o.MaxSessions = p.InactivityTimeout, p.TimeToLive, p.MaxActiveSessions
	switch {
	case a.o.Store == nil && !strings.EqualFold(name, "InMemory"):
		a.leave("sessionProvider %s: sessions are in memory, as there is no Store", short(name))
	case a.o.Store != nil && p.MaxActiveSessions > 0:
		a.leave("sessionProvider %s: maxActiveSessions is left to the Store", short(name))
	}
}

// formats takes away what is not enabled, and finds out what is missing. Case does not matter in names.
func (a *configApplier) formats(list []ConfigOutputFormat) {
	given, builtin := maps.Clone(a.o.Formats), Formats()
	if given == nil {
		given = make(map[string]Format)
	}
	for _, f := range list {
		own, isOwn := formatName(given, f.Format)
		known, isKnown := formatName(builtin, f.Format)
		switch {
		case !f.Enabled:
			for _, name := range []string{f.Format, own, known} {
				given[name] = nil
			}
		case isOwn:
		case isKnown:
			a.leave("outputFormat %s: the format of this package is used in the place of %s", short(f.Format), short(f.XSLTSrc))
		default:
			a.leave("outputFormat %s: the stylesheet %s needs a Format in its place", short(f.Format), short(f.XSLTSrc))
		}
	}
	a.o.Formats = given
}

// formatName returns the name under which there is a format, in its own case, and else the name as it is.
func formatName(formats map[string]Format, name string) (own string, ok bool) {
	for known, f := range formats {
		if f != nil && strings.EqualFold(known, name) {
			return known, true
		}
	}
	return name, false
}

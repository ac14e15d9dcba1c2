package iis

import (
	"errors"
	"fmt"
	"math"
	"net/netip"
	"strings"
)

// requestFiltering reads security/requestFiltering.
func (b *builder) requestFiltering(to *Settings, n *node, path string) {
	f := &to.Filtering
	b.bool(n, "allowDoubleEscaping", &f.AllowDoubleEscaping)
	b.bool(n, "allowHighBitCharacters", &f.AllowHighBit)
	n.attr("removeServerHeader") // there is none
	n.attr("unescapeQueryString")
	if c := b.single(n, "fileExtensions"); c != nil {
		b.bool(c, "allowUnlisted", &f.AllowUnlistedExtensions)
		b.list(c)
		f.Extensions = change(b, to, c, path+"/fileExtensions", f.Extensions, listReader[ExtensionRule]{
			id: statedExtensions, add: "add", key: "fileExtension", required: []string{"allowed"},
			keyOf: func(e ExtensionRule) string { return e.Extension }, read: b.extensionRule,
		})
	}
	if c := b.single(n, "verbs"); c != nil {
		b.bool(c, "allowUnlisted", &f.AllowUnlistedVerbs)
		b.list(c)
		f.Verbs = change(b, to, c, path+"/verbs", f.Verbs, listReader[VerbRule]{
			id: statedVerbs, add: "add", key: "verb", required: []string{"allowed"},
			keyOf: func(v VerbRule) string { return v.Verb }, read: b.verbRule,
		})
	}
	b.filterList(to, n, path, "hiddenSegments", statedSegments, "segment", &f.HiddenSegments)
	b.filterList(to, n, path, "denyUrlSequences", statedSequences, "sequence", &f.DeniedSequences)
	b.filterList(to, n, path, "denyQueryStringSequences", statedQueries, "sequence", &f.DeniedQuerySequences)
	if c := b.single(n, "requestLimits"); c != nil {
		b.whole(c, "maxAllowedContentLength", &f.MaxContentLength, 0, math.MaxUint32)
		b.whole(c, "maxUrl", &f.MaxURL, 0, math.MaxUint32)
		b.whole(c, "maxQueryString", &f.MaxQuery, 0, math.MaxUint32)
		b.say(c, path+"/requestLimits", "body %d bytes, URL %d, query %d", f.MaxContentLength, f.MaxURL, f.MaxQuery)
	}
	b.say(n, path, "%d hidden segments, %d extensions, %d verbs", len(f.HiddenSegments), len(f.Extensions), len(f.Verbs))
}

// list takes an element with a list of request filtering. WebDAV is not here, so that it does not matter what is said
// about it.
func (b *builder) list(n *node) {
	n.take()
	n.attr("applyToWebDAV")
}

// filterList reads a list of request filtering whose entries are values.
func (b *builder) filterList(to *Settings, n *node, path, name string, id stated, key string, list *[]string) {
	if c := b.single(n, name); c != nil {
		b.list(c)
		*list = change(b, to, c, path+"/"+name, *list, stringsReader(b, id, "add", key))
	}
}

func (b *builder) extensionRule(n *node, _ string) (e ExtensionRule, ok bool) {
	b.str(n, "fileExtension", &e.Extension)
	b.bool(n, "allowed", &e.Allowed)
	if !strings.HasPrefix(e.Extension, ".") {
		a, _ := n.attr("fileExtension")
		b.log.FailAttr(n.Element, a, errors.New("no extension with a dot"))
		return e, false
	}
	return e, true
}

func (b *builder) verbRule(n *node, _ string) (v VerbRule, ok bool) {
	b.str(n, "verb", &v.Verb)
	b.bool(n, "allowed", &v.Allowed)
	if !isToken(v.Verb) {
		a, _ := n.attr("verb")
		b.log.FailAttr(n.Element, a, errors.New("no method"))
		return v, false
	}
	return v, true
}

// ipSecurity reads security/ipSecurity. Rules of names are told as not understood, since they need a look-up of every
// address.
func (b *builder) ipSecurity(to *Settings, n *node, path string) {
	s := &to.IPSecurity
	b.bool(n, "allowUnlisted", &s.AllowUnlisted)
	if a, ok := n.attr("enableReverseDns"); ok && !strings.EqualFold(a.Value, "false") {
		b.note(a.At, path, false, "enableReverseDns: names of addresses are not looked up")
	}
	for _, c := range n.children {
		if name, ok := c.attr("domainName"); c.Is("add") && ok && name.Value != "" {
			b.refuse(c, path+"/add", "domainName: names of addresses are not looked up")
		}
	}
	known := *n
	known.children = nil
	for _, c := range n.children {
		if !c.told {
			known.children = append(known.children, c)
		}
	}
	s.Rules = change(b, to, &known, path, s.Rules, listReader[AddressRule]{
		id: statedAddresses, add: "add", key: "ipAddress", front: true,
		keyOf: addressKey, read: b.addressRule, removed: func(n *node) (string, bool) {
			r, ok := b.addressRule(n, path)
			return addressKey(r), ok
		},
	})
	b.say(n, path, "%d rules, for package access", len(s.Rules))
}

func addressKey(r AddressRule) string { return r.Prefix.String() }

// addressRule reads an address, with a mask that is one of IPv4 or a length.
func (b *builder) addressRule(n *node, _ string) (r AddressRule, ok bool) {
	address, _ := n.attr("ipAddress")
	mask := ""
	b.str(n, "subnetMask", &mask)
	b.bool(n, "allowed", &r.Allowed)
	r.Line = n.At.Line
	addr, err := netip.ParseAddr(address.Value)
	if err != nil {
		b.log.FailAttr(n.Element, address, errors.New("no address"))
		return r, false
	}
	addr = addr.Unmap().WithZone("")
	bits, err := maskBits(mask, addr.BitLen())
	if err != nil {
		a, _ := n.attr("subnetMask")
		b.log.FailAttr(n.Element, a, err)
		return r, false
	}
	r.Prefix = netip.PrefixFrom(addr, bits).Masked()
	return r, true
}

// maskBits returns the length of a mask. None is that of a single address.
func maskBits(mask string, most int) (int, error) {
	if mask == "" {
		return most, nil
	}
	if !strings.ContainsAny(mask, ".:") {
		var n int
		if _, err := fmt.Sscanf(mask, "%d", &n); err != nil || n < 0 || n > most || fmt.Sprint(n) != mask {
			return 0, fmt.Errorf("no mask, nor a length up to %d", most)
		}
		return n, nil
	}
	addr, err := netip.ParseAddr(mask)
	if err != nil || addr.BitLen() != most {
		return 0, fmt.Errorf("no mask of %d bits", most)
	}
	bits, ended := 0, false
	for _, octet := range addr.AsSlice() {
		for i := 7; i >= 0; i-- {
			set := octet>>i&1 == 1
			switch {
			case set && ended:
				return 0, errors.New("a mask with gaps")
			case set:
				bits++
			default:
				ended = true
			}
		}
	}
	return bits, nil
}

// authentication reads one of the kinds of authentication.
func (b *builder) authentication(to *Settings, n *node, path string) {
	a := &to.Authentication
	flag := &a.Anonymous
	switch strings.ToLower(n.Name) {
	case "basicauthentication":
		flag = &a.Basic
	case "windowsauthentication":
		flag = &a.Windows
	case "digestauthentication":
		flag = &a.Digest
	}
	b.bool(n, "enabled", flag)
	if flag == &a.Anonymous {
		n.attr("userName")
		n.attr("password")
	}
	if !a.Anonymous {
		n.take()
		b.note(n.At, path, false, "%s", notEnforced)
		return
	}
	b.say(n, path, "enabled: %v; everybody may come in", *flag)
}

// access reads whether TLS is required.
func (b *builder) access(to *Settings, n *node, path string) {
	flags, required := "", false
	b.str(n, "sslFlags", &flags)
	for _, flag := range splitList(flags) {
		required = required || !strings.EqualFold(flag, "None") && !strings.EqualFold(flag, "SslNegotiateCert")
	}
	to.RequireTLS = required
	n.take()
	if required {
		b.note(n.At, path, false, "NOT ENFORCED: that TLS is used is up to the application")
		return
	}
	b.say(n, path, "TLS is not required")
}

// authorization reads whether there is anybody who may not come in.
func (b *builder) authorization(_ *Settings, n *node, path string) {
	for _, c := range n.children {
		allowed, users := "", ""
		b.str(c, "accessType", &allowed)
		b.str(c, "users", &users)
		if c.Is("add") && (!strings.EqualFold(allowed, "Allow") || users != "*") || c.Is("remove") || c.Is("clear") {
			b.refuse(n, path, "%s", notEnforced)
			return
		}
		if c.Is("add") {
			c.take()
		}
	}
	b.say(n, path, "everybody is allowed")
}

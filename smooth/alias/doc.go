// Package alias lets old links live on: it rewrites and redirects paths of requests by the rules of a map file, such as
// those of Azure Media Services, /LOCATOR/NAME.ism/manifest, and several names of one presentation.
//
//	rules, err := alias.Parse(file)
//	if err != nil {
//		return err // every wrong line
//	}
//	h := alias.NewHandler(smooth.NewHandler(smooth.Dir("wwwroot", nil), nil), rules, nil)
//	http.Handle("/", h)
//	// on reload:
//	h.SetMap(rules)
//
// # Objects
//
// A [Rule] says what becomes of the paths that match its pattern. A [Map] is an immutable set of rules, read by [Parse]
// or made by [Build]. A [Handler] applies a map, which can be replaced, to the requests for another handler. [Scan]
// makes an [Inventory], the rules for a folder with copies of Azure containers, with the locators that a [Catalog] has.
//
// # Map file
//
// A map file is UTF-8 text (or UTF-16 with a byte order mark) with one rule a line; "#" at the beginning of a word begins
// a comment.
//
//	# from                              to                                 status
//	/b1a5e2c0-6f2d-4c0e-9a57-0d5a1f0c7e11/*       /vod/final.ism/*
//	/old/trailer.ism/*                            /vod/final.ism/*
//	/{guid}/{name}.ism/*                          /vod/{name}.ism/*
//	/{a:name}/{b:name}/clip-{number}.ism/*        /clips/{b}/{number}.ism/*
//	/news                                         /vod/news/                     301
//	media.example.com/*                           https://video.example.org/*    308
//	*.example.net/live/*                          /events/*
//	/vod/withdrawn.ism/*                          410
//
// A rule without status rewrites: the request goes on inside, with another path, and the client does not notice. URLs in
// manifests and playlists are relative and stay right. 301, 302, 307 and 308 redirect; 307 and 308 keep the method, so
// encoders that push follow them with POST. 410 answers that it is gone. Behind "from" an arrow "->" may stand. The word
// exact-case at the end makes the literal text of the rule match in its own case only, for a redirect that corrects the case;
// otherwise case does not matter, as in IIS. Two rules that differ in case only are an error, with that word too.
//
// A pattern is a path, behind the name of a host where the rule is for that host only; "*." stands for all names below.
// Its segments are literal text or have one placeholder, {guid}, {number} or {name}, alone or with literal ASCII text
// beside it; {name} is any text that is not empty. Two of a kind get ids: {id:kind}. "*" or {rest...} as the last segment
// stands for all the rest, also none: "/a/*" matches /a, /a/ and /a/b/c. Without it a slash at the end counts.
//
// The order of lines does not matter. The most specific rule applies, see [Map.Lookup]; two rules for the same paths are
// an error, and so are redirects that lead to themselves. Rules apply once: what a rule leads to is not looked up again,
// so rewrites have no loops.
//
// A target is a path, or for redirects also an http or https URL. Placeholders of the pattern stand in its path, never
// in the host, and "*" at its end takes the rest. The query of the request is kept, behind that of the target if there
// is one. Patterns and targets are percent-encoded as in URLs, and decoded once: %20 is a space, %2A a star; other
// characters beyond ASCII may stand as they are.
//
// # Safety
//
// What a client sends can not lead out of where a target leads: requests whose path has dot segments, empty segments,
// encoded slashes, backslashes or control characters match nothing and go on unchanged, and the new path is checked
// again. What was percent-encoded in the request stays so. Redirects to paths are relative references, such as
// ../../vod/final.ism/Manifest, which never begin a host and stay right where [http.StripPrefix] has taken a prefix
// away. They are wrong behind a handler that changes the path otherwise.
//
// # Speed
//
// Rules are looked up by hash of their literal segments, once for each form that the patterns have; 100,000 rules of one
// form cost as much as one. What matches nothing costs no allocation.
//
// # Not here
//
// No regular expressions, no conditions on queries, headers or methods, and no rewriting of answers.
//
// # Specifications
//
// RFC 3986 sections 5.2 and 6.2.2 (relative references, encoding); RFC 9110 sections 10.2.2 (Location) and 15.4, 15.5.11
// (status); the locators of the Azure Media Services REST API, versions 2 and 3.
package alias

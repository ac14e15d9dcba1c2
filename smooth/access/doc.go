// Package access says who may watch, push and operate: passwords, bearer tokens, a hook, client certificates, signed URLs
// and rules on addresses, as middleware of net/http.
//
//	signer, err := access.NewSigner(key)
//	signed, err := access.NewSigned(signer, nil)
//	encoders, err := access.NewBasic(&access.BasicOptions{Users: users})
//	router, err := access.NewRouter(map[string]access.Resolver{
//		"/": &access.Policy{},
//		"/live/event.isml": access.Roles{
//			Viewers:  &access.Policy{Authenticators: []access.Authenticator{signed}},
//			Encoders: &access.Policy{Authenticators: []access.Authenticator{encoders}},
//		},
//	})
//	http.Handle("/", access.NewHandler(next, router, &access.HandlerOptions{Signed: signed}))
//
// # Objects
//
// An [Authenticator] finds out who sends a request: [Basic], [Bearer], [Hook], [Signed] and [ClientCertificate] do. A
// [Policy] has rules on addresses, authenticators of which one has to know the sender, and a function that rules on who
// that is. A [Resolver] finds the policy for a request: [Router] by path, where that of the smallest part replaces the
// others, and [Roles] by what the request is for. A [Handler] refuses what the policy does not allow, and hands everything
// else on with the [Identity], which [FromContext] returns. Hooks of other packages, such as AuthorizeEncoder of
// livesmooth and Authorize of livesmooth/manage, ask [Policy.Check] or [FromContext].
//
// A policy without anything lets in everybody; no policy lets in nobody. What cannot be decided, because a service or a
// key set cannot be asked, is refused with 503.
//
// # Signed URLs
//
// A [Signer] makes a token of a [Grant]: a path, an end, and if wanted an address, a session, a user and a role. The token
// is in the path, "/t/<token>/live/event.isml/Manifest", where all relative URLs inherit it, or in the query,
// "?token=<token>", which the handlers of the suite repeat if they are told its name, [TokenQuery]. With the path form
// Handler takes the token out, so that a cache behind it keeps one copy for all viewers; see [PerViewer] for what such a
// cache must leave alone. RequestURI of the request stays as the client wrote it. Redirects to absolute paths lose the
// token.
//
// # Paths
//
// What has been authorised is what is served, byte for byte: a path that a file system, a proxy or a second decoding could
// take for another one is refused with 400 and not cleaned. Those are paths with empty elements, "." and "..", with a
// backslash, control characters or an encoded separator, and on Windows those with its other names for a file. In grants
// case matters. In parts of a Router it does not, as what may be the same file must have the same policy; where a file
// system also takes different forms of an accented letter for the same, as on macOS, use ASCII for the paths of parts.
//
// # Passwords
//
// bcrypt takes long on purpose. Passwords that were right are remembered as keyed hashes, as each fragment comes with one.
// [Attempts] bounds the wrong ones from an address, and no more than half of the processors compute hashes.
//
// # TLS and scripts
//
// [Certificates] serve a [crypto/tls] server and notice when their files change. [NewCORS] is for handlers that have no CORS
// headers; those of package smooth have. [IsLoopback], [CheckLoopback] and [LoopbackOnly] are for management without
// passwords on one machine.
//
// # Not here
//
// Sessions in cookies, login pages, Digest and Negotiate authentication of Windows Media Services, rights management, and
// limits on how many watch, which is package throttle/limit: it may count by the Session of an Identity.
//
// # Specifications
//
// RFC 9110 section 11 (authentication), RFC 7617 (Basic), RFC 6750 (bearer tokens), RFC 7515 to 7519 and 8037 (JSON Web
// Tokens and keys), RFC 2104 (HMAC); the Fetch standard (CORS); auth_request of nginx, whose protocol Hook speaks;
// Windows Media Services for parts whose authentication replaces that of the server.
package access

// Package manage serves the management services of IIS Media Services 4.1 for the publishing points of a
// [livesmooth.Server], so that the tools that operators and encoders have for IIS go on working; and the same in JSON,
// with a stream of events, for the tools of today.
//
//	h, err := manage.NewHandler(server, &manage.Options{
//		Authorize: func(r *http.Request, op manage.Operation) error {
//			user, password, ok := r.BasicAuth()
//			if !ok || !known(user, password) {
//				return manage.ErrUnauthenticated
//			}
//			return allowed(user, op)
//		},
//		Next: server, // encoders, viewers, other servers
//	})
//	http.ListenAndServe(":8080", h)
//
// # Objects
//
// A [Handler] answers for the list of publishing points, and for settings, state, statistics and events of each; what
// else is asked for it hands to Options.Next. [Options].Authorize rules on each [Operation], which has a [Kind] and the
// name of a publishing point. There is no handler without it: the services start and stop live events, and say where
// recordings and streams go to.
//
// # Resources
//
//	GET     /services/smoothstreaming/publishingpoints.isml            the list
//	GET     /services/smoothstreaming/publishingpoints.isml/settings   the list with settings
//	POST    /services/smoothstreaming/publishingpoints.isml/settings   create the one that the Slug header names
//	GET     /path/name.isml/settings                                   settings
//	PUT     /path/name.isml/settings                                   change them, in state Idle
//	DELETE  /path/name.isml/settings                                   stop and remove
//	GET     /path/name.isml/state                                      state
//	PUT     /path/name.isml/state                                      start, stop, shut down
//	GET     /path/name.isml/statistics                                 statistics, in any state but Idle
//	GET     /path/name.isml/events                                     what happens, as it does (ours; JSON)
//
// Paths are those below the handler's root, in any case. HEAD works where GET does. The README has the documents.
//
// # Settings that a document does not mention
//
// A document is all of the settings: what is not in it gets its default, as a default is not in the documents that IIS
// sent. Three things stay as they were: metas of the .isml file that no document has a place for, an encryption key if
// the document does not mention one, and in JSON the modules that this package does not know. Those in Atom documents
// are kept, as text, among the metas.
//
// # Secrets
//
// Encryption keys, and passwords in the URLs of other servers, are in the documents of those who may change the
// settings: Authorize is asked with [Write]. Others get an Encryption element without a key and "xxxxx" for a password.
//
// # Protection
//
// No answer may be stored, none has CORS headers. Requests that change something are refused with 403 when a browser
// says that a page of another origin makes them, so that a password that it remembers cannot be used by such pages.
// Documents are bounded in size, depth and number of elements, and have no document type.
//
// # Specifications
//
// IIS Smooth Streaming Management REST Services and the SmoothStreaming schema in the documentation of IIS Media
// Services; RFC 4287 (Atom), RFC 5023 (Slug); XML Schema Part 2 (duration); RFC 9110; the HTML standard, section 9.2
// (server-sent events).
package manage

// Package playlist serves Web Playlists: the server decides what plays next, and what may be skipped. It is the Web
// Playlists feature of IIS Media Services, with the formats that players know today.
//
//	files := playlist.NewFiles(os.DirFS("media"), nil)
//	http.Handle("/tv/", http.StripPrefix("/tv", playlist.NewHandler(files, nil)))
//
// A request for evening.isx begins a session and is answered with a list whose URLs belong to that session: they name
// neither files nor servers. Whoever asks for one of them gets the entry, if the rules of the list allow it now: an
// entry may forbid to seek in it, to leave it before its end, and to come back to it. That is enforced here, by what has
// been delivered and by the clock, whatever the player does.
//
// A [Provider] makes playlists: [Files] from .isx files, an application's own from whatever it likes. A [Format] shows
// them: ASX by default, XSPF, M3U8, PLS, JSON, Media RSS, a page with a player, XSLT in package xslt. Entries that are
// presentations or MP4 files can also be shown as one, [Stitched], through any [smooth.Output] and as Smooth Streaming,
// under the same rules; or as one in which players put the advertisements themselves, whose rules are only asked of them.
// A [Store] keeps sessions: in memory, in Redis (package redisstore), or nowhere, as signed [Tokens], where there is
// nothing to enforce. [ParseConfig] reads the configuration of IIS.
//
// What it is not: no advertisement server, and no encryption. Bytes that a client has been sent it has, and what the
// same server also offers at another address is not locked.
//
// Specifications: the documentation of IIS Web Playlists (configuration, providers, XSLT); SMIL 2.1 for the subset that
// .isx files are; the ASX reference of Windows Media Player; XSPF version 1 and Media RSS 1.5.1; RFC 8216 and the draft
// of its second edition, appendix D, for interstitials.
package playlist

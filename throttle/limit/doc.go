// Package limit limits how many viewers a server has and how much it sends them: the limits of Windows Media Services
// and of IIS, as middleware of net/http.
//
//	h := limit.NewHandler(next, &limit.Options{Rules: limit.Rules{
//		Server: limit.Limits{Players: 5000, ConnectionRate: 50, BandwidthPerPlayer: 8 * throttle.MbitPerSecond},
//		Groups: []limit.Group{{Name: "VideoFiles", Limit: 1000, Patterns: []string{"*.mp4", "*.wmv"}}},
//		Points: []limit.Point{{Path: "/live/event.isml", Limits: limit.Limits{Players: 2000}}},
//	}})
//	http.Handle("/media/", h)
//
// Who comes when a limit is reached gets 503 with Retry-After. Who is there already is never refused because of the
// number of viewers, neither when a limit is reached nor when it is lowered.
//
// # Objects
//
// A viewer, or player, is who watches, however many requests and connections that takes: Smooth Streaming and HLS ask
// for every fragment and segment by itself. Viewers are told apart by their session, see [Options].Session. A file is
// what is watched: a presentation with all its manifests, playlists, fragments and segments, see [Options].File. A
// viewer who watches two files counts once among the viewers and once for each file. A viewer stays while a request is
// being served and for the inactivity timeout afterwards, [Limits].PlayerInactivityTimeout; a session whose requests
// all failed or were redirected, such as those of who tries names, ends with them. A distribution connection is a file
// that another server pulls, see [Options].Distribution; those are counted, measured and paced apart from players.
//
// The limits of the server apply to everything; those of a [Point] stand beside them, or replace them if it says so. A
// [Group] limits the viewers of some kinds of files, as the connection groups of IIS do.
//
// # Requests
//
// Only GET requests are those of viewers. HEAD, OPTIONS, the POST of an encoder and everything else pass uncounted, as
// do requests that [Options].Exempt names. The response writer goes to the inner handler unchanged, with sendfile,
// once a session had its first answer, unless its bytes have to be measured or paced; then files still go out by
// sendfile, in parts.
//
// # Not here
//
// Fast Start and the Fast Cache rate of Windows Media Services depend on the encoded bit rate and are settings of
// package throttle: InitialBufferTime and the percentage. Fast Start bandwidth per player is BandwidthPerPlayer here,
// which also holds for bursts. The time in which a connection must be acknowledged is ReadHeaderTimeout of
// [http.Server]; the FEC span belongs to multicast. Limits hold for one Handler, not for several processes.
//
// Handlers have no goroutine and need no Close: sessions expire when further requests come, a few with each, and when
// [Handler.Stats] or [Handler.Sessions] is called. Until then they keep their memory, some 330 bytes each.
package limit

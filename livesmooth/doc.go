// Package livesmooth is IIS Live Smooth Streaming: publishing points that encoders push to, viewers watch and rewind, and
// servers feed each other with.
//
//	live, err := livesmooth.NewServer(&livesmooth.Options{Root: "media"})
//	...
//	http.Handle("/", live)
//
// Every .isml file below media is a publishing point now; points are also made with [Server.Create]. An encoder posts to
// live/event.isml/Streams(1), a viewer opens live/event.isml/Manifest. For HLS give outputs of package hls in
// Options.Viewers.
//
// # Objects
//
// A [Server] is a set of points: a [smooth.Source] and an [net/http.Handler]. A [Point] has [Settings], a [State] and, while
// it is started, an event: what is received from then on. It is a [smooth.Presentation]. [Point.Watch] tells what happens,
// [Point.Stats] how much. A [Sink] gets all fragments, to record them; a [Spool] is the sink that keeps a window which is
// larger than memory.
//
// # Ingest
//
// Several sources may feed an input stream, and several streams the same track: fragments are told apart by track and time,
// the first one counts. A missing fragment is waited for while somebody could still deliver it, see [Limits]. The timeline
// of a stream is settled before anybody sees it, so that it depends on what is received and not on the order: servers that
// get the same fragments give the same bytes. All times are converted to ticks of 100 ns on the way in.
//
// A fragment is listed once Settings.Lookahead fragments after it are known, which its tfrf box names. Outputs that need no
// look-ahead, such as HLS, use it at once.
//
// An encoder that comes back with a lower clock is moved: its fragments go on after those before, at the place that the
// wall clock tells, after a discontinuity. Options.RefuseClockRestart refuses it instead. Fragments that come too late for
// their place, or overlap others, are dropped and counted; a recording still gets the late ones.
//
// # Status of a push
//
//	200  the probe may go on; the body is complete
//	400  malformed boxes, no time; another event, another header, times that contradict what is there
//	401  the hook wants credentials
//	403  refused by the hook; the point does not take encoders now
//	404  no such point
//	408  the header, a fragment or anything at all took too long
//	409  PUT of the .isml file of a point that is not Idle
//	412  a fragment before its header
//	413  above a limit
//	415  no track that a presentation can have
//	503  the point has been stopped, or the server ends
//
// An error is answered at once, in the middle of the body, and the connection is closed.
//
// # Servers
//
// A point whose source is [SourcePull] gets its streams from another server, or from the next one in Settings.PullFrom when
// that fails; Settings.PushTo gets all that the point receives. Edges list what their origins list, and give the same
// bytes: an edge that joins late or comes back is sent the backlog in the window, over several connections in step, and is
// told of the clock and of discontinuities. Fragments that two origins have are taken once.
//
// [MS-SSTR] leaves open how the streams of a point are listed and what is sent on joining. Here GET name.isml/streammanifest is
// answered with a SMIL document with a ref for each stream, and GET name.isml/Streams(id) with header and fragments,
// beginning with the oldest one, or with that at the time in the query from=, in ticks of 100 ns. Servers send each other
// boxes of their own, which others skip. The end of a stream, whoever has ended it, is sent on only if
// Settings.Servers.EndOnStop is set; without it an edge takes it for an origin that is being looked after.
//
// # Memory
//
// Fragments are in pooled memory, once, however many viewers there are. Options.MemoryBudget bounds it per point, including
// what slow viewers have not sent yet. The oldest fragments leave memory for the history of a sink, or, without one, leave
// the window.
//
// # Specifications
//
// MS-SSTR Smooth Streaming Protocol 2.2.5 to 2.2.8, 3.2 and 3.3; the documentation of IIS Media Services 4.1; Azure's live
// ingest and live timed metadata guides; DASH-IF Live Media Ingest, interface 1; ISO/IEC 14496-12.
//
// [MS-SSTR]: https://learn.microsoft.com/en-us/openspecs/windows_protocols/ms-sstr/
package livesmooth

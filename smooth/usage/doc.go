// Package usage tells who watches what: viewer sessions, counters, logs in the W3C extended format as Windows Media Services
// and IIS wrote them, a history of the last hour, and events that webhooks are sent.
//
//	perRequest, err := usage.NewW3C("logs/access.log", &usage.W3COptions{Gzip: true})
//	...
//	perViewer, err := usage.NewW3C("logs/sessions.log", &usage.W3COptions{Sessions: true})
//	...
//	rec, err := usage.New(&usage.Options{
//		Logs:    []usage.Log{perRequest, perViewer},
//		Privacy: usage.Privacy{MaskAddresses: true},
//	})
//	...
//	defer rec.Close()
//	http.Handle("/", rec.Handler(media))              // before everything that may refuse
//	http.Handle("/metrics", prom.Handler(rec, nil))   // package usage/prom
//	http.Handle("/readyz", usage.Health(nil, checks...))
//
// It is not an analytics system: it keeps an hour in memory, and what it writes others evaluate. It looks up no names, sets no
// cookies and adds nothing to answers.
//
// # Objects
//
// A [Recorder] is middleware. Of each request it makes a [Record], of which the [Class] says what is watched and how; the
// default is [Classify], by the URLs of this suite. A [Session] is one viewer who watches one stream: it begins with the first
// good answer and ends [Options].InactivityTimeout after the last request, or with Shutdown. A [Log] gets both; [W3C] is a
// file, [Slog] a logger. An [Event] is something that an operator wants to know at once: [Recorder.Emit] tells it to every
// [Webhook].
//
// # Viewers
//
// Players of Smooth Streaming and HLS ask for every part by itself, so a viewer is told by the session that the player names
// (sid of CMCD, or X-Playback-Session-Id), else by address and User-Agent together: two equal players behind one address that
// watch the same stream count as one. [Options].Session or [Annotate] say it better where viewers have tickets. Encoders and
// other servers are no viewers; what they send and get is counted for the stream.
//
// A viewer whose very first request is refused makes a line in logs of sessions, too, as in Windows Media Services, but
// counts nowhere as a viewer.
//
// # Place
//
// The recorder's handler is the outermost one, so that it sees refusals. What others write into answers it reads: X-Limit (of
// package throttle/limit with ShowReason) names what is denied and emits [LimitHit], X-Cache and X-Throttle go to logs and
// counters. A handler that lets viewers in calls [Annotate]. A token in the path stands in [Privacy].TokenPrefixes. A program
// that has its logs moved by another one calls [W3C.Reopen] afterwards.
//
// # Bytes
//
// Bytes are those of bodies, counted as they are written, so that long downloads show in rates, history and sessions while they
// go on. A file goes out by sendfile in parts of 1 MiB. What is written is not yet received by the client: the system and the
// network hold some.
//
// # Status of a session
//
//	200  it went well
//	210  it went on after the server had failed (5xx)
//	420  the last answer was broken off, and the viewer never came back
//	401  never got anything: 401 or 403
//	404  never got anything: 404, or 412 at the live edge
//	...  never got anything: any other status of HTTP
//
// Windows Media Services also had 408, for a client that stops sending its own logs. Players do not send any now.
//
// # Fields of sessions
//
// [SessionFields] are those of [MS-WMLOG]. What only a client of that time could tell is always "-": names of hosts and of
// programs, packets, the seconds spent buffering.
//
//	date, time       when the viewer came, UTC unless LocalTime is set
//	cs-uri-stem      the stream
//	c-starttime      seconds, where the first segment begins; 0 if live; "-" if unknown
//	x-duration       seconds from the first request to the last, rounded up
//	c-rate           the last playback rate that CMCD told (pr)
//	c-playerid       a pseudonym: the same for all streams of a player, and with PseudonymKey on all servers
//	filelength       seconds, rounded up, and filesize in bytes: 0 if live, "-" if unknown; see Options.Media
//	avgbandwidth     bit/s, bytes sent over the duration
//	c-bytes          equal to sc-bytes, as TCP loses nothing
//	c-buffercount    how often the buffer ran empty, by CMCD (bs)
//	c-max-bandwidth  bit/s, what the player measured last (mtp)
//	s-totalclients   viewers when the session ended, this one included
//	s-cpu-util       percent of all processors, of this process
//	s-proxied        1 if the first request has a Via header
//
// Further fields are x-protocol, x-bitrate, x-max-bitrate, x-requests, x-failed, x-player-session and x-content.
//
// # Fields of requests
//
// [RequestFields] are the default. time-taken is in milliseconds, as IIS has it, sc-bytes and cs-bytes are of bodies, sc-status
// is 0 if the client left before there was one, x-media-time is in seconds. Further fields are s-ip, cs-version, cs-host,
// c-bytes (as cs-bytes), x-time-to-first-byte in milliseconds, x-aborted, x-cmcd and s-totalclients.
//
// In all values spaces become underscores (%20 in URLs), what is not printable is percent-encoded, and empty is "-": nothing that a
// client sends can end a line.
//
// # Metrics
//
// The names stay. [Recorder.Metrics] yields them, package prom offers them to Prometheus.
//
//	smoothkit_viewers{proto}                         gauge      viewers who are watching
//	smoothkit_viewers_peak                           gauge      the most since the peaks were reset
//	smoothkit_sessions_total{proto}                  counter    sessions that have begun
//	smoothkit_sessions_overflow_total                counter    good requests of viewers for whom there was no room
//	smoothkit_requests_active                        gauge      requests that are being served
//	smoothkit_requests_total{kind,code}              counter    requests that have ended; code is 2xx and so on, or none
//	smoothkit_requests_aborted_total                 counter    requests not answered completely
//	smoothkit_request_duration_seconds{kind}         histogram  time to the end of the answer
//	smoothkit_bytes_total{dir}                       counter    bytes of bodies; dir is out or in
//	smoothkit_denied_total{reason}                   counter    refused, by X-Limit, or by status 401, 403, 429, 503
//	smoothkit_late_segments_total                    counter    took longer than CMCD's dl, or d, allows
//	smoothkit_rebuffers_total                        counter    CMCD's bs
//	smoothkit_responses_throttled_total              counter    answers with X-Throttle
//	smoothkit_cache_requests_total{result}           counter    answers by X-Cache
//	smoothkit_events_total{kind}                     counter    events that were told
//	smoothkit_stream_viewers{stream,proto}           gauge
//	smoothkit_stream_bytes_total{stream,dir}         counter
//	smoothkit_stream_requests_total{stream}          counter
//	smoothkit_stream_late_segments_total{stream}     counter
//	smoothkit_stream_rebuffers_total{stream}         counter
//	smoothkit_log_lines_total{log}                   counter
//	smoothkit_log_lines_dropped_total{log}           counter
//	smoothkit_webhook_events_total{url,result}       counter    result is delivered, failed or dropped
//
// At most [Options].MaxStreams streams have counters of their own, the others count as "other". A stream that gave way to
// another one and comes back begins at zero, which collectors take for a restart, so that rates stay right.
//
// # Bounds
//
// Sessions, streams, words of headers, events, queues of webhooks and lines that wait to be written are bounded; what is too
// much is dropped and counted. A full disk never holds up a viewer.
//
// # Specifications
//
// W3C Extended Log File Format (WD-logfile-960323); [MS-WMLOG], the Windows Media Log Data Structure; CTA-5004, Common Media
// Client Data.
//
// [MS-WMLOG]: https://learn.microsoft.com/en-us/openspecs/windows_protocols/ms-wmlog/
package usage

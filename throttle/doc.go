// Package throttle sends progressive downloads at the speed of their playback: a burst of some seconds of the content,
// so that playback starts at once, and then what the content needs. A viewer who leaves after a fifth of a film has been
// sent little more than that fifth. It is the Bit Rate Throttling of IIS Media Services.
//
//	http.Handle("/media/", throttle.NewHandler(http.FileServer(dir), nil))
//
// A [Handler] stands around any other. [Rules] say which responses it paces and how: media by the encoded bit rate that
// package bitrate finds in the file, data by sizes and rates. A file whose rate is not found is sent unthrottled, unless
// [Rules].DefaultRate is set. [ParseRules] reads the configuration section of IIS, and [Variables] change a single
// response. Responses of one player share a budget, so that seeks and parallel ranges do not begin with a burst again.
// What is not paced is not touched, and what is keeps sendfile on plain HTTP/1.1.
//
// [Bucket], [Writer] and [Reader] are the same law for applications: any number of streams may share a bucket, whose
// rate may change at any time. Package limit bounds viewers, connections and bandwidth, around this handler or any other.
//
// What it is not: no traffic shaper of the machine, and no protection against floods. It trusts a player to be one
// player for as long as it uses the same address and name.
//
// The law: within time t a response is sent at most burst + rate*t bytes, counted without rounding, and less only by one
// quantum, which is what the rate earns in [HandlerOptions.Interval], or as its client is slow. What a client was too
// slow for it may catch up to the extent of [HandlerOptions.SeekBurst], or of 250 ms where that is more.
//
// Specifications: the documentation of IIS Media Services 4.1 on Bit Rate Throttling (configuration, extensibility);
// RFC 9110 section 14 for ranges.
package throttle

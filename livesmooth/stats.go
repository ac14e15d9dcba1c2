package livesmooth

import "time"

// Stats are the counters of a publishing point, as a copy. Bit rates are in bits per second; times and durations of media
// are in ticks of 100 ns.
type Stats struct {
	// State of the point.
	State State
	// EventID is the ID that encoders gave the event, or empty.
	EventID string
	// Started is when the event began; zero in state Idle.
	Started time.Time
	// Inputs are the input streams in the order in which they registered.
	Inputs []InputStats
	// Outputs are the streams that viewers see, in manifest order.
	Outputs []OutputStats
	// Sinks are the recordings and the servers that are pushed to.
	Sinks []SinkStats
	// Viewers is the number of clients that have asked for something within the last half minute.
	Viewers int
	// Memory is the bytes of fragments held, Pinned those of them that have left the window but are still being sent, and
	// Budget the bound of both.
	Memory, Pinned, Budget int64
	// Periods is the number of parts of the timeline between discontinuities.
	Periods int
}

// InputStats are the counters of an input stream.
type InputStats struct {
	// ID is the name in Streams(ID).
	ID string
	// Ended reports that the stream has sent its end.
	Ended bool
	// Sources are the encoders and servers that feed the stream now.
	Sources []SourceStats
	// Tracks of the stream.
	Tracks []TrackStats
}

// SourceStats describe a connection that feeds an input stream.
type SourceStats struct {
	// Name is "HTTP Push" or "HTTP Pull".
	Name string
	// Address is the IP address of the encoder, or the URL that is pulled from.
	Address string
	// Since is when it connected.
	Since time.Time
	// Bytes that it has sent.
	Bytes uint64
}

// TrackStats are the counters of a track of an input stream.
type TrackStats struct {
	// ID is the track_ID in the stream, Name the name of the stream that viewers see.
	ID   uint32
	Name string
	// Bitrate is the encoded one, as stated; Incoming is what has been received over the last ten seconds or so.
	Bitrate, Incoming uint64
	// Received fragments were taken; Duplicates came from another source before; Late and Overlapping ones had no place
	// any more; Gaps are places without a fragment.
	Received, Duplicates, Late, Overlapping, Gaps uint64
	// LastTime and LastDuration are those of the newest fragment.
	LastTime, LastDuration uint64
	// Wait is how long the newest fragment came after the one before.
	Wait time.Duration
	// Requests is the rate at which viewers ask for fragments of the track, per second.
	Requests float64
}

// OutputStats are the counters of a stream that viewers see.
type OutputStats struct {
	// Name of the stream.
	Name string
	// LastTime is the start of the newest fragment that is listed; Listed is false before there is one.
	LastTime uint64
	Listed   bool
	// Fragments are in the window.
	Fragments int
}

// SinkStats are the counters of a sink.
type SinkStats struct {
	// Name of the sink, such as "Archive" or "HTTP Push".
	Name string
	// Target is where it writes to.
	Target string
	// Failing reports that it does not take fragments now; Err says why.
	Failing bool
	Err     error
	// Queued fragments and bytes wait for it; Dropped ones found the queue full.
	Queued, QueuedBytes, Dropped int64
	// Durable is the end up to which every track is safe, in ticks of 100 ns.
	Durable uint64
	// Files are the names of the files that the input streams are recorded in, by the ID of the stream, as far as the sink tells
	// them. It must not be changed.
	Files map[string]string
}

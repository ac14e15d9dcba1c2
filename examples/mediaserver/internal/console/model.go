package console

import "time"

// The values of the pages. Bit rates are in bits per second, sizes in bytes. Texts are for people: errors say what is wrong
// without the names of files of the server. URLs are relative to the root of the server. Zero values and nil mean unknown or
// none, and are not shown.

// Overview is what the first page shows. The numbers of parts which the server has not are nil.
type Overview struct {
	// Started is when the server began.
	Started time.Time
	// Viewers now, and the bit rates of what is sent to viewers and received from encoders.
	Viewers int
	Out, In float64
	// History has the last hour, oldest first; at most 3,600 samples, at even distances.
	History   []Sample
	Points    []Point
	Listeners []Listener
	Alarms    []Alarm
	Config    *Config
	Throttle  *Throttle
	Limits    *Limits
	Edge      *Edge
	Playlists *Playlists
	Archive   *Archive
	// Events, newest first; the first dozen is shown.
	Events []Event
}

// Sample is what went on at a time.
type Sample struct {
	At       time.Time
	Out      float64 // bits per second to viewers
	Viewers  int
	Requests float64 // per second
	Denied   float64 // requests per second that a limit refused
}

// Listener is an address that the server listens on, or wants to.
type Listener struct {
	Name    string
	Address string
	// Listening is false while the address cannot be had; then Error says why and Remedy what to do, and it is tried again.
	Listening     bool
	Error, Remedy string
	// Since is when it got into this state, Attempts how often it has been tried.
	Since    time.Time
	Attempts int
	// Origin says where the socket comes from, such as "bound", "activated" or "taken over".
	Origin string
}

// Severity of alarms and events.
type Severity uint8

// The severities.
const (
	Info Severity = iota
	Warning
	Failure
)

// String returns the severity in lower case.
func (s Severity) String() string {
	switch s {
	case Info:
		return "info"
	case Warning:
		return "warning"
	}
	return "failure"
}

// Alarm is something that is wrong now.
type Alarm struct {
	Severity Severity
	// Subject is what it is about, such as the name of a publishing point.
	Subject string
	// Text says what is wrong and, if there is something, what to do.
	Text  string
	Since time.Time
}

// Event is something that has happened.
type Event struct {
	At       time.Time
	Severity Severity
	// Kind is a short name such as "encoder lost".
	Kind    string
	Subject string
	Text    string
	// Count is how many of the kind this one stands for; zero and one mean one.
	Count int
}

// Config is the state of the configuration.
type Config struct {
	// File is where it comes from; empty means flags only.
	File string
	// Loaded is when what is in force was read.
	Loaded time.Time
	// Error says why the newest state of the file is not in force, with the line; At is when that was found.
	Error string
	At    time.Time
	// Warnings about what is in force.
	Warnings []string
}

// Number is a further number of a part, with its name.
type Number struct {
	Name, Value string
}

// Count is how often something happened.
type Count struct {
	Name string
	N    int64
}

// ListQuery chooses presentations.
type ListQuery struct {
	// Search is a part of the name, whatever its case. Empty means all.
	Search string
	// Descending turns the order of names around.
	Descending bool
	// Offset and Limit are the page. Limit is at least one.
	Offset, Limit int
}

// PresentationList is a page of the list of presentations.
type PresentationList struct {
	// Total is how many there are of what was searched for. More means that there are further ones which are not counted.
	Total int
	More  bool
	Items []PresentationItem
}

// PresentationItem is an entry of the list. All but the name may be unknown, where to find it out is dear.
type PresentationItem struct {
	Name string
	// Live is true for what goes on now.
	Live bool
	// Recorded is true for what is in the archive.
	Recorded  bool
	Duration  time.Duration
	Bitrates  []uint64 // of the pictures, or of the sound if there are none
	Languages []string
	Modified  time.Time
}

// Presentation is what the page of a presentation shows.
type Presentation struct {
	Name string
	// Live is true for what goes on now; then Duration is that of the window.
	Live     bool
	Duration time.Duration
	Modified time.Time
	// Error says what is wrong with it, if it cannot be played as it is.
	Error   string
	Outputs []Output
	Streams []Stream
}

// Output is a way to watch a presentation.
type Output struct {
	// Label is what people call it, such as "HLS, fMP4".
	Label string
	// Format is what the page of players calls it: smooth, hls, hls-muxed or hls-fmp4. Empty means that it has no player there.
	Format string
	// Engine is which player of the page is to be used: built-in, dash, hls or native. Empty means the best.
	Engine string
	// URL is that of the manifest or master playlist.
	URL string
	// Host is that of the URL if it is another one than the console's, without port.
	Host string
}

// Stream is a stream of a presentation.
type Stream struct {
	Name     string
	Type     string // video, audio or text
	Language string // BCP 47 or ISO 639
	Levels   []Level
	// Gaps are where fragments are missing.
	Gaps []Span
}

// Level is a quality level.
type Level struct {
	Bitrate uint64
	// Codec is as in RFC 6381, or the FourCC.
	Codec         string
	Width, Height int
	SampleRate    int // of sound, in Hz
	Channels      int
	// Points are the fragments in the order of time, all of them: the page puts as many together as it has to for the part of
	// the timeline that it shows.
	Points []FragmentPoint
}

// FragmentPoint is a fragment, or several in a row, on the timeline.
type FragmentPoint struct {
	Start, Duration float64 // seconds of the presentation
	BitsPerSecond   float64
}

// Span is a part of the timeline in seconds.
type Span struct {
	Start, End float64
}

// Point is a publishing point.
type Point struct {
	Name, Title string
	// State is Idle, Starting, Started, Stopping, Stopped, ShuttingDown or Error.
	State string
	// Source is Push or Pull.
	Source string
	// EventID is what encoders call the event, Started when it began.
	EventID string
	Started time.Time
	Viewers int
	// In is the bit rate of what is received.
	In float64
	// Window is how much viewers can rewind now, WindowLimit what is set; zero means all of the event.
	Window, WindowLimit time.Duration
	// Memory that fragments take, and its bound.
	Memory, MemoryBudget int64
	// Archived is true if events are recorded.
	Archived bool
	Encoders []Encoder
	Tracks   []Track
	Sinks    []Sink
	// LastError says why the point is in state Error, or what a pull last failed with.
	LastError string
	// PushURL is what encoders send to.
	PushURL string
	// Events of this point, newest first. Lists of points need none.
	Events []Event
}

// Encoder is a connection that feeds a publishing point.
type Encoder struct {
	Input   string // the ID of the input stream
	Kind    string // such as "HTTP Push"
	Address string
	Since   time.Time
	// In is the bit rate of what it sends, Bytes what it has sent.
	In    float64
	Bytes uint64
}

// Track is a track of an input stream.
type Track struct {
	Input, Name string
	// Bitrate is the one stated, In what is received.
	Bitrate                                       uint64
	In                                            float64
	Received, Duplicates, Late, Overlapping, Gaps uint64
	// Last is the end of the newest fragment, from the start of the timeline.
	Last time.Duration
}

// Sink is a recording, or a server that is pushed to.
type Sink struct {
	Name string
	// Failing is true while it takes nothing; Reason says why.
	Failing bool
	Reason  string
	// Queued and Dropped fragments.
	Queued, Dropped int64
	// Durable is up to where everything is safe, from the start of the timeline.
	Durable time.Duration
}

// Throttle has the numbers of bit rate throttling.
type Throttle struct {
	Active, Sessions                         int
	Responses, Unthrottled, Aborted, Refused uint64
	BurstBytes, SteadyBytes, SavedBytes      uint64
	Waited                                   time.Duration
	Detected, Undetected                     uint64
	Groups                                   []Group
	Containers                               []Count // files whose bit rate was found
	More                                     []Number
}

// Group is a group with a limit. A limit of zero means none.
type Group struct {
	Name             string
	Now, Peak, Limit int
}

// Limits has the numbers of the limits on viewers and bandwidth.
type Limits struct {
	// Since is when the peaks began.
	Since           time.Time
	Players, Others Load // Others are distribution connections
	Sessions        int
	Admitted, Ended int64
	// Denied has the refused requests by reason.
	Denied []Count
	Points []PointLoad
	Groups []Group
	// Files with most viewers, the first the most.
	Files []FileLoad
	More  []Number
}

// Load is how many there are and what they get. A limit of zero means none.
type Load struct {
	Now, Peak, Limit                     int
	Bandwidth, Allocated, BandwidthLimit float64
	Bytes                                int64
}

// PointLoad is the load of a part of the server.
type PointLoad struct {
	Path string
	Load
}

// FileLoad is the number of viewers of a file or presentation.
type FileLoad struct {
	Name    string
	Viewers int
}

// Edge has the numbers of the edge cache.
type Edge struct {
	// Results has the requests by what became of them, such as hit, miss, coalesced and stale, in the order to show.
	Results []Count
	// HitRatio is between 0 and 1.
	HitRatio float64
	// Sent went to clients, Fetched came from upstreams.
	Sent, Fetched int64
	Memory, Disk  *Store
	Upstreams     []Upstream
	Fetching      int // upstream requests now
	More          []Number
}

// Store is a tier of a cache.
type Store struct {
	Objects      int64
	Used, Budget int64
}

// Upstream is a server that the edge cache fetches from.
type Upstream struct {
	Name    string
	Healthy bool
	Backup  bool
	// Error is the last one and At when it was.
	Error    string
	At       time.Time
	Requests int64
	Failures int64
}

// Playlists has the numbers of server-side playlists.
type Playlists struct {
	Sessions int
	Items    []PlaylistItem
	More     []Number
}

// PlaylistItem is a playlist.
type PlaylistItem struct {
	Name     string
	URL      string
	Sessions int
}

// Archive has the numbers of the archive.
type Archive struct {
	// Recording is how many events are being recorded.
	Recording int
	// Used is the size of what is recorded and Free what is left on the disk.
	Used, Free int64
	Events     []Recording
	More       []Number
}

// Recording is a recorded event.
type Recording struct {
	// Name is that of the presentation.
	Name     string
	Started  time.Time
	Duration time.Duration
	Bytes    int64
	// Live is true while it is being recorded, Failing while that is not possible.
	Live, Failing bool
}

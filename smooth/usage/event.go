package usage

import "time"

// EventKind says what an [Event] is about. Applications may have further kinds: lower-case words with underscores.
type EventKind string

// The kinds of events that the suite knows.
const (
	// Started and Stopped are about the server, a publishing point or another subject that has a life.
	Started EventKind = "started"
	Stopped EventKind = "stopped"
	// EncoderConnected and EncoderLost are about a publishing point.
	EncoderConnected EventKind = "encoder_connected"
	EncoderLost      EventKind = "encoder_lost"
	// DiskFull means that something cannot be written for lack of space. The recorder emits it for its own logs.
	DiskFull EventKind = "disk_full"
	// ArchiveFailed means that a recording is not, or not completely, on disk.
	ArchiveFailed EventKind = "archive_failed"
	// LimitHit means that a viewer was refused by a limit. The recorder emits it for answers with the header X-Limit.
	LimitHit EventKind = "limit_hit"
	// LogFailed and LogRecovered are about the recorder's own logs.
	LogFailed    EventKind = "log_failed"
	LogRecovered EventKind = "log_recovered"
	// UpstreamDown and UpstreamUp are about an origin that this server gets content from.
	UpstreamDown EventKind = "upstream_down"
	UpstreamUp   EventKind = "upstream_up"
	// ConfigReloaded and ConfigFailed are about the configuration.
	ConfigReloaded EventKind = "config_reloaded"
	ConfigFailed   EventKind = "config_failed"
)

// Event is something that an operator wants to know at once.
type Event struct {
	Kind EventKind
	// At is when it happened. The zero value means now.
	At time.Time
	// Subject is what it is about, such as the path of a publishing point.
	Subject string
	// Message says it in words.
	Message string
	// Attrs are further facts, names with values.
	Attrs [][2]string
	// Count is how many such events this one stands for, see [Options].Bursts. [Recorder.Emit] sets it.
	Count int
}

package usage

// Log is told of each request and session. [W3C] and [Slog] are such. Request is called on the goroutine of the request
// and must not block; both are called by several goroutines at a time. The values must not be kept. Logs are
// compared, so pointers are best.
type Log interface {
	Request(*Record)
	Session(*Session)
	// Close writes what is left. The recorder calls it when it is closed itself, or when the log is replaced.
	Close() error
}

// LogState is how a log is doing.
type LogState struct {
	// Name tells logs apart, such as the path of the file.
	Name string
	// Lines were written, Dropped were not, as the log did not keep up or could not write.
	Lines, Dropped int64
	// Err is why nothing can be written at present, or nil.
	Err error
}

// stateful is a log that tells how it is doing.
type stateful interface{ State() LogState }

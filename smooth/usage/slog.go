package usage

import (
	"context"
	"log/slog"
	"net/netip"
)

// SlogOptions tunes a [Slog]. A nil pointer and the zero value mean the documented defaults.
type SlogOptions struct {
	// RequestLevel and SessionLevel are the levels of records. Nil means slog.LevelDebug for requests, slog.LevelInfo for
	// sessions.
	RequestLevel, SessionLevel slog.Leveler
}

// Slog is a [Log] that writes to an [slog.Logger], such as one with a JSON handler: messages "request" and "session" with
// attributes, those that are empty or unknown left out. What the handler does, such as waiting for a disk, holds up requests.
type Slog struct {
	logger            *slog.Logger
	requests, session slog.Level
}

// NewSlog returns a log that writes to a logger.
func NewSlog(logger *slog.Logger, opts *SlogOptions) *Slog {
	s := &Slog{logger: logger, requests: slog.LevelDebug, session: slog.LevelInfo}
	if opts != nil && opts.RequestLevel != nil {
		s.requests = opts.RequestLevel.Level()
	}
	if opts != nil && opts.SessionLevel != nil {
		s.session = opts.SessionLevel.Level()
	}
	return s
}

// Close implements [Log]. The logger stays usable.
func (s *Slog) Close() error { return nil }

// attrs collects attributes.
type attrs struct {
	all [32]slog.Attr
	n   int
}

func (a *attrs) add(v slog.Attr) {
	a.all[a.n] = v
	a.n++
}

func (a *attrs) text(name, value string) {
	if value != "" {
		a.add(slog.String(name, value))
	}
}

func (a *attrs) number(name string, value int64) {
	if value > 0 {
		a.add(slog.Int64(name, value))
	}
}

func (a *attrs) address(name string, value netip.Addr) {
	if value.IsValid() {
		a.add(slog.String(name, value.String()))
	}
}

// Request implements [Log].
func (s *Slog) Request(r *Record) {
	ctx := context.Background()
	if !s.logger.Enabled(ctx, s.requests) {
		return
	}
	var a attrs
	a.add(slog.Time("start", r.Start))
	a.add(slog.Duration("duration", r.Duration))
	a.address("address", r.Address)
	a.text("user", r.User)
	a.text("method", r.Method)
	a.text("host", r.Host)
	a.text("path", r.Path)
	a.text("query", r.Query)
	a.add(slog.Int("status", r.Status))
	a.add(slog.Int64("bytes", r.Sent))
	a.number("received", r.Received)
	if r.Aborted {
		a.add(slog.Bool("aborted", true))
	}
	a.text("user_agent", r.UserAgent)
	a.text("referer", r.Referer)
	a.text("range", r.Range)
	a.text("kind", r.Class.Kind.String())
	a.text("protocol", r.Class.Protocol.String())
	a.text("stream", r.Class.Stream)
	a.number("bitrate", r.Class.Bitrate)
	if r.Class.Timed {
		a.add(slog.Duration("time", r.Class.MediaTime))
	}
	a.text("session", r.Session)
	a.text("cache", r.Cache)
	a.text("throttle", r.Throttle)
	a.text("limit", r.Limit)
	if r.HasCMCD {
		a.text("cmcd", r.CMCD.String())
	}
	s.logger.LogAttrs(ctx, s.requests, "request", a.all[:a.n]...)
}

// Session implements [Log].
func (s *Slog) Session(v *Session) {
	ctx := context.Background()
	if !s.logger.Enabled(ctx, s.session) {
		return
	}
	var a attrs
	a.add(slog.Time("start", v.Started))
	a.add(slog.Duration("duration", v.Duration()))
	a.text("session", v.ID)
	a.text("player", v.Player)
	a.text("player_session", v.PlayerSession)
	a.text("content", v.Content)
	a.text("stream", v.Stream)
	a.text("protocol", v.Protocol.String())
	if v.Live {
		a.add(slog.Bool("live", true))
	}
	a.address("address", v.Address)
	a.text("user", v.User)
	a.text("user_agent", v.UserAgent)
	a.text("referer", v.Referer)
	a.add(slog.Int("status", v.Status))
	a.add(slog.Int64("bytes", v.Sent))
	a.number("requests", v.Requests)
	a.number("failed", v.Failed)
	a.number("aborted", v.Aborted)
	a.number("bandwidth", v.Bandwidth())
	a.number("bitrate", v.Bitrate)
	a.number("max_bitrate", v.MaxBitrate)
	if v.Timed {
		a.add(slog.Duration("time", v.FirstTime))
	}
	if v.HasCMCD {
		a.add(slog.Float64("rate", v.Rate))
		a.add(slog.Int64("rebuffers", v.Starved))
		a.number("throughput", v.Throughput)
	}
	a.add(slog.Int("viewers", v.Viewers))
	s.logger.LogAttrs(ctx, s.session, "session", a.all[:a.n]...)
}

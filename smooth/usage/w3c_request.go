package usage

import (
	"net/netip"
	"strconv"
	"time"
)

// RequestFields are the fields of a log of requests, unless [W3COptions].Fields says otherwise.
func RequestFields() []string {
	return []string{
		"date", "time", "c-ip", "cs-method", "cs-uri-stem", "cs-uri-query", "sc-status", "sc-bytes", "time-taken",
		"cs(User-Agent)", "cs(Referer)", "cs(Range)", "x-session", "x-stream", "x-kind", "x-bitrate", "x-media-time", "x-cache",
		"x-throttle", "x-limit", "x-protocol", "cs-bytes", "cs-user-name",
	}
}

// requestField appends the value of a field. at is when the request began, in the log's zone.
type requestField func(b []byte, r *Record, at time.Time) []byte

// requestFieldOf returns what writes a field of requests, or nil.
func requestFieldOf(name string) requestField {
	if f := requestLineFieldOf(name); f != nil {
		return f
	}
	return requestMediaFieldOf(name)
}

// requestLineFieldOf knows the fields of HTTP.
func requestLineFieldOf(name string) requestField {
	switch name {
	case "date":
		return func(b []byte, _ *Record, at time.Time) []byte { return at.AppendFormat(b, time.DateOnly) }
	case "time":
		return func(b []byte, _ *Record, at time.Time) []byte { return at.AppendFormat(b, time.TimeOnly) }
	case "c-ip":
		return func(b []byte, r *Record, _ time.Time) []byte { return appendAddress(b, r.Address) }
	case "s-ip":
		return func(b []byte, r *Record, _ time.Time) []byte { return appendAddress(b, r.Local) }
	case "cs-method":
		return func(b []byte, r *Record, _ time.Time) []byte { return appendText(b, r.Method) }
	case "cs-uri-stem":
		return func(b []byte, r *Record, _ time.Time) []byte { return appendPath(b, r.Path) }
	case "cs-uri-query":
		return func(b []byte, r *Record, _ time.Time) []byte { return appendEncoded(b, r.Query) }
	case "cs-version":
		return func(b []byte, r *Record, _ time.Time) []byte { return appendText(b, r.Version) }
	case "cs-host", "cs(Host)":
		return func(b []byte, r *Record, _ time.Time) []byte { return appendText(b, r.Host) }
	case "cs-user-name", "cs-username":
		return func(b []byte, r *Record, _ time.Time) []byte { return appendText(b, r.User) }
	case "cs(User-Agent)":
		return func(b []byte, r *Record, _ time.Time) []byte { return appendText(b, r.UserAgent) }
	case "cs(Referer)":
		return func(b []byte, r *Record, _ time.Time) []byte { return appendEncoded(b, r.Referer) }
	case "cs(Range)":
		return func(b []byte, r *Record, _ time.Time) []byte { return appendText(b, r.Range) }
	case "sc-status":
		return func(b []byte, r *Record, _ time.Time) []byte { return strconv.AppendInt(b, int64(r.Status), 10) }
	case "sc-bytes":
		return func(b []byte, r *Record, _ time.Time) []byte { return strconv.AppendInt(b, r.Sent, 10) }
	case "cs-bytes", "c-bytes":
		return func(b []byte, r *Record, _ time.Time) []byte { return strconv.AppendInt(b, r.Received, 10) }
	case "time-taken":
		return func(b []byte, r *Record, _ time.Time) []byte {
			return strconv.AppendInt(b, r.Duration.Milliseconds(), 10)
		}
	}
	return nil
}

// requestMediaFieldOf knows the fields of streaming.
func requestMediaFieldOf(name string) requestField {
	switch name {
	case "x-time-to-first-byte":
		return func(b []byte, r *Record, _ time.Time) []byte {
			return strconv.AppendInt(b, r.FirstByte.Milliseconds(), 10)
		}
	case "x-aborted":
		return func(b []byte, r *Record, _ time.Time) []byte { return appendFlag(b, r.Aborted) }
	case "x-session":
		return func(b []byte, r *Record, _ time.Time) []byte { return appendText(b, r.Session) }
	case "x-stream":
		return func(b []byte, r *Record, _ time.Time) []byte { return appendPath(b, r.Class.Stream) }
	case "x-kind":
		return func(b []byte, r *Record, _ time.Time) []byte { return append(b, r.Class.Kind.String()...) }
	case "x-protocol":
		return func(b []byte, r *Record, _ time.Time) []byte { return append(b, r.Class.Protocol.String()...) }
	case "x-bitrate":
		return func(b []byte, r *Record, _ time.Time) []byte { return appendPositive(b, r.Class.Bitrate) }
	case "x-media-time":
		return func(b []byte, r *Record, _ time.Time) []byte {
			if !r.Class.Timed {
				return append(b, unknown)
			}
			return appendSeconds(b, r.Class.MediaTime)
		}
	case "x-cache":
		return func(b []byte, r *Record, _ time.Time) []byte { return appendText(b, r.Cache) }
	case "x-throttle":
		return func(b []byte, r *Record, _ time.Time) []byte { return appendText(b, r.Throttle) }
	case "x-limit":
		return func(b []byte, r *Record, _ time.Time) []byte { return appendText(b, r.Limit) }
	case "x-cmcd":
		return func(b []byte, r *Record, _ time.Time) []byte { return appendText(b, r.CMCD.String()) }
	case "s-totalclients":
		return func(b []byte, r *Record, _ time.Time) []byte { return strconv.AppendInt(b, int64(r.Viewers), 10) }
	}
	return nil
}

func appendAddress(b []byte, a netip.Addr) []byte {
	if !a.IsValid() {
		return append(b, unknown)
	}
	return a.AppendTo(b)
}

func appendFlag(b []byte, v bool) []byte {
	if v {
		return append(b, '1')
	}
	return append(b, '0')
}

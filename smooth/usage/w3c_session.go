package usage

import (
	"strconv"
	"strings"
	"time"
)

// SessionFields are the fields of a log of sessions, unless [W3COptions].Fields says otherwise: the 52 of a client's log in
// [MS-WMLOG], in its order.
//
// [MS-WMLOG]: https://learn.microsoft.com/en-us/openspecs/windows_protocols/ms-wmlog/
func SessionFields() []string {
	return []string{
		"c-ip", "date", "time", "c-dns", "cs-uri-stem", "c-starttime", "x-duration", "c-rate", "c-status", "c-playerid",
		"c-playerversion", "c-playerlanguage", "cs(User-Agent)", "cs(Referer)", "c-hostexe", "c-hostexever", "c-os", "c-osversion",
		"c-cpu", "filelength", "filesize", "avgbandwidth", "protocol", "transport", "audiocodec", "videocodec", "channelURL",
		"sc-bytes", "c-bytes", "s-pkts-sent", "c-pkts-received", "c-pkts-lost-client", "c-pkts-lost-net", "c-pkts-lost-cont-net",
		"c-resendreqs", "c-pkts-recovered-ECC", "c-pkts-recovered-resent", "c-buffercount", "c-totalbuffertime", "c-quality", "s-ip",
		"s-dns", "s-totalclients", "s-cpu-util", "cs-user-name", "s-session-id", "s-content-path", "cs-url", "cs-media-name",
		"c-max-bandwidth", "cs-media-role", "s-proxied",
	}
}

// sessionField appends the value of a field. at is when the session began, in the log's zone.
type sessionField func(b []byte, s *Session, at time.Time) []byte

// sessionFieldOf returns what writes a field of sessions, or nil.
func sessionFieldOf(name string) sessionField {
	for _, of := range [...]func(string) sessionField{
		clientFieldOf, contentFieldOf, deliveryFieldOf, serverFieldOf, unknownFieldOf, ownFieldOf,
	} {
		if f := of(name); f != nil {
			return f
		}
	}
	return nil
}

// unknownFieldOf knows the fields that nobody can tell who serves HTTP: names of hosts, which are not looked up, what runs on
// the client, and packets.
func unknownFieldOf(name string) sessionField {
	switch name {
	case "c-dns", "s-dns", "c-playerversion", "c-hostexe", "c-hostexever", "c-os", "c-osversion", "c-cpu", "channelURL", "s-pkts-sent",
		"c-pkts-received", "c-pkts-lost-client", "c-pkts-lost-net", "c-pkts-lost-cont-net", "c-resendreqs", "c-pkts-recovered-ECC",
		"c-pkts-recovered-resent", "c-totalbuffertime":
		return func(b []byte, _ *Session, _ time.Time) []byte { return append(b, unknown) }
	}
	return nil
}

// anonymous begins the player IDs that Windows Media Player sent where it was told not to say who it is.
const anonymous = "{3300AD50-2C39-46c0-AE0A-"

// clientFieldOf knows the fields of the client.
func clientFieldOf(name string) sessionField {
	switch name {
	case "c-ip":
		return func(b []byte, s *Session, _ time.Time) []byte { return appendAddress(b, s.Address) }
	case "date":
		return func(b []byte, _ *Session, at time.Time) []byte { return at.AppendFormat(b, time.DateOnly) }
	case "time":
		return func(b []byte, _ *Session, at time.Time) []byte { return at.AppendFormat(b, time.TimeOnly) }
	case "c-playerid":
		return func(b []byte, s *Session, _ time.Time) []byte {
			return append(append(append(b, anonymous...), clip(s.Player, 12)...), '}')
		}
	case "c-playerlanguage":
		return func(b []byte, s *Session, _ time.Time) []byte { return appendText(b, s.Language) }
	case "cs(User-Agent)":
		return func(b []byte, s *Session, _ time.Time) []byte { return appendText(b, s.UserAgent) }
	case "cs(Referer)":
		return func(b []byte, s *Session, _ time.Time) []byte { return appendEncoded(b, s.Referer) }
	case "cs-user-name":
		return func(b []byte, s *Session, _ time.Time) []byte { return appendText(b, s.User) }
	case "c-max-bandwidth":
		return func(b []byte, s *Session, _ time.Time) []byte { return appendPositive(b, s.Throughput) }
	}
	return nil
}

// contentFieldOf knows the fields of what is watched.
func contentFieldOf(name string) sessionField {
	switch name {
	case "cs-uri-stem":
		return func(b []byte, s *Session, _ time.Time) []byte { return appendPath(b, s.Stream) }
	case "cs-url":
		return appendURL
	case "filelength":
		return func(b []byte, s *Session, _ time.Time) []byte { return appendOfFile(b, s, roundUp(s.Media.Duration)) }
	case "filesize":
		return func(b []byte, s *Session, _ time.Time) []byte {
			return appendOfFile(b, s, max(s.Media.Size, s.FileSize))
		}
	case "audiocodec":
		return func(b []byte, s *Session, _ time.Time) []byte { return appendText(b, s.Media.AudioCodec) }
	case "videocodec":
		return func(b []byte, s *Session, _ time.Time) []byte { return appendText(b, s.Media.VideoCodec) }
	case "cs-media-name":
		return func(b []byte, s *Session, _ time.Time) []byte { return appendText(b, s.Media.Name) }
	case "cs-media-role":
		return func(b []byte, s *Session, _ time.Time) []byte { return appendText(b, s.Media.Role) }
	case "s-content-path":
		return func(b []byte, s *Session, _ time.Time) []byte { return appendText(b, s.Media.Path) }
	}
	return nil
}

// appendOfFile appends the length or size of a file, which is 0 for what is live.
func appendOfFile(b []byte, s *Session, n int64) []byte {
	if s.Live {
		return append(b, '0')
	}
	return appendPositive(b, n)
}

// appendURL appends the URL of the first request.
func appendURL(b []byte, s *Session, _ time.Time) []byte {
	if s.Host == "" {
		return append(b, unknown)
	}
	if b = append(b, "http"...); s.TLS {
		b = append(b, 's')
	}
	b = appendPath(appendText(append(b, "://"...), s.Host), s.Path)
	if s.Query != "" {
		b = appendEncoded(append(b, '?'), s.Query)
	}
	return b
}

// deliveryFieldOf knows the fields of how it went.
func deliveryFieldOf(name string) sessionField {
	switch name {
	case "c-starttime":
		return func(b []byte, s *Session, _ time.Time) []byte {
			switch {
			case s.Live:
				return append(b, '0')
			case !s.Timed:
				return append(b, unknown)
			}
			return strconv.AppendInt(b, int64(s.FirstTime/time.Second), 10)
		}
	case "x-duration":
		return func(b []byte, s *Session, _ time.Time) []byte { return strconv.AppendInt(b, roundUp(s.Duration()), 10) }
	case "c-rate":
		return func(b []byte, s *Session, _ time.Time) []byte {
			if !s.HasCMCD {
				return append(b, unknown)
			}
			return strconv.AppendFloat(b, s.Rate, 'f', -1, 64)
		}
	case "c-status":
		return func(b []byte, s *Session, _ time.Time) []byte { return strconv.AppendInt(b, int64(s.Status), 10) }
	case "avgbandwidth":
		return func(b []byte, s *Session, _ time.Time) []byte { return appendPositive(b, s.Bandwidth()) }
	case "sc-bytes", "c-bytes":
		return func(b []byte, s *Session, _ time.Time) []byte { return strconv.AppendInt(b, s.Sent, 10) }
	case "c-buffercount":
		return func(b []byte, s *Session, _ time.Time) []byte {
			if !s.HasCMCD {
				return append(b, unknown)
			}
			return strconv.AppendInt(b, s.Starved, 10)
		}
	case "c-quality":
		return func(b []byte, _ *Session, _ time.Time) []byte { return append(b, "100"...) }
	case "protocol":
		return func(b []byte, _ *Session, _ time.Time) []byte { return append(b, "http"...) }
	case "transport":
		return func(b []byte, s *Session, _ time.Time) []byte {
			if strings.HasPrefix(s.Version, "HTTP/3") {
				return append(b, "UDP"...)
			}
			return append(b, "TCP"...)
		}
	}
	return nil
}

// serverFieldOf knows the fields of the server.
func serverFieldOf(name string) sessionField {
	switch name {
	case "s-ip":
		return func(b []byte, s *Session, _ time.Time) []byte { return appendAddress(b, s.Local) }
	case "s-totalclients":
		return func(b []byte, s *Session, _ time.Time) []byte { return strconv.AppendInt(b, int64(s.Viewers), 10) }
	case "s-cpu-util":
		return func(b []byte, s *Session, _ time.Time) []byte {
			if s.CPU < 0 {
				return append(b, unknown)
			}
			return strconv.AppendInt(b, int64(s.CPU+0.5), 10)
		}
	case "s-session-id":
		return func(b []byte, s *Session, _ time.Time) []byte { return appendText(b, s.ID) }
	case "s-proxied":
		return func(b []byte, s *Session, _ time.Time) []byte { return appendFlag(b, s.Via != "") }
	}
	return nil
}

// ownFieldOf knows the fields that Windows Media Services did not have.
func ownFieldOf(name string) sessionField {
	switch name {
	case "x-protocol":
		return func(b []byte, s *Session, _ time.Time) []byte { return append(b, s.Protocol.String()...) }
	case "x-bitrate":
		return func(b []byte, s *Session, _ time.Time) []byte { return appendPositive(b, s.Bitrate) }
	case "x-max-bitrate":
		return func(b []byte, s *Session, _ time.Time) []byte { return appendPositive(b, s.MaxBitrate) }
	case "x-requests":
		return func(b []byte, s *Session, _ time.Time) []byte { return strconv.AppendInt(b, s.Requests, 10) }
	case "x-failed":
		return func(b []byte, s *Session, _ time.Time) []byte { return strconv.AppendInt(b, s.Failed, 10) }
	case "x-player-session":
		return func(b []byte, s *Session, _ time.Time) []byte { return appendText(b, s.PlayerSession) }
	case "x-content":
		return func(b []byte, s *Session, _ time.Time) []byte { return appendText(b, s.Content) }
	}
	return nil
}

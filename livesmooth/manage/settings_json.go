package manage

import (
	"encoding/hex"
	"encoding/json"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/smoothkit/smoothkit/livesmooth"
	"github.com/smoothkit/smoothkit/smooth"
)

// seconds is a span as a JSON number of seconds, with a fraction if need be.
type seconds time.Duration

// MarshalJSON implements [json.Marshaler].
func (s seconds) MarshalJSON() ([]byte, error) {
	return strconv.AppendFloat(nil, time.Duration(s).Seconds(), 'f', -1, 64), nil
}

// UnmarshalJSON implements [json.Unmarshaler].
func (s *seconds) UnmarshalJSON(b []byte) error {
	var f float64
	if err := json.Unmarshal(b, &f); err != nil {
		return err
	}
	ns := math.Round(f * float64(time.Second))
	if !(ns >= 0 && ns < math.MaxInt64) {
		return fail(codeData, "%s is not a number of seconds", abbreviate(string(b)))
	}
	*s = seconds(ns)
	return nil
}

// jsonSettings are settings in JSON: the names are those of the XML elements, with units.
type jsonSettings struct {
	Title             string       `json:"title"`
	SourceType        string       `json:"sourceType"`
	EstimatedDuration seconds      `json:"estimatedDurationSeconds"`
	AutoStart         bool         `json:"autoStart"`
	AutoRestart       bool         `json:"autoRestartOnEncoderReconnect"`
	LookAheadChunks   int          `json:"lookAheadChunks"`
	Archive           jsonArchive  `json:"archive"`
	Clients           jsonClients  `json:"clientConnections"`
	Servers           jsonServers  `json:"serverConnections"`
	PullFrom          []jsonRemote `json:"pullFrom"`
	PushTo            []jsonRemote `json:"pushTo"`
	HLS               *jsonHLS     `json:"hls"`
}

type jsonArchive struct {
	Enabled       bool    `json:"enabled"`
	SegmentLength seconds `json:"segmentLengthSeconds"`
	Path          string  `json:"path"`
	EventIDOnPath bool    `json:"useEventIdOnPath"`
}

type jsonClients struct {
	Enabled         bool    `json:"enabled"`
	WindowLength    seconds `json:"windowLengthSeconds"`
	LiveCacheLength seconds `json:"liveCacheLengthSeconds"`
	ManifestVersion string  `json:"clientManifestVersion"`
}

type jsonServers struct {
	Enabled   bool `json:"enabled"`
	EndOnStop bool `json:"sendEndOfStreamOnStop"`
}

type jsonRemote struct {
	URL        string `json:"url"`
	Credential string `json:"credentialName,omitempty"`
}

type jsonHLS struct {
	SegmentLength      seconds        `json:"segmentLengthSeconds"`
	MaxBitrate         uint64         `json:"maxBitRateBitsPerSecond"`
	AllowCaching       bool           `json:"allowCaching"`
	BackwardCompatible bool           `json:"backwardCompatible"`
	IncludeCodecs      bool           `json:"includeCodecs"`
	Encryption         jsonEncryption `json:"encryption"`
}

// jsonEncryption has no key, a nil one, if there is none or it is not shown; an empty one takes the key away.
type jsonEncryption struct {
	Enabled bool    `json:"enabled"`
	Key     *string `json:"keyHex,omitempty"`
}

func jsonOf(s *livesmooth.Settings) *jsonSettings {
	return &jsonSettings{
		Title: s.Title, SourceType: string(sourceType(s)), EstimatedDuration: seconds(s.EstimatedDuration),
		AutoStart: s.AutoStart, AutoRestart: s.AutoRestart, LookAheadChunks: s.Lookahead,
		Archive: jsonArchive{s.Archive.Enabled, seconds(s.Archive.SegmentLength), s.Archive.Path, s.Archive.EventIDOnPath},
		Clients: jsonClients{
			s.Viewers.Enabled, seconds(s.Viewers.WindowLength), seconds(s.Viewers.LiveCacheLength), manifestVersion(s),
		},
		Servers:  jsonServers(s.Servers),
		PullFrom: jsonRemotes(s.PullFrom), PushTo: jsonRemotes(s.PushTo), HLS: jsonHLSOf(s.HLS),
	}
}

func jsonRemotes(list []livesmooth.RemotePoint) []jsonRemote {
	out := make([]jsonRemote, len(list))
	for i, r := range list {
		out[i] = jsonRemote(r)
	}
	return out
}

func jsonHLSOf(h *livesmooth.HLSSettings) *jsonHLS {
	if h == nil {
		return nil
	}
	j := &jsonHLS{
		SegmentLength: seconds(segmentLength(h)), MaxBitrate: maxBitrate(h), AllowCaching: h.AllowCaching,
		BackwardCompatible: h.BackwardCompatible, IncludeCodecs: h.IncludeCodecs, Encryption: jsonEncryption{Enabled: h.Encrypt},
	}
	if len(h.Key) > 0 {
		key := strings.ToUpper(hex.EncodeToString(h.Key))
		j.Encryption.Key = &key
	}
	return j
}

// readJSONSettings is what [readSettings] is for Atom.
func readJSONSettings(data []byte, current *livesmooth.Settings) (*livesmooth.Settings, error) {
	j := jsonOf(livesmooth.DefaultSettings())
	if err := decodeJSON(data, j); err != nil {
		return nil, err
	}
	s := &livesmooth.Settings{
		Title: j.Title, Source: livesmooth.SourceType(j.SourceType),
		EstimatedDuration: time.Duration(j.EstimatedDuration), AutoStart: j.AutoStart, AutoRestart: j.AutoRestart,
		Lookahead: j.LookAheadChunks,
		Archive: smooth.ArchiveSettings{
			Enabled: j.Archive.Enabled, SegmentLength: time.Duration(j.Archive.SegmentLength), Path: j.Archive.Path,
			EventIDOnPath: j.Archive.EventIDOnPath,
		},
		Viewers: livesmooth.ViewerSettings{
			Enabled: j.Clients.Enabled, WindowLength: time.Duration(j.Clients.WindowLength),
			LiveCacheLength: time.Duration(j.Clients.LiveCacheLength), ManifestVersion: j.Clients.ManifestVersion,
		},
		Servers: livesmooth.ServerSettings(j.Servers), PullFrom: remotesOf(j.PullFrom), PushTo: remotesOf(j.PushTo),
	}
	key, err := j.HLS.into(s)
	if err != nil {
		return nil, err
	}
	keepUnknown(s, current, key)
	return checked(s)
}

func remotesOf(list []jsonRemote) []livesmooth.RemotePoint {
	if len(list) == 0 {
		return nil
	}
	out := make([]livesmooth.RemotePoint, len(list))
	for i, r := range list {
		out[i] = livesmooth.RemotePoint(r)
	}
	return out
}

// into sets the HLS settings.
func (j *jsonHLS) into(s *livesmooth.Settings) (keyRule, error) {
	if j == nil {
		return keepKey, nil
	}
	s.HLS = &livesmooth.HLSSettings{
		SegmentLength: time.Duration(j.SegmentLength), MaxBitrate: j.MaxBitrate, AllowCaching: j.AllowCaching,
		BackwardCompatible: j.BackwardCompatible, IncludeCodecs: j.IncludeCodecs, Encrypt: j.Encryption.Enabled,
	}
	if j.Encryption.Key == nil {
		return keepKey, nil
	}
	key, err := parseKey(*j.Encryption.Key)
	s.HLS.Key = key
	return replaceKey, err
}

package livesmooth

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"time"

	"github.com/smoothkit/smoothkit/smooth"
)

// SourceType says where a publishing point gets its streams from.
type SourceType string

// The source types, as they are written.
const (
	// SourcePush waits for encoders, or servers, that POST.
	SourcePush SourceType = "Push"
	// SourcePull fetches from the publishing point of another server.
	SourcePull SourceType = "Pull"
)

// Settings define a publishing point: what an .isml file holds and the management services show. Start from
// [DefaultSettings]; the zero value has everything switched off.
type Settings struct {
	// Title is for people.
	Title string
	// Source is Push or Pull; empty means Push.
	Source SourceType
	// EstimatedDuration is what viewers are told of the length of the event; zero means unknown. Clients scale their seek
	// bars by it, and dash.js takes an event with it for one that can be watched from its start only.
	EstimatedDuration time.Duration
	// AutoStart starts the point on the first request of a viewer, server or encoder.
	AutoStart bool
	// AutoRestart starts a stopped point anew when an encoder connects.
	AutoRestart bool
	// Lookahead is the number of following fragments that each fragment announces; the newest ones are listed that much
	// later.
	Lookahead int
	// Archive says whether and how the event is recorded, by the sink that the application has for it.
	Archive smooth.ArchiveSettings
	// Viewers rules what clients get.
	Viewers ViewerSettings
	// Servers rules what other servers get.
	Servers ServerSettings
	// PullFrom are the addresses of a Pull point: a primary and failovers.
	PullFrom []RemotePoint
	// PushTo are the publishing points that get all this one receives.
	PushTo []RemotePoint
	// HLS are the settings of the HLS output, nil if it is off. The application gives them to package hls.
	HLS *HLSSettings
	// Filters is the meta "filters" of the .isml file, whose meaning is unknown.
	Filters string
	// Extra are metas of the .isml file that this package does not know, kept for writing.
	Extra []smooth.Attribute
}

// ViewerSettings rule what clients get.
type ViewerSettings struct {
	// Enabled lets clients watch.
	Enabled bool
	// WindowLength is how far back clients may go (DVR); zero means to the beginning.
	WindowLength time.Duration
	// LiveCacheLength is how much is kept in memory, besides the byte budget of the server; zero means what the budget allows.
	LiveCacheLength time.Duration
	// ManifestVersion is "2.0" or "2.2"; empty means 2.0.
	ManifestVersion string
}

// ServerSettings rule what other servers get.
type ServerSettings struct {
	// Enabled lets servers pull.
	Enabled bool
	// EndOnStop sends an end of stream to servers downstream when the point is stopped. Without it they wait for the
	// stream to go on, or turn to a failover.
	EndOnStop bool
}

// RemotePoint is the publishing point of another server.
type RemotePoint struct {
	// URL ends in ".isml".
	URL string
	// Credential names an entry of the application's credentials; empty means none.
	Credential string
}

// HLSSettings are the settings of the HLS output.
type HLSSettings struct {
	// SegmentLength of segments; zero means ten seconds.
	SegmentLength time.Duration
	// MaxBitrate in bits per second drops higher variants; zero means 1,600,000, as in IIS 4.1.
	MaxBitrate uint64
	// AllowCaching permits clients to cache segments.
	AllowCaching bool
	// BackwardCompatible writes .ts and .m3u8 at the end of URLs, which iOS 3 needs.
	BackwardCompatible bool
	// IncludeCodecs writes the CODECS attribute.
	IncludeCodecs bool
	// Encrypt encrypts segments with AES-128 and Key, 16 bytes. Without a key the application has one made.
	Encrypt bool
	Key     []byte
	// Extra are further metas of the .isml file that begin with "m3u8-aapl", kept for writing.
	Extra []smooth.Attribute
}

// Defaults of settings.
const (
	DefaultLookahead        = 2
	DefaultHLSSegmentLength = 10 * time.Second
	DefaultHLSMaxBitrate    = 1_600_000
)

// DefaultSettings returns the settings of a push point as IIS made it: a look-ahead of two, open to viewers and servers,
// not archived, without a bound of the window.
func DefaultSettings() *Settings {
	return &Settings{
		Source: SourcePush, Lookahead: DefaultLookahead,
		Viewers: ViewerSettings{Enabled: true, ManifestVersion: "2.0"},
		Servers: ServerSettings{Enabled: true, EndOnStop: true},
	}
}

// Clone returns a copy that shares nothing.
func (s *Settings) Clone() *Settings {
	c := *s
	c.PullFrom, c.PushTo, c.Extra = slices.Clone(s.PullFrom), slices.Clone(s.PushTo), slices.Clone(s.Extra)
	if s.HLS != nil {
		h := *s.HLS
		h.Key, h.Extra = slices.Clone(h.Key), slices.Clone(h.Extra)
		c.HLS = &h
	}
	return &c
}

// Limits of settings.
const (
	// MaxLookahead is the largest look-ahead: tfrf counts in one byte, and viewers wait for all of it.
	MaxLookahead = 16
	// MaxRemotePoints is the largest number of addresses in a list.
	MaxRemotePoints = 64
	// maxSpan bounds lengths of time.
	maxSpan = 10 * 366 * 24 * time.Hour
)

// Validate returns an error that wraps [ErrSettings] and names what is wrong, or nil.
func (s *Settings) Validate() error {
	var errs []error
	check := func(ok bool, format string, args ...any) {
		if !ok {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	check(s.Source == "" || s.Source == SourcePush || s.Source == SourcePull, "source type %q is neither Push nor Pull", s.Source)
	check(s.Lookahead >= 0 && s.Lookahead <= MaxLookahead, "look-ahead %d is not within 0 and %d", s.Lookahead, MaxLookahead)
	for _, span := range []struct {
		name string
		d    time.Duration
	}{
		{"estimated duration", s.EstimatedDuration}, {"archive segment length", s.Archive.SegmentLength},
		{"window length", s.Viewers.WindowLength}, {"live cache length", s.Viewers.LiveCacheLength},
	} {
		check(span.d >= 0 && span.d <= maxSpan, "%s %v is not within 0 and ten years", span.name, span.d)
	}
	v := s.Viewers.ManifestVersion
	check(v == "" || v == "2.0" || v == "2.2", "client manifest version %q is neither 2.0 nor 2.2", v)
	check(s.Source != SourcePull || len(s.PullFrom) > 0, "a pull point without an address to pull from")
	check(s.Source == SourcePull || len(s.PullFrom) == 0, "a push point with addresses to pull from")
	check(len(s.PullFrom) <= MaxRemotePoints && len(s.PushTo) <= MaxRemotePoints, "more than %d addresses", MaxRemotePoints)
	for _, r := range slices.Concat(s.PullFrom, s.PushTo) {
		check(r.valid(), "address %q is not the http or https URL of a publishing point, such as http://host/live/event.isml", r.URL)
	}
	if h := s.HLS; h != nil {
		check(h.SegmentLength >= 0 && h.SegmentLength <= time.Hour, "HLS segment length %v is not within 0 and an hour", h.SegmentLength)
		check(len(h.Key) == 0 || len(h.Key) == 16, "HLS key of %d bytes, need 16", len(h.Key))
	}
	if len(errs) == 0 {
		return nil
	}
	return fmt.Errorf("livesmooth: %w: %w", ErrSettings, errors.Join(errs...))
}

func (r RemotePoint) valid() bool {
	u, err := url.Parse(r.URL)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != "" && isPointName(u.Path)
}

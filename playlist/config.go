package playlist

import (
	"fmt"
	"math"
	"time"

	"github.com/smoothkit/smoothkit/internal/iisconfig"
)

// Config is what the section system.webServer/media/playlist of IIS says, or the defaults of IIS.
type Config struct {
	Enabled bool
	// QueryStringDelimiter stands between sessionId and entryId in the URLs of entries.
	QueryStringDelimiter string
	// AllowAbsolutePaths allows entries of type [PhysicalPath]: who writes a list can then read every file that the
	// server can.
	AllowAbsolutePaths bool
	// DefaultSessionProvider is the name of one of SessionProviders.
	DefaultSessionProvider string
	// MaximumPlaylistDepth is how deep playlists may be nested, 1 to 1024.
	MaximumPlaylistDepth int
	AllowClientCache     bool
	// Timeouts are those of requests for httpd:// entries.
	Timeouts          ConfigTimeouts
	SessionProviders  []ConfigSessionProvider
	AccessOptions     []ConfigAccessOption
	PlaylistProviders []ConfigPlaylistProvider
	SessionOptions    ConfigSessionOptions
	OutputFormats     []ConfigOutputFormat
	// Locations are what location elements say, in the order of the file, each complete with what it inherits. Those
	// have no Locations and no Warnings of their own.
	Locations []ConfigLocation
	// Warnings are about what was read over, and what is better said elsewhere.
	Warnings []Warning
}

// ConfigTimeouts are the longest waits of one phase of a request. Zero means no limit.
type ConfigTimeouts struct {
	Resolve, Connect, Send, Receive time.Duration
}

// ConfigSessionProvider says how sessions are kept.
type ConfigSessionProvider struct {
	Name string
	// PersistenceType is a word of IIS, which means nothing here.
	PersistenceType string
	// InactivityTimeout and TimeToLive are at least a minute, in whole minutes.
	InactivityTimeout, TimeToLive time.Duration
	// MaxActiveSessions is zero if there is no limit.
	MaxActiveSessions int
}

// ConfigAccessOption says as whom to read what is below a path.
type ConfigAccessOption struct {
	Path, UserName string
	// Password is as it is written, usually encrypted by IIS, as in "[enc:AesProvider:...:enc]".
	Password    string
	LogonMethod LogonMethod
}

// String returns the option without its password.
func (a ConfigAccessOption) String() string {
	return fmt.Sprintf("%s as %s (%v)", a.Path, a.UserName, a.LogonMethod)
}

// GoString is String, so that no way of printing shows the password.
func (a ConfigAccessOption) GoString() string { return a.String() }

// LogonMethod is how IIS logs on with the credentials of an access option. The numbers are those of its schema.
type LogonMethod int

// The ways to log on.
const (
	LogonInteractive LogonMethod = iota
	LogonBatch
	LogonNetwork
	LogonClearText
)

// String returns the word of the schema.
func (m LogonMethod) String() string {
	switch m {
	case LogonInteractive:
		return "Interactive"
	case LogonBatch:
		return "Batch"
	case LogonNetwork:
		return "Network"
	case LogonClearText:
		return "ClearText"
	}
	return "unknown"
}

// ConfigPlaylistProvider binds a file extension to a COM class, which only IIS can load: a program finds here for which
// extensions it must have a provider.
type ConfigPlaylistProvider struct {
	Description, ProgID, Extension string
}

// ConfigSessionOptions are the rules of all sessions.
type ConfigSessionOptions struct {
	// MaxConcurrentConnections is that of one session. Zero means no limit.
	MaxConcurrentConnections int
	// AllowSkipAfterMinPercent is how much of an entry must have been sent before it may be skipped although its rules
	// forbid that, 0 to 100. The default of IIS is 0, which undoes every rule.
	AllowSkipAfterMinPercent int
	// HasAllowSkipAfterMinPercent tells whether somebody wrote it. If not, it is better to keep the rules.
	HasAllowSkipAfterMinPercent bool
}

// ConfigOutputFormat is a stylesheet that makes another format of ASX.
type ConfigOutputFormat struct {
	Enabled bool
	// Format is the name in URLs.
	Format string
	// XSLTSrc is the path of the stylesheet from the root of the site. It begins with a slash, or is empty.
	XSLTSrc     string
	ContentType string
}

// ConfigLocation has what a part of the server has.
type ConfigLocation struct {
	// Path is that of the location element: the name of a site, and after it directories and possibly a file, such
	// as "Default Web Site/videos". It has no slash at its ends.
	Path   string
	Config *Config
}

// The defaults of IIS's schema.
const (
	defaultInactivity = 120 * time.Minute
	defaultTimeToLive = 1440 * time.Minute
	maxMinutes        = 525600 // of both
	maxNestedLists    = 1024
	maxConfigUint     = math.MaxInt32
)

// DefaultConfig returns what IIS does without a section.
func DefaultConfig() *Config {
	return &Config{
		Enabled:                true,
		QueryStringDelimiter:   ";",
		DefaultSessionProvider: "InMemory",
		MaximumPlaylistDepth:   5,
		Timeouts:               ConfigTimeouts{Connect: time.Minute, Send: 30 * time.Second, Receive: 30 * time.Second},
		SessionProviders: []ConfigSessionProvider{
			{Name: "InMemory", InactivityTimeout: defaultInactivity, TimeToLive: defaultTimeToLive},
			{Name: "ASP.NET", InactivityTimeout: defaultInactivity, TimeToLive: defaultTimeToLive},
		},
		SessionOptions: ConfigSessionOptions{MaxConcurrentConnections: 4},
	}
}

// ParseConfig reads the sections system.webServer/media/playlist of an applicationHost.config or a web.config of IIS,
// also those in location elements, in UTF-8 or UTF-16. The document may also be a part of such a file: the section
// itself, media, system.webServer or locations. Document types are refused.
//
// What is not said is inherited, in the end from [DefaultConfig]. Collections begin with what they inherit, and change
// it with their own element (sessionProvider, accessOption, playlistProvider, outputFormat), remove and clear. Adding
// what somebody has added before is an error, as it is in IIS, unless it is removed first; the two session providers
// that IIS comes with are replaced.
//
// Errors are [*ConfigError], several of them joined. One wraps [ErrNoSection] if there is no section.
//
// See the schema in "Web Playlists for IIS Configuration" in the documentation of IIS Media Services.
func ParseConfig(data []byte) (*Config, error) { return ParseConfigOver(nil, data) }

// ParseConfigOver is [ParseConfig] for a file that inherits from parent, as a web.config does from the server. Nil
// means the defaults.
func ParseConfigOver(parent *Config, data []byte) (*Config, error) {
	b := &configBuilder{}
	b.log.Keys = []string{"name", "path", "extension", "format"}
	b.log.Secrets = []string{"password"}
	sections := iisconfig.Sections(data, iisconfig.Form{Name: "playlist"}, &b.log)
	c := b.config(parent, sections)
	if err := b.log.Err(configError); err != nil {
		return nil, err
	}
	b.log.SortWarnings()
	for _, w := range b.log.Warnings() {
		c.Warnings = append(c.Warnings, Warning{w.At.Line, w.At.Column, w.Text})
	}
	return c, nil
}

// For returns what holds for a file or directory, whose path is like that of a [ConfigLocation]: that of the longest
// location that contains it, or else c. Case does not matter.
func (c *Config) For(path string) *Config {
	i := iisconfig.Longest(c.Locations, func(l ConfigLocation) string { return l.Path }, path)
	if i < 0 {
		return c
	}
	return c.Locations[i].Config
}

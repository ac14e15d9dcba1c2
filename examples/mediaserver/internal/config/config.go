// Package config reads the configuration file of the media server: one YAML document, in which an unknown key or a value out of
// range is an error with its line, and secrets come from the environment or from files of their own.
package config

import (
	"strings"
	"time"
)

// Config is what the file says. The zero value, with Default applied, serves the sample on a port of this machine.
type Config struct {
	// Listen are the addresses to listen on.
	Listen []Listener `yaml:"listen"`
	// Handover is the path of the control socket over which a new process takes over from this one. Empty means none.
	Handover string `yaml:"handover"`
	// Debug is the address of a listener of its own for pprof. Empty means none.
	Debug string `yaml:"debug"`
	// Grace is how long requests may go on when the server ends.
	Grace Duration `yaml:"grace"`
	// Log is the level of the program's own log: debug, info, warn or error; Format is text or json.
	Log Logging `yaml:"log"`

	// Sites are served by the host that clients ask for. A site may also be written at the top level: see Site.
	Sites []Site `yaml:"sites"`
	Site  `yaml:",inline"`
	// Import are configuration files of IIS: applicationHost.config adds its sites, web.config the settings of the site at the
	// top level.
	Import []Import `yaml:"import"`

	Live     Live     `yaml:"live"`
	Archive  Archive  `yaml:"archive"`
	Throttle Throttle `yaml:"throttle"`
	Playlist Playlist `yaml:"playlist"`
	Limits   Limits   `yaml:"limits"`
	Access   Access   `yaml:"access"`
	Usage    Usage    `yaml:"usage"`
	// Players is a directory or URL with dash.js and hls.js for the player page.
	Players string `yaml:"players"`

	// Files are all files that the configuration was read from, to be watched for changes.
	Files []string `yaml:"-"`
}

// Listener is an address to listen on.
type Listener struct {
	// Address is host:port, :port, or unix: and the path of a socket.
	Address string `yaml:"address"`
	// Name is that of a socket of systemd (FileDescriptorName=) which takes the place of the address.
	Name string `yaml:"name"`
	// TLS makes it HTTPS.
	TLS *TLS `yaml:"tls"`
	// Encoders that write malformed headers may connect here: see livesmooth.TolerantListener.
	Tolerant bool `yaml:"tolerant"`
	// For names who may use this address: viewers, encoders, operators. Empty means all three.
	For []Role `yaml:"for"`
}

// Role is one of three kinds of people and programs.
type Role string

// The roles.
const (
	Viewers   Role = "viewers"
	Encoders  Role = "encoders"
	Operators Role = "operators"
)

// TLS are the certificates of a listener. They are read again when they change.
type TLS struct {
	Certificates []KeyPair `yaml:"certificates"`
	// ClientCA, if set, is a file of certificates that those of clients must be signed by.
	ClientCA string `yaml:"clientCA"`
	// Minimum is the lowest version, "1.2" or "1.3".
	Minimum string `yaml:"minimum"`
}

// KeyPair are the files of a certificate with its chain, and of its key.
type KeyPair struct {
	Certificate string `yaml:"certificate"`
	Key         string `yaml:"key"`
}

// Logging is about the program's own log.
type Logging struct {
	Level  string `yaml:"level"`
	Format string `yaml:"format"`
}

// Site is a web site: a directory as IIS had it, and what belongs to it.
type Site struct {
	Name string `yaml:"name"`
	// Hosts are the names that clients ask for. None means all that no other site has.
	Hosts []string `yaml:"hosts"`
	// On are addresses of listeners that the site is served on. None means all.
	On []string `yaml:"on"`
	// Root is its directory, and Folders are virtual directories by their path, such as /video.
	Root    string            `yaml:"root"`
	Folders map[string]string `yaml:"folders"`
	// Sample serves a small presentation at /sample/. Without any root it is there.
	Sample bool `yaml:"sample"`
	// Aliases are files with aliases and redirects.
	Aliases []string `yaml:"aliases"`
	// Hide are paths, such as /ads, below which nothing is sent but as entries of playlists, so that nobody goes around their rules.
	Hide []string `yaml:"hide"`
	// WebConfig lets web.config files in the directories say how plain files are served, as IIS does.
	WebConfig *bool `yaml:"webConfig"`
	// Edge are parts of the site that come from other servers and are cached here.
	Edge []Edge `yaml:"edge"`
	// SiteAccess takes the place of the server's where it says something: its viewers that of viewers with all paths, its paths alone
	// add to them. Its operators manage the points of the site; the console and the metrics are for those of the server.
	SiteAccess *Access `yaml:"siteAccess"`

	// IIS is what an imported file says of the site, nil if none does.
	IIS *IIS `yaml:"-"`

	place []any // in the document, nil at the top level
}

// Events is the directory of the recordings of a site in the archive: its name as one of a directory. Sites of a server have different
// ones, without regard to case.
func (s *Site) Events() string {
	return strings.Trim(strings.NewReplacer("/", "-", `\`, "-", ":", "-").Replace(s.Name), ". ")
}

// Import is a configuration file of IIS.
type Import struct {
	File string `yaml:"file"`
	// Paths says where directories of the old machine are now, such as C:\inetpub: /srv/inetpub.
	Paths map[string]string `yaml:"paths"`
	// Sites are the names of those that are wanted. None means all.
	Sites []string `yaml:"sites"`
	// Bindings makes listeners of the bindings of the sites, and serves each site on its own only. By default that is done if
	// the configuration has no listeners.
	Bindings *bool `yaml:"bindings"`
}

// Edge is a cache in front of other servers.
type Edge struct {
	// Path begins the URLs, such as /cdn.
	Path      string     `yaml:"path"`
	Upstreams []Upstream `yaml:"upstreams"`
	// Memory and Disk bound what is kept, and Directory is where; without one nothing is kept on disk.
	Memory    Size   `yaml:"memory"`
	Directory string `yaml:"directory"`
	Disk      Size   `yaml:"disk"`
	// StaleIfError is how long after its lifetime an answer is good while no upstream answers.
	StaleIfError Duration `yaml:"staleIfError"`
	// Health is what is asked to find out whether an upstream is well, such as /healthz. Empty means only by what fails.
	Health string `yaml:"health"`
}

// Upstream is a server that an edge gets content from.
type Upstream struct {
	URL string `yaml:"url"`
	// Backup is only asked when no other answers.
	Backup bool `yaml:"backup"`
	// Headers are added to what is asked.
	Headers map[string]Secret `yaml:"headers"`
}

// Live rules publishing points.
type Live struct {
	// Demo is a publishing point, live/demo.isml, that is always there. It is there by default where there is no configuration file.
	Demo *bool `yaml:"demo"`
	// Memory bounds the fragments of one point in memory.
	Memory Size `yaml:"memory"`
	// Spool is a directory for windows that are longer than what memory holds. Empty means that of temporary files.
	Spool string `yaml:"spool"`
	// WaitAtEdge is how long a request for the next fragment is held before it is answered with 412.
	WaitAtEdge Duration `yaml:"waitAtEdge"`
	// Create lets encoders create points by PUT of their .isml file, if they may push.
	Create bool `yaml:"create"`
	// Credentials are for other servers that points pull from and push to, by the name that their settings have.
	Credentials map[string]Credential `yaml:"credentials"`
}

// Credential is a user with a password.
type Credential struct {
	User     string `yaml:"user"`
	Password Secret `yaml:"password"`
}

// Archive says where events are recorded.
type Archive struct {
	// Directory is where. Empty means that nothing is recorded.
	Directory string `yaml:"directory"`
	// Sync bounds what a power cut may cost.
	Sync Duration `yaml:"sync"`
	// ResumeWithin is how long after a restart an event may go on.
	ResumeWithin Duration `yaml:"resumeWithin"`
	// KeepFor, KeepBytes and KeepEvents (of each point) say what is deleted. Zero keeps everything.
	KeepFor    Duration `yaml:"keepFor"`
	KeepBytes  Size     `yaml:"keepBytes"`
	KeepEvents int      `yaml:"keepEvents"`
}

// Throttle rules the pacing of media files.
type Throttle struct {
	Disabled bool `yaml:"disabled"`
	// File is a configuration file of IIS with a section bitrateThrottling, or that section. Empty means the rules of IIS.
	File string `yaml:"file"`
	// Interval is how often a paced response is written to.
	Interval Duration `yaml:"interval"`
	// Kernel lets Linux spread what is written over the interval.
	Kernel bool `yaml:"kernel"`
	// Debug adds X-Throttle to responses.
	Debug bool `yaml:"debug"`
}

// Playlist rules Web Playlists.
type Playlist struct {
	Disabled bool `yaml:"disabled"`
	// File is a configuration file of IIS with a section playlist, or that section.
	File string `yaml:"file"`
	// Redis is the URL of the server that keeps the sessions of a farm.
	Redis Secret `yaml:"redis"`
	// Keys sign sessions, the first new ones; the same on all servers of a farm.
	Keys []Secret `yaml:"keys"`
	// Remote sends media of other servers through this one.
	Remote bool `yaml:"remote"`
	// Interstitials offers advertisements to players of HLS: rules are then only asked of them.
	Interstitials bool `yaml:"interstitials"`
}

// Limits are those of Windows Media Services by their names there, for the server and for parts of it by path. -1 and leaving a
// limit out both mean that there is none.
type Limits struct {
	PointLimits `yaml:",inline"`
	// ConnectionAcknowledgement is how long a client may take to send the header of a request. It holds for the server only.
	ConnectionAcknowledgement Duration               `yaml:"connectionAcknowledgement"`
	Points                    map[string]PointLimits `yaml:"publishingPoints"`
	// Groups limit viewers by kinds of files.
	Groups []LimitGroup `yaml:"connectionGroups"`
}

// PointLimits are the limits of the server, or of a part of it. Bandwidths are in kbit/s, times in seconds, as there.
type PointLimits struct {
	PlayerConnections                      int   `yaml:"playerConnections"`
	OutgoingDistributionConnections        int   `yaml:"outgoingDistributionConnections"`
	AggregatePlayerBandwidth               int64 `yaml:"aggregatePlayerBandwidth"`
	AggregateOutgoingDistributionBandwidth int64 `yaml:"aggregateOutgoingDistributionBandwidth"`
	BandwidthPerPlayerConnection           int64 `yaml:"bandwidthPerPlayerConnection"`
	BandwidthPerOutgoingDistribution       int64 `yaml:"bandwidthPerOutgoingDistributionConnection"`
	ConnectionRate                         int   `yaml:"connectionRate"`
	PlayerInactivityTimeout                int   `yaml:"playerInactivityTimeout"`
	PlayersPerFile                         int   `yaml:"playersPerFile"`
	PlayersPerAddress                      int   `yaml:"playersPerAddress"`
	RequestsPerPlayer                      int   `yaml:"requestsPerPlayer"`
	PlayerCeiling                          int64 `yaml:"playerCeiling"`
	OutgoingDistributionCeiling            int64 `yaml:"outgoingDistributionCeiling"`
	Replace                                bool  `yaml:"replace"`
}

// LimitGroup limits viewers of some kinds of files, as the connection groups of IIS did.
type LimitGroup struct {
	Name     string   `yaml:"name"`
	Limit    int      `yaml:"limit"`
	Patterns []string `yaml:"patterns"`
}

// Access says who may do what.
type Access struct {
	// TrustedProxies are addresses whose X-Forwarded-For is believed.
	TrustedProxies []string `yaml:"trustedProxies"`
	// Viewers, Encoders and Operators may watch, push, and manage. Nobody set means everybody, but operators: then it is only
	// programs of this machine. Servers that pull streams are encoders if encoders are set, or else viewers; and what changes something
	// at the upstream of an edge is passed on only if they are.
	Viewers   *Policy `yaml:"viewers"`
	Encoders  *Policy `yaml:"encoders"`
	Operators *Policy `yaml:"operators"`
	// Paths have policies of their own for viewers, which take the place of the others. A presentation has them under all its names, and
	// what a point has recorded has those of the point, unless a path in /archive says otherwise. A directory that is served at several
	// places has as many, and entries of playlists those of the playlist.
	Paths map[string]*Policy `yaml:"paths"`
	// CORS rules scripts of other sites. Nil lets all read.
	CORS *CORS `yaml:"cors"`
}

// Policy lets in who comes from an allowed address and has one of the credentials.
type Policy struct {
	Allow  []string `yaml:"allow"`
	Deny   []string `yaml:"deny"`
	Realm  string   `yaml:"realm"`
	Basic  *Basic   `yaml:"basic"`
	Bearer *Bearer  `yaml:"bearer"`
	Hook   *Hook    `yaml:"hook"`
	Signed *Signed  `yaml:"signed"`
}

// Basic are users with passwords, as bcrypt hashes.
type Basic struct {
	// File is a file of htpasswd.
	File string `yaml:"file"`
	// Users are hashes by name.
	Users map[string]Secret `yaml:"users"`
}

// Bearer are JSON Web Tokens.
type Bearer struct {
	JWKS       []string          `yaml:"jwks"`
	Secret     Secret            `yaml:"secret"`
	Issuer     string            `yaml:"issuer"`
	Audience   string            `yaml:"audience"`
	Algorithms []string          `yaml:"algorithms"`
	Claims     map[string]string `yaml:"claims"`
	// Paths is the claim whose patterns bound where the token is good.
	Paths string `yaml:"paths"`
	// Query is a parameter that may hold the token, for players that cannot set headers.
	Query string `yaml:"query"`
}

// Hook is a service that is asked about every new viewer.
type Hook struct {
	URL      string   `yaml:"url"`
	Timeout  Duration `yaml:"timeout"`
	Headers  []string `yaml:"headers"`
	CacheFor Duration `yaml:"cacheFor"`
}

// Signed are URLs that expire.
type Signed struct {
	// Keys sign and verify, at least 16 bytes each; the first one signs.
	Keys []Secret `yaml:"keys"`
}

// CORS rules scripts of other sites.
type CORS struct {
	Origins     []string `yaml:"origins"`
	Headers     []string `yaml:"headers"`
	Credentials bool     `yaml:"credentials"`
	MaxAge      Duration `yaml:"maxAge"`
}

// Usage rules statistics.
type Usage struct {
	// Log are W3C logs in a directory.
	Log *UsageLog `yaml:"log"`
	// JSON writes a record of each request into the log of the program.
	JSON bool `yaml:"json"`
	// MaskAddresses cuts addresses in logs to their network.
	MaskAddresses bool `yaml:"maskAddresses"`
	// Metrics is the path of the metrics for Prometheus, which operators may read. Empty means /metrics; "off" means none.
	Metrics string `yaml:"metrics"`
	// Webhooks are told of events.
	Webhooks []Webhook `yaml:"webhooks"`
}

// UsageLog are the W3C logs: requests and viewer sessions.
type UsageLog struct {
	Directory string `yaml:"directory"`
	// Rotate is hour, day, or never; MaxSize is another reason.
	Rotate  string `yaml:"rotate"`
	MaxSize Size   `yaml:"maxSize"`
	// Keep is the number of old files of each kind.
	Keep     int  `yaml:"keep"`
	Compress bool `yaml:"compress"`
	// LocalTime writes times of the server's zone.
	LocalTime bool `yaml:"localTime"`
	// NoRequests and NoSessions leave one of the two out.
	NoRequests bool `yaml:"noRequests"`
	NoSessions bool `yaml:"noSessions"`
	// RequestFields and SessionFields take the place of the usual ones.
	RequestFields []string `yaml:"requestFields"`
	SessionFields []string `yaml:"sessionFields"`
}

// Webhook is a service that is told of events.
type Webhook struct {
	URL    string   `yaml:"url"`
	Secret Secret   `yaml:"secret"`
	Events []string `yaml:"events"`
}

// DefaultGrace is how long requests may go on when the server ends.
const DefaultGrace = 5 * time.Second

// DefaultAddress is where the server listens unless told otherwise.
const DefaultAddress = "127.0.0.1:8080"

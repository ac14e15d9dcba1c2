package throttle

import (
	"fmt"
	"io"

	"github.com/smoothkit/smoothkit/internal/iisconfig"
)

// Limits of what [ParseConfig] and its kin accept.
const (
	// MaxConfigBytes is the size of a document in bytes, in whatever encoding it is in.
	MaxConfigBytes = 8 << 20
	// MaxConfigEntries is the number of settings, groups and formats of all rules of a document together, inherited
	// ones counted wherever they are inherited; and that of elements in its sections.
	MaxConfigEntries = 1 << 17
)

// Config is what a configuration file says about throttling.
type Config struct {
	// Rules are those of the whole server, or of the directory of a web.config.
	Rules *Rules
	// Locations are those of location elements, in the order of the file, each complete with what it inherits.
	Locations []Location
	// Warnings are about what was read over: a real file has attributes and elements that mean nothing here.
	Warnings []Warning
}

// Location has the rules of a part of the server.
type Location struct {
	// Path is that of the location element: the name of a site, and after it directories and possibly a file, such
	// as "Default Web Site/videos/trailer.wmv". It has no slash at its ends.
	Path  string
	Rules *Rules
}

// ParseConfig reads the sections system.webServer/media/bitrateThrottling of an applicationHost.config or a
// web.config of IIS, also those in location elements. It also reads a part of such a file: the section itself, what is
// around it as far as media or system.webServer, one or several of its collections, a location, and bare add elements of
// one collection as the documentation of IIS shows them. UTF-8 and UTF-16 are understood; document types are refused.
//
// Collections (throttleSettings, connectionLimitGroups, mediaFormats) begin with what they inherit, and change it with
// add, remove and clear. What the server inherits are the default rules: an add replaces one of them, while adding what
// somebody has set before is an error as it is in IIS, unless it is removed first. Attributes that are not there are
// inherited; a section without enabled that inherits nothing is enabled, as who writes a section means it to work.
//
// A kilobyte has 1024 bytes and a kilobit 1000 bits. Numbers of kilobits, kilobytes and seconds may have a fraction,
// which IIS does not understand. The names of the attributes of three settings that the user interface of IIS calls
// advanced are not documented; in the section, these are read (in kbit/s, zero is off):
//
//	defaultThrottleRateKbps    Rules.DefaultRate   also defaultThrottleRate, defaultRateKbps
//	maximumThrottleRateKbps    Rules.MaxRate       also maximumThrottleRate, maxThrottleRateKbps, maxThrottleRate
//	siteTargetThroughputKbps   Rules.TargetRate    also siteTargetThroughput, siteTargetThroughputRateKbps,
//	                                               siteTargetThroughputRate, targetThroughputKbps
//
// IIS has nothing like the following, which are ours:
//
//	ceilingKbps                Rules.Ceiling, in the section
//	usePeakBitRate             Rules.UsePeak, in the section
//	rateKbps                   Group.Rate, in connectionLimitGroups/add
//
// Errors are [*ConfigError], several of them joined. One wraps [ErrNoSection] if there is no section.
//
// See "Bit Rate Throttling Configuration Walkthrough" and "Bit Rate Throttling Extensibility Walkthrough" in the
// documentation of IIS Media Services.
func ParseConfig(data []byte) (*Config, error) { return ParseConfigOver(nil, data) }

// ParseConfigOver is [ParseConfig] for a file that inherits from parent, as a web.config does from the server. Nil
// means the default rules.
func ParseConfigOver(parent *Rules, data []byte) (*Config, error) {
	c, _, err := parseConfig(parent, data)
	return c, err
}

// ParseRules returns [Config.Rules] of what [ParseConfig] reads. Rules of locations are checked and left out; if there
// are no others the error wraps [ErrNoSection].
func ParseRules(data []byte) (*Rules, error) {
	c, own, err := parseConfig(nil, data)
	if err != nil {
		return nil, err
	}
	if !own {
		return nil, &ConfigError{Err: fmt.Errorf("%w outside of %d locations", ErrNoSection, len(c.Locations))}
	}
	return c.Rules, nil
}

// parseConfig also tells whether there is a section outside of locations.
func parseConfig(parent *Rules, data []byte) (c *Config, own bool, err error) {
	if parent == nil {
		parent = &Rules{}
	}
	if err := parent.Validate(); err != nil {
		return nil, false, fmt.Errorf("throttle: config: inherited: %w", err)
	}
	if len(data) > MaxConfigBytes {
		return nil, false, &ConfigError{Err: fmt.Errorf("more than %d bytes", MaxConfigBytes)}
	}
	b := &configBuilder{}
	b.log.Keys = []string{"fileExtension", "name", "searchPattern"}
	sections := iisconfig.Sections(data, configForm(), &b.log)
	c = b.config(parent, sections)
	if err := b.log.Err(configError); err != nil {
		return nil, false, err
	}
	for _, w := range b.log.Warnings() {
		c.Warnings = append(c.Warnings, Warning{w.At.Line, w.At.Column, w.Text})
	}
	return c, len(c.Locations) < len(sections), nil
}

// ReadRules is [ParseRules] of what r has, which is not read beyond [MaxConfigBytes].
func ReadRules(r io.Reader) (*Rules, error) {
	data, err := io.ReadAll(io.LimitReader(r, MaxConfigBytes+1))
	if err != nil {
		return nil, fmt.Errorf("throttle: config: %w", err)
	}
	return ParseRules(data)
}

// RulesFor returns the rules of a file or directory, whose path is like that of a [Location]: those of the longest
// location that contains it, or else Config.Rules. Case does not matter.
func (c *Config) RulesFor(path string) *Rules {
	i := iisconfig.Longest(c.Locations, func(l Location) string { return l.Path }, path)
	if i < 0 {
		return c.Rules
	}
	return c.Locations[i].Rules
}

package throttle

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/smoothkit/smoothkit/throttle/bitrate"
)

// Defaults of [Rules].
const (
	// DefaultMinSendSize is the smallest write while a response is paced, in bytes: four segments of Ethernet.
	DefaultMinSendSize = 5840
	// VideoFiles and AudioFiles are the connection groups of the default rules.
	VideoFiles = "VideoFiles"
	AudioFiles = "AudioFiles"
)

// Rules say what is sent how fast: IIS's configuration section system.webServer/media/bitrateThrottling as Go values.
// [ParseRules] reads the section itself. Rules that were given to a handler must not be changed any more.
type Rules struct {
	// Disabled turns everything off, the variables of single responses too. It is the opposite of IIS's enabled.
	Disabled bool
	// MinSendSize is the smallest write while a response is paced, in bytes. Zero means [DefaultMinSendSize].
	MinSendSize int
	// Settings are looked up by extension first, then by media type. Nil means [DefaultSettings]; empty means none.
	Settings []Setting
	// Groups limit connections of settings that name them. A group that is not here has no limit.
	Groups []Group
	// Formats find rates of files whose container the package does not know. See [bitrate.Format].
	Formats []bitrate.Format
	// UsePeak takes the peak that an ASF header states for its rate, as IIS did, instead of the average.
	UsePeak bool
	// DefaultRate is that of media files whose rate is not found, and of settings without a rate. Zero means that they
	// are sent unthrottled: throttling fails open.
	DefaultRate Rate
	// MaxRate caps the rate after the burst, also that of variables. Zero means no cap. It never limits the burst.
	MaxRate Rate
	// TargetRate is the site's target throughput: what is left of it is divided evenly among the connections. It is no
	// cap, as none becomes slower than its own rate. Zero means off.
	TargetRate Rate
	// Ceiling is the most that all paced responses together send, bursts too. Zero means no ceiling. IIS had none.
	Ceiling Rate
}

// Kind is the type of a setting.
type Kind int

// The kinds of settings.
const (
	// Media is sent by time: a burst of seconds of content, then a percentage of the encoded bit rate.
	Media Kind = iota
	// Data is sent by size: a burst of kilobytes, then a fixed rate.
	Data
)

// String returns the word of the configuration.
func (k Kind) String() string {
	if k == Data {
		return "data"
	}
	return "media"
}

// Setting is the rule of one file name extension or media type.
type Setting struct {
	// Match is an extension with its dot, such as ".mp4", or a media type such as "video/mp4" or "video/*". Case does
	// not matter.
	Match string
	Kind  Kind
	// InitialBufferTime is the burst of Media, in time of the content.
	InitialBufferTime time.Duration
	// RatePercentage is the rate of Media after the burst, in percent of the encoded rate. Zero means 100.
	RatePercentage int
	// InitialSendSize is the burst of Data, in bytes.
	InitialSendSize int64
	// Rate is that of Data after the burst. Zero means [Rules.DefaultRate].
	Rate Rate
	// Group names a group of [Rules.Groups]. Empty means none.
	Group string
}

// Group is a connection limit group.
type Group struct {
	Name string
	// ConnectionLimit is the largest number of responses of the group at once; one more is answered 503. Zero means
	// no limit. The limit is that of a handler.
	ConnectionLimit int
	// Rate is the most that the group's responses send together, bursts too. Zero means no limit. IIS had none.
	Rate Rate
}

// DefaultSettings returns IIS's eleven formats and those that came since: 20 s of ASF and AVI, 10 s of all others, and
// then 100 percent of the encoded rate. IIS's own sample has no rule for .m4v, which it says it supports; .rm really is
// in the group of audio. See the walkthrough of Bit Rate Throttling.
func DefaultSettings() []Setting {
	var list []Setting
	add := func(group string, burst time.Duration, extensions string) {
		for _, e := range strings.Fields(extensions) {
			list = append(list, Setting{Match: e, InitialBufferTime: burst, RatePercentage: 100, Group: group})
		}
	}
	add(VideoFiles, 20*time.Second, ".asf .wmv .avi")
	add(AudioFiles, 20*time.Second, ".wma")
	add(VideoFiles, 10*time.Second, ".mp4 .mov .flv .rmvb .m4v")
	add(AudioFiles, 10*time.Second, ".mp3 .rm")
	add(VideoFiles, 10*time.Second, ".3gp .3g2 .f4v .mkv .webm .ogv .ts .m2ts .mts .mpg .mpeg")
	add(AudioFiles, 10*time.Second, ".m4a .m4b .mka .weba .ogg .oga .opus .wav .aif .aiff .flac .aac .ac3 .eac3 .ec3 .amr .awb .mp2")
	return list
}

// settings returns Settings or the default ones.
func (r *Rules) settings() []Setting {
	if r.Settings == nil {
		return DefaultSettings()
	}
	return r.Settings
}

// minSendSize returns MinSendSize or the default.
func (r *Rules) minSendSize() int64 {
	if r.MinSendSize == 0 {
		return DefaultMinSendSize
	}
	return int64(r.MinSendSize)
}

// Limits of settings, wide enough for every use and narrow enough that sums of them cannot overflow.
const (
	maxBufferTime = 24 * time.Hour
	maxPercentage = 100_000
	maxSendSize   = 1 << 50
	maxMinSend    = 1 << 30
)

// Validate returns an error that names each field that is out of range, or nil.
func (r *Rules) Validate() error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf("throttle: rules: "+format, args...)) }
	if r.MinSendSize < 0 || r.MinSendSize > maxMinSend {
		bad("MinSendSize %d is not between 0 and %d", r.MinSendSize, maxMinSend)
	}
	for _, v := range []struct {
		name string
		rate Rate
	}{{"DefaultRate", r.DefaultRate}, {"MaxRate", r.MaxRate}, {"TargetRate", r.TargetRate}, {"Ceiling", r.Ceiling}} {
		if v.rate < 0 || v.rate > MaxRate {
			bad("%s %d bit/s is not between 0 and %v", v.name, v.rate, MaxRate)
		}
	}
	seen := make(map[string]bool)
	for _, s := range r.Settings {
		if err := s.validate(); err != nil {
			bad("setting %q: %w", s.Match, err)
		}
		if key := strings.ToLower(s.Match); seen[key] {
			bad("setting %q is there twice", s.Match)
		} else {
			seen[key] = true
		}
	}
	names := make(map[string]bool)
	for _, g := range r.Groups {
		if g.Name == "" || g.ConnectionLimit < 0 || g.Rate < 0 || g.Rate > MaxRate || names[g.Name] {
			bad("group %q: limit %d, rate %d: the name must be there once, the numbers not negative", g.Name, g.ConnectionLimit, g.Rate)
		}
		names[g.Name] = true
	}
	for i := range r.Formats {
		if err := r.Formats[i].Validate(); err != nil {
			bad("%w", err)
		}
	}
	return errors.Join(errs...)
}

func (s *Setting) validate() error {
	switch {
	case !strings.HasPrefix(s.Match, ".") && !strings.Contains(s.Match, "/"), len(s.Match) < 2:
		return errors.New("neither an extension with a dot nor a media type")
	case s.Kind != Media && s.Kind != Data:
		return fmt.Errorf("kind %d is unknown", s.Kind)
	case s.InitialBufferTime < 0 || s.InitialBufferTime > maxBufferTime:
		return fmt.Errorf("burst of %v is not between 0 and %v", s.InitialBufferTime, maxBufferTime)
	case s.RatePercentage < 0 || s.RatePercentage > maxPercentage:
		return fmt.Errorf("%d percent is not between 0 and %d", s.RatePercentage, maxPercentage)
	case s.InitialSendSize < 0 || s.InitialSendSize > maxSendSize:
		return fmt.Errorf("burst of %d bytes is not between 0 and %d", s.InitialSendSize, int64(maxSendSize))
	case s.Rate < 0 || s.Rate > MaxRate:
		return fmt.Errorf("rate of %d bit/s is not between 0 and %v", s.Rate, MaxRate)
	}
	return nil
}

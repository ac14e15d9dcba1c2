package hls

import (
	"cmp"
	"log/slog"
	"time"
)

// Options tunes an [Output], a [Handler] or a [Segmenter]. A nil pointer and the zero value mean the documented defaults.
type Options struct {
	// Logger gets what is odd about presentations, such as bit rates that are not what the manifest says, and refused keys,
	// all at the level Info. Nil means slog.Default().
	Logger *slog.Logger
	// SegmentDuration is the wanted length of a segment. Segments are whole fragments, so they may be up to a fragment
	// longer or shorter, and none is shorter than a fragment. Zero means six seconds; IIS had ten, and no less than two.
	SegmentDuration time.Duration
	// MaxBitrate drops variants whose measured average bit rate, sound included, is higher, in bits per second; the
	// lowest one always stays. Zero means no limit. IIS 4.1 had 1,600,000 unless told otherwise.
	MaxBitrate uint64
	// OmitCodecs leaves the CODECS attribute out, as IIS did unless told otherwise.
	OmitCodecs bool
	// DisallowCaching adds EXT-X-ALLOW-CACHE:NO, which players of protocol versions below 7 knew. HTTP caches go by
	// Cache-Control.
	DisallowCaching bool
	// OmitSuffixes writes URLs without .m3u8, .ts, .mp4 and .vtt at the end, as Azure did. With them players that go by
	// the suffix (QuickTime and iOS 3, recent versions of ffmpeg) and caches know what they get. Requests are understood
	// in both forms.
	OmitSuffixes bool
	// NoClosedCaptions states CLOSED-CAPTIONS=NONE, which Apple's authoring rules want where there are none. Whether the
	// pictures carry captions is not looked at, and players do not offer those of a presentation that denies them.
	NoClosedCaptions bool
	// OmitAudioOnly leaves out the variant without picture, as the option audio-only=false of a request does.
	OmitAudioOnly bool
	// Encryption of segments of sound and picture. Nil means none. If it is not valid, every request fails and says so
	// in the log; see [Encryption.Validate].
	Encryption *Encryption
	// SegmentMaxAge is the Cache-Control lifetime of segments. Zero means one hour; negative means no-store.
	SegmentMaxAge time.Duration
	// PlaylistMaxAge is the Cache-Control lifetime of playlists. Zero means one minute; negative means no-store. A live
	// playlist never gets more than half the target duration.
	PlaylistMaxAge time.Duration
	// Immutable promises that published files are never replaced: segments may be cached for a year. It overrides
	// SegmentMaxAge.
	Immutable bool
	// CacheBytes bounds the segments that are kept after they have been made, in files without a name that the kernel
	// sends from. A segment is kept from its second request on, no more than 4,096 and than a quarter of the files that
	// the process may have open. Zero means 128 MiB; negative means none.
	CacheBytes int64
	// CacheDir is the directory of these files. Empty means os.TempDir(). Where it cannot be written to, Linux keeps
	// them in memory and other systems make the segments again.
	CacheDir string
	// SendTimeout bounds, to within an eighth, how long sending one segment may take before the connection is cut, so
	// that a client that has stopped reading gives back what the segment holds. Zero means five minutes; negative means
	// no bound. Where the [net/http.Server] has a WriteTimeout, that one counts instead.
	SendTimeout time.Duration
}

const (
	defaultSegmentDuration = 6 * time.Second
	defaultCacheBytes      = 128 << 20
)

// withDefaults returns a copy of o with its defaults filled in.
func (o *Options) withDefaults() Options {
	var d Options
	if o != nil {
		d = *o
	}
	d.Logger = cmp.Or(d.Logger, slog.Default())
	if d.SegmentDuration <= 0 {
		d.SegmentDuration = defaultSegmentDuration
	}
	d.SegmentMaxAge = cmp.Or(d.SegmentMaxAge, time.Hour)
	d.PlaylistMaxAge = cmp.Or(d.PlaylistMaxAge, time.Minute)
	d.CacheBytes = cmp.Or(d.CacheBytes, defaultCacheBytes)
	d.SendTimeout = cmp.Or(d.SendTimeout, 5*time.Minute)
	return d
}

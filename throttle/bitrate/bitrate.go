package bitrate

import (
	"io"
	"time"
)

// Container is a file format, by its common short name.
type Container string

// The containers that [Detect] knows.
const (
	ASF       Container = "asf" // and WMV, WMA
	AVI       Container = "avi" // and OpenDML
	FLV       Container = "flv"
	MP4       Container = "mp4" // and M4V, M4A, MOV, 3GP, F4V, ISMV, fragmented or not
	MP3       Container = "mp3" // MPEG audio of any layer
	RealMedia Container = "rm"  // and RMVB
	Matroska  Container = "matroska"
	WebM      Container = "webm"
	Ogg       Container = "ogg"
	WAV       Container = "wav" // and RF64, BW64
	AIFF      Container = "aiff"
	FLAC      Container = "flac"
	ADTS      Container = "adts"
	AC3       Container = "ac3"
	EAC3      Container = "eac3"
	AMR       Container = "amr"
	MPEGTS    Container = "mpegts"
	M2TS      Container = "m2ts"
	MPEGPS    Container = "mpegps"
	Declared  Container = "rule" // a Format, not a parser, gave the rate
	Unknown   Container = ""
)

// Limits of what is read, and of what is believed.
const (
	// MaxRead is the largest number of bytes that Detect reads of a file, in bytes. Fragmented MP4 without mfra, sidx
	// or mehd is the exception, see [MaxReadFragmented].
	MaxRead = 256_000
	// MaxReadFragmented is the same for fragmented MP4 whose duration only the fragments themselves say.
	MaxReadFragmented = 4 << 20
	// MaxReads bounds the number of reads of one detection, so that it is bounded in time on a slow store as well.
	MaxReads = 512
	// MinRate and MaxRate are the range of rates that are believed, in bit/s.
	MinRate = 500
	MaxRate = 2_000_000_000
)

// Info is what is known about a file's rate.
type Info struct {
	Container Container
	// Average is the rate of the content, in bit/s: what throttling goes by. See the package's documentation.
	Average int64
	// Peak is the largest rate that the header states, in bit/s: that of ASF and RealMedia, the sum over tracks of
	// maxBitrate in MP4. Many encoders state one below the average, as it leaves the headers out. Zero means none.
	Peak int64
	// Duration is that of the content. Zero means that only a rate is known.
	Duration time.Duration
	// Method names what Average was taken from, such as "mvhd", "file properties" or "xing".
	Method string
}

// Detect finds the rate of a file of size bytes. It reads at most [MaxRead] bytes, or [MaxReadFragmented] of fragmented
// MP4 that needs it, and allocates in proportion to that, whatever the file says. It is safe for concurrent use if r is.
//
// Errors are [ErrUnknownContainer], or an [*Error] with the container and the offset, around [ErrUnknownRate],
// [ErrCorrupt], [ErrLimit] or the error of the reader.
func Detect(r io.ReaderAt, size int64) (Info, error) {
	return new(Detector).Detect(r, size)
}

// Detector is Detect with knowledge that is not in the content. The zero value has none.
type Detector struct {
	// Name is that of the file. Its extension chooses among parsers only where the content does not.
	Name string
	// Formats are rules for formats, which are asked where no parser finds a rate. See [Format].
	Formats []Format
}

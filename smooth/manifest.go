package smooth

import (
	"bytes"
	"cmp"
)

// DefaultTimescale is the timescale of a manifest or stream that states none, in ticks per second.
// See [MS-SSTR] 2.2.2.1.
const DefaultTimescale = 10_000_000

// StreamType is the kind of a stream.
type StreamType string

// The stream types of [MS-SSTR] 2.2.2.3, in the spelling that is written; they are read in any case.
const (
	Video StreamType = "video"
	Audio StreamType = "audio"
	Text  StreamType = "text"
)

func (t StreamType) known() bool { return t == Video || t == Audio || t == Text }

// Manifest is a client manifest: the answer to a Manifest request and the content of an .ismc file, or a
// composite manifest (.csm) when Clips is not empty. A manifest that is part of a [Snapshot] is immutable.
// See [MS-SSTR] 2.2.2.1.
type Manifest struct {
	// MajorVersion and MinorVersion are the version that was read. Writing picks the version itself where the
	// content requires one: chunk repeats need 2.2. A live manifest is written with repeats if its version is 2.2.
	MajorVersion, MinorVersion uint32
	// NoRepeats keeps to version 2.0 when writing, for clients that do not know the r attribute, as a live event does
	// that has ended and was watched in that version.
	NoRepeats bool
	// Timescale of Duration and DVRWindowLength, in ticks per second. Zero means [DefaultTimescale].
	Timescale uint64
	// Duration of the presentation, in ticks. Zero means unknown, for a live presentation.
	Duration uint64
	// IsLive reports a live presentation.
	IsLive bool
	// LookaheadCount is the number of following fragments that each live fragment announces.
	LookaheadCount uint32
	// DVRWindowLength in ticks; zero means unbounded.
	DVRWindowLength uint64
	// CanSeek and CanPause are attributes that IIS writes for live presentations.
	CanSeek, CanPause bool
	// Protection holds one header per content protection system.
	Protection []ProtectionHeader
	// Streams in manifest order.
	Streams []*Stream
	// Clips of a composite manifest, in playing order; Streams is empty then.
	Clips []*Clip
	// CustomAttributes are the name-value pairs of the root's CustomAttributes element.
	CustomAttributes []Attribute
	// Extra are attributes of the root element that this package does not know, kept for writing.
	Extra []Attribute
}

// Attribute is a name and a value.
type Attribute struct{ Name, Value string }

// ProtectionHeader is the header of one content protection system. See [MS-SSTR] 2.2.2.2.
type ProtectionHeader struct {
	// SystemID is the UUID in lower case without braces.
	SystemID string
	// Data is the decoded content, for PlayReady a PlayReady object.
	Data []byte
}

func (h ProtectionHeader) equal(o ProtectionHeader) bool {
	return h.SystemID == o.SystemID && bytes.Equal(h.Data, o.Data)
}

// Stream is a StreamIndex element: one stream with its quality levels, which share one timeline.
// See [MS-SSTR] 2.2.2.3.
type Stream struct {
	// Type is video, audio or text.
	Type StreamType
	// Subtype says what a text stream is for: CAPT, SUBT, DATA and others. Old manifests have a FourCC in it.
	Subtype string
	// Name is unique in the manifest after defaulting to Type; it is never empty after reading.
	Name string
	// Language as written, usually ISO 639-2/T; empty if absent.
	Language string
	// Timescale of the timeline in ticks per second. Zero means the manifest's.
	Timescale uint64
	// URL is the template of fragment URLs, relative to the presentation. Empty for embedded text.
	URL string
	// MaxWidth, MaxHeight, DisplayWidth and DisplayHeight in pixels; zero if absent.
	MaxWidth, MaxHeight, DisplayWidth, DisplayHeight uint32
	// Parent is the name of the stream that this sparse stream is attached to.
	Parent string
	// ManifestOutput marks a control stream, whose fragments are also in the manifest (Embedded).
	ManifestOutput bool
	// FourCC is the fallback for levels without one (legacy).
	FourCC string
	// DeclaredChunks is the Chunks attribute as read; it is informative, since real manifests misstate it.
	DeclaredChunks uint32
	// Levels in order of Index.
	Levels []*QualityLevel
	// Timeline lists the fragments.
	Timeline Timeline
	// Embedded holds, per chunk of Timeline, the data in its f elements. It is nil or as long as Timeline.
	Embedded [][]ChunkData
	// Content is the inner XML of the Content element of an embedded text stream, verbatim. It is written as it is.
	Content []byte
	// Extra are unknown attributes, kept for writing.
	Extra []Attribute
}

// ChunkData is an f element: the fragment's content for one quality level. See [MS-SSTR] 2.2.2.6.1.
type ChunkData struct {
	// Level is the Index of the quality level.
	Level uint32
	// Data is the decoded content.
	Data []byte
}

// QualityLevel is one track of a stream. See [MS-SSTR] 2.2.2.5.
type QualityLevel struct {
	// Index is unique in the stream.
	Index uint32
	// Bitrate in bits per second; exactly the number of the server manifest.
	Bitrate uint64
	// FourCC names the codec, such as H264, AACL or WVC1.
	FourCC string
	// CodecPrivateData is the decoded codec configuration.
	CodecPrivateData []byte
	// MaxWidth and MaxHeight of video, in pixels.
	MaxWidth, MaxHeight uint32
	// SamplingRate in Hz, Channels, BitsPerSample and PacketSize (nBlockAlign, bytes) of audio.
	SamplingRate, Channels, BitsPerSample, PacketSize uint32
	// AudioTag is the WAVEFORMATEX format tag of audio.
	AudioTag uint32
	// AvgBytesPerSec is the nAvgBytesPerSec of a WaveFormatEx attribute (composite manifests); zero means Bitrate/8.
	AvgBytesPerSec uint32
	// NALUnitLengthField is the size of the length before each NAL unit in bytes; zero means 4.
	NALUnitLengthField uint32
	// CustomAttributes tell levels of equal bit rate apart.
	CustomAttributes []Attribute
	// Extra are attributes this package does not interpret (NominalBitrate, BufferTime, HardwareProfile, ...),
	// kept for writing.
	Extra []Attribute
}

// Clip is a part of another presentation inside a composite manifest.
type Clip struct {
	// URL of the source's manifest.
	URL string
	// Begin and End on the source's timeline, in 100 ns ticks; End is exclusive.
	Begin, End uint64
	// Streams with the fragments that overlap [Begin, End); their times are the source's.
	Streams []*Stream
	// Extra are unknown attributes, kept for writing.
	Extra []Attribute
}

// TimescaleOf returns the timescale of s in ticks per second after defaulting.
func (m *Manifest) TimescaleOf(s *Stream) uint64 {
	return cmp.Or(s.Timescale, m.timescale())
}

// timescale returns the timescale of the manifest after defaulting.
func (m *Manifest) timescale() uint64 { return cmp.Or(m.Timescale, DefaultTimescale) }

// Stream returns the stream called name, or nil. An exact match wins over one that differs in case only, since
// IIS compared without regard to case.
func (m *Manifest) Stream(name string) *Stream {
	var folded *Stream
	for _, s := range m.Streams {
		if s.Name == name {
			return s
		}
		if folded == nil && equalFoldASCII(s.Name, name) {
			folded = s
		}
	}
	return folded
}

// Level returns the quality level with that bit rate and canonical custom attributes, or nil.
func (s *Stream) Level(bitrate uint64, attrs string) *QualityLevel {
	for _, l := range s.Levels {
		if l.Bitrate == bitrate && l.attrsEqual(attrs) {
			return l
		}
	}
	return nil
}

package livesmooth

import (
	"github.com/smoothkit/smoothkit/smooth"
)

// PushInfo names a push: where it goes to and where it comes from.
type PushInfo struct {
	// Point is the name of the publishing point.
	Point string
	// Event is the ID in Events(ID), Input the one in Streams(ID); both may be empty in a probe.
	Event, Input string
	// Source is "HTTP Push" or "HTTP Pull", Address the IP address of the encoder or the URL of the server.
	Source, Address string
}

// pushHeader is what the boxes before the first fragment say. It is immutable.
type pushHeader struct {
	// raw are ftyp, live server manifest and moov as they can be sent to another server or kept in a file: as received, or
	// made anew where the encoder sent no manifest or a track is converted.
	raw []byte
	// required are the input streams that the StreamManifest box lists; the broadcast waits for all of them.
	required []string
	// tracks in the order of moov.
	tracks []pushTrack
	// protection holds the headers of content protection systems.
	protection []smooth.ProtectionHeader
}

// pushTrack is a track that an encoder announces.
type pushTrack struct {
	// id is the track_ID.
	id uint32
	// stream describes the stream that viewers will see: type, name, language, subtype, parent, sizes. It has no
	// timeline, no levels and no URL; its timescale is that of all live presentations, 10,000,000.
	stream smooth.Stream
	// bitrate in bits per second; zero if the encoder does not say, then it is measured from the first fragment.
	bitrate uint64
	// attrs are custom attributes that tell tracks of one bit rate apart; custom are others, such as Scheme, for the manifest.
	attrs  []smooth.Attribute
	custom []smooth.Attribute
	codec  *smooth.Codec
	// sparse reports a track whose fragments come now and then.
	sparse bool
	// timescale is that of the encoder's fragments.
	timescale uint64
}

// pushFragment is one fragment as it has been received. Whoever gets it owns buf and releases it.
type pushFragment struct {
	// track is the position in pushHeader.tracks.
	track int
	// time and duration in ticks of 10,000,000 per second. time may be negative: ffmpeg starts AAC before zero.
	time     int64
	duration uint64
	// buf holds the fragment, see buffer.
	buf *buffer
}

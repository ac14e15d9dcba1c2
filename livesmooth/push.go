package livesmooth

import (
	"time"

	"github.com/smoothkit/smoothkit/internal/fmp4"
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
	// manifest is the live server manifest in raw.
	manifest *smooth.ServerManifest
	// described tells that the encoder sent a live server manifest, so that each of its moof boxes is a fragment.
	described bool
	// ignored are the tracks that are left out, and why, for the log; their fragments are skipped.
	ignored []ignoredTrack
	// boxes are what raw is made of.
	boxes headerBoxes
}

// ignoredTrack is a track that a presentation cannot have.
type ignoredTrack struct {
	id       uint32
	defaults fmp4.Defaults
	err      error
}

// pushTrack is a track that an encoder announces.
type pushTrack struct {
	// id is the track_ID.
	id uint32
	// stream describes the stream that viewers will see: type, name, language, subtype, parent, sizes. It has no
	// timeline, no levels and no URL; its timescale is that of all live presentations, 10,000,000.
	stream smooth.Stream
	// bitrate in bits per second; zero if the encoder does not say, then it is measured from the first fragment. stated
	// tells that the encoder says zero, as it does for sparse tracks.
	bitrate uint64
	stated  bool
	// attrs are custom attributes that tell tracks of one bit rate apart; custom are others, such as Scheme, for the manifest.
	// own are all that could tell tracks apart, whether they have to or not.
	attrs  []smooth.Attribute
	custom []smooth.Attribute
	own    []smooth.Attribute
	codec  *smooth.Codec
	// sparse reports a track whose fragments come now and then.
	sparse bool
	// timescale is that of the encoder's fragments.
	timescale uint64
	// shift is added to decode times, and delay to composition offsets, in ticks of timescale: what the edit list says.
	// Fragments with tfxd need neither.
	shift, delay int64
	// defaults are those of trex.
	defaults fmp4.Defaults
	// server is what the live server manifest of the encoder says of the track, or nil.
	server *smooth.ServerTrack
}

// pushFragment is one fragment as it has been received. Whoever gets it owns buf and releases it.
type pushFragment struct {
	// track is the position in pushHeader.tracks.
	track int
	// time and duration in ticks of 10,000,000 per second. time may be negative: ffmpeg starts AAC before zero.
	time     int64
	duration uint64
	// wall is when the start of the fragment was produced, by the clock of the encoder; zero if it does not say.
	wall time.Time
	// buf holds the fragment, see buffer.
	buf *buffer
}

// pushEnd says that the encoder has ended the stream.
type pushEnd struct{}

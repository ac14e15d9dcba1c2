package smooth

// Noun is what a fragment request asks for. See [MS-SSTR] 2.2.3.
type Noun uint8

// The nouns of fragment requests.
const (
	// Fragments asks for moof and mdat.
	Fragments Noun = iota
	// FragmentInfo asks for the moof only.
	FragmentInfo
	// RawFragments asks for the sample data (the mdat payload) only.
	RawFragments
	// KeyFrames asks for moof and mdat with the independently decodable samples only.
	KeyFrames
)

// RequestKind tells the forms of request URLs apart.
type RequestKind uint8

// The kinds of requests.
const (
	// ManifestRequest is Name.ism/Manifest[(options)].
	ManifestRequest RequestKind = iota
	// FragmentRequest is Name.ism/QualityLevels(bitrate[,attrs])/Noun(stream=time[,options]).
	FragmentRequest
	// TrackManifestRequest is Name.ism/QualityLevels(bitrate[,attrs])/Manifest(stream[,options]), the HLS media
	// playlist of one track.
	TrackManifestRequest
	// CompositeRequest is Name.csm itself, the composite manifest as it was authored.
	CompositeRequest
)

// Request is a parsed request URL. Parsing does not allocate for the common forms; strings alias the path.
type Request struct {
	// Presentation is the name to open, a valid path in the sense of [io/fs.ValidPath], extension included.
	Presentation string
	Kind         RequestKind
	// Noun of a FragmentRequest.
	Noun Noun
	// Key of a FragmentRequest; of a TrackManifestRequest without Time.
	Key FragmentKey
	// Format is the value of the format option, or empty.
	Format string
	// Options are the comma-separated options in the last pair of parentheses without format, as written, such as
	// "filter=mobile,startTime=10".
	Options string
	// Suffix is what follows the last pair of parentheses, such as ".m3u8", or empty.
	Suffix string
	// RawQuery is the query of the URL without the question mark.
	RawQuery string

	childQuery string // the part of RawQuery that rides along; set by the handler
}

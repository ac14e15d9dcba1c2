package validate

// scope says which playlists a tag belongs to.
type scope uint8

const (
	scopeBoth scope = iota
	scopeMaster
	scopeMedia
)

// form is the form of a tag's value.
type form uint8

const (
	formNone form = iota
	formInteger
	formList
	formText // read by its own code
)

// attrDef is what the specification says of an attribute. Values lists those of an enumeration, separated by "|".
type attrDef struct {
	name     string
	kind     valueKind
	required bool
	values   string
}

// tagDef is what the specification says of a tag.
type tagDef struct {
	scope scope
	form  form
	once  bool
	attrs []attrDef
}

const yesNo = "YES|NO"

// keyAttrs are those of EXT-X-KEY and EXT-X-SESSION-KEY.
var keyAttrs = []attrDef{
	{"METHOD", kindEnum, true, "NONE|AES-128|SAMPLE-AES|SAMPLE-AES-CTR"}, {name: "URI", kind: kindString},
	{name: "IV", kind: kindHex}, {name: "KEYFORMAT", kind: kindString}, {name: "KEYFORMATVERSIONS", kind: kindString},
}

// streamAttrs are those of EXT-X-STREAM-INF and EXT-X-I-FRAME-STREAM-INF.
var streamAttrs = []attrDef{
	{name: "BANDWIDTH", kind: kindInteger, required: true}, {name: "AVERAGE-BANDWIDTH", kind: kindInteger},
	{name: "CODECS", kind: kindString}, {name: "SUPPLEMENTAL-CODECS", kind: kindString},
	{name: "RESOLUTION", kind: kindResolution}, {name: "HDCP-LEVEL", kind: kindEnum, values: "NONE|TYPE-0|TYPE-1"},
	{name: "VIDEO-RANGE", kind: kindEnum, values: "SDR|HLG|PQ"}, {name: "SCORE", kind: kindFloat},
	{name: "STABLE-VARIANT-ID", kind: kindString}, {name: "PATHWAY-ID", kind: kindString},
	{name: "REQ-VIDEO-LAYOUT", kind: kindString}, {name: "ALLOWED-CPC", kind: kindString},
	{name: "PROGRAM-ID", kind: kindInteger}, {name: "VIDEO", kind: kindString}, {name: "NAME", kind: kindString},
	{name: "URI", kind: kindString},
}

var mediaAttrs = []attrDef{
	{"TYPE", kindEnum, true, "AUDIO|VIDEO|SUBTITLES|CLOSED-CAPTIONS"}, {name: "URI", kind: kindString},
	{name: "GROUP-ID", kind: kindString, required: true}, {name: "LANGUAGE", kind: kindString},
	{name: "ASSOC-LANGUAGE", kind: kindString}, {name: "NAME", kind: kindString, required: true},
	{name: "STABLE-RENDITION-ID", kind: kindString}, {name: "DEFAULT", kind: kindEnum, values: yesNo},
	{name: "AUTOSELECT", kind: kindEnum, values: yesNo}, {name: "FORCED", kind: kindEnum, values: yesNo},
	{name: "INSTREAM-ID", kind: kindString}, {name: "CHARACTERISTICS", kind: kindString},
	{name: "CHANNELS", kind: kindString}, {name: "BIT-DEPTH", kind: kindInteger},
	{name: "SAMPLE-RATE", kind: kindInteger},
}

var rangeAttrs = []attrDef{
	{name: "ID", kind: kindString, required: true}, {name: "CLASS", kind: kindString},
	{name: "START-DATE", kind: kindString}, {name: "CUE", kind: kindString}, {name: "END-DATE", kind: kindString},
	{name: "DURATION", kind: kindFloat}, {name: "PLANNED-DURATION", kind: kindFloat},
	{name: "SCTE35-CMD", kind: kindHex}, {name: "SCTE35-OUT", kind: kindHex}, {name: "SCTE35-IN", kind: kindHex},
	{name: "END-ON-NEXT", kind: kindEnum, values: "YES"},
}

// tagDefs holds every tag that is known. It is read only.
var tagDefs = map[string]tagDef{
	"EXT-X-VERSION":              {scopeBoth, formInteger, true, nil},
	"EXT-X-INDEPENDENT-SEGMENTS": {scopeBoth, formNone, true, nil},
	"EXT-X-START": {scopeBoth, formList, true, []attrDef{
		{name: "TIME-OFFSET", kind: kindSignedFloat, required: true}, {name: "PRECISE", kind: kindEnum, values: yesNo}}},
	"EXT-X-DEFINE": {scopeBoth, formList, false, []attrDef{
		{name: "NAME", kind: kindString}, {name: "VALUE", kind: kindString}, {name: "IMPORT", kind: kindString},
		{name: "QUERYPARAM", kind: kindString}}},

	"EXT-X-MEDIA":      {scopeMaster, formList, false, mediaAttrs},
	"EXT-X-STREAM-INF": {scopeMaster, formList, false, streamInfAttrs()},
	"EXT-X-I-FRAME-STREAM-INF": {scopeMaster, formList, false, append([]attrDef{
		{name: "URI", kind: kindString, required: true}}, streamAttrs...)},
	"EXT-X-SESSION-DATA": {scopeMaster, formList, false, []attrDef{
		{name: "DATA-ID", kind: kindString, required: true}, {name: "VALUE", kind: kindString},
		{name: "URI", kind: kindString}, {name: "FORMAT", kind: kindEnum, values: "JSON|RAW"},
		{name: "LANGUAGE", kind: kindString}}},
	"EXT-X-SESSION-KEY": {scopeMaster, formList, false, keyAttrs},
	"EXT-X-CONTENT-STEERING": {scopeMaster, formList, true, []attrDef{
		{name: "SERVER-URI", kind: kindString, required: true}}},

	"EXTINF":                       {scopeMedia, formText, false, nil},
	"EXT-X-BYTERANGE":              {scopeMedia, formText, false, nil},
	"EXT-X-DISCONTINUITY":          {scopeMedia, formNone, false, nil},
	"EXT-X-KEY":                    {scopeMedia, formList, false, keyAttrs},
	"EXT-X-PROGRAM-DATE-TIME":      {scopeMedia, formText, false, nil},
	"EXT-X-DATERANGE":              {scopeMedia, formList, false, rangeAttrs},
	"EXT-X-GAP":                    {scopeMedia, formNone, false, nil},
	"EXT-X-BITRATE":                {scopeMedia, formInteger, false, nil},
	"EXT-X-TARGETDURATION":         {scopeMedia, formInteger, true, nil},
	"EXT-X-MEDIA-SEQUENCE":         {scopeMedia, formInteger, true, nil},
	"EXT-X-DISCONTINUITY-SEQUENCE": {scopeMedia, formInteger, true, nil},
	"EXT-X-ENDLIST":                {scopeMedia, formNone, true, nil},
	"EXT-X-PLAYLIST-TYPE":          {scopeMedia, formText, true, nil},
	"EXT-X-I-FRAMES-ONLY":          {scopeMedia, formNone, true, nil},
	"EXT-X-ALLOW-CACHE":            {scopeMedia, formText, true, nil},
	"EXT-X-MAP": {scopeMedia, formList, false, []attrDef{
		{name: "URI", kind: kindString, required: true}, {name: "BYTERANGE", kind: kindString}}},
	"EXT-X-PART-INF": {scopeMedia, formList, true, []attrDef{{name: "PART-TARGET", kind: kindFloat, required: true}}},
	"EXT-X-PART": {scopeMedia, formList, false, []attrDef{
		{name: "URI", kind: kindString, required: true}, {name: "DURATION", kind: kindFloat, required: true},
		{name: "INDEPENDENT", kind: kindEnum, values: "YES"}, {name: "BYTERANGE", kind: kindString},
		{name: "GAP", kind: kindEnum, values: "YES"}}},
	"EXT-X-SERVER-CONTROL": {scopeMedia, formList, true, []attrDef{
		{name: "CAN-SKIP-UNTIL", kind: kindFloat}, {name: "CAN-SKIP-DATERANGES", kind: kindEnum, values: "YES"},
		{name: "HOLD-BACK", kind: kindFloat}, {name: "PART-HOLD-BACK", kind: kindFloat},
		{name: "CAN-BLOCK-RELOAD", kind: kindEnum, values: yesNo}}},
	"EXT-X-SKIP": {scopeMedia, formList, true, []attrDef{
		{name: "SKIPPED-SEGMENTS", kind: kindInteger, required: true},
		{name: "RECENTLY-REMOVED-DATERANGES", kind: kindString}}},
	"EXT-X-PRELOAD-HINT": {scopeMedia, formList, false, []attrDef{
		{"TYPE", kindEnum, true, "PART|MAP"}, {name: "URI", kind: kindString, required: true},
		{name: "BYTERANGE-START", kind: kindInteger}, {name: "BYTERANGE-LENGTH", kind: kindInteger}}},
	"EXT-X-RENDITION-REPORT": {scopeMedia, formList, false, []attrDef{
		{name: "URI", kind: kindString, required: true}, {name: "LAST-MSN", kind: kindInteger},
		{name: "LAST-PART", kind: kindInteger}}},
}

// streamInfAttrs are those of EXT-X-STREAM-INF, with what I-frame variants lack.
func streamInfAttrs() []attrDef {
	return append([]attrDef{
		{name: "FRAME-RATE", kind: kindFloat}, {name: "AUDIO", kind: kindString}, {name: "SUBTITLES", kind: kindString},
		{name: "CLOSED-CAPTIONS", kind: kindEnumOrString},
	}, streamAttrs...)
}

// customTags are tags of other documents that many playlists have.
var customTags = map[string]bool{
	"EXT-X-CUE": true, "EXT-X-CUE-OUT": true, "EXT-X-CUE-OUT-CONT": true, "EXT-X-CUE-IN": true, "EXT-X-SCTE35": true,
	"EXT-X-ASSET": true, "EXT-X-SPLICEPOINT-SCTE35": true, "EXT-X-TWITCH-INFO": true, "EXT-X-IMAGE-STREAM-INF": true,
	"EXT-X-IMAGES-ONLY": true, "EXT-X-TILES": true, "EXT-X-PREFETCH": true,
}

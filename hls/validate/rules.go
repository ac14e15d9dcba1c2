package validate

// row is a rule as the tables have it: id, severity, clause, text.
type row struct {
	id       string
	severity Severity
	clause   string
	text     string
}

// Rules returns all rules, in the order of the kinds that the overview of the package names.
func Rules() []Rule {
	var all []Rule
	for _, part := range [][]row{
		playlistRules(), masterRules(), mediaRules(), crossRules(), segmentRules(), transportRules(), elementaryRules(),
		fragmentRules(), audioRules(), textRules(), keyRules(), httpRules(), reloadRules(), profileRules(),
	} {
		for _, r := range part {
			all = append(all, Rule{ID: r.id, Severity: r.severity, Clause: r.clause, Text: r.text})
		}
	}
	return all
}

const (
	rfc   = "RFC 8216 "
	bis   = "draft-pantos-hls-rfc8216bis "
	apple = "Apple HLS authoring: "
)

func playlistRules() []row {
	return []row{
		{"HP100", Error, "limit of this validator", "a playlist is at most 16 MiB, 500,000 lines of 64 KiB, 1,000 variables"},
		{"HP101", Error, rfc + "4.3.1.1", "the first line is #EXTM3U"},
		{"HP102", Error, rfc + "4.1", "a playlist is UTF-8 without a byte order mark"},
		{"HP103", Error, rfc + "4.1", "there are no control characters"},
		{"HP104", Error, rfc + "4.1", "there are no blanks around tags and URIs"},
		{"HP105", Error, rfc + "4.3.1.2", "EXT-X-VERSION is a positive number"},
		{"HP106", Error, rfc + "7", "the version is high enough for every feature that is used"},
		{"HP107", Warning, "client: old devices", "the version is as low as the features allow; players refuse those they do not know"},
		{"HP108", Error, rfc + "4.1", "tags of master and media playlists are not mixed"},
		{"HP110", Error, rfc + "4.2", "an attribute list is NAME=value pairs separated by commas, without blanks"},
		{"HP111", Error, rfc + "4.2", "no attribute is repeated in one list"},
		{"HP112", Error, rfc + "4.2", "an attribute has the type that its tag defines"},
		{"HP113", Error, rfc + "4.2", "an enumerated attribute has one of the values that its tag defines"},
		{"HP114", Error, rfc + "4.3", "required attributes are present"},
		{"HP115", Warning, rfc + "4.1", "tags are known and spelled in upper case"},
		{"HP116", Warning, rfc + "7", "tags and attributes are not used in versions that removed them"},
		{"HP117", Error, rfc + "4.3", "a tag has a value if and only if it is defined with one, and numbers are numbers"},
		{"HP118", Warning, rfc + "4.3.5.2", "TIME-OFFSET of EXT-X-START lies within the playlist"},
		{"HP119", Error, rfc + "4.3", "tags about the whole playlist occur at most once"},
		{"HP120", Error, bis + "4.4.2.3", "variables are defined once, in one of the three ways, before they are used"},
		{"HP121", Error, rfc + "4.1", "URIs are valid"},
	}
}

func mediaRules() []row {
	return []row{
		{"HL101", Error, rfc + "4.3.3.1", "there is EXT-X-TARGETDURATION"},
		{"HL102", Error, rfc + "4.3.3.1", "no EXTINF, rounded to the nearest integer, is above the target duration"},
		{"HL104", Error, rfc + "4.3.2.1", "each segment has one EXTINF, before its URI"},
		{"HL105", Error, rfc + "4.3.2.1", "EXTINF is a decimal number, a comma and an optional title"},
		{"HL108", Error, rfc + "4.3.3.2", "EXT-X-MEDIA-SEQUENCE stands before the first segment"},
		{"HL109", Error, rfc + "4.3.3.3", "EXT-X-DISCONTINUITY-SEQUENCE stands before the first segment and EXT-X-DISCONTINUITY"},
		{"HL110", Error, rfc + "4.3.3.5", "EXT-X-PLAYLIST-TYPE is EVENT or VOD"},
		{"HL111", Warning, "client: hls.js", "a VOD playlist has EXT-X-ENDLIST, else players poll it for ever"},
		{"HL113", Error, rfc + "4.3.2.4", "a key has a URI, unless METHOD is NONE, which stands alone"},
		{"HL114", Error, rfc + "4.3.2.4", "the IV has at most 128 bits"},
		{"HL115", Error, rfc + "4.3.2.4", "KEYFORMATVERSIONS is positive integers separated by slashes"},
		{"HL116", Error, rfc + "4.3.2.5", "the key of an encrypted EXT-X-MAP has an IV"},
		{"HL117", Error, rfc + "4.3.2.2", "a byte range is length[@offset], once per segment"},
		{"HL118", Error, rfc + "4.3.2.2", "a byte range without offset follows a range of the same resource"},
		{"HL119", Error, rfc + "4.3.2.6", "EXT-X-PROGRAM-DATE-TIME is an ISO 8601 date"},
		{"HL120", Warning, rfc + "4.3.2.6", "EXT-X-PROGRAM-DATE-TIME has a time zone"},
		{"HL121", Warning, bis + "4.4.4.6", "dates advance with the durations of the segments, give or take half a second"},
		{"HL122", Error, rfc + "4.3.2.7", "EXT-X-DATERANGE has a START-DATE, valid dates, an end that fits DURATION and is not before the start"},
		{"HL123", Error, rfc + "4.3.2.7", "END-ON-NEXT has a CLASS, and neither DURATION nor END-DATE"},
		{"HL124", Error, rfc + "4.3.2.7", "a playlist with EXT-X-DATERANGE has EXT-X-PROGRAM-DATE-TIME"},
		{"HL125", Error, rfc + "4.3.2.7", "EXT-X-DATERANGE tags of one ID have equal attributes"},
		{"HL126", Error, rfc + "6.2.2", "a live playlist keeps three target durations when segments are removed"},
		{"HL128", Warning, apple + "live", "a sliding window has six segments or more"},
		{"HL129", Warning, apple + "live", "a live playlist has EXT-X-PROGRAM-DATE-TIME"},
		{"HL132", Warning, "client: hls.js", "a playlist that has ended lists a segment"},
		{"HL133", Warning, rfc + "3", "no segment is listed twice in a row"},
		{"HL134", Warning, rfc + "6.2.2", "a sliding window with discontinuities has EXT-X-DISCONTINUITY-SEQUENCE"},
		{"HL141", Error, bis + "4.4.3.7", "EXT-X-PART needs EXT-X-PART-INF"},
		{"HL142", Error, bis + "4.4.4.9", "no part is longer than PART-TARGET"},
		{"HL143", Error, bis + "4.4.3.8", "HOLD-BACK, PART-HOLD-BACK and CAN-SKIP-UNTIL are at least 3, 2 and 6 times their units"},
		{"HL145", Warning, apple + "segments", "the target duration is ten seconds or less (six are advised)"},
	}
}

func masterRules() []row {
	const (
		media  = rfc + "4.3.4.1"
		group  = rfc + "4.3.4.1.1"
		stream = rfc + "4.3.4.2"
		attrs  = apple + "attributes"
	)
	return []row{
		{"HM101", Error, stream, "there is at least one EXT-X-STREAM-INF"},
		{"HM102", Error, stream, "each EXT-X-STREAM-INF is followed by a URI, and each URI follows one"},
		{"HM103", Error, stream, "BANDWIDTH is not 0"},
		{"HM104", Error, stream, "CODECS is a list of complete RFC 6381 names"},
		{"HM105", Warning, stream, "a variant has CODECS"},
		{"HM106", Warning, attrs, "a variant with video has RESOLUTION"},
		{"HM107", Warning, attrs, "a variant with video has FRAME-RATE"},
		{"HM108", Warning, attrs, "a variant has AVERAGE-BANDWIDTH"},
		{"HM109", Warning, attrs, "a variant with video has CLOSED-CAPTIONS, NONE if there are none"},
		{"HM110", Error, stream, "AVERAGE-BANDWIDTH is not above BANDWIDTH"},
		{"HM111", Error, stream, "groups that a variant names exist"},
		{"HM112", Error, stream, "CLOSED-CAPTIONS is NONE for all variants or for none"},
		{"HM113", Error, media, "SUBTITLES have a URI, CLOSED-CAPTIONS have none"},
		{"HM114", Error, media, "CLOSED-CAPTIONS, and nothing else, have a valid INSTREAM-ID"},
		{"HM115", Error, media, "only SUBTITLES have FORCED"},
		{"HM116", Error, media, "AUTOSELECT is not NO if DEFAULT is YES"},
		{"HM117", Error, group, "names are unique in a group"},
		{"HM118", Error, group, "a group has at most one DEFAULT"},
		{"HM119", Error, group, "groups of one type have the same names"},
		{"HM120", Warning, group, "members that may be selected automatically differ in language or characteristics"},
		{"HM121", Warning, media, "LANGUAGE and ASSOC-LANGUAGE are RFC 5646 tags"},
		{"HM122", Warning, media, "audio renditions have CHANNELS"},
		{"HM123", Error, rfc + "4.3.4.3", "I-frame variants have no FRAME-RATE, AUDIO, SUBTITLES and CLOSED-CAPTIONS"},
		{"HM124", Warning, apple + "trick play", "there are I-frame playlists if there is video"},
		{"HM126", Error, rfc + "4.3.4.4", "EXT-X-SESSION-DATA has one of VALUE and URI, and is unique"},
		{"HM127", Error, rfc + "4.3.4.5", "METHOD of EXT-X-SESSION-KEY is not NONE"},
		{"HM128", Warning, stream, "variants differ in URI or groups"},
		{"HM130", Warning, media, "every group is named by a variant"},
		{"HM131", Warning, apple + "HEVC", "HEVC is hvc1 or dvh1"},
		{"HM132", Warning, apple + "renditions", "audio is available in AAC"},
	}
}

func profileRules() []row {
	const iis = "IIS Media Services readme"
	return []row{
		{"HD101", Warning, iis, "video is H.264 Baseline up to level 3.0 or Main up to 3.1"},
		{"HD102", Warning, iis, "audio is AAC-LC of at most two channels and 48 kHz"},
		{"HD103", Warning, iis, "segments last two seconds or more"},
		{"HD104", Warning, iis, "no variant is above 1,600 kbit/s"},
		{"HD105", Warning, iis, "a live playlist has three segments or more"},
		{"HD106", Warning, iis, "media is H.264, AAC or text"},
		{"HD107", Warning, iis, "segments are transport streams"},
	}
}

func reloadRules() []row {
	return []row{
		{"HR101", Error, rfc + "4.3.3.2", "the media sequence never goes back"},
		{"HR102", Error, rfc + "4.3.3.1", "the target duration never changes"},
		{"HR103", Error, rfc + "6.2.1", "a segment that is listed never changes"},
		{"HR104", Error, rfc + "6.2.1", "segments are removed at the front and added at the end only"},
		{"HR105", Error, rfc + "4.3.3.5", "an EVENT playlist removes nothing, a VOD playlist does not change"},
		{"HR106", Error, rfc + "6.2.2", "the discontinuity sequence counts the discontinuities that were removed"},
		{"HR107", Error, rfc + "6.2.1", "nothing is added after EXT-X-ENDLIST"},
		{"HR108", Warning, rfc + "6.2.1", "a live playlist changes within one and a half target durations"},
	}
}

package packager

import "strings"

// languages maps ISO 639-1 codes to ISO 639-2/T codes, in groups of two and three letters.
const languages = "aaaar ababk aeave afafr akaka amamh anarg arara asasm avava ayaym azaze " +
	"babak bebel bgbul bhbih bibis bmbam bnben bobod brbre bsbos cacat ceche chcha cocos crcre csces cuchu cvchv cycym " +
	"dadan dedeu dvdiv dzdzo eeewe elell eneng eoepo esspa etest eueus fafas ffful fifin fjfij fofao frfra fyfry " +
	"gagle gdgla glglg gngrn guguj gvglv hahau heheb hihin hohmo hrhrv hthat huhun hyhye hzher iaina idind ieile igibo " +
	"iiiii ikipk ioido isisl itita iuiku jajpn jvjav kakat kgkon kikik kjkua kkkaz klkal kmkhm knkan kokor krkau kskas " +
	"kukur kvkom kwcor kykir lalat lbltz lglug lilim lnlin lolao ltlit lulub lvlav mgmlg mhmah mimri mkmkd mlmal mnmon " +
	"mrmar msmsa mtmlt mymya nanau nbnob ndnde nenep ngndo nlnld nnnno nonor nrnbl nvnav nynya ococi ojoji omorm orori " +
	"ososs papan pipli plpol pspus ptpor quque rmroh rnrun roron rurus rwkin sasan scsrd sdsnd sesme sgsag sisin skslk " +
	"slslv smsmo snsna sosom sqsqi srsrp ssssw stsot susun svswe swswa tatam tetel tgtgk ththa titir tktuk tltgl tntsn " +
	"toton trtur tstso tttat twtwi tytah uguig ukukr ururd uzuzb vevem vivie vovol wawln wowol xhxho yiyid yoyor zazha " +
	"zhzho zuzul"

// isLanguage reports whether s is a two-letter code that is known, or three letters, with or without a region.
func isLanguage(s string) bool {
	c := languageCode(s)
	return c != "und" || strings.EqualFold(s, "und")
}

// languageCode returns the ISO 639-2/T code of a language tag (RFC 5646) such as en, de-AT or fra; und if it has none.
func languageCode(tag string) string {
	tag = strings.ToLower(tag)
	if i := strings.IndexAny(tag, "-_"); i >= 0 {
		tag = tag[:i]
	}
	for _, c := range tag {
		if c < 'a' || c > 'z' {
			return "und"
		}
	}
	switch len(tag) {
	case 2:
		for entry := range strings.SplitSeq(languages, " ") {
			if entry[:2] == tag {
				return entry[2:]
			}
		}
	case 3:
		return tag
	}
	return "und"
}

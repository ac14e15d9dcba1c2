package smooth

import "strings"

// canonicalLanguage returns one spelling for the tags that name the same language: lower case, with the two-letter
// code of ISO 639-1 where there is one, so that "eng", "en" and "EN" agree, and "ger", "deu" and "de". Regions and
// further subtags of RFC 5646 stay.
func canonicalLanguage(tag string) string {
	tag = strings.ToLower(tag)
	primary, rest, hasRest := strings.Cut(tag, "-")
	if len(primary) == 3 {
		if two := twoLetters(primary); two != "" {
			primary = two
		}
	}
	if hasRest {
		return primary + "-" + rest
	}
	return primary
}

// twoLetters returns the ISO 639-1 code of an ISO 639-2 code, or "".
func twoLetters(code string) string {
	for _, table := range [...]string{languagesT, languagesB} {
		for i := 0; i+6 <= len(table); i += 6 {
			if table[i+2:i+5] == code {
				return table[i : i+2]
			}
		}
	}
	return ""
}

// languagesT lists the codes of ISO 639-1 with those of ISO 639-2/T, languagesB those whose ISO 639-2/B code differs.
const (
	languagesT = "aaaar ababk aeave afafr akaka amamh anarg arara asasm avava ayaym azaze babak bebel bgbul bibis " +
		"bmbam bnben bobod brbre bsbos cacat ceche chcha cocos crcre csces cuchu cvchv cycym dadan dedeu dvdiv dzdzo " +
		"eeewe elell eneng eoepo esspa etest eueus fafas ffful fifin fjfij fofao frfra fyfry gagle gdgla glglg gngrn " +
		"guguj gvglv hahau heheb hihin hohmo hrhrv hthat huhun hyhye hzher iaina idind ieile igibo iiiii ikipk ioido " +
		"isisl itita iuiku jajpn jvjav kakat kgkon kikik kjkua kkkaz klkal kmkhm knkan kokor krkau kskas kukur kvkom " +
		"kwcor kykir lalat lbltz lglug lilim lnlin lolao ltlit lulub lvlav mgmlg mhmah mimri mkmkd mlmal mnmon mrmar " +
		"msmsa mtmlt mymya nanau nbnob ndnde nenep ngndo nlnld nnnno nonor nrnbl nvnav nynya ococi ojoji omorm orori " +
		"ososs papan pipli plpol pspus ptpor quque rmroh rnrun roron rurus rwkin sasan scsrd sdsnd sesme sgsag sisin " +
		"skslk slslv smsmo snsna sosom sqsqi srsrp ssssw stsot susun svswe swswa tatam tetel tgtgk ththa titir tktuk " +
		"tltgl tntsn toton trtur tstso tttat twtwi tytah uguig ukukr ururd uzuzb veven vivie vovol wawln wowol xhxho " +
		"yiyid yoyor zazha zhzho zuzul "
	languagesB = "sqalb hyarm eubaq mybur zhchi cscze nldut frfre kageo deger elgre isice mkmac mimao msmay faper rorum " +
		"skslo botib cywel "
)

// Package language knows the codes of ISO 639.
package language

import "strings"

// TwoLetters returns the ISO 639-1 code of an ISO 639-2 code, either /T or /B, in lower case, or "".
func TwoLetters(code string) string {
	for _, table := range [...]string{languagesT, languagesB} {
		for i := 0; i+6 <= len(table); i += 6 {
			if table[i+2:i+5] == code {
				return table[i : i+2]
			}
		}
	}
	return ""
}

// ThreeLetters returns the ISO 639-2/T code of a language tag (RFC 5646) such as en, de-AT, ger or fra, in any case. It
// returns "und" if the tag is none or has no such code. Any three letters are taken for a code.
func ThreeLetters(tag string) string {
	tag = strings.ToLower(tag)
	if i := strings.IndexAny(tag, "-_"); i >= 0 {
		tag = tag[:i]
	}
	for _, c := range tag {
		if c < 'a' || c > 'z' {
			return "und"
		}
	}
	if len(tag) == 3 {
		if two := TwoLetters(tag); two != "" {
			return fromTwo(two)
		}
		return tag
	}
	return fromTwo(tag)
}

// fromTwo returns the ISO 639-2/T code of an ISO 639-1 code.
func fromTwo(code string) string {
	for i := 0; i+6 <= len(languagesT); i += 6 {
		if languagesT[i:i+2] == code {
			return languagesT[i+2 : i+5]
		}
	}
	return "und"
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

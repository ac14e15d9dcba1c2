package smooth

import (
	"strings"

	"github.com/smoothkit/smoothkit/internal/language"
)

// canonicalLanguage returns one spelling for the tags that name the same language: lower case, with the two-letter
// code of ISO 639-1 where there is one, so that "eng", "en" and "EN" agree, and "ger", "deu" and "de". Regions and
// further subtags of RFC 5646 stay.
func canonicalLanguage(tag string) string {
	tag = strings.ToLower(tag)
	primary, rest, hasRest := strings.Cut(tag, "-")
	if len(primary) == 3 {
		if two := language.TwoLetters(primary); two != "" {
			primary = two
		}
	}
	if hasRest {
		return primary + "-" + rest
	}
	return primary
}

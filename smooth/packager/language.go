package packager

import (
	"strings"

	"github.com/smoothkit/smoothkit/internal/language"
)

// languageCode returns the ISO 639-2/T code of a language tag, und if it has none.
func languageCode(tag string) string { return language.ThreeLetters(tag) }

// isLanguage reports whether s is a language tag.
func isLanguage(s string) bool { return languageCode(s) != "und" || strings.EqualFold(s, "und") }

package language_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/smoothkit/smoothkit/internal/language"
)

func TestThreeLetters(t *testing.T) {
	for tag, want := range map[string]string{
		"en": "eng", "EN": "eng", "de-AT": "deu", "ger": "deu", "deu": "deu", "fre": "fra", "pt_BR": "por", "zh": "zho",
		"ve": "ven", "gsw": "gsw", "": "und", "und": "und", "e": "und", "qq": "und", "e1": "und", "engl": "und",
	} {
		assert.Equal(t, want, language.ThreeLetters(tag), "%q", tag)
	}
	assert.Equal(t, "de", language.TwoLetters("ger"))
	assert.Equal(t, "de", language.TwoLetters("deu"))
	assert.Equal(t, "", language.TwoLetters("gsw"))
}

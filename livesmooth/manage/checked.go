package manage

import (
	"unicode"
	"unicode/utf8"

	"github.com/smoothkit/smoothkit/livesmooth"
)

// maxText bounds titles, paths and names of credentials in bytes.
const maxText = 4 << 10

// checked returns settings that are valid, and that the XML of documents and of .isml files can carry.
func checked(s *livesmooth.Settings) (*livesmooth.Settings, error) {
	if err := s.Validate(); err != nil {
		return nil, err
	}
	for _, text := range []struct{ name, value string }{{"title", s.Title}, {"archive path", s.Archive.Path}} {
		if err := checkText(text.name, text.value); err != nil {
			return nil, err
		}
	}
	for _, list := range [][]livesmooth.RemotePoint{s.PullFrom, s.PushTo} {
		for _, r := range list {
			if err := checkText("credential name", r.Credential); err != nil {
				return nil, err
			}
			if err := checkText("URL", r.URL); err != nil {
				return nil, err
			}
		}
	}
	return s, nil
}

func checkText(name, text string) error {
	if len(text) > maxText {
		return fail(codeData, "%s of %d bytes, limit %d", name, len(text), maxText)
	}
	for _, r := range text {
		control := unicode.IsControl(r) && r != '\t' && r != '\n' && r != '\r'
		if control || r == utf8.RuneError || r == 0xFFFE || r == 0xFFFF {
			return fail(codeData, "%s with the character %U", name, r)
		}
	}
	return nil
}

package manage

import (
	"strconv"
	"strings"
	"time"

	"github.com/smoothkit/smoothkit/livesmooth"
)

// Readers of elements with one value. An empty value is not one, but for text.

func textInto(dst *string) func(*element) error {
	return func(e *element) (err error) {
		*dst, err = e.leaf()
		return err
	}
}

func boolInto(dst *bool) func(*element) error {
	return func(e *element) error {
		text, err := e.leaf()
		if err != nil {
			return err
		}
		return parseBool(e, text, dst)
	}
}

// parseBool reads an xs:boolean, in any case as the .isml file has them too.
func parseBool(e *element, text string, dst *bool) error {
	switch strings.ToLower(strings.TrimSpace(text)) {
	case "true", "1":
		*dst = true
	case "false", "0":
		*dst = false
	default:
		return e.fail(codeData, "%q is neither true nor false", abbreviate(text))
	}
	return nil
}

// enabledInto reads the attribute enabled, which the schema requires.
func enabledInto(e *element, dst *bool) error {
	text, ok := e.attr("enabled")
	if !ok {
		return e.fail(codeSchema, "the attribute enabled is required")
	}
	return parseBool(e, text, dst)
}

func intInto(dst *int) func(*element) error {
	return func(e *element) error {
		text, err := e.leaf()
		if err != nil {
			return err
		}
		n, err := strconv.ParseInt(text, 10, 32)
		if err != nil {
			return e.fail(codeData, "%q is not a number", abbreviate(text))
		}
		*dst = int(n)
		return nil
	}
}

func uintInto(dst *uint64) func(*element) error {
	return func(e *element) error {
		text, err := e.leaf()
		if err != nil {
			return err
		}
		n, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			return e.fail(codeData, "%q is not a number", abbreviate(text))
		}
		*dst = n
		return nil
	}
}

func durationInto(dst *time.Duration) func(*element) error {
	return func(e *element) error {
		text, err := e.leaf()
		if err != nil {
			return err
		}
		d, err := parseDuration(text)
		if err != nil {
			return e.fail(codeData, "%v", err)
		}
		*dst = d
		return nil
	}
}

// remotesInto reads the addresses of other servers' publishing points.
func remotesInto(dst *[]livesmooth.RemotePoint) func(*element) error {
	return func(e *element) error {
		return e.read(fields{"PublishingPoints": func(list *element) error {
			if strings.TrimSpace(list.text) != "" {
				return list.fail(codeSchema, "text between elements")
			}
			for _, c := range list.children {
				if c.space != nsManagement || c.name != "PublishingPoint" {
					return c.fail(codeSchema, "unknown in PublishingPoints")
				}
				text, err := c.leaf("credentialName")
				if err != nil {
					return err
				}
				credential, _ := c.attr("credentialName")
				*dst = append(*dst, livesmooth.RemotePoint{URL: text, Credential: credential})
			}
			return nil
		}})
	}
}

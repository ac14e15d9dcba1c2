package manage

import (
	"time"

	"github.com/smoothkit/smoothkit/livesmooth"
)

// What has no public face but the handler.

func ReadSettings(data []byte, current *livesmooth.Settings) (*livesmooth.Settings, error) {
	return readSettings(data, current)
}

func ReadJSONSettings(data []byte, current *livesmooth.Settings) (*livesmooth.Settings, error) {
	return readJSONSettings(data, current)
}

func ReadState(data []byte) (livesmooth.State, error) { return readState(data) }

func ReadJSONState(data []byte) (livesmooth.State, error) { return readJSONState(data) }

// WriteSettings returns the document that the handler sends for settings.
func WriteSettings(s *livesmooth.Settings) []byte {
	return entry{id: "urn:x", title: s.Title, updated: FakeModified, payload: settingsElement(s)}.element().document()
}

// WriteJSONSettings returns the document that the handler sends for settings.
func WriteJSONSettings(s *livesmooth.Settings) ([]byte, error) { return encodeJSON(jsonOf(s)) }

// RewriteXML reads a document and writes it.
func RewriteXML(data []byte) ([]byte, error) {
	e, err := parseElement(data)
	if err != nil {
		return nil, err
	}
	return e.document(), nil
}

// ErrorName returns the name of the code that an error is answered with.
func ErrorName(err error) string { return failureOf(err).code.name }

func ParseDuration(s string) (time.Duration, error) { return parseDuration(s) }

func FormatDuration(d time.Duration) string { return formatDuration(d) }

// MaxStreams and Heartbeat are those of event streams.
const (
	MaxStreams = maxStreams
	Heartbeat  = heartbeat
)

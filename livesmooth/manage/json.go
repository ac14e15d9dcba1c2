package manage

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"
)

// decodeJSON reads one strict JSON value: no unknown or repeated names, nothing after it, no deep nesting.
func decodeJSON(data []byte, dst any) error {
	if err := checkJSON(data); err != nil {
		return err
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	err := dec.Decode(dst)
	var f *failure
	var kind *json.UnmarshalTypeError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &f):
		return f
	case errors.As(err, &kind):
		return fail(codeSchema, "%s is a JSON %s", kind.Field, kind.Value)
	}
	return fail(codeSchema, "%s", strings.TrimPrefix(err.Error(), "json: "))
}

// checkJSON reports whether a document is one object without repeated names. The decoder of the standard library takes
// the last of several names that are equal in any case, so that two readers could differ about what a document says.
func checkJSON(data []byte) error {
	dec := json.NewDecoder(bytes.NewReader(data))
	var w jsonWalk
	for {
		tok, err := dec.Token()
		switch {
		case err == io.EOF && w.ended:
			return nil
		case err == io.EOF:
			return fail(codeXML, "unexpected end")
		case err != nil:
			return fail(codeXML, "byte %d: %v", dec.InputOffset(), err)
		case w.ended:
			return fail(codeXML, "something after the document")
		}
		if err := w.step(tok); err != nil {
			return err
		}
	}
}

// jsonWalk is where one is in a JSON document.
type jsonWalk struct {
	open  []map[string]bool // of each open object its names, of an array nil
	name  bool              // a name comes next, or the end of the object
	ended bool
}

func (w *jsonWalk) step(tok json.Token) error {
	if name, ok := tok.(string); ok && w.name {
		w.name = false
		return w.take(name)
	}
	switch tok {
	case json.Delim('{'):
		w.open = append(w.open, make(map[string]bool))
	case json.Delim('['):
		w.open = append(w.open, nil)
	case json.Delim('}'), json.Delim(']'):
		w.open = w.open[:len(w.open)-1]
		w.ended = len(w.open) == 0
	}
	if len(w.open) > maxDepth {
		return fail(codeXML, "more than %d nested values", maxDepth)
	}
	if len(w.open) == 0 && !w.ended || len(w.open) == 1 && w.open[0] == nil {
		return fail(codeSchema, "the document is not an object")
	}
	w.name = len(w.open) > 0 && w.open[len(w.open)-1] != nil
	return nil
}

// take notes a name of the innermost object. All known ones are ASCII, and the decoder folds some other letters to it.
func (w *jsonWalk) take(name string) error {
	names := w.open[len(w.open)-1]
	key := strings.ToLower(name)
	for _, c := range []byte(name) {
		if c >= 0x80 {
			return fail(codeSchema, "unknown field %q", abbreviate(name))
		}
	}
	if names[key] {
		return fail(codeSchema, "%q twice", abbreviate(name))
	}
	names[key] = true
	return nil
}

// encodeJSON returns a document with a line break at its end. Marshalling our own types does not fail.
func encodeJSON(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetIndent("", "  ")
	err := enc.Encode(v)
	return b.Bytes(), err
}

package config

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Secret is a text that had better not be in the file: ${NAME} is taken from the environment, and file:PATH from a file, without
// the end of its line. It is shown as dots.
type Secret struct {
	value string
	line  int // of the document, while the value is what stands there
}

// MaxSecret bounds a file with a secret.
const MaxSecret = 64 << 10

// UnmarshalYAML implements yaml.Unmarshaler. The text is looked up when all of the document has been read.
func (s *Secret) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind != yaml.ScalarNode {
		return problem(n, "a text is wanted here")
	}
	*s = Secret{n.Value, n.Line}
	return nil
}

// secrets looks up all secrets of a configuration. Files are relative to a directory.
func (c *Config) secrets(dir string) []*Problem {
	l := &lookup{dir: dir}
	l.walk(reflect.ValueOf(c).Elem())
	return l.found
}

// lookup finds the secrets of a value, however deep.
type lookup struct {
	dir   string
	found []*Problem
}

var secretType = reflect.TypeFor[Secret]()

// walk looks up the secrets in a value that can be changed.
func (l *lookup) walk(v reflect.Value) {
	if v.Type() == secretType {
		l.resolve(v.Addr().Interface().(*Secret))
		return
	}
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			l.walk(v.Elem())
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				l.walk(v.Field(i))
			}
		}
	case reflect.Slice:
		for i := range v.Len() {
			l.walk(v.Index(i))
		}
	case reflect.Map:
		for _, key := range v.MapKeys() {
			changed := reflect.New(v.Type().Elem()).Elem()
			changed.Set(v.MapIndex(key))
			l.walk(changed)
			v.SetMapIndex(key, changed)
		}
	}
}

// resolve looks up one secret.
func (l *lookup) resolve(s *Secret) {
	if s.line == 0 {
		return // there is none
	}
	line := s.line
	value, err := l.value(s.value)
	if *s = (Secret{value: value}); err != nil {
		l.found = append(l.found, &Problem{Line: line, Text: err.Error()})
	}
}

func (l *lookup) value(text string) (string, error) {
	if name, ok := strings.CutPrefix(text, "${"); ok && strings.HasSuffix(name, "}") {
		name = strings.TrimSuffix(name, "}")
		if value, ok := os.LookupEnv(name); ok && value != "" {
			return value, nil
		}
		return "", fmt.Errorf("the environment variable %s is not set", name)
	}
	path, ok := strings.CutPrefix(text, "file:")
	if !ok {
		return text, nil
	}
	if !filepath.IsAbs(path) {
		path = filepath.Join(l.dir, path)
	}
	data, err := readBounded(path, MaxSecret)
	if err != nil {
		return "", fmt.Errorf("%s cannot be read: %s", path, reason(err))
	}
	return strings.TrimRight(string(data), "\r\n"), nil
}

// Value returns the text.
func (s Secret) Value() string { return s.value }

// IsSet reports whether there is one.
func (s Secret) IsSet() bool { return s.value != "" }

// String hides the text from logs.
func (s Secret) String() string {
	if s.value == "" {
		return ""
	}
	return "••••"
}

// MarshalText hides the text from documents.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

package config

import (
	"fmt"
	"math"
	"os"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// Duration is a time such as 10s, 5m or 36h; days are written 7d.
type Duration time.Duration

// UnmarshalYAML implements yaml.Unmarshaler.
func (d *Duration) UnmarshalYAML(n *yaml.Node) error {
	text, factor := strings.TrimSpace(n.Value), time.Duration(1)
	if days, ok := strings.CutSuffix(text, "d"); ok {
		text, factor = days+"h", 24
	}
	v, err := time.ParseDuration(text)
	if err != nil || n.Kind != yaml.ScalarNode || v < 0 || v > math.MaxInt64/factor {
		return problem(n, "%q is not a time such as 10s, 5m, 36h or 7d", n.Value)
	}
	*d = Duration(v * factor)
	return nil
}

// D returns the time.
func (d Duration) D() time.Duration { return time.Duration(d) }

// Size is a number of bytes such as 512kB, 256MB or 1.5TB, in powers of 1000, or KiB, MiB, GiB, TiB in powers of 1024.
type Size int64

// units are in an order in which no unit ends in one before it.
var units = []struct {
	name  string
	bytes float64
}{
	{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"TiB", 1 << 40},
	{"kB", 1e3}, {"KB", 1e3}, {"MB", 1e6}, {"GB", 1e9}, {"TB", 1e12}, {"B", 1}, {"", 1},
}

// UnmarshalYAML implements yaml.Unmarshaler.
func (s *Size) UnmarshalYAML(n *yaml.Node) error {
	text := strings.TrimSpace(n.Value)
	for _, u := range units {
		number, ok := strings.CutSuffix(text, u.name)
		if !ok {
			continue
		}
		v, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
		if err != nil || !(v >= 0) || v*u.bytes > 1<<62 || n.Kind != yaml.ScalarNode {
			break
		}
		*s = Size(v * u.bytes)
		return nil
	}
	return problem(n, "%q is not a size such as 256MB or 10GiB", n.Value)
}

// Secret is a text that had better not be in the file: ${NAME} is taken from the environment, and file:PATH from a file, without
// the end of its line. It is shown as dots.
type Secret struct{ value string }

// MaxSecret bounds a file with a secret.
const MaxSecret = 64 << 10

// Plain makes a secret of a text.
func Plain(text string) Secret { return Secret{text} }

// UnmarshalYAML implements yaml.Unmarshaler.
func (s *Secret) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind != yaml.ScalarNode {
		return problem(n, "a text is wanted here")
	}
	value, err := resolve(n.Value)
	if err != nil {
		return problem(n, "%s", err)
	}
	s.value = value
	return nil
}

func resolve(text string) (string, error) {
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
	data, err := readBounded(path, MaxSecret)
	if err != nil {
		return "", err
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

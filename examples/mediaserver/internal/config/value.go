package config

import (
	"math"
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

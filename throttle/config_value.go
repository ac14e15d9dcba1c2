package throttle

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// maxFraction is the number of digits of a fraction that is enough for every value that formatUnits writes.
const maxFraction = 10

// parseUnits reads a decimal number, which may have a fraction, and returns it times a unit of at most a billion. The
// product must be whole and between zero and high.
func parseUnits(s string, unit, high int64) (int64, error) {
	s = strings.TrimSpace(s)
	whole, fraction, hasFraction := strings.Cut(strings.TrimPrefix(s, "-"), ".")
	if whole == "" || strings.Trim(whole+fraction, "0123456789") != "" || hasFraction && fraction == "" {
		return 0, errors.New("not a number")
	}
	w, err := strconv.ParseInt(whole, 10, 64)
	if err != nil || w > high/unit || strings.HasPrefix(s, "-") {
		return 0, fmt.Errorf("not between 0 and %d", high/unit)
	}
	fraction = strings.TrimRight(fraction, "0")
	if len(fraction) > maxFraction {
		return 0, fmt.Errorf("more than %d digits after the point", maxFraction)
	}
	rest, scale := uint64(0), uint64(1)
	for _, digit := range []byte(fraction) {
		rest, scale = rest*10+uint64(digit-'0'), scale*10
	}
	rest *= uint64(unit) // at most 10^10 * 10^9
	if rest%scale != 0 {
		return 0, fmt.Errorf("not a whole number of the %d units that it counts", unit)
	}
	v := w*unit + int64(rest/scale) // high and a unit at most
	if v > high {
		return 0, fmt.Errorf("not between 0 and %d", high/unit)
	}
	return v, nil
}

// setUnits is parseUnits for a variable.
func setUnits[T ~int64](to *T, s string, unit T, high int64) error {
	v, err := parseUnits(s, int64(unit), high)
	if err == nil {
		*to = T(v)
	}
	return err
}

// formatUnits is the opposite of parseUnits for v of at least zero. The units have no factors but 2 and 5, and
// at most as many as maxFraction of each.
func formatUnits[T ~int64](v, unit T) string {
	b := strconv.AppendInt(nil, int64(v/unit), 10)
	rest := v % unit
	if rest != 0 {
		b = append(b, '.')
	}
	for ; rest != 0; rest %= unit {
		rest *= 10
		b = append(b, '0'+byte(rest/unit))
	}
	return string(b)
}

// The largest values of attributes.
const (
	maxConnections = math.MaxInt32
	kilobyte       = int64(1024)
)

func setRate(to *Rate, s string) error { return setUnits(to, s, KbitPerSecond, int64(MaxRate)) }

package throttle

import (
	"fmt"
	"math"
	"math/bits"
	"strconv"
	"strings"
	"time"
)

// Rate is a bit rate, in bits per second.
type Rate int64

// Units of rates. The k of bit rates is 1000.
const (
	BitPerSecond  Rate = 1
	KbitPerSecond      = 1000 * BitPerSecond
	MbitPerSecond      = 1000 * KbitPerSecond
	GbitPerSecond      = 1000 * MbitPerSecond
)

// MaxRate is the largest rate that the package paces, 1 Tbit/s.
const MaxRate = 1000 * GbitPerSecond

// unitsPerByte is the number of units that a byte has in the package's sums: one bit per second earns one unit each
// nanosecond, so that sums stay whole numbers and nothing is ever rounded away.
const unitsPerByte = 8 * uint64(time.Second)

// earned returns the whole bytes that a rate earns in d, with rest units left from before, and the rest afterwards.
func (r Rate) earned(d time.Duration, rest uint64) (bytes int64, left uint64) {
	if r <= 0 || d <= 0 {
		return 0, rest
	}
	hi, lo := bits.Mul64(uint64(r), uint64(d))
	lo, carry := bits.Add64(lo, rest, 0)
	hi += carry
	if hi >= unitsPerByte {
		return math.MaxInt64, 0 // more than 580 years of a Tbit/s
	}
	q, left := bits.Div64(hi, lo, unitsPerByte)
	return int64(min(q, math.MaxInt64)), left
}

// Time returns how long n bytes take at the rate, rounded up to a nanosecond. It is zero for n below one, and the
// longest duration for a rate of zero or less.
func (r Rate) Time(n int64) time.Duration { return r.timeFor(n, 0) }

// timeFor is Time with rest units already earned.
func (r Rate) timeFor(n int64, rest uint64) time.Duration {
	if n <= 0 {
		return 0
	}
	if r <= 0 {
		return math.MaxInt64
	}
	hi, lo := bits.Mul64(uint64(n), unitsPerByte)
	lo, borrow := bits.Sub64(lo, rest, 0)
	hi -= borrow
	lo, carry := bits.Add64(lo, uint64(r)-1, 0)
	hi += carry
	if hi >= uint64(r) {
		return math.MaxInt64
	}
	q, _ := bits.Div64(hi, lo, uint64(r))
	return time.Duration(min(q, math.MaxInt64))
}

// Bytes returns the whole bytes that the rate earns in d.
func (r Rate) Bytes(d time.Duration) int64 {
	n, _ := r.earned(d, 0)
	return n
}

// percent returns p percent of the rate, at most [MaxRate].
func (r Rate) percent(p int) Rate {
	if r <= 0 || p <= 0 {
		return 0
	}
	hi, lo := bits.Mul64(uint64(r), uint64(p))
	if hi >= 100 {
		return MaxRate
	}
	q, _ := bits.Div64(hi, lo, 100)
	return Rate(min(q, uint64(MaxRate)))
}

// String returns the rate in the largest unit that shows it exactly, such as "1500 kbit/s".
func (r Rate) String() string {
	for _, u := range []struct {
		unit Rate
		name string
	}{{GbitPerSecond, "Gbit/s"}, {MbitPerSecond, "Mbit/s"}, {KbitPerSecond, "kbit/s"}} {
		if r != 0 && r%u.unit == 0 {
			return strconv.FormatInt(int64(r/u.unit), 10) + " " + u.name
		}
	}
	return strconv.FormatInt(int64(r), 10) + " bit/s"
}

// rateUnits are the names that ParseRate takes, in lower case unless the case tells bits from bytes.
var rateUnits = []struct {
	suffix string
	unit   Rate
}{
	{"kbit/s", KbitPerSecond}, {"mbit/s", MbitPerSecond}, {"gbit/s", GbitPerSecond}, {"bit/s", BitPerSecond},
	{"kbps", KbitPerSecond}, {"mbps", MbitPerSecond}, {"gbps", GbitPerSecond}, {"bps", BitPerSecond},
	{"kb/s", 8 * KbitPerSecond}, {"mb/s", 8 * MbitPerSecond}, {"gb/s", 8 * GbitPerSecond}, {"b/s", 8 * BitPerSecond},
}

// ParseRate reads a rate: a number, which may have a fraction, and a unit, with or without a space: bit/s, kbit/s,
// Mbit/s, Gbit/s (or bps, kbps, Mbps, Gbps), or bytes as B/s, kB/s, MB/s, GB/s. Case does not matter. A number alone
// is in bit/s. Negative rates and those above [MaxRate] are errors.
func ParseRate(s string) (Rate, error) {
	text, unit := strings.ToLower(strings.TrimSpace(s)), BitPerSecond
	for _, u := range rateUnits {
		if t, ok := strings.CutSuffix(text, u.suffix); ok {
			text, unit = strings.TrimSpace(t), u.unit
			break
		}
	}
	v, err := strconv.ParseFloat(text, 64)
	if err != nil || strings.ContainsAny(text, "xpin_") { // neither hexadecimal, infinities nor underscores
		return 0, fmt.Errorf("throttle: rate %q: want a number and a unit such as kbit/s or MB/s", s)
	}
	v *= float64(unit)
	if !(v >= 0 && v <= float64(MaxRate)) {
		return 0, fmt.Errorf("throttle: rate %q is not between 0 and %v", s, MaxRate)
	}
	return Rate(math.Round(v)), nil
}

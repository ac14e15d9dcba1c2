package throttle_test

import (
	"math"
	"math/big"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/throttle"
)

// Whatever an inner handler says in headers is either in range or not used, and never leaves.
func FuzzVariables(f *testing.F) {
	for i := range 8 {
		for _, value := range []string{"0", "1", "1000", "wav", "off", "-1", "1e9", "9223372036854775807", "99999999999999999999", " 5 ", ""} {
			f.Add(uint8(i), value, "10")
		}
	}
	names := []string{enabled, size, rate, extension, encodedIs, percentage, buffer, accel}
	f.Fuzz(func(t *testing.T, which uint8, value, other string) {
		h := make(http.Header)
		h.Set(names[which%8], value)
		h.Add(names[(which+1)%8], other)
		h.Add(names[(which+1)%8], value)
		h.Set("Content-Type", "video/mp4")
		var v throttle.Variables
		problems := throttle.TakeVariables(&v, h)
		assert.Equal(t, http.Header{"Content-Type": {"video/mp4"}}, h)
		assert.LessOrEqual(t, len(problems), 2)
		for _, r := range []throttle.Rate{v.Rate, v.EncodedRate} {
			assert.True(t, r >= 0 && r <= throttle.MaxRate, "%d", r)
		}
		assert.True(t, v.InitialSendSize >= 0 && v.InitialSendSize <= 1<<50, "%d", v.InitialSendSize)
		assert.True(t, v.RatePercentage >= 0 && v.RatePercentage <= 100_000, "%d", v.RatePercentage)
		if d := v.InitialBufferTime; d != nil {
			assert.True(t, *d >= 0 && *d <= 24*time.Hour, "%v", *d)
		}
	})
}

// A rate that is read is in range, and what it is written as reads as the same.
func FuzzParseRate(f *testing.F) {
	for _, s := range []string{"300", "300 kbps", "1.5Mbit/s", "125 kB/s", "1 gbps", "0", "1e3", "1000 Gbit/s", "", "nan", "inf", "0x1p4", "-1", "1e400", "1_0", ".5 b/s"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		r, err := throttle.ParseRate(s)
		if err != nil {
			assert.Zero(t, r)
			return
		}
		require.True(t, r >= 0 && r <= throttle.MaxRate, "%d", r)
		again, err := throttle.ParseRate(r.String())
		require.NoError(t, err)
		assert.Equal(t, r, again)
	})
}

func FuzzContentRange(f *testing.F) {
	for _, s := range []string{
		"bytes 0-1/2", "bytes 5-9/*", "bytes */100", "bytes 0-0/9223372036854775807", "bytes 9223372036854775807-9223372036854775807/9223372036854775807",
		"bytes 1-2/99999999999999999999", "BYTES 7-8/9", "seconds 1-2/3", "bytes", "", "bytes -1-5/6", "bytes 5/6-7",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		from, total, ok := throttle.ContentRange(s)
		if !ok {
			assert.Zero(t, from)
			assert.Zero(t, total)
			return
		}
		assert.GreaterOrEqual(t, from, int64(0))
		assert.True(t, total == -1 || total > from, "%d of %d", from, total)
	})
}

// model is a bucket in rational numbers.
type model struct {
	rate                    throttle.Rate
	tokens, capacity, limit *big.Rat
	last                    time.Time
}

func whole(n int64) *big.Rat { return new(big.Rat).SetInt64(n) }

func least(a, b *big.Rat) *big.Rat {
	if a.Cmp(b) < 0 {
		return a
	}
	return b
}

func (m *model) earn(now time.Time) {
	if now.After(m.last) {
		earned := big.NewRat(int64(m.rate), 8*int64(time.Second))
		earned.Mul(earned, whole(int64(now.Sub(m.last))))
		m.add(earned)
		m.last = now
	}
}

func (m *model) add(n *big.Rat) { m.tokens = least(new(big.Rat).Add(m.tokens, n), m.limit) }

func (m *model) take(n int64) {
	m.tokens = new(big.Rat).Sub(m.tokens, whole(n))
	m.settle()
}

func (m *model) settle() {
	if floor(m.tokens) <= floor(m.capacity) {
		m.limit = m.capacity
	}
}

func floor(r *big.Rat) int64 {
	return new(big.Int).Div(r.Num(), r.Denom()).Int64()
}

// Any operations in any order give what exact arithmetic gives, rounded down once: never more, and never less by a byte.
func FuzzBucket(f *testing.F) {
	f.Add(int64(8000), int64(1000), int64(500), []byte{0, 5, 1, 200, 2, 10, 3, 30, 4, 1, 5, 7, 6, 3})
	f.Add(int64(1), int64(0), int64(1), []byte{0, 255, 1, 255, 0, 255, 2, 255, 1, 1})
	f.Add(int64(999_999_937), int64(5), int64(1<<40), []byte{1, 255, 0, 1, 1, 255, 0, 2, 4, 99, 0, 7, 6, 255, 5, 0, 0, 200})
	f.Add(int64(throttle.MaxRate), int64(0), int64(10), []byte{0, 255, 1, 255, 3, 255, 2, 255})
	f.Fuzz(func(t *testing.T, rate, burst, capacity int64, ops []byte) {
		const most = 1 << 50
		rate, burst, capacity = rate&(1<<39-1), burst&(most-1), capacity&(most-1)
		b := throttle.NewBucket(throttle.Rate(rate), burst, capacity)
		m := &model{throttle.Rate(rate), whole(burst), whole(capacity), whole(max(burst, capacity)), epoch}
		now := epoch
		b.Available(now)
		for i := 0; i+1 < len(ops) && i < 200; i += 2 {
			x := int64(ops[i+1])
			n := x * x * x // of bytes
			if ops[i]%8 == 0 {
				now = now.Add(time.Duration(x * x * x * x * x * 7))
			}
			m.earn(now)
			switch ops[i] % 8 {
			case 1:
				wait := b.Take(now, n)
				m.take(n)
				assertWait(t, m, wait)
			case 2:
				got, wait := b.TakeUpTo(now, n, n/2)
				want := int64(0)
				if have := floor(m.tokens); have > 0 && have >= n/2 {
					want = min(n, have)
				}
				require.Equal(t, want, got)
				require.False(t, got > 0 && wait > 0)
				m.take(want)
			case 3:
				b.Return(n)
				m.add(whole(n))
			case 4:
				r := throttle.Rate(n * 1000)
				b.SetRate(now, r)
				m.rate = min(r, throttle.MaxRate)
			case 5:
				b.SetCapacity(now, n)
				m.capacity = whole(n)
				if m.limit.Cmp(m.capacity) < 0 {
					m.limit = m.capacity
				}
				m.settle()
			case 6:
				b.Raise(now, n)
				if floor(m.tokens) < n {
					m.tokens = new(big.Rat).Add(whole(n), new(big.Rat).Sub(m.tokens, whole(floor(m.tokens)))) // what is left of a byte stays
				}
				if m.limit.Cmp(whole(floor(m.tokens))) < 0 {
					m.limit = whole(floor(m.tokens))
				}
			case 7: // misuse
				b.Take(now, -n)
				b.TakeUpTo(now, -n, -n)
				b.Return(-n)
			}
			got, exact := b.Available(now), floor(m.tokens)
			require.Equal(t, exact, got, "after %d operations", i/2+1)
		}
	})
}

// assertWait checks that a debt is paid when a wait is over, and not a nanosecond earlier.
func assertWait(t *testing.T, m *model, wait time.Duration) {
	t.Helper()
	if m.tokens.Sign() >= 0 {
		require.Zero(t, wait)
		return
	}
	if m.rate == 0 || wait == math.MaxInt64 {
		return
	}
	earned := func(d time.Duration) *big.Rat {
		e := big.NewRat(int64(m.rate), 8*int64(time.Second))
		return e.Add(e.Mul(e, whole(int64(d))), m.tokens)
	}
	require.GreaterOrEqual(t, earned(wait).Sign(), 0)
	require.Negative(t, earned(wait-1).Sign())
}

// Numbers at the ends of their range neither overflow nor make tokens.
func TestBucketExtremes(t *testing.T) {
	b := throttle.NewBucket(throttle.MaxRate, math.MaxInt64, math.MaxInt64)
	b.Take(epoch, math.MaxInt64)
	b.Take(epoch, math.MaxInt64)
	debt := b.Available(epoch)
	assert.Negative(t, debt)
	assert.Greater(t, b.Available(epoch.Add(time.Hour)), debt, "it still earns")
	b.Raise(epoch, math.MaxInt64)
	b.Return(math.MaxInt64)
	b.SetCapacity(epoch, math.MaxInt64)
	assert.Positive(t, b.Available(epoch))

	b = throttle.NewBucket(throttle.MbitPerSecond, 0, 1000)
	n, wait := b.TakeUpTo(epoch, -500, -500)
	assert.Zero(t, n)
	assert.Positive(t, wait)
	b.Take(epoch, -500)
	b.Return(-500)
	assert.Zero(t, b.Available(epoch), "nothing is made of negative numbers")
	b = throttle.NewBucket(-5, -5, -5)
	assert.Zero(t, b.Available(epoch.Add(time.Hour)))
}

package throttle_test

import (
	"context"
	"math"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/throttle"
)

var epoch = time.Date(2012, 9, 4, 0, 0, 0, 0, time.UTC)

// What a bucket gives in an hour, in steps of any length, is what one step would have given: no rounding adds up.
func TestBucketIsExact(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for _, rate := range []throttle.Rate{1, 7, 64 * throttle.KbitPerSecond, 330_001, throttle.MbitPerSecond, 999_999_937, throttle.GbitPerSecond, throttle.MaxRate} {
		b := throttle.NewBucket(rate, 1000, math.MaxInt64/2)
		now, sum := epoch, int64(0)
		b.Available(now)
		for now.Sub(epoch) < time.Hour {
			now = now.Add(time.Duration(1 + random.Int64N(int64(time.Minute))))
			n, wait := b.TakeUpTo(now, math.MaxInt64/4, 0)
			sum += n
			if n == 0 {
				assert.Positive(t, wait)
			}
		}
		assert.Equal(t, 1000+rate.Bytes(now.Sub(epoch)), sum, "rate %v", rate)
	}
}

// The source's example: 300 kbit/s at 110 percent with 25 s of burst.
func TestBucketExample(t *testing.T) {
	b := throttle.NewBucket(330*throttle.KbitPerSecond, 937_500, 8192)
	assert.Zero(t, b.Take(epoch, 937_500))
	assert.Equal(t, time.Second, b.Take(epoch, 41_250))
	assert.Equal(t, 2*time.Second, b.Take(epoch, 41_250), "debts add up")
	assert.Equal(t, int64(-41_250), b.Available(epoch.Add(time.Second)))
	assert.Zero(t, b.Available(epoch.Add(2*time.Second)))
	assert.Equal(t, int64(8192), b.Available(epoch.Add(time.Hour)), "idle time earns the capacity, not the burst")
}

// Tokens of the burst stay until they are taken, and what is earned meanwhile is not lost.
func TestBucketBurst(t *testing.T) {
	b := throttle.NewBucket(8*throttle.KbitPerSecond, 10_000, 2000)
	assert.Equal(t, int64(10_000), b.Available(epoch))
	b.Take(epoch, 5000)
	assert.Equal(t, int64(7000), b.Available(epoch.Add(2*time.Second)))
	b.Take(epoch.Add(2*time.Second), 6000)
	assert.Equal(t, int64(2000), b.Available(epoch.Add(9*time.Second)))
	b.Raise(epoch.Add(9*time.Second), 3000)
	assert.Equal(t, int64(3000), b.Available(epoch.Add(9*time.Second)))
	b.Raise(epoch.Add(9*time.Second), 1000)
	assert.Equal(t, int64(3000), b.Available(epoch.Add(10*time.Second)))
}

func TestBucketRates(t *testing.T) {
	b := throttle.NewBucket(8*throttle.KbitPerSecond, 0, 1_000_000)
	assert.Zero(t, b.Available(epoch))
	b.SetRate(epoch.Add(time.Second), 80*throttle.KbitPerSecond)
	assert.Equal(t, int64(11_000), b.Available(epoch.Add(2*time.Second)))
	b.SetRate(epoch.Add(2*time.Second), 0)
	assert.Equal(t, int64(11_000), b.Available(epoch.Add(time.Hour)))
	assert.Equal(t, int64(11_000), b.Available(epoch), "a clock that goes back earns nothing")
	n, wait := b.TakeUpTo(epoch.Add(time.Hour), 20_000, 12_000)
	assert.Zero(t, n)
	assert.Equal(t, time.Duration(math.MaxInt64), wait)
	n, _ = b.TakeUpTo(epoch.Add(time.Hour), 20_000, 11_000)
	assert.Equal(t, int64(11_000), n)
	b.SetCapacity(epoch.Add(time.Hour), 100)
	b.Return(5000)
	assert.Equal(t, int64(100), b.Available(epoch.Add(time.Hour)))
	assert.Equal(t, throttle.Rate(0), b.Rate())
	b.Take(epoch, math.MaxInt64)
	b.Take(epoch, math.MaxInt64)
	assert.Negative(t, b.Available(epoch))
}

func TestBucketWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := throttle.NewBucket(8*throttle.KbitPerSecond, 1000, 1000)
		start := time.Now()
		require.NoError(t, b.Wait(t.Context(), 3000))
		assert.Equal(t, 2*time.Second, time.Since(start))
		ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
		defer cancel()
		assert.ErrorIs(t, b.Wait(ctx, 1000), context.DeadlineExceeded)
		assert.Equal(t, int64(500), b.Available(time.Now()), "what was not used is given back")
		assert.ErrorIs(t, b.Wait(ctx, 1), context.DeadlineExceeded)
		b.SetRate(time.Now(), 0)
		assert.ErrorIs(t, b.Wait(t.Context(), 5000), throttle.ErrNoRate)
	})
}

func TestRate(t *testing.T) {
	for text, want := range map[string]throttle.Rate{
		"300": 300, "300 kbps": 300_000, "1.5Mbit/s": 1_500_000, "125 kB/s": throttle.MbitPerSecond, "1 gbps": throttle.GbitPerSecond,
		"0": 0, " 8 bit/s ": 8, "2 MB/s": 16 * throttle.MbitPerSecond, "1e3": 1000, "1000 Gbit/s": throttle.MaxRate,
	} {
		got, err := throttle.ParseRate(text)
		require.NoError(t, err, text)
		assert.Equal(t, want, got, text)
		again, err := throttle.ParseRate(got.String())
		require.NoError(t, err)
		assert.Equal(t, got, again)
	}
	for _, text := range []string{"", "kbps", "-1", "1 TB/s", "nan", "inf", "0x10", "1_000", "1001 Gbit/s", "5 apples"} {
		_, err := throttle.ParseRate(text)
		assert.ErrorContains(t, err, "throttle: rate", text)
	}
	assert.Equal(t, time.Second, throttle.MbitPerSecond.Time(125_000))
	assert.Equal(t, 8*time.Microsecond, throttle.MbitPerSecond.Time(1))
	assert.Equal(t, time.Duration(1), throttle.MaxRate.Time(1), "rounded up")
	assert.Equal(t, time.Duration(math.MaxInt64), throttle.Rate(1).Time(math.MaxInt64))
	assert.Equal(t, time.Duration(math.MaxInt64), throttle.Rate(0).Time(1))
	assert.Zero(t, throttle.Rate(0).Time(0))
	assert.Equal(t, int64(math.MaxInt64), throttle.Rate(math.MaxInt64).Bytes(math.MaxInt64))
	assert.Zero(t, throttle.Rate(-5).Bytes(time.Hour))
}

package throttle

import (
	"context"
	"math"
	"sync"
	"time"
)

// Bucket is a token bucket, in bytes: the law of the package. It earns its rate without rounding anything away, and
// holds at most a capacity. It may begin with more than its capacity, a burst, which is given once: what was taken of
// it does not come back beyond the capacity.
//
// Bytes that may leave within time t are therefore never more than burst + rate*t, and for who always takes what is
// there exactly that, to the byte.
//
// Taking may go into debt, so that a write is never larger than what is due and nobody who waits is overtaken: [Bucket.Take]
// says when what was taken is paid for. A bucket has no timer and no goroutine; its methods that depend on time take it
// as an argument, which must not go backwards (if it does, nothing is earned). It is safe for concurrent use, and
// may be shared by any number of writers.
type Bucket struct {
	mu       sync.Mutex // guards the fields below
	rate     Rate
	capacity int64
	limit    int64 // the most that tokens may become: the burst while it has not been used up, then the capacity
	tokens   int64 // in bytes, negative in debt
	rest     uint64
	last     time.Time // until when tokens have been earned; zero before the first use
}

// maxTokens is the most bytes that a bucket holds or owes, so that sums of two such numbers are in range.
const maxTokens = math.MaxInt64 / 2

// tokens returns n, or the nearest number that a bucket can hold.
func tokens(n int64) int64 { return min(max(n, 0), maxTokens) }

// NewBucket returns a bucket that begins with burst bytes and holds at most capacity, both at least zero.
// A rate of zero or less earns nothing.
func NewBucket(rate Rate, burst, capacity int64) *Bucket {
	burst, capacity = tokens(burst), tokens(capacity)
	return &Bucket{rate: min(rate, MaxRate), capacity: capacity, limit: max(burst, capacity), tokens: burst}
}

// earn brings the tokens up to now. mu must be held.
func (b *Bucket) earn(now time.Time) {
	if b.last.IsZero() {
		b.last = now
	}
	if now.After(b.last) {
		var n int64
		n, b.rest = b.rate.earned(now.Sub(b.last), b.rest)
		b.last = now
		b.add(n)
	}
}

// take takes n bytes, at least zero. mu must be held.
func (b *Bucket) take(n int64) {
	b.tokens -= min(n, b.tokens+maxTokens)
	b.settle()
}

// settle ends the burst when it is used up. mu must be held.
func (b *Bucket) settle() {
	if b.tokens <= b.capacity {
		b.limit = b.capacity
	}
}

// add adds n bytes, at least zero, up to the limit. mu must be held.
func (b *Bucket) add(n int64) {
	if n >= b.limit-b.tokens {
		n, b.rest = max(b.limit-b.tokens, 0), 0
	}
	b.tokens += n
}

// Take takes n bytes and returns how long from now they are still to be earned, zero if they are there. Nobody else
// gets them meanwhile. The longest duration means never.
func (b *Bucket) Take(now time.Time, n int64) time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.earn(now)
	b.take(max(n, 0))
	return b.wait(0)
}

// wait returns how long until there are n bytes. mu must be held.
func (b *Bucket) wait(n int64) time.Duration {
	if b.tokens >= n {
		return 0
	}
	return b.rate.timeFor(n-b.tokens, b.rest)
}

// TakeUpTo takes as much of n bytes as is there, but nothing if that is less than least, and returns it with how long
// from now until least is there.
func (b *Bucket) TakeUpTo(now time.Time, n, least int64) (int64, time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.earn(now)
	n = max(n, 0)
	least = min(least, n)
	if b.tokens < least || b.tokens <= 0 {
		return 0, b.wait(max(least, 1))
	}
	n = min(n, b.tokens)
	b.take(n)
	return n, 0
}

// next takes what is there up to most, if that is at least q, and else q, with how long from now that is earned.
func (b *Bucket) next(now time.Time, most, q int64) (int64, time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.earn(now)
	n := q
	if b.tokens >= q {
		n = min(most, b.tokens)
	}
	b.take(n)
	return n, b.wait(0)
}

// Return gives back n bytes that were taken and not used.
func (b *Bucket) Return(n int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.add(max(n, 0))
}

// Raise gives tokens until there are n, which may be above the capacity as a burst is.
func (b *Bucket) Raise(now time.Time, n int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.earn(now)
	b.tokens = max(b.tokens, tokens(n))
	b.limit = max(b.limit, b.tokens)
}

// Available returns the bytes that are there, negative when there is a debt.
func (b *Bucket) Available(now time.Time) int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.earn(now)
	return b.tokens
}

// Rate returns the rate.
func (b *Bucket) Rate() Rate {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.rate
}

// SetRate changes the rate from now on. What was earned until then stays. Who waits already goes by the old rate until
// its wait is over.
func (b *Bucket) SetRate(now time.Time, rate Rate) {
	rate = min(rate, MaxRate)
	b.mu.Lock()
	defer b.mu.Unlock()
	if rate != b.rate {
		b.earn(now)
		b.rate = rate
	}
}

// SetCapacity changes how much the bucket holds.
func (b *Bucket) SetCapacity(now time.Time, capacity int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.earn(now)
	b.capacity = tokens(capacity)
	b.limit = max(b.limit, b.capacity)
	b.settle()
}

// Wait takes n bytes and waits until they are earned. When the context ends first it gives them back and returns the
// context's error; it returns [ErrNoRate] at once if they never will be.
func (b *Bucket) Wait(ctx context.Context, n int64) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	d := b.Take(time.Now(), n)
	if err := sleep(ctx, d); err != nil {
		b.Return(n)
		return err
	}
	return nil
}

// sleep waits for d.
func sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return nil
	}
	if d == math.MaxInt64 {
		return ErrNoRate
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

package throttle

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Variables change how a single response is sent: the server variables of IIS's extensibility interface. An
// application sets them in the context of the request, with [WithVariables], or a handler inside sets response headers
// with the names of the variables, which are taken out before anything is sent. Headers win, field by field.
//
// They are evaluated from the top down: Off; then Rate, with InitialSendSize; then FileExtension and EncodedRate,
// which only count together, in the place of what is detected; then RatePercentage and InitialBufferTime in the place
// of the rule's. A nil or zero field is not set. [Rules.MaxRate] caps the result.
type Variables struct {
	// Off sends the response unthrottled. Header ResponseThrottler-Enabled, of which 0 is off.
	Off bool
	// Rate is that after the burst. Header ResponseThrottler-Rate, in kbit/s. The header X-Accel-Limit-Rate, in bytes
	// per second, is read as well, where 0 and "off" mean unthrottled, as nginx takes it.
	Rate Rate
	// InitialSendSize is the burst, in bytes. It counts with Rate only; without it there is none. Header
	// ResponseThrottler-InitialSendSize, in KB of 1024 bytes.
	InitialSendSize int64
	// FileExtension, with or without a dot, chooses the setting. Header ResponseThrottler-FileExtension.
	FileExtension string
	// EncodedRate is that of the content. Header ResponseThrottler-EncodedBitRateKbps, in kbit/s.
	EncodedRate Rate
	// RatePercentage is the rate after the burst in percent of the encoded one. Header
	// ResponseThrottler-ThrottleRatePercentage.
	RatePercentage int
	// InitialBufferTime is the burst, in time of the content. Header ResponseThrottler-InitialBufferTimeSeconds.
	InitialBufferTime *time.Duration
}

type variablesKey struct{}

// WithVariables returns a context for the request given to a [Handler].
func WithVariables(ctx context.Context, v Variables) context.Context {
	return context.WithValue(ctx, variablesKey{}, v)
}

// variablesOf returns the variables of a context, as far as they are in range.
func variablesOf(ctx context.Context) Variables {
	v, ok := ctx.Value(variablesKey{}).(Variables)
	if ok {
		v.Rate, v.EncodedRate = min(v.Rate, MaxRate), min(v.EncodedRate, MaxRate)
		v.InitialSendSize = min(max(v.InitialSendSize, 0), maxSendSize)
		v.RatePercentage = min(max(v.RatePercentage, 0), maxPercentage)
	}
	return v
}

// variableNames are the response headers, in canonical form. nginx's comes first, so that IIS's have the last word.
var variableNames = [...]string{
	"X-Accel-Limit-Rate", "Responsethrottler-Enabled", "Responsethrottler-Rate", "Responsethrottler-Initialsendsize",
	"Responsethrottler-Fileextension", "Responsethrottler-Encodedbitratekbps", "Responsethrottler-Throttleratepercentage",
	"Responsethrottler-Initialbuffertimeseconds",
}

// take sets the variables that the response headers have, and removes them there. Values that are no numbers in range
// are not used, and returned as problems.
func (v *Variables) take(h http.Header) (problems []error) {
	for i, name := range variableNames {
		values, ok := h[name]
		if !ok {
			continue
		}
		delete(h, name)
		if len(values) == 0 {
			continue
		}
		if err := v.set(i, strings.TrimSpace(values[0])); err != nil {
			problems = append(problems, fmt.Errorf("throttle: response header %s: %w", name, err))
		}
	}
	return problems
}

// set sets the variable with an index into variableNames.
func (v *Variables) set(index int, value string) (err error) {
	var n int64
	switch index {
	case 0:
		return v.setAccel(value)
	case 1:
		v.Off = value == "0"
	case 2:
		if n, err = number(value, 1, int64(MaxRate/KbitPerSecond)); err == nil {
			v.Rate = Rate(n) * KbitPerSecond
		}
	case 3:
		if n, err = number(value, 0, maxSendSize>>10); err == nil {
			v.InitialSendSize = n << 10
		}
	case 4:
		v.FileExtension = value
	case 5:
		if n, err = number(value, 1, int64(MaxRate/KbitPerSecond)); err == nil {
			v.EncodedRate = Rate(n) * KbitPerSecond
		}
	case 6:
		if n, err = number(value, 1, maxPercentage); err == nil {
			v.RatePercentage = int(n)
		}
	case 7:
		if n, err = number(value, 0, int64(maxBufferTime/time.Second)); err == nil {
			d := time.Duration(n) * time.Second
			v.InitialBufferTime = &d
		}
	}
	return err
}

// setAccel sets the rate of nginx's header.
func (v *Variables) setAccel(value string) error {
	if strings.EqualFold(value, "off") || value == "0" {
		v.Off = true
		return nil
	}
	n, err := number(value, 1, int64(MaxRate/8))
	if err == nil {
		v.Rate = Rate(n) * 8
	}
	return err
}

func number(s string, least, most int64) (int64, error) {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("%.40q is not a number", s)
	}
	if n < least || n > most {
		return 0, fmt.Errorf("%d is not between %d and %d", n, least, most)
	}
	return n, nil
}

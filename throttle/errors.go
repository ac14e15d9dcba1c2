package throttle

import "errors"

// ErrNoRate is returned by waits for bytes that will never be earned, as the bucket's rate is zero.
var ErrNoRate = errors.New("throttle: the rate is zero")

package usage

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// SignatureHeader is the header with the signature of a webhook's request:
//
//	X-Smoothkit-Signature: t=1764151200,v1=5257a869...
//
// t is when the request was sent, in seconds of Unix time; v1 the HMAC-SHA256 of t, a dot and the body, in hexadecimal digits.
const SignatureHeader = "X-Smoothkit-Signature"

// Sign returns the value of [SignatureHeader] for a body that is sent at a time.
func Sign(secret, body []byte, at time.Time) string {
	t := strconv.FormatInt(at.Unix(), 10)
	return "t=" + t + ",v1=" + hex.EncodeToString(signature(secret, body, t))
}

func signature(secret, body []byte, t string) []byte {
	m := hmac.New(sha256.New, secret)
	m.Write([]byte(t))
	m.Write([]byte{'.'})
	m.Write(body)
	return m.Sum(nil)
}

// VerifySignature is for who receives webhooks: it returns an error that wraps [ErrSignature] if the header does not fit the
// body, or is from a time more than tolerance away from now, so that it may be one that somebody has recorded.
func VerifySignature(secret []byte, header string, body []byte, now time.Time, tolerance time.Duration) error {
	stamp, mac, ok := strings.Cut(header, ",v1=")
	t, stamped := strings.CutPrefix(stamp, "t=")
	sum, err := hex.DecodeString(mac)
	seconds, bad := strconv.ParseInt(t, 10, 64)
	if !ok || !stamped || err != nil || bad != nil {
		return fmt.Errorf("%w: malformed header", ErrSignature)
	}
	if !hmac.Equal(sum, signature(secret, body, t)) {
		return fmt.Errorf("%w: of another secret or body", ErrSignature)
	}
	if age := now.Sub(time.Unix(seconds, 0)); age > tolerance || -age > tolerance {
		return fmt.Errorf("%w: %v old, at most %v", ErrSignature, age, tolerance)
	}
	return nil
}

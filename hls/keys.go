package hls

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
)

// A KeySource gives the key of a period, a run of segments that share one (see [Encryption]). It is asked for every
// segment that is made and every key that is delivered, from many goroutines, so one that asks a service keeps the
// answers. The same arguments must give the same key for as long as the segments exist, on every node.
//
// An error that wraps a sentinel of package smooth is answered as that one is (for example [smooth.ErrNotFound] with
// 404); any other counts as a fault of the server. Nothing is ever sent in the clear instead.
type KeySource interface {
	// Key returns the key of period of the presentation, named as in [smooth.Source].
	Key(ctx context.Context, presentation string, period uint64) ([16]byte, error)
}

// StaticKey is a [KeySource] of one key for every presentation and period.
type StaticKey [16]byte

// Key returns k. It implements [KeySource].
func (k StaticKey) Key(context.Context, string, uint64) ([16]byte, error) { return k, nil }

// ParseKey reads a key of 32 hexadecimal digits, the form in which IIS took it.
//
// The passphrase that IIS took instead is refused: how it became a key was never published, so that a derivation of
// ours would give segments that no key of an IIS decrypts. [Encryption.Master] is the secret to derive keys from.
func ParseKey(s string) (StaticKey, error) {
	var k StaticKey
	if len(s) != 2*len(k) {
		return k, fmt.Errorf("hls: key of %d characters, want 32 hexadecimal digits", len(s))
	}
	if _, err := hex.Decode(k[:], []byte(s)); err != nil {
		// the error of the decoder quotes a character of the key
		return StaticKey{}, fmt.Errorf("hls: key has a character that is not a hexadecimal digit")
	}
	return k, nil
}

// masterKey derives the keys of all presentations and periods from one secret.
type masterKey []byte

// Key returns the first 16 bytes of the HMAC-SHA256 of presentation, a zero byte and the period as 8 bytes, big-endian.
func (m masterKey) Key(_ context.Context, presentation string, period uint64) ([16]byte, error) {
	mac := hmac.New(sha256.New, m)
	mac.Write([]byte(presentation))
	mac.Write(binary.BigEndian.AppendUint64([]byte{0}, period))
	return [16]byte(mac.Sum(nil)[:16]), nil
}

// secretHash returns a hash of a secret that tells nothing of the keys made from it.
func secretHash(secret []byte) uint64 {
	h := hmac.New(sha256.New, secret)
	h.Write([]byte("entity tags"))
	return binary.BigEndian.Uint64(h.Sum(nil))
}

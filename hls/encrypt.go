package hls

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// EncryptionMethod is how segments are encrypted, the METHOD of EXT-X-KEY. See RFC 8216 section 4.3.2.4.
type EncryptionMethod uint8

// The methods.
const (
	// AES128 encrypts whole segments, in any format.
	AES128 EncryptionMethod = iota
	// SampleAES encrypts parts of the samples of MPEG-2 TS segments: H.264, AAC and E-AC-3. A track of another codec is
	// left out; that of AC-3 would need bytes of its frames in the tables, which the headers of files do not have.
	SampleAES
)

// String returns the value of the METHOD attribute.
func (m EncryptionMethod) String() string {
	switch m {
	case AES128:
		return "AES-128"
	case SampleAES:
		return "SAMPLE-AES"
	}
	return "EncryptionMethod(" + strconv.Itoa(int(m)) + ")"
}

// minMaster is the least size of [Encryption.Master] in bytes, that of the keys.
const minMaster = 16

// Encryption says how segments are encrypted and where players get the keys. The segments of one key are a period:
// number floor(media sequence number / Rotate), counted from 0. A constructor that takes an Encryption copies it.
type Encryption struct {
	// Method is AES128 unless set.
	Method EncryptionMethod
	// Keys gives the keys. Nil means that they are derived from Master.
	Keys KeySource
	// Master is the secret, 16 bytes or more, from which keys are derived: the key of a period is the first 16 bytes of
	// HMAC-SHA256(Master, presentation name, a zero byte, period as 8 bytes big-endian), so that nodes with the same
	// Master agree and a key server elsewhere can do the same. It should be random and have no other use. Exactly one
	// of Keys and Master is set.
	Master []byte
	// Rotate is the number of segments in a period. 0 means one key, that of period 0, for the whole presentation.
	Rotate uint64
	// URI is where players get the key, as written in EXT-X-KEY; a relative one is relative to the media playlist.
	// {presentation} in it stands for the name of the presentation, with everything but unreserved characters (RFC 3986
	// section 2.3) percent-encoded, slashes too, so that it fits one path segment or one value of a query; {period}
	// stands for the number of the period, and must be there if Rotate is set. Empty means the built-in key handler.
	URI string
	// Authorize guards the built-in key handler: an error means 403. Nil allows whoever knows the URL. It is called
	// from many goroutines. presentation is spelled as in the URL: in any case and with what IIS appended to it, such as
	// FILM-m3u8-aapl.ism, a name opens the same files. So a rule that goes by names has to allow some, not to refuse some.
	Authorize func(r *http.Request, presentation string, period uint64) error
	// IV is the initialisation vector of every segment, 16 bytes, written in EXT-X-KEY, as IIS had it. Nil means the
	// media sequence number (RFC 8216 section 5.2), for SampleAES that of the first segment of the period, which then
	// is written, because hls.js does not decrypt samples otherwise.
	IV []byte
}

// Validate reports the first thing in e that cannot work. Every constructor that takes an Encryption calls it.
func (e *Encryption) Validate() error {
	switch {
	case e.Method > SampleAES:
		return fmt.Errorf("hls: unknown encryption method %d", e.Method)
	case e.Keys != nil && e.Master != nil:
		return errors.New("hls: Encryption has both Keys and Master")
	case e.Keys == nil && len(e.Master) < minMaster:
		return fmt.Errorf("hls: Encryption has no Keys, and a Master of %d bytes, want %d", len(e.Master), minMaster)
	case e.IV != nil && len(e.IV) != 16:
		return fmt.Errorf("hls: Encryption has an IV of %d bytes, want 16", len(e.IV))
	}
	return e.validateURI()
}

// validateURI checks the URI with its placeholders filled in.
func (e *Encryption) validateURI() error {
	if e.URI == "" {
		return nil
	}
	uri := expandKeyURI(e.URI, "a", 0)
	for i := range len(uri) {
		if c := uri[i]; c <= ' ' || c >= 0x7f || strings.IndexByte(`"<>\^{|}`+"`", c) >= 0 {
			return fmt.Errorf("hls: key URI %q has the character %q", e.URI, c)
		}
	}
	if _, err := url.Parse(uri); err != nil {
		return fmt.Errorf("hls: key URI %q: %w", e.URI, err)
	}
	if e.Rotate != 0 && !strings.Contains(e.URI, "{period}") {
		return fmt.Errorf("hls: key URI %q has no {period}, but keys change every %d segments", e.URI, e.Rotate)
	}
	return nil
}

// expandKeyURI fills in the placeholders of [Encryption.URI].
func expandKeyURI(uri, presentation string, period uint64) string {
	// QueryEscape leaves the unreserved characters only, and writes a space as no path has it
	name := strings.ReplaceAll(url.QueryEscape(presentation), "+", "%20")
	return strings.NewReplacer("{presentation}", name, "{period}", strconv.FormatUint(period, 10)).Replace(uri)
}

// protection is a checked [Encryption] of its own memory. It is immutable.
type protection struct {
	method    EncryptionMethod
	keys      KeySource
	rotate    uint64
	uri       string
	authorize func(r *http.Request, presentation string, period uint64) error
	fixedIV   *[16]byte
	// secret is a one-way hash of what the keys come from, as far as that is known here, so that with another secret a
	// segment is another one for caches; zero for a KeySource of the application.
	secret uint64
}

// newProtection checks and copies e. It returns nil for nil: nothing is encrypted.
func newProtection(e *Encryption) (*protection, error) {
	if e == nil {
		return nil, nil
	}
	if err := e.Validate(); err != nil {
		return nil, err
	}
	p := &protection{method: e.Method, keys: e.Keys, rotate: e.Rotate, uri: e.URI, authorize: e.Authorize}
	if p.keys == nil {
		p.keys = masterKey(bytes.Clone(e.Master))
		p.secret = secretHash(e.Master)
	} else if key, ok := p.keys.(StaticKey); ok {
		p.secret = secretHash(key[:])
	}
	if e.IV != nil {
		iv := [16]byte(e.IV)
		p.fixedIV = &iv
	}
	return p, nil
}

// servesKeys reports whether players get the keys from the built-in handler.
func (p *protection) servesKeys() bool { return p.uri == "" }

// period returns the number of the key of the segment with a media sequence number. A media playlist needs an
// EXT-X-KEY before its first segment and before each with another period than the one before.
func (p *protection) period(sequence uint64) uint64 {
	if p.rotate == 0 {
		return 0
	}
	return sequence / p.rotate
}

// segmentKey returns key and initialisation vector of the segment with a media sequence number.
func (p *protection) segmentKey(
	ctx context.Context, presentation string, sequence uint64,
) (key, iv [16]byte, err error) {
	period := p.period(sequence)
	key, err = p.keys.Key(ctx, presentation, period)
	if err != nil {
		return key, iv, fmt.Errorf("hls: key %d of %s: %w", period, presentation, err)
	}
	if p.method == AES128 && p.fixedIV == nil {
		return key, sequenceIV(sequence), nil
	}
	return key, *p.periodIV(period), nil
}

// periodIV returns the initialisation vector that is the same for all segments of a period, or nil if each has its own.
func (p *protection) periodIV(period uint64) *[16]byte {
	switch {
	case p.fixedIV != nil:
		return p.fixedIV
	case p.method == SampleAES:
		// its chain starts anew with every frame and NAL unit anyway, so that one for each segment would hide no more
		iv := sequenceIV(period * p.rotate)
		return &iv
	}
	return nil
}

// appendTag appends the EXT-X-KEY line, line feed included, of the segments of a period. builtin is the URI that is
// written if the built-in handler has the keys, as it is to be resolved against the media playlist.
func (p *protection) appendTag(dst []byte, presentation string, period uint64, builtin string) []byte {
	uri := builtin
	if !p.servesKeys() {
		uri = expandKeyURI(p.uri, presentation, period)
	}
	return appendKeyLine(dst, p.method.String(), uri, p.periodIV(period))
}

package playlist

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"time"
)

// Token is a session that no server remembers: who it is and until when is in the signed text that its viewer has. It
// can say nothing of what has been delivered, so it is for playlists without rules.
type Token struct {
	// ID is what reports call the session. It is no secret and opens nothing.
	ID ID
	// Playlist is the path of the outermost playlist. It is not in the text, but the text is valid for no other.
	Playlist string
	// Version is the digest of its content when the session began, or the beginning of it: at most 32 bytes, empty if it
	// does not matter.
	Version string
	// Created is when the session began, in whole seconds since 1970, and TimeToLive how long it lives from then, in whole
	// seconds, at least one and at most 136 years.
	Created    time.Time
	TimeToLive time.Duration
	// Client is what the session is bound to, such as an address; empty if to nothing. It is not in the text either.
	Client string
}

// The text of a token is base64 (RFC 4648 section 5, no padding) of bytes of fixed places, so that a token has one
// text: 56 characters without the rest.
//
//	0      version 1, with bit 7 if there is a client
//	1-16   ID
//	17-21  Created, seconds since 1970, big endian
//	22-25  TimeToLive, seconds
//	       8 bytes of HMAC-SHA256 of label, ID and client, if bit 7
//	       Version
//	       16 bytes of HMAC-SHA256 of label, length of the path, path of the playlist and all the above
//
// RFC 2104 section 5 allows half of a MAC; 128 bits cannot be guessed. The client has one of its own so that a token
// of another client can be told from no token.
const (
	tokenVersion  = 1
	tokenBound    = 0x80
	tokenHead     = 26
	tokenClient   = 8
	tokenMAC      = 16
	tokenDigest   = 32 // the longest Version
	maxTokenBytes = tokenHead + tokenClient + tokenDigest + tokenMAC
	leastKey      = 16
)

// What the keys sign, so that no signature is good for something else.
const (
	tokenLabel  = "smoothkit playlist token 1\x00"
	clientLabel = "smoothkit playlist client 1\x00"
	cookieLabel = "smoothkit playlist cookie 1\x00"
)

// tokenText is strict: no two texts of the same bytes.
var tokenText = base64.RawURLEncoding.Strict()

// Tokens signs sessions that no server remembers, and cookies that sessions are bound to. It is safe for concurrent
// use. All servers that share a playlist need the same keys.
type Tokens struct {
	keys [][]byte
}

// NewTokens returns a Tokens that signs with the first key and takes what any of them signed: to change keys, put the
// new one before the old one, and remove the old one when what it signed has ended; before that give all servers the
// new one as the second. Without keys it makes one up, which ends with the process. It returns an error for a key below
// 16 bytes.
func NewTokens(keys ...[]byte) (*Tokens, error) {
	t := &Tokens{}
	for i, key := range keys {
		if len(key) < leastKey {
			return nil, fmt.Errorf("playlist: key %d of %d bytes, at least %d", i+1, len(key), leastKey)
		}
		t.keys = append(t.keys, append([]byte(nil), key...))
	}
	if len(keys) == 0 {
		key := make([]byte, sha256.Size)
		_, _ = rand.Read(key) // never fails
		t.keys = append(t.keys, key)
	}
	return t, nil
}

// Sign returns the text of a token, of letters, digits, '-' and '_': 56 characters, 11 more with a client, and 4 for
// each 3 bytes of Version. Fractions of seconds are left out: Created is rounded down, TimeToLive up. It returns an
// error for values that a token cannot have.
func (t *Tokens) Sign(k Token) (string, error) {
	created, life := k.Created.Unix(), int64((k.TimeToLive+time.Second-1)/time.Second)
	switch {
	case created < 0 || created >= 1<<40:
		return "", fmt.Errorf("playlist: token created at %d seconds since 1970", created)
	case k.TimeToLive <= 0 || life >= 1<<32:
		return "", fmt.Errorf("playlist: token with a life of %v", k.TimeToLive)
	case len(k.Version) > tokenDigest:
		return "", fmt.Errorf("playlist: token with a version of %d bytes, at most %d", len(k.Version), tokenDigest)
	}
	key := t.keys[0]
	b := make([]byte, tokenHead, maxTokenBytes)
	b[0] = tokenVersion
	copy(b[1:], k.ID[:])
	b[17] = byte(created >> 32)
	binary.BigEndian.PutUint32(b[18:], uint32(created))
	binary.BigEndian.PutUint32(b[22:], uint32(life))
	if k.Client != "" {
		b[0] |= tokenBound
		b = append(b, clientMAC(key, k.ID, k.Client)...)
	}
	b = append(b, k.Version...)
	b = append(b, playlistMAC(key, k.Playlist, b)...)
	return tokenText.EncodeToString(b), nil
}

// Verify returns the token of a text for a playlist. It returns ErrNotFound for what was not signed for that playlist
// with one of the keys, ErrStolen for what is bound to another client, and ErrExpired, with the token, at its end.
func (t *Tokens) Verify(now time.Time, text, playlist, client string) (Token, error) {
	b, key := t.open(text, playlist)
	if key == nil {
		return Token{}, ErrNotFound
	}
	k := Token{
		ID:         ID(b[1:17]),
		Playlist:   playlist,
		Created:    time.Unix(int64(b[17])<<32|int64(binary.BigEndian.Uint32(b[18:])), 0).UTC(),
		TimeToLive: time.Duration(binary.BigEndian.Uint32(b[22:])) * time.Second,
	}
	rest := b[tokenHead:]
	if b[0]&tokenBound != 0 {
		if !hmac.Equal(rest[:tokenClient], clientMAC(key, k.ID, client)) {
			return Token{}, ErrStolen
		}
		k.Client, rest = client, rest[tokenClient:]
	}
	k.Version = string(rest)
	if !now.Before(k.Created.Add(k.TimeToLive)) {
		return k, ErrExpired
	}
	return k, nil
}

// open returns what has been signed and the key that signed it, nil if none did.
func (t *Tokens) open(text, playlist string) (signed, key []byte) {
	if len(text) > tokenText.EncodedLen(maxTokenBytes) {
		return nil, nil
	}
	b, err := tokenText.DecodeString(text)
	if err != nil || len(b) < tokenHead+tokenMAC || b[0]&^tokenBound != tokenVersion {
		return nil, nil
	}
	if len(text) != tokenText.EncodedLen(len(b)) { // package base64 skips line ends
		return nil, nil
	}
	signed, mac := b[:len(b)-tokenMAC], b[len(b)-tokenMAC:]
	least, most := tokenHead, tokenHead+tokenDigest
	if b[0]&tokenBound != 0 {
		least, most = least+tokenClient, most+tokenClient
	}
	if len(signed) < least || len(signed) > most {
		return nil, nil
	}
	for _, key := range t.keys {
		if hmac.Equal(mac, playlistMAC(key, playlist, signed)) {
			return signed, key
		}
	}
	return nil, nil
}

// Cookie returns the value of a cookie that makes its owner that of a session: 22 characters of base64. Who has the
// session's URLs alone cannot make it.
func (t *Tokens) Cookie(id ID) string {
	return tokenText.EncodeToString(cookieMAC(t.keys[0], id))
}

// VerifyCookie returns ErrStolen for a value that is not [Tokens.Cookie] of the session, with any of the keys.
func (t *Tokens) VerifyCookie(id ID, value string) error {
	if len(value) != tokenText.EncodedLen(tokenMAC) {
		return ErrStolen
	}
	mac, err := tokenText.DecodeString(value)
	if err != nil {
		return ErrStolen
	}
	for _, key := range t.keys {
		if hmac.Equal(mac, cookieMAC(key, id)) {
			return nil
		}
	}
	return ErrStolen
}

func playlistMAC(key []byte, playlist string, signed []byte) []byte {
	length := binary.BigEndian.AppendUint32(nil, uint32(len(playlist))) // where the path ends
	return macOf(key, tokenMAC, []byte(tokenLabel), length, []byte(playlist), signed)
}

func clientMAC(key []byte, id ID, client string) []byte {
	return macOf(key, tokenClient, []byte(clientLabel), id[:], []byte(client))
}

func cookieMAC(key []byte, id ID) []byte {
	return macOf(key, tokenMAC, []byte(cookieLabel), id[:])
}

// macOf returns the first bytes of the HMAC-SHA256 of parts after each other.
func macOf(key []byte, size int, parts ...[]byte) []byte {
	h := hmac.New(sha256.New, key)
	for _, part := range parts {
		h.Write(part)
	}
	return h.Sum(nil)[:size]
}

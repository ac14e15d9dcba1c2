package playlist_test

import (
	"encoding/base64"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/playlist"
)

var (
	firstKey  = []byte("0123456789abcdef0123456789abcdef")
	secondKey = []byte("another key, 16+")
	aToken    = playlist.Token{
		ID:       playlist.ID{1, 2, 3, 4, 5, 6, 0x47, 8, 0x89, 10, 11, 12, 13, 14, 15, 16},
		Playlist: "/a.isx", Created: storeEpoch, TimeToLive: time.Hour,
	}
)

func newTokens(tb testing.TB, keys ...[]byte) *playlist.Tokens {
	tb.Helper()
	tokens, err := playlist.NewTokens(keys...)
	require.NoError(tb, err)
	return tokens
}

func sign(tb testing.TB, tokens *playlist.Tokens, k playlist.Token) string {
	tb.Helper()
	text, err := tokens.Sign(k)
	require.NoError(tb, err)
	return text
}

func TestToken(t *testing.T) {
	tokens := newTokens(t, firstKey)
	bound, versioned, late := aToken, aToken, aToken
	bound.Client, bound.Version = "192.0.2.1", "3f786850e387550f"
	versioned.Version = strings.Repeat("\xff", 32)
	late.Created, late.TimeToLive = time.Unix(1<<40-1, 0).UTC(), (1<<32-1)*time.Second
	for name, c := range map[string]struct {
		token  playlist.Token
		length int
	}{"plain": {aToken, 56}, "bound, with a version": {bound, 88}, "longest version": {versioned, 99}, "late": {late, 56}} {
		text := sign(t, tokens, c.token)
		assert.Len(t, text, c.length, name)
		assert.Equal(t, url.QueryEscape(text), text, name)
		got, err := tokens.Verify(c.token.Created, text, "/a.isx", c.token.Client)
		assert.NoError(t, err, name)
		assert.Equal(t, c.token, got, name)
	}
	text := sign(t, tokens, aToken)
	assert.Equal(t, "AQECAwQFBkcIiQoLDA0ODxAAaaSeRAAADh", text[:34], "of bytes as documented")
	got, err := tokens.Verify(storeEpoch, text, "/a.isx", "192.0.2.1")
	require.NoError(t, err, "what is not bound is anybody's")
	assert.Empty(t, got.Client)
}

func TestTokenRefused(t *testing.T) {
	tokens := newTokens(t, firstKey)
	bound, versioned := aToken, aToken
	bound.Client, versioned.Version = "192.0.2.1", "v1"
	plain, boundText := sign(t, tokens, aToken), sign(t, tokens, bound)
	for name, c := range map[string]struct {
		text, playlist, client string
		after                  time.Duration
		want                   error
	}{
		"right":            {plain, "/a.isx", "", time.Hour - 1, nil},
		"its end":          {plain, "/a.isx", "", time.Hour, playlist.ErrExpired},
		"other playlist":   {plain, "/b.isx", "", 0, playlist.ErrNotFound},
		"path cut":         {plain, "/a.is", "", 0, playlist.ErrNotFound},
		"other key":        {sign(t, newTokens(t, secondKey), aToken), "/a.isx", "", 0, playlist.ErrNotFound},
		"bound":            {boundText, "/a.isx", "192.0.2.1", 0, nil},
		"other client":     {boundText, "/a.isx", "192.0.2.2", 0, playlist.ErrStolen},
		"no client":        {boundText, "/a.isx", "", 0, playlist.ErrStolen},
		"stolen and over":  {boundText, "/a.isx", "192.0.2.2", time.Hour, playlist.ErrStolen},
		"an ID":            {aToken.ID.String(), "/a.isx", "", 0, playlist.ErrNotFound},
		"nothing":          {"", "/a.isx", "", 0, playlist.ErrNotFound},
		"padding":          {plain + "=", "/a.isx", "", 0, playlist.ErrNotFound},
		"line end":         {plain + "\n", "/a.isx", "", 0, playlist.ErrNotFound},
		"line end inside":  {plain[:8] + "\n" + plain[8:], "/a.isx", "", 0, playlist.ErrNotFound},
		"long":             {strings.Repeat("A", 10_000), "/a.isx", "", 0, playlist.ErrNotFound},
		"a cookie":         {tokens.Cookie(aToken.ID), "/a.isx", "", 0, playlist.ErrNotFound},
		"version cut away": {sign(t, tokens, versioned)[:56], "/a.isx", "", 0, playlist.ErrNotFound},
	} {
		_, err := tokens.Verify(storeEpoch.Add(c.after), c.text, c.playlist, c.client)
		if c.want == nil {
			assert.NoError(t, err, name)
		} else {
			assert.ErrorIs(t, err, c.want, name)
		}
	}
}

// No character of a token can be changed or left out, nor one added.
func TestTokenTampered(t *testing.T) {
	tokens := newTokens(t, firstKey, secondKey)
	bound := aToken
	bound.Client, bound.Version = "c", "v1"
	for _, k := range []playlist.Token{aToken, bound} {
		text := sign(t, tokens, k)
		refused := func(text string) {
			_, err := tokens.Verify(storeEpoch, text, "/a.isx", "c")
			require.ErrorIs(t, err, playlist.ErrNotFound, text)
		}
		for i := range text {
			refused(text[:i])
			refused(text[:i] + text[i+1:])
			refused(text[:i] + "A" + text[i:])
			for _, c := range "AQgw_-9z" {
				if byte(c) != text[i] {
					refused(text[:i] + string(c) + text[i+1:])
				}
			}
		}
	}
}

func TestTokenRotation(t *testing.T) {
	before, during, after := newTokens(t, firstKey), newTokens(t, secondKey, firstKey), newTokens(t, secondKey)
	bound := aToken
	bound.Client = "c"
	old := sign(t, before, bound)
	_, err := during.Verify(storeEpoch, old, "/a.isx", "c")
	assert.NoError(t, err)
	_, err = during.Verify(storeEpoch, old, "/a.isx", "d")
	assert.ErrorIs(t, err, playlist.ErrStolen)
	_, err = after.Verify(storeEpoch, old, "/a.isx", "c")
	assert.ErrorIs(t, err, playlist.ErrNotFound)
	_, err = after.Verify(storeEpoch, sign(t, during, bound), "/a.isx", "c")
	assert.NoError(t, err, "signs with the first")
	id := playlist.NewID()
	assert.NoError(t, during.VerifyCookie(id, before.Cookie(id)))
	assert.NoError(t, after.VerifyCookie(id, during.Cookie(id)))
	assert.ErrorIs(t, after.VerifyCookie(id, before.Cookie(id)), playlist.ErrStolen)
}

func TestTokenLimits(t *testing.T) {
	tokens := newTokens(t, firstKey)
	for name, change := range map[string]func(*playlist.Token){
		"before 1970":  func(k *playlist.Token) { k.Created = time.Unix(-1, 0) },
		"no time":      func(k *playlist.Token) { k.Created = time.Time{} },
		"far future":   func(k *playlist.Token) { k.Created = time.Unix(1<<40, 0) },
		"no life":      func(k *playlist.Token) { k.TimeToLive = 0 },
		"less":         func(k *playlist.Token) { k.TimeToLive = -time.Hour },
		"long life":    func(k *playlist.Token) { k.TimeToLive = (1 << 32) * time.Second },
		"long version": func(k *playlist.Token) { k.Version = strings.Repeat("v", 33) },
	} {
		k := aToken
		change(&k)
		text, err := tokens.Sign(k)
		assert.Error(t, err, name)
		assert.Empty(t, text, name)
	}
	k := aToken
	k.Created, k.TimeToLive = storeEpoch.Add(900*time.Millisecond), time.Millisecond
	got, err := tokens.Verify(storeEpoch, sign(t, tokens, k), "/a.isx", "")
	require.NoError(t, err)
	assert.Equal(t, storeEpoch, got.Created)
	assert.Equal(t, time.Second, got.TimeToLive)
	_, err = playlist.NewTokens(firstKey, []byte("short"))
	assert.ErrorContains(t, err, "key 2 of 5 bytes")
}

func TestTokenKeys(t *testing.T) {
	a, b := newTokens(t), newTokens(t)
	text := sign(t, a, aToken)
	_, err := a.Verify(storeEpoch, text, "/a.isx", "")
	assert.NoError(t, err)
	_, err = b.Verify(storeEpoch, text, "/a.isx", "")
	assert.ErrorIs(t, err, playlist.ErrNotFound, "each makes up its own key")
	key := []byte("0123456789abcdef")
	c := newTokens(t, key)
	clear(key)
	_, err = newTokens(t, []byte("0123456789abcdef")).Verify(storeEpoch, sign(t, c, aToken), "/a.isx", "")
	assert.NoError(t, err, "keys are copied")
}

func TestCookie(t *testing.T) {
	tokens := newTokens(t, firstKey)
	id := playlist.NewID()
	value := tokens.Cookie(id)
	assert.Len(t, value, 22)
	assert.NoError(t, tokens.VerifyCookie(id, value))
	mac, err := base64.RawURLEncoding.DecodeString(value)
	require.NoError(t, err)
	mac[15] ^= 1
	for _, wrong := range []string{
		"", id.String(), value[:21], value + "A", value + "=", tokens.Cookie(playlist.NewID()), base64.RawURLEncoding.EncodeToString(mac),
		newTokens(t, secondKey).Cookie(id), strings.Repeat("*", 22),
	} {
		assert.ErrorIs(t, tokens.VerifyCookie(id, wrong), playlist.ErrStolen, wrong)
	}
}

// Nothing but what has been signed is taken, and it has one text only.
func FuzzToken(f *testing.F) {
	tokens := newTokens(f, firstKey)
	bound := aToken
	bound.Client, bound.Version = "c", "v1"
	for _, k := range []playlist.Token{aToken, bound} {
		text := sign(f, tokens, k)
		f.Add(text, "/a.isx", "c")
		f.Add(text[1:], "/a.isx", "")
		f.Add(text, "/b.isx", "d")
	}
	f.Add("", "", "")
	f.Add(strings.Repeat("A", 56), "/a.isx", "c")
	f.Fuzz(func(t *testing.T, text, path, client string) {
		k, err := tokens.Verify(storeEpoch, text, path, client)
		if err == nil {
			require.Equal(t, text, sign(t, tokens, k))
		} else {
			require.True(t, k == playlist.Token{} || err == playlist.ErrExpired)
		}
		_ = tokens.VerifyCookie(aToken.ID, text)
		if len(client) > 0 { // whatever text is, signed parts of it are taken back
			k := playlist.Token{Playlist: path, Client: client, Version: text[:min(len(text), 32)], Created: storeEpoch, TimeToLive: time.Hour}
			copy(k.ID[:], text)
			got, err := tokens.Verify(storeEpoch, sign(t, tokens, k), path, client)
			require.NoError(t, err)
			require.Equal(t, k, got)
		}
	})
}

func BenchmarkTokenSign(b *testing.B) {
	tokens := newTokens(b, firstKey)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := tokens.Sign(aToken); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkTokenVerify(b *testing.B) {
	tokens := newTokens(b, firstKey)
	text := sign(b, tokens, aToken)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := tokens.Verify(storeEpoch, text, "/a.isx", ""); err != nil {
			b.Fatal(err)
		}
	}
}

package hls

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/smooth"
)

// keyFunc is a KeySource.
type keyFunc func(presentation string, period uint64) ([16]byte, error)

func (f keyFunc) Key(_ context.Context, presentation string, period uint64) ([16]byte, error) {
	return f(presentation, period)
}

func mustProtect(t *testing.T, e Encryption) *protection {
	t.Helper()
	p, err := newProtection(&e)
	require.NoError(t, err)
	return p
}

func TestNewProtection(t *testing.T) {
	p, err := newProtection(nil)
	require.NoError(t, err)
	assert.Nil(t, p)
	_, err = newProtection(&Encryption{})
	require.Error(t, err)

	e := Encryption{Master: make([]byte, 16), IV: make([]byte, 16)}
	p = mustProtect(t, e)
	key, iv, err := p.segmentKey(t.Context(), "a.ism", 0)
	require.NoError(t, err)
	e.Master[0], e.IV[0] = 1, 1
	key2, iv2, err := p.segmentKey(t.Context(), "a.ism", 0)
	require.NoError(t, err)
	assert.Equal(t, key, key2, "the secret was not copied")
	assert.Equal(t, iv, iv2, "the IV was not copied")
}

// The expected key is that of openssl dgst -sha256 -mac HMAC.
func TestMasterKey(t *testing.T) {
	m := masterKey(unhex(t, "000102030405060708090a0b0c0d0e0f"))
	key, err := m.Key(t.Context(), "a/Show One.ism", 7)
	require.NoError(t, err)
	assert.Equal(t, unhex(t, "afcbb2063a041bae607e24a342b16725"), key[:])

	seen := map[[16]byte]bool{}
	for _, name := range []string{"a.ism", "b.ism", "a.ism\x00"} {
		for _, period := range []uint64{0, 1, 256, 1 << 40} {
			key, err := m.Key(t.Context(), name, period)
			require.NoError(t, err)
			seen[key] = true
		}
	}
	assert.Len(t, seen, 12, "keys repeat")
}

func TestSegmentKey(t *testing.T) {
	keys := keyFunc(func(name string, period uint64) ([16]byte, error) {
		return [16]byte{name[0], byte(period)}, nil
	})
	fixed := make([]byte, 16)
	fixed[3] = 9
	tests := []struct {
		name       string
		e          Encryption
		sequence   uint64
		period     uint64
		ivByte, iv byte // position and value of the only byte of the IV that is not zero
	}{
		{"one key", Encryption{Keys: keys}, 77, 0, 15, 77},
		{"rotation", Encryption{Keys: keys, Rotate: 10}, 77, 7, 15, 77},
		{"last of a period", Encryption{Keys: keys, Rotate: 10}, 79, 7, 15, 79},
		{"first of a period", Encryption{Keys: keys, Rotate: 10}, 80, 8, 15, 80},
		{"above 32 bits", Encryption{Keys: keys}, 5 << 32, 0, 11, 5},
		{"above 56 bits", Encryption{Keys: keys}, 5 << 56, 0, 8, 5},
		{"fixed IV", Encryption{Keys: keys, Rotate: 10, IV: fixed}, 77, 7, 3, 9},
		{"samples", Encryption{Keys: keys, Rotate: 10, Method: SampleAES}, 77, 7, 15, 70},
		{"samples, one key", Encryption{Keys: keys, Method: SampleAES}, 77, 0, 15, 0},
		{"samples, fixed IV", Encryption{Keys: keys, Method: SampleAES, IV: fixed}, 77, 0, 3, 9},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			key, iv, err := mustProtect(t, tt.e).segmentKey(t.Context(), "a.ism", tt.sequence)
			require.NoError(t, err)
			assert.Equal(t, [16]byte{'a', byte(tt.period)}, key)
			var want [16]byte
			want[tt.ivByte] = tt.iv
			assert.Equal(t, want, iv)
		})
	}
}

func TestSegmentKeyError(t *testing.T) {
	p := mustProtect(t, Encryption{Keys: keyFunc(func(string, uint64) ([16]byte, error) {
		return [16]byte{}, smooth.ErrNotFound
	})})
	_, _, err := p.segmentKey(t.Context(), "a.ism", 3)
	require.ErrorIs(t, err, smooth.ErrNotFound)
}

func TestAppendTag(t *testing.T) {
	key := StaticKey{1}
	iv := unhex(t, "d7000000000000000000000000000001")
	tests := []struct {
		name string
		e    Encryption
		want string
	}{
		{"built in", Encryption{Keys: key}, `METHOD=AES-128,URI="../key(5)"`},
		{"fixed IV", Encryption{Keys: key, IV: iv},
			`METHOD=AES-128,URI="../key(5)",IV=0xd7000000000000000000000000000001`},
		{"samples", Encryption{Keys: key, Method: SampleAES, Rotate: 3},
			`METHOD=SAMPLE-AES,URI="../key(5)",IV=0x0000000000000000000000000000000f`},
		{"URI", Encryption{Keys: key, URI: "https://k.example/{presentation}/{period}?p={period}"},
			`METHOD=AES-128,URI="https://k.example/a%2Fb%20%26%2B%22%3Dc.ism/5?p=5"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := mustProtect(t, tt.e).appendTag([]byte("x\n"), `a/b &+"=c.ism`, 5, "../key(5)")
			assert.Equal(t, "x\n#EXT-X-KEY:"+tt.want+"\n", string(got))
		})
	}
}

func TestExpandKeyURI(t *testing.T) {
	got := expandKeyURI("/{presentation}", "{period}", 5)
	assert.Equal(t, "/%7Bperiod%7D", got, "a name is not a template")
}

func TestAppendKeyLine(t *testing.T) {
	iv := sequenceIV(1<<32 + 10)
	tests := []struct {
		want string
		got  []byte
	}{
		{"METHOD=NONE", appendKeyLine(nil, "NONE", "", nil)},
		{`METHOD=AES-128,URI="k",IV=0x0000000000000000000000010000000a`, appendKeyLine(nil, "AES-128", "k", &iv)},
		{`METHOD=SAMPLE-AES,URI="skd://a",KEYFORMAT="com.apple.streamingkeydelivery",KEYFORMATVERSIONS="1"`,
			appendKeyLine(nil, "SAMPLE-AES", "skd://a", nil, "com.apple.streamingkeydelivery", "1")},
		{`METHOD=AES-128,URI="k?t=%22%0A#EXT-X-ENDLIST%0D%20%7F%C3%A9%00%41"`,
			appendKeyLine(nil, "AES-128", "k?t=\"\n#EXT-X-ENDLIST\r \x7fé\x00%41", nil)},
	}
	for _, tt := range tests {
		assert.Equal(t, "#EXT-X-KEY:"+tt.want+"\n", string(tt.got))
	}
}

func TestServeKey(t *testing.T) {
	keys := keyFunc(func(_ string, period uint64) ([16]byte, error) {
		if period == 4 {
			return [16]byte{}, smooth.ErrGone
		}
		return [16]byte{'k', byte(period)}, nil
	})
	errNoCookie := errors.New("no cookie")
	denied := func(r *http.Request, name string, period uint64) error {
		if r.Header.Get("Cookie") == "" || name != "a.ism" {
			return errNoCookie
		}
		return nil
	}
	tests := []struct {
		name   string
		e      Encryption
		method string
		cookie string
		period uint64
		want   error
		body   string
	}{
		{"open", Encryption{Keys: keys, Rotate: 2}, "GET", "", 3, nil,
			"k\x03\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"},
		{"head", Encryption{Keys: keys, Rotate: 2}, "HEAD", "", 3, nil, ""},
		{"authorised", Encryption{Keys: keys, Rotate: 2, Authorize: denied}, "GET", "a=b", 0, nil,
			"k\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"},
		{"denied", Encryption{Keys: keys, Authorize: denied}, "GET", "", 0, errKeyDenied, ""},
		{"denied says why", Encryption{Keys: keys, Authorize: denied}, "GET", "", 0, errNoCookie, ""},
		{"one key only", Encryption{Keys: keys}, "GET", "", 1, smooth.ErrNotFound, ""},
		{"keys elsewhere", Encryption{Keys: keys, URI: "https://k.example/"}, "GET", "", 0, smooth.ErrNotFound, ""},
		{"source fails", Encryption{Keys: keys, Rotate: 2}, "GET", "", 4, smooth.ErrGone, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := httptest.NewRequest(tt.method, "/a.ism/key", nil)
			if tt.cookie != "" {
				r.Header.Set("Cookie", tt.cookie)
			}
			w := httptest.NewRecorder()
			err := mustProtect(t, tt.e).serveKey(w, r, "a.ism", tt.period)
			assert.Equal(t, tt.body, w.Body.String())
			if tt.want != nil {
				require.ErrorIs(t, err, tt.want)
				assert.Empty(t, w.Header())
				return
			}
			require.NoError(t, err)
			assert.Equal(t, "application/octet-stream", w.Header().Get("Content-Type"))
			assert.Equal(t, "no-store", w.Header().Get("Cache-Control"))
			assert.Equal(t, "16", w.Header().Get("Content-Length"))
		})
	}
}

package hls_test

import (
	"encoding/hex"
	"fmt"
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/hls"
)

func TestParseKey(t *testing.T) {
	k, err := hls.ParseKey("000102030405060708090A0b0c0d0e0f")
	require.NoError(t, err)
	assert.Equal(t, hls.StaticKey{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}, k)
	got, err := k.Key(t.Context(), "any", 9)
	require.NoError(t, err)
	assert.Equal(t, [16]byte(k), got)

	for _, bad := range []string{"", "00", "0x0102030405060708090a0b0c0d0e0f0", "z00102030405060708090a0b0c0d0e0f",
		"000102030405060708090a0b0c0d0e0f00", "my passphrase of 32 characters.."} {
		k, err := hls.ParseKey(bad)
		require.ErrorContains(t, err, "hexadecimal digit", bad)
		assert.Zero(t, k, "%q", bad)
		if bad != "" {
			assert.NotContains(t, err.Error(), bad, "a key must not get into a log")
		}
	}
}

func TestEncryptionMethodString(t *testing.T) {
	assert.Equal(t, "AES-128", hls.AES128.String())
	assert.Equal(t, "SAMPLE-AES", hls.SampleAES.String())
	assert.Equal(t, "EncryptionMethod(7)", hls.EncryptionMethod(7).String())
}

func TestEncryptionValidate(t *testing.T) {
	master := make([]byte, 16)
	key := hls.StaticKey{1}
	tests := []struct {
		name string
		e    hls.Encryption
		want string // part of the error; empty if it is valid
	}{
		{"master", hls.Encryption{Master: master}, ""},
		{"keys", hls.Encryption{Keys: key, Method: hls.SampleAES, IV: make([]byte, 16)}, ""},
		{"nothing", hls.Encryption{}, "Master of 0 bytes"},
		{"short master", hls.Encryption{Master: master[1:]}, "Master of 15 bytes"},
		{"both", hls.Encryption{Master: master, Keys: key}, "both"},
		{"method", hls.Encryption{Master: master, Method: 2}, "unknown encryption method 2"},
		{"short IV", hls.Encryption{Master: master, IV: master[1:]}, "IV of 15 bytes"},
		{"empty IV", hls.Encryption{Master: master, IV: []byte{}}, "IV of 0 bytes"},
		{"URI", hls.Encryption{Keys: key, URI: "https://keys.example/k?n={presentation}&p={period}", Rotate: 5}, ""},
		{"scheme", hls.Encryption{Keys: key, URI: "skd://{presentation}"}, ""},
		{"relative", hls.Encryption{Keys: key, URI: "../keys/{period}.key", Rotate: 5}, ""},
		{"no period", hls.Encryption{Keys: key, URI: "https://keys.example/k", Rotate: 5}, "no {period}"},
		{"quote", hls.Encryption{Keys: key, URI: `https://keys.example/"`}, "has the character"},
		{"line", hls.Encryption{Keys: key, URI: "https://keys.example/\n#EXT-X-ENDLIST"}, "has the character"},
		{"space", hls.Encryption{Keys: key, URI: "https://keys.example/a b"}, "has the character"},
		{"not ASCII", hls.Encryption{Keys: key, URI: "https://keys.example/é"}, "has the character"},
		{"placeholder", hls.Encryption{Keys: key, URI: "https://keys.example/{name}"}, "has the character"},
		{"escape", hls.Encryption{Keys: key, URI: "https://keys.example/%zz"}, "invalid URL escape"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := tt.e.Validate()
			if tt.want == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, tt.want)
		})
	}
}

// The example is what an application writes: one secret for all nodes, a new key every ten segments, and a cookie
// without which no key is given out.
func ExampleEncryption() {
	secret, _ := hex.DecodeString("8f3c1e5a7d2b49608f3c1e5a7d2b4960")
	e := hls.Encryption{
		Master: secret,
		Rotate: 10,
		Authorize: func(r *http.Request, presentation string, period uint64) error {
			_, err := r.Cookie("subscriber")
			return err
		},
	}
	fmt.Println(e.Method, e.Validate())
	// Output: AES-128 <nil>
}

package hls

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"encoding/hex"
	"errors"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/smooth"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	require.NoError(t, err)
	return b
}

// Key, IV and plain text of NIST SP 800-38A F.2.1.
const (
	nistKey   = "2b7e151628aed2a6abf7158809cf4f3c"
	nistIV    = "000102030405060708090a0b0c0d0e0f"
	nistPlain = "6bc1bee22e409f96e93d7e117393172a ae2d8a571e03ac9c9eb76fac45af8e51" +
		"30c81c46a35ce411e5fbc1191a0a52ef f69f2445df4f9b17ad2b417be66c3710"
	nistCipher = "7649abac8119b246cee98e9b12e9197d 5086cb9b507219ee95db113a917678b2" +
		"73bed6b8e3c1743b7116e69e22229516 3ff1caa1681fac09120eca307586e1a7"
)

func nist(t testing.TB) (key, iv [16]byte) {
	t.Helper()
	return [16]byte(unhex(t, nistKey)), [16]byte(unhex(t, nistIV))
}

// decryptAES128 undoes encryptAES128 by the book.
func decryptAES128(t testing.TB, b []byte, key, iv [16]byte) []byte {
	t.Helper()
	require.NotEmpty(t, b)
	require.Zero(t, len(b)%16, "size")
	block, err := aes.NewCipher(key[:])
	require.NoError(t, err)
	plain := make([]byte, len(b))
	cipher.NewCBCDecrypter(block, iv[:]).CryptBlocks(plain, b)
	pad := int(plain[len(plain)-1])
	require.True(t, 1 <= pad && pad <= 16, "padding %d", pad)
	for _, c := range plain[len(plain)-pad:] {
		require.Equal(t, byte(pad), c, "padding")
	}
	return plain[:len(plain)-pad]
}

func randomBytes(seed uint64, n int) []byte {
	r := rand.New(rand.NewPCG(seed, 1))
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

// The blocks of padding are those of openssl enc -aes-128-cbc.
func TestEncryptAES128Vectors(t *testing.T) {
	key, iv := nist(t)
	got := encryptAES128(unhex(t, nistPlain), 0, key, iv)
	assert.Equal(t, unhex(t, nistCipher+"8cb82807230e1321d3fae00d18cc2012"), got)
	got = encryptAES128([]byte("x"), 0, key, iv)
	assert.Equal(t, unhex(t, "4afebbb88bf84571a2dbee72f9cbcd39"), got)
}

func TestEncryptAES128(t *testing.T) {
	key, iv := nist(t)
	for n := range 50 {
		plain := randomBytes(uint64(n), n)
		buf := append(make([]byte, 0, 200), "head"...)
		got := encryptAES128(append(buf, plain...), 4, key, iv)
		assert.Equal(t, "head", string(got[:4]), "what is before the segment")
		assert.Equal(t, aes128Size(int64(n)), int64(len(got)-4))
		assert.Equal(t, (n/16+1)*16, len(got)-4)
		assert.Same(t, &buf[0], &got[0], "copied")
		assert.Equal(t, plain, decryptAES128(t, got[4:], key, iv))
	}
}

func TestSequenceIV(t *testing.T) {
	for sequence, want := range map[uint64]string{
		0:             "00000000000000000000000000000000",
		1:             "00000000000000000000000000000001",
		1<<32 - 1:     "000000000000000000000000ffffffff",
		1 << 32:       "00000000000000000000000100000000",
		1<<64 - 1:     "0000000000000000ffffffffffffffff",
		0x123456789ab: "00000000000000000000" + "0123456789ab",
	} {
		iv := sequenceIV(sequence)
		assert.Equal(t, want, hex.EncodeToString(iv[:]))
	}
}

// chunkSizes records the sizes of the writes it gets.
type chunkSizes struct {
	bytes.Buffer
	sizes []int
}

func (c *chunkSizes) Write(p []byte) (int, error) {
	c.sizes = append(c.sizes, len(p))
	return c.Buffer.Write(p)
}

func TestAES128Writer(t *testing.T) {
	key, iv := nist(t)
	r := rand.New(rand.NewPCG(3, 4))
	for _, n := range []int{0, 1, 15, 16, 17, 1000, aes128Chunk - 16, aes128Chunk - 15, aes128Chunk - 1, aes128Chunk,
		aes128Chunk + 1, 3*aes128Chunk + 5, 4 * aes128Chunk} {
		plain := randomBytes(uint64(n), n)
		want := encryptAES128(bytes.Clone(plain), 0, key, iv)
		for _, most := range []int{1, 7, 40, 5000, 3 * aes128Chunk} {
			if most < 40 && n > 2000 {
				continue // slow, and no different
			}
			var out chunkSizes
			e := newAES128Writer(&out, key, iv)
			for rest := plain; len(rest) > 0; {
				k := min(1+r.IntN(most), len(rest))
				if r.IntN(3) == 0 {
					m, err := e.ReadFrom(iotest.HalfReader(bytes.NewReader(rest[:k])))
					require.NoError(t, err)
					require.EqualValues(t, k, m)
				} else {
					m, err := e.Write(rest[:k])
					require.NoError(t, err)
					require.Equal(t, k, m)
				}
				rest = rest[k:]
			}
			require.NoError(t, e.Close())
			require.Equal(t, want, out.Bytes(), "%d bytes in writes up to %d", n, most)
			for i, size := range out.sizes {
				require.True(t, size == aes128Chunk || i == len(out.sizes)-1, "write %d of %d bytes", i, size)
			}
			require.Equal(t, randomBytes(uint64(n), n), plain, "the input has changed")
		}
	}
}

func TestAES128WriterClosed(t *testing.T) {
	key, iv := nist(t)
	var out bytes.Buffer
	e := newAES128Writer(&out, key, iv)
	require.NoError(t, e.Close())
	require.Equal(t, 16, out.Len())
	_, err := e.Write([]byte("x"))
	require.ErrorIs(t, err, smooth.ErrClosed)
	_, err = e.ReadFrom(strings.NewReader("x"))
	require.ErrorIs(t, err, smooth.ErrClosed)
	require.ErrorIs(t, e.Close(), smooth.ErrClosed)
	require.Equal(t, 16, out.Len())
}

// limitedWriter fails after some writes, or writes short.
type limitedWriter struct {
	writes int
	err    error
}

func (w *limitedWriter) Write(p []byte) (int, error) {
	if w.writes--; w.writes < 0 {
		return len(p) / 2, w.err
	}
	return len(p), nil
}

func TestAES128WriterErrors(t *testing.T) {
	key, iv := nist(t)
	broken := errors.New("broken")
	plain := make([]byte, 2*aes128Chunk)
	for _, tt := range []struct{ give, want error }{{broken, broken}, {nil, io.ErrShortWrite}} {
		e := newAES128Writer(&limitedWriter{writes: 1, err: tt.give}, key, iv)
		n, err := e.Write(plain)
		require.ErrorIs(t, err, tt.want)
		require.LessOrEqual(t, n, len(plain))
		_, err = e.Write(plain)
		require.ErrorIs(t, err, tt.want)
		_, err = e.ReadFrom(bytes.NewReader(plain))
		require.ErrorIs(t, err, tt.want)
		require.ErrorIs(t, e.Close(), tt.want)
		require.ErrorIs(t, e.Close(), tt.want)

		e = newAES128Writer(&limitedWriter{err: tt.give}, key, iv)
		_, err = e.Write(plain[:10])
		require.NoError(t, err)
		require.ErrorIs(t, e.Close(), tt.want)
	}
	e := newAES128Writer(io.Discard, key, iv)
	n, err := e.ReadFrom(io.MultiReader(bytes.NewReader(plain[:100]), iotest.ErrReader(broken)))
	require.ErrorIs(t, err, broken)
	require.EqualValues(t, 100, n)
}

func BenchmarkEncryptAES128(b *testing.B) {
	key, iv := nist(b)
	buf := make([]byte, 2_400_000, 2_400_016)
	b.SetBytes(int64(len(buf)))
	b.ReportAllocs()
	for b.Loop() {
		encryptAES128(buf, 0, key, iv)
	}
}

func BenchmarkAES128Writer(b *testing.B) {
	key, iv := nist(b)
	buf := make([]byte, 2_400_000)
	b.SetBytes(int64(len(buf)))
	b.ReportAllocs()
	for b.Loop() {
		e := newAES128Writer(io.Discard, key, iv)
		e.Write(buf)
		e.Close()
	}
}

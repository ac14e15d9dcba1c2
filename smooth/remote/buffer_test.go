package remote

import (
	"bytes"
	"errors"
	"io"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/smooth"
)

func TestBufferClasses(t *testing.T) {
	last := 0
	for n := 1; n < 9<<20; n += 1 + n/37 {
		class, size := classOf(n)
		require.GreaterOrEqual(t, size, n)
		require.True(t, n < 4096 || size < n+n/3+1, "%d in %d", n, size)
		require.GreaterOrEqual(t, class, max(last, minClass))
		again, same := classOf(size)
		require.Equal(t, class, again)
		require.Equal(t, size, same)
		last = class
	}
	class, _ := classOf(4 << 20)
	assert.Equal(t, maxClass, class)
}

func TestReadBody(t *testing.T) {
	var p bufferPool
	data := make([]byte, 100_000)
	for i := range data {
		data[i] = byte(i * 7)
	}
	for _, size := range []int{0, 1, 4096 - headRoom - 1, 4096 - headRoom, 4096 - headRoom + 1, 50_000, 100_000} {
		for _, hint := range []int64{-1, 0, int64(size), 10, 1 << 40} {
			for name, r := range map[string]io.Reader{
				"whole": bytes.NewReader(data[:size]), "bytes": iotest.OneByteReader(bytes.NewReader(data[:size])),
				"end with data": iotest.DataErrReader(bytes.NewReader(data[:size])),
			} {
				b, err := p.read(r, hint, 100_000)
				if hint > 100_000 {
					require.ErrorIs(t, err, smooth.ErrTooLarge)
					continue
				}
				require.NoError(t, err)
				require.Equal(t, data[:size], append([]byte{}, b.body()...), "%s: %d, hint %d", name, size, hint)
				p.put(b)
			}
		}
	}
	_, err := p.read(bytes.NewReader(data), -1, 99_999)
	assert.ErrorIs(t, err, smooth.ErrTooLarge)
	_, err = p.read(bytes.NewReader(data), 5, 99_999)
	assert.ErrorIs(t, err, smooth.ErrTooLarge)
	broken := errors.New("broken")
	_, err = p.read(io.MultiReader(bytes.NewReader(data), iotest.ErrReader(broken)), -1, 1<<20)
	assert.ErrorIs(t, err, broken)
	p.put(nil)
}

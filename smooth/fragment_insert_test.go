package smooth_test

import (
	"io"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/smooth"
)

// TestFragmentInsert puts bytes into the sample data of fragments of every form, at every place, and of ones made so
// themselves.
func TestFragmentInsert(t *testing.T) {
	const insert = "sets"
	for form, of := range fragmentForms(t, testHead, testPayload) {
		t.Run(form, func(t *testing.T) {
			for at := range len(testPayload) + 1 {
				of.Retain() // for the test
				f := smooth.NewFragment(smooth.FragmentInit{Head: []byte(testHead), Of: of, Insert: []byte(insert), InsertAt: int64(at)})
				want := testPayload[:at] + insert + testPayload[at:]
				requireFragment(t, f, testHead, want)
				requireParts(t, f, want)
				twice := smooth.NewFragment(smooth.FragmentInit{Head: []byte(testHead), Of: f, Insert: []byte("x"), InsertAt: 1})
				requireFragment(t, twice, testHead, want[:1]+"x"+want[1:])
				require.NoError(t, twice.Close())
				requireFragment(t, of, testHead, testPayload)
			}
			for at, want := range map[int64]string{-7: insert + testPayload, 99: testPayload + insert} {
				of.Retain()
				f := smooth.NewFragment(smooth.FragmentInit{Head: []byte(testHead), Of: of, Insert: []byte(insert), InsertAt: at})
				requireFragment(t, f, testHead, want)
				require.NoError(t, f.Close())
			}
		})
	}
}

// requireParts reads and borrows every part of the sample data.
func requireParts(t *testing.T, f *smooth.Fragment, want string) {
	t.Helper()
	for from := range len(want) {
		for to := from + 1; to <= len(want); to++ {
			got := make([]byte, to-from)
			n, err := f.ReadPayloadAt(got, int64(from))
			require.NoError(t, err)
			require.Equal(t, want[from:to], string(got[:n]))
			_, err = f.Borrow(func(at func(int64, int) []byte) error {
				assert.Equal(t, want[from:to], string(at(int64(from), to-from)))
				return nil
			})
			require.NoError(t, err)
		}
	}
	got := make([]byte, 4)
	n, err := f.ReadPayloadAt(got, int64(len(want)-2))
	require.Equal(t, io.EOF, err)
	require.Equal(t, want[len(want)-2:], string(got[:n]))
}

// TestFragmentInsertOfSample does it with fragments of a file source: the kernel sends what is in a file.
func TestFragmentInsertOfSample(t *testing.T) {
	_, p := openSampleCopy(t)
	of := fragmentInFile(t, p)
	data, err := of.Load(t.Context(), nil)
	require.NoError(t, err)
	want := string(data[:5]) + "sets" + string(data[5:])
	f := smooth.NewFragment(smooth.FragmentInit{Key: of.Key, Head: []byte(testHead), Of: of, Insert: []byte("sets"), InsertAt: 5})
	var w kernelWriter
	_, err = f.WriteTo(&w)
	require.NoError(t, err)
	require.Equal(t, testHead+want, w.String())
	assert.Equal(t, []int64{5, int64(len(data) - 5)}, w.sent)
	lent, err := f.Borrow(func(at func(off int64, n int) []byte) error {
		assert.Equal(t, want[:100], string(at(0, 100)))
		assert.Equal(t, want[100:200], string(at(100, 100)))
		return nil
	})
	require.NoError(t, err)
	assert.Equal(t, lendsFiles, lent)
	require.NoError(t, f.Close())
}

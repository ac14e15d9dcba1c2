package smooth_test

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/smooth"
	"github.com/smoothkit/smoothkit/smooth/smoothtest"
)

// lendsFiles tells that fragments in a file of [smooth.Dir] can be borrowed where the page cache holds them.
const lendsFiles = runtime.GOOS == "linux" && (runtime.GOARCH == "amd64" || runtime.GOARCH == "arm64")

// openSampleCopy opens the sample in a directory of its own, and returns that.
func openSampleCopy(t *testing.T) (dir string, p smooth.Presentation) {
	t.Helper()
	dir = t.TempDir()
	require.NoError(t, os.CopyFS(dir, smoothtest.Sample()))
	src := smooth.Dir(dir, nil)
	t.Cleanup(func() { src.Close() })
	p, err := src.Open(t.Context(), "sample.ism")
	require.NoError(t, err)
	t.Cleanup(func() { p.Close() })
	return dir, p
}

// TestBorrow: what is lent of each fragment, in memory or in a file, is what Load reads, sample by sample; the error of
// the user comes back as it is.
func TestBorrow(t *testing.T) {
	_, p := openSampleCopy(t)
	snap, err := p.Snapshot(t.Context())
	require.NoError(t, err)
	inFiles := 0
	for _, st := range snap.Manifest.Streams {
		for _, l := range st.Levels {
			for _, c := range st.Timeline {
				f, err := p.Fragment(t.Context(), smooth.FragmentKey{Stream: st.Name, Bitrate: l.Bitrate, Time: c.Time})
				require.NoError(t, err)
				want, err := f.Load(t.Context(), nil)
				require.NoError(t, err)
				wrong := errors.New("wrong")
				calls := 0
				lent, err := f.Borrow(func(at func(off int64, n int) []byte) error {
					calls++
					for s, err := range f.Samples() {
						require.NoError(t, err)
						require.Equal(t, want[s.Offset:s.Offset+int64(s.Size)], at(s.Offset, int(s.Size)))
					}
					return wrong
				})
				if f.PayloadSize() > 64<<10 {
					inFiles++
				} else {
					require.True(t, lent, "what is in memory is always lent")
				}
				if lent {
					assert.Equal(t, wrong, err)
					assert.Equal(t, 1, calls)
				} else {
					assert.NoError(t, err)
					assert.Zero(t, calls)
				}
				require.NoError(t, f.Close())
			}
		}
	}
	assert.NotZero(t, inFiles)
}

// TestBorrowOfACutFile: a file that is cut while it is lent makes an error, not a crash.
func TestBorrowOfACutFile(t *testing.T) {
	if !lendsFiles {
		t.Skip("files are not lent here")
	}
	dir, p := openSampleCopy(t)
	f := fragmentInFile(t, p)
	defer f.Close()
	_, err := f.Load(t.Context(), nil) // into the page cache
	require.NoError(t, err)
	sum := byte(0)
	lent, err := f.Borrow(func(at func(off int64, n int) []byte) error {
		data := at(0, int(f.PayloadSize()))
		files, err := filepath.Glob(filepath.Join(dir, "*.ismv"))
		require.NoError(t, err)
		for _, name := range files {
			require.NoError(t, os.Truncate(name, 0))
		}
		for _, b := range data {
			sum += b
		}
		return nil
	})
	require.True(t, lent)
	require.ErrorIs(t, err, smooth.ErrCorrupt)
}

// fragmentInFile returns a fragment that is too large for memory.
func fragmentInFile(t *testing.T, p smooth.Presentation) *smooth.Fragment {
	t.Helper()
	snap, err := p.Snapshot(t.Context())
	require.NoError(t, err)
	st := snap.Manifest.Stream("video")
	for _, l := range st.Levels {
		for _, c := range st.Timeline {
			f, err := p.Fragment(t.Context(), smooth.FragmentKey{Stream: st.Name, Bitrate: l.Bitrate, Time: c.Time})
			require.NoError(t, err)
			if f.PayloadSize() > 64<<10 {
				return f
			}
			f.Close()
		}
	}
	require.Fail(t, "no fragment is in a file")
	return nil
}

// TestDerive: all callers get one value, keys of different types do not meet, and an error is not kept.
func TestDerive(t *testing.T) {
	type mine string
	s := smooth.NewSnapshot(&smooth.Manifest{MajorVersion: 2}, "v")
	none := errors.New("none")
	_, err := s.Derive("a", func() (any, error) { return 1, none })
	require.ErrorIs(t, err, none)
	values := make([]any, 20)
	var callers sync.WaitGroup
	for i := range values {
		callers.Go(func() { values[i], _ = s.Derive("a", func() (any, error) { return new(int), nil }) })
	}
	callers.Wait()
	for _, v := range values {
		assert.Same(t, values[0], v)
	}
	v, err := s.Derive(mine("a"), func() (any, error) { return "another", nil })
	require.NoError(t, err)
	assert.Equal(t, "another", v)
}

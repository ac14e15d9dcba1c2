package bitrate_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/smoothkit/smoothkit/internal/testmedia"
	"github.com/smoothkit/smoothkit/throttle/bitrate"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// meteredReader counts what is read of data.
type meteredReader struct {
	data  []byte
	read  int64 // bytes
	reads int
}

func (r *meteredReader) ReadAt(p []byte, off int64) (int, error) {
	r.reads++
	if off < 0 {
		return 0, fmt.Errorf("negative offset %d", off)
	}
	if off >= int64(len(r.data)) {
		return 0, io.EOF
	}
	n := copy(p, r.data[off:])
	r.read += int64(n)
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// fragmented reports whether data could be the one kind of file of which more may be read than MaxRead.
func fragmented(data []byte) bool {
	return bytes.Contains(data, []byte("moof")) || bytes.Contains(data, []byte("mvex"))
}

// checkDetection detects data twice and returns what is wrong with the results, which must hold for any bytes. The
// size that is stated may be a lie.
func checkDetection(name string, data []byte, size int64) error {
	d := bitrate.Detector{Name: name}
	first, second := &meteredReader{data: data}, &meteredReader{data: data}
	info, err := d.Detect(first, size)
	again, againErr := d.Detect(second, size)
	if info != again || fmt.Sprint(err) != fmt.Sprint(againErr) || first.read != second.read {
		return fmt.Errorf("not the same twice: %+v %v (%d bytes), %+v %v (%d bytes)",
			info, err, first.read, again, againErr, second.read)
	}
	maxRead := int64(bitrate.MaxRead)
	if fragmented(data) {
		maxRead = bitrate.MaxReadFragmented
	}
	if first.read > maxRead {
		return fmt.Errorf("%d bytes read, the limit is %d", first.read, maxRead)
	}
	if !fragmented(data) && first.reads > bitrate.MaxReads {
		return fmt.Errorf("%d reads, the limit is %d", first.reads, bitrate.MaxReads)
	}
	if err != nil {
		return checkDetectionError(info, err, size)
	}
	if info.Average < bitrate.MinRate || info.Average > bitrate.MaxRate || info.Peak < 0 || info.Peak > bitrate.MaxRate ||
		info.Duration < 0 || info.Container == bitrate.Unknown || info.Method == "" {
		return fmt.Errorf("not possible: %+v", info)
	}
	return nil
}

func checkDetectionError(info bitrate.Info, err error, size int64) error {
	if info != (bitrate.Info{}) {
		return fmt.Errorf("%+v beside the error %w", info, err)
	}
	if errors.Is(err, bitrate.ErrUnknownContainer) {
		return nil
	}
	var located *bitrate.Error
	if !errors.As(err, &located) {
		return fmt.Errorf("an error without a position: %w", err)
	}
	if located.Container == bitrate.Unknown || located.Offset < 0 || located.Offset > size {
		return fmt.Errorf("container %q, offset %d of a file of %d bytes: %w", located.Container, located.Offset, size, err)
	}
	for _, known := range []error{bitrate.ErrUnknownRate, bitrate.ErrCorrupt, bitrate.ErrLimit} {
		if errors.Is(err, known) {
			return nil
		}
	}
	return fmt.Errorf("not an error of the package: %w", err)
}

// filesBelow returns the regular files below a directory.
func filesBelow(t *testing.T, dir string) []string {
	t.Helper()
	var files []string
	require.NoError(t, filepath.WalkDir(dir, func(p string, e fs.DirEntry, err error) error {
		if err == nil && e.Type().IsRegular() {
			files = append(files, p)
		}
		return err
	}))
	return files
}

func TestMalformedFiles(t *testing.T) {
	tested := 0
	for _, p := range filesBelow(t, testmedia.Shared(t, "testdata/malformed")) {
		if slices.Contains([]string{"hls", "xml"}, filepath.Base(filepath.Dir(p))) {
			continue
		}
		data, err := os.ReadFile(p)
		require.NoError(t, err)
		name, size := filepath.Base(p), int64(len(data))
		assert.NoError(t, checkDetection(name, data, size), p)
		assert.NoError(t, checkDetection("", data, size), "%s by content only", p)
		assert.NoError(t, checkDetection(name, data, size+1), "%s that is shorter than it says", p)
		assert.NoError(t, checkDetection(name, data, 1<<62), "%s that is said to be huge", p)
		tested++
	}
	assert.Greater(t, tested, 150)
}

// lengths returns lengths at which to cut a file of size bytes: in the midst of signatures, headers, packets and
// reads, and some over the whole length.
func lengths(size int) []int {
	list := []int{1, 2, 3, 4, 7, 8, 9, 11, 12, 15, 16, 20, 23, 24, 27, 28, 32, 40, 47, 64, 100, 104, 128, 187, 188, 189, 192,
		255, 376, 512, 564, 1000, 4095, 4096, 4097, size - 8, size - 1}
	for i := 1; i < 24; i++ {
		list = append(list, size*i/24)
	}
	list = slices.DeleteFunc(list, func(n int) bool { return n <= 0 || n >= size })
	slices.Sort(list)
	return slices.Compact(list)
}

func TestCutFiles(t *testing.T) {
	for _, p := range filesBelow(t, testmedia.Shared(t, "testdata/media")) {
		data, err := os.ReadFile(p)
		require.NoError(t, err)
		name := filepath.Base(p)
		for _, n := range lengths(len(data)) {
			assert.NoError(t, checkDetection(name, data[:n], int64(n)), "%s cut at %d", p, n)
			assert.NoError(t, checkDetection(name, data[:n], int64(len(data))), "%s that ends at %d, against its size", p, n)
		}
	}
}

// A name promises nothing: every parser that an extension chooses must cope with every other content.
func TestWrongNames(t *testing.T) {
	extensions := []string{".mp3", ".aac", ".ac3", ".ts", ".mp4"}
	for _, p := range filesBelow(t, testmedia.Shared(t, "testdata/media")) {
		data, err := os.ReadFile(p)
		require.NoError(t, err)
		data = data[min(len(data), 97):] // without its signature
		for _, extension := range extensions {
			assert.NoError(t, checkDetection("file"+extension, data, int64(len(data))), "%s as %s", p, extension)
		}
	}
	for _, extension := range extensions {
		for _, fill := range []string{"\x00", "\xff", "\x47", "\xff\xfb", "\x0b\x77", "\x00\x00\x00\x08free", "\x00\x00\x01\xba"} {
			data := []byte(strings.Repeat(fill, 40_000))
			assert.NoError(t, checkDetection("file"+extension, data, int64(len(data))), "%s of %q", extension, fill)
		}
	}
}

func TestEmptyFile(t *testing.T) {
	for _, size := range []int64{0, -1} {
		_, err := bitrate.Detect(bytes.NewReader(nil), size)
		assert.ErrorIs(t, err, bitrate.ErrUnknownContainer)
	}
}

// Memory is in proportion to what is read, whatever sizes and counts the file states.
func TestMalformedFilesInMemory(t *testing.T) {
	for _, p := range filesBelow(t, testmedia.Shared(t, "testdata/malformed")) {
		data, err := os.ReadFile(p)
		require.NoError(t, err)
		limit := uint64(8 * bitrate.MaxRead)
		if fragmented(data) {
			limit = 4 * bitrate.MaxReadFragmented
		}
		d := bitrate.Detector{Name: filepath.Base(p)}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, _ = d.Detect(bytes.NewReader(data), 1<<40)
		runtime.ReadMemStats(&after)
		assert.LessOrEqual(t, after.TotalAlloc-before.TotalAlloc, limit, p)
	}
}

package bitrate_test

import (
	"bytes"
	"encoding/binary"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/smoothkit/smoothkit/internal/testmedia"
	"github.com/smoothkit/smoothkit/throttle/bitrate"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// headerCase is a file that a test builds and what Detect must find in it: a rate, or an error.
type headerCase struct {
	name   string
	data   []byte
	size   int64 // of the file, zero means len(data)
	want   bitrate.Info
	err    error
	offset int64 // of the error
}

// check compares what Detect finds. Rates and durations must be the same to the unit.
func (c *headerCase) check(t *testing.T) {
	t.Helper()
	size := c.size
	if size == 0 {
		size = int64(len(c.data))
	}
	info, err := bitrate.Detect(bytes.NewReader(c.data), size)
	if c.err == nil {
		require.NoError(t, err)
		assert.Equal(t, c.want, info)
		return
	}
	require.ErrorIs(t, err, c.err)
	var located *bitrate.Error
	require.ErrorAs(t, err, &located)
	assert.Equal(t, c.want.Container, located.Container)
	assert.Equal(t, c.offset, located.Offset, "%v", err)
}

func checkHeaders(t *testing.T, list []headerCase) {
	t.Helper()
	for _, c := range list {
		t.Run(c.name, c.check)
		t.Run(c.name+" cut", func(t *testing.T) { checkCuts(t, c.data) })
	}
}

// checkCuts detects a file cut at every byte of its beginning and at some of the rest, as a file that is as short and as one that says not.
func checkCuts(t *testing.T, data []byte) {
	t.Helper()
	header := 500
	if len(data) > 32<<10 {
		header = 50
	}
	for n := 1; n < len(data); n++ {
		if n > header {
			n += len(data) / 32
		}
		n = min(n, len(data)-1)
		require.NoError(t, checkBounds(data[:n], int64(n)), "cut at %d", n)
		require.NoError(t, checkBounds(data[:n], int64(len(data))), "ends at %d", n)
	}
}

// checkBounds is checkDetection, and that the number of reads is bounded for fragmented files too.
func checkBounds(data []byte, size int64) error {
	if err := checkDetection("", data, size); err != nil {
		return err
	}
	r := &meteredReader{data: data}
	_, _ = bitrate.Detect(r, size)
	if r.reads > bitrate.MaxReads {
		return &bitrate.Error{Detail: "reads", Err: bitrate.ErrLimit}
	}
	return nil
}

// fuzzHeaders fuzzes detection with what tests build and, where they are, with the small files of a directory of the
// shared test data.
func fuzzHeaders(f *testing.F, list []headerCase, dirs ...string) {
	const seed = 16 << 10 // bytes of a seed
	for _, c := range list {
		f.Add(c.data[:min(len(c.data), seed)], int64(len(c.data)))
		f.Add(c.data[:min(len(c.data), seed)], int64(1)<<40)
	}
	for _, dir := range dirs {
		files, _ := filepath.Glob(filepath.Join(testmedia.Root(f), "..", "shared", "testdata", dir, "*"))
		for _, p := range files {
			if data, err := os.ReadFile(p); err == nil {
				f.Add(data[:min(len(data), seed)], int64(len(data)))
			}
		}
	}
	f.Fuzz(func(t *testing.T, data []byte, size int64) {
		if size <= 0 {
			size = int64(len(data))
		}
		if err := checkBounds(data, size); err != nil && len(data) > 0 {
			t.Fatal(err)
		}
	})
}

// padded appends zeros up to a size.
func padded(data []byte, size int) []byte { return append(data, make([]byte, size-len(data))...) }

const (
	asfHeaderGUID     = "\x30\x26\xb2\x75\x8e\x66\xcf\x11\xa6\xd9\x00\xaa\x00\x62\xce\x6c"
	asfPropertiesGUID = "\xa1\xdc\xab\x8c\x47\xa9\xcf\x11\x8e\xe4\x00\xc0\x0c\x20\x53\x65"
	asfBitratesGUID   = "\xce\x75\xf8\x7b\x8d\x46\xd1\x11\x8d\x82\x00\x60\x97\xc9\xa2\xb2"
	asfOtherGUID      = "\x40\xa4\xd0\xd2\x07\xe3\xd2\x11\x97\xf0\x00\xa0\xc9\x5e\xa8\x50"
)

func asfObject(guid string, body ...byte) []byte {
	b := binary.LittleEndian.AppendUint64([]byte(guid), uint64(24+len(body)))
	return append(b, body...)
}

// asfFile returns a header of objects, and media up to a size.
func asfFile(size int, objects ...[]byte) []byte {
	body := bytes.Join(objects, nil)
	b := binary.LittleEndian.AppendUint64([]byte(asfHeaderGUID), uint64(30+len(body)))
	b = binary.LittleEndian.AppendUint32(b, uint32(len(objects)))
	b = append(append(b, 1, 2), body...)
	return padded(b, max(size, len(b)))
}

// asfProperties returns a File Properties Object. Times are in ms.
func asfProperties(fileSize, play, send, preroll uint64, flags, peak uint32) []byte {
	b := make([]byte, 80)
	for i, v := range []uint64{fileSize, 0, 10, play * 1e4, send * 1e4, preroll} {
		binary.LittleEndian.PutUint64(b[16+8*i:], v)
	}
	for i, v := range []uint32{flags, 1400, 1400, peak} {
		binary.LittleEndian.PutUint32(b[64+4*i:], v)
	}
	return asfObject(asfPropertiesGUID, b...)
}

func asfBitrates(rates ...uint32) []byte {
	b := binary.LittleEndian.AppendUint16(nil, uint16(len(rates)))
	for i, r := range rates {
		b = binary.LittleEndian.AppendUint16(b, uint16(i+1))
		b = binary.LittleEndian.AppendUint32(b, r)
	}
	return asfObject(asfBitratesGUID, b...)
}

func asfInfo(average, peak int64, d time.Duration, method string) bitrate.Info {
	return bitrate.Info{Container: bitrate.ASF, Average: average, Peak: peak, Duration: d, Method: method}
}

func asfCases() []headerCase {
	const live = 1
	picture := asfObject(asfOtherGUID, make([]byte, 300_000)...)
	zero := asfObject(asfOtherGUID)
	zero[16] = 0
	large := asfObject(asfOtherGUID)
	large[16] = 25
	failed := bitrate.Info{Container: bitrate.ASF}
	return []headerCase{
		{
			name: "play duration without preroll",
			data: asfFile(10_000, asfProperties(10_000, 5000, 1900, 3000, 2, 48_000)),
			want: asfInfo(40_000, 48_000, 2*time.Second, "file properties"),
		},
		{
			name: "after a picture",
			data: asfFile(400_000, picture, asfProperties(400_000, 5000, 1900, 3000, 2, 48_000)),
			want: asfInfo(1_600_000, 48_000, 2*time.Second, "file properties"),
		},
		{
			name: "tagged without correcting the size",
			data: asfFile(10_000, asfProperties(5_000, 5000, 1900, 3000, 2, 0)),
			want: asfInfo(40_000, 0, 2*time.Second, "file properties"),
		},
		{
			name: "cut short",
			data: asfFile(10_000, asfProperties(100_000, 5000, 1900, 3000, 2, 0)),
			want: asfInfo(400_000, 0, 2*time.Second, "file properties"),
		},
		{
			name: "preroll above play duration",
			data: asfFile(10_000, asfProperties(10_000, 2000, 2000, 3000, 2, 0)),
			want: asfInfo(40_000, 0, 2*time.Second, "send duration"),
		},
		{
			name: "preroll that overflows",
			data: asfFile(10_000, asfProperties(10_000, 2000, 2000, 1<<63, 2, 0)),
			want: asfInfo(40_000, 0, 2*time.Second, "send duration"),
		},
		{
			name: "broadcast",
			data: asfFile(10_000, asfProperties(10_000, 5000, 1900, 3000, live, 900_000), zero[:0], asfBitrates(64_000, 700_000)),
			want: asfInfo(764_000, 900_000, 0, "stream bitrate properties"),
		},
		{
			name: "broadcast, rates first",
			data: asfFile(10_000, asfBitrates(64_000, 700_000), asfProperties(0, 0, 0, 3000, live, 900_000)),
			want: asfInfo(764_000, 900_000, 0, "stream bitrate properties"),
		},
		{
			name: "broadcast without rates",
			data: asfFile(10_000, asfProperties(10_000, 5000, 1900, 3000, live, 900_000)),
			want: asfInfo(900_000, 900_000, 0, "maximum bitrate"),
		},
		{
			name: "nothing known",
			data: asfFile(10_000, asfProperties(0, 0, 0, 3000, live, 0)),
			want: failed, err: bitrate.ErrUnknownRate, offset: 30,
		},
		{
			name: "no file properties",
			data: asfFile(10_000, asfBitrates(64_000)),
			want: failed, err: bitrate.ErrCorrupt, offset: 30,
		},
		{
			name: "object of no size",
			data: asfFile(10_000, asfBitrates(), zero, asfProperties(10_000, 5000, 1900, 3000, 2, 0)),
			want: failed, err: bitrate.ErrCorrupt, offset: 56,
		},
		{
			name: "object larger than the header",
			data: asfFile(10_000, large),
			want: failed, err: bitrate.ErrCorrupt, offset: 30,
		},
		{
			name: "broken after the file properties",
			data: asfFile(10_000, asfProperties(10_000, 0, 1900, 3000, live, 70_000), zero),
			want: asfInfo(70_000, 70_000, 0, "maximum bitrate"),
		},
		{
			name: "more rates than the object has room for",
			data: asfFile(10_000, asfObject(asfBitratesGUID, 2, 0, 1, 0, 9, 9, 9, 9)),
			want: failed, err: bitrate.ErrCorrupt, offset: 30,
		},
		{
			name: "file properties too short",
			data: asfFile(10_000, asfObject(asfPropertiesGUID, make([]byte, 60)...)),
			want: failed, err: bitrate.ErrCorrupt, offset: 30,
		},
	}
}

func TestASF(t *testing.T) { checkHeaders(t, asfCases()) }

// A header of a hundred thousand empty objects must not be walked to its end.
func TestASFManyObjects(t *testing.T) {
	objects := make([][]byte, 100_000)
	for i := range objects {
		objects[i] = asfObject(asfOtherGUID)
	}
	c := headerCase{data: asfFile(0, objects...), want: bitrate.Info{Container: bitrate.ASF}, err: bitrate.ErrLimit, offset: 255_006}
	c.check(t)
	require.NoError(t, checkBounds(c.data, int64(len(c.data))))
}

func FuzzASF(f *testing.F) { fuzzHeaders(f, asfCases(), "malformed/asf", "media/asf") }

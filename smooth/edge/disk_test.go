package edge_test

import (
	"encoding/binary"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/smooth/edge"
)

// noise returns bytes that depend on a seed.
func noise(seed uint64, n int) string {
	var key [32]byte
	binary.LittleEndian.PutUint64(key[:], seed)
	b := make([]byte, n)
	_, _ = rand.NewChaCha8(key).Read(b)
	return string(b)
}

// files returns the names of the files below a directory.
func files(t testing.TB, dir string) (names []string) {
	t.Helper()
	require.NoError(t, filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && entry.Type().IsRegular() {
			names = append(names, path)
		}
		return err
	}))
	return names
}

// sized answers with as many bytes of noise as the path says.
func sized(w http.ResponseWriter, r *http.Request) {
	var n int
	_, _ = fmt.Sscanf(r.URL.Path, "/%d", &n)
	reply(200, noise(uint64(n), n), "Cache-Control", "max-age=1000", "Etag", fmt.Sprintf(`"%d"`, n), "X-Latin", "caf\xe9")(w, r)
}

// Small and large objects are found again on disk, with everything, also by the next process.
func TestDisk(t *testing.T) {
	dir := t.TempDir()
	opts := &edge.Options{Dir: dir, MaxMemoryObject: 10_000}
	r := newRig(t, sized, opts)
	for _, n := range []int{1, 9_999, 10_000, 10_001, 700_000} {
		r.get(fmt.Sprintf("/%d", n))
	}
	r.cache.WaitWritten()
	assert.Len(t, files(t, dir), 5)
	s := r.cache.Stats()
	assert.Equal(t, 5, s.Disk.Keys)
	assert.Greater(t, s.Disk.Bytes, int64(730_000))
	assert.Less(t, s.Memory.Bytes, int64(40_000), "large bodies are not in memory")
	for round, cache := range []*edge.Cache{r.cache, r.open(opts), r.open(opts)} {
		r.cache = cache
		if round == 2 {
			r.clock.advance(20 * time.Second)
		}
		for _, n := range []int{1, 9_999, 10_000, 10_001, 700_000} {
			want := noise(uint64(n), n)
			for range 2 {
				a := r.get(fmt.Sprintf("/%d", n))
				require.NoError(t, a.err)
				assert.Equal(t, "HIT", a.cache())
				assert.True(t, a.body == want, n)
				assert.Equal(t, fmt.Sprintf(`"%d"`, n), a.header.Get("Etag"))
				assert.Equal(t, "caf\xe9", a.header.Get("X-Latin"))
				assert.Equal(t, fmt.Sprint(round/2*20), a.header.Get("Age"))
			}
			if n > 5 {
				a := r.get(fmt.Sprintf("/%d", n), "Range", "bytes=3-5")
				assert.Equal(t, want[3:6], a.body)
				a = r.get(fmt.Sprintf("/%d", n), "Range", "bytes=1-1,3-5")
				assert.Contains(t, a.body, "\r\n\r\n"+want[3:6]+"\r\n")
			}
			assert.Equal(t, 304, r.get(fmt.Sprintf("/%d", n), "If-None-Match", fmt.Sprintf(`"%d"`, n)).status)
			assert.Equal(t, fmt.Sprint(n), r.do("HEAD", fmt.Sprintf("/%d", n), nil).header.Get("Content-Length"))
		}
	}
	assert.EqualValues(t, 5, r.origin.requests.Load())
	assert.Zero(t, r.cache.Stats().DiskErrors)
	r.clock.advance(1000 * time.Second)
	assert.Equal(t, "EXPIRED", r.get("/700000").cache())
	r.cache.WaitWritten()
	assert.Len(t, files(t, dir), 5, "the old file is gone")
	assert.Equal(t, "HIT", r.get("/700000").cache())
}

// A large object is there while it is being written, and revalidation keeps its file.
func TestDiskRevalidation(t *testing.T) {
	dir := t.TempDir()
	r := newRig(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("If-None-Match") != "" {
			reply(304, "", "Cache-Control", "max-age=1000", "Etag", `"a"`)(w, r)
			return
		}
		reply(200, noise(1, 50_000), "Cache-Control", "max-age=1000", "Etag", `"a"`)(w, r)
	}, &edge.Options{Dir: dir, MaxMemoryObject: 10_000})
	r.get("/a")
	assert.Equal(t, "HIT", r.get("/a").cache())
	r.cache.WaitWritten()
	for range 3 {
		r.clock.advance(1000 * time.Second)
		a := r.get("/a")
		assert.Equal(t, "REVALIDATED", a.cache())
		assert.Equal(t, noise(1, 50_000), a.body)
		assert.Equal(t, "HIT", r.get("/a").cache())
	}
	assert.Len(t, files(t, dir), 1)
}

// What is damaged is removed, never served.
func TestDiskCorruption(t *testing.T) {
	for name, damage := range map[string]func(b []byte) []byte{
		"empty":             func([]byte) []byte { return nil },
		"shorter":           func(b []byte) []byte { return b[:len(b)-1] },
		"longer":            func(b []byte) []byte { return append(b, 0) },
		"magic":             func(b []byte) []byte { b[0]++; return b },
		"version":           func(b []byte) []byte { b[7]++; return b },
		"length of header":  func(b []byte) []byte { b[8]++; return b },
		"length of body":    func(b []byte) []byte { b[12]++; return b },
		"huge header":       func(b []byte) []byte { b[11] = 0xff; return b },
		"huge body":         func(b []byte) []byte { b[19] = 0xff; return b },
		"checksum of body":  func(b []byte) []byte { b[20]++; return b },
		"header":            func(b []byte) []byte { b[60]++; return b },
		"body of the small": func(b []byte) []byte { b[len(b)-1]++; return b },
	} {
		for _, n := range []int{5_000, 50_000} {
			if n > 10_000 && name == "body of the small" {
				continue // the checksum of a large body is not computed for each request
			}
			t.Run(fmt.Sprintf("%s %d", name, n), func(t *testing.T) {
				dir := t.TempDir()
				opts := &edge.Options{Dir: dir, MaxMemoryObject: 10_000}
				r := newRig(t, sized, opts)
				target := fmt.Sprintf("/%d", n)
				r.get(target)
				r.cache.WaitWritten()
				path := files(t, dir)[0]
				b, err := os.ReadFile(path)
				require.NoError(t, err)
				require.NoError(t, os.WriteFile(path, damage(b), 0o600))
				r.cache = r.open(opts)
				a := r.get(target)
				assert.Equal(t, "MISS", a.cache())
				assert.Equal(t, noise(uint64(n), n), a.body)
				assert.NotZero(t, r.cache.Stats().DiskErrors)
				assert.NoFileExists(t, path)
			})
		}
	}
}

// A file that goes while the cache runs is fetched again; one that is another's is not taken for one's own.
func TestDiskFileGone(t *testing.T) {
	dir := t.TempDir()
	opts := &edge.Options{Dir: dir, MaxMemoryObject: 10_000}
	r := newRig(t, sized, opts)
	r.get("/50000")
	r.cache.WaitWritten()
	own := files(t, dir)[0]
	require.NoError(t, os.Remove(own))
	a := r.get("/50000")
	assert.Equal(t, "MISS", a.cache())
	assert.Equal(t, noise(50_000, 50_000), a.body)

	r.get("/50001")
	r.cache.WaitWritten()
	r.cache.ForgetMemory()
	names := files(t, dir)
	require.Len(t, names, 2)
	b, err := os.ReadFile(names[0])
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(names[1], b, 0o600))
	for _, n := range []int{50_000, 50_001} {
		assert.True(t, r.get(fmt.Sprintf("/%d", n)).body == noise(uint64(n), n))
	}
}

// The budget holds, and other files are left alone.
func TestDiskBudget(t *testing.T) {
	dir := t.TempDir()
	other := filepath.Join(dir, "other")
	require.NoError(t, os.WriteFile(other, []byte("x"), 0o600))
	fresh, old := filepath.Join(dir, "tmp-1"), filepath.Join(dir, "tmp-2")
	require.NoError(t, os.WriteFile(fresh, nil, 0o600))
	require.NoError(t, os.WriteFile(old, nil, 0o600))
	require.NoError(t, os.Chtimes(old, time.Unix(0, 0), time.Unix(0, 0)))
	opts := &edge.Options{Dir: dir, DiskBytes: 100_000, MaxMemoryObject: 1}
	r := newRig(t, sized, opts)
	assert.NoFileExists(t, old)
	for i := range 50 {
		r.get(fmt.Sprintf("/%d", 10_000+i))
	}
	r.cache.WaitWritten()
	s := r.cache.Stats()
	assert.LessOrEqual(t, s.Disk.Bytes, int64(100_000))
	assert.Positive(t, s.Disk.Keys)
	assert.EqualValues(t, 50-s.Disk.Keys, s.Disk.Evicted)
	assert.Len(t, files(t, dir), s.Disk.Keys+2)
	opts.DiskBytes = 50_000
	s = r.open(opts).Stats()
	assert.LessOrEqual(t, s.Disk.Bytes, int64(50_000))
	assert.Len(t, files(t, dir), s.Disk.Keys+2)
	assert.FileExists(t, other)
	assert.FileExists(t, fresh)
}

// A disk that fails is done without.
func TestDiskFails(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "cache")
	r := newRig(t, sized, &edge.Options{Dir: dir, MaxMemoryObject: 10_000})
	require.NoError(t, os.RemoveAll(dir))
	require.NoError(t, os.WriteFile(dir, nil, 0o600)) // a file where the directory was
	for _, n := range []int{5_000, 50_000} {
		target := fmt.Sprintf("/%d", n)
		assert.Equal(t, "MISS", r.get(target).cache())
		r.cache.WaitWritten()
		for range 50 { // from memory, once it is known
			if a := r.get(target); a.cache() == "HIT" {
				assert.Len(t, a.body, n)
				break
			}
		}
		assert.Equal(t, "HIT", r.get(target).cache())
	}
	assert.NotZero(t, r.cache.Stats().DiskErrors)
	_, err := edge.New(&edge.Options{Dir: dir, Upstreams: []edge.Upstream{{URL: "http://a"}}})
	assert.Error(t, err)
}

// What lives shortly stays in memory, and what was on disk for its key goes.
func TestDiskShortLived(t *testing.T) {
	dir := t.TempDir()
	control := "max-age=1000"
	r := newRig(t, func(w http.ResponseWriter, r *http.Request) {
		reply(200, control, "Cache-Control", control)(w, r)
	}, &edge.Options{Dir: dir})
	r.get("/a")
	r.cache.WaitWritten()
	assert.Len(t, files(t, dir), 1)
	control = "max-age=2"
	assert.Equal(t, control, r.get("/a", "Cache-Control", "no-cache").body)
	assert.Empty(t, files(t, dir))
	r.cache.ForgetMemory()
	assert.Equal(t, control, r.get("/a").body)
}

// Variants have files of their own, and Purge finds what is on disk only.
func TestDiskVariantsAndPurge(t *testing.T) {
	dir := t.TempDir()
	opts := &edge.Options{Dir: dir}
	r := newRig(t, func(w http.ResponseWriter, r *http.Request) {
		reply(200, r.Header.Get("Accept-Encoding"), "Cache-Control", "max-age=1000", "Vary", "Accept-Encoding")(w, r)
	}, opts)
	for _, target := range []string{"/a/1", "/a/2", "/b/1"} {
		r.get(target)
		r.get(target, "Accept-Encoding", "gzip")
	}
	r.cache.WaitWritten()
	assert.Len(t, files(t, dir), 6)
	r.cache = r.open(opts)
	for range 2 {
		a := r.get("/a/1", "Accept-Encoding", "gzip")
		assert.Equal(t, "HIT gzip", a.cache()+" "+a.body)
		a = r.get("/a/1")
		assert.Equal(t, "HIT identity", a.cache()+" "+a.body)
	}
	assert.Equal(t, 2, r.cache.Purge("/a/"))
	assert.Len(t, files(t, dir), 2)
	assert.Equal(t, "MISS", r.get("/a/2").cache())
	assert.Equal(t, "HIT", r.get("/b/1").cache())
	assert.Equal(t, 2, r.cache.Purge(""))
	r.cache.WaitWritten()
	assert.Empty(t, files(t, dir))
}

// What waits to be written when its key is purged does not come back.
func TestPurgeOfPending(t *testing.T) {
	dir := t.TempDir()
	r := newRig(t, sized, &edge.Options{Dir: dir, MaxMemoryObject: 1})
	for i := range 20 {
		r.get(fmt.Sprintf("/%d", 100_000+i))
	}
	assert.Equal(t, 20, r.cache.Purge("/"))
	r.cache.WaitWritten()
	assert.Empty(t, files(t, dir))
	assert.Equal(t, "MISS", r.get("/100000").cache())
}

// What does not fit into memory makes room by S3-FIFO, and the budget holds.
func TestMemoryBudget(t *testing.T) {
	r := newRig(t, sized, &edge.Options{MemoryBytes: 1 << 20})
	for range 3 {
		r.get("/20000") // popular
	}
	for i := range 200 { // a scan
		r.get(fmt.Sprintf("/%d", 10_000+i))
	}
	s := r.cache.Stats()
	assert.LessOrEqual(t, s.Memory.Bytes, s.Memory.MaxBytes)
	assert.Greater(t, s.Memory.Bytes, s.Memory.MaxBytes*9/10)
	assert.Equal(t, "HIT", r.get("/20000").cache())
	assert.Equal(t, "MISS", r.get("/10000").cache())
	assert.EqualValues(t, 0, s.InFlightBytes)
	assert.Equal(t, strings.Repeat("MISS", 2), r.get("/900000").cache()+r.get("/900000").cache(), "more than memory holds of one")
}

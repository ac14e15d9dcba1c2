package throttle_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/internal/testmedia"
	"github.com/smoothkit/smoothkit/throttle"
	"github.com/smoothkit/smoothkit/throttle/bitrate"
)

// direct is a client of a handler without a network.
type direct struct{ http.Handler }

func (d direct) RoundTrip(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	d.ServeHTTP(w, r)
	resp := w.Result()
	resp.Request = r
	return resp, nil
}

// compressed compresses what a handler sends to who accepts it.
func compressed(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
			next.ServeHTTP(w, r)
			return
		}
		w.Header().Set("Content-Encoding", "gzip")
		z := gzip.NewWriter(w)
		defer z.Close()
		next.ServeHTTP(&gzipWriter{w, z}, r)
	})
}

type gzipWriter struct {
	http.ResponseWriter
	z *gzip.Writer
}

func (w *gzipWriter) WriteHeader(status int) {
	w.Header().Del("Content-Length")
	w.ResponseWriter.WriteHeader(status)
}

func (w *gzipWriter) Write(p []byte) (int, error) {
	w.Header().Del("Content-Length")
	return w.z.Write(p)
}

// The rate is found from whatever a handler answers with, by any first request, and once.
func TestDetection(t *testing.T) {
	film := wav(20 * wavBytes)
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "film.wav"), film, 0o600))
	local := http.FileServer(http.Dir(dir))
	origin, err := url.Parse("http://origin/")
	require.NoError(t, err)
	proxy := httputil.NewSingleHostReverseProxy(origin)
	proxy.Transport = direct{local}
	known := func(next http.HandlerFunc) http.HandlerFunc { // the length, but no ranges
		return func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", strconv.Itoa(len(film)))
			next(w, r)
		}
	}
	inners := []struct {
		name   string
		inner  http.Handler
		ranges bool
	}{
		{"http.Dir", local, true},
		{"MapFS", files(map[string][]byte{"film.wav": film}), true},
		{"DirFS", http.FileServerFS(os.DirFS(dir)), true},
		{"ServeFile", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { http.ServeFile(w, r, filepath.Join(dir, "film.wav")) }), true},
		{"bytes.Reader", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			http.ServeContent(w, r, "film.wav", epoch, bytes.NewReader(film))
		}), true},
		{"seeker", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			http.ServeContent(w, r, "film.wav", epoch, struct{ io.ReadSeeker }{bytes.NewReader(film)})
		}), true},
		{"proxy", proxy, true},
		{"one write", known(func(w http.ResponseWriter, r *http.Request) { _, _ = w.Write(film) }), false},
		{"pieces", known(func(w http.ResponseWriter, r *http.Request) {
			_, err := io.CopyBuffer(struct{ io.Writer }{w}, struct{ io.Reader }{bytes.NewReader(film)}, make([]byte, 32<<10))
			assert.NoError(t, err)
		}), false},
		{"file without a length", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			f, err := os.Open(filepath.Join(dir, "film.wav"))
			require.NoError(t, err)
			defer f.Close()
			_, err = io.Copy(w, f)
			assert.NoError(t, err)
		}), false},
		{"compressed inside", compressed(local), true},
		{"behind a prefix", http.StripPrefix("/", http.FileServerFS(os.DirFS(dir))), true},
	}
	for _, c := range inners {
		for name, header := range map[string][]string{
			"whole":  {"Accept-Encoding", "gzip"},
			"range":  {"Accept-Encoding", "gzip", "Range", "bytes=1000000-1999999"},
			"ranges": {"Accept-Encoding", "gzip", "Range", "bytes=10-999999,1000100-1999999"},
		} {
			if name != "whole" && !c.ranges {
				continue
			}
			t.Run(c.name+"/"+name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					b := newBench(c.inner, siteRules(), nil)
					for range 2 {
						got, want := httptest.NewRecorder(), httptest.NewRecorder()
						b.ServeHTTP(got, request("GET", "/film.wav", header...))
						c.inner.ServeHTTP(want, request("GET", "/film.wav", header[2:]...))
						if name != "ranges" {
							assert.True(t, bytes.Equal(want.Body.Bytes(), got.Body.Bytes()), "the body")
						}
						assert.Empty(t, got.Header().Get("Content-Encoding"))
						assert.Equal(t, throttle.Rate(800_017), b.last().Encoded)
						assert.Positive(t, b.last().Waits)
						assert.NoError(t, b.last().Err)
					}
					stats := b.Stats()
					assert.Equal(t, uint64(1), stats.Detected)
					assert.Equal(t, map[bitrate.Container]uint64{bitrate.WAV: 1}, stats.Containers)
					assert.Zero(t, stats.Undetected)
					assert.Empty(t, b.log.all())
				})
			})
		}
	}
}

// Whoever is inside is asked for the bytes of the file, by all methods that tell of it, and nobody else is.
func TestNoCompressionOfMedia(t *testing.T) {
	for _, c := range []struct{ method, path, want string }{
		{"GET", "/x.wav", "identity"}, {"HEAD", "/x.wav", "identity"}, {"POST", "/x.wav", "br"}, {"GET", "/x.dat", "br"}, {"GET", "/x.html", "br"},
	} {
		for _, accept := range []string{"br", ""} {
			var got string
			b := newBench(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got = r.Header.Get("Accept-Encoding") }), siteRules(), nil)
			r := request(c.method, c.path)
			if accept != "" {
				r.Header.Set("Accept-Encoding", accept)
			}
			b.ServeHTTP(newWire(), r)
			want := c.want
			if want == "br" {
				want = accept
			}
			assert.Equal(t, want, got, "%s %s", c.method, c.path)
			assert.Equal(t, accept, r.Header.Get("Accept-Encoding"), "the request itself stays as it is")
		}
	}
}

// Compression outside of the handler compresses what is paced.
func TestCompressionOutside(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(files(map[string][]byte{"film.wav": wav(20 * wavBytes)}), siteRules(), nil)
		w, start := httptest.NewRecorder(), time.Now()
		compressed(b).ServeHTTP(w, request("GET", "/film.wav", "Accept-Encoding", "gzip"))
		assert.InDelta(t, 15, time.Since(start).Seconds(), 0.25)
		z, err := gzip.NewReader(w.Body)
		require.NoError(t, err)
		n, err := io.Copy(io.Discard, z)
		require.NoError(t, err)
		assert.Equal(t, int64(20*wavBytes+44), n)
	})
}

// A body that is compressed all the same goes by the rate of the file, which the handler inside is asked for.
func TestCompressedAllTheSame(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		film := files(map[string][]byte{"film.wav": wav(20 * wavBytes)})
		inner := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Range") != "" {
				film.ServeHTTP(w, r)
				return
			}
			w.Header().Set("Accept-Ranges", "bytes")
			w.Header().Set("Content-Encoding", "gzip")
			_, _ = w.Write(make([]byte, 1_000_000))
		})
		b := newBench(inner, siteRules(), nil)
		b.get(t, "/film.wav")
		assert.Equal(t, throttle.Rate(800_017), b.last().Encoded)
	})
}

// Movies whose header is at their end are found by asking for it.
func TestDetectionOfMovies(t *testing.T) {
	for _, name := range []string{"av.mp4", "av-frag.mp4", "edit.mp4"} {
		movie := testmedia.File(t, name)
		want, err := bitrate.Detect(bytes.NewReader(movie), int64(len(movie)))
		require.NoError(t, err)
		for from, inner := range map[string]http.HandlerFunc{
			"file": func(w http.ResponseWriter, r *http.Request) {
				http.ServeContent(w, r, name, epoch, bytes.NewReader(movie))
			},
			"write": func(w http.ResponseWriter, r *http.Request) {
				if r.Header.Get("Range") != "" {
					http.ServeContent(w, r, name, epoch, bytes.NewReader(movie))
					return
				}
				w.Header().Set("Accept-Ranges", "bytes")
				w.Header().Set("Content-Length", strconv.Itoa(len(movie)))
				for part := movie; len(part) > 0; part = part[min(len(part), 100):] {
					_, _ = w.Write(part[:min(len(part), 100)])
				}
			},
		} {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(inner, nil, nil)
				w, _ := b.get(t, "/"+name)
				assert.Equal(t, int64(len(movie)), w.sent)
				assert.Equal(t, throttle.Rate(want.Average), b.last().Encoded, "%s by %s", name, from)
			})
		}
	}
}

// Without a rate a file is sent unthrottled or at the default rate, and that is counted and said once for each version.
func TestFailingDetection(t *testing.T) {
	for name, rules := range map[string]*throttle.Rules{"unthrottled": {}, "default": {DefaultRate: 400 * kbit}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := fstest.MapFS{"x.wav": {Data: make([]byte, 1_000_000), ModTime: epoch}}
				b := newBench(http.FileServerFS(m), rules, nil)
				for i := 1; i <= 3; i++ {
					if i == 3 {
						m["x.wav"] = &fstest.MapFile{Data: make([]byte, 1_000_000), ModTime: epoch.Add(time.Hour)}
					}
					_, took := b.get(t, "/x.wav")
					changes := (i + 1) / 2
					assert.Equal(t, uint64(changes), b.Stats().Undetected)
					require.Len(t, b.log.all(), changes)
					assert.Contains(t, b.log.all()[0], "bit rate not found path=/x.wav bytes=1000000")
					if name == "default" {
						o := b.last()
						assert.Equal(t, 400*kbit, o.Rate)
						assert.Equal(t, int64(500_000), o.Burst, "seconds of the default rate")
						assert.Equal(t, "default", o.Source)
						assert.ErrorIs(t, o.Err, bitrate.ErrUnknownContainer)
						assert.Positive(t, took)
						continue
					}
					assert.Zero(t, took)
					assert.Equal(t, uint64(i), b.Stats().Unthrottled)
					assert.Zero(t, b.Stats().Responses)
				}
			})
		})
	}
}

// So is a body of unknown length.
func TestUnknownSize(t *testing.T) {
	b := newBench(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = w.Write(wav(10_000)) }), nil, nil)
	for range 3 {
		w, _ := b.get(t, "/live.wav")
		assert.Equal(t, int64(10_044), w.sent)
	}
	assert.Equal(t, uint64(1), b.Stats().Undetected)
	assert.Equal(t, uint64(3), b.Stats().Unthrottled)
	require.Len(t, b.log.all(), 1)
	assert.Contains(t, b.log.all()[0], "size of the file is not known")
}

// Where the handler inside knows no ranges and the index is not in the first bytes, that is what is said, and not that
// the file is corrupt.
func TestIndexOutOfReach(t *testing.T) {
	film := append([]byte("\x00\x00\x00\x18ftypisom\x00\x00\x02\x00isommp41\x00\x01\x00\x00mdat"), make([]byte, 100_000)...)
	b := newBench(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", fmt.Sprint(len(film)))
		_, _ = w.Write(film[:1000])
		_, _ = w.Write(film[1000:])
	}), nil, nil)
	w, _ := b.get(t, "/film.mp4")
	assert.Equal(t, int64(len(film)), w.sent)
	require.Len(t, b.log.all(), 1)
	assert.Contains(t, b.log.all()[0], "cannot be read beside the response: only its first 1000 bytes were seen")
}

// New formats are tried on files whose rate was not found before.
func TestFormatsOfNewRules(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		data := append([]byte("XRATE\x00\x00\x01\x90"), make([]byte, 999_991)...)
		setting := []throttle.Setting{{Match: ".xyz", InitialBufferTime: time.Second}}
		b := newBench(files(map[string][]byte{"a.xyz": data}), &throttle.Rules{Settings: setting}, nil)
		b.get(t, "/a.xyz")
		assert.Equal(t, uint64(1), b.Stats().Unthrottled)
		require.NoError(t, b.SetRules(&throttle.Rules{Settings: setting, Formats: []bitrate.Format{{
			Extension: ".xyz", Rates: []bitrate.RateRule{{Search: bitrate.Search{Pattern: []byte("XRATE"), Type: bitrate.Uint32}, Unit: 1000}},
		}}}))
		b.get(t, "/a.xyz")
		assert.Equal(t, 400*kbit, b.last().Encoded)
	})
}

// slow is content that takes a second to read at an offset, and fails as often as it shall.
type slow struct {
	*bytes.Reader
	fail *int
	ctx  context.Context
}

var errFlaky = errors.New("flaky store")

func (s slow) ReadAt(p []byte, off int64) (int, error) {
	select {
	case <-s.ctx.Done():
		return 0, s.ctx.Err()
	case <-time.After(time.Second):
	}
	if *s.fail > 0 {
		*s.fail--
		return 0, errFlaky
	}
	return s.Reader.ReadAt(p, off)
}

func slowly(fail *int) http.Handler {
	film := wav(20 * wavBytes)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.ServeContent(w, r, "film.wav", epoch, slow{bytes.NewReader(film), fail, r.Context()})
	})
}

func TestConcurrentDetection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(slowly(new(int)), siteRules(), nil)
		var wg sync.WaitGroup
		for range 20 {
			wg.Go(func() { b.get(t, "/film.wav") })
		}
		wg.Wait()
		assert.Equal(t, uint64(1), b.Stats().Detected)
		assert.Equal(t, uint64(20), b.Stats().Responses)
	})
}

// An error of the store is not one of the file.
func TestTransientErrors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fail := 1
		b := newBench(slowly(&fail), siteRules(), nil)
		b.get(t, "/film.wav")
		assert.Equal(t, uint64(1), b.Stats().Unthrottled)
		require.Len(t, b.log.all(), 1)
		assert.Contains(t, b.log.all()[0], errFlaky.Error())
		b.get(t, "/film.wav")
		assert.Equal(t, throttle.Rate(800_017), b.last().Encoded)
		assert.Equal(t, uint64(1), b.Stats().Detected)
	})
}

// When the client who asked first goes, those who wait for what it would have found look for themselves.
func TestFirstClientGoes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(slowly(new(int)), siteRules(), nil)
		ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
		defer cancel()
		var wg sync.WaitGroup
		wg.Go(func() { b.ServeHTTP(newWire(), request("GET", "/film.wav").WithContext(ctx)) })
		synctest.Wait()
		for range 5 {
			wg.Go(func() { b.get(t, "/film.wav") })
		}
		wg.Wait()
		assert.Equal(t, uint64(5), b.Stats().Responses)
		assert.Equal(t, uint64(1), b.Stats().Detected)
		assert.Zero(t, b.Stats().Undetected, "a client that goes says nothing about the file")
		assert.Empty(t, b.log.all())
	})
}

// What is remembered is bounded, also in who makes up names.
func TestRatesAreBounded(t *testing.T) {
	film := wav(4000)
	b := newBench(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", strconv.Itoa(len(film)))
		_, _ = w.Write(film)
	}), nil, nil)
	synctest.Test(t, func(t *testing.T) {
		for i := range 3 * throttle.MaxRememberedRates / 2 {
			b.get(t, fmt.Sprintf("/%d.wav", i))
			b.get(t, "/0.wav")
		}
	})
	assert.LessOrEqual(t, b.RememberedRates(), throttle.MaxRememberedRates)
	assert.Equal(t, uint64(3*throttle.MaxRememberedRates/2), b.Stats().Detected, "what is used is remembered")
}

func TestLongNamesAreBounded(t *testing.T) {
	film := wav(4000)
	b := newBench(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", strconv.Itoa(len(film)))
		w.Header().Set("Etag", `"`+r.URL.Path+`"`)
		_, _ = w.Write(film)
	}), nil, nil)
	for i := range 20 {
		for range 2 {
			b.get(t, fmt.Sprintf("/%s%d.wav", strings.Repeat("x", 500_000), i))
		}
	}
	assert.Equal(t, uint64(20), b.Stats().Detected)
	assert.Less(t, b.RateBytes(), 20*1000)
}

// The handler inside is asked only for ranges that it offers, and not at all if it shall not be.
func TestProbes(t *testing.T) {
	film := wav(2 * wavBytes)
	var asked []string
	var mu sync.Mutex
	inner := func(status int, ranges string) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			mu.Lock()
			asked = append(asked, r.Method+r.Header.Get("Range"))
			mu.Unlock()
			if r.Header.Get("Range") != "" {
				assert.Equal(t, "GET", r.Method)
				assert.Equal(t, "secret", r.Header.Get("Authorization"))
				http.ServeContent(w, r, "film.wav", epoch, bytes.NewReader(film))
				return
			}
			if ranges != "" {
				w.Header().Set("Accept-Ranges", ranges)
			}
			w.WriteHeader(status)
			_, _ = w.Write(film[:5000])
		})
	}
	for _, c := range []struct {
		method, ranges string
		status         int
		opts           throttle.HandlerOptions
		probed         bool
	}{
		{"GET", "bytes", 200, throttle.HandlerOptions{}, true},
		{"GET", "bytes", 200, throttle.HandlerOptions{NoProbes: true}, false},
		{"GET", "none", 200, throttle.HandlerOptions{}, false},
		{"GET", "", 200, throttle.HandlerOptions{}, false},
		{"POST", "bytes", 200, throttle.HandlerOptions{}, false},
		{"GET", "bytes", 404, throttle.HandlerOptions{}, false},
	} {
		synctest.Test(t, func(t *testing.T) {
			asked = nil
			b := newBench(inner(c.status, c.ranges), siteRules(), &c.opts)
			r := request(c.method, "/film.wav", "Authorization", "secret")
			b.ServeHTTP(newWire(), r)
			assert.Equal(t, c.probed, len(asked) > 1, "%+v: %v", c, asked)
			assert.Equal(t, c.probed, b.Stats().Detected == 1)
		})
	}
}

// A handler inside that answers questions with something else, or panics, or never ends, does no harm.
func TestHostileInside(t *testing.T) {
	answers := map[string]http.HandlerFunc{
		"panic":   func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
		"nothing": func(http.ResponseWriter, *http.Request) {},
		"status":  func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) },
		"other range": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Range", "bytes 5-6/7")
			w.WriteHeader(206)
			_, _ = w.Write([]byte("ab"))
		},
		"huge total": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Range", "bytes 0-0/9223372036854775807")
			w.WriteHeader(206)
			_, _ = w.Write([]byte("R"))
		},
		"endless": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Range", "bytes 0-0/100000")
			w.WriteHeader(206)
			for r.Context().Err() == nil {
				_, _ = w.Write(make([]byte, 1000))
				time.Sleep(time.Second)
			}
		},
	}
	for name, answer := range answers {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					if r.Header.Get("Range") != "" {
						answer(w, r)
						return
					}
					w.Header().Set("Accept-Ranges", "bytes")
					_, err := w.Write(make([]byte, 5000))
					assert.NoError(t, err)
				}), siteRules(), nil)
				w, took := b.get(t, "/film.wav")
				assert.Equal(t, int64(5000), w.sent)
				assert.LessOrEqual(t, took, 11*time.Second)
				assert.Equal(t, uint64(1), b.Stats().Unthrottled)
				assert.Equal(t, uint64(1), b.Stats().Undetected)
			})
		})
	}
}

// What is read of a file is never more than of the file that is being sent, and leaves its position.
func TestOtherFile(t *testing.T) {
	film := wav(20 * wavBytes)
	for name, c := range map[string]struct {
		src    io.Reader
		length int
		want   string
	}{
		"a file that is part of the body": {bytes.NewReader(film), len(film) + 100, ""},
		"a section":                       {io.NewSectionReader(bytes.NewReader(append(make([]byte, 100), film...)), 100, int64(len(film))), len(film), "fmt"},
		"a directory":                     {dirReader{}, 5000, ""},
	} {
		synctest.Test(t, func(t *testing.T) {
			b := newBench(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Content-Length", strconv.Itoa(c.length))
				_, _ = io.CopyN(w, c.src, int64(c.length))
			}), siteRules(), nil)
			b.get(t, "/film.wav")
			assert.Equal(t, c.want != "", b.Stats().Detected == 1, name)
		})
	}
}

// dirReader says it is a directory.
type dirReader struct{ fs.File }

func (dirReader) Name() string                            { return "dir" }
func (dirReader) Stat() (fs.FileInfo, error)              { return fs.Stat(fstest.MapFS{"a/b": {}}, "a") }
func (dirReader) ReadAt([]byte, int64) (n int, err error) { return 0, io.EOF }
func (dirReader) Read([]byte) (int, error)                { return 0, io.EOF }

package throttle_test

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/throttle"
)

// site is what the protocol is tested on: a film of 20 s of 800 kbit/s under several names, and answers of other kinds.
func site() http.Handler {
	film := wav(20 * wavBytes)
	mux := http.NewServeMux()
	serve := func(w http.ResponseWriter, r *http.Request) {
		http.ServeContent(w, r, r.URL.Path, epoch, bytes.NewReader(film))
	}
	for _, path := range []string{"/film.wav", "/film.wav. ", "/FILM.WAV", "/film", "/film.bin"} {
		mux.HandleFunc(strings.ReplaceAll(path, " ", "%20"), serve)
	}
	mux.HandleFunc("/typed", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", `Video/MP4; codecs="avc1"`)
		serve(w, r)
	})
	mux.HandleFunc("/moved.wav", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "/film.wav", http.StatusMovedPermanently)
	})
	mux.HandleFunc("/empty.wav", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("/nobytes.wav", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "audio/wav")
		_, _ = w.Write(nil)
	})
	mux.HandleFunc("/none.wav", func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusNoContent) })
	mux.HandleFunc("/broken.wav", func(w http.ResponseWriter, r *http.Request) {
		http.Error(w, strings.Repeat("broken ", 100_000), http.StatusInternalServerError)
	})
	mux.HandleFunc("/implicit.wav", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "audio/wav")
		_, _ = w.Write(film)
	})
	mux.HandleFunc("/twice.wav", func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusOK)
		w.WriteHeader(http.StatusNotFound)
		_, _ = w.Write(film)
	})
	return mux
}

func siteRules() *throttle.Rules {
	return &throttle.Rules{Settings: []throttle.Setting{
		{Match: ".wav", InitialBufferTime: 5 * time.Second},
		{Match: "video/*", InitialBufferTime: 10 * time.Second},
		{Match: ".dat", Kind: throttle.Data, InitialSendSize: 10 << 10, Rate: 5 * throttle.KbitPerSecond},
	}}
}

var boundary = regexp.MustCompile(`boundary=\w+`)

func TestProtocol(t *testing.T) {
	for _, c := range []struct {
		name, method, path string
		header             []string
		status             int
		paced              bool
		took               time.Duration // as nothing is paced below a quantum, to half a second
	}{
		{"whole file", "GET", "/film.wav", nil, 200, true, 15 * time.Second},
		{"name of Windows", "GET", "/film.wav.%20", nil, 200, true, 15 * time.Second},
		{"upper case", "GET", "/FILM.WAV", nil, 200, true, 15 * time.Second},
		{"HEAD", "HEAD", "/film.wav", nil, 200, false, 0},
		{"HEAD of a range", "HEAD", "/film.wav", []string{"Range", "bytes=5-500000"}, 206, false, 0},
		{"not modified", "GET", "/film.wav", []string{"If-Modified-Since", epoch.Format(http.TimeFormat)}, 304, false, 0},
		{"precondition failed", "GET", "/film.wav", []string{"If-Unmodified-Since", epoch.Add(-time.Hour).Format(http.TimeFormat)}, 412, false, 0},
		{"range", "GET", "/film.wav", []string{"Range", "bytes=100000-1099999"}, 206, true, 5 * time.Second},
		{"range to the end", "GET", "/film.wav", []string{"Range", "bytes=1000044-"}, 206, true, 5 * time.Second},
		{"suffix", "GET", "/film.wav", []string{"Range", "bytes=-1000000"}, 206, true, 5 * time.Second},
		{"range smaller than the burst", "GET", "/film.wav", []string{"Range", "bytes=100000-599999"}, 206, true, 0},
		{"ranges", "GET", "/film.wav", []string{"Range", "bytes=0-499999,1000000-1499999"}, 206, true, 5 * time.Second},
		{"If-Range of another version", "GET", "/film.wav", []string{"Range", "bytes=0-1", "If-Range", `"x"`}, 200, true, 15 * time.Second},
		{"probe", "GET", "/film.wav", []string{"Range", "bytes=0-1"}, 206, false, 0},
		{"probe of the end", "GET", "/film.wav", []string{"Range", "bytes=-1000"}, 206, false, 0},
		{"unsatisfiable", "GET", "/film.wav", []string{"Range", "bytes=9000000-"}, 416, false, 0},
		{"not found", "GET", "/nothing.wav", nil, 404, false, 0},
		{"error", "GET", "/broken.wav", nil, 500, false, 0},
		{"moved", "GET", "/moved.wav", nil, 301, false, 0},
		{"no content", "GET", "/none.wav", nil, 204, false, 0},
		{"nothing written", "GET", "/empty.wav", nil, 200, false, 0},
		{"no bytes written", "GET", "/nobytes.wav", nil, 200, false, 0},
		{"implicit header", "GET", "/implicit.wav", nil, 200, false, 0}, // of unknown length
		{"second header", "GET", "/twice.wav", nil, 200, false, 0},
		{"POST", "POST", "/film.wav", nil, 200, true, 15 * time.Second},
		{"no setting", "GET", "/film", nil, 200, false, 0},
		{"other extension", "GET", "/film.bin", nil, 200, false, 0},
		{"media type", "GET", "/typed", nil, 200, true, 10 * time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(site(), siteRules(), nil)
				got, want := httptest.NewRecorder(), httptest.NewRecorder()
				start := time.Now()
				b.ServeHTTP(got, request(c.method, c.path, c.header...))
				took := time.Since(start)
				site().ServeHTTP(want, request(c.method, c.path, c.header...))

				assert.Equal(t, c.status, got.Code)
				assert.Equal(t, want.Code, got.Code)
				bounds := func(b []byte) []byte { // they are random
					return regexp.MustCompile(`--[0-9a-f]{60}`).ReplaceAll(b, nil)
				}
				assert.True(t, bytes.Equal(bounds(want.Body.Bytes()), bounds(got.Body.Bytes())), "the body")
				for _, h := range []http.Header{got.Header(), want.Header()} {
					h.Set("Content-Type", boundary.ReplaceAllString(h.Get("Content-Type"), ""))
				}
				assert.Equal(t, want.Header(), got.Header())
				assert.InDelta(t, c.took.Seconds(), took.Seconds(), 0.01)
				stats := b.Stats()
				assert.Equal(t, c.paced, stats.Responses == 1)
				assert.Zero(t, stats.Active)
				assert.Equal(t, c.paced, len(b.seen) == 1)
				if c.paced {
					assert.Equal(t, c.status, b.last().Status)
					assert.Equal(t, int64(got.Body.Len()), b.last().Length)
				}
			})
		})
	}
}

// What nothing chooses keeps the writer below with its ReadFrom.
func TestAsideKeepsSendfile(t *testing.T) {
	b := newBench(site(), siteRules(), nil)
	w, _ := b.get(t, "/film")
	assert.Equal(t, []bool{true}, fileWrites(w))
	assert.Zero(t, w.flushes)
	assert.Empty(t, w.deadlines)
	b = newBench(site(), &throttle.Rules{Disabled: true}, nil)
	w, _ = b.get(t, "/film.wav")
	assert.Equal(t, []bool{true}, fileWrites(w))
}

func fileWrites(w *wire) (list []bool) {
	for _, one := range w.writes {
		list = append(list, one.file)
	}
	return list
}

// A probe takes nothing of the burst, and is no response of the session.
func TestProbesAreFree(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(site(), siteRules(), nil)
		for range 50 {
			_, took := b.get(t, "/film.wav", "Range", "bytes=0-1")
			require.Zero(t, took)
		}
		_, took := b.get(t, "/film.wav")
		assert.InDelta(t, 15, took.Seconds(), 0.01)
		assert.Equal(t, uint64(1), b.Stats().Responses)
	})
}

func TestMediaTypes(t *testing.T) {
	rules := &throttle.Rules{Settings: []throttle.Setting{
		{Match: "Video/MP4", Kind: throttle.Data, Rate: 1 * throttle.MbitPerSecond},
		{Match: "video/*", Kind: throttle.Data, Rate: 2 * throttle.MbitPerSecond},
		{Match: ".mp3", Kind: throttle.Data, Rate: 3 * throttle.MbitPerSecond},
	}}
	for _, c := range []struct {
		path, contentType string
		want              throttle.Rate
	}{
		{"/a", "video/mp4", throttle.MbitPerSecond}, {"/a", "VIDEO/MP4;x=y", throttle.MbitPerSecond}, {"/a", "video/webm", 2 * throttle.MbitPerSecond},
		{"/a.mp3", "video/mp4", 3 * throttle.MbitPerSecond}, {"/a.MP3", "", 3 * throttle.MbitPerSecond}, {"/a", "audio/mpeg", 0},
		{"/a", "", 0}, {"/a", "video", 0}, {"/a", "/*;;", 0}, {"/a", "video/", 0}, {"/mp3", "text/plain", 0},
	} {
		synctest.Test(t, func(t *testing.T) {
			inner := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if c.contentType != "" {
					w.Header().Set("Content-Type", c.contentType)
				}
				_, _ = w.Write(make([]byte, 5000))
			})
			b := newBench(inner, rules, nil)
			w, _ := b.get(t, c.path)
			assert.Equal(t, int64(5000), w.sent)
			assert.Equal(t, c.want, b.last().Rate, "%s %s", c.path, c.contentType)
		})
	}
}

// The example of the source: 10 KB at once and then 5 kbit/s, of an extension of data.
func TestDataRule(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(content(10<<10+6250), siteRules(), nil)
		w, took := b.get(t, "/x.dat")
		assert.Equal(t, int64(10<<10+6250), w.sent)
		assert.Equal(t, int64(10<<10), w.writes[0].n)
		assert.InDelta(t, 10, took.Seconds(), 0.001)
		assert.Equal(t, "data", b.last().Source)
	})
}

func TestDebugHeader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		opts := &throttle.HandlerOptions{DebugHeader: true}
		b := newBench(site(), siteRules(), opts)
		w, _ := b.get(t, "/film.wav", "Range", "bytes=0-199999")
		assert.Equal(t, "rate=800017; burst=500010; source=fmt", w.header.Get("X-Throttle"))
		assert.Equal(t, 206, w.status)
		w, _ = b.get(t, "/film")
		assert.NotContains(t, w.header, "X-Throttle")
		w, _ = b.get(t, "/implicit.wav")
		assert.Equal(t, "off", w.header.Get("X-Throttle"))

		// The header that waits for the field goes before everything that would send another.
		for name, inner := range map[string]http.HandlerFunc{
			"nothing":       func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(206) },
			"empty write":   func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(206); _, _ = w.Write(nil) },
			"second header": func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(206); w.WriteHeader(404) },
			"flush": func(w http.ResponseWriter, r *http.Request) {
				w.WriteHeader(206)
				_ = http.NewResponseController(w).Flush()
			},
		} {
			rec := httptest.NewRecorder()
			throttle.New(inner, siteRules(), opts).ServeHTTP(rec, request("GET", "/x.wav"))
			assert.Equal(t, 206, rec.Code, name)
		}
		b = newBench(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", "100000")
			w.WriteHeader(200)
			_, _ = w.Write(nil)
			_, _ = w.Write(wav(100_000 - 44))
		}), siteRules(), opts)
		w, _ = b.get(t, "/x.wav")
		assert.Contains(t, w.header.Get("X-Throttle"), "rate=800352", "an empty write does not send the header")
	})
}

// A response without a length ends as soon as its source does, one with a length as soon as it is over.
func TestEndIsNotWaitedFor(t *testing.T) {
	for name, source := range map[string]func(b []byte) io.Reader{
		"pipe":   func(b []byte) io.Reader { return io.MultiReader(bytes.NewReader(b)) },
		"seeker": func(b []byte) io.Reader { return struct{ io.ReadSeeker }{bytes.NewReader(b)} },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				film := wav(6*wavBytes - 44)
				inner := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					w.Header().Set("Content-Length", "600000")
					n, err := io.Copy(w, source(film))
					assert.Equal(t, int64(600_000), n)
					assert.NoError(t, err)
				})
				_, took := newBench(inner, siteRules(), nil).get(t, "/film.wav")
				assert.InDelta(t, 1, took.Seconds(), 0.001)
			})
		})
	}
}

// A handler within another one is paced by the slower of the two, and keeps sendfile.
func TestNested(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, rates := range [][2]throttle.Rate{{throttle.MbitPerSecond, 2 * throttle.MbitPerSecond}, {2 * throttle.MbitPerSecond, throttle.MbitPerSecond}} {
			inner := throttle.NewHandler(content(1_250_000), dataRules(rates[0]))
			w, took := newBench(inner, dataRules(rates[1]), nil).get(t, "/x.dat")
			assert.Equal(t, int64(1_250_000), w.sent)
			assert.InDelta(t, 10, took.Seconds(), 0.5)
			assert.NotContains(t, fileWrites(w), false)
		}
	})
}

func TestInvalidRules(t *testing.T) {
	bad := &throttle.Rules{MaxRate: -1}
	assert.Panics(t, func() { throttle.New(site(), bad, nil) })
	h := throttle.NewHandler(site(), nil)
	require.ErrorContains(t, h.SetRules(bad), "MaxRate")
	require.NoError(t, h.SetRules(&throttle.Rules{}))
}

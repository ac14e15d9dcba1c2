package throttle_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/smoothkit/smoothkit/throttle"
)

// wavRate is the rate of the files of wav, and wavBytes what that is in a second.
const (
	wavRate  = 800 * throttle.KbitPerSecond
	wavBytes = 100_000
)

// wav returns a WAV file of mono samples of one byte, of which there are 100,000 in a second, with so many bytes of them.
func wav(samples int) []byte {
	b := []byte("RIFF")
	b = binary.LittleEndian.AppendUint32(b, uint32(36+samples))
	b = append(b, "WAVEfmt "...)
	b = binary.LittleEndian.AppendUint32(b, 16)
	for _, v := range []uint16{1, 1} { // PCM, mono
		b = binary.LittleEndian.AppendUint16(b, v)
	}
	for _, v := range []uint32{wavBytes, wavBytes} { // samples and bytes a second
		b = binary.LittleEndian.AppendUint32(b, v)
	}
	for _, v := range []uint16{1, 8} { // bytes and bits of a sample
		b = binary.LittleEndian.AppendUint16(b, v)
	}
	b = append(b, "data"...)
	b = binary.LittleEndian.AppendUint32(b, uint32(samples))
	return append(b, bytes.Repeat([]byte{0x80}, samples)...)
}

// files serves files of bytes as net/http does.
func files(names map[string][]byte) http.Handler {
	m := fstest.MapFS{}
	for name, b := range names {
		m[name] = &fstest.MapFile{Data: b, ModTime: epoch}
	}
	return http.FileServerFS(m)
}

// with sets response headers, by name and value in turns, before a handler.
func with(next http.Handler, pairs ...string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for i := 0; i < len(pairs); i += 2 {
			w.Header().Set(pairs[i], pairs[i+1])
		}
		next.ServeHTTP(w, r)
	})
}

// records is a log that remembers its messages.
type records struct {
	mu   sync.Mutex
	list []string
}

func (r *records) Enabled(_ context.Context, level slog.Level) bool { return level >= slog.LevelInfo }
func (r *records) WithAttrs([]slog.Attr) slog.Handler               { return r }
func (r *records) WithGroup(string) slog.Handler                    { return r }
func (r *records) Handle(_ context.Context, one slog.Record) error {
	text := one.Message
	one.Attrs(func(a slog.Attr) bool { text += " " + a.String(); return true })
	r.mu.Lock()
	defer r.mu.Unlock()
	r.list = append(r.list, text)
	return nil
}

func (r *records) all() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]string(nil), r.list...)
}

// bench is a handler under test with what it says.
type bench struct {
	*throttle.Handler
	log  records
	mu   sync.Mutex
	seen []throttle.Observation
}

func newBench(next http.Handler, rules *throttle.Rules, opts *throttle.HandlerOptions) *bench {
	var o throttle.HandlerOptions
	if opts != nil {
		o = *opts
	}
	b := &bench{}
	o.Logger = slog.New(&b.log)
	o.Observe = func(one throttle.Observation) {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.seen = append(b.seen, one)
	}
	b.Handler = throttle.New(next, rules, &o)
	return b
}

// last returns the last observation, or a zero one.
func (b *bench) last() (o throttle.Observation) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.seen) > 0 {
		o = b.seen[len(b.seen)-1]
	}
	return o
}

// get asks for a path, with request headers in turns, and returns what was written and how long that took.
func (b *bench) get(t *testing.T, path string, pairs ...string) (*wire, time.Duration) {
	t.Helper()
	w, start := newWire(), time.Now()
	b.ServeHTTP(w, request("GET", path, pairs...))
	return w, time.Since(start)
}

func request(method, path string, pairs ...string) *http.Request {
	r := httptest.NewRequest(method, path, nil)
	for i := 0; i < len(pairs); i += 2 {
		r.Header.Set(pairs[i], pairs[i+1])
	}
	return r
}

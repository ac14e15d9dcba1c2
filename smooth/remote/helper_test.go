package remote_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/internal/fmp4"
	"github.com/smoothkit/smoothkit/smooth"
	"github.com/smoothkit/smoothkit/smooth/remote"
	"github.com/smoothkit/smoothkit/smooth/smoothtest"
)

const second = smooth.DefaultTimescale

// quiet is a logger that says nothing.
func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

// direct is a transport that hands requests to a handler on the goroutine of the request, so that tests need no sockets
// and synctest sees them wait. It counts them by path.
type direct struct {
	http.Handler

	mu    sync.Mutex // guards the field below
	asked map[string]int
}

func newDirect(h http.Handler) *direct { return &direct{Handler: h, asked: make(map[string]int)} }

// RoundTrip implements [http.RoundTripper].
func (d *direct) RoundTrip(r *http.Request) (*http.Response, error) {
	d.mu.Lock()
	d.asked[r.URL.Path]++
	d.mu.Unlock()
	in := httptest.NewRequestWithContext(r.Context(), r.Method, r.URL.String(), nil)
	in.Header = r.Header
	w := httptest.NewRecorder()
	d.ServeHTTP(w, in)
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	resp := w.Result()
	resp.Request = r
	return resp, nil
}

// count returns how often paths with a suffix were asked for.
func (d *direct) count(suffix string) (n int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for path, times := range d.asked {
		if strings.HasSuffix(path, suffix) {
			n += times
		}
	}
	return n
}

// options returns options whose requests go to a handler.
func options(d *direct) *remote.Options {
	return &remote.Options{Client: &http.Client{Transport: d}, Logger: quiet()}
}

// newSource returns a source of what a handler serves below http://origin/video/.
func newSource(t testing.TB, d *direct, opts *remote.Options) *remote.Source {
	t.Helper()
	if opts == nil {
		opts = options(d)
	}
	s, err := remote.New("http://origin/video/", opts)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

// origin returns a transport to a handler of a source, mounted at /video.
func origin(src smooth.Source) *direct {
	return newDirect(http.StripPrefix("/video", smooth.NewHandler(src, &smooth.HandlerOptions{Logger: quiet()})))
}

// openNamed opens a presentation, which the test closes.
func openNamed(t testing.TB, s smooth.Source, name string) smooth.Presentation {
	t.Helper()
	p, err := s.Open(t.Context(), name)
	require.NoError(t, err)
	t.Cleanup(func() { p.Close() })
	return p
}

func snapshot(t testing.TB, p smooth.Presentation) *smooth.Snapshot {
	t.Helper()
	s, err := p.Snapshot(t.Context())
	require.NoError(t, err)
	return s
}

// line returns the timeline of a stream.
func line(t testing.TB, p smooth.Presentation, stream string) smooth.Timeline {
	t.Helper()
	st := snapshot(t, p).Manifest.Stream(stream)
	require.NotNil(t, st, stream)
	return st.Timeline
}

// fragment returns a fragment, which the test closes.
func fragment(t testing.TB, p smooth.Presentation, k smooth.FragmentKey) *smooth.Fragment {
	t.Helper()
	f, err := p.Fragment(t.Context(), k)
	require.NoError(t, err, "%+v", k)
	t.Cleanup(func() { f.Close() })
	return f
}

// whole returns the bytes of a fragment.
func whole(t testing.TB, f *smooth.Fragment) []byte {
	t.Helper()
	var b bytes.Buffer
	_, err := f.WriteTo(&b)
	require.NoError(t, err)
	return b.Bytes()
}

// keysOf returns the keys of all fragments that a snapshot lists.
func keysOf(s *smooth.Snapshot) (keys []smooth.FragmentKey) {
	for _, st := range s.Manifest.Streams {
		for _, l := range st.Levels {
			for _, c := range st.Timeline {
				keys = append(keys, smooth.FragmentKey{Stream: st.Name, Attrs: l.AttrsKey(), Bitrate: l.Bitrate, Time: c.Time})
			}
		}
	}
	return keys
}

// liveServer is a live origin as IIS is one: its manifest lists what has been announced, its fragments carry tfrf, and
// what is ahead of that is 412. The fragments are those of a presentation of smoothtest, of two seconds each.
type liveServer struct {
	p     *smoothtest.Presentation
	ahead int

	mu       sync.Mutex // guards the fields below
	from, to int        // the fragments that the manifest lists
	hide     int        // of them, the newest that a manifest from a cache does not list
	ended    bool
	broken   int // status of all answers, if it is not zero
	edit     func(m *smooth.Manifest)
	shift    uint64 // of all times, in ticks
}

const liveName = "event.isml"

func liveConfig() smoothtest.Config {
	return smoothtest.Config{Streams: []smoothtest.Stream{
		{Type: smooth.Video, Durations: smoothtest.Repeat(200, 2*second), Levels: []smoothtest.Level{{Bitrate: 1_200_000}, {Bitrate: 400_000}}},
		{Type: smooth.Audio, Durations: smoothtest.Repeat(200, 2*second), Levels: []smoothtest.Level{{Bitrate: 96_000}}},
	}}
}

func newLiveServer(listed int) *liveServer {
	return &liveServer{p: smoothtest.New(liveConfig()), ahead: 2, to: listed}
}

// set changes the server.
func (s *liveServer) set(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f()
}

// ServeHTTP implements [http.Handler].
func (s *liveServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	u := *r.URL
	u.Path = strings.TrimPrefix(u.Path, "/video")
	q, err := smooth.ParseRequest(&u)
	switch {
	case s.broken != 0:
		w.WriteHeader(s.broken)
	case err != nil || q.Presentation != liveName:
		http.NotFound(w, r)
	case q.Kind == smooth.ManifestRequest:
		s.manifest(w, r)
	default:
		s.fragment(w, r, q.Key)
	}
}

func (s *liveServer) manifest(w http.ResponseWriter, r *http.Request) {
	snap, _ := s.p.Snapshot(r.Context())
	m := snap.Manifest.Clone()
	m.IsLive, m.LookaheadCount, m.Duration = !s.ended, uint32(s.ahead), 0
	for _, st := range m.Streams {
		from := st.Timeline[s.from : s.to-s.hide]
		st.Timeline = nil
		for _, c := range from {
			st.Timeline = append(st.Timeline, smooth.Chunk{Time: c.Time + s.shift, Duration: c.Duration})
		}
	}
	if s.edit != nil {
		s.edit(m)
	}
	xml, err := m.AppendXML(nil, nil)
	if err != nil {
		panic(err)
	}
	w.Header().Set("Etag", fmt.Sprintf(`"%d-%d-%d-%d-%t-%t"`, s.from, s.to, s.hide, s.shift, s.ended, s.edit != nil))
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(xml))
}

func (s *liveServer) fragment(w http.ResponseWriter, r *http.Request, k smooth.FragmentKey) {
	n := int((k.Time - s.shift) / (2 * second))
	switch {
	case n < s.from:
		http.NotFound(w, r)
		return
	case n >= s.to:
		w.WriteHeader(http.StatusPreconditionFailed)
		return
	}
	b, err := s.liveFragment(r.Context(), k)
	if err != nil {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", `video/mp4;ChildTrack="ad=1200"`)
	_, _ = w.Write(b)
}

// liveFragment returns a fragment with tfrf, as it is sent.
func (s *liveServer) liveFragment(ctx context.Context, k smooth.FragmentKey) ([]byte, error) {
	at := k
	at.Time -= s.shift
	f, err := s.p.Fragment(ctx, at)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	head, _ := f.Header(smooth.Smooth)
	n := fmp4.MoofSize(head)
	live := fmp4.LiveHead{Sequence: 1, TrackID: 2, Time: k.Time, Duration: f.Duration}
	for i := range uint64(s.ahead) {
		if !s.ended {
			live.Next = append(live.Next, fmp4.FragmentSpan{Time: k.Time + (i+1)*f.Duration, Duration: f.Duration})
		}
	}
	b, err := live.AppendTo(nil, head[:n])
	if err != nil {
		return nil, err
	}
	b = append(b, head[n:]...)
	payload, err := f.Load(ctx, nil)
	return append(b, payload...), err
}

// sent returns a fragment as the server sends it.
func (s *liveServer) sent(t testing.TB, k smooth.FragmentKey) []byte {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	b, err := s.liveFragment(t.Context(), k)
	require.NoError(t, err)
	return b
}

// videoKey returns the key of a fragment of the first video level of [liveConfig].
func videoKey(n int) smooth.FragmentKey {
	return smooth.FragmentKey{Stream: "video", Bitrate: 1_200_000, Time: uint64(n) * 2 * second}
}

// textLogger returns a logger that writes lines of text.
func textLogger(b *bytes.Buffer) *slog.Logger { return slog.New(slog.NewTextHandler(b, nil)) }

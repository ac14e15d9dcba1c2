package smooth_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/smooth"
	"github.com/smoothkit/smoothkit/smooth/smoothtest"
)

// fakeOutput answers with the child URL that it would put into a playlist.
type fakeOutput struct {
	formats []string
	err     error
	late    bool // fails after it has written
}

func (o *fakeOutput) Formats() []string { return o.formats }

func (o *fakeOutput) Serve(w http.ResponseWriter, _ *http.Request, q *smooth.Request, _ smooth.Presentation) error {
	if o.err == nil || o.late {
		child := q.Child()
		child.Kind, child.Key, child.Format = smooth.FragmentRequest, videoKey(0), o.formats[0]
		w.Header().Set("Content-Type", "text/plain")
		_, _ = w.Write(q.AppendChild(nil, &child))
	}
	return o.err
}

func TestHandlerOutputs(t *testing.T) {
	first := &fakeOutput{formats: []string{"m3u8-aapl", "m3u8-CMAF"}}
	second := &fakeOutput{formats: []string{"m3u8-aapl", "other"}, err: smooth.ErrUnsupported}
	late := &fakeOutput{formats: []string{"late"}, err: errors.New("broken"), late: true}
	h, _ := newFakeHandler(t, quiet(&smooth.HandlerOptions{
		Outputs: []smooth.Output{first, second, late}, ChildQuery: []string{"token", "sig"},
	}))
	for _, tt := range []struct {
		target string
		status int
		body   string
	}{
		{"Manifest(format=m3u8-aapl).m3u8", 200, "QualityLevels(1200000)/Fragments(video=0,format=m3u8-aapl)"},
		{"Manifest(format=M3U8-Cmaf)", 200, "QualityLevels(1200000)/Fragments(video=0,format=m3u8-aapl)"},
		{"Manifest(format=m3u8-aapl,audio-only=false)?token=a%20b&x=1&sig=%3D", 200,
			"QualityLevels(1200000)/Fragments(video=0,format=m3u8-aapl,audio-only=false)?token=a%20b&sig=%3D"},
		{"QualityLevels(1200000)/Manifest(video,format=m3u8-aapl)?token=1", 200, "Fragments(video=0,format=m3u8-aapl)?token=1"},
		{"QualityLevels(96000)/Manifest(audio_eng,format=m3u8-aapl)", 200, "../QualityLevels(1200000)/Fragments(video=0,format=m3u8-aapl)"},
		{"QualityLevels(1200000)/Fragments(video=0,format=m3u8-aapl)?sig=\"x\"", 200, "Fragments(video=0,format=m3u8-aapl)"},
		{"Manifest(format=other)", 415, "unsupported media type\n"},
		{"Manifest(format=third)", 404, "not found\n"},
	} {
		u := mustURL(t, "/a.ism/"+tt.target)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, &http.Request{Method: "GET", URL: u, Header: http.Header{}})
		assert.Equal(t, tt.status, w.Code, tt.target)
		assert.Equal(t, tt.body, w.Body.String(), tt.target)
	}
	assert.EqualValues(t, 7, h.Stats().Converted)
	assert.PanicsWithValue(t, http.ErrAbortHandler, func() { do(h, "GET", "/a.ism/Manifest(format=late)") })
}

// streamingOutput sends a fragment's payload and flushes.
type streamingOutput struct{ from bool }

func (*streamingOutput) Formats() []string { return []string{"raw"} }

func (o *streamingOutput) Serve(w http.ResponseWriter, r *http.Request, q *smooth.Request, p smooth.Presentation) error {
	f, err := p.Fragment(r.Context(), q.Key)
	if err != nil {
		return err
	}
	defer f.Close()
	_, o.from = w.(io.ReaderFrom)
	if _, err := f.WritePayload(w); err != nil {
		return err
	}
	return http.NewResponseController(w).Flush()
}

func TestHandlerOutputStreams(t *testing.T) {
	o := &streamingOutput{}
	h, p := newFakeHandler(t, quiet(&smooth.HandlerOptions{Outputs: []smooth.Output{o}}))
	in := p.fragments[videoKey(0)]
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest("GET", "/a.ism/QualityLevels(1200000)/Fragments(video=0,format=raw)", nil))
	assert.Equal(t, string(in.Memory[in.HeadLen:]), w.Body.String())
	assert.True(t, w.Flushed)
	assert.True(t, o.from)
	assert.EqualValues(t, w.Body.Len(), h.Stats().Bytes)
	assert.Equal(t, 404, do(h, "GET", "/a.ism/QualityLevels(1200000)/Fragments(video=1,format=raw)").StatusCode)
	assert.Zero(t, p.open)
}

func TestHandlerChildQuery(t *testing.T) {
	h, p := newFakeHandler(t, &smooth.HandlerOptions{ChildQuery: []string{"token"}})
	plain := do(h, "GET", "/a.ism/Manifest?other=1", "Accept-Encoding: gzip")
	assert.Equal(t, "gzip", plain.Header.Get("Content-Encoding"))
	tags := map[string]bool{}
	for _, token := range []string{"abc", "a%26b&token=2", "x'y"} {
		resp := do(h, "GET", "/a.ism/Manifest?other=1&token="+token, "Accept-Encoding: gzip")
		assert.Empty(t, resp.Header.Get("Content-Encoding"))
		tags[resp.Header.Get("ETag")] = true
		m, err := smooth.ParseManifest([]byte(body(t, resp)))
		require.NoError(t, err)
		for i, s := range m.Streams {
			assert.Equal(t, p.snapshot.Manifest.Streams[i].URL+"?token="+token, s.URL)
		}
	}
	assert.Len(t, tags, 3, "entity tags per token")
	old := body(t, do(h, "GET", "/a.ism/Manifest(format=fmp4-v20)?token=1"))
	assert.Contains(t, old, "={start time})?token=1")
}

func TestHandlerCORS(t *testing.T) {
	preflight := []string{"Origin: https://a.example", "Access-Control-Request-Method: GET", "Access-Control-Request-Headers: range, x-y"}
	listed := &smooth.CORS{Origins: []string{"https://a.example"}, Credentials: true, Expose: []string{"X-Z"}, MaxAge: time.Minute}
	for _, tt := range []struct {
		name    string
		cors    *smooth.CORS
		method  string
		headers []string
		status  int
		want    map[string]string
	}{
		{"default", nil, "GET", nil, 200, map[string]string{
			"Access-Control-Allow-Origin": "*", "Access-Control-Expose-Headers": "Content-Length, Content-Range, Date, ETag, Last-Modified",
			"Vary": "", "Access-Control-Allow-Credentials": "",
		}},
		{"default preflight", nil, "OPTIONS", preflight, 204, map[string]string{
			"Access-Control-Allow-Origin": "*", "Access-Control-Allow-Methods": "GET, HEAD, OPTIONS", "Access-Control-Max-Age": "86400",
			"Access-Control-Allow-Headers": "range, x-y", "Allow": "GET, HEAD, OPTIONS",
		}},
		{"plain OPTIONS", nil, "OPTIONS", nil, 204, map[string]string{"Access-Control-Allow-Methods": "", "Allow": "GET, HEAD, OPTIONS"}},
		{"listed", listed, "GET", preflight[:1], 200, map[string]string{
			"Access-Control-Allow-Origin": "https://a.example", "Access-Control-Allow-Credentials": "true", "Vary": "Origin",
			"Access-Control-Expose-Headers": "Content-Length, Content-Range, Date, ETag, Last-Modified, X-Z",
		}},
		{"listed preflight", listed, "OPTIONS", preflight, 204, map[string]string{
			"Access-Control-Allow-Origin": "https://a.example", "Access-Control-Max-Age": "60", "Access-Control-Allow-Methods": "GET, HEAD, OPTIONS",
		}},
		{"other origin", listed, "GET", []string{"Origin: https://b.example"}, 200, map[string]string{
			"Access-Control-Allow-Origin": "", "Access-Control-Allow-Credentials": "", "Vary": "Origin",
		}},
		{"other origin's preflight", listed, "OPTIONS", []string{"Origin: https://b.example", preflight[1]}, 204, map[string]string{
			"Access-Control-Allow-Origin": "", "Access-Control-Allow-Methods": "",
		}},
		{"no origin", listed, "GET", nil, 200, map[string]string{"Access-Control-Allow-Origin": "", "Vary": "Origin"}},
		{"disabled", &smooth.CORS{Disabled: true}, "GET", preflight[:1], 200, map[string]string{
			"Access-Control-Allow-Origin": "", "Access-Control-Expose-Headers": "", "Vary": "",
		}},
		{"disabled preflight", &smooth.CORS{Disabled: true}, "OPTIONS", preflight, 405, map[string]string{"Allow": "GET, HEAD"}},
	} {
		h, _ := newFakeHandler(t, quiet(&smooth.HandlerOptions{CORS: tt.cors}))
		resp := do(h, tt.method, videoURL, tt.headers...)
		assert.Equal(t, tt.status, resp.StatusCode, tt.name)
		for key, value := range tt.want {
			assert.Equal(t, value, resp.Header.Get(key), "%s: %s", tt.name, key)
		}
	}
	h, p := newFakeHandler(t, quiet(nil))
	p.err[videoKey(20000000)] = smooth.ErrNotYet
	assert.Equal(t, "*", do(h, "GET", videoURL).Header.Get("Access-Control-Allow-Origin"), "scripts may see errors")
	h, _ = newFakeHandler(t, &smooth.HandlerOptions{CORS: listed})
	assert.Equal(t, []string{"Origin", "Accept-Encoding"}, do(h, "GET", "/a.ism/Manifest").Header["Vary"])
}

func TestHandlerPolicies(t *testing.T) {
	listed := &smooth.HandlerOptions{CORS: &smooth.CORS{Origins: []string{"https://a.example:8443", "http://b&c.example"}}}
	for _, tt := range []struct {
		opts   *smooth.HandlerOptions
		path   string
		status int
		want   []string
	}{
		{nil, "/clientaccesspolicy.xml", 200, []string{`<domain uri="*"/>`}},
		{nil, "/crossdomain.xml", 200, []string{`domain="*"`}},
		{listed, "/clientaccesspolicy.xml", 200, []string{`<domain uri="https://a.example:8443"/>`, "b&amp;c"}},
		{listed, "/crossdomain.xml", 200, []string{`domain="a.example"`, "b&amp;c"}},
		{&smooth.HandlerOptions{NoPolicies: true}, "/crossdomain.xml", 404, nil},
		{&smooth.HandlerOptions{CORS: &smooth.CORS{Disabled: true}}, "/clientaccesspolicy.xml", 404, nil},
	} {
		h, _ := newFakeHandler(t, tt.opts)
		resp := do(h, "GET", tt.path)
		require.Equal(t, tt.status, resp.StatusCode, tt.path)
		b := body(t, resp)
		for _, want := range tt.want {
			assert.Contains(t, b, want)
			assert.NoError(t, xml.Unmarshal([]byte(b), new(struct{})), b)
			assert.Equal(t, "text/xml; charset=utf-8", resp.Header.Get("Content-Type"))
		}
	}
}

// storedManifest is a presentation with an .ismc file and a composite manifest.
type storedManifest struct {
	*fakePresentation
	data []byte
	err  error
}

func (p *storedManifest) ManifestBytes(context.Context) ([]byte, error)  { return p.data, p.err }
func (p *storedManifest) CompositeBytes(context.Context) ([]byte, error) { return p.data, p.err }

func encodeUTF16(s string, order binary.AppendByteOrder) []byte {
	var b []byte
	for _, u := range utf16.Encode([]rune(s)) {
		b = order.AppendUint16(b, u)
	}
	return b
}

func TestHandlerStoredManifest(t *testing.T) {
	const text = `<?xml version="1.0" encoding="utf-16"?><SmoothStreamingMedia/>`
	for _, tt := range []struct {
		data []byte
		mime string
	}{
		{[]byte(text), "text/xml; charset=utf-8"},
		{[]byte("\ufeff" + text), "text/xml; charset=utf-8"},
		{encodeUTF16("\ufeff"+text, binary.LittleEndian), "text/xml; charset=utf-16"},
		{encodeUTF16("\ufeff"+text, binary.BigEndian), "text/xml; charset=utf-16"},
		{encodeUTF16(text, binary.LittleEndian), "text/xml; charset=utf-16le"},
		{encodeUTF16(text, binary.BigEndian), "text/xml; charset=utf-16be"},
		{[]byte("<?xml version='1.0' encoding = 'ISO-8859-1' ?><a/>"), "text/xml; charset=iso-8859-1"},
		{[]byte("<?xml version='1.0' encoding='x\r\ny'?><a/>"), "text/xml; charset=utf-8"},
		{[]byte("<?xml version='1.0' encoding='x"), "text/xml; charset=utf-8"},
		{[]byte("<?xml version='1.0' encoding"), "text/xml; charset=utf-8"},
		{[]byte("<a encoding='koi8-r'/>"), "text/xml; charset=utf-8"},
		{[]byte{}, "text/xml; charset=utf-8"},
	} {
		p := &storedManifest{newFake(t), tt.data, nil}
		h := smooth.NewHandler(&fakeSource{name: "a.ism", p: p}, &smooth.HandlerOptions{ChildQuery: []string{"token"}})
		resp := do(h, "GET", "/a.ism/Manifest")
		assert.Equal(t, string(tt.data), body(t, resp))
		assert.Equal(t, tt.mime, resp.Header.Get("Content-Type"))
		for _, target := range []string{"/a.ism/Manifest(format=fmp4-v20)", "/a.ism/Manifest(maxBitrate=1)", "/a.ism/Manifest?token=1"} {
			built := do(h, "GET", target)
			assert.Equal(t, 200, built.StatusCode, target)
			assert.Contains(t, body(t, built), "<SmoothStreamingMedia MajorVersion", target)
		}
	}
	stale := &storedManifest{newFake(t), nil, fmt.Errorf("stale: %w", smooth.ErrNotFound)}
	h := smooth.NewHandler(&fakeSource{name: "a.ism", p: stale}, quiet(nil))
	assert.Contains(t, body(t, do(h, "GET", "/a.ism/Manifest")), "<SmoothStreamingMedia MajorVersion")
	broken := &storedManifest{newFake(t), nil, smooth.ErrCorrupt}
	h = smooth.NewHandler(&fakeSource{name: "a.ism", p: broken}, quiet(nil))
	assert.Equal(t, 500, do(h, "GET", "/a.ism/Manifest").StatusCode)
}

func TestHandlerComposite(t *testing.T) {
	p := &storedManifest{newFake(t), []byte("<SmoothStreamingMedia><Clip/></SmoothStreamingMedia>"), nil}
	h := smooth.NewHandler(&fakeSource{name: "x/a.csm", p: p}, nil)
	resp := do(h, "GET", "/x/A.csm")
	assert.Equal(t, 404, resp.StatusCode)
	resp = do(h, "GET", "/x/a.csm?any=1")
	assert.Equal(t, 200, resp.StatusCode)
	assert.Equal(t, string(p.data), body(t, resp))
	assert.Equal(t, "text/xml; charset=utf-8", resp.Header.Get("Content-Type"))
}

func TestHandlerFilters(t *testing.T) {
	h := smooth.NewHandler(smoothtest.NewSource(), quiet(&smooth.HandlerOptions{
		Filters: map[string]smooth.Filter{"mobile": {Video: smooth.BitrateRange{Max: 500000}}},
	}))
	const base = "/sample/sample.ism/"
	tags := map[string]bool{}
	for options, levels := range map[string]int{"": 3, "(filter=mobile)": 1, "(maxBitrate=2000000)": 2, "(filter=mobile,format=fmp4-v20)": 1} {
		resp := do(h, "GET", base+"Manifest"+options)
		require.Equal(t, 200, resp.StatusCode, options)
		m, err := smooth.ParseManifest([]byte(body(t, resp)))
		require.NoError(t, err)
		assert.Len(t, m.Stream("video").Levels, levels, options)
		tags[resp.Header.Get("ETag")] = true
	}
	assert.Len(t, tags, 4)
	assert.Equal(t, 404, do(h, "GET", base+"Manifest(filter=nosuch)").StatusCode)
	assert.Equal(t, 400, do(h, "GET", base+"Manifest(maxBitrate=x)").StatusCode)
	assert.Equal(t, 200, do(h, "GET", base+"QualityLevels(3000000)/Fragments(video=0)").StatusCode)
	assert.Equal(t, 404, do(h, "GET", base+"QualityLevels(3000000)/Fragments(video=0,filter=mobile)").StatusCode)
}

// TestHandlerFileFragment sends fragments that are in a file, over HTTP/1.1, where the kernel can send them, and over
// HTTP/2, where it cannot.
func TestHandlerFileFragment(t *testing.T) {
	p := newFake(t)
	in := p.fragments[videoKey(20000000)]
	memory := in.Memory
	for _, stored := range []bool{true, false} {
		file, err := os.Create(filepath.Join(t.TempDir(), "v"))
		require.NoError(t, err)
		defer file.Close()
		_, err = file.Write(append([]byte("before"), memory...))
		require.NoError(t, err)
		in.Memory, in.Head, in.Body, in.Stored = nil, memory[:in.HeadLen], file, stored
		in.Offset, in.Size = int64(6+in.HeadLen), int64(len(memory)-in.HeadLen)
		p.fragments[videoKey(20000000)] = in
		for _, http2 := range []bool{false, true} {
			server := httptest.NewUnstartedServer(smooth.NewHandler(&fakeSource{name: "a.ism", p: p}, nil))
			server.EnableHTTP2 = http2
			if http2 {
				server.StartTLS()
			} else {
				server.Start()
			}
			assertNouns(t, server, memory, in.HeadLen)
			server.Close()
		}
	}
}

func assertNouns(t *testing.T, server *httptest.Server, memory []byte, head int) {
	t.Helper()
	payload := memory[head:]
	keys := append(bytes.Clone(payload[:100]), payload[200:300]...)
	for noun, want := range map[string][]byte{"Fragments": memory, "RawFragments": payload, "FragmentInfo": memory[:head-8], "KeyFrames": keys} {
		r, err := http.NewRequest("GET", server.URL+"/a.ism/QualityLevels(1200000)/"+noun+"(video=20000000)", nil)
		require.NoError(t, err)
		for _, ranged := range []string{"", "bytes=-50"} {
			r.Header.Set("Range", ranged)
			if ranged == "" {
				r.Header.Del("Range")
			}
			resp, err := server.Client().Do(r)
			require.NoError(t, err)
			b, err := io.ReadAll(resp.Body)
			resp.Body.Close()
			require.NoError(t, err)
			switch {
			case ranged != "":
				assert.Equal(t, want[len(want)-50:], b, noun)
			case noun == "KeyFrames":
				assert.True(t, bytes.HasSuffix(b, want), noun)
				assert.EqualValues(t, resp.ContentLength, len(b))
			default:
				assert.Equal(t, want, b, noun)
			}
		}
	}
}

// TestHandlerTruncatedFile checks that a file that ends early breaks the connection instead of ending the answer.
func TestHandlerTruncatedFile(t *testing.T) {
	p := newFake(t)
	in := p.fragments[videoKey(20000000)]
	in.Head, in.Body, in.Size = in.Memory[:in.HeadLen], strings.NewReader("short"), 400
	in.Memory = nil
	p.fragments[videoKey(20000000)] = in
	h := smooth.NewHandler(&fakeSource{name: "a.ism", p: p}, quiet(nil))
	for _, ranged := range []string{"", "bytes=0-"} {
		r := httptest.NewRequest("GET", videoURL, nil)
		if ranged != "" {
			r.Header.Set("Range", ranged)
		}
		assert.PanicsWithValue(t, http.ErrAbortHandler, func() { h.ServeHTTP(httptest.NewRecorder(), r) }, ranged)
	}
	assert.EqualValues(t, 2, h.Stats().Aborted)
	assert.Zero(t, p.open)
}

// FuzzHandler checks that no URL makes the handler fail or set a cookie.
func FuzzHandler(f *testing.F) {
	for _, seed := range []string{
		"/sample/sample.ism/Manifest", "/sample/sample.ism/Manifest(format=fmp4-v20,filter=x)?t=1-2&filter=systemBitrate<5",
		"/sample/sample.ism/QualityLevels(3000000)/KeyFrames(video=0)", "/crossdomain.xml",
		"/sample/sample.ism/QualityLevels(96000)/RawFragments(audio_eng=20000000,minBitrate=1)?vbegin=1",
	} {
		f.Add(seed, "bytes=0-1")
	}
	h := smooth.NewHandler(smoothtest.NewSource(), quiet(&smooth.HandlerOptions{TimeTolerance: 5, ChildQuery: []string{"t"}}))
	f.Fuzz(func(t *testing.T, target, ranged string) {
		r, err := http.NewRequest("GET", target, nil)
		if err != nil {
			return
		}
		r.Header.Set("Range", ranged)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code >= 500 || w.Header()["Set-Cookie"] != nil {
			t.Fatalf("%q answers %d %v", target, w.Code, w.Header())
		}
	})
}

package manage_test

import (
	"encoding/xml"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/livesmooth"
	"github.com/smoothkit/smoothkit/livesmooth/manage"
	"github.com/smoothkit/smoothkit/smooth"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// now is the time of all documents.
var now = time.Date(2011, 6, 13, 22, 8, 57, 44e6, time.UTC)

// allow is a hook that allows everything.
func allow(*http.Request, manage.Operation) error { return nil }

// byUser rules by the user name of basic authentication: nobody is a stranger, reader may read what is not secret,
// writer may do everything.
func byUser(r *http.Request, op manage.Operation) error {
	user, _, ok := r.BasicAuth()
	switch {
	case !ok:
		return fmt.Errorf("test: %w", manage.ErrUnauthenticated)
	case user == "writer", user == "reader" && op.Kind == manage.Read && !strings.HasPrefix(op.Point, "secret/"):
		return nil
	}
	return errors.New("not allowed")
}

// newHandler returns a handler of a fake server. Options may be nil.
func newHandler(t testing.TB, f *manage.Fake, opts *manage.Options) *manage.Handler {
	t.Helper()
	o := manage.Options{Authorize: allow}
	if opts != nil {
		o = *opts
	}
	o.Logger = slog.New(slog.DiscardHandler)
	o.Now = func() time.Time { return now }
	h, err := manage.NewFakeHandler(f, &o)
	require.NoError(t, err)
	return h
}

// bunny has the settings of the samples.
func bunny() *livesmooth.Settings {
	s := livesmooth.DefaultSettings()
	s.Title, s.Archive.Enabled = "Bunny", true
	return s
}

// full has every setting.
func full() *livesmooth.Settings {
	return &livesmooth.Settings{
		Title: `Tom & "Jerry" <live>`, Source: livesmooth.SourcePull, EstimatedDuration: 75*time.Minute + 30500*time.Millisecond,
		AutoStart: true, AutoRestart: true, Lookahead: 3,
		Archive: smooth.ArchiveSettings{Enabled: true, SegmentLength: 26 * time.Hour, Path: "archives", EventIDOnPath: true},
		Viewers: livesmooth.ViewerSettings{
			Enabled: true, WindowLength: 2 * time.Minute, LiveCacheLength: 90 * time.Second, ManifestVersion: "2.2",
		},
		Servers: livesmooth.ServerSettings{Enabled: true},
		PullFrom: []livesmooth.RemotePoint{
			{URL: "http://up:secret@origin.example/live/a.isml", Credential: "origin"}, {URL: "http://backup.example/live/a.isml"},
		},
		PushTo: []livesmooth.RemotePoint{{URL: "https://edge.example/a.isml"}},
		HLS: &livesmooth.HLSSettings{
			SegmentLength: 6 * time.Second, MaxBitrate: 3_000_000, AllowCaching: true, IncludeCodecs: true, Encrypt: true,
			Key: []byte("0123456789abcdef"),
		},
	}
}

// request makes a request; header pairs are alternately names and values.
func request(method, target, body string, header ...string) *http.Request {
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	for i := 0; i < len(header); i += 2 {
		r.Header.Add(header[i], header[i+1])
	}
	return r
}

// serve answers a request.
func serve(h http.Handler, r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// golden compares with a file.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		require.NoError(t, os.WriteFile(path, got, 0o644))
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, strings.ReplaceAll(string(want), "\r\n", "\n"), string(got), path)
}

// canonical returns XML with names resolved, attributes sorted, and without blanks between elements and comments.
func canonical(t testing.TB, data []byte) string {
	t.Helper()
	dec := xml.NewDecoder(strings.NewReader(string(data)))
	var b strings.Builder
	for {
		tok, err := dec.Token()
		if err == io.EOF {
			return b.String()
		}
		require.NoError(t, err)
		switch tok := tok.(type) {
		case xml.StartElement:
			var attrs []string
			for _, a := range tok.Attr {
				if a.Name.Local != "xmlns" {
					attrs = append(attrs, fmt.Sprintf(" %s=%q", a.Name.Local, a.Value))
				}
			}
			sort.Strings(attrs)
			fmt.Fprintf(&b, "<{%s}%s%s>\n", tok.Name.Space, tok.Name.Local, strings.Join(attrs, ""))
		case xml.EndElement:
			fmt.Fprintf(&b, "</%s>\n", tok.Name.Local)
		case xml.CharData:
			if s := strings.TrimSpace(string(tok)); s != "" {
				b.WriteString(s + "\n")
			}
		}
	}
}

// stateDocument is what clients send to change the state.
func stateDocument(state string) string {
	return `<?xml version="1.0" encoding="UTF-8"?><entry xmlns="http://www.w3.org/2005/Atom"><content type="application/xml">` +
		`<SmoothStreaming xmlns="http://schemas.microsoft.com/iis/media/2011/03/streaming/management"><State><Value>` +
		state + `</Value></State></SmoothStreaming></content></entry>`
}

// settingsDocument is an entry with settings whose elements are given.
func settingsDocument(elements string) string {
	return `<entry xmlns="http://www.w3.org/2005/Atom"><content type="application/xml">` +
		`<SmoothStreaming xmlns="http://schemas.microsoft.com/iis/media/2011/03/streaming/management"><Settings>` +
		elements + `</Settings></SmoothStreaming></content></entry>`
}

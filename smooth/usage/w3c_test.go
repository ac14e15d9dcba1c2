package usage_test

import (
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/smooth/usage"
)

var update = flag.Bool("update", false, "rewrite golden files")

// golden compares a text with a file in testdata.
func golden(t *testing.T, name, got string) {
	t.Helper()
	name = filepath.Join("testdata", name)
	if *update {
		require.NoError(t, os.MkdirAll("testdata", 0o755))
		require.NoError(t, os.WriteFile(name, []byte(got), 0o644))
	}
	want, err := os.ReadFile(name)
	require.NoError(t, err)
	assert.Equal(t, strings.ReplaceAll(string(want), "\r\n", "\n"), got)
}

func start() time.Time { return time.Date(2026, 11, 26, 10, 0, 0, 0, time.UTC) }

// record is a request with something in every field.
func record() *usage.Record {
	c, _ := usage.ParseCMCD(`br=300,sid="s 1"`)
	return &usage.Record{
		Start: start(), Duration: 1234 * time.Millisecond, FirstByte: 5 * time.Millisecond, Address: netip.MustParseAddr("192.0.2.77"),
		Local: netip.MustParseAddr("2001:db8::1"), User: "anna b", Method: "GET", Version: "HTTP/1.1", Host: "example.com:8080",
		Path: "/vod/a film.ism/QualityLevels(300000)/Fragments(video=20000000)", Query: "x=1&token=redacted", UserAgent: "player/1.0 (X11; Linux)",
		Referer: "https://example.com/watch?v=1", Range: "bytes=0-", Status: 206, Sent: 33000, Received: 7,
		Class: usage.Class{
			Stream: "/vod/a film.ism", Kind: usage.Segment, Protocol: usage.Smooth, Bitrate: 300000, MediaTime: 2500 * time.Millisecond, Timed: true,
		},
		Session: "0123456789abcdef", CMCD: c, HasCMCD: true, Cache: "HIT", Throttle: "rate=800000; burst=500000", Limit: "", Viewers: 3,
	}
}

// viewer is a session with something in every field.
func viewer() *usage.Session {
	return &usage.Session{
		ID: "0123456789abcdef0123456789abcdef", Player: "fedcba9876543210fedcba9876543210", PlayerSession: "s 1", Content: "film",
		Stream: "/vod/a film.ism", Protocol: usage.Smooth, TLS: true, Version: "HTTP/2.0", Host: "example.com", Path: "/vod/a film.ism/Manifest",
		Query: "x=1", Address: netip.MustParseAddr("192.0.2.77"), Local: netip.MustParseAddr("2001:db8::1"), User: "anna",
		UserAgent: "player/1.0 (X11; Linux)", Referer: "https://example.com/watch", Language: "de-DE", Started: start(),
		Last: start().Add(61*time.Second + time.Millisecond), Ended: start().Add(92 * time.Second), Requests: 40, Failed: 1, Sent: 1_000_000,
		Status: 210, FirstTime: 12500 * time.Millisecond, Timed: true, Bitrate: 300000, MaxBitrate: 600000, HasCMCD: true, Rate: 1.5, Starved: 2,
		Throughput: 5_000_000, Media: usage.Media{Duration: 90*time.Second + 1, Size: 5 << 20, AudioCodec: "AAC", VideoCodec: "H.264;HEVC",
			Name: "A film", Role: "ADVERTISEMENT", Path: "/srv/a film.ism"},
		Viewers: 7, CPU: 12.6,
	}
}

// newLog returns a log in a directory of its own, and its path.
func newLog(t *testing.T, opts usage.W3COptions) (*usage.W3C, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "logs", "access.log")
	if opts.Now == nil {
		opts.Now = start
	}
	opts.Logger = quiet()
	l, err := usage.NewW3C(path, &opts)
	require.NoError(t, err)
	t.Cleanup(func() { _ = l.Close() })
	return l, path
}

func read(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	return string(data)
}

func TestRequestLog(t *testing.T) {
	l, path := newLog(t, usage.W3COptions{})
	l.Request(record())
	l.Request(&usage.Record{Start: start().Add(time.Second), Method: "GET", Path: "/"})
	l.Session(viewer())
	require.NoError(t, l.Close())
	golden(t, "requests.log", read(t, path))
	assert.Equal(t, usage.LogState{Name: "access.log", Lines: 2}, l.State())
}

func TestSessionLog(t *testing.T) {
	l, path := newLog(t, usage.W3COptions{Sessions: true, Software: "mediaserver 1.0"})
	l.Session(viewer())
	live := &usage.Session{Stream: "/live/a.isml", Live: true, Started: start(), Last: start(), Status: 404, Player: "0123456789abcdef", CPU: -1}
	l.Session(live)
	l.Session(&usage.Session{Stream: "/film.mp4", Started: start(), Last: start(), Status: 200, FileSize: 77, Player: "0123456789abcdef",
		Version: "HTTP/3.0", Via: "1.1 proxy"})
	l.Request(record())
	require.NoError(t, l.Close())
	golden(t, "sessions.log", read(t, path))
	assert.Len(t, usage.SessionFields(), 52)
}

func TestAllFields(t *testing.T) {
	requests := append(usage.RequestFields(), "s-ip", "cs-version", "cs-host", "cs(Host)", "cs-username", "c-bytes", "x-time-to-first-byte",
		"x-aborted", "x-cmcd", "s-totalclients")
	l, path := newLog(t, usage.W3COptions{Fields: requests})
	l.Request(record())
	require.NoError(t, l.Close())
	sessions := append(usage.SessionFields(), "x-protocol", "x-bitrate", "x-max-bitrate", "x-requests", "x-failed", "x-player-session", "x-content")
	l2, path2 := newLog(t, usage.W3COptions{Fields: sessions, Sessions: true})
	l2.Session(viewer())
	require.NoError(t, l2.Close())
	golden(t, "fields.log", read(t, path)+read(t, path2))
	for _, o := range []usage.W3COptions{
		{Fields: []string{"date", "c-unheard-of"}}, {Fields: []string{}}, {Fields: []string{"x-kind"}, Sessions: true}, {Queue: -1}, {Rotation: 9},
	} {
		_, err := usage.NewW3C(filepath.Join(t.TempDir(), "a.log"), &o)
		assert.ErrorIs(t, err, usage.ErrOptions)
	}
}

func TestLocalTime(t *testing.T) {
	l, path := newLog(t, usage.W3COptions{LocalTime: true, Fields: []string{"date", "time"}})
	l.Request(record())
	require.NoError(t, l.Close())
	local := start().Local()
	assert.Contains(t, read(t, path), local.Format("#Remark: times are local, UTC-07:00\n"))
	assert.True(t, strings.HasSuffix(read(t, path), local.Format("\n2006-01-02 15:04:05\n")), read(t, path))
}

// hostile are values that try to end a line, or to be another one.
func hostile() []string {
	return []string{
		"a\nb", "a\r\n#Fields: x", "#Fields: x", " ", "\t", "a b", "\x00", "\x1b[31m", "\x7f", "\u0085", "\u2028", "\u202e", "\xff\xfe", "ä", "\U0001F600",
		"-", "%0A", "\xe2\x80", strings.Repeat("\n", 100_000), "\u00a0",
	}
}

func TestLogInjection(t *testing.T) {
	fields := []string{"cs(User-Agent)", "cs-uri-stem", "cs-uri-query", "cs(Referer)", "cs-method", "cs-host", "cs-user-name", "cs(Range)", "x-cache",
		"x-stream", "cs-version", "x-limit", "x-throttle", "x-session", "x-cmcd"}
	for _, v := range hostile() {
		l, path := newLog(t, usage.W3COptions{Fields: fields, Software: "a\nb"})
		r := record()
		r.UserAgent, r.Path, r.Query, r.Referer, r.Method, r.Host, r.User, r.Range = v, v, v, v, v, v, v, v
		r.Cache, r.Throttle, r.Limit, r.Session, r.Version, r.Class.Stream, r.CMCD.Session = v, v, v, v, v, v, v
		l.Request(r)
		require.NoError(t, l.Close())
		checkLines(t, read(t, path), len(fields), 1)
	}
	for _, v := range hostile() {
		l, path := newLog(t, usage.W3COptions{Sessions: true})
		s := viewer()
		s.UserAgent, s.Path, s.Query, s.Referer, s.Host, s.User, s.Stream, s.Language, s.ID, s.Player = v, v, v, v, v, v, v, v, v, "0123456789ab"
		s.Media = usage.Media{Name: v, Role: v, Path: v, AudioCodec: v, VideoCodec: v}
		l.Session(s)
		require.NoError(t, l.Close())
		checkLines(t, read(t, path), 52, 1)
	}
}

// checkLines checks that a log has lines with so many fields, and only what can be printed.
func checkLines(t *testing.T, text string, fields, lines int) {
	t.Helper()
	require.True(t, utf8.ValidString(text))
	require.True(t, strings.HasSuffix(text, "\n"))
	n := 0
	for _, line := range strings.Split(strings.TrimSuffix(text, "\n"), "\n") {
		for _, r := range line {
			require.True(t, unicode.IsPrint(r), "%q", r)
		}
		if strings.HasPrefix(line, "#") {
			continue
		}
		n++
		values := strings.Split(line, " ")
		require.Len(t, values, fields, "%.200q", line)
		require.NotContains(t, values, "")
	}
	require.Equal(t, lines, n)
	require.Equal(t, 5, strings.Count("\n"+text, "\n#"), "directives: those of the header only")
}

func FuzzLogLine(f *testing.F) {
	for _, s := range hostile()[:18] {
		f.Add(s)
	}
	path := filepath.Join(f.TempDir(), "a.log")
	f.Fuzz(func(t *testing.T, v string) {
		_ = os.Remove(path)
		l, err := usage.NewW3C(path, &usage.W3COptions{
			Now: start, Logger: quiet(), Fields: []string{"cs(User-Agent)", "cs-uri-stem", "cs-uri-query", "cs-host"},
		})
		require.NoError(t, err)
		l.Request(&usage.Record{UserAgent: v, Path: v, Query: v, Host: v})
		require.NoError(t, l.Close())
		checkLines(t, read(t, path), 4, 1)
	})
}

func ExampleNewW3C() {
	dir, err := os.MkdirTemp("", "usage")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "access.log")
	log, err := usage.NewW3C(path, &usage.W3COptions{Fields: []string{"cs-method", "cs-uri-stem", "sc-status", "sc-bytes", "x-kind"}})
	if err != nil {
		fmt.Println(err)
		return
	}
	rec, err := usage.New(&usage.Options{Logs: []usage.Log{log}})
	if err != nil {
		fmt.Println(err)
		return
	}
	h := rec.Handler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "hello") }))
	serve(h, get("/vod/film.ism/Manifest"))
	if err := rec.Close(); err != nil {
		fmt.Println(err)
		return
	}
	text, _ := os.ReadFile(path)
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	fmt.Println(strings.Join(lines[len(lines)-2:], "\n"))
	// Output:
	// #Fields: cs-method cs-uri-stem sc-status sc-bytes x-kind
	// GET /vod/film.ism/Manifest 200 5 manifest
}

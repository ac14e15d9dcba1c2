package usage_test

import (
	"compress/gzip"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
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
		l, err := usage.NewW3C(path, &usage.W3COptions{Now: start, Logger: quiet(), Fields: []string{"cs(User-Agent)", "cs-uri-stem", "cs-uri-query", "cs-host"}})
		require.NoError(t, err)
		l.Request(&usage.Record{UserAgent: v, Path: v, Query: v, Host: v})
		require.NoError(t, l.Close())
		checkLines(t, read(t, path), 4, 1)
	})
}

// logFiles returns the names in a log's directory.
func logFiles(t *testing.T, path string) []string {
	t.Helper()
	entries, err := os.ReadDir(filepath.Dir(path))
	require.NoError(t, err)
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	slices.Sort(names)
	return names
}

// settle lets the goroutines of a log do what there is to do in the second to come.
func settle() {
	time.Sleep(time.Second)
	synctest.Wait()
}

// sleepUntil sleeps until a time.
func sleepUntil(at time.Time) {
	time.Sleep(time.Until(at))
	synctest.Wait()
}

func TestRotationByDay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // which begins at midnight of 2000-01-01 UTC
		l, path := newLog(t, usage.W3COptions{Fields: []string{"date", "time"}, Now: time.Now})
		for range 3 {
			settle()
			l.Request(&usage.Record{Start: time.Now()})
			settle()
			sleepUntil(time.Now().Truncate(24 * time.Hour).Add(24 * time.Hour))
		}
		l.Request(&usage.Record{Start: time.Now()})
		require.NoError(t, l.Close())
		assert.Equal(t, []string{"access-20000101-000000.log", "access-20000102-000000.log", "access-20000103-000000.log", "access.log"},
			logFiles(t, path))
		assert.Equal(t, "#Software: smoothkit\n#Version: 1.0\n#Date: 2000-01-02 00:00:00\n#Remark: times are UTC\n#Fields: date time\n"+
			"2000-01-02 00:00:01\n", read(t, filepath.Join(filepath.Dir(path), "access-20000102-000000.log")))
	})
}

func TestRotationByHour(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, path := newLog(t, usage.W3COptions{Rotation: usage.Hourly, Now: time.Now, Keep: 2})
		for range 5 {
			l.Request(record())
			time.Sleep(time.Hour)
			synctest.Wait()
		}
		require.NoError(t, l.Close())
		assert.Equal(t, []string{"access-20000101-030000.log", "access-20000101-040000.log", "access.log"}, logFiles(t, path), "two old ones are kept")
	})
}

func TestRotationBySize(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, path := newLog(t, usage.W3COptions{Rotation: usage.BySize, MaxSize: 1000, Now: start, Gzip: true})
		other := filepath.Join(filepath.Dir(path), "access-notes.log")
		require.NoError(t, os.WriteFile(other, []byte("mine"), 0o600))
		for range 10 {
			l.Request(record())
			settle()
		}
		require.NoError(t, l.Close())
		names := logFiles(t, path)
		assert.Contains(t, names, "access-20261126-100000.log.gz")
		assert.Contains(t, names, "access-20261126-100000-2.log.gz", "two of the same second")
		assert.Contains(t, names, "access-notes.log", "files of others stay")
		lines := 0
		for _, name := range names {
			if text, ok := unzip(t, filepath.Join(filepath.Dir(path), name)); ok {
				assert.True(t, strings.HasPrefix(text, "#Software"), name)
				lines += strings.Count(text, "\n2026-11-26")
			}
		}
		assert.Equal(t, 10, lines+strings.Count(read(t, path), "\n2026-11-26"), "no line is lost")
		assert.Equal(t, int64(10), l.State().Lines)
	})
}

// unzip returns what is in a compressed file, or false for another one.
func unzip(t *testing.T, name string) (string, bool) {
	t.Helper()
	if !strings.HasSuffix(name, ".gz") {
		return "", false
	}
	f, err := os.Open(name)
	require.NoError(t, err)
	defer f.Close()
	z, err := gzip.NewReader(f)
	require.NoError(t, err)
	data, err := io.ReadAll(z)
	require.NoError(t, err)
	return string(data), true
}

func TestOldLogsByAge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, path := newLog(t, usage.W3COptions{Now: time.Now, KeepAge: 48 * time.Hour, Keep: -1})
		old := filepath.Join(filepath.Dir(path), "access-19990101-000000.log")
		young := filepath.Join(filepath.Dir(path), "access-19991231-000000.log.gz")
		for name, age := range map[string]time.Duration{old: 100 * time.Hour, young: 10 * time.Hour} {
			require.NoError(t, os.WriteFile(name, nil, 0o600))
			require.NoError(t, os.Chtimes(name, time.Time{}, time.Now().Add(-age)))
		}
		time.Sleep(24 * time.Hour)
		synctest.Wait()
		require.NoError(t, l.Close())
		names := logFiles(t, path)
		assert.NotContains(t, names, filepath.Base(old))
		assert.Contains(t, names, filepath.Base(young))
	})
}

func TestGoesOnWithFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.log")
	require.NoError(t, os.WriteFile(path, []byte("#Software: x\nhalf a li"), 0o600))
	require.NoError(t, os.Chtimes(path, start(), start().Add(-time.Hour)))
	opts := &usage.W3COptions{Now: start, Fields: []string{"time"}}
	l, err := usage.NewW3C(path, opts)
	require.NoError(t, err)
	l.Request(record())
	require.NoError(t, l.Close())
	assert.True(t, strings.HasPrefix(read(t, path), "#Software: x\nhalf a li\n#Software: smoothkit\n"), "a torn line is ended")
	require.NoError(t, os.Chtimes(path, start(), start().Add(-24*time.Hour)))
	l, err = usage.NewW3C(path, opts)
	require.NoError(t, err)
	require.NoError(t, l.Close())
	assert.Equal(t, []string{"a-20261125-100000.log", "a.log"}, logFiles(t, path), "one of the day before is made an old one")
}

func TestReopen(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("an open file cannot be renamed there")
	}
	l, path := newLog(t, usage.W3COptions{Fields: []string{"time"}})
	l.Request(record())
	require.NoError(t, os.Rename(path, path+".1"))
	require.NoError(t, l.Reopen())
	l.Request(record())
	require.NoError(t, l.Close())
	for _, name := range []string{path, path + ".1"} {
		checkLines(t, read(t, name), 1, 1)
	}
	assert.ErrorIs(t, l.Reopen(), usage.ErrClosed)
}

func TestFullQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, path := newLog(t, usage.W3COptions{Queue: 300})
		for range 5 {
			l.Request(record())
		}
		settle()
		assert.Equal(t, usage.LogState{Name: "access.log", Lines: 0, Dropped: 5}, l.State(), "a line is longer than that")
		require.NoError(t, l.Close())
		l2, path2 := newLog(t, usage.W3COptions{Queue: 1000})
		for range 5 {
			l2.Request(record())
		}
		settle()
		s := l2.State()
		assert.Positive(t, s.Lines)
		assert.Positive(t, s.Dropped)
		assert.Equal(t, int64(5), s.Lines+s.Dropped)
		l2.Request(record())
		settle()
		assert.Equal(t, s.Lines+1, l2.State().Lines, "there is room again")
		require.NoError(t, l2.Close())
		l2.Request(record())
		assert.Equal(t, s.Dropped+1, l2.State().Dropped, "closed")
		assert.NotContains(t, read(t, path), "Fragments")
		checkLines(t, read(t, path2), len(usage.RequestFields()), int(s.Lines+1))
	})
}

func TestFullDisk(t *testing.T) {
	if _, err := os.Stat("/dev/full"); err != nil {
		t.Skip("no /dev/full")
	}
	synctest.Test(t, func(t *testing.T) {
		l, err := usage.NewW3C("/dev/full", &usage.W3COptions{Rotation: usage.BySize, Now: start, Logger: quiet()})
		require.NoError(t, err, "the server starts all the same")
		r, _ := newRecorder(t, usage.Options{Logs: []usage.Log{l}})
		resp := serve(r.Handler(answer(200, 5)), get("/a.mp4"))
		assert.Equal(t, 200, resp.StatusCode)
		settle()
		settle()
		assert.Error(t, l.State().Err)
		assert.Equal(t, int64(1), l.State().Dropped)
		events := r.Events()
		require.Len(t, events, 1)
		assert.Equal(t, usage.DiskFull, events[0].Kind)
		assert.Equal(t, "full", events[0].Subject)
		assert.Error(t, r.SetLogs(), "it could not be written")
	})
}

func TestLogThatCannotBeOpened(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(path, nil, 0o600))
	_, err := usage.NewW3C(filepath.Join(path, "a.log"), nil)
	assert.Error(t, err)
	_, err = usage.NewW3C("", nil)
	assert.ErrorIs(t, err, usage.ErrOptions)
}

func TestConcurrentLog(t *testing.T) {
	l, path := newLog(t, usage.W3COptions{MaxSize: 100_000, Keep: -1, Rotation: usage.BySize})
	done := make(chan struct{})
	for range 4 {
		go func() {
			for range 500 {
				l.Request(record())
			}
			done <- struct{}{}
		}()
	}
	for range 4 {
		<-done
	}
	require.NoError(t, l.Close())
	s := l.State()
	assert.Equal(t, int64(2000), s.Lines+s.Dropped)
	lines := 0
	for _, name := range logFiles(t, path) {
		lines += strings.Count(read(t, filepath.Join(filepath.Dir(path), name)), "\n2026-11-26")
	}
	assert.Equal(t, s.Lines, int64(lines))
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

package usage_test

import (
	"compress/gzip"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/smooth/usage"
)

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
		assert.Equal(t, []string{"access-20000101-000002.log", "access-20000102-000000.log", "access-20000103-000000.log", "access.log"},
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
		l.Request(record())
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
	l.Request(record())
	require.NoError(t, l.Close())
	assert.Equal(t, []string{"a-20261125-100000.log", "a.log"}, logFiles(t, path), "one of the day before is made an old one")
}

func TestReopen(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("an open file cannot be renamed there")
	}
	l, path := newLog(t, usage.W3COptions{Fields: []string{"time"}})
	l.Request(record())
	require.NoError(t, l.Reopen())
	require.NoError(t, os.Rename(path, path+".1"))
	require.NoError(t, l.Reopen())
	l.Request(record())
	require.NoError(t, l.Close())
	for _, name := range []string{path, path + ".1"} {
		assert.Equal(t, 1, checkColumns(t, read(t, name)), name)
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

func TestOldLogsInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, path := newLog(t, usage.W3COptions{Rotation: usage.BySize, MaxSize: 105, Keep: 3, Fields: []string{"time"}})
		for range 13 { // each in a file of its own, all of the same second
			l.Request(record())
			settle()
		}
		settle()
		require.NoError(t, l.Close())
		stamp := "access-20261126-100000-"
		assert.Equal(t, []string{stamp + "11.log", stamp + "12.log", stamp + "13.log", "access.log"}, logFiles(t, path), "the latest are kept")
	})
}

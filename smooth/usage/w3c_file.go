package usage

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// logFile is the file that is being written. It is for one goroutine.
type logFile struct {
	f      *os.File // nil while it cannot be opened
	size   int64
	begun  time.Time
	torn   bool      // ends in the middle of a line
	failed time.Time // when it could not be renamed
}

// stampFormat is the time in the names of old files.
const stampFormat = "20060102-150405"

// tryFile reports why the file cannot be written, and creates it.
func (l *W3C) tryFile() error {
	if err := os.MkdirAll(filepath.Dir(l.path), 0o755); err != nil {
		return fmt.Errorf("usage: log: %w", err)
	}
	f, err := os.OpenFile(l.path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o640)
	if err == nil {
		err = f.Close()
	}
	if err != nil {
		return fmt.Errorf("usage: log: %w", err)
	}
	return nil
}

// openFile opens the file. One of an earlier period is made an old one first. A header is written if the file is empty, or
// always.
func (l *W3C) openFile(now time.Time, always bool) error {
	l.awaitPrior()
	if err := os.MkdirAll(filepath.Dir(l.path), 0o755); err != nil {
		return fmt.Errorf("usage: log: %w", err)
	}
	if info, err := os.Stat(l.path); err == nil && info.Size() > 0 && l.over(info.ModTime(), info.Size(), now) {
		if err := l.rename(info.ModTime()); err != nil {
			return err
		}
	}
	f, err := os.OpenFile(l.path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o640)
	if err != nil {
		return fmt.Errorf("usage: log: %w", err)
	}
	info, err := f.Stat()
	if err != nil {
		f.Close()
		return fmt.Errorf("usage: log: %w", err)
	}
	l.file = logFile{f: f, size: info.Size(), begun: now, failed: l.file.failed}
	if !l.used {
		l.used = true
		l.wakeTidy() // there may be old files of an earlier process
	}
	if l.file.size > 0 {
		l.file.begun, l.file.torn = info.ModTime(), !endsLine(l.path, l.file.size)
	}
	if l.file.size > 0 && always {
		return l.append(l.header(now))
	}
	return l.append(nil)
}

// endsLine reports whether a file ends with a line, rather than in the middle of one that a process could not finish.
func endsLine(name string, size int64) bool {
	f, err := os.Open(name)
	if err != nil {
		return false
	}
	defer f.Close()
	var last [1]byte
	_, err = f.ReadAt(last[:], size-1)
	return err == nil && last[0] == '\n'
}

// over reports whether a file that was begun at a time, or last written then, makes way for a new one.
func (l *W3C) over(begun time.Time, size int64, now time.Time) bool {
	if l.opts.MaxSize > 0 && size >= l.opts.MaxSize {
		return true
	}
	return !l.period(begun).Equal(l.period(now)) && now.After(begun)
}

// period returns the beginning of the day or hour of a time.
func (l *W3C) period(t time.Time) time.Time {
	t = t.In(l.zone)
	switch l.opts.Rotation {
	case Daily:
		return time.Date(t.Year(), t.Month(), t.Day(), 0, 0, 0, 0, l.zone)
	case Hourly:
		return t.Truncate(time.Hour) // in zones that are half an hour apart it is half past
	}
	return time.Time{}
}

// rename makes the file an old one.
func (l *W3C) rename(begun time.Time) error {
	ext := filepath.Ext(l.path)
	base := strings.TrimSuffix(l.path, ext) + "-" + begun.In(l.zone).Format(stampFormat)
	n := 1
	if base == l.oldBase {
		n = l.oldNumber + 1 // also where the ones before were removed, so that names tell the order
	}
	name := numbered(base, n, ext)
	for ; exists(name) || exists(name+".gz"); name = numbered(base, n, ext) {
		n++
	}
	l.oldBase, l.oldNumber = base, n
	if err := os.Rename(l.path, name); err != nil {
		return fmt.Errorf("usage: log: %w", err)
	}
	l.wakeTidy()
	return nil
}

// wakeTidy tells that there are old files.
func (l *W3C) wakeTidy() {
	select {
	case l.tidy <- struct{}{}:
	default:
	}
}

// numbered returns the name of the nth old file of the same second.
func numbered(base string, n int, ext string) string {
	if n == 1 {
		return base + ext
	}
	return base + "-" + strconv.Itoa(n) + ext
}

func exists(name string) bool {
	_, err := os.Lstat(name)
	return err == nil
}

// retryRename is how long after a failure a file is tried to be renamed again.
const retryRename = time.Minute

// rotate begins a new file if it is time. If the old one cannot be renamed, as on Windows while somebody reads it, it goes on.
func (l *W3C) rotate(now time.Time) error {
	f := &l.file
	if !l.over(f.begun, f.size, now) || now.Sub(f.failed) < retryRename {
		return nil
	}
	begun := f.begun
	l.closeFile()
	if err := l.rename(begun); err != nil && !errors.Is(err, fs.ErrNotExist) {
		l.opts.Logger.Warn("log is not rotated", slog.String("name", l.state.Name), slog.Any("err", err))
		f.failed = now
		return l.openSame(begun)
	}
	return l.openFile(now, true)
}

// openSame goes on with a file that cannot be renamed.
func (l *W3C) openSame(begun time.Time) error {
	f, err := os.OpenFile(l.path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o640)
	if err != nil {
		return fmt.Errorf("usage: log: %w", err)
	}
	size := int64(0)
	if info, err := f.Stat(); err == nil {
		size = info.Size()
	}
	l.file = logFile{f: f, size: size, begun: begun, torn: l.file.torn, failed: l.file.failed}
	return nil
}

// writeLines writes lines, in a new file if it is time for one.
func (l *W3C) writeLines(lines []byte) error {
	now := l.opts.Now()
	if l.file.f == nil {
		if !l.used && len(lines) == 0 {
			return nil
		}
		if err := l.openFile(now, !l.used); err != nil {
			return err
		}
	}
	if err := l.rotate(now); err != nil {
		return err
	}
	return l.append(lines)
}

// append writes whole lines, after the header if the file is empty. After a failure other than a full disk the file is closed,
// and opened again next time.
func (l *W3C) append(lines []byte) error {
	f := &l.file
	if f.size == 0 {
		lines = append(l.header(l.opts.Now()), lines...)
	}
	if len(lines) == 0 {
		return nil
	}
	if f.torn {
		lines = append([]byte{'\n'}, lines...)
	}
	n, err := f.f.Write(lines)
	f.size += int64(n)
	if n > 0 {
		f.torn = lines[n-1] != '\n'
	}
	if err == nil {
		return nil
	}
	if f.torn && f.f.Truncate(f.size-int64(n)) == nil {
		f.size, f.torn = f.size-int64(n), false
	}
	if !isDiskFull(err) {
		l.closeFile()
	}
	return fmt.Errorf("usage: log: %w", err)
}

func (l *W3C) closeFile() {
	if l.file.f != nil {
		l.file.f.Close()
		l.file.f = nil
	}
}

// openAgain is Reopen on the writer's goroutine.
func (l *W3C) openAgain() error {
	l.closeFile()
	err := l.openFile(l.opts.Now(), true)
	l.mu.Lock()
	l.state.Err = err
	l.mu.Unlock()
	return err
}

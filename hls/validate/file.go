package validate

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	base "github.com/smoothkit/smoothkit/smooth/validate"
)

// fileRoot is the URL that stands for the root of a file system.
const fileRoot = "http://files.invalid/"

// masterName is the file through which a directory is checked.
const masterName = "master.m3u8"

// FS checks a presentation as files: name is the path of its master playlist or of a media playlist. What the playlists
// name is read from fsys; URLs of servers are not followed, and are reported. The error says that the playlist cannot
// be opened.
func FS(ctx context.Context, fsys fs.FS, name string, opts *Options) (*Report, error) {
	if _, err := fs.Stat(fsys, name); err != nil {
		return nil, fmt.Errorf("validate: %w", err)
	}
	o := opts.withDefaults()
	o.Client = base.HandlerClient(&fileHandler{fsys, max(o.MaxSegmentSize, MaxPlaylistSize)})
	o.Reloads = 0
	return check(ctx, fileRoot+(&url.URL{Path: name}).EscapedPath(), o, fileRoot)
}

// fileHandler serves a file system as the checks need it: whole files and ranges.
type fileHandler struct {
	fsys  fs.FS
	limit int64
}

// ServeHTTP implements [http.Handler].
func (h *fileHandler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	name := strings.TrimPrefix(path.Clean(r.URL.Path), "/")
	if r.Host != strings.Trim(fileRoot[len("http://"):], "/") {
		http.Error(w, "not in this file system", http.StatusNotFound)
		return
	}
	f, err := h.fsys.Open(name)
	if err != nil {
		http.Error(w, err.Error(), http.StatusNotFound)
		return
	}
	defer f.Close()
	w.Header().Set("Content-Type", "application/octet-stream")
	if s, ok := f.(io.ReadSeeker); ok {
		http.ServeContent(w, r, "", time.Time{}, s)
		return
	}
	data, err := io.ReadAll(io.LimitReader(f, h.limit+1))
	if err != nil {
		http.Error(w, err.Error(), http.StatusNotFound)
		return
	}
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(data))
}

// File checks a file by its content: a playlist with everything it names (see [FS]), or a single segment (see [Bytes]).
// A directory is checked through the master.m3u8 in it. The error is one of reading, or says that the file is neither.
func File(ctx context.Context, name string, opts *Options) (*Report, error) {
	if info, err := os.Stat(name); err == nil && info.IsDir() {
		name = filepath.Join(name, masterName)
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, fmt.Errorf("validate: %w", err)
	}
	defer f.Close()
	head := make([]byte, 512)
	n, err := io.ReadFull(f, head)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, fmt.Errorf("validate: %w", err)
	}
	if IsPlaylist(head[:n]) || isPlaylistName(name) {
		dir, file := filepath.Split(filepath.Clean(name))
		if dir == "" {
			dir = "."
		}
		return FS(ctx, os.DirFS(dir), file, opts)
	}
	limit := opts.withDefaults().MaxSegmentSize
	data, err := io.ReadAll(io.NewSectionReader(f, 0, limit+1))
	if err != nil {
		return nil, fmt.Errorf("validate: %w", err)
	}
	if int64(len(data)) > limit {
		return nil, fmt.Errorf("validate: %s has more than %d bytes", name, limit)
	}
	return Bytes(name, data, opts)
}

// IsPlaylist reports whether data begins like a playlist, with #EXTM3U.
func IsPlaylist(data []byte) bool {
	return bytes.HasPrefix(bytes.TrimPrefix(data, byteOrderMark), []byte("#EXTM3U"))
}

// IsURL reports whether a URL is likely to be that of a playlist: its path ends in .m3u8 or .m3u, or it asks a
// streaming server for format=m3u8.
func IsURL(target string) bool {
	u, err := url.Parse(target)
	if err != nil {
		return false
	}
	whole := strings.ToLower(u.Path + "?" + u.RawQuery)
	return isPlaylistName(u.Path) || strings.Contains(whole, "format=m3u8")
}

// IsFile reports whether a file is one for [File], by its extension or by what it begins with: a playlist, a transport
// stream, packed audio or WebVTT; also a directory that holds a master.m3u8. Fragmented MP4 on its own is as likely
// Smooth Streaming, and is none.
func IsFile(name string) bool {
	if info, err := os.Stat(name); err == nil && info.IsDir() {
		_, err := os.Stat(filepath.Join(name, masterName))
		return err == nil
	}
	ext := strings.ToLower(filepath.Ext(name))
	if isPlaylistName(name) || ext == ".ts" || ext == ".vtt" {
		return true
	}
	f, err := os.Open(name)
	if err != nil {
		return false
	}
	defer f.Close()
	head := make([]byte, 512)
	n, err := io.ReadFull(f, head)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
		return false
	}
	head = head[:n]
	kind := formatOf(head)
	return IsPlaylist(head) || kind != formatUnknown && kind != formatFragment
}

// isPlaylistName reports the extensions of playlists.
func isPlaylistName(name string) bool {
	ext := strings.ToLower(filepath.Ext(name))
	return ext == ".m3u8" || ext == ".m3u"
}

// Bytes checks a single playlist, without what it names, or a single segment in the clear: a transport stream, packed
// audio, WebVTT, or MP4 that begins with its init segment. The name is for the report. The error says that data is none
// of these.
func Bytes(name string, data []byte, opts *Options) (*Report, error) {
	o := opts.withDefaults()
	rec := newRecorder(o.MaxPerRule)
	if IsPlaylist(data) || isPlaylistName(name) {
		checkPlaylist(rec, o, name, data, origin{})
		return rec.Report(), nil
	}
	want := expect{name: name, profile: o.Profile}
	switch formatOf(data) {
	case formatUnknown:
		return nil, fmt.Errorf("validate: %s is neither a playlist nor a segment", name)
	case formatFragment:
		cut := initSize(data)
		if cut > 0 {
			want.init = checkInit(rec, data[:cut], want)
		}
		if data = data[cut:]; len(data) == 0 || cut > 0 && want.init == nil {
			return rec.Report(), nil
		}
		want.offset = int64(cut)
	}
	checkSegment(rec, data, want, newTSState())
	return rec.Report(), nil
}

// initSize returns the bytes of data up to the end of the moov box, or 0 if there is none.
func initSize(data []byte) int {
	boxes, _ := splitBoxes(data, 0)
	for _, b := range boxes {
		if b.typ == "moov" {
			return int(b.offset) + b.size()
		}
	}
	return 0
}

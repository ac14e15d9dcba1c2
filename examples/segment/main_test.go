package main

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/smoothkit/smoothkit/hls"
	"github.com/smoothkit/smoothkit/smooth/smoothtest"
)

const media = "../../internal/testmedia/media/"

// TestMain lets the test binary stand in for the program, so that a test can kill it.
func TestMain(m *testing.M) {
	if os.Getenv("SEGMENT_ARGS") != "" {
		os.Args = append(os.Args[:1], strings.Split(os.Getenv("SEGMENT_ARGS"), "\n")...)
		main()
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// files returns the names and contents of all files below a directory.
func files(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := make(map[string]string)
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		rel, _ := filepath.Rel(dir, path)
		data, err := os.ReadFile(path)
		all[filepath.ToSlash(rel)] = string(data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func segment(t *testing.T, args ...string) (stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	if err := run(context.Background(), args, &out, &errs); err != nil {
		t.Fatalf("%q: %v", args, err)
	}
	return out.String(), errs.String()
}

func TestSegment(t *testing.T) {
	dir := t.TempDir()
	out, errs := segment(t, "-in", media+"low.mp4", "-in", media+"high.mp4", "-in", media+"german.m4a", "-out", dir, "-duration", "2s")
	if want := filepath.Join(dir, "master.m3u8") + ": 12 segments made, 0 there before"; !strings.HasPrefix(out, want) {
		t.Errorf("got %q, want %q", out, want)
	}
	if want := "left out: high: stream audio: an earlier input has that language\n"; errs != want {
		t.Errorf("got %q, want %q", errs, want)
	}
	got := files(t, dir)
	for _, name := range []string{"low/index.m3u8", "high/00002.ts", "audio/de/00000.ts", "high/iframes.m3u8"} {
		if got[name] == "" {
			t.Errorf("%s is missing", name)
		}
	}
	if out, _ = segment(t, "-in", media+"low.mp4", "-in", media+"high.mp4", "-in", media+"german.m4a", "-out", dir, "-duration", "2s"); !strings.Contains(out, " 0 segments made, 12 there") {
		t.Errorf("a second run: %q", out)
	}
}

func TestSegmentDirectory(t *testing.T) {
	sample := filepath.Join(t.TempDir(), "sample")
	if err := os.CopyFS(sample, smoothtest.Sample()); err != nil {
		t.Fatal(err)
	}
	var want map[string]string
	for _, in := range []string{sample, filepath.Join(sample, "sample.ism")} {
		dir := t.TempDir()
		segment(t, "-in", in, "-out", dir, "-format", "fmp4", "-separate", "-audio-only")
		got := files(t, dir)
		if want == nil {
			want = got
		}
		if len(got) < 40 || len(got) != len(want) || got["master.m3u8"] != want["master.m3u8"] {
			t.Errorf("%s: %d files", in, len(got))
		}
	}
	movies := filepath.Join(t.TempDir(), "movies")
	for _, name := range []string{"low.mp4", "high.mp4"} {
		data, err := os.ReadFile(media + name)
		if err != nil {
			t.Fatal(err)
		}
		os.Mkdir(movies, 0o777)
		if err := os.WriteFile(filepath.Join(movies, name), data, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	dir := t.TempDir()
	segment(t, "-in", movies, "-out", dir, "-muxed")
	if n := strings.Count(files(t, dir)["master.m3u8"], "#EXT-X-STREAM-INF"); n != 2 {
		t.Errorf("%d variants of a directory of two files", n)
	}
}

func TestSegmentKeys(t *testing.T) {
	dir, keys := t.TempDir(), t.TempDir()
	raw, text := filepath.Join(keys, "raw"), filepath.Join(keys, "text")
	key := "0123456789abcdef"
	os.WriteFile(raw, []byte(key), 0o666)
	os.WriteFile(text, []byte("30313233343536373839616263646566\n"), 0o666)
	segment(t, "-in", media+"low.mp4", "-out", dir, "-key-file", raw, "-key-uri", "https://example.com/k")
	first := files(t, dir)
	if !strings.Contains(first["low/index.m3u8"], `URI="https://example.com/k"`) {
		t.Error(first["low/index.m3u8"])
	}
	for name, data := range first {
		if strings.Contains(data, key) {
			t.Errorf("%s contains the key", name)
		}
	}
	if out, _ := segment(t, "-in", media+"low.mp4", "-out", dir, "-key-file", text, "-key-uri", "https://example.com/k"); !strings.Contains(out, " 0 segments made") {
		t.Errorf("the same key as text: %q", out)
	}
	segment(t, "-in", media+"low.mp4", "-out", dir, "-key-file", raw, "-write-key", "-method", "sample-aes")
	if got := files(t, dir)["keys/low-0.key"]; got != key {
		t.Errorf("key %q", got)
	}
}

func TestSegmentErrors(t *testing.T) {
	dir := t.TempDir()
	two := t.TempDir()
	os.WriteFile(filepath.Join(two, "a.ism"), nil, 0o666)
	os.WriteFile(filepath.Join(two, "b.ism"), nil, 0o666)
	bad := filepath.Join(two, "bad.mp4")
	os.WriteFile(bad, []byte("this is no movie"), 0o666)
	film := filepath.Join(two, "film.mkv")
	os.WriteFile(film, []byte("a film"), 0o666)
	in := media + "low.mp4"
	for _, c := range []struct {
		usage bool
		text  string
		args  []string
	}{
		{true, "-in and -out", nil},
		{true, "-in and -out", []string{"-in", in}},
		{true, "see above", []string{"-bad"}},
		{true, "named with -in", []string{"-in", in, "-out", dir, in}},
		{true, "want ts or fmp4", []string{"-in", in, "-out", dir, "-format", "avi"}},
		{true, "exclude", []string{"-in", in, "-out", dir, "-muxed", "-separate"}},
		{true, "duration", []string{"-in", in, "-out", dir, "-duration", "0s"}},
		{true, "need a -key-file", []string{"-in", in, "-out", dir, "-key-uri", "k"}},
		{true, "URI of the key", []string{"-in", in, "-out", dir, "-key-file", media + "../../../go.mod"}},
		{true, "muxed into fragmented", []string{"-in", in, "-out", dir, "-format", "fmp4", "-muxed"}},
		{false, "no such file", []string{"-in", media + "none.mp4", "-out", dir}},
		{false, "2 presentations", []string{"-in", two, "-out", dir}},
		{false, "bad.mp4", []string{"-in", bad, "-out", dir}},
		{false, "extension", []string{"-in", film, "-out", dir}},
		{false, "encrypted", []string{"-in", media + "encrypted.mp4", "-out", dir}},
	} {
		if strings.Contains(c.text, "URI of") {
			c.args[5] = filepath.Join(two, "key")
			os.WriteFile(c.args[5], make([]byte, 16), 0o666)
		}
		var out, errs bytes.Buffer
		err := run(context.Background(), c.args, &out, &errs)
		if err == nil || errors.Is(err, errUsage) != c.usage || !strings.Contains(err.Error(), c.text) {
			t.Errorf("%q: %v", c.args, err)
		}
		if _, err := os.Stat(filepath.Join(dir, "master.m3u8")); err == nil {
			t.Errorf("%q: a master playlist", c.args)
		}
	}
}

// TestSegmentKilled kills the program in the middle, more than once. What is there then under its name is whole, and in
// the end everything is.
func TestSegmentKilled(t *testing.T) {
	sample := filepath.Join(t.TempDir(), "sample")
	if err := os.CopyFS(sample, smoothtest.Sample()); err != nil {
		t.Fatal(err)
	}
	reference, dir := t.TempDir(), t.TempDir()
	segment(t, "-in", sample, "-out", reference, "-duration", "1ms")
	want := files(t, reference)
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, after := range []int{1, 10, 40} {
		cmd := exec.Command(exe)
		cmd.Env = append(os.Environ(), "SEGMENT_ARGS="+strings.Join([]string{"-in", sample, "-out", dir, "-duration", "1ms", "-sync"}, "\n"))
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		for deadline := time.Now().Add(5 * time.Second); time.Now().Before(deadline); {
			if found, _ := filepath.Glob(filepath.Join(dir, "*", "*.ts")); len(found) >= after {
				break
			}
		}
		cmd.Process.Kill()
		cmd.Wait()
		for name, data := range files(t, dir) {
			if strings.HasSuffix(name, ".tmp") || name == ".segmenter.json" {
				continue
			}
			if want[name] != data {
				t.Errorf("killed after %d segments: %s has %d bytes, want %d", after, name, len(data), len(want[name]))
			}
		}
	}
	segment(t, "-in", sample, "-out", dir, "-duration", "1ms")
	for name, data := range files(t, dir) {
		if want[name] != data {
			t.Errorf("in the end: %s", name)
		}
		delete(want, name)
	}
	if len(want) > 0 {
		t.Errorf("%d files are missing", len(want))
	}
}

func TestBar(t *testing.T) {
	var w bytes.Buffer
	b := &bar{w: &w}
	b.report(hls.Progress{Bytes: 1, TotalBytes: 4, Segments: 1, TotalSegments: 4})
	b.drawn = time.Now().Add(time.Hour)
	b.report(hls.Progress{Bytes: 2, TotalBytes: 4, Segments: 2, TotalSegments: 4}) // too soon
	b.report(hls.Progress{Bytes: 4, TotalBytes: 4, Segments: 4, TotalSegments: 4})
	b.finish()
	want := "\r[" + strings.Repeat("#", 7) + strings.Repeat(".", 23) + "]  25% of 0.0 MB, 1 of 4 segments" +
		"\r[" + strings.Repeat("#", 30) + "] 100% of 0.0 MB, 4 of 4 segments\n"
	if w.String() != want {
		t.Errorf("got %q, want %q", w.String(), want)
	}
	w.Reset()
	b = &bar{w: &w}
	b.report(hls.Progress{Bytes: 99_999_900_000, TotalBytes: 99_999_900_000, Segments: 20_000, TotalSegments: 20_000})
	if n := utf8.RuneCountInString(w.String()); n > 80 {
		t.Errorf("%d characters, %q", n, w.String())
	}
	newBar(&w).report(hls.Progress{}) // no terminal: nothing, and no panic
}

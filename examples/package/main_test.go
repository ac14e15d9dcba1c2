package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

const media = "../../internal/testmedia/media/"

func TestPackage(t *testing.T) {
	dir := t.TempDir()
	var out, errs bytes.Buffer
	err := run(context.Background(), []string{"-out", dir, "-name", "film", media + "high.mp4", media + "low.mp4"}, &out, &errs)
	if err != nil {
		t.Fatal(err)
	}
	files := strings.Fields(out.String())
	if len(files) != 5 || files[4] != filepath.Join(dir, "film.ism") {
		t.Errorf("files %q", files)
	}
	for _, f := range files {
		if _, err := os.Stat(f); err != nil {
			t.Error(err)
		}
	}
	if !strings.Contains(errs.String(), "left out: "+media+"low.mp4: track 2") {
		t.Errorf("messages %q", errs.String())
	}
	for _, args := range [][]string{{}, {"-out", dir, media + "none.mp4"}, {"-bad"}} {
		if err := run(context.Background(), args, &out, &errs); err == nil {
			t.Errorf("%q: no error", args)
		}
	}
}

func TestWatch(t *testing.T) {
	in, dir := t.TempDir(), t.TempDir()
	raw, err := os.ReadFile(media + "low.mp4")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(in, "film.mp4"), raw, 0o666); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	done := make(chan error)
	go func() {
		var out, errs bytes.Buffer
		done <- run(ctx, []string{"-out", dir, "-watch", in, "-settle", "10ms"}, &out, &errs)
	}()
	for ctx.Err() == nil {
		if _, err := os.Stat(filepath.Join(in, "done", "film", "package.log")); err == nil {
			cancel()
		}
		select {
		case <-ctx.Done():
		case <-time.After(10 * time.Millisecond):
		}
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "film.ism")); err != nil {
		t.Error(err)
	}
}

func TestBar(t *testing.T) {
	var w bytes.Buffer
	b := &bar{w: &w, name: "film"}
	b.report(1, 4)
	b.drawn = time.Now().Add(time.Hour)
	b.report(2, 4) // too soon
	b.report(4, 4)
	b.finish()
	want := "\rfilm [" + strings.Repeat("#", 10) + strings.Repeat(".", 30) + "]  25% of 0.0 MB" +
		"\rfilm [" + strings.Repeat("#", 40) + "] 100% of 0.0 MB\n"
	if w.String() != want {
		t.Errorf("got %q, want %q", w.String(), want)
	}
	w.Reset()
	b = &bar{w: &w, name: shorten("Die Geschichte des Fernsehens, Teil 1")}
	b.report(99_999_900_000, 99_999_900_000)
	if n := utf8.RuneCountInString(w.String()); n > 80 || !strings.HasPrefix(w.String(), "\rDie Geschichte … [") {
		t.Errorf("%d characters, %q", n, w.String())
	}
	newBar(&w, "x").report(1, 1) // no terminal: nothing, and no panic
}

// Command package makes an on-demand Smooth Streaming presentation of MP4 files, one per bit rate, and of texts.
//
//	go run ./examples/package -out DIR -name NAME in1.mp4 in2.mp4 film.en.vtt
//	go run ./examples/package -out DIR -watch INBOX
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/smoothkit/smoothkit/smooth/packager"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout, os.Stderr); err != nil {
		if !errors.Is(err, flag.ErrHelp) {
			fmt.Fprintln(os.Stderr, err)
		}
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	fs := flag.NewFlagSet("package", flag.ContinueOnError)
	fs.SetOutput(stderr)
	out := fs.String("out", ".", "directory of the presentation")
	name := fs.String("name", "", "name of the presentation (default: that of the first input)")
	lang := fs.String("lang", "", "language of all inputs, such as en, instead of what they say")
	duration := fs.Duration("duration", 2*time.Second, "wanted duration of a fragment")
	inbox := fs.String("watch", "", "watch this directory for jobs instead: directories with the renditions of one presentation, or files")
	settle := fs.Duration("settle", 10*time.Second, "how long the files of a watched job must not have changed")
	all := fs.Bool("all-audio", false, "keep audio tracks that several inputs have in common")
	if err := fs.Parse(args); err != nil {
		return err
	}
	opts := packager.Options{FragmentDuration: *duration, AllAudio: *all}
	switch {
	case *inbox != "":
		return watch(ctx, *inbox, *out, &packager.WatchOptions{Settle: *settle, Options: opts}, stderr)
	case fs.NArg() == 0:
		fs.Usage()
		return errors.New("no input files")
	}
	job := packager.Job{Dir: *out, Name: *name, Options: opts}
	for _, path := range fs.Args() {
		job.Inputs = append(job.Inputs, packager.Input{Path: path, Language: *lang})
	}
	if job.Name == "" {
		base := filepath.Base(fs.Arg(0))
		job.Name = strings.TrimSuffix(base, filepath.Ext(base))
	}
	return pack(ctx, job, stdout, stderr)
}

// watch packages what is put into a directory until the program is interrupted.
func watch(ctx context.Context, in, out string, opts *packager.WatchOptions, stderr io.Writer) error {
	opts.Logger = slog.New(slog.NewTextHandler(stderr, nil))
	w, err := packager.NewWatcher(in, out, opts)
	if err != nil {
		return err
	}
	return w.Run(ctx, max(min(opts.Settle/2, 2*time.Second), 50*time.Millisecond))
}

// pack does one job and prints the paths of the files it has made.
func pack(ctx context.Context, job packager.Job, stdout, stderr io.Writer) error {
	bar := newBar(stderr, job.Name)
	job.Options.Progress = bar.report
	res, err := packager.Package(ctx, job)
	bar.finish()
	if err != nil {
		return err
	}
	for _, s := range res.Skipped {
		fmt.Fprintln(stderr, "left out:", s)
	}
	for _, f := range res.Files {
		fmt.Fprintln(stdout, filepath.Join(job.Dir, f))
	}
	return nil
}

// Command validate checks a Smooth Streaming or HLS presentation: a URL, as a player would read it, or a file.
//
//	go run ./examples/validate http://127.0.0.1:8080/sample/sample.ism/Manifest
//	go run ./examples/validate media/film.ismc
//	go run ./examples/validate 'http://127.0.0.1:8080/sample/sample.ism/manifest(format=m3u8-aapl)'
//	go run ./examples/validate out/master.m3u8
//
// It prints one line per violation and exits with 1 if there is one, with 2 if nothing could be checked.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"os/signal"
	"slices"
	"strings"

	hls "github.com/smoothkit/smoothkit/hls/validate"
	"github.com/smoothkit/smoothkit/smooth/validate"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// run returns the exit code: 0 clean, 1 violations, 2 usage or nothing to check.
func run(ctx context.Context, args []string, out, errOut io.Writer) int {
	opts, profile := &validate.Options{}, hls.ProfileNone
	reloads := 0
	flags := flag.NewFlagSet("validate", flag.ContinueOnError)
	flags.SetOutput(errOut)
	flags.IntVar(&opts.Sample, "sample", 0, "check `N` fragments per track, evenly spread (0: all)")
	flags.IntVar(&opts.Concurrency, "c", 4, "read `N` tracks at the same time")
	flags.DurationVar(&opts.Timeout, "timeout", 0, "give up on a request after this `time` (0: 30s)")
	flags.BoolVar(&opts.ManifestOnly, "manifest", false, "check the manifest or playlists only")
	flags.IntVar(&reloads, "reloads", 0, "HLS: load live playlists `N` times more")
	flags.BoolFunc("iis", "HLS: check the limits of devices that IIS documented", func(string) error { profile = hls.ProfileIIS; return nil })
	errorsOnly := flags.Bool("errors", false, "warnings neither are printed nor change the exit code")
	rules := flags.Bool("rules", false, "list the rules")
	flags.Usage = func() {
		fmt.Fprintln(errOut, "usage: validate [flags] URL|FILE")
		flags.PrintDefaults()
	}
	if err := flags.Parse(args); err != nil {
		return 2
	}
	if *rules {
		for _, r := range append(validate.Rules(), hls.Rules()...) {
			fmt.Fprintf(out, "%s %-7s %s (%s)\n", r.ID, r.Severity, r.Text, r.Clause)
		}
		return 0
	}
	if flags.NArg() != 1 {
		flags.Usage()
		return 2
	}
	hlsOpts := &hls.Options{
		Sample: opts.Sample, Concurrency: opts.Concurrency, Timeout: opts.Timeout, PlaylistOnly: opts.ManifestOnly,
		Profile: profile, Reloads: reloads,
	}
	report, err := check(ctx, flags.Arg(0), opts, hlsOpts)
	if err != nil {
		fmt.Fprintln(errOut, err)
		return 2
	}
	return show(out, report, *errorsOnly)
}

func check(ctx context.Context, target string, opts *validate.Options, hlsOpts *hls.Options) (*validate.Report, error) {
	isURL := strings.HasPrefix(target, "http://") || strings.HasPrefix(target, "https://")
	switch {
	case isURL && hls.IsURL(target):
		return hls.URL(ctx, target, hlsOpts)
	case isURL:
		return validate.URL(ctx, target, opts)
	case hls.IsFile(target):
		return hls.File(ctx, target, hlsOpts)
	}
	return validate.File(ctx, target, opts)
}

func show(out io.Writer, report *validate.Report, errorsOnly bool) int {
	for _, v := range report.Violations {
		if v.Rule.Severity == validate.Error || !errorsOnly {
			fmt.Fprintln(out, v)
		}
	}
	for _, id := range slices.Sorted(maps.Keys(report.Suppressed)) {
		fmt.Fprintf(out, "%s: %d more\n", id, report.Suppressed[id])
	}
	c := report.Checked
	fmt.Fprintf(out, "checked %d documents, %d streams, %d levels, %d chunks, %d fragments, %d samples, %d bytes: %d errors, %d warnings\n",
		c.Documents, c.Streams, c.Levels, c.Chunks, c.Fragments, c.Samples, c.Bytes, report.Errors(), report.Warnings())
	if report.Errors() > 0 || report.Warnings() > 0 && !errorsOnly {
		return 1
	}
	return 0
}

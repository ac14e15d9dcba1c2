// Command segment makes HLS of MP4 and Smooth Streaming files: playlists and segments in a directory, for any web server.
// Several inputs are renditions of one film and form one master playlist. Run again after an interruption it goes on
// where it was.
//
//	go run ./examples/segment -in film.mp4 -out DIR
//	go run ./examples/segment -in low.mp4 -in high.mp4 -in german.mp4 -out DIR -format fmp4 -duration 4s
//	go run ./examples/segment -in film.ism -out DIR -key-file film.key -key-uri https://example.com/film.key
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/smoothkit/smoothkit/hls"
)

// errUsage marks errors in the arguments, which end the program with status 2 instead of 1.
var errUsage = errors.New("usage")

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	switch {
	case err == nil, errors.Is(err, flag.ErrHelp):
		return
	case errors.Is(err, errUsage):
		fmt.Fprintln(os.Stderr, strings.TrimPrefix(err.Error(), "usage: "))
		os.Exit(2)
	}
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

// arguments are the flags.
type arguments struct {
	inputs                     []string
	out, format, method        string
	keyFile, keyURI            string
	muxed, separate, audioOnly bool
	writeKey, startOver, sync  bool
	duration                   time.Duration
	parallel                   int
}

func parse(args []string, stderr io.Writer) (*arguments, error) {
	a := new(arguments)
	fs := flag.NewFlagSet("segment", flag.ContinueOnError)
	fs.SetOutput(stderr)
	fs.Func("in", "input: .mp4, .ism, .ismv, .isma or .csm `file`, or a directory of them; may be repeated", func(s string) error {
		a.inputs = append(a.inputs, s)
		return nil
	})
	fs.StringVar(&a.out, "out", "", "`directory` of the output")
	fs.StringVar(&a.format, "format", "ts", "format of the segments: ts or fmp4")
	fs.DurationVar(&a.duration, "duration", 6*time.Second, "wanted duration of a segment")
	fs.BoolVar(&a.muxed, "muxed", false, "mux the first sound into the segments of the picture (default if there is only one, and of MPEG-2 TS)")
	fs.BoolVar(&a.separate, "separate", false, "make a rendition of each sound")
	fs.BoolVar(&a.audioOnly, "audio-only", false, "add a variant without picture")
	fs.StringVar(&a.keyFile, "key-file", "", "encrypt with the key in this `file`, of 16 bytes or 32 hexadecimal digits")
	fs.StringVar(&a.keyURI, "key-uri", "", "`URI` at which players get the key")
	fs.BoolVar(&a.writeKey, "write-key", false, "write the key into the output, instead of -key-uri")
	fs.StringVar(&a.method, "method", "aes-128", "encryption method: aes-128 or sample-aes")
	fs.BoolVar(&a.startOver, "start-over", false, "make everything anew, whatever an earlier run has left")
	fs.BoolVar(&a.sync, "sync", false, "wait for the disk after each file")
	fs.IntVar(&a.parallel, "parallel", 0, "segments that are made at once (default one per processor)")
	if err := fs.Parse(args); errors.Is(err, flag.ErrHelp) {
		return nil, err
	} else if err != nil {
		return nil, fmt.Errorf("%w: see above", errUsage)
	}
	switch {
	case fs.NArg() > 0:
		return nil, fmt.Errorf("%w: inputs are named with -in, what is %q?", errUsage, fs.Arg(0))
	case len(a.inputs) == 0 || a.out == "":
		fs.Usage()
		return nil, fmt.Errorf("%w: -in and -out are needed", errUsage)
	}
	return a, nil
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	a, err := parse(args, stderr)
	if err != nil {
		return err
	}
	opts, err := a.options()
	if err != nil {
		return err
	}
	progress := newBar(stderr)
	opts.Progress = progress.report
	g, err := hls.NewSegmenter(hls.NewDirSink(a.out, &hls.DirSinkOptions{Sync: a.sync}), opts)
	if err != nil {
		return fmt.Errorf("%w: %w", errUsage, err)
	}
	var in inputs
	defer in.close()
	for _, path := range a.inputs {
		if err := in.add(ctx, g, path); err != nil {
			return err
		}
	}
	res, err := g.Run(ctx)
	progress.finish()
	if err != nil {
		return err
	}
	for _, s := range res.Skipped {
		fmt.Fprintln(stderr, "left out:", s)
	}
	fmt.Fprintf(stdout, "%s: %d segments made, %d there before, %d files of %.1f MB\n",
		a.master(), res.Written, res.Kept, len(res.Files), float64(res.Bytes)/1e6)
	return nil
}

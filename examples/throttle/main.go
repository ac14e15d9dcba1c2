// Command throttle serves a directory with Bit Rate Throttling: a burst of some seconds of the content, then the speed of
// its playback. Its page plays the files and shows what the handler did.
//
//	go run ./examples/throttle [-listen ADDR] [-config section.xml] [DIR]
//	go run ./examples/throttle -plot out.svg [-for 12s] [-config section.xml] [DIR | http://SERVER/FILE]
//
// Without DIR it serves a sound that it makes. With -plot it downloads one file, the first of DIR, for some seconds and
// draws how much of it came when. -config is a section bitrateThrottling of IIS, or a file of IIS that has one.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/smoothkit/smoothkit/throttle"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil && !errors.Is(err, flag.ErrHelp) {
		log.Fatal(err)
	}
}

// run serves until ctx ends, or makes one picture.
func run(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("throttle", flag.ContinueOnError)
	listen := flags.String("listen", "127.0.0.1:8080", "`address` to listen on; :8080 means every interface")
	config := flags.String("config", "", "`file` with a section bitrateThrottling of IIS (default IIS's own rules and newer formats)")
	picture := flags.String("plot", "", "download a file and draw what came when into this SVG `file`")
	most := flags.Duration("for", 12*time.Second, "how `long` to download for -plot")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() > 1 {
		return fmt.Errorf("one directory or address, not %d: %q", flags.NArg(), flags.Args())
	}
	source := flags.Arg(0)
	if *picture != "" {
		if strings.HasPrefix(source, "http://") || strings.HasPrefix(source, "https://") {
			return plot(ctx, out, *picture, source, *most)
		}
		*listen = "127.0.0.1:0"
	}
	rules, err := readRules(*config, out)
	if err != nil {
		return err
	}
	media, files, err := open(source)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", *listen)
	if err != nil {
		return fmt.Errorf("%w (choose another address with -listen; 127.0.0.1:0 is any free port)", err)
	}
	site := newSite(media, files, rules)
	base := "http://" + listener.Addr().String()
	if *picture == "" {
		fmt.Fprintf(out, "Page: %s/\nPress Ctrl+C to stop.\n", base)
		return serve(ctx, listener, site)
	}
	ctx, cancel := context.WithCancel(ctx)
	served := make(chan error, 1)
	go func() { served <- serve(ctx, listener, site) }()
	err = plot(ctx, out, *picture, base+files[0], *most)
	cancel()
	return errors.Join(err, <-served)
}

// readRules returns nil, for the default rules, without a file.
func readRules(file string, out io.Writer) (*throttle.Rules, error) {
	if file == "" {
		return nil, nil
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	config, err := throttle.ParseConfig(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	for _, w := range config.Warnings {
		fmt.Fprintf(out, "%s: %v\n", file, w)
	}
	return config.Rules, nil
}

// serve runs the server until ctx ends. What is being sent then ends with it: it would take minutes.
func serve(ctx context.Context, listener net.Listener, handler http.Handler) error {
	// A WriteTimeout does not matter to what is throttled: the handler moves the deadline with the response.
	srv := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second, WriteTimeout: 30 * time.Second}
	failed := make(chan error, 1)
	go func() { failed <- srv.Serve(listener) }()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
		return srv.Close()
	}
}

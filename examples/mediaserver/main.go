// Command mediaserver serves presentations as Smooth Streaming and as HLS, on demand and live, and a page that plays them.
//
//	go run ./examples/mediaserver                  serve the sample
//	go run ./examples/mediaserver -root DIR        serve the presentations, playlists and publishing points below DIR
//
//	go run ./examples/mediaserver -archive DIR     record live events in DIR, and serve what is recorded there
//
// Encoders push to the publishing point live/demo.isml, and to those whose .isml files are below the -root.
//
// Flags: -listen ADDR, and -players DIR|URL for dash.js and hls.js on the page instead of its own small player.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"slices"
	"syscall"
	"time"

	"github.com/smoothkit/smoothkit/examples/mediaserver/internal/server"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := run(ctx, os.Args[1:], os.Stdout)
	if errors.Is(err, flag.ErrHelp) {
		return
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "mediaserver:", err)
		os.Exit(1)
	}
}

// run serves until ctx ends.
func run(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("mediaserver", flag.ContinueOnError)
	root := flags.String("root", "", "serve the presentations and playlists below this `directory`")
	archive := flags.String("archive", "", "record live events in this `directory` and serve them; points say so in their .isml, live/demo.isml is recorded")
	listen := flags.String("listen", "127.0.0.1:8080", "`address` to listen on; :8080 means every interface")
	players := flags.String("players", "", "`directory` (a node_modules) or URL with dash.js and hls.js for the page")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("unexpected argument %q; a directory is named with -root", flags.Arg(0))
	}
	handler, err := server.New(server.Config{Root: *root, Archive: *archive, Players: *players})
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", *listen)
	if err != nil {
		return errors.Join(listenError(*listen, err), handler.Close())
	}
	if err := announce(ctx, out, handler, listener.Addr(), *archive); err != nil {
		return errors.Join(err, listener.Close(), handler.Close())
	}
	err = serve(ctx, listener, handler)
	return errors.Join(err, handler.Close()) // recordings are safe on the disk only now
}

// serve runs the server and, once ctx ends, gives the requests under way five seconds.
func serve(ctx context.Context, listener net.Listener, handler *server.Server) error {
	srv := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute}
	failed := make(chan error, 1)
	go func() { failed <- srv.Serve(listener) }()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	drained := handler.Drain(grace) // encoders first: their requests do not end by themselves
	if err := srv.Shutdown(grace); err != nil {
		return errors.Join(drained, srv.Close())
	}
	return drained
}

// announce prints the addresses of the page and of the first presentations, and how many events are in the archive.
func announce(ctx context.Context, out io.Writer, s *server.Server, addr net.Addr, archive string) error {
	list, err := s.Presentations(ctx)
	if err != nil {
		return err
	}
	recorded := slices.IndexFunc(list, func(p server.Presentation) bool { return p.Recording != nil })
	if recorded < 0 {
		recorded = len(list)
	}
	events := len(list) - recorded
	list = list[:recorded]
	base := "http://" + clientAddress(addr.String()) + "/"
	fmt.Fprintf(out, "Page:      %s\n", base)
	const most = 20
	for _, p := range list[:min(most, len(list))] {
		fmt.Fprintf(out, "Manifest:  %s%s\n", base, p.URL)
		fmt.Fprintf(out, "HLS:       %s%s\n", base, p.HLS)
		if p.Push != "" {
			fmt.Fprintf(out, "Push to:   %s%s\n", base, p.Push)
		}
	}
	if len(list) > most {
		fmt.Fprintf(out, "           and %d more\n", len(list)-most)
	}
	lists := s.Playlists()
	for _, p := range lists[:min(most, len(lists))] {
		fmt.Fprintf(out, "Playlist:  %s%s\n", base, p.URL)
	}
	if archive != "" {
		fmt.Fprintf(out, "Archive:   %s (%d recorded)\n", archive, events)
	}
	fmt.Fprintln(out, "Press Ctrl+C to stop.")
	return nil
}

// clientAddress replaces the address of every interface by one that a browser understands.
func clientAddress(addr string) string {
	host, port, err := net.SplitHostPort(addr)
	if ip := net.ParseIP(host); err == nil && ip != nil && ip.IsUnspecified() {
		return net.JoinHostPort("localhost", port)
	}
	return addr
}

// listenError says what to do about an address that cannot be had.
func listenError(addr string, err error) error {
	const windowsAddressInUse = syscall.Errno(10048)
	if errors.Is(err, syscall.EADDRINUSE) || errors.Is(err, windowsAddressInUse) {
		return fmt.Errorf("the address %s is taken by another program: stop that one, or choose another address, for example -listen 127.0.0.1:0 for any free port", addr)
	}
	return fmt.Errorf("cannot listen on %s: %w (give another address with -listen)", addr, err)
}

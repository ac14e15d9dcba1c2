// Command playlist serves a folder with Web Playlists: those of its .isx files, and lists that are made up for each
// request. The server decides what plays next, and what may be skipped.
//
//	go run ./examples/playlist [-listen ADDR] [-redis URL] [DIR]
//
// watch/NAME.isx is the programme NAME of DIR/catalogue.json, with an advertisement after its first part that is chosen
// for each viewer: see catalogue.go. Any other NAME.isx is the file of this name. Without DIR there is the sample.
// With -redis sessions are kept there, so that several of these programs are one server to their viewers.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/smoothkit/smoothkit/playlist"
	"github.com/smoothkit/smoothkit/playlist/redisstore"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil && !errors.Is(err, flag.ErrHelp) {
		log.Fatal(err)
	}
}

// run serves until ctx ends.
func run(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("playlist", flag.ContinueOnError)
	listen := flags.String("listen", "127.0.0.1:8080", "`address` to listen on; :8080 means every interface")
	redis := flags.String("redis", "", "`URL` of the Redis that keeps sessions, such as redis://127.0.0.1:6379 (default this program)")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() > 1 {
		return fmt.Errorf("one directory, not %d: %q", flags.NArg(), flags.Args())
	}
	var store playlist.Store // nil means in memory
	if *redis != "" {
		shared, err := redisstore.Open(*redis, nil)
		if err != nil {
			return fmt.Errorf("-redis: %w", err)
		}
		defer shared.Close()
		store = shared
	}
	site, err := newSite(flags.Arg(0), store, slog.New(slog.NewTextHandler(out, nil)))
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", *listen)
	if err != nil {
		return errors.Join(fmt.Errorf("%w (choose another address with -listen; 127.0.0.1:0 is any free port)", err), site.Close())
	}
	for _, name := range site.lists {
		fmt.Fprintf(out, "Playlist: http://%s/%s?format=html\n", listener.Addr(), name)
	}
	fmt.Fprintln(out, "Press Ctrl+C to stop.")
	return errors.Join(serve(ctx, listener, site), site.Close())
}

// serve runs the server until ctx ends. What is being sent then ends with it: paced media would take minutes.
func serve(ctx context.Context, listener net.Listener, handler http.Handler) error {
	srv := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute}
	failed := make(chan error, 1)
	go func() { failed <- srv.Serve(listener) }()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
		return srv.Close()
	}
}

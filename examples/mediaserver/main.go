// Command mediaserver is a media server that takes the place of IIS with Media Services: presentations over Smooth Streaming and HLS,
// live publishing points, Web Playlists, throttled files, caches of other servers, and a console.
//
//	go run ./examples/mediaserver                               serve the sample
//	go run ./examples/mediaserver -root DIR                     serve a copy of wwwroot, at the same paths
//	go run ./examples/mediaserver -root DIR -archive DIR        and record live events
//	go run ./examples/mediaserver -import applicationHost.config -map 'C:\inetpub=DIR'
//	go run ./examples/mediaserver -config mediaserver.yaml      everything else; with -check it only says what is wrong
//
// Encoders push to the publishing points whose .isml files are below the root, and without a configuration file to live/demo.isml. The
// console is at /console/. SIGHUP, or a change of the file, loads the configuration again; with handover in the configuration a second
// process takes over from the first one without refusing a connection.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/smoothkit/smoothkit/examples/mediaserver/internal/app"
	"github.com/smoothkit/smoothkit/examples/mediaserver/internal/service"
)

func main() {
	err := run(os.Args[1:])
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "mediaserver:", err)
		os.Exit(1)
	}
}

// run does what the arguments say: as a Windows service if the process is one, which its own command installs and removes.
func run(args []string) error {
	if handled, err := service.Command(app.ServiceName, args); handled {
		return err
	}
	reload := make(chan os.Signal, 1)
	signal.Notify(reload, syscall.SIGHUP)
	program := app.Program{Out: os.Stdout, Reload: reload}
	again := func() {
		select {
		case reload <- syscall.SIGHUP:
		default: // it is about to be done
		}
	}
	asService := func(ctx context.Context) error {
		program.Log = func(o *slog.HandlerOptions) (slog.Handler, error) { return service.OpenLog(app.ServiceName, o) }
		return app.Run(ctx, args, program)
	}
	if ran, err := service.Run(app.ServiceName, asService, &service.Options{Reload: again}); ran {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // who asks again does not want to wait
	return app.Run(ctx, args, program)
}

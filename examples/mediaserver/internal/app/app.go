// Package app runs the media server as a program: flags and files of configuration, listeners that a new process can take over,
// signals, the service manager, and an end that loses nothing.
package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"runtime/debug"
	"time"

	"github.com/smoothkit/smoothkit/examples/mediaserver/internal/config"
	"github.com/smoothkit/smoothkit/examples/mediaserver/internal/console"
	"github.com/smoothkit/smoothkit/examples/mediaserver/internal/imports"
	"github.com/smoothkit/smoothkit/examples/mediaserver/internal/listen"
	"github.com/smoothkit/smoothkit/examples/mediaserver/internal/server"
)

// Program is where a program runs.
type Program struct {
	// Out gets what a person who starts the program wants to know.
	Out io.Writer
	// Reload asks for the configuration to be loaded again. Nil asks never.
	Reload <-chan os.Signal
	// Log makes the handler of the program's log, if it is not to be text or JSON on standard error.
	Log func(*slog.HandlerOptions) (slog.Handler, error)
}

// app is a running program.
type app struct {
	flags  *flags
	out    io.Writer
	log    *slog.Logger
	level  *slog.LevelVar
	set    *listen.Set
	server *server.Server
	http   *httpServers
	debug  debugServer
	watch  watcher
	// running are the publishing points that were started when they were let go of, for the process that takes over.
	running []byte
}

// Run serves until ctx ends or another process has taken over.
func Run(ctx context.Context, args []string, p Program) error {
	out := p.Out
	f, err := parseFlags(args, out)
	if err != nil {
		return err
	}
	if f.version {
		fmt.Fprintln(out, "mediaserver", version())
		return nil
	}
	cfg, err := loadConfig(f, nil)
	if err != nil {
		return err
	}
	if f.check {
		if err := server.Check(cfg.Config); err != nil {
			return err
		}
		return printCheck(out, cfg.Config, cfg.report)
	}
	a := &app{flags: f, out: out, level: new(slog.LevelVar)}
	if a.log, err = newLogger(&cfg.Log, a.level, p.Log); err != nil {
		return err
	}
	slog.SetDefault(a.log)
	a.debug.log = a.log
	for _, line := range cfg.report.Problems() {
		a.log.Warn("imported configuration", "note", line)
	}
	a.watch = watcher{app: a, now: cfg.Config, files: cfg.Files, digest: cfg.digest, seen: cfg.digest}
	return a.run(ctx, cfg.Config, p.Reload)
}

// prepare reads the configuration with what it imports.
func prepare(f *flags) (*config.Config, *imports.Report, error) {
	cfg, err := f.load()
	if err != nil {
		return nil, nil, err
	}
	report, err := imports.Apply(cfg)
	if err != nil {
		return nil, nil, err
	}
	if len(cfg.Listen) == 0 {
		cfg.Listen = []config.Listener{{Address: config.DefaultAddress}}
	}
	if err := listen.Check(specsOf(cfg)); err != nil {
		return nil, nil, err
	}
	return cfg, report, nil
}

// run opens the listeners, if need be those of a process that runs, makes the server, and serves.
func (a *app) run(ctx context.Context, cfg *config.Config, reload <-chan os.Signal) (err error) {
	if a.http, err = newServers(a, cfg); err != nil {
		return err
	}
	if err := server.Check(cfg); err != nil { // before a process that runs is asked to let go
		return err
	}
	a.set, err = listen.Open(ctx, specsOf(cfg), &listen.Options{
		Logger: a.log, Strict: a.flags.file == "", Handover: cfg.Handover,
		Release: a.release, State: func() []byte { return a.running }, Reclaim: a.reclaim, Drain: a.drain,
	})
	if err != nil {
		return err
	}
	if err := a.takeOver(ctx, cfg); err != nil {
		return errors.Join(err, a.set.Close())
	}
	a.debug.listen(cfg.Debug)
	defer a.debug.close()
	a.watch.follow(reload)
	a.announce(ctx, cfg)
	listen.Notify(listen.NotifyReady)
	return a.wait(ctx)
}

// takeOver makes the server when the process before, if there is one, has let go of what only one can have.
func (a *app) takeOver(ctx context.Context, cfg *config.Config) (err error) {
	if err := a.set.Ready(ctx); err != nil {
		return err
	}
	a.server, err = server.New(cfg, &server.Options{
		Logger: a.log, Version: version(), File: a.flags.file, Listeners: a.listeners,
	})
	if err != nil {
		return err
	}
	a.server.Start(ctx, a.set.State())
	a.http.set(a.server)
	a.set.Serve(a.http.serve)
	if err := a.set.Done(ctx); err != nil {
		return errors.Join(err, a.server.Close()) // the archive before the set: then the process before takes it back
	}
	return nil
}

// wait ends the program when ctx does, or when another process has taken over.
func (a *app) wait(ctx context.Context) error {
	gone := make(chan error, 1)
	go func() { gone <- a.set.Wait() }()
	select {
	case <-ctx.Done():
	case err := <-gone:
		a.watch.close()
		if errors.Is(err, listen.ErrTakenOver) {
			a.log.Info("another process has taken over")
			return a.server.Close()
		}
		return errors.Join(err, a.server.Close())
	}
	listen.Notify(listen.NotifyStopping)
	a.watch.close()
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), a.watch.now.Grace.D())
	defer cancel()
	closed := make(chan error, 1)
	go func() { closed <- a.set.Close() }()
	a.server.EndStreams()
	err := a.server.Drain(grace) // encoders first: their requests do not end by themselves
	err = errors.Join(err, a.http.shutdown(grace), <-closed)
	return errors.Join(err, a.server.Close()) // recordings are safe on the disk only now
}

// release is for a process that takes over: nothing is accepted any more, viewers go to the new one with their next request, and so do
// encoders.
func (a *app) release(ctx context.Context) error {
	a.watch.pause()
	a.running = nil
	a.debug.close() // its address is wanted by the new one
	a.http.keepAlives(false)
	if err := a.http.conns.Settle(ctx); err != nil {
		return err
	}
	a.running = a.server.Running()
	return a.server.Release(ctx)
}

// reclaim undoes release.
func (a *app) reclaim(ctx context.Context) error {
	a.http.keepAlives(true)
	defer a.watch.resume()
	defer func() { a.debug.listen(a.watch.now.Debug) }()
	for {
		err := a.server.Reclaim(ctx)
		if err == nil {
			a.server.Start(ctx, a.running)
		}
		if err == nil || ctx.Err() != nil {
			return err
		}
		select { // the other process may have the archive until it has ended
		case <-ctx.Done():
			return err
		case <-time.After(reclaimEvery):
		}
	}
}

// reclaimEvery is how often is tried to take back what another process may still have.
const reclaimEvery = 100 * time.Millisecond

// drain lets viewers get what they have asked for.
func (a *app) drain(ctx context.Context) error {
	a.server.EndStreams()
	return a.http.drain(ctx)
}

// listeners tells the console how the addresses are doing.
func (a *app) listeners() (list []console.Listener) {
	for _, s := range a.set.Status() {
		l := console.Listener{
			Name: s.Name, Address: s.Address, Listening: s.State == listen.Listening, Since: s.Since, Attempts: s.Attempts, Origin: string(s.Origin),
		}
		if s.Addr != nil {
			l.Address = s.Addr.String()
		}
		var why *listen.AddressError
		if errors.As(s.Err, &why) {
			l.Error, l.Remedy = why.Reason, why.Remedy
		} else if s.Err != nil {
			l.Error = s.Err.Error()
		}
		list = append(list, l)
	}
	return list
}

func specsOf(cfg *config.Config) []listen.Spec {
	var specs []listen.Spec
	for _, l := range cfg.Listen {
		specs = append(specs, listen.Spec{Address: l.Address, Name: l.Name})
	}
	return specs
}

// version is that of the module, as far as the build knows it.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	v := info.Main.Version
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && (v == "" || v == "(devel)") {
			v = s.Value[:min(12, len(s.Value))]
		}
	}
	if v == "" {
		return "development"
	}
	return v
}

// newLogger returns the log of the program.
func newLogger(cfg *config.Logging, level *slog.LevelVar, other func(*slog.HandlerOptions) (slog.Handler, error)) (*slog.Logger, error) {
	setLevel(cfg, level)
	options := &slog.HandlerOptions{Level: level}
	if other != nil {
		h, err := other(options)
		return slog.New(h), err
	}
	if cfg.Format == "json" {
		return slog.New(slog.NewJSONHandler(os.Stderr, options)), nil
	}
	return slog.New(slog.NewTextHandler(os.Stderr, options)), nil
}

func setLevel(cfg *config.Logging, level *slog.LevelVar) {
	levels := map[string]slog.Level{"debug": slog.LevelDebug, "warn": slog.LevelWarn, "error": slog.LevelError}
	level.Set(levels[cfg.Level]) // the zero value is Info
}

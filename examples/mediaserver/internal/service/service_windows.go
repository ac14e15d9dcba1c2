package service

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/windows"
	"golang.org/x/sys/windows/svc"
	"golang.org/x/sys/windows/svc/eventlog"
)

// failed is the exit code of a service whose program ended with an error.
const failed = 1

// Run runs a program as a Windows service until it ends, because it was told to by its context or by itself. It is false,
// and has not run it, where the process is not a service. The process works in the directory of the program, so that
// relative paths in its flags are relative to that. An error of the program is returned and stands in the event log.
func Run(name string, run func(context.Context) error, opts *Options) (ran bool, err error) {
	is, err := svc.IsWindowsService()
	if err != nil || !is {
		return false, err
	}
	if exe, err := os.Executable(); err == nil {
		if err := os.Chdir(filepath.Dir(exe)); err != nil {
			return true, fmt.Errorf("service: %w", err)
		}
	}
	p := &program{run: run, opts: opts.withDefaults()}
	err = svc.Run(name, p)
	if err == nil {
		err = p.err
	}
	if err != nil {
		logError(name, err)
	}
	return true, err
}

// logError writes to the event log. Where that has no such source the service runs nevertheless.
func logError(name string, err error) {
	l, openErr := eventlog.Open(name)
	if openErr != nil {
		return
	}
	defer l.Close()
	_ = l.Error(eventID, err.Error())
}

// OpenLog opens the event log for a source that [Install] has made.
func OpenLog(name string, opts *slog.HandlerOptions) (*LogHandler, error) {
	l, err := eventlog.Open(name)
	if err != nil {
		return nil, fmt.Errorf("service: event log source %s: %w", name, err)
	}
	return newLogHandler(l, opts), nil
}

// program is a [svc.Handler].
type program struct {
	run  func(context.Context) error
	opts Options
	err  error
}

// Execute implements [svc.Handler].
func (p *program) Execute(_ []string, requests <-chan svc.ChangeRequest, statuses chan<- svc.Status) (specific bool, code uint32) {
	p.err = control(p.run, p.opts, requests, translate, func(s status) { statuses <- p.status(s) })
	if p.err != nil {
		return true, failed
	}
	return false, 0
}

func translate(r svc.ChangeRequest) request {
	switch r.Cmd {
	case svc.Interrogate:
		return interrogate
	case svc.Stop, svc.Shutdown, svc.PreShutdown:
		return stop
	case svc.ParamChange:
		return reload
	}
	return ignore
}

// status says a report in the words of Windows. Before a shutdown there is more time than during it.
func (p *program) status(s status) svc.Status {
	hint := uint32((3 * p.opts.Progress) / time.Millisecond)
	switch s.state {
	case starting:
		return svc.Status{State: svc.StartPending, WaitHint: hint}
	case stopping:
		return svc.Status{State: svc.StopPending, CheckPoint: s.checkpoint, WaitHint: hint}
	}
	accepts := svc.AcceptStop | svc.AcceptShutdown | svc.AcceptPreShutdown
	if p.opts.Reload != nil {
		accepts |= svc.AcceptParamChange
	}
	return svc.Status{State: svc.Running, Accepts: accepts}
}

// ignoreMissing drops the error for what is not there.
func ignoreMissing(err error) error {
	if errors.Is(err, windows.ERROR_FILE_NOT_FOUND) {
		return nil
	}
	return err
}

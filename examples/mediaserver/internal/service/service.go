package service

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"time"
)

var (
	// ErrUnsupported: this is no Windows.
	ErrUnsupported = fmt.Errorf("service: there are Windows services on Windows only: %w", errors.ErrUnsupported)
	// ErrUsage: the subcommand is none that there is.
	ErrUsage = errors.New("service: usage: service install [FLAGS OF THE PROGRAM] | service uninstall")
	// ErrName: the name cannot be that of a service.
	ErrName = errors.New("service: bad name")
)

// Options tunes [Run]. A nil pointer and the zero value mean the documented defaults.
type Options struct {
	// Reload is called when the service is told that its parameters have changed ("sc control NAME paramchange"), on the
	// goroutine that also answers to stop, so it must not block. Nil means that the service has nothing to reload.
	Reload func()
	// Progress is how often the service control manager is told that the program is still stopping. It gives up on a
	// service that says nothing for three times as long. Zero means three seconds.
	Progress time.Duration
}

func (o *Options) withDefaults() Options {
	var opts Options
	if o != nil {
		opts = *o
	}
	if opts.Progress <= 0 {
		opts.Progress = 3 * time.Second
	}
	return opts
}

// Command does what "service install" and "service uninstall" ask for, args being the arguments of the program without
// its name. It is false if they begin with something else. The arguments behind install become those of the service.
func Command(name string, args []string) (handled bool, err error) {
	return command(name, args, Install, Remove)
}

func command(
	name string, args []string, install func(name, exe string, args []string) error, remove func(name string) error,
) (handled bool, err error) {
	if len(args) == 0 || args[0] != "service" {
		return false, nil
	}
	if len(args) < 2 {
		return true, ErrUsage
	}
	switch verb, rest := args[1], args[2:]; {
	case verb == "install":
		exe, err := os.Executable()
		if err != nil {
			return true, fmt.Errorf("service: %w", err)
		}
		return true, install(name, exe, rest)
	case verb == "uninstall" && len(rest) == 0:
		return true, remove(name)
	}
	return true, ErrUsage
}

// checkName checks the name of a service, which is also that of its source in the event log and its account.
func checkName(name string) error {
	const most = 80
	switch {
	case name == "" || len(name) > most:
		return fmt.Errorf("%w: %d bytes, not 1 to %d", ErrName, len(name), most)
	case strings.ContainsFunc(name, func(c rune) bool {
		return (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '-' && c != '_' && c != '.'
	}):
		return fmt.Errorf("%w: %q has other than letters, digits, \"-\", \"_\" and \".\"", ErrName, name)
	}
	return nil
}

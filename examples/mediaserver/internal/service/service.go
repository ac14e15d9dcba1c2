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
	// ErrVerb: neither to install nor to remove was asked for.
	ErrVerb = errors.New("service: neither install nor remove")
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

// Manage installs or removes the service, as verb says: "install" or "remove". Args are the arguments of the program, which
// become those of the service, but for the flag that asked for this, such as "-service install".
func Manage(name, verb string, args []string, flag string) error {
	return manage(name, verb, args, flag, Install, Remove)
}

func manage(
	name, verb string, args []string, flag string, install func(name, exe string, args []string) error, remove func(name string) error,
) error {
	switch verb {
	case "install":
		exe, err := os.Executable()
		if err != nil {
			return fmt.Errorf("service: %w", err)
		}
		return install(name, exe, without(args, flag))
	case "remove":
		return remove(name)
	}
	return fmt.Errorf("%w: %q", ErrVerb, verb)
}

// without returns arguments without a flag and its value, in the forms that package flag reads.
func without(args []string, flag string) []string {
	var rest []string
	for i := 0; i < len(args); i++ {
		name, isFlag := strings.CutPrefix(args[i], "-")
		name = strings.TrimPrefix(name, "-")
		switch {
		case isFlag && name == flag:
			i++
		case isFlag && strings.HasPrefix(name, flag+"="):
		default:
			rest = append(rest, args[i])
		}
	}
	return rest
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

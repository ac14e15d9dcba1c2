//go:build !windows

package service

import (
	"context"
	"log/slog"
)

// Run is false: the process is no Windows service.
func Run(_ string, _ func(context.Context) error, _ *Options) (ran bool, err error) {
	return false, nil
}

// Install returns [ErrUnsupported].
func Install(name, _ string, _ []string) error {
	if err := checkName(name); err != nil {
		return err
	}
	return ErrUnsupported
}

// Remove returns [ErrUnsupported].
func Remove(name string) error {
	if err := checkName(name); err != nil {
		return err
	}
	return ErrUnsupported
}

// OpenLog returns [ErrUnsupported].
func OpenLog(_ string, _ *slog.HandlerOptions) (*LogHandler, error) { return nil, ErrUnsupported }

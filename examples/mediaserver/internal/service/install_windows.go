package service

import (
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"golang.org/x/sys/windows"
	"golang.org/x/sys/windows/svc/eventlog"
	"golang.org/x/sys/windows/svc/mgr"
)

// Install makes a service of a program and its arguments, and a source of that name in the event log. It starts with the
// computer, a little later than the others, under the account "NT SERVICE\NAME", which must be granted access to what
// the program reads and writes; Windows starts it again when it fails. It takes the rights of an administrator.
func Install(name, exe string, args []string) (err error) {
	if err := checkName(name); err != nil {
		return err
	}
	if exe, err = filepath.Abs(exe); err != nil {
		return fmt.Errorf("service: %w", err)
	}
	m, err := mgr.Connect()
	if err != nil {
		return fmt.Errorf("service: manager: %w", err)
	}
	defer func() { err = errors.Join(err, m.Disconnect()) }()
	s, err := m.CreateService(name, exe, mgr.Config{
		DisplayName: name, Description: "Smooth Streaming and HLS media server", StartType: mgr.StartAutomatic, DelayedAutoStart: true,
		ServiceStartName: `NT SERVICE\` + name,
	}, args...)
	if errors.Is(err, windows.ERROR_SERVICE_EXISTS) {
		return fmt.Errorf("service: %s is installed; uninstall it first: %w", name, err)
	}
	if err != nil {
		return fmt.Errorf("service: install %s: %w", name, err)
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	if err := configure(name, s); err != nil {
		return errors.Join(fmt.Errorf("service: install %s: %w", name, err), s.Delete())
	}
	return nil
}

// configure says what happens when the service fails, and makes the source in the event log.
func configure(name string, s *mgr.Service) error {
	err := s.SetRecoveryActions([]mgr.RecoveryAction{
		{Type: mgr.ServiceRestart, Delay: 2 * time.Second},
		{Type: mgr.ServiceRestart, Delay: 10 * time.Second},
		{Type: mgr.ServiceRestart, Delay: time.Minute},
	}, uint32((24*time.Hour)/time.Second))
	if err != nil {
		return err
	}
	if err := s.SetRecoveryActionsOnNonCrashFailures(true); err != nil {
		return err
	}
	if err := ignoreMissing(eventlog.Remove(name)); err != nil { // of an installation that was not removed by Remove
		return err
	}
	return eventlog.InstallAsEventCreate(name, eventlog.Error|eventlog.Warning|eventlog.Info)
}

// Remove removes a service that [Install] has made, and its source in the event log. One that runs goes when it stops.
func Remove(name string) (err error) {
	if err := checkName(name); err != nil {
		return err
	}
	m, err := mgr.Connect()
	if err != nil {
		return fmt.Errorf("service: manager: %w", err)
	}
	defer func() { err = errors.Join(err, m.Disconnect()) }()
	s, err := m.OpenService(name)
	if err != nil {
		return fmt.Errorf("service: uninstall %s: %w", name, err)
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	if err := s.Delete(); err != nil {
		return fmt.Errorf("service: uninstall %s: %w", name, err)
	}
	if err := ignoreMissing(eventlog.Remove(name)); err != nil {
		return fmt.Errorf("service: event log source %s: %w", name, err)
	}
	return nil
}

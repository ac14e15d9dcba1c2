// Package service runs a program as a Windows service, and installs and removes it as one. Elsewhere nothing is a
// service: there [Run] says so and the program goes on as usual, under systemd or launchd.
//
//	ran, err := service.Run("mediaserver", serve, &service.Options{Reload: reload})
//	if ran {
//		return err
//	}
//	return serve(signals)
//
// [Run] connects the program to the service control manager, which starts, stops and reconfigures it by commands. The
// part that answers commands knows nothing of Windows and is tested everywhere. [Command] has the subcommands with
// which an operator installs the service. A service has no standard output; [OpenLog] returns a handler of package slog
// that writes to the event log.
package service

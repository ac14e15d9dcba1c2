package listen

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/coreos/go-systemd/v22/daemon"
)

// States to notify the service manager of, see sd_notify(3).
const (
	// NotifyReady: start or reload is complete.
	NotifyReady = daemon.SdNotifyReady
	// NotifyReloading: the configuration is being read again; NotifyReady follows. Units of Type=notify-reload also need
	// MONOTONIC_USEC, see [NotifyReloadingAt].
	NotifyReloading = daemon.SdNotifyReloading
	// NotifyStopping: shutdown has begun.
	NotifyStopping = daemon.SdNotifyStopping
)

// NotifyMainPID is the state that another process is the main one of the service. A Set that is taken over sends it by itself.
func NotifyMainPID(pid int) string { return "MAINPID=" + strconv.Itoa(pid) }

// Notify tells the service manager states of this process. It does nothing, without an error, where there is none.
func Notify(states ...string) error {
	if _, err := daemon.SdNotify(false, strings.Join(states, "\n")); err != nil {
		return fmt.Errorf("listen: notify the service manager: %w", err)
	}
	return nil
}

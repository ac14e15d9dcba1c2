package server

import (
	"errors"
	"fmt"
	"io/fs"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/smoothkit/smoothkit/livesmooth"
)

// TestAlarms: what a page for everybody says of what goes wrong, without the names of files.
func TestAlarms(t *testing.T) {
	full := &fs.PathError{Op: "write", Path: "/secret/place", Err: syscall.ENOSPC}
	assert.Nil(t, alarms([]livesmooth.SinkStats{{Name: "Archive", Queued: 3, Durable: 7}}))
	assert.Equal(t, []Alarm{
		{Sink: "Archive", Failing: true, Reason: "the disk is full", Dropped: 12},
		{Sink: "Spool", Failing: true, Reason: "it is too slow"},
		{Sink: "HTTP Push", Failing: true, Reason: "the log of the server says why"},
		{Sink: "Archive", Dropped: 1},
	}, alarms([]livesmooth.SinkStats{
		{Name: "Archive", Failing: true, Err: fmt.Errorf("archive: %w", full), Dropped: 12},
		{Name: "Spool", Failing: true, Err: livesmooth.ErrSinkSlow},
		{Name: "HTTP Push", Failing: true, Err: errors.New("no route to 10.0.0.1")},
		{Name: "Other"},
		{Name: "Archive", Dropped: 1},
	}))
}

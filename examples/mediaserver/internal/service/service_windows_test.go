package service

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"
	"golang.org/x/sys/windows/svc"
)

func TestExecute(t *testing.T) {
	for want, err := range map[uint32]error{0: nil, failed: errors.New("address taken")} {
		p := &program{
			run:  func(ctx context.Context) error { <-ctx.Done(); return err },
			opts: (&Options{Reload: func() {}}).withDefaults(),
		}
		requests, statuses := make(chan svc.ChangeRequest, 2), make(chan svc.Status, 10)
		requests <- svc.ChangeRequest{Cmd: svc.ParamChange}
		requests <- svc.ChangeRequest{Cmd: svc.PreShutdown}
		specific, code := p.Execute(nil, requests, statuses)
		assert.Equal(t, want, code)
		assert.Equal(t, err != nil, specific)
		assert.Equal(t, svc.Status{State: svc.StartPending, WaitHint: 9000}, <-statuses)
		accepts := svc.AcceptStop | svc.AcceptShutdown | svc.AcceptPreShutdown | svc.AcceptParamChange
		assert.Equal(t, svc.Status{State: svc.Running, Accepts: accepts}, <-statuses)
		assert.Equal(t, svc.Status{State: svc.StopPending, CheckPoint: 1, WaitHint: 9000}, <-statuses)
	}
}

func TestNoServiceHere(t *testing.T) {
	ran, err := Run("m", func(context.Context) error { panic("not to be run") }, nil)
	assert.False(t, ran)
	assert.NoError(t, err)
}

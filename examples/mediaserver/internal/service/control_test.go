package service

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
)

func same(r request) request { return r }

// fake is the service control manager, and a program that takes some time to stop.
type fake struct {
	requests chan request
	reports  []status
	err      chan error
}

// newFake runs a program that drains for some time once it is told to stop, and ends with an error then.
func newFake(drain time.Duration, err error, opts *Options) *fake {
	f := &fake{requests: make(chan request), err: make(chan error, 1)}
	run := func(ctx context.Context) error {
		<-ctx.Done()
		time.Sleep(drain)
		return err
	}
	go func() {
		f.err <- control(run, opts.withDefaults(), f.requests, same, func(s status) { f.reports = append(f.reports, s) })
	}()
	return f
}

func TestStop(t *testing.T) {
	for _, err := range []error{nil, context.Canceled, fmt.Errorf("serve: %w", context.Canceled)} {
		synctest.Test(t, func(t *testing.T) {
			f := newFake(10*time.Second, err, nil)
			f.requests <- interrogate
			f.requests <- stop
			f.requests <- stop
			f.requests <- reload
			f.requests <- interrogate
			begun := time.Now()
			assert.NoError(t, <-f.err)
			assert.Equal(t, 10*time.Second, time.Since(begun), "it waits for the program")
			assert.Equal(t, []status{
				{starting, 0}, {running, 0}, {running, 0}, {stopping, 1}, {stopping, 1}, {stopping, 2}, {stopping, 3}, {stopping, 4},
			}, f.reports)
		})
	}
}

func TestStopFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		broken := errors.New("archive not finished")
		f := newFake(time.Second, broken, &Options{Progress: 300 * time.Millisecond})
		f.requests <- stop
		assert.ErrorIs(t, <-f.err, broken)
		assert.Len(t, f.reports, 6)
	})
}

// A program that ends by itself ends the service, with its error, also if that is one of a context of its own.
func TestEnds(t *testing.T) {
	for _, want := range []error{nil, errors.New("address taken"), context.Canceled} {
		run := func(context.Context) error { return want }
		var reports []status
		err := control(run, (*Options)(nil).withDefaults(), make(chan request), same, func(s status) { reports = append(reports, s) })
		assert.Equal(t, want, err)
		assert.Equal(t, []status{{starting, 0}, {running, 0}}, reports)
	}
}

func TestReload(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := 0
		f := newFake(0, nil, &Options{Reload: func() { n++ }})
		f.requests <- reload
		f.requests <- ignore
		f.requests <- reload
		f.requests <- stop
		assert.NoError(t, <-f.err)
		assert.Equal(t, 2, n)

		f = newFake(0, nil, nil)
		f.requests <- reload // there is nothing to reload
		f.requests <- stop
		assert.NoError(t, <-f.err)
	})
}

// A manager that is gone is not asked again and again.
func TestCommand(t *testing.T) {
	var did string
	install := func(name, exe string, args []string) error {
		assert.NotEmpty(t, exe)
		did = fmt.Sprintf("install %s %q", name, args)
		return nil
	}
	remove := func(name string) error {
		did = "remove " + name
		return nil
	}
	tests := []struct {
		args    []string
		handled bool
		did     string
		err     error
	}{
		{nil, false, "", nil},
		{[]string{"-config", "service"}, false, "", nil},
		{[]string{"service"}, true, "", ErrUsage},
		{[]string{"service", "start"}, true, "", ErrUsage},
		{[]string{"service", "install", "-config", "a b.yaml"}, true, `install m ["-config" "a b.yaml"]`, nil},
		{[]string{"service", "install"}, true, "install m []", nil},
		{[]string{"service", "uninstall"}, true, "remove m", nil},
		{[]string{"service", "uninstall", "x"}, true, "", ErrUsage},
	}
	for _, test := range tests {
		did = ""
		handled, err := command("m", test.args, install, remove)
		assert.Equal(t, test.handled, handled, test.args)
		assert.Equal(t, test.did, did, test.args)
		assert.Equal(t, test.err, err, test.args)
	}
}

func TestName(t *testing.T) {
	for _, name := range []string{"", "a/b", `a\b`, "a b", "ä", string(make([]byte, 81))} {
		assert.ErrorIs(t, checkName(name), ErrName, "%q", name)
		assert.ErrorIs(t, Install(name, "x", nil), ErrName)
		assert.ErrorIs(t, Remove(name), ErrName)
	}
	assert.NoError(t, checkName("media-server_2.1"))
}

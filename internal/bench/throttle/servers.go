package main

import (
	"bufio"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"os/exec"
	"runtime/debug"
	"runtime/pprof"
	"slices"
	"strings"
	"time"

	"github.com/smoothkit/smoothkit/throttle"
)

// Names that mean something to the program.
const (
	nginxName   = "nginx"
	stalledName = "stalled"
)

// server is one that is measured.
type server struct {
	name     string
	quanta   string                       // what it writes at once
	interval time.Duration                // of ours
	h        func(c *config) http.Handler // nil for nginx
	extra    bool                         // measured only if it is named
	h2       bool                         // HTTP/2 and TLS
}

// servers returns all of them in the order of the table.
func servers() []server {
	const kernel, quarter = true, throttle.DefaultInterval
	list := []server{
		{name: stalledName, quanta: "none", h: unpaced},
		{name: nginxName, quanta: "1 s"},
		{name: "handler-1s", interval: time.Second, h: handler(time.Second, !kernel)},
		{name: "handler-250ms", interval: quarter, h: handler(quarter, !kernel)},
		{name: "kernel-1s", interval: time.Second, h: handler(time.Second, kernel)},
		{name: "kernel-250ms", interval: quarter, h: handler(quarter, kernel)},
		{name: "writer-1s", interval: time.Second, h: pacedBy(writer(time.Second))},
		{name: "writer-250ms", interval: quarter, h: pacedBy(writer(quarter))},
		{name: "sleep-128k", quanta: "128 KiB", h: sleepMapped},
		{name: "sleep-file-128k", quanta: "128 KiB", h: pacedBy(sleepFile(sleepChunk, 0))},
		{name: "sleep-file-250ms", quanta: "250ms", h: pacedBy(sleepFile(0, quarter))},
		{name: "xtime-16k", quanta: "16 KiB", h: pacedBy(xtime(16 << 10))},
		{name: "xtime-64k", quanta: "64 KiB", h: pacedBy(xtime(64 << 10))},
		{name: "xtime-128k", quanta: "128 KiB", h: pacedBy(xtime(128 << 10))},
		{name: "juju", quanta: "32 KiB", h: pacedBy(juju)},
		{name: "h2-1s", interval: time.Second, h: handler(time.Second, !kernel), extra: true, h2: true},
		{name: "h2-250ms", interval: quarter, h: handler(quarter, !kernel), extra: true, h2: true},
	}
	for i := range list {
		if s := &list[i]; s.interval > 0 {
			s.quanta = s.interval.String()
		}
	}
	return list
}

// chosen returns the servers that -only names, or all that are not extra.
func (c *config) chosen() ([]server, error) {
	all := servers()
	if c.only == "" {
		return slices.DeleteFunc(all, func(s server) bool { return s.extra || !s.present() }), nil
	}
	var list []server
	for _, name := range strings.Split(c.only, ",") {
		found := false
		for _, s := range all {
			prefix, star := strings.CutSuffix(name, "*")
			if s.name == name || star && strings.HasPrefix(s.name, prefix) {
				list, found = append(list, s), true
			}
		}
		if !found {
			return nil, fmt.Errorf("no server %q", name)
		}
	}
	return list, nil
}

// present reports whether the server is there.
func (s *server) present() bool {
	if s.name != nginxName {
		return true
	}
	_, err := exec.LookPath("nginx")
	return err == nil
}

// named returns the server with a name.
func named(name string) (server, error) {
	all := servers()
	if i := slices.IndexFunc(all, func(s server) bool { return s.name == name && s.h != nil }); i >= 0 {
		return all[i], nil
	}
	return server{}, fmt.Errorf("no server %q", name)
}

// unpaced is the file server of net/http.
func unpaced(c *config) http.Handler { return http.FileServer(http.Dir(c.dir)) }

// handler is ours around it, with an explicit rate.
func handler(interval time.Duration, kernel bool) func(c *config) http.Handler {
	return func(c *config) http.Handler {
		rules := &throttle.Rules{Settings: []throttle.Setting{
			{Match: ".bin", Kind: throttle.Data, Rate: c.rate, InitialSendSize: c.burst},
		}}
		return throttle.New(unpaced(c), rules, &throttle.HandlerOptions{
			Interval: interval, KernelPacing: kernel, MaxSessions: 2 * c.conns,
		})
	}
}

// serveChild serves until its input ends, and does what that says.
func serveChild(c *config) error {
	s, err := named(c.server)
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", c.addr)
	if err != nil {
		return err
	}
	srv := &http.Server{Handler: s.h(c), ConnContext: throttle.ConnContext, ErrorLog: log.New(io.Discard, "", 0)}
	failed := make(chan error, 1)
	go func() {
		if s.h2 {
			failed <- serveTLS(srv, l)
			return
		}
		failed <- srv.Serve(l)
	}()
	ended := make(chan error, 1)
	go func() { ended <- c.obey() }()
	select {
	case err := <-failed:
		return err
	case err := <-ended:
		srv.Close()
		return err
	}
}

// obey does what the lines of the input say, and answers each with a line, until there are no more.
func (c *config) obey() error {
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		if err := c.do(lines.Text()); err != nil {
			return err
		}
		fmt.Println("done")
	}
	return lines.Err()
}

func (c *config) do(line string) error {
	switch {
	case line == "free":
		debug.FreeOSMemory()
	case line == "begin" && c.profile != "":
		f, err := os.Create(c.profile)
		if err != nil {
			return err
		}
		return pprof.StartCPUProfile(f)
	case line == "end" && c.profile != "":
		pprof.StopCPUProfile()
	}
	return nil
}

package main

import (
	"bytes"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/smoothkit/smoothkit/throttle"
)

// TestMain lets the test be its own children.
func TestMain(m *testing.M) {
	for _, arg := range os.Args {
		if arg == "-child" {
			main()
			return
		}
	}
	os.Exit(m.Run())
}

func requireLinux(t *testing.T) {
	t.Helper()
	if _, err := os.Stat("/proc/self/stat"); err != nil {
		t.Skip("no /proc")
	}
}

func TestMeasure(t *testing.T) {
	requireLinux(t)
	var out bytes.Buffer
	c := &config{
		conns: 6, processes: 2, rate: throttle.MbitPerSecond, settle: 50 * time.Millisecond,
		duration: 200 * time.Millisecond, rounds: 1, out: &out,
	}
	c.only = "stalled,handler-250ms,writer-250ms,xtime-16k,h2-250ms"
	if s := (&server{name: nginxName}); s.present() {
		c.only += ",nginx"
	}
	if err := c.withFile(c.measureAll); err != nil {
		t.Fatal(err)
	}
	for _, name := range strings.Split(c.only, ",") {
		if !strings.Contains(out.String(), "\n"+name+" ") {
			t.Errorf("no row of %s", name)
		}
	}
	if strings.Count(out.String(), "; 0; ") != strings.Count(c.only, ",")+1 {
		t.Errorf("clients failed:\n%s", out.String())
	}
}

func TestLaw(t *testing.T) {
	requireLinux(t)
	var out bytes.Buffer
	c := &config{duration: 300 * time.Millisecond, only: "handler-250ms", rates: "10 Mbit/s", out: &out}
	if err := c.withFile(c.measureLaw); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(out.String(), "10 Mbit/s       312500          0.000 ") {
		t.Errorf("sent ahead of the law:\n%s", out.String())
	}
}

// TestWatch compares a body that comes at once with the law.
func TestWatch(t *testing.T) {
	c := &config{rate: 8 * throttle.KbitPerSecond, burst: 1000, duration: time.Hour}
	begun := time.Now().Add(-10 * time.Second) // 11,000 bytes are due
	d := c.watch(strings.NewReader(strings.Repeat("x", 12_000)), begun)
	if d.Bytes != 12_000 || d.Error != "EOF" {
		t.Errorf("got %+v", d)
	}
	if d.Ahead > 1000 || d.Ahead < 900 || d.Behind < 11_000 || d.Behind > 11_100 {
		t.Errorf("got %+v, want 1,000 bytes ahead and 11,000 behind", d)
	}
}

func TestChosen(t *testing.T) {
	c := &config{only: "h2-*,juju"}
	list, err := c.chosen()
	if err != nil || len(list) != 3 || list[0].name != "h2-1s" || list[2].name != "juju" {
		t.Errorf("got %v, %v", list, err)
	}
	c.only = "apache"
	if _, err := c.chosen(); err == nil {
		t.Error("no error of an unknown server")
	}
}

func TestCompare(t *testing.T) {
	begun := time.Now()
	list := []client{{bytes: 300, last: begun.Add(2 * time.Second)}, {bytes: 100, last: begun}, {err: os.ErrClosed}}
	r := compare([]mark{{100, begun, nil}, {100, begun, nil}, {}}, list)
	if r.Mean != 50 || r.Dev != 50 || r.Least != 0 || r.Most != 100 || r.Failures != 1 || r.Error == "" {
		t.Errorf("got %+v", r)
	}
}

func TestMedians(t *testing.T) {
	m := medians([]figures{
		{cores: 3, received: received{Least: 5, Most: 6}}, {cores: 1, received: received{Least: 4, Most: 5, Failures: 2}}, {cores: 2},
	})
	if m.cores != 2 || m.received.Least != 0 || m.received.Most != 6 || m.received.Failures != 2 {
		t.Errorf("got %+v", m)
	}
	if m := medians([]figures{{cores: 1}, {cores: 2}}); m.cores != 1.5 {
		t.Errorf("got %v of 1 and 2", m.cores)
	}
}

func TestSkipHeader(t *testing.T) {
	rest, err := skipHeader(strings.NewReader("HTTP/1.1 200 OK\r\nA: b\r\n\r\nbody"))
	if err != nil || string(rest) != "body" {
		t.Errorf("got %q, %v", rest, err)
	}
	for _, s := range []string{"HTTP/1.1 503 Busy\r\n\r\n", "HTTP/1.1 200 OK\r\n", strings.Repeat("x", 5000)} {
		if _, err := skipHeader(strings.NewReader(s)); err == nil {
			t.Errorf("no error of %.20q", s)
		}
	}
}

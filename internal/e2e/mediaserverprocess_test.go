package e2e_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
)

// serverProcess is examples/mediaserver in a process of its own.
type serverProcess struct {
	cmd  *exec.Cmd
	page string        // of its first address, with a slash at the end
	done chan struct{} // closed when it has ended
	err  error         // how, once it has

	mu   sync.Mutex // guards said
	said bytes.Buffer
	out  io.Writer // the log of the test
}

// Write takes what the program says.
func (s *serverProcess) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.said.Write(b)
	return s.out.Write(b)
}

// startServer starts the program and waits until it says where its page is. The test kills it.
func startServer(t *testing.T, exe string, args ...string) (*serverProcess, error) {
	t.Helper()
	s := &serverProcess{cmd: exec.Command(exe, args...), done: make(chan struct{}), out: t.Output()}
	s.cmd.Stdout, s.cmd.Stderr = s, s
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		defer close(s.done)
		s.err = s.cmd.Wait()
	}()
	t.Cleanup(s.kill)
	found, err := s.waitFor(`(?m)^Page: +(\S+)$`, 30*time.Second)
	if err == nil {
		s.page = found[1]
	}
	return s, err
}

// waitFor waits until the program says something, and returns what of it is in parentheses.
func (s *serverProcess) waitFor(pattern string, limit time.Duration) ([]string, error) {
	expr := regexp.MustCompile(pattern)
	var found []string
	err := poll(limit, func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		found = expr.FindStringSubmatch(s.said.String())
		return found != nil
	})
	if err != nil {
		return nil, fmt.Errorf("the server does not say %s: %w", pattern, err)
	}
	return found, nil
}

// waitEnd waits until it ends without an error by itself.
func (s *serverProcess) waitEnd(limit time.Duration) error {
	select {
	case <-s.done:
		return s.err
	case <-time.After(limit):
		return fmt.Errorf("the server has not ended within %v", limit)
	}
}

// interrupt asks it to end and waits until it has.
func (s *serverProcess) interrupt() error {
	s.cmd.Process.Signal(os.Interrupt)
	return s.waitEnd(30 * time.Second)
}

// kill ends it as a power cut does.
func (s *serverProcess) kill() {
	s.cmd.Process.Kill()
	<-s.done
}

// poll asks again and again until something holds.
func poll(limit time.Duration, holds func() bool) error {
	for end := time.Now().Add(limit); ; time.Sleep(50 * time.Millisecond) {
		if holds() {
			return nil
		}
		if time.Now().After(end) {
			return fmt.Errorf("not within %v", limit)
		}
	}
}

// answered is an answer to a request, with all of its body.
type answered struct {
	status int
	header http.Header
	body   []byte
}

// inquire sends a GET, to be answered completely. Host may be another one than that of the URL.
func inquire(url, host string) (a answered, err error) {
	r, err := http.NewRequest(http.MethodGet, url, nil)
	if err != nil {
		return a, err
	}
	r.Host = host
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return a, err
	}
	defer resp.Body.Close()
	a.status, a.header = resp.StatusCode, resp.Header
	a.body, err = io.ReadAll(resp.Body)
	return a, err
}

// becomes waits until an URL is answered with a status.
func becomes(url string, status int, limit time.Duration) error {
	var last answered
	err := poll(limit, func() bool {
		last, _ = inquire(url, "")
		return last.status == status
	})
	if err != nil {
		return fmt.Errorf("%s: %d and not %d, %w: %s", url, last.status, status, err, last.body)
	}
	return nil
}

// encoderLoop is an encoder as there are in boxes: it connects again whenever its connection ends, and its clock goes on meanwhile.
type encoderLoop struct {
	url   string // of the stream
	began time.Time
	quit  chan struct{}
	done  chan struct{}

	mu      sync.Mutex // guards the rest
	runs    int
	current *program
	err     error
}

// keepPushing begins to push pictures and sound to a stream.
func keepPushing(t *testing.T, url string) *encoderLoop {
	t.Helper()
	e := &encoderLoop{url: url, began: time.Now(), quit: make(chan struct{}), done: make(chan struct{})}
	go func() {
		defer close(e.done)
		for e.once(t) {
			select {
			case <-e.quit:
				return
			case <-time.After(200 * time.Millisecond):
			}
		}
	}()
	t.Cleanup(func() { e.end() })
	return e
}

// once pushes until the connection ends.
func (e *encoderLoop) once(t *testing.T) bool {
	const clock = 1000 // seconds, when the event begins
	args := append(ffmpegInput(), allTracks()...)
	args = append(args, "-output_ts_offset", fmt.Sprintf("%.2f", clock+time.Since(e.began).Seconds()))
	e.mu.Lock()
	select {
	case <-e.quit:
		e.mu.Unlock()
		return false
	default:
	}
	p, err := launch(t, "ffmpeg", append(args, ismlTo(e.url)...)...)
	e.current, e.err = p, err
	e.runs++
	e.mu.Unlock()
	if err != nil {
		return false
	}
	<-p.done
	return true
}

// connections returns how often it has connected.
func (e *encoderLoop) connections() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.runs
}

// kill ends the connection as a power cut of the encoder does. It connects again.
func (e *encoderLoop) kill() {
	e.mu.Lock()
	p := e.current
	e.mu.Unlock()
	p.kill()
}

// end sends the end of the stream and does not connect again.
func (e *encoderLoop) end() error {
	e.mu.Lock()
	select {
	case <-e.quit:
	default:
		close(e.quit)
	}
	p, err := e.current, e.err
	e.mu.Unlock()
	if p != nil {
		err = errors.Join(err, p.interrupt(10*time.Second))
	}
	<-e.done
	return err
}

// newcomers ask for URLs again and again, half of them on new connections, and note what goes wrong.
type newcomers struct {
	cancel context.CancelFunc
	all    sync.WaitGroup

	mu       sync.Mutex // guards the rest
	good     int
	failures []string
}

// accept says what is wrong about an answer to a newcomer, or nil.
type accept func(status int, body string) error

// keepAsking begins to ask for some URLs.
func keepAsking(t *testing.T, urls map[string]accept) *newcomers {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	n := &newcomers{cancel: cancel}
	begin := func(url string, fine accept, i int) {
		n.all.Go(func() {
			transport := &http.Transport{DisableKeepAlives: i%2 == 0, DialContext: (&net.Dialer{Timeout: 20 * time.Second}).DialContext}
			defer transport.CloseIdleConnections()
			client := &http.Client{Transport: transport, Timeout: 30 * time.Second}
			for ctx.Err() == nil {
				n.ask(client, url, fine)
				time.Sleep(25 * time.Millisecond)
			}
		})
	}
	for url, fine := range urls {
		for i := range 2 {
			begin(url, fine, i)
		}
	}
	t.Cleanup(func() { n.end() })
	return n
}

func (n *newcomers) ask(client *http.Client, url string, fine accept) {
	resp, err := client.Get(url)
	if err == nil {
		var body []byte
		body, err = io.ReadAll(resp.Body)
		resp.Body.Close()
		if err == nil {
			err = fine(resp.StatusCode, string(body))
		}
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	switch {
	case err == nil:
		n.good++
	case len(n.failures) < 10:
		n.failures = append(n.failures, time.Now().Format("05.000 ")+url+": "+err.Error())
	}
}

// end stops them and returns what went wrong.
func (n *newcomers) end() error {
	n.cancel()
	n.all.Wait()
	if n.good < 100 || len(n.failures) > 0 {
		return fmt.Errorf("of those who came and went %d were served, others not: %q", n.good, n.failures)
	}
	return nil
}

// status200 accepts nothing else.
func status200(status int, body string) error {
	if status != http.StatusOK {
		return fmt.Errorf("status %d: %s", status, body)
	}
	return nil
}

// goesOn accepts what a live presentation answers as long as it goes on: with a word, or without it, that its end would change.
func goesOn(word string, there bool) accept {
	return func(status int, body string) error {
		if status == http.StatusOK && strings.Contains(body, word) == there {
			return nil
		}
		return fmt.Errorf("status %d: %.300s", status, body)
	}
}

// orWaits also accepts that there is nothing yet.
func orWaits(fine accept) accept {
	return func(status int, body string) error {
		if status == http.StatusPreconditionFailed {
			return nil
		}
		return fine(status, body)
	}
}

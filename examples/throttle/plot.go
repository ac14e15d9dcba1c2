package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path"
	"time"
)

// transfer is what a client saw of one download.
type transfer struct {
	name   string
	points []point // in order, beginning with zero bytes
	length int64   // of the body in bytes, -1 if it is not known
	law    *law    // nil if the server does not state it
}

// point says that so many bytes had come after so many seconds.
type point struct {
	seconds float64
	bytes   int64
}

// law is what a server may have sent after t seconds: burst + rate*t/8 bytes.
type law struct {
	rate, burst int64 // in bit/s and bytes
	source      string
}

func (l *law) bytes(seconds float64) float64 {
	return float64(l.burst) + float64(l.rate)/8*seconds
}

// plot downloads url for at most so long and draws what came when.
func plot(ctx context.Context, out io.Writer, file, url string, most time.Duration) error {
	if most <= 0 {
		return fmt.Errorf("-for %v is no time to download", most)
	}
	fmt.Fprintf(out, "Downloading %s for at most %v.\n", url, most)
	t, err := download(ctx, url, most)
	if err != nil {
		return err
	}
	if err := os.WriteFile(file, chart(t), 0o644); err != nil {
		return err
	}
	fmt.Fprintf(out, "%s: %s\n", file, summary(t))
	return nil
}

// download reads a body and notes when its bytes come.
func download(ctx context.Context, url string, most time.Duration) (*transfer, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	client := &http.Client{Transport: &http.Transport{DisableCompression: true, DisableKeepAlives: true}}
	resp, err := client.Do(r)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s: %s", url, resp.Status)
	}
	start := time.Now()
	timer := time.AfterFunc(most, cancel)
	defer timer.Stop()
	t := &transfer{name: path.Base(resp.Request.URL.Path), points: []point{{}}, length: resp.ContentLength}
	var l law
	if n, _ := fmt.Sscanf(resp.Header.Get("X-Throttle"), "rate=%d; burst=%d; source=%s", &l.rate, &l.burst, &l.source); n >= 2 {
		t.law = &l
	}
	buf := make([]byte, 64<<10)
	for total := int64(0); ; {
		n, err := resp.Body.Read(buf)
		at := time.Since(start)
		if total += int64(n); n > 0 {
			t.add(point{at.Seconds(), total}, most.Seconds()/1000)
		}
		switch {
		case err == io.EOF:
			return t, nil
		case at >= most:
			t.add(point{max(most.Seconds(), t.last().seconds), total}, 0)
			return t, nil
		case err != nil:
			return nil, fmt.Errorf("%s: after %d bytes: %w", url, total, err)
		}
	}
}

// add adds a point, in the place of those that are nearer than anybody sees.
func (t *transfer) add(p point, near float64) {
	if n := len(t.points); n > 2 && p.seconds-t.points[n-2].seconds < near {
		t.points[n-1] = p
		return
	}
	t.points = append(t.points, p)
}

func (t *transfer) last() point { return t.points[len(t.points)-1] }

// summary says in words what the picture shows.
func summary(t *transfer) string {
	text := fmt.Sprintf("%s of %s in %.1f s", size(float64(t.last().bytes)), size(float64(t.length)), t.last().seconds)
	if t.length < 0 {
		text = fmt.Sprintf("%s in %.1f s", size(float64(t.last().bytes)), t.last().seconds)
	}
	if t.law != nil {
		text += fmt.Sprintf(", burst %s, then %.1f kbit/s", size(float64(t.law.burst)), float64(t.law.rate)/1000)
	}
	return text
}

// size writes bytes in units of 1000.
func size(bytes float64) string {
	switch {
	case bytes >= 1e6:
		return fmt.Sprintf("%.2f MB", bytes/1e6)
	case bytes >= 1e3:
		return fmt.Sprintf("%.1f kB", bytes/1e3)
	}
	return fmt.Sprintf("%.0f B", bytes)
}

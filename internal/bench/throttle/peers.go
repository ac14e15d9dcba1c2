package main

import (
	"context"
	"io"
	"log"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/juju/ratelimit"
	"golang.org/x/time/rate"

	"github.com/smoothkit/smoothkit/throttle"
)

// paced sends a file to a response at the rate of the configuration.
type paced func(ctx context.Context, c *config, w http.ResponseWriter, f *os.File) error

// pacedBy is a handler that opens the file for each response, as that of net/http does, and has it sent.
func pacedBy(send paced) func(c *config) http.Handler {
	return func(c *config) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			f, err := os.Open(filepath.Join(c.dir, fileName))
			if err != nil {
				http.Error(w, "", http.StatusInternalServerError)
				return
			}
			defer f.Close()
			setHeader(w)
			_ = send(r.Context(), c, w, f) // the client has gone
		})
	}
}

func setHeader(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Content-Length", strconv.FormatInt(fileSize, 10))
}

// writer is ours for applications, with a bucket per response that holds a quantum, for turns that come late.
func writer(interval time.Duration) paced {
	return func(ctx context.Context, c *config, w http.ResponseWriter, f *os.File) error {
		tw := throttle.NewWriter(ctx, w, throttle.NewBucket(c.rate, c.burst, c.rate.Bytes(interval)))
		tw.Interval = interval
		_, err := io.Copy(tw, f)
		return err
	}
}

// xtime waits for each chunk, as is usual, and copies it through a buffer.
func xtime(chunk int) paced {
	return func(ctx context.Context, c *config, w http.ResponseWriter, f *os.File) error {
		l := rate.NewLimiter(rate.Limit(float64(c.rate)/8), chunk)
		buf := make([]byte, chunk)
		for {
			n, err := f.Read(buf)
			if err != nil {
				return err
			}
			if err := l.WaitN(ctx, n); err != nil {
				return err
			}
			if _, err := w.Write(buf[:n]); err != nil {
				return err
			}
		}
	}
}

// juju is its writer, with a bucket that holds a second.
func juju(_ context.Context, c *config, w http.ResponseWriter, f *os.File) error {
	b := ratelimit.NewBucketWithRate(float64(c.rate)/8, max(int64(c.rate)/8, 32<<10))
	_, err := io.Copy(ratelimit.Writer(w, b), f)
	return err
}

// sleepChunk is what the loop that sleeps sends at once, unless it is told.
const sleepChunk = 128 << 10

// sleepFile sends chunks by sendfile, of so many bytes or what the rate earns in an interval, and sleeps until the next is due.
func sleepFile(chunk int64, interval time.Duration) paced {
	return func(_ context.Context, c *config, w http.ResponseWriter, f *os.File) error {
		n := max(chunk, c.rate.Bytes(interval))
		begun := time.Now()
		for sent := int64(0); ; sent += n {
			time.Sleep(time.Until(begun.Add(c.rate.Time(sent))))
			if _, err := io.CopyN(w, f, n); err != nil {
				return err
			}
		}
	}
}

// sleepMapped sends chunks from a mapping of the file, without opening it again.
func sleepMapped(c *config) http.Handler {
	f, err := os.Open(filepath.Join(c.dir, fileName))
	if err != nil {
		log.Fatal(err)
	}
	data, err := mapped(f, fileSize)
	if err != nil {
		log.Fatal(err)
	}
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		setHeader(w)
		begun := time.Now()
		for sent := int64(0); sent+sleepChunk <= int64(len(data)); sent += sleepChunk {
			time.Sleep(time.Until(begun.Add(c.rate.Time(sent))))
			if _, err := w.Write(data[sent : sent+sleepChunk]); err != nil {
				return
			}
		}
	})
}

package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/smoothkit/smoothkit/smooth/smoothtest"
)

// chunkSize is that of the buffer of ffmpeg's muxers, which its HTTP client sends as one chunk.
const chunkSize = 32 << 10

// encoder pushes tracks in real time.
type encoder struct {
	id    string
	lanes []lane
	delay time.Duration // after the moment at which the fragments are complete
	sent  []atomic.Int64
}

// newEncoder returns one for an event of n fragments.
func newEncoder(id string, n int, lanes ...lane) *encoder {
	return &encoder{id: id, lanes: lanes, sent: make([]atomic.Int64, n)}
}

// sentAt returns when the last byte of the fragments with number n went out; zero if it has not.
func (e *encoder) sentAt(n int) time.Time {
	if ns := e.sent[n].Load(); ns != 0 {
		return time.Unix(0, ns)
	}
	return time.Time{}
}

// run pushes the event that starts at a time to the server at addr.
func (e *encoder) run(addr string, start time.Time) error {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		return err
	}
	defer conn.Close()
	media := smoothtest.NewEncoder(encoderConfig(e.lanes...))
	const head = "POST /%s/Streams(%s) HTTP/1.1\r\nHost: %s\r\nUser-Agent: Lavf/60\r\nTransfer-Encoding: chunked\r\n\r\n"
	if _, err := fmt.Fprintf(conn, head, pointName, e.id, addr); err != nil {
		return err
	}
	if err := sendChunks(conn, media.Header(), nil); err != nil {
		return err
	}
	for n := range e.sent {
		b := media.Until(time.Duration(n+1) * length) // made while the encoder would be at work
		time.Sleep(time.Until(start.Add(time.Duration(n+1)*length + e.delay)))
		if err := sendChunks(conn, b, func() { e.sent[n].Store(time.Now().UnixNano()) }); err != nil {
			return err
		}
	}
	if err := sendChunks(conn, media.Trailer(), nil); err != nil {
		return err
	}
	if _, err := io.WriteString(conn, "0\r\n\r\n"); err != nil {
		return err
	}
	answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return err
	}
	answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("encoder %s: %s", e.id, answer.Status)
	}
	return nil
}

// sendChunks sends data in chunks, as ffmpeg does: size, data and end of line each in a write of its own. last is called
// before the write with the last byte of the data.
func sendChunks(w io.Writer, data []byte, last func()) error {
	for len(data) > 0 {
		n := min(len(data), chunkSize)
		if _, err := io.WriteString(w, strconv.FormatInt(int64(n), 16)+"\r\n"); err != nil {
			return err
		}
		if n == len(data) && last != nil {
			last()
		}
		if _, err := w.Write(data[:n]); err != nil {
			return err
		}
		if _, err := io.WriteString(w, "\r\n"); err != nil {
			return err
		}
		data = data[n:]
	}
	return nil
}

// encoders are those of an event.
type encoders struct {
	list []*encoder
	work sync.WaitGroup
	errs chan error
}

// runEncoders starts encoders that push an event from a time on.
func runEncoders(addr string, start time.Time, list ...*encoder) *encoders {
	g := &encoders{list: list, errs: make(chan error, len(list))}
	for _, e := range list {
		g.work.Go(func() {
			if err := e.run(addr, start); err != nil {
				g.errs <- err
			}
		})
	}
	return g
}

// wait waits for their end and returns the first error.
func (g *encoders) wait() error {
	g.work.Wait()
	close(g.errs)
	return <-g.errs
}

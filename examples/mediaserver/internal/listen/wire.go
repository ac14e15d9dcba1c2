package listen

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"
	"time"
)

// wire is a connection of the control socket. It is for one goroutine, but for Close.
type wire struct {
	conn *net.UnixConn
	buf  []byte     // received and not yet read, at most maxMessage
	fds  []*os.File // received and not yet taken, at most maxSockets
}

// send sends a message within a time.
func (w *wire) send(m message, d time.Duration) error { return w.sendSockets(m, nil, d) }

// sendSockets sends a message with the descriptors of sockets. They go with its first byte, as a longer write might be
// split.
func (w *wire) sendSockets(m message, sockets []socket, d time.Duration) error {
	line, err := appendMessage(nil, m)
	if err != nil {
		return err
	}
	w.conn.SetWriteDeadline(time.Now().Add(d))
	if len(sockets) > 0 {
		if err := writeRights(w.conn, line[:1], sockets); err != nil {
			return err
		}
		line = line[1:]
	}
	_, err = w.conn.Write(line)
	return err
}

// expect receives a message of the type within a time. An error that the other end sent wraps ErrRefused or ErrBusy; the end of
// the connection between two messages is io.EOF.
func (w *wire) expect(ctx context.Context, typ string, d time.Duration) (message, error) {
	w.conn.SetReadDeadline(time.Now().Add(d))
	stop := context.AfterFunc(ctx, func() { w.conn.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	m, err := w.receive()
	switch {
	case err != nil && ctx.Err() != nil:
		return message{}, ctx.Err()
	case errors.Is(err, os.ErrDeadlineExceeded):
		return message{}, fmt.Errorf("no %q within %v: %w", typ, d, err)
	case errors.Is(err, io.EOF):
		return message{}, fmt.Errorf("the other process has ended the connection: %w", io.EOF)
	case err != nil:
		return message{}, err
	case m.Type == typ:
		return m, nil
	case m.Type == typeError:
		return message{}, fmt.Errorf("%w: %s", ErrRefused, m.Text)
	case m.Type == typeBusy:
		return message{}, fmt.Errorf("%w: %s", ErrBusy, m.Text)
	}
	return message{}, fmt.Errorf("%q instead of %q: %w", m.Type, typ, ErrProtocol)
}

// receive reads a message.
func (w *wire) receive() (message, error) {
	for {
		if i := bytes.IndexByte(w.buf, '\n'); i >= 0 {
			m, err := parseMessage(w.buf[:i])
			w.buf = w.buf[i+1:]
			return m, err
		}
		if len(w.buf) >= maxMessage {
			return message{}, fmt.Errorf("no end of line within %d bytes: %w", maxMessage, ErrProtocol)
		}
		part := make([]byte, min(4096, maxMessage-len(w.buf)))
		n, fds, err := readRights(w.conn, part)
		w.buf, w.fds = append(w.buf, part[:n]...), append(w.fds, fds...)
		if len(w.fds) > maxSockets {
			return message{}, fmt.Errorf("%d descriptors, at most %d: %w", len(w.fds), maxSockets, ErrProtocol)
		}
		if errors.Is(err, syscall.ECONNRESET) {
			err = io.EOF // it has ended, with something unread
		}
		if errors.Is(err, io.EOF) && len(w.buf) > 0 {
			err = fmt.Errorf("connection ends within a message: %w", ErrProtocol)
		}
		if err != nil {
			return message{}, err
		}
	}
}

// take returns the descriptors received, of which there must be n.
func (w *wire) take(n int) ([]*os.File, error) {
	if len(w.fds) != n {
		return nil, fmt.Errorf("%d descriptors for %d sockets: %w", len(w.fds), n, ErrProtocol)
	}
	fds := w.fds
	w.fds = nil
	return fds, nil
}

// close closes the connection and what has not been taken.
func (w *wire) close() {
	w.conn.Close()
	closeFiles(w.fds)
	w.fds = nil
}

func closeFiles(files []*os.File) {
	for _, f := range files {
		f.Close()
	}
}

package server

import (
	"io"
	"net/http"
	"time"
)

const (
	// patience is how long a client may take to read a part of a file.
	patience = 5 * time.Minute
	// patientPart is the size of a part: who reads less than 14 kbit/s does not watch.
	patientPart = 512 << 10
)

// withPatience cuts the connections of clients that do not read the files they have asked for, and would hold them open for ever. What
// is paced has deadlines of its own, by its rate, which take the place of these.
func withPatience(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p := &patientWriter{ResponseWriter: w, control: http.NewResponseController(w)}
		defer p.end()
		next.ServeHTTP(p, r)
	})
}

// patientWriter moves the deadline on with each part of a body.
type patientWriter struct {
	http.ResponseWriter
	control *http.ResponseController
	set     bool
}

// Unwrap is for http.ResponseController.
func (p *patientWriter) Unwrap() http.ResponseWriter { return p.ResponseWriter }

// extend gives the client time for the next part. Where there is no connection there is nothing to cut.
func (p *patientWriter) extend() {
	p.set = p.control.SetWriteDeadline(time.Now().Add(patience)) == nil
}

// end leaves no deadline for the next request of the connection.
func (p *patientWriter) end() {
	if p.set {
		p.control.SetWriteDeadline(time.Time{})
	}
}

// Write implements io.Writer.
func (p *patientWriter) Write(b []byte) (int, error) {
	p.extend()
	return p.ResponseWriter.Write(b)
}

// ReadFrom implements io.ReaderFrom, in parts, which the kernel sends if they are of a file.
func (p *patientWriter) ReadFrom(src io.Reader) (int64, error) {
	limited, ok := src.(*io.LimitedReader)
	if !ok {
		return io.Copy(writerOnly{p}, src)
	}
	var sum int64
	for limited.N > 0 {
		p.extend()
		n, err := io.Copy(p.ResponseWriter, &io.LimitedReader{R: limited.R, N: min(limited.N, patientPart)})
		limited.N -= n
		sum += n
		if n == 0 || err != nil {
			return sum, err
		}
	}
	return sum, nil
}

// writerOnly hides ReadFrom.
type writerOnly struct{ io.Writer }

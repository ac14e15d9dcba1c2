package livesmooth

import (
	"bytes"
	"slices"
	"strconv"
)

const (
	// maxTolerantHead bounds the head of a request, and the trailers behind a body, that are waited for. What is longer
	// passes as it is.
	maxTolerantHead = 64 << 10
	// maxTolerantChunkLine bounds the line before a chunk; net/http accepts as much.
	maxTolerantChunkLine = 4 << 10
)

// tolerantStep is what comes next in a connection.
type tolerantStep uint8

const (
	tolerantHead tolerantStep = iota
	tolerantBody
	tolerantChunkLine
	tolerantChunk
	tolerantChunkEnd
	tolerantTrailer
	// tolerantAside: nothing is looked at any more.
	tolerantAside
)

// tolerantFilter follows the requests of a connection, by RFC 9112 in its strict form, and repairs their heads.
type tolerantFilter struct {
	step tolerantStep
	// head is what has been received of the head of a request; line is where the line begins that is not complete, and
	// looked how much of it has been looked at.
	head         []byte
	line, looked int
	// out is what can be read.
	out []byte
	// left is the rest of a body or chunk.
	left uint64
	// length and cr are about a line before a chunk or behind the last one: its bytes, or those of all trailers, and that
	// the last one was a carriage return. digits counts those of the chunk's size, extension is what follows them.
	length, digits int
	cr, extension  bool
	// blank tells that a line of the trailers has no bytes so far.
	blank bool
}

// take moves what is ready to p.
func (f *tolerantFilter) take(p []byte) int {
	for len(f.out) == 0 && f.step == tolerantHead && f.advance() {
	}
	n := copy(p, f.out)
	if f.out = f.out[n:]; len(f.out) == 0 {
		f.out = nil
	}
	return n
}

// hold keeps what follows a body.
func (f *tolerantFilter) hold(b []byte) {
	if len(b) > 0 {
		f.head = append(f.head, b...)
	}
}

// stepAside passes on everything that is held and that will come.
func (f *tolerantFilter) stepAside() {
	f.out = append(f.out, f.head...)
	f.head, f.step = nil, tolerantAside
}

// advance looks at the next line of a head. It reports false if more has to be received.
func (f *tolerantFilter) advance() bool {
	i := bytes.IndexByte(f.head[f.looked:], '\n')
	if i < 0 {
		f.looked = len(f.head)
		if len(f.head) > maxTolerantHead || len(f.head) > 0 && f.head[0] != '\r' && !isToken(f.head[0]) {
			f.stepAside()
			return true
		}
		return false
	}
	end := f.looked + i + 1
	line, ok := bytes.CutSuffix(f.head[f.line:end], []byte("\r\n"))
	switch {
	case !ok || end > maxTolerantHead:
		f.stepAside()
	case f.line == 0 && len(line) == 0: // net/http knows what to do with empty lines before a request
		f.out = append(f.out, f.head[:end]...)
		f.restart(f.head[end:])
	case f.line == 0 && !parseRequestLine(line).ok, f.line > 0 && len(line) > 0 && !parseTolerantField(line).ok:
		f.stepAside()
	case len(line) == 0:
		f.finish(end)
	default:
		f.line, f.looked = end, end
	}
	return true
}

// restart begins with another head, of which there is a part already.
func (f *tolerantFilter) restart(held []byte) {
	f.line, f.looked, f.step = 0, 0, tolerantHead
	if len(held) == 0 {
		f.head = nil
		return
	}
	f.head = append(f.head[:0], held...)
}

// finish passes on a complete head, repaired if that is safe, and what is held of the body.
func (f *tolerantFilter) finish(end int) {
	head := parseTolerantHead(f.head[:end])
	if !head.ok {
		f.stepAside()
		return
	}
	rest := f.head[end:]
	f.step, f.left = head.next, head.length
	f.beginLine()
	body := f.body(rest)
	f.out = slices.Concat(f.out, head.repaired, rest[:body])
	if f.step == tolerantHead {
		f.restart(rest[body:])
	} else {
		f.head = nil
	}
}

// body follows the body at the beginning of b and returns how much of b that is. The rest is the next head.
func (f *tolerantFilter) body(b []byte) int {
	at := 0
	for at < len(b) && f.step != tolerantHead {
		switch f.step {
		case tolerantAside:
			return len(b)
		case tolerantBody, tolerantChunk:
			n := int(min(f.left, uint64(len(b)-at)))
			at += n
			if f.left -= uint64(n); f.left == 0 {
				f.bodyEnds()
			}
		case tolerantChunkLine:
			f.chunkLine(b[at])
			at++
		case tolerantChunkEnd:
			f.chunkEnd(b[at])
			at++
		case tolerantTrailer:
			f.trailer(b[at])
			at++
		}
	}
	if f.step == tolerantAside {
		return len(b)
	}
	return at
}

// bodyEnds goes on after a body or the content of a chunk.
func (f *tolerantFilter) bodyEnds() {
	if f.step == tolerantBody {
		f.restart(nil)
		return
	}
	f.step = tolerantChunkEnd
}

// beginLine prepares for a line before a chunk.
func (f *tolerantFilter) beginLine() {
	f.length, f.digits, f.cr, f.extension = 0, 0, false, false
}

// chunkLine takes a byte of chunk-size [ chunk-ext ] CRLF. See RFC 9112 section 7.1.
func (f *tolerantFilter) chunkLine(c byte) {
	f.length++
	digit, isHex := hexValue(c)
	switch {
	case f.length > maxTolerantChunkLine, f.cr && c != '\n', !f.cr && c == '\n':
		f.step = tolerantAside
	case f.cr:
		f.chunkBegins()
	case c == '\r':
		f.cr = true
	case f.extension:
	case isHex && f.digits < 16:
		f.digits++
		f.left = f.left<<4 | uint64(digit)
	case f.digits > 0 && (c == ';' || c == ' ' || c == '\t'):
		f.extension = true
	default:
		f.step = tolerantAside
	}
}

func (f *tolerantFilter) chunkBegins() {
	switch {
	case f.digits == 0:
		f.step = tolerantAside
	case f.left == 0:
		f.step, f.length, f.cr, f.blank = tolerantTrailer, 0, false, true
	default:
		f.step, f.cr = tolerantChunk, false
	}
}

// chunkEnd takes a byte of the CRLF behind a chunk.
func (f *tolerantFilter) chunkEnd(c byte) {
	switch {
	case !f.cr && c == '\r':
		f.cr = true
	case f.cr && c == '\n':
		f.step = tolerantChunkLine
		f.beginLine()
	default:
		f.step = tolerantAside
	}
}

// trailer takes a byte of the trailers and the CRLF behind them. They are not repaired: nobody needs them.
func (f *tolerantFilter) trailer(c byte) {
	f.length++
	switch {
	case f.length > maxTolerantHead, f.cr && c != '\n', !f.cr && c == '\n':
		f.step = tolerantAside
	case f.cr && f.blank:
		f.restart(nil)
	case f.cr:
		f.cr, f.blank = false, true
	case c == '\r':
		f.cr = true
	default:
		f.blank = false
	}
}

// tolerantRequest is the head of a request as far as it matters here.
type tolerantRequest struct {
	// ok tells that the head may be repaired, and that what follows is known: a body of a length, or chunks, or the next
	// head, or another protocol.
	ok       bool
	repaired []byte
	next     tolerantStep
	length   uint64
}

// parseTolerantHead reads a head whose lines have been found well-formed.
func parseTolerantHead(head []byte) tolerantRequest {
	lines := bytes.Split(bytes.TrimSuffix(head, []byte("\r\n\r\n")), []byte("\r\n"))
	request := parseRequestLine(lines[0])
	q := tolerantRequest{ok: true, next: tolerantHead, repaired: append(make([]byte, 0, len(head)), lines[0]...)}
	lengths, encodings := 0, 0
	for _, line := range lines[1:] {
		field := parseTolerantField(line)
		q.repaired = append(append(append(append(q.repaired, "\r\n"...), field.name...), ':'), field.rest...)
		switch value := bytes.Trim(field.rest, " \t"); {
		case bytes.EqualFold(field.name, []byte("content-length")):
			lengths++
			var err error
			q.length, err = strconv.ParseUint(string(value), 10, 63)
			q.ok = q.ok && err == nil && !field.blanks && lengths+encodings == 1
			q.next = tolerantBody
		case bytes.EqualFold(field.name, []byte("transfer-encoding")):
			encodings++
			q.ok = q.ok && bytes.EqualFold(value, []byte("chunked")) && !field.blanks && lengths+encodings == 1 && !request.old
			q.next = tolerantChunkLine
		case bytes.EqualFold(field.name, []byte("upgrade")):
			request.other = true
		}
	}
	q.repaired = append(q.repaired, "\r\n\r\n"...)
	switch {
	case request.other:
		q.next = tolerantAside
	case q.next == tolerantBody && q.length == 0:
		q.next = tolerantHead
	}
	return q
}

// tolerantLine is a request line: whether it is one, of HTTP/1.0, and that another protocol follows.
type tolerantLine struct{ ok, old, other bool }

// parseRequestLine reads method SP request-target SP HTTP-version. See RFC 9112 section 3.
func parseRequestLine(line []byte) tolerantLine {
	method, rest, ok := bytes.Cut(line, []byte(" "))
	target, version, ok2 := bytes.Cut(rest, []byte(" "))
	if !ok || !ok2 || len(method) == 0 || len(target) == 0 || !everyByte(method, isToken) || !everyByte(target, isVisible) {
		return tolerantLine{}
	}
	old := string(version) == "HTTP/1.0"
	return tolerantLine{ok: old || string(version) == "HTTP/1.1", old: old, other: string(method) == "CONNECT"}
}

// tolerantField is a line of a head: name, blanks that do not belong there, colon, and the rest.
type tolerantField struct {
	ok, blanks bool
	name, rest []byte
}

// parseTolerantField reads field-name [ blanks ] ":" field-value. Folded lines are not read. See RFC 9112 section 5.
func parseTolerantField(line []byte) tolerantField {
	before, rest, ok := bytes.Cut(line, []byte(":"))
	name := bytes.TrimRight(before, " \t")
	ok = ok && len(name) > 0 && everyByte(name, isToken) && everyByte(rest, func(c byte) bool { return isVisible(c) || c == ' ' || c == '\t' })
	return tolerantField{ok: ok, blanks: len(name) < len(before), name: name, rest: rest}
}

func everyByte(b []byte, is func(byte) bool) bool {
	return !slices.ContainsFunc(b, func(c byte) bool { return !is(c) })
}

// isVisible reports bytes that are neither blanks nor control characters; those beyond ASCII are allowed.
func isVisible(c byte) bool { return c > ' ' && c != 0x7f }

// isToken reports the characters of tokens. See RFC 9110 section 5.6.2.
func isToken(c byte) bool {
	return c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'z' || bytes.IndexByte([]byte("!#$%&'*+-.^_`|~"), c) >= 0
}

func hexValue(c byte) (byte, bool) {
	switch {
	case c >= '0' && c <= '9':
		return c - '0', true
	case c|0x20 >= 'a' && c|0x20 <= 'f':
		return c | 0x20 - 'a' + 10, true
	}
	return 0, false
}

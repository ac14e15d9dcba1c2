package playlist

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxRemoteBody bounds every body that is read into memory, in bytes.
const maxRemoteBody = 64 << 20

// Decide asks a server for the place of an entry, as httpd:// sources do. The answer has status 200 and type text/plain
// and is one line of UTF-8, of which white space around it is no part, and not another question. What it may name is
// still to be checked. Errors wrap [ErrForbiddenSource], [ErrNotFound], [ErrRemoteTimeout] or
// [ErrRemote], and [ErrTooLarge] besides for an answer that is too long.
func (r *Remote) Decide(ctx context.Context, url string) (string, error) {
	a, err := r.send(ctx, http.MethodGet, url, http.Header{"Accept": {"text/plain"}})
	if err != nil {
		return "", err
	}
	defer a.Close()
	if a.StatusCode != http.StatusOK {
		return "", a.statusError()
	}
	if kind := mediaType(a.Header); kind != "text/plain" {
		return "", a.failed(ErrRemote, fmt.Sprintf("answer is %.100q, not text/plain", kind))
	}
	body, err := a.read(r.opts.MaxReply)
	if err != nil {
		return "", err
	}
	text := string(bytes.TrimSpace(bytes.TrimPrefix(body, []byte("\uFEFF"))))
	if why := badReply(text); why != "" {
		return "", a.failed(ErrRemote, why)
	}
	return text, nil
}

// badReply says why a text is no answer to a question, or nothing.
func badReply(text string) string {
	switch {
	case text == "":
		return "answer is empty"
	case !utf8.ValidString(text):
		return "answer is not UTF-8"
	case strings.ContainsAny(text, "\r\n\u2028\u2029"):
		return "answer has several lines"
	case strings.IndexFunc(text, unicode.IsControl) >= 0:
		return "answer has control characters"
	case isQuestion(text):
		return "answer is another question"
	}
	return ""
}

// Document is a playlist from elsewhere.
type Document struct {
	// URL is where it is, after redirects. It is not for clients, nor for logs above debug.
	URL string
	// MediaType is its type in lower case, without parameters; empty if the server says none.
	MediaType string
	Body      []byte
}

// Fetch gets a document of at most limit bytes, or 64 MiB if that is less. Errors are those of
// [Remote.Decide].
func (r *Remote) Fetch(ctx context.Context, url string, limit int64) (*Document, error) {
	a, err := r.send(ctx, http.MethodGet, url, http.Header{"Accept": {"*/*"}})
	if err != nil {
		return nil, err
	}
	defer a.Close()
	if a.StatusCode != http.StatusOK {
		return nil, a.statusError()
	}
	body, err := a.read(limit)
	if err != nil {
		return nil, err
	}
	return &Document{URL: a.Request.URL.String(), MediaType: mediaType(a.Header), Body: body}, nil
}

// read reads a whole body of at most limit bytes.
func (a *answer) read(limit int64) ([]byte, error) {
	limit = min(max(limit, 0), maxRemoteBody)
	if a.ContentLength > limit {
		return nil, a.tooLarge(limit)
	}
	body, err := io.ReadAll(io.LimitReader(a.Body, limit+1))
	if err != nil {
		return nil, remoteFailure(a.ctx, a.Request.URL, stalledOr(a.Request.Context(), err))
	}
	if int64(len(body)) > limit {
		return nil, a.tooLarge(limit)
	}
	return body, nil
}

// tooLarge returns the error for a body above a limit. It is a fault of the server elsewhere.
func (a *answer) tooLarge(limit int64) error {
	why := fmt.Sprintf("answer of more than %d bytes", limit)
	return &sourceError{kind: ErrTooLarge, also: ErrRemote, why: why, source: a.Request.URL.String()}
}

// mediaType returns the media type of an answer in lower case, empty if there is none that is valid.
func mediaType(h http.Header) string {
	kind, _, err := mime.ParseMediaType(h.Get("Content-Type"))
	if err != nil && !errors.Is(err, mime.ErrInvalidMediaParameter) {
		return ""
	}
	return kind
}

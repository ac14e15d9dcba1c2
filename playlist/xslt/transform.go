package xslt

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"time"

	"github.com/smoothkit/smoothkit/playlist"
)

// Limits of what goes into a transformation, in bytes.
const (
	// MaxStylesheet is the largest stylesheet.
	MaxStylesheet = 1 << 20
	// MaxInput is the largest document that is given to a stylesheet.
	MaxInput = 16 << 20
)

// Processor carries out XSLT 1.0 stylesheets. It is safe for concurrent use.
type Processor interface {
	// Process applies a stylesheet to a document, both in UTF-8, and returns what comes out in the encoding that the
	// stylesheet says. Its errors are those of ctx, [ErrStylesheet] for one that it cannot read, [ErrTooLarge] for more
	// than limit bytes, [ErrFailed] for the rest. It must not keep or change what it is given.
	Process(ctx context.Context, stylesheet, document []byte, limit int) ([]byte, error)
}

// Options tune a [Transform]. A nil pointer and the zero value mean the documented defaults.
type Options struct {
	// ContentType is the media type of what comes out. Empty means what the stylesheet says in xsl:output, or else what
	// XSLT 1.0 section 16 has as the default for its method.
	ContentType string
	// Input is the format of the document that the stylesheet is given. Nil means playlist.ASX.
	Input playlist.Format
	// Processor does the work. Nil means [Xsltproc].
	Processor Processor
	// Timeout bounds one transformation, the wait for its turn included. Zero means five seconds.
	Timeout time.Duration
	// MaxOutput bounds what comes out, in bytes. Zero means 4 MiB.
	MaxOutput int
	// CacheBytes bounds what is kept of results, so that the same document need not be transformed again. Zero means
	// 8 MiB; negative means that nothing is kept.
	CacheBytes int
	// Concurrency is how many transformations may go on at the same time; others wait. Zero means four.
	Concurrency int
	// Volatile returns strings of a listing that another client has others for, such as the ID of its session. They are
	// replaced before the transformation by others of the same length, and put back afterwards, so that one result in
	// the cache is good for all sessions. Only strings of 16 or more letters, digits, and the characters - . _ ~ are:
	// they look the same in any encoding and escape.
	// They must come in an order that is the same for all clients. A stylesheet that looks into them, or changes their
	// case, must not have this. Nil means none.
	Volatile func(l *playlist.Listing) []string
}

// Transform is a playlist.Format made by a stylesheet.
type Transform struct {
	stylesheet  []byte
	contentType string
	opts        Options
	turns       chan struct{} // holds one token per transformation that goes on
	cache       *cache        // nil for none
}

var _ playlist.Format = (*Transform)(nil)

// New returns the format of a stylesheet in UTF-8. It has the processor read it once, with an empty document, so that
// its errors are seen here: [ErrStylesheet], [ErrTooLarge], or [ErrNotInstalled].
func New(stylesheet []byte, opts *Options) (*Transform, error) {
	if len(stylesheet) > MaxStylesheet {
		return nil, fmt.Errorf("%w: stylesheet of %d bytes, at most %d", ErrTooLarge, len(stylesheet), MaxStylesheet)
	}
	t := &Transform{stylesheet: bytes.TrimPrefix(bytes.Clone(stylesheet), []byte("\uFEFF"))}
	if opts != nil {
		t.opts = *opts
	}
	out, err := check(t.stylesheet)
	if err != nil {
		return nil, err
	}
	t.contentType = t.opts.ContentType
	if t.contentType == "" {
		t.contentType = out.contentType()
	}
	t.setDefaults()
	t.turns = make(chan struct{}, t.opts.Concurrency)
	if t.opts.CacheBytes > 0 {
		t.cache = newCache(t.opts.CacheBytes)
	}
	if err := t.try(); err != nil {
		return nil, err
	}
	return t, nil
}

func (t *Transform) setDefaults() {
	o := &t.opts
	if o.Input == nil {
		o.Input = playlist.ASX{}
	}
	if o.Processor == nil {
		o.Processor = Xsltproc{}
	}
	if o.Timeout <= 0 {
		o.Timeout = 5 * time.Second
	}
	if o.MaxOutput <= 0 {
		o.MaxOutput = 4 << 20
	}
	if o.CacheBytes == 0 {
		o.CacheBytes = 8 << 20
	}
	if o.Concurrency <= 0 {
		o.Concurrency = 4
	}
}

// try has the processor read the stylesheet. What goes wrong with an empty document need not with a real one.
func (t *Transform) try() error {
	ctx, cancel := context.WithTimeout(context.Background(), t.opts.Timeout)
	defer cancel()
	_, err := t.opts.Processor.Process(ctx, t.stylesheet, []byte(`<ASX VERSION="3.0"></ASX>`), t.opts.MaxOutput)
	if errors.Is(err, ErrStylesheet) || errors.Is(err, ErrNotInstalled) {
		return err
	}
	return nil
}

// ContentType implements playlist.Format.
func (t *Transform) ContentType() string { return t.contentType }

// Append implements playlist.Format. Its errors are those of ctx and of the input, [ErrFailed], [ErrTooLarge], and
// [ErrNotInstalled] if the processor has gone since.
func (t *Transform) Append(ctx context.Context, dst []byte, l *playlist.Listing) ([]byte, error) {
	document, err := t.opts.Input.Append(ctx, nil, l)
	if err != nil {
		return dst, err
	}
	if len(document) > MaxInput {
		return dst, fmt.Errorf("%w: document of %d bytes, at most %d", ErrTooLarge, len(document), MaxInput)
	}
	var v *volatile
	if t.opts.Volatile != nil {
		v = newVolatile(document, t.opts.Volatile(l))
		document = v.hide(document)
	}
	result, err := t.result(ctx, document)
	if err != nil {
		return dst, err
	}
	return v.appendShown(dst, result), nil
}

// result returns what comes out of a document, from the cache if it is there. It must not be changed.
func (t *Transform) result(ctx context.Context, document []byte) ([]byte, error) {
	key := sha256.Sum256(document)
	if b, ok := t.cache.get(key); ok {
		return b, nil
	}
	ctx, cancel := context.WithTimeout(ctx, t.opts.Timeout)
	defer cancel()
	select {
	case t.turns <- struct{}{}:
		defer func() { <-t.turns }()
	case <-ctx.Done():
		return nil, fmt.Errorf("xslt: waiting for a turn: %w", ctx.Err())
	}
	if b, ok := t.cache.get(key); ok { // another request has done it meanwhile
		return b, nil
	}
	b, err := t.opts.Processor.Process(ctx, t.stylesheet, document, t.opts.MaxOutput)
	if err != nil {
		return nil, err
	}
	if len(b) > t.opts.MaxOutput {
		return nil, fmt.Errorf("%w: result of %d bytes, at most %d", ErrTooLarge, len(b), t.opts.MaxOutput)
	}
	t.cache.put(key, b)
	return b, nil
}

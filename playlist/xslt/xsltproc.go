package xslt

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

const (
	// templateDepth and templateVariables are the limits of libxslt for templates that call one another, below its own:
	// playlists are flat.
	templateDepth     = 1000
	templateVariables = 10_000
	// maxMessages is how much of what the program says goes into errors, in bytes.
	maxMessages = 1 << 10
	// afterKill is how long the program may keep its pipes open once it has been ended.
	afterKill = time.Second
)

// Xsltproc is a [Processor] that runs the program xsltproc of libxslt, a process per transformation. The program may not
// use the network or write files, and finds nothing in its directory but the stylesheet. The zero value is ready to use.
type Xsltproc struct {
	// Path is the program's. Empty means the one in the search path.
	Path string
	// Memory is how much address space a process may have, in bytes, on Linux. Zero means 512 MiB; negative means no
	// limit. There is no limit on other systems.
	Memory int64
}

// Process implements [Processor].
func (x Xsltproc) Process(ctx context.Context, stylesheet, document []byte, limit int) ([]byte, error) {
	program, err := x.find()
	if err != nil {
		return nil, err
	}
	if err := checkDocument(document); err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "xslt-")
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrFailed, err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	const name = "stylesheet.xsl" // messages have it
	if err := os.WriteFile(filepath.Join(dir, name), stylesheet, 0o600); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrFailed, err)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	out := &bounded{limit: limit, full: cancel}
	messages := &bounded{limit: maxMessages}
	cmd := exec.CommandContext(ctx, program, "--nonet", "--nowrite", "--nomkdir", "--novalid",
		"--encoding", "UTF-8", "--maxdepth", strconv.Itoa(templateDepth), "--maxvars", strconv.Itoa(templateVariables), name, "-")
	cmd.Dir = dir
	cmd.Env = []string{"LC_ALL=C", "XML_CATALOG_FILES="}
	cmd.Stdout, cmd.Stderr = out, messages
	cmd.WaitDelay = afterKill
	err = x.run(ctx, cmd, document)
	switch {
	case out.over:
		return nil, fmt.Errorf("%w: more than %d bytes come out", ErrTooLarge, limit)
	case err == nil:
		return out.buf.Bytes(), nil
	case ctx.Err() != nil:
		return nil, fmt.Errorf("xslt: xsltproc: %w", ctx.Err())
	}
	return nil, exitError(err, messages.buf.String())
}

// checkDocument refuses a document that may have a document type declaration, whose entities the program would read from
// files. That is told by the bytes, so the encoding must be UTF-8: any other that a document can show in its first bytes
// is not valid UTF-8 or has zeros, and any that it declares is overruled.
func checkDocument(document []byte) error {
	switch {
	case !utf8.Valid(document) || bytes.IndexByte(document, 0) >= 0:
		return fmt.Errorf("%w: document is not in UTF-8", ErrFailed)
	case bytes.Contains(document, []byte("<!DOCTYPE")):
		return fmt.Errorf("%w: document has a document type declaration", ErrFailed)
	}
	return nil
}

func (x Xsltproc) find() (string, error) {
	path := x.Path
	if path == "" {
		path = "xsltproc"
	}
	path, err := exec.LookPath(path)
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrNotInstalled, err)
	}
	// The program is started in another directory.
	return filepath.Abs(path)
}

// run starts the program, limits it, and only then gives it the document, so that the transformation is under the limits.
func (x Xsltproc) run(ctx context.Context, cmd *exec.Cmd, document []byte) error {
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	err = limitProcess(cmd.Process.Pid, x.memory(), cpuSeconds(ctx))
	if err != nil {
		_ = cmd.Process.Kill()
	} else {
		_, _ = stdin.Write(document) // fails if the program has ended, whose status says why
	}
	_ = stdin.Close()
	return errors.Join(err, cmd.Wait())
}

// memory returns the limit of address space in bytes, 0 for none.
func (x Xsltproc) memory() uint64 {
	if x.Memory == 0 {
		return 512 << 20
	}
	return uint64(max(0, x.Memory))
}

// cpuSeconds returns how much processor time is left until the deadline at most, 0 if there is none.
func cpuSeconds(ctx context.Context) uint64 {
	deadline, ok := ctx.Deadline()
	if !ok {
		return 0
	}
	return uint64(max(1, math.Ceil(time.Until(deadline).Seconds()))) + 1
}

// exitError turns the status of the program into an error. The manual of xsltproc has the numbers.
func exitError(err error, messages string) error {
	kind := ErrFailed
	var exit *exec.ExitError
	if errors.As(err, &exit) && (exit.ExitCode() == 4 || exit.ExitCode() == 5) { // parsing, and errors in, the stylesheet
		kind = ErrStylesheet
	}
	messages = strings.Join(strings.Fields(strings.ToValidUTF8(messages, "\uFFFD")), " ")
	return fmt.Errorf("%w: xsltproc: %w: %s", kind, err, messages)
}

// bounded is a writer that keeps the first bytes. It takes all that comes, as the program would wait otherwise.
type bounded struct {
	limit int
	full  func() // called when more comes, if not nil
	buf   bytes.Buffer
	over  bool
}

func (b *bounded) Write(p []byte) (int, error) {
	room := b.limit - b.buf.Len()
	if len(p) <= room {
		return b.buf.Write(p)
	}
	b.buf.Write(p[:room])
	b.over = true
	if b.full != nil {
		b.full()
	}
	return len(p), nil
}

// Command archive looks after recorded events: it verifies and repairs what a crash has left, joins the segments of an event, and cuts out
// highlights without encoding anew.
//
//	go run ./examples/archive check media/archives
//	go run ./examples/archive repair media/archives
//	go run ./examples/archive merge media/archives/live/demo-isml/20260702T120000Z -to media/demo
//	go run ./examples/archive trim -from 00:10:00 -to 00:12:30 media/demo -out media/goal
//
// It exits with 1 if something is wrong, or still is, and with 2 if it was called in a wrong way.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"

	"github.com/smoothkit/smoothkit/archive"
	"github.com/smoothkit/smoothkit/archive/edit"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// errUsage is returned for arguments that make no sense.
var errUsage = errors.New("usage")

// run returns the exit code: 0 fine, 1 something is wrong, 2 usage.
func run(ctx context.Context, args []string, out, errOut io.Writer) int {
	c := &command{stdout: out, stderr: errOut}
	err := c.parse(args)
	var code int
	if err == nil {
		switch c.name {
		case "check", "repair":
			code, err = c.look(ctx)
		default:
			err = c.cut(ctx)
		}
	}
	var text string
	if err != nil {
		text = "archive: " + strings.TrimPrefix(err.Error(), "archive: ") // of the package of that name
	}
	switch {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case errors.Is(err, errUsage):
		return 2
	case errors.Is(err, archive.ErrLocked):
		fmt.Fprintf(errOut, "%s\nA server may be recording there. Stop it first, or write to a directory outside of its archive.\n", text)
	case errors.Is(err, edit.ErrIncomplete):
		fmt.Fprintf(errOut, "%s\nIf nothing is being recorded, go on after: archive repair %s\n", text, c.dir)
	case err != nil:
		fmt.Fprintf(errOut, "%s\n", text)
	}
	if err != nil {
		return 1
	}
	return code
}

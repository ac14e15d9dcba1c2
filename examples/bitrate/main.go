// Command bitrate prints the encoded bit rate of media files: what bit rate throttling would send them at.
//
//	go run ./examples/bitrate film.mp4 song.mp3
//	go run ./examples/bitrate -json film.mp4
//
// It prints a table, or with -json one object per line: file, container, bitrate (the average, bit/s), peak (bit/s, 0 if
// the header states none), duration (seconds, 0 if unknown), method and error. It exits with 1 if a file has no rate or
// cannot be read, after all files; with 2 if there is nothing to do.
package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/smoothkit/smoothkit/throttle/bitrate"
)

func main() {
	os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
}

// result is a line of the output.
type result struct {
	File      string            `json:"file"`
	Container bitrate.Container `json:"container"`
	Bitrate   int64             `json:"bitrate"`  // average, bit/s
	Peak      int64             `json:"peak"`     // bit/s
	Duration  float64           `json:"duration"` // seconds
	Method    string            `json:"method"`
	Error     string            `json:"error"`
}

// run returns the exit code: 0 all found, 1 an error in a line, 2 usage.
func run(args []string, out, errOut io.Writer) int {
	flags := flag.NewFlagSet("bitrate", flag.ContinueOnError)
	flags.SetOutput(errOut)
	asJSON := flags.Bool("json", false, "print one JSON object per line")
	flags.Usage = func() { fmt.Fprintln(errOut, "usage: bitrate [-json] FILE...") }
	if flags.Parse(args) != nil {
		return 2
	}
	if flags.NArg() == 0 {
		flags.Usage()
		return 2
	}
	table, lines := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0), json.NewEncoder(out)
	lines.SetEscapeHTML(false)
	if !*asJSON {
		fmt.Fprintln(table, "FILE\tCONTAINER\tBIT/S\tPEAK\tSECONDS\tMETHOD OR ERROR")
	}
	code := 0
	for _, name := range flags.Args() {
		r := inspect(name)
		if r.Error != "" {
			code = 1
		}
		if *asJSON {
			_ = lines.Encode(r)
		} else {
			fmt.Fprintln(table, r.row())
		}
	}
	_ = table.Flush()
	return code
}

// inspect finds the rate of one file.
func inspect(name string) result {
	info, err := detect(name)
	r := result{name, info.Container, info.Average, info.Peak, info.Duration.Seconds(), info.Method, ""}
	if err != nil {
		r.Error = err.Error()
	}
	if located := new(bitrate.Error); errors.As(err, &located) {
		r.Container = located.Container
	}
	return r
}

func detect(name string) (bitrate.Info, error) {
	stat, err := os.Stat(name)
	if err != nil {
		return bitrate.Info{}, err
	}
	if stat.IsDir() {
		return bitrate.Info{}, fmt.Errorf("%s is a directory: name its files", name)
	}
	if !stat.Mode().IsRegular() { // a pipe would not open until somebody writes
		return bitrate.Info{}, fmt.Errorf("%s is not a regular file", name)
	}
	f, err := os.Open(name)
	if err != nil {
		return bitrate.Info{}, err
	}
	defer f.Close()
	d := bitrate.Detector{Name: filepath.Base(name)}
	return d.Detect(f, stat.Size())
}

// row is a line of the table. What is not known is a hyphen.
func (r result) row() string {
	cells := []string{r.File, string(r.Container), strconv.FormatInt(r.Bitrate, 10), strconv.FormatInt(r.Peak, 10),
		strconv.FormatFloat(r.Duration, 'f', 3, 64), r.Method + r.Error}
	for i, c := range cells {
		c = strings.Map(func(c rune) rune {
			if !strconv.IsPrint(c) {
				return '?' // would break the table
			}
			return c
		}, c)
		if c == "" || c == "0" || c == "0.000" {
			c = "-"
		}
		cells[i] = c
	}
	return strings.Join(cells, "\t")
}

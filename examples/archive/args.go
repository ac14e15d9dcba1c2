package main

import (
	"flag"
	"fmt"
	"io"
	"slices"
)

const usage = `usage: archive check|repair|merge|trim [flags] DIR

  check DIR                                verify the presentations below DIR; nothing is changed
  repair DIR                               bring them in order; nothing is deleted
  merge DIR [-to DIR2]                     join the numbered segments of an event into one presentation
  trim -from TIME -to TIME DIR [-out DIR2] write a part as a presentation of its own, cut between fragments

DIR is a directory: that of an archive, an event or a presentation (merge, trim: of an event or a presentation).
TIME counts from the beginning of the presentation, as 00:12:30, 00:12:30.5, 750 (seconds) or 12m30s. 2026-07-02T12:10:00Z is understood
where times count from 1970, as those of most encoders do, and @17830014000000000 is a time in ticks of 100 ns as manifests have it.
A part of the end, "-from 01:30:00" alone, or of the beginning, "-to 00:05:00" alone, can be had too.

Flags:
`

// command is what was asked for.
type command struct {
	name, dir     string
	from, to, out string
	rebase, json  bool
	payload       bool
	stdout        io.Writer
	stderr        io.Writer
}

// parse reads the arguments. Flags may stand before and behind the directory.
func (c *command) parse(args []string) error {
	flags := flag.NewFlagSet("archive", flag.ContinueOnError)
	flags.SetOutput(c.stderr)
	flags.Usage = func() {
		fmt.Fprint(c.stderr, usage)
		flags.PrintDefaults()
	}
	flags.StringVar(&c.from, "from", "", "trim, merge: begin at this `time`")
	toHelp := "trim: end before this time; merge: the `directory` to write to (default NAME-merged here)"
	flags.StringVar(&c.to, "to", "", toHelp)
	flags.StringVar(&c.out, "out", "", "trim: the `directory` to write to (default NAME-trimmed here)")
	flags.BoolVar(&c.rebase, "rebase", false, "trim, merge: times begin at zero instead of staying those of the event")
	flags.BoolVar(&c.json, "json", false, "print the result as JSON")
	flags.BoolVar(&c.payload, "payload", false, "check, repair: read the samples too, not only what is around them")
	if len(args) > 0 && slices.Contains([]string{"check", "repair", "merge", "trim"}, args[0]) {
		c.name, args = args[0], args[1:]
	}
	var dirs []string
	for rest := args; ; rest = flags.Args()[1:] {
		if err := flags.Parse(rest); err != nil {
			return errUsage // which flags has explained
		}
		if flags.NArg() == 0 {
			break
		}
		dirs = append(dirs, flags.Arg(0))
	}
	if c.name == "" || len(dirs) != 1 || c.name == "trim" && c.from == "" && c.to == "" {
		flags.Usage()
		return errUsage
	}
	c.dir = dirs[0]
	return nil
}

package main

import (
	"errors"
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
		err := flags.Parse(rest)
		if errors.Is(err, flag.ErrHelp) {
			return err
		}
		if err != nil {
			return errUsage // which flags has explained
		}
		if flags.NArg() == 0 {
			break
		}
		dirs = append(dirs, flags.Arg(0))
	}
	if wrong := c.wrong(flags, dirs); wrong != "" {
		flags.Usage()
		fmt.Fprintf(c.stderr, "\narchive: %s\n", wrong)
		return errUsage
	}
	c.dir = dirs[0]
	return nil
}

// wrong says what is wrong with the arguments, "" if nothing is.
func (c *command) wrong(flags *flag.FlagSet, dirs []string) string {
	switch {
	case c.name == "" && len(dirs) > 0:
		return fmt.Sprintf("there is no command %q", dirs[0])
	case c.name == "":
		return "no command"
	case len(dirs) != 1:
		return fmt.Sprintf("%s: %d directories, wanted one", c.name, len(dirs))
	case c.name == "trim" && c.from == "" && c.to == "":
		return "trim: neither -from nor -to"
	case c.name == "merge" && c.to != "" && c.out != "":
		return "merge: both -to and -out"
	}
	wrong := ""
	flags.Visit(func(f *flag.Flag) {
		looks := c.name == "check" || c.name == "repair"
		if f.Name != "json" && looks != (f.Name == "payload") {
			wrong = fmt.Sprintf("%s has no flag -%s", c.name, f.Name)
		}
	})
	return wrong
}

package app

import (
	"fmt"
	"io"
	"slices"

	"github.com/smoothkit/smoothkit/examples/mediaserver/internal/config"
	"github.com/smoothkit/smoothkit/examples/mediaserver/internal/imports"
)

// ServiceName is that of the Windows service.
const ServiceName = "mediaserver"

// printCheck says what a configuration comes to, and what of imported files was understood.
func printCheck(out io.Writer, cfg *config.Config, report *imports.Report) error {
	for _, line := range report.Lines() {
		fmt.Fprintln(out, line)
	}
	for _, l := range cfg.Listen {
		fmt.Fprintf(out, "listen %s\n", l.Address)
	}
	for i := range cfg.Sites {
		s := &cfg.Sites[i]
		fmt.Fprintf(out, "site %q: hosts %v, addresses %v, root %s\n", s.Name, orAll(s.Hosts), orAll(s.On), s.Root)
		for _, at := range sortedKeys(s.Folders) {
			fmt.Fprintf(out, "site %q: %s is %s\n", s.Name, at, s.Folders[at])
		}
	}
	_, err := fmt.Fprintln(out, "The configuration can be used.")
	return err
}

func orAll(list []string) any {
	if len(list) == 0 {
		return "all"
	}
	return list
}

func sortedKeys(m map[string]string) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

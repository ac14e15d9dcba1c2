package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/smoothkit/smoothkit/archive"
	"github.com/smoothkit/smoothkit/archive/repair"
	"github.com/smoothkit/smoothkit/smooth"
)

// look verifies or repairs. The code is 1 if something is wrong, or still is.
func (c *command) look(ctx context.Context) (int, error) {
	if err := isDirectory(c.dir); err != nil {
		return 1, err
	}
	opts := &repair.Options{Payload: c.payload}
	lock := lockAround
	if c.name == "repair" { // which locks the directory itself
		lock = lockAbove
	}
	unlock, err := lock(ctx, c.dir)
	if c.name == "check" && errors.Is(err, archive.ErrLocked) {
		fmt.Fprintln(c.stderr, "archive: a server may be recording there: what is not finished yet is reported as a fault")
		err = nil
	}
	if err != nil {
		return 1, err
	}
	defer unlock()
	var report *repair.Report
	if c.name == "check" {
		files := smooth.NewDirFiles(c.dir)
		defer files.Close()
		report, err = repair.Check(ctx, files, ".", opts)
	} else {
		store, openErr := archive.Dir(c.dir)
		if openErr != nil {
			return 1, openErr
		}
		defer store.Close()
		report, err = repair.Repair(ctx, store, ".", opts)
	}
	if report == nil || err != nil && len(report.Assets) == 0 { // nobody has looked
		return 1, err
	}
	return c.verdict(report), errors.Join(c.print(report, report.String()), err)
}

// verdict returns 1 if a presentation does not play, or if there are faults that nobody has made good.
func (c *command) verdict(r *repair.Report) int {
	if len(r.Assets) == 0 {
		fmt.Fprintf(c.stderr, "archive: no presentations below %s\n", c.dir)
		return 1
	}
	code := 0
	for i := range r.Assets {
		if a := &r.Assets[i]; !a.Plays || c.name == "check" && a.Faults() > 0 {
			code = 1
		}
	}
	return code
}

// print prints a result as JSON or as text.
func (c *command) print(v any, text string) error {
	if !c.json {
		_, err := fmt.Fprint(c.stdout, text)
		return err
	}
	e := json.NewEncoder(c.stdout)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

package alias

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"strings"
)

// columns says where in a record what is, or -1.
type columns struct {
	locator, asset, container int
}

// readCSV reads records of a locator and its asset or container.
func (c *Catalog) readCSV(data []byte, errs *errorList) {
	r := csv.NewReader(bytes.NewReader(data))
	r.FieldsPerRecord, r.TrimLeadingSpace, r.ReuseRecord, r.Comment = -1, true, true, '#'
	r.Comma = separator(data)
	cols, begun := columns{locator: 0, asset: 1, container: 2}, false
	for {
		record, err := r.Read()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			errs.add(fmt.Errorf("alias: %w: %w", ErrCatalog, err))
			return // where the next record begins is anybody's guess
		}
		line, _ := r.FieldPos(0)
		if !begun {
			begun = true
			if named, ok := header(record); ok {
				cols = named
				continue
			}
		}
		l := Locator{ID: cols.get(record, cols.locator), Asset: cols.get(record, cols.asset), Container: cols.get(record, cols.container)}
		if err := c.addLocator(l); err != nil {
			errs.add(fmt.Errorf("alias: line %d: %w", line, err))
		}
	}
}

// separator returns what separates the fields of the first record: ";" as spreadsheets write it where "," is the decimal
// separator, or ",".
func separator(data []byte) rune {
	for line := range bytes.Lines(data) {
		line = bytes.TrimSpace(line)
		if len(line) == 0 || line[0] == '#' {
			continue
		}
		if !bytes.ContainsRune(line, ',') && bytes.ContainsRune(line, ';') {
			return ';'
		}
		break
	}
	return ','
}

func (columns) get(record []string, i int) string {
	if i < 0 || i >= len(record) {
		return ""
	}
	return strings.TrimSpace(record[i])
}

// header reads a first line with names.
func header(record []string) (cols columns, ok bool) {
	cols = columns{locator: -1, asset: -1, container: -1}
	for i, name := range record {
		switch strings.ToLower(strings.TrimSpace(name)) {
		case "locator", "locatorid", "streaminglocatorid":
			cols.locator = i
		case "asset", "assetname":
			cols.asset = i
		case "container":
			cols.container = i
		}
	}
	return cols, cols.locator >= 0
}

package alias

import (
	"bytes"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/smoothkit/smoothkit/internal/textenc"
)

// Bounds of a map file.
const (
	// MaxFile bounds a map file, or a list of locators, in bytes.
	MaxFile = 256 << 20
	// MaxLine bounds a line of a map file in bytes.
	MaxLine = 3 * MaxPath
)

// readAll reads a text file of bounded size as UTF-8.
func readAll(r io.Reader) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, MaxFile+1))
	if err != nil {
		return nil, fmt.Errorf("alias: %w", err)
	}
	if len(data) > MaxFile {
		return nil, fmt.Errorf("alias: more than %d bytes: %w", MaxFile, ErrTooLarge)
	}
	if data, err = textenc.UTF8(data); err != nil {
		return nil, fmt.Errorf("alias: %w: %w", ErrSyntax, err)
	}
	return data, nil
}

// Parse reads a map file, in the format of the package documentation. The error joins those of the first lines that are
// wrong, each a [RuleError] with the line; then there is no map.
func Parse(r io.Reader) (*Map, error) {
	data, err := readAll(r)
	if err != nil {
		return nil, err
	}
	var rules []Rule
	var errs errorList
	for n := 1; len(data) > 0; n++ {
		var line []byte
		line, data, _ = bytes.Cut(data, []byte("\n"))
		rule, found, err := parseLine(line)
		switch {
		case err != nil:
			errs.add(&RuleError{Line: n, Index: len(rules), Text: shorten(string(bytes.TrimSpace(line))), Err: err})
		case found && len(rules) == MaxRules:
			return nil, fmt.Errorf("alias: line %d: more than %d rules: %w", n, MaxRules, ErrTooLarge)
		case found:
			rule.Line = n
			rules = append(rules, rule)
		}
	}
	return build(rules, &errs)
}

// parseLine reads one line. It is false for one without a rule.
func parseLine(line []byte) (rule Rule, found bool, err error) {
	if len(line) > MaxLine {
		return rule, false, fmt.Errorf("%w: %d bytes, at most %d", ErrSyntax, len(line), MaxLine)
	}
	if !utf8.Valid(line) {
		return rule, false, fmt.Errorf("%w: not UTF-8", ErrSyntax)
	}
	var fields []string
	for field := range strings.FieldsSeq(string(line)) {
		if field[0] == '#' {
			break
		}
		fields = append(fields, field)
	}
	if len(fields) == 0 {
		return rule, false, nil
	}
	rule, err = parseFields(fields)
	return rule, err == nil, err
}

// parseFields reads "from [->] to [status] [exact-case]" or "from 410 [exact-case]".
func parseFields(fields []string) (rule Rule, err error) {
	slash := strings.IndexByte(fields[0], '/')
	if slash < 0 {
		return rule, fmt.Errorf("%w: %q is no path, nor a host with a path", ErrSyntax, shorten(fields[0]))
	}
	rule.Host, rule.From = fields[0][:slash], fields[0][slash:]
	rest := fields[1:]
	if len(rest) > 0 && rest[0] == "->" {
		rest = rest[1:]
	}
	if len(rest) > 0 && !isNumber([]byte(rest[0])) && rest[0] != exactCase {
		rule.To, rest = rest[0], rest[1:]
	}
	if len(rest) > 0 && isNumber([]byte(rest[0])) {
		if rule.Status, err = strconv.Atoi(rest[0]); err != nil || rule.Status == 0 {
			return rule, fmt.Errorf("%w: %s", ErrStatus, shorten(rest[0]))
		}
		rest = rest[1:]
	}
	if len(rest) > 0 && rest[0] == exactCase {
		rule.ExactCase, rest = true, rest[1:]
	}
	if len(rest) > 0 {
		return rule, fmt.Errorf("%w: %q; a rule is: from to [status] [%s]", ErrSyntax, shorten(rest[0]), exactCase)
	}
	return rule, nil
}

// AppendText appends the rules as a map file, which [Parse] reads as an equal map. It implements
// [encoding.TextAppender] and is never an error.
func (m *Map) AppendText(b []byte) ([]byte, error) {
	if m == nil {
		return b, nil
	}
	for _, r := range m.rules {
		b, _ = r.AppendText(b)
		b = append(b, '\n')
	}
	return b, nil
}

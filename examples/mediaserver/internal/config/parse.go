package config

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// MaxBytes bounds a configuration file.
const MaxBytes = 4 << 20

// Problem is something in the file that cannot be used.
type Problem struct {
	File string
	Line int // from 1, 0 if it is about no line in particular
	Text string
}

// Error implements error.
func (p *Problem) Error() string {
	switch {
	case p.File == "":
		return fmt.Sprintf("line %d: %s", p.Line, p.Text)
	case p.Line == 0:
		return p.File + ": " + p.Text
	}
	return fmt.Sprintf("%s:%d: %s", p.File, p.Line, p.Text)
}

// Problems are all of a file, in the order of its lines.
type Problems []*Problem

// Error implements error.
func (p Problems) Error() string {
	lines := make([]string, len(p))
	for i, x := range p {
		lines[i] = x.Error()
	}
	return strings.Join(lines, "\n")
}

func problem(n *yaml.Node, format string, args ...any) error {
	return &Problem{Line: n.Line, Text: fmt.Sprintf(format, args...)}
}

// Load reads and checks a file. Paths in it are relative to its directory. The error is of type Problems, or that of the file.
func Load(path string) (*Config, error) {
	data, err := readBounded(path, MaxBytes)
	if err != nil {
		return nil, err
	}
	return Parse(data, path)
}

// Parse is Load for what has been read from the file with that path.
func Parse(data []byte, path string) (*Config, error) {
	c := &Config{Files: []string{path}}
	var root yaml.Node
	err := yaml.Unmarshal(data, &root)
	if err == nil {
		dec := yaml.NewDecoder(bytes.NewReader(data))
		dec.KnownFields(true)
		if err = dec.Decode(c); errors.Is(err, io.EOF) {
			err = nil // a file of comments: all defaults
		} else if err == nil && dec.Decode(new(yaml.Node)) != io.EOF {
			err = &Problem{Text: "there is more than one document in the file"}
		}
	}
	found := problems(err)
	if len(found) == 0 {
		found = c.secrets(filepath.Dir(path))
		c.complete(filepath.Dir(path))
		found = append(found, c.check(&root)...)
	}
	if len(found) == 0 {
		return c, nil
	}
	for _, p := range found {
		p.File = path
	}
	slices.SortStableFunc(found, func(a, b *Problem) int { return cmp.Compare(a.Line, b.Line) })
	return nil, Problems(found)
}

var (
	unknownKey = regexp.MustCompile(`^line (\d+): field (.+) not found in type .*$`)
	lineError  = regexp.MustCompile(`^(?:yaml: )?(?:unmarshal errors:\s*)?line (\d+): (.+)$`)
	wrongKind  = regexp.MustCompile(`^cannot unmarshal !!(\w+)(.*) into (.+)$`)
)

// problems makes our errors of those of the library.
func problems(err error) []*Problem {
	if err == nil {
		return nil
	}
	var own *Problem
	if errors.As(err, &own) {
		return []*Problem{own}
	}
	var many *yaml.TypeError
	if !errors.As(err, &many) {
		return []*Problem{fromText(err.Error())}
	}
	var found []*Problem
	for _, text := range many.Errors {
		found = append(found, fromText(text))
	}
	return found
}

func fromText(text string) *Problem {
	if m := unknownKey.FindStringSubmatch(text); m != nil {
		return &Problem{Line: number(m[1]), Text: fmt.Sprintf("unknown key %q", m[2])}
	}
	if m := lineError.FindStringSubmatch(text); m != nil {
		p := &Problem{Line: number(m[1]), Text: m[2]}
		if k := wrongKind.FindStringSubmatch(p.Text); k != nil {
			p.Text = fmt.Sprintf("a %s%s is not what is wanted here", kinds[k[1]], k[2])
		}
		return p
	}
	return &Problem{Text: strings.TrimPrefix(text, "yaml: ")}
}

var kinds = map[string]string{
	"map": "section", "seq": "list", "str": "text", "int": "number", "float": "number", "bool": "true or false", "null": "missing value",
}

func number(s string) int {
	n, _ := strconv.Atoi(s)
	return n
}

// readBounded reads a file of at most so many bytes.
func readBounded(path string, most int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, most+1))
	if err == nil && int64(len(data)) > most {
		err = fmt.Errorf("%s has more than %d bytes", path, most)
	}
	return data, err
}

package access

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"
)

// Bounds of password files.
const (
	maxHtpasswdLine  = 1024
	maxHtpasswdUsers = 10_000
)

// ParseHtpasswd reads a password file as "htpasswd -B" writes it: lines of a name, a colon and a bcrypt hash. Empty lines
// and those that begin with # are skipped. Other kinds of hashes are an error, since they are quick to guess. The error
// wraps [ErrHtpasswd] and has the number of the line.
func ParseHtpasswd(r io.Reader) (map[string]string, error) {
	users := make(map[string]string)
	scanner := bufio.NewScanner(r)
	scanner.Buffer(nil, maxHtpasswdLine)
	n := 0
	for scanner.Scan() {
		n++
		line := strings.TrimRight(scanner.Text(), " \t\r")
		if line == "" || line[0] == '#' {
			continue
		}
		if err := addUser(users, line); err != nil {
			return nil, fmt.Errorf("access: password file: line %d: %w: %w", n, err, ErrHtpasswd)
		}
	}
	if err := scanner.Err(); errors.Is(err, bufio.ErrTooLong) {
		return nil, fmt.Errorf("access: password file: line %d: over %d bytes: %w", n+1, maxHtpasswdLine, ErrHtpasswd)
	} else if err != nil {
		return nil, fmt.Errorf("access: password file: line %d: %w", n+1, err)
	}
	return users, nil
}

// addUser adds the user of a line. Errors never have the hash in them.
func addUser(users map[string]string, line string) error {
	name, hash, ok := strings.Cut(line, ":")
	if !ok || name == "" || len(name) > maxName {
		return errors.New("want name:hash")
	}
	if _, err := hashCost(hash); err != nil {
		return fmt.Errorf("user %q: %w", name, err)
	}
	if _, twice := users[name]; twice {
		return fmt.Errorf("user %q is there twice", name)
	}
	if len(users) >= maxHtpasswdUsers {
		return fmt.Errorf("over %d users", maxHtpasswdUsers)
	}
	users[name] = hash
	return nil
}

package xslt

import (
	"strings"
	"unicode/utf8"
)

// templates returns the expressions in an attribute value template: what is in braces, where braces in literals of the
// expression do not count and doubled ones stand for themselves. One that is not closed goes on to the end. XSLT 1.0
// section 7.6.2.
func templates(s string) (found []string) {
	for {
		open := strings.IndexByte(s, '{')
		if open < 0 {
			return found
		}
		s = s[open+1:]
		if strings.HasPrefix(s, "{") {
			s = s[1:]
			continue
		}
		end := 0
		for end < len(s) && s[end] != '}' {
			end = skipLiteral(s, end)
		}
		found = append(found, s[:end])
		s = s[min(end+1, len(s)):]
	}
}

// calls returns the names in an expression that are followed by a parenthesis, of functions and of node types, with their
// prefixes. XPath 1.0 section 3.7.
func calls(expr string) (names []string) {
	for i := 0; i < len(expr); {
		if !isNameByte(expr[i]) || isInner(expr[i]) {
			i = skipLiteral(expr, i)
			continue
		}
		end := endOfName(expr, i)
		name := expr[i:end]
		i = skipSpace(expr, end)
		if i < len(expr) && expr[i] == '(' {
			names = append(names, name)
		}
	}
	return names
}

// endOfName returns where a name that begins at i ends: one with a prefix is one name, one before :: is an axis.
func endOfName(s string, i int) int {
	i = skipNameBytes(s, i)
	if i+1 < len(s) && s[i] == ':' && isNameByte(s[i+1]) {
		return skipNameBytes(s, i+1)
	}
	return i
}

func skipNameBytes(s string, i int) int {
	for i < len(s) && isNameByte(s[i]) {
		i++
	}
	return i
}

func skipSpace(s string, i int) int {
	for i < len(s) && strings.IndexByte(" \t\r\n", s[i]) >= 0 {
		i++
	}
	return i
}

// skipLiteral returns the index after the literal that begins at i, or after the byte there.
func skipLiteral(s string, i int) int {
	quote := s[i]
	if quote != '\'' && quote != '"' {
		return i + 1
	}
	end := strings.IndexByte(s[i+1:], quote)
	if end < 0 {
		return len(s)
	}
	return i + 1 + end + 1
}

// isInner reports whether a byte of a name cannot be its first one: in -f() and 2-f() the name is f.
func isInner(c byte) bool { return '0' <= c && c <= '9' || c == '-' || c == '.' }

// isNameByte takes bytes of any character outside of ASCII as part of names, which is enough to tell calls.
func isNameByte(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || c == '_' || isInner(c) || c >= utf8.RuneSelf
}

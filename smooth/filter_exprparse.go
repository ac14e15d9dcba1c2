package smooth

import (
	"fmt"
	"strconv"
	"strings"
)

// Bounds of what the filter parsers take from a URL.
const (
	maxFilterText  = 2048 // bytes of one option value
	maxExprDepth   = 32   // nested parentheses and negations
	maxExprTerms   = 128  // comparisons
	maxFilterNames = 8    // named filters in one request
)

// ParseTrackExpr reads a condition in the language that Unified Streaming's users know:
//
//	or      = and *("||" and)
//	and     = not *("&&" not)
//	not     = *"!" ("(" or ")" / compare / "true" / "false")
//	compare = variable op value / value op variable
//	op      = "==" / "!=" / "<" / "<=" / ">" / ">="
//
// Values are decimal numbers and strings in double or single quotes. Text variables, which only know == and !=,
// compared without regard to case: type (video, audio, text or textstream), trackName, systemLanguage ("en"
// and "eng" agree and include "en-GB"), FourCC (one family for H264 and AVC1, for hev1 and hvc1; mp4a is every AAC).
// Numbers: systemBitrate, MaxWidth, MaxHeight, DisplayWidth, DisplayHeight, SamplingRate, Channels, BitsPerSample, AudioTag,
// TimeScale. Names of variables are read in any case. The error wraps [ErrBadRequest] and names the position.
func ParseTrackExpr(s string) (TrackExpr, error) {
	if len(s) > maxFilterText {
		return TrackExpr{}, badFilter("expression of %d bytes, more than %d", len(s), maxFilterText)
	}
	p := exprParser{text: s}
	n, err := p.or()
	if err == nil && p.blank().pos < len(s) {
		err = p.fail("unexpected text")
	}
	if err != nil {
		return TrackExpr{}, err
	}
	if n.op == exprTrue {
		n = nil
	}
	return TrackExpr{n}, nil
}

// badFilter returns an error that wraps [ErrBadRequest].
func badFilter(format string, args ...any) error {
	return fmt.Errorf("smooth: filter: "+format+": %w", append(args, ErrBadRequest)...)
}

type exprParser struct {
	text         string
	pos          int
	depth, terms int
}

func (p *exprParser) fail(reason string) error {
	return badFilter("%s at byte %d of %q", reason, p.pos, p.text)
}

// blank skips blanks.
func (p *exprParser) blank() *exprParser {
	for p.pos < len(p.text) && (p.text[p.pos] == ' ' || p.text[p.pos] == '\t') {
		p.pos++
	}
	return p
}

// take consumes tok, after blanks, if it is next.
func (p *exprParser) take(tok string) bool {
	if strings.HasPrefix(p.blank().text[p.pos:], tok) {
		p.pos += len(tok)
		return true
	}
	return false
}

func (p *exprParser) or() (*exprNode, error)  { return p.list(exprOr, "||", p.and) }
func (p *exprParser) and() (*exprNode, error) { return p.list(exprAnd, "&&", p.not) }

func (p *exprParser) list(op exprOp, sep string, item func() (*exprNode, error)) (*exprNode, error) {
	var kids []*exprNode
	for {
		n, err := item()
		if err != nil {
			return nil, err
		}
		kids = append(kids, n)
		if !p.take(sep) {
			return join(op, kids), nil
		}
	}
}

func (p *exprParser) not() (*exprNode, error) {
	if p.depth++; p.depth > maxExprDepth {
		return nil, p.fail("nested too deep")
	}
	defer func() { p.depth-- }()
	switch {
	case p.take("!"):
		n, err := p.not()
		if err != nil {
			return nil, err
		}
		return n.negate(), nil
	case p.take("("):
		n, err := p.or()
		if err != nil {
			return nil, err
		}
		if !p.take(")") {
			return nil, p.fail("missing )")
		}
		return n, nil
	}
	return p.compare()
}

func (p *exprParser) compare() (*exprNode, error) {
	if p.terms++; p.terms > maxExprTerms {
		return nil, p.fail("too many comparisons")
	}
	a, err := p.operand()
	if err != nil {
		return nil, err
	}
	switch strings.ToLower(a.word) {
	case "true":
		return &exprNode{op: exprTrue}, nil
	case "false":
		return &exprNode{op: exprFalse}, nil
	}
	rel, err := p.relation()
	if err != nil {
		return nil, err
	}
	b, err := p.operand()
	if err != nil {
		return nil, err
	}
	if a.word == "" {
		a, b, rel = b, a, rel.flipped()
	}
	return p.build(a, rel, b)
}

// build checks the types of a comparison.
func (p *exprParser) build(variable exprOperand, rel relation, value exprOperand) (*exprNode, error) {
	if variable.word == "" || value.word != "" {
		return nil, p.fail("comparison needs one variable and one value")
	}
	v, ok := findTrackVar(variable.word)
	switch {
	case !ok:
		return nil, p.fail("unknown variable " + variable.word)
	case v.isText() != value.isText:
		return nil, p.fail(variable.word + " is compared with a value of another type")
	case v.isText() && rel > relNe:
		return nil, p.fail(variable.word + " knows == and != only")
	case v.isText():
		return compareText(v, rel, value.str), nil
	}
	return compareNumber(v, rel, value.num), nil
}

func findTrackVar(name string) (trackVar, bool) {
	for v, n := range trackVarNames {
		if equalFoldASCII(n, name) {
			return trackVar(v), true
		}
	}
	return 0, false
}

func (p *exprParser) relation() (relation, error) {
	for _, r := range [...]relation{relEq, relNe, relLe, relGe, relLt, relGt} {
		if p.take(relationTexts[r]) {
			return r, nil
		}
	}
	return 0, p.fail("missing comparison operator")
}

// exprOperand is a variable's name, a string or a number.
type exprOperand struct {
	word   string
	str    string
	num    uint64
	isText bool
}

func (p *exprParser) operand() (exprOperand, error) {
	rest := p.blank().text[p.pos:]
	if rest == "" {
		return exprOperand{}, p.fail("missing operand")
	}
	switch c := rest[0]; {
	case c == '"' || c == '\'':
		return p.quoted(rest)
	case isDigit(c):
		n := 1
		for n < len(rest) && isDigit(rest[n]) {
			n++
		}
		v, err := strconv.ParseUint(rest[:n], 10, 64)
		if err != nil {
			return exprOperand{}, p.fail("number out of range")
		}
		p.pos += n
		return exprOperand{num: v}, nil
	}
	n := 0
	for n < len(rest) && isWordByte(rest[n]) {
		n++
	}
	if n == 0 {
		return exprOperand{}, p.fail("unexpected character")
	}
	p.pos += n
	return exprOperand{word: rest[:n]}, nil
}

// quoted reads a string. In double quotes Go's escapes are understood, which canonical forms may contain.
func (p *exprParser) quoted(rest string) (exprOperand, error) {
	if rest[0] == '\'' {
		s, _, ok := strings.Cut(rest[1:], "'")
		if !ok {
			return exprOperand{}, p.fail("string without end")
		}
		p.pos += len(s) + 2
		return exprOperand{str: s, isText: true}, nil
	}
	q, err := strconv.QuotedPrefix(rest)
	if err != nil {
		return exprOperand{}, p.fail("malformed string")
	}
	s, err := strconv.Unquote(q)
	if err != nil {
		return exprOperand{}, p.fail("malformed string")
	}
	p.pos += len(q)
	return exprOperand{str: s, isText: true}, nil
}

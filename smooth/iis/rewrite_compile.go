package iis

import (
	"fmt"
	"net/http"
	"regexp"
	"regexp/syntax"
	"strings"
)

// compiledRule is a rule that is ready for requests. It is not changed.
type compiledRule struct {
	*RewriteRule
	match      pattern
	conditions []compiledCondition
	url        pieces
}

type compiledCondition struct {
	input   pieces
	kind    ConditionMatch
	match   pattern
	negated bool
	// isURL tells that the input is text of a URL, which is escaped already.
	isURL bool
}

// pattern is a compiled pattern: a regular expression, or a text.
type pattern struct {
	re    *regexp.Regexp
	text  string
	exact func(a, b string) bool
}

// find returns the groups of a match, of which the first is the whole.
func (p *pattern) find(s string) (groups []string, ok bool) {
	if p.exact != nil {
		return []string{s}, p.exact(s, p.text)
	}
	groups = p.re.FindStringSubmatch(s)
	return groups, groups != nil
}

// compilePattern returns a pattern of a syntax.
func compilePattern(s string, how PatternSyntax, matchCase bool) (pattern, error) {
	if len(s) > maxPattern {
		return pattern{}, fmt.Errorf("pattern of %d bytes, limit %d: %w", len(s), maxPattern, ErrPattern)
	}
	switch how {
	case ExactMatch:
		if matchCase {
			return pattern{text: s, exact: func(a, b string) bool { return a == b }}, nil
		}
		return pattern{text: s, exact: strings.EqualFold}, nil
	case Wildcard:
		s = "^" + strings.ReplaceAll(regexp.QuoteMeta(s), `\*`, "(.*)") + "$"
	case ECMAScript, "":
	default:
		return pattern{}, fmt.Errorf("syntax %.40q: %w", how, ErrPattern)
	}
	if !matchCase {
		s = "(?i)" + s
	}
	re, err := regexp.Compile(s)
	if err != nil {
		why := "no regular expression"
		if e, ok := err.(*syntax.Error); ok {
			why = fmt.Sprintf("%v %.40q", e.Code, e.Expr)
		}
		return pattern{}, fmt.Errorf("%s: %w", why, ErrPattern)
	}
	return pattern{re: re}, nil
}

// compileRule makes a rule ready. Errors wrap ErrPattern or ErrRule.
func compileRule(r *RewriteRule) (*compiledRule, error) {
	c := &compiledRule{RewriteRule: r}
	err := c.compile()
	if err != nil {
		return nil, fmt.Errorf("iis: rewrite rule %.100q: %w", r.Name, err)
	}
	return c, nil
}

// maxConditions bounds those of a rule.
const maxConditions = 256

func (c *compiledRule) compile() (err error) {
	if c.match, err = compilePattern(c.Pattern, c.Syntax, c.MatchCase); err != nil {
		return err
	}
	if len(c.Conditions) > maxConditions {
		return fmt.Errorf("%d conditions, limit %d: %w", len(c.Conditions), maxConditions, ErrRule)
	}
	for i := range c.Conditions {
		cond, err := compileCondition(&c.Conditions[i], c.Syntax)
		if err != nil {
			return err
		}
		c.conditions = append(c.conditions, cond)
	}
	if c.url, err = parseTemplate(c.Action.URL); err != nil {
		return err
	}
	if c.url.usesFilename() {
		return fmt.Errorf("variable {REQUEST_FILENAME} in a URL: %w", ErrRule)
	}
	return c.checkAction()
}

func (c *compiledRule) checkAction() error {
	a := &c.Action
	switch a.Type {
	case ActionNone, "", ActionAbortRequest:
		return nil
	case ActionRewrite:
		if isAbsolute(a.URL) {
			return fmt.Errorf("Rewrite to %.100q, which is elsewhere: %w", a.URL, ErrRule)
		}
	case ActionRedirect:
		if a.Status != 0 && (a.Status < 300 || a.Status > 399 || a.Status == http.StatusNotModified) {
			return fmt.Errorf("Redirect with status %d: %w", a.Status, ErrRule)
		}
	case ActionCustomResponse:
		if a.Status < 200 || a.Status > 599 {
			return fmt.Errorf("CustomResponse with status %d: %w", a.Status, ErrRule)
		}
		return nil
	default:
		return fmt.Errorf("action %.40q: %w", a.Type, ErrRule)
	}
	return nil
}

func compileCondition(c *RewriteCondition, how PatternSyntax) (compiledCondition, error) {
	input, err := parseTemplate(c.Input)
	if err != nil {
		return compiledCondition{}, err
	}
	out := compiledCondition{input: input, kind: c.Match, negated: c.Negate, isURL: input.isURL()}
	switch c.Match {
	case MatchIsFile, MatchIsDirectory:
		if !input.isFilename() {
			return out, fmt.Errorf("%s of %.100q: %w", c.Match, c.Input, ErrRule)
		}
		return out, nil
	case MatchPattern, "":
		out.kind = MatchPattern
	default:
		return out, fmt.Errorf("matchType %.40q: %w", c.Match, ErrRule)
	}
	if input.usesFilename() {
		return out, fmt.Errorf("pattern of {REQUEST_FILENAME}: %w", ErrRule)
	}
	out.match, err = compilePattern(c.Pattern, how, c.MatchCase)
	return out, err
}

// usesFilename tells whether a template has the file of the request somewhere.
func (t pieces) usesFilename() (uses bool) {
	t.each(func(p *part) { uses = uses || p.kind == partVariable && p.text == "REQUEST_FILENAME" })
	return uses
}

// isURL tells whether a template makes text of a URL, with nothing in it that was decoded.
func (t pieces) isURL() bool {
	for i := range t {
		if !t[i].isURL() {
			return false
		}
	}
	return true
}

func (p *part) isURL() bool {
	switch p.kind {
	case partText, partMap:
		return true
	case partVariable:
		switch p.text {
		case "QUERY_STRING", "REQUEST_URI", "UNENCODED_URL", "CACHE_URL", "HTTP_HOST", "SERVER_NAME", "SERVER_PORT":
			return true
		}
	case partFunction:
		return p.text == "URLENCODE" || p.text == "TOLOWER" && p.arg.isURL()
	}
	return false
}

// isAbsolute reports URLs with a scheme.
func isAbsolute(s string) bool {
	s = strings.ToLower(s)
	return strings.HasPrefix(s, "http://") || strings.HasPrefix(s, "https://")
}

// checkMaps returns an error if a rule looks up a map that is not there.
func (c *compiledRule) checkMaps(maps map[string]*RewriteMap) (err error) {
	check := func(p *part) {
		if p.kind == partMap && maps[strings.ToLower(p.text)] == nil {
			err = fmt.Errorf("iis: rewrite rule %.100q: map %.100q is not there: %w", c.Name, p.text, ErrRule)
		}
	}
	c.url.each(check)
	for i := range c.conditions {
		c.conditions[i].input.each(check)
	}
	return err
}

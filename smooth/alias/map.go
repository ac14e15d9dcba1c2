package alias

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
)

// Map is a set of rules. It does not change, is safe for concurrent use, and as nil has no rules.
type Map struct {
	rules []Rule
	any   *table            // rules of no host
	hosts map[string]*table // by name in lower case
	wild  map[string]*table // of "*.example.com" by ".example.com"
}

// table has the rules of a host.
type table struct {
	forms []*form // most specific first
	depth int     // segments of the longest pattern
}

// form has the rules whose patterns differ in their literal segments only.
type form struct {
	pattern *pattern // of the first of them
	plain   bool     // no placeholders
	entries map[string]*entry
}

// entry is a compiled rule.
type entry struct {
	rule    *Rule
	pattern pattern
	target  *target // nil for what is gone
	index   int
}

// Build returns a map of rules. Their order does not matter: see [Map.Lookup]. The error joins those of the first rules
// that are wrong, each a [RuleError].
func Build(rules ...Rule) (*Map, error) {
	var errs errorList
	return build(rules, &errs)
}

// build adds to the errors that there are, and returns a map only if there are none.
func build(rules []Rule, errs *errorList) (*Map, error) {
	if len(rules) > MaxRules {
		return nil, fmt.Errorf("alias: %d rules, at most %d: %w", len(rules), MaxRules, ErrTooLarge)
	}
	m := &Map{rules: slices.Clone(rules), hosts: make(map[string]*table), wild: make(map[string]*table)}
	var redirects []*entry
	for i := range m.rules {
		e, err := m.add(i)
		if err != nil {
			errs.add(m.wrong(i, err))
			continue
		}
		if e.rule.redirects() {
			redirects = append(redirects, e)
		}
	}
	for t := range m.tables() {
		slices.SortFunc(t.forms, func(a, b *form) int { return comparePatterns(a.pattern, b.pattern) })
	}
	for _, e := range redirects {
		if err := m.checkLoop(e); err != nil {
			errs.add(m.wrong(e.index, err))
		}
	}
	if err := errs.join(); err != nil {
		return nil, err
	}
	return m, nil
}

// wrong returns the error for a rule.
func (m *Map) wrong(i int, err error) error {
	r := &m.rules[i]
	return &RuleError{Line: r.Line, Index: i, Text: shorten(r.Host + r.From), Err: err}
}

// compile checks a rule for itself.
func compile(r *Rule) (*entry, error) {
	host, err := checkHost(r.Host)
	if err != nil {
		return nil, err
	}
	r.Host = host
	if err := r.checkStatus(); err != nil {
		return nil, err
	}
	e := &entry{rule: r}
	if e.pattern, err = compilePattern(r.From); err != nil {
		return nil, err
	}
	if r.To != "" {
		e.target, err = compileTarget(*r, &e.pattern)
	}
	return e, err
}

func (m *Map) add(i int) (*entry, error) {
	e, err := compile(&m.rules[i])
	if err != nil {
		return nil, err
	}
	e.index = i
	f, err := m.tableOf(e.rule.Host).formOf(&e.pattern)
	if err != nil {
		return nil, err
	}
	key := e.pattern.key()
	if other := f.entries[key]; other != nil {
		where := fmt.Sprintf("rule %d", other.index+1)
		if other.rule.Line > 0 {
			where = fmt.Sprintf("line %d", other.rule.Line)
		}
		return nil, fmt.Errorf("%w: %s matches the same, in any case: %s", ErrDuplicate, where, shorten(other.rule.From))
	}
	f.entries[key] = e
	return e, nil
}

// tableOf returns the table of a host, which is checked.
func (m *Map) tableOf(host string) *table {
	if host == "" {
		if m.any == nil {
			m.any = new(table)
		}
		return m.any
	}
	hosts := m.hosts
	if strings.HasPrefix(host, "*") {
		hosts, host = m.wild, host[1:]
	}
	t := hosts[host]
	if t == nil {
		t = new(table)
		hosts[host] = t
	}
	return t
}

// tables yields all tables.
func (m *Map) tables() func(yield func(*table) bool) {
	return func(yield func(*table) bool) {
		if m.any != nil && !yield(m.any) {
			return
		}
		for _, hosts := range [...]map[string]*table{m.hosts, m.wild} {
			for _, t := range hosts {
				if !yield(t) {
					return
				}
			}
		}
	}
}

// formOf returns the form of a pattern.
func (t *table) formOf(p *pattern) (*form, error) {
	for _, f := range t.forms {
		if comparePatterns(f.pattern, p) == 0 {
			return f, nil
		}
	}
	if len(t.forms) == MaxForms {
		return nil, fmt.Errorf("%w: more than %d forms of patterns for one host", ErrTooLarge, MaxForms)
	}
	plain := !slices.ContainsFunc(p.segments, func(s segment) bool { return s.kind != literal })
	f := &form{pattern: p, plain: plain, entries: make(map[string]*entry)}
	t.forms = append(t.forms, f)
	t.depth = max(t.depth, len(p.segments))
	return f, nil
}

// Rules returns the rules in their order, with hosts in lower case.
func (m *Map) Rules() []Rule {
	if m == nil {
		return nil
	}
	return slices.Clone(m.rules)
}

// Len returns the number of rules.
func (m *Map) Len() int {
	if m == nil {
		return 0
	}
	return len(m.rules)
}

// Match is what a rule makes of a path.
type Match struct {
	// Rule is the one that applies.
	Rule Rule
	// URL is where it leads: Path and RawPath, which are as those of a request, RawQuery of the target, and Scheme, Host
	// and Fragment of an absolute one. It is nil if Rule.Status is 410.
	URL *url.URL
}

// Lookup returns what becomes of a path, decoded as [url.URL].Path is, on a host, as in a Host header. Rules of the
// host come before those of "*." hosts, of which the longest comes first, and those before rules of any host. Among the
// rules of a host the most specific one applies, segment by segment from the left: literal text comes before {number},
// {guid} and {name}, and all of them before "*".
//
// It is false if no rule applies, and never applies a rule twice. Paths that are not clean match nothing: those with
// empty or dot segments, backslashes or control characters, and those longer than [MaxPath]. Where no rule applies it
// does not allocate, unless more than 512 bytes of the path had to be compared.
func (m *Map) Lookup(host, path string) (Match, bool) { return m.lookup(host, path, "") }

// lookup is Lookup with the encoded form of the path, or "".
func (m *Map) lookup(host, path, raw string) (Match, bool) {
	e := m.find(host, path)
	if e == nil {
		return Match{}, false
	}
	if e.target == nil {
		return Match{Rule: *e.rule}, true
	}
	u, ok := e.url(path, raw)
	return Match{Rule: *e.rule, URL: u}, ok
}

// url returns where a rule leads. It is false if what was taken from the path does not make a clean one.
func (e *entry) url(path, raw string) (*url.URL, bool) {
	u := &url.URL{Path: e.target.expand(&e.pattern, path, false), RawQuery: e.target.query, Fragment: e.target.fragment}
	if !clean(u.Path) {
		return nil, false
	}
	if raw != "" {
		u.RawPath = e.target.expand(&e.pattern, raw, true)
		if u.EscapedPath() != u.RawPath {
			u.RawPath = "" // bytes that the client should have encoded
		}
	}
	if scheme, host, ok := strings.Cut(e.target.base, "://"); ok {
		u.Scheme, u.Host = scheme, host
	}
	return u, true
}

package iis

import (
	"errors"
	"net/http"
	"strings"
)

// rewriteRules reads rewrite/rules and rewrite/globalRules.
func (b *builder) rewriteRules(to *Settings, n *node, path string) {
	id, list := statedRules, &to.Rewrite.Rules
	if n.Is("globalRules") {
		id, list = statedGlobalRules, &to.Rewrite.Global
	}
	*list = change(b, to, n, path, *list, listReader[RewriteRule]{
		id: id, add: "rule", key: "name", keyOf: func(r RewriteRule) string { return r.Name }, read: b.rewriteRule,
	})
	b.say(n, path, "%d rules", len(*list))
}

// rewriteRule reads a rule. One that is not understood as a whole is left out as a whole.
func (b *builder) rewriteRule(n *node, path string) (r RewriteRule, ok bool) {
	enabled := true
	syntax := string(ECMAScript)
	b.str(n, "name", &r.Name)
	b.bool(n, "enabled", &enabled)
	b.bool(n, "stopProcessing", &r.Stop)
	b.choice(n, "patternSyntax", &syntax, string(ECMAScript), string(Wildcard), string(ExactMatch))
	r.Syntax, r.Line = PatternSyntax(syntax), n.At.Line
	match, conditions, action := b.single(n, "match"), b.single(n, "conditions"), b.single(n, "action")
	if match == nil || action == nil {
		b.refuse(n, path, "a rule without match or action")
		return r, false
	}
	b.ruleMatch(&r, match)
	if conditions != nil {
		b.ruleConditions(&r, conditions)
	}
	b.ruleAction(&r, action)
	if v := b.single(n, "serverVariables"); v != nil {
		v.take()
		if len(v.children) > 0 {
			b.refuse(n, path, "serverVariables are not set")
			return r, false
		}
	}
	if _, err := compileRule(&r); err != nil {
		b.refuse(n, path, "%v", errors.Unwrap(err))
		return r, false
	}
	if !enabled {
		b.say(n, path, "off")
		return r, false
	}
	b.say(n, path, "%s of %.200q", r.Action.Type, r.Pattern)
	return r, true
}

func (b *builder) ruleMatch(r *RewriteRule, n *node) {
	n.take()
	ignoreCase := true
	b.str(n, "url", &r.Pattern)
	b.bool(n, "ignoreCase", &ignoreCase)
	b.bool(n, "negate", &r.Negate)
	r.MatchCase = !ignoreCase
}

func (b *builder) ruleConditions(r *RewriteRule, n *node) {
	n.take()
	grouping := "MatchAll"
	b.choice(n, "logicalGrouping", &grouping, "MatchAll", "MatchAny")
	b.bool(n, "trackAllCaptures", &r.TrackAll)
	r.Any = grouping == "MatchAny"
	for _, child := range n.children {
		if !child.Is("add") {
			continue
		}
		child.take()
		c := RewriteCondition{}
		match, ignoreCase := string(MatchPattern), true
		b.str(child, "input", &c.Input)
		b.choice(child, "matchType", &match, string(MatchPattern), string(MatchIsFile), string(MatchIsDirectory))
		b.str(child, "pattern", &c.Pattern)
		b.bool(child, "ignoreCase", &ignoreCase)
		b.bool(child, "negate", &c.Negate)
		c.Match, c.MatchCase = ConditionMatch(match), !ignoreCase
		r.Conditions = append(r.Conditions, c)
	}
}

func (b *builder) ruleAction(r *RewriteRule, n *node) {
	n.take()
	a := &r.Action
	kind, redirect, query := string(ActionNone), "Permanent", true
	var status int64
	b.choice(n, "type", &kind, string(ActionNone), string(ActionRewrite), string(ActionRedirect),
		string(ActionCustomResponse), string(ActionAbortRequest))
	b.str(n, "url", &a.URL)
	b.bool(n, "appendQueryString", &query)
	b.choice(n, "redirectType", &redirect, "Permanent", "Found", "SeeOther", "Temporary")
	b.whole(n, "statusCode", &status, 0, 999)
	b.str(n, "statusDescription", &a.Description)
	for _, name := range []string{"subStatusCode", "statusReason", "logRewrittenUrl"} {
		n.attr(name)
	}
	a.Type, a.DropQuery = ActionType(kind), !query
	switch {
	case a.Type == ActionCustomResponse:
		a.Status = int(status)
	case a.Type != ActionRedirect:
	case redirect == "Found":
		a.Status = http.StatusFound
	case redirect == "SeeOther":
		a.Status = http.StatusSeeOther
	case redirect == "Temporary":
		a.Status = http.StatusTemporaryRedirect
	}
}

// rewriteMaps reads rewrite/rewriteMaps.
func (b *builder) rewriteMaps(to *Settings, n *node, path string) {
	maps := change(b, to, n, path, to.Rewrite.Maps, listReader[RewriteMap]{
		id: statedMaps, add: "rewriteMap", key: "name",
		keyOf: func(m RewriteMap) string { return m.Name }, read: b.rewriteMap,
	})
	to.Rewrite.Maps = maps
	b.say(n, path, "%d maps", len(maps))
}

func (b *builder) rewriteMap(n *node, path string) (m RewriteMap, ok bool) {
	ignoreCase := true
	b.str(n, "name", &m.Name)
	b.str(n, "defaultValue", &m.Default)
	b.bool(n, "ignoreCase", &ignoreCase)
	m.MatchCase = !ignoreCase
	m.Entries = make(map[string]string, len(n.children))
	for _, c := range n.children {
		if !c.Is("add") || !b.require(c, "key", "value") {
			continue
		}
		c.take()
		key, _ := c.attr("key")
		value, _ := c.attr("value")
		k := m.keyOf(key.Value)
		if _, twice := m.Entries[k]; twice {
			b.log.FailAttr(c.Element, key, errors.New("there is one already"))
		}
		m.Entries[k] = value.Value
	}
	b.say(n, path, "%d entries", len(m.Entries))
	return m, true
}

// keyOf returns a key as it is in Entries.
func (m *RewriteMap) keyOf(key string) string {
	if m.MatchCase {
		return key
	}
	return strings.ToLower(key)
}

package iis

// Rewrite are the rules of the URL Rewrite module: the section rewrite.
type Rewrite struct {
	// Global are those of the whole server (globalRules), which come first.
	Global, Rules []RewriteRule
	Maps          []RewriteMap
}

// RewriteRule changes the URL of requests, or answers them.
type RewriteRule struct {
	Name string
	// Syntax is that of the patterns of the rule.
	Syntax PatternSyntax
	// Pattern is compared with the path, decoded and without the slash at its beginning. MatchCase makes case matter,
	// Negate turns the result round.
	Pattern           string
	MatchCase, Negate bool
	// Conditions must all be met; one is enough if Any is set. TrackAll makes {C:n} count the groups of all of them,
	// not those of the last one only.
	Conditions    []RewriteCondition
	Any, TrackAll bool
	Action        RewriteAction
	// Stop ends the rules if this one fits.
	Stop bool
	Line int
}

// PatternSyntax is how a pattern is written.
type PatternSyntax string

// The values of patternSyntax. The empty one is ECMAScript. Its regular expressions are read as those of package
// regexp, which cannot look around and has no references to groups.
const (
	ECMAScript PatternSyntax = "ECMAScript"
	Wildcard   PatternSyntax = "Wildcard"
	ExactMatch PatternSyntax = "ExactMatch"
)

// RewriteCondition is a further condition of a rule.
type RewriteCondition struct {
	// Input is text with variables, such as {HTTP_HOST}, {QUERY_STRING} or {NameOfMap:{R:1}}.
	Input             string
	Match             ConditionMatch
	Pattern           string
	MatchCase, Negate bool
}

// ConditionMatch is how the input of a condition is looked at.
type ConditionMatch string

// The values of matchType. The empty one is MatchPattern. The others are for the input {REQUEST_FILENAME} only.
const (
	MatchPattern     ConditionMatch = "Pattern"
	MatchIsFile      ConditionMatch = "IsFile"
	MatchIsDirectory ConditionMatch = "IsDirectory"
)

// RewriteAction is what a rule does.
type RewriteAction struct {
	Type ActionType
	// URL is that of Rewrite and Redirect: a path from the root of the rules, with or without a slash at its beginning,
	// or for a Redirect an absolute URL. It may have {R:n} for groups of the rule's pattern, {C:n} for those of
	// conditions, variables, maps and the functions ToLower, UrlEncode and UrlDecode.
	URL string
	// DropQuery leaves out the query of the request, which is otherwise put after that of URL.
	DropQuery bool
	// Status is that of Redirect, zero means 301; and of CustomResponse.
	Status int
	// Description is the body of a CustomResponse.
	Description string
}

// ActionType is a kind of action.
type ActionType string

// The values of an action's type. The empty one is ActionNone.
const (
	ActionNone           ActionType = "None"
	ActionRewrite        ActionType = "Rewrite"
	ActionRedirect       ActionType = "Redirect"
	ActionCustomResponse ActionType = "CustomResponse"
	ActionAbortRequest   ActionType = "AbortRequest"
)

// RewriteMap is a table that rules look up.
type RewriteMap struct {
	Name    string
	Default string // for keys that are not there
	// MatchCase makes the case of keys matter.
	MatchCase bool
	Entries   map[string]string
}

package smooth

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
)

// TrackExpr is a condition on a track, such as type=="audio"||systemBitrate<=1500000. [ParseTrackExpr] makes one;
// the zero value is true for every track. It is immutable and safe for concurrent use.
type TrackExpr struct{ root *exprNode }

// IsZero reports whether e is true for every track because nothing was asked.
func (e TrackExpr) IsZero() bool { return e.root == nil }

// String returns the canonical form: negations resolved, operands sorted, without blanks. Expressions that differ
// only in spelling have the same. [ParseTrackExpr] reads it.
func (e TrackExpr) String() string {
	if e.root == nil {
		return "true"
	}
	return e.root.String()
}

// match reports whether the condition holds for a track.
func (e TrackExpr) match(t trackView) bool { return e.root == nil || e.root.match(t) }

// and returns the conjunction.
func (e TrackExpr) and(o TrackExpr) TrackExpr {
	switch {
	case e.root == nil:
		return o
	case o.root == nil:
		return e
	}
	return TrackExpr{join(exprAnd, []*exprNode{e.root, o.root})}
}

// trackView is what an expression looks at.
type trackView struct {
	stream    *Stream
	level     *QualityLevel
	timescale uint64
}

type exprOp uint8

const (
	exprFalse exprOp = iota
	exprTrue
	exprAnd
	exprOr
	exprCompare
)

// exprNode is a node of an expression in negation normal form.
type exprNode struct {
	op   exprOp
	kids []*exprNode // of and, or: sorted by text, distinct, at least two
	v    trackVar    // of compare, as the fields below
	rel  relation
	num  uint64
	str  string
}

type relation uint8

const (
	relEq relation = iota
	relNe
	relLt
	relGe
	relGt
	relLe
)

var relationTexts = [...]string{relEq: "==", relNe: "!=", relLt: "<", relGe: ">=", relGt: ">", relLe: "<="}

// negated returns the relation that holds exactly when r does not: they stand in pairs.
func (r relation) negated() relation { return r ^ 1 }

// flipped returns the relation with exchanged operands.
func (r relation) flipped() relation {
	switch r {
	case relLt:
		return relGt
	case relGt:
		return relLt
	case relLe:
		return relGe
	case relGe:
		return relLe
	}
	return r
}

// trackVar is a variable of the expression language.
type trackVar uint8

const (
	varType trackVar = iota
	varName
	varLanguage
	varFourCC
	varBitrate
	varMaxWidth
	varMaxHeight
	varDisplayWidth
	varDisplayHeight
	varSamplingRate
	varChannels
	varBitsPerSample
	varAudioTag
	varTimescale
	varCount
)

// trackVarNames are the names in the spelling of server manifests; they are read in any case.
var trackVarNames = [varCount]string{
	varType: "type", varName: "trackName", varLanguage: "systemLanguage", varFourCC: "FourCC",
	varBitrate: "systemBitrate", varMaxWidth: "MaxWidth", varMaxHeight: "MaxHeight",
	varDisplayWidth: "DisplayWidth", varDisplayHeight: "DisplayHeight", varSamplingRate: "SamplingRate",
	varChannels: "Channels", varBitsPerSample: "BitsPerSample", varAudioTag: "AudioTag", varTimescale: "TimeScale",
}

// isText reports whether the variable holds a string, which is compared for equality only.
func (v trackVar) isText() bool { return v <= varFourCC }

// compareText returns the node v rel s with s in canonical spelling.
func compareText(v trackVar, rel relation, s string) *exprNode {
	switch v {
	case varFourCC:
		s = fourCCFamily(s)
	case varLanguage:
		s = canonicalLanguage(s)
	case varType:
		if s = strings.ToLower(s); s == "textstream" {
			s = string(Text)
		}
	default:
		s = strings.ToLower(s)
	}
	return &exprNode{op: exprCompare, v: v, rel: rel, str: s}
}

// compareNumber returns the node v rel n.
func compareNumber(v trackVar, rel relation, n uint64) *exprNode {
	return &exprNode{op: exprCompare, v: v, rel: rel, num: n}
}

// anyOf returns the node that is true if v equals one of values.
func anyOf[S ~string](v trackVar, values []S) *exprNode {
	kids := make([]*exprNode, len(values))
	for i, s := range values {
		kids[i] = compareText(v, relEq, string(s))
	}
	return join(exprOr, kids)
}

// join returns the conjunction or disjunction of nodes in canonical form.
func join(op exprOp, nodes []*exprNode) *exprNode {
	neutral, absorbing := exprTrue, exprFalse
	if op == exprOr {
		neutral, absorbing = exprFalse, exprTrue
	}
	var kids []*exprNode
	for _, n := range nodes {
		switch n.op {
		case absorbing:
			return n
		case neutral:
		case op:
			kids = append(kids, n.kids...)
		default:
			kids = append(kids, n)
		}
	}
	slices.SortFunc(kids, func(a, b *exprNode) int { return strings.Compare(a.String(), b.String()) })
	kids = slices.CompactFunc(kids, func(a, b *exprNode) bool { return a.String() == b.String() })
	switch len(kids) {
	case 0:
		return &exprNode{op: neutral}
	case 1:
		return kids[0]
	}
	return &exprNode{op: op, kids: kids}
}

// negate returns the node that is true exactly when n is not.
func (n *exprNode) negate() *exprNode {
	switch n.op {
	case exprTrue:
		return &exprNode{op: exprFalse}
	case exprFalse:
		return &exprNode{op: exprTrue}
	case exprCompare:
		m := *n
		m.rel = n.rel.negated()
		return &m
	}
	kids := make([]*exprNode, len(n.kids))
	for i, k := range n.kids {
		kids[i] = k.negate()
	}
	if n.op == exprAnd {
		return join(exprOr, kids)
	}
	return join(exprAnd, kids)
}

// String returns the canonical text.
func (n *exprNode) String() string { return string(n.append(nil)) }

func (n *exprNode) append(b []byte) []byte {
	switch n.op {
	case exprTrue, exprFalse:
		return strconv.AppendBool(b, n.op == exprTrue)
	case exprCompare:
		b = append(append(b, trackVarNames[n.v]...), relationTexts[n.rel]...)
		if n.v.isText() {
			return strconv.AppendQuote(b, n.str)
		}
		return strconv.AppendUint(b, n.num, 10)
	}
	sep := "&&"
	if n.op == exprOr {
		sep = "||"
	}
	for i, k := range n.kids {
		if i > 0 {
			b = append(b, sep...)
		}
		if k.op == exprAnd || k.op == exprOr {
			b = append(k.append(append(b, '(')), ')')
			continue
		}
		b = k.append(b)
	}
	return b
}

// match evaluates the node. A value that the manifest does not state is 0 or empty.
func (n *exprNode) match(t trackView) bool {
	switch n.op {
	case exprAnd:
		return !slices.ContainsFunc(n.kids, func(k *exprNode) bool { return !k.match(t) })
	case exprOr:
		return slices.ContainsFunc(n.kids, func(k *exprNode) bool { return k.match(t) })
	case exprCompare:
		if n.v.isText() {
			return t.equals(n.v, n.str) == (n.rel == relEq)
		}
		return n.rel.holds(t.number(n.v), n.num)
	}
	return n.op == exprTrue
}

func (r relation) holds(a, b uint64) bool {
	switch r {
	case relEq:
		return a == b
	case relNe:
		return a != b
	case relLt:
		return a < b
	case relGe:
		return a >= b
	case relGt:
		return a > b
	}
	return a <= b
}

// equals compares a text variable with a value in canonical spelling.
func (t trackView) equals(v trackVar, s string) bool {
	switch v {
	case varType:
		return strings.EqualFold(string(t.stream.Type), s)
	case varName:
		return strings.EqualFold(t.stream.Name, s)
	case varLanguage:
		return languageIn(t.stream.Language, s)
	}
	have := t.level.FourCC
	if have == "" {
		have = t.stream.FourCC
	}
	have = fourCCFamily(have)
	return have == s || s == "MP4A" && (have == "AACL" || have == "AACH")
}

// number returns a numeric variable.
func (t trackView) number(v trackVar) uint64 {
	l, st := t.level, t.stream
	switch v {
	case varBitrate:
		return l.Bitrate
	case varMaxWidth:
		return uint64(l.MaxWidth)
	case varMaxHeight:
		return uint64(l.MaxHeight)
	case varDisplayWidth:
		return uint64(cmp.Or(st.DisplayWidth, l.MaxWidth))
	case varDisplayHeight:
		return uint64(cmp.Or(st.DisplayHeight, l.MaxHeight))
	case varSamplingRate:
		return uint64(l.SamplingRate)
	case varChannels:
		return uint64(l.Channels)
	case varBitsPerSample:
		return uint64(l.BitsPerSample)
	case varAudioTag:
		return uint64(l.AudioTag)
	}
	return t.timescale
}

// languageIn reports whether tag is the language want, in canonical spelling, or a regional form of it: "en" matches
// "en", "eng" and "en-GB".
func languageIn(tag, want string) bool {
	tag = canonicalLanguage(tag)
	if len(tag) > len(want) && want != "" && tag[len(want)] == '-' {
		tag = tag[:len(want)]
	}
	return tag == want
}

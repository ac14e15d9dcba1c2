package iis

import (
	"net/http"
	"net/url"
	"path"
	"strings"
)

// Filtering is the section security/requestFiltering: what is not answered.
type Filtering struct {
	// AllowDoubleEscaping lets pass paths that would change if they were decoded once more, or have a plus sign.
	AllowDoubleEscaping bool
	// AllowHighBit lets pass paths with characters beyond ASCII.
	AllowHighBit bool
	// AllowUnlistedExtensions and AllowUnlistedVerbs tell what becomes of those that have no rule.
	AllowUnlistedExtensions, AllowUnlistedVerbs bool
	Extensions                                  []ExtensionRule
	Verbs                                       []VerbRule
	HiddenSegments                              []string // names of files and directories that are hidden
	DeniedSequences                             []string // that a path must not have
	DeniedQuerySequences                        []string // that a query must not have
	// MaxContentLength, in bytes, is for what Content-Length says; MaxURL and MaxQuery are bytes as they are sent. Zero
	// means the default of IIS: 30,000,000, 4,096 and 2,048.
	MaxContentLength, MaxURL, MaxQuery int64
}

// ExtensionRule is about an extension, with its dot; a dot alone stands for names without one.
type ExtensionRule struct {
	Extension string
	Allowed   bool
}

// VerbRule is about a method.
type VerbRule struct {
	Verb    string
	Allowed bool
}

// The limits of IIS.
const (
	defaultMaxContentLength = 30_000_000
	defaultMaxURL           = 4096
	defaultMaxQuery         = 2048
)

// defaultFiltering is what a new IIS has.
func defaultFiltering() Filtering {
	f := Filtering{
		AllowHighBit: true, AllowUnlistedExtensions: true, AllowUnlistedVerbs: true,
		HiddenSegments: []string{
			"web.config", "bin", "App_code", "App_GlobalResources", "App_LocalResources", "App_WebReferences", "App_Data",
			"App_Browsers",
		},
		MaxContentLength: defaultMaxContentLength, MaxURL: defaultMaxURL, MaxQuery: defaultMaxQuery,
	}
	const denied = "asa asax ascx master skin browser sitemap config cs csproj vb vbproj webinfo licx resx resources mdb " +
		"vjsproj java jsl ldb dsdgm ssdgm lsad ssmap cd dsprototype lsaprototype sdm sdmDocument mdf ldf ad dd ldd sd " +
		"adprototype lddprototype exclude refresh compiled msgx vsdisco rules"
	for ext := range strings.FieldsSeq(denied) {
		f.Extensions = append(f.Extensions, ExtensionRule{Extension: "." + ext})
	}
	return f
}

// Denial is why a request is not answered. The numbers are those that IIS puts after the status 404.
type Denial int

// The substatus codes of request filtering.
const (
	DeniedSequence      Denial = 5
	DeniedVerb          Denial = 6
	DeniedExtension     Denial = 7
	DeniedSegment       Denial = 8
	DeniedDoubleEscape  Denial = 11
	DeniedHighBit       Denial = 12
	DeniedContentLength Denial = 13
	DeniedURLLength     Denial = 14
	DeniedQueryLength   Denial = 15
	DeniedQuerySequence Denial = 18
)

// Check returns why a request is denied, zero if it is not. A body whose length is not known passes, as on IIS.
func (f *Filtering) Check(r *http.Request) Denial {
	escaped := r.URL.EscapedPath()
	switch {
	case !f.verb(r.Method):
		return DeniedVerb
	case r.ContentLength > orDefault(f.MaxContentLength, defaultMaxContentLength):
		return DeniedContentLength
	case int64(len(escaped)) > orDefault(f.MaxURL, defaultMaxURL):
		return DeniedURLLength
	case int64(len(r.URL.RawQuery)) > orDefault(f.MaxQuery, defaultMaxQuery):
		return DeniedQueryLength
	case !f.AllowDoubleEscaping && escapedTwice(r.URL.Path):
		return DeniedDoubleEscape
	case !f.AllowHighBit && hasHighBit(r.URL.Path):
		return DeniedHighBit
	case hasSequence(r.URL.Path, f.DeniedSequences):
		return DeniedSequence
	case hasSequence(r.URL.RawQuery, f.DeniedQuerySequences) || hasSequence(unescapeQuery(r.URL.RawQuery), f.DeniedQuerySequences):
		return DeniedQuerySequence
	}
	return f.CheckPath(r.URL.Path)
}

// CheckPath returns why a path, or the name of a file, is denied by itself: a hidden segment or its extension.
func (f *Filtering) CheckPath(name string) Denial {
	for element := range strings.FieldsFuncSeq(name, isSlash) {
		for _, hidden := range f.HiddenSegments {
			if strings.EqualFold(element, hidden) {
				return DeniedSegment
			}
		}
	}
	if !f.extension(name) {
		return DeniedExtension
	}
	return 0
}

func isSlash(c rune) bool { return c == '/' || c == '\\' }

func (f *Filtering) verb(method string) bool {
	for _, v := range f.Verbs {
		if strings.EqualFold(v.Verb, method) {
			return v.Allowed
		}
	}
	return f.AllowUnlistedVerbs
}

// extension tells whether a path may be asked for. What follows a file, such as the fragment of a presentation, counts
// no less than the file: a denied extension anywhere denies, and else an allowed one anywhere allows.
func (f *Filtering) extension(name string) bool {
	allowed := f.AllowUnlistedExtensions || strings.Trim(name, "/.") == ""
	for element := range strings.FieldsFuncSeq(name, isSlash) {
		ext := path.Ext(element)
		if ext == "" {
			ext = "."
		}
		for _, e := range f.Extensions {
			switch {
			case !strings.EqualFold(e.Extension, ext):
			case !e.Allowed:
				return false
			default:
				allowed = true
			}
		}
	}
	return allowed
}

func orDefault(v, standard int64) int64 {
	if v == 0 {
		return standard
	}
	return v
}

// escapedTwice tells whether a path that was decoded has an escape still, or a plus sign, which may be one for a space.
func escapedTwice(decoded string) bool {
	for i := range len(decoded) {
		switch decoded[i] {
		case '+':
			return true
		case '%':
			if isEscape(decoded[i:]) {
				return true
			}
		}
	}
	return false
}

func isEscape(s string) bool { return len(s) >= 3 && s[0] == '%' && isHex(s[1]) && isHex(s[2]) }

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'f'
}

func hasHighBit(s string) bool {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return true
		}
	}
	return false
}

func hasSequence(s string, sequences []string) bool {
	if len(sequences) == 0 {
		return false
	}
	s = strings.ToLower(s)
	for _, q := range sequences {
		if q != "" && strings.Contains(s, strings.ToLower(q)) {
			return true
		}
	}
	return false
}

// unescapeQuery returns a query without its escapes, as it is if it has wrong ones.
func unescapeQuery(s string) string {
	if u, err := url.QueryUnescape(s); err == nil {
		return u
	}
	return s
}

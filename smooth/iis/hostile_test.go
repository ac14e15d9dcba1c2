package iis_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/smooth/iis"
)

// TestLongInputsDoNotPass pads what a condition with a function or a map looks at, so that its text is too long.
func TestLongInputsDoNotPass(t *testing.T) {
	const action = `<action type="CustomResponse" statusCode="403"/></rule>`
	for _, input := range []string{"{UrlDecode:{QUERY_STRING}}", "x{ToLower:{UrlDecode:{QUERY_STRING}}}", "{m:{QUERY_STRING}}{QUERY_STRING}"} {
		h := newRewrite(t, `<rule name="r"><match url=".*"/><conditions><add input="`+input+`" pattern="secret"/></conditions>`+action,
			`<rewriteMap name="m"/>`)
		for _, pad := range []int{0, 100, 8100, 8192, 9000} {
			w := httptest.NewRecorder()
			h.ServeHTTP(w, httptest.NewRequest("GET", "/?secret="+strings.Repeat("x", pad), nil))
			assert.NotEqual(t, 200, w.Code, "%s %d", input, pad)
		}
	}
}

// TestPathsLeadNowhereElse redirects to what a client sends.
func TestPathsLeadNowhereElse(t *testing.T) {
	for _, url := range []string{"{R:1}/{R:2}", "{ToLower:{R:1}}/{R:2}", "{UrlDecode:{ToLower:{R:1}}}/{R:2}"} {
		h := newRewrite(t, `<rule name="r"><match url="^(.*/)(.*)$"/><action type="Redirect" url="`+url+`"/></rule>`, "")
		for _, path := range []string{"/http:/example.org", "/HTTPS:/example.org", "/x/example.org", "/http%3A%2Fexample.org"} {
			w := httptest.NewRecorder()
			h.ServeHTTP(w, httptest.NewRequest("GET", path, nil))
			require.Equal(t, 301, w.Code)
			assert.True(t, strings.HasPrefix(w.Header().Get("Location"), "../") || strings.HasPrefix(w.Header().Get("Location"), "./"),
				"%s of %s: %s", url, path, w.Header().Get("Location"))
		}
	}
}

// TestRedirectKeepsItsHost has a path that does not begin with a slash, as behind a prefix without one at its end.
func TestRedirectKeepsItsHost(t *testing.T) {
	files := fstest.MapFS{"web.config": {Data: []byte(
		`<configuration><system.webServer><httpRedirect enabled="true" destination="https://example.com"/></system.webServer></configuration>`)}}
	h, err := iis.NewFiles(files, &iis.FilesOptions{WebConfig: true, Logger: options(nil).Logger})
	require.NoError(t, err)
	w := httptest.NewRecorder()
	http.StripPrefix("/media", h).ServeHTTP(w, httptest.NewRequest("GET", "/media.example.org/x", nil))
	assert.Equal(t, "https://example.com/.example.org/x", w.Header().Get("Location"))
}

package validate_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/internal/testmedia"
	"github.com/smoothkit/smoothkit/smooth"
	"github.com/smoothkit/smoothkit/smooth/validate"
)

// TestHandler checks the origin of the tests without a network; the faults of the answer are found there too.
func TestHandler(t *testing.T) {
	o := &origin{manifest: plain}
	r, err := validate.Handler(context.Background(), o, originPath+"Manifest", nil)
	require.NoError(t, err)
	assert.Empty(t, r.Violations)
	on(func(r *http.Request) bool { return isNoun(r, "RawFragments") }, cutShort)(o)
	r, err = validate.Handler(context.Background(), o, originPath+"Manifest", nil)
	require.NoError(t, err)
	assert.Equal(t, []string{"SH122"}, rulesOf(r))
	on(func(r *http.Request) bool { return isNoun(r, "RawFragments") }, func(http.ResponseWriter, *http.Request) { panic("fault") })(o)
	r, err = validate.Handler(context.Background(), o, originPath+"Manifest", nil)
	require.NoError(t, err)
	require.Equal(t, []string{"SH108"}, rulesOf(r))
	assert.Contains(t, r.Violations[0].Text, "the handler panicked: fault")
}

// TestHandlerClient sees redirects, cut bodies and panics as a client of a real server does.
func TestHandlerClient(t *testing.T) {
	mux := http.NewServeMux()
	mux.HandleFunc("/a", redirect("/b"))
	mux.HandleFunc("/b", page(200))
	mux.HandleFunc("/short", cutShort)
	mux.HandleFunc("/panic", func(http.ResponseWriter, *http.Request) { panic("fault") })
	client := validate.HandlerClient(mux)
	resp, err := client.Get("http://any.example/a")
	require.NoError(t, err)
	assert.Equal(t, "/b", resp.Request.URL.Path)
	assert.NoError(t, resp.Body.Close())
	resp, err = client.Get("http://any.example/short")
	require.NoError(t, err)
	_, err = io.ReadAll(resp.Body)
	assert.ErrorIs(t, err, io.ErrUnexpectedEOF)
	_, err = client.Get("http://any.example/panic")
	assert.ErrorContains(t, err, "the handler panicked: fault")
}

// TestPrefixNotMounted names the usual mistake with net/http's mux.
func TestPrefixNotMounted(t *testing.T) {
	mux := http.NewServeMux()
	mux.Handle("/video/", &origin{manifest: plain}) // StripPrefix is missing
	mux.HandleFunc("/", page(200))
	for path, id := range map[string]string{"/video/a.ism": "SH101", "/film/a.ism": "SH102", "/video//a.ism": "SH103"} {
		r, err := validate.Handler(context.Background(), mux, path, nil)
		require.NoError(t, err)
		require.Equal(t, []string{id}, rulesOf(r), "%s: %v", path, r.Violations)
		t.Log(r.Violations[0])
	}
}

// TestSource checks a package as the module's own handler serves it.
func TestSource(t *testing.T) {
	dir := t.TempDir()
	for name, text := range presentationFS() {
		require.NoError(t, os.WriteFile(filepath.Join(dir, filepath.Base(name)), []byte(text), 0o600))
	}
	r, err := validate.File(context.Background(), filepath.Join(dir, "a.ism"), nil)
	require.NoError(t, err)
	assert.Empty(t, r.Violations)
	assert.Equal(t, 22, r.Checked.Fragments, "as stored and as served")
}

// TestSourceProgressive checks presentations that the server cuts from progressive files.
func TestSourceProgressive(t *testing.T) {
	dir := testmedia.Shared(t, "testdata/smooth/package-mbr-mp4")
	src := smooth.Dir(dir, nil)
	defer src.Close()
	for _, name := range []string{"BigBuckBunny_3400.ism", "BigBuckBunny_400.mp4"} {
		r, err := validate.Source(context.Background(), src, name, nil)
		require.NoError(t, err)
		assert.Empty(t, r.Violations, name)
		assert.Equal(t, 8, r.Checked.Fragments, name)
	}
}

// TestSourceIIS checks a package as IIS wrote it, whose key frames only sdtp tells, in all nouns.
func TestSourceIIS(t *testing.T) {
	src := smooth.Dir(testmedia.Shared(t, "testdata/smooth/package-bbb"), nil)
	defer src.Close()
	r, err := validate.Source(context.Background(), src, "BigBuckBunny.ism", nil)
	require.NoError(t, err)
	assert.Equal(t, []string{"SM113"}, rulesOf(r), "%v", r.Violations)
}

func ExampleHandler() {
	mux := http.NewServeMux() // nothing is mounted
	report, err := validate.Handler(context.Background(), mux, "/film.ism", nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, v := range report.Violations {
		fmt.Println(v)
	}
	// Output:
	// SH101 error ([MS-SSTR] 2.1) in http://localhost/film.ism/Manifest: status 404 with the body "404 page not found": that is the answer of a Go mux without a route: is the handler mounted at this prefix, with http.StripPrefix?
}

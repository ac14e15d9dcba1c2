package iis_test

import (
	"bytes"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/smooth/iis"
)

func TestFiles(t *testing.T) {
	root := newRoot(t, "a.mp4=0123456789", "Videos/Trailer.wmv", "Videos/index.html", "empty/x.unknown", "noext",
		"b.ism", "b.ismv", "live.isml", "list.isx", "web.config=<configuration/>", "bin/a.txt", "sub/App_Data/a.txt",
		".git/config.txt", ".well-known/acme.txt", "code.cs", "my video.mp4", "100% live+.mp4", "ünï.txt", "page.php")
	h := newFiles(t, root, nil)
	for _, c := range []struct {
		request string
		status  int
		body    string // empty means that it is not looked at
	}{
		{"GET /a.mp4", 200, "0123456789"},
		{"HEAD /a.mp4", 200, ""},
		{"GET /A.MP4", 200, "0123456789"},
		{"GET /videos/TRAILER.wmv", 200, "content of Videos/Trailer.wmv"},
		{"GET //videos///trailer.wmv", 200, "content of Videos/Trailer.wmv"},
		{"GET /Videos/", 200, "content of Videos/index.html"},
		{"GET /Videos", 301, ""},
		{"GET /my%20video.mp4", 200, "content of my video.mp4"},
		{"GET /100%25%20live%2B.mp4", 404, ""}, // a plus sign is taken for an escape
		{"GET /%C3%BCn%C3%AF.txt", 200, "content of ünï.txt"},
		{"GET /%C3%9CN%C3%8F.TXT", 200, "content of ünï.txt"},
		{"GET /a.mp4/", 404, ""},
		{"GET /a.mp4/b", 404, ""},
		{"GET /none", 404, ""},
		{"GET /noext", 404, ""},
		{"GET /empty/x.unknown", 404, ""},
		{"GET /page.php", 404, ""},
		{"GET /empty/", 403, ""},
		{"GET /", 403, ""},
		// Kept back.
		{"GET /b.ism",
			404, ""}, {"GET /B.ISM", 404, ""}, {"GET /b.ismv", 404, ""}, {"GET /live.isml", 404, ""}, {"GET /list.isx", 404, ""},
		{"GET /web.config", 404, ""}, {"GET /WEB.config", 404, ""}, {"GET /bin/a.txt", 404, ""}, {"GET /bin", 404, ""},
		{"GET /sub/app_data/a.txt", 404, ""}, {"GET /.git/config.txt", 404, ""}, {"GET /.git/", 404, ""}, {"GET /.git", 404, ""},
		{"GET /.well-known/acme.txt", 200, "content of .well-known/acme.txt"}, {"GET /code.cs", 404, ""},
		// What Windows could take for something else.
		{"GET /a.mp4.", 404, ""}, {"GET /a.mp4%20", 404, ""}, {"GET /a.mp4::$DATA", 404, ""}, {"GET /web~1.con", 404, ""},
		{"GET /WEB~1.CON", 404, ""}, {"GET /nul", 404, ""}, {"GET /con.mp4", 404, ""}, {"GET /COM1.mp4", 404, ""},
		{"GET /videos%5Ctrailer.wmv", 404, ""}, {"GET /videos%2Ftrailer.wmv", 404, ""}, {"GET /a.mp4%00.txt", 404, ""},
		{"GET /../a.mp4", 404, ""}, {"GET /./a.mp4", 404, ""}, {"GET /Videos/../a.mp4", 404, ""}, {"GET /%2e%2e/a.mp4", 404, ""},
		{"GET /Videos/..%5ca.mp4", 404, ""}, {"GET /%FF.mp4", 404, ""}, {"GET /" + strings.Repeat("a/", 2500), 404, ""},
		// Methods.
		{"POST /a.mp4", 405, ""}, {"DELETE /Videos/", 405, ""}, {"OPTIONS /a.mp4", 405, ""}, {"PUT /none", 404, ""},
		{"POST /b.ism", 404, ""},
	} {
		res := do(t, h, c.request)
		assert.Equal(t, c.status, res.StatusCode, c.request)
		body := bodyOf(t, res)
		switch {
		case c.body != "":
			assert.Equal(t, c.body, body, c.request)
		case strings.HasPrefix(c.request, "HEAD"):
			assert.Empty(t, body)
			assert.Equal(t, "10", res.Header.Get("Content-Length"))
		case c.status >= 400:
			assert.Equal(t, strings.ToLower(http.StatusText(c.status))+"\n", body, c.request)
		}
		if c.status == 405 {
			assert.Equal(t, "GET, HEAD", res.Header.Get("Allow"))
		}
	}
}

func TestFileHeaders(t *testing.T) {
	root := newRoot(t, "a.mp4=0123456789", "Videos/index.html")
	h := newFiles(t, root, nil)
	res := do(t, h, "/a.mp4")
	assert.Equal(t, "video/mp4", res.Header.Get("Content-Type"))
	assert.Equal(t, "Sat, 14 Mar 2026 11:00:00 GMT", res.Header.Get("Last-Modified"))
	assert.Equal(t, "bytes", res.Header.Get("Accept-Ranges"))
	assert.Empty(t, res.Header.Get("Cache-Control"), "NoControl")
	tag := res.Header.Get("Etag")
	require.Regexp(t, `^"[0-9a-z]+-a-[0-9a-z]+"$`, tag)
	for _, c := range []struct {
		header string
		status int
		body   string
	}{
		{"Range: bytes=2-3", 206, "23"}, {"Range: bytes=-2", 206, "89"}, {"Range: bytes=8-", 206, "89"}, {"Range: bytes=10-", 416, ""},
		{"Range: bytes=20-30", 416, ""}, {"If-None-Match: " + tag, 304, ""}, {`If-None-Match: "x"`, 200, "0123456789"},
		{"If-Modified-Since: Sat, 14 Mar 2026 11:00:00 GMT",
			304, ""}, {"If-Modified-Since: Sat, 14 Mar 2026 10:59:59 GMT", 200, "0123456789"},
		{`If-Match: "x"`, 412, ""}, {"If-Match: " + tag, 200, "0123456789"},
	} {
		res := do(t, h, "/A.mp4", c.header)
		assert.Equal(t, c.status, res.StatusCode, c.header)
		if c.body != "" {
			assert.Equal(t, c.body, bodyOf(t, res), c.header)
		}
	}
	res = do(t, h, "/a.mp4", "Range: bytes=2-3", "If-Range: "+tag)
	assert.Equal(t, 206, res.StatusCode)

	for request, want := range map[string]string{"/videos": "./videos/", "/videos?a=b%20c": "./videos/?a=b%20c"} {
		res = do(t, h, request)
		assert.Equal(t, 301, res.StatusCode)
		assert.Equal(t, want, res.Header.Get("Location"))
	}
	res = do(t, http.StripPrefix("/media/videos", newFiles(t, newRoot(t, "index.html"), nil)), "/media/videos?x")
	assert.Equal(t, 301, res.StatusCode)
	assert.Equal(t, "./videos/?x", res.Header.Get("Location"), "the prefix alone is a directory without a slash")
}

func TestEntityTags(t *testing.T) {
	root := newRoot(t, "a.mp4=0123456789", "b.mp4=0123456789")
	h := newFiles(t, root, nil)
	tag := func(name string) string { return do(t, h, name).Header.Get("Etag") }
	first := tag("/a.mp4")
	assert.Equal(t, first, tag("/A.MP4"))
	assert.NotEqual(t, first, tag("/b.mp4"))
	require.NoError(t, os.Chtimes(filepath.Join(root.Name(), "a.mp4"), day(), day().Add(-time.Hour+time.Second)))
	assert.NotEqual(t, first, tag("/a.mp4"))
	require.NoError(t, os.Chtimes(filepath.Join(root.Name(), "a.mp4"), day(), day().Add(-time.Second)))
	assert.Regexp(t, `^W/"`, tag("/a.mp4"), "it may change once more within a tick of the clock")

	h, err := iis.NewFiles(fstest.MapFS{"a.mp4": {Data: []byte("x")}}, options(nil))
	require.NoError(t, err)
	assert.Empty(t, tag("/a.mp4"), "a file without a time")
}

func TestSettingsOfFiles(t *testing.T) {
	root := newRoot(t, "a.mp4", "a.ogg", "videos/a.wmv", "videos/locked/a.htm", "old/a.htm", "x.php", "home/Default.htm", "plain/a.mp4")
	h := newFiles(t, root, func(o *iis.FilesOptions) { o.Config, o.Site, o.Index = serverConfig(t), siteName, true })
	res := do(t, h, "/a.mp4")
	assert.Equal(t, "max-age=604800", res.Header.Get("Cache-Control"))
	assert.Equal(t, "ASP.NET", res.Header.Get("X-Powered-By"))
	assert.Equal(t, 404, do(t, h, "/a.ogg").StatusCode, "the server's list of types is the whole list")
	assert.Equal(t, 404, do(t, h, "/x.php").StatusCode)
	assert.Equal(t, "video/asf", do(t, h, "/Videos/a.wmv").Header.Get("Content-Type"))
	assert.Equal(t, "no-cache", do(t, h, "/videos/LOCKED/a.htm").Header.Get("Cache-Control"))
	assert.Equal(t, "content of home/Default.htm", bodyOf(t, do(t, h, "/home/")))
	assert.Equal(t, 404, do(t, h, "TRACE /a.mp4").StatusCode, "a verb that is filtered")
	assert.Equal(t, 404, do(t, h, "/a.mp4?"+strings.Repeat("q", 2049)).StatusCode)
	for request, want := range map[string]string{
		"/old/a.htm?b=c": "http://archive.example.org/new/a.htm?b=c", "/OLD/none/my%20x": "http://archive.example.org/new/none/my%20x",
		"/old": "http://archive.example.org/new", "/old/": "http://archive.example.org/new/",
	} {
		res = do(t, h, request)
		assert.Equal(t, 301, res.StatusCode, request)
		assert.Equal(t, want, res.Header.Get("Location"), request)
	}
	inside := newFiles(t, root, func(o *iis.FilesOptions) { o.Config, o.Site, o.Path = serverConfig(t), siteName, "/old/deep" })
	assert.Equal(t, "http://archive.example.org/new/deep/x", do(t, inside, "/x").Header.Get("Location"))

	res = do(t, h, "/videos/")
	assert.Equal(t, 200, res.StatusCode)
	list := bodyOf(t, res)
	assert.Contains(t, list, `<a href="./a.wmv">a.wmv</a>`)
	assert.Contains(t, list, `<a href="./locked/">locked/</a>`)
	assert.Contains(t, list, `<a href="../">`)
	assert.Equal(t, 403, do(t, h, "/plain/").StatusCode, "only where directoryBrowse is enabled")
}

func TestListIsSafe(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("names that Windows does not have")
	}
	s := iis.DefaultSettings()
	s.DirectoryBrowse = true
	root := newRoot(t, "a&b'.mp4", "javascript:x.mp4", "web.config", "c.ismv", ".hidden", "bin/x", "u.unknown", "secret.mp4", `b\c.mp4`)
	h := newFiles(t, root, func(o *iis.FilesOptions) {
		o.Settings, o.Index = s, true
		o.Hidden = func(name string) bool { return name == "secret.mp4" }
	})
	list := bodyOf(t, do(t, h, "/"))
	assert.Equal(t, 1, strings.Count(list, "<a "), list)
	assert.Contains(t, list, `<a href="./a&amp;b%27.mp4">a&amp;b&#39;.mp4</a>`)
	assert.Equal(t, 404, do(t, h, "/secret.mp4").StatusCode)
}

func TestNext(t *testing.T) {
	root := newRoot(t, "a.mp4", "b.ism", "dir/x.mp4", "bin/x.txt")
	h := newFiles(t, root, func(o *iis.FilesOptions) { o.Next = echo() })
	for request, want := range map[string]string{
		"GET /b.ism": "/b.ism",
		"GET /b.ism/QualityLevels(1,a=b:c)/F(v=0)": "/b.ism/QualityLevels(1,a=b:c)/F(v=0)",
		"GET /none?q":                "/none?q",
		"GET /dir/":                  "/dir/",
		"POST /live.isml/Streams(a)": "/live.isml/Streams(a)",
		"POST /dir/":                 "/dir/",
		"GET /a.mp4":                 "content of a.mp4",
		"POST /a.mp4":                "method not allowed\n",
		"GET /bin/x.txt":             "not found\n",
		"GET /b.ism/" + strings.Repeat("x", 4100):          "not found\n",
		"GET /b.ism/Manifest?" + strings.Repeat("x", 2049): "not found\n",
	} {
		assert.Equal(t, want, bodyOf(t, do(t, h, request)), request)
	}
}

func TestWebConfigsInTree(t *testing.T) {
	root := newRoot(t, "a.xyz", "sub/a.xyz", "sub/deep/a.xyz", "sub/deep/start.htm", "bad/a.mp4", "bad/below/a.mp4", "fine/a.mp4", "bad/web.config=<x",
		`Web.config=<configuration><system.webServer><staticContent><mimeMap fileExtension=".xyz" mimeType="a/root"/></staticContent>
			<httpProtocol><customHeaders><add name="X-Root" value="1"/></customHeaders></httpProtocol></system.webServer>
			<location path="sub/deep"><system.webServer><directoryBrowse enabled="true"/></system.webServer></location></configuration>`,
		`sub/WEB.CONFIG=<configuration><system.webServer><staticContent><remove fileExtension=".xyz"/>
			<mimeMap fileExtension=".xyz" mimeType="a/sub"/></staticContent><httpRedirect destination="/gone"/></system.webServer>
			<location path="moved"><system.webServer><httpRedirect enabled="true" exactDestination="false"/></system.webServer></location></configuration>`)
	now := day()
	h := newFiles(t, root, func(o *iis.FilesOptions) {
		o.WebConfig, o.Index = true, true
		o.Now = func() time.Time { return now }
	})
	typeOf := func(name string) string { return do(t, h, name).Header.Get("Content-Type") }
	assert.Equal(t, "a/root", typeOf("/a.xyz"))
	assert.Equal(t, "a/sub", typeOf("/sub/a.xyz"))
	assert.Equal(t, "a/sub", typeOf("/SUB/deep/A.xyz"))
	assert.Equal(t, "1", do(t, h, "/sub/a.xyz").Header.Get("X-Root"))
	assert.Equal(t, 200, do(t, h, "/sub/deep/").StatusCode, "a location of a web.config above")
	assert.Equal(t, 403, do(t, h, "/sub/").StatusCode)
	res := do(t, h, "/sub/moved/x/y")
	assert.Equal(t, 302, res.StatusCode)
	assert.Equal(t, "/gone/x/y", res.Header.Get("Location"))
	for _, name := range []string{"/bad/a.mp4", "/bad/", "/bad/below/a.mp4", "/bad/none"} {
		assert.Equal(t, 500, do(t, h, name).StatusCode, name)
	}
	assert.Equal(t, 200, do(t, h, "/fine/a.mp4").StatusCode)

	name := filepath.Join(root.Name(), "bad", "web.config")
	require.NoError(t, os.WriteFile(name, []byte("<configuration/>"), 0o644))
	assert.Equal(t, 500, do(t, h, "/bad/a.mp4").StatusCode, "it was looked at a moment ago")
	now = now.Add(3 * time.Second)
	assert.Equal(t, 200, do(t, h, "/bad/a.mp4").StatusCode)
	require.NoError(t, os.WriteFile(name, bytes.Repeat([]byte(" "), iis.MaxWebConfigBytes+1), 0o644))
	now = now.Add(3 * time.Second)
	assert.Equal(t, 500, do(t, h, "/bad/a.mp4").StatusCode)
	require.NoError(t, os.Remove(name))
	now = now.Add(3 * time.Second)
	assert.Equal(t, 200, do(t, h, "/bad/a.mp4").StatusCode)

	plain := newFiles(t, root, nil)
	assert.Equal(t, 404, do(t, plain, "/a.xyz").StatusCode)
}

func TestAmbiguousNames(t *testing.T) {
	root := newRoot(t, "a.mp4=lower", "A.MP4=upper", "Dir/x.mp4")
	if data, err := fs.ReadFile(root.FS(), "a.mp4"); err != nil || string(data) != "lower" {
		t.Skip("a file system without case")
	}
	var log bytes.Buffer
	h := newFiles(t, root, func(o *iis.FilesOptions) { o.Logger = logTo(&log) })
	assert.Equal(t, "lower", bodyOf(t, do(t, h, "/a.mp4")))
	assert.Equal(t, "upper", bodyOf(t, do(t, h, "/A.MP4")))
	assert.Equal(t, 404, do(t, h, "/A.mp4").StatusCode)
	assert.Contains(t, log.String(), `level=WARN msg="name is ambiguous: files differ in case only" dir=. name=A.mp4`)
	assert.Equal(t, 200, do(t, h, "/dir/X.mp4").StatusCode)
}

func TestSymbolicLinks(t *testing.T) {
	outside := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(outside, "secret.mp4"), []byte("secret"), 0o644))
	root := newRoot(t, "dir/a.mp4")
	for link, target := range map[string]string{
		"out.mp4": filepath.Join(outside, "secret.mp4"), "up.mp4": "../../secret.mp4", "in.mp4": "dir/a.mp4", "loop.mp4": "loop.mp4", "outdir": outside,
	} {
		if err := os.Symlink(target, filepath.Join(root.Name(), link)); err != nil {
			t.Skip("no symbolic links:", err)
		}
	}
	h := newFiles(t, root, nil)
	assert.Equal(t, "content of dir/a.mp4", bodyOf(t, do(t, h, "/in.mp4")))
	for _, name := range []string{"/out.mp4", "/up.mp4", "/loop.mp4", "/outdir/secret.mp4", "/OUT.mp4", "/outdir/"} {
		assert.Equal(t, 404, do(t, h, name).StatusCode, name)
	}
}

func TestUnknownType(t *testing.T) {
	h := newFiles(t, newRoot(t, "a.xyz", "noext", "b.ismv", "c.cs"), func(o *iis.FilesOptions) { o.UnknownType = "application/octet-stream" })
	assert.Equal(t, "application/octet-stream", do(t, h, "/a.xyz").Header.Get("Content-Type"))
	assert.Equal(t, 200, do(t, h, "/noext").StatusCode)
	assert.Equal(t, 404, do(t, h, "/b.ismv").StatusCode)
	assert.Equal(t, 404, do(t, h, "/c.cs").StatusCode)
}

func TestAddresses(t *testing.T) {
	address := netip.MustParseAddr("198.51.100.9")
	h := newFiles(t, newRoot(t, "a.mp4"), func(o *iis.FilesOptions) {
		o.Config, o.Site = serverConfig(t), siteName
		o.Address = func(*http.Request) netip.Addr { return address }
	})
	assert.Equal(t, 403, do(t, h, "/a.mp4").StatusCode)
	address = netip.MustParseAddr("203.0.113.1")
	assert.Equal(t, 200, do(t, h, "/a.mp4").StatusCode)
	_, err := iis.NewFiles(fstest.MapFS{}, &iis.FilesOptions{Config: serverConfig(t), Settings: iis.DefaultSettings()})
	require.ErrorIs(t, err, iis.ErrOptions)
}

// wholeFS has files that can only be read from their start, as those of an archive.
type wholeFS struct{ fstest.MapFS }

type wholeFile struct{ fs.File }

func (w wholeFS) Open(name string) (fs.File, error) {
	f, err := w.MapFS.Open(name)
	if _, isDir := f.(fs.ReadDirFile); err != nil || isDir {
		return f, err
	}
	return wholeFile{f}, nil
}

func TestFilesWithoutSeek(t *testing.T) {
	h, err := iis.NewFiles(wholeFS{fstest.MapFS{"a.mp4": {Data: []byte("0123456789"), ModTime: day().Add(-time.Hour)}}}, options(nil))
	require.NoError(t, err)
	res := do(t, h, "/a.mp4", "Range: bytes=1-2")
	assert.Equal(t, 200, res.StatusCode)
	assert.Equal(t, "0123456789", bodyOf(t, res))
	assert.Equal(t, "10", res.Header.Get("Content-Length"))
	assert.Empty(t, res.Header.Get("Accept-Ranges"))
	assert.Empty(t, bodyOf(t, do(t, h, "HEAD /a.mp4")))
}

// TestSendfile: a file of the system goes to the response writer as it is, so that the kernel can send from it.
func TestSendfile(t *testing.T) {
	h := newFiles(t, newRoot(t, "a.mp4=0123456789"), nil)
	w := &sendWriter{ResponseRecorder: httptest.NewRecorder()}
	h.ServeHTTP(w, httptest.NewRequest("GET", "/a.mp4", nil))
	require.IsType(t, &io.LimitedReader{}, w.from)
	assert.IsType(t, &os.File{}, w.from.(*io.LimitedReader).R)
	assert.Equal(t, "0123456789", w.Body.String())
}

type sendWriter struct {
	*httptest.ResponseRecorder
	from io.Reader
}

func (w *sendWriter) ReadFrom(r io.Reader) (int64, error) {
	w.from = r
	return io.Copy(w.ResponseRecorder, r)
}

func TestConcurrentRequests(t *testing.T) {
	root := newRoot(t, "Videos/A.mp4", "web.config=<configuration/>", "Videos/web.config=<configuration/>")
	h := newFiles(t, root, func(o *iis.FilesOptions) { o.WebConfig = true })
	done := make(chan int, 16)
	for range cap(done) {
		go func() {
			w := httptest.NewRecorder()
			h.ServeHTTP(w, httptest.NewRequest("GET", "/videos/a.MP4", nil))
			done <- w.Code
		}()
	}
	for range cap(done) {
		assert.Equal(t, 200, <-done)
	}
}

// foldFS finds files whatever their case is, as Windows and macOS do.
type foldFS struct{ fstest.MapFS }

func (f foldFS) Open(name string) (fs.File, error) {
	for actual := range f.MapFS {
		if strings.EqualFold(actual, name) {
			name = actual
		}
	}
	return f.MapFS.Open(name)
}

// Stat hides that of MapFS.
func (f foldFS) Stat(name string) (fs.FileInfo, error) {
	file, err := f.Open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return file.Stat()
}

func TestHiddenOnFileSystemWithoutCase(t *testing.T) {
	var asked []string
	h, err := iis.NewFiles(foldFS{fstest.MapFS{"Dir/Film.mp4": {Data: []byte("x")}}}, options(func(o *iis.FilesOptions) {
		o.Hidden = func(name string) bool {
			asked = append(asked, name)
			return name == "Dir/Film.mp4"
		}
	}))
	require.NoError(t, err)
	for _, name := range []string{"/Dir/Film.mp4", "/dir/FILM.MP4", "/DIR/film.mp4"} {
		assert.Equal(t, 404, do(t, h, name).StatusCode, name)
	}
	assert.Equal(t, []string{"Dir/Film.mp4", "Dir/Film.mp4", "Dir/Film.mp4"}, asked)
}

// TestDefaultDocuments: names of the settings lead nowhere else.
func TestDefaultDocuments(t *testing.T) {
	s := iis.DefaultSettings()
	s.DefaultDocument.Files = []string{"../secret.htm", "web.config", "none.htm", "sub", "sub/page.htm"}
	root := newRoot(t, "secret.htm", "dir/sub/page.htm", "dir/web.config")
	h := newFiles(t, root, func(o *iis.FilesOptions) { o.Settings = s })
	assert.Equal(t, "content of dir/sub/page.htm", bodyOf(t, do(t, h, "/dir/")))
	s.DefaultDocument.Enabled = false
	assert.Equal(t, 403, do(t, h, "/dir/").StatusCode)
}

// TestNextCannotBeReachedAround: what is denied above a name is denied to the next handler, too, whatever the name is.
func TestNextCannotBeReachedAround(t *testing.T) {
	deny := `<configuration><system.webServer><security><ipSecurity allowUnlisted="false"/></security></system.webServer></configuration>`
	c, err := iis.Parse([]byte(`<configuration><location path="S/one">` + strings.TrimSuffix(strings.TrimPrefix(deny, "<configuration>"), "</configuration>") +
		`</location></configuration>`))
	require.NoError(t, err)
	root := newRoot(t, "one/a.mp4", "two/a.mp4", "two/web.config="+deny, "three/a.mp4")
	h := newFiles(t, root, func(o *iis.FilesOptions) {
		o.Config, o.Site, o.WebConfig, o.Next = c, "S", true, echo()
		o.Address = func(*http.Request) netip.Addr { return netip.IPv4Unspecified() }
	})
	for rest, want := range map[string]int{
		"": 200, "/": 200, "/a.mp4": 200, "/b.ism/Q(1,a=b:c)": 200, "/./a.mp4": 200, "/none": 200, "/x%2Fy": 200, "/a.mp4.": 200, "/%5C": 404, "/%00": 404,
	} {
		for _, dir := range []string{"/one", "/TWO", "//two"} {
			status := 403
			if want == 404 {
				status = 404
			}
			assert.Equal(t, status, do(t, h, dir+rest).StatusCode, dir+rest)
		}
		if rest != "" {
			assert.Equal(t, want, do(t, h, "/three"+rest).StatusCode, rest)
		}
	}
}

// TestRootRead: settings that come from the web.config at the root are not read over themselves.
func TestRootRead(t *testing.T) {
	text := `<configuration><system.webServer><staticContent><mimeMap fileExtension=".xyz" mimeType="a/root"/></staticContent></system.webServer></configuration>`
	root := newRoot(t, "a.xyz", "sub/a.xyz", "web.config="+text,
		`sub/web.config=<configuration><system.webServer><staticContent><remove fileExtension=".xyz"/></staticContent></system.webServer></configuration>`)
	config, err := iis.Parse([]byte(text))
	require.NoError(t, err)
	for read, status := range map[bool]int{false: 500, true: 200} {
		h := newFiles(t, root, func(o *iis.FilesOptions) {
			o.Config, o.Settings, o.WebConfig, o.RootRead = config, nil, true, read
		})
		assert.Equal(t, status, do(t, h, "/a.xyz").StatusCode)
	}
	h := newFiles(t, root, func(o *iis.FilesOptions) {
		o.Config, o.Settings, o.WebConfig, o.RootRead = config, nil, true, true
	})
	assert.Equal(t, 404, do(t, h, "/sub/a.xyz").StatusCode, "those below count")
}

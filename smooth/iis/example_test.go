package iis_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"testing/fstest"

	"github.com/smoothkit/smoothkit/smooth/iis"
)

func ExampleParse() {
	config, err := iis.Parse([]byte(`<configuration>
  <system.webServer>
    <defaultDocument><files><add value="start.htm" /></files></defaultDocument>
    <staticContent><mimeMap fileExtension=".webm" mimeType="video/webm" /></staticContent>
    <modules><add name="Ours" type="Ours.Module" /></modules>
  </system.webServer>
</configuration>`))
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, note := range config.Notes {
		fmt.Println(note)
	}
	fmt.Println(config.For("", "").DefaultDocument.Files[0])
	// Output:
	// line 3: system.webServer/defaultDocument: enabled: true, 6 names
	// line 4: system.webServer/staticContent: 387 MIME types
	// line 5: system.webServer/modules: not understood: modules of IIS are not loaded here
	// start.htm
}

func ExampleNewFiles() {
	files := fstest.MapFS{
		"Videos/Default.htm": {Data: []byte("<video src=tour.mp4>")},
		"Videos/Tour.ism":    {Data: []byte("<smil/>")},
	}
	h, err := iis.NewFiles(files, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, path := range []string{"/videos/", "/videos/tour.ism"} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest("GET", path, nil))
		fmt.Println(w.Code, w.Header().Get("Content-Type"))
	}
	// Output:
	// 200 text/html
	// 404 text/plain; charset=utf-8
}

func ExampleNewRewrite() {
	rules := &iis.Rewrite{Rules: []iis.RewriteRule{{
		Name:    "channels",
		Pattern: `^tv/(\d+)$`,
		Action:  iis.RewriteAction{Type: iis.ActionRewrite, URL: "channels/{R:1}.ism/Manifest"},
	}}}
	next := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, r.URL.Path) })
	h, err := iis.NewRewrite(next, rules, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest("GET", "/tv/7", nil))
	fmt.Println(w.Body)
	// Output: /channels/7.ism/Manifest
}

func ExampleMapPath() {
	table := map[string]string{`C:\inetpub\wwwroot`: "/srv/www", `\\nas\media`: "/mnt/nas"}
	_, ok := iis.MapPath(table, `D:\videos`)
	fmt.Println(ok)
	_, ok = iis.MapPath(table, `%SystemDrive%\inetpub\wwwroot\video`)
	fmt.Println(ok)
	// Output:
	// false
	// true
}

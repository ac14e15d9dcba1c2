package console_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	"github.com/smoothkit/smoothkit/examples/mediaserver/internal/console"
)

func ExampleNew() {
	now := time.Date(2026, 3, 14, 12, 0, 0, 0, time.UTC)
	source := newFake(func() time.Time { return now }) // the server
	c := console.New(source, &console.Options{Version: "1.2.3", Location: time.UTC, Now: source.now})
	defer c.Close()
	mux := http.NewServeMux()
	mux.Handle("/console/", http.StripPrefix("/console", c))

	w := httptest.NewRecorder()
	mux.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/console/point?name=live/arena.isml", nil))
	_, title, _ := strings.Cut(w.Body.String(), "<title>")
	title, _, _ = strings.Cut(title, "</title>")
	fmt.Println(w.Code, title)
	// Output: 200 live/arena.isml – smoothkit console
}

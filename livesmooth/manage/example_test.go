package manage_test

import (
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/smoothkit/smoothkit/livesmooth"
	"github.com/smoothkit/smoothkit/livesmooth/manage"
)

// Management in front of a server, with one operator who may do everything and a monitor that may read.
func ExampleNewHandler() {
	quiet := slog.New(slog.DiscardHandler)
	server, err := livesmooth.NewServer(&livesmooth.Options{Logger: quiet})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer server.Close()
	passwords := map[string]string{"operator": "secret", "monitor": "public"}
	h, err := manage.NewHandler(server, &manage.Options{
		Authorize: func(r *http.Request, op manage.Operation) error {
			user, password, _ := r.BasicAuth()
			want, known := passwords[user]
			if !known || subtle.ConstantTimeCompare([]byte(password), []byte(want)) == 0 {
				return manage.ErrUnauthenticated
			}
			if user != "operator" && op.Kind != manage.Read {
				return errors.New(user + " may only read")
			}
			return nil
		},
		Next: server, Logger: quiet,
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	ask := func(user, method, path, body string) {
		r := httptest.NewRequest(method, path, strings.NewReader(body))
		r.SetBasicAuth(user, passwords[user])
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Slug", "/live/demo.isml")
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		var state struct{ State string }
		_ = json.NewDecoder(w.Body).Decode(&state) // most answers have none
		fmt.Println(strings.TrimSpace(fmt.Sprintln(user, method, path, w.Code, state.State)))
	}
	const points = "/services/smoothstreaming/publishingpoints.isml/settings"
	ask("stranger", "GET", points, "")
	ask("monitor", "POST", points, `{"title": "Demo"}`)
	ask("operator", "POST", points, `{"title": "Demo", "clientConnections": {"enabled": true, "windowLengthSeconds": 120}}`)
	ask("operator", "PUT", "/live/demo.isml/state", `{"state": "Started"}`)
	ask("monitor", "GET", "/live/demo.isml/state", "")
	ask("operator", "PUT", "/live/demo.isml/settings", `{"title": "Changed"}`)
	ask("operator", "PUT", "/live/demo.isml/state", `{"state": "Idle"}`)
	ask("operator", "PUT", "/live/demo.isml/settings", `{"title": "Changed"}`)
	ask("operator", "DELETE", "/live/demo.isml/settings", "")
	// Output:
	// stranger GET /services/smoothstreaming/publishingpoints.isml/settings 401
	// monitor POST /services/smoothstreaming/publishingpoints.isml/settings 401
	// operator POST /services/smoothstreaming/publishingpoints.isml/settings 201
	// operator PUT /live/demo.isml/state 200
	// monitor GET /live/demo.isml/state 200 Starting
	// operator PUT /live/demo.isml/settings 400
	// operator PUT /live/demo.isml/state 200
	// operator PUT /live/demo.isml/settings 200
	// operator DELETE /live/demo.isml/settings 200
}

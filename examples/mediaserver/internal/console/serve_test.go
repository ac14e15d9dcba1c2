package console_test

import (
	"flag"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/examples/mediaserver/internal/console"
)

var serve = flag.String("console.serve", "", "serve the console of a made-up server at this `address`, until the test is ended")

// TestServe is for looking at the console: go test -run TestServe -timeout 0 -console.serve 127.0.0.1:8090, then open
// http://127.0.0.1:8090/some/prefix/console/.
func TestServe(t *testing.T) {
	if *serve == "" {
		t.Skip("no -console.serve")
	}
	c := console.New(newFake(time.Now), &console.Options{Version: "1.2.0-preview", Location: time.UTC})
	defer c.Close()
	mux := http.NewServeMux()
	mux.Handle("/some/prefix/console/", http.StripPrefix("/some/prefix/console", c))
	require.NoError(t, http.ListenAndServe(*serve, mux))
}

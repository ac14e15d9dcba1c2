package listen_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"

	"github.com/smoothkit/smoothkit/examples/mediaserver/internal/listen"
)

// One address is free, the other one is taken: the first is served, and the second will be as soon as it can be.
func Example() {
	other, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer other.Close()
	specs := []listen.Spec{{Address: "127.0.0.1:0"}, {Address: other.Addr().String()}}
	set, err := listen.Open(context.Background(), specs, &listen.Options{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer set.Close()
	set.Serve(func(l net.Listener, spec listen.Spec) error {
		return http.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			fmt.Fprintf(w, "configured as %s\n", spec.Address)
		}))
	})

	status := set.Status()
	r, err := http.Get("http://" + status[0].Addr.String())
	if err != nil {
		fmt.Println(err)
		return
	}
	defer r.Body.Close()
	body, _ := io.ReadAll(r.Body)
	fmt.Print(string(body))
	var taken *listen.AddressError
	fmt.Println(status[1].State, errors.As(status[1].Err, &taken))
	// Output:
	// configured as 127.0.0.1:0
	// waiting true
}

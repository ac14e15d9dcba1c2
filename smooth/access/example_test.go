package access_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	"github.com/smoothkit/smoothkit/livesmooth"
	"github.com/smoothkit/smoothkit/livesmooth/manage"
	"github.com/smoothkit/smoothkit/smooth"
	"github.com/smoothkit/smoothkit/smooth/access"
	"github.com/smoothkit/smoothkit/smooth/smoothtest"
)

// Viewers of one presentation need a signed URL; everything else is for everybody.
func Example() {
	signer, err := access.NewSigner([]byte("a key of at least sixteen bytes"))
	if err != nil {
		fmt.Println(err)
		return
	}
	signed, err := access.NewSigned(signer, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	router, err := access.NewRouter(map[string]access.Resolver{
		"/":           &access.Policy{},
		"/sample.ism": &access.Policy{Authenticators: []access.Authenticator{signed}},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	films := smooth.NewHandler(smooth.FS(smoothtest.Sample(), nil), nil)
	h := access.NewHandler(films, router, &access.HandlerOptions{Signed: signed})

	link, err := signed.PathURL("/sample.ism/Manifest", access.Grant{Path: "/sample.ism/*", Expires: time.Now().Add(2 * time.Hour)})
	if err != nil {
		fmt.Println(err)
		return
	}
	token, _, _ := strings.Cut(strings.TrimPrefix(link, "/t/"), "/")
	for _, target := range []string{link, "/sample.ism/Manifest", "/t/" + token + "/other.ism/Manifest"} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, target, nil))
		fmt.Println(w.Code, strings.ReplaceAll(target, token, "..."))
	}
	// Output:
	// 200 /t/.../sample.ism/Manifest
	// 403 /sample.ism/Manifest
	// 404 /t/.../other.ism/Manifest
}

// Encoders of publishing points and operators have passwords of their own.
func ExamplePolicy_Check() {
	users, err := access.ParseHtpasswd(strings.NewReader("enc1:$2a$04$fQeBHTY8T09xnMX4hrJmuu8BbGLKEE1xxp/Lrt3ABRASgYj4fbcQy\n"))
	if err != nil {
		fmt.Println(err)
		return
	}
	basic, err := access.NewBasic(&access.BasicOptions{Users: users, Realm: "studio"})
	if err != nil {
		fmt.Println(err)
		return
	}
	people := &access.Policy{Authenticators: []access.Authenticator{basic}}

	live := livesmooth.Options{
		Challenge: basic.Challenge(),
		AuthorizeEncoder: func(r *http.Request, _ livesmooth.PushInfo) error {
			_, err := people.Check(r)
			if errors.Is(err, access.ErrUnauthenticated) {
				return fmt.Errorf("%w: %w", livesmooth.ErrUnauthorized, err)
			}
			return err
		},
	}
	management := manage.Options{
		Authorize: func(r *http.Request, _ manage.Operation) error {
			_, err := people.Check(r)
			if errors.Is(err, access.ErrUnauthenticated) {
				return fmt.Errorf("%w: %w", manage.ErrUnauthenticated, err)
			}
			return err
		},
	}
	r := httptest.NewRequest(http.MethodPost, "/live/event.isml/Streams(camera)", nil)
	fmt.Println(errors.Is(live.AuthorizeEncoder(r, livesmooth.PushInfo{}), livesmooth.ErrUnauthorized))
	r.SetBasicAuth("enc1", "a password")
	fmt.Println(live.AuthorizeEncoder(r, livesmooth.PushInfo{}), management.Authorize(r, manage.Operation{}))
	// Output:
	// true
	// <nil> <nil>
}

// The name of who watches reaches the handlers behind.
func ExampleFromContext() {
	next := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id, _ := access.FromContext(r.Context())
		fmt.Println("watched by", id.Name)
	})
	byHeader := &access.Policy{Authenticators: []access.Authenticator{header{}}}
	h := access.NewHandler(next, byHeader, nil)
	r := httptest.NewRequest(http.MethodGet, "/film.ism/Manifest", nil)
	r.Header.Set("X-Name", "ann")
	h.ServeHTTP(httptest.NewRecorder(), r)
	// Output: watched by ann
}

// header is an authenticator of an application.
type header struct{}

func (header) Challenge() string { return "" }

func (header) Authenticate(r *http.Request) (*access.Identity, error) {
	if name := r.Header.Get("X-Name"); name != "" {
		return &access.Identity{Name: name, Method: "header"}, nil
	}
	return nil, nil
}

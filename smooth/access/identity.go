package access

import (
	"context"
	"net/http"
	"time"
)

// The methods of [Identity].Method.
const (
	MethodBasic       = "basic"
	MethodBearer      = "bearer"
	MethodHook        = "hook"
	MethodSigned      = "signed"
	MethodCertificate = "certificate"
)

// Identity is who sends a request, as far as an [Authenticator] knows. It is shared by requests and must not be changed.
type Identity struct {
	// Name is that of the user, "" if the credentials name none.
	Name string
	// Method is how that is known: one of the constants, or the name that an authenticator of the application uses.
	Method string
	// Session tells viewers apart, also those of one name: that of the token, "" if there is none. It is signed, so
	// limits may count by it.
	Session string
	// Role is what a signed URL is for. See [Grant].Role.
	Role string
	// Expires is when the credentials end, zero if they do not.
	Expires time.Time
	// Claims are those of a bearer token. Nil for other methods.
	Claims map[string]any
}

// Authenticator finds out who sends a request. It must be safe for concurrent use.
type Authenticator interface {
	// Authenticate returns who sends the request; nil and no error if it has no credentials of this kind; or an error
	// that wraps a sentinel of this package if they are wrong or cannot be checked.
	Authenticate(r *http.Request) (*Identity, error)
	// Challenge returns the value of WWW-Authenticate that asks for credentials of this kind, "" if there is no way to
	// ask. See RFC 9110 section 11.6.1.
	Challenge() string
}

// visit is what the context of a request carries.
type visit struct {
	token    string // from the path, see Signed
	identity *Identity
	inQuery  string // the parameter that had the credentials
}

type visitKey struct{}

func visitOf(ctx context.Context) *visit {
	v, _ := ctx.Value(visitKey{}).(*visit)
	return v
}

// NewContext returns a context with an identity, as handlers get it. It is for tests and for authentication elsewhere.
func NewContext(ctx context.Context, id *Identity) context.Context {
	return context.WithValue(ctx, visitKey{}, &visit{identity: id})
}

// FromContext returns who sends the request with this context, and false if nobody had to say.
func FromContext(ctx context.Context) (*Identity, bool) {
	v := visitOf(ctx)
	if v == nil || v.identity == nil {
		return nil, false
	}
	return v.identity, true
}

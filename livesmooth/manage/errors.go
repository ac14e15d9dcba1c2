package manage

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/smoothkit/smoothkit/livesmooth"
	"github.com/smoothkit/smoothkit/smooth"
)

// Sentinels of the package.
var (
	// ErrNoAuthorize: [NewHandler] was called without Options.Authorize.
	ErrNoAuthorize = errors.New("no authorisation hook: Options.Authorize decides who may manage publishing points")
	// ErrUnauthenticated is for Options.Authorize to return or wrap: the request does not say who sends it.
	ErrUnauthenticated = errors.New("authentication is required")
)

// code is an error of the management services: an HRESULT, its name in the header files of IIS Media Services, and the
// status that goes with it. See "Service Management Status and Error Codes" in the documentation of IIS Media Services.
type code struct {
	value  uint32
	name   string
	status int
	text   string
	// internal is the HRESULT of what was behind the error, or zero.
	internal uint32
}

var (
	codeMethod = &code{0x80880020, "MPE_MGMT_METHOD_NOT_ALLOWED", http.StatusMethodNotAllowed,
		"This resource does not have that method.", 0}
	codeContentType = &code{0x80880021, "MPE_MGMT_CONTENT_TYPE_NOT_SUPPORTED", http.StatusUnsupportedMediaType,
		"The Content-Type of the request is missing or not supported.", 0}
	codeUnauthenticated = &code{0x80880022, "MPE_MGMT_AUTHENTICATION_IS_REQUIRED", http.StatusUnauthorized,
		"The management services answer to authenticated users only.", 0}
	codeDenied = &code{0x80880023, "MPE_MGMT_ACCESS_DENIED", http.StatusUnauthorized,
		"The user may not do this.", 0}
	codeCrossOrigin = &code{0x80880023, "MPE_MGMT_ACCESS_DENIED", http.StatusForbidden,
		"Pages of another origin may not change publishing points.", 0}
	codeSchema = &code{0x80880024, "MPE_MGMT_INVALID_SCHEMA", http.StatusBadRequest,
		"The document does not follow its schema.", 0}
	codeXML = &code{0x80880025, "MPE_MGMT_INVALID_XML", http.StatusBadRequest,
		"The document is not well-formed.", 0}
	codeData = &code{0x80880026, "MPE_MGMT_INVALID_DATA", http.StatusBadRequest,
		"The document holds an invalid value.", 0}
	codeTransitional = &code{0x80880027, "MPE_MGMT_STATE_TRANSITION_NOT_SUPPORTED", http.StatusBadRequest,
		"Publishing points enter that state by themselves only.", 0}
	codeTransition = &code{0x80880028, "MPE_MGMT_STATE_TRANSITION_INVALID", http.StatusBadRequest,
		"The publishing point cannot go to that state from the one it is in.", 0}
	codeInUse = &code{0x80880029, "MPE_MGMT_PUBLISHING_POINT_IN_USE", http.StatusBadRequest,
		"The publishing point is in use; this needs the state Idle.", 0}
	codeLocked = &code{0x8088002A, "MPE_MGMT_PUBLISHING_POINT_LOCKED", http.StatusBadRequest,
		"The publishing point is changing its state; try again.", 0}
	codeExists = &code{0x8088002B, "MPE_MGMT_PUBLISHING_POINT_ALREADY_EXISTS", http.StatusBadRequest,
		"There is a publishing point of that name.", 0}
	codeNoSlug = &code{0x8088002C, "MPE_MGMT_SLUG_HEADER_REQUIRED", http.StatusBadRequest,
		"The request needs a Slug header with the path of the new publishing point.", 0}
	codeSlug = &code{0x8088002D, "MPE_MGMT_SLUG_HEADER_INVALID", http.StatusBadRequest,
		"The Slug header does not hold the path of a publishing point.", 0}
	codeNotFound = &code{0x8088002E, "MPE_MGMT_PUBLISHING_POINT_NOT_FOUND", http.StatusNotFound,
		"The publishing point was not found.", hresultNoFile}
	codeNotStarted = &code{0x8088002F, "MPE_MGMT_PUBLISHING_POINT_NOT_STARTED", http.StatusBadRequest,
		"The publishing point has not been started.", 0}
	codeInternal = &code{hresultFail, "E_FAIL", http.StatusInternalServerError,
		"The server could not do this.", 0}
	codeClosed = &code{hresultFail, "E_FAIL", http.StatusServiceUnavailable,
		"The server is shutting down or too busy.", 0}
)

// HRESULTs of Windows.
const (
	hresultFail   = 0x80004005
	hresultNoFile = 0x80070002
)

// formatHRESULT writes an HRESULT as the services do.
func formatHRESULT(v uint32) string { return fmt.Sprintf("0x%08X", v) }

// failure is an error that is answered with a code. Its detail is sent to the client, its cause is not.
type failure struct {
	code   *code
	detail string
	err    error
}

// fail returns a failure with a detail for the client.
func fail(c *code, format string, args ...any) error {
	return &failure{code: c, detail: fmt.Sprintf(format, args...)}
}

// Error implements error.
func (f *failure) Error() string {
	s := "manage: " + f.message()
	if f.err != nil {
		s += ": " + f.err.Error()
	}
	return s
}

// Unwrap returns the cause.
func (f *failure) Unwrap() error { return f.err }

// message is what the client is told.
func (f *failure) message() string {
	if f.detail == "" {
		return f.code.text
	}
	return strings.TrimSuffix(f.code.text, ".") + ": " + f.detail + "."
}

// failureOf turns any error into what is answered.
func failureOf(err error) *failure {
	var f *failure
	switch {
	case errors.As(err, &f):
		return f
	case errors.Is(err, livesmooth.ErrSettings):
		return &failure{code: codeData, detail: settingsDetail(err), err: err}
	}
	return &failure{code: codeOf(err), err: err}
}

// codeOf returns the code for an error of package livesmooth.
func codeOf(err error) *code {
	switch {
	case errors.Is(err, livesmooth.ErrNoPoint):
		return codeNotFound
	case errors.Is(err, livesmooth.ErrExists):
		return codeExists
	case errors.Is(err, livesmooth.ErrName):
		return codeSlug
	case errors.Is(err, livesmooth.ErrInUse):
		return codeInUse
	case errors.Is(err, livesmooth.ErrTransition):
		return codeTransition
	case errors.Is(err, smooth.ErrClosed):
		return codeClosed
	}
	return codeInternal
}

// settingsDetail returns what [livesmooth.Settings.Validate] found, in one line.
func settingsDetail(err error) string {
	_, detail, found := strings.Cut(err.Error(), livesmooth.ErrSettings.Error()+": ")
	if !found {
		return ""
	}
	return strings.ReplaceAll(detail, "\n", "; ")
}

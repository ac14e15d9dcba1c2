package manage

import (
	"context"
	"errors"
	"net/http"

	"github.com/smoothkit/smoothkit/livesmooth"
)

// jsonState is the state of a publishing point in JSON.
type jsonState struct {
	State     string `json:"state"`
	LastError string `json:"lastError,omitempty"`
}

// serveState answers with the state of a publishing point or changes it.
func (x *exchange) serveState() error {
	if x.r.Method == http.MethodPut {
		return x.putState()
	}
	state := x.point.State()
	if x.format == jsonFormat {
		return x.sendJSON(http.StatusOK, stateOf(x.point, state))
	}
	payload := node("State", textNode("Value", state.String()))
	if x.point.LastError() != nil {
		payload.add(textNode("LastError", formatHRESULT(hresultFail)))
	}
	self := pointURL(x.base, x.name, stateResource)
	return x.sendElement(http.StatusOK, entry{
		id: self, title: x.point.Settings().Title, authored: true, updated: x.h.opts.Now(), payload: payload,
		links: []link{{self, "self", "State"}, {pointURL(x.base, x.name, settingsResource), "related", "Settings"}},
	}.element())
}

func stateOf(p point, state livesmooth.State) jsonState {
	return jsonState{State: state.String(), LastError: errorText(p.LastError())}
}

// putState gives the command that leads to the wanted state.
func (x *exchange) putState() error {
	data, kind, err := x.body()
	if err != nil {
		return err
	}
	read := readState
	if kind == jsonFormat {
		read = readJSONState
	}
	wanted, err := read(data)
	if err != nil {
		return err
	}
	if err := x.command(wanted); err != nil {
		return err
	}
	return x.send(http.StatusOK, "", nil)
}

// command starts, stops or shuts down.
func (x *exchange) command(wanted livesmooth.State) error {
	var do func(context.Context) error
	switch wanted {
	case livesmooth.Started:
		do = x.point.Start
	case livesmooth.Stopped:
		do = x.point.Stop
	case livesmooth.Idle:
		do = x.point.Shutdown
	default:
		return fail(codeTransitional, "%s", wanted)
	}
	was := x.point.State()
	err := do(x.r.Context())
	if errors.Is(err, livesmooth.ErrTransition) && (was == livesmooth.Stopping || was == livesmooth.ShuttingDown) {
		return &failure{code: codeLocked, err: err}
	}
	return err
}

// readState returns the state that a document asks for. LastError is there because clients send back what they got.
func readState(data []byte) (livesmooth.State, error) {
	e, err := readPayload(data, "State")
	if err != nil {
		return 0, err
	}
	value, ignored := "", ""
	if err := e.read(fields{"Value": textInto(&value), "LastError": textInto(&ignored)}); err != nil {
		return 0, err
	}
	state, ok := livesmooth.ParseState(value)
	if !ok {
		return 0, e.fail(codeData, "%q is not a state", abbreviate(value))
	}
	return state, nil
}

// readJSONState is what [readState] is for Atom.
func readJSONState(data []byte) (livesmooth.State, error) {
	var j jsonState
	if err := decodeJSON(data, &j); err != nil {
		return 0, err
	}
	state, ok := livesmooth.ParseState(j.State)
	if !ok {
		return 0, fail(codeData, "%q is not a state", abbreviate(j.State))
	}
	return state, nil
}

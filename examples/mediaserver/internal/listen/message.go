package listen

import (
	"encoding/json"
	"fmt"
	"strings"
)

// protocolVersion is that of the control socket. Both processes must have the same.
const protocolVersion = 1

// maxMessage bounds a line on the control socket, with its end. As many sockets as there may be fit unless their names need
// escapes in JSON.
const maxMessage = 128 << 10

// maxText bounds the text of an error that the other process sent.
const maxText = 2000

// maxState bounds what an application tells the next one.
const maxState = 64 << 10

// The types of messages.
const (
	typeHello    = "hello"    // new: version, pid
	typeSockets  = "sockets"  // old: version, pid, sockets, with their descriptors in the same order
	typeReady    = "ready"    // new: prepared
	typeReleased = "released" // old: accepts nothing and has let go
	typeDone     = "done"     // new: has everything
	typeBye      = "bye"      // old: will not come back
	typeError    = "error"    // either: gives up, with the reason
	typeBusy     = "busy"     // old: a handover is under way
)

// message is a line of JSON on the control socket.
type message struct {
	Type    string  `json:"type"`
	Version int     `json:"version,omitempty"`
	PID     int     `json:"pid,omitempty"`
	Sockets []offer `json:"sockets,omitempty"`
	Text    string  `json:"text,omitempty"`
	// State is what the old application tells the new one, with released.
	State []byte `json:"state,omitempty"`
}

// offer is a socket of the old process.
type offer struct {
	// Address is that of its Spec in the one form.
	Address string `json:"address"`
	Name    string `json:"name,omitempty"`
	// Systemd is true if systemd has it too: its file must not be removed.
	Systemd bool `json:"systemd,omitempty"`
}

// parseMessage parses a line of at most maxMessage bytes.
func parseMessage(line []byte) (message, error) {
	if len(line) > maxMessage {
		return message{}, fmt.Errorf("message of %d bytes, at most %d: %w", len(line), maxMessage, ErrProtocol)
	}
	var m message
	if err := json.Unmarshal(line, &m); err != nil {
		return message{}, fmt.Errorf("%w: %w", ErrProtocol, err)
	}
	switch m.Type {
	case typeHello, typeSockets, typeReady, typeReleased, typeDone, typeBye, typeError, typeBusy:
	default:
		return message{}, fmt.Errorf("message of type %.40q: %w", m.Type, ErrProtocol)
	}
	if len(m.Sockets) > maxSockets {
		return message{}, fmt.Errorf("%d sockets, at most %d: %w", len(m.Sockets), maxSockets, ErrProtocol)
	}
	for _, o := range m.Sockets {
		if _, err := parseAddress(o.Address); err != nil || len(o.Name) > maxAddress {
			return message{}, fmt.Errorf("socket %.80q: %w", o.Address, ErrProtocol)
		}
	}
	if len(m.State) > maxState {
		return message{}, fmt.Errorf("state of %d bytes, at most %d: %w", len(m.State), maxState, ErrProtocol)
	}
	m.Text = clip(m.Text)
	return m, nil
}

// clip shortens a text to maxText.
func clip(text string) string {
	if len(text) <= maxText {
		return text
	}
	return strings.ToValidUTF8(text[:maxText], "")
}

// appendMessage appends a message as a line.
func appendMessage(b []byte, m message) ([]byte, error) {
	line, err := json.Marshal(m)
	if err != nil {
		return b, err
	}
	if len(line) >= maxMessage {
		return b, fmt.Errorf("message of %d bytes, at most %d: %w", len(line)+1, maxMessage, ErrProtocol)
	}
	return append(append(b, line...), '\n'), nil
}

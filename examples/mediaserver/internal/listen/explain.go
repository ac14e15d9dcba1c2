package listen

import (
	"errors"
	"fmt"
	"net"
	"os"
	"runtime"
	"strings"
)

// explain says why an address cannot be bound, for people.
func explain(address string, p place, err error) error {
	cause := err
	if op := (*net.OpError)(nil); errors.As(err, &op) {
		cause = op.Err // without the address again
	}
	e := &AddressError{Address: address, Reason: fmt.Sprintf("cannot be bound (%v)", cause), Err: err}
	var dns *net.DNSError
	switch {
	case p.network == "unix":
		explainUnix(e, p)
	case errors.Is(err, errInUse):
		e.Holder = holder(p)
		e.taken()
	case errors.Is(err, errAccess) && runtime.GOOS == "windows":
		e.Reason = "is taken exclusively or reserved by Windows"
		e.Remedy = "IIS has it through HTTP.sys, which netsh http add iplisten ipaddress=... keeps to one address; or the port is in " +
			"a range that netsh int ipv4 show excludedportrange protocol=tcp lists; or choose another port"
	case errors.Is(err, errAccess) && p.port != 0 && p.port < 1024:
		e.Reason = "is not allowed: ports below 1024 are privileged"
		e.Remedy = fmt.Sprintf("setcap cap_net_bind_service=+ep %s, or let systemd pass the socket (ListenStream=%s), or choose a "+
			"port from 1024 on", program(), strings.TrimPrefix(p.address, ":"))
	case errors.Is(err, errNoAddress):
		e.Reason = "is not an address of this machine"
		e.Remedy = "it has " + ownAddresses() + "; choose one of them, or all with :" + fmt.Sprint(p.port)
	case errors.Is(err, errNoFamily):
		e.Reason = "is of a family that this machine does not have"
		e.Remedy = "IPv6 or IPv4 is switched off here; use :" + fmt.Sprint(p.port)
	case errors.As(err, &dns):
		e.Reason = fmt.Sprintf("is unknown (%v)", dns)
		e.Remedy = "write an address of this machine instead of a name"
	}
	return e
}

// taken is for an address that somebody else has.
func (e *AddressError) taken() {
	e.Reason = "is taken by another program"
	e.Remedy = "stop it, give it another port, or choose another address with listen:"
	if e.Holder != "" {
		e.Reason = "is taken by " + e.Holder
	}
}

// explainUnix is for unix sockets.
func explainUnix(e *AddressError, p place) {
	switch {
	case errors.Is(e.Err, errInUse):
		e.Reason = "is taken"
		e.Remedy = "another program answers there, or it is a file that is no socket: stop the program or choose another path"
	case errors.Is(e.Err, errAccess):
		e.Reason = "is not allowed"
		e.Remedy = "the user of this process cannot create files in that directory"
	case errors.Is(e.Err, os.ErrNotExist):
		e.Reason = "is in a directory that does not exist"
		e.Remedy = "create it"
	case len(p.address) > 100:
		e.Remedy = fmt.Sprintf("the path has %d bytes and most systems allow 107 or 103", len(p.address))
	}
}

// program returns the path of this program, or a word for it.
func program() string {
	if name, err := os.Executable(); err == nil {
		return name
	}
	return "PROGRAM"
}

// maxOwnAddresses bounds the list of a message.
const maxOwnAddresses = 8

// ownAddresses lists the addresses of this machine.
func ownAddresses() string {
	addrs, err := net.InterfaceAddrs()
	if err != nil || len(addrs) == 0 {
		return "none that it tells"
	}
	var list []string
	for _, a := range addrs {
		if ip, ok := a.(*net.IPNet); ok {
			list = append(list, ip.IP.String())
		}
	}
	if len(list) > maxOwnAddresses {
		list = append(list[:maxOwnAddresses], "others")
	}
	return strings.Join(list, ", ")
}

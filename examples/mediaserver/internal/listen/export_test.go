package listen

import (
	"context"
	"net"
)

// MaxMessage is the bound of a control message.
const MaxMessage = maxMessage

// WithListen returns options with another way to bind.
func WithListen(o Options, f func(ctx context.Context, network, address string) (net.Listener, error)) *Options {
	o.listen = f
	return &o
}

// Canonical returns the one form of an address.
func Canonical(address string) (string, error) {
	p, err := parseAddress(address)
	return p.String(), err
}

// Is reports whether a socket on addr is the one for an address.
func Is(address string, addr net.Addr) bool {
	p, err := parseAddress(address)
	return err == nil && p.is(addr)
}

// Explain explains an error of binding.
func Explain(address string, err error) error {
	p, _ := parseAddress(address)
	return explain(address, p, err)
}

// ParseMessage parses a control message and writes it again.
func ParseMessage(line []byte) (again []byte, err error) {
	m, err := parseMessage(line)
	if err != nil {
		return nil, err
	}
	return appendMessage(nil, m)
}

// ParseTable returns the addresses, users and inodes of a table of listening sockets.
func ParseTable(table string) (list []string, users, inodes []uint64) {
	for _, o := range parseTable(table) {
		list, users, inodes = append(list, o.addr.String()), append(users, o.uid), append(inodes, o.inode)
	}
	return list, users, inodes
}

// Blockers returns the addresses of a table that are in the way of an address.
func Blockers(table, address string) (list []string) {
	p, _ := parseAddress(address)
	for _, o := range parseTable(table) {
		if o.blocks(p) {
			list = append(list, o.addr.String())
		}
	}
	return list
}

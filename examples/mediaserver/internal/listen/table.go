package listen

import (
	"encoding/binary"
	"encoding/hex"
	"net/netip"
	"strconv"
	"strings"
)

// owner is a listening socket in a table of the system.
type owner struct {
	addr  netip.AddrPort
	uid   uint64
	inode uint64
}

// stateListen is TCP_LISTEN in the tables.
const stateListen = "0A"

// parseTable parses the listening sockets of /proc/net/tcp or tcp6 of Linux. Lines of other form are skipped.
//
//	sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
//	0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000   1000        0 23514 ...
func parseTable(table string) (list []owner) {
	for line := range strings.Lines(table) {
		if !strings.Contains(line, " "+stateListen+" ") {
			continue // a connection, of which there may be tens of thousands
		}
		f := strings.Fields(line)
		if len(f) < 10 || f[3] != stateListen {
			continue
		}
		addr, ok := parseTableAddress(f[1])
		uid, err1 := strconv.ParseUint(f[7], 10, 32)
		inode, err2 := strconv.ParseUint(f[9], 10, 64)
		if ok && err1 == nil && err2 == nil {
			list = append(list, owner{addr: addr, uid: uid, inode: inode})
		}
	}
	return list
}

// parseTableAddress parses an address in hexadecimal: words of 32 bits in the order of bytes of the machine, a colon and the port.
func parseTableAddress(s string) (netip.AddrPort, bool) {
	host, service, ok := strings.Cut(s, ":")
	port, err1 := strconv.ParseUint(service, 16, 16)
	b, err2 := hex.DecodeString(host)
	if !ok || err1 != nil || err2 != nil || len(b) != 4 && len(b) != 16 {
		return netip.AddrPort{}, false
	}
	for i := 0; i < len(b); i += 4 {
		binary.BigEndian.PutUint32(b[i:], binary.NativeEndian.Uint32(b[i:]))
	}
	addr, _ := netip.AddrFromSlice(b)
	return netip.AddrPortFrom(addr.Unmap(), uint16(port)), true
}

// blocks reports whether the owner is why a place cannot be bound: the same port, and an address in common.
func (o owner) blocks(p place) bool {
	if o.addr.Port() != p.port {
		return false
	}
	has := o.addr.Addr()
	if p.network == "tcp6" && has.Is4() || p.network == "tcp4" && has.Is6() && !has.IsUnspecified() {
		return false // of IPv6, the socket of all addresses may have those of IPv4 too, which the table does not tell
	}
	want, err := netip.ParseAddr(p.host)
	if err != nil || want.IsUnspecified() || has.IsUnspecified() {
		return true // names are not resolved here
	}
	return want.Unmap() == has
}

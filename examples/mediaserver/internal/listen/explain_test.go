package listen_test

import (
	"net"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/smoothkit/smoothkit/examples/mediaserver/internal/listen"
)

// TestExplain: each error names the address, what is wrong and what helps.
func TestExplain(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("the numbers of errors are others")
	}
	for _, tt := range []struct {
		address string
		err     error
		want    []string
	}{
		{"127.0.0.1:80", syscall.EACCES, []string{
			"listen: address 127.0.0.1:80 is not allowed: ports below 1024 are privileged: setcap cap_net_bind_service=+ep ", "ListenStream=127.0.0.1:80", "a port from 1024 on",
		}},
		{":80", syscall.EACCES, []string{"(ListenStream=80)"}},
		{":8080", syscall.EACCES, []string{"listen: address :8080 cannot be bound (permission denied)"}},
		{"192.0.2.1:80", syscall.EADDRNOTAVAIL, []string{"listen: address 192.0.2.1:80 is not an address of this machine: it has ",
			"127.0.0.1", "or all with :80"}},
		{"[::1]:80", syscall.EAFNOSUPPORT, []string{"listen: address [::1]:80 is of a family that", "use :80"}},
		{"nowhere:80", &net.DNSError{Err: "no such host", Name: "nowhere", IsNotFound: true},
			[]string{"listen: address nowhere:80 is unknown (lookup nowhere: no such host)", "instead of a name"}},
		{"unix:/a", syscall.EACCES, []string{"listen: address unix:/a is not allowed", "cannot create files"}},
		{"unix:" + strings.Repeat("a", 120), syscall.EINVAL, []string{"cannot be bound (invalid argument)", "the path has 120 bytes"}},
		{"unix:/a", syscall.EIO, []string{"listen: address unix:/a cannot be bound"}},
	} {
		err := listen.Explain(tt.address, &net.OpError{Op: "listen", Net: "tcp", Err: tt.err})
		for _, want := range tt.want {
			assert.ErrorContains(t, err, want)
		}
		assert.ErrorIs(t, err, tt.err)
		var ae *listen.AddressError
		assert.ErrorAs(t, err, &ae)
		assert.Equal(t, tt.address, ae.Address)
	}
}

// TestTakenByNobodyKnown: an address that is taken although no table has it.
func TestTakenByNobodyKnown(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("the numbers of errors are others")
	}
	assert.EqualError(t, listen.Explain("203.0.113.9:1", syscall.EADDRINUSE), "listen: address 203.0.113.9:1 is taken by another "+
		"program: stop it, give it another port, or choose another address with listen:")
}

// table is /proc/net/tcp of a machine with a little-endian processor, shortened.
const table = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:0050 00000000:0000 0A 00000000:00000000 00:00000000 00000000    33        0 1001 1 0000000000000000 100 0 0 10 0
   1: 00000000:0016 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1002 1 0000000000000000 100 0 0 10 0
   2: 0100007F:0050 0100007F:9C40 01 00000000:00000000 00:00000000 00000000    33        0 1003 1 0000000000000000 20 4 30 10 -1
   3: 00000000000000000000000000000000:01BB 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000 0 0 1004 1
   4: 00000000000000000000000001000000:0050 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000 0 0 1005 1
   5: 0000000000000000FFFF00000100007F:1F90 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000 0 0 1006 1
   6: 0100007F:XXXX 00000000:0000 0A 00000000:00000000 00:00000000 00000000    33        0 1007 1
`

// bigEndian reports the order of bytes of the machine, which the kernel uses in its table.
func bigEndian() bool {
	switch runtime.GOARCH {
	case "ppc64", "s390x", "mips", "mips64":
		return true
	}
	return false
}

// TestTable: the listening sockets of /proc/net/tcp and tcp6, and which of them are in the way.
func TestTable(t *testing.T) {
	if bigEndian() {
		t.Skip("the table is of another machine")
	}
	list, users, inodes := listen.ParseTable(table)
	assert.Equal(t, []string{"127.0.0.1:80", "0.0.0.0:22", "[::]:443", "[::1]:80", "127.0.0.1:8080"}, list)
	assert.Equal(t, []uint64{33, 0, 0, 0, 0}, users)
	assert.Equal(t, []uint64{1001, 1002, 1004, 1005, 1006}, inodes)
	for address, want := range map[string][]string{
		":80":           {"127.0.0.1:80", "[::1]:80"},
		"0.0.0.0:80":    {"127.0.0.1:80"},
		"[::]:80":       {"[::1]:80"},
		"127.0.0.1:80":  {"127.0.0.1:80"},
		"127.0.0.2:80":  nil,
		"10.0.0.1:22":   {"0.0.0.0:22"},
		"[::1]:22":      nil,
		"10.0.0.1:443":  {"[::]:443"},
		"[::1]:443":     {"[::]:443"},
		"localhost:80":  {"127.0.0.1:80", "[::1]:80"},
		"127.0.0.1:443": {"[::]:443"},
		":81":           nil,
	} {
		assert.Equal(t, want, listen.Blockers(table, address), address)
	}
}

package listen_test

import (
	"bytes"
	"net/netip"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/examples/mediaserver/internal/listen"
)

// FuzzMessage: a control message that is accepted is written within its bound, on one line, and read the same again.
func FuzzMessage(f *testing.F) {
	for _, seed := range []string{
		`{"type":"hello","version":1,"pid":4711}`, `{"type":"ready"}`, `{"type":"released","state":"e30="}`, `{"type":"done"}`, `{"type":"bye"}`,
		`{"type":"sockets","version":1,"sockets":[{"address":":80"},{"address":"unix:/a","name":"web","systemd":true}]}`,
		`{"type":"error","text":"the disk\nis full"}`, `{"type":"busy"}`, `{"type":"please"}`,
		`{"type":"sockets","sockets":[{"address":"?"}]}`,
		`{"type":"hello","version":99999999999999999999}`, `[]`, `{`, ``, `{"type":"error","text":"` + strings.Repeat("é", 1500) + `"}`,
		`{"type":"sockets","sockets":[` + strings.Repeat(`{"address":":1"},`, 128) + `{"address":":1"}]}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		again, err := listen.ParseMessage(line)
		if err != nil {
			require.Empty(t, again)
			return
		}
		require.LessOrEqual(t, len(again), listen.MaxMessage)
		require.Equal(t, len(again)-1, bytes.IndexByte(again, '\n'))
		third, err := listen.ParseMessage(again[:len(again)-1])
		require.NoError(t, err)
		require.Equal(t, string(again), string(third))
	})
}

// FuzzAddress: the one form of an address is its own one form.
func FuzzAddress(f *testing.F) {
	for _, seed := range []string{
		":80", "*:80", "0.0.0.0:80", "[::]:443", "[::1%eth0]:1", "localhost:http", "unix:/run/a", "80", "[::ffff:1.2.3.4]:5",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, address string) {
		one, err := listen.Canonical(address)
		if err != nil {
			require.ErrorIs(t, err, listen.ErrAddress)
			return
		}
		again, err := listen.Canonical(one)
		require.NoError(t, err)
		require.Equal(t, one, again)
	})
}

// FuzzTable: whatever the table says, there are no more sockets than lines, and their addresses are valid.
func FuzzTable(f *testing.F) {
	f.Add(table)
	f.Add("0: 0:0 0 0A 0 0 0 0 0 0\n")
	f.Add(" 0: 0100007F:1F90 0:0 0A 0:0 0:0 0 99999999999 0 1\n")
	f.Fuzz(func(t *testing.T, s string) {
		list, users, inodes := listen.ParseTable(s)
		require.LessOrEqual(t, len(list), strings.Count(s, "\n")+1)
		require.Len(t, users, len(list))
		require.Len(t, inodes, len(list))
		for _, a := range list {
			_, err := netip.ParseAddrPort(a)
			require.NoError(t, err)
		}
	})
}

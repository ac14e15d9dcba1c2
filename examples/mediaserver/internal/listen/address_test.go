package listen_test

import (
	"net"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/examples/mediaserver/internal/listen"
)

// TestAddresses: the one form of each way to write an address.
func TestAddresses(t *testing.T) {
	for in, want := range map[string]string{
		":80":               ":80",
		"*:80":              ":80",
		":http":             ":80",
		"0.0.0.0:8080":      "0.0.0.0:8080",
		"127.0.0.1:0":       "127.0.0.1:0",
		"[::]:443":          "[::]:443",
		"[0:0:0:0::1]:443":  "[::1]:443",
		"[fe80::1%eth0]:80": "[fe80::1%eth0]:80",
		"localhost:65535":   "localhost:65535",
		"unix:/run/a.sock":  "unix:/run/a.sock",
	} {
		got, err := listen.Canonical(in)
		require.NoError(t, err, in)
		assert.Equal(t, want, got, in)
	}
	for _, in := range []string{
		"", "80", "127.0.0.1", ":", "a:b:c", ":65536", ":-1", ":+1", ":80x", ":nosuchservice", "http://x:80", "a b:80", "unix:", "[::1",
		"unix:a\x00b", "1,2:80", ":" + strings.Repeat("0", 300),
	} {
		_, err := listen.Canonical(in)
		assert.ErrorIs(t, err, listen.ErrAddress, in)
	}
}

// TestAddressOfSocket: which socket of systemd or of an old process is the one for an address.
func TestAddressOfSocket(t *testing.T) {
	tcp := func(ip string, port int) net.Addr { return &net.TCPAddr{IP: net.ParseIP(ip), Port: port} }
	for _, tt := range []struct {
		address string
		addr    net.Addr
		want    bool
	}{
		{":80", tcp("::", 80), true},
		{":80", tcp("0.0.0.0", 80), true},
		{":80", tcp("::", 81), false},
		{":80", tcp("127.0.0.1", 80), false},
		{"0.0.0.0:80", tcp("0.0.0.0", 80), true},
		{"0.0.0.0:80", tcp("::", 80), false},
		{"[::]:80", tcp("::", 80), true},
		{"[::]:80", tcp("0.0.0.0", 80), false},
		{"127.0.0.1:80", tcp("127.0.0.1", 80), true},
		{"localhost:80", tcp("127.0.0.1", 80), true},
		{"localhost:80", tcp("10.0.0.1", 80), false},
		{"127.0.0.1:0", tcp("127.0.0.1", 80), false},
		{"unix:/a", &net.UnixAddr{Name: "/a"}, true},
		{"unix:/a", &net.UnixAddr{Name: "/b"}, false},
		{"unix:/a", tcp("::", 80), false},
		{":80", &net.UnixAddr{Name: ":80"}, false},
		{":80", &net.UDPAddr{Port: 80}, false},
	} {
		assert.Equal(t, tt.want, listen.Is(tt.address, tt.addr), "%s %v", tt.address, tt.addr)
	}
}

// TestOpenRefuses: what is wrong with the arguments is an error at once.
func TestOpenRefuses(t *testing.T) {
	for name, specs := range map[string][]listen.Spec{
		"not an address": {{Address: "80"}},
		"twice":          {{Address: ":4711"}, {Address: "*:4711"}},
		"too many":       make([]listen.Spec, 200),
		"long name":      {{Address: ":4711", Name: strings.Repeat("n", 400)}},
	} {
		_, err := listen.Open(t.Context(), specs, nil)
		assert.ErrorIs(t, err, listen.ErrAddress, name)
	}
	_, err := listen.Open(t.Context(), nil, &listen.Options{RetryInterval: -1})
	assert.ErrorContains(t, err, "negative duration -1ns")
	_, err = listen.Open(t.Context(), nil, &listen.Options{Timeouts: listen.Timeouts{Drain: -1}})
	assert.ErrorContains(t, err, "negative")
}

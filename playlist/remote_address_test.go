package playlist

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestReach(t *testing.T) {
	for want, list := range map[reach][]string{
		reachPublic: {
			"1.1.1.1", "8.8.8.8", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "126.255.255.255",
			"128.0.0.0", "172.15.255.255",
			"172.32.0.0", "192.167.255.255", "192.169.0.0", "198.17.255.255", "198.20.0.0", "223.255.255.255", "168.63.129.15",
			"2606:4700::1111", "2001:4860:4860::8888", "2003::1", "2a00::1", "::ffff:8.8.8.8", "64:ff9b::8.8.8.8",
		},
		reachPrivate: {
			"10.0.0.0", "10.255.255.255", "100.64.0.0", "100.127.255.255", "127.0.0.1", "127.255.255.255", "172.16.0.1",
			"172.31.255.255",
			"192.168.0.1", "192.168.255.255", "::1", "fc00::1", "fdff:ffff::1", "::ffff:127.0.0.1", "::ffff:10.1.2.3",
			"64:ff9b::127.0.0.1",
			"64:ff9b::192.168.1.1",
		},
		reachOther: {
			"0.0.0.0", "0.1.2.3", "169.254.0.1", "169.254.169.254", "100.100.100.200", "168.63.129.16", "192.0.0.1",
			"192.0.2.1", "192.88.99.1", "198.18.0.1",
			"198.19.255.255", "198.51.100.1", "203.0.113.1", "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255",
			"::", "::2", "::127.0.0.1", "::8.8.8.8", "fe80::1", "fe80::1%eth0", "2606:4700::1%eth0", "febf::1", "fec0::1",
			"ff02::1", "ff0e::1", "100::1",
			"2001::1", "2001:2::1", "2001:20::1", "2001:1ff::1", "2001:db8::1", "2002:7f00:1::1", "2002:808:808::1",
			"3fff::1", "5f00::1",
			"64:ff9b:1::8.8.8.8", "fd00:ec2::254", "::ffff:169.254.169.254", "::ffff:0.0.0.0", "64:ff9b::169.254.169.254",
			"64:ff9b::224.0.0.1", "4000::1",
			"::ffff:0:127.0.0.1",
		},
	} {
		for _, s := range list {
			assert.Equal(t, want, reachOf(netip.MustParseAddr(s)), s)
		}
	}
	assert.Equal(t, reachOther, reachOf(netip.Addr{}))
}

func TestCheckAddress(t *testing.T) {
	for _, c := range []struct {
		network, address string
		limit            reach
		ok               bool
	}{
		{"tcp4", "8.8.8.8:80", reachPublic, true},
		{"tcp6", "[2606:4700::1]:443", reachPublic, true},
		{"tcp4", "127.0.0.1:80", reachPublic, false},
		{"tcp6", "[::ffff:127.0.0.1]:80", reachPublic, false},
		{"tcp4", "127.0.0.1:80", reachPrivate, true},
		{"tcp4", "169.254.169.254:80", reachPrivate, false},
		{"tcp4", "169.254.169.254:80", reachOther, true},
		{"udp4", "8.8.8.8:80", reachOther, false},
		{"unix", "/run/docker.sock", reachOther, false},
		{"tcp4", "localhost:80", reachOther, false},
	} {
		err := checkAddress(c.network, c.address, c.limit)
		assert.Equal(t, c.ok, err == nil, "%+v", c)
		if err != nil {
			assert.ErrorIs(t, err, ErrForbiddenSource)
			assert.NotContains(t, err.Error(), c.address)
		}
	}
}

func TestHosts(t *testing.T) {
	h, err := newHosts([]string{"Ads.example", "origin.example:81", "[2001:db8::1]:82", "10.0.0.1"})
	require.NoError(t, err)
	for address, want := range map[[2]string]bool{
		{"ads.example", "80"}: true, {"ADS.example.", "9"}: true, {"origin.example", "81"}: true, {"origin.example", "80"}: false,
		{"2001:db8::1", "82"}: true, {"2001:DB8:0::1", "82"}: true, {"2001:db8::1", "80"}: false, {"10.0.0.1", "1"}: true,
		{"::ffff:10.0.0.1", "1"}: true,
		{"x.ads.example", "80"}:  false, {"", "80"}: false, {"ads.example/", "80"}: false,
	} {
		assert.Equal(t, want, h.has(address[0], address[1]), address)
	}
	for _, s := range []string{"", "http://ads.example", "a b", "u@h", "h/x", "h:0", "h:x", "[::1", "fe80::1%eth0"} {
		_, err := NewRemote(&RemoteOptions{AllowedHosts: []string{s}})
		assert.Error(t, err, s)
	}
}

func TestRanges(t *testing.T) {
	for s, want := range map[string]byteRange{
		"bytes=0-": {0, -1, -1}, "Bytes= 5-9": {5, 9, -1}, "bytes=-7": {-1, -1, 7}, "bytes=5-5": {5, 5, -1},
	} {
		got, ok := parseRange(s)
		assert.True(t, ok, s)
		assert.Equal(t, want, got, s)
		again, ok := parseRange(got.rangeValue())
		assert.True(t, ok && again == got, got.rangeValue())
	}
	for _, s := range []string{"", "bytes", "bytes=", "bytes=-", "bytes=5-4", "bytes=0-1,3-4", "items=0-1", "bytes=a-",
		"bytes=+1-", "bytes=9999999999999999999-"} {
		_, ok := parseRange(s)
		assert.False(t, ok, s)
	}
	for s, want := range map[string]byteRange{
		"bytes 0-9/10": {0, 9, 10}, "bytes 5-5/*": {5, 5, -1}, "bytes */10": {-1, -1, 10}, "BYTES 1-2/3": {1, 2, 3},
	} {
		got, ok := parseContentRange(s)
		assert.True(t, ok, s)
		assert.Equal(t, want, got, s)
		again, ok := parseContentRange(got.String())
		assert.True(t, ok && again == got, got.String())
	}
	for _, s := range []string{"", "bytes", "bytes 0-9", "bytes */*", "bytes 0-10/10", "bytes 5-4/10", "bytes -1/10",
		"items 0-1/2", "bytes 0-/9"} {
		_, ok := parseContentRange(s)
		assert.False(t, ok, s)
	}
	for _, c := range []struct {
		asked, got string
		want       bool
	}{
		{"bytes=5-", "bytes 5-9/10", true}, {"bytes=5-", "bytes 5-6/*", true}, {"bytes=5-", "bytes 4-9/10", false},
		{"bytes=5-", "bytes 6-9/10", false},
		{"bytes=5-7", "bytes 5-9/10", false}, {"bytes=5-7", "bytes 5-6/10", true}, {"bytes=-3", "bytes 7-9/10", true},
		{"bytes=-30", "bytes 0-9/10", true},
		{"bytes=-3", "bytes 6-9/10", false}, {"bytes=-3", "bytes 7-9/*", false}, {"bytes=0-", "bytes */10", false},
	} {
		asked, _ := parseRange(c.asked)
		got, _ := parseContentRange(c.got)
		assert.Equal(t, c.want, got.answers(asked), "%+v", c)
	}
}

package httpx_test

import (
	"net/http"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/smoothkit/smoothkit/internal/httpx"
)

func TestForwardedAddress(t *testing.T) {
	proxies := netip.MustParsePrefix("10.0.0.0/8")
	for _, tt := range []struct {
		from  string
		lines []string
		want  string
	}{
		{"192.0.2.1:80", nil, "192.0.2.1"},
		{"192.0.2.1:80", []string{"198.51.100.7"}, "192.0.2.1"},
		{"10.0.0.1:80", []string{"198.51.100.7"}, "198.51.100.7"},
		{"[::ffff:10.0.0.1]:80", []string{"1.1.1.1, 198.51.100.7 , 10.0.0.9"}, "198.51.100.7"},
		{"10.0.0.1:80", []string{"1.1.1.1", "10.2.2.2,\t10.0.0.9"}, "1.1.1.1"},
		{"10.0.0.1:80", []string{"1.1.1.1, unknown, 10.0.0.9"}, "10.0.0.9"},
		{"10.0.0.1:80", []string{"[2001:db8::1]:443"}, "2001:db8::1"},
		{"10.0.0.1:80", []string{"10.0.0.3"}, "10.0.0.3"},
	} {
		r := &http.Request{RemoteAddr: tt.from, Header: http.Header{"X-Forwarded-For": tt.lines}}
		assert.Equal(t, tt.want, httpx.ForwardedAddress(r, proxies.Contains).String(), "%+v", tt)
	}
	assert.False(t, httpx.RemoteAddress(&http.Request{RemoteAddr: "@"}).IsValid())
}

package playlist

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestApplyRemoteOptions: a client that is given keeps its options; where there is none the whole may take as long as its
// phases.
func TestApplyRemoteOptions(t *testing.T) {
	c := DefaultConfig()
	c.Timeouts = ConfigTimeouts{Resolve: time.Second, Connect: time.Minute, Send: 2 * time.Minute, Receive: time.Hour}
	want := RemoteOptions{
		ResolveTimeout: time.Second, ConnectTimeout: time.Minute, SendTimeout: 2 * time.Minute, ReceiveTimeout: time.Hour,
		TotalTimeout: time.Hour + 3*time.Minute + time.Second, MaxRedirects: 5, MaxReply: 8 << 10,
	}
	o := &HandlerOptions{}
	require.Empty(t, c.Apply(o))
	assert.Equal(t, want, o.Remote.opts)

	given := RemoteOptions{
		TotalTimeout: time.Minute, MaxRedirects: -1, MaxReply: 1, AllowPrivate: true, AllowedHosts: []string{"a.example"},
		Credentials: []Credential{{Prefix: "https://a.example/", UserName: "u"}},
	}
	r, err := NewRemote(&given)
	require.NoError(t, err)
	o = &HandlerOptions{Remote: r}
	require.Empty(t, c.Apply(o))
	want.TotalTimeout, want.MaxRedirects, want.MaxReply = time.Minute, -1, 1
	want.AllowPrivate, want.AllowedHosts, want.Credentials = true, given.AllowedHosts, given.Credentials
	assert.Equal(t, want, o.Remote.opts)
	assert.Equal(t, 30*time.Second, r.opts.ReceiveTimeout, "the one that was given stays as it is")
}

package listen_test

import (
	"context"
	"net"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/examples/mediaserver/internal/listen"
)

// TestSettle: young requests are waited for until they are answered, old ones are not, and nobody waits longer than for one that has
// just come.
func TestSettle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var conns listen.Conns
		settle := func() time.Duration {
			start := time.Now()
			require.NoError(t, conns.Settle(t.Context()))
			return time.Since(start)
		}
		assert.Zero(t, settle())
		push, young := conn(), conn()
		conns.ConnState(push, http.StateNew)
		conns.ConnState(push, http.StateActive)
		time.Sleep(time.Second)
		assert.Zero(t, settle(), "an encoder that has been there for a while")

		conns.ConnState(young, http.StateNew)
		go func() {
			time.Sleep(20 * time.Millisecond)
			conns.ConnState(young, http.StateActive)
			time.Sleep(20 * time.Millisecond)
			conns.ConnState(young, http.StateClosed)
		}()
		assert.Equal(t, 40*time.Millisecond, settle())

		conns.ConnState(young, http.StateNew) // and says nothing
		assert.Equal(t, 250*time.Millisecond, settle())

		conns.ConnState(conn(), http.StateNew)
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		assert.ErrorIs(t, conns.Settle(ctx), context.DeadlineExceeded)
	})
}

// conn is a connection that is like no other.
func conn() net.Conn {
	c, _ := net.Pipe()
	return c
}

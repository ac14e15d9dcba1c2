package livesmooth

import (
	"errors"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/smooth"
)

// TestRecorderFault: a recording that has lost what it had taken raises the alarm, and is not left alone for that.
func TestRecorderFault(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lost := errors.New("lost")
		sink := new(recorderSink)
		x := newRecorderTest(t, sink, recorderOptions{})
		x.declare(smooth.InputInfo{ID: "e", Header: []byte("h")})
		for i, step := range []struct {
			lost  *error
			noted []string
		}{{nil, nil}, {&lost, []string{"0s sink failed lost"}}, {&lost, nil}, {nil, []string{"0s sink recovered <nil>"}}} {
			sink.lost.Store(step.lost)
			x.add(uint64(10 * i))
			synctest.Wait()
			assert.Equal(t, step.noted, x.noted(), i)
			assert.Equal(t, step.lost != nil, x.stats().Failing, i)
		}
		require.NoError(t, x.stop())
		assert.Len(t, sink.taken(), 2+4+1, "every fragment was given to the sink")
	})
}

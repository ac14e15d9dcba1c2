package livesmooth

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/smooth"
)

// TestRecorderClock: a recording that asks for it is told the wall clock before the first fragment, once.
func TestRecorderClock(t *testing.T) {
	sink := &recorderSink{}
	x := newRecorderTest(t, sink, recorderOptions{})
	x.declare(smooth.InputInfo{ID: "e", Header: []byte("h")})
	x.setClock(7, time.Date(2026, 7, 2, 12, 0, 0, 0, time.UTC))
	x.add(10, 20)
	require.NoError(t, x.stop())
	assert.Equal(t, []string{"begin a.isml", "declare e h", "clock 7 2026-07-02T12:00:00Z", "append e v 10", "append e v 20", "close true"}, sink.taken())
}

package turn_test

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/playlist/internal/turn"
)

// What is done under one key is not done at the same time; the race detector says so if it is.
func TestOneAtATime(t *testing.T) {
	var turns turn.Turns[string]
	counts := map[string]*int{"a": new(int), "b": new(int)}
	var wg sync.WaitGroup
	for range 20 {
		for key, n := range counts {
			wg.Go(func() {
				for range 100 {
					if assert.NoError(t, turns.Take(t.Context(), key)) {
						*n++
						turns.Give(key)
					}
				}
			})
		}
	}
	wg.Wait()
	assert.Equal(t, 2000, *counts["a"])
	assert.Equal(t, 2000, *counts["b"])
}

func TestTakeEndsWithContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var turns turn.Turns[int]
		require.NoError(t, turns.Take(t.Context(), 1))
		require.NoError(t, turns.Take(t.Context(), 2), "another key")
		ctx, cancel := context.WithCancel(t.Context())
		result := make(chan error, 1)
		go func() { result <- turns.Take(ctx, 1) }()
		synctest.Wait()
		require.Empty(t, result, "must wait")
		cancel()
		assert.ErrorIs(t, <-result, context.Canceled)
		turns.Give(1)
		assert.NoError(t, turns.Take(t.Context(), 1), "given back")
	})
}

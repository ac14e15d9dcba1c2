package usage_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/smooth/usage"
)

// report is the body of a health answer.
type report struct {
	Status string
	Checks []struct {
		Name, Error string
		OK          bool
		Seconds     float64
	}
}

func ask(t *testing.T, h http.Handler) (int, report) {
	t.Helper()
	resp := serve(h, get("/readyz"))
	assert.Equal(t, "no-store", resp.Header.Get("Cache-Control"))
	assert.Equal(t, "application/json", resp.Header.Get("Content-Type"))
	var v report
	require.NoError(t, json.NewDecoder(resp.Body).Decode(&v))
	return resp.StatusCode, v
}

func TestHealth(t *testing.T) {
	status, v := ask(t, usage.Health(nil))
	assert.Equal(t, 200, status)
	assert.Equal(t, "ok", v.Status)
	good := usage.Check{Name: "good", Run: func(context.Context) error { return nil }}
	bad := usage.Check{Name: "bad", Run: func(context.Context) error { return errors.New("/secret/place") }}
	wild := usage.Check{Name: "wild", Run: func(context.Context) error { panic("x") }}
	status, v = ask(t, usage.Health(nil, good))
	assert.Equal(t, 200, status)
	assert.True(t, v.Checks[0].OK)
	status, v = ask(t, usage.Health(nil, good, bad, wild))
	assert.Equal(t, 503, status)
	assert.Equal(t, "failed", v.Status)
	require.Len(t, v.Checks, 3)
	assert.True(t, v.Checks[0].OK && !v.Checks[1].OK && !v.Checks[2].OK)
	assert.Empty(t, v.Checks[1].Error, "not for everybody")
	_, v = ask(t, usage.Health(&usage.HealthOptions{Detail: func(*http.Request) bool { return true }}, bad))
	assert.Equal(t, "/secret/place", v.Checks[0].Error)
}

func TestHealthMethods(t *testing.T) {
	h := usage.Health(nil)
	assert.Equal(t, 200, serve(h, httpRequest("HEAD", "/healthz")).StatusCode)
	resp := serve(h, httpRequest("POST", "/healthz"))
	assert.Equal(t, 405, resp.StatusCode)
	assert.Equal(t, "GET, HEAD", resp.Header.Get("Allow"))
}

func TestHealthTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		deaf := usage.Check{Name: "deaf", Run: func(context.Context) error { time.Sleep(time.Minute); return nil }}
		begin := time.Now()
		status, v := ask(t, usage.Health(&usage.HealthOptions{Timeout: 2 * time.Second}, deaf))
		assert.Equal(t, 503, status)
		assert.False(t, v.Checks[0].OK)
		assert.Equal(t, 2*time.Second, time.Since(begin))
		time.Sleep(time.Minute) // its goroutine ends
	})
}

func TestHealthOfADeafCheck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var runs atomic.Int64
		release := make(chan struct{})
		deaf := usage.Check{Name: "deaf", Run: func(context.Context) error { runs.Add(1); <-release; return nil }}
		h := usage.Health(&usage.HealthOptions{Timeout: time.Second}, deaf)
		for range 3 * usage.MaxCheckRuns {
			status, _ := ask(t, h)
			assert.Equal(t, 503, status)
		}
		close(release)
		synctest.Wait()
		assert.Equal(t, int64(usage.MaxCheckRuns), runs.Load(), "goroutines are bounded")
		status, _ := ask(t, h)
		assert.Equal(t, 200, status)
	})
}

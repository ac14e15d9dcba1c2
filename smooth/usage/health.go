package usage

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"
)

// DefaultHealthTimeout is the default of [HealthOptions].Timeout.
const DefaultHealthTimeout = 5 * time.Second

// Check is one thing that has to be right.
type Check struct {
	Name string
	// Run returns why it is not right, or nil. It is called with each request, by several at a time, and has to end when ctx
	// does: while [MaxCheckRuns] do not, the check has failed.
	Run func(ctx context.Context) error
}

// HealthOptions tunes the handler of [Health]. A nil pointer and the zero value mean the documented defaults.
type HealthOptions struct {
	// Timeout bounds all checks together. Zero means [DefaultHealthTimeout].
	Timeout time.Duration
	// Detail reports whether a request may see why a check has failed. Nil means that nobody may: errors name files and
	// servers.
	Detail func(*http.Request) bool
}

// MaxCheckRuns is how often a check runs at the same time.
const MaxCheckRuns = 8

// health is what [Health] returns.
type health struct {
	opts   HealthOptions
	checks []check
}

// check is a check with the runs that are under way.
type check struct {
	Check
	runs chan struct{}
}

// Health returns a handler for paths such as /healthz (no checks: the process answers) and /readyz, which balancers and
// container engines ask. It runs the checks at the same time and answers 200 if all are right, else 503, with JSON that is
// never cached:
//
//	{"status":"failed","checks":[{"name":"listeners","ok":true,"seconds":0.001},{"name":"archive","ok":false,"seconds":0.2}]}
//
// A check that panics has failed. It answers GET and HEAD.
func Health(opts *HealthOptions, checks ...Check) http.Handler {
	h := new(health)
	for _, c := range checks {
		h.checks = append(h.checks, check{c, make(chan struct{}, MaxCheckRuns)})
	}
	if opts != nil {
		h.opts = *opts
	}
	if h.opts.Timeout <= 0 {
		h.opts.Timeout = DefaultHealthTimeout
	}
	return h
}

// verdict is the body of an answer.
type verdict struct {
	Status string        `json:"status"`
	Checks []checkResult `json:"checks"`
}

type checkResult struct {
	Name    string  `json:"name"`
	OK      bool    `json:"ok"`
	Error   string  `json:"error,omitempty"`
	Seconds float64 `json:"seconds"`
}

// ServeHTTP implements [http.Handler].
func (h *health) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, http.StatusText(http.StatusMethodNotAllowed), http.StatusMethodNotAllowed)
		return
	}
	v, status := h.ask(r), http.StatusOK
	if v.Status != "ok" {
		status = http.StatusServiceUnavailable
	}
	body, err := json.Marshal(v)
	if err != nil {
		http.Error(w, http.StatusText(http.StatusInternalServerError), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(append(body, '\n'))
}

// ask runs the checks. One that does not heed its context is not waited for.
func (h *health) ask(r *http.Request) verdict {
	ctx, cancel := context.WithTimeout(r.Context(), h.opts.Timeout)
	defer cancel()
	results := make([]chan checkResult, len(h.checks))
	for i, c := range h.checks {
		results[i] = make(chan checkResult, 1)
		select {
		case c.runs <- struct{}{}:
			go func() {
				defer func() { <-c.runs }()
				results[i] <- c.result(ctx)
			}()
		default:
			results[i] <- checkResult{Name: c.Name, Error: "too many runs have not ended"}
		}
	}
	v := verdict{Status: "ok", Checks: make([]checkResult, len(h.checks))}
	detail := h.opts.Detail != nil && h.opts.Detail(r)
	for i, c := range h.checks {
		select {
		case v.Checks[i] = <-results[i]:
		case <-ctx.Done():
			v.Checks[i] = checkResult{Name: c.Name, Error: ctx.Err().Error(), Seconds: h.opts.Timeout.Seconds()}
		}
		if !v.Checks[i].OK {
			v.Status = "failed"
		}
		if !detail {
			v.Checks[i].Error = ""
		}
	}
	return v
}

// result runs a check.
func (c *Check) result(ctx context.Context) (res checkResult) {
	start := time.Now()
	var err error
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("usage: check panicked: %v", p)
		}
		res = checkResult{Name: c.Name, OK: err == nil, Seconds: time.Since(start).Seconds()}
		if err != nil {
			res.Error = err.Error()
		}
	}()
	err = c.Run(ctx)
	return res
}

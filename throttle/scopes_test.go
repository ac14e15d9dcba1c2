package throttle_test

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/throttle"
)

// viewer is a client with an address of its own.
func viewer(i int, path string) *http.Request {
	r := request("GET", path)
	r.RemoteAddr = fmt.Sprintf("192.0.2.%d:%d", i, 1000+i)
	return r
}

// sentBetween returns how many bytes were written in a span of time.
func (w *wire) sentBetween(from, to time.Time) (n int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, one := range w.writes {
		if !one.at.Before(from) && one.at.Before(to) {
			n += one.n
		}
	}
	return n
}

func dataRules(rate throttle.Rate) *throttle.Rules {
	return &throttle.Rules{Settings: []throttle.Setting{{Match: ".dat", Kind: throttle.Data, Rate: rate, Group: "g"}}}
}

func TestConnectionLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rules := dataRules(throttle.MbitPerSecond)
		rules.Groups = []throttle.Group{{Name: "g", ConnectionLimit: 2}}
		calls := atomic.Int64{}
		b := newBench(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { calls.Add(1); content(125_000*10).ServeHTTP(w, r) }), rules, nil)
		var wg sync.WaitGroup
		for i := range 2 {
			wg.Go(func() { b.ServeHTTP(newWire(), viewer(i, "/x.dat")) })
		}
		synctest.Wait()
		w := newWire()
		b.ServeHTTP(w, viewer(3, "/x.dat"))
		assert.Equal(t, http.StatusServiceUnavailable, w.status)
		assert.Equal(t, "5", w.header.Get("Retry-After"))
		assert.Equal(t, "no-store", w.header.Get("Cache-Control"))
		assert.Equal(t, int64(2), calls.Load(), "the handler inside is not asked")
		assert.True(t, b.last().Refused)
		assert.Equal(t, []throttle.GroupStats{{Name: "g", Limit: 2, Active: 2, Refused: 1}}, b.Stats().Groups)
		assert.Equal(t, uint64(1), b.Stats().Refused)

		w = newWire() // a question without a body is answered
		head := viewer(4, "/x.dat")
		head.Method = "HEAD"
		b.ServeHTTP(w, head)
		assert.Equal(t, 200, w.status)
		wg.Wait()
		w = newWire()
		b.ServeHTTP(w, viewer(3, "/x.dat"))
		assert.Equal(t, 200, w.status)
		assert.Equal(t, []throttle.GroupStats{{Name: "g", Limit: 2, Refused: 1}}, b.Stats().Groups)

		require.NoError(t, b.SetRules(dataRules(throttle.MbitPerSecond)))
		for i := range 5 {
			wg.Go(func() { b.ServeHTTP(newWire(), viewer(i, "/x.dat")) })
		}
		wg.Wait()
		assert.Equal(t, uint64(1), b.Stats().Refused, "no limit any more")
	})
}

// bottomless counts what is read of it.
type bottomless struct{ read atomic.Int64 }

func (e *bottomless) Read(p []byte) (int, error) { e.read.Add(int64(len(p))); return len(p), nil }

// A response that only its media type puts into a full group is refused when its header comes; its body is not read.
func TestConnectionLimitByType(t *testing.T) {
	for name, send := range map[string]func(w http.ResponseWriter, src io.Reader) error{
		"ReadFrom": func(w http.ResponseWriter, src io.Reader) error { _, err := io.Copy(w, src); return err },
		"Write": func(w http.ResponseWriter, src io.Reader) error {
			_, err := io.Copy(struct{ io.Writer }{w}, src)
			return err
		},
		"panic": func(w http.ResponseWriter, src io.Reader) error { // as a reverse proxy does
			if _, err := io.Copy(struct{ io.Writer }{w}, src); err != nil {
				panic(http.ErrAbortHandler)
			}
			return nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var src bottomless
				inner := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					w.Header().Set("Content-Type", "video/mp4")
					w.Header().Set("Content-Length", "100000000")
					w.Header().Set("Etag", `"film"`)
					if r.URL.Path == "/first" {
						content(5_000_000).ServeHTTP(w, r)
						return
					}
					assert.ErrorContains(t, send(w, &src), "503")
				})
				b := newBench(inner, &throttle.Rules{
					Settings: []throttle.Setting{{Match: "video/*", Kind: throttle.Data, Rate: throttle.MbitPerSecond, Group: "g"}},
					Groups:   []throttle.Group{{Name: "g", ConnectionLimit: 1}},
				}, nil)
				client := serve(t, newNetwork(8<<10), b)
				ctx, cancel := context.WithCancel(t.Context())
				var wg sync.WaitGroup
				wg.Go(func() { b.ServeHTTP(newWire(), viewer(1, "/first").WithContext(ctx)) })
				synctest.Wait()
				resp, err := client.Get("http://server/second")
				require.NoError(t, err)
				body, err := io.ReadAll(resp.Body)
				require.NoError(t, err)
				resp.Body.Close()
				assert.Equal(t, http.StatusServiceUnavailable, resp.StatusCode)
				assert.Equal(t, "5", resp.Header.Get("Retry-After"))
				assert.Empty(t, resp.Header.Get("Etag"))
				assert.Contains(t, string(body), "try again later")
				assert.Less(t, src.read.Load(), int64(1<<20))
				cancel()
				wg.Wait()
				synctest.Wait()
				assert.Equal(t, []throttle.GroupStats{{Name: "g", Limit: 1, Refused: 1}}, b.Stats().Groups)
			})
		})
	}
}

// Disabled rules limit nothing, by extension or by type.
func TestDisabledLimitsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rules := &throttle.Rules{Disabled: true, Groups: []throttle.Group{{Name: "g", ConnectionLimit: 1}}, Settings: []throttle.Setting{
			{Match: "video/*", Kind: throttle.Data, Rate: 1000, Group: "g"}, {Match: ".dat", Kind: throttle.Data, Rate: 1000, Group: "g"}}}
		inner := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "video/mp4")
			w.WriteHeader(200)
			time.Sleep(time.Minute)
		})
		b := newBench(inner, rules, nil)
		var wg sync.WaitGroup
		for i := range 6 {
			wg.Go(func() {
				w := newWire()
				b.ServeHTTP(w, viewer(i, []string{"/x", "/x.dat"}[i%2]))
				assert.Equal(t, 200, w.status)
			})
		}
		wg.Wait()
	})
}

// sum returns the writes of several wires in the order of time.
func sum(wires []*wire) (all []write) {
	for _, w := range wires {
		all = append(all, w.writes...)
	}
	slices.SortStableFunc(all, func(a, b write) int { return cmp.Compare(a.at.UnixNano(), b.at.UnixNano()) })
	return all
}

// assertBelow checks that what was written is never more than a rate allows, with its capacity of a quarter of a second.
func assertBelow(t *testing.T, start time.Time, rate throttle.Rate, all []write) {
	t.Helper()
	var sent int64
	for _, one := range all {
		sent += one.n
		allowed := rate.Bytes(one.at.Sub(start) + 250*time.Millisecond)
		require.LessOrEqual(t, sent, allowed, "after %v", one.at.Sub(start))
	}
}

// All responses together, their bursts too, never send more than the ceiling or the rate of their group, share it by
// what they want, and nobody waits for long.
func TestCeilings(t *testing.T) {
	for _, by := range []string{"ceiling", "group"} {
		t.Run(by, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				const ceiling = 10 * throttle.MbitPerSecond
				rules := &throttle.Rules{Settings: []throttle.Setting{
					{Match: ".dat", Kind: throttle.Data, InitialSendSize: 5 << 20, Rate: 5 * throttle.MbitPerSecond, Group: "g"},
					{Match: ".low", Kind: throttle.Data, Rate: 128 * kbit, Group: "g"},
				}}
				if by == "group" {
					rules.Groups = []throttle.Group{{Name: "g", Rate: ceiling}}
				} else {
					rules.Ceiling = ceiling
				}
				b := newBench(content(1<<30), rules, nil)
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				start := time.Now()
				var wires []*wire
				var wg sync.WaitGroup
				for i := range 11 {
					w, path := newWire(), "/x.dat"
					if i == 10 {
						path = "/x.low"
					}
					wires = append(wires, w)
					wg.Go(func() { b.ServeHTTP(w, viewer(i, path).WithContext(ctx)) })
				}
				wg.Wait()
				all := sum(wires)
				assertBelow(t, start, ceiling, all)
				var total int64
				for i, w := range wires {
					total += w.sent
					last := start
					for _, one := range w.writes {
						assert.Less(t, one.at.Sub(last), 2*time.Second, "viewer %d", i)
						last = one.at
					}
					if i < 10 {
						assert.InEpsilon(t, ceiling.Bytes(time.Minute)/10, w.sent, 0.12, "viewer %d", i)
					}
				}
				assert.InEpsilon(t, ceiling.Bytes(time.Minute), total, 0.02, "all of it is used")
				share := ceiling * 128 / (10*5000 + 128) // what it wants of what all want
				assert.Greater(t, wires[10].sent, share.Bytes(time.Minute), "a slow one is not starved")
			})
		})
	}
}

// New rules count for what is being sent, and give nothing again.
func TestCeilingOfNewRules(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const ceiling = 4 * throttle.MbitPerSecond
		rules := dataRules(5 * throttle.MbitPerSecond)
		rules.Ceiling = ceiling
		rules.Groups = []throttle.Group{{Name: "g", Rate: ceiling}}
		b := newBench(content(1<<30), rules, nil)
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Second)
		defer cancel()
		start := time.Now()
		var wires []*wire
		var wg sync.WaitGroup
		for i := range 8 {
			w := newWire()
			wires = append(wires, w)
			wg.Go(func() { b.ServeHTTP(w, viewer(i, "/x.dat").WithContext(ctx)) })
		}
		for range 100 {
			time.Sleep(100 * time.Millisecond)
			require.NoError(t, b.SetRules(rules))
		}
		halved := *rules
		halved.Ceiling /= 2
		time.Sleep(10 * time.Second)
		require.NoError(t, b.SetRules(&halved))
		time.Sleep(6 * time.Second) // who waits goes by the old rate
		after := time.Now()
		time.Sleep(12 * time.Second)
		none := dataRules(5 * throttle.MbitPerSecond)
		require.NoError(t, b.SetRules(none))
		free := time.Now()
		wg.Wait()
		all := sum(wires)
		i := slices.IndexFunc(all, func(w write) bool { return !w.at.Before(free) })
		assertBelow(t, start, ceiling, all[:i])
		var slow, fast int64
		for _, w := range wires {
			slow += w.sentBetween(after, free)
			fast += w.sentBetween(free.Add(3*time.Second), free.Add(8*time.Second))
		}
		assert.InEpsilon(t, (ceiling / 2).Bytes(12*time.Second), slow, 0.1)
		assert.InEpsilon(t, (40 * throttle.MbitPerSecond).Bytes(5*time.Second), fast, 0.1)
	})
}

// The site's target: rate_i = min(T, f_i + max(0, T - sum f)/N), and never below f_i, as clients come and go.
func TestTargetRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rules := &throttle.Rules{TargetRate: 12 * throttle.MbitPerSecond, Settings: []throttle.Setting{
			{Match: ".one", Kind: throttle.Data, Rate: 1 * throttle.MbitPerSecond},
			{Match: ".two", Kind: throttle.Data, Rate: 2 * throttle.MbitPerSecond},
			{Match: ".ten", Kind: throttle.Data, Rate: 10 * throttle.MbitPerSecond},
		}}
		b := newBench(content(1<<40), rules, nil)
		var wg sync.WaitGroup
		var wires []*wire
		come := func(path string) context.CancelFunc {
			ctx, cancel := context.WithCancel(t.Context())
			w, r := newWire(), viewer(len(wires), path).WithContext(ctx)
			wires = append(wires, w)
			wg.Go(func() { b.ServeHTTP(w, r) })
			return cancel
		}
		check := func(name string, want ...throttle.Rate) {
			t.Helper()
			time.Sleep(2 * time.Second)
			from := time.Now()
			time.Sleep(20 * time.Second)
			synctest.Wait()
			for i, rate := range want {
				got := wires[i].sentBetween(from, time.Now())
				assert.InDelta(t, rate.Bytes(20*time.Second), got, float64(rate.Bytes(300*time.Millisecond)+1), "%s: viewer %d", name, i)
			}
		}
		const m = throttle.MbitPerSecond
		one := come("/x.one")
		check("alone", 12*m)
		two := come("/x.two")
		check("two", 1*m+9*m/2, 2*m+9*m/2)
		three := come("/y.one")
		check("three", 1*m+8*m/3, 2*m+8*m/3, 1*m+8*m/3)
		ten := come("/x.ten")
		check("more than the target", 1*m, 2*m, 1*m, 10*m)
		ten()
		check("it goes", 1*m+8*m/3, 2*m+8*m/3, 1*m+8*m/3, 0)
		capped := *rules
		capped.TargetRate = 8 * m
		require.NoError(t, b.SetRules(&capped))
		check("another target", 1*m+4*m/3, 2*m+4*m/3, 1*m+4*m/3)
		one()
		three()
		check("alone again", 0, 8*m)
		require.NoError(t, b.SetRules(&throttle.Rules{Settings: rules.Settings}))
		check("no target", 0, 2*m)
		two()
		wg.Wait()
	})
}

// The maximum caps what the target gives. It counts for responses from now on.
func TestMaxRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rules := dataRules(throttle.MbitPerSecond)
		rules.TargetRate, rules.MaxRate = 100*throttle.MbitPerSecond, 2*throttle.MbitPerSecond
		b := newBench(content(2_500_000), rules, nil)
		w, took := b.get(t, "/x.dat")
		assert.Equal(t, int64(2_500_000), w.sent)
		assert.InDelta(t, 10, took.Seconds(), 0.5)
	})
}

// Parallel ranges of a player are one viewer of the site; nobody is left when all have gone, however they go.
func TestViewersAreBalanced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rules := dataRules(throttle.MbitPerSecond)
		rules.TargetRate = 4 * throttle.MbitPerSecond
		inner := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/panic.dat" {
				defer panic(http.ErrAbortHandler)
			}
			content(1<<30).ServeHTTP(w, r)
		})
		b := newBench(inner, rules, nil)
		var wg sync.WaitGroup
		for i := range 100 {
			wg.Go(func() {
				defer func() { _ = recover() }()
				ctx, cancel := context.WithTimeout(t.Context(), time.Duration(i+1)*100*time.Millisecond)
				defer cancel()
				w := newWire()
				if i%3 == 0 {
					w.fail = 100_000
				}
				r := viewer(i%7, []string{"/a.dat", "/b.dat", "/panic.dat"}[i%3]).WithContext(ctx)
				if i%2 == 0 {
					r = r.WithContext(throttle.WithVariables(ctx, throttle.Variables{Rate: 2 * throttle.MbitPerSecond})) // another floor
				}
				r.Header.Set("Range", fmt.Sprintf("bytes=%d-", i*100_000))
				b.ServeHTTP(w, r)
			})
		}
		wg.Wait()
		stats := b.Stats()
		assert.Zero(t, stats.Active)
		assert.Equal(t, uint64(100), stats.Responses)
		assert.Equal(t, uint64(100), stats.Aborted)
		require.Len(t, stats.Groups, 1)
		assert.Zero(t, stats.Groups[0].Active)

		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		w := newWire()
		b.ServeHTTP(w, viewer(200, "/c.dat").WithContext(ctx))
		assert.InEpsilon(t, (4 * throttle.MbitPerSecond).Bytes(20*time.Second), w.sent, 0.03, "it is alone")
	})
}

// What is remembered of clients is bounded by number, by time and by length of what they call themselves. Those that
// are being sent something do not push out the others.
func TestSessionsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(content(5000), siteRules(), &throttle.HandlerOptions{MaxSessions: 10})
		rules := &throttle.Rules{Settings: []throttle.Setting{{Match: ".dat", Kind: throttle.Data, InitialSendSize: 1 << 20, Rate: throttle.MbitPerSecond}}}
		require.NoError(t, b.SetRules(rules))
		for i := range 100 {
			b.ServeHTTP(newWire(), viewer(i, "/x.dat"))
			assert.LessOrEqual(t, b.Stats().Sessions, 10+1)
		}
		assert.Equal(t, 10, b.Stats().Sessions)
		time.Sleep(5 * time.Minute)
		b.ServeHTTP(newWire(), viewer(1, "/x.dat"))
		assert.Equal(t, 1, b.Stats().Sessions)

		long := strings.Repeat("x", 500_000)
		for i := range 20 {
			r := viewer(1, "/"+long+fmt.Sprint(i)+".dat")
			r.Host, r.Header["User-Agent"] = long, []string{long}
			r.Header.Set("X-Playback-Session-Id", long)
			b.ServeHTTP(newWire(), r)
		}
		assert.Equal(t, 10, b.Stats().Sessions)
		assert.Less(t, b.SessionBytes(), 10*2000)
	})
	synctest.Test(t, func(t *testing.T) {
		b := newBench(content(1_000_000), dataRules(throttle.MbitPerSecond), &throttle.HandlerOptions{MaxSessions: 10})
		var wg sync.WaitGroup
		for i := range 30 {
			wg.Go(func() { b.ServeHTTP(newWire(), viewer(i, "/x.dat")) })
		}
		synctest.Wait()
		for i := range 10 {
			ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
			b.ServeHTTP(newWire(), viewer(100+i, "/x.dat").WithContext(ctx))
			cancel()
		}
		assert.Equal(t, 40, b.Stats().Sessions)
		wg.Wait()
		assert.Equal(t, 10, b.Stats().Sessions)
	})
}

// The application says who is who.
func TestClient(t *testing.T) {
	rules := &throttle.Rules{Settings: []throttle.Setting{{Match: ".dat", Kind: throttle.Data, InitialSendSize: 1_000_000, Rate: throttle.MbitPerSecond}}}
	for _, c := range []struct {
		name string
		opts throttle.HandlerOptions
		set  func(r *http.Request, i int)
		same bool
	}{
		{"addresses", throttle.HandlerOptions{}, func(r *http.Request, i int) { r.RemoteAddr = fmt.Sprintf("192.0.2.%d:80", i) }, false},
		{"ports", throttle.HandlerOptions{}, func(r *http.Request, i int) { r.RemoteAddr = fmt.Sprintf("192.0.2.1:%d", i) }, true},
		{"agents", throttle.HandlerOptions{}, func(r *http.Request, i int) { r.Header.Set("User-Agent", fmt.Sprint("agent ", i)) }, false},
		{"players", throttle.HandlerOptions{}, func(r *http.Request, i int) { r.Header.Set("X-Playback-Session-Id", fmt.Sprint(i)) }, false},
		{"one player", throttle.HandlerOptions{}, func(r *http.Request, i int) {
			r.RemoteAddr = fmt.Sprintf("192.0.2.%d:80", i)
			r.Header.Set("X-Playback-Session-Id", "same")
		}, true},
		{"no address", throttle.HandlerOptions{}, func(r *http.Request, i int) { r.RemoteAddr = "@" }, true},
		{"a function", throttle.HandlerOptions{Client: func(r *http.Request) string { return r.Header.Get("User") }},
			func(r *http.Request, i int) { r.Header.Set("User", fmt.Sprint(i)) }, false},
		{"a function that says one", throttle.HandlerOptions{Client: func(*http.Request) string { return "" }},
			func(r *http.Request, i int) { r.RemoteAddr = fmt.Sprintf("192.0.2.%d:80", i) }, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(content(1_000_000), rules, &c.opts)
				for i := range 2 {
					r := request("GET", "/x.dat")
					c.set(r, i)
					b.ServeHTTP(newWire(), r)
				}
				assert.Equal(t, c.same, b.last().Waits > 0)
				assert.Equal(t, c.same, b.Stats().Sessions == 1)
			})
		})
	}
}

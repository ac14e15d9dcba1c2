package throttle_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/throttle"
)

// run runs a server on a network until the test ends, and returns a client of it by HTTP/1.1 or HTTP/2.
func run(t *testing.T, n *network, srv *http.Server, http2 bool) *http.Client {
	t.Helper()
	protocols := new(http.Protocols)
	protocols.SetHTTP1(!http2)
	protocols.SetUnencryptedHTTP2(http2)
	srv.Protocols = protocols
	var wg sync.WaitGroup
	wg.Go(func() { _ = srv.Serve(n) })
	transport := &http.Transport{DialContext: n.dial, DisableCompression: true, Protocols: protocols}
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		_ = srv.Close()
		wg.Wait()
	})
	return &http.Client{Transport: transport}
}

// A client that goes ends its response within one interval, while that waits or while it writes.
func TestClientGoes(t *testing.T) {
	for name, http2 := range map[string]bool{"HTTP/1.1": false, "HTTP/2": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var returned atomic.Int64
				b := newBench(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					content(12_500_000).ServeHTTP(w, r)
					returned.Store(time.Now().UnixNano())
				}), dataRules(throttle.MbitPerSecond), nil)
				client := run(t, newNetwork(8<<10), &http.Server{Handler: b}, http2)
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				r, err := http.NewRequestWithContext(ctx, "GET", "http://server/x.dat", nil)
				require.NoError(t, err)
				resp, err := client.Do(r)
				require.NoError(t, err)
				_, err = io.CopyN(io.Discard, resp.Body, 1_250_000)
				require.NoError(t, err)
				gone := time.Now()
				cancel()
				resp.Body.Close()
				time.Sleep(throttle.DefaultInterval)
				synctest.Wait()
				require.NotZero(t, returned.Load(), "the handler has returned")
				assert.LessOrEqual(t, time.Unix(0, returned.Load()).Sub(gone), throttle.DefaultInterval)
				o := b.last()
				assert.True(t, o.Aborted)
				assert.Equal(t, int64(12_500_000), o.Saved+o.BurstBytes+o.SteadyBytes)
				assert.InDelta(t, 11_250_000, o.Saved, 100_000)
				stats := b.Stats()
				assert.Equal(t, uint64(1), stats.Aborted)
				assert.Equal(t, uint64(o.Saved), stats.SavedBytes)
				assert.Zero(t, stats.Active)
			})
		})
	}
}

func TestCancelWhileWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var err error
		b := newBench(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, err = w.Write(make([]byte, 1_000_000)) }),
			dataRules(kbit), nil)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start := time.Now()
		b.ServeHTTP(newWire(), request("GET", "/x.dat").WithContext(ctx))
		assert.ErrorIs(t, err, context.DeadlineExceeded)
		assert.Equal(t, time.Second, time.Since(start))
		assert.True(t, b.last().Aborted)
		assert.Equal(t, int64(-1), b.last().Length)
		assert.Equal(t, time.Second, b.last().Waited, "as long as it did")
	})
}

// A write that fails ends the response, and what it did not use is there for the next one.
func TestWriteErrors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rules := &throttle.Rules{Settings: []throttle.Setting{{Match: ".dat", Kind: throttle.Data, InitialSendSize: 1_000_000, Rate: throttle.MbitPerSecond}}}
		inner := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", "2000000")
			n, err := w.Write(make([]byte, 2_000_000))
			assert.ErrorIs(t, err, net.ErrClosed)
			assert.Equal(t, 524_288, n)
		})
		b := newBench(inner, rules, nil)
		w := newWire()
		w.fail = 500_000
		b.ServeHTTP(w, request("GET", "/x.dat"))
		o := b.last()
		assert.True(t, o.Aborted)
		assert.Equal(t, int64(2_000_000-524_288), o.Saved)
		assert.Equal(t, int64(524_288), o.BurstBytes)
		assert.Zero(t, b.Stats().Active)
	})
}

// A handler that does not look at errors is not paced any more when the client has gone.
func TestErrorsThatAreIgnored(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			for range 1000 {
				_, _ = w.Write(make([]byte, 100_000))
			}
		}), dataRules(throttle.MbitPerSecond), nil)
		client := run(t, newNetwork(8<<10), &http.Server{Handler: b}, false)
		resp, err := client.Get("http://server/x.dat")
		require.NoError(t, err)
		_, err = io.CopyN(io.Discard, resp.Body, 500_000)
		require.NoError(t, err)
		resp.Body.Close()
		time.Sleep(throttle.DefaultInterval)
		synctest.Wait()
		assert.Len(t, b.seen, 1)
		assert.True(t, b.last().Aborted)
	})
}

func TestInnerPanics(t *testing.T) {
	for name, write := range map[string]bool{"before": false, "after": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				rules := dataRules(throttle.MbitPerSecond)
				rules.Groups = []throttle.Group{{Name: "g", ConnectionLimit: 1}}
				b := newBench(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					if write {
						_, _ = w.Write(make([]byte, 300_000))
					}
					panic(http.ErrAbortHandler)
				}), rules, nil)
				for range 3 {
					assert.PanicsWithValue(t, http.ErrAbortHandler, func() { b.get(t, "/x.dat") })
				}
				stats := b.Stats()
				assert.Zero(t, stats.Active)
				assert.Zero(t, stats.Groups[0].Active)
				assert.Zero(t, stats.Refused)
			})
		})
	}
}

// A server's WriteTimeout does not cut a paced response. The next one on the connection has the server's own, or none.
func TestServerWriteTimeout(t *testing.T) {
	for name, http2 := range map[string]bool{"HTTP/1.1": false, "HTTP/2": true} {
		for _, timeout := range []time.Duration{0, time.Second} {
			for _, setting := range []throttle.Rate{throttle.MbitPerSecond, 16 * kbit} { // of which the latter waits for 3 s between writes
				t.Run(name+"/"+timeout.String()+"/"+setting.String(), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						inner := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
							if r.URL.Path == "/late" {
								select {
								case <-time.After(2 * time.Minute):
								case <-r.Context().Done():
								}
								_, _ = w.Write(make([]byte, 10))
								return
							}
							content(setting.Bytes(30*time.Second)).ServeHTTP(w, r)
						})
						b := newBench(inner, dataRules(setting), &throttle.HandlerOptions{WriteTimeout: 2 * time.Second})
						client := run(t, newNetwork(64<<10), &http.Server{Handler: b, WriteTimeout: timeout}, http2)
						resp, err := client.Get("http://server/x.dat")
						require.NoError(t, err)
						n, err := io.Copy(io.Discard, resp.Body)
						require.NoError(t, err)
						resp.Body.Close()
						assert.Equal(t, setting.Bytes(30*time.Second), n)
						late, err := client.Get("http://server/late")
						if err == nil {
							_, err = io.ReadAll(late.Body)
							late.Body.Close()
						}
						if timeout > 0 {
							assert.Error(t, err, "the server's own timeout")
						} else {
							assert.NoError(t, err)
						}
					})
				})
			}
		}
	}
}

// A client that does not read is cut, though its connection stands.
func TestWriteTimeout(t *testing.T) {
	for name, http2 := range map[string]bool{"HTTP/1.1": false, "HTTP/2": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(content(100_000_000), dataRules(10*throttle.MbitPerSecond), &throttle.HandlerOptions{WriteTimeout: 10 * time.Second})
				client := run(t, newNetwork(8<<10), &http.Server{Handler: b}, http2)
				resp, err := client.Get("http://server/x.dat")
				require.NoError(t, err)
				defer resp.Body.Close()
				time.Sleep(30 * time.Second) // an HTTP/2 client takes 4 MB for a stream whether it is read or not
				synctest.Wait()
				assert.Zero(t, b.Stats().Active)
				assert.True(t, b.last().Aborted)
			})
		})
	}
}

// Deadlines are left alone if they shall be.
func TestNoWriteTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(content(500_000), dataRules(throttle.MbitPerSecond), &throttle.HandlerOptions{WriteTimeout: -1})
		w, _ := b.get(t, "/x.dat")
		assert.Empty(t, w.deadlines)
		b = newBench(content(500_000), dataRules(throttle.MbitPerSecond), nil)
		start := time.Now()
		w, _ = b.get(t, "/x.dat")
		require.NotEmpty(t, w.deadlines)
		assert.WithinDuration(t, start.Add(throttle.DefaultWriteTimeout*3/2), w.deadlines[0], throttle.DefaultInterval)
		assert.Less(t, len(w.deadlines), 4, "a deadline is moved now and then only")
		assert.True(t, w.deadlines[len(w.deadlines)-1].IsZero(), "the connection is given back without one")
	})
}

// The header of a response that has to wait first does not.
func TestHeaderIsNotWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(content(100_000), dataRules(8*kbit), nil)
		client := run(t, newNetwork(8<<10), &http.Server{Handler: b}, false)
		start := time.Now()
		resp, err := client.Get("http://server/x.dat")
		require.NoError(t, err)
		assert.Zero(t, time.Since(start))
		assert.Equal(t, int64(100_000), resp.ContentLength)
		resp.Body.Close()
	})
}

// chain is a writer that is reached only by Unwrap.
type chain struct{ http.ResponseWriter }

func (c chain) Unwrap() http.ResponseWriter { return c.ResponseWriter }

// hijackable is a writer that could be hijacked.
type hijackable struct{ *wire }

func (hijackable) Hijack() (net.Conn, *bufio.ReadWriter, error) { return nil, nil, nil }

func TestResponseController(t *testing.T) {
	for _, path := range []string{"/x.dat", "/x"} {
		var done bool
		b := newBench(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			rc := http.NewResponseController(w)
			_, _, err := rc.Hijack()
			assert.ErrorIs(t, err, http.ErrNotSupported)
			assert.ErrorContains(t, err, "throttle")
			assert.NoError(t, rc.SetWriteDeadline(time.Time{}))
			assert.ErrorIs(t, rc.EnableFullDuplex(), http.ErrNotSupported, "as the writer below")
			w.WriteHeader(http.StatusAccepted)
			assert.NoError(t, rc.Flush())
			flusher, ok := w.(http.Flusher)
			require.True(t, ok)
			flusher.Flush()
			done = true
		}), dataRules(kbit), nil)
		w := newWire()
		b.ServeHTTP(chain{chain{hijackable{w}}}, request("GET", path))
		assert.True(t, done)
		assert.Equal(t, 2, w.flushes)
		assert.Equal(t, http.StatusAccepted, w.status)
		assert.Equal(t, []time.Time{{}}, w.deadlines)
	}
	rec := httptest.NewRecorder()
	throttle.NewHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.(http.Flusher).Flush() }), nil).
		ServeHTTP(rec, request("GET", "/x"))
	assert.True(t, rec.Flushed)
	assert.Equal(t, http.StatusOK, rec.Code)
}

// A writer without flushing, deadlines or ReadFrom is paced as well.
func TestPlainWriter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(content(250_000), dataRules(throttle.MbitPerSecond), nil)
		w, start := newWire(), time.Now()
		b.ServeHTTP(struct{ http.ResponseWriter }{w}, request("GET", "/x.dat"))
		assert.Equal(t, int64(250_000), w.sent)
		assert.InDelta(t, 2, time.Since(start).Seconds(), 0.01)
	})
}

// shortWriter writes less than it is given and says nothing.
type shortWriter struct{ *wire }

func (w shortWriter) Write(p []byte) (int, error) { return w.wire.Write(p[:len(p)/2]) }

func TestShortWriter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, err := w.Write(make([]byte, 5000))
			assert.ErrorIs(t, err, io.ErrShortWrite)
		}), dataRules(throttle.MbitPerSecond), nil)
		b.ServeHTTP(struct{ http.ResponseWriter }{shortWriter{newWire()}}, request("GET", "/x.dat"))
	})
}

// A Content-Length that is not true does no harm, and what it made the response take is given back.
func TestLyingLengths(t *testing.T) {
	for _, length := range []string{"9223372036854775807", "3000000", "3000", "-5", "x", "99999999999999999999"} {
		t.Run(length, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					w.Header().Set("Content-Length", length)
					for range 10 {
						_, _ = w.Write(make([]byte, 25_000))
					}
					_, _ = io.Copy(w, io.LimitReader(&zeros{size: 1 << 40}, 250_000))
				}), dataRules(throttle.MbitPerSecond), nil)
				w, took := b.get(t, "/x.dat")
				assert.Equal(t, int64(500_000), w.sent)
				assert.InDelta(t, 4, took.Seconds(), 0.3)
				n, err := strconv.ParseInt(length, 10, 64)
				assert.Equal(t, err == nil && n > 500_000, b.last().Aborted)
			})
		})
	}
}

// Positions that are not true neither.
func TestLyingRanges(t *testing.T) {
	for _, value := range []string{
		"bytes 9223372036854775807-9223372036854775807/9223372036854775807", "bytes 9223372036854775806-9223372036854775807/*",
		"bytes 0-1/0", "bytes -5-7/3", "bytes */100", "bytes", "", "seconds 0-5/100", "bytes 5-1/9",
	} {
		for _, asked := range []string{"bytes=9223372036854775807-,5-", "bytes=-,", "x"} {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					w.Header().Set("Content-Range", value)
					w.WriteHeader(http.StatusPartialContent)
					_, _ = w.Write(make([]byte, 100_000))
				}), dataRules(throttle.MbitPerSecond), nil)
				for range 3 {
					w, _ := b.get(t, "/x.dat", "Range", asked)
					assert.Equal(t, int64(100_000), w.sent)
					assert.GreaterOrEqual(t, b.last().Offset, int64(0))
				}
			})
		}
	}
}

// A body without a length is paced by what it has.
func TestChunked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			for range 100 {
				_, err := w.Write(make([]byte, 5000))
				assert.NoError(t, err)
			}
		}), dataRules(throttle.MbitPerSecond), nil)
		client := run(t, newNetwork(8<<10), &http.Server{Handler: b}, false)
		start := time.Now()
		resp, err := client.Get("http://server/x.dat")
		require.NoError(t, err)
		n, err := io.Copy(io.Discard, resp.Body)
		require.NoError(t, err)
		resp.Body.Close()
		assert.Equal(t, int64(500_000), n)
		assert.InDelta(t, 4, time.Since(start).Seconds(), 0.3)
		synctest.Wait()
		assert.False(t, b.last().Aborted)
	})
}

// Streams of one HTTP/2 connection are paced each for itself.
func TestHTTP2Streams(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(content(1_250_000), dataRules(throttle.MbitPerSecond), &throttle.HandlerOptions{Interval: time.Second, WriteTimeout: 500 * time.Millisecond,
			Client: func(r *http.Request) string { return r.Header.Get("User") }})
		client := run(t, newNetwork(1<<20), &http.Server{Handler: b}, true)
		start := time.Now()
		var wg sync.WaitGroup
		for i := range 20 {
			wg.Go(func() {
				r, err := http.NewRequestWithContext(t.Context(), "GET", "http://server/x.dat", nil)
				require.NoError(t, err)
				r.Header.Set("User", strconv.Itoa(i))
				resp, err := client.Do(r)
				if !assert.NoError(t, err) {
					return
				}
				defer resp.Body.Close()
				assert.Equal(t, 2, resp.ProtoMajor)
				n, err := io.Copy(io.Discard, resp.Body)
				assert.NoError(t, err)
				assert.Equal(t, int64(1_250_000), n)
				assert.InDelta(t, 10, time.Since(start).Seconds(), 0.1)
			})
		}
		wg.Wait()
	})
}

// The same by TLS on a real connection.
func TestHTTP2Server(t *testing.T) {
	srv := httptest.NewUnstartedServer(throttle.NewHandler(content(100_000), dataRules(throttle.GbitPerSecond)))
	srv.EnableHTTP2 = true
	srv.StartTLS()
	defer srv.Close()
	resp, err := srv.Client().Get(srv.URL + "/x.dat")
	require.NoError(t, err)
	defer resp.Body.Close()
	n, err := io.Copy(io.Discard, resp.Body)
	require.NoError(t, err)
	assert.Equal(t, int64(100_000), n)
	assert.Equal(t, 2, resp.ProtoMajor)
}

// Responses, new rules and questions for totals at the same time, for the race detector.
func TestConcurrency(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rules := siteRules()
		rules.TargetRate, rules.Ceiling = 50*throttle.MbitPerSecond, 100*throttle.MbitPerSecond
		rules.Groups = []throttle.Group{{Name: "g", Rate: 80 * throttle.MbitPerSecond}}
		b := newBench(site(), rules, &throttle.HandlerOptions{DebugHeader: true})
		var wg sync.WaitGroup
		for i := range 50 {
			wg.Go(func() {
				r := viewer(i%9, []string{"/film.wav", "/typed", "/FILM.WAV", "/nothing.wav"}[i%4])
				r.Header.Set("Range", "bytes="+strconv.Itoa(i*1000)+"-"+[]string{"", ",0-500000"}[i%2])
				ctx, cancel := context.WithTimeout(t.Context(), time.Duration(i)*200*time.Millisecond)
				defer cancel()
				b.ServeHTTP(newWire(), r.WithContext(ctx))
			})
		}
		for i := range 20 {
			wg.Go(func() {
				time.Sleep(time.Duration(i) * 100 * time.Millisecond)
				changed := *rules
				changed.Ceiling = rules.Ceiling * throttle.Rate(i%3)
				assert.NoError(t, b.SetRules(&changed))
				b.Stats()
			})
		}
		wg.Wait()
		assert.Zero(t, b.Stats().Active)
	})
}

var errStore = errors.New("store")

// What a source fails with reaches the handler, with what was sent before.
func TestSourceErrors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			n, err := io.Copy(w, io.MultiReader(&zeros{size: 100_000}, errReader{}))
			assert.ErrorIs(t, err, errStore)
			assert.Equal(t, int64(100_000), n)
		}), dataRules(throttle.MbitPerSecond), nil)
		w, _ := b.get(t, "/x.dat")
		assert.Equal(t, int64(100_000), w.sent)
	})
}

type errReader struct{}

func (errReader) Read([]byte) (int, error) { return 0, errStore }

// patient takes long for every write and remembers how much of its deadline was left.
type patient struct {
	*wire
	least time.Duration
}

func (p *patient) Write(b []byte) (int, error) {
	if len(p.deadlines) > 0 {
		p.least = min(p.least, time.Until(p.deadlines[len(p.deadlines)-1]))
	}
	time.Sleep(700 * time.Millisecond)
	return p.wire.Write(b)
}

// Every write has all of WriteTimeout, however little of the deadline before is left.
func TestWriteTimeoutIsWhole(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = w.Write(make([]byte, 3_000_000)) }),
			dataRules(throttle.MbitPerSecond), &throttle.HandlerOptions{WriteTimeout: time.Second})
		w := &patient{newWire(), time.Hour}
		b.ServeHTTP(struct {
			http.ResponseWriter
			deadliner
		}{w, w}, request("GET", "/x.dat"))
		assert.Equal(t, int64(3_000_000), w.sent)
		assert.GreaterOrEqual(t, w.least, time.Second)
	})
}

type deadliner interface{ SetWriteDeadline(time.Time) error }

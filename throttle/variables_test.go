package throttle_test

import (
	"context"
	"math"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"net/textproto"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/throttle"
)

// Names of the variables.
const (
	enabled    = "ResponseThrottler-Enabled"
	size       = "ResponseThrottler-InitialSendSize"
	rate       = "ResponseThrottler-Rate"
	extension  = "ResponseThrottler-FileExtension"
	encodedIs  = "ResponseThrottler-EncodedBitRateKbps"
	percentage = "ResponseThrottler-ThrottleRatePercentage"
	buffer     = "ResponseThrottler-InitialBufferTimeSeconds"
	accel      = "X-Accel-Limit-Rate"
)

const kbit = throttle.KbitPerSecond

// variableRules find 800 kbit/s in film.wav, of which 5 s are the burst and the rest goes at 200 percent.
func variableRules() *throttle.Rules {
	return &throttle.Rules{Settings: []throttle.Setting{
		{Match: ".wav", InitialBufferTime: 5 * time.Second, RatePercentage: 200},
		{Match: ".mp3", InitialBufferTime: 10 * time.Second},
		{Match: ".jpg", Kind: throttle.Data, InitialSendSize: 1024, Rate: 50 * kbit},
	}}
}

// The rules of precedence of the extensibility interface, from the top down, by context and by header.
func TestVariables(t *testing.T) {
	film := wav(10 * wavBytes)
	const detected, burst = 800_035 * throttle.BitPerSecond, 500_021
	seconds := func(n int) *time.Duration { d := time.Duration(n) * time.Second; return &d }
	for _, c := range []struct {
		name    string
		headers []string
		context throttle.Variables
		rules   func(*throttle.Rules)
		rate    throttle.Rate // zero means unthrottled
		burst   int64
		source  string // empty means that of the file
	}{
		{name: "5: the configuration", rate: 2 * detected, burst: burst},
		{name: "1: disabled", headers: []string{rate, "400", size, "10"}, context: throttle.Variables{Rate: 400 * kbit},
			rules: func(r *throttle.Rules) { r.Disabled = true }},
		{name: "2: off", headers: []string{enabled, "0", rate, "400", extension, "wav", encodedIs, "1000", percentage, "50"},
			context: throttle.Variables{Off: true, Rate: 400 * kbit}},
		{name: "2: on", headers: []string{enabled, "1"}, rate: 2 * detected, burst: burst},
		{name: "2: any other value is on", headers: []string{enabled, "false"}, rate: 2 * detected, burst: burst},
		{name: "3: rate", headers: []string{rate, "400"}, context: throttle.Variables{Rate: 400 * kbit}, rate: 400 * kbit, source: "variables"},
		{name: "3: rate and size", headers: []string{rate, "400", size, "10"},
			context: throttle.Variables{Rate: 400 * kbit, InitialSendSize: 10240}, rate: 400 * kbit, burst: 10240, source: "variables"},
		{name: "3: media variables are not looked at",
			headers: []string{rate, "400", extension, "mp3", encodedIs, "1000", percentage, "50", buffer, "1"},
			context: throttle.Variables{Rate: 400 * kbit, FileExtension: "mp3", EncodedRate: 1000 * kbit, RatePercentage: 50, InitialBufferTime: seconds(1)},
			rate:    400 * kbit, source: "variables"},
		{name: "3: size alone", headers: []string{size, "10"}, context: throttle.Variables{InitialSendSize: 10240}, rate: 2 * detected, burst: burst},
		{name: "4: extension alone", headers: []string{extension, "mp3"}, context: throttle.Variables{FileExtension: "mp3"}, rate: 2 * detected, burst: burst},
		{name: "4: encoded rate alone", headers: []string{encodedIs, "300"}, context: throttle.Variables{EncodedRate: 300 * kbit}, rate: 2 * detected, burst: burst},
		{name: "4: both", headers: []string{extension, "mp3", encodedIs, "300"},
			context: throttle.Variables{FileExtension: "mp3", EncodedRate: 300 * kbit}, rate: 300 * kbit, burst: 375_000, source: "variables"},
		{name: "4: extension with a dot", headers: []string{extension, ".MP3", encodedIs, "300"},
			context: throttle.Variables{FileExtension: ".MP3", EncodedRate: 300 * kbit}, rate: 300 * kbit, burst: 375_000, source: "variables"},
		{name: "4: of data", headers: []string{extension, "jpg", encodedIs, "300", percentage, "10", buffer, "9"},
			context: throttle.Variables{FileExtension: "jpg", EncodedRate: 300 * kbit, RatePercentage: 10, InitialBufferTime: seconds(9)},
			rate:    50 * kbit, burst: 1024, source: "data"},
		{name: "4: of no setting", headers: []string{extension, "xyz", encodedIs, "300"}, context: throttle.Variables{FileExtension: "xyz", EncodedRate: 300 * kbit}},
		{name: "4: percentage", headers: []string{percentage, "50"}, context: throttle.Variables{RatePercentage: 50}, rate: detected / 2, burst: burst},
		{name: "4: burst", headers: []string{buffer, "0"}, context: throttle.Variables{InitialBufferTime: seconds(0)}, rate: 2 * detected},
		{name: "4: all, the example of the source", headers: []string{extension, "mp3", encodedIs, "300", percentage, "110", buffer, "25"},
			context: throttle.Variables{FileExtension: "mp3", EncodedRate: 300 * kbit, RatePercentage: 110, InitialBufferTime: seconds(25)},
			rate:    330 * kbit, burst: 937_500, source: "variables"},
		{name: "the maximum caps variables", headers: []string{rate, "400", size, "10"}, context: throttle.Variables{Rate: 400 * kbit, InitialSendSize: 10240},
			rules: func(r *throttle.Rules) { r.MaxRate = 200 * kbit }, rate: 200 * kbit, burst: 10240, source: "variables"},
		{name: "the maximum caps percentages", headers: []string{percentage, "1000"}, context: throttle.Variables{RatePercentage: 1000},
			rules: func(r *throttle.Rules) { r.MaxRate = 200 * kbit }, rate: 200 * kbit, burst: burst},
	} {
		contexts := []struct {
			name    string
			context throttle.Variables
			headers []string
		}{{"header", throttle.Variables{}, c.headers}, {"context", c.context, nil}, {"header over context", throttle.Variables{}, c.headers}}
		if len(c.headers) > 0 && c.headers[0] != enabled {
			contexts[2].context = throttle.Variables{Rate: c.context.Rate / 2, RatePercentage: c.context.RatePercentage / 2}
		}
		for _, by := range contexts {
			t.Run(c.name+"/"+by.name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					rules := variableRules()
					if c.rules != nil {
						c.rules(rules)
					}
					b := newBench(with(files(map[string][]byte{"film.wav": film}), by.headers...), rules, nil)
					ctx, cancel := context.WithTimeout(throttle.WithVariables(t.Context(), by.context), 10*time.Minute)
					defer cancel()
					w := newWire()
					b.ServeHTTP(w, request("GET", "/film.wav").WithContext(ctx))
					got := b.last()
					assert.Equal(t, c.rate, got.Rate)
					assert.Equal(t, c.burst, got.Burst)
					if c.source != "" {
						assert.Equal(t, c.source, got.Source)
					}
					for name := range w.header {
						assert.NotRegexp(t, "(?i)throttler|accel", name)
					}
					assert.Empty(t, b.log.all())
				})
			})
		}
	}
}

// nginx's header, in bytes per second.
func TestAccelLimitRate(t *testing.T) {
	film := wav(10 * wavBytes)
	for _, c := range []struct {
		headers []string
		context throttle.Rate
		want    throttle.Rate // zero means unthrottled
		logs    int
	}{
		{headers: []string{accel, "50000"}, want: 400 * kbit},
		{headers: []string{accel, " 50000 "}, want: 400 * kbit},
		{headers: []string{accel, "0"}},
		{headers: []string{accel, "off"}},
		{headers: []string{accel, "OFF"}},
		{headers: []string{accel, "0", enabled, "1", rate, "300"}, want: 300 * kbit},
		{headers: []string{accel, "50000", rate, "300"}, want: 300 * kbit},
		{headers: []string{accel, "50000"}, context: 100 * kbit, want: 400 * kbit},
		{headers: []string{accel, "50k"}, want: 1_600_070, logs: 1},
		{headers: []string{accel, "-1"}, want: 1_600_070, logs: 1},
		{headers: []string{accel, "99999999999999999999"}, want: 1_600_070, logs: 1},
		{headers: []string{accel, "125000000001"}, want: 1_600_070, logs: 1},
		{headers: []string{accel, ""}, want: 1_600_070, logs: 1},
	} {
		t.Run(strings.Join(c.headers, " "), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(with(files(map[string][]byte{"film.wav": film}), c.headers...), variableRules(), nil)
				w := newWire()
				b.ServeHTTP(w, request("GET", "/film.wav").WithContext(throttle.WithVariables(t.Context(), throttle.Variables{Rate: c.context})))
				assert.Equal(t, c.want, b.last().Rate)
				assert.NotContains(t, w.header, accel)
				assert.Len(t, b.log.all(), c.logs)
			})
		})
	}
}

// A value that is no number in range is not used, but said.
func TestJunkVariables(t *testing.T) {
	synctest.Test(t, testJunkVariables)
}

func testJunkVariables(t *testing.T) {
	for _, name := range []string{size, rate, encodedIs, percentage, buffer} {
		for _, value := range []string{"", "x", "-1", "1.5", "1e3", "0x10", "1_0", "99999999999999999999", "9223372036854775807", strings.Repeat("9", 10_000)} {
			b := newBench(with(content(5000), name, value), variableRules(), nil)
			w, _ := b.get(t, "/x.jpg")
			assert.Equal(t, 50*kbit, b.last().Rate, "%s %.30s", name, value)
			require.Len(t, b.log.all(), 1, "%s %.30s", name, value)
			assert.Regexp(t, "(?i)"+name, b.log.all()[0])
			assert.Less(t, len(b.log.all()[0]), 300)
			assert.NotContains(t, w.header, http.CanonicalHeaderKey(name))
		}
	}
	b := newBench(with(content(5000), enabled, "", extension, "", rate, "0"), variableRules(), nil)
	b.get(t, "/x.jpg")
	assert.Equal(t, 50*kbit, b.last().Rate)
}

// Whatever an application puts into a context is brought into range.
func TestExtremeVariables(t *testing.T) {
	long := time.Duration(math.MaxInt64)
	negative := -time.Hour
	for _, v := range []throttle.Variables{
		{Rate: math.MaxInt64, InitialSendSize: math.MaxInt64}, {Rate: 5 * throttle.MbitPerSecond, InitialSendSize: math.MinInt64},
		{FileExtension: "mp3", EncodedRate: math.MaxInt64, RatePercentage: math.MaxInt, InitialBufferTime: &long},
		{FileExtension: "mp3", EncodedRate: 5 * throttle.MbitPerSecond, RatePercentage: -1, InitialBufferTime: &negative},
		{Rate: -1, EncodedRate: -1, FileExtension: "mp3"},
	} {
		synctest.Test(t, func(t *testing.T) {
			rules := variableRules()
			rules.TargetRate = throttle.MaxRate
			b := newBench(content(1_000_000), rules, nil)
			for range 2 {
				w := newWire()
				b.ServeHTTP(w, request("GET", "/x.jpg").WithContext(throttle.WithVariables(t.Context(), v)))
				assert.Equal(t, int64(1_000_000), w.sent, "%+v", v)
				assert.LessOrEqual(t, b.last().Rate, throttle.MaxRate)
				assert.Positive(t, b.last().Rate)
			}
		})
	}
}

// The variables never leave, whatever becomes of the response.
func TestVariablesAreStripped(t *testing.T) {
	set := func(next http.HandlerFunc) http.Handler {
		return with(next, enabled, "1", size, "1", rate, "junk", extension, "mp3", encodedIs, "1", percentage, "1", buffer, "1", accel, "5")
	}
	film := files(map[string][]byte{"film.wav": wav(10_000), "film": wav(10_000)})
	for _, c := range []struct {
		name, method, path string
		header             []string
		inner              http.HandlerFunc
		rules              throttle.Rules
	}{
		{"paced", "GET", "/film.wav", nil, film.ServeHTTP, throttle.Rules{}},
		{"no setting", "GET", "/film", nil, film.ServeHTTP, throttle.Rules{}},
		{"disabled", "GET", "/film.wav", nil, film.ServeHTTP, throttle.Rules{Disabled: true}},
		{"HEAD", "HEAD", "/film.wav", nil, film.ServeHTTP, throttle.Rules{}},
		{"range", "GET", "/film.wav", []string{"Range", "bytes=0-1"}, film.ServeHTTP, throttle.Rules{}},
		{"not modified", "GET", "/film.wav", []string{"If-Modified-Since", epoch.Format(http.TimeFormat)}, film.ServeHTTP, throttle.Rules{}},
		{"not found", "GET", "/other.wav", nil, film.ServeHTTP, throttle.Rules{}},
		{"nothing written", "GET", "/film.wav", nil, func(http.ResponseWriter, *http.Request) {}, throttle.Rules{}},
		{"only flushed", "GET", "/film.wav", nil, func(w http.ResponseWriter, _ *http.Request) { _ = http.NewResponseController(w).Flush() }, throttle.Rules{}},
		{"panic", "GET", "/film.wav", nil, func(http.ResponseWriter, *http.Request) { panic("inner") }, throttle.Rules{}},
		{"refused", "GET", "/film", nil, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "video/mp4")
			_, err := w.Write(make([]byte, 10_000))
			assert.Error(t, err)
		}, throttle.Rules{Settings: []throttle.Setting{{Match: "video/*", Group: "g"}}, Groups: []throttle.Group{{Name: "g", ConnectionLimit: 1}}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(set(c.inner), &c.rules, nil)
				if c.name == "refused" {
					b = newBench(set(func(w http.ResponseWriter, r *http.Request) {
						if r.Method == "POST" { // holds the only connection while the other comes
							w.Header().Set("Content-Type", "video/mp4")
							w.WriteHeader(200)
							inner := newWire()
							b.ServeHTTP(inner, request("GET", "/film"))
							assert.Equal(t, 503, inner.status)
							assertStripped(t, inner.header)
							return
						}
						c.inner(w, r)
					}), &c.rules, nil)
					b.ServeHTTP(newWire(), request("POST", "/film"))
					return
				}
				w := newWire()
				if c.name == "panic" {
					assert.Panics(t, func() { b.ServeHTTP(w, request(c.method, c.path)) })
				} else {
					b.ServeHTTP(w, request(c.method, c.path, c.header...))
				}
				assertStripped(t, w.header)
			})
		})
	}
}

func assertStripped(t *testing.T, h http.Header) {
	t.Helper()
	for name := range h {
		assert.NotRegexp(t, "(?i)throttler|accel", name)
	}
}

// Variables set before an informational response do not leave with it, and count for the response itself.
func TestVariablesBeforeEarlyHints(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		inner := func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Link", "</cover.jpg>")
			w.Header().Set(rate, "400")
			w.WriteHeader(http.StatusEarlyHints)
			w.Header().Set(size, "100")
			content(150<<10).ServeHTTP(w, r)
		}
		b := newBench(http.HandlerFunc(inner), nil, nil)
		client := serve(t, newNetwork(8<<10), b)
		var hints []textproto.MIMEHeader
		ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{Got1xxResponse: func(code int, h textproto.MIMEHeader) error {
			assert.Equal(t, http.StatusEarlyHints, code)
			hints = append(hints, h)
			return nil
		}})
		r, err := http.NewRequestWithContext(ctx, "GET", "http://server/film", nil)
		require.NoError(t, err)
		resp, err := client.Do(r)
		require.NoError(t, err)
		defer resp.Body.Close()
		assert.Equal(t, http.StatusOK, resp.StatusCode)
		require.Len(t, hints, 1)
		assertStripped(t, http.Header(hints[0]))
		assert.NotEmpty(t, hints[0].Get("Link"))
		assertStripped(t, resp.Header)
		rec := httptest.NewRecorder()
		_ = resp.Write(rec)
		synctest.Wait()
		assert.Equal(t, 400*kbit, b.last().Rate)
		assert.Equal(t, int64(100<<10), b.last().Burst)
	})
}

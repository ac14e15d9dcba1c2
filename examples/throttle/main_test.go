package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/throttle"
)

const (
	encoded = sampleRate * 16 // bit/s of the sample
	whole   = 44 + sampleRate*sampleSeconds*2
)

// start runs the program on a free port and returns the address of its page and what it printed.
func start(t *testing.T, args ...string) (base, printed string) {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	r, w := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		err := run(ctx, append([]string{"-listen", "127.0.0.1:0"}, args...), w)
		w.CloseWithError(err)
		ended <- err
	}()
	t.Cleanup(func() {
		stop()
		select {
		case err := <-ended:
			assert.NoError(t, err)
		case <-time.After(10 * time.Second):
			t.Error("the server does not stop")
		}
	})
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		printed += lines.Text() + "\n"
		if strings.HasPrefix(lines.Text(), "Press") {
			break
		}
	}
	require.NoError(t, lines.Err())
	found := regexp.MustCompile(`(?m)^Page: (\S+)/$`).FindStringSubmatch(printed)
	require.NotNil(t, found, printed)
	return found[1], printed
}

func get(t *testing.T, url string) (*http.Response, []byte) {
	t.Helper()
	resp, err := http.Get(url)
	require.NoError(t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return resp, body
}

// stats asks for the figures of the page until they fit, as they come a moment after the client has gone.
func stats(t *testing.T, base string, fit func(throttle.Stats) bool) (s throttle.Stats) {
	t.Helper()
	require.Eventually(t, func() bool {
		resp, body := get(t, base+"/stats")
		return assert.Equal(t, "application/json", resp.Header.Get("Content-Type")) && json.Unmarshal(body, &s) == nil && fit(s)
	}, 5*time.Second, 20*time.Millisecond)
	return s
}

// A player opens the page, begins to play the sample and leaves: most of it is never sent.
func TestSample(t *testing.T) {
	base, _ := start(t)
	resp, page := get(t, base+"/")
	assert.Equal(t, http.StatusOK, resp.StatusCode)
	assert.Contains(t, string(page), `src="/media/sample.wav"`)
	assert.Contains(t, string(page), `>sample.wav</a>`)

	resp, err := http.Get(base + "/media/sample.wav")
	require.NoError(t, err)
	assert.Equal(t, http.StatusOK, resp.StatusCode)
	assert.EqualValues(t, whole, resp.ContentLength)
	assertLaw(t, encoded, encoded*10/8, resp)
	assert.Contains(t, []string{"audio/wav", "audio/x-wav", "audio/vnd.wave", "audio/wave"}, resp.Header.Get("Content-Type"))
	_, err = io.CopyN(io.Discard, resp.Body, encoded*10/8)
	require.NoError(t, err)
	resp.Body.Close()
	s := stats(t, base, func(s throttle.Stats) bool { return s.Aborted == 1 })
	assert.InEpsilon(t, encoded*10/8, s.BurstBytes, 0.001)
	assert.EqualValues(t, whole, s.BurstBytes+s.SteadyBytes+s.SavedBytes)
	assert.Greater(t, s.SavedBytes, uint64(whole/2))

	resp, _ = get(t, base+"/media/other.wav")
	assert.Equal(t, http.StatusNotFound, resp.StatusCode)
}

// A directory is served with all its media files, and a section of IIS says how.
func TestDirectory(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(dir, "a b"), 0o755))
	for _, name := range []string{"a b/50%.WAV", "z.wav", "notes.txt"} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, filepath.FromSlash(name)), wave(), 0o600))
	}
	base, printed := start(t, "-config", section(t, 3, 200), dir)
	assert.NotContains(t, printed, "line ", "no warnings")
	_, page := get(t, base+"/")
	assert.Contains(t, string(page), `<a href="/media/a%20b/50%25.WAV">a b/50%.WAV</a>`)
	assert.Contains(t, string(page), `<a href="/media/z.wav">`)
	assert.NotContains(t, string(page), "notes.txt")
	resp, err := http.Get(base + "/media/a%20b/50%25.WAV")
	require.NoError(t, err)
	resp.Body.Close()
	assertLaw(t, 2*encoded, encoded*3/8, resp)
	resp, err = http.Get(base + "/media/notes.txt")
	require.NoError(t, err)
	resp.Body.Close()
	assert.Empty(t, resp.Header.Get("X-Throttle"))
}

// assertLaw compares what a response says of its law. The rate is that of the file, which has a header.
func assertLaw(t *testing.T, rate, burst int, resp *http.Response) {
	t.Helper()
	var gotRate, gotBurst int
	_, err := fmt.Sscanf(resp.Header.Get("X-Throttle"), "rate=%d; burst=%d;", &gotRate, &gotBurst)
	require.NoError(t, err, resp.Header)
	assert.InEpsilon(t, rate, gotRate, 0.001)
	assert.InEpsilon(t, burst, gotBurst, 0.001)
}

// section writes a configuration for .wav.
func section(t *testing.T, burst, percent int) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "section.xml")
	text := fmt.Sprintf(`<bitrateThrottling enabled="true"><throttleSettings><clear/><add fileExtension=".wav" settingType="media"
		initialBufferTimeSeconds="%d" throttleRatePercentage="%d"/></throttleSettings></bitrateThrottling>`, burst, percent)
	require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
	return file
}

// picture is what the tests read of an SVG.
type picture struct {
	XMLName xml.Name `xml:"http://www.w3.org/2000/svg svg"`
	Title   string   `xml:"title"`
	Paths   []struct {
		Class string `xml:"class,attr"`
		D     string `xml:"d,attr"`
	} `xml:"path"`
	Lines []struct {
		Class string  `xml:"class,attr"`
		X1    float64 `xml:"x1,attr"`
		Y1    float64 `xml:"y1,attr"`
		X2    float64 `xml:"x2,attr"`
		Y2    float64 `xml:"y2,attr"`
	} `xml:"line"`
	Texts []string `xml:"text"`
}

// draw runs the program with -plot and returns the picture and the corners of the curve, in pixels.
func draw(t *testing.T, args ...string) (p picture, x, y []float64) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "out.svg")
	var out bytes.Buffer
	require.NoError(t, run(t.Context(), append([]string{"-plot", file}, args...), &out))
	assert.Contains(t, out.String(), file+": ")
	data, err := os.ReadFile(file)
	require.NoError(t, err)
	require.NoError(t, xml.Unmarshal(data, &p))
	require.Len(t, p.Paths, 1)
	for _, m := range regexp.MustCompile(`[MHV]([-\d.]+)(?: ([-\d.]+))?`).FindAllStringSubmatch(p.Paths[0].D, -1) {
		first := number(t, m[1])
		switch m[0][0] {
		case 'M':
			x, y = append(x, first), append(y, number(t, m[2]))
		case 'H':
			x = append(x, first)
		case 'V':
			y = append(y, first)
		}
	}
	require.Len(t, y, len(x))
	return p, x, y
}

func number(t *testing.T, s string) float64 {
	t.Helper()
	v, err := strconv.ParseFloat(s, 64)
	require.NoError(t, err)
	return v
}

// The picture has the burst at its left edge, and then steps that follow the law from below, to its right one.
func TestPlot(t *testing.T) {
	p, x, y := draw(t, "-for", "2s", "-config", section(t, 3, 100))
	assert.Contains(t, p.Title, "sample.wav: ")
	assert.Contains(t, p.Title, "burst 264.6 kB, then 705.6 kbit/s")
	words := strings.Join(p.Texts, "\n")
	for _, want := range []string{"received", "received, in kB", "in seconds", "the law: 264.6 kB + 88.2 kB/s (705.6 kbit/s, from "} {
		assert.Contains(t, words, want)
	}
	var law [][4]float64
	for _, l := range p.Lines {
		if l.Class == "law" && l.Y1 != l.Y2 {
			law = append(law, [4]float64{l.X1, l.Y1, l.X2, l.Y2})
		}
	}
	require.Len(t, law, 1)
	x1, y1, x2, y2 := law[0][0], law[0][1], law[0][2], law[0][3]
	assert.InDelta(t, left, x1, 0.1)
	assert.Greater(t, x2, float64(width-right)-30, "to the end")
	slope := (y2 - y1) / (x2 - x1)
	assert.GreaterOrEqual(t, len(x), 6, "steps")
	inBurst := 0
	for i := range x {
		above := y1 + slope*(x[i]-x1) - y[i]
		assert.Less(t, above, 12.0, "point %d, pixels above the law", i) // of about 50 for a quantum; the header comes a moment later
		if x[i] < left+20 {
			inBurst = i
		}
	}
	assert.InDelta(t, y1, y[inBurst], 12, "the burst comes at once")
	assert.InDelta(t, y2, y[len(y)-1], 90, "and no more than two quanta are missing in the end")
}

// A server that says nothing of a law, and a body that ends early.
func TestPlotAddress(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/<a>.bin" {
			http.NotFound(w, r)
			return
		}
		w.(http.Flusher).Flush() // without a length
		w.Write(make([]byte, 5000))
	}))
	defer srv.Close()
	p, _, y := draw(t, srv.URL+"/%3Ca%3E.bin")
	assert.Contains(t, p.Title, "<a>.bin: 5.0 kB in ")
	assert.Less(t, y[len(y)-1], y[0])
	for _, l := range p.Lines {
		assert.NotEqual(t, "law", l.Class)
	}
	err := run(t.Context(), []string{"-plot", filepath.Join(t.TempDir(), "out.svg"), srv.URL}, io.Discard)
	require.ErrorContains(t, err, "404 Not Found")
}

func TestWrongArguments(t *testing.T) {
	file := filepath.Join(t.TempDir(), "section.xml")
	require.NoError(t, os.WriteFile(file, []byte("<bitrateThrottling>\n<nope"), 0o600))
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"a", "b"}, "one directory or address"},
		{[]string{t.TempDir()}, "no media files"},
		{[]string{filepath.Join(t.TempDir(), "missing")}, "missing"},
		{[]string{"-config", filepath.Join(t.TempDir(), "missing.xml")}, "missing.xml"},
		{[]string{"-config", file}, "line 2"},
		{[]string{"-listen", "nowhere:-1"}, "-listen"},
		{[]string{"-plot", "out.svg", "-for", "0s"}, "no time"},
	} {
		err := run(t.Context(), c.args, io.Discard)
		assert.ErrorContains(t, err, c.want, "%q", c.args)
	}
}

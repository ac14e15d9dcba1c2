package console_test

import (
	"context"
	"log/slog"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/examples/mediaserver/internal/console"
)

// TestList: searching, turning around and turning pages.
func TestList(t *testing.T) {
	h := newConsole(t, at(noon), nil)
	for _, c := range []struct {
		path, first string
		rows        int
		text        string
		next        bool
	}{
		{"presentations", "films/000/film-000.ism", 100, "1 to 100 of 251", true},
		{"presentations?page=3", "films/004/film-200.ism", 51, "201 to 251 of 251", false},
		{"presentations?order=down", "sample/sample.ism", 100, "1 to 100 of 251", true},
		{"presentations?q=FILM-24", "films/004/film-240.ism", 10, "1 to 10 of 10", false},
		{"presentations?q=zebra", "", 0, "", false},
		{"presentations?page=99", "", 0, "", false},
		{"presentations?page=-1&order=sideways", "films/000/film-000.ism", 100, "1 to 100 of 251", true},
		{"presentations?page=99999999999999999999", "films/000/film-000.ism", 100, "1 to 100 of 251", true},
	} {
		d := page(t, h, c.path, http.StatusOK)
		rows := d.with("data-presentation", "*")
		require.Len(t, rows, c.rows, c.path)
		assert.Equal(t, c.next, len(d.with("rel", "next")) == 1, c.path)
		if c.rows > 0 {
			assert.Equal(t, c.first, rows[0].attrs["data-presentation"], c.path)
			assert.Equal(t, c.text, d.with("data-total", "*")[0].text, c.path)
		}
	}
	d := page(t, h, "presentations?q=film&order=down&page=2", http.StatusOK)
	u := resolve(t, "presentations", d.only(t, "rel", "next").attrs["href"])
	assert.Equal(t, url.Values{"q": {"film"}, "order": {"down"}, "page": {"3"}}, u.Query())
	assert.Equal(t, "film", d.only(t, "id", "q").attrs["value"])
	row := page(t, h, "presentations?q=sample", http.StatusOK).only(t, "data-presentation", "sample/sample.ism").text
	for _, s := range []string{"On demand", "1:23:45", "3000 · 1500 · 700 · 350 kbit/s", "en, de", "2026-03-10 08:00"} {
		assert.Contains(t, row, s)
	}
}

// TestPresentation: addresses, players, levels and the timeline with its gap.
func TestPresentation(t *testing.T) {
	d := page(t, newConsole(t, at(noon), nil), "presentation?name=sample/sample.ism", http.StatusOK)
	assert.Empty(t, d.with("data-live", "*"), "what is on demand does not change")
	out := d.only(t, "data-output", "hls-fmp4/hls")
	assert.Equal(t, "/some/prefix/sample/sample.ism/Manifest(format=m3u8-cmaf).m3u8", resolve(t, "presentation", out.with("data-url", "*")[0].attrs["href"]).Path)
	player := out.with("target", "player")[0]
	assert.Equal(t, url.Values{"play": {"sample/sample.ism"}, "format": {"hls-fmp4"}, "engine": {"hls"}, "embed": {"1"}}, resolve(t, "presentation", player.attrs["href"]).Query())
	assert.Equal(t, "player", d.only(t, "data-player", "*").attrs["name"])
	video := d.only(t, "data-chart", "timeline-0")
	assert.Len(t, video.with("data-level", "*"), 4)
	assert.Len(t, video.with("data-gap", "*"), 1)
	assert.LessOrEqual(t, len(strings.Split(video.with("data-x", "*")[0].attrs["data-x"], " ")), 600)
	assert.Contains(t, video.with("role", "img")[0].attrs["aria-label"], "1080p at 3 Mbit/s has 3.01 Mbit/s on average")
	assert.Empty(t, video.all(func(e *element) bool { return e.attrs["class"] == "marks" }), "too many boundaries to be seen")
	assert.Contains(t, d.only(t, "data-stream", "video").text, "1 gap")
	assert.NotEmpty(t, page(t, newConsole(t, at(noon), nil), "presentation?name=live/arena.isml", http.StatusOK).with("data-live", "*"))
}

// TestZoom: a part of the timeline, the ways from there, and what cannot be meant.
func TestZoom(t *testing.T) {
	h := newConsole(t, at(noon), nil)
	shown := func(query string) (from, to float64) {
		d := page(t, h, "presentation?name=sample/sample.ism&"+query, http.StatusOK)
		c := d.only(t, "data-chart", "timeline-0")
		from, err := strconv.ParseFloat(c.attrs["data-from"], 64)
		require.NoError(t, err)
		to, err = strconv.ParseFloat(c.attrs["data-to"], 64)
		require.NoError(t, err)
		return from, to
	}
	for query, want := range map[string][2]float64{
		"": {0, 5024}, "from=1000&to=1300": {1000, 1300}, "from=1300&to=1000": {1300, 5024}, "from=-5&to=9999": {0, 5024}, "from=NaN&to=NaN": {0, 5024},
		"from=Inf&to=-Inf": {0, 5024}, "from=x&to=100": {0, 100}, "from=100&to=100.01": {100, 101}, "from=5023.9": {5023.9, 5024.9},
	} {
		from, to := shown(query)
		assert.InDeltaSlice(t, want[:], []float64{from, to}, 1e-6, query)
	}
	d := page(t, h, "presentation?name=sample/sample.ism&from=1000&to=1200", http.StatusOK)
	assert.NotEmpty(t, d.only(t, "data-chart", "timeline-0").all(func(e *element) bool { return e.attrs["class"] == "marks" }), "boundaries can be seen")
	for way, want := range map[string]string{"in": "from=1050.0&to=1150.0", "out": "from=900.0&to=1300.0", "earlier": "from=900.0&to=1100.0", "later": "from=1100.0&to=1300.0", "all": ""} {
		u := resolve(t, "presentation", d.only(t, "data-zoom", way).attrs["href"])
		q := u.Query()
		assert.Equal(t, "sample/sample.ism", q.Get("name"))
		q.Del("name")
		assert.Equal(t, want, q.Encode(), way)
		assert.Equal(t, "timeline", u.Fragment)
	}
}

// odd is a presentation whose numbers are not what they should be.
type odd struct {
	*fake
	streams []console.Stream
}

func (o odd) Presentation(_ context.Context, name string) (*console.Presentation, error) {
	return &console.Presentation{Name: name, Streams: o.streams}, nil
}

// TestOddTimelines: what cannot be drawn is left out, and what is long or much is bounded.
func TestOddTimelines(t *testing.T) {
	nan, inf := math.NaN(), math.Inf(1)
	many := make([]console.Stream, 40)
	for i := range many {
		many[i] = console.Stream{Name: "a" + strconv.Itoa(i), Type: "audio", Levels: []console.Level{{Bitrate: 64000, Points: fragments(4, 2, 64000)}}}
	}
	gaps := make([]console.Span, 5000)
	for i := range gaps {
		gaps[i] = console.Span{Start: float64(i), End: float64(i) + .5}
	}
	for name, streams := range map[string][]console.Stream{
		"nothing":   nil,
		"no points": {{Name: "video", Type: "video", Levels: []console.Level{{Bitrate: 1}}}},
		"numbers":   {{Name: "video", Type: "video", Gaps: []console.Span{{nan, nan}, {5, 4}, {1, inf}}, Levels: []console.Level{{Points: []console.FragmentPoint{{0, 2, nan}, {2, 2, inf}, {4, -1, 5}, {4, 0, 5}, {4, nan, 5}, {6, 2, -5}}}}}},
		"infinite":  {{Name: "video", Type: "video", Levels: []console.Level{{Points: []console.FragmentPoint{{0, inf, 5}}}}}},
		"backwards": {{Name: "video", Type: "video", Levels: []console.Level{{Points: []console.FragmentPoint{{10, 2, 1}, {0, 2, 1}}}}}},
		"long":      {{Name: "video", Type: "video", Gaps: gaps, Levels: []console.Level{{Bitrate: 1e6, Points: fragments(100_001, 2, 1e6)}}}},
		"many":      many,
		"levels":    {{Name: "video", Type: "video", Levels: make([]console.Level, 30)}, {Name: "v", Type: "video", Levels: append(make([]console.Level, 3), console.Level{Points: fragments(3, 1, 1)})}},
	} {
		t.Run(name, func(t *testing.T) {
			w := get(newConsole(t, odd{at(noon), streams}, nil), "presentation?name=x.ism")
			require.Equal(t, http.StatusOK, w.Code)
			assert.NotContains(t, w.Body.String(), "NaN")
			assert.NotContains(t, w.Body.String(), "Inf")
			assert.Less(t, w.Body.Len(), 150_000)
			d := parse(t, w.Body.String())
			checkDocument(t, d)
			assert.LessOrEqual(t, len(d.with("data-chart", "*")), 8)
			for _, l := range d.with("data-level", "*") {
				assert.LessOrEqual(t, strings.Count(l.attrs["d"], "H"), 600)
			}
		})
	}
}

// few has a presentation of few fragments, which is drawn faster.
type few struct{ console.Source }

func (few) Presentation(_ context.Context, name string) (*console.Presentation, error) {
	level := console.Level{Bitrate: 1000}
	for i := range 4 {
		level.Points = append(level.Points, console.FragmentPoint{Start: float64(i) * 1256, Duration: 1256, BitsPerSecond: 1000})
	}
	return &console.Presentation{
		Name: name, Duration: 5024 * time.Second, Streams: []console.Stream{{Name: "video", Type: "video", Levels: []console.Level{level}}},
	}, nil
}

// FuzzZoom: whatever stands in the address, a part of the timeline is shown.
func FuzzZoom(f *testing.F) {
	for _, s := range []string{"", "0", "-1", "NaN", "1e308", "5023.99", "0x10p4", "1300"} {
		f.Add(s, "1300")
		f.Add("1000", s)
	}
	h := console.New(few{at(noon)}, &console.Options{Logger: slog.New(slog.DiscardHandler)})
	f.Cleanup(func() { h.Close() })
	mounted := http.StripPrefix(prefix, h)
	f.Fuzz(func(t *testing.T, from, to string) {
		w := get(mounted, "presentation?"+url.Values{"name": {"sample/sample.ism"}, "from": {from}, "to": {to}}.Encode())
		if w.Code == http.StatusRequestURITooLong {
			return
		}
		require.Equal(t, http.StatusOK, w.Code)
		c := parse(t, w.Body.String()).only(t, "data-chart", "timeline-0")
		start, err := strconv.ParseFloat(c.attrs["data-from"], 64)
		require.NoError(t, err)
		end, err := strconv.ParseFloat(c.attrs["data-to"], 64)
		require.NoError(t, err)
		assert.True(t, start >= 0 && start < 5024 && end-start >= 1 && end < 5026, "%g to %g", start, end)
		assert.NotContains(t, w.Body.String(), "NaN")
	})
}

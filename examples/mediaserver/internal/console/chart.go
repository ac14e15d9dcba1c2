package console

import (
	"math"
	"strconv"
	"strings"
	"time"
)

// The plot of a chart has these units; the browser stretches it to the width there is. What is written beside it is HTML, so
// that it keeps its size.
const (
	plotWidth  = 600.0
	plotHeight = 100.0
	chartSpan  = time.Hour
	chartLeast = 10 * time.Minute // of a server that has just begun
	maxSamples = 3600
)

// chart is a line over the last hour.
type chart struct {
	ID, Title string
	// Summary says the same in words.
	Summary string
	// Ticks are the labels of the vertical axis, from the top, Times those of the horizontal one.
	Ticks, Times []string
	Line, Area   string
	// X are the places of the values, Labels what they are, separated by bars: for the cursor.
	X, Labels string
	Rows      []chartRow
	Empty     bool
}

// chartRow is five minutes of a chart, for those who do not see it.
type chartRow struct{ Time, Average, Peak string }

// newChart draws values, oldest first, with the time of the last one at the right.
func (c *Console) newChart(id, title string, write func(any) string, values []value) *chart {
	ch := &chart{ID: id, Title: title, Empty: len(values) == 0}
	if ch.Empty {
		ch.Summary = title + ": nothing measured yet"
		return ch
	}
	values = values[max(0, len(values)-maxSamples):]
	end := values[len(values)-1].at
	for values[0].at.Before(end.Add(-chartSpan)) {
		values = values[1:]
	}
	length := max(end.Sub(values[0].at), chartLeast)
	start := end.Add(-length)
	top := niceTop(peakOf(values))
	for i := range 3 {
		ch.Ticks = append(ch.Ticks, tick(write(top*float64(2-i)/2)))
	}
	for i := range 5 {
		ch.Times = append(ch.Times, start.Add(length*time.Duration(i)/4).In(c.opts.Location).Format("15:04"))
	}
	x := func(v value) float64 { return plotWidth * float64(v.at.Sub(start)) / float64(length) }
	ch.plot(values, x, top, func(v value) string {
		return v.at.In(c.opts.Location).Format("15:04:05") + " · " + write(v.v)
	})
	ch.Rows = c.chartRows(values, write)
	ch.Summary = summary(title, values, write)
	return ch
}

// plot writes the paths. A hole in the times is one in the line.
func (ch *chart) plot(values []value, x func(value) float64, top float64, label func(value) string) {
	hole := holeIn(values)
	floor := coordinate(plotHeight)
	var line, area strings.Builder
	var xs, labels []string
	begin := ""
	for i, v := range values {
		px, py := coordinate(x(v)), coordinate(plotHeight-plotHeight*clean(v.v)/top)
		if i == 0 || v.at.Sub(values[i-1].at) > hole {
			begin = px
			line.WriteString("M" + px + " " + py)
			area.WriteString("M" + px + " " + floor + "V" + py)
		} else {
			line.WriteString("L" + px + " " + py)
			area.WriteString("L" + px + " " + py)
		}
		if i == len(values)-1 || values[i+1].at.Sub(v.at) > hole {
			area.WriteString("V" + floor + "H" + begin + "Z")
		}
		xs, labels = append(xs, px), append(labels, label(v))
	}
	ch.Line, ch.Area = line.String(), area.String()
	ch.X, ch.Labels = strings.Join(xs, " "), strings.Join(labels, "|")
}

// chartRows sums up five minutes each.
func (c *Console) chartRows(values []value, write func(any) string) []chartRow {
	const each = 5 * time.Minute
	var rows []chartRow
	for len(values) > 0 {
		end := values[0].at.Truncate(each).Add(each)
		n, sum, peak := 0, 0.0, 0.0
		for n < len(values) && values[n].at.Before(end) {
			sum += clean(values[n].v)
			peak = max(peak, clean(values[n].v))
			n++
		}
		rows = append(rows, chartRow{
			Time: values[0].at.In(c.opts.Location).Format("15:04"), Average: write(sum / float64(n)), Peak: write(peak),
		})
		values = values[n:]
	}
	return rows
}

func summary(title string, values []value, write func(any) string) string {
	last := values[len(values)-1]
	return title + " over the last hour: now " + write(clean(last.v)) + ", at most " + write(peakOf(values))
}

// holeIn returns the distance of values from which on there is a hole between them: three times the shortest one, or more.
func holeIn(values []value) time.Duration {
	shortest := time.Duration(math.MaxInt64)
	for i := 1; i < len(values); i++ {
		shortest = min(shortest, values[i].at.Sub(values[i-1].at))
	}
	if shortest > chartSpan {
		return chartSpan
	}
	return max(3*shortest, 30*time.Second)
}

func peakOf(values []value) float64 {
	peak := 0.0
	for _, v := range values {
		peak = max(peak, clean(v.v))
	}
	return peak
}

// clean returns a number that can be drawn.
func clean(v float64) float64 {
	if math.IsNaN(v) || math.IsInf(v, 0) || v < 0 {
		return 0
	}
	return v
}

// niceTop returns the end of an axis on which a value fits, a round number that can be halved.
func niceTop(peak float64) float64 {
	if peak <= 2 {
		return 2
	}
	unit := math.Pow(10, math.Floor(math.Log10(peak)))
	for _, m := range []float64{1, 2, 3, 4, 6, 8} {
		if m*unit >= peak {
			return m * unit
		}
	}
	return 10 * unit
}

// tick shortens what stands at an axis: 6.00 Mbit/s is 6 Mbit/s there, and 0 bit/s is 0.
func tick(s string) string {
	n, unit, ok := strings.Cut(s, " ")
	if strings.Contains(n, ".") {
		n = strings.TrimRight(strings.TrimRight(n, "0"), ".")
	}
	if !ok || n == "0" {
		return n
	}
	return n + " " + unit
}

// coordinate writes a number with one decimal at most.
func coordinate(v float64) string {
	return strings.TrimSuffix(strconv.FormatFloat(v, 'f', 1, 64), ".0")
}

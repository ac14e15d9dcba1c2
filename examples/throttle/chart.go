package main

import (
	"bytes"
	"fmt"
	"html"
	"math"
)

// The picture in pixels: its size, and the margins around the field.
const (
	width, height            = 880, 480
	left, right, top, bottom = 76, 24, 92, 56
)

// chartStyle has colours for light and for dark surroundings.
const chartStyle = `<style>
  .ground { fill: #ffffff } text { fill: #3f4650; font: 13px system-ui, sans-serif } .title { fill: #14181d; font-size: 17px; font-weight: 600 }
  .grid { stroke: #e3e6ea } .axis { stroke: #8b939d } .burst { fill: #1f6feb; fill-opacity: .08 }
  .sent { fill: none; stroke: #1f6feb; stroke-width: 2.5; stroke-linejoin: round } .law { stroke: #d1480f; stroke-width: 1 }
  .length { stroke: #8b939d; stroke-dasharray: 5 4 }
  @media (prefers-color-scheme: dark) {
    .ground { fill: #14181d } text { fill: #b4bcc6 } .title { fill: #f0f3f6 } .grid { stroke: #2b323a } .axis { stroke: #77808b }
    .burst { fill: #6cb0ff; fill-opacity: .1 } .sent { stroke: #6cb0ff } .law { stroke: #ff9c5b } .length { stroke: #77808b }
  }
</style>
`

// drawing is a picture that is being drawn.
type drawing struct {
	bytes.Buffer
	seconds, most float64 // the ends of the axes
}

func (d *drawing) x(seconds float64) float64 { return left + seconds/d.seconds*(width-left-right) }
func (d *drawing) y(bytes float64) float64   { return height - bottom - bytes/d.most*(height-top-bottom) }

func (d *drawing) line(class string, x1, y1, x2, y2 float64) {
	fmt.Fprintf(d, `<line class="%s" x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f"/>`+"\n", class, x1, y1, x2, y2)
}

func (d *drawing) text(attributes string, x, y float64, s string) {
	fmt.Fprintf(d, `<text %s x="%.1f" y="%.1f">%s</text>`+"\n", attributes, x, y, html.EscapeString(s))
}

// chart draws a transfer as SVG: bytes over time as steps, and the law as a thin line.
func chart(t *transfer) []byte {
	end := t.last()
	d := &drawing{seconds: max(end.seconds, 0.001), most: float64(max(end.bytes, 1))}
	if t.law != nil {
		d.most = max(d.most, min(t.law.bytes(d.seconds), 2*d.most))
	}
	d.most *= 1.05
	fmt.Fprintf(d, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" role="img" aria-labelledby="title">`+"\n", width, height)
	fmt.Fprintf(d, `<title id="title">%s: %s</title>`+"\n%s", html.EscapeString(t.name), html.EscapeString(summary(t)), chartStyle)
	fmt.Fprintf(d, `<rect class="ground" width="%d" height="%d"/>`+"\n", width, height)
	d.text(`class="title"`, left, 30, t.name+": "+summary(t))
	d.axes()
	if t.law != nil && float64(t.law.burst) < d.most {
		fmt.Fprintf(d, `<rect class="burst" x="%d" y="%.1f" width="%d" height="%.1f"/>`+"\n",
			left, d.y(float64(t.law.burst)), width-left-right, d.y(0)-d.y(float64(t.law.burst)))
		d.text(`text-anchor="end"`, width-right-10, d.y(float64(t.law.burst))+20, "the burst, sent at once")
	}
	d.sent(t)
	d.law(t)
	d.legend(t)
	d.WriteString("</svg>\n")
	return d.Bytes()
}

// axes draws the grid with its numbers and units.
func (d *drawing) axes() {
	step := nice(d.seconds / 13)
	for i := 0; float64(i)*step <= d.seconds; i++ {
		at := float64(i) * step
		d.line("grid", d.x(at), top, d.x(at), height-bottom)
		d.text(`text-anchor="middle"`, d.x(at), height-bottom+20, fmt.Sprintf("%.4g", at))
	}
	unit, name := 1e3, "kB"
	if d.most >= 1e6 {
		unit, name = 1e6, "MB"
	}
	step = nice(d.most / unit / 6)
	for i := 0; float64(i)*step*unit <= d.most; i++ {
		at := float64(i) * step
		d.line("grid", left, d.y(at*unit), width-right, d.y(at*unit))
		d.text(`text-anchor="end"`, left-8, d.y(at*unit)+4, fmt.Sprintf("%.4g", at))
	}
	d.line("axis", left, height-bottom, width-right, height-bottom)
	d.line("axis", left, top, left, height-bottom)
	d.text(`text-anchor="middle"`, (left+width-right)/2, height-14, "time since the header, in seconds")
	fmt.Fprintf(d, `<text text-anchor="middle" transform="translate(20 %d) rotate(-90)">received, in %s</text>`+"\n", (top+height-bottom)/2, name)
}

// nice rounds up to 1, 2 or 5 times a power of ten.
func nice(v float64) float64 {
	power := math.Pow(10, math.Floor(math.Log10(v)))
	for _, m := range []float64{1, 2, 5} {
		if v <= m*power*(1+1e-9) {
			return m * power
		}
	}
	return 10 * power
}

// sent draws what came, as steps.
func (d *drawing) sent(t *transfer) {
	d.WriteString(`<path class="sent" d="`)
	for i, p := range t.points {
		if i == 0 {
			fmt.Fprintf(d, "M%.1f %.1f", d.x(p.seconds), d.y(float64(p.bytes)))
			continue
		}
		fmt.Fprintf(d, "H%.1fV%.1f", d.x(p.seconds), d.y(float64(p.bytes)))
	}
	d.WriteString("\"/>\n")
}

// law draws the law as far as it is in the picture and the file has bytes.
func (d *drawing) law(t *transfer) {
	if t.law == nil || t.law.rate <= 0 {
		return
	}
	ceiling := d.most
	if t.length >= 0 {
		ceiling = min(ceiling, float64(t.length))
	}
	if until := min(d.seconds, (ceiling-float64(t.law.burst))*8/float64(t.law.rate)); until > 0 {
		d.line("law", d.x(0), d.y(t.law.bytes(0)), d.x(until), d.y(t.law.bytes(until)))
	}
	if t.length >= 0 && float64(t.length) < d.most {
		d.line("length", left, d.y(float64(t.length)), width-right, d.y(float64(t.length)))
	}
}

// legend names the lines.
func (d *drawing) legend(t *transfer) {
	x, y := float64(left), 64.0
	entry := func(class, text string) {
		d.line(class, x, y-4, x+28, y-4)
		d.text("", x+36, y, text)
		x += 60 + 7.2*float64(len(text))
	}
	entry("sent", "received")
	if t.law == nil {
		return
	}
	entry("law", fmt.Sprintf("the law: %s + %.1f kB/s (%.1f kbit/s, from %s)", size(float64(t.law.burst)), float64(t.law.rate)/8000, float64(t.law.rate)/1000, t.law.source))
	if t.length >= 0 && float64(t.length) < d.most {
		entry("length", "end of the file")
	}
}

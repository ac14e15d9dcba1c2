package console

import (
	"fmt"
	"html/template"
	"math"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// loadTemplates parses what is embedded. It panics on an error, which a program that passes its tests cannot have.
func loadTemplates(o *Options) *template.Template {
	clock := func(t time.Time) string { return clock(t, o.Now(), o.Location) }
	funcs := template.FuncMap{
		"rate": rate, "size": size, "count": count, "span": span, "clock": clock, "percent": percent, "several": several,
		"local":  func(u string) template.HTMLAttr { return local(o.Root, u) },
		"at":     func(host, u string) template.HTMLAttr { return at(o.Root, host, u) },
		"player": func(name string, out Output) string { return playerURL(o.Player, name, out) },
		"rates":  rates, "language": language, "languages": languages, "state": stateOf,
		"iso":  func(t time.Time) string { return t.UTC().Format(time.RFC3339) },
		"card": func(title, path string, numbers ...any) card { return newCard(title, path, numbers) },
	}
	return template.Must(template.New("").Funcs(funcs).ParseFS(files, "templates/*.html"))
}

// scaled writes a number with three digits or so and the unit that suits it.
func scaled(v float64, units ...string) string {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return "unknown"
	}
	i := 0
	for math.Abs(v) >= 999.5 && i < len(units)-1 {
		v /= 1000
		i++
	}
	decimals := 0
	if a := math.Abs(v); i > 0 && a < 9.995 {
		decimals = 2
	} else if i > 0 && a < 99.95 {
		decimals = 1
	}
	return strconv.FormatFloat(v, 'f', decimals, 64) + " " + units[i]
}

// number converts what templates have.
func number(v any) float64 {
	switch n := v.(type) {
	case int:
		return float64(n)
	case int64:
		return float64(n)
	case uint64:
		return float64(n)
	case float64:
		return n
	}
	return math.NaN()
}

// rate writes bits per second.
func rate(v any) string { return scaled(number(v), "bit/s", "kbit/s", "Mbit/s", "Gbit/s", "Tbit/s") }

// size writes bytes, in powers of 1000 as disks and bit rates have them.
func size(v any) string { return scaled(number(v), "bytes", "kB", "MB", "GB", "TB", "PB") }

// count writes a whole number with commas.
func count(v any) string {
	s := strconv.FormatFloat(math.Round(number(v)), 'f', 0, 64)
	digits := strings.TrimPrefix(s, "-")
	sign := s[:len(s)-len(digits)]
	for i := len(digits) - 3; i > 0 && !strings.ContainsAny(digits, "NI"); i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return sign + digits
}

// several writes a count with its noun.
func several(n any, one, more string) string {
	if number(n) == 1 {
		return "1 " + one
	}
	return count(n) + " " + more
}

// local returns the attribute with a URL of the server. It keeps brackets, which html/template would escape in a URL of its
// own; as it begins with the root it can be neither of another server nor of another scheme.
func local(root, u string) template.HTMLAttr {
	return template.HTMLAttr(`href="` + template.HTMLEscapeString(root+strings.TrimLeft(u, `/\`)) + `"`)
}

// hostName is what a host may look like in a URL.
var hostName = regexp.MustCompile(`^[A-Za-z0-9.-]+$`)

// at is local for what may be on another host of the server.
func at(root, host, u string) template.HTMLAttr {
	if !hostName.MatchString(host) {
		return local(root, u)
	}
	return local("//"+host+"/", u)
}

// percent writes a ratio.
func percent(ratio float64) string { return strconv.FormatFloat(ratio*100, 'f', 1, 64) + " %" }

func fixed(v float64) string { return strconv.FormatFloat(v, 'f', 1, 64) }

// span writes a duration as people do: 0:42, 12:03, 3:12:03, 4 d 3:12.
func span(d time.Duration) string {
	s := int64(max(d, 0) / time.Second)
	switch {
	case s < 3600:
		return fmt.Sprintf("%d:%02d", s/60, s%60)
	case s < 24*3600:
		return fmt.Sprintf("%d:%02d:%02d", s/3600, s/60%60, s%60)
	}
	return fmt.Sprintf("%d d %d:%02d", s/(24*3600), s/3600%24, s/60%60)
}

// clock writes a time: the time of day, with the date unless it is today.
func clock(t, now time.Time, loc *time.Location) string {
	if t.IsZero() {
		return ""
	}
	t, now = t.In(loc), now.In(loc)
	if t.Year() == now.Year() && t.YearDay() == now.YearDay() {
		return t.Format("15:04:05")
	}
	return t.Format("2006-01-02 15:04")
}

// rates writes bit rates with the unit once.
func rates(list []uint64) string {
	const shown = 10
	var b strings.Builder
	for i, r := range list {
		if i == shown {
			b.WriteString(" …")
			break
		}
		if i > 0 {
			b.WriteString(" · ")
		}
		b.WriteString(strconv.FormatUint((r+500)/1000, 10))
	}
	if b.Len() > 0 {
		b.WriteString(" kbit/s")
	}
	return b.String()
}

// language returns a tag, unless it says that nobody knows (ISO 639-2 "und").
func language(tag string) string {
	if tag == "und" {
		return ""
	}
	return tag
}

func languages(tags []string) string {
	var known []string
	for _, t := range tags {
		if t = language(t); t != "" {
			known = append(known, t)
		}
	}
	return strings.Join(known, ", ")
}

// badge is the state of a publishing point in words and its style.
type badge struct{ Text, Class string }

func stateOf(state string) badge {
	switch state {
	case "Started":
		return badge{"Live", "on"}
	case "Starting":
		return badge{"Waiting", "wait"}
	case "Stopping":
		return badge{"Stopping", "wait"}
	case "Stopped":
		return badge{"Stopped", ""}
	case "ShuttingDown":
		return badge{"Shutting down", "wait"}
	case "Error":
		return badge{"Error", "bad"}
	}
	return badge{"Off", ""}
}

// playerURL returns the address of the page of players with a presentation in it.
func playerURL(page, name string, out Output) string {
	q := url.Values{"play": {name}}
	if out.Format != "" {
		q.Set("format", out.Format)
	}
	if out.Engine != "" {
		q.Set("engine", out.Engine)
	}
	return page + "?" + q.Encode()
}

// card is a short view of a part, on the first page.
type card struct {
	Title, Path string
	Numbers     []Number
}

// newCard takes names and values in turn.
func newCard(title, path string, numbers []any) card {
	c := card{Title: title, Path: path}
	for i := 0; i+1 < len(numbers); i += 2 {
		c.Numbers = append(c.Numbers, Number{Name: fmt.Sprint(numbers[i]), Value: fmt.Sprint(numbers[i+1])})
	}
	return c
}

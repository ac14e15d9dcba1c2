package packager

import (
	"bytes"
	"errors"
	"fmt"
	"html"
	"strings"

	"github.com/smoothkit/smoothkit/internal/ttml"
)

// vttHead is the TTML that stands before the cues of a WebVTT text; its gap takes the language. Space is preserved, as
// WebVTT does; rx-player would swallow it beside span elements otherwise.
const vttHead = `<?xml version="1.0" encoding="utf-8"?>
<tt xmlns="http://www.w3.org/ns/ttml" xmlns:tts="http://www.w3.org/ns/ttml#styling" xml:lang="%s" xml:space="preserve">
<head>
<styling><style xml:id="s" tts:fontFamily="proportionalSansSerif" tts:fontSize="100%%" tts:color="white" tts:textAlign="center"/></styling>
<layout>
<region xml:id="bottom" tts:origin="10%% 10%%" tts:extent="80%% 80%%" tts:displayAlign="after"/>
<region xml:id="top" tts:origin="10%% 10%%" tts:extent="80%% 80%%" tts:displayAlign="before"/>
</layout>
</head>
<body style="s">
`

// parseVTT reads a WebVTT file. Notes, style sheets and regions are dropped; of the settings of a cue, align and
// whether line is in the upper half are kept, of its markup b, i, u and the colour classes. See WebVTT 4 and 6.4.
func parseVTT(data []byte, language string) (*document, int, error) {
	text := strings.ReplaceAll(string(bytes.ReplaceAll(data, []byte("\r\n"), []byte("\n"))), "\r", "\n")
	lines := strings.Split(text, "\n")
	if first, _, _ := strings.Cut(strings.ReplaceAll(lines[0], "\t", " "), " "); first != "WEBVTT" {
		return nil, 1, errors.New("not WebVTT: the first line does not begin with WEBVTT")
	}
	d := &document{
		open:  fmt.Appendf(nil, vttHead, ttml.Escape(language)),
		divs:  []ttml.Div{{Open: "<div>\n", Close: "</div>\n"}},
		close: []byte("</body>\n</tt>\n"),
	}
	for i := 1; i < len(lines); {
		if !strings.Contains(lines[i], "-->") {
			i++
			continue
		}
		c, err := parseVTTTiming(lines[i])
		if err != nil {
			return nil, i + 1, err
		}
		first := i + 1
		for i = first; i < len(lines) && lines[i] != "" && !strings.Contains(lines[i], "-->"); i++ {
		}
		if c.end <= c.begin {
			continue // valid, and never shown
		}
		c.order = len(d.cues)
		c.inner = []ttml.Piece{{XML: vttMarkup(strings.Join(lines[first:i], "\n"))}}
		d.cues = append(d.cues, c)
	}
	return d, 0, nil
}

// parseVTTTiming reads begin --> end settings.
func parseVTTTiming(line string) (cue, error) {
	left, right, _ := strings.Cut(line, "-->")
	fields := strings.Fields(right)
	if len(fields) == 0 {
		return cue{}, fmt.Errorf("cue without end: %q", line)
	}
	begin, ok := vttTime(strings.TrimSpace(left))
	end, ok2 := vttTime(fields[0])
	if !ok || !ok2 {
		return cue{}, fmt.Errorf("cue times %q", line)
	}
	c := cue{begin: begin, end: end, tag: "p"}
	region, align := "bottom", ""
	for _, f := range fields[1:] {
		name, value, _ := strings.Cut(f, ":")
		switch name {
		case "line":
			if upperHalf(value) {
				region = "top"
			}
		case "align":
			switch value {
			case "start", "end", "left", "right", "center":
				align = value
			}
		}
	}
	c.attrs = ` region="` + region + `"`
	if align != "" {
		c.attrs += ` tts:textAlign="` + align + `"`
	}
	return c, nil
}

// upperHalf reports whether a line setting is a percentage below 50 or one of the first lines from the top.
func upperHalf(value string) bool {
	value, _, _ = strings.Cut(value, ",")
	number, percent := strings.CutSuffix(value, "%")
	v, ok := ttml.ParseDecimal(number)
	if !ok {
		return false // negative numbers count from the bottom
	}
	if percent {
		return v < 50*second
	}
	return v < 8*second
}

// vttTime reads [h+:]mm:ss.fff into ticks.
func vttTime(s string) (int64, bool) {
	parts := strings.Split(s, ":")
	if len(parts) < 2 || len(parts) > 3 {
		return 0, false
	}
	return ttml.ParseClock(parts)
}

var vttColours = map[string]bool{"white": true, "lime": true, "cyan": true, "red": true, "yellow": true, "magenta": true, "blue": true, "black": true}

// vttMarkup converts the content of a cue to the content of a TTML p element. Tags that are left open are closed.
func vttMarkup(s string) string {
	var b strings.Builder
	var open []string // names of open tags
	for s != "" {
		i := strings.IndexByte(s, '<')
		if i < 0 {
			i = len(s)
		}
		b.WriteString(strings.ReplaceAll(ttml.Escape(html.UnescapeString(s[:i])), "\n", "<br/>"))
		if s = s[i:]; s == "" {
			break
		}
		end := strings.IndexByte(s, '>')
		if end < 0 {
			end = len(s) - 1
		}
		tag := strings.TrimSuffix(s[1:end+1], ">")
		s = s[end+1:]
		if name, ok := strings.CutPrefix(tag, "/"); ok {
			if n := len(open); n > 0 && open[n-1] == strings.TrimSpace(name) {
				b.WriteString("</span>")
				open = open[:n-1]
			}
			continue
		}
		if name, span := vttTag(tag); span != "" && len(open) < ttml.MaxDepth {
			b.WriteString(span)
			open = append(open, name)
		}
	}
	b.WriteString(strings.Repeat("</span>", len(open)))
	return b.String()
}

// vttTag returns the span element for a start tag, or "" if the tag has no effect.
func vttTag(tag string) (name, span string) {
	tag, _, _ = strings.Cut(strings.ReplaceAll(tag, "\n", " "), " ")
	classes := strings.Split(tag, ".")
	style := ""
	switch classes[0] {
	case "b":
		style = ` tts:fontWeight="bold"`
	case "i":
		style = ` tts:fontStyle="italic"`
	case "u":
		style = ` tts:textDecoration="underline"`
	case "c":
	default:
		return "", ""
	}
	for _, c := range classes[1:] {
		if vttColours[c] {
			style += ` tts:color="` + c + `"`
			break
		}
	}
	return classes[0], "<span" + style + ">"
}

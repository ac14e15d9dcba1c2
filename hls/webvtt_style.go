package hls

import (
	"strconv"
	"strings"

	"github.com/smoothkit/smoothkit/internal/ttml"
)

// cueText returns text with styles as WebVTT markup, or "" if there is none to see.
func cueText(runs []ttml.Run) string {
	var b strings.Builder
	for i := range runs {
		tags := cueTags(&runs[i])
		for _, tag := range tags {
			b.WriteString("<" + tag + ">")
		}
		escapeCueText.WriteString(&b, runs[i].Text)
		for i := len(tags) - 1; i >= 0; i-- {
			name, _, _ := strings.Cut(tags[i], ".")
			b.WriteString("</" + name + ">")
		}
	}
	return safeCueText(b.String())
}

// cueTags returns the tags around a run, from the outside in. See WebVTT 4.2.2.
func cueTags(r *ttml.Run) (tags []string) {
	if name := cueColours[strings.ToLower(r.Color)]; name != "" {
		tags = append(tags, "c."+name)
	}
	if r.Bold {
		tags = append(tags, "b")
	}
	if r.Italic {
		tags = append(tags, "i")
	}
	if r.Underline {
		tags = append(tags, "u")
	}
	return tags
}

// cueColours are the classes of colour that WebVTT 5 defines, by what TTML calls them. White is what text is anyway.
var cueColours = map[string]string{
	"lime": "lime", "#00ff00": "lime", "#00ff00ff": "lime",
	"cyan": "cyan", "aqua": "cyan", "#00ffff": "cyan", "#00ffffff": "cyan",
	"red": "red", "#ff0000": "red", "#ff0000ff": "red",
	"yellow": "yellow", "#ffff00": "yellow", "#ffff00ff": "yellow",
	"magenta": "magenta", "fuchsia": "magenta", "#ff00ff": "magenta", "#ff00ffff": "magenta",
	"blue": "blue", "#0000ff": "blue", "#0000ffff": "blue",
	"black": "black", "#000000": "black", "#000000ff": "black",
}

// wholePicture is the width or height of the picture in hundredths of a percent.
const wholePicture = 10_000

// settingsOf returns WebVTT settings for a layout, as near as they come: the line from the vertical place, position and
// size from the horizontal one, and align. What a document leaves open stays open, and so does what WebVTT does without
// settings: centred text at the bottom. See WebVTT 4.4 and 6.3.
func settingsOf(l *ttml.Layout) string {
	list := make([]string, 0, 4)
	add := func(s string) {
		if s != "" {
			list = append(list, s)
		}
	}
	add(lineSetting(l))
	position, size := horizontalSettings(l)
	add(position)
	add(size)
	if l.TextAlign != "" && l.TextAlign != "center" {
		add("align:" + l.TextAlign)
	}
	return strings.Join(list, " ")
}

// lowest is the lower edge from which text stands where players put it by themselves.
const lowest = 80 * 100

// lineSetting returns the setting for a vertical place, or "". A region whose text does not say otherwise is filled
// from above.
func lineSetting(l *ttml.Layout) string {
	top, bottom := 0, wholePicture
	if l.HasOrigin {
		top = l.Origin[1]
		if l.HasExtent {
			bottom = min(top+l.Extent[1], wholePicture)
		}
	}
	switch {
	case l.DisplayAlign == "before", l.DisplayAlign == "" && l.HasOrigin:
		return "line:" + percent(top)
	case l.DisplayAlign == "center":
		return "line:" + percent((top+bottom)/2) + ",center"
	case l.DisplayAlign == "after" && bottom < lowest:
		return "line:" + percent(bottom) + ",end"
	}
	return ""
}

// horizontalSettings returns the settings for the horizontal place of a region, each possibly "".
func horizontalSettings(l *ttml.Layout) (position, size string) {
	left := l.Origin[0]
	width := min(l.Extent[0], wholePicture-left)
	if !l.HasOrigin || !l.HasExtent || width == 0 {
		return "", ""
	}
	at, usual := left+width/2, wholePicture/2
	switch l.TextAlign {
	case "start", "left":
		at, usual = left, 0
	case "right", "end":
		at, usual = left+width, wholePicture
	}
	if at != usual {
		position = "position:" + percent(at)
	}
	if width != wholePicture {
		size = "size:" + percent(width)
	}
	return position, size
}

// percent formats hundredths of a percent.
func percent(v int) string {
	s := strconv.Itoa(v / 100)
	if v %= 100; v > 0 {
		s += strings.TrimRight("."+strconv.Itoa(100 + v)[1:], "0")
	}
	return s + "%"
}

package ttml

import (
	"encoding/xml"
	"strings"
)

// rootParameters are what lengths in pixels and cells are relative to, in units of 1/[Second].
type rootParameters struct {
	pixels [2]int64 // of the picture; zero if not known
	cells  [2]int64
}

// defaultRoot has the cells of TTML1 6.2.1.
func defaultRoot() rootParameters { return rootParameters{cells: [2]int64{32 * Second, 15 * Second}} }

// configure reads tts:extent and ttp:cellResolution of tt. What is wrong there is left out, as layout is no reason to
// refuse a text.
func (r *rootParameters) configure(attrs []xml.Attr) {
	for _, a := range attrs {
		f := strings.Fields(a.Value)
		if len(f) != 2 || a.Name.Space == "" {
			continue
		}
		switch a.Name.Local {
		case "extent":
			x, okX := sizeOf(f[0], "px")
			y, okY := sizeOf(f[1], "px")
			if okX && okY {
				r.pixels = [2]int64{x, y}
			}
		case "cellResolution":
			x, okX := sizeOf(f[0], "")
			y, okY := sizeOf(f[1], "")
			if okX && okY {
				r.cells = [2]int64{x, y}
			}
		}
	}
}

// sizeOf reads a positive number with a unit.
func sizeOf(s, unit string) (int64, bool) {
	number, ok := strings.CutSuffix(s, unit)
	v, ok2 := ParseDecimal(number)
	return v, ok && ok2 && v > 0
}

// layout reads the properties of a style that say where text stands.
func (r *rootParameters) layout(s *style) (l Layout) {
	if s == nil {
		return l
	}
	switch s.textAlign {
	case "start", "left", "center", "right", "end":
		l.TextAlign = s.textAlign
	}
	switch s.displayAlign {
	case "before", "center", "after":
		l.DisplayAlign = s.displayAlign
	}
	l.Origin, l.HasOrigin = r.pair(s.origin)
	l.Extent, l.HasExtent = r.pair(s.extent)
	return l
}

// pair reads two lengths into hundredths of a percent.
func (r *rootParameters) pair(s string) (v [2]int, ok bool) {
	f := strings.Fields(s)
	if len(f) != 2 {
		return v, false
	}
	for i := range f {
		if v[i], ok = r.length(f[i], i); !ok {
			return v, false
		}
	}
	return v, true
}

// length reads a length along an axis into hundredths of a percent, of which there are at most 10,000. See TTML1 8.3.9.
func (r *rootParameters) length(s string, axis int) (int, bool) {
	i := len(s)
	for i > 0 && (s[i-1] < '0' || s[i-1] > '9') && s[i-1] != '.' {
		i--
	}
	v, ok := ParseDecimal(s[:i])
	if !ok {
		return 0, false
	}
	whole := int64(0)
	switch s[i:] {
	case "%":
		whole = 100 * Second
	case "px":
		whole = r.pixels[axis]
	case "c":
		whole = r.cells[axis]
	}
	if whole == 0 {
		return 0, false
	}
	v, ok = times(v, 10_000, uint64(whole))
	return int(min(v, 10_001)), ok && v <= 10_000
}

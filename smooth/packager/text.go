package packager

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"sort"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/smoothkit/smoothkit/internal/cut"
	"github.com/smoothkit/smoothkit/internal/textenc"
	"github.com/smoothkit/smoothkit/internal/ttml"
	"github.com/smoothkit/smoothkit/smooth"
)

const (
	// maxText is the largest text input, in bytes.
	maxText = ttml.MaxDocument
	// forever is the end of a cue without one.
	forever = ttml.Forever
	// second in ticks.
	second = smooth.DefaultTimescale
)

// document is a text with cues, from which a TTML document is made for each fragment.
//
// The times of each document are relative to the start of its fragment, as Smooth clients take them (dash.js sets
// ttmlTimeIsRelative for Smooth manifests, rx-player adds the start of the segment). A cue that spans fragments stands
// in each of them, cut to its span, so that seeking into it shows it.
type document struct {
	open  []byte     // XML declaration up to and including the start tag of body
	divs  []ttml.Div // in document order
	close []byte     // end tags of body and tt
	lang  string
	cues  []cue   // in order of begin
	until []int64 // largest end of the cues up to each
	shift int64   // what the presentation adds to the cues' times
}

// cue is a p element.
type cue struct {
	begin, end int64 // ticks of 10 MHz, half-open
	div, order int   // place in the document
	tag        string
	attrs      string // without times, with a leading space
	inner      []ttml.Piece
}

// readTTML reads a TTML or DFXP document.
func readTTML(data []byte) (*document, int, error) {
	t, err := ttml.Parse(data)
	if err != nil {
		var at *ttml.Error
		if errors.As(err, &at) {
			return nil, at.Line, errors.New(at.Reason)
		}
		return nil, 0, err
	}
	d := &document{open: t.Open, divs: t.Divs, close: t.Close, lang: t.Language, cues: make([]cue, len(t.Cues))}
	for i := range t.Cues {
		c := &t.Cues[i]
		d.cues[i] = cue{begin: c.Begin, end: c.End, div: c.Div, order: i, tag: c.Tag, attrs: c.Attributes, inner: c.Inner}
	}
	return d, 0, nil
}

func (d *document) sortCues() {
	slices.SortStableFunc(d.cues, func(a, b cue) int { return cmp.Compare(a.begin, b.begin) })
	d.until = make([]int64, len(d.cues))
	last := int64(0)
	for i := range d.cues {
		last = max(last, d.cues[i].end)
		d.until[i] = last
	}
}

// append appends the document for the fragment [from, to), in ticks of 10 MHz.
func (d *document) append(dst []byte, from, to uint64) []byte {
	begin, end := int64(from)-d.shift, int64(to)-d.shift
	lo := sort.Search(len(d.cues), func(i int) bool { return d.until[i] > begin })
	hi := sort.Search(len(d.cues), func(i int) bool { return d.cues[i].begin >= end })
	var shown []*cue
	for i := lo; i < hi; i++ {
		if c := &d.cues[i]; c.end > begin && c.end > c.begin {
			shown = append(shown, c)
		}
	}
	slices.SortFunc(shown, func(a, b *cue) int { return cmp.Or(cmp.Compare(a.div, b.div), cmp.Compare(a.order, b.order)) })
	dst = append(dst, d.open...)
	for i, c := range shown {
		if i == 0 || shown[i-1].div != c.div {
			dst = append(dst, d.divs[c.div].Open...)
		}
		dst = c.append(dst, begin, end)
		if i == len(shown)-1 || shown[i+1].div != c.div {
			dst = append(dst, d.divs[c.div].Close...)
		}
	}
	return append(dst, d.close...)
}

func (c *cue) append(dst []byte, begin, end int64) []byte {
	dst = append(dst, '<')
	dst = append(dst, c.tag...)
	dst = append(dst, ` begin="`...)
	dst = appendClock(dst, max(c.begin-begin, 0))
	dst = append(dst, `" end="`...)
	dst = appendClock(dst, min(c.end, end)-begin)
	dst = append(dst, '"')
	dst = append(dst, c.attrs...)
	dst = append(dst, '>')
	hidden := max(begin-c.begin, 0)
	for _, p := range c.inner {
		if p.IsTime {
			dst = appendClock(dst, max(p.Time-hidden, 0)-max(p.Base-hidden, 0))
		} else {
			dst = append(dst, p.XML...)
		}
	}
	dst = append(dst, "</"...)
	dst = append(dst, c.tag...)
	return append(dst, ">\n"...)
}

// appendClock appends ticks as hh:mm:ss.fff, rounded to milliseconds.
func appendClock(dst []byte, ticks int64) []byte {
	ms := (ticks + 5000) / 10000
	pad := func(v int64, digits int) {
		s := strconv.FormatInt(v, 10)
		for range digits - len(s) {
			dst = append(dst, '0')
		}
		dst = append(dst, s...)
	}
	pad(ms/3600000, 2)
	dst = append(dst, ':')
	pad(ms/60000%60, 2)
	dst = append(dst, ':')
	pad(ms/1000%60, 2)
	dst = append(dst, '.')
	pad(ms%1000, 3)
	return dst
}

// size returns the number of bytes of all documents.
func (d *document) size(cuts []cut.Cut) (n int64) {
	var buf []byte
	for i := range len(cuts) - 1 {
		buf = d.append(buf[:0], cuts[i].Time, cuts[i+1].Time)
		n += int64(len(buf))
	}
	return n
}

// end returns the end of the last cue that has one, and at least the begin of the last one.
func (d *document) end() (end int64) {
	for i := range d.cues {
		end = max(end, d.cues[i].begin+1)
		if d.cues[i].end < forever {
			end = max(end, d.cues[i].end)
		}
	}
	return end
}

func (p *packaging) openText(in *input, x *Input) error {
	if in.size > maxText {
		return in.fault(smooth.ErrTooLarge, "", fmt.Sprintf("text of %d bytes, the limit is %d", in.size, maxText), "")
	}
	raw, err := io.ReadAll(io.NewSectionReader(in.r, 0, in.size))
	if err != nil {
		return fmt.Errorf("packager: %s: %w", in.name, err)
	}
	data, err := textenc.UTF8(raw)
	if err != nil || !utf8.Valid(data) {
		return in.fault(smooth.ErrCorrupt, "", "text is neither UTF-8 nor UTF-16", "convert it to UTF-8")
	}
	ext := filepath.Ext(x.Path)
	language := x.Language
	if language == "" {
		language = strings.TrimPrefix(filepath.Ext(strings.TrimSuffix(x.Path, ext)), ".")
		if !isLanguage(language) {
			language = ""
		}
	}
	d, line, err := parseText(x.Path, data, language)
	if err != nil {
		return &smooth.FileError{File: in.name, Offset: -1, Line: line, Reason: err.Error(), Err: smooth.ErrCorrupt}
	}
	if language == "" {
		language = d.lang
	}
	p.tracks = append(p.tracks, &track{
		text: d, language: languageCode(language), codec: &smooth.Codec{Type: smooth.Text, FourCC: "TTML"},
	})
	return nil
}

// parseText reads UTF-8. After an error it returns the line.
func parseText(name string, data []byte, language string) (d *document, line int, err error) {
	if strings.EqualFold(filepath.Ext(name), ".vtt") {
		d, line, err = parseVTT(data, language)
	} else {
		d, line, err = readTTML(data)
	}
	if err != nil {
		return nil, line, err
	}
	d.sortCues()
	return d, 0, nil
}

// cutTexts cuts texts where the video is cut, or else the audio; texts alone at multiples of the wanted duration.
func (p *packaging) cutTexts() error {
	texts := p.of(smooth.Text)
	var grid []cut.Cut
	for _, t := range p.tracks {
		if len(t.cuts) > 0 {
			grid = t.cuts
			break
		}
	}
	if grid == nil {
		step, end := max(p.cutOptions().Target, 1), uint64(0)
		if p.cutOptions().Target == 0 {
			step = 2 * cut.DefaultTimescale
		}
		for _, t := range texts {
			end = max(end, uint64(t.text.end()))
		}
		if end/step > maxTextFragments {
			return fmt.Errorf("packager: %d text fragments: %w", end/step, smooth.ErrTooLarge)
		}
		for at := uint64(0); at < end; at += step {
			grid = append(grid, cut.Cut{Time: at})
		}
		grid = append(grid, cut.Cut{Time: end})
		if len(grid) < 2 {
			return fmt.Errorf("packager: text without cues: %w", smooth.ErrUnsupported)
		}
	}
	for _, t := range texts {
		t.cuts, t.text.shift = grid, int64(p.shift)
	}
	return nil
}

// maxTextFragments bounds the fragments of a presentation of texts alone.
const maxTextFragments = 50_000

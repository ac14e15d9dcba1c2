package hls

import (
	"encoding/binary"
	"fmt"
	"regexp"
	"strings"

	"github.com/smoothkit/smoothkit/smooth"
)

// appendWVTTCues appends the cues of a WebVTT sample. All are shown for as long as the sample; a cue that is shown for
// longer stands in the next sample again, which arrange undoes.
//
//	sample: vttc* | vtte       vttc: [vsid] [iden] [ctim] [sttg] [payl]       vtta: text between cues, left out
//
// See ISO/IEC 14496-30 section 7.4.
func appendWVTTCues(list []cue, s textSample) ([]cue, error) {
	boxes := textBoxes{b: s.data}
	for boxes.next() {
		if boxes.name != "vttc" {
			continue
		}
		c := cue{begin: s.begin, end: s.end}
		inner := textBoxes{b: boxes.body, at: boxes.start, path: "vttc/"}
		for inner.next() {
			switch inner.name {
			case "sttg":
				c.settings = safeSettings(string(inner.body))
			case "payl":
				c.text = safeCueText(timestampTag.ReplaceAllLiteralString(string(inner.body), ""))
			}
		}
		if inner.err != nil {
			return nil, inner.err
		}
		if c.text != "" {
			list = append(list, c)
		}
	}
	return list, boxes.err
}

// timestampTag marks when a part of a cue appears. Such tags are taken out, and the whole cue is shown at once, because
// they are on the clock of the file that the samples were made of.
var timestampTag = regexp.MustCompile(`<[0-9][0-9:.]*>`)

// safeSettings returns settings on one line, without an arrow.
func safeSettings(s string) string {
	fields := strings.Fields(strings.ToValidUTF8(strings.ReplaceAll(s, "\x00", ""), ""))
	kept := fields[:0]
	for _, f := range fields {
		if !strings.Contains(f, "-->") {
			kept = append(kept, f)
		}
	}
	return strings.Join(kept, " ")
}

// textBoxes walks the boxes of a WebVTT sample, all of which have the short header.
//
//	size:32 type:32 body
type textBoxes struct {
	b    []byte
	at   int    // offset of b in the sample
	path string // of the container, with a slash

	name  string
	body  []byte
	start int // offset of body in the sample
	err   error
}

// next moves to the next box and reports whether there is one.
func (t *textBoxes) next() bool {
	if len(t.b) == 0 || t.err != nil {
		return false
	}
	if len(t.b) < 8 {
		t.err = fmt.Errorf("%sbox at byte %d: %d bytes left, a box header needs 8: %w",
			t.path, t.at, len(t.b), smooth.ErrCorrupt)
		return false
	}
	size := binary.BigEndian.Uint32(t.b)
	name := string(t.b[4:8])
	if size < 8 || uint64(size) > uint64(len(t.b)) {
		t.err = fmt.Errorf("%s%q at byte %d: size %d, %d bytes left: %w",
			t.path, name, t.at, size, len(t.b), smooth.ErrCorrupt)
		return false
	}
	t.name, t.body, t.start = name, t.b[8:size], t.at+8
	t.b, t.at = t.b[size:], t.at+int(size)
	return true
}

package validate

import (
	"encoding/binary"

	"github.com/smoothkit/smoothkit/smooth"
)

// moov reads the tracks. It reports false if it is not readable.
func (m *mediaFile) moov(data []byte, offset int64) bool {
	p := m.at("moov", offset)
	outer, err := splitBoxes(data, offset)
	if err != nil || len(outer) != 1 {
		m.rec.Add("SI101", p, "%v", err)
		return false
	}
	kids, err := outer[0].children()
	if err != nil {
		m.rec.Add("SI101", p, "%v", err)
		return false
	}
	for _, b := range ofType(kids, "trak") {
		t := m.trak(b)
		if t == nil || t.id == 0 || m.tracks[t.id] != nil {
			m.rec.Add("SI105", m.at("moov/trak", b.offset), "the track has no complete header, or its id is used twice")
			continue
		}
		m.tracks[t.id] = t
	}
	m.trex(kids, p)
	return len(m.tracks) > 0
}

// trex checks that each track has defaults.
func (m *mediaFile) trex(kids []box, p Place) {
	have := make(map[uint32]bool)
	for _, mvex := range ofType(kids, "mvex") {
		list, _ := mvex.children()
		for _, b := range ofType(list, "trex") {
			if len(b.body) >= 8 {
				have[binary.BigEndian.Uint32(b.body[4:])] = true
			}
		}
	}
	for _, t := range m.sortedTracks() {
		if !have[t.id] {
			m.rec.Add("SI105", p, "there is no trex for track %d", t.id)
		}
	}
}

// descend returns the first box at the path below b.
func descend(b box, path ...string) (box, bool) {
	for _, typ := range path {
		kids, _ := b.children()
		found := ofType(kids, typ)
		if len(found) == 0 {
			return box{}, false
		}
		b = found[0]
	}
	return b, true
}

// trak reads a trak box; nil if a part is missing.
func (m *mediaFile) trak(b box) *mediaTrack {
	t := &mediaTrack{offset: b.offset}
	tkhd, ok1 := descend(b, "tkhd")
	mdhd, ok2 := descend(b, "mdia", "mdhd")
	hdlr, ok3 := descend(b, "mdia", "hdlr")
	stsd, ok4 := descend(b, "mdia", "minf", "stbl", "stsd")
	if !ok1 || !ok2 || !ok3 || !ok4 || len(hdlr.body) < 12 || len(stsd.body) < 16 {
		return nil
	}
	// version u8, flags u24, creation and modification time u32 or u64 each, then the field.
	t.id = uint32(afterTimes(tkhd))
	t.timescale = afterTimes(mdhd)
	if t.timescale == 0 {
		return nil
	}
	if t.timescale != smooth.DefaultTimescale {
		m.rec.Add("SI118", m.at("moov/trak/mdia/mdhd", mdhd.offset), "the timescale of track %d is %d", t.id, t.timescale)
	}
	switch string(hdlr.body[8:12]) {
	case "vide":
		t.typ = smooth.Video
	case "soun":
		t.typ = smooth.Audio
	case "text", "subt", "sbtl":
		t.typ = smooth.Text
	}
	entry, err := firstBox(stsd.body[8:], 0)
	if err != nil {
		return nil
	}
	t.fourCC = entryFourCC(entry.typ)
	m.noSamples(b, t)
	return t
}

func afterTimes(b box) uint64 {
	version, _, rest, _ := b.full()
	r := reader{data: rest}
	r.take(8 << (version & 1))
	return r.uint(4)
}

// entryFourCC returns the FourCC of a manifest for the type of a sample entry. Encrypted entries have none, since
// their samples are not looked into.
func entryFourCC(typ string) string {
	switch typ {
	case "avc1", "avc3":
		return "H264"
	case "hvc1", "hev1":
		return "hev1"
	case "vc-1":
		return "WVC1"
	case "mp4a":
		return "AACL"
	case "wma ":
		return "WMAP"
	case "ec-3":
		return "EC-3"
	case "stpp", "dfxp":
		return "TTML"
	}
	return ""
}

// noSamples checks that the sample table is empty.
func (m *mediaFile) noSamples(trak box, t *mediaTrack) {
	stsz, ok := descend(trak, "mdia", "minf", "stbl", "stsz")
	if !ok {
		return
	}
	// version u8, flags u24, size u32, count u32
	if len(stsz.body) >= 12 && binary.BigEndian.Uint32(stsz.body[8:]) > 0 {
		m.rec.Add("SI106", m.at("moov/trak/mdia/minf/stbl/stsz", stsz.offset), "track %d has %d samples in moov",
			t.id, binary.BigEndian.Uint32(stsz.body[8:]))
	}
}

package validate

import (
	"encoding/binary"
	"fmt"
	"slices"
)

// initSegment is what EXT-X-MAP names.
type initSegment struct {
	transport []byte // packets with the tables
	tracks    []*mp4Track
}

// mp4Track is a track of a moov box.
type mp4Track struct {
	id        uint32
	handler   string
	timescale uint64
	entry     string // sample entry
	scheme    string // of protection
	codec     string
	avc, hevc bool
	nalLength int
	width     uint64
	height    uint64
	rate      int
	channels  int
	duration  uint32 // defaults of trex
	size      uint32
	flags     uint32
	hasTrex   bool
}

func (t *mp4Track) isVideo() bool { return t.handler == "vide" }
func (t *mp4Track) isAudio() bool { return t.handler == "soun" }

// checkInit checks an init segment, that of EXT-X-MAP. It returns nil if segments cannot be checked with it.
func checkInit(rec *recorder, data []byte, want expect) *initSegment {
	p := Place{Document: want.name, Box: "/", Offset: want.offset}
	if len(data) > 0 && data[0] == syncByte && len(data)%packetSize == 0 {
		return &initSegment{transport: data}
	}
	boxes, err := splitBoxes(data, want.offset)
	if err != nil {
		rec.Add("HF101", p, "%v", err)
		return nil
	}
	moovs := ofType(boxes, "moov")
	if len(moovs) != 1 || len(ofType(boxes, "ftyp")) != 1 || len(ofType(boxes, "moof"))+len(ofType(boxes, "mdat")) > 0 {
		rec.Add("HF102", p, "the boxes are %s", types(boxes))
		if len(moovs) != 1 {
			return nil
		}
	}
	moov := moovs[0]
	kids, err := splitBoxes(moov.body, moov.offset+int64(moov.header))
	p = Place{Document: want.name, Box: "moov", Offset: moov.offset}
	if err != nil {
		rec.Add("HF101", p, "%v", err)
		return nil
	}
	out := &initSegment{}
	for _, b := range ofType(kids, "trak") {
		if t := initTrack(rec, b, want); t != nil {
			out.tracks = append(out.tracks, t)
		}
	}
	readTrex(moov, out.tracks)
	if len(out.tracks) == 0 || slices.ContainsFunc(out.tracks, func(t *mp4Track) bool { return !t.hasTrex }) {
		rec.Add("HF103", p, "there are %d tracks, and not each has a trex in mvex", len(out.tracks))
	}
	for _, t := range out.tracks {
		t.check(rec, want, p)
	}
	return out
}

// initTrack reads a trak box. It returns nil, reported, if it has not what segments need.
func initTrack(rec *recorder, b box, want expect) *mp4Track {
	p := Place{Document: want.name, Box: "moov/trak", Offset: b.offset}
	t := &mp4Track{}
	tkhd, ok1 := b.descend("tkhd")
	mdhd, ok2 := b.descend("mdia/mdhd")
	hdlr, ok3 := b.descend("mdia/hdlr")
	stsd, ok4 := b.descend("mdia/minf/stbl/stsd")
	if !ok1 || !ok2 || !ok3 || !ok4 {
		rec.Add("HF104", p, "tkhd, mdia/mdhd, mdia/hdlr or stsd is missing")
		return nil
	}
	t.id = uint32(versionField(tkhd, 12, 20, 4))
	t.timescale = versionField(mdhd, 12, 20, 4)
	if len(hdlr.body) >= 12 {
		t.handler = string(hdlr.body[8:12])
	}
	t.sampleEntry(stsd)
	if t.id == 0 || t.timescale == 0 || t.entry == "" {
		rec.Add("HF104", p, "track_ID is %d, the timescale %d, the sample entry %q", t.id, t.timescale, t.entry)
		return nil
	}
	for _, name := range []string{"stts", "stsc", "stco"} {
		table, ok := b.descend("mdia/minf/stbl/" + name)
		if !ok || len(table.body) < 8 {
			continue
		}
		if n := binary.BigEndian.Uint32(table.body[4:]); n > 0 {
			rec.Add("HF105", p, "%s has %d entries", name, n)
			break
		}
	}
	return t
}

// versionField reads the big-endian field of n bytes at one of two offsets of a FullBox's body, by its version.
func versionField(b box, at0, at1, n int) uint64 {
	version, _, _, ok := b.full()
	at := at0
	if version == 1 {
		at = at1
	}
	if !ok || at+n > len(b.body) {
		return 0
	}
	r := cursor{data: b.body[at:]}
	return r.uint(n)
}

// readTrex gives tracks their defaults: track_ID, description index, duration, size, flags.
func readTrex(moov box, tracks []*mp4Track) {
	mvex, _ := moov.descend("mvex")
	for _, b := range ofType(mvex.children(), "trex") {
		if len(b.body) < 24 {
			continue
		}
		id := binary.BigEndian.Uint32(b.body[4:])
		for _, t := range tracks {
			if t.id == id {
				t.duration, t.size = binary.BigEndian.Uint32(b.body[12:]), binary.BigEndian.Uint32(b.body[16:])
				t.flags, t.hasTrex = binary.BigEndian.Uint32(b.body[20:]), true
			}
		}
	}
}

// sampleEntry reads the first sample entry: 4 bytes version and flags, 4 bytes count, entries.
func (t *mp4Track) sampleEntry(stsd box) {
	if len(stsd.body) < 8 {
		return
	}
	entries, _ := splitBoxes(stsd.body[8:], stsd.offset+int64(stsd.header)+8)
	if len(entries) == 0 {
		return
	}
	e := entries[0]
	t.entry = e.typ
	fixed := 8
	switch {
	case t.isVideo() && len(e.body) >= 78:
		t.width, t.height = uint64(binary.BigEndian.Uint16(e.body[24:])), uint64(binary.BigEndian.Uint16(e.body[26:]))
		fixed = 78
	case t.isAudio() && len(e.body) >= 28:
		t.channels, t.rate = int(binary.BigEndian.Uint16(e.body[16:])), int(binary.BigEndian.Uint16(e.body[24:]))
		fixed = 28
	}
	if fixed > len(e.body) {
		return
	}
	inner := box{body: e.body[fixed:], offset: e.offset, header: e.header + fixed}
	if frma, ok := inner.descend("sinf/frma"); ok && len(frma.body) >= 4 {
		t.entry = string(frma.body[:4])
	}
	if schm, ok := inner.descend("sinf/schm"); ok && len(schm.body) >= 8 {
		t.scheme = string(schm.body[4:8])
	}
	t.configuration(inner)
}

// configuration reads the codec's own box.
func (t *mp4Track) configuration(inner box) {
	t.codec = t.entry
	if b, ok := inner.descend("avcC"); ok && len(b.body) >= 7 {
		t.avc, t.nalLength = true, int(b.body[4]&3)+1
		t.codec = fmt.Sprintf("%s.%02x%02x%02x", t.entry, b.body[1], b.body[2], b.body[3])
		r := cursor{data: b.body[5:]}
		if r.uint(1)&0x1F > 0 {
			t.size0("avc", r.take(int(r.uint(2))))
		}
	}
	if b, ok := inner.descend("hvcC"); ok && len(b.body) >= 23 {
		t.hevc, t.nalLength = true, int(b.body[21]&3)+1
	}
	if b, ok := inner.descend("esds"); ok && len(b.body) >= 4 {
		if object := audioObject(b.body[4:]); object > 0 {
			t.codec = fmt.Sprintf("mp4a.40.%d", object)
		}
	}
}

// size0 takes the picture size of a parameter set, which is truer than that of the sample entry.
func (t *mp4Track) size0(codec string, sps []byte) {
	if _, w, h, err := readSPS(codec, sps); err == nil {
		t.width, t.height = w, h
	}
}

// audioObject finds the AudioSpecificConfig in an ES descriptor and returns its object type, or 0. Descriptors are
// tag u8, length in groups of 7 bits, body; an ES descriptor (3) has 3 bytes, a decoder configuration (4) 13 bytes
// before the descriptors in it. See ISO/IEC 14496-1 section 7.2.6.
func audioObject(data []byte) int {
	for range 8 {
		if len(data) < 2 {
			return 0
		}
		tag := data[0]
		n, at := 0, 1
		for at < len(data) && at < 5 {
			n = n<<7 | int(data[at]&0x7F)
			at++
			if data[at-1]&0x80 == 0 {
				break
			}
		}
		if n > len(data)-at {
			return 0
		}
		body := data[at:]
		switch {
		case tag == 3 && len(body) >= 3:
			data = body[3:]
		case tag == 4 && len(body) >= 13:
			data = body[13:]
		case tag == 5 && n >= 2:
			object := int(body[0] >> 3)
			if object == 31 {
				object = 32 + int(body[0]&7)<<3 + int(body[1]>>5)
			}
			return object
		default:
			data = body[n:]
		}
	}
	return 0
}

// schemes are the protection schemes of methods. See RFC 8216 section 4.3.2.4 and its revision.
var schemes = map[string]string{"SAMPLE-AES": "cbcs", "SAMPLE-AES-CTR": "cenc"}

// check checks one track against the playlist and the device profile.
func (t *mp4Track) check(rec *recorder, want expect, p Place) {
	if s := schemes[want.method]; s != t.scheme && (t.isVideo() || t.isAudio()) {
		rec.Add("HK124", p, "track %d has the scheme %q, METHOD is %q", t.id, t.scheme, want.method)
	}
	if t.entry == "hev1" || t.entry == "dvhe" {
		rec.Add("HF106", p, "the sample entry of track %d is %s", t.id, t.entry)
	}
	if want.profile == ProfileIIS {
		rec.Add("HD107", p, "the init segment is fragmented MP4")
	}
}

package bitrate_test

import (
	"bytes"
	"encoding/binary"
	"math"
)

// mp4Box returns a box of parts.
func mp4Box(name string, parts ...[]byte) []byte {
	body := bytes.Join(parts, nil)
	b := binary.BigEndian.AppendUint32(nil, uint32(8+len(body)))
	return append(append(b, name...), body...)
}

// mp4Large is mp4Box with a size of 64 bits.
func mp4Large(name string, parts ...[]byte) []byte {
	body := bytes.Join(parts, nil)
	b := append([]byte{0, 0, 0, 1}, name...)
	return append(binary.BigEndian.AppendUint64(b, uint64(16+len(body))), body...)
}

// be32 and be64 return numbers one behind the other.
func be32(v ...uint32) (b []byte) {
	for _, x := range v {
		b = binary.BigEndian.AppendUint32(b, x)
	}
	return b
}

func be64(v ...uint64) (b []byte) {
	for _, x := range v {
		b = binary.BigEndian.AppendUint64(b, x)
	}
	return b
}

// mp4Times returns mvhd or mdhd of version 0.
func mp4Times(name string, timescale, duration uint32) []byte {
	return mp4Box(name, be32(0, 1, 2, timescale, duration), make([]byte, 80))
}

// mp4Times64 returns mvhd or mdhd of version 1.
func mp4Times64(name string, timescale uint32, duration uint64) []byte {
	return mp4Box(name, be32(1<<24), be64(1, 2), be32(timescale), be64(duration), make([]byte, 80))
}

// mp4Trak is a track in moov.
type mp4Trak struct {
	id, timescale, duration, inMovie uint32
	handler                          string
	entry                            []byte // of stsd
	tables                           int    // bytes of stbl behind stsd
}

func (t mp4Trak) box() []byte {
	entry := t.entry
	if entry == nil {
		entry = mp4Box("avc1", make([]byte, 78))
	}
	return mp4Box("trak",
		mp4Box("tkhd", be32(7, 1, 2, t.id, 0, t.inMovie), make([]byte, 60)),
		mp4Box("mdia",
			mp4Times("mdhd", t.timescale, t.duration),
			mp4Box("hdlr", be32(0, 0), []byte(t.handler), make([]byte, 13)),
			mp4Box("minf", mp4Box("stbl", mp4Box("stsd", be32(0, 1), entry), mp4Box("stsz", make([]byte, t.tables)))),
		))
}

func mp4Video(id uint32) []byte {
	return mp4Trak{id: id, timescale: 1000, handler: "vide"}.box()
}

func mp4Mvex(parts ...[]byte) []byte {
	return mp4Box("mvex", append(parts, mp4Box("trex", be32(0, 1, 1, 40, 0, 0)), mp4Box("trex", be32(0, 2, 1, 50, 0, 0)))...)
}

// mp4Fragmented returns a movie header for fragments of tracks 1 and 2, in ms.
func mp4Fragmented(parts ...[]byte) []byte {
	return mp4Box("moov", mp4Times("mvhd", 1000, 0), mp4Video(1), mp4Video(2), mp4Mvex(parts...))
}

// mp4Fragment is a moof of one track and its mdat.
type mp4Fragment struct {
	track   uint32
	start   uint64
	hasTfdt bool
	samples uint32
	lasts   uint32 // of each sample, zero means the default of trex
	parts   []byte // more boxes in traf
	media   int
}

func (f mp4Fragment) moof() []byte {
	tfdt := mp4Box("tfdt", be32(1<<24), be64(f.start))
	if !f.hasTfdt {
		tfdt = nil
	}
	trun := mp4Box("trun", be32(0x201, f.samples, 0), make([]byte, 4*f.samples))
	if f.lasts > 0 {
		trun = mp4Box("trun", be32(0x100, f.samples), bytes.Repeat(be32(f.lasts), int(f.samples)))
	}
	return mp4Box("moof", mp4Box("mfhd", be32(0, 1)), mp4Box("traf", mp4Box("tfhd", be32(0, f.track)), tfdt, trun, f.parts))
}

func (f mp4Fragment) boxes() []byte {
	return append(f.moof(), mp4Box("mdat", make([]byte, f.media))...)
}

// mp4Fragments returns n fragments of a track, of a second and size bytes each.
func mp4Fragments(track uint32, n, size int, start uint64, hasTfdt bool) (b []byte) {
	for i := range n {
		f := mp4Fragment{track: track, start: start + 1000*uint64(i), hasTfdt: hasTfdt, samples: 25, lasts: 40}
		f.media = size - 8 - len(f.moof())
		b = append(b, f.boxes()...)
	}
	return b
}

// mp4Sidx returns an index of segments of a size in bytes and a duration in ms.
func mp4Sidx(track, first uint32, n int, size, duration uint32) []byte {
	return mp4Box("sidx", be32(0, track, 1000, 0, first, uint32(n)), bytes.Repeat(be32(size, duration, 0x90000000), n))
}

// mp4Mfra returns a random access index of a track, with entries of a time and an offset.
func mp4Mfra(track uint32, entries ...uint64) []byte {
	body := mp4Box("tfra", be32(1<<24, track, 0, uint32(len(entries)/2)))
	for i := 0; i < len(entries); i += 2 {
		body = append(append(body, be64(entries[i], entries[i+1])...), 1, 1, 1)
	}
	binary.BigEndian.PutUint32(body, uint32(len(body)))
	return mp4Box("mfra", body, mp4Box("mfro", be32(0, uint32(8+len(body)+16))))
}

// mp4Tfxd returns the box that says the time of a fragment in Smooth Streaming.
func mp4Tfxd(start, duration uint64) []byte {
	return mp4Box("uuid", []byte("\x6d\x1d\x9b\x05\x42\xd5\x44\xe6\x80\xe2\x14\x1d\xaf\xf7\x57\xb2"), be32(1<<24), be64(start, duration))
}

// mp4Esds returns the descriptors of an AAC track. Rates are in bit/s.
func mp4Esds(peak, average uint32) []byte {
	decoder := append([]byte{4, 0x80, 0x80, 0x80, 13, 0x40, 0x15, 0, 0, 0}, be32(peak, average)...)
	return mp4Box("esds", be32(0), []byte{3, 0x80, 0x80, 0x80, 21, 0, 1, 0}, decoder)
}

// mp4Film returns ftyp and the movie header of a film: two tracks with tables of a size in bytes together.
func mp4Film(seconds uint32, tables int) (ftyp, moov []byte) {
	track := mp4Trak{id: 1, timescale: 90_000, duration: min(seconds, math.MaxUint32/90_000) * 90_000, inMovie: seconds * 1000, handler: "vide"}
	track.tables = tables * 3 / 4
	sound := mp4Trak{id: 2, timescale: 48_000, duration: track.duration / 90_000 * 48_000, inMovie: seconds * 1000, handler: "soun"}
	sound.tables = tables / 4
	sound.entry = mp4Box("mp4a", make([]byte, 28), mp4Esds(192_000, 128_000))
	return mp4Box("ftyp", []byte("isom\x00\x00\x02\x00isomavc1")),
		mp4Box("moov", mp4Times("mvhd", 1000, seconds*1000), track.box(), sound.box(), mp4Box("udta", make([]byte, 100)))
}

package fmp4

import (
	"encoding/binary"
	"io"
)

// RandomAccess is a parsed tfra box: where the fragments of one track are. It aliases the bytes of the mfra box.
type RandomAccess struct {
	TrackID uint32
	entries []byte
	size    int // of an entry
	wide    bool
}

// Len returns the number of entries.
func (t *RandomAccess) Len() int {
	if t.size == 0 {
		return 0
	}
	return len(t.entries) / t.size
}

// At returns the time of entry i, in ticks of the track, and the absolute offset of its moof box.
func (t *RandomAccess) At(i int) (time, moof uint64) {
	e := t.entries[i*t.size:]
	if t.wide {
		return u64(e), u64(e[8:])
	}
	return uint64(u32(e)), uint64(u32(e[4:]))
}

// FindMfra returns the mfra box that ends at the end of the file, by the size in its mfro box. It reports false if
// there is none, or one that does not hold together. One read of 16 bytes. See ISO/IEC 14496-12 8.8.11.
func FindMfra(r io.ReaderAt, size int64) (Box, bool) {
	var b [16]byte
	if size < 24 || readFull(r, b[:], size-16, "mfra/mfro") != nil {
		return Box{}, false
	}
	n := int64(u32(b[12:]))
	if u32(b[:]) != 16 || Type(u32(b[4:])) != TypeMfro || n < 24 || n > size {
		return Box{}, false
	}
	h := Box{Type: TypeMfra, Offset: size - n, Size: n, Header: 8}
	var head [8]byte
	if readFull(r, head[:], h.Offset, "mfra") != nil || int64(u32(head[:])) != n || Type(u32(head[4:])) != TypeMfra {
		return Box{}, false
	}
	return h, true
}

// ParseMfra parses an mfra box, header included, that stands at the given absolute offset.
//
//	tfra: version:8 flags:24 track_ID:32 reserved:26 length_size_of_traf_num:2 length_size_of_trun_num:2
//	      length_size_of_sample_num:2 entries:32 (time:32|64 moof_offset:32|64 traf:8-32 trun:8-32 sample:8-32)*
//
// See ISO/IEC 14496-12 8.8.10.
func ParseMfra(mfra []byte, offset int64) ([]RandomAccess, error) {
	h, err := parseHeader(mfra, offset, int64(len(mfra)))
	if err != nil {
		return nil, err
	}
	if h.Type != TypeMfra {
		return nil, corrupt("mfra", offset, "type %q", h.Type)
	}
	var all []RandomAccess
	c := cursor{b: mfra[h.Header:h.Size], offset: offset + h.Header, path: "mfra"}
	for x, ok := c.next(); ok; x, ok = c.next() {
		if x.typ != TypeTfra {
			continue
		}
		t, err := parseTfra(&x)
		if err != nil {
			return nil, err
		}
		if len(all) == MaxTracks {
			return nil, tooLarge("mfra/tfra", x.offset, "more than %d tracks", MaxTracks)
		}
		all = append(all, t)
	}
	return all, c.err
}

func parseTfra(x *box) (RandomAccess, error) {
	const path = "mfra/tfra"
	v, _, b, err := x.full(path)
	if err != nil {
		return RandomAccess{}, err
	}
	if len(b) < 12 {
		return RandomAccess{}, corrupt(path, x.offset, "body %d bytes, need 12", len(b))
	}
	t := RandomAccess{TrackID: u32(b), wide: v == 1, size: 8}
	if t.wide {
		t.size = 16
	}
	lengths := u32(b[4:])
	t.size += int(lengths>>4&3+1) + int(lengths>>2&3+1) + int(lengths&3+1)
	n := int64(u32(b[8:]))
	if n*int64(t.size) > int64(len(b)-12) {
		return RandomAccess{}, corrupt(path, x.offset, "%d entries of %d bytes in %d", n, t.size, len(b)-12)
	}
	t.entries = b[12 : 12+n*int64(t.size)]
	var last uint64
	for i := range int(n) {
		time, moof := t.At(i)
		if !validTicks(time) || moof > maxTicks {
			return RandomAccess{}, corrupt(path, x.offset, "entry %d: time %d, offset %d", i, time, moof)
		}
		if i > 0 && int64(time) <= int64(last) {
			return RandomAccess{}, corrupt(path, x.offset, "entry %d: time %d after %d", i, int64(time), int64(last))
		}
		last = time
	}
	return t, nil
}

// TfraEntry is an entry for AppendMfra.
type TfraEntry struct{ Time, Moof uint64 }

// AppendMfra appends an mfra box with one version 1 tfra per track, as IIS writes it (one-byte traf, trun and
// sample numbers, all 1), and mfro.
func AppendMfra(dst []byte, tracks []uint32, entries [][]TfraEntry) []byte {
	start := len(dst)
	dst = appendHeader(dst, 0, TypeMfra)
	for i, id := range tracks {
		dst = appendHeader(dst, uint32(24+19*len(entries[i])), TypeTfra)
		dst = binary.BigEndian.AppendUint32(dst, 1<<24)
		dst = binary.BigEndian.AppendUint32(dst, id)
		dst = binary.BigEndian.AppendUint32(dst, 0)
		dst = binary.BigEndian.AppendUint32(dst, uint32(len(entries[i])))
		for _, e := range entries[i] {
			dst = binary.BigEndian.AppendUint64(dst, e.Time)
			dst = binary.BigEndian.AppendUint64(dst, e.Moof)
			dst = append(dst, 1, 1, 1)
		}
	}
	dst = appendHeader(dst, 16, TypeMfro)
	dst = binary.BigEndian.AppendUint32(dst, 0)
	size := uint32(len(dst) + 4 - start)
	dst = binary.BigEndian.AppendUint32(dst, size)
	binary.BigEndian.PutUint32(dst[start:], size)
	return dst
}

func appendHeader(dst []byte, size uint32, t Type) []byte {
	dst = binary.BigEndian.AppendUint32(dst, size)
	return binary.BigEndian.AppendUint32(dst, uint32(t))
}

package repair

import (
	"encoding/binary"
	"fmt"

	"github.com/smoothkit/smoothkit/internal/fmp4"
)

// Flags of tfhd and trun. See ISO/IEC 14496-12 8.8.7 and 8.8.8.
const (
	tfhdBase        = 0x01
	tfhdDescription = 0x02
	tfhdDuration    = 0x08
	tfhdBaseIsMoof  = 0x020000
	trunOffset      = 0x01
)

// child is a box inside a slice.
type child struct {
	typ      fmp4.Type
	from, to int
}

// children lists the boxes that follow the first header bytes of b, as far as they have plain headers.
func children(b []byte, header int) []child {
	var out []child
	for off := header; off+8 <= len(b); {
		n := int64(binary.BigEndian.Uint32(b[off:]))
		if n < 8 || n > int64(len(b)-off) {
			break
		}
		out = append(out, child{fmp4.Type(binary.BigEndian.Uint32(b[off+4:])), off, off + int(n)})
		off += int(n)
	}
	return out
}

// moofPatch is a change of a moof box that is moved: absolute offsets follow, and samples may get a default duration in tfhd.
type moofPatch struct {
	shift int64             // how far the box moves
	each  map[uint32]uint32 // durations in ticks by track, where they are missing
}

// apply returns the changed box. raw, which has been parsed, may be changed or returned as it is.
func (p *moofPatch) apply(raw []byte) ([]byte, error) {
	if p.shift == 0 && len(p.each) == 0 {
		return raw, nil
	}
	grown, n := p.growth(raw)
	if n > 0 && int64(len(raw))+int64(n) > fmp4.MaxMoof {
		return nil, fmt.Errorf("%d bytes and %d more: %w", len(raw), n, fmp4.ErrTooLarge)
	}
	out := make([]byte, 0, len(raw)+n)
	kids := children(raw, 8)
	end := 8
	out = append(out, raw[:8]...)
	first := true
	for i, k := range kids {
		end = k.to
		if k.typ != fmp4.TypeTraf {
			out = append(out, raw[k.from:k.to]...)
			continue
		}
		var err error
		if out, err = p.traf(out, raw[k.from:k.to], grown[i], n, first); err != nil {
			return nil, err
		}
		first = false
	}
	out = append(out, raw[end:]...)
	if n > 0 {
		if binary.BigEndian.Uint32(raw) < 8 {
			return nil, fmt.Errorf("a 64-bit size: %w", fmp4.ErrUnsupported)
		}
		binary.BigEndian.PutUint32(out, uint32(len(out)))
	}
	return out, nil
}

// growth returns which children of a moof box grow, and by how many bytes all together.
func (p *moofPatch) growth(raw []byte) (map[int]bool, int) {
	grown, n := make(map[int]bool), 0
	for i, k := range children(raw, 8) {
		if k.typ != fmp4.TypeTraf {
			continue
		}
		for _, x := range children(raw[k.from:k.to], 8) {
			b := raw[k.from+x.from : k.from+x.to]
			if x.typ == fmp4.TypeTfhd && len(b) >= 16 && p.each[binary.BigEndian.Uint32(b[12:])] > 0 &&
				binary.BigEndian.Uint32(b[8:])&tfhdDuration == 0 {
				grown[i] = true
				n += 4
			}
		}
	}
	return grown, n
}

// traf appends a traf box. all is the growth of the moof box in bytes, grow tells that 4 of them are in this traf.
func (p *moofPatch) traf(dst, raw []byte, grow bool, all int, first bool) ([]byte, error) {
	start := len(dst)
	dst = append(dst, raw[:8]...)
	var flags uint32
	end := 8
	for _, x := range children(raw, 8) {
		b := raw[x.from:x.to]
		at := len(dst)
		end = x.to
		switch {
		case x.typ == fmp4.TypeTfhd && len(b) >= 16:
			flags = binary.BigEndian.Uint32(b[8:])
			dst = p.tfhd(dst, b, grow)
			continue
		case x.typ == fmp4.TypeSaio && all > 0:
			return nil, fmt.Errorf("encrypted samples without durations: %w", fmp4.ErrUnsupported)
		}
		dst = append(dst, b...)
		// Offsets that count from the start of the moof box grow with it; those of a later traf may count from the data before.
		if x.typ == fmp4.TypeTrun && len(b) >= 20 && binary.BigEndian.Uint32(b[8:])&trunOffset != 0 &&
			(first || flags&(tfhdBase|tfhdBaseIsMoof) != 0) {
			binary.BigEndian.PutUint32(dst[at+16:], binary.BigEndian.Uint32(b[16:])+uint32(all))
		}
	}
	dst = append(dst, raw[end:]...)
	binary.BigEndian.PutUint32(dst[start:], uint32(len(dst)-start))
	return dst, nil
}

// tfhd appends a tfhd box:
//
//	size:32 type:32 version:8 flags:24 track_ID:32 [base_data_offset:64] [sample_description_index:32] [default_sample_duration:32] ...
func (p *moofPatch) tfhd(dst, b []byte, grow bool) []byte {
	start := len(dst)
	flags := binary.BigEndian.Uint32(b[8:])
	at := 16
	dst = append(dst, b[:16]...)
	if flags&tfhdBase != 0 && len(b) >= at+8 {
		dst = binary.BigEndian.AppendUint64(dst, binary.BigEndian.Uint64(b[at:])+uint64(p.shift))
		at += 8
	}
	if flags&tfhdDescription != 0 && len(b) >= at+4 {
		dst = append(dst, b[at:at+4]...)
		at += 4
	}
	if grow {
		dst = binary.BigEndian.AppendUint32(dst, p.each[binary.BigEndian.Uint32(b[12:])])
		binary.BigEndian.PutUint32(dst[start+8:], flags|tfhdDuration)
	}
	dst = append(dst, b[at:]...)
	binary.BigEndian.PutUint32(dst[start:], uint32(len(dst)-start))
	return dst
}

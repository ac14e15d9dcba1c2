package validate

import "encoding/binary"

// index checks mfra and leaves the times of fragments in m.moofs.
func (m *mediaFile) index(heads []topBox) error {
	at := -1
	for i, b := range heads {
		if b.typ == "mfra" {
			at = i
		}
	}
	if at < 0 {
		m.rec.Add("SI109", m.at("/", 0), "there is no mfra")
		return nil
	}
	b := heads[at]
	if at != len(heads)-1 {
		m.rec.Add("SI108", m.at("mfra", b.offset), "%q follows at byte %d", heads[at+1].typ, heads[at+1].offset)
	}
	data, err := m.read(b, maxIndexBox)
	if err != nil || data == nil {
		return err
	}
	outer, err := splitBoxes(data, b.offset)
	if err == nil {
		var kids []box
		if kids, err = outer[0].children(); err == nil {
			m.mfra(outer[0], kids)
			return nil
		}
	}
	m.rec.Add("SI101", m.at("mfra", b.offset), "%v", err)
	return nil
}

func (m *mediaFile) mfra(b box, kids []box) {
	var size uint32
	last := len(kids) - 1
	if last >= 0 && kids[last].typ == "mfro" && len(kids[last].body) == 8 {
		size = binary.BigEndian.Uint32(kids[last].body[4:])
	}
	if int64(size) != b.size {
		m.rec.Add("SI110", m.at("mfra/mfro", b.offset), "the mfro says %d, mfra has %d bytes", size, b.size)
	}
	for _, t := range ofType(kids, "tfra") {
		m.tfra(t)
	}
	if m.broken {
		return
	}
	for _, t := range m.sortedTracks() {
		if t.fragments > 0 && !t.indexed {
			m.rec.Add("SI116", m.at("mfra", b.offset), "there is no tfra for track %d with %d fragments", t.id, t.fragments)
		}
	}
	for _, offset := range m.order {
		f := m.moofs[offset]
		if t := m.tracks[f.track]; t != nil && t.indexed && !f.indexed {
			m.rec.Add("SI115", m.at("moof", offset), "the tfra of track %d does not list it", f.track)
		}
	}
}

// tfra checks
//
//	version u8, flags u24, track_ID u32, lengths u32, count u32,
//	count times: time and moof offset u32 or u64 each, traf, trun and sample number
func (m *mediaFile) tfra(b box) {
	p := m.at("mfra/tfra", b.offset)
	version, _, rest, ok := b.full()
	width := 4 << (version & 1)
	r := reader{data: rest}
	id, lengths, count := uint32(r.uint(4)), r.uint(4), r.uint(4)
	numbers := int(lengths>>4&3+1) + int(lengths>>2&3+1) + int(lengths&3+1)
	if !ok || r.bad || count*uint64(2*width+numbers) != uint64(len(r.data)) {
		m.rec.Add("SI111", p, "%d bytes, version %d, %d entries of %d", b.size, version, count, 2*width+numbers)
		m.broken = true
		return
	}
	t := m.tracks[id]
	if t == nil || t.indexed {
		m.rec.Add("SI116", p, "track_ID is %d: not in moov, or a second time", id)
		return
	}
	t.indexed = true
	var last uint64
	for i := range count {
		time, offset := r.uint(width), r.uint(width)
		r.take(numbers)
		if i > 0 && time <= last {
			m.rec.Add("SI113", p, "entry %d has the time %d after %d", i, time, last)
		}
		last = time
		m.entry(p, i, id, time, offset)
	}
}

func (m *mediaFile) entry(p Place, i uint64, id uint32, time, offset uint64) {
	f := m.moofs[int64(min(offset, 1<<62))]
	if f != nil && f.unread {
		return
	}
	if f == nil || f.track != id {
		m.rec.Add("SI112", p, "entry %d of track %d points at byte %d, where there is no moof of the track", i, id, offset)
		return
	}
	if f.hasTfxd && f.tfxd != time {
		m.rec.Add("SI114", p, "entry %d has the time %d, the tfxd at byte %d has %d", i, time, offset, f.tfxd)
	}
	f.time, f.hasTime, f.indexed = time, true, true
}

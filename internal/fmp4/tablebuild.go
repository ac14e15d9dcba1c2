package fmp4

import "encoding/binary"

// TableBuilder makes a Table of samples that are described elsewhere, such as in the moof boxes of a fragmented file.
// Its zero value is ready to use. It needs 4 bytes per sample and 8 to 20 per change of duration, composition offset,
// and place.
type TableBuilder struct {
	count, syncs             uint32
	start, dts, end          uint64
	stts, ctts               runList
	sizes, stss, stsc, chunk []byte
	perChunk                 uint32 // samples in the chunk at hand
	chunks, lastPer          uint32
	next                     int64 // offset behind the sample before
}

// runList is a table of (count:32 value:32) entries.
type runList struct {
	b     []byte
	n     uint32 // entries in b
	count uint32 // of the entry at hand
	value uint32
}

func (r *runList) add(v uint32) {
	if r.count > 0 && v == r.value {
		r.count++
		return
	}
	r.flush()
	r.count, r.value = 1, v
}

func (r *runList) flush() {
	if r.count > 0 {
		r.b = binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(r.b, r.count), r.value)
		r.n++
		r.count = 0
	}
}

// Add appends a sample. The decode time of the first one becomes Start, which is zero in the table. A sample lasts
// until the decode time of the next; decode times that go back are taken as equal to the one before.
func (b *TableBuilder) Add(s TableSample) error {
	if b.count == MaxSamples {
		return tooLarge("moof/traf/trun", s.Offset, "more than %d samples", MaxSamples)
	}
	if b.count == 0 {
		b.start = s.DTS
	} else if err := b.addDuration(max(s.DTS, b.dts)-b.dts, s.Offset); err != nil {
		return err
	}
	b.dts = max(b.dts, s.DTS)
	b.end = b.dts + uint64(s.Duration)
	b.ctts.add(uint32(s.CTS))
	b.sizes = binary.BigEndian.AppendUint32(b.sizes, s.Size)
	if b.count++; s.Sync {
		b.stss = binary.BigEndian.AppendUint32(b.stss, b.count)
		b.syncs++
	}
	if b.perChunk == 0 || s.Offset != b.next {
		b.flushChunk()
		b.chunk = binary.BigEndian.AppendUint64(b.chunk, uint64(s.Offset))
		b.chunks++
	}
	b.perChunk++
	b.next = s.Offset + int64(s.Size)
	return nil
}

func (b *TableBuilder) addDuration(d uint64, offset int64) error {
	if d > 1<<32-1 {
		return tooLarge("moof/traf/trun", offset, "a gap of %d ticks before the sample", d)
	}
	b.stts.add(uint32(d))
	return nil
}

// flushChunk writes an entry of stsc, first_chunk:32 samples_per_chunk:32 sample_description_index:32, if the number of
// samples changes.
func (b *TableBuilder) flushChunk() {
	if b.perChunk > 0 && b.perChunk != b.lastPer {
		for _, v := range []uint32{b.chunks, b.perChunk, 1} {
			b.stsc = binary.BigEndian.AppendUint32(b.stsc, v)
		}
		b.lastPer = b.perChunk
	}
	b.perChunk = 0
}

// Start returns the decode time of the first sample, as it was given to Add.
func (b *TableBuilder) Start() uint64 { return b.start }

// End returns the decode time after the last sample.
func (b *TableBuilder) End() uint64 { return b.end }

// Len returns the number of samples.
func (b *TableBuilder) Len() uint32 { return b.count }

// Table returns the table. The builder must not be used afterwards.
func (b *TableBuilder) Table() (Table, error) {
	if b.count == 0 {
		return Table{}, nil
	}
	if err := b.addDuration(b.end-b.dts, b.next); err != nil {
		return Table{}, err
	}
	b.stts.flush()
	b.ctts.flush()
	b.flushChunk()
	full := func(t Type, n uint32, entries []byte, before ...byte) box {
		body := append(make([]byte, 4, 12), before...)
		body = append(binary.BigEndian.AppendUint32(body, n), entries...)
		return box{typ: t, raw: body, body: body}
	}
	var tb tableBoxes
	tb.add(full(TypeStts, b.stts.n, b.stts.b))
	tb.add(full(TypeCtts, b.ctts.n, b.ctts.b))
	tb.add(full(TypeStsz, b.count, b.sizes, 0, 0, 0, 0))
	tb.add(full(TypeStsc, uint32(len(b.stsc)/12), b.stsc))
	tb.add(full(TypeCo64, b.chunks, b.chunk))
	if b.syncs < b.count {
		tb.add(full(TypeStss, b.syncs, b.stss))
	}
	return tb.table(0)
}

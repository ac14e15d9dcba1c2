package fmp4

import (
	"math"
	"sort"
)

// Table gives access to the samples of a progressive file. It keeps views of the boxes it was parsed from and a
// sparse index of them, so it costs a few bytes per hundred samples beyond the moov box itself.
// See ISO/IEC 14496-12 8.6 and 8.7.
type Table struct {
	count uint32 // samples

	stts, ctts, stsc, stss []byte // the entries, without counts
	hasSync                bool   // stss is present; else all samples are sync samples
	sizes                  []byte // entries of stsz or stz2
	sizeBits               uint8  // 4, 8, 16 or 32; 0 if all samples have the size fixed
	fixed                  uint32
	chunks                 []byte // entries of stco or co64
	large                  bool   // co64
	chunkCount             uint32

	times   []timeMark // every markEntries entries of stts
	offsets []uint32   // first sample of every markEntries entries of ctts
	runs    []uint32   // first sample of each entry of stsc
	sums    []uint64   // bytes before every markSamples samples; nil if sizes are fixed
}

type timeMark struct {
	sample uint32
	dts    uint64
}

const (
	markEntries = 64
	markSamples = 256
)

// MaxSamples is the largest number of samples in one track. A track of fixed-size samples states its count without
// any bytes to back it; this bounds the work of reading it through, and sums of sizes and offsets to 63 bits.
const MaxSamples = 1 << 28

// Len returns the number of samples.
func (t *Table) Len() uint32 { return t.count }

// HasSync reports whether the track tells sync samples from others; if not, all are sync samples.
func (t *Table) HasSync() bool { return t.hasSync }

// tableBoxes collects the boxes of stbl that make a Table.
type tableBoxes struct {
	stts, ctts, stsc, stss, stsz, stz2, stco, co64 box
}

func (tb *tableBoxes) add(x box) {
	switch x.typ {
	case TypeStts:
		tb.stts = x
	case TypeCtts:
		tb.ctts = x
	case TypeStsc:
		tb.stsc = x
	case TypeStss:
		tb.stss = x
	case TypeStsz:
		tb.stsz = x
	case TypeStz2:
		tb.stz2 = x
	case TypeStco:
		tb.stco = x
	case TypeCo64:
		tb.co64 = x
	}
}

// entries returns the entries of a table box of the form version:8 flags:24 count:32 entries, as one slice whose
// length is a multiple of size.
func (x *box) entries(path string, size int) ([]byte, error) {
	if x.raw == nil {
		return nil, nil
	}
	_, _, b, err := x.full(path)
	if err != nil {
		return nil, err
	}
	if len(b) < 4 {
		return nil, corrupt(path, x.offset, "body %d bytes, need 4", len(b))
	}
	n := int64(u32(b)) * int64(size)
	if n > int64(len(b)-4) {
		return nil, corrupt(path, x.offset, "%d entries need %d bytes, body has %d", u32(b), n, len(b)-4)
	}
	return b[4 : 4+n], nil
}

func (tb *tableBoxes) table(offset int64) (Table, error) {
	var t Table
	if tb.stsz.raw == nil && tb.stz2.raw == nil {
		return t, nil // a track without samples of its own
	}
	if err := t.parseSizes(tb); err != nil {
		return Table{}, err
	}
	if t.count == 0 {
		return Table{}, nil
	}
	var err error
	if t.stts, err = tb.stts.entries(pathStbl+"/stts", 8); err == nil {
		err = t.markTimes(tb.stts.offset)
	}
	if err == nil {
		if t.ctts, err = tb.ctts.entries(pathStbl+"/ctts", 8); err == nil {
			err = t.markOffsets(tb.ctts.offset)
		}
	}
	if err == nil && tb.stss.raw != nil {
		t.hasSync = true
		if t.stss, err = tb.stss.entries(pathStbl+"/stss", 4); err == nil {
			err = t.checkSync(tb.stss.offset)
		}
	}
	if err == nil {
		err = t.parseChunks(tb, offset)
	}
	if err != nil {
		return Table{}, err
	}
	t.sumSizes()
	return t, nil
}

// parseSizes reads stsz (version:8 flags:24 sample_size:32 count:32 sizes) or stz2 (version:8 flags:24 reserved:24
// field_size:8 count:32 sizes).
func (t *Table) parseSizes(tb *tableBoxes) error {
	x, path := &tb.stsz, pathStbl+"/stsz"
	if x.raw == nil {
		x, path = &tb.stz2, pathStbl+"/stz2"
	}
	_, _, b, err := x.full(path)
	if err != nil {
		return err
	}
	if len(b) < 8 {
		return corrupt(path, x.offset, "body %d bytes, need 8", len(b))
	}
	if t.count = u32(b[4:]); t.count > MaxSamples {
		return tooLarge(path, x.offset, "%d samples, limit %d", t.count, MaxSamples)
	}
	t.sizeBits = 32
	if x.typ == TypeStz2 {
		t.sizeBits = b[3]
		if t.sizeBits != 4 && t.sizeBits != 8 && t.sizeBits != 16 {
			return corrupt(path, x.offset, "field size %d", t.sizeBits)
		}
	} else if t.fixed = u32(b); t.fixed != 0 {
		t.sizeBits = 0
		return nil
	}
	need := (int64(t.count)*int64(t.sizeBits) + 7) / 8
	if need > int64(len(b)-8) {
		return corrupt(path, x.offset, "%d samples need %d bytes, body has %d", t.count, need, len(b)-8)
	}
	t.sizes = b[8 : 8+need]
	return nil
}

func (t *Table) markTimes(offset int64) error {
	const path = pathStbl + "/stts"
	var sample, dts uint64
	for i := 0; i < len(t.stts); i += 8 {
		if i/8%markEntries == 0 {
			t.times = append(t.times, timeMark{uint32(min(sample, math.MaxUint32)), dts})
		}
		n, d := uint64(u32(t.stts[i:])), uint64(u32(t.stts[i+4:]))
		sample += n
		if p := n * d; p > maxTicks || dts+p > maxTicks { // p cannot overflow, dts is at most maxTicks
			return corrupt(path, offset, "the durations add up to more than %d ticks", uint64(maxTicks))
		}
		dts += n * d
	}
	if sample < uint64(t.count) {
		return corrupt(path, offset, "times of %d samples, stsz has %d", sample, t.count)
	}
	return nil
}

// checkSync makes sure that the sync samples ascend, which the searches rely on. Repeated numbers are tolerated.
func (t *Table) checkSync(offset int64) error {
	for i := 4; i < len(t.stss); i += 4 {
		if a, b := u32(t.stss[i-4:]), u32(t.stss[i:]); b < a {
			return corrupt(pathStbl+"/stss", offset, "entry %d: sample %d after %d", i/4, b, a)
		}
	}
	return nil
}

func (t *Table) markOffsets(offset int64) error {
	var sample uint64
	for i := 0; i < len(t.ctts); i += 8 {
		if i/8%markEntries == 0 {
			t.offsets = append(t.offsets, uint32(min(sample, math.MaxUint32)))
		}
		sample += uint64(u32(t.ctts[i:]))
	}
	if len(t.ctts) > 0 && sample < uint64(t.count) {
		return corrupt(pathStbl+"/ctts", offset, "offsets of %d samples, stsz has %d", sample, t.count)
	}
	return nil
}

// parseChunks reads stco or co64 and stsc (first_chunk:32 samples_per_chunk:32 sample_description_index:32)*.
func (t *Table) parseChunks(tb *tableBoxes, offset int64) error {
	var err error
	if tb.co64.raw != nil {
		t.large = true
		t.chunks, err = tb.co64.entries(pathStbl+"/co64", 8)
		t.chunkCount = uint32(len(t.chunks) / 8)
	} else {
		t.chunks, err = tb.stco.entries(pathStbl+"/stco", 4)
		t.chunkCount = uint32(len(t.chunks) / 4)
	}
	if err != nil {
		return err
	}
	const path = pathStbl + "/stsc"
	if t.stsc, err = tb.stsc.entries(path, 12); err != nil {
		return err
	}
	if len(t.stsc) == 0 {
		return corrupt(path, offset, "no entries for %d samples", t.count)
	}
	t.runs = make([]uint32, len(t.stsc)/12)
	var sample uint64
	for i := range t.runs {
		first, next := t.run(i)
		if first == 0 || next <= first || i == 0 && first != 1 {
			return corrupt(path, tb.stsc.offset, "entry %d: chunks %d to %d", i, first, next)
		}
		if next-1 > uint64(t.chunkCount) && i < len(t.runs)-1 {
			return corrupt(path, tb.stsc.offset, "entry %d: chunk %d of %d", i, next-1, t.chunkCount)
		}
		t.runs[i] = uint32(min(sample, math.MaxUint32))
		sample += (next - first) * uint64(t.perChunk(i))
		if sample > 1<<40 {
			return corrupt(path, tb.stsc.offset, "more than %d samples", uint64(1<<40))
		}
	}
	if sample < uint64(t.count) {
		return corrupt(path, tb.stsc.offset, "chunks hold %d samples, stsz has %d", sample, t.count)
	}
	return nil
}

// run returns the first chunk of stsc entry i, from 1, and the first chunk after it.
func (t *Table) run(i int) (first, next uint64) {
	first = uint64(u32(t.stsc[i*12:]))
	if i == len(t.stsc)/12-1 {
		return first, uint64(t.chunkCount) + 1
	}
	return first, uint64(u32(t.stsc[i*12+12:]))
}

func (t *Table) perChunk(i int) uint32 { return u32(t.stsc[i*12+4:]) }

func (t *Table) sumSizes() {
	if t.sizeBits == 0 {
		return
	}
	t.sums = make([]uint64, 0, t.count/markSamples+1)
	var sum uint64
	for i := range t.count {
		if i%markSamples == 0 {
			t.sums = append(t.sums, sum)
		}
		sum += uint64(t.size(i))
	}
}

func (t *Table) size(i uint32) uint32 {
	switch t.sizeBits {
	case 32:
		return u32(t.sizes[4*int(i):])
	case 16:
		return u16(t.sizes[2*int(i):])
	case 8:
		return uint32(t.sizes[i])
	case 4:
		return uint32(t.sizes[i/2]>>(4*(1-i%2))) & 15
	}
	return t.fixed
}

// BytesBefore returns the number of bytes of the samples before sample i, which is at most Len.
func (t *Table) BytesBefore(i uint32) uint64 {
	if t.sizeBits == 0 {
		return uint64(i) * uint64(t.fixed)
	}
	m := i / markSamples
	if int(m) == len(t.sums) { // i == count, a multiple of markSamples
		m--
	}
	sum := t.sums[m]
	for j := m * markSamples; j < i; j++ {
		sum += uint64(t.size(j))
	}
	return sum
}

// Sync returns the number of the k-th sync sample, counted from 0, and false if there are not that many. Samples
// that do not exist are skipped by the caller's bound.
func (t *Table) Sync(k int) (uint32, bool) {
	if !t.hasSync {
		return uint32(k), uint64(k) < uint64(t.count)
	}
	if k < 0 || k >= len(t.stss)/4 {
		return 0, false
	}
	n := u32(t.stss[4*k:])
	if n == 0 || n > t.count {
		return 0, false
	}
	return n - 1, true
}

// syncAt returns the position in stss of the first sync sample at or after sample i.
func (t *Table) syncAt(i uint32) int {
	return sort.Search(len(t.stss)/4, func(k int) bool { return u32(t.stss[4*k:]) > i })
}

package bitrate

import (
	"encoding/binary"
	"math"
)

// Limits of the segment indexes that are read.
const (
	sidxEntrySize  = 12
	sidxMaxEntries = 8 << 10 // of one box; four and a half hours of segments of two seconds
	sidxMaxTracks  = 64
)

// sidx is a segment index: how long a stretch of the file plays.
type sidx struct {
	track    uint32
	duration uint64 // microseconds
	end      int64  // of the stretch
	whole    bool   // all entries were read
}

// sidx reads
//
//	version:8 flags:24 track:32 timescale:32 earliest:32 first offset:32 reserved:16 count:16
//	count * (type:1 size:31 duration:32 access point:32)
//
// with two fields of 64 bits in version 1. The duration of an entry of type 1, which refers to another index, includes
// all that this refers to. See ISO/IEC 14496-12 8.16.3.
func (s *source) sidx(x mp4Box) (sidx, error) {
	b, err := s.mp4Bytes(x, 24)
	if err != nil {
		return sidx{}, err
	}
	fields, first := 24, uint64(binary.BigEndian.Uint32(b[16:]))
	if b[0] != 0 {
		fields = 32
		if b, err = s.mp4Bytes(x, fields); err != nil {
			return sidx{}, err
		}
		first = binary.BigEndian.Uint64(b[20:])
	}
	if first > math.MaxInt64/4 || x.end > math.MaxInt64/4 {
		return sidx{}, s.fail(x.off, ErrCorrupt, "sidx refers to offset %d behind its end at %d", first, x.end)
	}
	r := sidx{track: binary.BigEndian.Uint32(b[4:]), end: x.end + int64(first)}
	timescale, count := binary.BigEndian.Uint32(b[8:]), int(binary.BigEndian.Uint16(b[fields-2:]))
	if int64(count)*sidxEntrySize > x.end-x.body-int64(fields) {
		return sidx{}, s.fail(x.off, ErrCorrupt, "sidx of %d entries in %d bytes", count, x.end-x.off)
	}
	n := min(count, sidxMaxEntries)
	if b, err = s.at(x.body+int64(fields), n*sidxEntrySize); err != nil {
		return sidx{}, err
	}
	var ticks uint64
	for ; len(b) >= sidxEntrySize; b = b[sidxEntrySize:] {
		r.end += int64(binary.BigEndian.Uint32(b) & math.MaxInt32)
		ticks += uint64(binary.BigEndian.Uint32(b[4:]))
	}
	r.duration, r.whole = micros(ticks, timescale), n == count
	return r, nil
}

// sidxSum adds up indexes that follow one another, for each track that they are of.
type sidxSum struct {
	tracks []sidx
	end    int64 // of what all of them cover
}

// add adds an index. It reports whether there is room for it.
func (t *sidxSum) add(x sidx) bool {
	t.end = max(t.end, x.end)
	for i := range t.tracks {
		if t.tracks[i].track == x.track {
			t.tracks[i].duration += x.duration
			return true
		}
	}
	if len(t.tracks) == sidxMaxTracks {
		return false
	}
	t.tracks = append(t.tracks, x)
	return true
}

// longest returns the longest duration of a track, in microseconds.
func (t *sidxSum) longest() (longest uint64) {
	for _, x := range t.tracks {
		longest = max(longest, x.duration)
	}
	return longest
}

// byIndex adds up the segment indexes: one of the whole file, one for each track, or one before each segment. What they
// cover is stepped over. Where the reads end before the file does, or media comes that no index covers, the rate
// is that of the beginning which is covered, and the method says so.
func (f *mp4File) byIndex() Info {
	if f.index < 0 {
		return Info{}
	}
	var sum sidxSum
	off, from := f.index, f.index
	for f.s.size-off >= 8 {
		x, err := f.s.mp4Box(off, f.s.size)
		if err != nil {
			break
		}
		if x.name == "sidx" {
			i, err := f.s.sidx(x)
			if err != nil || !sum.add(i) {
				break
			}
			if !i.whole {
				off, from = x.end, x.end
				break
			}
		}
		if (x.name == "moof" || x.name == "mdat") && off >= sum.end {
			break
		}
		off = x.end
		if x.name != "sidx" {
			off = max(off, sum.end)
		}
	}
	if f.s.size-off < 8 {
		rate, duration := average(f.s.whole(uint64(sum.end)), sum.longest(), mp4Seconds)
		return Info{Average: rate, Duration: duration, Method: "sidx"}
	}
	rate, _ := average(sum.end-from, sum.longest(), mp4Seconds)
	return Info{Average: rate, Method: "first sidx"}
}

// mfroSize is the size of the box at the end of mfra and of the file that says how large mfra is, in bytes.
const mfroSize = 16

// byRandomAccess uses the random access index at the end of the file: from its first entry to its last and to the
// end of the fragment that this is in. See ISO/IEC 14496-12 8.8.9 to 8.8.11.
func (f *mp4File) byRandomAccess() Info {
	mfra, ok := f.mfra()
	if !ok || f.movie == nil {
		return Info{}
	}
	start, end := uint64(math.MaxUint64), uint64(0)
	for c := f.s.inside(mfra); ; {
		x, ok := c.next()
		if !ok {
			break
		}
		if x.name != "tfra" {
			continue
		}
		from, to, ok := f.tfra(x)
		if ok {
			start, end = min(start, from), max(end, to)
		}
	}
	if end <= start {
		return Info{}
	}
	rate, duration := average(f.s.size, end-start, mp4Seconds)
	return Info{Average: rate, Duration: duration, Method: "mfra"}
}

// mfra finds the box by the mfro at its end:
//
//	size:32 type:32 version:8 flags:24 size of mfra:32
func (f *mp4File) mfra() (mp4Box, bool) {
	b, err := f.s.at(max(0, f.s.size-mfroSize), mfroSize)
	if err != nil || string(b[4:8]) != "mfro" {
		return mp4Box{}, false
	}
	size := int64(binary.BigEndian.Uint32(b[12:]))
	if size < 8+mfroSize || size > f.s.size {
		return mp4Box{}, false
	}
	x, err := f.s.mp4Box(f.s.size-size, f.s.size)
	return x, err == nil && x.name == "mfra" && x.end == f.s.size
}

// tfraEntry is one access point: its time in the timescale of the track and the offset of its fragment.
type tfraEntry struct {
	time uint64
	moof int64
}

// tfra returns the times that the access points of a track span, in microseconds.
//
//	version:8 flags:24 track:32 reserved:26 sizes of numbers:2+2+2 count:32
//	count * (time:32 offset:32, or :64 each in version 1, then three numbers of one to four bytes)
func (f *mp4File) tfra(x mp4Box) (from, to uint64, ok bool) {
	b, err := f.s.mp4Bytes(x, 16)
	if err != nil {
		return 0, 0, false
	}
	track := f.movie.track(binary.BigEndian.Uint32(b[4:]))
	sizes, count := b[11], int64(binary.BigEndian.Uint32(b[12:]))
	width := int64(8)
	if b[0] != 0 {
		width = 16
	}
	entry := width + int64(sizes>>4&3+sizes>>2&3+sizes&3) + 3
	if track == nil || count == 0 || count*entry > x.end-x.body-16 {
		return 0, 0, false
	}
	first, err := f.tfraEntry(x.body+16, width)
	if err != nil {
		return 0, 0, false
	}
	last, err := f.tfraEntry(x.body+16+(count-1)*entry, width)
	if err != nil || last.time < first.time {
		return 0, 0, false
	}
	end := last.time
	if t, ok := f.fragmentOf(track.id, last.moof); ok {
		end = t.end(last.time)
	} else if count > 1 { // as long as the others
		end += (last.time - first.time) / uint64(count-1)
	}
	return micros(track.begin(first.time), track.timescale), micros(end, track.timescale), end >= last.time
}

// tfraEntry reads an entry whose numbers have 8 or 16 bytes together.
func (f *mp4File) tfraEntry(off, width int64) (tfraEntry, error) {
	b, err := f.s.at(off, int(width))
	if err != nil {
		return tfraEntry{}, err
	}
	if width == 8 {
		return tfraEntry{uint64(binary.BigEndian.Uint32(b)), int64(binary.BigEndian.Uint32(b[4:]))}, nil
	}
	moof := min(binary.BigEndian.Uint64(b[8:]), math.MaxInt64)
	return tfraEntry{binary.BigEndian.Uint64(b), int64(moof)}, nil
}

// fragmentOf returns the part of a track in the fragment at an offset.
func (f *mp4File) fragmentOf(track uint32, off int64) (mp4Fragment, bool) {
	if off < 0 || off >= f.s.size {
		return mp4Fragment{}, false
	}
	x, err := f.s.mp4Box(off, f.s.size)
	if err != nil || x.name != "moof" {
		return mp4Fragment{}, false
	}
	fragments, err := f.s.moof(x, f.movie)
	if err != nil {
		return mp4Fragment{}, false
	}
	for _, t := range fragments {
		if t.track == track && t.duration > 0 {
			return t, true
		}
	}
	return mp4Fragment{}, false
}

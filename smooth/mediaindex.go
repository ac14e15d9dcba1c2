package smooth

import (
	"encoding/binary"
	"errors"
	"hash"
	"io"
	"math"
	"slices"

	"github.com/smoothkit/smoothkit/internal/fmp4"
)

// fragmentIndex lists the fragments of one track in ascending order of time.
type fragmentIndex struct {
	entries []fragmentEntry
	// media tells that times are decode times of the media, from tfdt, which the edit list still has to move; otherwise
	// they are fragment times of Smooth Streaming.
	media bool
}

// fragmentEntry is where one fragment is.
type fragmentEntry struct {
	time   uint64 // ticks of the track
	offset int64  // of the first moof box
	// extent is the number of bytes up to the next indexed moof box of any track, or extentUnknown.
	extent uint32
	// duration in ticks of the track, or durationUnknown.
	duration uint32
	// payload is the size of the samples in bytes, or 0 if only extent bounds it.
	payload uint32
	// stored is the size of moof and mdat header once they have been found fit to be served as they are, else 0.
	// It is read and written atomically.
	stored uint32
}

// entrySize is the memory of a fragmentEntry.
const entrySize = 32

const (
	extentUnknown   = math.MaxUint32
	durationUnknown = math.MaxUint32
)

// lastMoofSize is how much is read at the last fragment to learn how long it is.
const lastMoofSize = 16 << 10

// buildIndex finds the fragments of all tracks.
func (m *mediaFile) buildIndex(r io.ReaderAt, body int64, digest hash.Hash) error {
	m.index = make(map[uint32]*fragmentIndex)
	end := m.file.Size()
	if h, ok := fmp4.FindMfra(r, end); ok {
		end = h.Offset
		done, err := m.readMfra(r, h, digest)
		switch {
		case done:
			return nil
		case errors.Is(err, fmp4.ErrCorrupt), errors.Is(err, fmp4.ErrTooLarge):
			m.ignored = m.fault(err)
		case err != nil:
			return err
		}
	}
	m.bytes = 0
	clear(m.index)
	if err := m.scan(r, body, end); err != nil {
		return err
	}
	for i := range m.movie.Tracks {
		ix := m.index[m.movie.Tracks[i].ID]
		if ix == nil {
			continue
		}
		ix.entries = slices.Clip(ix.entries)
		m.bytes += int64(len(ix.entries)) * entrySize
		ix.hash(digest)
	}
	return nil
}

// hash adds times, places and sizes of the fragments to a digest.
func (ix *fragmentIndex) hash(digest hash.Hash) {
	buf := make([]byte, 0, 24*256)
	for i := range ix.entries {
		buf = binary.BigEndian.AppendUint64(buf, ix.entries[i].time)
		buf = binary.BigEndian.AppendUint64(buf, uint64(ix.entries[i].offset))
		buf = binary.BigEndian.AppendUint32(buf, ix.entries[i].duration)
		buf = binary.BigEndian.AppendUint32(buf, ix.entries[i].payload)
		if len(buf) == cap(buf) || i == len(ix.entries)-1 {
			digest.Write(buf)
			buf = buf[:0]
		}
	}
}

// readMfra fills the index from the mfra box. It reports false if the box does not list every track that is wanted or
// does not fit the fragments, so that they have to be scanned for; the error says why, if that is a fault.
func (m *mediaFile) readMfra(r io.ReaderAt, h fmp4.Box, digest hash.Hash) (bool, error) {
	raw, err := fmp4.ReadBox(r, h, fmp4.MaxMfra)
	if err != nil {
		return false, err
	}
	tables, err := fmp4.ParseMfra(raw, h.Offset)
	if err != nil {
		return false, err
	}
	var offsets []int64
	for i := range tables {
		t := &tables[i]
		if m.movie.Track(t.TrackID) == nil || t.Len() == 0 || m.index[t.TrackID] != nil {
			continue
		}
		if offsets, err = m.takeTable(t, h.Offset, offsets); err != nil {
			return false, err
		}
	}
	for i := range m.movie.Tracks {
		if id := m.movie.Tracks[i].ID; m.index[id] == nil && (m.wanted == nil || m.wanted[id]) {
			return false, nil
		}
	}
	setExtents(m.index, offsets, h.Offset)
	for i := range m.movie.Tracks {
		t := &m.movie.Tracks[i]
		if m.index[t.ID] == nil {
			continue
		}
		if ok, err := m.verify(r, t, m.index[t.ID]); !ok || err != nil {
			return false, err
		}
	}
	digest.Write(raw)
	return true, nil
}

// takeTable makes the index of a track from its tfra box and appends the offsets of its fragments, which end at end.
func (m *mediaFile) takeTable(t *fmp4.RandomAccess, end int64, offsets []int64) ([]int64, error) {
	if t.Len() > MaxManifestChunks {
		return nil, tooManyFragments(t.TrackID, end)
	}
	ix := &fragmentIndex{entries: make([]fragmentEntry, t.Len())}
	for j := range ix.entries {
		time, moof := t.At(j)
		if int64(moof) > end-8 {
			return nil, boxError(fmp4.ErrCorrupt, "mfra/tfra", end, "track %d, entry %d: moof at %d, behind the fragments", t.TrackID, j, moof)
		}
		ix.entries[j] = fragmentEntry{time: time, offset: int64(moof), duration: durationUnknown}
		offsets = append(offsets, int64(moof))
	}
	m.index[t.TrackID] = ix
	m.bytes += int64(len(ix.entries)) * entrySize
	return offsets, nil
}

func tooManyFragments(track uint32, offset int64) error {
	return boxError(fmp4.ErrTooLarge, "moof/traf", offset, "track %d has more than %d fragments", track, MaxManifestChunks)
}

// setExtents computes how far each fragment may reach: to the next moof box of any track.
func setExtents(index map[uint32]*fragmentIndex, offsets []int64, end int64) {
	slices.Sort(offsets)
	offsets = append(slices.Compact(offsets), end)
	for _, ix := range index {
		next := 0
		for i := range ix.entries {
			e := &ix.entries[i]
			if next == len(offsets) || next > 0 && offsets[next-1] > e.offset {
				next = 0 // entries out of file order
			}
			if next == 0 || offsets[next] <= e.offset {
				n, _ := slices.BinarySearch(offsets[next:], e.offset+1)
				next += n
			}
			e.extent = uint32(min(offsets[next]-e.offset, extentUnknown))
		}
	}
}

// verify looks whether the first and the last fragment of a track are where the index says, and learns how long the
// last one is. It reports false if the index has other times than the decode times in the fragments: ffmpeg indexes
// presentation times.
func (m *mediaFile) verify(r io.ReaderAt, t *fmp4.Track, ix *fragmentIndex) (bool, error) {
	for _, i := range []int{0, len(ix.entries) - 1} {
		e := &ix.entries[i]
		raw, err := readMoof(r, e)
		if err != nil {
			return false, err
		}
		moof, err := fmp4.ParseMoof(raw, e.offset)
		if err != nil {
			return false, err
		}
		j := slices.IndexFunc(moof.Trafs, func(tr fmp4.Traf) bool { return tr.TrackID == t.ID })
		if j < 0 {
			return false, boxError(fmp4.ErrCorrupt, "mfra/tfra", e.offset, "entry %d of track %d: the moof there is of another track", i, t.ID)
		}
		tr := &moof.Trafs[j]
		if !tr.HasTfxd && tr.HasDecodeTime && tr.DecodeTime != e.time {
			return false, nil
		}
		if i == 0 {
			ix.media = !tr.HasTfxd && tr.HasDecodeTime
		}
		if i == len(ix.entries)-1 {
			d, _ := tr.Totals(t.Defaults)
			e.duration = uint32(min(d, durationUnknown-1))
		}
	}
	return true, nil
}

// readMoof reads the moof box that an index entry names.
func readMoof(r io.ReaderAt, e *fragmentEntry) ([]byte, error) {
	raw := make([]byte, min(int64(e.extent), lastMoofSize))
	if n, _ := r.ReadAt(raw, e.offset); n < len(raw) {
		raw = raw[:n]
	}
	if n := moofLength(raw); n > int64(len(raw)) && n <= min(int64(e.extent), fmp4.MaxMoof) {
		raw = make([]byte, n)
		if n, _ := r.ReadAt(raw, e.offset); n < len(raw) {
			raw = raw[:n]
		}
	}
	n := fmp4.MoofSize(raw)
	if n < 0 {
		return nil, boxError(fmp4.ErrCorrupt, "mfra/tfra", e.offset, "no whole moof box where an entry says")
	}
	return raw[:n], nil
}

// moofLength returns the size that a moof header states, or -1.
func moofLength(b []byte) int64 {
	if len(b) < 8 || fmp4.Type(binary.BigEndian.Uint32(b[4:])) != fmp4.TypeMoof {
		return -1
	}
	return int64(binary.BigEndian.Uint32(b))
}

// scan fills the index by looking at each moof box. A moof box of a video track that does not start with a sync
// sample belongs to the fragment before it, as does a second traf box of a track in the same moof box. So does what
// follows a fragment that lasts no time at its very time: ffmpeg writes single frames before it knows how long they are.
func (m *mediaFile) scan(r io.ReaderAt, body, end int64) error {
	sc := fmp4.NewMoofScanner(r, body, end)
	var moof fmp4.Moof
	next := make(map[uint32]uint64) // decode time where a track's next fragment starts
	var open []*fragmentIndex       // whose last fragments reach to the next moof box
	for {
		raw, off, err := sc.Next()
		if err == nil {
			err = moof.Parse(raw, off)
		}
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		if err != nil {
			off = end
		}
		for _, ix := range open {
			e := &ix.entries[len(ix.entries)-1]
			e.extent = uint32(min(off-e.offset, extentUnknown))
		}
		if err != nil {
			return nil
		}
		open = open[:0]
		for i := range moof.Trafs {
			ix, err := m.scanTraf(&moof.Trafs[i], off, next)
			if err != nil {
				return err
			}
			if ix != nil {
				open = append(open, ix)
			}
		}
	}
}

// scanTraf adds a traf box to the index of its track.
func (m *mediaFile) scanTraf(t *fmp4.Traf, off int64, next map[uint32]uint64) (*fragmentIndex, error) {
	track := m.movie.Track(t.TrackID)
	if track == nil {
		return nil, nil // a track that moov does not declare cannot be named by a server manifest
	}
	duration, payload := t.Totals(track.Defaults)
	time := next[t.TrackID]
	switch {
	case t.HasTfxd:
		time = t.Time
	case t.HasDecodeTime:
		time = t.DecodeTime
	}
	next[t.TrackID] = time + duration
	ix := m.index[t.TrackID]
	if ix == nil {
		ix = new(fragmentIndex)
		m.index[t.TrackID] = ix
	}
	n := len(ix.entries)
	if n > 0 && ix.entries[n-1].goesOn(t, track, time, off) {
		e := &ix.entries[n-1]
		e.duration = uint32(min(time+duration-e.time, durationUnknown-1))
		e.payload = uint32(min(uint64(e.payload)+payload, math.MaxUint32))
		return ix, nil
	}
	if n > 0 && int64(time) <= int64(ix.entries[n-1].time) {
		return nil, boxError(fmp4.ErrCorrupt, "moof/traf", off, "track %d: time %d after %d", t.TrackID, int64(time), int64(ix.entries[n-1].time))
	}
	if n == MaxManifestChunks {
		return nil, tooManyFragments(t.TrackID, off)
	}
	if n == 0 {
		ix.media = !t.HasTfxd
	}
	ix.entries = append(ix.entries, fragmentEntry{time: time, offset: off,
		duration: uint32(min(duration, durationUnknown-1)), payload: uint32(min(payload, math.MaxUint32))})
	return ix, nil
}

// goesOn reports whether a traf box at a time, in a moof box at off, belongs to the fragment e before it.
func (e *fragmentEntry) goesOn(t *fmp4.Traf, track *fmp4.Track, time uint64, off int64) bool {
	return e.offset == off || e.duration == 0 && e.time == time ||
		track.Handler == fmp4.HandlerVideo && t.FirstFlags(track.Defaults)&fmp4.FlagNonSync != 0
}

package bitrate

import (
	"encoding/binary"
	"slices"
)

// mp4Seconds is the scale in which the durations of tracks with different timescales are compared: microseconds.
const mp4Seconds = 1e6

// mp4MaxAfter is the number of boxes that are looked at behind the movie header of a file that is not fragmented, to
// see whether the file was cut short.
const mp4MaxAfter = 16

// mp4File is what the top-level boxes of a file are known to be.
type mp4File struct {
	s        *source
	movie    *mp4Movie
	index    int64 // offset of the first sidx, or -1
	fragment int64 // offset of the first moof, or -1
	mediaEnd int64 // where the last mdat says that it ends, maybe beyond the file
}

// isMP4 reports whether the first box is one that a file of the family can begin with. Files of QuickTime and segments
// have no ftyp.
func isMP4(s *source) bool {
	b, err := s.upTo(0, 8)
	if err != nil || len(b) < 8 {
		return false
	}
	if size := binary.BigEndian.Uint32(b); size > 1 && size < 8 {
		return false
	}
	return slices.Contains([]string{
		"ftyp", "moov", "mdat", "wide", "free", "skip", "pnot", "PICT", "uuid", // files
		"styp", "sidx", "ssix", "emsg", "prft", "moof", // segments
	}, string(b[4:8]))
}

// parseMP4 walks the top-level boxes up to the movie header and, if the movie has fragments, to the first of them. The
// content of mdat is stepped over, so a header at the end of a large file costs a read or two. See ISO/IEC 14496-12.
func parseMP4(s *source) (Info, error) {
	f := &mp4File{s: s, index: -1, fragment: -1}
	if err := f.walk(); err != nil {
		return Info{}, err
	}
	info, err := f.rate()
	if err == nil && f.movie != nil {
		info.Peak = f.movie.peak()
	}
	return info, err
}

// walk finds the boxes that matter. An error after the movie header, or after the index of a segment, ends the walk
// only.
func (f *mp4File) walk() error {
	after := 0
	for off := int64(0); f.s.size-off >= 8 && after < mp4MaxAfter; {
		x, err := f.s.mp4Box(off, f.s.size)
		if err == nil {
			err = f.visit(x)
		}
		if err != nil {
			if f.movie != nil || f.index >= 0 {
				return nil
			}
			return err
		}
		if f.fragment >= 0 && (f.movie != nil || f.index >= 0) {
			return nil
		}
		if f.movie != nil && !f.movie.fragmented {
			after++
		}
		off = x.end
	}
	return f.missing()
}

// visit keeps what a top-level box says.
func (f *mp4File) visit(x mp4Box) error {
	switch x.name {
	case "moov":
		if f.movie != nil {
			return nil
		}
		movie, err := f.s.mp4Movie(x)
		if err != nil {
			return err
		}
		f.movie = movie
	case "sidx":
		if f.index < 0 {
			f.index = x.off
		}
	case "moof":
		if f.fragment < 0 {
			f.fragment = x.off
		}
	case "mdat":
		f.mediaEnd = x.end
	default:
		if x.end > f.s.size && f.movie == nil {
			return f.s.fail(x.off, ErrCorrupt, "box %q ends at %d, the file at %d", x.name, x.end, f.s.size)
		}
	}
	return nil
}

// missing says what is wrong with a file that has neither a movie header nor an index.
func (f *mp4File) missing() error {
	switch {
	case f.movie != nil || f.index >= 0:
		return nil
	case f.mediaEnd > f.s.size:
		return f.s.fail(f.s.size, ErrCorrupt, "no moov, and mdat ends at %d: the file was cut short", f.mediaEnd)
	case f.fragment >= 0:
		return f.s.fail(f.fragment, ErrUnknownRate, "fragments without moov and sidx")
	}
	return f.s.fail(0, ErrUnknownRate, "no moov")
}

// rate asks what the file has, the most reliable first. What knows the whole duration is preferred to an estimate from
// the beginning, which has none.
func (f *mp4File) rate() (Info, error) {
	if f.movie != nil && !f.movie.fragmented && f.fragment < 0 {
		return f.byMovie()
	}
	var estimate Info
	for _, ask := range []func() Info{f.byExtends, f.byRandomAccess, f.byIndex, f.byFragments} {
		info := ask()
		if !believable(info.Average) {
			continue
		}
		if info.Duration > 0 {
			return info, nil
		}
		if estimate.Average == 0 {
			estimate = info
		}
	}
	if estimate.Average > 0 {
		return estimate, nil
	}
	if f.movie == nil {
		return Info{}, f.s.fail(f.index, ErrUnknownRate, "the segment index states no duration, and there is no moov")
	}
	return f.byMovie()
}

// byMovie uses the duration of the movie header, and where that has none the longest of the tracks.
func (f *mp4File) byMovie() (Info, error) {
	if f.movie.end > f.s.size && f.mediaEnd == 0 {
		return Info{}, f.s.fail(f.s.size, ErrCorrupt, "moov ends at %d, and no mdat: the file was cut short", f.movie.end)
	}
	size := f.s.whole(uint64(f.mediaEnd))
	for _, d := range []struct {
		units, scale uint64
		method       string
	}{
		{f.movie.duration, uint64(f.movie.timescale), "mvhd"},
		{f.movie.longestMedia(), mp4Seconds, "mdhd"},
		{f.movie.longestTrack(), uint64(f.movie.timescale), "tkhd"},
	} {
		if rate, duration := average(size, d.units, d.scale); believable(rate) {
			return Info{Average: rate, Duration: duration, Method: d.method}, nil
		}
	}
	if f.movie.err != nil {
		return Info{}, f.movie.err
	}
	return Info{}, f.s.fail(f.movie.off, ErrUnknownRate, "duration %d in units of 1/%d s in mvhd, none in mdhd and tkhd",
		f.movie.duration, f.movie.timescale)
}

// byExtends uses the duration that mvex states for the movie with its fragments.
func (f *mp4File) byExtends() Info {
	if f.movie == nil {
		return Info{}
	}
	rate, duration := average(f.s.size, f.movie.withFragments, uint64(f.movie.timescale))
	return Info{Average: rate, Duration: duration, Method: "mehd"}
}

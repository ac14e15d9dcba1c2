package fmp4

import (
	"github.com/Eyevinn/mp4ff/mp4"
)

// InitSegment describes the ftyp and moov boxes of a fragmented file with one track.
type InitSegment struct {
	Brand      string
	Minor      uint32
	Compatible []string
	TrackID    uint32
	// Timescale of the movie and of the track, in ticks per second.
	Timescale uint32
	// Duration in ticks; with zero the headers leave it open and there is no mehd box.
	Duration uint64
	// Kind is video, audio or subtitle.
	Kind     string
	Language string
	// Width and Height are the display size in pixels; zero for other kinds than video.
	Width, Height uint32
	// Entry is the sample entry box, which is copied as it is.
	Entry []byte
}

// Encode returns the two boxes. There are no defaults in trex, since every fragment states all fields. See ISO/IEC
// 14496-12 8.8.
func (s *InitSegment) Encode() ([]byte, error) {
	init := mp4.CreateEmptyInit()
	trak := init.AddEmptyTrack(s.Timescale, s.Kind, s.Language)
	mvhd, tkhd, mdhd, mvex := init.Moov.Mvhd, trak.Tkhd, trak.Mdia.Mdhd, init.Moov.Mvex
	mvhd.Version, mvhd.Timescale, mvhd.Duration = 1, s.Timescale, s.Duration
	tkhd.Version, tkhd.TrackID, tkhd.Duration = 1, s.TrackID, s.Duration
	mdhd.Version, mdhd.Duration = 1, s.Duration
	mvex.Trex.TrackID = s.TrackID
	tkhd.Width, tkhd.Height = mp4.Fixed32(s.Width<<16), mp4.Fixed32(s.Height<<16)
	trak.Mdia.Hdlr.Name = s.Kind
	// version:8 flags:24 entry_count:32 entry
	stsd := append([]byte{0, 0, 0, 0, 0, 0, 0, 1}, s.Entry...)
	trak.Mdia.Minf.Stbl.Children[0] = mp4.CreateUnknownBox("stsd", uint64(8+len(stsd)), stsd)
	if s.Duration > 0 {
		mehd := &mp4.MehdBox{Version: 1, FragmentDuration: int64(s.Duration)}
		mvex.Mehd, mvex.Children = mehd, append([]mp4.Box{mehd}, mvex.Children...)
	}
	// The children in the order that ISO/IEC 14496-12 recommends: mvex last.
	init.Moov.Children = []mp4.Box{mvhd, trak, mvex}
	ftyp, err := EncodeBox(mp4.NewFtyp(s.Brand, s.Minor, s.Compatible))
	if err != nil {
		return nil, err
	}
	moov, err := EncodeBox(init.Moov)
	if err != nil {
		return nil, err
	}
	return append(ftyp, moov...), nil
}

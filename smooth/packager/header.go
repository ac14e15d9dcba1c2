package packager

import (
	"fmt"

	"github.com/Eyevinn/mp4ff/mp4"

	"github.com/smoothkit/smoothkit/internal/cut"
	"github.com/smoothkit/smoothkit/internal/fmp4"
	"github.com/smoothkit/smoothkit/smooth"
)

// trackID of the one track of each file.
const trackID = 1

// header returns ftyp and moov as IIS and Azure write them: brands isml, piff and iso2, 10 MHz everywhere, the
// durations in all headers, and trex without defaults, since every fragment states all fields. See [MS-SSTR] 2.2.7.1
// and PIFF 1.1 chapter 5.
func (t *track) header() ([]byte, error) {
	entry, err := t.codec.BuildSampleEntry()
	if err != nil {
		return nil, fmt.Errorf("packager: %w", err)
	}
	kind := map[smooth.StreamType]string{smooth.Video: "video", smooth.Audio: "audio", smooth.Text: "subtitle"}[t.codec.Type]
	init := mp4.CreateEmptyInit()
	trak := init.AddEmptyTrack(cut.DefaultTimescale, kind, t.language)
	end := t.cuts[len(t.cuts)-1].Time
	mvhd, tkhd, mdhd := init.Moov.Mvhd, trak.Tkhd, trak.Mdia.Mdhd
	mvhd.Version, mvhd.Timescale, mvhd.Duration = 1, cut.DefaultTimescale, end
	tkhd.Version, tkhd.Duration = 1, end
	mdhd.Version, mdhd.Duration = 1, end
	tkhd.Width, tkhd.Height = mp4.Fixed32(t.codec.DisplayWidth<<16), mp4.Fixed32(t.codec.DisplayHeight<<16)
	trak.Mdia.Hdlr.Name = kind
	// version:8 flags:24 entry_count:32 entry; the entry is copied as it is.
	stsd := append([]byte{0, 0, 0, 0, 0, 0, 0, 1}, entry...)
	trak.Mdia.Minf.Stbl.Children[0] = mp4.CreateUnknownBox("stsd", uint64(8+len(stsd)), stsd)
	mvex := init.Moov.Mvex
	mehd := &mp4.MehdBox{Version: 1, FragmentDuration: int64(end)}
	mvex.Mehd, mvex.Children = mehd, append([]mp4.Box{mehd}, mvex.Children...)
	// The children in the order that ISO/IEC 14496-12 recommends: mvex last.
	init.Moov.Children = []mp4.Box{mvhd, trak, mvex}

	ftyp, err := fmp4.EncodeBox(mp4.NewFtyp("isml", 1, []string{"piff", "iso2"}))
	if err != nil {
		return nil, fmt.Errorf("packager: %w", err)
	}
	moov, err := fmp4.EncodeBox(init.Moov)
	if err != nil {
		return nil, fmt.Errorf("packager: %w", err)
	}
	return append(ftyp, moov...), nil
}

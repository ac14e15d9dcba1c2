package packager

import (
	"fmt"

	"github.com/smoothkit/smoothkit/internal/cut"
	"github.com/smoothkit/smoothkit/internal/fmp4"
	"github.com/smoothkit/smoothkit/smooth"
)

// trackID of the one track of each file.
const trackID = 1

// header returns ftyp and moov as IIS and Azure write them: brands isml, piff and iso2, 10 MHz everywhere, the
// durations in all headers. See [MS-SSTR] 2.2.7.1 and PIFF 1.1 chapter 5.
func (t *track) header() ([]byte, error) {
	entry, err := t.codec.BuildSampleEntry()
	if err != nil {
		return nil, fmt.Errorf("packager: %w", err)
	}
	init := fmp4.InitSegment{
		Brand: "isml", Minor: 1, Compatible: []string{"piff", "iso2"}, TrackID: trackID,
		Timescale: cut.DefaultTimescale, Duration: t.cuts[len(t.cuts)-1].Time,
		Kind:     map[smooth.StreamType]string{smooth.Video: "video", smooth.Audio: "audio", smooth.Text: "subtitle"}[t.codec.Type],
		Language: t.language, Width: t.codec.DisplayWidth, Height: t.codec.DisplayHeight, Entry: entry,
	}
	b, err := init.Encode()
	if err != nil {
		return nil, fmt.Errorf("packager: %w", err)
	}
	return b, nil
}

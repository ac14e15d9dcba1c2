package asset

import (
	"encoding/binary"
	"fmt"

	"github.com/smoothkit/smoothkit/internal/fmp4"
	"github.com/smoothkit/smoothkit/smooth"
)

// TrackID returns the track_ID of a moof box with one traf, and where it stands. The box may be followed by others. The error wraps
// [smooth.ErrCorrupt]. See ISO/IEC 14496-12 8.8.7.
func TrackID(moof []byte) (id uint32, at int, err error) {
	rest := moof[:max(fmp4.MoofSize(moof), 0)]
	for inside := false; len(rest) >= 16; {
		size := int(binary.BigEndian.Uint32(rest))
		if size < 8 || size > len(rest) {
			break
		}
		switch name := string(rest[4:8]); {
		case name == "traf", name == "moof" && at == 0: // go on inside
			inside = name == "traf"
			size = 8
		case name == "tfhd" && inside:
			return binary.BigEndian.Uint32(rest[12:]), at + 12, nil
		}
		rest, at = rest[size:], at+size
	}
	return 0, 0, fmt.Errorf("asset: moof without tfhd: %w", smooth.ErrCorrupt)
}

package smooth

import (
	"fmt"

	"github.com/smoothkit/smoothkit/internal/fmp4"
)

// audioConfig is what an AudioSpecificConfig tells.
type audioConfig struct {
	objectType    uint32 // the core's, such as 2 for AAC-LC
	rate, extRate uint32 // core and SBR output rate in Hz; extRate is 0 without SBR
	channels      uint32 // channel configuration
	sbr, ps       bool
}

// readObjectType reads an audio object type. See ISO/IEC 14496-3 table 1.16.
func readObjectType(r *fmp4.BitReader) uint32 {
	t := r.Read(5)
	if t == 31 {
		t = 32 + r.Read(6)
	}
	return t
}

// readRate reads a sampling frequency; 0 if the index is reserved. See ISO/IEC 14496-3 table 1.18.
func readRate(r *fmp4.BitReader) uint32 {
	rates := [...]uint32{96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000, 7350}
	i := r.Read(4)
	if i == 15 {
		return r.Read(24)
	}
	if int(i) >= len(rates) {
		return 0
	}
	return rates[i]
}

const (
	aotLC  = 2
	aotLTP = 4
	aotSBR = 5
	aotPS  = 29
)

// parseAudioConfig reads an AudioSpecificConfig, ISO/IEC 14496-3 1.6.2.1:
//
//	object type 5 (+6), rate 4 (+24), channels 4, [if 5 or 29: SBR rate 4 (+24), object type], GASpecificConfig,
//	backward-compatible suffix: sync 0x2b7 11, object type 5, SBR flag 1, SBR rate 4, sync 0x548 11, PS flag 1
//
// mp4ff's reader does not know the suffix.
func parseAudioConfig(b []byte) (audioConfig, error) {
	r := &fmp4.BitReader{Bytes: b}
	var a audioConfig
	a.objectType, a.rate, a.channels = readObjectType(r), readRate(r), r.Read(4)
	if a.objectType == aotSBR || a.objectType == aotPS {
		a.sbr, a.ps = true, a.objectType == aotPS
		a.extRate = readRate(r)
		a.objectType = readObjectType(r)
	}
	switch {
	case r.Short:
		return a, fmt.Errorf("AudioSpecificConfig of %d bytes ends early", len(b))
	case a.objectType < 1 || a.objectType > aotLTP:
		return a, fmt.Errorf("audio object type %d: %w", a.objectType, ErrUnsupported)
	case a.rate == 0 || a.sbr && a.extRate == 0:
		return a, fmt.Errorf("AudioSpecificConfig %x has no valid sampling rate", b)
	}
	if !a.sbr {
		a.readSuffix(r)
	}
	return a, nil
}

// readSuffix looks for the backward-compatible SBR suffix. It is searched at every bit, because what precedes it may
// hold a program configuration of variable length.
func (a *audioConfig) readSuffix(r *fmp4.BitReader) {
	const sbrSync, psSync = 0x2b7, 0x548
	for ; r.Left() > 16; r.Pos++ {
		if r.Peek(11) != sbrSync {
			continue
		}
		r.Read(11)
		if readObjectType(r) != aotSBR || r.Read(1) == 0 {
			return
		}
		rate := readRate(r)
		if rate == 0 || r.Short {
			return
		}
		// a rate equal to the core's is SBR without doubling
		a.sbr, a.extRate = true, rate
		if r.Left() >= 12 && r.Read(11) == psSync {
			a.ps = r.Read(1) == 1
		}
		return
	}
}

func (a *audioConfig) outputRate() uint32 {
	if a.sbr {
		return a.extRate
	}
	return a.rate
}

// outputChannels returns the number of channels that are heard, or 0 if a program configuration defines it. See
// ISO/IEC 14496-3 table 1.19.
func (a *audioConfig) outputChannels() uint32 {
	if a.ps && a.channels == 1 {
		return 2
	}
	switch a.channels {
	case 1, 2, 3, 4, 5, 6:
		return a.channels
	case 7, 12, 14:
		return 8
	case 11:
		return 7
	}
	return 0
}

package smooth

import "fmt"

// audioConfig is what an AudioSpecificConfig tells.
type audioConfig struct {
	objectType    uint32 // the core's, such as 2 for AAC-LC
	rate, extRate uint32 // core and SBR output rate in Hz; extRate is 0 without SBR
	channels      uint32 // channel configuration
	sbr, ps       bool
}

// bitCursor reads bits, the most significant first; after the end it yields zeros and sets short.
type bitCursor struct {
	b     []byte
	pos   int // in bits
	short bool
}

func (r *bitCursor) left() int { return len(r.b)*8 - r.pos }

func (r *bitCursor) read(n int) uint32 {
	if r.left() < n {
		r.short = true
		return 0
	}
	var v uint32
	for range n {
		v = v<<1 | uint32(r.b[r.pos/8]>>(7-r.pos%8)&1)
		r.pos++
	}
	return v
}

func (r *bitCursor) peek(n int) uint32 {
	c := *r
	return c.read(n)
}

func (r *bitCursor) objectType() uint32 {
	t := r.read(5)
	if t == 31 {
		t = 32 + r.read(6)
	}
	return t
}

// rate reads a sampling frequency; 0 if the index is reserved. See ISO/IEC 14496-3 table 1.18.
func (r *bitCursor) rate() uint32 {
	rates := [...]uint32{96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000, 7350}
	i := r.read(4)
	if i == 15 {
		return r.read(24)
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
	r := &bitCursor{b: b}
	var a audioConfig
	a.objectType, a.rate, a.channels = r.objectType(), r.rate(), r.read(4)
	if a.objectType == aotSBR || a.objectType == aotPS {
		a.sbr, a.ps = true, a.objectType == aotPS
		a.extRate = r.rate()
		a.objectType = r.objectType()
	}
	switch {
	case r.short:
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
func (a *audioConfig) readSuffix(r *bitCursor) {
	const sbrSync, psSync = 0x2b7, 0x548
	for ; r.left() > 16; r.pos++ {
		if r.peek(11) != sbrSync {
			continue
		}
		r.read(11)
		if r.objectType() != aotSBR || r.read(1) == 0 {
			return
		}
		rate := r.rate()
		if rate == 0 || r.short {
			return
		}
		// a rate equal to the core's is SBR without doubling
		a.sbr, a.extRate = true, rate
		if r.left() >= 12 && r.read(11) == psSync {
			a.ps = r.read(1) == 1
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

package bitrate

import "encoding/binary"

// Limits of chunk walks.
const maxChunks = 256

// isWAV looks for RIFF, its big-endian form RIFX, RF64 or BW64, of form WAVE.
func isWAV(s *source) bool {
	b, err := s.upTo(0, 12)
	if err != nil || len(b) < 12 || string(b[8:12]) != "WAVE" {
		return false
	}
	switch string(b[:4]) {
	case "RIFF", "RIFX", "RF64", "BW64":
		return true
	}
	return false
}

// waveFile is what the chunks of a WAVE file say.
type waveFile struct {
	hasFormat bool
	tag       uint16
	clock     uint64 // samples per second
	perSecond uint64 // nAvgBytesPerSec
	align     uint64 // bytes of a sample of all channels, or of a block
	perBlock  uint64 // samples of a block of ADPCM
	samples   uint64 // by fact or ds64, zero if not stated
	long      uint64 // bytes of data by ds64
	data      uint64 // bytes of data in the file
	hasData   bool
}

// parseWAV reads the format and the size of the data of a WAVE file. The average is size of the file over duration.
// See Multimedia Programming Interface and Data Specifications 1.0, EBU Tech 3306 (RF64), ITU-R BS.2088 (BW64).
func parseWAV(s *source) (Info, error) {
	w, err := s.wave()
	if err != nil {
		return Info{}, err
	}
	rate, scale := w.bytesPerSecond()
	if rate == 0 {
		return Info{}, s.fail(12, ErrUnknownRate, "format %#x with %d bytes/s and %d samples/s", w.tag, w.perSecond, w.clock)
	}
	if w.data == 0 {
		return Info{Average: muldiv(rate, 8, scale), Method: "fmt"}, nil
	}
	info := Info{Method: "fmt", Duration: lasting(mul(w.data, scale), rate)}
	info.Average = muldiv(uint64(s.size)*8, rate, mul(w.data, scale))
	return info, nil
}

// wave walks the chunks up to the data. The order is that of writers: ds64, fmt, fact, data. Data that comes first is
// skipped.
func (s *source) wave() (waveFile, error) {
	var w waveFile
	var order binary.ByteOrder = binary.LittleEndian
	if s.has(0, "RIFX") {
		order = binary.BigEndian
	}
	off := int64(12)
	for range maxChunks {
		h, err := s.upTo(off, 8)
		if err != nil {
			return w, err
		}
		if len(h) < 8 {
			break
		}
		size := int64(order.Uint32(h[4:]))
		switch string(h[:4]) {
		case "fmt ":
			err = s.waveFormat(&w, off+8, size, order)
		case "ds64":
			err = s.waveSizes(&w, off+8, size, order)
		case "fact":
			err = s.waveFact(&w, off+8, size, order)
		case "data":
			size = s.waveData(&w, off+8, size)
		}
		if err != nil {
			return w, err
		}
		if w.hasData && w.hasFormat {
			return w, nil
		}
		if size > s.size-off { // ends the walk without an overflow
			break
		}
		off += 8 + size + size&1
	}
	if !w.hasFormat {
		return w, s.fail(min(off, s.size), ErrCorrupt, "no fmt chunk")
	}
	return w, nil
}

func (s *source) waveFormat(w *waveFile, off, size int64, order binary.ByteOrder) error {
	if size < 14 {
		return s.fail(off, ErrCorrupt, "fmt chunk of %d bytes", size)
	}
	b, err := s.at(off, 14)
	if err != nil {
		return err
	}
	w.hasFormat = true
	w.tag = order.Uint16(b)
	w.clock = uint64(order.Uint32(b[4:]))
	w.perSecond = uint64(order.Uint32(b[8:]))
	w.align = uint64(order.Uint16(b[12:]))
	if w.tag == 0xFFFE && size >= 26 { // extensible: the tag is the beginning of the GUID
		if b, err = s.at(off, 26); err != nil {
			return err
		}
		w.tag = order.Uint16(b[24:])
	}
	switch {
	case w.tag == 1 && size >= 16:
		return s.waveAlign(w, off, order)
	case (w.tag == 2 || w.tag == 0x11) && size >= 20: // Microsoft's and IMA ADPCM
		if b, err = s.at(off, 20); err != nil {
			return err
		}
		w.perBlock = uint64(order.Uint16(b[18:]))
	}
	return nil
}

// waveAlign corrects the block of PCM where it contradicts channels and bits of a sample.
func (s *source) waveAlign(w *waveFile, off int64, order binary.ByteOrder) error {
	b, err := s.at(off, 16)
	if err != nil {
		return err
	}
	channels, bits := uint64(order.Uint16(b[2:])), uint64(order.Uint16(b[14:]))
	least := channels * ((bits + 7) / 8)
	if w.align < least || w.align > 2*least { // 24 bits in words of 32 are a reason to be more
		w.align = least
	}
	return nil
}

func (s *source) waveSizes(w *waveFile, off, size int64, order binary.ByteOrder) error {
	if size < 24 {
		return s.fail(off, ErrCorrupt, "ds64 chunk of %d bytes", size)
	}
	b, err := s.at(off, 24)
	if err != nil {
		return err
	}
	w.long, w.samples = order.Uint64(b[8:]), order.Uint64(b[16:])
	return nil
}

func (s *source) waveFact(w *waveFile, off, size int64, order binary.ByteOrder) error {
	if size < 4 {
		return nil
	}
	b, err := s.at(off, 4)
	if err != nil {
		return err
	}
	if n := order.Uint32(b); n != 0xFFFF_FFFF { // RF64: see ds64
		w.samples = uint64(n)
	}
	return nil
}

// waveData returns the size of the data, which ends with the file at the latest. Streaming writers state zero, or the
// largest number.
func (s *source) waveData(w *waveFile, off, size int64) int64 {
	rest := max(0, s.size-off)
	if size == 0xFFFF_FFFF && w.long > 0 && w.long < 1<<62 {
		size = int64(w.long)
	}
	if size == 0 || size > rest {
		size = rest
	}
	w.data, w.hasData = uint64(size), true
	return size
}

// bytesPerSecond returns the rate of the data as a fraction, or zero. Of PCM and ADPCM it follows from the size of a
// sample or block, which players go by, whatever the average says. Of other formats the number of samples is exact, but
// many writers leave a nonsense there: it must be about what the average says.
func (w *waveFile) bytesPerSecond() (rate, scale uint64) {
	switch w.tag {
	case 1, 3, 6, 7: // PCM, float, A-law, mu-law
		if w.align > 0 && w.clock > 0 {
			return w.align * w.clock, 1
		}
	case 2, 0x11:
		if w.align > 0 && w.clock > 0 && w.perBlock > 0 {
			return w.align * w.clock, w.perBlock
		}
	default:
		if w.samples == 0 || w.samples > 1<<40 || w.data == 0 || w.clock == 0 {
			break
		}
		exact := uint64(muldiv(w.data, w.clock, w.samples))
		if w.perSecond == 0 || exact > w.perSecond/2 && exact/2 < w.perSecond {
			return mul(w.data, w.clock), w.samples
		}
	}
	return w.perSecond, 1
}

// mul is multiplication that stops at the largest int64.
func mul(a, b uint64) uint64 { return uint64(muldiv(a, b, 1)) }

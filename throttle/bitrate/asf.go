package bitrate

import "encoding/binary"

// The objects of ASF that matter here, as they are in the file. See the ASF specification 01.20.03, sections 3.1, 3.2
// and 3.12.
const (
	asfHeader         = "\x30\x26\xb2\x75\x8e\x66\xcf\x11\xa6\xd9\x00\xaa\x00\x62\xce\x6c"
	asfFileProperties = "\xa1\xdc\xab\x8c\x47\xa9\xcf\x11\x8e\xe4\x00\xc0\x0c\x20\x53\x65"
	asfStreamBitrates = "\xce\x75\xf8\x7b\x8d\x46\xd1\x11\x8d\x82\x00\x60\x97\xc9\xa2\xb2"
)

// Sizes of ASF, in bytes.
const (
	asfHeaderSize         = 30  // of the Header Object before the objects in it
	asfObjectSize         = 24  // of the GUID and size of an object
	asfFilePropertiesSize = 104 // of the whole object
	asfBitrateRecord      = 6   // of one stream in the Stream Bitrate Properties
)

// asfProperties is what the File Properties Object and the Stream Bitrate Properties Object say.
type asfProperties struct {
	offset   int64 // of the File Properties Object, -1 if there is none
	fileSize uint64
	play     uint64 // 100 ns, includes preroll
	send     uint64 // 100 ns
	preroll  uint64 // ms
	live     bool   // broadcast flag: the sizes and durations mean nothing
	peak     int64  // bit/s
	rates    int64  // sum of the streams' averages, bit/s
}

func isASF(s *source) bool { return s.has(0, asfHeader) }

// parseASF divides the size of the file by the play duration without preroll. A broadcast has neither: of that the
// streams' average rates are added, and if those are not there either the maximum rate stands for it, as with IIS.
func parseASF(s *source) (Info, error) {
	p, err := s.asfProperties()
	if p.offset < 0 {
		if err == nil {
			err = s.fail(asfHeaderSize, ErrCorrupt, "the header has no file properties")
		}
		return Info{}, err
	}
	for _, d := range []struct {
		ticks  uint64
		method string
	}{
		{p.duration(), "file properties"},
		{p.send, "send duration"},
	} {
		rate, duration := average(s.whole(p.fileSize), d.ticks, 1e7)
		if !p.live && believable(rate) {
			return Info{Average: rate, Peak: p.peak, Duration: duration, Method: d.method}, nil
		}
	}
	if believable(p.rates) {
		return Info{Average: p.rates, Peak: p.peak, Method: "stream bitrate properties"}, nil
	}
	if believable(p.peak) {
		return Info{Average: p.peak, Peak: p.peak, Method: "maximum bitrate"}, nil
	}
	return Info{}, s.fail(p.offset, ErrUnknownRate, "no duration and no rates, broadcast %t", p.live)
}

// duration returns the play duration without preroll in units of 100 ns, or zero.
func (p *asfProperties) duration() uint64 {
	const msTicks = 1e4
	if p.preroll >= p.play/msTicks {
		return 0
	}
	return p.play - p.preroll*msTicks
}

// asfProperties walks the objects of the header by their sizes, as pictures of any size can be before the one that
// matters. It ends at the first object that it cannot read; what is known then is returned with the error.
func (s *source) asfProperties() (asfProperties, error) {
	p := asfProperties{offset: -1}
	head, err := s.at(0, asfHeaderSize)
	if err != nil {
		return p, err
	}
	end := s.size
	if size := binary.LittleEndian.Uint64(head[16:]); size < uint64(end) {
		end = int64(size)
	}
	for off := int64(asfHeaderSize); off < end; {
		object, err := s.at(off, asfObjectSize)
		if err != nil {
			return p, err
		}
		size := binary.LittleEndian.Uint64(object[16:])
		if size < asfObjectSize || size > uint64(end-off) {
			return p, s.fail(off, ErrCorrupt, "object of %d bytes in a header with %d left", size, end-off)
		}
		switch string(object[:16]) {
		case asfFileProperties:
			err = s.asfFileProperties(&p, off, size)
		case asfStreamBitrates:
			err = s.asfStreamBitrates(&p, off, size)
		}
		if err != nil {
			return p, err
		}
		if p.complete() {
			return p, nil
		}
		off += int64(size)
	}
	return p, nil
}

// complete reports whether the rest of the header can stay unread.
func (p *asfProperties) complete() bool {
	return p.offset >= 0 && (p.rates > 0 || !p.live && p.duration() > 0)
}

// asfFileProperties reads
//
//	guid:128 size:64 file id:128 file size:64 created:64 packets:64 play:64 send:64 preroll:64 flags:32
//	smallest packet:32 largest packet:32 maximum bitrate:32
//
// all little-endian. See the ASF specification 3.2.
func (s *source) asfFileProperties(p *asfProperties, off int64, size uint64) error {
	if size < asfFilePropertiesSize {
		return s.fail(off, ErrCorrupt, "file properties of %d bytes, %d needed", size, asfFilePropertiesSize)
	}
	b, err := s.at(off, asfFilePropertiesSize)
	if err != nil {
		return err
	}
	p.offset = off
	p.fileSize = binary.LittleEndian.Uint64(b[40:])
	p.play = binary.LittleEndian.Uint64(b[64:])
	p.send = binary.LittleEndian.Uint64(b[72:])
	p.preroll = binary.LittleEndian.Uint64(b[80:])
	p.live = b[88]&1 != 0
	p.peak = int64(binary.LittleEndian.Uint32(b[100:]))
	return nil
}

// asfStreamBitrates adds the average rates of the streams:
//
//	guid:128 size:64 count:16 count * (flags:16 average:32)
//
// all little-endian. See the ASF specification 3.12.
func (s *source) asfStreamBitrates(p *asfProperties, off int64, size uint64) error {
	b, err := s.at(off, asfObjectSize+2)
	if err != nil {
		return err
	}
	n := int(binary.LittleEndian.Uint16(b[asfObjectSize:]))
	need := asfObjectSize + 2 + n*asfBitrateRecord
	if uint64(need) > size {
		return s.fail(off, ErrCorrupt, "%d stream bitrates need %d bytes, the object has %d", n, need, size)
	}
	// A header has at most 127 streams. An object that repeats them is not worth reading.
	if n > 127 {
		return s.fail(off, ErrCorrupt, "%d stream bitrates, streams have numbers up to 127", n)
	}
	if b, err = s.at(off, need); err != nil {
		return err
	}
	p.rates = 0
	for r := b[asfObjectSize+2:]; len(r) >= asfBitrateRecord; r = r[asfBitrateRecord:] {
		p.rates += int64(binary.LittleEndian.Uint32(r[2:]))
	}
	return nil
}

package fmp4

import (
	"encoding/binary"
	"math"
)

// FragmentHead describes the moof box and the mdat header of a fragment to write: one traf, one trun, every sample
// field stated, so that no client needs trex.
type FragmentHead struct {
	Sequence, TrackID uint32
	// Tfxd adds a tfxd box of Time and Duration, in ticks.
	Tfxd           bool
	Time, Duration uint64
	// Tfdt adds a tfdt box of DecodeTime.
	Tfdt       bool
	DecodeTime uint64
	// BaseIsMoof sets default-base-is-moof, which CMAF and HEVC in Smooth need.
	BaseIsMoof bool
	// Encryption is the content of a sample encryption box from the version on, or nil. It is written as the uuid box
	// of PIFF if Tfxd is set, and else as senc.
	Encryption []byte
	Samples    []RunSample
}

// AppendTo appends moof and the header of mdat.
//
//	moof: mfhd traf mdat-header
//	traf: tfhd [tfdt] trun [uuid tfxd] [uuid sample encryption | senc]
//
// It fails if the payload does not fit into an mdat with a 32-bit size, as Smooth clients need it.
func (f *FragmentHead) AppendTo(dst []byte) ([]byte, error) {
	l, err := f.layout()
	if err != nil {
		return dst, err
	}
	dst = appendHeader(dst, l.moof, TypeMoof)
	dst = appendHeader(dst, 16, TypeMfhd)
	dst = binary.BigEndian.AppendUint32(dst, 0)
	dst = binary.BigEndian.AppendUint32(dst, f.Sequence)
	dst = appendHeader(dst, l.moof-24, TypeTraf)
	dst = appendHeader(dst, 20, TypeTfhd)
	flags := uint32(tfhdFlags)
	if f.BaseIsMoof {
		flags |= tfhdBaseIsMoof
	}
	dst = binary.BigEndian.AppendUint32(dst, flags)
	dst = binary.BigEndian.AppendUint32(dst, f.TrackID)
	dst = binary.BigEndian.AppendUint32(dst, l.flags)
	if f.Tfdt {
		dst = appendTfdt(dst, f.DecodeTime)
	}
	dst = f.appendTrun(dst, &l)
	if f.Tfxd {
		dst = appendTfxd(dst, f.Time, f.Duration)
	}
	dst = f.appendEncryption(dst)
	return appendHeader(dst, uint32(l.payload+8), TypeMdat), nil
}

// layout holds what must be known before the first byte is written.
type layout struct {
	moof     uint32 // size
	trun     uint32 // size
	run      uint32 // version and flags of trun
	flags    uint32 // default sample flags
	first    uint32
	perEntry int
	payload  uint64
}

func (f *FragmentHead) layout() (layout, error) {
	l := layout{run: trunDataOffset | trunDuration | trunSize, perEntry: 8}
	if len(f.Samples) > MaxRunSamples {
		return l, tooLarge("moof/traf/trun", 0, "%d samples, limit %d", len(f.Samples), MaxRunSamples)
	}
	cts, negative, same := false, false, true
	if len(f.Samples) > 0 {
		l.first, l.flags = f.Samples[0].Flags, f.Samples[0].Flags
	}
	if len(f.Samples) > 1 {
		l.flags = f.Samples[1].Flags
	}
	for i := range f.Samples {
		s := &f.Samples[i]
		l.payload += uint64(s.Size)
		cts = cts || s.CTS != 0
		negative = negative || s.CTS < 0
		same = same && (i == 0 || s.Flags == l.flags)
	}
	l.trun = 20
	switch {
	case !same:
		l.run |= trunFlags
		l.perEntry += 4
	case l.first != l.flags:
		l.run |= trunFirstFlags
		l.trun += 4
	}
	if cts {
		l.run |= trunCTS
		l.perEntry += 4
	}
	if negative {
		l.run |= 1 << 24
	}
	l.trun += uint32(l.perEntry * len(f.Samples))
	l.moof = 8 + 16 + 8 + 20 + l.trun
	if f.Tfdt {
		l.moof += 20
	}
	if f.Tfxd {
		l.moof += tfxdSize
	}
	if f.Encryption != nil {
		if len(f.Encryption) > MaxMoof {
			return l, tooLarge("moof/traf/senc", 0, "%d bytes", len(f.Encryption))
		}
		l.moof += 8 + uint32(len(f.Encryption))
		if f.Tfxd {
			l.moof += 16
		}
	}
	if l.moof > MaxMoof { // at most two times 16 MiB and a bit, so it has not wrapped
		return l, tooLarge("moof", 0, "size %d is above the limit of %d", l.moof, MaxMoof)
	}
	if l.payload > math.MaxUint32-8 {
		return l, tooLarge("mdat", 0, "payload of %d bytes does not fit a 32-bit box", l.payload)
	}
	return l, nil
}

func (f *FragmentHead) appendTrun(dst []byte, l *layout) []byte {
	dst = appendHeader(dst, l.trun, TypeTrun)
	dst = binary.BigEndian.AppendUint32(dst, l.run)
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(f.Samples)))
	dst = binary.BigEndian.AppendUint32(dst, l.moof+8)
	if l.run&trunFirstFlags != 0 {
		dst = binary.BigEndian.AppendUint32(dst, l.first)
	}
	for i := range f.Samples {
		s := &f.Samples[i]
		dst = binary.BigEndian.AppendUint32(dst, s.Duration)
		dst = binary.BigEndian.AppendUint32(dst, s.Size)
		if l.run&trunFlags != 0 {
			dst = binary.BigEndian.AppendUint32(dst, s.Flags)
		}
		if l.run&trunCTS != 0 {
			dst = binary.BigEndian.AppendUint32(dst, uint32(s.CTS))
		}
	}
	return dst
}

func (f *FragmentHead) appendEncryption(dst []byte) []byte {
	switch {
	case f.Encryption == nil:
	case f.Tfxd:
		dst = appendHeader(dst, uint32(24+len(f.Encryption)), TypeUUID)
		dst = append(dst, UUIDSampleEncryption[:]...)
		dst = append(dst, f.Encryption...)
	default:
		dst = appendHeader(dst, uint32(8+len(f.Encryption)), TypeSenc)
		dst = append(dst, f.Encryption...)
	}
	return dst
}

// collect returns the samples of a self-contained moof box with one traf, whose data is one run of payload bytes at
// most.
func collect(moof []byte, payload uint64) (*Moof, []RunSample, error) {
	m, err := ParseMoof(moof, 0)
	if err != nil {
		return nil, nil, err
	}
	if len(m.Trafs) != 1 {
		return nil, nil, unsupported("moof", 0, "%d traf boxes", len(m.Trafs))
	}
	t := &m.Trafs[0]
	spans, err := m.Spans(nil, 0, func(uint32) Defaults { return Defaults{} })
	switch {
	case err != nil:
		return nil, nil, err
	case len(spans) > 1:
		return nil, nil, unsupported("moof/traf", t.offset, "sample data in %d places", len(spans))
	case len(spans) == 1 && uint64(spans[0].Size) > payload:
		return nil, nil, corrupt("moof/traf/trun", t.offset, "samples of %d bytes, mdat has %d", spans[0].Size, payload)
	}
	samples := make([]RunSample, 0, t.samples)
	r := t.Samples(Defaults{})
	for s, ok := r.Next(); ok; s, ok = r.Next() {
		samples = append(samples, s)
	}
	return m, samples, nil
}

// CMAFTrackID is the track_ID of every head in the form of CMAF, so that one init segment serves fragments of whatever
// file or encoder.
const CMAFTrackID = 1

// AppendCMAFHead appends the head of a Smooth fragment in the form of CMAF: tfdt instead of tfxd,
// default-base-is-moof, senc instead of the uuid box. The samples must add up to payload bytes.
func AppendCMAFHead(dst, moof []byte, decodeTime, payload uint64) ([]byte, error) {
	m, samples, err := collect(moof, payload)
	if err != nil {
		return dst, err
	}
	if _, size := m.Trafs[0].Totals(Defaults{}); size != payload {
		return dst, corrupt("moof/traf/trun", 0, "samples of %d bytes, mdat has %d", size, payload)
	}
	f := FragmentHead{
		Sequence: m.Sequence, TrackID: CMAFTrackID, Tfdt: true, DecodeTime: decodeTime, BaseIsMoof: true,
		Encryption: cencForm(m.Trafs[0].Encryption), Samples: samples,
	}
	return f.AppendTo(dst)
}

// AppendKeyFrames appends the head of a fragment that keeps only the samples that can be decoded on their own, for a
// KeyFrames request ([MS-SSTR] 2.2.3), and returns the spans of the payload they are in. Each kept sample lasts until
// the next one or the end of the fragment. The decode time of tfdt is that of the first kept sample; tfxd stays that of
// the fragment.
func AppendKeyFrames(dst, moof []byte, payload int64) (head []byte, spans []Span, err error) {
	m, samples, err := collect(moof, uint64(max(payload, 0)))
	if err != nil {
		return dst, nil, err
	}
	t := &m.Trafs[0]
	var kept []RunSample
	var which []int
	var off int64
	var late uint64 // ticks before the first kept sample
	for i, s := range samples {
		switch n := len(spans); {
		case s.Flags&FlagNonSync != 0:
			if k := len(kept) - 1; k >= 0 {
				kept[k].Duration += min(s.Duration, math.MaxUint32-kept[k].Duration)
			} else {
				late += uint64(s.Duration)
			}
		case n > 0 && spans[n-1].Offset+spans[n-1].Size == off:
			spans[n-1].Size += int64(s.Size)
			kept, which = append(kept, s), append(which, i)
		default:
			spans = append(spans, Span{off, int64(s.Size)})
			kept, which = append(kept, s), append(which, i)
		}
		off += int64(s.Size)
	}
	f := FragmentHead{
		Sequence: m.Sequence, TrackID: t.TrackID, Samples: kept,
		Tfxd: t.HasTfxd, Time: t.Time, Duration: t.Duration, Tfdt: t.HasDecodeTime, DecodeTime: t.DecodeTime + late,
		BaseIsMoof: t.flags&tfhdBaseIsMoof != 0,
	}
	if t.Encryption != nil {
		if f.Encryption, err = pickEncryption(t.Encryption, len(samples), which); err != nil {
			return dst, nil, err
		}
	}
	head, err = f.AppendTo(dst)
	return head, spans, err
}

// cencForm turns the content of a PIFF sample encryption box into that of senc, which knows no override of the
// track's defaults.
func cencForm(enc []byte) []byte {
	if len(enc) < 24 || enc[3]&1 == 0 {
		return enc
	}
	return append([]byte{enc[0], enc[1], enc[2], enc[3] &^ 1}, enc[24:]...)
}

// pickEncryption returns the content of a sample encryption box for a choice of the samples. The size of the
// initialisation vectors is in the track's defaults, so both legal sizes are tried against the size of the box.
//
//	version:8 flags:24 [AlgorithmID:24 IV_size:8 KID:128 if flags & 1] sample_count:32
//	(IV [subsample_count:16 (clear:16 encrypted:32)*  if flags & 2])*
//
// See the sample encryption box of PIFF 1.1.
func pickEncryption(enc []byte, samples int, which []int) ([]byte, error) {
	const path = "moof/traf/senc"
	if len(enc) < 8 {
		return nil, corrupt(path, 0, "%d bytes", len(enc))
	}
	p, sizes := 4, []int{8, 16, 0} // 0: constant vectors
	if enc[3]&1 != 0 {
		if len(enc) < 28 {
			return nil, corrupt(path, 0, "%d bytes", len(enc))
		}
		p, sizes = 24, []int{int(enc[7])}
	}
	if int64(u32(enc[p:])) != int64(samples) {
		return nil, corrupt(path, 0, "%d samples, trun has %d", u32(enc[p:]), samples)
	}
	for _, iv := range sizes {
		if out, ok := pickVectors(enc, p, iv, samples, which); ok {
			return out, nil
		}
	}
	return nil, corrupt(path, 0, "%d bytes do not fit %d samples", len(enc), samples)
}

func pickVectors(enc []byte, p, iv, samples int, which []int) ([]byte, bool) {
	out := append([]byte(nil), enc[:p]...)
	out = binary.BigEndian.AppendUint32(out, uint32(len(which)))
	p += 4
	for i := range samples {
		end := p + iv
		if enc[3]&2 != 0 {
			if end+2 > len(enc) {
				return nil, false
			}
			end += 2 + 6*int(u16(enc[end:]))
		}
		if end > len(enc) {
			return nil, false
		}
		if len(which) > 0 && which[0] == i {
			out, which = append(out, enc[p:end]...), which[1:]
		}
		p = end
	}
	return out, p == len(enc)
}

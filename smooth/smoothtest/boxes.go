package smoothtest

import (
	"encoding/binary"
	"hash/fnv"

	"github.com/smoothkit/smoothkit/smooth"
)

// fragmentBox is what a fragment is made of.
type fragmentBox struct {
	sequence, trackID uint32
	time, duration    uint64
	samples           []int // sizes
	video, ttml       bool
	seed              string
	bitrate           uint64
}

// Sample flags of ISO/IEC 14496-12 8.8.3.1: a sync sample that depends on none, and one that is not sync.
const (
	flagsSync  = 0x02000000
	flagsDelta = 0x01010000
)

// tfxdUUID is the box type of [MS-SSTR] 2.2.4.4.
var tfxdUUID = [16]byte{0x6D, 0x1D, 0x9B, 0x05, 0x42, 0xD5, 0x44, 0xE6, 0x80, 0xE2, 0x14, 0x1D, 0xAF, 0xF7, 0x57, 0xB2}

// box appends a box whose content body appends.
func box(b []byte, name string, body func([]byte) []byte) []byte {
	start := len(b)
	b = body(append(append(b, 0, 0, 0, 0), name...))
	binary.BigEndian.PutUint32(b[start:], uint32(len(b)-start))
	return b
}

// appendFragment appends moof (mfhd, traf (tfhd, trun, tfxd)) and mdat, and returns the size of moof and mdat header.
func appendFragment(b []byte, f fragmentBox) ([]byte, int) {
	start, offset := len(b), 0
	u32 := binary.BigEndian.AppendUint32
	b = box(b, "moof", func(b []byte) []byte {
		b = box(b, "mfhd", func(b []byte) []byte { return u32(u32(b, 0), f.sequence) })
		return box(b, "traf", func(b []byte) []byte {
			b = box(b, "tfhd", func(b []byte) []byte { return u32(u32(b, 0), f.trackID) })
			offset = len(b) + 16
			b = box(b, "trun", f.appendTrun)
			return box(b, "uuid", f.appendTfxd)
		})
	})
	binary.BigEndian.PutUint32(b[offset:], uint32(len(b)-start+8))
	head := len(b) - start + 8
	b = box(b, "mdat", f.appendSamples)
	return b, head
}

// appendTrun appends the body of trun with offset, durations, sizes and flags. See ISO/IEC 14496-12 8.8.8.
func (f *fragmentBox) appendTrun(b []byte) []byte {
	u32 := binary.BigEndian.AppendUint32
	b = u32(u32(u32(b, 0x701), uint32(len(f.samples))), 0)
	each := f.duration / uint64(len(f.samples))
	for i, size := range f.samples {
		d, flags := each, uint32(flagsSync)
		if i == len(f.samples)-1 {
			d = f.duration - each*uint64(i)
		}
		if f.video && i > 0 {
			flags = flagsDelta
		}
		b = u32(u32(u32(b, uint32(d)), uint32(size)), flags)
	}
	return b
}

func (f *fragmentBox) appendTfxd(b []byte) []byte {
	b = append(append(b, tfxdUUID[:]...), 1, 0, 0, 0)
	return binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(b, f.time), f.duration)
}

// An empty TTML document, which the comment after it fills up with noise.
const ttmlOpen, ttmlClose = `<tt xmlns="http://www.w3.org/ns/ttml"><body/></tt><!--`, `-->`

// appendSamples appends noise. A video sample looks like one NAL unit after its length: IDR first, then non-IDR. A TTML
// sample is a document with the noise in a comment.
func (f *fragmentBox) appendSamples(b []byte) []byte {
	h := fnv.New64a()
	h.Write([]byte(f.seed))
	x := h.Sum64() ^ f.bitrate<<20 ^ f.time | 1
	for i, size := range f.samples {
		at := len(b)
		for range size {
			x ^= x << 13
			x ^= x >> 7
			x ^= x << 17
			b = append(b, byte(x)|0x80) // no emulated start codes
		}
		if noise := len(b) - at - len(ttmlOpen) - len(ttmlClose); f.ttml && noise >= 0 {
			for i := range b[at:] {
				b[at+i] = 'a' + b[at+i]%26
			}
			copy(b[at:], ttmlOpen)
			copy(b[len(b)-len(ttmlClose):], ttmlClose)
		}
		if f.video && size > 5 {
			binary.BigEndian.PutUint32(b[at:], uint32(size-4))
			b[at+4] = 0x41
			if i == 0 {
				b[at+4] = 0x65
			}
		}
	}
	return b
}

// sampleSizes cuts a payload into samples: one for text, else eight.
func sampleSizes(t smooth.StreamType, payload int) []int {
	if t == smooth.Text {
		return []int{payload}
	}
	sizes := make([]int, 8)
	for i := range sizes {
		sizes[i] = payload / 8
	}
	sizes[0] += payload % 8
	return sizes
}

// h264PrivateData returns a baseline sequence parameter set of that size and a picture parameter set, each after a
// start code. See ISO/IEC 14496-10 7.3.2.1.
func h264PrivateData(width, height uint32) []byte {
	var w bitWriter
	mbw, mbh := (width+15)/16, (height+15)/16
	w.ue(0)       // seq_parameter_set_id
	w.ue(0)       // log2_max_frame_num_minus4
	w.ue(2)       // pic_order_cnt_type
	w.ue(1)       // max_num_ref_frames
	w.bits(0, 1)  // gaps_in_frame_num_value_allowed_flag
	w.ue(mbw - 1) // pic_width_in_mbs_minus1
	w.ue(mbh - 1) // pic_height_in_map_units_minus1
	w.bits(1, 1)  // frame_mbs_only_flag
	w.bits(1, 1)  // direct_8x8_inference_flag
	if right, bottom := mbw*16-width, mbh*16-height; right|bottom != 0 {
		w.bits(1, 1) // frame_cropping_flag, in units of two luma samples
		w.ue(0)
		w.ue(right / 2)
		w.ue(0)
		w.ue(bottom / 2)
	} else {
		w.bits(0, 1)
	}
	w.bits(0, 1) // vui_parameters_present_flag
	w.bits(1, 1) // rbsp_stop_one_bit
	sps := append([]byte{0, 0, 0, 1, 0x67, 66, 0xC0, 31}, w.buf...)
	return append(sps, 0, 0, 0, 1, 0x68, 0xCE, 0x3C, 0x80)
}

// bitWriter writes bits, the most significant first. The rest of the last byte is zero.
type bitWriter struct {
	buf  []byte
	free int
}

func (w *bitWriter) bits(v uint32, n int) {
	for n--; n >= 0; n-- {
		if w.free == 0 {
			w.buf, w.free = append(w.buf, 0), 8
		}
		w.free--
		w.buf[len(w.buf)-1] |= byte(v>>n&1) << w.free
	}
}

// ue writes an Exp-Golomb code: ISO/IEC 14496-10 9.1.
func (w *bitWriter) ue(v uint32) {
	n := 0
	for (v+1)>>n > 1 {
		n++
	}
	w.bits(0, n)
	w.bits(v+1, n+1)
}

package hls

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
	"math/rand/v2"
	"strconv"
	"testing"

	"github.com/Eyevinn/mp4ff/mp4"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/internal/testmedia"
	"github.com/smoothkit/smoothkit/smooth"
)

// appleDecrypter is the receiver of "MPEG-2 Stream Encryption Format for HTTP Live Streaming", written from the text.
type appleDecrypter struct {
	block cipher.Block
	iv    []byte
}

func newAppleDecrypter(t testing.TB) appleDecrypter {
	t.Helper()
	key, iv := nist(t)
	block, err := aes.NewCipher(key[:])
	require.NoError(t, err)
	return appleDecrypter{block, iv[:]}
}

// stripEmulation removes emulation prevention, ISO/IEC 14496-10 7.3.1.
func stripEmulation(nalu []byte) []byte {
	var out []byte
	zeros := 0
	for _, c := range nalu {
		if zeros >= 2 && c == 3 {
			zeros = 0
			continue
		}
		if c == 0 {
			zeros++
		} else {
			zeros = 0
		}
		out = append(out, c)
	}
	return out
}

// nalu decrypts a NAL unit: the encrypted blocks are collected, decrypted as one chain and put back. Section 2.2.
func (d appleDecrypter) nalu(b []byte) []byte {
	if kind := b[0] & 31; kind != 1 && kind != 5 || len(b) <= 48 {
		return b
	}
	b = stripEmulation(b)
	var places []int
	var chain []byte
	for at, left := 32, len(b)-32; left > 0; {
		if left > 16 {
			places = append(places, at)
			chain = append(chain, b[at:at+16]...)
			at += 16
			left -= 16
		}
		clear := min(144, left)
		at += clear
		left -= clear
	}
	cipher.NewCBCDecrypter(d.block, d.iv).CryptBlocks(chain, chain)
	for i, at := range places {
		copy(b[at:], chain[16*i:16*i+16])
	}
	return b
}

// frame decrypts an audio frame without its ADTS header. Section 2.3.
func (d appleDecrypter) frame(b []byte) []byte {
	out := bytes.Clone(b)
	if n := (len(b) - 16) / 16 * 16; n > 0 {
		cipher.NewCBCDecrypter(d.block, d.iv).CryptBlocks(out[16:16+n], b[16:16+n])
	}
	return out
}

// prefixed joins NAL units to a sample with lengths of size bytes.
func prefixed(size int, nalus ...[]byte) []byte {
	var b []byte
	for _, n := range nalus {
		var prefix [4]byte
		binary.BigEndian.PutUint32(prefix[:], uint32(len(n)))
		b = append(append(b, prefix[4-size:]...), n...)
	}
	return b
}

// naluSplit is the inverse of prefixed.
func naluSplit(t testing.TB, sample []byte, size int) [][]byte {
	t.Helper()
	var list [][]byte
	for len(sample) > 0 {
		require.GreaterOrEqual(t, len(sample), size)
		var prefix [4]byte
		copy(prefix[4-size:], sample[:size])
		n := int(binary.BigEndian.Uint32(prefix[:]))
		sample = sample[size:]
		require.GreaterOrEqual(t, len(sample), n)
		list = append(list, sample[:n])
		sample = sample[n:]
	}
	return list
}

// requireNoStartCode fails if a NAL unit could be taken for two, or its end for a part of the next start code.
func requireNoStartCode(t testing.TB, nalu []byte) {
	t.Helper()
	for _, code := range []string{"\x00\x00\x00", "\x00\x00\x01", "\x00\x00\x02"} {
		require.Equal(t, -1, bytes.Index(nalu, []byte(code)), "%x in %x", code, nalu)
	}
	require.NotZero(t, nalu[len(nalu)-1], "%x", nalu)
}

// realisticNALU is a NAL unit of a type and length, with emulation prevention applied to many zeros.
func realisticNALU(seed uint64, kind byte, n int) []byte {
	r := rand.New(rand.NewPCG(seed, 2))
	b := []byte{kind}
	for zeros := 0; len(b) < n-1; {
		c := byte(r.Uint32())
		if r.IntN(3) > 0 {
			c %= 4
		}
		if zeros == 2 && c <= 3 {
			c = 3
		}
		if zeros++; c != 0 {
			zeros = 0
		}
		b = append(b, c)
	}
	if len(b) < n {
		b = append(b, 0x80)
	}
	return b
}

func TestAppendAVCRoundTrip(t *testing.T) {
	key, iv := nist(t)
	e, d := newSampleEncrypter(key, iv), newAppleDecrypter(t)
	sizes := []int{1, 2, 31, 32, 33, 47, 48, 49, 50, 63, 64, 65, 191, 192, 193, 207, 208, 209, 210, 224, 225,
		367, 368, 369, 1000, 70_000}
	for _, size := range sizes {
		for _, kind := range []byte{0x41, 0x65, 0x01, 0x06, 0x67, 0x68, 0x09, 0x0c, 0x42, 0x74} {
			nalu := realisticNALU(uint64(size), kind, size)
			out, err := e.AppendAVC([]byte("head"), prefixed(4, nalu), 4)
			require.NoError(t, err)
			require.Equal(t, "head", string(out[:4]))
			list := naluSplit(t, out[4:], 4)
			require.Len(t, list, 1)
			protected := (kind&31 == 1 || kind&31 == 5) && size > 48
			if !protected {
				require.Equal(t, nalu, list[0], "type %d, %d bytes", kind&31, size)
				continue
			}
			require.NotEqual(t, nalu, list[0])
			require.Equal(t, kind, list[0][0])
			requireNoStartCode(t, list[0])
			require.Equal(t, nalu, d.nalu(list[0]), "type %d, %d bytes", kind&31, size)
		}
	}
}

// The NAL unit holds the NIST plain text where it is encrypted, so that the result is the NIST ciphertext: one chain
// goes through it, and starts anew with the next NAL unit.
func TestAppendAVCVector(t *testing.T) {
	key, iv := nist(t)
	plain, sealed := unhex(t, nistPlain), unhex(t, nistCipher)
	build := func(blocks []byte) []byte {
		nalu := append([]byte{0x65}, bytes.Repeat([]byte{0x11}, 31)...)
		for ; len(blocks) > 0; blocks = blocks[16:] {
			nalu = append(nalu, blocks[:16]...)
			nalu = append(nalu, bytes.Repeat([]byte{0x22}, 144)...)
		}
		return nalu
	}
	tail := append(build(plain), bytes.Repeat([]byte{0x33}, 16)...) // not encrypted: not more than 16 bytes
	sample := prefixed(4, []byte{0x09, 0xf0}, build(plain), tail)
	got, err := newSampleEncrypter(key, iv).AppendAVC(nil, sample, 4)
	require.NoError(t, err)
	want := prefixed(4, []byte{0x09, 0xf0}, build(sealed), append(build(sealed), bytes.Repeat([]byte{0x33}, 16)...))
	require.Equal(t, want, got)
}

// A block whose ciphertext is zero shows that emulation prevention comes after encryption, over all of the NAL unit,
// and in addition to that of the input.
func TestAppendAVCEmulation(t *testing.T) {
	key, iv := nist(t)
	d := newAppleDecrypter(t)
	var zero, plain [16]byte
	cipher.NewCBCDecrypter(d.block, iv[:]).CryptBlocks(plain[:], zero[:])
	nalu := append([]byte{0x41, 0, 0, 3, 1}, bytes.Repeat([]byte{0x11}, 27)...)
	nalu = append(nalu, plain[:]...)
	nalu = append(nalu, 2, 0, 0, 3)
	got, err := newSampleEncrypter(key, iv).AppendAVC(nil, prefixed(4, nalu), 4)
	require.NoError(t, err)
	want := append([]byte{0x41, 0, 0, 3, 3, 1}, bytes.Repeat([]byte{0x11}, 27)...)
	want = append(want, bytes.Repeat([]byte{0, 0, 3}, 8)...)
	want = append(want, 2, 0, 0, 3, 3)
	require.Equal(t, prefixed(4, want), got)
	require.Equal(t, nalu, d.nalu(want))
}

func TestAppendEmulationPrevention(t *testing.T) {
	for in, want := range map[string]string{
		"01":               "01",
		"000001":           "00000301",
		"00000001":         "0000030001",
		"0000000001":       "0000030000" + "0301",
		"000002":           "00000302",
		"000003":           "00000303",
		"000004":           "000004",
		"0000040000030000": "0000040000030300" + "00",
		"00010001":         "00010001",
		"0000030000030001": "0000030300" + "000303" + "0001",
	} {
		got := appendEmulationPrevention(nil, unhex(t, in))
		assert.Equal(t, unhex(t, want), got, in)
	}
}

func TestAppendAVCLengthSizes(t *testing.T) {
	key, iv := nist(t)
	e := newSampleEncrypter(key, iv)
	nalus := [][]byte{{0x09, 0xf0}, realisticNALU(1, 0x65, 200), {}, realisticNALU(2, 0x41, 40)}
	want, err := e.AppendAVC(nil, prefixed(4, nalus...), 4)
	require.NoError(t, err)
	for size := 1; size <= 4; size++ {
		got, err := e.AppendAVC(nil, prefixed(size, nalus...), size)
		require.NoError(t, err)
		assert.Equal(t, want, got, "lengths of %d bytes", size)
	}
	for _, size := range []int{0, -1, 5} {
		_, err := e.AppendAVC(nil, nil, size)
		require.ErrorIs(t, err, smooth.ErrUnsupported)
	}
}

// Zeros at the end of a slice go, so that it is encrypted or not whatever the receiver makes of them.
func TestAppendAVCTrailingZeros(t *testing.T) {
	key, iv := nist(t)
	e, d := newSampleEncrypter(key, iv), newAppleDecrypter(t)
	for _, size := range []int{40, 48, 49, 60, 210} {
		nalu := realisticNALU(uint64(size), 0x65, size)
		out, err := e.AppendAVC(nil, prefixed(4, append(bytes.Clone(nalu), make([]byte, 20)...)), 4)
		require.NoError(t, err)
		got := naluSplit(t, out, 4)[0]
		require.Equal(t, nalu, d.nalu(got))
	}
	out, err := e.AppendAVC(nil, prefixed(4, []byte{6, 0, 0}), 4)
	require.NoError(t, err)
	require.Equal(t, prefixed(4, []byte{6, 0, 0}), out, "other NAL units stay as they are")
}

func TestAppendAVCCorrupt(t *testing.T) {
	key, iv := nist(t)
	e := newSampleEncrypter(key, iv)
	whole := prefixed(4, realisticNALU(1, 0x65, 100), realisticNALU(2, 0x41, 60))
	dst := []byte("head")
	for n := range whole {
		got, err := e.AppendAVC(dst, whole[:n], 4)
		if n == 0 || n == 104 {
			require.NoError(t, err)
			continue
		}
		require.ErrorIs(t, err, smooth.ErrCorrupt, "%d bytes", n)
		require.Equal(t, "head", string(got))
	}
	got, err := e.AppendAVC(dst, []byte{0xff, 0xff, 0xff, 0xff, 1}, 4)
	require.ErrorIs(t, err, smooth.ErrCorrupt)
	require.Equal(t, "head", string(got))
}

func TestAppendFrame(t *testing.T) {
	key, iv := nist(t)
	e, d := newSampleEncrypter(key, iv), newAppleDecrypter(t)
	for n := range 100 {
		frame := randomBytes(uint64(n), n)
		got := e.AppendAAC([]byte("head"), frame)
		require.Equal(t, "head", string(got[:4]))
		got = got[4:]
		require.Len(t, got, n)
		require.Equal(t, frame, d.frame(got))
		require.Equal(t, frame[:min(16, n)], got[:min(16, n)], "the start stays clear")
		require.Equal(t, frame[n-n%16:], got[n-n%16:], "the tail stays clear")
		require.Equal(t, n < 32, bytes.Equal(frame, got), "%d bytes", n)
	}
	lead := bytes.Repeat([]byte{0x21}, 16)
	got := e.AppendAAC(nil, append(append(bytes.Clone(lead), unhex(t, nistPlain)...), 7))
	require.Equal(t, append(append(lead, unhex(t, nistCipher)...), 7), got)
}

// syncframe is an E-AC-3 syncframe of a size in bytes.
func syncframe(seed uint64, size int) []byte {
	b := randomBytes(seed, size)
	binary.BigEndian.PutUint16(b, 0x0b77)
	binary.BigEndian.PutUint16(b[2:], uint16(size/2-1))
	b[5] = 16 << 3
	return b
}

// The clear part is that of each syncframe, the chain that of the sample: the encrypted parts, put together, decrypt as
// one.
func TestAppendEAC3(t *testing.T) {
	key, iv := nist(t)
	e, d := newSampleEncrypter(key, iv), newAppleDecrypter(t)
	for _, sizes := range [][]int{{100}, {64, 30, 1792}, {6, 48, 32}, {}} {
		var sample []byte
		for i, size := range sizes {
			sample = append(sample, syncframe(uint64(i), size)...)
		}
		got, err := e.AppendEAC3([]byte("head"), sample)
		require.NoError(t, err)
		require.Equal(t, "head", string(got[:4]))
		got = got[4:]
		require.Len(t, got, len(sample))
		var sealed, plain []byte
		at := 0
		for _, size := range sizes {
			n := max(0, (size-16)/16*16)
			lead := min(16, size)
			require.Equal(t, sample[at:at+lead], got[at:at+lead])
			sealed = append(sealed, got[at+lead:at+lead+n]...)
			plain = append(plain, sample[at+lead:at+lead+n]...)
			at += size
		}
		cipher.NewCBCDecrypter(d.block, iv[:]).CryptBlocks(sealed, sealed)
		require.Equal(t, plain, sealed)
	}
}

func TestAppendEAC3Corrupt(t *testing.T) {
	key, iv := nist(t)
	e := newSampleEncrypter(key, iv)
	whole := append(syncframe(1, 64), syncframe(2, 40)...)
	for n := range whole {
		got, err := e.AppendEAC3([]byte("head"), whole[:n])
		if n == 0 || n == 64 {
			require.NoError(t, err)
			continue
		}
		require.ErrorIs(t, err, smooth.ErrCorrupt, "%d bytes", n)
		require.Equal(t, "head", string(got))
	}
	tiny := syncframe(1, 64)
	binary.BigEndian.PutUint16(tiny[2:], 1)
	_, err := e.AppendEAC3(nil, tiny)
	require.ErrorIs(t, err, smooth.ErrCorrupt)
	core := syncframe(1, 64)
	core[5] = 8 << 3
	_, err = e.AppendEAC3(nil, core)
	require.ErrorIs(t, err, smooth.ErrUnsupported)
}

// realSamples returns the samples of the first track with a sample entry, avc1 or mp4a, in a file with fragments.
func realSamples(t testing.TB, entry string) [][]byte {
	t.Helper()
	f, err := mp4.DecodeFile(bytes.NewReader(testmedia.File(t, "av.ismv")))
	require.NoError(t, err)
	var trex *mp4.TrexBox
	for i, trak := range f.Init.Moov.Traks {
		if trak.Mdia.Minf.Stbl.Stsd.Children[0].Type() == entry {
			trex = f.Init.Moov.Mvex.Trexs[i]
		}
	}
	require.NotNil(t, trex)
	var list [][]byte
	for _, s := range f.Segments {
		for _, fragment := range s.Fragments {
			if fragment.Moof.Traf.Tfhd.TrackID != trex.TrackID {
				continue
			}
			full, err := fragment.GetFullSamples(trex)
			require.NoError(t, err)
			for _, sample := range full {
				list = append(list, sample.Data)
			}
		}
	}
	require.NotEmpty(t, list)
	return list
}

func TestAppendRealSamples(t *testing.T) {
	key, iv := nist(t)
	e, d := newSampleEncrypter(key, iv), newAppleDecrypter(t)
	protected := 0
	for _, sample := range realSamples(t, "avc1") {
		out, err := e.AppendAVC(nil, sample, 4)
		require.NoError(t, err)
		want, got := naluSplit(t, sample, 4), naluSplit(t, out, 4)
		require.Len(t, got, len(want))
		for i := range want {
			if len(want[i]) > 48 && !bytes.Equal(want[i], got[i]) {
				requireNoStartCode(t, got[i])
				protected++
			}
			require.Equal(t, want[i], d.nalu(got[i]))
		}
	}
	assert.NotZero(t, protected)
	for _, frame := range realSamples(t, "mp4a") {
		require.Equal(t, frame, d.frame(e.AppendAAC(nil, frame)))
	}
}

func TestSampleEncrypterAllocations(t *testing.T) {
	key, iv := nist(t)
	e := newSampleEncrypter(key, iv)
	sample := prefixed(4, realisticNALU(1, 0x65, 20_000), realisticNALU(2, 0x41, 5_000))
	frame := syncframe(1, 1500)
	dst := make([]byte, 0, 100_000)
	assert.Zero(t, testing.AllocsPerRun(20, func() {
		out, err := e.AppendAVC(dst, sample, 4)
		out = e.AppendAAC(out, frame)
		_, err2 := e.AppendEAC3(out, frame)
		if err != nil || err2 != nil {
			t.Fatal(err, err2)
		}
	}))
}

// FuzzAppendAVC: what is encrypted decrypts to what went in, holds no start code that was not there, and is bounded.
func FuzzAppendAVC(f *testing.F) {
	f.Add([]byte{}, byte(4))
	f.Add([]byte{0xff, 0xff, 0xff, 0xff}, byte(4))
	f.Add([]byte{0, 0, 0, 0, 0}, byte(3))
	for size := byte(1); size <= 4; size++ {
		f.Add(prefixed(int(size), []byte{9, 0xf0}, realisticNALU(1, 0x65, 230), realisticNALU(2, 0x41, 49)), size)
	}
	f.Add(prefixed(2, append(realisticNALU(1, 0x65, 60), 0, 0, 0), bytes.Repeat([]byte{1, 0, 0}, 40)), byte(2))
	f.Add(prefixed(4, append([]byte{0x61}, make([]byte, 100)...), append(make([]byte, 48), 0x65)), byte(4))
	for _, sample := range realSamples(f, "avc1")[:3] {
		f.Add(sample, byte(4))
	}
	key, iv := nist(f)
	d := newAppleDecrypter(f)
	e := newSampleEncrypter(key, iv)
	f.Fuzz(func(t *testing.T, sample []byte, size byte) {
		out, err := e.AppendAVC([]byte("head"), sample, int(size))
		require.Equal(t, "head", string(out[:4]))
		if err != nil {
			require.Len(t, out, 4)
			return
		}
		out = out[4:]
		want, got := naluSplit(t, sample, int(size)), naluSplit(t, out, 4)
		require.Len(t, got, len(want))
		for i, in := range want {
			require.LessOrEqual(t, len(got[i]), len(in)*3/2)
			if len(in) > 0 && (in[0]&31 == 1 || in[0]&31 == 5) {
				in = bytes.TrimRight(in, "\x00")
				if len(in) > 48 {
					requireNoStartCode(t, got[i])
				}
				require.Equal(t, strconv.Quote(string(in)), strconv.Quote(string(d.nalu(got[i]))))
				continue
			}
			require.Equal(t, in, got[i])
		}
	})
}

// FuzzAppendEAC3: the size stays, and nothing but whole blocks after the clear part changes.
func FuzzAppendEAC3(f *testing.F) {
	f.Add([]byte{})
	f.Add(append(syncframe(1, 64), syncframe(2, 40)...))
	f.Add(syncframe(3, 64)[:60])
	f.Add([]byte{0x0b, 0x77, 0, 0, 0, 0x80})
	key, iv := nist(f)
	e := newSampleEncrypter(key, iv)
	f.Fuzz(func(t *testing.T, sample []byte) {
		out, err := e.AppendEAC3(nil, sample)
		if err != nil {
			require.Empty(t, out)
			return
		}
		require.Len(t, out, len(sample))
		lead := min(16, len(sample))
		require.True(t, bytes.Equal(sample[:lead], out[:lead]), "%x, was %x", out[:lead], sample[:lead])
	})
}

func BenchmarkAppendAVC(b *testing.B) {
	key, iv := nist(b)
	e := newSampleEncrypter(key, iv)
	sample := prefixed(4, append(append([]byte{0x65}, randomBytes(1, 30_000)...), 0x80))
	dst := make([]byte, 0, 50_000)
	b.SetBytes(int64(len(sample)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := e.AppendAVC(dst, sample, 4); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAppendAAC(b *testing.B) {
	key, iv := nist(b)
	e := newSampleEncrypter(key, iv)
	frame := randomBytes(1, 360)
	dst := make([]byte, 0, 400)
	b.SetBytes(int64(len(frame)))
	b.ReportAllocs()
	for b.Loop() {
		e.AppendAAC(dst, frame)
	}
}

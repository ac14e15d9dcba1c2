package fmp4_test

import (
	"bytes"
	"math"
	"testing"

	"github.com/Eyevinn/mp4ff/mp4"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/internal/fmp4"
)

// Flags of tfhd and trun.
const (
	hBase, hDescription, hDuration, hSize, hFlags, hMoof = 1, 2, 8, 0x10, 0x20, 0x20000
	rOffset, rFirst, rDuration, rSize, rFlags, rCTS      = 1, 4, 0x100, 0x200, 0x400, 0x800
)

func noDefaults(uint32) fmp4.Defaults { return fmp4.Defaults{} }

func mfhd(seq uint32) []byte { return fbx("mfhd", 0, 0, be32(seq)) }

func tfhd(flags uint32, fields ...[]byte) []byte { return fbx("tfhd", 0, flags, cat(fields...)) }

func trun(flags uint32, count uint32, words ...uint32) []byte {
	return fbx("trun", 0, flags, be32(count), be32(words...))
}

func moofOf(trafs ...[]byte) []byte {
	out := mfhd(9)
	for _, t := range trafs {
		out = cat(out, bx("traf", t))
	}
	return bx("moof", out)
}

func tfxd(version uint8, fields []byte) []byte { return ubx(fmp4.UUIDTfxd, version, 0, fields) }

func samplesOf(t *fmp4.Traf, d fmp4.Defaults) []fmp4.RunSample {
	var all []fmp4.RunSample
	r := t.Samples(d)
	for s, ok := r.Next(); ok; s, ok = r.Next() {
		all = append(all, s)
	}
	return all
}

func TestMoofFields(t *testing.T) {
	enc := be32(0, 1, 2, 3)
	m, err := fmp4.ParseMoof(cat(moofOf(cat(
		tfhd(hDescription|hDuration|hFlags, be32(5, 1, 10, 0x10000)),
		fbx("tfdt", 1, 0, be64(1<<40)),
		trun(rOffset|rFirst|rSize, 2, 200, 0x2000000, 7, 8),
		trun(rDuration|rCTS, 1, 11, 0xffffffff),
		tfxd(1, be64(1<<41, 77)), fbx("senc", 0, 0, be32(1, 2, 3)))), []byte("mdat follows")), 50)
	require.NoError(t, err)
	require.EqualValues(t, 9, m.Sequence)
	require.EqualValues(t, 50, m.Offset)
	require.Len(t, m.Trafs, 1)
	f := &m.Trafs[0]
	require.EqualValues(t, 5, f.TrackID)
	require.True(t, f.HasDecodeTime && f.HasTfxd)
	require.EqualValues(t, []uint64{1 << 40, 1 << 41, 77}, []uint64{f.DecodeTime, f.Time, f.Duration})
	require.Equal(t, enc, f.Encryption)
	require.Equal(t, 2, f.Runs())
	require.Equal(t, 3, f.SampleCount())
	trex := fmp4.Defaults{Duration: 99, Size: 100, Flags: 101}
	require.Equal(t, []fmp4.RunSample{{10, 7, 0x2000000, 0}, {10, 8, 0x10000, 0}, {11, 100, 0x10000, -1}}, samplesOf(f, trex))
	require.EqualValues(t, 0x2000000, f.FirstFlags(trex))
	d, size := f.Totals(trex)
	require.EqualValues(t, []uint64{31, 115}, []uint64{d, size})
}

func TestMoofVersion0(t *testing.T) {
	m, err := fmp4.ParseMoof(moofOf(cat(tfhd(0, be32(1)), fbx("tfdt", 0, 0, be32(math.MaxUint32)),
		tfxd(0, be32(5, 6)), ubx(fmp4.UUIDSampleEncryption, 0, 2, be32(0)))), 0)
	require.NoError(t, err)
	f := &m.Trafs[0]
	require.EqualValues(t, []uint64{math.MaxUint32, 5, 6}, []uint64{f.DecodeTime, f.Time, f.Duration})
	require.Equal(t, be32(2, 0), f.Encryption)
	require.Zero(t, f.FirstFlags(fmp4.Defaults{}))
	minus := uint64(math.MaxUint64 - 1023)
	m, err = fmp4.ParseMoof(moofOf(cat(tfhd(0, be32(1)), fbx("tfdt", 1, 0, be64(minus)))), 0)
	require.NoError(t, err)
	require.EqualValues(t, -1024, int64(m.Trafs[0].DecodeTime))
}

func TestMoofErrors(t *testing.T) {
	head := tfhd(0, be32(1))
	for _, c := range []struct {
		name, path string
		kind       error
		moof       []byte
	}{
		{"not moof", "moof", fmp4.ErrCorrupt, bx("moov")},
		{"too large", "moof", fmp4.ErrTooLarge, bx("moof", make([]byte, fmp4.MaxMoof))},
		{"short mfhd", "moof/mfhd", fmp4.ErrCorrupt, bx("moof", bx("mfhd", be32(0)))},
		{"no tfhd", "moof/traf", fmp4.ErrCorrupt, moofOf(trun(0, 0))},
		{"tfhd twice", "moof/traf/tfhd", fmp4.ErrCorrupt, moofOf(cat(head, head))},
		{"tfhd empty", "moof/traf/tfhd", fmp4.ErrCorrupt, moofOf(bx("tfhd"))},
		{"tfhd cut", "moof/traf/tfhd", fmp4.ErrCorrupt, moofOf(tfhd(hBase|hFlags, be32(1, 0, 0)))},
		{"tfdt cut", "moof/traf/tfdt", fmp4.ErrCorrupt, moofOf(cat(head, fbx("tfdt", 1, 0, be32(0))))},
		{"tfdt", "moof/traf/tfdt", fmp4.ErrCorrupt, moofOf(cat(head, fbx("tfdt", 1, 0, be64(1<<60+1))))},
		{"tfxd cut", "moof/traf/tfxd", fmp4.ErrCorrupt, moofOf(cat(head, tfxd(1, be32(0, 0, 0))))},
		{"tfxd empty", "moof/traf/tfxd", fmp4.ErrCorrupt, moofOf(cat(head, bx("uuid", fmp4.UUIDTfxd[:])))},
		{"tfxd time", "moof/traf/tfxd", fmp4.ErrCorrupt, moofOf(cat(head, tfxd(1, be64(1<<63, 0))))},
		{"tfxd duration", "moof/traf/tfxd", fmp4.ErrCorrupt, moofOf(cat(head, tfxd(1, be64(0, 1<<60+1))))},
		{"trun cut", "moof/traf/trun", fmp4.ErrCorrupt, moofOf(cat(head, trun(rOffset|rFirst, 0, 1)))},
		{"trun lying", "moof/traf/trun", fmp4.ErrCorrupt, moofOf(cat(head, trun(rSize, 2, 1)))},
		{"trun lying hugely", "moof/traf/trun", fmp4.ErrCorrupt, moofOf(cat(head, trun(rSize|rDuration|rFlags|rCTS, 0x10000000)))},
		{"trun without entries", "moof/traf/trun", fmp4.ErrTooLarge, moofOf(cat(head, trun(0, math.MaxUint32)))},
		{"samples of two runs", "moof/traf/trun", fmp4.ErrTooLarge, moofOf(cat(head, trun(0, fmp4.MaxRunSamples), trun(0, 1)))},
		{"samples of two trafs", "moof/traf", fmp4.ErrTooLarge,
			moofOf(cat(head, trun(0, fmp4.MaxRunSamples)), cat(head, trun(0, 1)))},
		{"runs", "moof/traf/trun", fmp4.ErrTooLarge, moofOf(cat(head, bytes.Repeat(trun(0, 0), fmp4.MaxRuns+1)))},
		{"trafs", "moof/traf", fmp4.ErrTooLarge, bx("moof", bytes.Repeat(bx("traf", head), fmp4.MaxTracks+1))},
		{"child beyond", "moof/traf/trun", fmp4.ErrCorrupt, moofOf(cat(head, be32(99), []byte("trun")))},
	} {
		t.Run(c.name, func(t *testing.T) {
			used := allocated(func() {
				_, err := fmp4.ParseMoof(c.moof, 0)
				requireKind(t, err, c.kind, c.path)
			})
			require.Less(t, used, uint64(2<<20))
			if _, err := fmp4.Inspect(c.moof, 0, fmp4.Defaults{}); err == nil {
				h, _ := fmp4.Inspect(c.moof, 0, fmp4.Defaults{})
				require.False(t, h.Plain)
			}
		})
	}
	m, err := fmp4.ParseMoof(moofOf(cat(head, trun(0, fmp4.MaxRunSamples))), 0)
	require.NoError(t, err)
	require.Equal(t, fmp4.MaxRunSamples, m.Trafs[0].SampleCount())
}

// TestSpansRules: the rules of data offsets, one moof at 1000 each.
func TestSpansRules(t *testing.T) {
	run := func(flags, off, size uint32) []byte { // one sample
		if flags&rOffset != 0 {
			return trun(flags|rSize, 1, off, size)
		}
		return trun(flags|rSize, 1, size)
	}
	h := tfhd(0, be32(1))
	cases := []struct {
		name  string
		trafs [][]byte
		want  [][]fmp4.Span
	}{
		{"offset from moof", [][]byte{cat(h, run(rOffset, 200, 5))}, [][]fmp4.Span{{{1200, 5}}}},
		{"no offset", [][]byte{cat(h, run(0, 0, 5))}, [][]fmp4.Span{{{1000, 5}}}},
		{"base", [][]byte{cat(tfhd(hBase, be32(1), be64(70)), run(rOffset, 200, 5))}, [][]fmp4.Span{{{270, 5}}}},
		{"negative offset", [][]byte{cat(h, run(rOffset, uint32(0xffffff9c), 5))}, [][]fmp4.Span{{{900, 5}}}},
		{"runs join", [][]byte{cat(h, run(rOffset, 200, 5), run(0, 0, 6))}, [][]fmp4.Span{{{1200, 11}}}},
		{"runs apart", [][]byte{cat(h, run(rOffset, 200, 5), run(rOffset, 300, 6))}, [][]fmp4.Span{{{1200, 5}, {1300, 6}}}},
		{"empty run", [][]byte{cat(h, run(rOffset, 200, 0))}, [][]fmp4.Span{nil}},
		{"second traf of moof", [][]byte{cat(h, run(rOffset, 200, 5)), cat(tfhd(hMoof, be32(2)), run(rOffset, 205, 6))},
			[][]fmp4.Span{{{1200, 5}}, {{1205, 6}}}},
		{"second traf, from moof without the flag", [][]byte{cat(h, run(rOffset, 200, 5)), cat(h, run(rOffset, 205, 6))},
			[][]fmp4.Span{{{1200, 5}}, {{1205, 6}}}},
		{"second traf follows", [][]byte{cat(h, run(rOffset, 200, 5)), cat(h, run(rOffset, 0, 6)), cat(h, run(0, 0, 7))},
			[][]fmp4.Span{{{1200, 5}}, {{1205, 6}}, {{1211, 7}}}},
		{"follows an empty one", [][]byte{cat(h, run(rOffset, 200, 5)), h, cat(h, run(0, 0, 7))},
			[][]fmp4.Span{{{1200, 5}}, nil, {{1205, 7}}}},
		{"follows a base", [][]byte{cat(h, run(rOffset, 200, 5)), cat(tfhd(hBase, be32(1), be64(70)), run(0, 0, 3)), cat(h, run(0, 0, 7))},
			[][]fmp4.Span{{{1200, 5}}, {{70, 3}}, {{73, 7}}}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			m, err := fmp4.ParseMoof(moofOf(c.trafs...), 1000)
			require.NoError(t, err)
			for i, want := range c.want {
				got, err := m.Spans(nil, i, noDefaults)
				require.NoError(t, err)
				require.Equal(t, want, got, "traf %d", i)
				keep := []fmp4.Span{{0, 1200}} // never joined with what was there
				got, err = m.Spans(keep, i, noDefaults)
				require.NoError(t, err)
				require.Equal(t, append([]fmp4.Span{{0, 1200}}, want...), got)
			}
		})
	}
	for _, traf := range [][]byte{
		cat(h, run(rOffset, 0x80000000, 5)),
		cat(tfhd(hBase, be32(1), be64(math.MaxUint64)), run(rOffset, 1, 5)),
	} {
		m, err := fmp4.ParseMoof(moofOf(traf), 1000)
		require.NoError(t, err)
		_, err = m.Spans(nil, 0, noDefaults)
		requireKind(t, err, fmp4.ErrCorrupt, "moof/traf/trun")
	}
}

// TestMoofDefaults: every combination of defaults in trex, tfhd and trun, compared with the library.
func TestMoofDefaults(t *testing.T) {
	trex := fmp4.Defaults{Duration: 3, Size: 5, Flags: 0x10000}
	for head := range uint32(8) {
		for bits := range uint32(32) {
			fl := head << 3
			var fields []uint32
			for i := range uint32(3) {
				if head&(1<<i) != 0 {
					fields = append(fields, 100+i)
				}
			}
			rf := (bits & 15) << 8
			words := []uint32{500}
			if bits&16 != 0 && bits&4 == 0 { // first sample flags exclude those of all
				rf |= rFirst
				words = append(words, 0x2000000)
			}
			for i := range 3 * onesCount(bits&15) {
				words = append(words, uint32(1000+i))
			}
			raw := moofOf(cat(tfhd(fl, be32(1), be32(fields...)), trun(rOffset|rf, 3, words...)))
			m, err := fmp4.ParseMoof(raw, 0)
			require.NoError(t, err)
			lib := decode(t, raw).(*mp4.MoofBox)
			tx := &mp4.TrexBox{DefaultSampleDuration: 3, DefaultSampleSize: 5, DefaultSampleFlags: 0x10000}
			lib.Traf.Trun.AddSampleDefaultValues(lib.Traf.Tfhd, tx)
			var want []fmp4.RunSample
			for _, s := range lib.Traf.Trun.GetSamples() {
				want = append(want, fmp4.RunSample{Duration: s.Dur, Size: s.Size, Flags: s.Flags, CTS: s.CompositionTimeOffset})
			}
			require.Equal(t, want, samplesOf(&m.Trafs[0], trex), "tfhd %#x trun %#x", fl, rf)
			h, err := fmp4.Inspect(raw, 0, trex)
			require.NoError(t, err)
			alone := fmp4.Defaults{}
			h2, err := fmp4.Inspect(patchOffset(raw), 0, trex)
			require.NoError(t, err)
			require.False(t, h.Plain) // 500 is not behind the mdat header
			require.Equal(t, equalSamples(want, samplesOf(&m.Trafs[0], alone)), h2.Plain, "tfhd %#x trun %#x", fl, rf)
		}
	}
}

func equalSamples(a, b []fmp4.RunSample) bool {
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

// patchOffset makes the data of a moof with one trun follow the header of mdat.
func patchOffset(raw []byte) []byte {
	raw = bytes.Clone(raw)
	copy(raw[bytes.Index(raw, []byte("trun"))+12:], be32(uint32(len(raw)+8)))
	return raw
}

func onesCount(v uint32) (n int) {
	for ; v != 0; v &= v - 1 {
		n++
	}
	return n
}

func TestRunsOf(t *testing.T) {
	raw := moofOf(cat(tfhd(0, be32(1)), trun(rSize, 1, 7)))
	r, err := fmp4.RunsOf(raw)
	require.NoError(t, err)
	s, ok := r.Next()
	require.True(t, ok)
	require.Equal(t, fmp4.RunSample{Size: 7}, s)
	_, ok = r.Next()
	require.False(t, ok)
	_, err = fmp4.RunsOf(moofOf())
	requireKind(t, err, fmp4.ErrUnsupported, "moof")
	_, err = fmp4.RunsOf(nil)
	require.ErrorIs(t, err, fmp4.ErrCorrupt)
}

func TestMoofSize(t *testing.T) {
	require.Equal(t, 9, fmp4.MoofSize(cat(bx("moof", []byte{0}), []byte("mdat"))))
	for _, b := range [][]byte{nil, bx("mdat"), bx("moof", []byte{1})[:8], bx0("moof"), bx64("moof"), cat(be32(7), []byte("moof")),
		cat(be32(math.MaxUint32), []byte("moof"))} {
		require.Equal(t, -1, fmp4.MoofSize(b))
	}
}

// TestSamplesBySdtp: where the flags of all but the first sample are left at zero, sdtp tells which are sync samples.
func TestSamplesBySdtp(t *testing.T) {
	const first, delta = fmp4.FlagsSync, fmp4.FlagsDelta
	withFirst := trun(0x205, 3, 0, first, 1, 2, 3)
	for _, c := range []struct {
		name string
		traf []byte
		trex uint32
		want []uint32
	}{
		{"as IIS", cat(tfhd(0, be32(1)), withFirst, fbx("sdtp", 0, 0, []byte{0x26, 2, 0x12})), 0, []uint32{first, delta, delta}},
		{"sdtp before trun", cat(tfhd(0, be32(1)), fbx("sdtp", 0, 0, []byte{0x26, 2, 0x12}), withFirst), 0, []uint32{first, delta, delta}},
		{"a second key frame", cat(tfhd(0, be32(1)), withFirst, fbx("sdtp", 0, 0, []byte{0x26, 2, 0x26})), 0, []uint32{first, delta, 0}},
		{"several runs", cat(tfhd(0, be32(1)), withFirst, trun(0x201, 2, 0, 4, 5), fbx("sdtp", 0, 0, []byte{0x26, 2, 2, 0x26, 2})), 0, []uint32{first, delta, delta, 0, delta}},
		{"short sdtp", cat(tfhd(0, be32(1)), withFirst, fbx("sdtp", 0, 0, []byte{0x26, 2})), 0, []uint32{first, delta, 0}},
		{"broken sdtp", cat(tfhd(0, be32(1)), withFirst, bx("sdtp", []byte{0})), 0, []uint32{first, 0, 0}},
		{"sdtp that knows nothing", cat(tfhd(0, be32(1)), withFirst, fbx("sdtp", 0, 0, []byte{2, 2, 2})), 0, []uint32{first, 0, 0}},
		{"audio", cat(tfhd(0, be32(1)), withFirst), 0, []uint32{first, 0, 0}},
		{"default in tfhd", cat(tfhd(0x20, be32(1), be32(7)), withFirst, fbx("sdtp", 0, 0, []byte{0x26, 2, 2})), 0, []uint32{first, 7, 7}},
		{"default in trex", cat(tfhd(0, be32(1)), withFirst, fbx("sdtp", 0, 0, []byte{0x26, 2, 2})), 7, []uint32{first, 7, 7}},
		{"stated per sample", cat(tfhd(0, be32(1)), trun(0x601, 2, 0, 1, first, 2, 0), fbx("sdtp", 0, 0, []byte{0x26, 2})), 0, []uint32{first, 0}},
	} {
		m, err := fmp4.ParseMoof(moofOf(c.traf), 0)
		require.NoError(t, err, c.name)
		var got []uint32
		for _, s := range samplesOf(&m.Trafs[0], fmp4.Defaults{Flags: c.trex}) {
			got = append(got, s.Flags)
		}
		require.Equal(t, c.want, got, c.name)
	}
}

package fmp4_test

import (
	"math"
	"testing"

	"github.com/Eyevinn/mp4ff/mp4"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/internal/fmp4"
)

const sync, delta = fmp4.FlagsSync, fmp4.FlagsDelta

func TestFragmentHead(t *testing.T) {
	s := func(flags uint32, cts int32) fmp4.RunSample {
		return fmp4.RunSample{Duration: 10, Size: 20, Flags: flags, CTS: cts}
	}
	for _, c := range []struct {
		name    string
		head    fmp4.FragmentHead
		run     uint32 // flags of trun
		version byte
		boxes   []string
	}{
		{"audio", fmp4.FragmentHead{Tfxd: true, Samples: []fmp4.RunSample{s(sync, 0), s(sync, 0)}}, 0x301, 0, []string{"tfhd", "trun", "tfxd"}},
		{"video", fmp4.FragmentHead{Tfxd: true, Samples: []fmp4.RunSample{s(sync, 5), s(delta, 0), s(delta, 0)}}, 0xb05, 0, []string{"tfhd", "trun", "tfxd"}},
		{"negative", fmp4.FragmentHead{Tfdt: true, BaseIsMoof: true, Samples: []fmp4.RunSample{s(sync, 5), s(delta, -5)}}, 0xb05, 1, []string{"tfhd", "tfdt", "trun"}},
		{"mixed", fmp4.FragmentHead{Samples: []fmp4.RunSample{s(sync, 0), s(delta, 0), s(sync, 0)}}, 0x701, 0, []string{"tfhd", "trun"}},
		{"one", fmp4.FragmentHead{Samples: []fmp4.RunSample{s(delta, 0)}}, 0x301, 0, []string{"tfhd", "trun"}},
		{"none", fmp4.FragmentHead{}, 0x301, 0, []string{"tfhd", "trun"}},
		{"piff", fmp4.FragmentHead{Tfxd: true, Encryption: be32(0, 0), Samples: []fmp4.RunSample{s(sync, 0)}}, 0x301, 0, []string{"tfhd", "trun", "tfxd", "unknown"}},
		{"cenc", fmp4.FragmentHead{Encryption: be32(0, 0), Samples: []fmp4.RunSample{s(sync, 0)}}, 0x301, 0, []string{"tfhd", "trun", "senc"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := c.head
			f.Sequence, f.TrackID, f.Time, f.Duration, f.DecodeTime = 4, 5, 1<<40, 7, 1<<41
			out, err := f.AppendTo([]byte("x"))
			require.NoError(t, err)
			out = out[1:]
			n := len(out) - 8
			size := uint32(20 * len(f.Samples))
			require.Equal(t, cat(be32(size+8), []byte("mdat")), out[n:])
			checkHead(t, &f, out[:n], c.run, c.version)
			if f.Encryption == nil || !f.Tfxd { // an empty PIFF box is beyond the library
				require.Equal(t, c.boxes, childTypes(t, out[:n]))
			}
		})
	}
}

func checkHead(t *testing.T, f *fmp4.FragmentHead, moof []byte, run uint32, version byte) {
	t.Helper()
	h, err := fmp4.Inspect(moof, 0, fmp4.Defaults{Duration: 1, Size: 1, Flags: 1})
	require.NoError(t, err)
	require.True(t, h.Plain && h.Ordered)
	m, err := fmp4.ParseMoof(moof, 0)
	require.NoError(t, err)
	got := &m.Trafs[0]
	require.Equal(t, f.Encryption, got.Encryption)
	require.Equal(t, f.Samples, samplesOf(got, fmp4.Defaults{}))
	require.Equal(t, []bool{f.Tfxd, f.Tfdt}, []bool{got.HasTfxd, got.HasDecodeTime})
	require.Equal(t, f.Tfxd, got.Time == 1<<40 && got.Duration == 7)
	require.Equal(t, f.Tfdt, got.DecodeTime == 1<<41)

	lib := decode(t, moof).(*mp4.MoofBox)
	require.EqualValues(t, 4, lib.Mfhd.SequenceNumber)
	require.EqualValues(t, 5, lib.Traf.Tfhd.TrackID)
	require.Equal(t, f.BaseIsMoof, lib.Traf.Tfhd.DefaultBaseIfMoof())
	require.Equal(t, run, lib.Traf.Trun.Flags)
	require.Equal(t, version, lib.Traf.Trun.Version)
	require.EqualValues(t, len(moof)+8, lib.Traf.Trun.DataOffset)
	lib.Traf.Trun.AddSampleDefaultValues(lib.Traf.Tfhd, nil)
	for i, s := range lib.Traf.Trun.GetSamples() {
		require.Equal(t, f.Samples[i], fmp4.RunSample{Duration: s.Dur, Size: s.Size, Flags: s.Flags, CTS: s.CompositionTimeOffset})
	}
	require.Equal(t, moof, encode(t, decode(t, moof)))
}

func TestFragmentHeadLimits(t *testing.T) {
	dst := []byte("keep")
	for path, f := range map[string]fmp4.FragmentHead{
		"mdat":           {Samples: []fmp4.RunSample{{Size: math.MaxUint32}}},
		"moof/traf/trun": {Samples: make([]fmp4.RunSample, fmp4.MaxRunSamples+1)},
		"moof/traf/senc": {Encryption: make([]byte, fmp4.MaxMoof+1)},
		"moof":           {Encryption: make([]byte, fmp4.MaxMoof)},
	} {
		out, err := f.AppendTo(dst)
		requireKind(t, err, fmp4.ErrTooLarge, path)
		require.Equal(t, dst, out)
	}
	f := fmp4.FragmentHead{Samples: []fmp4.RunSample{{Size: math.MaxUint32 - 8}}}
	out, err := f.AppendTo(nil)
	require.NoError(t, err)
	require.Equal(t, cat(be32(math.MaxUint32), []byte("mdat")), out[len(out)-8:])
}

func TestAppendCMAFHead(t *testing.T) {
	h := tfhd(0, be32(3))
	run := trun(rOffset|rDuration|rSize|rFirst, 2, 0, sync, 10, 20, 10, 30)
	iv := make([]byte, 16)
	piff := ubx(fmp4.UUIDSampleEncryption, 0, 1, be32(1<<8|8), iv, be32(2), iv)
	out, err := fmp4.AppendCMAFHead([]byte("x"), patchOffset(moofOf(cat(h, run, tfxd(1, be64(5, 6)), piff))), 77, 50)
	require.NoError(t, err)
	m, err := fmp4.ParseMoof(out[1:], 0)
	require.NoError(t, err)
	f := &m.Trafs[0]
	require.False(t, f.HasTfxd)
	require.EqualValues(t, 77, f.DecodeTime)
	require.Equal(t, cat(be32(0, 2), iv), f.Encryption) // senc knows no override
	require.Equal(t, []string{"tfhd", "tfdt", "trun", "senc"}, childTypes(t, out[1:len(out)-8]))

	for _, c := range []struct {
		name, path string
		kind       error
		moof       []byte
	}{
		{"payload longer", "moof/traf/trun", fmp4.ErrCorrupt, patchOffset(moofOf(cat(h, trun(rOffset|rSize, 1, 0, 49))))},
		{"payload shorter", "moof/traf/trun", fmp4.ErrCorrupt, patchOffset(moofOf(cat(h, trun(rOffset|rSize, 1, 0, 51))))},
		{"data apart", "moof/traf", fmp4.ErrUnsupported, moofOf(cat(h, trun(rOffset|rSize, 1, 200, 20), trun(rOffset|rSize, 1, 300, 30)))},
		{"two trafs", "moof", fmp4.ErrUnsupported, moofOf(h, h)},
		{"nothing", "box", fmp4.ErrCorrupt, nil},
	} {
		out, err := fmp4.AppendCMAFHead([]byte("keep"), c.moof, 0, 50)
		requireKind(t, err, c.kind, c.path)
		require.Equal(t, "keep", string(out))
	}
}

// TestCollectLying: a count without entries does not make the samples of a payload that cannot hold them.
func TestCollectLying(t *testing.T) {
	raw := patchOffset(moofOf(cat(tfhd(hSize, be32(3, 1)), trun(rOffset, fmp4.MaxRunSamples, 0))))
	used := allocated(func() {
		_, err := fmp4.AppendCMAFHead(nil, raw, 0, 100)
		requireKind(t, err, fmp4.ErrCorrupt, "moof/traf/trun")
		_, _, err = fmp4.AppendKeyFrames(nil, raw, 100)
		requireKind(t, err, fmp4.ErrCorrupt, "moof/traf/trun")
		_, _, err = fmp4.AppendKeyFrames(nil, raw, -1)
		requireKind(t, err, fmp4.ErrCorrupt, "moof/traf/trun")
	})
	require.Less(t, used, uint64(64<<10))
}

func TestAppendKeyFrames(t *testing.T) {
	f := fmp4.FragmentHead{TrackID: 3, Tfxd: true, Time: 500, Duration: 60, Tfdt: true, DecodeTime: 500, Samples: []fmp4.RunSample{
		{Duration: 10, Size: 100, Flags: delta}, {Duration: 10, Size: 7, Flags: sync, CTS: 3}, {Duration: 10, Size: 8, Flags: sync},
		{Duration: 10, Size: 50, Flags: delta}, {Duration: 10, Size: 9, Flags: sync}, {Duration: math.MaxUint32, Size: 1, Flags: delta}}}
	raw, err := f.AppendTo(nil)
	require.NoError(t, err)
	out, spans, err := fmp4.AppendKeyFrames([]byte("x"), raw, 175)
	require.NoError(t, err)
	require.Equal(t, []fmp4.Span{{100, 15}, {165, 9}}, spans)
	m, err := fmp4.ParseMoof(out[1:], 0)
	require.NoError(t, err)
	got := &m.Trafs[0]
	require.Equal(t, []fmp4.RunSample{{10, 7, sync, 3}, {20, 8, sync, 0}, {math.MaxUint32, 9, sync, 0}}, samplesOf(got, fmp4.Defaults{}))
	require.EqualValues(t, []uint64{500, 60, 510}, []uint64{got.Time, got.Duration, got.DecodeTime})
	require.Equal(t, cat(be32(24+8), []byte("mdat")), out[len(out)-8:])

	f.Samples = f.Samples[:1]
	raw, err = f.AppendTo(nil)
	require.NoError(t, err)
	_, spans, err = fmp4.AppendKeyFrames(nil, raw, 100)
	require.NoError(t, err)
	require.Empty(t, spans)
}

// TestKeyFramesEncrypted: the vectors of the kept samples, whatever their form.
func TestKeyFramesEncrypted(t *testing.T) {
	vec := func(n int, c byte) []byte { // n bytes of c
		b := make([]byte, n)
		for i := range b {
			b[i] = c
		}
		return b
	}
	sub := func(n int) []byte { return cat([]byte{0, byte(n)}, vec(6*n, 9)) }
	override := be32(1<<8|16, 1, 2, 3, 4)
	for _, c := range []struct {
		name           string
		head           []byte
		parts          [3][]byte
		piff, wantFail bool
	}{
		{"8 bytes", be32(0), [3][]byte{vec(8, 1), vec(8, 2), vec(8, 3)}, false, false},
		{"16 bytes", be32(0), [3][]byte{vec(16, 1), vec(16, 2), vec(16, 3)}, true, false},
		{"subsamples", be32(2), [3][]byte{cat(vec(8, 1), sub(1)), cat(vec(8, 2), sub(0)), cat(vec(8, 3), sub(3))}, true, false},
		{"16 and subsamples", be32(2), [3][]byte{cat(vec(16, 1), sub(1)), cat(vec(16, 2), sub(2)), cat(vec(16, 3), sub(3))}, false, false},
		{"constant", be32(2), [3][]byte{sub(1), sub(2), sub(3)}, false, false},
		{"override", cat(be32(1), override), [3][]byte{vec(16, 1), vec(16, 2), vec(16, 3)}, true, false},
		{"override wrong", cat(be32(1), override), [3][]byte{vec(8, 1), vec(8, 2), vec(8, 3)}, true, true},
		{"sizes wrong", be32(0), [3][]byte{vec(8, 1), vec(8, 2), vec(7, 3)}, true, true},
		{"subsamples cut", be32(2), [3][]byte{cat(vec(8, 1), sub(1)), cat(vec(8, 2), sub(0)), vec(9, 3)}, true, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := fmp4.FragmentHead{TrackID: 3, Tfxd: c.piff, Encryption: cat(c.head, be32(3), cat(c.parts[:]...)),
				Samples: []fmp4.RunSample{{Size: 1, Flags: sync}, {Size: 1, Flags: delta}, {Size: 1, Flags: sync}}}
			raw, err := f.AppendTo(nil)
			require.NoError(t, err)
			out, _, err := fmp4.AppendKeyFrames(nil, raw, 3)
			if c.wantFail {
				requireKind(t, err, fmp4.ErrCorrupt, "moof/traf/senc")
				return
			}
			require.NoError(t, err)
			m, err := fmp4.ParseMoof(out, 0)
			require.NoError(t, err)
			require.Equal(t, cat(c.head, be32(2), c.parts[0], c.parts[2]), m.Trafs[0].Encryption)
		})
	}
	for _, enc := range [][]byte{be32(0), be32(0, 2), be32(1, 0, 0), {}} { // too short, or another count
		f := fmp4.FragmentHead{Encryption: enc, Samples: []fmp4.RunSample{{Size: 1}}}
		raw, err := f.AppendTo(nil)
		require.NoError(t, err)
		_, _, err = fmp4.AppendKeyFrames(nil, raw, 1)
		requireKind(t, err, fmp4.ErrCorrupt, "moof/traf/senc")
	}
}

package fmp4_test

import (
	"bytes"
	"math"
	"testing"

	"github.com/Eyevinn/mp4ff/mp4"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/internal/fmp4"
)

var tfrf = ubx(fmp4.UUIDTfrf, 1, 0, []byte{1}, be64(100, 50))

// childTypes lists the children of the traf boxes of a moof, uuid boxes by their meaning.
func childTypes(t testing.TB, moof []byte) (all []string) {
	t.Helper()
	for _, traf := range decode(t, moof).(*mp4.MoofBox).Trafs {
		for _, c := range traf.Children {
			name := c.Type()
			if u, ok := c.(*mp4.UUIDBox); ok {
				name = u.SubType()
			}
			all = append(all, name)
		}
	}
	return all
}

func TestInspect(t *testing.T) {
	h := tfhd(0, be32(3))
	run := trun(rOffset|rDuration|rSize|rFlags, 1, 0, 10, 20, 0)
	plain := func(parts ...[]byte) []byte { return patchOffset(moofOf(cat(parts...))) }
	for _, c := range []struct {
		name           string
		moof           []byte
		plain, ordered bool
	}{
		{"plain", plain(h, run), true, true},
		{"tfxd", plain(h, run, tfxd(1, be64(5, 6)), tfrf), true, true},
		{"tfdt", plain(h, fbx("tfdt", 0, 0, be32(7)), run), true, true},
		{"tfxd before trun", plain(h, tfxd(1, be64(5, 6)), run), true, false},
		{"tfrf before tfxd", plain(h, run, tfrf, tfxd(1, be64(5, 6))), true, false},
		{"tfxd twice", plain(h, run, tfxd(1, be64(5, 6)), tfxd(1, be64(5, 6))), true, false},
		{"other data offset", moofOf(cat(h, run)), false, true},
		{"no data offset", moofOf(cat(h, trun(rSize, 1, 9))), false, true},
		{"one sample of defaults", moofOf(cat(h, trun(0, 1))), false, true},
		{"two runs", plain(h, run, trun(0, 0)), false, true},
		{"no run", moofOf(h), false, true},
		{"base", plain(tfhd(hBase, be32(3), be64(0)), run), false, true},
		{"two trafs", patchOffset(moofOf(cat(h, run), h)), false, true},
		{"no traf", moofOf(), false, true},
		{"child of unstated size", plain(h, run, bx0("free", []byte{1})), true, false},
		{"child of 64-bit size", plain(h, bx64("sdtp", be32(0)), run), true, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := fmp4.Inspect(c.moof, 0, fmp4.Defaults{})
			require.NoError(t, err)
			require.Equal(t, c.plain, got.Plain, "plain")
			require.Equal(t, c.ordered, got.Ordered, "ordered")
			require.Equal(t, len(c.moof), got.Size)
			require.EqualValues(t, 9, got.Sequence)
		})
	}
	got, err := fmp4.Inspect(cases64(h, run), 0, fmp4.Defaults{})
	require.NoError(t, err)
	require.False(t, got.Plain, "moof of 64-bit size")
	got, err = fmp4.Inspect(cat(bx0("moof"), patchOffset(moofOf(cat(h, run)))[8:]), 0, fmp4.Defaults{})
	require.NoError(t, err)
	require.False(t, got.Plain, "moof of unstated size")
	got, err = fmp4.Inspect(plain(h, fbx("tfdt", 0, 0, be32(7)), run, tfxd(0, be32(5, 6))), 0, fmp4.Defaults{})
	require.NoError(t, err)
	require.True(t, got.HasTfxd && got.HasDecodeTime)
	require.EqualValues(t, []uint64{3, 5, 6}, []uint64{uint64(got.TrackID), got.Time, got.Duration})
}

func cases64(parts ...[]byte) []byte {
	return bx64("moof", mfhd(9), bx("traf", parts...))
}

func TestInspectErrors(t *testing.T) {
	h := tfhd(0, be32(3))
	for path, moof := range map[string][]byte{
		"moof":           bx("mdat", make([]byte, 30)),
		"moof/mfhd":      bx("moof", bx("mfhd")),
		"moof/traf":      moofOf(trun(0, 0)),
		"moof/traf/tfhd": moofOf(cat(h, h)),
		"moof/traf/trun": moofOf(cat(h, trun(rSize, 5))),
		"moof/traf/tfxd": moofOf(cat(h, tfxd(1, be32(0)))),
		"moof/traf/tfdt": moofOf(cat(h, fbx("tfdt", 1, 0, be32(0)))),
		"moof/free":      bx("moof", be32(99), []byte("free")),
	} {
		_, err := fmp4.Inspect(moof, 0, fmp4.Defaults{})
		requireKind(t, err, fmp4.ErrCorrupt, path)
	}
}

func TestAppendSmoothOrder(t *testing.T) {
	sdtp, other := fbx("sdtp", 0, 0, []byte{0}), bx("free", []byte("abc"))
	moof := patchOffset(moofOf(cat(other, tfrf, tfxd(0, be32(1, 2)), sdtp, tfhd(hMoof, be32(3)),
		trun(rOffset|rSize, 1, 0, 20), fbx("tfdt", 0, 0, be32(7)))))
	before := bytes.Clone(moof)
	out, err := fmp4.AppendSmooth([]byte("head"), moof, 1<<40, 99)
	require.NoError(t, err)
	require.Equal(t, before, moof)
	require.Equal(t, "head", string(out[:4]))
	out = out[4:]
	require.Equal(t, []string{"tfhd", "tfdt", "trun", "sdtp", "tfxd", "tfrf", "free"}, childTypes(t, out))
	h, err := fmp4.Inspect(out, 0, fmp4.Defaults{})
	require.NoError(t, err)
	require.Equal(t, fmp4.Head{Size: len(out), TrackID: 3, Sequence: 9, Plain: true, Ordered: true, HasTfxd: true,
		Time: 1 << 40, Duration: 99, HasDecodeTime: true}, h)
	again, err := fmp4.AppendSmooth(nil, out, 1<<40, 99)
	require.NoError(t, err)
	require.Equal(t, out, again)
}

// TestAppendSmoothHeaders: children whose header is not the compact one get it, so that nothing is swallowed.
func TestAppendSmoothHeaders(t *testing.T) {
	run := trun(rOffset|rSize, 1, 0, 20)
	wide := bx64("trun", run[8:])
	for name, traf := range map[string][]byte{
		"last of unstated size": cat(bx64("tfhd", tfhd(0, be32(3))[8:]), bx0("trun", run[8:])),
		"64-bit sizes":          cat(bx64("tfhd", tfhd(0, be32(3))[8:]), bx64("uuid", tfrf[8:]), wide),
	} {
		for _, moof := range [][]byte{moofOf(traf), bx("moof", bx64("mfhd", mfhd(9)[8:]), bx0("traf", traf)), cases64(traf)} {
			copy(moof[bytes.LastIndex(moof, run[8:])+8:], be32(uint32(len(moof)+8)))
			out, err := fmp4.AppendSmooth(nil, cat(moof, bx("mdat", make([]byte, 20))), 5, 6)
			require.NoError(t, err, name)
			h, err := fmp4.Inspect(out, 0, fmp4.Defaults{})
			require.NoError(t, err, name)
			require.True(t, h.Plain && h.Ordered && h.HasTfxd, name)
			require.Equal(t, len(out), h.Size)
			types := childTypes(t, out)
			require.Equal(t, []string{"tfhd", "trun", "tfxd"}, types[:3])
		}
	}
}

func TestAppendSmoothSaio(t *testing.T) {
	enc := fbx("senc", 0, 0, be32(1), make([]byte, 8))
	saiz := fbx("saiz", 0, 0, []byte{8}, be32(1))
	h, run := tfhd(hMoof, be32(3)), trun(rOffset|rSize, 1, 0, 20)
	for name, saio := range map[string]func(off uint32) []byte{
		"32":          func(o uint32) []byte { return fbx("saio", 0, 0, be32(1, o)) },
		"64":          func(o uint32) []byte { return fbx("saio", 1, 0, be32(1), be64(uint64(o))) },
		"with type":   func(o uint32) []byte { return fbx("saio", 0, 1, []byte("cenc"), be32(0, 1, o)) },
		"64 and type": func(o uint32) []byte { return fbx("saio", 1, 1, []byte("cenc"), be32(0, 1), be64(uint64(o))) },
		"wide header": func(o uint32) []byte { return bx64("saio", be32(0, 1, o)) },
	} {
		for _, order := range [][]int{{0, 1, 2, 3}, {3, 2, 1, 0}, {1, 3, 0, 2}} {
			for _, top := range [][]byte{nil, bx("free", make([]byte, 5))} {
				build := func(off uint32) []byte {
					parts := [][]byte{enc, saiz, saio(off), tfrf}
					out := cat(h, tfxd(0, be32(1, 2)))
					for _, i := range order {
						out = cat(out, parts[i])
					}
					return patchOffset(bx("moof", top, mfhd(9), bx("traf", out, run), top))
				}
				at := bytes.Index(build(0), []byte("senc")) + 12 // first vector, behind version, flags and count
				out, err := fmp4.AppendSmooth(nil, build(uint32(at)), 5, 6)
				require.NoError(t, err, name)
				lib := decode(t, out).(*mp4.MoofBox)
				require.EqualValues(t, bytes.Index(out, []byte("senc"))+12, lib.Traf.Saio.Offset[0], name)
				require.EqualValues(t, len(out)+8, lib.Traf.Trun.DataOffset)
				out, err = fmp4.AppendSmooth(nil, build(uint32(len(build(0))+8)), 5, 6) // in mdat
				require.NoError(t, err)
				require.EqualValues(t, len(out)+8, decode(t, out).(*mp4.MoofBox).Traf.Saio.Offset[0])
			}
		}
	}
}

func TestAppendSmoothErrors(t *testing.T) {
	h := tfhd(0, be32(3))
	for _, c := range []struct {
		name, path string
		kind       error
		moof       []byte
	}{
		{"nothing", "box", fmp4.ErrCorrupt, nil},
		{"not moof", "moof", fmp4.ErrCorrupt, bx("moov")},
		{"too large", "moof", fmp4.ErrTooLarge, bx("moof", make([]byte, fmp4.MaxMoof))},
		{"no traf", "moof", fmp4.ErrUnsupported, moofOf()},
		{"two trafs", "moof", fmp4.ErrUnsupported, moofOf(h, h)},
		{"base", "moof/traf/tfhd", fmp4.ErrUnsupported, moofOf(tfhd(hBase, be32(3), be64(0)))},
		{"boxes of moof", "moof/traf", fmp4.ErrUnsupported, bx("moof", bytes.Repeat(bx("free"), 33))},
		{"boxes of traf", "moof/traf", fmp4.ErrUnsupported, moofOf(bytes.Repeat(bx("free"), 32))},
		{"data offset", "moof/traf/trun", fmp4.ErrCorrupt, moofOf(cat(h, trun(rOffset, 0, math.MaxInt32)))},
		{"saio cut", "moof/traf/saio", fmp4.ErrCorrupt, moofOf(cat(h, fbx("saio", 0, 0)))},
		{"saio empty", "moof/traf/saio", fmp4.ErrCorrupt, moofOf(cat(h, bx("saio")))},
		{"saio with type cut", "moof/traf/saio", fmp4.ErrCorrupt, moofOf(cat(h, fbx("saio", 0, 1, be32(0))))},
		{"saio lying", "moof/traf/saio", fmp4.ErrCorrupt, moofOf(cat(h, fbx("saio", 0, 0, be32(2, 0))))},
		{"saio lying hugely", "moof/traf/saio", fmp4.ErrCorrupt, moofOf(cat(h, fbx("saio", 1, 0, be32(math.MaxUint32, 0))))},
		{"saio offset", "moof/traf/saio", fmp4.ErrCorrupt, moofOf(cat(h, fbx("saio", 0, 0, be32(1, math.MaxUint32))))},
		{"child beyond", "moof/traf/trun", fmp4.ErrCorrupt, moofOf(cat(h, be32(99), []byte("trun")))},
	} {
		t.Run(c.name, func(t *testing.T) {
			dst := []byte("keep")
			out, err := fmp4.AppendSmooth(dst, c.moof, 1, 2)
			requireKind(t, err, c.kind, c.path)
			require.Equal(t, "keep", string(out))
		})
	}
}

// TestAppendSmoothMost: as many boxes as the limit says.
func TestAppendSmoothMost(t *testing.T) {
	moof := moofOf(cat(tfhd(0, be32(3)), bytes.Repeat(bx("free"), 30))) // and mfhd
	out, err := fmp4.AppendSmooth(nil, moof, 1, 2)
	require.NoError(t, err)
	require.Len(t, childTypes(t, out), 32)
}

func TestRetime(t *testing.T) {
	run := trun(rOffset|rDuration|rSize, 2, 0, 10, 20, 30, 5)
	for _, c := range []struct {
		name         string
		traf         []byte
		time         uint64
		duration, dt uint64
	}{
		{"tfxd", cat(tfhd(0, be32(3)), run, tfxd(1, be64(1000, 77)), tfrf), 5, 77, 0},
		{"tfdt", cat(tfhd(0, be32(3)), fbx("tfdt", 0, 0, be32(1000)), run), 5, 40, 5},
		{"both", cat(tfhd(0, be32(3)), fbx("tfdt", 1, 0, be64(990)), run, tfxd(1, be64(1000, 77))), 1 << 40, 77, 1<<40 - 10},
		{"32 bits do not do", cat(tfhd(0, be32(3)), fbx("tfdt", 0, 0, be32(math.MaxUint32)), run), 1 << 33, 40, 1 << 33},
		{"neither", cat(tfhd(0, be32(3)), run), 7, 40, 0},
		{"wide tfdt", cat(tfhd(0, be32(3)), bx64("tfdt", be32(0, 1000)), run), 5, 40, 5},
	} {
		t.Run(c.name, func(t *testing.T) {
			moof := patchOffset(moofOf(c.traf))
			out, err := fmp4.Retime([]byte("x"), moof, c.time)
			require.NoError(t, err)
			out = out[1:]
			m, err := fmp4.ParseMoof(out, 0)
			require.NoError(t, err)
			f := &m.Trafs[0]
			require.EqualValues(t, []uint64{c.time, c.duration, c.dt}, []uint64{f.Time, f.Duration, f.DecodeTime})
			require.NotContains(t, childTypes(t, out), "tfrf")
			h, err := fmp4.Inspect(out, 0, fmp4.Defaults{})
			require.NoError(t, err)
			require.True(t, h.Plain && h.Ordered)
			require.Equal(t, samplesOf(f, fmp4.Defaults{}), []fmp4.RunSample{{10, 20, 0, 0}, {30, 5, 0, 0}})
		})
	}
	_, err := fmp4.Retime(nil, moofOf(), 0)
	requireKind(t, err, fmp4.ErrUnsupported, "moof")
	out, err := fmp4.Retime([]byte("keep"), nil, 0)
	require.ErrorIs(t, err, fmp4.ErrCorrupt)
	require.Equal(t, "keep", string(out))
}

// TestMoofTruncated cuts a fragment at every byte and turns every byte over: all functions hold.
func TestMoofTruncated(t *testing.T) {
	raw := patchOffset(moofOf(cat(tfhd(hMoof, be32(3)), fbx("tfdt", 0, 0, be32(7)),
		trun(rOffset|rSize|rDuration|rFlags|rCTS, 2, 0, 1, 2, 3, 4, 5, 6, 0x10000, 8), tfxd(1, be64(5, 6)), tfrf,
		fbx("saio", 0, 0, be32(1, 200)), fbx("senc", 0, 2, be32(2), make([]byte, 8), []byte{0, 0}, make([]byte, 8), []byte{0, 1}, make([]byte, 6)))))
	_, err := fmp4.ParseMoof(raw, 0)
	require.NoError(t, err)
	for n := range len(raw) {
		_, err := fmp4.ParseMoof(raw[:n], 0)
		require.ErrorIs(t, err, fmp4.ErrCorrupt)
		_, err = fmp4.Inspect(raw[:n], 0, fmp4.Defaults{})
		require.ErrorIs(t, err, fmp4.ErrCorrupt)
		_, err = fmp4.AppendSmooth(nil, raw[:n], 1, 2)
		require.ErrorIs(t, err, fmp4.ErrCorrupt)
		for at := 0; at+4 <= n; at += 4 { // sizes of moof and traf made to fit
			cut := bytes.Clone(raw[:n])
			copy(cut, be32(uint32(n)))
			copy(cut[at:], be32(uint32(n-at)))
			useMoof(t, cut)
		}
		for _, x := range []byte{0xff, 0x80, 1} {
			bad := bytes.Clone(raw)
			bad[n] ^= x
			useMoof(t, bad)
		}
	}
}

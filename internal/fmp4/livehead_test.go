package fmp4_test

import (
	"bytes"
	"testing"

	"github.com/Eyevinn/mp4ff/mp4"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/internal/fmp4"
)

// liveBoxes returns what mp4ff reads in the tfxd and tfrf boxes of a moof.
func liveBoxes(t testing.TB, moof []byte) (tfxd *mp4.TfxdData, next []fmp4.FragmentSpan) {
	t.Helper()
	for _, c := range decode(t, moof).(*mp4.MoofBox).Traf.Children {
		u, ok := c.(*mp4.UUIDBox)
		switch {
		case ok && u.Tfxd != nil:
			require.Nil(t, tfxd, "two tfxd")
			tfxd = u.Tfxd
		case ok && u.Tfrf != nil:
			require.Nil(t, next, "two tfrf")
			for i := range u.Tfrf.FragmentAbsoluteTimes {
				next = append(next, fmp4.FragmentSpan{Time: u.Tfrf.FragmentAbsoluteTimes[i], Duration: u.Tfrf.FragmentAbsoluteDurations[i]})
			}
		}
	}
	return tfxd, next
}

// TestLiveHead gives fragments as encoders send them the identity of a live fragment.
func TestLiveHead(t *testing.T) {
	run := trun(rOffset|rDuration|rSize, 2, 0, 10, 20, 30, 5)
	sdtp := fbx("sdtp", 0, 0, []byte{0, 0})
	spans := []fmp4.FragmentSpan{{Time: 1 << 41, Duration: 40}, {Time: 1<<41 + 40, Duration: 1 << 33}}
	many := make([]fmp4.FragmentSpan, fmp4.MaxNext)
	many[254].Time = 7
	for _, c := range []struct {
		name  string
		traf  []byte
		next  []fmp4.FragmentSpan
		dt    uint64
		types []string
	}{
		{"ffmpeg", cat(tfhd(0, be32(3)), run, tfxd(1, be64(1000, 77))), spans, 0, []string{"tfhd", "trun", "tfxd", "tfrf"}},
		{"with all", cat(tfrf, tfxd(0, be32(1000, 77)), tfhd(hMoof, be32(3)), sdtp, run, fbx("tfdt", 1, 0, be64(990)), bx("free")), spans, 1<<40 - 10,
			[]string{"tfhd", "tfdt", "trun", "sdtp", "tfxd", "tfrf", "free"}},
		{"short tfdt", cat(tfhd(0, be32(3)), fbx("tfdt", 0, 0, be32(1000)), run, tfxd(1, be64(1000, 77))), spans, 1 << 40,
			[]string{"tfhd", "tfdt", "trun", "tfxd", "tfrf"}},
		{"decoded before zero", cat(tfhd(0, be32(3)), fbx("tfdt", 0, 0, be32(10)), run, tfxd(1, be64(1<<50, 77))), spans, 0,
			[]string{"tfhd", "tfdt", "trun", "tfxd", "tfrf"}},
		{"nothing follows", cat(tfhd(0, be32(3)), run, tfxd(1, be64(1000, 77)), tfrf), nil, 0, []string{"tfhd", "trun", "tfxd"}},
		{"two tfrf", cat(tfhd(0, be32(3)), run, tfxd(1, be64(1000, 77)), tfrf, tfrf), spans[:1], 0, []string{"tfhd", "trun", "tfxd", "tfrf"}},
		{"the most", cat(tfhd(0, be32(3)), run, tfxd(1, be64(1000, 77))), many, 0, []string{"tfhd", "trun", "tfxd", "tfrf"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			moof := patchOffset(moofOf(c.traf))
			before := bytes.Clone(moof)
			h := fmp4.LiveHead{Sequence: 0xFFFFFFFF, TrackID: 77, Time: 1 << 40, Duration: 41, Next: c.next}
			out, err := h.AppendTo([]byte("head"), moof)
			require.NoError(t, err)
			require.Equal(t, before, moof)
			require.Equal(t, "head", string(out[:4]))
			out = out[4:]
			require.Equal(t, c.types, childTypes(t, out))

			lib := decode(t, out).(*mp4.MoofBox)
			require.EqualValues(t, uint32(0xFFFFFFFF), lib.Mfhd.SequenceNumber)
			require.EqualValues(t, 77, lib.Traf.Tfhd.TrackID)
			require.EqualValues(t, len(out)+8, lib.Traf.Trun.DataOffset)
			xd, next := liveBoxes(t, out)
			require.Equal(t, []uint64{1 << 40, 41}, []uint64{xd.FragmentAbsoluteTime, xd.FragmentAbsoluteDuration})
			require.Equal(t, c.next, next)
			if lib.Traf.Tfdt != nil {
				require.Equal(t, c.dt, lib.Traf.Tfdt.BaseMediaDecodeTime())
			}
			got, err := fmp4.ParseMoof(out, 0)
			require.NoError(t, err)
			require.Equal(t, samplesOf(&got.Trafs[0], fmp4.Defaults{}), []fmp4.RunSample{{10, 20, 0, 0}, {30, 5, 0, 0}})

			h2 := h // what another server has made of it comes out the same here
			again, err := h2.AppendTo(nil, out)
			require.NoError(t, err)
			require.Equal(t, out, again)
			require.Len(t, out, len(again))
			without, err := (&fmp4.LiveHead{Sequence: h.Sequence, TrackID: 77, Time: h.Time, Duration: 41}).AppendTo(nil, out)
			require.NoError(t, err)
			require.Len(t, without, len(out)-fmp4.TfrfSize(len(c.next)))
		})
	}
}

// TestLiveHeadSaio: the places of the initialisation vectors move with the box that grows before them.
func TestLiveHeadSaio(t *testing.T) {
	enc := fbx("senc", 0, 0, be32(1), []byte("vector01"))
	build := func(off uint32) []byte {
		return patchOffset(moofOf(cat(tfhd(hMoof, be32(3)), trun(rOffset|rSize, 1, 0, 20), tfxd(1, be64(1, 2)),
			fbx("saiz", 0, 0, []byte{8}, be32(1)), fbx("saio", 0, 0, be32(1, off)), enc)))
	}
	moof := build(uint32(bytes.Index(build(0), []byte("vector01"))))
	for n := range 4 {
		h := fmp4.LiveHead{Sequence: 1, TrackID: 1, Time: 5, Duration: 6, Next: make([]fmp4.FragmentSpan, n)}
		out, err := h.AppendTo(nil, moof)
		require.NoError(t, err)
		require.EqualValues(t, bytes.Index(out, []byte("vector01")), decode(t, out).(*mp4.MoofBox).Traf.Saio.Offset[0])
	}
}

func TestLiveHeadErrors(t *testing.T) {
	h, run, xd := tfhd(0, be32(3)), trun(rOffset|rSize, 1, 0, 20), tfxd(1, be64(1, 2))
	for _, c := range []struct {
		name, path string
		kind       error
		moof       []byte
		next       int
	}{
		{"nothing", "box", fmp4.ErrCorrupt, nil, 0},
		{"no tfxd", "moof/traf", fmp4.ErrUnsupported, moofOf(cat(h, run)), 0},
		{"no traf", "moof/traf", fmp4.ErrUnsupported, moofOf(), 0},
		{"two trafs", "moof", fmp4.ErrUnsupported, moofOf(cat(h, run, xd), cat(h, run, xd)), 0},
		{"too many", "moof/traf/tfrf", fmp4.ErrTooLarge, moofOf(cat(h, run, xd)), fmp4.MaxNext + 1},
		{"saio lying", "moof/traf/saio", fmp4.ErrCorrupt, moofOf(cat(h, xd, fbx("saio", 0, 0, be32(2, 0)))), 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			head := fmp4.LiveHead{Next: make([]fmp4.FragmentSpan, c.next)}
			out, err := head.AppendTo([]byte("keep"), c.moof)
			requireKind(t, err, c.kind, c.path)
			require.Equal(t, "keep", string(out))
		})
	}
}

// FuzzLiveHead: what is accepted is plain and has the identity that was asked for, and the samples of before.
func FuzzLiveHead(f *testing.F) {
	run := trun(rOffset|rDuration|rSize, 2, 0, 10, 20, 30, 5)
	f.Add(patchOffset(moofOf(cat(tfhd(0, be32(3)), run, tfxd(1, be64(1000, 77)), tfrf))), uint64(9), uint64(8), byte(2))
	f.Add(patchOffset(moofOf(cat(tfhd(hMoof, be32(3)), fbx("tfdt", 0, 0, be32(7)), run, tfxd(0, be32(1, 2)),
		fbx("saio", 0, 0, be32(1, 200)), fbx("senc", 0, 0, be32(1), make([]byte, 8))))), uint64(1)<<63, uint64(0), byte(255))
	f.Fuzz(func(t *testing.T, moof []byte, time, duration uint64, next byte) {
		time, duration = time>>8, duration>>8 // no timeline is longer
		h := fmp4.LiveHead{Sequence: 5, TrackID: 6, Time: time, Duration: duration, Next: make([]fmp4.FragmentSpan, next)}
		out, err := h.AppendTo(nil, moof)
		if err != nil {
			require.Nil(t, out)
			return
		}
		got, err := fmp4.Inspect(out, 0, fmp4.Defaults{})
		require.NoError(t, err)
		require.Equal(t, len(out), got.Size)
		require.True(t, got.Ordered && got.HasTfxd)
		require.Equal(t, []uint64{6, time, duration}, []uint64{uint64(got.TrackID), got.Time, got.Duration})
		before, err := fmp4.ParseMoof(moof, 0)
		if err != nil {
			return // Inspect does not look at samples
		}
		after, err := fmp4.ParseMoof(out, 0)
		require.NoError(t, err)
		require.Equal(t, samplesOf(&before.Trafs[0], fmp4.Defaults{}), samplesOf(&after.Trafs[0], fmp4.Defaults{}))
	})
}
